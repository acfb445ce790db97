"""Timeline: what happened, in order: the ledger's lines as sentences, but for those that are told elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from recovery.evidence import NO_GO
from recovery.ledger import Line
from recovery.standing import STOPPED, is_stopped
from reports.story import moment


@dataclass(frozen=True)
class Event:
    """One entry of the timeline; `seq` is its line in the ledger, from 0."""

    seq: int
    time: datetime
    who: str
    what: str
    kind: str
    bad: bool = False


def of(lines: Sequence[Line]) -> tuple[Event, ...]:
    return tuple(event for line in lines if (event := _event(line)))


def person(line: Line) -> str:
    """Who wrote a line, and for whom where that is somebody else."""
    return f"{line['by']}, written down by {line['who']}" if line.get("by") else str(line.get("who", ""))


def _event(line: Line) -> Event | None:
    """A line of the ledger as an entry of the timeline; None for what is told elsewhere, such as evidence and units."""
    told = _told(line)
    if told is None:
        return None
    no_go = line["kind"] == "finished" and line["verdict"] == NO_GO
    bad = no_go or line["kind"] in ("failed", "override") or bool(line.get("error"))
    return Event(line["seq"], moment(line), person(line), told, line["kind"], bad)


def _told(line: Line) -> str | None:
    match line["kind"]:
        case "run":
            how = "to carry it out" if line["mode"] == "execute" else "asked only"
            return f"Run {line['run'][:8]} of {', '.join(line['phases'])} began, {how}"
        case "finished":
            verdict = STOPPED if is_stopped(line) else line["verdict"]
            return f"{line['phase']} ended: {verdict}" + (
                f", {line['written']:,} rows written" if line["written"] else ""
            )
        case "plan":
            return f"{line['phase']}: the plan of {line['plan']['action']} was shown"
        case "started":
            return f"{line['action']} began: {line['plan']['sentence']}"
        case "done":
            return f"{line['action']} ended as planned, {line['rows']:,} rows"
        case "failed":
            return f"{line['action']} stopped{' at ' + line['unit'] if line.get('unit') else ''}: {line['reason']}"
        case "snapshot":
            return f"Snapshot {line['name']}: {line['rows']:,} rows of {', '.join(line['partitions'])}"
        case "exported":
            return f"{line['rows']:,} rows that are to be removed were kept in {line['file']}"
        case "restoring":
            return f"Snapshot {line['snapshot']} is being brought back"
        case "restored":
            undone = ", ".join(line["undoes"]) or "nothing"
            return f"Snapshot {line['snapshot']} was brought back; this undoes {undone}"
        case "dropped":
            return f"Snapshot {line['snapshot']} was given up"
        case "override":
            return f"The closed gate of {line['action']} was passed by hand: {line['reason']}"
        case "tick":
            return f"{'Undone' if line['undone'] else 'Ticked'}: {line['item']}" + (
                f", {line['text']}" if line["text"] else ""
            )
        case "note":
            return f"{'Learning' if line['learning'] else 'Note'}: {line['text']}"
        case "cron" if line["state"] == "called":
            return f"{line['cron']} was called"
        case "cron":
            return f"{line['cron']}: {line['state']}{'. ' + line['sentence'] if line.get('sentence') else ''}"
        case "announced":
            how = f"not {line['did']}: {line['error']}" if line.get("error") else line["did"]
            return f"Message to the team ({line['what']}): {how}"
        case "repaired":
            return f"A torn last line of {line['bytes']:,} bytes was cut off"
    return None
