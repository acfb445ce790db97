"""The live writer: new trades every second, and the incremental updater that is deployed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Literal, Protocol, get_args

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from rehearsal.clock import Clock
from rehearsal.scenario import SCENARIO, ask, ask_named, execute, folder

Mode = Literal["follow", "buggy", "stuck", "fixed", "off"]
MODES: tuple[Mode, ...] = get_args(Mode)


class Production(Protocol):
    """What the writer needs to know of the services."""

    clock: Clock

    @property
    def fixed(self) -> bool: ...


class Writer:
    """Inserts trades, their truth and their fills, a tick at a time; each tick is complete.

    follow: runs what is deployed, and trades tokens that are not mapped yet only once that is the fix.
    buggy: the same, but trades such tokens from the start. stuck: as buggy, but no deployment reaches it.
    fixed: always the fixed statement. off: does nothing.
    """

    def __init__(
        self,
        connect: str | Callable[[], Client],
        production: Production,
        mode: Mode = "follow",
        *,
        interval: float = 1.0,
    ) -> None:
        self.ticks = 0
        self._production = production
        self._mode = mode
        self._interval = interval
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._failure: Exception | None = None
        if mode != "off":
            self._client = clickhouse_connect.get_client(dsn=connect) if isinstance(connect, str) else connect()
            self._given = ask_named(self._client, "generated_with")[0]
            self._batch: int = ask(self._client, "next_batch")[0][0]

    def tick(self) -> None:
        """Some new trades at the clock's now, then one run of the updater."""
        now = self._production.clock.now()
        fixed = self._mode == "fixed" or (self._mode != "stuck" and self._production.fixed)
        given = self._given | {
            "now": now,
            "mapped_until": now,
            "batch": self._batch,
            "transactions": SCENARIO["live_transactions"],
            "unmapped": int(fixed or self._mode != "follow"),
            "cron": SCENARIO["updater"],
            "status": "success",
            "duration_ms": 900,
            "error": "",
        }
        updater = "writer_fixed" if fixed else "writer_buggy"
        for name in [*folder("live"), *folder("trades"), updater, "end/1_watermark", "cron_run"]:
            execute(self._client, name, **given)
        self._batch += 1
        self.ticks += 1

    def start(self) -> None:
        if self._mode != "off":
            self._thread.start()

    def stop(self) -> None:
        """Stop after a last tick; then the map learns of every token it lacks, too late for the updater."""
        if self._mode == "off":
            return
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._failure:
            raise self._failure
        self.tick()
        later = self._production.clock.now() + timedelta(days=3650)
        execute(self._client, "live/2_map", mapped_until=later, **self._given)
        self._client.close()

    def _run(self) -> None:
        try:
            while not self._stopping.wait(self._interval):
                self.tick()
        except Exception as error:  # told by stop(), in the caller's thread
            self._failure = error
