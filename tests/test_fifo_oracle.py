"""The oracle of the positions against cases that were worked out by hand, and against the laws that a right table obeys."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import fifo_oracle
from tests.fifo_cases import ALLOCATIONS, CUTOFFS, END, START, Case, cases
from tests.fifo_oracle import NOBODY, Allocation, Fill, Key, Resolution, Row

WALLET = "0x12345678" + "0" * 32
CONDITION = "abcdef0123" + "0" * 54
ENDED = datetime(2026, 1, 20, tzinfo=UTC)
CUTOFF = datetime(2026, 2, 2, tzinfo=UTC)
SHORT = "short_0x12345678_abcdef0123_0"
OFTEN = settings(
    derandomize=True,
    deadline=None,
    max_examples=8,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
_numbers = count(1)


def fill(day: float, tx: str, tokens: float, usdc: float, **other: Any) -> Fill:
    """A fill so many days after the start of January, with an id that comes after those made before."""
    known: dict[str, Any] = {
        "fill_id": f"clob_{next(_numbers):06}",
        "wallet": WALLET,
        "condition_id": CONDITION,
        "outcome_index": 0,
    }
    time = START + timedelta(days=day)
    return Fill(event_time=time, tx_hash=tx, tokens_delta=tokens, usdc_delta=usdc, **known | other)


def rows(
    *fills: Fill,
    numerators: str = "[1,0]",
    ended: datetime = ENDED,
    deleted: int = 0,
    allocation: Allocation = "fifo",
    cutoff: datetime = CUTOFF,
) -> list[Row]:
    resolution = Resolution(CONDITION, numerators, ended, deleted)
    return fifo_oracle.rows(fills, [resolution], allocation=allocation, cutoff=cutoff, start=START, end=END)


def figures(found: list[Row], *names: str) -> list[tuple[Any, ...]]:
    """These columns of the rows, dollars and tokens as decimals."""
    return [
        tuple(float(it) if isinstance(it, Fraction) else it for it in (getattr(row, name) for name in names))
        for row in found
    ]


def pnl(found: list[Row]) -> list[tuple[Any, ...]]:
    return figures(found, "tx_hash", "pnl_usd")


def test_a_lot_that_is_held_to_the_end_is_worth_its_payout() -> None:
    won = fill(1, "0xa", 10, -4, is_maker=1)
    assert rows(won) == [
        Row(
            tx_hash="0xa",
            wallet=WALLET,
            condition_id=CONDITION,
            outcome_index=0,
            entry_time=START + timedelta(days=1),
            tokens=Fraction(10),
            cost_usd=Fraction(4),
            tokens_sold_early=Fraction(0),
            tokens_held=Fraction(10),
            exit_value=Fraction(10),
            pnl_usd=Fraction(6),
            roi=Fraction(3, 2),
            pct_sold_early=Fraction(0),
            is_maker=1,
            resolved_at=ENDED,
            is_short=0,
        )
    ]


@pytest.mark.parametrize(
    ("numerators", "outcome", "pnl_usd"),
    [("[1,0]", 1, -4.0), ("[0,1]", 1, 6.0), ("[1,1]", 1, 1.0), ("[0,1,0]", 2, -4.0), ("[0,1,0]", 1, 6.0)],
)
def test_a_payout_is_the_share_of_the_numerators(numerators: str, outcome: int, pnl_usd: float) -> None:
    found = rows(fill(1, "0xa", 10, -4, outcome_index=outcome), numerators=numerators)
    assert pnl(found) == [("0xa", pnl_usd)]


def test_sells_consume_the_first_lots_and_a_sell_is_split_by_tokens() -> None:
    lots = [fill(1, "0xb", 10, -4), fill(2, "0xa", 10, -5)]
    sells = [fill(3, "0xs", -4, 2), fill(4, "0xs", -12, 9)]  # 6 of the 12 are of the first lot, 6 of the second
    found = rows(*sells, *lots, numerators="[0,1]")
    names = ("tx_hash", "tokens_sold_early", "tokens_held", "exit_value", "pnl_usd", "roi", "pct_sold_early")
    assert figures(found, *names) == [
        ("0xb", 10.0, 0.0, 6.5, 2.5, 0.625, 100.0),
        ("0xa", 6.0, 4.0, 4.5, -0.5, -0.1, 60.0),
    ]


def test_legacy_values_every_sold_token_at_the_average_price() -> None:
    lots = [fill(1, "0xb", 10, -4), fill(2, "0xa", 10, -5)]
    sells = [fill(3, "0xs", -4, 1), fill(4, "0xs", -12, 11)]  # 12 dollars for 16 tokens
    assert figures(rows(*lots, *sells), "exit_value", "pnl_usd") == [(6.5, 2.5), (9.5, 4.5)]
    assert figures(rows(*lots, *sells, allocation="legacy"), "exit_value", "pnl_usd") == [(7.5, 3.5), (8.5, 3.5)]


def test_a_sell_before_the_first_buy_consumes_it_too() -> None:
    found = rows(fill(1, "0xs", -4, 3), fill(2, "0xa", 10, -4))
    assert figures(found, "tx_hash", "tokens_sold_early", "pnl_usd") == [("0xa", 4.0, 5.0)]


def test_the_buys_of_a_transaction_are_one_lot_as_old_as_the_first() -> None:
    late, early = fill(3, "0xa", 1, -0.5, is_maker=1), fill(1, "0xa", 2, -0.25)
    found = rows(late, fill(2, "0xb", 4, -1), early, fill(4, "0xa", -2, 1))
    names = ("tx_hash", "entry_time", "tokens", "cost_usd", "is_maker", "tokens_sold_early")
    assert figures(found, *names) == [
        ("0xa", START + timedelta(days=1), 3.0, 0.75, 1, 2.0),
        ("0xb", START + timedelta(days=2), 4.0, 1.0, 0, 0.0),
    ]


def test_lots_of_one_moment_are_sold_by_transaction_and_sells_of_one_moment_by_fill() -> None:
    lots = [fill(1, "0xb", 1, -0.5), fill(1, "0xa", 1, -0.5)]
    sells = [fill(2, "0xs", -1, 0.75, fill_id="clob_2"), fill(2, "0xs", -1, 0.25, fill_id="clob_1")]
    assert figures(rows(*lots, *sells), "tx_hash", "exit_value") == [("0xa", 0.25), ("0xb", 0.75)]


def test_of_a_fill_the_highest_version_counts() -> None:
    newest = fill(1, "0xa", 10, -4, fill_id="clob_1", version=2)
    older = fill(1, "0xa", 20, -9, fill_id="clob_1", version=1)
    assert rows(older, newest) == rows(newest, older) == rows(newest)


@pytest.mark.parametrize(
    "other",
    [
        {"source": "negrisk"},
        {"wallet": NOBODY},
        {"is_self_fill": 1, "is_maker": 1},
        {"day": 32.0},
        {"condition_id": "f" * 64},
        {"tokens": 0.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_a_fill_that_does_not_count_changes_nothing(other: dict[str, Any], allocation: Allocation) -> None:
    counted = [fill(1, "0xa", 10, -4), fill(2, "0xs", -12, 9)]
    known: dict[str, Any] = {"day": 1, "tx": "0xa", "tokens": 5, "usdc": -1}
    beside = fill(**known | other)
    assert rows(*counted, beside, allocation=allocation) == rows(*counted, allocation=allocation)


def test_the_taker_half_of_a_self_fill_counts() -> None:
    assert pnl(rows(fill(1, "0xa", 10, -4, is_self_fill=1))) == [("0xa", 6.0)]


def test_buys_count_after_the_resolution_and_sells_only_before_it() -> None:
    buys = [fill(1, "0xa", 10, -4), fill(25, "0xb", 10, -9)]
    sells = [fill(18.9, "0xs", -1, 0.5), fill(19, "0xs", -1, 0.25), fill(25, "0xs", -2, 1)]  # resolved after 19 days
    assert figures(rows(*buys, *sells), "tx_hash", "tokens_sold_early", "pnl_usd") == [
        ("0xa", 1.0, 5.5),
        ("0xb", 0.0, 1.0),
    ]


@pytest.mark.parametrize(
    ("of_the_condition", "found"),
    [
        ({}, 1),
        ({"numerators": ""}, 0),
        ({"deleted": 1}, 0),
        ({"ended": START - timedelta(seconds=1)}, 0),
        ({"ended": START}, 1),
        ({"ended": CUTOFF - timedelta(seconds=1)}, 1),
        ({"ended": CUTOFF}, 0),
        ({"ended": END - timedelta(seconds=1), "cutoff": END + timedelta(days=9)}, 1),
        ({"ended": END, "cutoff": END + timedelta(days=9)}, 0),
    ],
    ids=str,
)
def test_a_condition_counts_that_was_resolved_in_the_months_and_before_the_cutoff(
    of_the_condition: dict[str, Any], found: int
) -> None:
    assert len(rows(fill(-40, "0xa", 10, -4), **of_the_condition)) == found


def test_a_lot_of_less_than_a_cent_has_no_row_and_is_sold_all_the_same() -> None:
    lots = [fill(1, "0xa", 4, -0.009999), fill(2, "0xb", 4, -0.01)]
    found = rows(*lots, fill(3, "0xs", -6, 3))
    assert figures(found, "tx_hash", "tokens_sold_early", "exit_value") == [("0xb", 2.0, 3.0)]


def test_a_short_is_what_was_sold_beyond_what_was_bought() -> None:
    fills = [fill(1, "0xs", -6, 3), fill(2, "0xa", 10, -4), fill(3, "0xs", -8, 6), fill(4, "0xs", -1, 0.5)]
    lot, short = rows(*fills)  # the lot takes 6 for 3 dollars and 4 of 8 for 3 dollars
    names = ("tokens", "cost_usd", "tokens_sold_early", "tokens_held", "exit_value", "pnl_usd", "roi", "pct_sold_early")
    assert figures([lot], *names) == [(10.0, 4.0, 10.0, 0.0, 6.0, 2.0, 0.5, 100.0)]
    assert figures([short], *names) == [(5.0, -3.5, 0.0, 5.0, -5.0, -1.5, float(Fraction(-3, 7)), 0.0)]
    assert (short.tx_hash, short.is_short, short.is_maker) == (SHORT, 1, 0)
    assert (short.entry_time, short.resolved_at) == (START + timedelta(days=3), ENDED)


def test_a_short_in_legacy_takes_the_figures_of_the_whole_position() -> None:
    fills = [fill(1, "0xs", -6, 3), fill(2, "0xa", 10, -4), fill(3, "0xs", -8, 6), fill(4, "0xs", -1, 0.5)]
    lot, short = rows(*fills, allocation="legacy")
    names = ("tokens", "cost_usd", "tokens_held", "exit_value", "pnl_usd", "roi")
    assert figures([short], *names) == [(5.0, -5.5, 5.0, -5.0, 0.5, float(Fraction(1, 11)))]
    assert (short.tx_hash, short.entry_time, short.is_short) == (SHORT, START + timedelta(days=1), 1)
    assert lot.exit_value == 10 * Fraction(19, 30)


@pytest.mark.parametrize("allocation", ALLOCATIONS)
@pytest.mark.parametrize(
    ("tokens", "dollars", "found"),
    [(0.010001, 0.010001, 1), (0.01, 5, 0), (5, 0.01, 0), (0.010001, 5, 1), (5, 0.010001, 1)],
)
def test_a_short_is_more_than_a_cent_and_a_hundredth_of_a_token(
    tokens: float, dollars: float, found: int, allocation: Allocation
) -> None:
    assert len(rows(fill(1, "0xs", -tokens, dollars), allocation=allocation)) == found


def test_legacy_has_no_short_where_the_position_cost_money_as_a_whole() -> None:
    fills = [fill(1, "0xa", 10, -9), fill(2, "0xs", -12, 6)]
    assert figures(rows(*fills), "is_short", "pnl_usd") == [(0, -4.0), (1, -1.0)]
    assert figures(rows(*fills, allocation="legacy"), "is_short", "pnl_usd") == [(0, -4.0)]


def test_positions_do_not_mix() -> None:
    one = [fill(1, "0xa", 10, -4), fill(2, "0xs", -3, 2)]
    other_outcome = [fill(1, "0xa", 10, -5, outcome_index=1), fill(2, "0xs", -1, 0.75, outcome_index=1)]
    other_wallet = [fill(1, "0xa", 10, -6, wallet="0x" + "9" * 40)]
    assert rows(*one, *other_outcome, *other_wallet) == [*rows(*one), *rows(*other_outcome), *rows(*other_wallet)]


def held(case: Case) -> dict[Key, list[Fill]]:
    """The fills that count of every position of a resolved condition."""
    moments = {"cutoff": case.cutoff, "start": START, "end": END}
    ended = {it.condition_id: it for it in case.resolutions if fifo_oracle.is_resolved(it, **moments)}
    found: defaultdict[Key, list[Fill]] = defaultdict(list)
    for one in fifo_oracle.newest(case.fills):
        resolution = ended.get(one.condition_id)
        if resolution is None or not fifo_oracle.is_counted(one, case.cutoff):
            continue
        if one.tokens > 0 or one.event_time < resolution.resolved_at:
            found[one.position].append(one)
    return found


def test_no_money_is_lost_or_made() -> None:
    """Of positions without dust: the rows' PnL is the cash of the fills and the worth of what is left at the end."""
    looked_at = 0

    @OFTEN
    @given(st.sampled_from(CUTOFFS).flatmap(cases))
    def conserves(case: Case) -> None:
        nonlocal looked_at
        by_position: defaultdict[Key, list[Row]] = defaultdict(list)
        for row in case.rows["fifo"]:
            by_position[row.position].append(row)
        payout = {resolution.condition_id: resolution.payout for resolution in case.resolutions}
        for (wallet, condition_id, outcome), fills in held(case).items():
            found = by_position[wallet, condition_id, outcome]
            net = sum(one.tokens for one in fills)
            lots = {one.tx_hash for one in fills if one.tokens > 0}
            if len(found) == len(lots) + (net < 0):
                looked_at += 1
                expected = sum(one.usdc for one in fills) + net * payout[condition_id](outcome)
                assert sum(row.pnl_usd for row in found) == expected

    conserves()
    assert looked_at > 300


def test_what_is_sold_of_a_lot_is_what_the_lots_before_it_left() -> None:
    """In both allocations, by the formula of cumulative quantities; a lot without a row counts among those before."""
    looked_at = 0

    @OFTEN
    @given(st.sampled_from(CUTOFFS).flatmap(cases))
    def follows(case: Case) -> None:
        nonlocal looked_at
        fills = held(case)
        for row in [*case.rows["fifo"], *case.rows["legacy"]]:
            if not row.is_short:
                looked_at += 1
                own = fills[row.position]
                before = sum(
                    one.tokens
                    for lot in fifo_oracle.lots_of(own)
                    for one in lot
                    if (min(buy.event_time for buy in lot), lot[0].tx_hash) < (row.entry_time, row.tx_hash)
                )
                sold = -sum(one.tokens for one in own if one.tokens < 0)
                assert row.tokens_sold_early == min(row.tokens, max(0, sold - before))
                assert row.tokens_sold_early + row.tokens_held == row.tokens

    follows()
    assert looked_at > 1_000
