"""Boards: what the application made of the positions, beside what the positions say themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from recovery.incident import Incident
from recovery.sections import Crons
from recovery.statements import quote
from recovery.warehouse import Answer, Warehouse

TOP = 20  # ranks that are shown before and after


def top(warehouse: Warehouse, name: str, limit: int = TOP) -> Answer:
    """The first of a board as it is now: place, subject and its figures."""
    return warehouse.ask_again("board_top", names=_names(warehouse, name), limit=limit)


def written(warehouse: Warehouse, name: str) -> Answer:
    """How many rows the board has, and when the oldest and the newest of them were written, in epoch seconds."""
    return warehouse.ask_again("board_written", names=_names(warehouse, name))


def agreement(warehouse: Warehouse, name: str) -> Answer:
    """Rows of the board, how many differ from the positions in a figure, and some of these."""
    return warehouse.ask(
        "board_agreement", names=_names(warehouse, name), tolerance=warehouse.incident.boards[name].tolerance
    )


def service(incident: Incident) -> Crons:
    """The application whose jobs write the boards."""
    assert incident.services.crons is not None  # boards need it, says the incident
    return incident.services.crons


def crons(warehouse: Warehouse) -> list[str]:
    """The jobs that write the boards, each once."""
    return list(dict.fromkeys(board.cron for board in warehouse.incident.boards.values()))


def runs(warehouse: Warehouse, since: datetime) -> dict[str, dict[str, Any]]:
    """cron → how often it succeeded and failed since a moment, and what it said last."""
    return {row["cron"]: row for row in runs_answer(warehouse, since).rows}


def runs_answer(warehouse: Warehouse, since: datetime) -> Answer:
    """One row for each of the jobs that wrote down a run since a moment."""
    names = {"runs": quote(warehouse.incident.table.database, service(warehouse.incident).table)}
    return warehouse.ask_again("cron_runs", names=names, crons=crons(warehouse), since=since)


def _names(warehouse: Warehouse, name: str) -> dict[str, str]:
    """What the words of the boards' statements stand for."""
    board = warehouse.incident.boards[name]
    column, _, direction = board.rank.partition(" ")
    columns = [quote(figure) for figure in board.figures]
    return {
        "board": quote(warehouse.incident.table.database, name),
        "board_subject": quote(board.subject),
        "board_updated": quote(board.updated),
        "board_rank": f"{quote(column)} {direction}".strip(),
        "board_columns": ", ".join(columns),
        "board_figures": ", ".join(f"{text} AS {quote(figure)}" for figure, text in board.figures.items()),
        "board_differs": " OR ".join(
            f"NOT ifNull(abs(b.{column} - p.{column}) <= {{tolerance:Float64}} * greatest(1, abs(p.{column})), 0)"
            for column in columns
        ),
        "board_shown": ", ' / ', ".join(f"toString(b.{column}), ' for ', toString(p.{column})" for column in columns),
    }
