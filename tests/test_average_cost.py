"""Average cost as Polymarket keeps it: in millionths, rounded down at each buy, and no profit on what was never held."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.average_cost import MILLION, Fill, Key, Position, positions


def fill(tokens: float, dollars: float, outcome: int = 0, condition: str = "c") -> Fill:
    return Fill("0x1", condition, outcome, 1_000, round(tokens * MILLION), round(dollars * MILLION))


def kept(*fills: Fill) -> dict[Key, Position]:
    return positions(list(fills), lambda each: abs(each.tokens))


def figures(position: Position) -> tuple[float, float, float, float]:
    """Bought, held, average price, realized."""
    parts = (position.bought, position.held, position.average, position.realized)
    return tuple(part / MILLION for part in parts)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("fills", "expected"),
    [
        ([fill(10, -2)], (10, 10, 0.2, 0)),
        ([fill(10, -2), fill(10, -4)], (20, 20, 0.3, 0)),
        ([fill(10, -2), fill(10, -4), fill(-5, 4)], (20, 15, 0.3, 2.5)),
        ([fill(10, -2), fill(-10, 1)], (10, 0, 0.2, -1)),
        # what is bought after all is sold has its own price
        ([fill(10, -2), fill(-10, 1), fill(4, -2)], (14, 4, 0.5, -1)),
        # what is sold beyond what is held came from elsewhere
        ([fill(10, -2), fill(-15, 7.5)], (10, 0, 0.2, 3)),
        ([fill(-15, 7.5)], (0, 0, 0, 0)),
    ],
)
def test_figures_of_one_position(fills: list[Fill], expected: tuple[float, ...]) -> None:
    assert figures(kept(*fills)["c", 0]) == expected


def test_the_average_is_rounded_down_at_each_buy() -> None:
    first, second = fill(3, -1), fill(3, -1.000001)
    position = kept(first, second)["c", 0]
    assert position.average == (333_333 * 3_000_000 + 333_333 * 3_000_000) // 6_000_000
    assert kept(fill(1, -0.1), fill(2, -0.500001))["c", 0].average == (100_000 * 1 + 250_000 * 2) // 3


def test_outcomes_of_a_condition_are_positions_of_their_own() -> None:
    found = kept(fill(1, -0.5), fill(1, -0.4, outcome=1), fill(2, -1, condition="d"))
    assert {key: position.held for key, position in found.items()} == {
        ("c", 0): MILLION,
        ("c", 1): MILLION,
        ("d", 0): 2 * MILLION,
    }


def test_a_fee_in_tokens_counts_as_bought_and_is_not_held_and_the_price_is_without_it() -> None:
    received = fill(95, -20)
    position = positions([received], lambda _: 100 * MILLION)["c", 0]
    assert figures(position) == (100, 95, 0.2, 0)


def test_what_is_held_to_the_end_is_realized_at_the_payout() -> None:
    position = kept(fill(10, -2), fill(-5, 4))["c", 0]
    assert [position.settled(payout) / MILLION for payout in (0, MILLION // 2, MILLION)] == [2, 4.5, 7]


AMOUNT = st.integers(1, 10**12)


@given(st.lists(st.tuples(st.booleans(), AMOUNT, st.integers(0, 10**12)), min_size=1, max_size=20))
def test_nothing_is_held_that_was_not_bought_and_the_average_is_a_price_that_was_paid(
    drawn: list[tuple[bool, int, int]],
) -> None:
    fills = [Fill("t", "c", 0, n, t if buy else -t, -d if buy else d) for n, (buy, t, d) in enumerate(drawn)]
    position = kept(*fills)["c", 0]
    bought = sum(tokens for buy, tokens, _ in drawn if buy)
    sold = sum(tokens for buy, tokens, _ in drawn if not buy)
    prices = [dollars * MILLION // tokens for buy, tokens, dollars in drawn if buy]
    assert position.bought == bought
    assert 0 <= position.held <= bought
    assert position.held - position.oversold == bought - sold
    assert min(prices, default=0) - len(fills) <= position.average <= max(prices, default=0)
