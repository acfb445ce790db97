"""The incident that is measured on: generated once, each turn on a fresh clone of it in a database of its own."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from string import Template
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from bench import gx
from bench.measure import Server, Took, settle, text
from recovery import incident as incidents
from recovery import snapshot
from recovery.action import Action, Plan
from recovery.backfill import Backfill
from recovery.incident import Incident
from recovery.ledger import Ledger
from recovery.settings import WRITE_SETTINGS
from recovery.statements import quote
from recovery.warehouse import Warehouse
from recovery.workplace import Workplace
from rehearsal.clock import Clock
from rehearsal.generate import generate
from rehearsal.scenario import SCENARIO

PROJECT = Path(__file__).resolve().parent.parent
INCIDENT = PROJECT / "incidents" / f"{SCENARIO['incident']}.toml"
BROKEN = "default"
PREFIX = "bench_"
SEED = 7
PLANNING_BYTES = 60_000_000_000  # of memory that a plan's statement may take; at 20 M fills it takes 9 GB
SIZED_AS = 0.17  # of the rows: then 20 M fills have about 4,200 resolved conditions, as production had for its own


class NotDone(Exception):
    """What was to be measured did not do what it is for."""


@dataclass
class World:
    """A server with the incident of so many CLOB fills a month, as it was found, in one database."""

    server: Server
    folder: Path  # the server's
    scratch: Path  # for ledgers
    rows: int
    every: float  # seconds between two looks at the server's memory
    incident: Incident = field(default_factory=lambda: incidents.load(INCIDENT))
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _clock: Clock = field(default_factory=lambda: Clock(SCENARIO["clock"]))
    stages: dict[str, str] = field(default_factory=dict)  # which stage a database is a clone of
    _plans: dict[tuple[Any, ...], Plan] = field(default_factory=dict)
    _held: set[str] = field(default_factory=set)

    def make(self) -> str:
        """Generate it, unless the folder has it; says which."""
        client, whole = self.server.client, self.folder.parent / "whole"
        tables = client.query(text("bench/tables"), parameters={"database": BROKEN}).result_rows
        if tables and not whole.exists():
            raise SystemExit(f"{self.folder.parent} was not made to its end: remove it, then run it again.")
        if tables:
            for (name,) in client.query(text("bench/databases"), parameters={"prefix": PREFIX}).result_rows:
                drop(client, name)
            said = "kept from before"
        else:
            clock = time.perf_counter()
            generate(client, rows=self.rows, seed=SEED, sized_as=int(SIZED_AS * self.rows))
            drop(client, "rehearsal")  # the truth, which nothing here is compared with
            said = f"generated in {time.perf_counter() - clock:.0f} s"
        settle(client)
        whole.touch()
        return said

    @cached_property
    def backfilled(self) -> str:
        """The database of a stage: every right row inserted once more, as the plan's backfill does. Made when it is asked for."""
        with self.fresh(BROKEN, keep=True, mode="full") as place:
            name = snapshot.name_of(place, "backfill", "bench")
            snapshot.take(place, name, place.incident.table.partitions)
            plan = act(place, Backfill(), Took(), world=self, measured=False)
            place.ledger.append(
                "done", action=plan.action, plan=plan.record(), snapshot=name, now=place.now().isoformat()
            )
            settle(self.server.client)
            return place.incident.table.database

    @contextmanager
    def fresh(self, stage: str, *, keep: bool = False, **sections: Any) -> Iterator[Workplace]:
        """A clone of a stage to be changed at will, with a ledger of its own; `sections` as `of` takes them."""
        client, database, whole = self.server.client, f"{PREFIX}{next(self._numbers)}", False
        run(client, "bench/database", database=quote(database))
        try:
            for name, _ in client.query(text("bench/tables"), parameters={"database": stage}).result_rows:
                if self._is_needed(name):
                    run(client, "bench/clone", copy=quote(database, name), table=quote(stage, name))
            settle(client)
            self.stages[database] = stage
            with self.at(database, **sections) as place:
                yield place
            whole = True
        finally:
            if not (keep and whole):
                with suppress(ClickHouseError):  # the server may be gone, which the first error says
                    drop(client, database)

    @contextmanager
    def at(self, database: str, **sections: Any) -> Iterator[Workplace]:
        """A stage itself, with a warehouse that was asked nothing yet."""
        incident = self.of(database, **sections)
        with Warehouse(incident, self.server.dsn, writable=True) as warehouse:
            _ = warehouse.words  # the schema, which is looked at once
            yield Workplace(
                incident,
                warehouse,
                Ledger(self.scratch / f"{database}.jsonl"),
                "bench",
                self._clock.now,
                tell=lambda line: None,
            )

    def of(self, database: str, *, mode: str = "", strategy: str = "", unit_rows: int = 0) -> Incident:
        known = self.incident
        filled = {"mode": mode or known.backfill.mode, "unit_rows": unit_rows or known.backfill.unit_rows}
        return known.model_copy(
            update={
                "table": known.table.model_copy(update={"database": database}),
                "backfill": known.backfill.model_copy(update=filled),
                "deduplicate": known.deduplicate.model_copy(
                    update={"strategy": strategy or known.deduplicate.strategy}
                ),
            }
        )

    def planned(self, place: Workplace, action: Action) -> Plan:
        """A plan, which is not what is measured: made once for a stage, with memory for the exact census in one statement."""
        known = place.incident
        stage = self.stages[known.table.database]
        key = (action.name, stage, known.backfill.mode, known.backfill.unit_rows, known.deduplicate.strategy)
        if key not in self._plans:
            cost = known.cost.model_copy(update={"memory_bytes": PLANNING_BYTES})
            incident = known.model_copy(update={"cost": cost})
            with Warehouse(incident, self.server.dsn, writable=True) as warehouse:
                self._plans[key] = action.plan(replace(place, incident=incident, warehouse=warehouse))
        return self._plans[key]

    def hold(self, name: str, verify: Callable[[], list[str]]) -> None:
        """What was done is as it was planned, which is looked at the first time; raises NotDone."""
        if name not in self._held and (faults := verify()):
            raise NotDone("; ".join(faults))
        self._held.add(name)

    def _is_needed(self, table: str) -> bool:
        """Whether a table, or a snapshot of one, is read or written by what is measured."""
        known = self.incident
        named = [known.table.name, known.source.table]
        if known.positions:
            named += [known.positions.table, known.positions.resolutions]
        return table.startswith(tuple(named)) or table in re.findall(r"\w+", known.right_rows)

    def count(self, *table: str) -> int:
        sql = Template(text("bench/rows")).substitute(table=quote(*table))
        return int(self.server.client.query(sql).result_rows[0][0])


def act(place: Workplace, action: Action, took: Took, kinds: tuple[str, ...] = (), *, world: World, measured: bool = True,
        disk: bool = False) -> Plan:  # fmt: skip
    """Plan an action and do its units, or those of some kinds, as recovery.action.run does: what is left of it, the unit, and
    what is left then. The units are what is measured, where they are `measured`; the plan is timed apart."""
    with took.timing("plan"):
        plan = world.planned(place, action)
    for number, unit in enumerate(plan.units):
        if kinds and unit.kind not in kinds:
            continue
        if not measured:
            _do(place, action, plan, number)
            continue
        with took.measuring(world.server, world.every, world.folder if disk else None), took.timing(unit.kind):
            rows = _do(place, action, plan, number)
        if unit.counted:
            took.told["rows"] = took.told.get("rows", 0) + rows
    return plan


def _do(place: Workplace, action: Action, plan: Plan, number: int) -> int:
    unit = plan.units[number]
    left = action.left(place, plan, unit)
    if left:
        action.do(place, plan, unit, f"bench-{unit.kind}-{number:08}")
        place.warehouse.forget()
        if still := action.left(place, plan, unit):
            raise NotDone(f"{unit.label} was executed, and {still:,} are left")
    return left


def run(client: Client, name: str, **words: str) -> None:
    client.command(Template(text(name)).substitute(words))


def drop(client: Client, database: str) -> None:
    run(client, "bench/drop", database=quote(database))


def writing(world: World, database: str) -> Client:
    """A connection for what is compared: nothing goes on in the background either, and what takes too much memory fails
    before the server does."""
    settings: dict[str, Any] = dict(WRITE_SETTINGS)
    return world.server.connect(database, session_timezone="UTC", max_memory_usage=gx.MEMORY, **settings)
