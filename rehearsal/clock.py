"""The rehearsal's clock: starts where the scenario says and runs at real speed."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Always later than `start`, never moves back."""

    def __init__(self, start: datetime) -> None:
        self._start = start.astimezone(UTC)
        self._began = time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._began)
