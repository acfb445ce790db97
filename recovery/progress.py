"""Progress: how far a statement of the suite is while it runs and how long it still takes, by what the server shows.

A second connection looks, after five seconds and once a second from then on. No figure is told that is not known: before a
tenth is done, while the rate is unsteady, or while more may turn up to be read, only what was seen so far. Looking changes
no answer and fails no run.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

AFTER_SECONDS, EVERY_SECONDS = 5.0, 1.0
LINE_SECONDS = 10.0  # where lines are all that can be written
TENTH = 0.1
STEADY = 1.25  # the newest rate over that of the whole window, or the other way round
# After all is read there is work left.
COMPUTES = re.compile(r"\b(GROUP BY|ORDER BY|DISTINCT|OVER|LIMIT \d+ BY)\b")
READS_FIRST = re.compile(r"\bIN\s*\(\s*(SELECT|WITH)\b", re.IGNORECASE)  # and only then knows what else it will read


@dataclass(frozen=True)
class Told:
    """What can be said of a statement: `done` of `total` rows (or bytes, of what is merged) after `seconds`, and the seconds
    `left`, None where they are not known; with `reads` they are those of the reading alone."""

    statement: str
    unit: str
    done: float
    total: float
    seconds: float
    left: float | None
    reads: bool = False

    @property
    def left_told(self) -> str:
        if self.left is None:
            return "all is read and being computed" if self.reads and self.done >= self.total else ""
        return f"about {self.left:,.0f} s {'of reading ' if self.reads else ''}left"

    def __str__(self) -> str:
        share = f" ({100 * self.done / self.total:.0f} %)" if self.total else ""
        told = (
            f"{self.statement}: {self.done:,.0f} of about {self.total:,.0f} {self.unit}{share}, {self.seconds:,.0f} s"
        )
        return f"{told}, {self.left_told}" if self.left_told else told


class Teller(Protocol):
    """Where progress is shown."""

    def at(self, told: Told) -> None: ...
    def note(self, sentence: str) -> None: ...
    def end(self) -> None: ...


class Lines:
    """The statement that is waited for, as a line now and then, where there is no terminal."""

    def __init__(self, write: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self.write, self.clock = write, clock
        self.last = -LINE_SECONDS

    def at(self, told: Told) -> None:
        if self.clock() - self.last >= LINE_SECONDS:
            self.last = self.clock()
            self.note(str(told))

    def note(self, sentence: str) -> None:
        self.write(f"\n  {sentence}\n")

    def end(self) -> None:
        pass


class Series:
    """Looks at one piece of work, each later than the one before."""

    def __init__(self) -> None:
        self._looks: list[tuple[float, float]] = [(0.0, 0.0)]
        self.total = 0.0
        self.grown = False

    def add(self, seconds: float, done: float, total: float) -> None:
        self.grown = self.grown or 0 < self.total < total
        self.total = total
        self._looks.append((seconds, done))

    @property
    def done(self) -> float:
        return self._looks[-1][1]

    def left(self) -> float | None:
        """Seconds until all is done, at the rate of the last third of the time; None where that would be a guess."""
        now = self._looks[-1][0]
        recent = [look for look in self._looks if look[0] >= now * 2 / 3]
        if not self.total or not TENTH <= self.done / self.total < 1 or len(recent) < 3:
            return None
        whole, newest = _rate(recent), _rate(recent[-max(2, len(recent) // 3 + 1) :])
        if not whole or not whole / STEADY <= newest <= whole * STEADY:
            return None
        return (self.total - self.done) / whole


def _rate(looks: Sequence[tuple[float, float]]) -> float:
    (began, first), (ended, last) = looks[0], looks[-1]
    return (last - first) / (ended - began) if ended > began else 0.0


@dataclass
class Watch:
    """Follows the statements of one warehouse. `look` asks the server what it shows of a label and a statement: done and in all
    of "rows", or 0 and what is left of "bytes". `teller` is told, where there is one. What a statement took is remembered
    by its name, in seconds for what it read."""

    look: Callable[[str, str], tuple[float, float, str] | None]
    teller: Teller | None = None
    after: float = AFTER_SECONDS
    every: float = EVERY_SECONDS
    took: dict[str, tuple[float, float]] = field(default_factory=dict)
    _faulty: bool = False

    @contextmanager
    def over(self, name: str, label: str, sql: str) -> Iterator[None]:
        """While a statement runs: what it shows is told, and nothing any more once it has ended."""
        if self.teller is None or self._faulty:
            yield
            return
        following = _Following(self, self.teller, name, label, sql)
        thread = threading.Thread(target=following.run, name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            following.end()

    def give_up(self, error: Exception, teller: Teller) -> None:
        if not self._faulty:
            self._faulty = True
            teller.note(f"progress is not shown any more: {type(error).__name__}: {error}")


class _Following:
    """One statement that is looked at from a thread of its own."""

    def __init__(self, watch: Watch, teller: Teller, name: str, label: str, sql: str) -> None:
        self._watch, self._teller = watch, teller
        self._name, self._label, self._sql = name, label, sql
        self._began, self._series = time.monotonic(), Series()
        self._ended, self._telling, self._told = threading.Event(), threading.Lock(), False
        self._most = 0.0

    def run(self) -> None:
        wait = self._watch.after
        while not self._ended.wait(wait):
            wait = self._watch.every
            try:
                if seen := self._watch.look(self._label, self._sql):
                    self._tell(*seen)
            except Exception as error:  # whatever it is, the statement is none the worse
                with self._telling:
                    if not self._ended.is_set():
                        self._watch.give_up(error, self._teller)
                return

    def end(self) -> None:
        with self._telling:
            self._ended.set()
            if self._told:
                self._teller.end()
                self._watch.took[self._name] = (time.monotonic() - self._began, self._series.total)

    def _tell(self, done: float, total: float, unit: str) -> None:
        seconds = time.monotonic() - self._began
        if unit == "bytes":  # of merges only what is left can be seen: done is what was left and is no more
            self._most = max(self._most, total)
            done, total = self._most - total, self._most
        if not total:
            return
        self._series.add(seconds, done, total)
        told = told_of(self._name, self._sql, unit, seconds, self._series, self._watch.took.get(self._name))
        with self._telling:
            if not self._ended.is_set():
                self._told = True
                self._teller.at(told)


def told_of(name: str, sql: str, unit: str, seconds: float, series: Series, took: tuple[float, float] | None) -> Told:
    """What can be said of a statement. What it `took` the last time says how long it computes after all is read, and whether
    there is more to read than it shows yet."""
    computes, left = bool(COMPUTES.search(sql)) and unit == "rows", series.left()
    if READS_FIRST.search(sql) and not series.grown and (took is None or series.total < took[1] * 0.9):
        left = None
    if computes and took and took[1] and series.done >= TENTH * series.total:
        left = took[0] * series.total / took[1] - seconds
        left, computes = (left if left > 0 else None), False
    return Told(name, unit, series.done, series.total, seconds, left, computes)


@dataclass(frozen=True)
class Left:
    """What units still take: `seconds` of those whose kind was measured, and how many `unknown` ones there are besides."""

    seconds: float
    unknown: int

    def __str__(self) -> str:
        units = f"{self.unknown:,} unit{'s' if self.unknown > 1 else ''}"
        if not self.unknown:
            return f"about {self.seconds:,.0f} s left"
        if not self.seconds:
            return f"how long {units} still take{'s' if self.unknown == 1 else ''} is not known yet"
        return f"about {self.seconds:,.0f} s left, and {units} of a kind that was not measured yet"


def left_of(units: Sequence[Mapping[str, Any]], took: Mapping[str, float], ended: Sequence[str]) -> Left:
    """What an action's units still take, each kind at its own rate and each unit by its rows, or its bytes where it has no rows.
    `took` are the seconds of those that were done by this attempt, by label; `ended` are done, whoever did them."""
    seconds, unknown = 0.0, 0
    for kind in {unit.get("kind", "") for unit in units}:
        own = [unit for unit in units if unit.get("kind", "") == kind]
        by = next((name for name in ("rows", "bytes") if all(unit.get(name) for unit in own)), "")
        measured = [unit for unit in own if unit["label"] in took]
        left = [unit for unit in own if unit["label"] not in ended]
        weights = [sum(unit[by] if by else 1 for unit in some) for some in (measured, left)]
        if left and weights[0] < TENTH * sum(unit[by] if by else 1 for unit in own):
            unknown += len(left)
        elif left:
            recent = measured[-5:]
            rate = sum(took[unit["label"]] for unit in recent) / sum(unit[by] if by else 1 for unit in recent)
            seconds += rate * weights[1]
    return Left(seconds, unknown)
