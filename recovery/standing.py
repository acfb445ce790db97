"""Standing: what holds of each phase now, by the ledger alone: the verdict of its last run, unless something ended that since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recovery.clear import PHASE as OPTION_2
from recovery.errors import ActionFailed, GateClosed
from recovery.evidence import GO, NO_GO, judge
from recovery.ledger import Line
from recovery.phases import BY_NAME, PHASES, Phase

STOPPED, UNFINISHED = "STOPPED", "NOT ENDED"
NOT_ASKED, TAKEN_BACK, OUT_OF_DATE, PLAN = "NOT ASKED", "TAKEN BACK", "OUT OF DATE", "PLAN"
TO_COME = (NOT_ASKED, PLAN)
FIRST_OF_THE_DATA = "phase2"  # the first phase that a restore concerns

ORDER: Mapping[str, int] = {phase.name: number for number, phase in enumerate(PHASES)}
_OF_ACTIONS: Mapping[str, int] = {
    action: ORDER[phase.name] for phase in PHASES for action in (phase.action, phase.swapping) if action
}


def of(lines: Sequence[Line], names: Sequence[str]) -> dict[str, str]:
    """Each of these phases with GO, NO-GO, PLAN, STOPPED, NOT ENDED, NOT ASKED, TAKEN BACK or OUT OF DATE."""
    runs = [line for line in lines if line["kind"] == "run"]
    ends = {(line["run"], line["phase"]): line for line in lines if line["kind"] == "finished"}
    evidence: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        if line["kind"] == "evidence":
            for phase in line["phases"]:
                evidence.setdefault((line["run"], phase), []).append(line)
    changes = changes_of(lines)
    found = {}
    for name in names:
        run = next((line for line in reversed(runs) if name in line["phases"]), None)
        end = ends.get((run["run"], name)) if run else None
        if run is None:
            found[name] = NOT_ASKED
        elif end is None:
            found[name] = UNFINISHED
        else:
            verdict = _verdict(end, evidence.get((run["run"], name), []))
            if verdict == GO and any(run[key] != runs[-1][key] for key in ("digest", "installation")):
                verdict = OUT_OF_DATE
            found[name] = _since(BY_NAME[name], end["seq"], changes) or verdict if verdict == GO else verdict
    return found


def _verdict(end: Line, evidence: Sequence[Line]) -> str:
    """The recorded verdict, unless the phase stopped, or its evidence does not carry a GO."""
    if is_stopped(end):
        return STOPPED
    asked = [line for line in evidence if not BY_NAME[end["phase"]].waits(line)]
    if any(judge(line) or line["outcome"] != "passed" for line in asked):
        return NO_GO
    if end["verdict"] == GO and not len(asked) >= end["required"] > 0:
        return NO_GO
    return str(end["verdict"])


def is_stopped(end: Line) -> bool:
    """Whether a phase ended at a closed gate or with a failed action."""
    return any(problem["code"] in (GateClosed.exit_code, ActionFailed.exit_code) for problem in end.get("problems", ()))


def changes_of(lines: Sequence[Line]) -> list[Line]:
    """What changed the data or may have: restores, those that have no end too, actions that left other data than they found,
    and actions that have no end."""
    kept = {line["kept"] for line in lines if line["kind"] == "restored"}
    ended = {line["seq"] for line in _ended(lines)}
    changed = []
    for line in lines:
        kind = line["kind"]
        if (
            kind == "restored"
            or (kind == "restoring" and line["kept"] not in kept)
            or (kind == "done" and _differs(line))
            or (kind == "started" and line["before"] and line["seq"] not in ended)
        ):
            changed.append(line)
    return changed


def _ended(lines: Sequence[Line]) -> list[Line]:
    """The starts of actions that have an end, or were taken back."""
    begun: dict[str, Line] = {}
    ended = []
    for line in lines:
        if line["kind"] == "started":
            begun[line["action"]] = line
        elif line["kind"] == "done" and line["action"] in begun:
            ended.append(begun.pop(line["action"]))
        elif line["kind"] == "restored":
            ended += begun.values()
            begun.clear()
    return ended


def _differs(done: Line) -> bool:
    """Whether an action left the window or the positions other than it found them."""
    return bool(done["before"] != done["after"] or done.get("positions_before", "") != done.get("positions_after", ""))


def _since(phase: Phase, since: int, changes: Sequence[Line]) -> str:
    """What a phase that was GO in line `since` is after the changes; empty where it still is."""
    here = ORDER[phase.name]
    for line in changes:
        if line["seq"] < since:
            continue
        if line["kind"] in ("restored", "restoring"):
            undone = line.get("undoes", [])
            if {phase.action, phase.swapping} & set(undone):
                return TAKEN_BACK
            first = min(
                (_OF_ACTIONS[action] for action in undone if action in _OF_ACTIONS), default=ORDER[FIRST_OF_THE_DATA]
            )
            if here >= first:
                return OUT_OF_DATE
        elif line["action"] == OPTION_2.action:
            if here >= ORDER[OPTION_2.stands_before]:
                return OUT_OF_DATE
        elif line["action"] in _OF_ACTIONS and _OF_ACTIONS[line["action"]] < here + (line["kind"] == "started"):
            return OUT_OF_DATE
    return ""
