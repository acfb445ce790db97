"""Agreement: our account of a subject's positions beside the data API's, and what explains each difference.

A cause explains so much and no more, in tokens or dollars: a token is worth one dollar at most. What is off by more than
any cause explains is unexplained, and one such position is enough for NO-GO.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from recovery import average_cost, positions
from recovery.average_cost import MILLION, Fill, Key, Position
from recovery.data_api import TRADE, Account, Activity, Closed, Open
from recovery.errors import UsageError
from recovery.incident import Incident
from recovery.sections import Validation
from recovery.warehouse import Answer, Warehouse

MOST_FEE = 0.1  # of the tokens bought, where what was before the fee is not known; the rates were lower
CONVERSION = "CONVERSION"  # of outcomes of one event into others of it
OTHERWISE = ("SPLIT", "MERGE", CONVERSION)  # how tokens come and go without a trade
SAME = "within the tolerance"
SOLD_ONLY = "sold and never bought: the data API lists no such position, and it is not counted"
MOVED = "split, merged or converted: tokens came or went without a trade"
FEES = "fills in the time of fees in tokens, on whose size the endpoints disagree"
UNRESOLVED = "settled there and not resolved here"
SET_ASIDE = "we lack it: its fills are broken or in quarantine"
UNLISTED = "they lack it: not among the positions, and its fills are in the activity"
SELF_FILLS = "halves of self-fills are left out here"
JUST_NOW = "traded too lately to be in the table for sure"
UNEXPLAINED = "unexplained"


@dataclass(frozen=True)
class Figures:
    """Tokens bought, tokens held (None where that is not said), and dollars realized."""

    bought: float
    held: float | None
    realized: float


@dataclass(frozen=True)
class Row:
    """A position. `ours` is by average cost, `fifo` first in first out; all zero where one of us has no such position.
    `oversold` tokens were sold here beyond those that were held, and nothing says where they came from."""

    position: str
    ours: Figures
    theirs: Figures
    oversold: float
    fifo: float | None
    cause: str

    @property
    def difference(self) -> Figures:
        """Ours less theirs."""
        held = None if self.theirs.held is None else (self.ours.held or 0.0) - self.theirs.held
        return Figures(self.ours.bought - self.theirs.bought, held, self.ours.realized - self.theirs.realized)

    @property
    def largest(self) -> float:
        """The largest of the differences, in tokens or dollars; what was sold and never held is one."""
        off = self.difference
        return max(abs(off.bought), abs(off.held or 0.0), abs(off.realized), self.oversold)

    def __str__(self) -> str:
        off = self.difference
        held = "" if off.held is None else f", {off.held:+,.4f} tokens held"
        return (
            f"{self.position}: ours {self.ours.realized:,.4f} $, theirs {self.theirs.realized:,.4f} $ "
            f"({off.realized:+,.4f} $, {off.bought:+,.4f} tokens bought{held}): {self.cause}"
        )


@dataclass(frozen=True)
class Agreement:
    """All positions of a subject, those that differ most first; the statements and the files that they were read from."""

    subject: str
    rows: tuple[Row, ...]
    answers: tuple[Answer, ...]
    sha256: Mapping[str, str]
    required: float

    @property
    def agreeing(self) -> int:
        return sum(row.cause == SAME for row in self.rows)

    @property
    def comparable(self) -> int:
        """Positions that the data API lists, or would list."""
        return sum(row.cause != SOLD_ONLY for row in self.rows)

    @property
    def percent(self) -> float:
        return 100 * self.agreeing / self.comparable if self.comparable else 0.0

    @property
    def unexplained(self) -> int:
        return sum(row.cause == UNEXPLAINED for row in self.rows)

    @property
    def causes(self) -> dict[str, int]:
        """Positions by cause."""
        return dict(sorted(Counter(row.cause for row in self.rows).items()))

    @property
    def holds(self) -> bool:
        return bool(self.comparable) and self.percent >= self.required and not self.unexplained

    def __str__(self) -> str:
        said = "agrees" if self.holds else "differs"
        return (
            f"{self.subject} {said}: {self.agreeing:,} of {self.comparable:,} positions within the tolerance "
            f"({self.percent:.1f} %, required {self.required:g} %), {self.unexplained:,} unexplained"
        )


def compare(warehouse: Warehouse, account: Account, subject: str, now: datetime) -> Agreement:
    """Compare the positions of `subject` with `account`; raises UsageError where the incident file has no validation."""
    rules = rules_of(warehouse.incident)
    fills, asked = average_cost.fills_of(warehouse, subject)
    payouts = warehouse.ask("subject_payouts", subject=subject)
    answers = [asked, payouts]
    fifo: dict[Key, float] = {}
    if warehouse.columns(positions.section(warehouse.incident).table):
        answers.append(warehouse.ask("subject_positions", subject=subject))
        fifo = {(row["condition"], row["outcome"]): row["pnl"] for row in answers[-1].rows}
    broken = [warehouse.ask("subject_broken", subject=subject)]
    if warehouse.ask_again("quarantine_exists").first["result"]:
        broken.append(warehouse.ask("subject_set_aside", subject=subject))
    book = _Book(
        rules,
        account.activity,
        fills,
        {row["condition"]: row["payouts"] for row in payouts.rows},
        {row["transaction"] for answer in broken for row in answer.rows},
        ((now - timedelta(minutes=warehouse.incident.gates.settle_minutes)).timestamp(), now.timestamp()),
    )
    theirs: dict[Key, Open | Closed] = {(p.condition, p.outcome): p for p in (*account.closed, *account.open)}
    keys = dict.fromkeys([*theirs, *book.positions])
    rows = [book.row(key, theirs.get(key), fifo.get(key)) for key in keys]
    rows.sort(key=lambda row: (row.cause != UNEXPLAINED, row.cause == SAME, -row.largest))
    return Agreement(subject, tuple(rows), (*answers, *broken), account.sha256, rules.agreeing_percent)


def rules_of(incident: Incident) -> Validation:
    """The incident's section validation; raises UsageError where it has none."""
    if incident.validation is None:
        raise UsageError(f"{incident.path}: there is no section [validation]; without it nothing is compared.")
    return incident.validation


class _Book:
    """Our positions of one subject, and what can explain a difference to theirs."""

    def __init__(
        self,
        rules: Validation,
        activity: Iterable[Activity],
        fills: list[Fill],
        payouts: Mapping[str, list[int]],
        broken: set[str],
        unsettled: tuple[float, float],
    ) -> None:
        self._rules = rules
        self._payouts = payouts
        self._broken = broken
        self._unsettled = unsettled
        self._trades: dict[Key, list[Activity]] = defaultdict(list)
        # By transaction, too, and whether it was bought.
        self._halves: dict[tuple[str, Key, bool], list[Activity]] = defaultdict(list)
        self._moved: dict[str, float] = defaultdict(float)  # tokens by condition, or by event where it is converted
        for record in activity:
            if record.kind == TRADE:
                key = _plain(record.condition), record.outcome
                self._trades[key].append(record)
                self._halves[record.transaction, key, record.side == "BUY"].append(record)
            elif record.kind in OTHERWISE and (
                what := record.event if record.kind == CONVERSION else _plain(record.condition)
            ):
                self._moved[what] += record.size
        self.positions = average_cost.positions(fills, self._before_fee)

    def row(self, key: Key, theirs: Open | Closed | None, fifo: float | None) -> Row:
        condition, outcome = key
        mine = self.positions.get(key, Position())
        payout = next(iter(self._payouts.get(condition, [])[outcome : outcome + 1]), None)
        is_settled = theirs is not None and not isinstance(theirs, Open)
        realized = mine.settled(payout) if is_settled and payout is not None else mine.realized
        row = Row(
            f"{theirs.title if theirs else condition}, outcome {outcome}",
            Figures(mine.bought / MILLION, mine.held / MILLION, realized / MILLION),
            _figures(theirs),
            self._oversold(key, mine, theirs),
            fifo,
            UNEXPLAINED,
        )
        if theirs is not None and row.largest <= self._rules.tolerance + 1e-9:
            return replace(row, cause=SAME)
        for cause, most in self._causes(key, mine, theirs, is_open_here=is_settled and payout is None):
            if row.largest <= most + self._rules.tolerance:
                is_sold_only = cause == MOVED and theirs is None and not mine.bought
                return replace(row, cause=SOLD_ONLY if is_sold_only else cause)
        return row

    def _causes(
        self, key: Key, mine: Position, theirs: Open | Closed | None, *, is_open_here: bool
    ) -> Iterator[tuple[str, float]]:
        """What may have made a difference, and how large it can be, in tokens or dollars."""
        trades = self._trades[key]
        first, last = self._unsettled
        yield MOVED, self._moved_tokens(key, theirs)
        yield FEES, sum(self._most_fee(fill) for fill in mine.fills) / MILLION
        yield SELF_FILLS, _tokens_with_itself(mine)
        if is_open_here:
            yield UNRESOLVED, mine.held / MILLION
        if not mine.fills and trades and all(trade.transaction in self._broken for trade in trades):
            yield SET_ASIDE, float("inf")
        if theirs is None and trades:
            yield UNLISTED, sum(trade.size for trade in trades)
        yield JUST_NOW, sum(trade.size for trade in trades if first <= trade.at <= last)

    def _oversold(self, key: Key, mine: Position, theirs: Open | Closed | None) -> float:
        """Tokens sold beyond those held, where neither as many were sold there nor came without a trade."""
        oversold = mine.oversold / MILLION
        sold_here = -sum(fill.tokens for fill in mine.fills if fill.tokens < 0) / MILLION
        sold_there = sum(trade.size for trade in self._trades[key] if trade.side == "SELL")
        known = sold_here <= sold_there + self._rules.tolerance or oversold <= max(
            self._moved_tokens(key, theirs), _tokens_with_itself(mine)
        )
        return 0.0 if known else oversold

    def _moved_tokens(self, key: Key, theirs: Open | Closed | None) -> float:
        """Tokens that came or went without a trade: of the condition, or of the event where they were converted."""
        return self._moved.get(key[0], 0.0) + self._moved.get(theirs.event if theirs else "", 0.0)

    def _has_fee(self, fill: Fill) -> bool:
        return self._rules.fee_start.timestamp() <= fill.at < self._rules.fee_end.timestamp()

    def _published(self, fill: Fill) -> int | None:
        """How many millionths of a token the activity says that this fill was of: before a fee, and for the same dollars."""
        dollars = abs(fill.dollars)
        near = [
            (abs(round(trade.size * trade.price * MILLION) - dollars), round(trade.size * MILLION))
            for trade in self._halves.get((fill.transaction, (fill.condition, fill.outcome), fill.tokens > 0), ())
        ]
        off, size = min(near, default=(dollars + MILLION, 0))
        return size if off <= 2 + dollars // 10_000 else None

    def _before_fee(self, fill: Fill) -> int:
        published = self._published(fill) if self._has_fee(fill) else None
        return abs(fill.tokens) if published is None else published

    def _most_fee(self, fill: Fill) -> float:
        if not self._has_fee(fill) or fill.tokens <= 0:
            return 0.0
        published = self._published(fill)
        return MOST_FEE * fill.tokens if published is None else float(abs(published - fill.tokens))


def _plain(condition: str) -> str:
    """A condition as the table has it."""
    return condition.removeprefix("0x").lower()


def _tokens_with_itself(mine: Position) -> float:
    return sum(abs(fill.tokens) for fill in mine.fills if fill.is_with_itself) / MILLION


def _figures(theirs: Open | Closed | None) -> Figures:
    if theirs is None:
        return Figures(0.0, None, 0.0)
    return Figures(theirs.bought, theirs.size if isinstance(theirs, Open) else None, theirs.realized)
