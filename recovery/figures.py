"""Figures: what the data was when a phase was asked, in numbers that the ledger keeps, to set before beside after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recovery import boards, positions, swap
from recovery.action import baseline
from recovery.census import (
    BROKEN,
    CORRECTED,
    FOREIGN_BROKEN,
    MISSING,
    ORPHAN,
    OUTSIDE_BROKEN,
    OUTVERSIONED,
    OWNED,
    WITH_RIGHT_ROW,
    Census,
    parameters,
)
from recovery.ledger import Line
from recovery.warehouse import Warehouse

OF_THE_TABLE = ("preflight", "phase2", "phase3", "phase4", "phase5", "phase8")  # these take the census anyway
OF_THE_POSITIONS = ("preflight", "phase6", "phase8")
OF_THE_BOARDS = ("preflight", "phase7", "phase8")
PLACES = 5  # of a board


def of(warehouse: Warehouse, phase: str, lines: Sequence[Line]) -> dict[str, Any]:
    """The figures that belong to a phase; empty where it has none.

    `table`: rows and identities of the window that this recovery answers for, by what they are. `days`: the same per day.
    `shadow`: the table that was looked at in its place, or "". `positions`: rows, lots, shorts and dollars of the affected
    months. `boards`: of each its rows, when they were written (UTC) and the first places.
    """
    found: dict[str, Any] = {}
    incident = warehouse.incident
    if phase in OF_THE_TABLE:
        found |= _of_the_table(swap.candidate(warehouse, lines, phase), warehouse, baseline(incident, list(lines)))
    if phase in OF_THE_POSITIONS and incident.positions:
        found["positions"] = warehouse.ask_again("positions_figures", **positions.span(incident)).first
    if phase in OF_THE_BOARDS and incident.boards:
        found["boards"] = {name: _of_a_board(warehouse, name) for name in incident.boards}
    return found


def _of_the_table(seen: Warehouse, live: Warehouse, since: Line | None) -> dict[str, Any]:
    counted = Census.take(seen, since=since)
    quarantined = 0
    if live.ask_again("quarantine_exists").first["result"]:
        asked = {key: value for key, value in parameters(live).items() if key.startswith("time")}
        quarantined = live.ask_again("quarantine_count", **asked).first["rows"]
    table = seen.words["table"]
    return {
        "table": {
            **_classes(counted),
            "rows in quarantine": quarantined,
            "broken rows of other sources": counted.count(FOREIGN_BROKEN, of="rows"),
            "broken rows outside the window": counted.count(OUTSIDE_BROKEN, of="rows"),
        },
        "days": {str(day): _classes(counted, str(day)) for day in seen.incident.days},
        "shadow": "" if table == live.words["table"] else table.replace("`", ""),
    }


def _classes(counted: Census, day: str | None = None) -> dict[str, int]:
    rows, identities = (counted.count(*OWNED, day=day, of=of) for of in ("rows", "identities"))
    missing = counted.count(MISSING, day=day)
    return {
        "rows": rows,
        "identities": identities - missing,
        "identities in the source": counted.count(*WITH_RIGHT_ROW, day=day),
        "broken rows": counted.count(*OWNED, day=day, of="broken_rows"),
        "good rows": counted.count(*OWNED, day=day, of="good_rows"),
        "duplicates": max(0, rows - (identities - missing)),
        "superseded rows": counted.count(CORRECTED, OUTVERSIONED, day=day, of="broken_rows"),
        "without a right row": missing
        + counted.count(*BROKEN, day=day)
        - counted.count(CORRECTED, OUTVERSIONED, day=day),
        "orphans": counted.count(ORPHAN, day=day),
    }


def _of_a_board(warehouse: Warehouse, name: str) -> dict[str, Any]:
    written = boards.written(warehouse, name).first
    return {
        "rows": written["rows"],
        "written": [written["oldest"], written["newest"]] if written["rows"] else [],
        "first": boards.top(warehouse, name, PLACES).rows,
    }
