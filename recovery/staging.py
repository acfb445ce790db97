"""Staging: rows are inserted into tables of the suite's own first, and move to the table that they are for when all are there.

A staging table gets its name when it is whole, so a name on the server says that its INSERT ended, whatever became of the
connection. Moving a partition leaves its staging table without it: what was moved is never moved again. Materialized views of
the table do not see rows that are moved in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from recovery import snapshot
from recovery.statements import Write, quote
from recovery.workplace import Workplace

UNNAMED = "x" * 8  # what a name ends with until its statement is sent


def mark_of(label: str) -> str:
    """What the names of a unit's unfinished tables end with: the end of the label that it is sent with."""
    return re.sub(r"\W", "", label)[-8:]


def quoted(place: Workplace, name: str) -> str:
    return quote(place.incident.table.database, name)


def made(place: Workplace, name: str, mark: str, fill: Sequence[Write], create: str = "staging_create") -> list[Write]:
    """Make a table and fill it, under a name that nothing else has; when it is whole it is called `name`. The statements
    of `fill` write to ${target}."""
    fresh = {"target": quoted(place, f"{name}_{mark}"), "whole": quoted(place, name)}
    return [
        Write(create, fresh, part="-create"),
        *[Write(write.name, dict(write.names) | fresh, write.values, write.part) for write in fill],
        Write("staging_whole", fresh, part="-whole"),
    ]


def rows_of(place: Workplace, names: Sequence[str]) -> dict[str, dict[str, int]]:
    """The rows that each of these staging tables still has: table → partition id → rows."""
    held: dict[str, dict[str, int]] = {}
    asked = place.warehouse.ask_again("staging_rows", database=place.incident.table.database, tables=list(names))
    for row in asked.rows:
        held.setdefault(row["table"], {})[row["partition_id"]] = int(row["rows"])
    return held


def moves(place: Workplace, held: Mapping[str, Iterable[str]], into: str) -> list[Write]:
    """The statements that move partitions of staging tables into a table; `into` is quoted."""
    return [
        Write(
            "staging_move",
            {"staging": quoted(place, table), "target": into, "partition": snapshot.partition_id(partition)},
            part=f"-{number}-{partition}",
        )
        for number, (table, partitions) in enumerate(held.items())
        for partition in partitions
    ]


def drop_of(name: str) -> str:
    """What the unit is called that drops the tables whose names begin so, an action's last."""
    return f"drop {name} and what came with it"


def is_dropping(place: Workplace, name: str) -> bool:
    """Whether that unit was begun, so that all that comes before it was done."""
    return any(line["kind"] == "unit" and line["unit"] == drop_of(name) for line in place.ledger.lines())


def tables(place: Workplace, prefix: str) -> list[str]:
    """The tables of the suite's own whose names begin so."""
    asked = place.warehouse.ask_again("tables_of", database=place.incident.table.database, prefix=prefix)
    return [row["name"] for row in asked.rows]


def drops(place: Workplace, prefix: str) -> list[Write]:
    """The statements that drop them."""
    return [
        Write("drop_table", {"own_table": quoted(place, name)}, part=f"-{number}")
        for number, name in enumerate(tables(place, prefix))
    ]
