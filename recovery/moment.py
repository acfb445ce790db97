"""Moment: a point in time as --now takes it."""

from __future__ import annotations

from datetime import UTC, datetime

from recovery.errors import UsageError


def parse(text: str) -> datetime:
    """A time with its zone, in UTC; raises UsageError for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        raise UsageError(f"--now: {text!r} is not a time with its zone; give one such as 2026-02-02T06:00:00Z.")
    return moment.astimezone(UTC)
