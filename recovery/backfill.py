"""Backfill: insert the right rows that the table lacks, in units along the source's sorting key."""

from __future__ import annotations

import itertools
import math
from typing import Any

from recovery import census
from recovery.action import Plan, Unit, last_done
from recovery.errors import ActionFailed
from recovery.statements import Write
from recovery.workplace import Workplace

SAMPLED_GROUPS = 100_000
WAIT_FOR_CLOCK_SECONDS = 5


class Backfill:
    """Inserting is idempotent: a unit inserts only what the table does not hold with this content, in `missing` mode in
    any version, in `full` mode in a version from the start of the action on."""

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
        return Plan(
            action=self.name,
            sentence=f"insert {rows:,} right rows of {len(per_day)} days into {incident.table.name} ({incident.backfill.mode})",
            units=tuple(units(place, version if full else 0, rows)),
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
        answer = place.warehouse.ask_again("backfill_left", **census.parameters(place.warehouse) | dict(unit.values))
        return int(answer.first["left"])

    def writes(self, place: Workplace, unit: Unit) -> list[Write]:
        return [Write("backfill", values=census.parameters(place.warehouse) | dict(unit.values))]

    def do(self, place: Workplace, plan: Plan, unit: Unit, label: str) -> None:
        place.send(self.writes(place, unit), label)

    def verify(self, place: Workplace, plan: Plan) -> list[str]:
        counted = census.Census.take(place.warehouse)
        return counted.told(census.MISSING, census.UNCORRECTED)


def units(place: Workplace, since_version: int, rows: int) -> list[Unit]:
    """The right rows of the window in units along the source's sorting key."""
    window, warehouse = place.incident.window, place.warehouse
    span: dict[str, Any] = {"time_from": window.start, "time_to": window.end}
    source = warehouse.ask("source_rows", **span).first
    count = math.ceil(source["rows"] / place.incident.backfill.unit_rows)
    one_of = max(1, source["groups"] // SAMPLED_GROUPS)
    step = max(1, math.ceil(source["groups"] / one_of / count))
    bounds = [r["bound"] for r in warehouse.ask("unit_bounds", **span, one_of=one_of, step=step).rows]
    low, high = warehouse.key_bounds
    size = bytes_per_row(place)
    cuts = [low, *(bounds[: count - 1] if count > 1 else []), high]
    return [
        Unit(
            label=f"source keys {shown_key(start)} to {shown_key(end)}",
            kind="insert",
            undo="restore the snapshot",
            rows=rows // (len(cuts) - 1),
            bytes=rows // (len(cuts) - 1) * size,
            values={"key_from": start, "key_to": end, "since_version": since_version},
        )
        for start, end in itertools.pairwise(cuts)
    ]


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
