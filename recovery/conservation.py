"""Conservation: what the fills say that the positions must hold, position by position, and what they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recovery import positions
from recovery.warehouse import Answer, Warehouse

ROWS, TOKENS, DOLLARS, PROFIT = "rows_differ", "tokens_differ", "dollars_differ", "profit_differs"
WORDS = {
    ROWS: "positions with another number of lots or shorts than their fills give",
    TOKENS: "positions whose tokens are not those of their fills",
    DOLLARS: "positions whose dollars are not those of their fills",
    PROFIT: "positions whose profit is not their cash flow and settlement",
}


@dataclass(frozen=True)
class Conservation:
    """One answer for each range of the sorting key, in positions by month."""

    answers: tuple[Answer, ...]

    @classmethod
    def take(cls, warehouse: Warehouse, facts: Mapping[str, Any]) -> Conservation:
        """By the `facts` of a rebuild's plan: its cutoff and its ranges."""
        asked = parameters(warehouse, facts)
        return cls(
            tuple(
                warehouse.ask("positions_balance", **asked, subject_from=low, subject_to=high)
                for low, high in facts["ranges"]
            )
        )

    def count(self, what: str, month: str | None = None) -> int:
        """A column's sum, of all months or of one."""
        return sum(
            int(row[what]) for answer in self.answers for row in answer.rows if month in (None, row["partition_id"])
        )

    def faults(self) -> list[str]:
        """What does not agree, a phrase each."""
        return [f"{found:,} {words}" for what, words in WORDS.items() if (found := self.count(what))]

    def months(self) -> dict[str, dict[str, int]]:
        """month → positions, lots and shorts that are there."""
        found: dict[str, Counter[str]] = {}
        for answer in self.answers:
            for row in answer.rows:
                counts = {what: int(row[what]) for what in ("positions", "lots", "shorts")}
                found.setdefault(row["partition_id"], Counter()).update(counts)
        return {month: dict(counts) for month, counts in sorted(found.items())}


def sample(warehouse: Warehouse, facts: Mapping[str, Any], limit: int = 5) -> list[str]:
    """Some positions that do not agree, as text."""
    found: list[str] = []
    for low, high in facts["ranges"]:
        asked = parameters(warehouse, facts) | {"subject_from": low, "subject_to": high, "limit": limit - len(found)}
        if asked["limit"]:
            rows = warehouse.ask("positions_balance_sample", **asked).rows
            found += [", ".join(str(value) for value in row.values()) for row in rows]
    return found


def parameters(warehouse: Warehouse, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the statements about a rebuild take, by the `facts` of its plan."""
    known = positions.section(warehouse.incident)
    return {
        **positions.span(warehouse.incident),
        "cutoff": datetime.fromisoformat(facts["cutoff"]),
        "least_cost": known.least_cost,
        "least_short_tokens": known.least_short_tokens,
        "least_short_proceeds": known.least_short_proceeds,
        "tolerance": known.tolerance,
    }
