"""Phase 4: are the broken rows gone, and only they, and is the table merged?"""

from __future__ import annotations

import pytest

from recovery import census
from recovery.action import Plan
from recovery.backfill import window_rows
from recovery.deduplicate import last_blocks, parts_up_to
from recovery.evidence import Evidence
from recovery.incident import Incident
from recovery.ledger import Line
from recovery.warehouse import Warehouse
from recovery.workplace import Workplace

PHASE = "phase4"
pytestmark = pytest.mark.phase4


def test_a_partition_has_few_parts(
    partition: str,
    after_action: Plan,
    deduplicated: Line | None,
    place: Workplace,
    incident: Incident,
    evidence: Evidence,
) -> None:
    """Parts that hold rows up to the deduplication; those of a live writer since are left aside."""
    block = (deduplicated["plan"]["facts"]["last_blocks"] if deduplicated else last_blocks(place)).get(partition, 0)
    answer = parts_up_to(place.warehouse, partition, block)
    evidence.about = f"partition {partition}"
    evidence.show(answer, examined=answer.first["all_parts"], **answer.first)
    evidence.expect("parts", answer.first["parts"], "<=", incident.deduplicate.max_parts)


def test_no_mutation_or_merge_is_pending(
    after_action: Plan, incident: Incident, warehouse: Warehouse, evidence: Evidence
) -> None:
    table = incident.table
    names = {"database": table.database, "table": table.name}
    mutations = warehouse.ask_again("mutations", **names)
    merges = warehouse.ask_again("merges", **names, partitions=list(table.partitions))
    parts = warehouse.ask_again("partitions", **names)
    long = [row for row in merges.rows if row["elapsed"] > incident.gates.merge_seconds]
    evidence.show(
        mutations, merges, parts, examined=len(parts.rows), mutations=mutations.rows[:5], merges=merges.rows[:5]
    )
    evidence.expect("mutations that are not done", len(mutations.rows), "==", 0)
    evidence.expect("merges that a deduplication left running", len(long), "==", 0)


def test_rows_are_as_planned(
    after_action: Plan, deduplicated: Line | None, counted: census.Census, incident: Incident, evidence: Evidence
) -> None:
    """Rows of the window by count(), against what the deduplication said that it would leave, to the row."""
    rows = window_rows(counted)
    evidence.show(*counted.answers, examined=counted.count(), rows=rows, classes=counted.classes())
    if deduplicated is None:
        evidence.expect("deduplications in the ledger", 0, ">=", 1)
        evidence.note("Run pytest -m phase4 --execute, so that what was removed is known.")
        return
    facts = deduplicated["plan"]["facts"]
    evidence.expect("rows of the window", rows, "==", facts["window_rows_after"])
    evidence.note(
        f"{facts['window_rows_before']:,} rows before, {rows:,} after; the plan expected {incident.plan.rows_before:,} and "
        f"{incident.plan.rows_after:,} in production."
    )
