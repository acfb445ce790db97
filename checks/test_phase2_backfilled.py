"""Phase 2: is every right row in the table, and was exactly what was planned written?"""

from __future__ import annotations

import pytest

from recovery import census
from recovery.action import Plan
from recovery.evidence import Evidence
from recovery.incident import Incident
from recovery.ledger import Line
from recovery.warehouse import Warehouse

PHASE = "phase2"
pytestmark = pytest.mark.phase2


def test_every_source_row_has_a_good_row(
    day: str, after_action: Plan, counted: census.Census, warehouse: Warehouse, evidence: Evidence
) -> None:
    evidence.about = day
    evidence.show(
        *counted.answers, examined=counted.examined(*census.WITH_RIGHT_ROW, day=day), classes=counted.classes(day=day)
    )
    for kind in (census.MISSING, census.UNCORRECTED, census.DIFFERENT):
        found = counted.count(kind, day=day)
        evidence.expect(f"identities {kind}", found, "==", 0)
        if found:
            evidence.note(f"{kind}, any day: {'; '.join(census.sample(warehouse, kind))}.")


def test_rows_written_are_as_planned(
    day: str, after_action: Plan, counted: census.Census, baseline: Line | None, incident: Incident, warehouse: Warehouse,
    evidence: Evidence,
) -> None:  # fmt: skip
    """Rows that got a version since the backfill began, against those that it planned to write."""
    evidence.about = day
    if baseline is None:
        evidence.show(*counted.answers, examined=counted.examined(*census.WITH_RIGHT_ROW, day=day))
        evidence.expect("backfills in the ledger", 0, ">=", 1)
        evidence.note("Run pytest -m phase2 --execute, so that what is written is known.")
        return
    facts = baseline["plan"]["facts"]
    answer, per_day = census.written(warehouse, baseline)
    written = per_day.get(day, 0)
    planned = facts["per_day"].get(day, 0)
    evidence.show(answer, examined=counted.examined(*census.WITH_RIGHT_ROW, day=day), written=written, planned=planned)
    evidence.expect("rows written", written, ">=", planned)
    evidence.expect(
        "identities that are not as the source says", counted.count(census.DIFFERENT, census.UNEXPECTED), "==", 0
    )
    if written > planned:
        evidence.note(
            f"{written - planned:,} right rows came up in the source while the backfill ran, and were written too."
        )
