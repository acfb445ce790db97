"""Phase 6: are the positions rebuilt from the repaired fills, and nothing lost or counted twice on the way?"""

from __future__ import annotations

import pytest

from recovery import conservation, positions
from recovery.action import Plan
from recovery.conservation import Conservation
from recovery.evidence import Evidence
from recovery.incident import Incident
from recovery.ledger import Line
from recovery.warehouse import Answer, Warehouse

PHASE = "phase6"
pytestmark = pytest.mark.phase6


def test_a_month_has_the_positions_of_its_fills(
    month: str,
    after_action: Plan,
    conserved: Conservation | None,
    warehouse: Warehouse,
    rebuilt: Line | None,
    evidence: Evidence,
) -> None:
    """Lots and shorts against a count of the fills that follows each sell, which the rebuild does not."""
    evidence.about = f"month {month}"
    if conserved is None or rebuilt is None:
        evidence.lack("rebuilds", "phase6")
        return
    due, there = (
        {what: conserved.count(f"{what}{suffix}", month) for what in ("lots", "shorts")} for suffix in ("_due", "")
    )
    examined = conserved.count("positions", month) or conserved.count("positions")  # a month that is due none has none
    evidence.show(*conserved.answers, examined=examined, due=due, there=there)
    for what in due:
        evidence.expect(what, there[what], "==", due[what])
    _expect_none(evidence, conserved, warehouse, rebuilt, month, conservation.ROWS)


def test_tokens_and_dollars_are_conserved(
    after_action: Plan, conserved: Conservation | None, warehouse: Warehouse, rebuilt: Line | None, evidence: Evidence
) -> None:
    """Of each position the tokens and dollars are those of its fills, and the profit is its cash flow and its settlement."""
    if conserved is None or rebuilt is None:
        evidence.lack("rebuilds", "phase6")
        return
    evidence.show(*conserved.answers, examined=conserved.count("positions"), months=conserved.months())
    _expect_none(
        evidence, conserved, warehouse, rebuilt, None, conservation.TOKENS, conservation.DOLLARS, conservation.PROFIT
    )


def test_no_lot_is_sold_beyond_what_was_bought(
    after_action: Plan, warehouse: Warehouse, rebuilt: Line | None, evidence: Evidence
) -> None:
    if rebuilt is None:
        evidence.lack("rebuilds", "phase6")
        return
    answer = _rows(warehouse, rebuilt)
    evidence.show(answer, examined=answer.first["rows"])
    evidence.expect("lots with more sold than bought", answer.first["sold_beyond"], "==", 0)


def test_every_row_agrees_with_itself_and_its_payout(
    after_action: Plan, warehouse: Warehouse, rebuilt: Line | None, evidence: Evidence
) -> None:
    if rebuilt is None:
        evidence.lack("rebuilds", "phase6")
        return
    answer = _rows(warehouse, rebuilt)
    found = dict(answer.first)
    evidence.show(answer, examined=found["rows"], **found)
    for what, words in {
        "wrong_profit": "rows whose profit is not exit value less cost",
        "wrong_roi": "rows whose return is not profit over cost",
        "wrong_share": "rows whose sold and held tokens are not all of them",
        "wrong_payout": "rows whose held tokens are not worth the payout",
        "unresolved": "rows of conditions that are not resolved",
        "without_payout": "rows of outcomes that the resolution does not know",
        "wrong_time": "rows with another time than their resolution",
    }.items():
        evidence.expect(words, found[what], "==", 0)


def test_no_row_outside_the_months_changed(
    after_action: Plan, warehouse: Warehouse, rebuilt: Line | None, evidence: Evidence
) -> None:
    """Month by month as before the rebuild; examined are the table's months, those that were rebuilt among them."""
    answer = positions.by_month(warehouse)
    evidence.show(answer, examined=sum(row["rows"] for row in answer.rows))
    if rebuilt is None:
        evidence.lack("rebuilds", "phase6")
        return
    facts = rebuilt["plan"]["facts"]
    now = {month: held for month, held in positions.held_in(answer).items() if month not in facts["months"]}
    then = facts["elsewhere"]
    changed = sorted(month for month in now.keys() | then.keys() if now.get(month) != then.get(month))
    evidence.show(examined=0, rows_outside=sum(rows for rows, _ in now.values()))
    evidence.expect("months outside that changed", len(changed), "==", 0)
    if changed:
        evidence.note(f"Changed: {', '.join(changed)}.")


def test_a_month_is_of_the_expected_size(
    sized_month: str,
    after_action: Plan,
    warehouse: Warehouse,
    rebuilt: Line | None,
    incident: Incident,
    evidence: Evidence,
) -> None:
    """Conditions, lots and shorts within what the incident file expects of the month."""
    known = positions.section(incident)
    evidence.about = f"month {sized_month}"
    if rebuilt is None:
        evidence.lack("rebuilds", "phase6")
        return
    cutoff = conservation.parameters(warehouse, rebuilt["plan"]["facts"])["cutoff"]
    names = {"own_table": warehouse.words["positions"]}
    answer = warehouse.ask("positions_sizes", names=names, cutoff=cutoff)
    none = {"conditions": 0, "longs": 0, "shorts": 0}
    found = next((row for row in answer.rows if row["partition_id"] == sized_month), none)
    evidence.show(answer, examined=sum(row["longs"] + row["shorts"] for row in answer.rows), **found)
    expected = next(sizes for month, sizes in known.sizes.items() if month.replace("-", "") == sized_month)
    for what in none:
        least, most = getattr(expected, what)
        evidence.expect(what, found[what], ">=", least)
        evidence.expect(what, found[what], "<=", most)


def _rows(warehouse: Warehouse, rebuilt: Line) -> Answer:
    return warehouse.ask("positions_rows", **conservation.parameters(warehouse, rebuilt["plan"]["facts"]))


def _expect_none(
    evidence: Evidence, conserved: Conservation, warehouse: Warehouse, rebuilt: Line, month: str | None, *kinds: str
) -> None:
    """None of a kind; of those that there are, some are listed."""
    for kind in kinds:
        evidence.expect(conservation.WORDS[kind], conserved.count(kind, month), "==", 0)
    if any(conserved.count(kind, month) for kind in kinds):
        listed = conservation.sample(warehouse, rebuilt["plan"]["facts"])
        evidence.note(f"Some positions that do not agree: {'; '.join(listed)}.")
