"""Action, and run(): gate, snapshot, act in units, verify, record."""

from __future__ import annotations

import getpass
import os
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from filelock import FileLock, Timeout

from recovery import fingerprint, gate, snapshot
from recovery.errors import ActionFailed, GateClosed, RecoveryError
from recovery.incident import Incident
from recovery.ledger import Ledger, Line
from recovery.phases import Phase
from recovery.statements import Write
from recovery.warehouse import Warehouse


@dataclass
class Workplace:
    """What an action works with. `now` and `sleep` are passed in, so that January can be replayed in any month."""

    incident: Incident
    warehouse: Warehouse
    ledger: Ledger
    run: str
    now: Callable[[], datetime]
    sleep: Callable[[float], None] = time.sleep
    tell: Callable[[str], None] = print


@dataclass(frozen=True)
class Unit:
    """A part of an action that can be named, repeated and stopped. `rows` and `bytes` (to be written to disk) are
    estimates, `undo` a sentence."""

    label: str
    kind: str
    undo: str
    rows: int = 0
    values: Mapping[str, Any] = field(default_factory=dict)
    bytes: int = 0


@dataclass(frozen=True)
class Plan:
    """An action as a value: what --execute will do, exactly. Sizes are estimates in rows and bytes.

    `facts` are the figures that later checks compare with what happened.
    """

    action: str
    sentence: str
    units: tuple[Unit, ...]
    rows: int = 0
    bytes: int = 0
    snapshot: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        return asdict(self)


class Action(Protocol):
    """One of the recovery's actions. Looking is done by `plan` and `is_done`, acting by `do` alone."""

    name: str

    def plan(self, place: Workplace) -> Plan:
        """What is left to do; a plan without units when there is nothing."""

    def refusals(self, place: Workplace) -> list[str]:
        """What on the server, as it is now, makes the action unsafe, a phrase each; no override passes this."""

    def is_done(self, place: Workplace, plan: Plan, unit: Unit) -> bool:
        """Whether the server shows that the unit is done."""

    def writes(self, place: Workplace, unit: Unit) -> list[Write]:
        """The statements of the unit, in order; none where it is not done by statements."""

    def do(self, place: Workplace, plan: Plan, unit: Unit, label: str) -> int:
        """Do the unit; returns the rows written or removed. `label` is the query id of its statement."""

    def verify(self, place: Workplace, plan: Plan) -> list[str]:
        """What is not as planned, a sentence each; empty when all is."""


def run(action: Action, phase: Phase, place: Workplace, *, override: str | None = None) -> Plan:
    """Carry out `phase`'s action and return the plan that it followed.

    Raises GateClosed when the evidence does not allow it, ActionFailed when it stopped; the ledger says where.
    """
    try:
        with FileLock(f"{place.ledger.path}.action", timeout=0):
            return _run(action, phase, place, override)
    except Timeout:
        raise GateClosed(
            action.name, [f"another run acts with the ledger {place.ledger.path}; wait for its end"]
        ) from None


def _run(action: Action, phase: Phase, place: Workplace, override: str | None) -> Plan:
    ledger, warehouse = place.ledger, place.warehouse
    warehouse.forget()  # what checks of this run were answered may be out of date
    before = fingerprint.of_window(warehouse) if phase.after else ""
    state = gate.State(place.now(), before, warehouse.installation)
    reasons = gate.reasons_to_refuse(phase, place.incident, ledger, state)
    if phase.after:
        reasons += _writer_is_wrong(place)
    if reasons and not override:
        raise GateClosed(action.name, reasons)
    if reasons:
        ledger.append("override", run=place.run, action=action.name, reason=override, who=who(), missing=reasons)
    if refusals := action.refusals(place):
        raise GateClosed(action.name, refusals)
    begun = _begun(action, ledger.lines())
    plan = _plan_of(begun) if begun else action.plan(place)
    if not plan.units:
        return plan
    _require_disk(place, plan)
    if begun is None:
        attempt = uuid.uuid4().hex[:8]
        begun = ledger.append(
            "started", run=place.run, action=action.name, phase=phase.name, plan=plan.record(), before=before,
            snapshot=snapshot.name_of(place, phase.name, attempt) if plan.snapshot else None,
            who=who(), now=place.now().isoformat(), attempt=attempt,
        )  # fmt: skip
    else:
        running = warehouse.ask_again("running", label=_label(place, action, begun)).first["running"]
        if running:
            raise ActionFailed(
                f"{action.name}: {running} of its statements from before the interruption are still running on the server; "
                "nothing was sent. Run it again when they have ended"
            )
        place.tell(f"{action.name}: resuming what began at {begun['time']}; the server is looked at first.")
    _snapshot_first(place, plan, begun)
    rows = _act(action, place, plan, begun)
    warehouse.forget()
    faults = action.verify(place, plan)
    if faults:
        ledger.append("failed", run=place.run, action=action.name, reason="; ".join(faults))
        raise ActionFailed(f"{action.name} was carried out, but is not as planned: {'; '.join(faults)}. {_undo(begun)}")
    after = fingerprint.of_window(warehouse) if phase.after else ""
    ledger.append("done", run=place.run, action=action.name, phase=phase.name, before=begun["before"], after=after,
                  rows=rows, plan=plan.record(), snapshot=begun["snapshot"])  # fmt: skip
    return plan


def _act(action: Action, place: Workplace, plan: Plan, begun: Line) -> int:
    """All units in order, those that the server shows as done left out; returns rows written or removed."""
    ledger = place.ledger
    total, clock = 0, time.monotonic()
    for number, unit in enumerate(plan.units, 1):
        label = f"{_label(place, action, begun)}{number}-{uuid.uuid4().hex[:8]}"
        try:
            _require_disk(place, plan)
            if action.is_done(place, plan, unit):
                place.tell(f"{action.name} {number}/{len(plan.units)}: {unit.label} is done already")
                continue
            place.tell(f"{action.name} {number}/{len(plan.units)}: {unit.label}")
            ledger.append("unit", run=place.run, action=action.name, unit=unit.label, state="started", query_id=label)
            unit_clock = time.monotonic()
            rows = action.do(place, plan, unit, label)
            place.warehouse.forget()
            if not action.is_done(place, plan, unit):
                raise ActionFailed(f"{unit.label} was executed, and the server does not show it as done")
        except (RecoveryError, KeyboardInterrupt) as error:
            reason = str(error) or "interrupted"
            ledger.append("failed", run=place.run, action=action.name, unit=unit.label, reason=reason)
            if isinstance(error, KeyboardInterrupt):
                raise
            raise ActionFailed(
                f"{action.name} stopped at {unit.label}, {number - 1} of {len(plan.units)} units done: "
                f"{reason.rstrip('.')}. Run it again to go on from there. {_undo(begun)}"
            ) from None
        total += rows
        spent = time.monotonic() - clock
        ledger.append("unit", run=place.run, action=action.name, unit=unit.label, state="done", query_id=label, rows=rows,
                      seconds=round(time.monotonic() - unit_clock, 3))  # fmt: skip
        left = (len(plan.units) - number) * spent / number
        rate = f", {total / spent:,.0f} rows/s" if spent and total else ""
        place.tell(f"  {total:,} rows{rate}, about {left:,.0f} s left, {free_disk(place) / 2**30:,.1f} GiB free")
    return total


def _label(place: Workplace, action: Action, begun: Line) -> str:
    """What the query ids of one attempt of an action begin with."""
    return f"recovery-{place.incident.id}-{action.name}-{begun['attempt']}-"


def _snapshot_first(place: Workplace, plan: Plan, begun: Line) -> None:
    """Take the snapshot that `begun` names, unless the ledger says that it was taken before the first unit."""
    lines = place.ledger.lines()
    if begun["snapshot"] and not any(
        line["kind"] == "snapshot" and line["name"] == begun["snapshot"] for line in lines
    ):
        snapshot.take(place, begun["snapshot"], plan.snapshot)


def _begun(action: Action, lines: list[Line]) -> Line | None:
    """The start of this action that has no end yet, to be resumed."""
    begun = None
    for line in lines:
        if line["kind"] == "started" and line["action"] == action.name:
            begun = line
        elif line["kind"] in ("done", "restored") and line.get("action", action.name) == action.name:
            begun = None
    return begun


def last_done(action: str, lines: list[Line]) -> Line | None:
    """The last time this action ended well and was not taken back."""
    done = None
    for line in lines:
        if line["kind"] == "done" and line["action"] == action:
            done = line
        elif line["kind"] == "restored" and action in line["undoes"]:
            done = None
    return done


def _plan_of(begun: Line) -> Plan:
    raw = dict(begun["plan"])
    units = tuple(Unit(**unit) for unit in raw.pop("units"))
    return Plan(units=units, snapshot=tuple(raw.pop("snapshot")), **raw)


def _writer_is_wrong(place: Workplace) -> list[str]:
    """Why the writer that still runs would beat the fix; an action never starts against it."""
    gates = place.incident.gates
    recent = place.warehouse.ask_again("recent", since=recent_since(place), now=place.now()).first
    if not recent["total"]:
        return ["no row of the writer is recent enough to say that it is right; run pytest -m phase1"]
    percent = 100 * recent["broken"] / (recent["total"] + recent["later"])
    if recent["later"]:
        return [
            f"the table holds {recent['later']:,} rows that are later than {place.now():%Y-%m-%d %H:%M:%S} UTC; correct --now"
        ]
    if percent > gates.recent_broken_percent:
        return [
            f"the writer is still wrong: {recent['broken']:,} of {recent['total']:,} recent rows are broken "
            f"({percent:.2f} %, allowed {gates.recent_broken_percent} %); run pytest -m phase1 --execute"
        ]
    return []


def recent_since(place: Workplace) -> datetime:
    """Rows since this moment say whether the writer is right: the deployment, but not longer ago than the gate says."""
    earliest = datetime.fromtimestamp(place.now().timestamp() - 60 * place.incident.gates.recent_minutes, UTC)
    deployed = [line for line in place.ledger.lines() if line["kind"] == "evidence" and "deployed" in line["found"]]
    if not deployed:
        return earliest
    return max(earliest, datetime.fromisoformat(deployed[-1]["found"]["deployed"]))


def free_disk(place: Workplace) -> int:
    """Bytes that are free on the fullest disk of the server's table."""
    table = place.incident.table
    return int(place.warehouse.ask_again("disk", database=table.database, table=table.name).first["free"])


def _require_disk(place: Workplace, plan: Plan) -> None:
    free = free_disk(place)
    if free < plan.bytes:
        raise ActionFailed(
            f"{plan.action} needs about {plan.bytes:,} bytes and {free:,} are free; free some, then run it again."
        )


def _undo(begun: Line) -> str:
    if not begun["snapshot"]:
        return ""
    return (
        f"To take it back: python -m scripts.rollback --restore {begun['snapshot']} --execute, with this run's options"
    )


def who() -> str:
    """Who runs this, for the ledger."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
