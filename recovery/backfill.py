"""Backfill: make the right rows that the table lacks, in units along the source's sorting key, and move them in at once."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from recovery import census, ranges, snapshot, staging
from recovery.action import Plan, Unit, last_done
from recovery.errors import ActionFailed
from recovery.ledger import Line
from recovery.statements import Write
from recovery.workplace import Workplace

UNTOUCHED = "none needed: the table is not touched"
WAIT_FOR_CLOCK_SECONDS = 5


class Backfill:
    """The table gets its rows when all of them are made, and each unit of them is made once: in `missing` mode of what the
    table did not hold with this content, in `full` mode of every right row."""

    name = "backfill"
    removes = False

    def plan(self, place: Workplace) -> Plan:
        incident, warehouse = place.incident, place.warehouse
        counted = census.Census.take(warehouse)
        done = last_done(self.name, place.ledger.lines())
        full = is_full(place, counted)
        per_day = counted.per_day(*wanted(full))
        rows = sum(per_day.values())
        if done and not rows:
            return Plan(self.name, "every right row of the window is in the table; nothing to do", ())
        version = start_version(place)
        shared = {"staging": f"{incident.table.name}_staging_{uuid.uuid4().hex[:8]}", "full": full}
        listed = [] if full else [Unit("list what the table holds", "list", UNTOUCHED, values=shared, counted=False)]
        return Plan(
            action=self.name,
            sentence=f"insert {rows:,} right rows of {len(per_day)} days into {incident.table.name} ({incident.backfill.mode})",
            units=(*listed, *units(place, shared, rows, "restore the snapshot")),
            rows=rows,
            bytes=rows * bytes_per_row(place),
            snapshot=tuple(incident.table.partitions),
            facts={
                "per_day": per_day,
                "start_version": version,
                "classes": counted.classes(),
                "rows_before": counted.count(of="rows"),
                "window_rows_before": window_rows(counted),
                "window_identities_before": window_identities(counted),
            },
        )

    def refusals(self, place: Workplace) -> list[str]:
        return []

    def left(self, place: Workplace, plan: Plan, unit: Unit) -> int:
        return left_of(place, unit)

    def writes(self, place: Workplace, unit: Unit) -> list[Write]:
        return writes_of(place, unit, place.warehouse.words["table"], staging.UNNAMED)

    def do(self, place: Workplace, plan: Plan, unit: Unit, label: str) -> None:
        place.send(writes_of(place, unit, place.warehouse.words["table"], staging.mark_of(label)), label)

    def verify(self, place: Workplace, plan: Plan, since: Line | None) -> list[str]:
        counted = census.Census.take(place.warehouse, since=since)
        return counted.told(census.MISSING, census.UNCORRECTED)


def units(place: Workplace, shared: Mapping[str, Any], rows: int, undo: str) -> list[Unit]:
    """The right rows of the window in units along the source's sorting key, each to a staging table, and their way into the
    table. `shared` has the name that the staging tables begin with, and whether every right row is wanted or those that
    the table was found not to hold."""
    window = place.incident.window
    found = ranges.of_source(
        place.warehouse, {"time_from": window.start, "time_to": window.end}, place.incident.backfill.unit_rows
    )
    size, name = bytes_per_row(place), shared["staging"]
    return [
        *[
            Unit(
                label=f"source keys {shown_key(each['key_from'])} to {shown_key(each['key_to'])}",
                kind="insert",
                undo=UNTOUCHED,
                rows=rows // len(found),
                bytes=rows // len(found) * size,
                values={**each, **shared, "number": number},
                counted=False,
            )
            for number, each in enumerate(found)
        ],
        Unit(f"move {rows:,} rows into the table", "move", undo, rows, {**shared, "parts": len(found)}),
        Unit(staging.drop_of(name), "clean", "none needed", values=shared, counted=False),
    ]


def left_of(place: Workplace, unit: Unit) -> int:
    """How much of such a unit the server shows as still to do."""
    name = unit.values["staging"]
    if unit.kind == "clean":
        return len(staging.tables(place, name))
    if staging.is_dropping(place, name):  # so all that comes before was done
        return 0
    if unit.kind == "move":
        held = staging.rows_of(place, parts_of(unit))
        return sum(sum(partitions.values()) for partitions in held.values())
    made = f"{name}_held" if unit.kind == "list" else f"{name}_{unit.values['number']}"
    return int(not snapshot.is_there(place.warehouse, made))


def writes_of(place: Workplace, unit: Unit, table: str, mark: str) -> list[Write]:
    """The statements of such a unit; `table` is the quoted one that the rows are for, `mark` makes names that are used once."""
    name, values = unit.values["staging"], census.parameters(place.warehouse) | dict(unit.values)
    match unit.kind:
        case "list":
            return staging.made(place, f"{name}_held", mark, [Write("held_list", values=values)], "held_create")
        case "insert":
            held = {} if unit.values["full"] else {"held": staging.quoted(place, f"{name}_held")}
            fill = Write("backfill_lacking" if held else "backfill", held, values)
            return staging.made(place, f"{name}_{unit.values['number']}", mark, [fill])
        case "move":
            parts = parts_of(unit)
            shown = {parts[0]: place.incident.table.partitions} if mark == staging.UNNAMED else {}
            return staging.moves(place, staging.rows_of(place, parts) or shown, table)
        case "clean":
            return staging.drops(place, name)
    raise ValueError(f"no such unit: {unit.kind}")


def parts_of(unit: Unit) -> list[str]:
    """The staging tables that the units before this one made."""
    return [f"{unit.values['staging']}_{number}" for number in range(unit.values["parts"])]


def start_version(place: Workplace) -> int:
    """The version that rows written from now on get, once it is above every stored one."""
    partitions = list(place.incident.table.partitions)
    for _ in range(WAIT_FOR_CLOCK_SECONDS):
        versions = place.warehouse.ask_again("versions", partitions=partitions).first
        if versions["version_now"] > versions["stored"]:
            return int(versions["version_now"])
        place.sleep(1)
    raise ActionFailed(
        f"a row written now would get version {versions['version_now']}, and {versions['stored']} is stored already: "
        "corrections would lose; repair the versions first"
    )


def is_full(place: Workplace, counted: census.Census) -> bool:
    """Whether every right row is written again, as the mode "full" has it, once; and where a broken version is newer than
    its correction, which is beaten only by writing the correction again."""
    first = place.incident.backfill.mode == "full" and not last_done(Backfill.name, place.ledger.lines())
    return first or counted.count(census.OUTVERSIONED) > 0


def wanted(full: bool) -> tuple[str, ...]:
    """The classes of identities whose right row the backfill inserts."""
    return census.WITH_RIGHT_ROW if full else (census.MISSING, census.UNCORRECTED, census.DIFFERENT)


def bytes_per_row(place: Workplace) -> int:
    """Compressed bytes of a row of the table, at least 1."""
    table = place.incident.table
    parts = place.warehouse.ask_again("partitions", database=table.database, table=table.name).rows
    rows, size = sum(p["rows"] for p in parts), sum(p["bytes"] for p in parts)
    return max(1, int(size) // max(1, int(rows)))


def window_identities(counted: census.Census) -> int:
    """Identities that the table holds in the window and that this recovery answers for."""
    outside = (
        census.OUTSIDE,
        census.OUTSIDE_BROKEN,
        census.FOREIGN,
        census.FOREIGN_BROKEN,
        census.MIXED,
        census.MISSING,
    )
    return counted.count() - counted.count(*outside)


def window_rows(counted: census.Census) -> int:
    """Rows that the table holds in the window and that this recovery answers for."""
    outside = (census.OUTSIDE, census.OUTSIDE_BROKEN, census.FOREIGN, census.FOREIGN_BROKEN, census.MIXED)
    return counted.count(of="rows") - counted.count(*outside, of="rows")


def shown_key(key: str) -> str:
    if key == chr(0x10FFFF):
        return "the last"
    return repr(key if len(key) <= 14 else key[:12] + "…") if key else "the first"
