"""Action, and run(): gate, snapshot, act in units, verify, record."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from recovery import export, fingerprint, gate, positions, progress, snapshot, staging, throttle, writer
from recovery.alone import alone
from recovery.errors import ActionFailed, GateClosed, RecoveryError
from recovery.incident import Incident
from recovery.ledger import Line
from recovery.lock import Lock
from recovery.phases import BY_NAME, Phase
from recovery.statements import Write
from recovery.warehouse import Warehouse
from recovery.workplace import Workplace, who

MERGING = 2  # OPTIMIZE is refused unless twice the bytes of the parts that it merges are free


@dataclass(frozen=True)
class Unit:
    """A part of an action that can be named, repeated and stopped. `rows` and `bytes` (to be written to disk) are
    estimates, `undo` a sentence; `counted` says that what is left of it are rows that it writes or removes."""

    label: str
    kind: str
    undo: str
    rows: int = 0
    values: Mapping[str, Any] = field(default_factory=dict)
    bytes: int = 0
    counted: bool = True


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
    """One of the recovery's actions. Looking is done by `plan` and `left`, acting by `do` alone."""

    name: str
    removes: bool  # whether rows of the window go for good

    def plan(self, place: Workplace) -> Plan:
        """What is left to do; a plan without units when there is nothing."""

    def refusals(self, place: Workplace) -> list[str]:
        """What on the server, as it is now, makes the action unsafe, a phrase each; no override passes this."""

    def left(self, place: Workplace, plan: Plan, unit: Unit) -> int:
        """How much of the unit the server shows as still to do, in rows where the unit is counted; 0 when it is done."""

    def writes(self, place: Workplace, unit: Unit) -> list[Write]:
        """The statements of the unit, in order; none where it is not done by statements."""

    def do(self, place: Workplace, plan: Plan, unit: Unit, label: str) -> None:
        """Do the unit. `label` begins the query ids of its statements."""

    def verify(self, place: Workplace, plan: Plan, since: Line | None) -> list[str]:
        """What is not as planned, a sentence each; empty when all is. `since` is the ledger's line of the action that wrote the
        right rows, this one or one before it."""


def run(action: Action, phase: Phase, place: Workplace, *, override: str | None = None) -> Plan:
    """Carry out `phase`'s action and return the plan that it followed.

    Raises GateClosed when the evidence does not allow it or another runner acts, ActionFailed when it stopped; the ledger
    says where.
    """
    with alone(place, action.name) as held:
        return _run(action, phase, place, held, override)


def _run(action: Action, phase: Phase, place: Workplace, held: Lock, override: str | None) -> Plan:
    ledger, warehouse = place.ledger, place.warehouse
    warehouse.forget()  # what checks of this run were answered may be out of date
    home = positions.at(place) if phase.section else place  # where the table is that the action writes to
    before, held_before = _prints(place, phase)
    state = gate.State(place.now(), before, warehouse.installation, held_before)
    reasons = gate.reasons_to_refuse(phase, place.incident, ledger, state)
    if phase.after:
        reasons += writer.faults(place)
    if reasons and not override:
        raise GateClosed(action.name, reasons)
    if reasons:
        ledger.append("override", run=place.run, action=action.name, reason=override, who=who(), missing=reasons)
    if refusals := action.refusals(place):
        raise GateClosed(action.name, refusals)
    begun = unended(action.name, ledger.lines())
    plan = _plan_of(begun) if begun else action.plan(place)
    if not plan.units:
        return plan
    _require_disk(home, plan.action, max(plan.bytes, *map(_disk_of, plan.units)))
    if begun is None:
        attempt = uuid.uuid4().hex[:8]
        begun = ledger.append(
            "started", run=place.run, action=action.name, phase=phase.name, plan=plan.record(), before=before,
            snapshot=snapshot.name_of(home, phase.name, attempt) if plan.snapshot else None,
            who=who(), now=place.now().isoformat(), attempt=attempt,
            **({"positions_before": held_before} if phase.section else {}),
        )  # fmt: skip
    else:
        place.tell(f"{action.name}: resuming what began at {begun['time']}; the server is looked at first.")
        _require_quiet(home, action, begun)
    taken = _snapshot_first(home, plan, begun)
    if action.removes:
        export.before_removal(place, begun)
    for number in range(len(plan.units)):
        _do_unit(action, place, plan, begun, number, held)
    for worklist in {unit.values["worklist"] for unit in plan.units if "worklist" in unit.values}:
        for name in staging.tables(place, worklist):  # one that was not made to its end has another name
            snapshot.drop_table(warehouse, name)
    warehouse.forget()
    faults = action.verify(place, plan, _since(place, action, begun, taken))
    if taken and (fault := snapshot.fault(home, taken)):
        faults.append(fault)
    if faults:
        ledger.append("failed", run=place.run, action=action.name, reason="; ".join(faults))
        raise ActionFailed(
            f"{action.name} was carried out, but is not as planned: {'; '.join(faults)}. {_undo(place, begun)}"
        )
    ledger.append("done", run=place.run, action=action.name, phase=phase.name, before=begun["before"],
                  rows=sum(line["rows"] for line in _units(place, begun, "done")), plan=plan.record(),
                  snapshot=taken["name"] if taken else None, now=place.now().isoformat(),
                  **_left_with(place, phase, begun, taken))  # fmt: skip
    return plan


def _since(place: Workplace, action: Action, begun: Line, taken: Line | None) -> Line | None:
    """What the table is compared with after the action, as the checks that follow will: the last time that right rows were
    written, which is now where this action does it."""
    if action.name != BY_NAME["phase2"].action_for(place.incident):
        return baseline(place.incident, place.ledger.lines())
    return begun | {"snapshot": taken["name"]} if taken else None


def _prints(place: Workplace, phase: Phase) -> tuple[str, str]:
    """The fingerprints that the phase's evidence is bound to: of the window, and of the positions."""
    return (
        fingerprint.of_window(place.warehouse) if phase.after else "",
        positions.print_of(place.warehouse) if phase.section else "",
    )


def _left_with(place: Workplace, phase: Phase, begun: Line, taken: Line | None) -> dict[str, str]:
    """The fingerprints that an action ended with. One about the positions writes no fills, and without a snapshot no positions:
    what changed there meanwhile is another's, and not led on to."""
    if not phase.section:
        return {"after": _prints(place, phase)[0]}
    held = positions.print_of(place.warehouse) if taken else begun["positions_before"]
    return {"after": begun["before"], "positions_before": begun["positions_before"], "positions_after": held}


def _do_unit(action: Action, place: Workplace, plan: Plan, begun: Line, number: int, held: Lock) -> None:
    """One unit, unless the server shows that it is done; its end goes to the ledger, whatever it is."""
    unit, ledger = plan.units[number], place.ledger
    where = f"{action.name} {number + 1}/{len(plan.units)}"
    facts = {"run": place.run, "action": action.name, "unit": unit.label, "attempt": begun["attempt"]}
    label = f"{_label(place, action, begun)}{number + 1}-{uuid.uuid4().hex[:8]}"
    try:
        throttle.wait(place)
        clock = time.monotonic()
        held.require()
        _require_disk(place, plan.action, _disk_of(unit))
        left = action.left(place, plan, unit)
        if not left:
            place.tell(f"{where}: {unit.label} is done already")
            _record_found_done(place, begun, facts)
            return
        place.tell(f"{where}: {unit.label}")
        ledger.append("unit", **facts, state="started", query_id=label, left=left if unit.counted else 0,
                      version=version_now(place.warehouse))  # fmt: skip
        problem = ""
        try:
            action.do(place, plan, unit, label)
        except RecoveryError as error:
            problem = str(error).rstrip(".")
        place.warehouse.forget()
        _require_done(action, place, plan, unit, label, problem)
    except (RecoveryError, KeyboardInterrupt) as error:
        reason = str(error) or "interrupted"
        ledger.append("failed", run=place.run, action=action.name, unit=unit.label, reason=reason)
        if isinstance(error, KeyboardInterrupt):
            raise
        raise ActionFailed(
            f"{action.name} stopped at {unit.label}, {number} of {len(plan.units)} units done: "
            f"{reason.rstrip('.')}. Run it again to go on from there. {_undo(place, begun)}"
        ) from None
    if problem:
        place.tell(f"  {problem}; the server shows that it is done all the same")
    begun_with = next(line["left"] for line in _units(place, begun, "started") if line["unit"] == unit.label)
    rows, seconds = begun_with, round(time.monotonic() - clock, 3)  # what an interrupted run did of it counts too
    ledger.append("unit", **facts, state="done", query_id=label, rows=rows, seconds=seconds,
                  version=version_now(place.warehouse))  # fmt: skip
    _tell_progress(place, plan, begun, number)


def _require_done(action: Action, place: Workplace, plan: Plan, unit: Unit, label: str, problem: str) -> None:
    """The server shows that a unit that was sent is done; raises ActionFailed, with the truth about the server, where it
    does not or cannot be asked. `problem` is what its statement ended with."""
    try:
        running = _running(place, label)
        left = action.left(place, plan, unit)
    except RecoveryError as error:
        if not problem:
            raise
        raise ActionFailed(f"{problem}; what became of it is not known ({str(error).rstrip('.')})") from None
    if problem and running:
        raise ActionFailed(f"{problem}; its statement is still running on the server")
    if problem and left:
        raise ActionFailed(f"{problem}; the server shows it as not done")
    if left:
        raise ActionFailed(f"{unit.label} was executed, and the server does not show it as done")


def _record_found_done(place: Workplace, begun: Line, facts: Mapping[str, Any]) -> None:
    """A unit that an interrupted run began and the server shows as done gets its end in the ledger, once."""
    started = [line for line in _units(place, begun, "started") if line["unit"] == facts["unit"]]
    if started and not any(line["unit"] == facts["unit"] for line in _units(place, begun, "done")):
        place.ledger.append("unit", **facts, state="done", query_id=started[-1]["query_id"], rows=started[0]["left"],
                            seconds=0.0, found=True, version=version_now(place.warehouse))  # fmt: skip


def _units(place: Workplace, begun: Line, state: str) -> list[Line]:
    """The ledger's lines of the attempt's units in a state."""
    lines = place.ledger.lines()
    units = [line for line in lines if line["kind"] == "unit" and line["state"] == state]
    return [line for line in units if line["attempt"] == begun["attempt"]]


def _tell_progress(place: Workplace, plan: Plan, begun: Line, number: int) -> None:
    done = _units(place, begun, "done")
    rows, spent = sum(line["rows"] for line in done), sum(line["seconds"] for line in done)
    took = {line["unit"]: line["seconds"] for line in done if not line.get("found")}
    ended = [unit.label for unit in plan.units[: number + 1]]
    left = progress.left_of(plan.record()["units"], took, ended)
    rate = f", {rows / spent:,.0f} rows/s" if spent and rows else ""
    place.tell(f"  {rows:,} rows{rate}, {left}, {free_disk(place) / 2**30:,.1f} GiB free")


def _require_quiet(place: Workplace, action: Action, begun: Line) -> None:
    """Nothing of the interrupted attempt is going on any more; raises ActionFailed where something is."""
    if running := _running(place, _label(place, action, begun)):
        raise ActionFailed(
            f"{action.name}: {running} of its statements from before the interruption are still running on the server; "
            "nothing was sent. Run it again when they have ended"
        )
    table = place.incident.table
    for second in range(place.incident.gates.merge_seconds):
        pending = place.warehouse.ask_again("mutations", database=table.database, table=table.name).rows
        if not pending:
            return
        if pending[0]["latest_fail_reason"] or pending[0]["is_killed"]:
            break
        if not second:
            place.tell("waiting for a mutation from before the interruption")
        place.sleep(1)
    raise ActionFailed(
        f"{action.name}: the mutation {pending[0]['mutation_id']} is not done on the server "
        f"({pending[0]['latest_fail_reason'] or 'no reason given'}); nothing was sent. Have it ended, then run it again"
    )


def version_now(warehouse: Warehouse) -> int:
    """The version that a row written now would get: a restore tells by it what the suite wrote."""
    return int(warehouse.ask_again("version_now").first["version"])


def _running(place: Workplace, label: str) -> int:
    return int(place.warehouse.ask_again("running", label=label).first["running"])


def _label(place: Workplace, action: Action, begun: Line) -> str:
    """What the query ids of one attempt of an action begin with."""
    return f"recovery-{place.incident.id}-{action.name}-{begun['attempt']}-"


def _snapshot_first(place: Workplace, plan: Plan, begun: Line) -> Line | None:
    """The snapshot of `begun`, taken now unless the ledger says that it was taken before the first unit."""
    base, lines = begun["snapshot"], place.ledger.lines()
    if not base:
        return None
    if taken := snapshot.proven(lines, base):
        return taken
    fresh = all(line["kind"] == "announced" for line in lines if line["seq"] > begun["seq"])
    try:
        return snapshot.take(place, base if fresh else f"{base}_{uuid.uuid4().hex[:4]}", plan.snapshot, base=base)
    except RecoveryError as error:
        place.ledger.append("failed", run=place.run, action=plan.action, reason=str(error))
        raise ActionFailed(
            f"{plan.action}: the snapshot could not be taken: {str(error).rstrip('.')}. Nothing was changed; run it again"
        ) from None


def unended(action: str, lines: list[Line]) -> Line | None:
    """The start of this action that has no end yet, to be resumed."""
    begun = None
    for line in lines:
        if line["kind"] == "started" and line["action"] == action:
            begun = line
        elif line["kind"] in ("done", "restored") and line.get("action", action) == action:
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


def baseline(incident: Incident, lines: list[Line]) -> Line | None:
    """The last time that right rows were written, by a backfill or into a shadow, with what the table held before."""
    return last_done(BY_NAME["phase2"].action_for(incident) or "", lines)


def _plan_of(begun: Line) -> Plan:
    raw = dict(begun["plan"])
    units = tuple(Unit(**unit) for unit in raw.pop("units"))
    return Plan(units=units, snapshot=tuple(raw.pop("snapshot")), **raw)


def free_disk(place: Workplace) -> int:
    """Bytes that are free on the fullest disk of the server's table."""
    table = place.incident.table
    return int(place.warehouse.ask_again("disk", database=table.database, table=table.name).first["free"])


def _disk_of(unit: Unit) -> int:
    """Bytes of disk that must be free for a unit."""
    return unit.bytes * (MERGING if unit.kind in ("merge", "optimize") else 1)


def _require_disk(place: Workplace, action: str, needed: int) -> None:
    free = free_disk(place)
    if free < needed:
        raise ActionFailed(
            f"{action} needs about {needed:,} bytes and {free:,} are free; free some, then run it again."
        )


def _undo(place: Workplace, begun: Line) -> str:
    taken = snapshot.proven(place.ledger.lines(), begun["snapshot"] or "")
    if taken is None:
        return ""
    return f"To take it back: python -m scripts.rollback --restore {taken['name']} --execute, with this run's options"
