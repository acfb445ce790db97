"""Gate: may an action happen? Only on complete, whole and recent evidence of the state that the server is in now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from recovery import checklist
from recovery.evidence import GO, judge
from recovery.incident import Incident
from recovery.ledger import Ledger
from recovery.phases import BY_NAME, Phase

Line = Mapping[str, Any]

# What the gate reads of a line, by the line's kind.
READ: Mapping[str, Mapping[str, type]] = {
    "run": {"run": str, "phases": list, "now": str, "digest": str, "installation": str},
    "evidence": {"run": str, "phases": list, "check": str, "outcome": str, "fingerprint": str},
    "finished": {"run": str, "phase": str, "verdict": str, "dry": bool},
    "started": {"action": str, "before": str},
    "done": {"action": str, "before": str, "after": str},
    "restored": {"after": str},
    "tick": {"item": str, "undone": bool},
}
STEPS = ("started", "done", "restored")


@dataclass(frozen=True)
class State:
    """What holds now: the clock, the fingerprint of the window, the installation, the fingerprint of the positions."""

    now: datetime
    fingerprint: str
    installation: str
    positions: str = ""


def reasons_to_refuse(phase: Phase, incident: Incident, ledger: Ledger, state: State) -> list[str]:
    """Why the action of `phase` may not happen, a sentence each; empty when the gate is open."""
    fault = ledger.fault()
    if fault:
        return [f"the ledger's chain is broken: {fault}"]
    lines = ledger.lines()
    if unreadable := _unreadable(lines):
        return [unreadable]
    reasons: list[str] = []
    for name in phase.after:
        if not BY_NAME[name].applies(incident):
            continue
        reasons += _not_go(BY_NAME[name], phase, incident, lines, state)
    for item in checklist.lacking(incident, (phase.name, phase.stands_before), lines):
        said = incident.checklist[item].text
        reasons.append(f"{item} is not ticked ({said}); when it is so, run python -m scripts.ledger tick {item}")
    return reasons


def _unreadable(lines: Sequence[Line]) -> str:
    """Why what the ledger says cannot be known; empty when each line has what is read of it."""
    for number, line in enumerate(lines, 1):
        kind = line.get("kind")
        known = READ.get(kind, {}) if isinstance(kind, str) else {"kind": str}
        lacking = [key for key, needed in known.items() if type(line.get(key)) is not needed]
        if kind == "run" and not lacking and _moment(line["now"]) is None:
            lacking = ["now"]
        if lacking:
            return (
                f"line {number} of the ledger ({kind}) has no {', no '.join(lacking)} that can be read; find out what "
                "happened to the file, or begin a new one with --ledger"
            )
    return ""


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment


def _not_go(phase: Phase, acting: Phase, incident: Incident, lines: Sequence[Line], state: State) -> list[str]:
    """Why `phase` is not GO by its last run; a later run replaces an earlier one, better or worse."""
    command = f"run pytest -m {phase.name}"
    run = next((r for r in reversed(lines) if r["kind"] == "run" and phase.name in r["phases"]), None)
    if run is None:
        return [f"{phase.name} has no evidence; {command}"]
    finished = [r for r in lines if r["kind"] == "finished" and r["run"] == run["run"] and r["phase"] == phase.name]
    if not finished:
        return [f"the last run of {phase.name} did not end; {command}"]
    if any(r["dry"] for r in finished):
        return [f"the last run of {phase.name} only showed its plan; {command} --execute"]
    if run["digest"] != incident.digest:
        return [f"{phase.name} was asked with another incident file or other statements; {command}"]
    if run["installation"] != state.installation:
        return [f"{phase.name} was asked on another server or table; {command}"]
    age = state.now - datetime.fromisoformat(run["now"])
    limit = timedelta(hours=incident.gates.evidence_hours)
    if age < timedelta(0):
        return [f"the evidence of {phase.name} is from {run['now']}, which is later than now; {command}"]
    if age > limit:
        return [f"the evidence of {phase.name} is {age} old, allowed {limit}; {command}"]
    evidence = [r for r in lines if r["kind"] == "evidence" and r["run"] == run["run"] and phase.name in r["phases"]]
    reasons = _incomplete(phase, incident, evidence)
    if not reasons and any(r["verdict"] != GO for r in finished):
        reasons = [f"the last run of {phase.name} ended NO-GO"]
    if not reasons:
        steps, action = [r for r in lines if r["kind"] in STEPS], acting.action_for(incident)
        seen = sorted({(r["fingerprint"], r["seq"]) for r in evidence})
        lost = [why for f, seq in seen if (why := _lost(f, seq, steps, action, state.fingerprint))]
        reasons += [f"the window was {why} since {phase.name} was asked; {command}" for why in lost[:1]]
        if phase.section:
            seen = sorted({(str(r.get("positions", "")), r["seq"]) for r in evidence})
            lost = [why for f, seq in seen if (why := _lost(f, seq, _of_positions(steps), action, state.positions))]
            reasons += [f"the positions were {why} since {phase.name} was asked; {command}" for why in lost[:1]]
    return [reason if command in reason else f"{reason}; {command}" for reason in reasons]


def _incomplete(phase: Phase, incident: Incident, evidence: Sequence[Line]) -> list[str]:
    """What the phase's roster lacks in this evidence, and what else in it is not GO."""
    reasons = []
    roster = phase.roster(incident)
    if not roster:
        return [f"{phase.name} has no checks yet"]
    for check in dict.fromkeys([*roster, *(r["check"] for r in evidence)]):
        found = [r for r in evidence if r["check"] == check]
        if not found:
            reasons.append(f"{phase.name}: {check} was not asked")
        for record in (r for r in found if not phase.waits(r)):
            wrong = judge(record)
            if record["outcome"] != "passed" and not wrong:
                wrong = [f"it {record['outcome']}"]
            if wrong:
                reasons.append(f"{phase.name}: {check} is NO-GO: {'; '.join(wrong)}")
    if len(reasons) > 3:
        reasons = [*reasons[:3], f"{phase.name}: {len(reasons) - 3} more checks are missing or NO-GO"]
    return reasons


def _of_positions(steps: Sequence[Line]) -> list[Line]:
    """The steps that were about the positions, with their fingerprints in place of the window's."""
    return [
        {**line, "before": line["positions_before"], "after": line.get("positions_after", "")}
        for line in steps
        if "positions_before" in line
    ]


def _lost(fingerprint: str, since: int, steps: Sequence[Line], acting: str | None, now: str) -> str:
    """What ended evidence of the state `fingerprint`, which stands in line `since`; empty where the suite's own recorded
    actions since then alone lead to `now`.

    The action that is `acting`, begun and not ended, is being resumed: what it did so far is its own. A restore
    leads back to a state that was left, never on to one that the evidence has not seen.
    """
    path = [fingerprint]
    begun: dict[str, Line] = {}  # actions that have no end yet
    for line in steps:
        if line["seq"] < since:
            continue
        if line["kind"] == "started":
            begun[line["action"]] = line
        elif line["kind"] == "done":
            begun.pop(line["action"], None)
            if line["before"] == path[-1]:
                path.append(line["after"])
        elif line["kind"] == "restored":
            begun.clear()
            if line["after"] not in path:
                return "restored to an earlier state"
            path = path[: path.index(line["after"]) + 1]
    half_done = {name: line for name, line in begun.items() if line["before"] == path[-1]}
    if path[-1] == now or acting in half_done:
        return ""
    for name, line in half_done.items():
        phase = line.get("phase")
        how = f"pytest -m {phase} --execute" if phase in BY_NAME else "its command, run again,"
        return f"left half-way by {name}, which {how} ends,"
    return "written to, not by this suite,"
