"""The application's jobs: each computes a board and writes down that it ran, unless a test has it go wrong."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from rehearsal.boards import refresh
from rehearsal.clock import Clock
from rehearsal.scenario import SCENARIO, execute

Fault = Literal["slow", "silent", "stale", "hangs", "fails", "unsuccessful", "refuses"]
FAULTS: tuple[Fault, ...] = get_args(Fault)


@dataclass(frozen=True)
class Answer:
    """What goes out over HTTP."""

    status: int
    content: Any
    headers: tuple[tuple[str, str], ...] = ()


class Application:
    """A job that was started is counted in `started`, and leaves one row in the table of runs unless its fault says otherwise.

    faults, by job: slow: takes `slow_seconds` before it begins, then does all it should. silent: does its work and answers
    success, but writes no row. stale: answers success and writes its row, but leaves its board as it was. hangs: never
    answers and does nothing. fails: does nothing, writes a row of failure, answers 500. unsuccessful: the same, but answers
    200 with success false. refuses: answers 503 and is not started.
    """

    def __init__(self, connect: Callable[[], Client], clock: Clock) -> None:
        self.connect = connect
        self.faults: dict[str, str] = {}
        self.slow_seconds = 3.0
        self.started: Counter[str] = Counter()
        self.most_at_a_time: Counter[str] = Counter()
        self._running: Counter[str] = Counter()
        self.closing = threading.Event()
        self._clock = clock
        self._lock = threading.Lock()

    def run(self, job: str) -> Answer:
        """Run a job once; two of one name may run at the same time."""
        fault = self.faults.get(job)
        if fault == "refuses":
            return Answer(503, {"success": False, "error": "Service unavailable"})
        with self._counted(job):
            return self._run(job, fault)

    @contextmanager
    def _counted(self, job: str) -> Iterator[None]:
        with self._lock:
            self.started[job] += 1
            self._running[job] += 1
            self.most_at_a_time[job] = max(self.most_at_a_time[job], self._running[job])
        try:
            yield
        finally:
            with self._lock:
                self._running[job] -= 1

    def _run(self, job: str, fault: str | None) -> Answer:
        began = time.monotonic()
        patience = {"hangs": None, "slow": self.slow_seconds}
        if fault in patience and self.closing.wait(patience[fault]):
            return Answer(504, {"success": False, "error": "The application is closing"})
        client = self.connect()
        try:
            error, rows = self._refresh(client, job, fault)
            if fault != "silent":
                self._write_down(client, job, began, error)
        finally:
            client.close()
        if error:
            return Answer(200 if fault == "unsuccessful" else 500, {"success": False, "cron": job, "error": error})
        return Answer(200, {"success": True, "cron": job, "rows": rows})

    def _refresh(self, client: Client, job: str, fault: str | None) -> tuple[str, int]:
        """What went wrong, or nothing, and the rows that the board has now."""
        if fault in ("fails", "unsuccessful"):
            return "Query timed out after 30 s", 0
        if fault == "stale":
            return "", 0
        try:
            return "", refresh(client, job, self._now())
        except ClickHouseError as error:
            return str(error).splitlines()[0], 0

    def _write_down(self, client: Client, job: str, began: float, error: str) -> None:
        execute(
            client,
            "cron_run",
            cron=job,
            now=self._now(),
            status="failure" if error else "success",
            duration_ms=round(1000 * (time.monotonic() - began)),
            error=error,
        )

    def _now(self) -> datetime:
        return self._clock.now()


def is_job(name: str) -> bool:
    return name in SCENARIO["boards"]
