"""Night: everything that is promised, asked of the server once, judged, and told as findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from expectations import changes, measures, parity
from expectations import scan as scans
from expectations.changes import Change
from expectations.scan import Scan, Span
from recovery.errors import LimitReached, RecoveryError, StatementFailed
from recovery.history import CRITICAL, OK, History, named
from recovery.phases import HOURLY, NIGHTLY
from recovery.promises import Guarded
from recovery.warehouse import Answer, Warehouse


@dataclass(frozen=True)
class Finding:
    """What became of a promise. `metric` is None where there was nothing to measure: then nothing is proved."""

    name: str
    what: str
    promised: str
    metric: float | None
    warn: float
    critical: float
    status: str
    examined: int
    worst: str
    notes: tuple[str, ...]
    details: str
    answers: tuple[Answer, ...] = field(repr=False)
    change: Change | None = None
    error: str = ""


@dataclass
class Night:
    """The promises of an incident's tables at a moment; each table is scanned once. `recent_only` looks at the recent hours
    alone, as an hourly run does; `docs` is a folder for the Data Docs of Great Expectations."""

    warehouse: Warehouse
    now: datetime
    recent_only: bool = False
    docs: Path | None = None
    _judged: dict[str, dict[str, Finding]] = field(default_factory=dict)
    _errors: dict[str, RecoveryError] = field(default_factory=dict)

    @cached_property
    def history(self) -> History:
        return History.read(self.warehouse, self.now)

    def trend(self, name: str) -> list[dict[str, Any]]:
        """What runs of this kind found on the days before."""
        return self.history.trend(named((HOURLY if self.recent_only else NIGHTLY).name, name))

    def finding(self, name: str) -> Finding:
        """What became of the promise of that name, `<table>.<promise>`."""
        key = name.partition(".")[0]
        lacking = f"{self._where(key)} or a column of it is not there, so it cannot be judged."
        return self._of(key).get(name) or _failed(name, lacking)

    def findings(self) -> list[Finding]:
        """All of them; a table that cannot be asked gives one finding that says so."""
        nightly, found = self.warehouse.incident.nightly, []
        for key in [*nightly.tables, *([parity.KEY] if nightly.parity and not self.recent_only else [])]:
            try:
                found += self._of(key).values()
            except RecoveryError as error:
                found.append(_failed(f"{key}.scan", str(error)))
        return found

    def _of(self, key: str) -> dict[str, Finding]:
        """The findings of a table by name; what was asked once is not asked again, whether it was answered or failed."""
        if key in self._errors:
            raise self._errors[key]
        if key not in self._judged:
            try:
                self._judged[key] = {each.name: each for each in self._judge(key)}
            except RecoveryError as error:
                self._errors[key] = error
                raise
        return self._judged[key]

    def _where(self, key: str) -> str:
        incident = self.warehouse.incident
        table = incident.nightly.tables.get(key)
        return f"{incident.table.database}.{table.name}" if table else key

    def _judge(self, key: str) -> list[Finding]:
        from expectations import suites  # seconds to import

        nightly = self.warehouse.incident.nightly
        if key == parity.KEY:
            assert nightly.parity
            found, answer = parity.take(self.warehouse, nightly.parity, nightly.cost, self.now)
            scan = None
        else:
            table = nightly.tables[key]
            columns = self.warehouse.columns(table.name)
            found = [measures.of_columns(key, table.columns, columns)]
            try:
                scan = self._scan(key, table) if columns else None
            except StatementFailed:
                if not found[0].notes:
                    raise
                scan = None  # a column is not there, or of another type: that is what has to be told
            if scan:
                found += measures.of_scan(scan, self._before(key, table), recent_only=self.recent_only)
            answer = scan.answer if scan else self.warehouse.columns_asked(table.name)
        told = []
        for name, judged in suites.judge(key, found, self.docs).items():
            measure, notes, change = judged.measure, list(judged.measure.notes), None
            empty = scan is not None and scan.table.may_be_empty and not scan.rows and measure.kind != measures.COLUMNS
            nothing = not measure.examined and not empty
            metric, status = (None, CRITICAL) if nothing else (judged.metric, judged.status)
            if empty:
                notes.append("There are no rows, and there need not be any.")
            answers: tuple[Answer, ...] = (answer,)
            if scan and status != OK and metric is not None and not empty:
                rows = changes.broken(scan, measure, self.warehouse.incident.table.database)
                looked = changes.of(self.warehouse, scan, rows, nightly.cost) if rows else ""
                if isinstance(looked, Change):
                    change = looked
                    answers += change.answers
                notes += [
                    sentence for sentence in [looked.sentence if isinstance(looked, Change) else looked] if sentence
                ]
            worst = measure.worst() if status != OK and not empty and metric is not None else ""
            told.append(
                Finding(
                    name, measure.what, measure.promised, 0.0 if empty else metric, measure.warn, measure.critical,
                    OK if empty else status, 1 if empty else measure.examined, worst, tuple(notes),
                    measures.details(measure, worst), answers, change, judged.error,
                )
            )  # fmt: skip
        return told

    def _scan(self, key: str, table: Guarded) -> Scan:
        nightly = self.warehouse.incident.nightly
        span = Span.of(table, self.now, recent_only=self.recent_only)
        try:
            return scans.take(self.warehouse, key, table, nightly.cost, span)
        except LimitReached:
            raise
        except StatementFailed as error:
            where = f"{self.warehouse.incident.nightly_path.name}: tables.{key} cannot be judged as it is written"
            raise StatementFailed(f"{where}: {error}", error.code) from None

    def _before(self, key: str, table: Guarded) -> Mapping[str, Any]:
        """What the history kept of a table's days."""
        if self.recent_only or table.identity is None or table.identity.gone_percent is None:
            return {}
        return self.history.last_with(f"{key}.gone", "days")


def _failed(name: str, error: str) -> Finding:
    return Finding(name, "the server could not answer", "", None, 0, 0, CRITICAL, 0, "", (), "{}", (), error=error)
