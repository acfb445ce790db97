"""Story: what the ledger says of one run, as values that a page, or anything else that tells it, is made from.

It reads lines and nothing else: no server, no incident file. Every check is judged again from its recorded numbers, so
a verdict that its evidence does not carry is never repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from recovery.errors import UsageError
from recovery.evidence import GO, NO_GO, PENDING, Expectation, judge
from recovery.history import WARNING
from recovery.ledger import Ledger, Line
from recovery.phases import BY_NAME, GUARDS, waits
from recovery.standing import STOPPED, UNFINISHED, is_stopped

Acts = Mapping[str, Sequence[Line]]
GUARDED = tuple(guard.name for guard in GUARDS)


@dataclass(frozen=True)
class Query:
    """One execution of a statement. Sizes in rows and bytes, `seconds` of the server and the way, `started` in UTC."""

    statement: str
    sql: str
    parameters: Mapping[str, Any]
    query_id: str
    server: str
    started: datetime
    seconds: float
    rows_read: int
    bytes_read: int
    again: bool = False  # asked by a command before, and not, or not all, now


@dataclass(frozen=True)
class CheckOutcome:
    """One check's evidence. It is GO only where it passed and its numbers, judged again, have no fault. `pending` says why
    a check that no phase requires cannot be told yet."""

    name: str
    value: str
    phases: tuple[str, ...]
    about: str
    outcome: str
    examined: int
    found: Mapping[str, Any]
    comparisons: tuple[Expectation, ...]
    queries: tuple[Query, ...]
    notes: tuple[str, ...]
    faults: tuple[str, ...]
    fingerprint: str
    sha: str
    pending: str = ""
    results: tuple[Sequence[Any], ...] = ()  # of a nightly check: name, metric, warn, critical, status, details

    @property
    def verdict(self) -> str:
        return NO_GO if self.faults else PENDING if self.pending else GO

    @property
    def title(self) -> str:
        """The check's name as a sentence."""
        words = self.name.removeprefix("test_").replace("_", " ")
        return words[:1].upper() + words[1:]


@dataclass(frozen=True)
class Problem:
    """What a phase met that no evidence shows: a closed gate, a failed action, a server out of reach."""

    code: int
    sentence: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class UnitOutcome:
    """A unit of an action. `state` is planned, done, done already, started (its end is unknown) or failed."""

    label: str
    undo: str
    planned_rows: int
    state: str
    rows: int | None = None
    seconds: float | None = None
    query_id: str = ""
    ended: datetime | None = None


@dataclass(frozen=True)
class ActionOutcome:
    """An action: only shown (`state` planned), or carried out as far as `state` and its units say."""

    name: str
    phase: str
    state: str
    sentence: str
    planned_rows: int
    planned_bytes: int
    partitions: tuple[str, ...]
    units: tuple[UnitOutcome, ...]
    began: datetime | None = None
    ended: datetime | None = None
    who: str = ""
    resumed: bool = False
    rows: int = 0
    reason: str = ""
    snapshot: str = ""
    snapshot_rows: int | None = None
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class Override:
    """A closed gate that somebody passed by hand."""

    action: str
    who: str
    reason: str
    missing: tuple[str, ...]
    time: datetime


@dataclass(frozen=True)
class PhaseOutcome:
    """A phase: `verdict` is GO, NO-GO, PLAN, STOPPED (its gate was closed or its action failed) or NOT ENDED."""

    name: str
    title: str
    verdict: str
    asked: int
    required: int
    missing: tuple[str, ...]
    rows_read: int
    written: int
    seconds: float
    checks: tuple[CheckOutcome, ...]
    problems: tuple[Problem, ...]
    action: ActionOutcome | None
    ended: datetime | None = None

    @property
    def warned(self) -> tuple[str, ...]:
        """The promises of a guard that are above what warns, and not above what fails."""
        return tuple(name for check in self.checks for name, _, _, _, status, *_ in check.results if status == WARNING)

    @property
    def faulty(self) -> tuple[CheckOutcome, ...]:
        return tuple(check for check in self.checks if check.faults)


@dataclass(frozen=True)
class Run:
    """A run of the suite. `clock` is the time it took as now, `began` and `ended` are those of the wall."""

    id: str
    incident: str
    title: str
    table: str
    window: tuple[datetime, datetime] | None
    mode: str
    server: str
    version: str
    installation: str
    who: str
    digest: str
    clock: datetime
    began: datetime
    ended: datetime
    phases: tuple[PhaseOutcome, ...]
    overrides: tuple[Override, ...]
    ledger: str
    first_line: int
    last_line: int
    last_sha: str
    fault: str

    @property
    def guard(self) -> str:
        """nightly or hourly, where it is that and not phases that were asked."""
        return next((phase.name for phase in self.phases if phase.name in GUARDED), "")

    @property
    def queries(self) -> tuple[Query, ...]:
        """Every query of the run once, in the order in which they were asked."""
        once = {query.query_id: query for phase in self.phases for check in phase.checks for query in check.queries}
        return tuple(sorted(once.values(), key=lambda query: query.started))

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The states of the window that the checks were asked of; more than one when an action changed it."""
        seen = [check.fingerprint for phase in self.phases for check in phase.checks if check.fingerprint]
        return tuple(dict.fromkeys(seen))


def read(ledger: Ledger, run: str = "") -> Run:
    """The run whose id begins with `run`, or the ledger's last one. Raises UsageError where there is none."""
    _, lines, fault = ledger.read(str(ledger.path))
    begun = next((line for line in reversed(lines) if line["kind"] == "run" and line["run"].startswith(run)), None)
    if begun is None:
        raise UsageError(f"The ledger {ledger.path} has no run {run}".rstrip() + ".")
    own = [line for line in lines if line.get("run") == begun["run"]]
    return of(begun, own, by_action(lines), ledger=str(ledger.path), fault=fault or "")


def of(begun: Line, own: Sequence[Line], acts: Acts, *, ledger: str, fault: str) -> Run:
    """The run that a line began, from its own lines; `acts` are all that tell of actions, its own and those before it."""
    return Run(
        id=begun["run"],
        incident=begun["incident"],
        title=begun.get("title", ""),
        table=begun.get("table", ""),
        window=_window(begun.get("window")),
        mode=begun["mode"],
        server=begun["server"],
        version=begun["version"],
        installation=begun["installation"],
        who=begun["who"],
        digest=begun["digest"],
        clock=datetime.fromisoformat(begun["now"]),
        began=datetime.fromisoformat(begun["time"]),
        ended=datetime.fromisoformat(own[-1]["time"]),
        phases=_phases(begun, own, acts),
        overrides=tuple(override(line) for line in own if line["kind"] == "override"),
        ledger=ledger,
        first_line=own[0]["seq"],
        last_line=own[-1]["seq"],
        last_sha=own[-1]["sha"],
        fault=fault,
    )


def _window(ends: Sequence[str] | None) -> tuple[datetime, datetime] | None:
    return (datetime.fromisoformat(ends[0]), datetime.fromisoformat(ends[1])) if ends else None


def _phases(begun: Line, own: Sequence[Line], acts: Acts) -> tuple[PhaseOutcome, ...]:
    """The phases in order. A check that counts for several is told with the first of them."""
    checks = [_check(line) for line in own if line["kind"] == "evidence"]
    phases, told = [], set[str]()
    for name in begun["phases"]:
        here = tuple(check for check in checks if name in check.phases and check.sha not in told)
        told |= {check.sha for check in here}
        counted = [check for check in checks if name in check.phases]
        end: Line = next((line for line in own if line["kind"] == "finished" and line["phase"] == name), {})
        problems = tuple(Problem(p["code"], p["sentence"], tuple(p["reasons"])) for p in end.get("problems", ()))
        phases.append(
            PhaseOutcome(
                name=name,
                title=BY_NAME[name].title if name in BY_NAME else "",
                verdict=_verdict(end, counted),
                asked=len(counted),
                required=end.get("required", 0),
                missing=tuple(end.get("missing", ())),
                rows_read=sum({q.query_id: q.rows_read for check in counted for q in check.queries}.values()),
                written=end.get("written", 0),
                seconds=end.get("seconds", 0.0),
                checks=here,
                problems=problems,
                action=_action(name, own, acts),
                ended=moment(end) if end else None,
            )
        )
    return tuple(phases)


def _verdict(end: Line, checks: Sequence[CheckOutcome]) -> str:
    """The recorded verdict, unless the run stopped or the checks' own numbers do not carry it."""
    if not end:
        return UNFINISHED
    if is_stopped(end):
        return STOPPED
    return NO_GO if any(check.faults for check in checks) else str(end["verdict"])


def _check(line: Line) -> CheckOutcome:
    name, _, value = line["check"].partition("[")
    waiting = waits(line)
    faults = [] if waiting else judge(line)
    if line["outcome"] != "passed" and not waiting:
        faults = faults or [f"it {line['outcome']}"]
        faults += [line["problem"]] if line.get("problem") else []
    return CheckOutcome(
        name=name,
        value=value.removesuffix("]"),
        phases=tuple(line["phases"]),
        about=line["about"],
        outcome=line["outcome"],
        examined=line["examined"],
        found=line["found"],
        comparisons=tuple(Expectation(*parts) for parts in line["expectations"]),
        queries=tuple(_query(answer) for answer in line["answers"]),
        notes=tuple(line["notes"]),
        faults=tuple(faults),
        fingerprint=line.get("fingerprint", ""),
        sha=line["sha"],
        pending=line["pending"] if waiting else "",
        results=tuple(line.get("results", ())),
    )


def _query(answer: Line) -> Query:
    return Query(
        statement=answer["statement"],
        sql=answer["sql"],
        parameters=answer["parameters"],
        query_id=answer["query_id"],
        server=answer["server"],
        started=datetime.fromisoformat(answer["started"]),
        seconds=answer["seconds"],
        rows_read=answer["rows_read"],
        bytes_read=answer["bytes_read"],
        again=answer.get("again", False),
    )


ACTED = ("started", "unit", "done", "failed")
SNAPSHOTS = ""


def by_action(lines: Sequence[Line]) -> Acts:
    """The lines that tell of actions, by the action; those of snapshots apart."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        if line["kind"] in ACTED:
            found.setdefault(line["action"], []).append(line)
        elif line["kind"] == "snapshot":
            found.setdefault(SNAPSHOTS, []).append(line)
    return found


def override(line: Line) -> Override:
    return Override(line["action"], line["who"], line["reason"], tuple(line["missing"]), moment(line))


def moment(line: Line) -> datetime:
    """When a line was written."""
    return datetime.fromisoformat(line["time"])


def _action(phase: str, own: Sequence[Line], acts: Acts) -> ActionOutcome | None:
    """The phase's action: its plan if it was only shown, what the run did of it if it acted."""
    for line in own:
        if line["kind"] == "plan" and line["phase"] == phase:
            return _told(line["plan"], phase, "planned", (), through=False)
    names = {BY_NAME[phase].action, BY_NAME[phase].swapping} if phase in BY_NAME else set()
    name = next((line["action"] for line in own if line["kind"] in ACTED and line["action"] in names), None)
    acted = [line for line in own if line["kind"] in ACTED and line["action"] == name]
    if name is None:
        return None
    so_far = [line for line in acts[name] if line["seq"] <= acted[-1]["seq"]]
    starts = [place for place, line in enumerate(so_far) if line["kind"] == "started"]
    if not starts:
        return None
    return _carried_out(so_far[starts[-1]], so_far[starts[-1] + 1 :], acted, acts)


def attempts(acts: Acts) -> tuple[ActionOutcome, ...]:
    """Every action that was begun, over all runs that went on with it, in order."""
    told = []
    for action, lines in acts.items():
        starts = [place for place, line in enumerate(lines) if action != SNAPSHOTS and line["kind"] == "started"]
        for place, until in pairwise([*starts, len(lines)]):
            start, *since = lines[place:until]
            told.append((start["seq"], _carried_out(start, since, [start, *since], acts)))
    return tuple(outcome for _, outcome in sorted(told, key=lambda each: each[0]))


def _carried_out(begun: Line, since: Sequence[Line], acted: Sequence[Line], acts: Acts) -> ActionOutcome:
    """An action as far as it came: `since` are its lines after it began, `acted` those that are told of."""
    done = next((line for line in acted if line["kind"] == "done"), None)
    failed = next((line for line in reversed(acted) if line["kind"] == "failed"), None)
    taken = [line for line in acts.get(SNAPSHOTS, ()) if line.get("base", line["name"]) == begun["snapshot"]]
    return _told(
        begun["plan"],
        begun["phase"],
        "done" if done else "failed" if failed else "started",
        since,
        through=bool(done or (failed and "unit" not in failed)),
        began=moment(begun),
        ended=moment(acted[-1]),
        who=begun["who"],
        resumed=len({line["run"] for line in (begun, *acted)}) > 1,
        rows=done["rows"] if done else sum(line.get("rows", 0) for line in acted if line["kind"] == "unit"),
        reason=failed["reason"] if failed and not done else "",
        snapshot=taken[-1]["name"] if taken else begun["snapshot"] or "",
        snapshot_rows=taken[-1]["rows"] if taken else None,
        before=begun["before"],
        after=done["after"] if done else "",
    )


def _told(plan: Line, phase: str, state: str, lines: Sequence[Line], *, through: bool, **more: Any) -> ActionOutcome:
    """`through` says that the action went through all its units.

    A unit without a line that it went past was done already: the server showed it so.
    """
    together: dict[str, list[Line]] = {}
    for line in lines:
        together.setdefault(line.get("unit", ""), []).append(line)
    by_unit = [together.get(unit["label"], []) for unit in plan["units"]]
    reached = len(by_unit) if through else max((number for number, told in enumerate(by_unit) if told), default=0)
    return ActionOutcome(
        name=plan["action"],
        phase=phase,
        state=state,
        sentence=plan["sentence"],
        planned_rows=plan["rows"],
        planned_bytes=plan["bytes"],
        partitions=tuple(plan["snapshot"]),
        units=tuple(
            _unit(unit, "done already" if number < reached else "planned", told)
            for number, (unit, told) in enumerate(zip(plan["units"], by_unit, strict=True))
        ),
        **more,
    )


def _unit(unit: Line, otherwise: str, lines: Sequence[Line]) -> UnitOutcome:
    """The unit by its last line; without one it is as `otherwise` says."""
    last = lines[-1] if lines else None
    ids = [line["query_id"] for line in lines if "query_id" in line]
    state = ("failed" if last["kind"] == "failed" else last["state"]) if last else otherwise
    return UnitOutcome(
        label=unit["label"],
        undo=unit["undo"],
        planned_rows=unit["rows"],
        state=state,
        rows=last.get("rows") if last else None,
        seconds=last.get("seconds") if last else None,
        query_id=ids[-1] if ids else "",
        ended=datetime.fromisoformat(last["time"]) if last else None,
    )
