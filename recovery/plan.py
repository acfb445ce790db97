"""The plan as a value: every action's units in order, with their statements, sizes, times, and what undoes each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recovery import positions, snapshot
from recovery.action import Action, Plan, Unit
from recovery.actions import ACTIONS
from recovery.census import Census
from recovery.deduplicate import Deduplicate
from recovery.ledger import Line
from recovery.phases import PHASES, Phase
from recovery.statements import Write
from recovery.warehouse import Warehouse
from recovery.workplace import Workplace

# The attempt's number in a snapshot's name is only known when the action begins.
ATTEMPT = "attempt"


@dataclass(frozen=True)
class Statement:
    """A writing statement with all names filled in, and its parameters as ClickHouse gets them."""

    name: str
    sql: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One unit. `rows` and `bytes` are estimates of what it writes or removes; `seconds` comes from the ledger's units of its
    kind, None where none was measured yet."""

    label: str
    rows: int
    bytes: int
    seconds: float | None
    undo: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class Stage:
    """One action: its plan, the statements of the snapshot that is taken first, and its steps."""

    phase: str
    plan: Plan
    snapshot: tuple[Statement, ...]
    steps: tuple[Step, ...]

    @property
    def texts(self) -> list[str]:
        """Each statement's text once, in order, without its comment."""
        every = [*self.snapshot, *(statement for step in self.steps for statement in step.statements)]
        return list(dict.fromkeys(re.sub(r"\A(--.*\n)*", "", statement.sql) for statement in every))

    @property
    def seconds(self) -> float | None:
        """Of all steps together, None where one of them was not measured yet."""
        known = [step.seconds for step in self.steps if step.seconds is not None]
        return sum(known) if known and len(known) == len(self.steps) else None


@dataclass(frozen=True)
class Rate:
    """What the units of one kind took: rows and seconds in all, and how many they were."""

    rows: int
    seconds: float
    units: int

    def of(self, rows: int) -> float:
        """Seconds for `rows`; where no rows were counted, those of a unit."""
        return self.seconds * rows / self.rows if self.rows else self.seconds / self.units


def stages(place: Workplace) -> list[Stage]:
    """What is left to do, action by action. The deduplication is planned for the table as the backfill will leave it.

    Nothing is written. Raises what the actions' own planning raises: a service or the server that cannot be reached.
    """
    measured = rates(place.ledger.lines())
    return [
        _stage(place, phase, ACTIONS[name], measured)
        for phase in PHASES
        if phase.applies(place.incident) and (name := phase.action_for(place.incident))
    ]


def rates(lines: Sequence[Line]) -> dict[tuple[str, str], Rate]:
    """(action, kind of unit) → what the ledger's finished units of that kind took."""
    kinds: dict[tuple[str, str], str] = {}
    found: dict[tuple[str, str], Rate] = {}
    for line in lines:
        if line["kind"] == "started":
            kinds |= {(line["action"], unit["label"]): unit["kind"] for unit in line["plan"]["units"]}
        elif line["kind"] == "unit" and line["state"] == "done" and (line["action"], line["unit"]) in kinds:
            key = line["action"], kinds[line["action"], line["unit"]]
            before = found.get(key, Rate(0, 0.0, 0))
            found[key] = Rate(before.rows + line["rows"], before.seconds + line["seconds"], before.units + 1)
    return found


def _stage(place: Workplace, phase: Phase, action: Action, measured: dict[tuple[str, str], Rate]) -> Stage:
    if isinstance(action, Deduplicate):
        plan = action.plan_for(place, Census.take(place.warehouse).once_backfilled())
    else:
        plan = action.plan(place)
    return staged(place, phase, action, plan, measured)


def staged(
    place: Workplace, phase: Phase, action: Action, plan: Plan, measured: Mapping[tuple[str, str], Rate] | None = None
) -> Stage:
    """A plan with its statements."""
    taken: tuple[Statement, ...] = ()
    if plan.units and plan.snapshot:
        home = positions.at(place) if phase.section else place
        held = {row["partition_id"] for row in home.warehouse.ask_again("rows_of").rows}
        name = snapshot.name_of(home, phase.name, ATTEMPT)
        writes = snapshot.writes(home.warehouse, name, [each for each in plan.snapshot if each in held])
        taken = tuple(_statement(home.warehouse, write) for write in writes)
    return Stage(phase.name, plan, taken, tuple(_step(place, action, unit, measured or {}) for unit in plan.units))


def _statement(warehouse: Warehouse, write: Write) -> Statement:
    """A statement as it would be sent; on a cluster, where none was ever sent, ClickHouse's parser has to take it."""
    sql, bound = warehouse.composed(write)
    if warehouse.incident.cluster:
        warehouse.ask("parsed", statement=sql)
    return Statement(write.name, sql, bound)


def _step(place: Workplace, action: Action, unit: Unit, measured: Mapping[tuple[str, str], Rate]) -> Step:
    rate = measured.get((action.name, unit.kind))
    statements = [_statement(place.warehouse, write) for write in action.writes(place, unit)]
    return Step(unit.label, unit.rows, unit.bytes, rate.of(unit.rows) if rate else None, unit.undo, tuple(statements))
