"""Incident: one TOML file with every fact of an incident, as a frozen, checked value."""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from recovery.errors import IncidentError

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MAX_BYTES = 100_000
# A dotted key on which tomllib would work for minutes.
TOO_DEEP = re.compile(r"""(?<![\w"'-])(?:[\w"'-]+\s*\.\s*){20}""")
QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`""", re.DOTALL)
COMMENT_OR_QUOTED = re.compile(rf"--[^\n]*|#[ !][^\n]*|/\*.*?\*/|{QUOTED.pattern}", re.DOTALL)


def _name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError("a plain name is expected: letters, digits and _ only, no SQL")
    return value


def _expression(value: str) -> str:
    bare = QUOTED.sub("''", value)
    if not bare.strip() or not bare.isascii() or any(mark in bare for mark in (";", "--", "/*", "#", "{", "$")):
        raise ValueError("one SQL condition on the table's columns is expected, without ; or comments")
    if not _closed(bare.replace("''", "")):
        raise ValueError("one SQL condition is expected, with each bracket and quote closed in it")
    return value


def _closed(bare: str) -> bool:
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
Distinct = AfterValidator(_distinct)
PartitionId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Head(_Part):
    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=100)]
    title: Text


class Table(_Part):
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


class Window(_Part):
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


class Source(_Part):
    table: Name
    key: Name
    group: Name
    time: Name


class Backfill(_Part):
    """`accepted_views` names the materialized views that may get the backfilled rows a second time."""

    mode: Literal["missing", "full"]
    unit_rows: Positive
    accepted_views: Annotated[list[Text], Distinct] = []


class Deduplicate(_Part):
    """`strategy` "swap" repairs a shadow of the partitions and replaces them by it; the others repair in place."""

    strategy: Literal["delete", "optimize", "swap"]
    orphans: Literal["quarantine", "keep"]
    max_parts: Positive


class Gates(_Part):
    """The thresholds; percentages are of 100, times as the name says."""

    recent_minutes: Duration
    recent_broken_percent: Percent
    remaining_broken_percent: Percent
    orphan_percent: Percent
    evidence_hours: Duration
    settle_minutes: Annotated[int, Field(ge=0, le=10**6)]
    free_disk_factor: Annotated[float, Field(ge=0, le=10**6)]
    merge_seconds: Positive


class Limits(_Part):
    """An action pauses while the server is over these, for `pause_seconds` at most. `panic_file` lies beside the incident
    file: while it is there, no action goes on."""

    running_queries: Positive
    running_merges: Positive
    parts_in_partition: Positive
    free_disk_percent: Percent
    pause_seconds: Duration
    poll_seconds: Annotated[float, Field(gt=0)]
    panic_file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=100)]


class Snapshots(_Part):
    """Snapshots older than `keep_days` are due to be dropped; none is dropped but by a command that names it."""

    keep_days: Duration


class Plan(_Part):
    """What the people who wrote the plan expected, to be shown beside what is measured."""

    rows_before: Positive
    rows_after: Positive
    row_ratio: Annotated[float, Field(gt=0, le=10**6)]


class Vercel(_Part):
    url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
    project: Text


class Git(_Part):
    repository: Text
    remote: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]*$")]
    branch: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]*$")]
    fixes: Annotated[list[Annotated[str, Field(pattern=r"^[0-9a-f]{7,40}$")]], Field(min_length=1)]


class Crons(_Part):
    url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")]


class Updater(_Part):
    table: Name
    cron: Text
    wait_seconds: Duration
    poll_seconds: Annotated[float, Field(gt=0, le=10**6)]


class Services(_Part):
    vercel: Vercel
    git: Git
    crons: Crons
    updater: Updater


class _File(_Part):
    incident: Head
    table: Table
    window: Window
    source: Source
    backfill: Backfill
    deduplicate: Deduplicate
    gates: Gates
    limits: Limits
    snapshots: Snapshots
    plan: Plan
    services: Services

    @model_validator(mode="after")
    def _quarantine_apart(self) -> Self:
        """Orphans that were moved onto the table they are removed from would be lost."""
        if self.table.quarantine in (self.table.name, self.source.table, self.services.updater.table):
            raise ValueError(f"table.quarantine = {self.table.quarantine!r}: a table of its own is expected")
        return self


class Incident(_File):
    """An incident file that has been checked. `path` is where it was read, `right_rows` the SELECT beside it."""

    path: Path
    right_rows: str

    @property
    def id(self) -> str:
        return self.incident.id

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the TOML and of the statements it is used with: evidence is bound to it."""
        sha = hashlib.sha256()
        for path in (self.path, self.path.with_suffix(".sql"), *sorted((Path(__file__).parent / "sql").glob("*.sql"))):
            content = path.read_bytes()
            sha.update(f"{len(content)}\n".encode() + content)
        return sha.hexdigest()

    @property
    def swaps(self) -> bool:
        """Whether the table is repaired in a shadow of it."""
        return self.deduplicate.strategy == "swap"

    @property
    def days(self) -> list[date]:
        """The UTC days that the window touches."""
        last = self.window.end - timedelta(microseconds=1)
        count = (last.date() - self.window.start.date()).days + 1
        return [self.window.start.date() + timedelta(days=n) for n in range(count)]


def load(path: Path) -> Incident:
    """Read and check an incident file; raises IncidentError with one sentence per fault."""
    text = _read(path, "an incident file (TOML)")
    try:
        if TOO_DEEP.search(text):
            raise RecursionError
        raw = tomllib.loads(text)
    except ValueError as error:
        raise IncidentError([f"{path}: not valid TOML: {error}"]) from None
    except RecursionError:
        raise IncidentError([f"{path}: nested too deep to be an incident file."]) from None
    faults: list[str] = []
    right_rows = ""
    try:
        right_rows = _statement(path.with_suffix(".sql"))
    except IncidentError as error:
        faults += error.faults
    try:
        checked = _File.model_validate(raw)
    except ValidationError as error:
        raise IncidentError([*(_fault(path, dict(e)) for e in error.errors()), *faults]) from None
    if faults:
        raise IncidentError(faults)
    parts = {name: getattr(checked, name) for name in _File.model_fields}
    return Incident.model_construct(**parts, path=path.absolute(), right_rows=right_rows)


def _statement(path: Path) -> str:
    """The SELECT of the right rows, without the semicolon at its end."""
    text = _read(path, "the SELECT of the right rows, beside the incident file").strip().rstrip(";").rstrip()
    bare = COMMENT_OR_QUOTED.sub(lambda found: "" if found[0][0] in "-/#" else "''", text).replace("''", "")
    if not bare.strip():
        raise IncidentError([f"{path}: empty; the SELECT of the right rows is expected in it."])
    if not re.match(r"[\s(]*(SELECT|WITH)\b", bare, re.IGNORECASE) or ";" in bare or not _closed(bare):
        raise IncidentError(
            [f"{path}: one SELECT is expected in it, with each bracket and quote closed, and nothing else."]
        )
    return text


def _read(path: Path, what: str) -> str:
    try:
        if not path.is_file():
            raise IncidentError([f"{path}: no such file; {what} is expected there."])
        if path.stat().st_size > MAX_BYTES:
            raise IncidentError([f"{path}: larger than {MAX_BYTES:,} bytes, which is no incident file."])
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)  # some files have no size and no end
        if len(content) > MAX_BYTES:
            raise IncidentError([f"{path}: larger than {MAX_BYTES:,} bytes, which is no incident file."])
        return content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise IncidentError([f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8."]) from None
    except (OSError, ValueError) as error:
        raise IncidentError([f"{path}: cannot be read: {error}"]) from None


def _fault(path: Path, error: dict[str, Any]) -> str:
    """One fault as a sentence: file, key, value, and what would be right."""
    location = [str(part) for part in error["loc"]]
    key = ".".join(part if part.isprintable() else repr(part) for part in location)
    kind = error["type"]
    if kind == "missing":
        return f"{path}: {key} is missing; it is required."
    if not key:
        return f"{path}: {error['msg'].removeprefix('Value error, ')}."
    value = _shown(error["input"])
    if kind == "extra_forbidden":
        known = _known_keys(location[:-1])
        near = difflib.get_close_matches(location[-1], known, 1)
        right = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}."
        return f"{path}: {key} = {value} is an unknown key; {right}"
    message = error["msg"].removeprefix("Value error, ")
    if kind == "model_type":
        message = f"a section [{key}] is expected"
    return f"{path}: {key} = {value} is wrong: {message}."


def _shown(value: Any) -> str:
    """A value as the file may have it, cut to a line."""
    if isinstance(value, dict):
        return "{…}"
    try:
        text = value.isoformat() if isinstance(value, date) else repr(value)
    except (RecursionError, ValueError):
        text = "…"
    return text if len(text) <= 80 else text[:77] + "..."


def _known_keys(location: list[str]) -> list[str]:
    model: type[BaseModel] = _File
    for part in location:
        annotation = model.model_fields[part].annotation
        assert isinstance(annotation, type)
        assert issubclass(annotation, BaseModel)
        model = annotation
    return list(model.model_fields)
