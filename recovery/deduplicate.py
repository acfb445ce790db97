"""Deduplicate: remove what the corrections replaced, put orphans in quarantine, and merge to few parts."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from recovery import census, snapshot
from recovery.action import Plan, Unit, Workplace, last_done
from recovery.backfill import bytes_per_row, window_identities, window_rows
from recovery.errors import StatementFailed
from recovery.statements import Schema, quote
from recovery.warehouse import Answer, Warehouse

SHARE_IDENTITIES = 10_000_000  # identities whose hashes one DELETE holds in memory
CANNOT_MERGE_NOW = 388  # another merge has some of the parts; OPTIMIZE is asked again
PATIENCE_SECONDS = 600
UNDO = "restore the snapshot"


class Deduplicate:
    """Nothing leaves the table that is not superseded by a good row, or in quarantine with the very same content."""

    name = "deduplicate"

    def plan(self, place: Workplace) -> Plan:
        incident = place.incident
        counted = census.Census.take(place.warehouse)
        superseded = counted.count(census.CORRECTED, of="broken_rows")
        orphans = counted.count(census.ORPHAN) if incident.deduplicate.orphans == "quarantine" else 0
        blocks = last_blocks(place)
        merging = [p for p in incident.table.partitions if not self._is_merged(place, p, blocks[p])]
        if not superseded and not orphans and last_done(self.name, place.ledger.lines()):
            return Plan(self.name, "no superseded row, no orphan in the table, merged before; nothing to do", ())
        units: list[Unit] = []
        if orphans:
            units.append(
                Unit(f"copy {orphans:,} orphans to {incident.table.quarantine}", "copy", "none needed", orphans)
            )
            units.append(Unit(f"remove {orphans:,} orphans that are in quarantine", "quarantined", UNDO, orphans))
        shares = max(1, math.ceil(superseded / SHARE_IDENTITIES))
        if superseded and incident.deduplicate.strategy == "delete":
            units += [
                Unit(
                    f"remove superseded rows, share {share + 1} of {shares}", "superseded", UNDO, superseded // shares,
                    {"share": share, "shares": shares},
                )
                for share in range(shares)
            ]  # fmt: skip
        # Where all has merged away unasked, every partition is listed all the same, so that the ledger says it is done.
        units += [
            Unit(
                f"OPTIMIZE partition {partition} FINAL", "optimize", UNDO, 0,
                {"partition": partition, "last_block": blocks[partition]},
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
            bytes=rows * bytes_per_row(place),
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
        counted = census.Census.take(place.warehouse)
        kinds = (census.UNCORRECTED, census.MISSING, census.DIFFERENT, census.OUTVERSIONED, census.UNEXPECTED)
        return [f"{counted.count(kind):,} identities are {kind}" for kind in kinds if counted.count(kind)]

    def is_done(self, place: Workplace, plan: Plan, unit: Unit) -> bool:
        warehouse = place.warehouse
        values = census.parameters(warehouse) | {"shares": 1} | dict(unit.values)
        match unit.kind:
            case "copy":
                there = warehouse.ask_again("quarantine_exists").first["result"]
                return bool(there) and warehouse.ask_again("quarantine_left", **values).first["left"] == 0
            case "quarantined":
                there = warehouse.ask_again("quarantine_exists").first["result"]
                return bool(there) and warehouse.ask_again("quarantined_left", **values).first["left"] == 0
            case "superseded":
                return self._superseded(place, unit) == 0
            case "optimize":
                return self._is_merged(place, unit.values["partition"], unit.values["last_block"])
        raise ValueError(f"no such unit: {unit.kind}")

    def do(self, place: Workplace, plan: Plan, unit: Unit, label: str) -> int:
        warehouse = place.warehouse
        values = census.parameters(warehouse) | {"shares": 1} | dict(unit.values)
        match unit.kind:
            case "copy":
                rows = 0  # they are counted when they leave the table
                warehouse.write("quarantine_create", label=f"{label}-create")
                warehouse.write("quarantine_copy", label=label, **values)
            case "quarantined":
                rows = int(warehouse.ask_again("quarantined_left", **values).first["left"])
                warehouse.write("quarantined_delete", label=label, **values)
            case "superseded":
                rows = self._superseded(place, unit)
                self._remove_listed(place, values, label)
            case _:
                rows = 0
                self._optimize(place, unit.values["partition"], label)
        return rows

    def verify(self, place: Workplace, plan: Plan) -> list[str]:
        counted = census.Census.take(place.warehouse)
        planned = int(plan.facts["window_rows_after"])
        faults = []
        if counted.count(census.CORRECTED):
            faults.append(f"{counted.count(census.CORRECTED):,} identities still have a superseded row")
        if plan.facts["orphans"] and counted.count(census.ORPHAN):
            faults.append(f"{counted.count(census.ORPHAN):,} orphans are still in the table")
        if window_rows(counted) != planned:
            faults.append(f"the window holds {window_rows(counted):,} rows, planned {planned:,}")
        return faults

    def _superseded(self, place: Workplace, unit: Unit) -> int:
        """Superseded rows of the unit's share that are still in the table."""
        answer = place.warehouse.ask_again("superseded_left", **census.parameters(place.warehouse) | dict(unit.values))
        return sum(int(row["left"]) for row in answer.rows if row["share"] == unit.values["share"])

    def _remove_listed(self, place: Workplace, values: Mapping[str, Any], label: str) -> None:
        """List the superseded identities in a table of their own, then remove their broken rows.

        The DELETE does not read the table that it changes: a mutation whose subquery does can wait for itself.
        """
        table = place.incident.table
        names = {"worklist": quote(table.database, f"{table.name}_superseded")}
        names["own_table"] = names["worklist"]
        place.warehouse.write("drop_table", label=f"{label}-drop", names=names)
        place.warehouse.write("superseded_create", label=f"{label}-create", names=names)
        place.warehouse.write("superseded_list", label=f"{label}-list", names=names, **values)
        place.warehouse.write("superseded_delete", label=label, names=names, **values)
        place.warehouse.write("drop_table", label=f"{label}-done", names=names)

    def _is_merged(self, place: Workplace, partition: str, last_block: int) -> bool:
        """Few parts up to `last_block`, no deleted row on disk, each key once in the window: what OPTIMIZE is for."""
        values = census.parameters(place.warehouse) | {"partitions": [partition]}
        rows = place.warehouse.ask_again("unmerged", **values).first
        parts = parts_up_to(place.warehouse, partition, last_block).first
        few = parts["parts"] <= place.incident.deduplicate.max_parts and not parts["with_hidden_rows"]
        return bool(few and rows["rows"] == rows["merged"])

    def _optimize(self, place: Workplace, partition: str, label: str) -> None:
        names = {"partition": snapshot.partition_id(partition)}
        for second in range(PATIENCE_SECONDS):
            try:
                place.warehouse.write("optimize", label=f"{label}-{second}", names=names)
                return
            except StatementFailed as error:
                if error.code != CANNOT_MERGE_NOW:
                    raise
            place.sleep(1)
        raise StatementFailed(f"partition {partition} could not be merged for {PATIENCE_SECONDS} s", CANNOT_MERGE_NOW)


def last_blocks(place: Workplace) -> dict[str, int]:
    """The highest block number of each affected partition: rows written later have higher ones."""
    table = place.incident.table
    parts = place.warehouse.ask_again("partitions", database=table.database, table=table.name).rows
    held = {row["partition_id"]: int(row["last_block"]) for row in parts}
    return {partition: held.get(partition, 0) for partition in table.partitions}


def parts_up_to(warehouse: Warehouse, partition: str, last_block: int) -> Answer:
    """How many parts of a partition hold rows up to a block."""
    table = warehouse.incident.table
    return warehouse.ask_again(
        "parts_up_to", database=table.database, table=table.name, partition=partition, last_block=last_block
    )


def sorting_key_columns(schema: Schema) -> set[str]:
    """The columns that the sorting key names, inside expressions too."""
    words = set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", schema.sorting_key))
    return {column.name for column in schema.columns if column.name in words}
