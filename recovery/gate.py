"""Gate: may an action happen? Only on complete, whole and recent evidence of the state that the server is in now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from recovery.evidence import judge
from recovery.incident import Incident
from recovery.ledger import Ledger
from recovery.phases import BY_NAME, Phase

Line = Mapping[str, Any]


@dataclass(frozen=True)
class State:
    """What holds now: the clock, the fingerprint of the window, the installation."""

    now: datetime
    fingerprint: str
    installation: str


def reasons_to_refuse(phase: Phase, incident: Incident, ledger: Ledger, state: State) -> list[str]:
    """Why the action of `phase` may not happen, a sentence each; empty when the gate is open."""
    fault = ledger.fault()
    if fault:
        return [f"the ledger's chain is broken: {fault}"]
    lines = ledger.lines()
    reasons: list[str] = []
    for name in phase.after:
        reasons += _not_go(BY_NAME[name], phase, incident, lines, state)
    return reasons


def _not_go(phase: Phase, acting: Phase, incident: Incident, lines: Sequence[Line], state: State) -> list[str]:
    """Why `phase` is not GO by its last run; a later run replaces an earlier one, better or worse."""
    command = f"run pytest -m {phase.name}"
    run = next((r for r in reversed(lines) if r["kind"] == "run" and phase.name in r["phases"]), None)
    if run is None:
        return [f"{phase.name} has no evidence; {command}"]
    finished = next(
        (r for r in lines if r["kind"] == "finished" and r["run"] == run["run"] and r["phase"] == phase.name), None
    )
    if finished is None:
        return [f"the last run of {phase.name} did not end; {command}"]
    if finished["dry"]:
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
    if not reasons:
        seen = sorted({r["fingerprint"] for r in evidence})
        lost = [
            why for f in seen if (why := _lost(f, run["seq"], lines, acting.action_for(incident), state.fingerprint))
        ]
        reasons += [f"the window was {why} since {phase.name} was asked; {command}" for why in lost[:1]]
    return [reason if command in reason else f"{reason}; {command}" for reason in reasons]


def _incomplete(phase: Phase, incident: Incident, evidence: Sequence[Line]) -> list[str]:
    """What the phase's roster lacks in this evidence."""
    reasons = []
    roster = phase.roster(incident)
    if not roster:
        return [f"{phase.name} has no checks yet"]
    for check in roster:
        found = [r for r in evidence if r["check"] == check]
        if not found:
            reasons.append(f"{phase.name}: {check} was not asked")
        for record in found:
            wrong = judge(record)
            if record["outcome"] != "passed" and not wrong:
                wrong = [f"it {record['outcome']}"]
            if wrong:
                reasons.append(f"{phase.name}: {check} is NO-GO: {'; '.join(wrong)}")
    if len(reasons) > 3:
        reasons = [*reasons[:3], f"{phase.name}: {len(reasons) - 3} more checks are missing or NO-GO"]
    return reasons


def _lost(fingerprint: str, since: int, lines: Sequence[Line], acting: str | None, now: str) -> str:
    """What ended evidence of the state `fingerprint`; empty where the suite's own recorded actions alone lead to `now`.

    The action that is `acting`, begun and not ended, is being resumed: what it did so far is its own. A restore
    leads back to a state that was left, never on to one that the evidence has not seen.
    """
    path = [fingerprint]
    open_action: Line | None = None
    for line in lines:
        if line["seq"] < since:
            continue
        if line["kind"] == "started" and line["action"] == acting:
            open_action = line
        elif line["kind"] == "done":
            if line["action"] == acting:
                open_action = None
            if line["before"] == path[-1]:
                path.append(line["after"])
        elif line["kind"] == "restored":
            open_action = None
            if line["after"] not in path:
                return "restored to an earlier state"
            path = path[: path.index(line["after"]) + 1]
    if path[-1] == now or (open_action is not None and open_action["before"] == path[-1]):
        return ""
    return "written to, not by this suite,"
