"""Positions: the table of lots and shorts, its months, and how a snapshot of it is brought back.

It is seen as the broken table is: with its months for a window, so that it has a snapshot and a fingerprint in the same way.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from recovery import fingerprint, parts, snapshot, statements
from recovery.alone import alone
from recovery.errors import ActionFailed, GateClosed, IncidentError
from recovery.incident import Incident
from recovery.ledger import Line
from recovery.sections import Positions
from recovery.warehouse import Answer, Warehouse
from recovery.workplace import Workplace, who

Months = dict[str, list[Any]]  # month → rows and hash


def section(incident: Incident) -> Positions:
    """The incident's section; raises IncidentError where it has none."""
    if incident.positions is None:
        raise IncidentError([f"{incident.path}: positions is missing; phases 6 to 8 need it."])
    return incident.positions


def span(incident: Incident) -> dict[str, Any]:
    """The months as an interval, half-open, in UTC, as parameters."""
    first, last = (datetime.strptime(m, "%Y-%m") for m in (section(incident).start, section(incident).end))
    return {"resolved_from": first.replace(tzinfo=UTC), "resolved_to": last.replace(tzinfo=UTC)}


def at(place: Workplace) -> Workplace:
    """The workplace with the positions in the broken table's place."""
    warehouse = seen(place.warehouse)
    return replace(place, incident=warehouse.incident, warehouse=warehouse)


def seen(warehouse: Warehouse) -> Warehouse:
    """The warehouse with the positions in the broken table's place. Raises IncidentError where the server has no such table."""
    incident, known = warehouse.incident, section(warehouse.incident)
    columns = warehouse.columns(known.table)
    if not columns:
        raise IncidentError(
            [f"{incident.path}: positions.table = {known.table!r}: {warehouse.dsn.shown} has no such table."]
        )
    stored = ", ".join(statements.quote(column.name) for column in columns)
    limits = span(incident)
    table = incident.table.model_copy(
        update={"name": known.table, "time": known.time, "partitions": section(incident).months}
    )
    window = incident.window.model_copy(update={"start": limits["resolved_from"], "end": limits["resolved_to"]})
    words = {
        "table": warehouse.words["positions"],
        "time": statements.quote(known.time),
        "content": stored,
        "stored": stored,
        "final": "FINAL",
    }
    return warehouse.seen_as(incident.model_copy(update={"table": table, "window": window}), words)


def print_of(warehouse: Warehouse) -> str:
    """The fingerprint of the months; empty where the incident has no positions."""
    return fingerprint.of_window(seen(warehouse)) if warehouse.incident.positions else ""


def by_month(warehouse: Warehouse, table: str | None = None, month: str = "", *, final: str = "FINAL") -> Answer:
    """Rows and hash of each partition, or of one, of the positions or of a table like it. Of a table that has each key once
    nothing is left to merge: `final` is empty."""
    name = table or section(warehouse.incident).table
    names = {"own_table": snapshot.table_of(warehouse, name), "final": final}
    return seen(warehouse).ask_again("positions_months", names=names, month=month)


def held_in(answer: Answer) -> Months:
    """What an answer of `by_month` says."""
    return {row["partition_id"]: [row["rows"], row["hash"]] for row in answer.rows}


def months_of(warehouse: Warehouse, table: str | None = None) -> Months:
    """What each month of the positions, or of a table like it, holds."""
    return held_in(by_month(warehouse, table))


def month_of(warehouse: Warehouse, month: str, table: str | None = None, *, final: str = "FINAL") -> list[Any] | None:
    """What one month of the positions, or of a table like it, holds; None where there is nothing of it."""
    return held_in(by_month(warehouse, table, month, final=final)).get(month)


def are_same(warehouse: Warehouse, month: str, table: str, *, final: str = "FINAL") -> bool:
    """Whether one month of a table like the positions, which is asked with `final`, holds what the positions' own does."""
    if parts.are_same(warehouse, table, section(warehouse.incident).table, [month]):
        return True
    if rows_in(warehouse, month, table, final=final) != rows_in(warehouse, month):
        return False
    return month_of(warehouse, month, table, final=final) == month_of(warehouse, month)


def rows_in(warehouse: Warehouse, month: str, table: str | None = None, *, final: str = "FINAL") -> int:
    """How many rows one month of the positions, or of a table like it, has."""
    names = {"own_table": snapshot.table_of(warehouse, table or section(warehouse.incident).table), "final": final}
    return int(warehouse.ask_again("positions_count", names=names, month=month).first["rows"])


def elsewhere(warehouse: Warehouse) -> Months:
    """Rows and hash of the months that are not rebuilt."""
    known = section(warehouse.incident).months
    return {month: held for month, held in months_of(warehouse).items() if month not in known}


def rebuilt_at(rebuilt: Line) -> datetime:
    """When a rebuild ended, to the second, as tables keep it."""
    return datetime.fromisoformat(rebuilt["now"]).replace(microsecond=0)


def is_of_positions(line: Line) -> bool:
    """Whether a line of the ledger is about the positions."""
    return "positions_before" in line


def within(place: Workplace, months: list[str]) -> Workplace:
    """The workplace with some of the months, which follow each other."""
    after = int(months[-1][:4]) * 12 + int(months[-1][4:])
    bounds = {"start": f"{months[0][:4]}-{months[0][4:]}", "end": f"{after // 12:04}-{after % 12 + 1:02}"}
    incident = place.incident.model_copy(update={"positions": section(place.incident).model_copy(update=bounds)})
    return replace(place, incident=incident, warehouse=place.warehouse.seen_as(incident, {}))


def note_replacement(place: Workplace, month: str, made: list[Any] | None) -> None:
    """Before a month is replaced by what was made, the ledger gets what it will hold: by that it is known as the suite's own."""
    rows, content = made or (0, "")
    place.ledger.append("replacing", run=place.run, month=month, rows=rows, hash=content)


def _written_by_others(place: Workplace, taken: Line, then: Months) -> list[str]:
    """The months of a snapshot that hold neither what it holds, `then`, nor what the suite put there last, nor nothing."""
    now = months_of(place.warehouse)
    ours = {line["month"]: [line["rows"], line["hash"]] for line in place.ledger.lines() if line["kind"] == "replacing"}
    return [month for month in taken["scope"] if month in now and now[month] not in (then.get(month), ours.get(month))]


def restore(place: Workplace, taken: Line, *, take_back: bool = False) -> Line:
    """Put the months back as `taken` has them, each at once, and prove it. Interrupted, it is begun again.

    Raises GateClosed when another runner acts, or when others have written to the months since the suite did and `take_back`
    is not given; ActionFailed when the end is not as the snapshot.
    """
    with alone(place, "restore"):
        return _restore(place, taken, take_back)


def _restore(place: Workplace, taken: Line, take_back: bool) -> Line:
    warehouse, name, months = place.warehouse, taken["name"], list(taken["scope"])
    if not snapshot.is_there(warehouse, name):
        raise ActionFailed(f"the snapshot {name} is not on the server any more; nothing was changed")
    warehouse.forget()
    before, fills, then = print_of(warehouse), fingerprint.of_window(warehouse), months_of(warehouse, name)
    if (others := _written_by_others(place, taken, then)) and not take_back:
        table = section(place.incident).table
        raise GateClosed(
            "restore",
            [
                f"others have written to {table} since, in {', '.join(others)}; pass --take-back-later-writes to lose that"
            ],
        )
    home = at(within(place, months))
    kept = snapshot.name_of(home, "restore", uuid.uuid4().hex[:8])
    snapshot.take(home, kept, months, beside_writers=True)
    facts = {"run": place.run, "snapshot": name, "kept": kept, "before": fills, "positions_before": before,
             "now": place.now().isoformat()}  # fmt: skip
    place.ledger.append("restoring", **facts, worklist="")
    there = months_of(warehouse)
    for month in months:
        names = {"partition": snapshot.partition_id(month), "whole": snapshot.table_of(warehouse, name)}
        label = f"recovery-restore-{month}-{uuid.uuid4()}"
        note_replacement(place, month, then.get(month))
        if month in then:
            warehouse.write("positions_replace", label=label, names=names)
        elif month in there:
            warehouse.write("positions_drop", label=label, names=names)
    warehouse.forget()
    now = months_of(warehouse)
    if any(now.get(month) != then.get(month) for month in months):
        raise ActionFailed(f"after the restore the months are not as in {name}; the state before it is in {kept}")
    written, after = sum(there[month][0] for month in months if month in there), print_of(warehouse)
    undoes = {
        line["action"]
        for line in place.ledger.lines()
        if line["kind"] == "started"
        and is_of_positions(line)
        and (line["snapshot"] == snapshot.base_of(taken) or line["seq"] > taken["seq"])
    }
    return place.ledger.append(
        "restored", **facts, after=fills, positions_after=after, inserted=taken["rows"], removed=written, left=0,
        undoes=sorted(undoes), who=who(),
    )  # fmt: skip
