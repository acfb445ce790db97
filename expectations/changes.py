"""Changes: which slices of a table carry the rows that break a promise, and since when.

A slice tells something where most of the wrong rows are in it and not most of the others: `share` is its part of the wrong
rows, `lift` that share over its part of all rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from expectations import scan as scans
from expectations.scan import HOUR, Scan
from recovery import statements
from recovery.errors import RecoveryError
from recovery.promises import Cost, Rows
from recovery.statements import literal, quote
from recovery.warehouse import Answer, Warehouse

SHARE, LIFT, VALUES = 0.95, 1.05, 3
DAY = re.compile(r"\d{4}-\d\d-\d\d")
LONGEST = timedelta(days=1)  # from the first wrong hour on: what began it is there
SAMPLES = 5


@dataclass(frozen=True)
class Slice:
    """A part of the rows: `dimension` is one of `values`, or, of days, from the first of them on."""

    dimension: str
    values: tuple[str, ...]
    since: bool
    share: float
    lift: float

    def __str__(self) -> str:
        name = self.dimension.replace("_", " ")
        if self.since:
            return f"{name} {self.values[0]} or later"
        return f"{name} {' or '.join(self.values)}"


@dataclass(frozen=True)
class Change:
    """What the wrong rows have in common, the first of them, and some of them whole."""

    wrong: int
    rows: int
    all_wrong: int
    slices: tuple[Slice, ...]
    first: str
    first_position: str
    last: str
    samples: list[dict[str, Any]]
    answers: tuple[Answer, ...]

    def table(self) -> list[dict[str, Any]]:
        """The slices with their figures, as the page shows them."""
        return [
            {"slice": str(each), "percent of the wrong rows": round(100 * each.share, 2), "lift": round(each.lift, 2)}
            for each in self.slices
        ]

    @property
    def sentence(self) -> str:
        told = "; ".join(map(str, self.slices)) or "no slice has more of them than others"
        where = f", {self.first_position}" if self.first_position else ""
        shown = "" if self.wrong == self.all_wrong else f", of which the first {self.wrong:,} were looked at"
        return f"{self.all_wrong:,} wrong rows{shown}: {told}; from {self.first}{where} to {self.last} UTC."


def of(warehouse: Warehouse, scan: Scan, name: str, cost: Cost) -> Change | str:
    """What a promise of rows that is broken is about; a sentence that says why, where it cannot be told."""
    promise, table = scan.table.rows[name], scan.table
    slots = scan.slots[scan.slots[f"bad_{name}"] > 0]
    if promise.of:
        slots = slots[slots["value"].isin(promise.of)]
    if slots.empty:
        return "No wrong row was found to look at."
    start = slots["slot"].min().to_pydatetime()
    step = HOUR if slots.loc[slots["slot"].idxmin(), "recent"] else LONGEST
    end = min(
        max(slots["slot"].max().to_pydatetime() + HOUR, start + step),
        start + LONGEST,
        scan.span.now + timedelta(seconds=1),
    )
    words = _words(warehouse, scan, promise, cost)
    given = {
        "time_from": start,
        "time_to": end,
        "since": scan.span.since,
        "recent": scan.span.recent,
        "now": scan.span.now,
    }
    try:
        found = warehouse.ask("nightly/slices", names=words, **given)
        samples = warehouse.ask("nightly/wrong_rows", names=words, limit=SAMPLES, **given)
    except RecoveryError as error:
        return f"Which slices carry it cannot be told: {error}"
    every = next(row for row in found.rows if not row["dimension"])
    position = f"{table.position} {every['first_position']:,}" if table.position else ""
    first, last = (every[end].replace("T", " ") for end in ("first", "last"))
    all_wrong = int(slots[f"bad_{name}"].sum())
    slices = tuple(_telling(found.rows, every))
    answers = (found, samples)
    return Change(every["wrong"], every["rows"], all_wrong, slices, first, position, last, samples.rows, answers)


def _words(warehouse: Warehouse, scan: Scan, promise: Rows, cost: Cost) -> dict[str, str]:
    table, database = scan.table, warehouse.incident.table.database
    time = quote(table.time) if table.time else "{now:DateTime('UTC')}"
    conditions = [*scans.about(table, promise), scans.wrong(database, promise)]
    if promise.of and table.by:
        conditions.append(f"{quote(table.by)} IN ({', '.join(map(literal, promise.of))})")
    slices = [f", ({literal(name)}, toString({expression}))" for name, expression in table.slices.items()]
    traced = ""
    if table.trace and table.identity:
        slices += [f", ({literal(name)}, toString(trace.{quote(name)}))" for name in table.trace]
        identity = ", ".join(map(quote, table.identity.columns))
        identity = ", ".join(map(quote, table.identity.columns))
        traced = f"ANY LEFT JOIN (\n{warehouse.incident.trace}\n) AS trace USING ({identity})"
    between = f"{time} >= {{time_from:DateTime('UTC')}} AND {time} < {{time_to:DateTime('UTC')}}" if table.time else "1"
    return {
        "guarded": statements.quote(database, table.name),
        "is_wrong": f"({' AND '.join(conditions)})",
        "at": time,
        "position": quote(table.position) if table.position else "0",
        "slices": "".join(slices),
        "traced": traced,
        "between": between,
        "cost": scans.cost_of(cost),
    }


def _telling(rows: Iterable[Mapping[str, Any]], every: Mapping[str, Any]) -> Iterable[Slice]:
    """The slices that tell something, those of the most lift first."""
    by_dimension: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["dimension"]:
            by_dimension.setdefault(row["dimension"], []).append(row)
    told = [slice for name, each in by_dimension.items() if (slice := _slice(name, each, every))]
    return sorted(told, key=lambda each: -each.lift)


def _slice(name: str, rows: list[Mapping[str, Any]], every: Mapping[str, Any]) -> Slice | None:
    wrong = [row for row in rows if row["wrong"] and row["value"]]
    if not wrong:
        return None
    if all(DAY.fullmatch(row["value"]) for row in wrong):
        first = min(row["value"] for row in wrong)
        inside = [row for row in rows if row["value"] >= first]
        found = _measured(name, inside, every, (first,), since=True)
    else:
        taken, enough = [], SHARE * every["wrong"]
        for row in sorted(wrong, key=lambda each: -each["wrong"]):
            if sum(each["wrong"] for each in taken) < enough:
                taken.append(row)
        if len(taken) > VALUES:
            return None
        found = _measured(name, taken, every, tuple(row["value"] for row in taken), since=False)
    return found if found.share >= SHARE and found.lift >= LIFT else None


def _measured(
    name: str, inside: list[Mapping[str, Any]], every: Mapping[str, Any], values: tuple[str, ...], *, since: bool
) -> Slice:
    share = sum(row["wrong"] for row in inside) / every["wrong"]
    return Slice(name, values, since, share, share / (sum(row["rows"] for row in inside) / every["rows"]))
