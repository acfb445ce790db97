"""Checklist: what only a person can say: items of the incident file that are ticked, and notes, as lines of the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recovery import secret
from recovery.errors import UsageError
from recovery.incident import Incident
from recovery.ledger import Ledger, Line
from recovery.workplace import who

LONGEST = 2_000  # characters of what a person writes


def ticks(texts: Mapping[str, str], lines: Sequence[Line]) -> dict[str, Line]:
    """The items that are ticked now, each with the line that says so; a tick counts for the text that it was given for, which
    `texts` has by item."""
    last = {line["item"]: line for line in lines if line["kind"] == "tick"}
    return {
        item: line for item, line in last.items() if not line["undone"] and line.get("means") == texts.get(item, "")
    }


def lacking(incident: Incident, phases: Sequence[str], lines: Sequence[Line]) -> list[str]:
    """The items that have to be ticked before the actions of these phases and are not."""
    held = ticks(incident.checklist_texts, lines)
    return [name for name, item in incident.checklist.items() if item.before in phases and name not in held]


def tick(incident: Incident, ledger: Ledger, item: str, *, undone: bool, text: str = "", by: str = "") -> Line | None:
    """Tick an item, or undo that; None where it is so already. Raises UsageError for an item that the incident file lacks, or a
    broken ledger."""
    require_whole(ledger)
    if item not in incident.checklist:
        known = ", ".join(incident.checklist) or "none"
        raise UsageError(f"{item!r} is no item of the checklist of {incident.path}; there are: {known}.")
    if (item in ticks(incident.checklist_texts, ledger.lines())) is not undone:
        return None
    said = _written(text, "--text") if text else ""
    facts = {"item": item, "means": incident.checklist[item].text, "undone": undone, "text": said, **_person(by)}
    incident.remembered_in(ledger)
    return ledger.append("tick", **facts)


def note(ledger: Ledger, text: str, *, learning: bool, by: str = "") -> Line:
    """Write down what a person says. Raises UsageError where there is nothing to read in it, or the ledger is broken."""
    require_whole(ledger)
    return ledger.append("note", text=_written(text, "note"), learning=learning, **_person(by))


def _person(by: str) -> dict[str, Any]:
    return {"who": who()} | ({"by": _written(by, "--by")} if by else {})


def _written(text: str, what: str) -> str:
    kept = secret.masked(text.strip())
    if not any(map(str.isalnum, kept)) or not all(c.isprintable() or c in "\n\t" for c in kept):
        raise UsageError(f"{what}: write it in words.")
    if len(kept) > LONGEST:
        raise UsageError(f"{what}: {len(kept):,} characters; at most {LONGEST:,} are kept. Name a document instead.")
    return kept


def require_whole(ledger: Ledger) -> None:
    """Raises UsageError where what the ledger says of ticks cannot be relied on."""
    if fault := ledger.fault():
        raise UsageError(f"The ledger's chain is broken: {fault}. Restore the ledger first; nothing was written.")
    for line in ledger.lines():
        if line.get("kind") == "tick" and not (type(line.get("item")) is str and type(line.get("undone")) is bool):
            raise UsageError(
                f"Line {line['seq'] + 1} of {ledger.path} is a tick that cannot be read; nothing was written."
            )
