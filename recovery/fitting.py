"""Fitting: whether the server has the tables and columns that phases 6 to 8 of an incident are about; asked first of all."""

from __future__ import annotations

from collections.abc import Iterator

from recovery.warehouse import Warehouse


def faults(warehouse: Warehouse) -> list[str]:
    """What the incident file names and the server lacks, a sentence each."""
    found = []
    for key, table, wanted in _named(warehouse):
        known = [column.name for column in warehouse.columns(table)]
        where = f"{warehouse.incident.path}: {key}"
        if not known:
            found.append(
                f"{where} = {table!r}: {warehouse.dsn.shown} has no such table in {warehouse.incident.table.database}."
            )
            continue
        lacking = [name for name in wanted if name not in known]
        found += [f"{where}: {table} has no column {name!r}; it has {', '.join(known)}." for name in lacking]
    return found


def _named(warehouse: Warehouse) -> Iterator[tuple[str, str, list[str]]]:
    """Key, table and columns."""
    incident = warehouse.incident
    for local, over in incident.cluster.reads.items() if incident.cluster else ():
        yield f"cluster.reads.{local}", over, []
    if incident.positions:
        yield "positions.table", incident.positions.table, [incident.positions.time]
        yield "positions.resolutions", incident.positions.resolutions, []
    if incident.boards and incident.services.crons:
        yield "services.crons.table", incident.services.crons.table, []
    for name, board in incident.boards.items():
        yield f"boards.{name}", name, [board.subject, board.updated, board.rank.split(" ")[0], *board.figures]
