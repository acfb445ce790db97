"""Dossier: what the ledger says of the whole recovery, over all runs, attempts and operators, as values that a page is made from.

It reads the ledger's lines and nothing else: no server, no clock, no file beside it, so that it can be made again in a year.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from recovery import checklist, standing
from recovery.errors import GateClosed, UsageError
from recovery.evidence import GO
from recovery.ledger import Line
from recovery.phases import PHASES
from reports import story, timeline
from reports.story import UNFINISHED, ActionOutcome, CheckOutcome, Override, PhaseOutcome, Run, moment
from reports.timeline import person

RECOVERED, NOT_RECOVERED, UNDER_WAY, TAMPERED = "RECOVERED", "NOT RECOVERED", "UNDER WAY", "NOT PROVED"
CRITERION = "test_criterion_"
COMPARED_WITH_THE_WORLD = "test_a_subject_agrees_with_the_data_api"
BACKFILLS = ("backfill", "build")
# Figures of the table that are no fault where they are not zero, but that somebody has to know of.
REMAINING = (
    "broken rows",
    "duplicates",
    "rows in quarantine",
    "broken rows of other sources",
    "broken rows outside the window",
)


@dataclass(frozen=True)
class Attempt:
    """One run of a phase: times in UTC, sizes in rows."""

    run: str
    mode: str
    who: str
    began: datetime
    ended: datetime
    verdict: str
    rows_read: int
    written: int
    why: tuple[str, ...]


@dataclass(frozen=True)
class PhaseStory:
    """A phase over all its runs. `state` is what holds of it now; `last` its last run, where it has one; `planned` its start and
    end in the plan, `minutes` the least and the most that the plan gives it."""

    name: str
    title: str
    state: str
    attempts: tuple[Attempt, ...]
    last: PhaseOutcome | None
    minutes: tuple[int, int] | None = None
    planned: tuple[datetime, datetime] | None = None

    @property
    def began(self) -> datetime | None:
        return self.attempts[0].began if self.attempts else None

    @property
    def ended(self) -> datetime | None:
        return self.attempts[-1].ended if self.attempts else None

    @property
    def seconds(self) -> float:
        """Of all its runs together."""
        return sum((attempt.ended - attempt.began).total_seconds() for attempt in self.attempts)

    @property
    def by(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(attempt.who for attempt in self.attempts))


@dataclass(frozen=True)
class State:
    """The figures that one phase found. `at` is the time of the run's clock."""

    phase: str
    at: datetime
    seq: int
    table: Mapping[str, int] = field(default_factory=dict)
    days: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    shadow: str = ""
    positions: Mapping[str, float] = field(default_factory=dict)
    boards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Refusal:
    """A gate that stayed closed."""

    time: datetime
    phase: str
    who: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Gate:
    """A gate that let an action begin: open by its evidence, or passed by hand."""

    time: datetime
    action: str
    phase: str
    who: str
    by_hand: bool


@dataclass(frozen=True)
class Copy:
    """A snapshot and what became of it."""

    name: str
    time: datetime
    partitions: tuple[str, ...]
    rows: int
    fate: tuple[str, ...]


@dataclass(frozen=True)
class Item:
    """An item of the checklist: who ticked it last and when, or nobody."""

    name: str
    text: str
    before: str
    who: str
    time: datetime | None
    said: str

    @property
    def ticked(self) -> bool:
        return self.time is not None


@dataclass(frozen=True)
class Note:
    time: datetime
    who: str
    text: str
    learning: bool


@dataclass(frozen=True)
class Dossier:
    """The whole recovery. Times in UTC; `figures` in the order in which they were taken; `head` is the last line's SHA-256."""

    incident: str
    title: str
    table: str
    window: tuple[datetime, datetime] | None
    facts: Mapping[str, Any]
    file: str
    file_name: str
    statements: Mapping[str, str]
    phases: tuple[PhaseStory, ...]
    runs: tuple[Run, ...]
    environments: tuple[tuple[str, tuple[str, ...]], ...]
    figures: tuple[State, ...]
    actions: tuple[ActionOutcome, ...]
    copies: tuple[Copy, ...]
    exported: tuple[Line, ...]
    overrides: tuple[Override, ...]
    gates: tuple[Gate, ...]
    refusals: tuple[Refusal, ...]
    checklist: tuple[Item, ...]
    notes: tuple[Note, ...]
    events: tuple[timeline.Event, ...]
    announced: tuple[Line, ...]
    changed: int
    lines: int
    head: str
    began: datetime
    last: datetime
    redacted: str
    fault: str

    @property
    def told(self) -> tuple[PhaseStory, ...]:
        """The phases that were asked at least once."""
        return tuple(phase for phase in self.phases if phase.last)

    @property
    def stands_at(self) -> PhaseStory | None:
        """The phase that the recovery stands at: the first that went wrong or is so no longer, else the first to come; None where
        all are GO."""
        wrong = [phase for phase in self.phases if phase.state not in (GO, *standing.TO_COME)]
        return next((phase for phase in (*wrong, *self.phases) if phase.state != GO), None)

    @property
    def verdict(self) -> str:
        if self.fault:
            return TAMPERED
        at = self.stands_at
        if at is None:  # without the incident file nobody knows which phases there are
            return RECOVERED if self.facts else UNDER_WAY
        return UNDER_WAY if at.state in standing.TO_COME else NOT_RECOVERED

    @property
    def is_stale(self) -> bool:
        """Whether the table was changed since it was looked at last, or may have been."""
        seen = [state.seq for state in self.figures if state.table and not state.shadow]
        return bool(seen) and seen[-1] < self.changed

    @property
    def before(self) -> State | None:
        """What the live table was at first."""
        return next((state for state in self.figures if state.table and not state.shadow), None)

    @property
    def during(self) -> State | None:
        """What was looked at between the backfill and the deduplication, in a shadow where there is one."""
        seen = [state for state in self.figures if state.phase in ("phase2", "phase3") and state.table]
        return seen[-1] if seen else None

    @property
    def after(self) -> State | None:
        """What the live table was at last; None where it was looked at only once."""
        seen = [state for state in self.figures if state.table and not state.shadow]
        return seen[-1] if len(seen) > 1 else None

    def of(self, what: str) -> tuple[State, State] | None:
        """The first and the last figures of `positions` or `boards`; None where there are not two."""
        seen = [state for state in self.figures if getattr(state, what)]
        return (seen[0], seen[-1]) if len(seen) > 1 else None

    @property
    def criteria(self) -> tuple[CheckOutcome, ...]:
        """The checks that are criteria of success, as they were answered last."""
        checks = (check for phase in self.phases if phase.last for check in phase.last.checks)
        return tuple(each for each in checks if each.name.startswith(CRITERION) or each.name == COMPARED_WITH_THE_WORLD)

    @property
    def operators(self) -> dict[str, int]:
        """Who ran how many runs."""
        names = [run.who for run in self.runs]
        return {name: names.count(name) for name in dict.fromkeys(names)}

    @property
    def crashed(self) -> tuple[Run, ...]:
        """Runs whose end the ledger does not have."""
        return tuple(run for run in self.runs if any(phase.verdict == UNFINISHED for phase in run.phases))

    @property
    def open_items(self) -> tuple[Item, ...]:
        return tuple(item for item in self.checklist if not item.ticked)


def of(lines: Sequence[Line], fault: str = "") -> Dossier:
    """The dossier of a ledger's lines; `fault` is what breaks its chain. Raises UsageError where no run is in them."""
    begun = [line for line in lines if line["kind"] == "run"]
    if not begun:
        raise UsageError("The ledger has no run yet; there is nothing to tell.")
    own: dict[str, list[Line]] = {line["run"]: [] for line in begun}
    for line in lines:
        if line.get("run") in own:
            own[line["run"]].append(line)
    acts = story.by_action(lines)
    runs = tuple(story.of(line, own[line["run"]], acts, ledger="", fault=fault) for line in begun)
    digest = begun[-1]["digest"]
    read = next((line for line in reversed(lines) if line["kind"] == "incident" and line["digest"] == digest), None)
    facts = _facts(read)
    return Dossier(
        incident=begun[-1]["incident"],
        title=begun[-1].get("title", ""),
        table=begun[-1].get("table", ""),
        window=runs[-1].window,
        facts=facts,
        file=read["file"] if read else "",
        file_name=read["name"] if read else "",
        statements=read["statements"] if read else {},
        phases=_phases(runs, lines, facts),
        runs=runs,
        environments=_environments(begun),
        figures=tuple(_state(line) for line in lines if line["kind"] == "figures"),
        actions=story.attempts(acts),
        copies=_copies(lines),
        exported=tuple(line for line in lines if line["kind"] == "exported"),
        overrides=tuple(story.override(line) for line in lines if line["kind"] == "override"),
        gates=_gates(lines),
        refusals=_refusals(runs),
        checklist=_checklist(facts, lines),
        notes=tuple(
            Note(moment(line), person(line), line["text"], line["learning"]) for line in lines if line["kind"] == "note"
        ),
        events=timeline.of(lines),
        announced=tuple(line for line in lines if line["kind"] == "announced"),
        changed=max((line["seq"] for line in standing.changes_of(lines) if _concerns_the_table(line)), default=-1),
        lines=len(lines),
        head=lines[-1]["sha"],
        began=moment(lines[0]),
        last=moment(lines[-1]),
        redacted=next((line["of"] for line in reversed(lines) if line["kind"] == "redacted"), ""),
        fault=fault,
    )


def _facts(read: Line | None) -> Mapping[str, Any]:
    """The incident file's content; empty where the ledger has none that can be read."""
    try:
        return tomllib.loads(read["file"]) if read else {}
    except tomllib.TOMLDecodeError:
        return {}


def _phases(runs: Sequence[Run], lines: Sequence[Line], facts: Mapping[str, Any]) -> tuple[PhaseStory, ...]:
    """The phases that the incident has, and those that were asked all the same."""
    asked: dict[str, list[tuple[Run, PhaseOutcome]]] = {phase.name: [] for phase in PHASES}
    for run in runs:
        for outcome in run.phases:
            asked.setdefault(outcome.name, []).append((run, outcome))
    there = [
        phase for phase in PHASES
        if asked[phase.name] or (phase.checks and facts and (not phase.section or phase.section in facts))
    ]  # fmt: skip
    minutes = facts.get("plan", {}).get("minutes", {})
    states = standing.of(lines, [phase.name for phase in there])
    stories, planned = [], None
    for phase in there:
        attempts = tuple(_attempt(run, outcome) for run, outcome in asked[phase.name])
        took = tuple(minutes[phase.name]) if phase.name in minutes else None
        if took and (planned or attempts):
            starts = planned[1] if planned else attempts[0].began
            planned = (starts, starts + timedelta(minutes=took[1]))
        last = asked[phase.name][-1] if asked[phase.name] else None
        stories.append(
            PhaseStory(
                phase.name,
                phase.title,
                states[phase.name],
                attempts,
                last[1] if last else None,
                took,
                planned if took else None,
            )
        )
    return tuple(stories)


def _concerns_the_table(change: Line) -> bool:
    """Whether a change was one of the table, and not of the positions alone."""
    return change["kind"] != "done" or change["before"] != change["after"]


def _attempt(run: Run, outcome: PhaseOutcome) -> Attempt:
    why = [problem.sentence for problem in outcome.problems]
    why += [
        f"{check.title}{f' ({check.value})' if check.value else ''}: {'; '.join(check.faults)}"
        for check in outcome.faulty
    ]
    why += [f"{name} was not asked" for name in outcome.missing]
    if outcome.verdict == UNFINISHED:
        why.append("the run was cut off before this phase ended")
    before = [phase.ended for phase in run.phases[: run.phases.index(outcome)] if phase.ended]
    ended = outcome.ended or run.ended
    began = max([*before, ended - timedelta(seconds=outcome.seconds)]) if outcome.ended else run.began
    return Attempt(
        run.id, run.mode, run.who, began, ended, outcome.verdict, outcome.rows_read, outcome.written, tuple(why)
    )


def _state(line: Line) -> State:
    more = {name: line[name] for name in ("table", "days", "shadow", "positions", "boards") if name in line}
    return State(phase=line["phase"], at=datetime.fromisoformat(line["now"]), seq=line["seq"], **more)


def _environments(begun: Sequence[Line]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What the runs ran on: a name and its values, in the order in which they came up."""
    names = {
        "Server": "server", "ClickHouse": "version", "Time zone of the server": "zone", "Installation": "installation",
        "Operator and host": "who", "Suite": "suite", "Commit of the suite": "commit", "Python": "python",
        "clickhouse-connect": "driver", "Digest of incident and SQL": "digest",
    }  # fmt: skip
    return tuple(
        (name, tuple(dict.fromkeys(str(line[key]) for line in begun if line.get(key)))) for name, key in names.items()
    )


def _copies(lines: Sequence[Line]) -> tuple[Copy, ...]:
    fates: dict[str, list[str]] = {}
    for line in lines:
        if line["kind"] in ("restored", "dropped"):
            how = "brought back" if line["kind"] == "restored" else "given up"
            fates.setdefault(line.get("snapshot", ""), []).append(f"{how} by {line['who']}, {line['time'][:19]} UTC")
    return tuple(
        Copy(line["name"], moment(line), tuple(line["partitions"]), line["rows"], tuple(fates.get(line["name"], ())))
        for line in lines
        if line["kind"] == "snapshot"
    )


def _gates(lines: Sequence[Line]) -> tuple[Gate, ...]:
    by_hand = {(line["run"], line["action"]) for line in lines if line["kind"] == "override"}
    return tuple(
        Gate(moment(line), line["action"], line["phase"], line["who"], (line["run"], line["action"]) in by_hand)
        for line in lines
        if line["kind"] == "started"
    )


def _refusals(runs: Sequence[Run]) -> tuple[Refusal, ...]:
    return tuple(
        Refusal(run.ended, phase.name, run.who, problem.reasons or (problem.sentence,))
        for run in runs
        for phase in run.phases
        for problem in phase.problems
        if problem.code == GateClosed.exit_code
    )


def _checklist(facts: Mapping[str, Any], lines: Sequence[Line]) -> tuple[Item, ...]:
    known = facts.get("checklist", {})
    ticks = checklist.ticks({name: item.get("text", "") for name, item in known.items()}, lines)
    items = []
    for name, item in known.items():
        held = ticks.get(name)
        items.append(
            Item(
                name, item.get("text", ""), item.get("before", ""), person(held) if held else "",
                moment(held) if held else None, held.get("text", "") if held else "",
            )
        )  # fmt: skip
    return tuple(items)
