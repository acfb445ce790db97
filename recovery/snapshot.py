"""Snapshot: take, verify and drop a copy of partitions. A snapshot is a table of hard links beside the broken one."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from recovery import fingerprint, parts, statements
from recovery.alone import alone
from recovery.errors import ActionFailed
from recovery.ledger import Line
from recovery.statements import Write
from recovery.warehouse import Warehouse
from recovery.workplace import Workplace, who

Rows = Sequence[Mapping[str, Any]]


def name_of(place: Workplace, reason: str, attempt: str) -> str:
    """The table that the snapshot is kept in."""
    return f"{place.incident.table.name}_before_{reason}_{place.now():%Y%m%d%H%M%S}_{attempt}"


def take(
    place: Workplace, name: str, partitions: Sequence[str], *, base: str = "", beside_writers: bool = False
) -> Line:
    """Copy `partitions` into table `name` and prove that the copy equals its source.

    A name is used once: what a try that was given up still sends cannot reach the copy of a later one, whose `base` is the name
    of the first.

    Days outside the window may become more meanwhile, where others go on writing to them; those of the window only when taken
    `beside_writers`. Raises ActionFailed where the copy is not as its source.
    """
    warehouse = place.warehouse
    place.tell(f"snapshot: {', '.join(partitions)} into {name}")
    warehouse.forget()
    held = {row["partition_id"] for row in warehouse.ask_again("rows_of").rows}
    there = [partition for partition in partitions if partition in held]
    files = parts.hashes(warehouse, place.incident.table.name, there)
    before = fingerprint.ask(warehouse).rows
    for write in writes(warehouse, name, there):
        warehouse.write(write.name, label=_label(write.part), names=write.names)
    warehouse.forget()
    copied = parts.hashes(warehouse, name, there)
    if copied == files == parts.hashes(warehouse, place.incident.table.name, there):
        copy = before  # of the same files
    else:
        copy, after = fingerprint.ask(warehouse, name).rows, fingerprint.ask(warehouse).rows
        if not _is_copy(settled(place, before), settled(place, copy), settled(place, after), beside_writers):
            raise ActionFailed(f"the snapshot {name} does not equal its source; nothing was changed. Run it again")
    return place.ledger.append(
        "snapshot", run=place.run, table=place.incident.table.name, name=name, base=base or name,
        partitions=sorted(held & set(partitions)), scope=list(partitions),
        window=fingerprint.digest(row for row in copy if row["in_window"]),
        outside={row["day"]: [row["rows"], row["hash"]] for row in settled(place, copy) if not row["in_window"]},
        rows=sum(row["rows"] for row in copy), files=copied, now=place.now().isoformat(),
    )  # fmt: skip


def _is_copy(before: Rows, copy: Rows, after: Rows, beside_writers: bool) -> bool:
    """Whether each day of the copy is as before or as after, or has a number of rows in between where others went on writing."""
    days = [{(row["day"], row["in_window"]): row for row in rows} for rows in (before, copy, after)]
    none = {"rows": 0, "hash": "0"}
    for day in set().union(*days):
        first, found, last = (known.get(day, none) for known in days)
        if first["hash"] != last["hash"] and day[1] and not beside_writers:
            return False
        if found["hash"] not in (first["hash"], last["hash"]) and not first["rows"] < found["rows"] < last["rows"]:
            return False
    return True


def writes(warehouse: Warehouse, name: str, partitions: Sequence[str]) -> list[Write]:
    """The statements that copy partitions into table `name`."""
    names = {"snapshot": table_of(warehouse, name)}
    attached = [Write("snapshot_attach", {**names, "partition": partition_id(p)}, part="attach") for p in partitions]
    return [Write("snapshot_create", names, part="create"), *attached]


def proven(lines: Sequence[Line], base: str) -> Line | None:
    """The ledger's line of the snapshot that was taken by this name, or by another in a later try."""
    return next((line for line in lines if line["kind"] == "snapshot" and base_of(line) == base), None)


def base_of(taken: Line) -> str:
    """The name that the action gave the snapshot; ledgers from before a name was used once only have that."""
    return str(taken.get("base", taken["name"]))


def fault(place: Workplace, taken: Line) -> str | None:
    """Why a snapshot is not what the ledger says any more, or None: without it nothing can be taken back."""
    if not is_there(place.warehouse, taken["name"]):
        return f"the snapshot {taken['name']} is gone"
    if taken.get("files") and taken["files"] == parts.hashes(place.warehouse, taken["name"], taken["partitions"]):
        return None
    rows = fingerprint.ask(place.warehouse, taken["name"]).rows
    held, window = sum(row["rows"] for row in rows), fingerprint.digest(row for row in rows if row["in_window"])
    return (
        None if (held, window) == (taken["rows"], taken["window"]) else f"the snapshot {taken['name']} was written to"
    )


def is_there(warehouse: Warehouse, name: str) -> bool:
    """Whether the server has a table of the suite's own, such as a snapshot."""
    return bool(warehouse.ask_again("table", database=warehouse.incident.table.database, table=name).rows)


def give_up(place: Workplace, taken: Line) -> Line:
    """Drop a snapshot for good; raises GateClosed when another runner acts."""
    with alone(place, "drop of a snapshot"):
        drop_table(place.warehouse, taken["name"])
        return place.ledger.append(
            "dropped", run=place.run, snapshot=taken["name"], who=who(), now=place.now().isoformat()
        )


def settled(place: Workplace, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Fingerprint rows of the window and of days that the live writer no longer touches."""
    youngest = youngest_day(place)
    return [row for row in rows if row["in_window"] or row["day"] < youngest]


def youngest_day(place: Workplace) -> str:
    """The first day that the live writer may still touch."""
    youngest: date = (place.now() - timedelta(minutes=place.incident.gates.settle_minutes)).date()
    return youngest.isoformat()


def partition_id(text: str) -> str:
    """A partition id, refused where it could be more than that."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise ActionFailed(f"{text!r} is not a partition id")
    return text


def table_of(warehouse: Warehouse, name: str) -> str:
    """A table of the incident's database, quoted."""
    return statements.quote(warehouse.incident.table.database, name)


def drop_table(warehouse: Warehouse, name: str) -> None:
    """Drop a table of the suite's own."""
    warehouse.write("drop_table", label=_label("drop"), names={"own_table": table_of(warehouse, name)})


def _label(what: str) -> str:
    return f"recovery-snapshot-{what}-{uuid.uuid4()}"
