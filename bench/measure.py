"""What a turn of a benchmark takes: seconds, CPU and memory of the server, rows read and written, disk."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from recovery.dsn import Dsn

SQL = Path(__file__).parent / "sql"
WATCHER = "bench-processes"
DISK_EVERY = 0.5  # seconds between two looks at the disk, each of which lists the folder
PATIENCE_SECONDS = 1800  # for merges that go on after rows are made


def text(name: str) -> str:
    """The text of bench/sql/<name>.sql."""
    return (SQL / f"{name}.sql").read_text("utf-8")


@dataclass(frozen=True)
class Server:
    """A server whose process is on this machine."""

    dsn: str
    pid: int

    def connect(self, database: str = "default", **settings: Any) -> Client:
        to = Dsn.parse(self.dsn)
        return clickhouse_connect.get_client(
            host=to.host, port=to.port, username=to.user, password=to.password, database=database, settings=settings,
            autogenerate_session_id=False, send_receive_timeout=24 * 3600,
        )  # fmt: skip

    def cpu(self) -> float:
        """Seconds of all processors that the server has had: what others do on the machine changes them less than a clock's."""
        used = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK")

    def process_memory(self) -> tuple[int, int]:
        """Bytes of the process in memory: now, and at most since `forget_peak`."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        now, peak = (int(re.findall(rf"^{key}:\s+(\d+)", status, re.M)[0]) * 1024 for key in ("VmRSS", "VmHWM"))
        return now, peak

    def forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def counters(self) -> dict[str, int]:
        """Rows and bytes that the server has read and written since it was started."""
        return {name: int(value) for name, value in self.client.query(text("bench/counters")).result_rows}

    @cached_property
    def client(self) -> Client:
        """For one statement at a time, of the benchmark's own."""
        return self.connect()

    @cached_property
    def _watcher(self) -> Client:
        return self.connect(log_comment=WATCHER)

    def memory(self) -> list[tuple[str, int, int]]:
        """Statements at work by label, the memory of each at most, and that of all merges now; for one watcher at a time."""
        return [(label, peak, merges) for label, peak, merges in self._watcher.query(text("bench/memory")).result_rows]


@dataclass
class Took:
    """One turn: seconds of it and of its parts, what the server read, wrote and held meanwhile, and more to tell."""

    seconds: dict[str, float] = field(default_factory=dict)
    rows_read: int = 0
    bytes_read: int = 0
    rows_written: int = 0
    memory: int = 0  # bytes of one statement or of all merges and mutations, at most
    process: int = 0  # bytes that the server's process grew by, at most
    disk: int = 0  # bytes that the server's folder grew by, at most
    told: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def timing(self, part: str, server: Server | None = None) -> Iterator[None]:
        """Time a part, which may be in several pieces; with `server` the processors' time of it as well."""
        cpu, clock = server.cpu() if server else 0.0, time.perf_counter()
        yield
        self._add(part, time.perf_counter() - clock)
        if server:
            self._add("cpu", server.cpu() - cpu)

    @contextmanager
    def measuring(self, server: Server, every: float, folder: Path | None = None) -> Iterator[None]:
        """Time what counts, and look at the server meanwhile, and at the disk where `folder` is the server's; may be in
        several pieces."""
        server.forget_peak()
        (before, _), counted = server.process_memory(), server.counters()
        disk = used_disk(folder) if folder else 0
        with watched(server, every, folder) as seen, self.timing("whole", server):
            yield
        now = server.counters()
        self.rows_read += now["SelectedRows"] - counted["SelectedRows"]
        self.bytes_read += now["SelectedBytes"] - counted["SelectedBytes"]
        self.rows_written += now["InsertedRows"] - counted["InsertedRows"]
        self.memory = max(self.memory, *seen.statements.values(), seen.merges, 0)
        self.process = max(self.process, server.process_memory()[1] - before)
        self.disk = max(self.disk, max(seen.disk, used_disk(folder)) - disk if folder else 0)
        for label, peak in seen.statements.items():
            kind = re.sub(r"-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", "", label)
            self.told.setdefault("memory", {})[kind] = max(peak, self.told.get("memory", {}).get(kind, 0))

    def _add(self, part: str, seconds: float) -> None:
        self.seconds[part] = self.seconds.get(part, 0.0) + seconds


@dataclass
class Seen:
    """The most bytes that each statement, all merges and mutations, and the disk had meanwhile."""

    statements: dict[str, int] = field(default_factory=dict)
    merges: int = 0
    disk: int = 0


@contextmanager
def watched(server: Server, every: float, folder: Path | None = None) -> Iterator[Seen]:
    """Look at the server every so many seconds, over another connection."""
    seen, over = Seen(), threading.Event()

    def look() -> None:
        due = 0.0
        while not over.wait(every):
            for label, peak, merges in server.memory():
                if label != WATCHER:
                    seen.statements[label] = max(seen.statements.get(label, 0), peak)
                seen.merges = max(seen.merges, merges)
            if folder and time.monotonic() > due:
                seen.disk, due = max(seen.disk, used_disk(folder)), time.monotonic() + DISK_EVERY

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def used_disk(folder: Path) -> int:
    """Bytes that a folder takes on disk, a file of several names once."""
    files: dict[int, int] = {}
    folders = [str(folder)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        stat = entry.stat(follow_symlinks=False)
                        files[stat.st_ino] = stat.st_blocks * 512
        except FileNotFoundError:  # it was dropped meanwhile
            continue
    return sum(files.values())


def settle(client: Client) -> None:
    """Wait until the server merges no more by itself."""
    over = time.monotonic() + PATIENCE_SECONDS
    while client.query(text("bench/merging")).result_rows[0][0] and time.monotonic() < over:
        time.sleep(0.5)
