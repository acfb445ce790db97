"""Phase 3: has every broken row exactly one right correction that wins, or is it a known orphan?"""

from __future__ import annotations

import pytest

from recovery import census
from recovery.backfill import window_identities, window_rows
from recovery.balance import Balance
from recovery.evidence import Evidence
from recovery.incident import Incident
from recovery.ledger import Line
from recovery.warehouse import Warehouse

PHASE = "phase3"
pytestmark = pytest.mark.phase3


def test_every_broken_row_has_one_right_correction(
    day: str, counted: census.Census, warehouse: Warehouse, evidence: Evidence
) -> None:
    """Right in every column but the version, and one row only, unless it is an orphan."""
    evidence.about = day
    evidence.show(*counted.answers, examined=counted.examined(*census.OWNED, day=day), classes=counted.classes(day=day))
    for kind in (census.UNCORRECTED, census.DIFFERENT, census.UNEXPECTED, census.MISSING, census.MIXED):
        found = counted.count(kind, day=day)
        evidence.expect(f"identities {kind}", found, "==", 0)
        if found:
            evidence.note(f"{kind}, any day: {'; '.join(census.sample(warehouse, kind))}.")


def test_the_corrected_version_wins(day: str, counted: census.Census, evidence: Evidence) -> None:
    evidence.about = day
    evidence.show(
        *counted.answers,
        examined=counted.examined(*census.OWNED, day=day),
        corrected=counted.count(census.CORRECTED, day=day),
    )
    evidence.expect("broken rows newer than their correction", counted.count(census.OUTVERSIONED, day=day), "==", 0)


def test_orphans_are_few_and_listed(
    counted: census.Census, baseline: Line | None, incident: Incident, warehouse: Warehouse, evidence: Evidence
) -> None:
    """Broken rows whose right row the source does not know: never removed without a copy in quarantine."""
    orphans = counted.count(census.ORPHAN)
    # Of all that were broken: where a correction has the same key, the broken row may have merged away since.
    classes = baseline["plan"]["facts"]["classes"] if baseline else {}
    broken = max(counted.count(*census.BROKEN), sum(classes.get(kind, 0) for kind in census.BROKEN))
    percent = 100 * orphans / broken if broken else 0.0
    listed = census.sample(warehouse, census.ORPHAN, 10, since=baseline) if orphans else []
    evidence.show(
        *counted.answers, examined=counted.count(*census.OWNED), orphans=orphans,
        per_day=counted.per_day(census.ORPHAN), sample=listed, foreign_broken=counted.count(census.FOREIGN_BROKEN),
    )  # fmt: skip
    evidence.expect("orphans, percent of the broken identities", percent, "<=", incident.gates.orphan_percent)
    evidence.expect("orphans listed", len(listed), "==", min(10, orphans))
    foreign = counted.count(census.FOREIGN_BROKEN)
    if foreign:
        evidence.note(
            f"{foreign:,} broken rows of other sources are not this recovery's to repair; they are left as they are."
        )


def test_a_test_subject_shows_its_pairs(
    subject: str, counted: census.Census, incident: Incident, evidence: Evidence
) -> None:
    """The plan's spot check: each of its broken rows in the window stands beside its correction."""
    place = incident.window.test_subjects.index(subject) + 1
    owned = counted.count(*census.OWNED, subject=place)
    pairs = counted.count(census.CORRECTED, subject=place)
    evidence.about = subject
    evidence.show(*counted.answers, examined=owned, pairs=pairs, classes=counted.classes(subject=place))
    evidence.expect(
        "pairs, or rows merged to the correction alone", pairs + counted.count(census.CLEAN, subject=place), ">=", 1
    )
    evidence.expect("broken rows without a correction", counted.count(census.UNCORRECTED, subject=place), "==", 0)


def test_the_row_ratio_is_explained(
    counted: census.Census, baseline: Line | None, incident: Incident, warehouse: Warehouse, evidence: Evidence
) -> None:
    """The plan expects about twice the rows. Equal keys merge away unasked, so the ratio is shown; identities must add up."""
    rows, identities = window_rows(counted), window_identities(counted)
    evidence.show(
        *counted.answers, examined=counted.count(), rows=rows, identities=identities, ratio=rows / max(1, identities)
    )
    if baseline is None:
        evidence.expect("backfills in the ledger", 0, ">=", 1)
        evidence.note("There is no baseline: run pytest -m phase2 --execute.")
        return
    facts = baseline["plan"]["facts"]
    before, added = facts["window_identities_before"], facts["classes"].get(census.MISSING, 0)
    balance = Balance.take(warehouse, baseline)
    aside = balance.set_aside
    evidence.show(balance.answer, examined=0, set_aside_since=aside)
    # Right rows that came up in the source while the backfill ran were written beyond its plan.
    answer, per_day = census.written(warehouse, baseline)
    beyond = max(0, sum(per_day.values()) - sum(facts["per_day"].values()))
    evidence.show(answer, examined=0, written_beyond_the_plan=beyond)
    here = identities + aside
    evidence.expect("identities of the window, those set aside among them", here, ">=", before + added)
    evidence.expect("identities of the window, those set aside among them", here, "<=", before + added + beyond)
    evidence.note(
        f"{rows:,} rows for {identities:,} identities, {rows / max(1, facts['window_rows_before']):.2f} times the "
        f"{facts['window_rows_before']:,} before the backfill; the plan expected {incident.plan.row_ratio:g} times "
        "(rows of equal key merge away unasked, so the ratio opens no gate)."
    )
