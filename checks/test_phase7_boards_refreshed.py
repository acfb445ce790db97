"""Phase 7: were the boards computed anew since the rebuild, and do they say what the positions say?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from recovery import boards, positions
from recovery.action import Plan
from recovery.evidence import Evidence
from recovery.incident import Incident
from recovery.ledger import Line
from recovery.statements import quote
from recovery.warehouse import Warehouse

PHASE = "phase7"
pytestmark = pytest.mark.phase7


def test_a_cron_succeeded_since_the_rebuild(
    cron: str, after_action: Plan, warehouse: Warehouse, rebuilt: Line | None, evidence: Evidence
) -> None:
    evidence.about = cron
    if rebuilt is None:
        evidence.lack("rebuilds", "phase6")
        return
    answer = boards.runs_answer(warehouse, positions.rebuilt_at(rebuilt))
    found = next((row for row in answer.rows if row["cron"] == cron), {"succeeded": 0, "failed": 0})
    evidence.show(
        answer,
        examined=found["succeeded"] + found["failed"],
        rebuilt=positions.rebuilt_at(rebuilt).isoformat(),
        **found,
    )
    evidence.expect("successful runs since the rebuild", found["succeeded"], ">=", 1)
    if found["failed"]:
        evidence.note(f"Of {found['failed']:,} failures the last said: {found['error'] or 'no reason'}.")


def test_a_board_was_written_since_the_rebuild(
    board: str, after_action: Plan, warehouse: Warehouse, rebuilt: Line | None, evidence: Evidence
) -> None:
    """All of its rows: one that is older was made from the positions before."""
    evidence.about = board
    if rebuilt is None:
        evidence.lack("rebuilds", "phase6")
        return
    answer = boards.written(warehouse, board)
    oldest, newest = (datetime.fromtimestamp(answer.first[what], UTC).isoformat() for what in ("oldest", "newest"))
    evidence.show(
        answer,
        examined=answer.first["rows"],
        oldest=oldest,
        newest=newest,
        rebuilt=positions.rebuilt_at(rebuilt).isoformat(),
    )
    evidence.expect(
        "seconds from the rebuild to the oldest row",
        answer.first["oldest"] - int(positions.rebuilt_at(rebuilt).timestamp()),
        ">=",
        0,
    )


def test_a_board_agrees_with_the_positions(
    board: str, after_action: Plan, warehouse: Warehouse, evidence: Evidence
) -> None:
    """Each figure of the board, aggregated anew from the positions of its subjects."""
    evidence.about = board
    answer = boards.agreement(warehouse, board)
    evidence.show(answer, examined=answer.first["rows"], **answer.first)
    evidence.expect("rows that differ from the positions", answer.first["differing"], "==", 0)
    if answer.first["differing"]:
        evidence.note(f"Some of them, board for positions: {'; '.join(answer.first['sample'])}.")


def test_ranks_before_and_after_are_shown(
    board: str,
    after_action: Plan,
    warehouse: Warehouse,
    incident: Incident,
    baseline: Line | None,
    refreshed: Line | None,
    evidence: Evidence,
) -> None:
    """The first of the board, now and before the refresh, and which of them had broken rows."""
    evidence.about = board
    answer = boards.top(warehouse, board)
    evidence.show(answer, examined=len(answer.rows))
    before = refreshed["plan"]["facts"]["before"].get(board, []) if refreshed else []
    then = {row["subject"]: row for row in before}
    affected: set[str] = set()
    if baseline:
        names = {"table": quote(incident.table.database, baseline["snapshot"])}
        subjects = sorted({str(row["subject"]) for row in [*answer.rows, *before]})
        asked = warehouse.ask_again("board_affected", names=names, subjects=subjects)
        affected = {row["subject"] for row in asked.rows}
        evidence.show(asked, examined=0)
    shown = [_shown(row, then.get(row["subject"]), row["subject"] in affected) for row in answer.rows]
    shown += [
        _shown(None, row, row["subject"] in affected)
        for row in before
        if row["subject"] not in {r["subject"] for r in answer.rows}
    ]
    moved = [row for row in shown if row["before"] != row["now"]]
    evidence.show(examined=0, ranks=shown, moved=len(moved), moved_and_affected=sum(row["affected"] for row in moved))
    evidence.expect("refreshes in the ledger with the ranks of before", int(refreshed is not None), "==", 1)
    evidence.expect("ranks now", len(answer.rows), ">=", 1)


def _shown(now: dict[str, Any] | None, before: dict[str, Any] | None, affected: bool) -> dict[str, Any]:
    known: dict[str, Any] = now or before or {}
    figures = {
        f"{what} {when}": row[what] if row else None
        for what in known
        if what not in ("place", "subject")
        for when, row in (("before", before), ("now", now))
    }
    return {
        "subject": known["subject"],
        "before": before["place"] if before else None,
        "now": now["place"] if now else None,
        "affected": affected,
        **figures,
    }
