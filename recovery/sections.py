"""Sections: what an incident file may hold, as frozen, checked values."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from recovery import wording

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`""", re.DOTALL)


def _name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError("a plain name is expected: letters, digits and _ only, no SQL")
    return value


def _expression(value: str) -> str:
    bare = QUOTED.sub("''", value)
    if not bare.strip() or not bare.isascii() or any(mark in bare for mark in (";", "--", "/*", "#", "{", "$")):
        raise ValueError("one SQL condition on the table's columns is expected, without ; or comments")
    if not closed(bare.replace("''", "")):
        raise ValueError("one SQL condition is expected, with each bracket and quote closed in it")
    return value


def closed(bare: str) -> bool:
    """Whether a condition stays within the brackets that are put around it: "a) OR (b" would leave them."""
    depth = 0
    for character in bare:
        depth += (character in "([") - (character in ")]")
        if depth < 0 or character in "'\"`":
            return False
    return depth == 0


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time with its zone is expected, such as 2030-12-31T00:00:00Z")
    if not 1970 < value.year < 2106:
        raise ValueError("a time from 1971 to 2105 is expected, which is what ClickHouse's DateTime holds")
    if value.microsecond:
        raise ValueError("whole seconds are expected")
    return value.astimezone(UTC)


def _day(value: date) -> date:
    if not 1970 < value.year < 2106:
        raise ValueError("a day from 1971 to 2105 is expected, which is what ClickHouse's DateTime holds")
    return value


def _distinct(values: list[Any]) -> list[Any]:
    seen: set[Any] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"each value once is expected, and {value} is there twice")
        seen.add(value)
    return values


Name = Annotated[str, AfterValidator(_name)]
Expression = Annotated[str, AfterValidator(_expression)]
Instant = Annotated[datetime, AfterValidator(_utc)]
Text = Annotated[str, Field(min_length=1, max_length=500)]
Percent = Annotated[float, Field(ge=0, le=100)]
Positive = Annotated[int, Field(ge=1, le=10**12)]
Duration = Annotated[int, Field(ge=1, le=10**6)]
MemoryBytes = Annotated[int, Field(ge=10**7, le=10**12)]
Threads = Annotated[int, Field(ge=0, le=256)]
Distinct = AfterValidator(_distinct)
PartitionId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=200)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Head(Section):
    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=100)]
    title: Text


class Table(Section):
    """The broken table. `owned` and `broken` are SQL conditions on its columns."""

    database: Name
    name: Name
    identity: Annotated[list[Name], Field(min_length=1), Distinct]
    version: Name
    time: Name
    subject: Name
    owned: Expression
    broken: Expression
    repaired: Annotated[list[Name], Field(min_length=1), Distinct]
    partitions: Annotated[list[PartitionId], Field(min_length=1), Distinct]
    quarantine: Name


class Cluster(Section):
    """The cluster that the tables lie on. `reads` gives, by local table, the Distributed table over it, which is read and
    inserted into."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=100)]
    reads: Annotated[dict[Name, Name], Field(min_length=1)]


class Window(Section):
    """The damaged time, half-open, in UTC, and who and what is looked at by name. `quiet_days` of it may be empty."""

    start: Instant
    end: Instant
    clean_days: Annotated[list[Annotated[date, AfterValidator(_day)]], Field(min_length=1), Distinct]
    quiet_days: Annotated[list[Annotated[date, AfterValidator(_day)]], Distinct] = []
    test_subjects: Annotated[list[Text], Distinct] = []
    test_start: Instant
    test_end: Instant

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start >= self.end:
            raise ValueError(f"start {self.start:%Y-%m-%dT%H:%M:%SZ} must be before end {self.end:%Y-%m-%dT%H:%M:%SZ}")
        if not self.start <= self.test_start < self.test_end <= self.end:
            raise ValueError("test_start must be before test_end, both inside the window")
        return self


class Source(Section):
    table: Name
    key: Name
    group: Name
    time: Name


class Backfill(Section):
    """`accepted_views` names the materialized views that may keep what they have: moved rows fire none, inserted ones all."""

    mode: Literal["missing", "full"]
    unit_rows: Positive
    accepted_views: Annotated[list[Text], Distinct] = []


class Deduplicate(Section):
    """`strategy` "swap" repairs a shadow of the partitions and replaces them by it; the others repair in place."""

    strategy: Literal["delete", "optimize", "swap"]
    orphans: Literal["quarantine", "keep"]
    max_parts: Positive


class Gates(Section):
    """The thresholds; percentages are of 100, times as the name says."""

    recent_minutes: Duration
    recent_broken_percent: Percent
    remaining_broken_percent: Percent
    orphan_percent: Percent
    evidence_hours: Duration
    settle_minutes: Annotated[int, Field(ge=0, le=10**6)]
    free_disk_factor: Annotated[float, Field(ge=0, le=10**6)]
    merge_seconds: Positive


class Limits(Section):
    """An action pauses while the server is over these, for `pause_seconds` at most. `panic_file` lies beside the incident
    file: while it is there, no action goes on."""

    running_queries: Positive
    running_merges: Positive
    parts_in_partition: Positive
    free_disk_percent: Percent
    pause_seconds: Duration
    poll_seconds: Annotated[float, Field(gt=0)]
    panic_file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=100)]


class Cost(Section):
    """What a statement may take of the server: bytes of memory, threads (0: as many as the server gives), seconds. Its
    `priority` is ClickHouse's: it waits while one with a smaller number runs; those of 0 wait for none and hold up none."""

    memory_bytes: MemoryBytes = 1_500_000_000
    threads: Threads = 0
    seconds: Duration = 3_600
    priority: Annotated[int, Field(ge=0, le=1_000)] = 10


class Snapshots(Section):
    """Snapshots older than `keep_days` are due to be dropped; none is dropped but by a command that names it."""

    keep_days: Duration


PhaseName = Literal["preflight", "phase1", "phase2", "phase3", "phase4", "phase5", "phase6", "phase7", "phase8"]


Range = Annotated[list[Annotated[int, Field(ge=0, le=10**12)]], Field(min_length=2, max_length=2)]  # least and most


class Plan(Section):
    """What the people who wrote the plan expected, to be shown beside what is measured."""

    rows_before: Positive
    rows_after: Positive
    row_ratio: Annotated[float, Field(gt=0, le=10**6)]
    minutes: dict[PhaseName, Range] = {}


class Kept(Section):
    """What is kept beside the ledger: rows of each answer, whole broken rows as a sample, removed rows."""

    rows: Annotated[int, Field(ge=1, le=10**6)] = 10_000
    samples: Annotated[int, Field(ge=0, le=10**5)] = 100
    export_removed: bool = False


class Item(Section):
    """What a person has to have done; `before` names the phase whose action waits for it."""

    text: Annotated[str, Field(min_length=1, max_length=300)]
    before: Literal["phase1", "phase2", "phase4", "phase6", "phase7"] | None = None


class Announce(Section):
    """Who is told of the recovery, and in which words; see recovery/wording.py for the texts and their fields."""

    slack: Literal["bot", "webhook", "none"]
    channel: Text = ""
    url: Annotated[str, Field(pattern=r"^https?://[^\s]+/$")] = "https://slack.com/api/"
    timeout_seconds: Annotated[float, Field(ge=1, le=60)] = 10.0
    texts: dict[Text, Annotated[str, Field(min_length=1, max_length=3_000)]] = {}

    @model_validator(mode="after")
    def _texts_have_known_fields(self) -> Self:
        for name, text in self.texts.items():
            if fault := wording.fault_of(name, text):
                raise ValueError(f"announce.texts.{name}: {fault}")
        return self

    @model_validator(mode="after")
    def _bot_has_a_channel(self) -> Self:
        if self.slack == "bot" and not self.channel:
            raise ValueError("announce.channel: a bot needs the id of the channel that it posts to")
        return self


class Vercel(Section):
    url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
    project: Text


class Git(Section):
    repository: Text
    remote: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]*$")]
    branch: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]*$")]
    fixes: Annotated[list[Annotated[str, Field(pattern=r"^[0-9a-f]{7,40}$")]], Field(min_length=1)]


class Crons(Section):
    """The application's jobs that refresh the boards: `path` and a name are where one is called, `table` is where each
    writes down that it ran."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
    path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9_./-]*$")]
    table: Name
    timeout_seconds: Duration
    wait_seconds: Duration
    poll_seconds: Annotated[float, Field(gt=0, le=10**6)]


class DataApi(Section):
    """Somebody else's account of the subjects' positions: `closed_page` and `open_page` are the most records that it gives at
    a time."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
    open_page: Annotated[int, Field(ge=1, le=500)]
    closed_page: Annotated[int, Field(ge=1, le=500)]
    requests_per_10_seconds: Annotated[int, Field(ge=1, le=10_000)]
    timeout_seconds: Duration
    cache: Text


class Updater(Section):
    table: Name
    cron: Text
    wait_seconds: Duration
    poll_seconds: Annotated[float, Field(gt=0, le=10**6)]


class Services(Section):
    vercel: Vercel
    git: Git
    updater: Updater
    crons: Crons | None = None
    data_api: DataApi | None = None


Month = Annotated[str, Field(pattern=r"^(19[7-9]\d|20\d\d)-(0[1-9]|1[0-2])$")]
Dollars = Annotated[float, Field(ge=0, le=10**12)]


class Sizes(Section):
    """The least and the most that a month is expected to have."""

    conditions: Range
    longs: Range
    shorts: Range


class Positions(Section):
    """The table of lots and shorts that is made from the repaired one. `time` is when a position was resolved, `fills` a
    condition: the rows that count; `start` and `end` are months of resolution, half-open."""

    table: Name
    time: Name
    resolutions: Name
    fills: Expression
    start: Month
    end: Month
    allocation: Literal["fifo", "legacy"]
    replace: Literal["swap", "drop"]
    least_cost: Dollars
    least_short_tokens: Dollars
    least_short_proceeds: Dollars
    fills_per_unit: Positive
    max_parts: Positive = 100
    tolerance: Dollars
    sizes: dict[Month, Sizes] = {}

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start >= self.end:
            raise ValueError(f"start {self.start} must be before end {self.end}, which is the first month left out")
        if strange := sorted(month for month in self.sizes if not self.start <= month < self.end):
            raise ValueError(f"sizes: {strange[0]} is not one of the months from {self.start} to before {self.end}")
        return self

    @property
    def months(self) -> list[str]:
        """The partitions to rebuild, as toYYYYMM gives them."""
        first, last = (int(month[:4]) * 12 + int(month[5:]) - 1 for month in (self.start, self.end))
        return [f"{number // 12:04}{number % 12 + 1:02}" for number in range(first, last)]


class Board(Section):
    """A table that the application computes from the positions. `rank` orders it, best first; `figures` are its columns
    as aggregates of a subject's positions, `tolerance` is how much they may differ, per unit of their size."""

    cron: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=100)]
    subject: Name
    updated: Name
    rank: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*( ASC| DESC)?$")]
    figures: Annotated[dict[Name, Expression], Field(min_length=1)]
    tolerance: Dollars


class Validation(Section):
    """What phase 8 takes for right: `agreeing_percent` of a subject's positions within `tolerance` dollars of the data API's,
    and the best of the positions within reason. From `fee_start` to `fee_end` fees were taken in tokens."""

    tolerance: Dollars
    agreeing_percent: Percent
    fee_start: Instant
    fee_end: Instant
    top: Annotated[int, Field(ge=1, le=1000)]
    positions_without_a_loss: Positive
    profit_per_volume: Annotated[float, Field(gt=0, le=10**6)]
    missing_conditions: Annotated[int, Field(ge=0, le=10**9)]


class Monitoring(Section):
    """Where the nightly checks write their results down, and for how long these have to be good before the incident is closed."""

    table: Name
    hours: Duration
