"""Wording: the texts that the team is told, by name, and the fields that each may have in braces."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter

_OF_ALL = frozenset({"title", "incident", "phases", "next", "line", "head", "who"})
_OF_A_PHASE = _OF_ALL | {"phase", "phase_title", "verdict", "rows_read", "rows_written", "seconds"}
FIELDS: Mapping[str, frozenset[str]] = {
    "start": _OF_ALL,
    "state": _OF_ALL,
    "phase": _OF_A_PHASE,
    "no_go": _OF_A_PHASE | {"reasons"},
    "failed": _OF_ALL | {"action", "reasons"},
    "override": _OF_ALL | {"action", "reason", "reasons"},
    "restored": _OF_ALL | {"snapshot", "undoes"},
    "final": _OF_ALL,
    "learnings": _OF_ALL | {"learnings"},
}


def fault_of(name: str, text: str) -> str | None:
    """What is wrong with a text of the incident file, in a phrase, or None."""
    if name not in FIELDS:
        return f"no such text; there are {', '.join(FIELDS)}"
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        return f"braces that do not fit: {error}"
    for _, field, form, conversion in parts:
        if field is not None and (field not in FIELDS[name] or form or conversion):
            return f"{{{field}}} is no field of it; known are {', '.join(sorted(FIELDS[name]))}"
    return None
