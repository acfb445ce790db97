"""Fingerprint: what the affected partitions hold, in a form that merges do not change and any other write does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from recovery import ranges, reuse, statements
from recovery.warehouse import Answer, Warehouse


def ask(warehouse: Warehouse, table: str | None = None) -> Answer:
    """Rows and hash per day, inside and outside the window; of a snapshot when `table` names one. FINAL is asked for each
    partition by itself, and not again for one that consists of the same files."""
    incident = warehouse.incident
    names: Mapping[str, str] = {"table": statements.quote(incident.table.database, table)} if table else {}
    asked: dict[str, Any] = {"time_from": incident.window.start, "time_to": incident.window.end}

    def of(partition: str) -> Answer:
        return reuse.of_parts(
            warehouse, [table or warehouse.seen], [partition], ["fingerprint"], asked,
            lambda fresh: fresh.ask("fingerprint", names=names, partitions=[partition], **asked),
        )  # fmt: skip

    each = [{"partitions": [partition]} for partition in incident.table.partitions]
    found = ranges.total([of(partition) for partition in incident.table.partitions], each, ("day", "in_window"))
    return replace(found, rows=[row | {"hash": str(row["hash"])} for row in found.rows])


def of_window(warehouse: Warehouse) -> str:
    """One value for all rows of the window."""
    return digest(row for row in ask(warehouse).rows if row["in_window"])


def digest(rows: Iterable[Mapping[str, Any]]) -> str:
    """Fingerprint rows as one SHA-256."""
    text = "\n".join(f"{row['day']} {row['in_window']} {row['rows']} {row['hash']}" for row in rows)
    return hashlib.sha256(text.encode()).hexdigest()
