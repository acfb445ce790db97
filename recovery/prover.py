"""Prover: what the server and the table have that a plan can founder on, read before anything is written."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from recovery import swap
from recovery.action import MERGING
from recovery.backfill import bytes_per_row, is_full, wanted
from recovery.census import Census
from recovery.deduplicate import bytes_of
from recovery.errors import IncidentError
from recovery.incident import Incident
from recovery.settings import NEWER_WRITE_SETTINGS, WRITE_SETTINGS
from recovery.warehouse import Answer, Warehouse
from recovery.workplace import Workplace

DEFECTS = Path(__file__).parent / "defects.toml"
# Parts of one partition that were never merged and are older than gates.merge_seconds: more say that nothing merges there.
IDLE_PARTS = 10
# The modes of a table with projections in which a statement throws, or leaves a projection that answers wrongly.
UNSAFE_PROJECTION_MODES = ("throw", "ignore")


@dataclass(frozen=True)
class Replica:
    """One replica as system.replicas has it; times in seconds."""

    name: str
    read_only: bool
    delay: int
    oldest_entry: int
    queue: int
    inactive: int


@dataclass(frozen=True)
class Defect:
    """A known defect of servers before a release (year and month); without a guard it forbids the `steps`."""

    issue: str
    before: str
    steps: list[str]
    what: str
    guard: str


@dataclass(frozen=True)
class Forecast:
    """Bytes of disk that the plan takes: `inserted` by the backfill, `rewritten` by OPTIMIZE while snapshots keep the
    old parts. For the `largest` partition that is merged OPTIMIZE wants `asked` free before it begins; what a swap took out of
    its shadow before, `removed` rows, is not reckoned in that."""

    rows: int
    bytes_per_row: int
    affected: int
    largest: int
    removed: int = 0

    @property
    def inserted(self) -> int:
        return self.rows * self.bytes_per_row

    @property
    def rewritten(self) -> int:
        return self.affected + self.inserted

    @property
    def asked(self) -> int:
        return MERGING * max(self.inserted, self.largest + self.inserted - self.removed * self.bytes_per_row)

    @property
    def needed(self) -> int:
        return self.inserted + self.affected - self.largest + self.asked


@dataclass(frozen=True)
class Facts:
    """The answer to plan_facts.sql, and what it says."""

    answer: Answer
    database: str

    @classmethod
    def ask(cls, warehouse: Warehouse) -> Facts:
        """One question for all who ask within a run."""
        incident = warehouse.incident
        table = incident.table
        answer = warehouse.ask(
            "plan_facts", database=table.database, table=table.name, partitions=list(table.partitions),
            idle_seconds=incident.gates.merge_seconds,
        )  # fmt: skip
        if not answer.rows:
            raise IncidentError([f"{incident.path}: table.name = {table.name!r}: there is no such table any more."])
        return cls(answer, table.database)

    @property
    def engine(self) -> str:
        return str(self.answer.first["engine"])

    @property
    def projections(self) -> list[str]:
        return list(self.answer.first["projections"])

    @property
    def table_settings(self) -> dict[str, str]:
        """Settings of the table, its own before the server's."""
        return dict(self.answer.first["server_settings"]) | dict(self.answer.first["own_settings"])

    @property
    def settings(self) -> dict[str, str]:
        """Settings of the login, before the server's."""
        return dict(self.answer.first["settings"])

    @property
    def views(self) -> dict[str, str]:
        """Materialized views that an INSERT into the table fires: name → the table that they write to."""
        found = {}
        for database, name, target in self.answer.first["views"]:
            shown = name if database == self.database else f"{database}.{name}"
            found[shown] = target or "a table of its own"
        return found

    @property
    def replicas(self) -> list[Replica]:
        return [Replica(*row) for row in self.answer.first["replicas"]]

    @property
    def idle_parts(self) -> dict[str, int]:
        """Per affected partition, parts that were never merged though they are older than a merge may take."""
        return {partition: int(idle) for partition, _, idle in self.answer.first["parts"]}

    @property
    def parts(self) -> int:
        return sum(int(parts) for _, parts, _ in self.answer.first["parts"])

    @property
    def deduplicating(self) -> list[str]:
        """Switches of insert deduplication that the server knows and the suite leaves on."""
        ours = {**WRITE_SETTINGS, **NEWER_WRITE_SETTINGS}
        return sorted(n for n in self.settings if "deduplicate" in n and str(ours.get(n)) not in ("0", "disable"))


def steps_of(incident: Incident) -> list[str]:
    """The kinds of statements that the incident's plan needs."""
    if incident.swaps:
        return ["snapshot", "insert", "delete", "optimize", "swap"]
    removes = incident.deduplicate.strategy == "delete" or incident.deduplicate.orphans == "quarantine"
    return ["snapshot", "insert", *(["delete"] if removes else []), "optimize"]


def projection_modes(incident: Incident) -> dict[str, str]:
    """The table settings that say what a statement does to projections: setting → the statement of the plan."""
    modes = {"deduplicate_merge_projection_mode": "OPTIMIZE"}
    return modes | ({"lightweight_mutation_projection_mode": "DELETE"} if "delete" in steps_of(incident) else {})


def defects(version: str) -> list[Defect]:
    """The known defects of a server."""
    return [defect for defect in _known_defects() if release(version) < release(defect.before)]


def release(version: str) -> tuple[int, int]:
    """Year and month of a version."""
    year, month = version.split(".")[:2]
    return int(year), int(month)


@cache
def _known_defects() -> list[Defect]:
    content: dict[str, Any] = tomllib.loads(DEFECTS.read_text("utf-8"))
    return [Defect(**defect) for defect in content["defect"]]


def forecast(place: Workplace, counted: Census) -> Forecast:
    """The disk that the plan takes on the table as counted."""
    held, incident = bytes_of(place), place.incident
    affected = sum(held.get(partition, 0) for partition in incident.table.partitions)
    merged = swap.partitions_of(place) if incident.swaps else incident.table.partitions
    largest = max((held.get(partition, 0) for partition in merged), default=0)
    classes = wanted(incident.swaps or is_full(place, counted))
    # Of several partitions it is not known which has how many of the rows: then none is reckoned to be taken out.
    removed = counted.count(*classes, of="rows") if incident.swaps and len(merged) == 1 else 0
    return Forecast(sum(counted.per_day(*classes).values()), bytes_per_row(place), affected, largest, removed)
