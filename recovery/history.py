"""History: what the nightly checks found, night after night, in a table of its own.

A night and an hour look at other spans of the same rows, so each has results of its own. The history is read as everything
else is. It is written over a login that may insert into this one table, whatever else a run may do; a result of the same check
and hour replaces the one before.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from recovery.errors import StatementFailed
from recovery.phases import NIGHTLY
from recovery.statements import quote
from recovery.warehouse import Warehouse

OK, WARNING, CRITICAL = "OK", "WARNING", "CRITICAL"
USER = "CLICKHOUSE_HISTORY_USER"
COLUMNS = {
    "check_name": "LowCardinality(String)",
    "check_time": "DateTime",
    "metric_value": "Float64",
    "threshold_warning": "Float64",
    "threshold_critical": "Float64",
    "status": "LowCardinality(String)",
    "details": "String",
}


def named(guard: str, name: str) -> str:
    """What a result is called: those of the night by the promise alone, others with the guard's name before it."""
    return name if guard == NIGHTLY.name else f"{guard}.{name}"


@dataclass(frozen=True)
class Result:
    """One check's result of an hour."""

    name: str
    metric: float
    warn: float
    critical: float
    status: str
    details: str

    def __str__(self) -> str:
        measured = "nothing was measured" if math.isnan(self.metric) else f"{self.metric:,.6g}"
        return f"{self.name} {measured} (warn above {self.warn:g}, critical above {self.critical:g})"


@dataclass(frozen=True)
class History:
    """The results of the days before a moment: per check, a row for each day that has any, in order."""

    days: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)

    @classmethod
    def read(cls, warehouse: Warehouse, now: datetime, *, this_hour: bool = False) -> History:
        """What was found before the hour of `now`, or in it too; empty where there is no such table yet."""
        section = warehouse.incident.nightly.history
        if not warehouse.columns(section.table):
            return cls()
        hour = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=this_hour)
        names = {"history": quote(warehouse.incident.table.database, section.table)}
        try:
            answer = warehouse.ask("nightly/history", names=names, since=hour - timedelta(days=section.days), now=hour)
        except StatementFailed:  # of another form than history_create.sql gives it: a check says so
            return cls()
        days: dict[str, list[dict[str, Any]]] = {}
        for row in answer.rows:
            days.setdefault(row["name"], []).append(row)
        return cls(days)

    def trend(self, name: str) -> list[dict[str, Any]]:
        """The worst of each day: day, metric, status."""
        return [{"day": row["day"], "metric": row["metric"], "status": row["worst"]} for row in self.days.get(name, ())]

    def last_with(self, name: str, key: str) -> dict[str, Any]:
        """The last details of a check that have a key; those of a run that failed have none."""
        for row in reversed(self.days.get(name, [])):
            with suppress(ValueError):
                details = json.loads(row["last_details"])
                if isinstance(details, dict) and key in details:
                    return details
        return {}

    def last_status(self, name: str) -> str:
        """What the last run before this hour found; empty where none did."""
        rows = self.days.get(name)
        return str(rows[-1]["last_status"]) if rows else ""


def write(warehouse: Warehouse, results: Sequence[Result], now: datetime, label: str) -> int:
    """Insert the results of a run; returns how many."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    rows = [[r.name, hour, r.metric, r.warn, r.critical, r.status, r.details] for r in results]
    warehouse.remember(warehouse.incident.nightly.history.table, rows, COLUMNS, label=label)
    return len(rows)


def may_be_written() -> bool:
    """Whether the environment names a login that the history is written with."""
    return bool(os.environ.get(USER))
