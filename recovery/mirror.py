"""Mirror: the ledger's lines in the table `recovery_ledger`, so that a runner with an older file knows that it is behind.

The file is what counts: it can be written when ClickHouse is down and no restore rewinds it. Lines are sent while an action
holds the lock, so only one runner sends; the mirror shows what a file alone cannot, that its last lines were cut off or that
another machine went on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from recovery.errors import GateClosed, RecoveryError
from recovery.ledger import Ledger, Line, text_of
from recovery.statements import MIRROR
from recovery.warehouse import Warehouse

# As ledger_create.sql has them: the driver would ask for the types before each line.
COLUMNS = {
    "incident": "String",
    "seq": "UInt64",
    "time": "DateTime64(3, 'UTC')",
    "kind": "LowCardinality(String)",
    "sha": "FixedString(64)",
    "line": "String",
}


class Mirror:
    """The mirror of one incident's ledger on one server."""

    def __init__(self, warehouse: Warehouse, ledger: Ledger) -> None:
        self.warehouse, self.ledger = warehouse, ledger
        self._sent = -1

    def last(self) -> Line | None:
        """seq and sha of the last line that the mirror has."""
        if not self.warehouse.ask_again("ledger_exists").first["result"]:
            return None
        rows = self.warehouse.ask_again("ledger_last", incident=self.warehouse.incident.id).rows
        return rows[0] if rows else None

    def fault(self) -> str | None:
        """Why the file does not hold what the mirror has, or None."""
        last = self.last()
        if last is None:
            return None
        lines = self.ledger.lines()
        if len(lines) <= last["seq"]:
            return f"{self.ledger.path} has {len(lines):,} lines and the server's {MIRROR} has {last['seq'] + 1:,}"
        if lines[last["seq"]]["sha"] != last["sha"]:
            return f"{self.ledger.path} differs from the server's {MIRROR} in line {last['seq'] + 1:,} or before"
        return None

    def send(self, newest: Line | None = None) -> None:
        """Send the lines that the mirror lacks. The file must hold what the mirror has, and is only read again where more than
        the `newest` line is lacking."""
        if self._sent < 0:
            self.warehouse.write("ledger_create", label="recovery-ledger-create")
            last = self.last()
            self._sent = last["seq"] if last else -1
        if newest and newest["seq"] == self._sent + 1:
            lines = [newest]
        else:
            lines = [line for line in self.ledger.lines() if line["seq"] > self._sent]
        if lines:
            rows = [
                (self.warehouse.incident.id, line["seq"], datetime.fromisoformat(line["time"]), line["kind"], line["sha"],
                 text_of(line))
                for line in lines
            ]  # fmt: skip
            self.warehouse.insert(MIRROR, rows, COLUMNS, label=f"recovery-ledger-{lines[-1]['seq']}")
            self._sent = lines[-1]["seq"]

    def fetch(self) -> list[str]:
        """All lines that the mirror has, as text."""
        if self.last() is None:
            return []
        answer = self.warehouse.ask_again("ledger_lines", incident=self.warehouse.incident.id)
        return [row["line"] for row in answer.rows]


@contextmanager
def following(warehouse: Warehouse, ledger: Ledger, action: str) -> Iterator[None]:
    """Within this every line of the ledger is mirrored; raises GateClosed when the file is behind the mirror.

    A mirror that cannot be written stops nothing: the lines stand in the file and are sent with the next ones.
    """
    mirror = Mirror(warehouse, ledger)
    if fault := mirror.fault():
        raise GateClosed(action, [f"the ledger is behind: {fault}; fetch it with python -m scripts.ledger fetch"])
    mirror.send()

    def send(line: Line) -> None:
        try:
            mirror.send(line)
        except RecoveryError:
            return

    ledger.listeners.append(send)
    try:
        yield
    finally:
        ledger.listeners.remove(send)
