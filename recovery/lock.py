"""Lock: one runner acts on a table at a time, from whatever machine.

The lock is a table beside the broken one, `<table>_recovery_lock_<n>`: ClickHouse creates a table once, so of two runners
that try the same number one is refused. Its comment names the holder and, by the server's clock, when the holder was last
heard. A lock whose holder is silent for SILENT_SECONDS, or whose process has ended on this very machine, is passed over by
creating the next number; the highest number holds. A holder that finds a higher number than its own has lost the lock and
stops before its next statement.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from recovery import interrupts, statements
from recovery.errors import GateClosed, RecoveryError, StatementFailed
from recovery.warehouse import Warehouse

BEAT_SECONDS = 10.0
SILENT_SECONDS = 120.0
TABLE_ALREADY_EXISTS = 57


@dataclass(frozen=True)
class Holder:
    """Who holds a lock. `heard` is the server's time in seconds; `machine` tells one boot of one machine from another, and
    `birth` one process from another of the same number."""

    who: str
    action: str
    machine: str
    pid: int
    birth: str
    heard: float = 0.0

    @classmethod
    def of(cls, comment: str) -> Self:
        try:
            return cls(**json.loads(comment))
        except (ValueError, TypeError):
            return cls("somebody unknown", "something", "", 0, "")

    def gone(self, now: float) -> bool:
        """Whether the holder will not come back: its process has ended here, or it has been silent for long."""
        ended = self.machine == this_machine() and _birth(self.pid) != self.birth
        return ended or now - self.heard > SILENT_SECONDS

    def __str__(self) -> str:
        return f"{self.who} (pid {self.pid}, {self.action})"


class Lock:
    """A held lock. `require` raises when it was lost, which only a holder that stalled can find."""

    def __init__(self, warehouse: Warehouse, holder: Holder, number: int) -> None:
        self._warehouse, self._holder, self._number = warehouse, holder, number
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="recovery-lock", daemon=True)

    def require(self) -> None:
        """Raises GateClosed when another runner has taken over."""
        _, held = _locks(self._warehouse)
        if not held or max(held) != self._number:
            taker = held[max(held)] if held else "nobody"
            raise GateClosed(
                self._holder.action,
                [f"the lock on the table was lost to {taker}, for this run was silent; run it again"],
            )

    def start(self) -> None:
        self._thread.start()

    def release(self) -> None:
        self._ended.set()
        self._thread.join()
        _drop(self._warehouse, self._number)

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            with suppress(RecoveryError):
                now, held = _locks(self._warehouse)
                if self._number in held:
                    _write(self._warehouse, "lock_beat", self._number, replace(self._holder, heard=now))


@contextmanager
def held(warehouse: Warehouse, action: str, who: str) -> Iterator[Lock]:
    """Hold the lock of the broken table; raises GateClosed, naming the holder, when another runner has it."""
    lock = _take(warehouse, Holder(who, action, this_machine(), os.getpid(), _birth(os.getpid())))
    lock.start()
    try:
        yield lock
    finally:
        with interrupts.uninterrupted(), suppress(RecoveryError):  # one that stays is passed over, as after a crash
            lock.release()


def _take(warehouse: Warehouse, holder: Holder) -> Lock:
    now, there = _locks(warehouse)
    highest = max(there, default=0)
    if there and not there[highest].gone(now):
        raise _refused(holder, there[highest], now)
    try:
        _write(warehouse, "lock_take", highest + 1, replace(holder, heard=now))
    except StatementFailed as error:
        if error.code != TABLE_ALREADY_EXISTS:
            raise
        now, there = _locks(warehouse)
        raise _refused(holder, there.get(highest + 1), now) from None
    now, there = _locks(warehouse)
    if max(there, default=0) != highest + 1:  # the lock that was seen was released and taken over meanwhile
        _drop(warehouse, highest + 1)
        raise _refused(holder, there[max(there)] if there else None, now)
    for number in there:
        if number <= highest:
            _drop(warehouse, number)
    return Lock(warehouse, holder, highest + 1)


def _refused(holder: Holder, other: Holder | None, now: float) -> GateClosed:
    if other is None:
        return GateClosed(holder.action, ["another run began at the same moment; run it again"])
    heard = f"last heard {max(0.0, now - other.heard):.0f} s ago"
    return GateClosed(
        holder.action,
        [f"{other} acts on the table, {heard}; wait for its end, or until it was silent for {SILENT_SECONDS:.0f} s"],
    )


def _locks(warehouse: Warehouse) -> tuple[float, dict[int, Holder]]:
    """The server's time, and the locks that are there by number."""
    prefix = _name(warehouse, "")
    answer = warehouse.ask_again("locks", database=warehouse.incident.table.database, prefix=prefix).first
    numbered = {name.removeprefix(prefix): comment for name, comment in answer["locks"]}
    return answer["now"], {int(number): Holder.of(comment) for number, comment in numbered.items() if number.isdigit()}


def _write(warehouse: Warehouse, statement: str, number: int, holder: Holder) -> None:
    names = {
        "lock": statements.quote(warehouse.incident.table.database, _name(warehouse, str(number))),
        "holder": statements.literal(json.dumps(asdict(holder))),
    }
    warehouse.write(statement, label=f"recovery-lock-{uuid.uuid4()}", names=names)


def _drop(warehouse: Warehouse, number: int) -> None:
    name = statements.quote(warehouse.incident.table.database, _name(warehouse, str(number)))
    warehouse.write("drop_table", label=f"recovery-lock-{uuid.uuid4()}", names={"own_table": name})


def _name(warehouse: Warehouse, number: str) -> str:
    return f"{warehouse.incident.table.name}_recovery_lock_{number}"


def this_machine() -> str:
    """This boot of this machine, and its space of process numbers: containers of one name are told apart."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _birth(pid: int) -> str:
    """When a process of this machine began, as its kernel counts; empty where there is none or that cannot be told."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state == "Z" else rest[18]
