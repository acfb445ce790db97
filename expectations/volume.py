"""Volume: how far a day is from what its own history says, by weekday, whatever its growth.

A day is compared with the median of the seven days before it, which holds each weekday once, times what its weekday was
above or below that in the weeks before, once three of them are known. One wrong day moves neither.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

WEEK, WEEKS, ENOUGH = 7, 4, 3  # days, weeks of a weekday that are looked at, and that have to be known
SCALE = 1.4826  # of the median absolute deviation, to be that of a normal distribution
LEAST_SPREAD = 0.1  # of the logarithm: days that vary less than by a tenth are not judged more strictly
OUTLIER = 4.0  # so many spreads off, a day is not what chance makes of it


@dataclass(frozen=True)
class Deviation:
    """`times` as much or as little as `expected`; 1 where there is too little history, or the day is within its usual spread."""

    actual: float
    expected: float
    times: float


def deviation(history: Mapping[date, float], day: date, *, least: float = 0.5) -> Deviation | None:
    """How far `day` is off, from the days before it; a day that is not in `history` had nothing, which counts as `least`. None
    where less than a week is known before it."""
    logs = {other: math.log(max(value, least)) for other, value in history.items()}
    nothing = math.log(least)
    expected = _expected(logs, day, nothing)
    if expected is None:
        return None
    residual = logs.get(day, nothing) - expected
    before = []
    for n in range(1, WEEK * WEEKS + 1):
        other = day - timedelta(days=n)
        if (past := _expected(logs, other, nothing)) is not None:
            before.append(abs(logs.get(other, nothing) - past))
    spread = SCALE * median(before) if before else 0.0
    noise = 1 / math.sqrt(max(1.0, math.exp(expected))) if least == 0.5 else 0.0  # of a count
    usual = OUTLIER * max(spread, LEAST_SPREAD, noise)
    times = math.exp(abs(residual)) if abs(residual) > usual else 1.0
    return Deviation(history.get(day, 0.0), math.exp(expected), times)


def _expected(logs: Mapping[date, float], day: date, nothing: float) -> float | None:
    """The logarithm that is expected of a day."""
    level = _level(logs, day, nothing)
    if level is None:
        return None
    weekday = []
    for weeks in range(1, WEEKS + 1):
        other = day - timedelta(days=WEEK * weeks)
        if other in logs and (past := _level(logs, other, nothing)) is not None:
            weekday.append(logs[other] - past)
    return level + (median(weekday) if len(weekday) >= ENOUGH else 0.0)


def _level(logs: Mapping[date, float], day: date, nothing: float) -> float | None:
    """The median of the week before, once a whole week is known."""
    week = [day - timedelta(days=n) for n in range(1, WEEK + 1)]
    return median(logs.get(other, nothing) for other in week) if week[-1] >= min(logs, default=day) else None
