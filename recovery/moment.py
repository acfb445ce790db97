"""Moment: a point in time as --now takes it."""

from __future__ import annotations

from datetime import UTC, datetime

from recovery.errors import UsageError


def parse(text: str) -> datetime:
    """A time with its zone, in UTC; raises UsageError for anything else."""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.astimezone(UTC) if moment.tzinfo else datetime.min
    except (ValueError, OverflowError):
        moment = datetime.min
    if not 1970 < moment.year < 2106:
        raise UsageError(
            f"--now: {text!r} is not a time with its zone, from 1971 to 2105; give one such as 2026-02-02T06:00:00Z."
        )
    return moment
