"""Snapshot: take, verify and restore a copy of partitions. A snapshot is a table of hard links beside the broken one."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from recovery import fingerprint, statements
from recovery.errors import ActionFailed
from recovery.ledger import Line
from recovery.warehouse import Warehouse

if TYPE_CHECKING:
    from recovery.action import Workplace


def name_of(place: Workplace, reason: str, attempt: str) -> str:
    """The table that the snapshot is kept in."""
    return f"{place.incident.table.name}_before_{reason}_{place.now():%Y%m%d%H%M%S}_{attempt}"


def take(place: Workplace, name: str, partitions: Sequence[str]) -> Line:
    """Copy `partitions` into table `name` and prove that the copy equals its source; a half-made one is made anew."""
    warehouse = place.warehouse
    place.tell(f"snapshot: {', '.join(partitions)} into {name}")
    _drop(warehouse, name)
    names = {"snapshot": _table(warehouse, name)}
    warehouse.write("snapshot_create", label=_label("create"), names=names)
    held = {row["partition_id"] for row in warehouse.ask_again("rows_of").rows}
    for partition in partitions:
        if partition in held:
            warehouse.write(
                "snapshot_attach", label=_label("attach"), names={**names, "partition": partition_id(partition)}
            )
    warehouse.forget()
    source, copy = (
        settled(place, fingerprint.ask(warehouse).rows),
        settled(place, fingerprint.ask(warehouse, name).rows),
    )
    if source != copy or not copy:
        raise ActionFailed(f"the snapshot {name} does not equal its source; nothing was changed. Run it again")
    return place.ledger.append(
        "snapshot", run=place.run, name=name, partitions=sorted(held & set(partitions)), window=fingerprint.of_window(warehouse),
        outside={row["day"]: [row["rows"], row["hash"]] for row in source if not row["in_window"]},
        rows=sum(row["rows"] for row in fingerprint.ask(warehouse, name).rows), now=place.now().isoformat(),
    )  # fmt: skip


def restore(place: Workplace, taken: Line) -> Line:
    """Bring the partitions of a snapshot back, carry over what others wrote outside the window since, and prove it."""
    warehouse, name = place.warehouse, taken["name"]
    partitions = list(taken["partitions"])
    names = {"snapshot": _table(warehouse, name)}
    held = {row["partition_id"] for row in warehouse.ask_again("rows_of", names={"table": names["snapshot"]}).rows}
    if not set(partitions) <= held:
        raise ActionFailed(f"the snapshot {name} does not hold {', '.join(partitions)}; nothing was changed")
    warehouse.forget()
    before = fingerprint.of_window(warehouse)
    current = name_of(place, "restore", uuid.uuid4().hex[:8])
    take(place, current, partitions)
    for partition in partitions:
        warehouse.write(
            "restore_partition", label=_label("restore"), names={**names, "partition": partition_id(partition)}
        )
    carried = _carry_over(warehouse, names["snapshot"], _table(warehouse, current), partitions)
    warehouse.forget()
    after = fingerprint.of_window(warehouse)
    if after != taken["window"]:
        raise ActionFailed(
            f"the window does not equal the snapshot {name} after the restore; the state before is in {current}"
        )
    undoes = {
        line["action"]
        for line in place.ledger.lines()
        if line["kind"] == "started" and (line["snapshot"] == name or line["seq"] > taken["seq"])
    }
    return place.ledger.append(
        "restored", run=place.run, snapshot=name, before=before, after=after, carried=carried,
        kept=current, undoes=sorted(undoes), now=place.now().isoformat(),
    )  # fmt: skip


def later_rows(warehouse: Warehouse, taken: Line) -> int:
    """Rows that others wrote outside the window since the snapshot, which a restore carries over."""
    table = warehouse.incident.table
    names = {"snapshot": _table(warehouse, taken["name"]), "current": statements.quote(table.database, table.name)}
    return int(
        warehouse.ask_again("carry_over_rows", names=names, **_range(warehouse, taken["partitions"])).first["rows"]
    )


def _carry_over(warehouse: Warehouse, snapshot: str, current: str, partitions: Sequence[str]) -> int:
    names = {"snapshot": snapshot, "current": current}
    values = _range(warehouse, partitions)
    rows = int(warehouse.ask_again("carry_over_rows", names=names, **values).first["rows"])
    if rows:
        warehouse.write("carry_over", label=_label("carry-over"), names=names, **values)
    return rows


def _range(warehouse: Warehouse, partitions: Sequence[str]) -> dict[str, Any]:
    window = warehouse.incident.window
    return {"partitions": list(partitions), "time_from": window.start, "time_to": window.end}


def settled(place: Workplace, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Fingerprint rows of the window and of days that the live writer no longer touches."""
    youngest: date = (place.now() - timedelta(minutes=place.incident.gates.settle_minutes)).date()
    return [row for row in rows if row["in_window"] or row["day"] < youngest.isoformat()]


def partition_id(text: str) -> str:
    """A partition id, refused where it could be more than that."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise ActionFailed(f"{text!r} is not a partition id")
    return text


def _table(warehouse: Warehouse, name: str) -> str:
    return statements.quote(warehouse.incident.table.database, name)


def _drop(warehouse: Warehouse, name: str) -> None:
    warehouse.write("drop_table", label=_label("drop"), names={"own_table": _table(warehouse, name)})


def _label(what: str) -> str:
    return f"recovery-snapshot-{what}-{uuid.uuid4()}"
