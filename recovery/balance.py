"""Balance: every identity of the affected partitions accounted for, between the snapshot of before and the table of now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recovery import census, ranges
from recovery.ledger import Line
from recovery.snapshot import table_of
from recovery.warehouse import Answer, Warehouse

# Classes that explain why an identity's rows changed, or that they did not.
CLEAN = "clean"  # as before, and not broken
CORRECTED = "corrected"  # now the right row, and it was not before
SUPERSEDED = "superseded"  # the right row, with a broken one still beside it
ADDED = "added"  # a right row that the table did not have
NEW = "new"  # written by others since the start
ORPHAN = "orphan"  # broken as before, and the source has no right row for it
QUARANTINED = "quarantined"  # out of the table, and in quarantine
EXPLAINED = (CLEAN, CORRECTED, SUPERSEDED, ADDED, NEW, ORPHAN, QUARANTINED)
# And those that nothing explains.
LOST = "lost"  # it was there, and is nowhere
DUPLICATED = "duplicated"  # two good rows
MISSING = "missing"  # the source has it, and the table never had
UNCORRECTED = "uncorrected"  # broken as before, and the source has its right row
CHANGED = "changed"  # neither as before nor as the source says
UNEXPLAINED = (LOST, DUPLICATED, MISSING, UNCORRECTED, CHANGED)


@dataclass(frozen=True)
class Balance:
    """Identities and rows by class; rows are those that merges would leave."""

    answer: Answer
    rows: list[dict[str, Any]]

    @classmethod
    def take(cls, warehouse: Warehouse, baseline: Line) -> Balance:
        """Since the snapshot that the action of the ledger's line `baseline` took."""
        counted = census.Census.take(warehouse, since=baseline)
        if counted.agrees and counted.holdings and counted.holdings.is_sure and counted.holdings.has_accounts:
            rows = counted.holdings.by("account", of=("identities", "rows_before", "rows_now"))
            return cls(counted.holdings.answer, [row | {"class": row["account"]} for row in rows])
        names, ranged, asked = _asked(warehouse, baseline)
        answer = ranges.ask(warehouse, "balance", ranged, ("class",), names=names, **asked)
        return cls(answer, answer.rows)

    def identities(self, *classes: str) -> int:
        return self._sum("identities", classes)

    @property
    def before(self) -> int:
        return self._sum("rows_before", (*EXPLAINED, *UNEXPLAINED))

    @property
    def after(self) -> int:
        return self._sum("rows_now", (*EXPLAINED, *UNEXPLAINED))

    @property
    def written(self) -> int:
        """Rows that came, of identities that a class explains."""
        return sum(max(0, row["rows_now"] - row["rows_before"]) for row in self._explained)

    @property
    def removed(self) -> int:
        """Rows that went, of identities that a class explains."""
        return sum(max(0, row["rows_before"] - row["rows_now"]) for row in self._explained)

    @property
    def remainder(self) -> int:
        """Rows that nothing explains; 0 when the sums balance."""
        return self.before + self.written - self.removed - self.after

    @property
    def set_aside(self) -> int:
        """Rows that went into quarantine since."""
        return self._sum("rows_before", (QUARANTINED,))

    def table(self) -> dict[str, list[int]]:
        """class → identities, rows before, rows now."""
        return {row["class"]: [row["identities"], row["rows_before"], row["rows_now"]] for row in self.rows}

    @property
    def _explained(self) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["class"] in EXPLAINED]

    def _sum(self, what: str, classes: tuple[str, ...]) -> int:
        return sum(int(row[what]) for row in self.rows if row["class"] in classes)


def sample(warehouse: Warehouse, baseline: Line, kind: str, limit: int = 5) -> list[str]:
    """Some identities of a class, as text."""
    names, ranged, asked = _asked(warehouse, baseline)
    found: list[str] = []
    for each in ranged:
        given = asked | dict(each) | {"class": kind, "limit": limit - len(found)}
        rows = warehouse.ask("balance_sample", names=names, **given).rows
        found += [", ".join(str(value) for value in row.values()) for row in rows]
        if len(found) >= limit:
            break
    return found


def _asked(warehouse: Warehouse, baseline: Line) -> tuple[dict[str, str], Sequence[Mapping[str, Any]], dict[str, Any]]:
    """Names, ranges and parameters. Where the table agrees with the source, it can be asked range by range."""
    taken = table_of(warehouse, baseline["snapshot"])
    there = bool(warehouse.ask_again("quarantine_exists").first["result"])
    asked = census.parameters(warehouse) | {
        "has_quarantine": there,
        "since_version": baseline["plan"]["facts"]["start_version"],
    }
    names = {"baseline": taken, "set_aside": warehouse.words["quarantine"] if there else taken}
    if census.Census.take(warehouse, since=baseline).agrees:
        nothing = asked["key_from"]
        return names, ranges.of_table(warehouse), asked | {"agrees": True, "key_to": nothing}
    return names, ranges.whole(warehouse), asked | {"agrees": False}
