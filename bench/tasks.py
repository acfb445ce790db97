"""The tasks that are measured: each as the suite does it, beside the alternatives that it could be done by, and a limit."""

from __future__ import annotations

import importlib
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from string import Template
from typing import Any

from clickhouse_connect.driver.client import Client

from bench import alternatives, gx
from bench import legacy_fifo as legacy
from bench import stock as stock_suites
from bench.alternatives import Statement
from bench.measure import Took, text
from bench.world import BROKEN, World, act, writing
from recovery import census, positions, snapshot
from recovery.action import last_done
from recovery.backfill import Backfill
from recovery.balance import Balance
from recovery.deduplicate import Deduplicate
from recovery.incident import Incident
from recovery.rebuild_fifo import Rebuild, cutoff_at, sizes
from recovery.statements import quote
from recovery.swap import Build, Swap
from recovery.workplace import Workplace

BACKFILLED = "backfilled"  # a stage, besides the broken one
TARGET = "bench_target"  # the table that alternatives write to


@dataclass(frozen=True)
class Part:
    """One way to do a task. What `grows` is measured at a quarter of the rows as well; of what is `slow` fewer turns are made."""

    name: str
    run: Callable[[World], Took]
    grows: bool = False
    slow: bool = False


@dataclass(frozen=True)
class Task:
    name: str
    sentence: str
    parts: tuple[Part, ...]


def limit(world: World, *, with_snapshot: bool = False) -> Took:
    """What must be read: all stored columns of the table, and of the tables that the right rows come from those which their
    SELECT names, in the window; each read once and hashed. The balance needs the snapshot, too."""
    took = Took()
    with world.at(world.backfilled) as place:
        table, source = place.incident.table, place.incident.source
        named = _in(place.incident.right_rows)
        asked = {"database": table.database}
        needed = {table.name: [column.name for column in place.warehouse.schema.stored()]} | {
            name: list(filter(named, columns))
            for name, columns in world.server.client.query(text("bench/tables"), parameters=asked).result_rows
            if named(name)
        }
        if with_snapshot:
            baseline = last_done(Backfill.name, place.ledger.lines())
            assert baseline is not None
            needed[baseline["snapshot"]] = needed[table.name]
        statements = []
        for name, columns in needed.items():
            words = {"columns": ", ".join(map(quote, columns)), "table": quote(table.database, name)}
            sql = text(f"bench/limit{'_source' if name == source.table else ''}")
            sql = Template(sql).substitute(words, time=quote(source.time))
            statements.append((f"limit-{name}", sql, alternatives.bound(place.incident, sql)))
        with world.server.connect(table.database) as client:
            return executed(world, took, client, statements)


def phase(*, has_elsewhere: bool) -> Callable[[World], Took]:
    """The statements that the checks of a phase from the backfill on ask of the table, each once, as a run of them does."""

    def asked(world: World) -> Took:
        took = Took()
        with world.at(world.backfilled) as place, took.measuring(world.server, world.every):
            warehouse, since = place.warehouse, last_done(Backfill.name, place.ledger.lines())
            assert since is not None
            with took.timing("holdings"):
                held = census.holdings(warehouse, since)
            with took.timing("fingerprint"):
                held.fingerprint(warehouse)
            with took.timing("source"):
                counted = census.Census.take(warehouse, since=since)
            with took.timing("balance"):
                Balance.take(warehouse, since)
            with took.timing("written"):
                census.written(warehouse, since)
            with took.timing("sample of the orphans"):
                census.sample(warehouse, census.ORPHAN, 10, since=since)
            if has_elsewhere:
                with took.timing("elsewhere"):
                    census.elsewhere(warehouse)
        took.told["classes"] = counted.classes()
        return took

    return asked


def only_census(world: World) -> Took:
    """Every identity's class, orphans and duplicates among them: one scan."""
    took = Took()
    with world.at(world.backfilled) as place, took.measuring(world.server, world.every):
        counted = census.Census.take(place.warehouse)
    took.told["identities"] = counted.count()
    return took


def stock(world: World) -> Took:
    """The promises that stock Great Expectations can hold, as a suite over SQL."""
    import great_expectations  # noqa: F401 - seconds, which are not the suite's

    took = Took()
    dsn = f"{world.server.dsn.rpartition('/')[0]}/{world.backfilled}"
    with took.measuring(world.server, world.every):
        told = stock_suites.stock(dsn, world.of(world.backfilled), os.cpu_count() or 1, gx.MEMORY)
    took.seconds["on the server"] = told["server"]
    took.told |= {"queries": told["queries"], "outcomes": gx.counted(told["outcomes"])}
    return took


def backfill(mode: str) -> Callable[[World], Took]:
    def of_mode(world: World) -> Took:
        took = Took()
        with world.fresh(BROKEN, mode=mode) as place:
            plan = act(place, Backfill(), took, world=world)
            world.hold(f"backfill {mode}", partial(Backfill().verify, place, plan, None))
        return took

    return of_mode


def tenth_broken(world: World) -> Took:
    """The backfill of what is broken where about a tenth of it is left."""
    took = Took()
    with world.fresh(BROKEN, mode="missing", unit_rows=max(1, world.rows // 20)) as place:
        plan = world.planned(place, Backfill())
        inserts = [unit for unit in plan.units if unit.kind == "insert"]
        left = inserts[-math.ceil(len(inserts) / 10) :]
        for number, unit in enumerate(unit for unit in plan.units if unit not in left):
            Backfill().do(place, plan, unit, f"bench-before-{number:08}")
        world.stages[place.incident.table.database] = "a tenth is left"
        with world.at(place.incident.table.database, mode="missing") as again:
            act(again, Backfill(), took, world=world)
    return took


def nothing_broken(world: World) -> Took:
    """The backfill of what is broken where nothing is: what it costs to look."""
    took = Took()
    with world.fresh(
        world.backfilled, mode="missing"
    ) as place:  # whose ledger knows of no backfill: each unit is looked at
        act(place, Backfill(), took, world=world)
    return took


def removal(world: World) -> Took:
    took = Took()
    with world.fresh(world.backfilled) as place:
        act(place, Deduplicate(), took, ("list", "superseded"), world=world, disk=True)
        took.told["partition"] = _bytes(place)
    return took


def swap(world: World) -> Took:
    took = Took()
    with world.fresh(BROKEN, strategy="swap") as place:
        name = snapshot.name_of(place, "phase2", "bench")
        snapshot.take(place, name, place.incident.table.partitions)
        built = act(place, Build(), took, world=world)
        place.ledger.append(
            "done", action=built.action, plan=built.record(), snapshot=name, now=place.now().isoformat()
        )
        act(place, Swap(), took, ("merge", "replace", "release", "catch_up"), world=world)
    return took


def rebuild(world: World) -> Took:
    took = Took()
    with world.fresh(BROKEN) as place:
        home, known = positions.at(place), positions.section(place.incident)
        snapshot.take(home, snapshot.name_of(home, "rebuild", "bench"), known.months)
        kinds = ("prepare", "build", "join", "merge", "replace")
        plan = act(place, Rebuild(), took, kinds, world=world)
        made = sizes(place, cutoff_at(place), known.table)
        took.told |= {what: sum(row[what] for row in made) for what in ("conditions", "longs", "shorts")}
        world.hold("rebuild", partial(Rebuild().verify, place, plan, None))
    return took


def alternative(
    made: Callable[[Client, Incident], Iterable[Statement]], stage: str = BROKEN, *, disk: bool = False
) -> Callable[[World], Took]:
    """Statements of others, one by one, on a fresh clone."""

    def of_statements(world: World) -> Took:
        with (
            world.fresh(world.backfilled if stage == BACKFILLED else stage) as place,
            writing(world, place.incident.table.database) as client,
        ):
            took = executed(world, Took(), client, made(client, place.incident), disk=disk)
            took.told["partition"] = _bytes(place)
        return took

    return of_statements


def orphans_by_plan(client: Client, incident: Incident) -> Iterator[Statement]:
    """The plan's way: every right row into the table itself, a day at a time, then what is superseded and what is an orphan."""
    inserted = alternatives.daily(client, incident, target=incident.table.name)
    yield from (statement for statement in inserted if statement[0] != "create")
    yield from alternatives.naive(client, incident)


def of_phase(phase: str) -> Callable[[Client, Incident], Iterator[Statement]]:
    def queries(client: Client, incident: Incident) -> Iterator[Statement]:
        yield from alternatives.plan(client, incident, phase=phase)
        yield from alternatives.one_by_one(client, incident)

    return queries


def legacy_fifo(client: Client, incident: Incident) -> Iterator[Statement]:
    span = positions.span(incident)
    return legacy.rebuild(client, incident, target=TARGET, resolved=(span["resolved_from"], span["resolved_to"]))


def executed(world: World, took: Took, client: Any, statements: Iterable[Statement], *, disk: bool = False) -> Took:
    with took.measuring(world.server, world.every, world.folder if disk else None):
        for label, sql, parameters in statements:
            with took.timing(label):
                client.command(sql, parameters=dict(parameters), settings={"log_comment": f"bench-{label}"})
    return took


def overhead(turns: int) -> dict[str, Any]:
    """What bench/overhead.py measures: whole commands on a small table."""
    found: dict[str, Any] = importlib.import_module("bench.overhead").measure(turns)
    return found


def _in(sql: str) -> Callable[[str], bool]:
    return lambda name: re.search(rf"\b{re.escape(name)}\b", sql) is not None


def _bytes(place: Workplace) -> int:
    """Bytes on disk of the affected partitions of the table."""
    table = place.incident.table
    parts = place.warehouse.ask_again("partitions", database=table.database, table=table.name).rows
    return sum(int(row["bytes"]) for row in parts if row["partition_id"] in table.partitions)


TASKS = (
    Task(
        "verification",
        "Every figure of phase 3, and of phase 5, after a backfill of every right row: what their checks ask of the server.",
        (
            Part("limit", limit),
            Part("limit with the snapshot", partial(limit, with_snapshot=True)),
            Part("phase 3", phase(has_elsewhere=False), grows=True),
            Part("phase 5", phase(has_elsewhere=True), grows=True),
            Part("census alone", only_census, grows=True),
            Part("the plan's queries", alternative(of_phase("phase3"), BACKFILLED)),
            Part("two of them with IN and NOT IN", alternative(alternatives.naive, BACKFILLED), slow=True),
            Part("stock Great Expectations", stock, slow=True),
        ),
    ),
    Task(
        "orphans",
        "Find what is superseded and what is an orphan as the plan does: with IN and NOT IN, after a backfill by the day.",
        (Part("the plan's inserts and queries", alternative(orphans_by_plan), slow=True),),
    ),
    Task(
        "backfill",
        "Insert the right rows of the window, in units that are looked at before and after.",
        (
            Part("every right row", backfill("full"), grows=True),
            Part("only what is broken", backfill("missing"), slow=True),
            Part("where a tenth of it is left", tenth_broken, slow=True),
            Part("nothing is broken", nothing_broken, slow=True),
            Part("plain INSERT SELECT", alternative(partial(alternatives.insert, target=TARGET))),
            Part("a statement a day, as the plan", alternative(partial(alternatives.daily, target=TARGET)), slow=True),
        ),
    ),
    Task(
        "removal",
        "Remove the rows that a correction replaced, decided on identities.",
        (
            Part("superseded rows", removal, grows=True),
            Part("ALTER DELETE of what is broken", alternative(alternatives.delete_broken, BACKFILLED, disk=True)),
            Part(
                "ALTER DELETE of what is superseded", alternative(alternatives.delete_superseded, BACKFILLED, disk=True)
            ),
            Part(
                "OPTIMIZE FINAL, which removes none",
                alternative(alternatives.optimize, BACKFILLED, disk=True),
                slow=True,
            ),
        ),
    ),
    Task(
        "swap",
        "Build the repaired partitions beside the table, merge them to one part, put them in its place, catch up.",
        (
            Part("build and swap", swap, grows=True),
            Part("plain insert and a merge", alternative(partial(alternatives.partition, target=TARGET))),
        ),
    ),
    Task(
        "fifo",
        "Make the positions of the affected months anew, exact lots, and put them in place.",
        (
            Part("rebuild", rebuild, grows=True),
            Part("legacy, batches of 500 conditions", alternative(legacy_fifo), slow=True),
        ),
    ),
)
