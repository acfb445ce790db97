"""Census: which class every identity of the affected partitions is in, counted by one scan of the table and its source.

Both are asked in ranges of their sorting keys, so memory is bounded whatever their size. What the table's rows say by
themselves is the whole answer where, day by day, its good rows are those of the source, in number and in the sum of their
hashes: then none is missing, different or unexpected, and what is broken alone is an orphan. Where they are not the same,
each identity of the table is laid beside its right row, by 128 bits: all at once where that fits into the memory of one
statement, else for one range of the source's key after the other, each of which looks through the whole table. Before a
backfill most days need not be: where the right rows that have no broken row in their place are the good rows of the day.

Where the rows of one identity differ in the column that the ranges go along, each range counts it. Of the window's own good
rows the source shows it, of broken ones `census_orphans.sql`, where they are few. What is not noticed where the table, or a day
of it, agrees, and only in several ranges: a row of others, or one outside the window, that has an identity of the window (class
`mixed` or `different` in the exact statement), also, where it was matched before, one of a day after the window that came
since; and while there are more than MANY_BROKEN broken rows, one beside its correction, which counts as an orphan. The rows
themselves are counted all the same: no right row is wrong or lacking then. Of another range than the window, as the clean days,
rows beyond it are not looked at where it agrees: one with an identity of that range is not noticed there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Self

from recovery import ranges, reuse, statements
from recovery.errors import LimitReached
from recovery.holdings import Holdings
from recovery.ledger import Line
from recovery.warehouse import Answer, Warehouse

# Classes of identities inside the window that this recovery answers for.
MISSING = "missing"  # the source has it, the table does not
UNCORRECTED = "uncorrected"  # broken, and the source has its right row
CLEAN = "clean"  # right, and no broken version beside it
CORRECTED = "corrected"  # right, with broken versions beside it that are older
OUTVERSIONED = "outversioned"  # right, with a broken version beside it that is newer
DIFFERENT = "different"  # not what the source says, or two good rows that differ
UNEXPECTED = "unexpected"  # good, but the source has no such row
ORPHAN = "orphan"  # broken, and the source has no right row for it
WITH_RIGHT_ROW = (MISSING, UNCORRECTED, CLEAN, CORRECTED, OUTVERSIONED, DIFFERENT)
GOOD = (CLEAN, CORRECTED, OUTVERSIONED)
BROKEN = (UNCORRECTED, CORRECTED, OUTVERSIONED, ORPHAN)
OWNED = (*WITH_RIGHT_ROW, UNEXPECTED, ORPHAN)
BY = ("day", "subject", "class")
MATCHED_BY = (*BY, "own_day", "own_subject", "own_class")
APART_BY = ("day", "subject", "is_broken")
MATCHING = (
    "census_table",
    "census_right",
    "census_broken",
    "census_matched",
    "identities",
    "has_a_right_row",
)  # what matching follows from
COUNTED = ("identities", "rows", "broken_rows", "good_rows", "doubled", "spread")
# And the others.
OUTSIDE, OUTSIDE_BROKEN = "outside", "outside_broken"
FOREIGN, FOREIGN_BROKEN = "foreign", "foreign_broken"
MIXED = "mixed"  # rows of this recovery and of others under one identity
MANY_BROKEN = 1_000_000  # broken rows whose identities are looked for in the whole table at once: about 100 MB


@dataclass(frozen=True)
class Census:
    """Counts of identities and rows per day, test subject (0 = none of them, else its place from 1) and class, drawn from
    these answers."""

    answers: tuple[Answer, ...]
    rows: list[dict[str, Any]]
    quiet: frozenset[str] = frozenset()
    holdings: Holdings | None = None

    @classmethod
    def take(
        cls,
        warehouse: Warehouse,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        since: Line | None = None,
    ) -> Self:
        """Of the window, or of another range [start, end), beyond which nothing is looked at if it agrees. With the ledger's
        line of the action that took a snapshot its holdings say what became of each identity `since`, by the same scan."""
        asked = parameters(warehouse, start, end)
        if (start, end) != (None, None):
            alone = Holdings.take(warehouse, asked, since, beyond=False)
            if found := cls._agreeing(warehouse, alone, asked):
                return replace(found, holdings=alone)
        held = Holdings.take(warehouse, asked, since)
        return replace(cls._agreeing(warehouse, held, asked) or cls._matched(warehouse, held, asked), holdings=held)

    @classmethod
    def _agreeing(cls, warehouse: Warehouse, holdings: Holdings, asked: Mapping[str, Any]) -> Self | None:
        """By what the table's rows say by themselves; None where its good rows are not those of the source."""
        held = _by_class(holdings)
        if not _may_agree(held, warehouse.incident.gates.orphan_percent):
            return None
        right = _right_rows(warehouse, asked)
        found = cls((holdings.answer, right), held, _quiet(warehouse))
        if _agree(held, right.rows) and found._counts_each_once(warehouse, asked):
            return found
        return None

    @classmethod
    def _matched(cls, warehouse: Warehouse, holdings: Holdings, asked: Mapping[str, Any]) -> Self:
        """By laying each identity of the table beside its right row."""
        held, quiet = _by_class(holdings), _quiet(warehouse)
        if not ranges.fits(warehouse, asked):
            beside = _beside(warehouse, asked, held)
            found = cls((*beside.answers, holdings.answer), _compared(held, beside), quiet)
            if found.rows and found._counts_each_once(warehouse, asked):
                return found
        exact = warehouse.ask("census", **asked)
        return cls((exact,), exact.rows, quiet)

    def _counts_each_once(self, warehouse: Warehouse, asked: Mapping[str, Any]) -> bool:
        """Whether what is broken alone in its range is so in the whole table."""
        orphans = self.count(ORPHAN, UNCORRECTED)
        if len(ranges.of_table(warehouse)) == 1 or not orphans or self.count(of="broken_rows") > MANY_BROKEN:
            return True
        return bool(warehouse.ask("census_orphans", **asked).first["orphans"] == orphans)

    def once_backfilled(self) -> Self:
        """What will be counted when every identity that has a right row holds it: missing ones clean, broken ones
        corrected by a newer version. An estimate for a plan; a gate asks the server."""
        becomes = {MISSING: CLEAN, UNCORRECTED: CORRECTED}
        rows = [
            row | {"class": becomes[row["class"]], "rows": row["rows"] + row["identities"]}
            if row["class"] in becomes
            else row
            for row in self.rows
        ]
        return replace(self, rows=rows)

    @property
    def agrees(self) -> bool:
        """Whether the table's good rows of the window are those of the source."""
        return self.answers[0].statement == "census_table"

    def count(self, *classes: str, day: str | None = None, subject: int | None = None, of: str = "identities") -> int:
        """Identities (or `of` rows, broken_rows, good_rows, doubled, spread) in these classes; all classes if none."""
        return sum(
            row[of]
            for row in self.rows
            if (not classes or row["class"] in classes)
            and (day is None or row["day"] == day)
            and (subject is None or row["subject"] == subject)
        )

    def told(self, *classes: str) -> list[str]:
        """A phrase for each of these classes that has identities."""
        return [f"{self.count(kind):,} identities are {kind}" for kind in classes if self.count(kind)]

    def examined(self, *classes: str, day: str) -> int:
        """Identities looked at for a day: its own; for a quiet day without any, those of the scan that found none."""
        return self.count(*classes, day=day) or (self.count() if day in self.quiet else 0)

    def per_day(self, *classes: str, of: str = "identities") -> dict[str, int]:
        days: dict[str, int] = {}
        for row in self.rows:
            if row["class"] in classes:
                days[row["day"]] = days.get(row["day"], 0) + row[of]
        return days

    def classes(self, day: str | None = None, subject: int | None = None) -> dict[str, int]:
        """Identities by class, those that are there."""
        names = sorted({row["class"] for row in self.rows})
        counts = {name: self.count(name, day=day, subject=subject) for name in names}
        return {name: count for name, count in counts.items() if count}


def _by_class(holdings: Holdings) -> list[dict[str, Any]]:
    return [row for row in holdings.by(*BY, of=(*COUNTED, "content", "told_apart")) if row["class"]]


def _right_rows(warehouse: Warehouse, asked: Mapping[str, Any]) -> Answer:
    """Asked once in a run."""
    return ranges.ask(warehouse, "census_right", ranges.of_source(warehouse, asked), ("day",), **asked)


def _quiet(warehouse: Warehouse) -> frozenset[str]:
    return frozenset(day.isoformat() for day in warehouse.incident.window.quiet_days)


@dataclass(frozen=True)
class _Beside:
    """The identities that have a right row, by the class, day and subject that they are in, and by those that the table's rows
    gave them. On days that were not `matched` each good identity has one."""

    answers: tuple[Answer, ...]
    rows: list[dict[str, Any]]
    matched: frozenset[str] | None = None  # every day


def _beside(warehouse: Warehouse, asked: Mapping[str, Any], held: Sequence[Mapping[str, Any]]) -> _Beside:
    """Matched identity by identity; where each broken identity is one row and nothing else, only on the days on which the good
    rows are not the right rows that have no broken one in their place."""
    # Rows of the days after it, which a live writer goes on with, do not bear on what the window is matched with.
    last = asked["time_to"].date().isoformat()
    known = [row for row in held if row["class"] not in (OUTSIDE, OUTSIDE_BROKEN) or row["day"] < last]
    basis = [asked, known, _right_rows(warehouse, asked).rows]

    def matched(**span: datetime) -> Answer:
        given, names = {**asked, **span}, {"which": statements.condition("has_a_right_row", warehouse.words)}

        def match() -> Answer:
            pieces = ranges.to_match(warehouse, given)
            return ranges.ask(warehouse, "census_matched", pieces, MATCHED_BY, names=names, **given)

        return reuse.once(warehouse, MATCHING, [*basis, span], match)

    if apart := _apart(warehouse, asked, held, basis):
        days = _days_that_differ(held, [row for row in apart.rows if not row["is_broken"]])
        if not days:
            return _Beside((apart,), _uncorrected(apart, days), days)
        found = matched(**_span(warehouse, days, asked))
        right = sum(row["identities"] for row in apart.rows if row["day"] in days)
        if sum(row["identities"] for row in found.rows) == right:
            return _Beside((found, apart), [*found.rows, *_uncorrected(apart, days)], days)
    found = matched()
    return _Beside((found,), found.rows)


def _apart(
    warehouse: Warehouse, asked: Mapping[str, Any], held: Sequence[Mapping[str, Any]], basis: Sequence[Any]
) -> Answer | None:
    """The right rows with a broken row in their place, and the others. None where that does not tell all of an identity: the
    broken one has another row, or the source has two right rows; and where the broken ones do not fit into memory."""
    broken = [row for row in held if row["class"] == ORPHAN]
    listed = sum(row["identities"] for row in broken)
    are_alone = all(row["rows"] == row["identities"] and not row["spread"] for row in broken)
    has_others = any(row["class"] in (CORRECTED, OUTVERSIONED, MIXED) for row in held)
    if has_others or not are_alone or not ranges.fits_in_a_list(warehouse, listed):
        return None

    def tell() -> Answer:
        pieces = ranges.to_match(warehouse, asked, listed)
        return ranges.ask(warehouse, "census_broken", pieces, APART_BY, **asked)

    found = reuse.once(warehouse, MATCHING, [*basis, "apart"], tell)
    return found if all(row["identities"] == row["told_apart"] for row in found.rows) else None


def _days_that_differ(held: Sequence[Mapping[str, Any]], right: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """From the first to the last day on which the good rows are not these right rows, in number or content."""
    ours, theirs = _sums(row for row in held if row["class"] in GOOD), _sums(right)
    days = sorted(day for day in ours.keys() | theirs.keys() if ours.get(day) != theirs.get(day))
    if not days:
        return frozenset()
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    return frozenset((first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1))


def _span(warehouse: Warehouse, days: frozenset[str], asked: Mapping[str, Any]) -> dict[str, datetime]:
    first, last = (_midnight(date.fromisoformat(day), warehouse) for day in (min(days), max(days)))
    return {"time_from": max(first, asked["time_from"]), "time_to": min(last + timedelta(days=1), asked["time_to"])}


def _uncorrected(apart: Answer, matched: frozenset[str]) -> list[dict[str, Any]]:
    """The broken rows in whose place a right row belongs, on the days that are not matched, as matching gives them."""
    return [
        dict.fromkeys((*COUNTED, "own_spread"), 0)
        | {"day": row["day"], "subject": row["subject"], "class": UNCORRECTED}
        | {"own_day": row["day"], "own_subject": row["subject"], "own_class": ORPHAN}
        | dict.fromkeys(("identities", "rows", "broken_rows"), row["identities"])
        for row in apart.rows
        if row["is_broken"] and row["day"] not in matched
    ]


def _may_agree(held: Sequence[Mapping[str, Any]], orphan_percent: float) -> bool:
    """Whether the table's rows, by themselves, leave it possible that its good ones are those of the source."""
    found = dict.fromkeys((*OWNED, MIXED), 0)
    for row in held:
        found[row["class"]] = found.get(row["class"], 0) + row["identities"]
    few = 100 * found[ORPHAN] <= orphan_percent * sum(found[kind] for kind in OWNED)
    return few and not found[DIFFERENT] and not found[MIXED]


def _agree(held: Sequence[Mapping[str, Any]], right: Sequence[Mapping[str, Any]]) -> bool:
    """Whether each day has as many good identities as right rows, with the same content."""
    return _sums(row for row in held if row["class"] in GOOD) == _sums(right)


def _sums(rows: Iterable[Mapping[str, Any]]) -> dict[str, tuple[int, int]]:
    """day → identities and what they hold, modulo 2^64."""
    summed = ranges.added(({name: row[name] for name in ("day", "identities", "content")} for row in rows), ("day",))
    return {row["day"]: (row["identities"], row["content"]) for row in summed}


def _compared(held: Sequence[Mapping[str, Any]], beside: _Beside) -> list[dict[str, Any]]:
    """What the table holds by itself, in the classes that the comparison with the source gives: identities that have a right
    row leave the class that they had for the one that they are in, and what is good without one is unexpected. Empty where
    the rows of one identity are in several ranges, so that it was counted more than once."""
    counts: dict[tuple[Any, ...], Counter[str]] = {}
    for row in held:
        counts[tuple(row[name] for name in BY)] = Counter({name: row[name] for name in COUNTED})
    for row in beside.rows:
        if row["own_class"]:
            own = counts.setdefault((row["own_day"], row["own_subject"], row["own_class"]), Counter())
            own.subtract({name: row[name] for name in COUNTED if name != "spread"} | {"spread": row["own_spread"]})
    if any(count < 0 for own in counts.values() for count in own.values()):
        return []
    found: dict[tuple[Any, ...], Counter[str]] = {}
    for (day, subject, kind), own in counts.items():
        is_matched = beside.matched is None or day in beside.matched
        final = UNEXPECTED if is_matched and kind in (*GOOD, DIFFERENT) else kind
        found.setdefault((day, subject, final), Counter()).update(own)
    for row in beside.rows:
        found.setdefault(tuple(row[name] for name in BY), Counter()).update({name: row[name] for name in COUNTED})
    return [
        dict(zip(BY, key, strict=True)) | {name: own[name] for name in COUNTED}
        for key, own in sorted(found.items())
        if own["identities"]
    ]


def parameters(warehouse: Warehouse, start: datetime | None = None, end: datetime | None = None) -> dict[str, Any]:
    """What the census and the statements that share its scan are asked with."""
    incident = warehouse.incident
    low, high = warehouse.key_bounds
    return {
        "partitions": list(incident.table.partitions),
        "subjects": list(incident.window.test_subjects),
        "time_from": start or incident.window.start,
        "time_to": end or incident.window.end,
        "window_from": start or incident.window.start,
        "window_to": end or incident.window.end,
        "key_from": low,
        "key_to": high,
    }


def holdings(warehouse: Warehouse, since: Line | None) -> Holdings:
    """What the census and the balance of the window are drawn from."""
    return Holdings.take(warehouse, parameters(warehouse), since)


def elsewhere(warehouse: Warehouse) -> tuple[Answer, int]:
    """How many identities of the window also have a row in a partition that the incident file does not name, and the answer that
    says so: where the table has no such partition, that of the partitions."""
    table = warehouse.incident.table
    held = warehouse.ask("partitions", database=table.database, table=table.name)
    if not warehouse.incident.cluster and {row["partition_id"] for row in held.rows} <= set(table.partitions):
        return held, 0
    answer = ranges.ask(warehouse, "elsewhere", ranges.of_table(warehouse), (), **parameters(warehouse))
    return answer, int(answer.first["elsewhere"])


def written(warehouse: Warehouse, since: Line) -> tuple[Answer, dict[str, int]]:
    """Identities per day with a good row that has a version from the start of an action on, and the answer that says so."""
    held = holdings(warehouse, since)
    if held.is_sure and held.has_accounts:
        return held.answer, {row["day"]: row["written"] for row in held.by("day", of=("written",)) if row["written"]}
    asked = parameters(warehouse) | {"since_version": since["plan"]["facts"]["start_version"]}
    answer = ranges.ask(warehouse, "written", ranges.of_table(warehouse), ("day",), **asked)
    return answer, {row["day"]: row["rows"] for row in answer.rows}


def clean_range(warehouse: Warehouse) -> tuple[datetime, datetime]:
    """The range of the clean days, half-open."""
    days = sorted(warehouse.incident.window.clean_days)
    return _midnight(days[0], warehouse), _midnight(days[-1], warehouse) + timedelta(days=1)


def sample(
    warehouse: Warehouse, kind: str, limit: int = 5, *, since: Line | None = None, **span: datetime
) -> list[str]:
    """Some identities of a class, as text; `since` as the census was asked, which is not asked again then."""
    values = parameters(warehouse, span.get("start"), span.get("end")) | {"class": kind, "limit": limit, "shares": 1}
    if kind != ORPHAN or span or not Census.take(warehouse, since=since).agrees:
        try:
            return [_identity(row) for row in warehouse.ask("sample", **values).rows]
        except LimitReached:
            return ["none was looked for, which would take more memory than cost.memory_bytes"]
    found: list[str] = []
    for each in ranges.of_table(warehouse):
        if len(found) < limit:
            rows = warehouse.ask("orphan_sample", **(values | each)).rows
            found += [_identity(row) for row in rows[: limit - len(found)]]
    return found


def _identity(row: Mapping[str, Any]) -> str:
    return ", ".join(str(value) for value in row.values())


def _midnight(day: date, warehouse: Warehouse) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=warehouse.incident.window.start.tzinfo)
