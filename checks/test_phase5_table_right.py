"""Phase 5: is the table right? No superseded row, no double, nothing broken, nothing else touched."""

from __future__ import annotations

import pytest

from recovery import census, fingerprint, ranges, snapshot
from recovery.evidence import Evidence
from recovery.incident import Incident
from recovery.ledger import Line
from recovery.statements import quote
from recovery.warehouse import Warehouse
from recovery.workplace import Workplace

PHASE = "phase5"
pytestmark = pytest.mark.phase5


def test_no_superseded_row_remains(day: str, counted: census.Census, evidence: Evidence) -> None:
    superseded = (census.CORRECTED, census.OUTVERSIONED)
    evidence.about = day
    evidence.show(*counted.answers, examined=counted.examined(*census.OWNED, day=day), classes=counted.classes(day=day))
    evidence.expect("superseded rows", counted.count(*superseded, day=day, of="broken_rows"), "==", 0)


def test_no_broken_row_remains(day: str, counted: census.Census, incident: Incident, evidence: Evidence) -> None:
    """None at all, or only orphans where the incident file leaves them in place."""
    rows = counted.count(*census.OWNED, day=day, of="rows")
    broken = counted.count(*census.OWNED, day=day, of="broken_rows")
    kept = counted.count(census.ORPHAN, day=day, of="broken_rows") if incident.deduplicate.orphans == "keep" else 0
    percent = 100 * (broken - kept) / rows if rows else 0.0
    evidence.about = day
    examined = counted.examined(*census.OWNED, day=day)
    evidence.show(*counted.answers, examined=examined, rows=rows, broken=broken, accepted_orphans=kept, percent=percent)
    evidence.expect("percent broken", percent, "<=", incident.gates.remaining_broken_percent)


def test_every_row_is_the_right_one(day: str, counted: census.Census, warehouse: Warehouse, evidence: Evidence) -> None:
    """Each identity that the source knows is there, as the source says, and no other."""
    evidence.about = day
    evidence.show(*counted.answers, examined=counted.examined(*census.OWNED, day=day), classes=counted.classes(day=day))
    for kind in (census.MISSING, census.UNCORRECTED, census.DIFFERENT, census.UNEXPECTED, census.MIXED):
        found = counted.count(kind, day=day)
        evidence.expect(f"identities {kind}", found, "==", 0)
        if found:
            evidence.note(f"{kind}, any day: {'; '.join(census.sample(warehouse, kind))}.")


def test_no_identity_is_there_twice(counted: census.Census, warehouse: Warehouse, evidence: Evidence) -> None:
    """In no two partitions and under no two keys, in all affected partitions. Rows of equal key that a live writer
    added and that are not merged yet are one row."""
    doubled, spread = counted.count(of="doubled"), counted.count(of="spread")
    superseded = counted.count(census.CORRECTED, census.OUTVERSIONED)
    evidence.show(*counted.answers, examined=counted.count(), doubled=doubled, spread=spread, superseded=superseded)
    answer, elsewhere = census.elsewhere(warehouse)
    evidence.show(answer, examined=0, elsewhere=elsewhere)
    evidence.expect("identities under two keys", doubled + superseded, "==", 0)
    evidence.expect("identities in two partitions", spread + elsewhere, "==", 0)


def test_a_test_subject_is_right(subject: str, counted: census.Census, incident: Incident, evidence: Evidence) -> None:
    place = incident.window.test_subjects.index(subject) + 1
    broken = counted.count(*census.OWNED, subject=place, of="broken_rows")
    kept = (
        counted.count(census.ORPHAN, subject=place, of="broken_rows") if incident.deduplicate.orphans == "keep" else 0
    )
    evidence.about = subject
    owned = counted.count(*census.OWNED, subject=place)
    evidence.show(*counted.answers, examined=owned, broken=broken, classes=counted.classes(subject=place))
    evidence.expect("broken rows", broken - kept, "==", 0)
    evidence.expect("right rows", counted.count(census.CLEAN, subject=place), ">=", 1)


def test_every_orphan_is_accounted_for(
    counted: census.Census, incident: Incident, warehouse: Warehouse, deduplicated: Line | None, evidence: Evidence
) -> None:
    """Each orphan of the snapshot that the deduplication took is, with the very same content, in quarantine or still in
    the table."""
    evidence.show(*counted.answers, examined=counted.count(*census.OWNED), in_table=counted.count(census.ORPHAN))
    if deduplicated is None:
        evidence.lack("deduplications", "phase4")
        return
    planned = deduplicated["plan"]["facts"]["classes"].get(census.ORPHAN, 0)
    lost = planned
    if planned and warehouse.ask("quarantine_exists").first["result"]:
        names = {"table": quote(incident.table.database, deduplicated["snapshot"])}
        asked = {**census.parameters(warehouse), "shares": 1}
        answer = ranges.ask(warehouse, "orphans_lost", ranges.of_table(warehouse), (), names=names, **asked)
        window = {"time_from": incident.window.start, "time_to": incident.window.end}
        listed = warehouse.ask("quarantine_sample", **window, limit=10)
        sample = [str(list(row.values())) for row in listed.rows]
        evidence.show(answer, examined=answer.first["orphans"], orphans=answer.first["orphans"], in_quarantine=sample)
        evidence.expect("orphans of the snapshot", answer.first["orphans"], "==", planned)
        lost = answer.first["lost"]
    elif incident.deduplicate.orphans == "keep":
        lost = planned - counted.count(census.ORPHAN)
    evidence.expect("orphans that are nowhere any more", lost, "==", 0)


def test_no_quarantined_row_can_be_healed(counted: census.Census, warehouse: Warehouse, evidence: Evidence) -> None:
    """A row in quarantine whose right row the source knows by now belongs into the table: the backfill brings it back."""
    evidence.show(*counted.answers, examined=counted.count(*census.OWNED))
    healable = 0
    if warehouse.ask_again("quarantine_exists").first["result"]:
        asked = census.parameters(warehouse)
        held = warehouse.ask("quarantine_count", **asked)
        answers = [held]
        if not counted.agrees:  # else every right row is in the table
            answers.append(ranges.ask(warehouse, "healable", ranges.of_source(warehouse, asked), (), **asked))
            healable = answers[-1].first["healable"]
        evidence.show(*answers, examined=0, in_quarantine=held.first["rows"], healable=healable)
        if healable:
            rows = warehouse.ask("healable_sample", **asked, limit=10).rows
            listed = [", ".join(str(value) for value in row.values()) for row in rows]
            evidence.note(f"To bring them back: pytest -m phase2 --execute. Some of them: {'; '.join(listed)}.")
    evidence.expect("rows in quarantine that have a right row by now", healable, "==", 0)


def test_everything_outside_the_window_is_untouched(
    place: Workplace, baseline: Line | None, warehouse: Warehouse, evidence: Evidence
) -> None:
    """Day by day as in the snapshot that was taken before the backfill; days that the live writer still fills apart."""
    taken = next(
        (r for r in place.ledger.lines() if baseline and r["kind"] == "snapshot" and r["name"] == baseline["snapshot"]),
        None,
    )
    now = fingerprint.ask(warehouse)
    days = {row["day"]: (row["rows"], row["hash"]) for row in snapshot.settled(place, now.rows) if not row["in_window"]}
    evidence.show(now, examined=sum(rows for rows, _ in days.values()))
    if taken is None:
        evidence.expect("snapshots from before the backfill", 0, ">=", 1)
        return
    youngest = snapshot.youngest_day(place)
    then = {day: tuple(value) for day, value in taken["outside"].items() if day < youngest}
    changed = sorted(day for day in days.keys() | then.keys() if days.get(day) != then.get(day))
    evidence.show(examined=0, days=len(days), changed=changed)
    evidence.expect("days outside the window that changed", len(changed), "==", 0)
