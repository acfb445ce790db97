"""Fills and resolutions that are hard to allocate: many positions at once, in a few moments and transactions.

A case is a grid: each of its wallets may hold each outcome of each of its conditions, so that a statement that mixes up
neighbours is caught. What a fill is made of comes from short tables in which the rare things are frequent.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cached_property
from itertools import product
from typing import Any

from hypothesis import strategies as st
from hypothesis.vendor.pretty import RepresentationPrinter

from tests import fifo_oracle
from tests.fifo_oracle import NOBODY, Allocation, Fill, Key, Resolution, Row

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
CUTOFFS = IN_FEBRUARY, IN_MARCH = datetime(2026, 2, 20, 12, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC)
ALLOCATIONS: tuple[Allocation, ...] = ("fifo", "legacy")
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)

TRANSACTIONS = tuple("0x" + digit * 64 for digit in "b3a1f02")
WALLETS = ("0xaaaaaaaa" + "0" * 31 + "1", "0xaaaaaaaa" + "0" * 31 + "2", "0xb" + "0" * 38 + "1", "0xc" + "9" * 39)
CONDITIONS = tuple(f"{at // 2:010x}" + f"{at:054x}" for at in range(16))  # two of them begin alike

# When: so long before or after the resolution, or the cutoff.
MOMENTS = (
    *(("resolution", days * DAY) for days in (-40, -3, -3, -2, -2, -2, -1, -1)),
    *(("resolution", distance) for distance in (-2 * DAY + SECOND, -SECOND)),
    *(("resolution", distance) for distance in (0 * DAY, SECOND, DAY)),
    *(("cutoff", distance) for distance in (-SECOND, 0 * DAY, DAY)),
)

# How much, in millionths: round ones, so that lots and sells end together; those around the limits of a cent, and tiny ones;
# and some that are drawn for each case.
ROUND = (1_000_000, 1_000_000, 2_000_000, 2_000_000, 3_000_000, 10_000_000) * 3
SMALL = (0, 1, 2, 3, 7, 3_333, 9_999, 10_000, 10_001, 20_000)
DRAWN, LARGEST = 8, 5_000_000_000
NEWEST = 1_769_990_000_000

FLAGS: tuple[dict[str, Any], ...] = (
    *[{"is_maker": 0}] * 12,
    *[{"is_maker": 1}] * 8,
    {"source": "negrisk"},
    {"source": "ctf_token"},
    {"source": "ctf_cash", "is_maker": 1},
    {"is_self_fill": 1},  # and its maker half, which does not count
)
BEFORE, PLAIN = 10, 20  # the first so many are before the resolution, and have no flag that matters
MAKER_HALF: dict[str, Any] = {"is_self_fill": 1, "is_maker": 1}
OLDER = (
    *["none"] * 14,
    "amounts",  # there were two versions before, of other amounts
    "side",  # the version before was on the other side
    "left out",  # the version before was the maker half of a self-fill
    "counted",  # the version before counted, the newest is the maker half of a self-fill
)
NUMERATORS = ("[1,0]", "[1,0]", "[0,1]", "[0,1]", "[1,1]", "[1,1]", "[0,1,0]", "[1,0,0]")


@dataclass(frozen=True, repr=False)
class Case:
    """Fills with all their versions, the resolutions of their conditions, and the moment up to which they count."""

    cutoff: datetime
    fills: tuple[Fill, ...]
    resolutions: tuple[Resolution, ...]

    def __repr__(self) -> str:
        """Short: a case has hundreds of fills."""
        return f"<{len(self.fills)} fills of {len(self.resolutions)} conditions, up to {self.cutoff}>"

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:
        printer.text(repr(self))  # or hypothesis writes every fill out

    @cached_property
    def rows(self) -> dict[Allocation, list[Row]]:
        """What the oracle says."""
        moments = {"cutoff": self.cutoff, "start": START, "end": END}
        return {
            allocation: fifo_oracle.rows(self.fills, self.resolutions, allocation=allocation, **moments)
            for allocation in ALLOCATIONS
        }

    @cached_property
    def positions(self) -> dict[Key, list[Fill]]:
        """The fills of each position, with all their versions."""
        found: defaultdict[Key, list[Fill]] = defaultdict(list)
        for fill in self.fills:
            found[fill.position].append(fill)
        return dict(found)

    def features(self) -> Counter[str]:
        """How many positions are an example of what, 0 included."""
        ended = {resolution.condition_id: resolution for resolution in self.resolutions}
        long: defaultdict[Key, list[Row]] = defaultdict(list)
        short: dict[str, set[Key]] = {"fifo": set(), "legacy": set()}
        for allocation, rows in self.rows.items():
            for row in rows:
                if row.is_short:
                    short[allocation].add(row.position)
                elif allocation == "fifo":
                    long[row.position].append(row)
        found: Counter[str] = Counter()
        for key, fills in self.positions.items():
            shorts = {allocation for allocation, those in short.items() if key in those}
            found.update(_features(fills, ended[key[1]], self.cutoff, long[key], shorts))
        return found


def _features(
    fills: list[Fill], resolution: Resolution, cutoff: datetime, long: list[Row], short: set[str]
) -> dict[str, bool]:
    """What a position is an example of; `long` are its lots' rows, `short` the allocations in which it has a short."""
    newest = fifo_oracle.newest(fills)
    in_time = fifo_oracle.is_resolved(resolution, cutoff=cutoff, start=START, end=END)
    counted = [fill for fill in newest if fifo_oracle.is_counted(fill, cutoff)]
    lots, sells = fifo_oracle.lots_of(counted), fifo_oracle.sells_of(counted, resolution)
    buys = [buy for lot in lots for buy in lot]
    bought, sold = sum(buy.tokens for buy in buys), -sum(sell.tokens for sell in sells)
    ended = resolution.resolved_at
    of_position = {
        "nobody": fills[0].wallet == NOBODY,
        "unresolved": resolution.payout_numerators == "",
        "deleted": resolution.is_deleted == 1,
        "resolved before the months": ended < START,
        "resolved after the months": END <= ended < cutoff,
        "resolved at the cutoff or later": cutoff <= ended < END,
        "another source": any(fill.source != "clob" for fill in newest),
        "self-fill": any(fill.is_self_fill for fill in newest),
        "older version": len(newest) < len(fills),
        "at the cutoff or later": any(fill.event_time >= cutoff for fill in newest),
        "no tokens": any(fill.tokens == 0 for fill in newest),
    }
    of_result = {
        "rows": bool(long or short),
        "no rows": not long and not short,
        "half payout": resolution.payout_numerators == "[1,1]",
        "three outcomes": resolution.payout_numerators.count(",") == 2,
        "lots at one time": len({min(buy.event_time for buy in lot) for lot in lots}) < len(lots),
        "sells at one time": len({sell.event_time for sell in sells}) < len(sells),
        "several buys of a lot": any(len(lot) > 1 for lot in lots),
        "buy and sell of one transaction": bool({fill.tx_hash for fill in buys} & {fill.tx_hash for fill in sells}),
        "sell before the first buy": bool(buys and sells) and sells[0].event_time < min(buy.event_time for buy in buys),
        "buy after the resolution": any(buy.event_time >= ended for buy in buys),
        "sell at the resolution": any(fill.tokens < 0 and fill.event_time == ended for fill in counted),
        "sell after the resolution": any(fill.tokens < 0 and fill.event_time > ended for fill in counted),
        "lot sold in part": any(0 < row.tokens_sold_early < row.tokens for row in long),
        "lot sold whole": any(row.tokens_sold_early == row.tokens for row in long),
        "lot too cheap": len(long) < len(lots),
        "cheap lot before another": any(_cost(lot) < fifo_oracle.LEAST_COST for lot in lots[:-1]),
        "lot of one cent": any(_cost(lot) == fifo_oracle.LEAST_COST for lot in lots),
        "sold as much as bought": bool(buys) and bought == sold,
        "short": "fifo" in short,
        "short and lots": "fifo" in short and bool(long),
        "short too small": sold > bought and "fifo" not in short,
        "short in legacy alone": "legacy" in short and "fifo" not in short,
        "short in fifo alone": "fifo" in short and "legacy" not in short,
        "more than 1,000 tokens": bought > 1_000,
        "less than a hundredth of a token": any(0 < abs(fill.tokens) < fifo_oracle.LEAST_COST for fill in counted),
    }
    return of_position | {name: here and in_time for name, here in of_result.items()}


def _cost(lot: list[Fill]) -> Fraction:
    return sum((abs(buy.usdc) for buy in lot), fifo_oracle.NOTHING)


AMOUNTS = len(ROUND) + len(SMALL) + DRAWN


def _fills(moments: int, tokens: int, flags: int, older: int, most: int) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """The fills of a position, from the first so many of each table; one draw each for: when and in which transaction, side
    and tokens, dollars, flags and versions."""
    return st.lists(
        st.tuples(
            st.sampled_from([*product(MOMENTS[:moments], TRANSACTIONS)]),
            st.sampled_from([*product((1, -1), range(tokens))]),
            st.sampled_from(range(AMOUNTS)),
            st.sampled_from([*product(FLAGS[:flags], OLDER[:older])]),
        ),
        max_size=most,
    )


_ANY = _fills(len(MOMENTS), AMOUNTS, len(FLAGS), len(OLDER), most=9)
_PLAIN = _fills(BEFORE, len(ROUND), PLAIN, 1, most=7)  # all of them count, and quantities meet


_IN_TIME = (START, START + 9 * DAY, START + 31 * DAY - SECOND, START + 31 * DAY, IN_FEBRUARY - SECOND)
_ENDED = st.sampled_from([*product(NUMERATORS, _IN_TIME, (0,))])
_LEFT_OUT = {
    4: st.sampled_from([*product(("",), _IN_TIME, (0,)), *product(("[1,0]",), _IN_TIME, (1,))]),
    9: st.sampled_from([*product(NUMERATORS[1:3], (START - SECOND, END, END + DAY), (0,))]),
    14: st.sampled_from([*product(NUMERATORS[1:3], (0 * DAY, SECOND), (0,))]),  # after the cutoff
}
_DRAWN = st.tuples(*[st.integers(1, LARGEST), st.integers(LARGEST // 5, LARGEST)] * (DRAWN // 2))


@st.composite
def cases(draw: st.DrawFn, cutoff: datetime) -> Case:
    """A grid of positions, some of them without fills."""
    ended = [draw(_LEFT_OUT.get(at, _ENDED)) for at in range(len(CONDITIONS))]
    resolutions = tuple(
        Resolution(condition, numerators, at if isinstance(at, datetime) else cutoff + at, deleted)
        for condition, (numerators, at, deleted) in zip(CONDITIONS, ended, strict=True)
    )
    amounts = (*ROUND, *SMALL, *draw(_DRAWN))
    fills: list[Fill] = []
    for resolution in resolutions:
        outcomes = max(2, resolution.payout_numerators.count(",") + 1)
        nobody = [NOBODY] if resolution in resolutions[:2] else []
        for at, (wallet, outcome) in enumerate(product((*WALLETS, *nobody), range(outcomes))):
            for (moment, tx), (side, tokens), dollars, (flags, older) in draw(_PLAIN if at % 2 else _ANY):
                fill = Fill(
                    fill_id=f"clob_{tx}_{len(fills)}-t",
                    event_time={"resolution": resolution.resolved_at, "cutoff": cutoff}[moment[0]] + moment[1],
                    tx_hash=tx,
                    wallet=wallet,
                    condition_id=resolution.condition_id,
                    outcome_index=outcome,
                    tokens_delta=side * amounts[tokens] / 1e6,
                    usdc_delta=-side * amounts[dollars] / 1e6,
                    version=NEWEST,
                    **flags,
                )
                fills += _with_older(fill, older)
                if fill.is_self_fill:
                    fills.append(_other_side(replace(fill, fill_id=fill.fill_id[:-1] + "m", is_maker=1)))
    return Case(cutoff, tuple(fills), resolutions)


def _with_older(fill: Fill, older: str) -> list[Fill]:
    """The newest version of a fill, and those before it."""
    before = replace(fill, version=NEWEST - 1_000)
    match older:
        case "amounts":
            other = replace(before, tokens_delta=3 * fill.tokens_delta, usdc_delta=fill.usdc_delta / 2)
            return [fill, other, replace(other, usdc_delta=5 * fill.usdc_delta, version=1)]
        case "side":
            return [fill, _other_side(before)]
        case "left out":
            return [fill, replace(before, **MAKER_HALF)]
        case "counted":
            return [replace(fill, **MAKER_HALF), replace(before, is_self_fill=0)]
        case _:
            return [fill]


def _other_side(fill: Fill) -> Fill:
    return replace(fill, tokens_delta=-fill.tokens_delta, usdc_delta=-fill.usdc_delta)
