"""Incident: one TOML file with every fact of an incident, as a frozen, checked value."""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Self, get_args

from pydantic import BaseModel, Field, ValidationError, model_validator

from recovery import secret
from recovery.errors import IncidentError
from recovery.ledger import Ledger
from recovery.promises import Nightly
from recovery.sections import (
    QUOTED,
    Announce,
    Backfill,
    Board,
    Cluster,
    Cost,
    Deduplicate,
    Gates,
    Head,
    Item,
    Kept,
    Limits,
    Monitoring,
    Name,
    Plan,
    Positions,
    Section,
    Services,
    Snapshots,
    Source,
    Table,
    Validation,
    Window,
    closed,
)

MAX_BYTES = 100_000
SQL = Path(__file__).parent / "sql"
NIGHTLY = SQL / "nightly"  # of what opens no gate
# A dotted key on which tomllib would work for minutes.
TOO_DEEP = re.compile(r"""(?<![\w"'-])(?:[\w"'-]+\s*\.\s*){20}""")
COMMENT_OR_QUOTED = re.compile(rf"--[^\n]*|#[ !][^\n]*|/\*.*?\*/|{QUOTED.pattern}", re.DOTALL)


class _File(Section):
    incident: Head
    table: Table
    window: Window
    source: Source
    backfill: Backfill
    deduplicate: Deduplicate
    gates: Gates
    limits: Limits
    cost: Cost = Cost()
    snapshots: Snapshots
    plan: Plan
    services: Services
    positions: Positions | None = None
    boards: dict[Name, Board] = Field(default_factory=dict)
    validation: Validation | None = None
    monitoring: Monitoring | None = None
    evidence: Kept = Kept()
    announce: Announce | None = None
    checklist: dict[Name, Item] = Field(default_factory=dict)
    cluster: Cluster | None = None

    @model_validator(mode="after")
    def _quarantine_apart(self) -> Self:
        """Orphans that were moved onto the table they are removed from would be lost."""
        if self.table.quarantine in (self.table.name, self.source.table, self.services.updater.table):
            raise ValueError(f"table.quarantine = {self.table.quarantine!r}: a table of its own is expected")
        return self

    @model_validator(mode="after")
    def _cluster_is_read_whole(self) -> Self:
        """A check that read one shard only would prove nothing of the others."""
        if self.cluster is None:
            return self
        for key, local in (("table.name", self.table.name), ("source.table", self.source.table)):
            if local not in self.cluster.reads:
                raise ValueError(f"cluster.reads: the Distributed table over {local} ({key}) is expected in it")
        if twice := sorted(self.cluster.reads.keys() & set(self.cluster.reads.values())):
            raise ValueError(f"cluster.reads: {twice[0]} cannot be a local table and a Distributed one")
        return self

    @model_validator(mode="after")
    def _later_phases_have_what_they_need(self) -> Self:
        """Phase 6 rebuilds the positions, phase 7 the boards from them, phase 8 compares both with others' figures."""
        if self.boards and not (self.positions and self.services.crons):
            raise ValueError("boards: they need the sections positions and services.crons")
        if self.validation and not (self.positions and self.services.data_api):
            raise ValueError("validation: it needs the sections positions and services.data_api")
        if self.validation and not self.window.test_subjects:
            raise ValueError("validation: it needs at least one of window.test_subjects to compare with the data API")
        later = {"phase6": self.positions, "phase7": self.boards}
        for name, item in self.checklist.items():
            if item.before in later and not later[item.before]:
                raise ValueError(f"checklist.{name}.before = {item.before!r}: the file has no section for that phase")
        used = (self.table.name, self.table.quarantine, self.source.table)
        if self.positions and self.positions.table in used:
            raise ValueError(f"positions.table = {self.positions.table!r}: a table of its own is expected")
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
        for path in (
            self.path,
            self.path.with_suffix(".sql"),
            *sorted(path for path in SQL.glob("**/*.sql") if NIGHTLY not in path.parents),
        ):
            content = path.read_bytes()
            sha.update(f"{len(content)}\n".encode() + content)
        return sha.hexdigest()

    @property
    def checklist_texts(self) -> dict[str, str]:
        """What a person has to have done, by item of the checklist."""
        return {name: item.text for name, item in self.checklist.items()}

    @property
    def nightly_path(self) -> Path:
        """Where the promises of the night stand, beside the incident file."""
        return self.path.with_suffix(".nightly.toml")

    @cached_property
    def nightly(self) -> Nightly:
        """What is promised of the tables; raises IncidentError where the file is bad, or not there."""
        raw = _toml(self.nightly_path, "the nightly file (TOML), beside the incident file,")
        try:
            read = Nightly.model_validate(raw)
        except ValidationError as error:
            raise IncidentError([_fault(self.nightly_path, dict(e), Nightly) for e in error.errors()]) from None
        if self.monitoring and self.monitoring.table != read.history.table:
            named = f"history.table = {read.history.table!r} is wrong: phase 8 looks at monitoring.table"
            raise IncidentError(
                [f"{self.nightly_path}: {named} = {self.monitoring.table!r}; name the same in both files."]
            )
        return read

    def trace(self, table: str) -> str:
        """The SELECT that tells more of a row by its identity, for the nightly checks of a table."""
        what = f"the SELECT of tables.{table}.trace, beside the nightly file"
        return select_in(self.path.with_suffix(f".{table}.trace.sql"), what)

    def record(self) -> dict[str, Any]:
        """The incident as it was read, for the ledger: its file, and the SELECT beside it."""
        return {
            "digest": self.digest,
            "name": self.path.name,
            "file": secret.masked(self.path.read_text("utf-8")),
            "statements": {self.path.with_suffix(".sql").name: secret.masked(self.right_rows)},
        }

    def remembered_in(self, ledger: Ledger) -> None:
        """Write the incident as it was read into a ledger, once per digest."""
        if not any(line["kind"] == "incident" and line["digest"] == self.digest for line in ledger.lines()):
            ledger.append("incident", **self.record())

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


def beside(path: Path) -> list[Path]:
    """What belongs to an incident file: the statements and the promises of the night that lie beside it under its name."""
    return sorted(
        each for each in path.parent.glob(f"{path.stem}.*") if each != path and each.suffix in (".sql", ".toml")
    )


def load(path: Path) -> Incident:
    """Read and check an incident file; raises IncidentError with one sentence per fault."""
    raw = _toml(path, "an incident file (TOML)")
    faults: list[str] = []
    right_rows = ""
    try:
        right_rows = select_in(path.with_suffix(".sql"), "the SELECT of the right rows, beside the incident file")
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


def _toml(path: Path, what: str) -> dict[str, Any]:
    """A file's content, not checked yet."""
    text = _read(path, what)
    try:
        if TOO_DEEP.search(text):
            raise RecursionError
        return tomllib.loads(text)
    except ValueError as error:
        raise IncidentError([f"{path}: not valid TOML: {error}"]) from None
    except RecursionError:
        raise IncidentError([f"{path}: nested too deep to be an incident file."]) from None


def select_in(path: Path, what: str) -> str:
    """The SELECT that a file holds, without the semicolon at its end; `what` it is stands in the errors."""
    text = _read(path, what).strip().rstrip(";").rstrip()
    bare = COMMENT_OR_QUOTED.sub(lambda found: "" if found[0][0] in "-/#" else "''", text).replace("''", "")
    if not bare.strip():
        raise IncidentError([f"{path}: empty; {what.partition(',')[0]} is expected in it."])
    if not re.match(r"[\s(]*(SELECT|WITH)\b", bare, re.IGNORECASE) or ";" in bare or not closed(bare):
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


def _fault(path: Path, error: dict[str, Any], model: type[BaseModel] = _File) -> str:
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
        known = _known_keys(location[:-1], model)
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


def _known_keys(location: list[str], model: type[BaseModel]) -> list[str]:
    for part in location:
        if part in model.model_fields:
            model = section_of(model.model_fields[part].annotation) or model
    return list(model.model_fields)


def section_of(annotation: Any) -> type[BaseModel] | None:
    """The section that a key holds, one or several of them or none; None where it holds a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := section_of(part))), None)
