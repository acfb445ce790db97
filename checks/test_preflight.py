"""Preflight: can the plan work on this table, on this server, now? Nothing is written."""

from __future__ import annotations

import re

import pytest

from recovery import census
from recovery.action import Workplace
from recovery.deduplicate import sorting_key_columns
from recovery.evidence import Evidence
from recovery.incident import Incident
from recovery.warehouse import OLDEST_SERVER, Warehouse

pytestmark = pytest.mark.preflight


def test_the_deduplication_can_remove_broken_rows(incident: Incident, warehouse: Warehouse, evidence: Evidence) -> None:
    """OPTIMIZE replaces rows of equal sorting key: where the repaired columns are in it, the broken row survives."""
    table, schema = incident.table, warehouse.schema
    answer = warehouse.ask("table", database=table.database, table=table.name)
    in_key = [column for column in table.repaired if column in sorting_key_columns(schema)]
    strategy = incident.deduplicate.strategy
    evidence.show(
        answer, examined=1, engine=schema.engine, sorting_key=schema.sorting_key, strategy=strategy, in_key=in_key
    )
    blocking = len(in_key) if strategy == "optimize" else 0
    evidence.expect(f"repaired columns in the sorting key with strategy {strategy!r}", blocking, "==", 0)
    evidence.expect("engine replaces rows of equal key", schema.engine.endswith("ReplacingMergeTree") * 1, "==", 1)
    if blocking:
        evidence.note(
            f"{', '.join(in_key)} is in the sorting key ({schema.sorting_key}), so a broken row and its correction have "
            'different keys and OPTIMIZE keeps both. Set deduplicate.strategy = "delete": it removes exactly the superseded rows.'
        )


def test_a_correction_gets_a_higher_version(incident: Incident, warehouse: Warehouse, evidence: Evidence) -> None:
    answer = warehouse.ask_again("versions", partitions=list(incident.table.partitions))
    column = warehouse.schema.column(incident.table.version)
    named = re.search(r"ReplacingMergeTree\([^)]*?(\w+)\s*\)", warehouse.schema.engine_full)
    of_engine = named.group(1) if named else "none"
    evidence.show(
        answer, examined=1, **answer.first, engine_version=of_engine, default=column.default if column else ""
    )
    evidence.expect("the engine's version column", of_engine, "==", incident.table.version)
    evidence.expect("the version that a row gets now", answer.first["version_now"], ">", answer.first["stored"])


def test_no_identity_lies_in_two_partitions(counted: census.Census, evidence: Evidence) -> None:
    """Merges never cross partitions: such an identity would stay twice for ever."""
    evidence.show(counted.answer, examined=counted.count(), spread=counted.count(of="spread"))
    evidence.expect("identities in two partitions", counted.count(of="spread"), "==", 0)


def test_the_affected_partitions_hold_the_window(incident: Incident, warehouse: Warehouse, evidence: Evidence) -> None:
    window = incident.window
    answer = warehouse.ask("window_partitions", time_from=window.start, time_to=window.end)
    rows = {row["partition_id"]: row["rows"] for row in answer.rows}
    outside = {name: count for name, count in rows.items() if name not in incident.table.partitions}
    evidence.show(answer, examined=sum(rows.values()), partitions=rows, named=list(incident.table.partitions))
    evidence.expect(
        "rows of the window in partitions that the incident file does not name", sum(outside.values()), "==", 0
    )


def test_no_broken_row_lies_outside_the_window(incident: Incident, warehouse: Warehouse, evidence: Evidence) -> None:
    window = incident.window
    answer = warehouse.ask_again("strays", time_from=window.start, time_to=window.end)
    broken = {row["day"]: row["broken"] for row in answer.rows if row["broken"]}
    evidence.show(answer, examined=sum(row["rows"] for row in answer.rows), days=broken)
    evidence.expect("broken rows outside the window", sum(broken.values()), "==", 0)
    if broken:
        days = ", ".join(list(broken)[:5])
        evidence.note(
            f"They lie on {days}: the recovery would leave them. Widen window.start and window.end to hold them."
        )


def test_disk_is_free_for_the_plan(incident: Incident, warehouse: Warehouse, evidence: Evidence) -> None:
    """OPTIMIZE FINAL writes each partition anew while a snapshot keeps the old parts."""
    table = incident.table
    disk = warehouse.ask_again("disk")
    parts = warehouse.ask_again("partitions", database=table.database, table=table.name)
    affected = sum(row["bytes"] for row in parts.rows if row["partition_id"] in table.partitions)
    needed = int(affected * incident.gates.free_disk_factor)
    evidence.show(disk, parts, examined=len(parts.rows), affected_bytes=affected, free_bytes=disk.first["free"])
    evidence.expect("free bytes of disk", disk.first["free"], ">=", needed)


def test_no_mutation_or_long_merge_is_running(incident: Incident, warehouse: Warehouse, evidence: Evidence) -> None:
    table = incident.table
    names = {"database": table.database, "table": table.name}
    mutations = warehouse.ask_again("mutations", **names)
    merges = warehouse.ask_again("merges", **names, partitions=list(table.partitions))
    parts = warehouse.ask_again("partitions", **names)
    longest = max((row["elapsed"] for row in merges.rows), default=0.0)
    evidence.show(
        mutations,
        merges,
        parts,
        examined=len(parts.rows),
        mutations=mutations.rows[:5],
        merges=len(merges.rows),
        longest=longest,
    )
    evidence.expect("mutations that are not done", len(mutations.rows), "==", 0)
    evidence.expect("seconds of the longest merge", float(longest), "<=", incident.gates.merge_seconds)


def test_the_server_is_supported(warehouse: Warehouse, evidence: Evidence) -> None:
    answer = warehouse.ask("server")
    year, month = (int(part) for part in answer.first["version"].split(".")[:2])
    evidence.show(answer, examined=1, **answer.first)
    evidence.expect(
        "server version, year and month", year * 100 + month, ">=", OLDEST_SERVER[0] * 100 + OLDEST_SERVER[1]
    )


def test_the_statement_reproduces_a_clean_day(
    clean_day: str, place: Workplace, warehouse: Warehouse, evidence: Evidence
) -> None:
    """Every column but the version, self-trades included: what the statement selects is what production wrote."""
    start, end = census.clean_range(warehouse)
    counted = census.Census.take(warehouse, start, end)
    evidence.about = clean_day
    evidence.show(
        counted.answer, examined=counted.count(*census.OWNED, day=clean_day), classes=counted.classes(day=clean_day)
    )
    for kind in (
        census.MISSING,
        census.DIFFERENT,
        census.UNEXPECTED,
        census.UNCORRECTED,
        census.ORPHAN,
        census.CORRECTED,
    ):
        found = counted.count(kind, day=clean_day)
        evidence.expect(f"identities {kind}", found, "==", 0)
        if found:
            evidence.note(f"{kind}: {'; '.join(census.sample(warehouse, kind, start=start, end=end))}.")
