"""Snapshot: take, verify and restore a copy of partitions. A snapshot is a table of hard links beside the broken one."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from recovery import fingerprint, interrupts, lock, mirror, statements
from recovery.errors import ActionFailed
from recovery.ledger import Line
from recovery.statements import Write
from recovery.warehouse import Warehouse
from recovery.workplace import Workplace, who


def name_of(place: Workplace, reason: str, attempt: str) -> str:
    """The table that the snapshot is kept in."""
    return f"{place.incident.table.name}_before_{reason}_{place.now():%Y%m%d%H%M%S}_{attempt}"


def take(place: Workplace, name: str, partitions: Sequence[str]) -> Line:
    """Copy `partitions` into table `name` and prove that the copy equals its source; a half-made one is made anew."""
    warehouse = place.warehouse
    place.tell(f"snapshot: {', '.join(partitions)} into {name}")
    _drop(warehouse, name)
    held = {row["partition_id"] for row in warehouse.ask_again("rows_of").rows}
    for write in writes(warehouse, name, [partition for partition in partitions if partition in held]):
        warehouse.write(write.name, label=_label(write.part), names=write.names)
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


def writes(warehouse: Warehouse, name: str, partitions: Sequence[str]) -> list[Write]:
    """The statements that copy partitions into table `name`."""
    names = {"snapshot": _table(warehouse, name)}
    attached = [Write("snapshot_attach", {**names, "partition": partition_id(p)}, part="attach") for p in partitions]
    return [Write("snapshot_create", names, part="create"), *attached]


def restore(place: Workplace, taken: Line) -> Line:
    """Bring the rows of the window back as a snapshot has them, and prove it.

    Rows outside the window are never touched, so whatever others write there meanwhile stays. Until the rows are back,
    readers miss those of the window. Interrupted, it is begun again: the state before it is kept in a snapshot too.
    """
    with (
        interrupts.terminate_as_interrupt(),
        lock.held(place.warehouse, "restore", who()),
        mirror.following(place.warehouse, place.ledger, "restore"),
    ):
        return _restore(place, taken)


def _restore(place: Workplace, taken: Line) -> Line:
    warehouse, name = place.warehouse, taken["name"]
    if not is_there(warehouse, taken):
        raise ActionFailed(f"the snapshot {name} is not on the server any more; nothing was changed")
    warehouse.forget()
    before = fingerprint.of_window(warehouse)
    outside = [row for row in settled(place, fingerprint.ask(warehouse).rows) if not row["in_window"]]
    kept = name_of(place, "restore", uuid.uuid4().hex[:8])
    take(place, kept, list(warehouse.incident.table.partitions))
    place.ledger.append(
        "restoring", run=place.run, snapshot=name, kept=kept, before=before, now=place.now().isoformat()
    )
    values, names = _range(warehouse), {"snapshot": _table(warehouse, name)}
    warehouse.write("restore_remove", label=_label("restore-remove"), **values)
    warehouse.write("restore_insert", label=_label("restore-insert"), names=names, **values)
    warehouse.forget()
    after = fingerprint.of_window(warehouse)
    now_outside = [row for row in settled(place, fingerprint.ask(warehouse).rows) if not row["in_window"]]
    if after != taken["window"] or now_outside != outside:
        where = "inside" if after != taken["window"] else "outside"
        raise ActionFailed(
            f"after the restore of {name} the rows {where} the window are not as they should be; the state before it is in {kept}"
        )
    undoes = {
        line["action"]
        for line in place.ledger.lines()
        if line["kind"] == "started" and (line["snapshot"] == name or line["seq"] > taken["seq"])
    }
    return place.ledger.append(
        "restored", run=place.run, snapshot=name, before=before, after=after, kept=kept,
        undoes=sorted(undoes), now=place.now().isoformat(),
    )  # fmt: skip


def is_there(warehouse: Warehouse, taken: Line) -> bool:
    """Whether the server still has the snapshot."""
    return bool(warehouse.ask_again("table", database=warehouse.incident.table.database, table=taken["name"]).rows)


def window_rows(warehouse: Warehouse, table: str | None = None) -> int:
    """Rows of the window, in the table or in a snapshot."""
    names = {"table": _table(warehouse, table)} if table else {}
    return int(warehouse.ask_again("window_rows", names=names, **_range(warehouse)).first["rows"])


def _range(warehouse: Warehouse) -> dict[str, Any]:
    window = warehouse.incident.window
    partitions = list(warehouse.incident.table.partitions)
    return {"partitions": partitions, "time_from": window.start, "time_to": window.end}


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
