"""Watch: what becomes of the nightly checks' results: the history, and a word to the team where what is critical has changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from recovery import history, notify
from recovery.announcement import Message
from recovery.errors import RecoveryError
from recovery.history import CRITICAL, History, Result
from recovery.incident import Incident
from recovery.ledger import Ledger, Line
from recovery.warehouse import Warehouse

NOT_WRITTEN = (
    f"history: not written, for {history.USER} names no login that may insert into it; trends, and the check that monitoring is "
    "healthy, need it."
)
SHOWN = 10


@dataclass(frozen=True)
class Known:
    """The checks that were critical when the last run ended; `told` says whether a last run is known at all."""

    critical: frozenset[str]
    told: bool

    @classmethod
    def of(cls, warehouse: Warehouse, now: datetime) -> Known:
        try:
            past = History.read(warehouse, now, this_hour=True)
        except RecoveryError:
            return cls(frozenset(), False)  # better told twice than not at all
        return cls(frozenset(name for name in past.days if past.last_status(name) == CRITICAL), bool(past.days))


def results(evidence: Sequence[Line]) -> list[Result]:
    """The results that the checks of a run left in their evidence."""
    found = {}
    for line in evidence:
        for name, metric, warn, critical, status, details in line.get("results", ()):
            found[name] = Result(name, math.nan if metric is None else metric, warn, critical, status, details)
    return list(found.values())


def remember(
    warehouse: Warehouse, found: Sequence[Result], now: datetime, run: str, *, embedded: bool
) -> tuple[int, RecoveryError | str | None]:
    """Write the results into the history; returns how many, and what kept them from it. An embedded server has no logins."""
    if not (embedded or history.may_be_written()):
        return 0, NOT_WRITTEN
    if not found:
        return 0, None
    try:
        return history.write(warehouse, found, now, f"recovery-history-{run}"), None
    except RecoveryError as error:
        return 0, error


def announce(
    incident: Incident, ledger: Ledger, run: str, known: Known, found: Sequence[Result], page: Path
) -> list[str]:
    """Tell the team of what became critical, or is so no more; nothing where that is as it was. Returns what did not go out."""
    now = {result.name for result in found if result.status == CRITICAL}
    asked = {result.name for result in found}
    before = known.critical & asked  # an hourly run says nothing of what it did not ask
    if now == before:
        return []
    text = sentence(incident, sorted(now - before), sorted(now & before), sorted(before - now), page)
    return notify.tell(incident, ledger, run, Message("critical", text))


def sentence(incident: Incident, new: Sequence[str], still: Sequence[str], over: Sequence[str], page: Path) -> str:
    """What the team is told."""
    parts = [f"{incident.incident.title}: the nightly checks"]
    for word, names in (("now critical", new), ("still critical", still), ("no longer critical", over)):
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            parts.append(f"{word}: {', '.join(names[:SHOWN])}{more}.")
    return " ".join([*parts, f"Page: {page.name}."])
