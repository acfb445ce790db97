"""Fingerprint: what the affected partitions hold, in a form that merges do not change and any other write does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from recovery import statements
from recovery.warehouse import Answer, Warehouse


def ask(warehouse: Warehouse, table: str | None = None) -> Answer:
    """Rows and hash per day, inside and outside the window; of a snapshot when `table` names one."""
    incident = warehouse.incident
    names: Mapping[str, str] = {"table": statements.quote(incident.table.database, table)} if table else {}
    return warehouse.ask(
        "fingerprint",
        names=names,
        time_from=incident.window.start,
        time_to=incident.window.end,
        partitions=list(incident.table.partitions),
    )


def of_window(warehouse: Warehouse) -> str:
    """One value for all rows of the window."""
    return digest(row for row in ask(warehouse).rows if row["in_window"])


def digest(rows: Iterable[Mapping[str, Any]]) -> str:
    """Fingerprint rows as one SHA-256."""
    text = "\n".join(f"{row['day']} {row['in_window']} {row['rows']} {row['hash']}" for row in rows)
    return hashlib.sha256(text.encode()).hexdigest()
