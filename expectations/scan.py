"""Scan: one pass over a table that answers all of its promises, as small frames.

What stands in the nightly file are names and conditions, checked when it was read; here they are put together for ClickHouse
to aggregate. A row that the server cannot judge, for its condition is NULL, is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pandas as pd

from recovery import settings, statements
from recovery.promises import Guarded, Rows
from recovery.sections import Cost
from recovery.warehouse import Answer, Warehouse

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Span:
    """What is looked at: from `since` on, in UTC, and from `recent` on by the hour, until `now`."""

    since: datetime
    recent: datetime
    now: datetime

    @classmethod
    def of(cls, table: Guarded, now: datetime, *, recent_only: bool = False) -> Span:
        hour = now.replace(minute=0, second=0, microsecond=0)
        recent = hour - table.recent_hours * HOUR
        if recent_only:  # as far back as it takes to tell how long ago the last row was
            oldest = timedelta(minutes=max((critical for _, critical in table.fresh.values()), default=0))
            return cls(min(recent, (hour - oldest).replace(hour=0)) if oldest > hour - recent else recent, recent, now)
        midnight = hour.replace(hour=0)
        return cls(min(midnight - timedelta(days=table.days), recent), recent, now)


@dataclass(frozen=True)
class Scan:
    """A table as it was found. `slots` has a row per hour (of the recent rows) or day (of those before) and value of `by`:
    slot, value, recent, rows, last, and per promise of rows the `all_` that it is about and the `bad_` of them."""

    key: str
    table: Guarded
    span: Span
    answer: Answer
    slots: pd.DataFrame

    @property
    def rows(self) -> int:
        return int(self.slots["rows"].sum())


def take(warehouse: Warehouse, key: str, table: Guarded, cost: Cost, span: Span) -> Scan:
    """Scan a table; within one run it is scanned once, however many promises it has."""
    answer = warehouse.ask(
        "nightly/scan", names=_words(warehouse, table, cost), since=span.since, recent=span.recent, now=span.now
    )
    slots = pd.DataFrame(
        answer.rows, columns=["slot", "value", "recent", "rows", "last", *(n for n, _ in _figures(warehouse, table))]
    )
    for column in ("slot", "last"):
        slots[column] = pd.to_datetime(slots[column], utc=True, format="ISO8601")
    slots["value"] = slots["value"].astype(str)
    return Scan(key, table, span, answer, slots)


def cost_of(cost: Cost) -> str:
    """The settings that keep a statement from being in others' way."""
    return ", ".join(f"{name} = {value}" for name, value in settings.within(cost).items())


def recent_of(table: Guarded) -> str:
    """The condition that a row is recent."""
    return f"{statements.quote(table.time)} >= {{recent:DateTime('UTC')}}" if table.time else "1"


def looked_at(table: Guarded) -> str:
    """The condition that a row is of the time that is looked at."""
    if not table.time:
        return "1"
    time = statements.quote(table.time)
    return f"{time} >= {{since:DateTime('UTC')}} AND {time} <= {{now:DateTime('UTC')}}"


def wrong(database: str, promise: Rows, among: Sequence[str] = ()) -> str:
    """The condition that a row breaks a promise; `among` are conditions that stand beside it."""
    if promise.wrong:
        return f"ifNull(({promise.wrong}), 1)"
    assert promise.unknown
    known = f"SELECT {statements.quote(promise.unknown.key)} FROM {statements.quote(database, promise.unknown.table)}"
    column = statements.quote(promise.unknown.column)
    if among:  # a look-up is made for every row, whatever stands before it: let it be that of an empty value
        column = f"if({' AND '.join(among)}, {column}, defaultValueOfArgumentType({column}))"
    return f"ifNull({column} NOT IN ({known}), 1)"


def about(table: Guarded, promise: Rows) -> list[str]:
    """The conditions that a row has to meet for a promise to be about it, `of` aside."""
    conditions = [recent_of(table)] if promise.over in ("recent", "recent_hour") and table.time else []
    return conditions + ([f"ifNull(({promise.where}), 0)"] if promise.where else [])


def _words(warehouse: Warehouse, table: Guarded, cost: Cost) -> dict[str, str]:
    hour, recent = "toStartOfHour({now:DateTime('UTC')}, 'UTC')", recent_of(table)
    if table.time:
        time = statements.quote(table.time)
        hour = f"if({recent}, toStartOfHour({time}, 'UTC'), toStartOfDay({time}, 'UTC'))"
    return {
        "guarded": statements.quote(warehouse.incident.table.database, table.name),
        "slot": hour,
        "value": f"ifNull(toString({statements.quote(table.by)}), 'NULL')" if table.by else "''",
        "recent": recent,
        "last": f"max({statements.quote(table.time)})" if table.time else "{now:DateTime('UTC')}",
        "looked_at": looked_at(table),
        "figures": "".join(f",\n    {sql} AS {name}" for name, sql in _figures(warehouse, table)),
        "cost": cost_of(cost),
    }


def _figures(warehouse: Warehouse, table: Guarded) -> Iterator[tuple[str, str]]:
    """Names and aggregates."""
    database = warehouse.incident.table.database
    for name, promise in table.rows.items():
        conditions = about(table, promise)
        yield f"all_{name}", f"countIf({' AND '.join(conditions)})" if conditions else "count()"
        yield (
            f"bad_{name}",
            f"countIf({' AND '.join([*conditions, wrong(database, promise, conditions)])})",
        )
    if table.identity:
        one, key = (f"cityHash64({_listed(names)})" for names in (table.identity.columns, table.identity.key))
        sampled = f"{one} % {table.identity.sample} = 0"
        counted = f"({recent_of(table)} OR {sampled})"
        yield "counted", f"countIf({counted})"
        yield "identities", f"uniqExactIf({one}, {counted})"
        yield "keys", f"uniqExactIf({key}, {counted})"
        yield "sampled", f"uniqExactIf({one}, {sampled})"
    if table.alike:
        among = recent_of(table) if table.alike.over == "recent" else "1"
        own = table.identity.columns if table.identity else None
        yield "alike_rows", f"uniqExactIf(cityHash64({_listed(own)}), {among})" if own else f"countIf({among})"
        yield "alike", f"uniqExactIf(cityHash64({', '.join(table.alike.columns)}), {among})"
    if table.volume and table.volume.amount:
        amount = f"toFloat64({table.volume.amount})"
        yield "amount", f"sumIf({amount}, isFinite({amount}))"
        yield "amounts", f"countIf(isFinite({amount}))"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(statements.quote, names))


def utc(moment: datetime | pd.Timestamp) -> str:
    """A moment as people read it."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"
