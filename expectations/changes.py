"""Changes: which slices of a table carry the rows that break a promise, and since when.

A slice tells something where most of the wrong rows are in it and not most of the others: `share` is its part of the wrong
rows, `lift` that share over its part of all rows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pandas as pd

from expectations import measures
from expectations import scan as scans
from expectations.measures import Measure
from expectations.scan import HOUR, Scan
from recovery.errors import RecoveryError
from recovery.promises import Guarded
from recovery.sections import Cost
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
    samples: list[dict[str, Any]]
    answers: tuple[Answer, ...]

    def table(self) -> list[dict[str, Any]]:
        """The slices with their figures, as the page shows them."""
        return [
            {
                "in": str(each),
                "is percent of the wrong rows": round(100 * each.share, 2),
                "times as many as of all rows": round(each.lift, 2),
            }
            for each in self.slices
        ]

    @property
    def sentence(self) -> str:
        told = "; ".join(map(str, self.slices)) or "no slice has more of them than others"
        where = f" ({self.first_position})" if self.first_position else ""
        shown = f", of which the first {self.wrong:,} were looked at" if self.all_wrong > self.wrong else ""
        return f"{self.all_wrong or self.wrong:,} wrong rows{shown}: {told}; from {self.first} UTC{where} on."


@dataclass(frozen=True)
class Broken:
    """What rows break a promise: the `condition` that they meet, `slots` in which there are any, and how many there are in all; 0
    where that is not known, for identities were sampled."""

    condition: str
    slots: pd.DataFrame
    rows: int


def broken(scan: Scan, measure: Measure, database: str) -> Broken | None:
    """The rows that a measure counts; None where it counts none, or where its worst place says all, such as a day's volume."""
    table, slots = scan.table, scan.slots
    guarded, between = quote(database, table.name), _between(table)
    match measure.kind:
        case measures.ROWS | measures.UNKNOWN:
            name = measure.name.partition(".")[2]
            promise = table.rows[name]
            conditions = [*scans.about(table, promise), scans.wrong(database, promise)]
            if promise.of and table.by:
                conditions.append(f"{quote(table.by)} IN ({', '.join(map(literal, promise.of))})")
                slots = slots[slots["value"].isin(promise.of)]
            slots = slots[slots[f"bad_{name}"] > 0]
            return Broken(" AND ".join(conditions), slots, int(slots[f"bad_{name}"].sum()))
        case measures.VALUES if table.by and table.values:
            slots = slots[~slots["value"].isin(table.values)]
            return Broken(
                f"{quote(table.by)} NOT IN ({', '.join(map(literal, table.values))})", slots, int(slots["rows"].sum())
            )
        case measures.DOUBLED if table.identity:
            one, key = (
                f"tuple({', '.join(map(quote, names))})" for names in (table.identity.columns, table.identity.key)
            )
            extra = slots["keys"] - slots["identities"]
            again = f"SELECT {one} FROM {guarded} WHERE {between} GROUP BY {one} HAVING uniqExact({key}) > 1"
            return Broken(f"{one} IN ({again})", slots[extra > 0], 0)
        case measures.ALIKE if table.alike:
            alike = f"tuple({', '.join(table.alike.columns)})"
            one = f"tuple({', '.join(map(quote, table.identity.columns))})" if table.identity else "1"
            several = f"uniqExact({one}) > 1" if table.identity else "count() > 1"
            extra = slots["alike_rows"] - slots["alike"]
            again = f"SELECT {alike} FROM {guarded} WHERE {between} GROUP BY {alike} HAVING {several}"
            return Broken(f"{alike} IN ({again})", slots[extra > 0], 0)
    return None


def of(warehouse: Warehouse, scan: Scan, found: Broken, cost: Cost) -> Change | str:
    """What a promise that is broken is about; a sentence that says why, where it cannot be told."""
    table, slots = scan.table, found.slots
    if slots.empty:
        return "No row that breaks it was found to look at."
    start = slots["slot"].min().to_pydatetime()
    step = HOUR if slots.loc[slots["slot"].idxmin(), "recent"] else LONGEST
    end = min(
        max(slots["slot"].max().to_pydatetime() + HOUR, start + step),
        start + LONGEST,
        scan.span.now + timedelta(seconds=1),
    )
    words = _words(warehouse, scan, found.condition, cost)
    given = {
        "time_from": start,
        "time_to": end,
        "since": scan.span.since,
        "recent": scan.span.recent,
        "now": scan.span.now,
    }
    try:
        sliced = warehouse.ask("nightly/slices", names=words, **given)
        samples = warehouse.ask("nightly/wrong_rows", names=words, limit=SAMPLES, **given)
    except RecoveryError as error:
        return f"Which slices carry it cannot be told: {error}"
    every = next(row for row in sliced.rows if not row["dimension"])
    position = f"{table.position} {every['first_position']}" if table.position else ""
    first = every["first"].replace("T", " ")
    slices = tuple(_telling(sliced.rows, every, table.by or ""))
    answers = (sliced, samples)
    return Change(every["wrong"], every["rows"], found.rows, slices, first, position, _told(samples.rows), answers)


def _told(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as JSON can hold them."""
    return [
        {
            name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in row.items()
        }
        for row in rows
    ]


def _between(table: Guarded) -> str:
    if not table.time:
        return "1"
    time = quote(table.time)
    return f"{time} >= {{time_from:DateTime('UTC')}} AND {time} < {{time_to:DateTime('UTC')}}"


def _words(warehouse: Warehouse, scan: Scan, condition: str, cost: Cost) -> dict[str, str]:
    table, database = scan.table, warehouse.incident.table.database
    time = quote(table.time) if table.time else "{now:DateTime('UTC')}"
    slices = [f", ({literal(name)}, toString({expression}))" for name, expression in table.slices.items()]
    traced = ""
    if table.trace and table.identity:
        slices += [f", ({literal(name)}, toString(trace.{quote(name)}))" for name in table.trace]
        identity = ", ".join(map(quote, table.identity.columns))
        traced = f"ANY LEFT JOIN (\n{warehouse.incident.trace(scan.key)}\n) AS trace USING ({identity})"
    return {
        "guarded": quote(database, table.name),
        "is_wrong": f"({condition})",
        "at": time,
        "position": quote(table.position) if table.position else "0",
        "slices": "".join(slices),
        "traced": traced,
        "between": _between(table),
        "cost": scans.cost_of(cost),
    }


def _telling(rows: Iterable[Mapping[str, Any]], every: Mapping[str, Any], by: str) -> Iterable[Slice]:
    """The slices that tell something, those of the most lift first; of the column that splits the rows in any case."""
    by_dimension: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["dimension"]:
            by_dimension.setdefault(row["dimension"], []).append(row)
    found = [slice for name, each in by_dimension.items() if (slice := _slice(name, each, every))]
    told = [slice for slice in found if slice.share >= SHARE and (slice.lift >= LIFT or slice.dimension == by)]
    return sorted(told, key=lambda each: -each.lift)


def _slice(name: str, rows: list[Mapping[str, Any]], every: Mapping[str, Any]) -> Slice | None:
    """What a dimension tells; rows of which it knows nothing, whose value is empty, are left out."""
    known = [row for row in rows if row["value"]]
    wrong = sorted((row for row in known if row["wrong"]), key=lambda each: -each["wrong"])
    if not wrong:
        return None
    since = all(DAY.fullmatch(row["value"]) for row in wrong)
    if since:
        first = min(row["value"] for row in wrong)
        values, inside = (first,), [row for row in known if row["value"] >= first]
    else:
        inside = []
        for row in wrong:
            if sum(each["wrong"] for each in inside) < SHARE * every["wrong"]:
                inside.append(row)
        if len(inside) > VALUES:
            return None
        values = tuple(row["value"] for row in inside)
    others = sum(row["rows"] for row in rows if not row["value"])
    share = sum(row["wrong"] for row in inside) / every["wrong"]
    part = sum(row["rows"] for row in inside) / (every["rows"] - others)
    return Slice(name, values, since, share, share / part)
