"""A day against its own history: weekdays and growth are no alarm, a day that is missing or doubled is one."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest

from expectations.volume import Deviation, deviation

MONDAY = date(2026, 3, 2)
WEEK = (0.9, 1.0, 1.0, 1.05, 1.1, 0.55, 0.5)


def history(
    days: int, *, seed: int = 1, noise: float = 0.1, growth: float = 0.005, base: float = 5_000
) -> dict[date, float]:
    """Rows per day with weekdays, growth and noise."""
    draw = random.Random(seed)
    return {
        day: max(0.0, round(draw.gauss(1, noise) * base * WEEK[day.weekday()] * (1 + growth) ** number))
        for number, day in enumerate(MONDAY + timedelta(days=n) for n in range(days))
    }


def of(past: dict[date, float], day: date) -> Deviation:
    found = deviation(past, day)
    assert found is not None
    return found


@pytest.mark.parametrize("seed", range(20))
def test_clean_days_with_weekdays_and_growth_are_no_alarm(seed: int) -> None:
    past = history(90, seed=seed)
    times = [found.times for day in past if (found := deviation(past, day))]
    assert len(times) == 83
    assert max(times) < 2.5  # a first weekend is below what the week before it was; critical is 4
    assert max(times[14:]) < 2


def test_the_first_week_is_not_judged() -> None:
    past = history(30)
    assert [deviation(past, MONDAY + timedelta(days=n)) is None for n in (6, 7)] == [True, False]


@pytest.mark.parametrize("share", [0.0, 0.2, 5.0])
def test_a_day_that_is_missing_halved_or_many_times_as_large_is_told(share: float) -> None:
    past = history(40)
    day = max(past)
    expected = past[day]
    past[day] *= share
    found = of(past, day)
    assert found.times >= 4
    assert found.expected == pytest.approx(expected, rel=0.4)


def test_a_day_without_any_row_is_one_that_had_nothing() -> None:
    past = history(40)
    day = max(past)
    del past[day]
    assert (of(past, day).actual, of(past, day).times > 1_000) == (0.0, True)


def test_one_wrong_day_does_not_make_the_next_ones_wrong() -> None:
    past = history(40)
    days = sorted(past)
    past[days[-3]] = 0.0
    assert [of(past, day).times < 2 for day in days[-2:]] == [True, True]


def test_few_rows_vary_by_chance() -> None:
    past = history(40, base=4, noise=0.5)
    assert max(of(past, day).times for day in sorted(past)[-7:]) < 4


def test_an_amount_may_be_far_below_one() -> None:
    past = {MONDAY + timedelta(days=n): 0.001 for n in range(20)}
    day = max(past)
    past[day] = 1_000.0
    found = deviation(past, day, least=1e-9)
    assert found is not None
    assert found.times == pytest.approx(1e6)
