"""An independent oracle of the positions: first in first out in exact arithmetic, one position at a time.

It says in plain Python what the table of positions must hold, and knows nothing of the SQL that builds it. Money and tokens are
fractions of dollars and tokens, made from whole millionths; nothing is rounded after that.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from functools import cached_property
from typing import Literal, TypeAlias

Allocation: TypeAlias = Literal["fifo", "legacy"]
Key: TypeAlias = tuple[str, str, int]

NOBODY = "0x" + "0" * 40
LEAST_COST = LEAST_SHORT_TOKENS = LEAST_SHORT_PROCEEDS = Fraction(1, 100)
NOTHING = Fraction(0)


@dataclass(frozen=True)
class Fill:
    """One version of a fill, as pm_canonical_fills_v4 keeps it; tokens and dollars are signed, + is into the wallet."""

    fill_id: str
    event_time: datetime
    tx_hash: str
    wallet: str
    condition_id: str
    outcome_index: int
    tokens_delta: float
    usdc_delta: float
    source: str = "clob"
    is_self_fill: int = 0
    is_maker: int = 0
    version: int = 1
    block_number: int = 1

    @property
    def position(self) -> Key:
        return self.wallet, self.condition_id, self.outcome_index

    @cached_property
    def tokens(self) -> Fraction:
        return _exact(self.tokens_delta)

    @cached_property
    def usdc(self) -> Fraction:
        return _exact(self.usdc_delta)


@dataclass(frozen=True)
class Resolution:
    """How a condition ended, as pm_condition_resolutions keeps it; '' are the numerators of one that has not ended."""

    condition_id: str
    payout_numerators: str
    resolved_at: datetime
    is_deleted: int = 0

    def payout(self, outcome_index: int) -> Fraction:
        """Dollars that a token of this outcome was worth at the end."""
        numerators = [int(number) for number in self.payout_numerators.strip("[]").split(",")]
        return Fraction(numerators[outcome_index], sum(numerators))


@dataclass(frozen=True)
class Row:
    """A lot or a short, with the columns of pm_trade_fifo_roi_v3."""

    tx_hash: str
    wallet: str
    condition_id: str
    outcome_index: int
    entry_time: datetime
    tokens: Fraction
    cost_usd: Fraction
    tokens_sold_early: Fraction
    tokens_held: Fraction
    exit_value: Fraction
    pnl_usd: Fraction
    roi: Fraction
    pct_sold_early: Fraction
    is_maker: int
    resolved_at: datetime
    is_short: int

    @property
    def position(self) -> Key:
        return self.wallet, self.condition_id, self.outcome_index


def rows(
    fills: Iterable[Fill],
    resolutions: Iterable[Resolution],
    *,
    allocation: Allocation,
    cutoff: datetime,
    start: datetime,
    end: datetime,
) -> list[Row]:
    """The rows of every position of a condition that was resolved in [start, end) and before the cutoff."""
    resolved = {it.condition_id: it for it in resolutions if is_resolved(it, cutoff=cutoff, start=start, end=end)}
    positions: defaultdict[Key, list[Fill]] = defaultdict(list)
    for fill in newest(fills):
        if fill.condition_id in resolved and is_counted(fill, cutoff):
            positions[fill.position].append(fill)
    return [row for held in positions.values() for row in _rows(held, resolved[held[0].condition_id], allocation)]


def newest(fills: Iterable[Fill]) -> list[Fill]:
    """One version of each fill: the highest."""
    found: dict[tuple[Key, str], Fill] = {}
    for fill in fills:
        known = found.setdefault((fill.position, fill.fill_id), fill)
        if fill.version > known.version:
            found[fill.position, fill.fill_id] = fill
    return list(found.values())


def is_counted(fill: Fill, cutoff: datetime) -> bool:
    """Whether a fill moves tokens of a wallet on the order book before the cutoff, and is not the maker half of a self-fill."""
    left_out = fill.is_self_fill == 1 and fill.is_maker == 1
    return (
        fill.source == "clob"
        and fill.wallet != NOBODY
        and not left_out
        and fill.event_time < cutoff
        and fill.tokens != 0
    )


def is_resolved(resolution: Resolution, *, cutoff: datetime, start: datetime, end: datetime) -> bool:
    ended = resolution.is_deleted == 0 and resolution.payout_numerators != ""
    return ended and start <= resolution.resolved_at < end and resolution.resolved_at < cutoff


def lots_of(fills: Iterable[Fill]) -> list[list[Fill]]:
    """The buys of a position by transaction: its lots, the first to be sold first."""
    by_transaction: defaultdict[str, list[Fill]] = defaultdict(list)
    for fill in fills:
        if fill.tokens > 0:
            by_transaction[fill.tx_hash].append(fill)
    return sorted(by_transaction.values(), key=lambda lot: (min(buy.event_time for buy in lot), lot[0].tx_hash))


def sells_of(fills: Iterable[Fill], resolution: Resolution) -> list[Fill]:
    """The sells of a position that count: those before the resolution, in order."""
    sells = [fill for fill in fills if fill.tokens < 0 and fill.event_time < resolution.resolved_at]
    return sorted(sells, key=lambda sell: (sell.event_time, sell.fill_id))


@dataclass(frozen=True)
class _Sold:
    """What is left of a sell."""

    time: datetime
    tokens: Fraction
    proceeds: Fraction


class _Sells:
    """The sells of a position in order, as a queue: whatever is taken comes from the front, and a split is pro rata by tokens."""

    def __init__(self, sells: Iterable[Fill]) -> None:
        self.left = deque(_Sold(sell.event_time, -sell.tokens, sell.usdc) for sell in sells)

    @property
    def tokens(self) -> Fraction:
        return sum((sold.tokens for sold in self.left), NOTHING)

    @property
    def proceeds(self) -> Fraction:
        return sum((sold.proceeds for sold in self.left), NOTHING)

    def take(self, wanted: Fraction) -> tuple[Fraction, Fraction]:
        """Up to so many tokens from the front, and what they were sold for."""
        tokens = proceeds = NOTHING
        while self.left and tokens < wanted:
            first = self.left.popleft()
            part = min(first.tokens, wanted - tokens)
            paid = first.proceeds * part / first.tokens
            tokens, proceeds = tokens + part, proceeds + paid
            if part < first.tokens:
                self.left.appendleft(replace(first, tokens=first.tokens - part, proceeds=first.proceeds - paid))
        return tokens, proceeds


def _rows(fills: list[Fill], resolution: Resolution, allocation: Allocation) -> list[Row]:
    """The rows of one position."""
    payout = resolution.payout(fills[0].outcome_index)
    lots, sells = lots_of(fills), sells_of(fills, resolution)
    queue = _Sells(sells)
    average = queue.proceeds / queue.tokens if sells else NOTHING
    found: list[Row] = []
    for lot in lots:
        tokens = sum((buy.tokens for buy in lot), NOTHING)
        sold, proceeds = queue.take(tokens)
        if allocation == "legacy":
            proceeds = sold * average
        row = _lot(lot, tokens, sold, proceeds, payout, resolution)
        if row.cost_usd >= LEAST_COST:
            found.append(row)
    if allocation == "fifo":
        oversold, premium = queue.tokens, queue.proceeds
        begun = queue.left[0].time if queue.left else None
    else:
        counted = [*(buy for lot in lots for buy in lot), *sells]
        oversold, premium = (
            -sum((fill.tokens for fill in counted), NOTHING),
            sum((fill.usdc for fill in counted), NOTHING),
        )
        begun = min((fill.event_time for fill in counted), default=None)
    if begun is not None and oversold > LEAST_SHORT_TOKENS and premium > LEAST_SHORT_PROCEEDS:
        found.append(_short(fills[0].position, begun, oversold, premium, payout, resolution))
    return found


def _lot(
    buys: list[Fill], tokens: Fraction, sold: Fraction, proceeds: Fraction, payout: Fraction, resolution: Resolution
) -> Row:
    cost = sum((abs(buy.usdc) for buy in buys), NOTHING)
    exit_value = proceeds + (tokens - sold) * payout
    wallet, condition_id, outcome_index = buys[0].position
    return Row(
        tx_hash=buys[0].tx_hash,
        wallet=wallet,
        condition_id=condition_id,
        outcome_index=outcome_index,
        entry_time=min(buy.event_time for buy in buys),
        tokens=tokens,
        cost_usd=cost,
        tokens_sold_early=sold,
        tokens_held=tokens - sold,
        exit_value=exit_value,
        pnl_usd=exit_value - cost,
        roi=(exit_value - cost) / cost if cost else NOTHING,
        pct_sold_early=sold / tokens * 100,
        is_maker=max(buy.is_maker for buy in buys),
        resolved_at=resolution.resolved_at,
        is_short=0,
    )


def _short(
    position: Key, begun: datetime, oversold: Fraction, premium: Fraction, payout: Fraction, resolution: Resolution
) -> Row:
    wallet, condition_id, outcome_index = position
    pnl = premium - oversold * payout
    return Row(
        tx_hash=f"short_{wallet[:10]}_{condition_id[:10]}_{outcome_index}",
        wallet=wallet,
        condition_id=condition_id,
        outcome_index=outcome_index,
        entry_time=begun,
        tokens=oversold,
        cost_usd=-premium,
        tokens_sold_early=NOTHING,
        tokens_held=oversold,
        exit_value=-oversold * payout,
        pnl_usd=pnl,
        roi=pnl / premium,
        pct_sold_early=NOTHING,
        is_maker=0,
        resolved_at=resolution.resolved_at,
        is_short=1,
    )


def _exact(amount: float) -> Fraction:
    """Dollars or tokens in whole millionths."""
    return Fraction(round(amount * 1_000_000), 1_000_000)
