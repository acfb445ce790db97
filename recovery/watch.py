"""Watch: what becomes of the nightly checks' results: the history, and a word to the team where what is critical has changed."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from recovery import history, notify, phases
from recovery.announcement import Message
from recovery.errors import RecoveryError
from recovery.history import CRITICAL, OK, History, Result
from recovery.incident import Incident
from recovery.ledger import Ledger, Line
from recovery.warehouse import Warehouse

NOT_WRITTEN = (
    f"history: not written, for {history.USER} names no login that may insert into it; trends, and the check that monitoring is "
    "healthy, need it."
)
GUARDS = tuple(guard.name for guard in phases.GUARDS)
TOLD = "told."  # before the name of a check, in the history: the team was told that it is critical, or is so no more
SHOWN = 10
REPLAYED = (
    "history: not written, for --now is another day than today: a replay must not stand in for what was found then. On a "
    "server of this machine it is written."
)
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Known:
    """The checks that the team was told are critical and not told otherwise since, and those that are so by the last run of
    another guard."""

    told: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()

    @classmethod
    def of(cls, warehouse: Warehouse, guard: str, now: datetime) -> Known:
        try:
            past = History.read(warehouse, now, this_hour=True)
        except RecoveryError:
            return cls()  # better told twice than not at all
        critical = {name for name in past.days if past.last_status(name) == CRITICAL}
        told = {name.removeprefix(TOLD) for name in critical if name.startswith(TOLD)}
        own = {history.named(other, ""): other for other in GUARDS}
        others = set()
        for name in critical - {TOLD + each for each in told}:
            prefix = next((prefix for prefix in own if prefix and name.startswith(prefix)), "")
            if own[prefix] != guard:
                others.add(name.removeprefix(prefix))
        return cls(frozenset(told), frozenset(others))


def results(evidence: Sequence[Line]) -> list[Result]:
    """The results that the checks of a run left in their evidence."""
    found = {}
    for line in evidence:
        for name, metric, warn, critical, status, details in line.get("results", ()):
            found[name] = Result(name, math.nan if metric is None else metric, warn, critical, status, details)
        if line["outcome"] == "failed" and not line.get("results"):  # it broke off: nothing was measured
            name = line["check"].partition("[")[2].removesuffix("]") or line["check"]
            found.setdefault(name, Result(name, math.nan, 0, 0, CRITICAL, "{}"))
    return list(found.values())


def remember(
    warehouse: Warehouse,
    guard: str,
    found: Sequence[Result],
    told: Sequence[Result],
    now: datetime,
    run: str,
    *,
    embedded: bool,
) -> tuple[int, RecoveryError | str | None]:
    """Write the results into the history; returns how many, and what kept them from it. An embedded server has no logins."""
    if not (embedded or history.may_be_written()):
        return 0, NOT_WRITTEN
    if abs(datetime.now(UTC) - now) > timedelta(days=1) and warehouse.dsn.host not in LOOPBACK:
        return 0, REPLAYED
    if not found:
        return 0, None
    try:
        results = [*(replace(result, name=history.named(guard, result.name)) for result in found), *told]
        return history.write(warehouse, results, now, f"recovery-history-{run}"), None
    except RecoveryError as error:
        return 0, error


def announce(
    incident: Incident, ledger: Ledger, run: str, known: Known, found: Sequence[Result], page: Path
) -> tuple[list[str], list[Result]]:
    """Tell the team of what became critical, or is so no more; nothing where that is as it was told. Returns what did not go
    out, and what the history has to keep as told."""
    asked = {result.name: result for result in found}  # an hourly run says nothing of what it did not ask
    now = {name for name, result in asked.items() if result.status == CRITICAL}
    new, over = now - known.told, (known.told & asked.keys()) - now - known.others
    if not new and not over:
        return [], []
    figures = {name: f"{name} ({each.metric:,.4g}, critical above {each.critical:g})" for name, each in asked.items()}
    shown = [[figures[name] for name in sorted(names)] for names in (new, now - new, over)]
    unsaid = notify.tell(incident, ledger, run, Message("critical", sentence(incident, *shown, page=page)))
    told = [
        replace(asked[name], name=TOLD + name, status=CRITICAL if name in new else OK) for name in sorted(new | over)
    ]
    return unsaid, [] if unsaid else told


def sentence(incident: Incident, new: Sequence[str], still: Sequence[str], over: Sequence[str], *, page: Path) -> str:
    """What the team is told."""
    parts = [f"Checks of {incident.table.database}:"]
    for word, names in (("now critical", new), ("still critical", still), ("no longer critical", over)):
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            parts.append(f"{word}: {', '.join(names[:SHOWN])}{more}.")
    return " ".join([*parts, f"Page: {_address(page)}"])


def _address(page: Path) -> str:
    """Where the page is found: in GitHub Actions with the run, else as a file."""
    server, repository, run = (os.environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    return f"{server}/{repository}/actions/runs/{run}" if server and repository and run else page.name
