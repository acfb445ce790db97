"""Restore: bring the window back as a snapshot has it, row by row, and leave what others wrote meanwhile.

A restore is a difference: rows of the snapshot that the table lacks are inserted, rows that the suite wrote since are removed,
and rows that neither the snapshot nor the suite knows are another's later writes, which stay. Rows are told apart by a hash of
all their columns, the version among them; what the suite wrote since is told by the versions between which its units ran.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recovery import fingerprint, snapshot, staging
from recovery.alone import alone
from recovery.errors import ActionFailed
from recovery.ledger import Line
from recovery.positions import is_of_positions
from recovery.warehouse import Warehouse
from recovery.workplace import Workplace, who

SHARE_ROWS = 10_000_000  # listed rows whose hashes one statement holds in memory


@dataclass(frozen=True)
class Difference:
    """What a restore would change, in rows; `later` ones were written by others since and stay. `missing`
    are rows to insert of identities that others did not write to."""

    insert: int
    remove: int
    later: int
    missing: int


def difference(place: Workplace, taken: Line, *, take_back: bool) -> Difference:
    """What a restore of the snapshot `taken` would change now. Nothing is written."""
    asked = {"names": _names(place, taken), **_values(place, take_back)}
    counted = place.warehouse.ask_again("restore_count", **asked).rows
    rows = {row["side"]: int(row["rows"]) for row in counted}
    missing = sum(int(row["alone"]) for row in counted if row["side"] == "insert")
    return Difference(rows.get("insert", 0), rows.get("remove", 0), rows.get("later", 0), missing)


def sample(place: Workplace, taken: Line, *, take_back: bool, limit: int = 5) -> list[str]:
    """Some of the rows that others wrote since, as text."""
    asked = {"names": _names(place, taken), **_values(place, take_back)}
    rows = place.warehouse.ask_again("restore_sample", **asked, limit=limit).rows
    return [", ".join(str(value) for value in row.values()) for row in rows]


def restore(place: Workplace, taken: Line, *, take_back: bool = False) -> Line:
    """Bring the window back as `taken` has it, others' later writes too where `take_back`, and prove it.

    Rows outside the window are never touched. Interrupted, it is begun again: the state before it is kept in a snapshot too.
    Raises GateClosed when another runner acts, ActionFailed when the end is not as it should be.
    """
    with alone(place, "restore"):
        return _restore(place, taken, take_back)


def _restore(place: Workplace, taken: Line, take_back: bool) -> Line:
    warehouse, name = place.warehouse, taken["name"]
    if not snapshot.is_there(warehouse, name):
        raise ActionFailed(f"the snapshot {name} is not on the server any more; nothing was changed")
    warehouse.forget()
    before = fingerprint.of_window(warehouse)
    outside = _outside(place)
    for line in _unfinished(place):
        snapshot.drop_table(warehouse, line["worklist"])
    kept = snapshot.name_of(place, "restore", uuid.uuid4().hex[:8])
    snapshot.take(place, kept, list(warehouse.incident.table.partitions), beside_writers=True)
    worklist = f"{place.incident.table.name}_worklist_{uuid.uuid4().hex[:8]}"
    place.ledger.append(
        "restoring",
        run=place.run,
        snapshot=name,
        kept=kept,
        worklist=worklist,
        before=before,
        now=place.now().isoformat(),
    )
    planned = difference(place, taken, take_back=take_back)
    names = _names(place, taken) | {"worklist": snapshot.table_of(warehouse, worklist)}
    values = _values(place, take_back)
    for statement in ("restore_create", "restore_list"):
        warehouse.write(statement, label=_label(statement), names=names, **values)
    for statement, rows in (("restore_remove", planned.remove), ("restore_insert", planned.insert)):
        shares = math.ceil(rows / SHARE_ROWS)
        for share in range(shares):
            place.tell(f"restore: {statement.removeprefix('restore_')} {rows:,} rows, {share + 1} of {shares}")
            warehouse.write(statement, label=_label(statement), names=names, **values, share=share, shares=shares)
    warehouse.forget()
    later = _prove(place, taken, take_back, outside, kept)
    snapshot.drop_table(warehouse, worklist)
    _drop_staged(place)
    after = fingerprint.of_window(warehouse)
    undoes = {
        line["action"]
        for line in place.ledger.lines()
        if line["kind"] == "started" and (line["snapshot"] == snapshot.base_of(taken) or line["seq"] > taken["seq"])
    }
    return place.ledger.append(
        "restored", run=place.run, snapshot=name, before=before, after=after, kept=kept, inserted=planned.insert,
        removed=planned.remove, left=later, undoes=sorted(undoes), who=who(), now=place.now().isoformat(),
    )  # fmt: skip


def _prove(place: Workplace, taken: Line, take_back: bool, outside: list[Mapping[str, Any]], kept: str) -> int:
    """Every row of the snapshot is in the window, every other row there is a later one of others, and no row outside it went.
    Returns how many later ones there are."""
    change = difference(place, taken, take_back=take_back)
    faults = []
    if change.missing or change.remove:
        faults.append(f"in the window {change.missing:,} rows are missing and {change.remove:,} are too many")
    if not change.later and fingerprint.of_window(place.warehouse) != taken["window"]:
        faults.append("the window is not as in the snapshot")
    now = {row["day"]: row for row in _outside(place)}
    for then in outside:
        row = now.get(then["day"], {"rows": 0, "hash": ""})
        if row["rows"] < then["rows"] or (row["rows"] == then["rows"] and row["hash"] != then["hash"]):
            faults.append(f"{then['day']}, outside the window, is not as it was")
    if faults:
        raise ActionFailed(f"after the restore {'; '.join(faults)}; the state before it is in {kept}")
    return change.later


def written_between(lines: list[Line]) -> list[tuple[int, int]]:
    """(first, last) version of the time of each unit that writes to the table: rows of the suite have one in between. One that
    has no end is still open."""
    spans: dict[str, tuple[int, int]] = {}
    elsewhere = {line["attempt"] for line in lines if line["kind"] == "started" and is_of_positions(line)}
    for line in lines:
        if line["kind"] == "unit" and "version" in line and line["attempt"] not in elsewhere:
            first, _ = spans.get(line["query_id"], (line["version"], 0))
            spans[line["query_id"]] = first, line["version"] if line["state"] == "done" else 2**64 - 1
    return sorted(spans.values())


def window_rows(warehouse: Warehouse, table: str | None = None) -> int:
    """Rows of the window, in the table or in a snapshot."""
    names = {"table": snapshot.table_of(warehouse, table)} if table else {}
    return int(warehouse.ask_again("window_rows", names=names, **_range(warehouse)).first["rows"])


def _names(place: Workplace, taken: Line) -> dict[str, str]:
    """The snapshot, and the one that the table was last restored from, as far as the server still has it."""
    ends = [line for line in place.ledger.lines() if line["kind"] in ("restored", "done")]
    last = next((line for line in reversed(ends) if not is_of_positions(line)), None)
    earlier = last["snapshot"] if last and last["kind"] == "restored" else taken["name"]
    if not snapshot.is_there(place.warehouse, earlier):
        earlier = taken["name"]
    return {
        "snapshot": snapshot.table_of(place.warehouse, taken["name"]),
        "earlier": snapshot.table_of(place.warehouse, earlier),
    }


def _values(place: Workplace, take_back: bool) -> dict[str, Any]:
    return {**_range(place.warehouse), "take_back": take_back, "spans": written_between(place.ledger.lines())}


def _range(warehouse: Warehouse) -> dict[str, Any]:
    window = warehouse.incident.window
    partitions = list(warehouse.incident.table.partitions)
    return {"partitions": partitions, "time_from": window.start, "time_to": window.end}


def _outside(place: Workplace) -> list[Mapping[str, Any]]:
    rows = snapshot.settled(place, fingerprint.ask(place.warehouse).rows)
    return [row for row in rows if not row["in_window"]]


def _unfinished(place: Workplace) -> list[Line]:
    """Restores that were begun and not ended."""
    lines = place.ledger.lines()
    ended = {line["kept"] for line in lines if line["kind"] == "restored"}
    return [line for line in lines if line["kind"] == "restoring" and line["worklist"] and line["kept"] not in ended]


def _drop_staged(place: Workplace) -> None:
    """What the actions of the ledger staged or listed and did not drop: what is taken back is not moved in later."""
    lines = [line for line in place.ledger.lines() if line["kind"] == "started" and not is_of_positions(line)]
    values = [unit["values"] for line in lines for unit in line["plan"]["units"]]
    for prefix in {each[kind] for each in values for kind in ("staging", "worklist") if kind in each}:
        for name in staging.tables(place, prefix):
            snapshot.drop_table(place.warehouse, name)


def _label(what: str) -> str:
    return f"recovery-{what.replace('_', '-')}-{uuid.uuid4()}"
