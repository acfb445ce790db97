"""Parity: yesterday's rows as the writer stored them, against the statement that says which rows are right."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd

from expectations import scan as scans
from expectations.measures import PARITY, Measure
from recovery.promises import Parity
from recovery.sections import Cost
from recovery.warehouse import Answer, Warehouse

KEY = "parity"
MEANINGS = {
    "missing": "percent of yesterday's identities that the statement selects and the writer did not store",
    "different": "percent of yesterday's identities that the writer stored otherwise than the statement selects",
    "extra": "percent of yesterday's identities that the writer stored and the statement does not select",
}


def take(warehouse: Warehouse, parity: Parity, cost: Cost, now: datetime) -> tuple[list[Measure], Answer]:
    """A measure for each way in which they can differ; broken rows count as not stored."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    low, high = warehouse.key_bounds
    answer = warehouse.ask(
        "nightly/parity", names={"cost": scans.cost_of(cost)}, time_from=midnight - timedelta(days=1), time_to=midnight,
        key_from=low, key_to=high,
    )  # fmt: skip
    counts = {row["class"]: row["identities"] for row in answer.rows}
    samples = {row["class"]: row["sample"] for row in answer.rows}
    every = sum(counts.values())
    frame = pd.DataFrame(
        [{name: 100.0 * counts.get(name, 0) / every for name in MEANINGS}] if every else [], columns=list(MEANINGS)
    )
    bounds = {"missing": parity.missing_percent, "different": parity.different_percent, "extra": parity.extra_percent}
    return [
        Measure(
            f"{KEY}.{name}", PARITY, meaning, frame, name, *bounds[name], every, {"identities": counts.get(name, 0)},
            _shown(name, samples.get(name, [])),
        )
        for name, meaning in MEANINGS.items()
    ], answer  # fmt: skip


def _shown(name: str, identities: list[str]) -> tuple[str, ...]:
    """Some identities in a sentence, without the brackets and quotes of a tuple."""
    plain = [identity.strip("()").replace("'", "") for identity in identities]
    return (f"{name}, such as {', '.join(plain)}.",) if plain else ()
