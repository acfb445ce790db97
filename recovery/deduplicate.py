"""Deduplicate: remove what the corrections replaced, put orphans in quarantine, and merge to few parts."""

from __future__ import annotations

import math
import re
import uuid
from typing import Any

from recovery import census, parts, ranges, snapshot, staging
from recovery.action import Plan, Unit, baseline, last_done
from recovery.backfill import bytes_per_row, window_identities, window_rows
from recovery.errors import StatementFailed
from recovery.ledger import Line
from recovery.statements import Schema, Write
from recovery.warehouse import Answer, Warehouse
from recovery.workplace import Workplace

SHARE_IDENTITIES = 10_000_000  # whose hashes one statement holds in memory, where the table is asked as a whole
LISTED_ROWS = 2_000_000  # rows of the table that are looked through at a time
TRIES = 5  # to remove what lies in parts that are merged meanwhile
CANNOT_MERGE_NOW = 388  # another merge has some of the parts; OPTIMIZE is asked again
PATIENCE_SECONDS = 600
UNDO = "restore the snapshot"


class Deduplicate:
    """Nothing leaves the table that is not superseded by a good row, or in quarantine with the very same content."""

    name = "deduplicate"
    removes = True

    def plan(self, place: Workplace) -> Plan:
        counted = census.Census.take(place.warehouse, since=baseline(place.incident, place.ledger.lines()))
        return self.plan_for(place, counted, in_ranges=counted.agrees)

    def plan_for(self, place: Workplace, counted: census.Census, *, in_ranges: bool = True) -> Plan:
        """The plan for a table that is as counted, now or once it is backfilled. `in_ranges` says that the rows of each
        identity were found to be in one range of the sorting key."""
        incident = place.incident
        size = bytes_per_row(place)
        superseded = counted.count(census.CORRECTED, of="broken_rows")
        orphans = counted.count(census.ORPHAN) if incident.deduplicate.orphans == "quarantine" else 0
        blocks, held = last_blocks(place), bytes_of(place)
        merging = [p for p in incident.table.partitions if not self._is_merged(place, p, blocks[p])]
        done = last_done(self.name, place.ledger.lines())
        as_left = done is not None and done["plan"]["facts"]["window_rows_after"] == window_rows(counted)
        if not superseded and not orphans and as_left:
            return Plan(self.name, "no superseded row, no orphan in the table, merged before; nothing to do", ())
        units: list[Unit] = []
        if orphans:
            units.append(
                Unit(
                    f"copy {orphans:,} orphans to {incident.table.quarantine}",
                    "copy",
                    "none needed",
                    orphans,
                    {"in_ranges": in_ranges},
                    orphans * size,
                    counted=False,  # they are counted when they leave the table
                )
            )
            units.append(Unit(f"remove {orphans:,} orphans that are in quarantine", "quarantined", UNDO, orphans))
        worklist = f"{incident.table.name}_worklist_{uuid.uuid4().hex[:8]}"  # ours alone, so it may be dropped
        if superseded and incident.deduplicate.strategy == "delete":
            listed = {"worklist": worklist, "pieces": _pieces(place, superseded, in_ranges)}
            units += [
                Unit("list the superseded rows", "list", "none needed", values=listed, counted=False),
                Unit(f"remove {superseded:,} superseded rows", "superseded", UNDO, superseded, listed),
            ]
        # Where all has merged away unasked, every partition is listed all the same, so that the ledger says it is done.
        units += [
            Unit(
                f"OPTIMIZE partition {partition} FINAL", "optimize", UNDO, 0,
                {"partition": partition, "last_block": blocks[partition]}, held.get(partition, 0), counted=False,
            )
            for partition in incident.table.partitions
            if superseded or orphans or not merging or partition in merging
        ]  # fmt: skip
        rows = window_rows(counted)
        return Plan(
            action=self.name,
            sentence=(
                f"remove {superseded:,} superseded rows and move {orphans:,} orphans to {incident.table.quarantine}, "
                f"then merge {len(incident.table.partitions)} partitions ({incident.deduplicate.strategy})"
            ),
            units=tuple(units),
            rows=superseded + orphans,
            bytes=rows * size,
            snapshot=tuple(incident.table.partitions),
            facts={
                "classes": counted.classes(),
                "superseded_rows": superseded,
                "orphans": orphans,
                "last_blocks": blocks,
                "window_rows_before": rows,
                "window_rows_after": window_identities(counted) - orphans,
            },
        )

    def refusals(self, place: Workplace) -> list[str]:
        counted = census.Census.take(place.warehouse, since=baseline(place.incident, place.ledger.lines()))
        return counted.told(
            census.UNCORRECTED,
            census.MISSING,
            census.DIFFERENT,
            census.OUTVERSIONED,
            census.UNEXPECTED,
            census.MIXED,
        )

    def left(self, place: Workplace, plan: Plan, unit: Unit) -> int:
        warehouse = place.warehouse
        values = census.parameters(warehouse) | {"shares": 1}
        match unit.kind:
            case "copy" | "quarantined":
                if not warehouse.ask_again("quarantine_exists").first["result"]:
                    return max(1, unit.rows)
                if unit.kind == "quarantined":
                    return int(warehouse.ask_again("quarantined_left", **values).first["left"])
                found = [warehouse.ask_again("quarantine_left", **(values | each)) for each in _ranges(place, unit)]
                return sum(int(answer.first["left"]) for answer in found)
            case "list":
                return int(not snapshot.is_there(warehouse, unit.values["worklist"]))
            case "superseded":
                names = {"worklist": staging.quoted(place, unit.values["worklist"])}
                pieces = [values | each for each in unit.values["pieces"]]
                left = [warehouse.ask_again("superseded_left", names=names, **piece) for piece in pieces]
                return sum(int(answer.first["left"]) for answer in left)
            case "optimize":
                return int(not self._is_merged(place, unit.values["partition"], unit.values["last_block"]))
        raise ValueError(f"no such unit: {unit.kind}")

    def writes(self, place: Workplace, unit: Unit) -> list[Write]:
        return self._writes(place, unit, staging.UNNAMED)

    def _writes(self, place: Workplace, unit: Unit, mark: str) -> list[Write]:
        """Superseded identities are listed in a table of their own first, and then where their rows lie: the DELETE does not
        read the table that it changes, for a mutation whose subquery does can wait for itself."""
        values = census.parameters(place.warehouse) | {"shares": 1}
        match unit.kind:
            case "copy":
                copies = [
                    Write("quarantine_copy", values=values | each, part=f"-{number}")
                    for number, each in enumerate(_ranges(place, unit))
                ]
                return [Write("quarantine_create", part="-create"), *copies]
            case "quarantined":
                return [Write("quarantined_delete", values=values)]
            case "list":
                lists = [
                    Write("superseded_list", values=values | each, part=f"-{number}")
                    for number, each in enumerate(unit.values["pieces"])
                    if each["share"] == each["first_share"]  # one statement lists all shares of its range
                ]
                return staging.made(place, unit.values["worklist"], mark, lists, "worklist_create")
            case "superseded":
                return self._removal(place, unit, values, mark)
            case "optimize":
                return [Write("optimize", {"partition": snapshot.partition_id(unit.values["partition"])})]
        raise ValueError(f"no such unit: {unit.kind}")

    def do(self, place: Workplace, plan: Plan, unit: Unit, label: str) -> None:
        if unit.kind == "superseded":
            self._remove(place, unit, label)
            return
        writes = self._writes(place, unit, staging.mark_of(label))
        if unit.kind == "optimize":
            self._optimize(place, writes[0], label)
            return
        place.send(writes, label)

    def _remove(self, place: Workplace, unit: Unit, label: str) -> None:
        """What lay in parts that were merged before the DELETE came to them is looked for again."""
        for tried in range(TRIES):
            mark = staging.mark_of(label) + (f"_{tried}" if tried else "")
            *notes, removal = self._writes(place, unit, mark)
            place.send(notes, f"{label}-{tried}")
            whole = set(removal.values["parts"]) <= set(_parts(place))
            place.send([removal], f"{label}-{tried}")
            if whole:
                return
            place.tell("  parts were merged meanwhile; what lay in them is looked for again")

    def _removal(self, place: Workplace, unit: Unit, values: dict[str, Any], mark: str) -> list[Write]:
        """Where the rows lie is noted by parts, so that one DELETE needs no identities, and memory for bitmaps alone."""
        found = {**values, "parts": _parts(place)}
        worklist, places = (staging.quoted(place, unit.values["worklist"] + end) for end in ("", f"_places_{mark}"))
        return [
            Write("places_create", {"target": places}, part="-create"),
            *[
                Write("superseded_place", {"target": places, "worklist": worklist}, found | each, f"-{number}")
                for number, each in enumerate(unit.values["pieces"])
            ],
            Write("superseded_delete", {"worklist": places}, found),
        ]

    def verify(self, place: Workplace, plan: Plan, since: Line | None) -> list[str]:
        counted = census.Census.take(place.warehouse, since=since)
        planned = int(plan.facts["window_rows_after"])
        faults = []
        if counted.count(census.CORRECTED):
            faults.append(f"{counted.count(census.CORRECTED):,} identities still have a superseded row")
        if plan.facts["orphans"] and counted.count(census.ORPHAN):
            faults.append(f"{counted.count(census.ORPHAN):,} orphans are still in the table")
        if window_rows(counted) != planned:
            faults.append(f"the window holds {window_rows(counted):,} rows, planned {planned:,}")
        return faults

    def _is_merged(self, place: Workplace, partition: str, last_block: int) -> bool:
        """Few parts up to `last_block`, no deleted row on disk, each key once in the window: what OPTIMIZE is for."""
        values = census.parameters(place.warehouse) | {"partitions": [partition]}
        rows = place.warehouse.ask_again("unmerged", **values).first
        parts = parts_up_to(place.warehouse, partition, last_block).first
        few = parts["parts"] <= place.incident.deduplicate.max_parts and not parts["with_hidden_rows"]
        return bool(few and rows["rows"] == rows["merged"])

    def _optimize(self, place: Workplace, write: Write, label: str) -> None:
        for second in range(PATIENCE_SECONDS):
            try:
                place.warehouse.write(write.name, label=f"{label}-{second}", names=write.names)
                return
            except StatementFailed as error:
                if error.code != CANNOT_MERGE_NOW:
                    raise
            place.sleep(1)
        partition = write.names["partition"]
        raise StatementFailed(f"partition {partition} could not be merged for {PATIENCE_SECONDS} s", CANNOT_MERGE_NOW)


def _pieces(place: Workplace, superseded: int, in_ranges: bool) -> list[dict[str, Any]]:
    """Parameters of what is listed and looked for at a time: a range, which is one share, or a share of the whole table."""
    cut = ranges.of_table(place.warehouse, LISTED_ROWS) if in_ranges else ranges.whole(place.warehouse)
    if len(cut) > 1:
        return [{**each, "share": number, "first_share": number, "shares": 1} for number, each in enumerate(cut)]
    shares = max(1, math.ceil(superseded / SHARE_IDENTITIES))
    return [{**cut[0], "share": share, "first_share": 0, "shares": shares} for share in range(shares)]


def _parts(place: Workplace) -> list[str]:
    """The names of the active parts of the affected partitions."""
    return parts.names(place.warehouse, place.incident.table.name, place.incident.table.partitions)


def _ranges(place: Workplace, unit: Unit) -> list[dict[str, Any]]:
    return ranges.of_table(place.warehouse, LISTED_ROWS) if unit.values["in_ranges"] else ranges.whole(place.warehouse)


def last_blocks(place: Workplace) -> dict[str, int]:
    """The highest block number of each affected partition: rows written later have higher ones."""
    table = place.incident.table
    parts = place.warehouse.ask_again("partitions", database=table.database, table=table.name).rows
    held = {row["partition_id"]: int(row["last_block"]) for row in parts}
    return {partition: held.get(partition, 0) for partition in table.partitions}


def bytes_of(place: Workplace, name: str = "") -> dict[str, int]:
    """Bytes on disk of each partition of the table, or of another of its database; none where it is not there."""
    table = place.incident.table
    parts = place.warehouse.ask_again("partitions", database=table.database, table=name or table.name).rows
    return {row["partition_id"]: int(row["bytes"]) for row in parts}


def parts_up_to(warehouse: Warehouse, partition: str, last_block: int, table: str | None = None) -> Answer:
    """How many parts of a partition hold rows up to a block, in the broken table or in another of its database."""
    broken = warehouse.incident.table
    return warehouse.ask_again(
        "parts_up_to", database=broken.database, table=table or broken.name, partition=partition, last_block=last_block
    )


def sorting_key_columns(schema: Schema) -> set[str]:
    """The columns that the sorting key names, inside expressions too."""
    words = set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", schema.sorting_key))
    return {column.name for column in schema.columns if column.name in words}
