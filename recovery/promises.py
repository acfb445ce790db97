"""Promises: what a nightly file says of the tables of a database, as frozen, checked values.

The file lies beside the incident's, `<id>.nightly.toml`. It is not part of the incident's digest: a threshold of the night
that changes closes no gate of the recovery.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from recovery.sections import (
    Cost,
    Distinct,
    Duration,
    Expression,
    MemoryBytes,
    Name,
    Percent,
    Section,
    Text,
    Threads,
)


def _rising(values: list[float]) -> list[float]:
    if values[0] > values[1]:
        raise ValueError("[warn, critical] is expected, the first no larger than the second")
    return values


Bounds = Annotated[
    list[Annotated[float, Field(ge=0, le=10**15)]], Field(min_length=2, max_length=2), AfterValidator(_rising)
]
Percents = Annotated[list[Percent], Field(min_length=2, max_length=2), AfterValidator(_rising)]
Times = Annotated[
    list[Annotated[float, Field(gt=1, le=10**9)]], Field(min_length=2, max_length=2), AfterValidator(_rising)
]
Days = Annotated[int, Field(ge=1, le=400)]
Hours = Annotated[int, Field(ge=1, le=400 * 24)]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
Value = Annotated[
    str, Field(pattern=r"^[ -\[\]-~]+$", max_length=200)
]  # it stands in the name of a check: ASCII, no backslash
TAKEN = frozenset(("columns", "values", "fresh", "volume", "amount", "unmerged", "doubled", "alike", "gone"))


Values = Annotated[list[Value], Field(min_length=1), Distinct]


def _not_taken(promises: dict[str, Rows]) -> dict[str, Rows]:
    if taken := sorted(TAKEN & promises.keys()):
        raise ValueError(f"{', '.join(taken)} is the name of a check of its own; call the promise otherwise")
    return promises


class History(Section):
    """Where each run writes its results down, and for how many days they have to be kept there."""

    table: Name
    days: Days


class NightCost(Cost):
    """The night has time, and takes less at once."""

    memory_bytes: MemoryBytes = 900_000_000
    threads: Threads = 2
    seconds: Duration = 1_800


class Reference(Section):
    """Values of `column` have to be among those of `key` in another table."""

    column: Name
    table: Name
    key: Name


class Rows(Section):
    """A condition that a row must not meet, or a reference that it must not lack. `percent` of the rows may: of the worst hour
    (and the worst day, of rows that are not recent), of the worst recent hour, of the recent rows together, or of
    all. `of` names the values of `by` that it is about, `where` the rows; all of them where they are left out."""

    wrong: Expression | None = None
    unknown: Reference | None = None
    of: Values | None = None
    where: Expression | None = None
    over: Literal["hour", "recent_hour", "recent", "days"] = "recent"
    percent: Percents

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.wrong is None) == (self.unknown is None):
            raise ValueError("either wrong or unknown is expected")
        return self


class Identity(Section):
    """`columns` of which one row is right, `key` the columns by which merges replace rows. Recent rows are looked at, and of
    the others one identity in `sample`; rows of an identity are found where they are of one hour (one day, of those that are not
    recent) and one value of `by`. `unmerged_percent` is of rows that a merge will take away, `doubled` a count of
    identities with several keys, which none will; `gone_percent` of a day's identities are there no more since last night."""

    columns: Annotated[list[Name], Field(min_length=1), Distinct]
    key: Annotated[list[Name], Field(min_length=1), Distinct]
    sample: Annotated[int, Field(ge=1, le=10_000)] = 1
    unmerged_percent: Percents
    doubled: Bounds
    gone_percent: Percents | None = None


class Alike(Section):
    """Identities that are alike in `columns`, or expressions of them, are taken for one row that was loaded several times:
    `percent` of those of an hour (or of a day before the recent ones, with `over` "days") may be such repeats."""

    columns: Annotated[list[Expression], Field(min_length=1), Distinct]
    over: Literal["recent", "days"] = "recent"
    percent: Percents


class Volume(Section):
    """Rows of a day may be so many `times` more or fewer than its own history says, once `settle_hours` have gone by since its
    end. `amount` is an expression whose mean of a day is compared in the same way, within `amount_times`."""

    of: Values | None = None
    times: Times
    settle_hours: Annotated[int, Field(ge=0, le=240)]
    amount: Expression | None = None
    amount_times: Times = Field(default=[10.0, 100.0])


class Guarded(Section):
    """What is promised of a table. `time` says when a row is of, `by` splits the rows, `values` are those that `by` may have;
    `fresh` are minutes since the last row, by value of `by`, or of "*" for the table. `slices` are expressions by which wrong
    rows are told from others, `trace` columns of the SELECT in `<id>.<table>.trace.sql` that tell more of a row by its identity,
    and `position` is a column that says where the first of them stands."""

    name: Name
    columns: dict[Name, Text]
    time: Name | None = None
    by: Name | None = None
    values: Values | None = None
    days: Days = 35
    recent_hours: Hours = 48
    position: Name | None = None
    may_be_empty: bool = False
    rows: Annotated[dict[Key, Rows], AfterValidator(_not_taken)] = Field(default_factory=dict)
    identity: Identity | None = None
    alike: Alike | None = None
    fresh: dict[Value, Bounds] = Field(default_factory=dict)
    volume: Volume | None = None
    slices: dict[Key, Expression] = Field(default_factory=dict)
    trace: Annotated[list[Name], Distinct] = Field(default_factory=list)

    @model_validator(mode="after")
    def _what_needs_a_time_has_one(self) -> Self:
        if self.time is None and (self.fresh or self.volume):
            raise ValueError("fresh and volume need time, the column that says when a row is of")
        if self.by is None and (self.values or set(self.fresh) - {"*"} or any(each.of for each in self.rows.values())):
            raise ValueError('values, of, and fresh but for "*" need by, the column whose values they name')
        named = {column for column in (self.time, self.by, self.position) if column}
        named |= {*self.identity.columns, *self.identity.key} if self.identity else set()
        if self.trace and not (self.identity and self.time):
            raise ValueError("trace: it needs identity, by which its rows are found, and time")
        if lacking := sorted(named - set(self.columns)):
            raise ValueError(f"columns: {', '.join(lacking)} is used and not among them")
        return self


class Parity(Section):
    """Yesterday's rows of the broken table against the SELECT of the right rows: percent of its identities."""

    missing_percent: Percents
    different_percent: Percents
    extra_percent: Percents


class Nightly(Section):
    """A nightly file as it was read."""

    history: History
    cost: NightCost = NightCost()
    tables: Annotated[dict[Key, Guarded], Field(min_length=1)]
    parity: Parity | None = None

    @model_validator(mode="after")
    def _parity_is_no_table(self) -> Self:
        if "parity" in self.tables:
            raise ValueError("tables.parity: parity is the name of a check of its own; call the table otherwise")
        return self
