"""Phase 8: do the numbers agree with the outside world, and are the plan's criteria of success met?"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from recovery import agreement, boards, census, conservation, positions
from recovery.conservation import Conservation
from recovery.data_api import Client
from recovery.evidence import Evidence
from recovery.incident import Incident
from recovery.ledger import Line
from recovery.statements import quote
from recovery.warehouse import Answer, Warehouse
from recovery.workplace import Workplace

PHASE = "phase8"
pytestmark = pytest.mark.phase8


def test_a_subject_agrees_with_the_data_api(
    subject: str, place: Workplace, warehouse: Warehouse, now: datetime, evidence: Evidence
) -> None:
    """Tokens bought, tokens held and dollars realized of each position; what differs needs a cause."""
    evidence.about = subject
    rules = agreement.rules_of(place.incident)
    compared = agreement.compare(warehouse, Client.of(place).account(subject), subject, now)
    differing = [str(row) for row in compared.rows if row.cause not in (agreement.SAME, agreement.SOLD_ONLY)]
    beside = place.ledger.path.parent
    files = {Path(os.path.relpath(path, beside)).as_posix(): sha for path, sha in compared.sha256.items()}
    evidence.show(
        *compared.answers, examined=compared.comparable, agreeing=compared.agreeing, causes=compared.causes,
        differing=differing[:20], sha256=files,
    )  # fmt: skip
    evidence.expect("percent of positions that agree", compared.percent, ">=", rules.agreeing_percent)
    evidence.expect("positions that differ and that nothing explains", compared.unexplained, "==", 0)
    for row in differing[: compared.unexplained][:3]:
        evidence.note(f"{row}.")


def test_the_best_positions_are_reasonable(incident: Incident, warehouse: Warehouse, evidence: Evidence) -> None:
    """Nobody wins always, and nobody earns more than was paid and received."""
    rules = agreement.rules_of(incident)
    best = warehouse.ask("best_positions", **positions.span(incident), top=rules.top)
    spotless = [r for r in best.rows if r["positions"] > rules.positions_without_a_loss and r["wins"] == r["positions"]]
    rich = [r for r in best.rows if r["profit"] > rules.profit_per_volume * r["volume"]]
    evidence.show(best, examined=sum(row["positions"] for row in best.rows), best=best.rows)
    limit = rules.positions_without_a_loss
    evidence.expect(f"subjects with more than {limit:,} positions and no loss", len(spotless), "==", 0)
    evidence.expect("subjects who earned more than was paid and received", len(rich), "==", 0)
    for row in [*spotless, *rich][:3]:
        evidence.note(f"Look at {row['subject']}: {row['wins']:,} of {row['positions']:,} won, {row['profit']:,.2f} $.")


def test_the_positions_are_still_those_of_the_fills(
    warehouse: Warehouse, rebuilt: Line | None, conserved: Conservation | None, evidence: Evidence
) -> None:
    """As the rebuild left them, and position by position as the fills say: the boards and the best are made from them."""
    if rebuilt is None or conserved is None:
        evidence.lack("rebuilds", "phase6")
        return
    evidence.show(*conserved.answers, examined=conserved.count("positions"), months=conserved.months())
    for what, words in conservation.WORDS.items():
        evidence.expect(words, conserved.count(what), "==", 0)
    as_left = positions.print_of(warehouse) == rebuilt["positions_after"]
    evidence.expect("months that are not as the rebuild left them", int(not as_left), "==", 0)


def test_no_resolved_condition_is_missing(
    incident: Incident, warehouse: Warehouse, rebuilt: Line | None, evidence: Evidence
) -> None:
    """Of the conditions of all months, resolved and filled before the rebuild."""
    if rebuilt is None:
        evidence.lack("rebuilds", "phase6")
        return
    filled, missing = _conditions(warehouse, rebuilt)
    conditions = sum(row["conditions"] for row in filled.rows)
    expected = sum(row["expected"] for row in filled.rows)
    evidence.show(filled, missing, examined=expected, conditions=conditions, missing=_samples(missing.rows))
    lost = sum(row["missing"] for row in missing.rows)
    evidence.expect(
        "resolved conditions without a position", lost, "<=", agreement.rules_of(incident).missing_conditions
    )
    if conditions > expected:
        least = positions.section(incident).least_cost
        evidence.note(f"Of {conditions - expected:,} more conditions no lot cost {least:g} $: they need no row.")


def test_criterion_no_broken_row_is_left(counted: census.Census, evidence: Evidence) -> None:
    """Success criterion: no broken row, neither in the window nor elsewhere in the affected partitions."""
    broken = counted.count(*census.OWNED, of="broken_rows")
    outside = counted.count(census.OUTSIDE_BROKEN, of="broken_rows")
    evidence.show(*counted.answers, examined=counted.count(), classes=counted.classes())
    evidence.expect("broken rows in the window", broken, "==", 0)
    evidence.expect("broken rows outside it", outside, "==", 0)


def test_criterion_every_day_of_the_window_has_positions(
    day: str, incident: Incident, warehouse: Warehouse, rebuilt: Line | None, evidence: Evidence
) -> None:
    """Success criterion: what was resolved on a day of the window has positions. A day without a resolution has none
    to look for; the window's are what was looked at."""
    evidence.about = day
    if rebuilt is None:
        evidence.lack("rebuilds", "phase6")
        return
    filled, missing = _conditions(warehouse, rebuilt)
    days = {each.isoformat() for each in incident.days}
    expected = {row["day"]: row["expected"] for row in filled.rows if row["day"] in days}
    lost = {row["day"]: row for row in missing.rows}.get(day)
    examined = expected.get(day) or sum(expected.values())
    evidence.show(
        filled, missing, examined=examined, resolved=expected.get(day, 0), missing=_samples([lost] if lost else [])
    )
    evidence.expect("conditions without a position", lost["missing"] if lost else 0, "==", 0)


def test_criterion_the_boards_show_the_corrected_ranking(
    board: str, warehouse: Warehouse, rebuilt: Line | None, refreshed: Line | None, evidence: Evidence
) -> None:
    """Success criterion: every row of a board was written since the rebuild, and its figures are those of the positions now."""
    evidence.about = board
    if rebuilt is None or refreshed is None:
        evidence.lack("rebuilds", "phase6")
        return
    agreeing, written, top = (ask(warehouse, board) for ask in (boards.agreement, boards.written, boards.top))
    before = {row["subject"]: row["place"] for row in refreshed["plan"]["facts"]["before"].get(board, [])}
    moved = sum(before.get(row["subject"]) != row["place"] for row in top.rows)
    evidence.show(agreeing, written, top, examined=agreeing.first["rows"], of_the_first=len(top.rows), moved=moved)
    evidence.expect("rows that differ from the positions", agreeing.first["differing"], "==", 0)
    late = written.first["oldest"] - int(positions.rebuilt_at(rebuilt).timestamp())
    evidence.expect("seconds from the rebuild to the oldest row", late, ">=", 0)


def test_criterion_monitoring_is_healthy(
    incident: Incident, warehouse: Warehouse, rebuilt: Line | None, now: datetime, evidence: Evidence
) -> None:
    """Success criterion, not required for phase 8: the nightly checks are good, long enough after the rebuild."""
    monitoring = incident.monitoring
    if monitoring is None:
        evidence.pending = (
            "the incident file has no section [monitoring]: nothing is written down that could be looked at."
        )
        return
    if rebuilt is None:
        evidence.pending = "nothing was rebuilt yet; run pytest -m phase6 --execute."
        return
    if not warehouse.columns(monitoring.table):
        evidence.pending = f"there is no table {monitoring.table}; run pytest -m nightly."
        return
    names = {"monitoring": quote(incident.table.database, monitoring.table)}
    answer = warehouse.ask_again("monitoring", names=names, since=positions.rebuilt_at(rebuilt), now=now)
    found = answer.first
    hours = found["hours"] if found["results"] else 0
    evidence.show(answer, examined=found["results"], hours=hours, not_ok=found["sample"])
    evidence.expect("hours of results since the rebuild", hours, ">=", monitoring.hours)
    evidence.expect("results that are CRITICAL", found["not_ok"], "==", 0)
    if not all(expectation.holds for expectation in evidence.expectations):
        evidence.pending = (
            f"{hours:,} of {monitoring.hours:,} hours since the rebuild have results, {found['not_ok']:,} of "
            f"{found['results']:,} are CRITICAL{': ' + ', '.join(found['sample']) if found['sample'] else ''}."
        )


def _conditions(warehouse: Warehouse, rebuilt: Line) -> tuple[Answer, Answer]:
    """The resolved conditions with fills, and those of them without a position, by day."""
    asked = conservation.parameters(warehouse, rebuilt["plan"]["facts"])
    return warehouse.ask("conditions_resolved", **asked), warehouse.ask("conditions_missing", **asked)


def _samples(rows: list[dict[str, Any]]) -> list[str]:
    """Some of the missing conditions, with their days."""
    return [f"{row['day']}: {condition}" for row in rows for condition in row["sample"]][:20]
