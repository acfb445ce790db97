"""What the benchmark compares with gives the same figures and the same rows as what is compared: it measures the same thing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from math import ceil
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from bench import alternatives, legacy_fifo
from bench.alternatives import Statement
from bench.stock import stock
from recovery import census, incident
from recovery.census import Census
from recovery.embedded import EmbeddedServer
from recovery.warehouse import Warehouse
from rehearsal.generate import generate
from rehearsal.scenario import execute
from tests.conftest import JANUARY, connect

ROWS = 20_000
INCIDENT = incident.load(JANUARY)
FILLS = INCIDENT.table.name
FLOATS = (
    "tokens", "cost_usd", "tokens_sold_early", "tokens_held", "exit_value", "pnl_usd", "roi", "pct_sold_early",
)  # fmt: skip
EXACT = ("entry_time", "is_maker", "resolved_at", "is_short")

with_sqlalchemy = pytest.mark.skipif(find_spec("sqlalchemy") is None, reason="pip install .[bench]")


class World:
    """A server with the incident, and statements executed on it in order."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.client: Client = connect(dsn)

    def run(self, statements: Iterable[Statement], **settings: Any) -> dict[str, list[dict[str, Any]]]:
        """What each answered, by its label; nothing of those that write."""
        answers: dict[str, list[dict[str, Any]]] = {}
        for label, sql, parameters in statements:
            assert label not in answers, f"two statements are called {label}"
            first = next(line for line in sql.splitlines() if not line.startswith("--"))
            if first.startswith("SELECT"):
                result = self.client.query(sql, parameters=parameters, settings=settings)
                answers[label] = list(result.named_results())
            else:
                self.client.command(sql, parameters=parameters, settings=settings)
                answers[label] = []
        return answers

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.client.query(sql).result_rows]

    def count(self, table: str, where: str = "1") -> int:
        return int(self.rows(f"SELECT count() FROM {table} WHERE {where}")[0][0])

    def copy(self, name: str) -> str:
        """A copy of the fills under another name."""
        self.client.command(f"CREATE OR REPLACE TABLE {name} CLONE AS {FILLS}")
        return name

    def census(self, table: str = FILLS) -> Census:
        with Warehouse(INCIDENT, self.dsn) as warehouse:
            return Census.take(warehouse.at(table))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with EmbeddedServer(tmp_path_factory.mktemp("alternatives")) as server:
        made = World(server.dsn)
        generate(made.client, rows=ROWS, seed=1)
        yield made


@pytest.fixture(scope="module")
def backfilled(world: World) -> str:
    """The fills with all right rows of the window inserted again, and with a few of each fault."""
    world.run(alternatives.insert(world.client, INCIDENT, target="right_rows"))
    table = world.copy("backfilled")
    world.client.command(f"SYSTEM STOP MERGES {table}")  # rows are counted by several questions
    columns = ", ".join(row[0] for row in world.rows("DESCRIBE right_rows"))
    world.client.command(f"INSERT INTO {table} SELECT * FROM right_rows WHERE cityHash64(fill_id) % 3 != 0")
    clean = f"{FILLS} WHERE source = 'clob' AND condition_id != '' AND toDate(event_time) = '2026-01-20'"
    broken = "source = 'clob' AND condition_id = '' AND toDate(event_time) = '2026-01-21'"
    some = "FROM (SELECT fill_id FROM {} ORDER BY fill_id LIMIT {}, {})"
    for what, of in {
        "usdc_delta + 1 AS usdc_delta": f"{clean} AND fill_id IN (SELECT fill_id {some.format(clean, 0, 4)})",
        "concat('clob_none_', fill_id) AS fill_id": f"{clean} AND fill_id IN (SELECT fill_id {some.format(clean, 10, 3)})",
        "'other' AS condition_id": f"{clean} AND fill_id IN (SELECT fill_id {some.format(clean, 20, 5)})",
        "event_time + INTERVAL 20 DAY AS event_time": f"{clean} AND fill_id IN (SELECT fill_id {some.format(clean, 30, 6)})",
        "toUInt64(9999999999999) AS _version": f"{FILLS} WHERE {broken} AND fill_id IN (SELECT fill_id "
        + some.format(f"{FILLS} WHERE {broken}", 0, 7)
        + ")",
    }.items():
        world.client.command(f"INSERT INTO {table} ({columns}) SELECT * REPLACE ({what}) FROM (SELECT * FROM {of})")
    return table


def identities(answers: dict[str, list[dict[str, Any]]], label: str, of: str = "identities") -> int:
    return sum(int(row[of]) for row in answers[label])


def test_the_findings_before_the_backfill_are_those_of_the_census(world: World) -> None:
    found, counted = world.run(alternatives.one_by_one(world.client, INCIDENT)), world.census()
    assert identities(found, "orphans") == counted.count(census.UNCORRECTED, census.ORPHAN) > 0
    assert identities(found, "missing") == counted.count(census.MISSING) > 0
    assert [identities(found, name) for name in ("superseded", "outversioned", "different", "unexpected")] == [0] * 4


def test_the_findings_are_those_of_the_census(world: World, backfilled: str) -> None:
    found = world.run(alternatives.one_by_one(world.client, INCIDENT, table=backfilled))
    counted = world.census(backfilled)
    for name, classes in {
        "superseded": (census.CORRECTED, census.OUTVERSIONED),
        "orphans": (census.UNCORRECTED, census.ORPHAN),
        "outversioned": (census.OUTVERSIONED,),
        "different": (census.DIFFERENT,),
        "missing": (census.MISSING,),
        "unexpected": (census.UNEXPECTED,),
    }.items():
        by_day = {str(row["day"]): row["identities"] for row in found[name]}
        assert by_day == {day: n for day, n in counted.per_day(*classes).items() if n}, name
        assert by_day, name
    broken_rows = counted.count(census.CORRECTED, census.OUTVERSIONED, of="broken_rows")
    assert identities(found, "superseded", "rows") == broken_rows
    (doubles,) = found["doubled"]
    assert doubles["doubled_good"] == counted.count(of="doubled") > 0
    assert doubles["spread"] == counted.count(of="spread") > 0
    assert doubles["surplus"] == counted.count(of="rows") - (counted.count() - counted.count(census.MISSING))
    others = [census.FOREIGN, census.FOREIGN_BROKEN, census.OUTSIDE, census.OUTSIDE_BROKEN]
    assert identities(found, "others", "foreign_rows") == counted.count(*others[:2], of="rows") > 0
    assert identities(found, "others", "foreign_broken_rows") == counted.count(others[1], of="rows") > 0


def test_in_and_not_in_find_the_same_as_the_joins(world: World, backfilled: str) -> None:
    joined = world.run(alternatives.one_by_one(world.client, INCIDENT, table=backfilled))
    naive = world.run(alternatives.naive(world.client, INCIDENT, table=backfilled))
    assert naive == {"superseded_in": joined["superseded"], "orphans_not_in": joined["orphans"]}


def test_the_plans_queries_give_what_the_census_counts(world: World, backfilled: str) -> None:
    counted = world.census(backfilled)
    before = world.run(alternatives.plan(world.client, INCIDENT, phase="phase3", table=backfilled))
    after = world.run(alternatives.plan(world.client, INCIDENT, phase="phase5", table=backfilled))
    assert before["plan_rows"] == after["plan_rows"]
    assert before["plan_rows"][0]["total_rows"] == world.count(backfilled, "toYYYYMM(event_time) = 202601")
    broken = {day: n for day, n in counted.per_day(*census.OWNED, of="broken_rows").items() if n}
    assert {str(row["date"]): row["still_empty"] for row in before["plan_days_phase3"] if row["still_empty"]} == broken
    assert {str(row["date"]): row["empty_fills"] for row in after["plan_days_phase5"] if row["empty_fills"]} == broken
    (subject,) = after["plan_subject_phase5"]
    assert subject["total_fills"] == subject["empty"] + subject["filled"] > 0
    assert len(before["plan_subject_phase3"]) == min(100, subject["total_fills"])


def test_one_insert_and_one_a_day_write_the_same_rows(world: World, backfilled: str) -> None:
    """`backfilled` made the first."""
    answers = world.run(alternatives.daily(world.client, INCIDENT, target="right_rows_daily"))
    assert len(answers) == 1 + len(INCIDENT.days)
    content = "SELECT count(), sum(sipHash64(* EXCEPT _version)) FROM {} FINAL"
    assert world.rows(content.format("right_rows")) == world.rows(content.format("right_rows_daily"))
    counted = world.census()
    assert world.count("right_rows") == counted.count(*census.WITH_RIGHT_ROW)


def test_the_partition_beside_the_table_is_one_part_and_right(world: World) -> None:
    world.run(alternatives.partition(world.client, INCIDENT, target="beside"))
    assert world.rows("SELECT count() FROM system.parts WHERE table = 'beside' AND active") == [(1,)]
    counted = world.census("beside")
    assert counted.count(*census.BROKEN) == 0
    assert counted.count(census.CLEAN) == world.census().count(*census.WITH_RIGHT_ROW)
    assert counted.count(census.FOREIGN) == world.rows(
        f"SELECT uniqExact(fill_id) FROM {FILLS} WHERE source != 'clob' AND condition_id != '' AND _partition_id = '202601'"
    )[0][0]  # fmt: skip


def test_optimize_leaves_what_delete_superseded_removes(world: World, backfilled: str) -> None:
    table = "removed"
    world.client.command(f"CREATE OR REPLACE TABLE {table} CLONE AS {backfilled}")
    world.run(alternatives.optimize(world.client, INCIDENT, table=table))
    before = world.census(table)
    assert before.count(census.CORRECTED, census.OUTVERSIONED) > 0
    world.run(alternatives.delete_superseded(world.client, INCIDENT, table=table))
    after = world.census(table)
    assert after.count(census.CORRECTED, census.OUTVERSIONED) == 0
    for kind in (census.ORPHAN, census.UNCORRECTED, census.UNEXPECTED, census.FOREIGN_BROKEN):
        assert after.count(kind) == before.count(kind) > 0, kind
    world.run(alternatives.delete_broken(world.client, INCIDENT, table=table))
    assert world.count(table, "condition_id = ''") == 0


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Tokyo"])
def test_the_figures_are_of_utc_whatever_the_servers_zone(world: World, backfilled: str, zone: str) -> None:
    def figures(**settings: Any) -> list[Any]:
        given: dict[str, Any] = {"table": backfilled}
        asked = [
            *alternatives.plan(world.client, INCIDENT, phase="phase3", **given),
            *alternatives.one_by_one(world.client, INCIDENT, **given),
            *alternatives.naive(world.client, INCIDENT, **given),
        ]
        answers = world.run([each for each in asked if each[0] != "plan_subject_phase3"], **settings)
        return list(answers.items())

    assert figures(session_timezone=zone) == figures()


@pytest.fixture(scope="module")
def production(world: World) -> str:
    """The positions that the rehearsal's own legacy statement makes of the fills, and no others."""
    assert INCIDENT.positions is not None
    world.client.command(f"TRUNCATE TABLE {INCIDENT.positions.table}")
    execute(world.client, "positions/legacy", wallet_from="", wallet_to="")
    return INCIDENT.positions.table


@pytest.mark.parametrize("one_scan", [False, True], ids=["as the script", "one scan"])
def test_the_legacy_shape_makes_the_positions_that_the_rehearsals_own_statement_makes(
    world: World, production: str, one_scan: bool
) -> None:
    target, batch = f"positions_{one_scan}", 20
    labels = world.run(legacy_fifo.rebuild(world.client, INCIDENT, target=target, batch=batch, one_scan=one_scan))
    resolved = world.count("pm_condition_resolutions FINAL", "is_deleted = 0 AND payout_numerators != ''")
    assert len(labels) == 1 + 2 * ceil(resolved / batch) > 5
    far = " OR ".join(f"abs(a.{name} - b.{name}) > 1e-6" for name in FLOATS)
    other = " OR ".join(f"a.{name} != b.{name}" for name in EXACT)
    compared = (
        f"SELECT count(), countIf({far}), countIf({other}), countIf(a.is_short) "
        f"FROM {target} AS a INNER JOIN {production} AS b USING (wallet, condition_id, outcome_index, tx_hash)"
    )
    rows = world.count(production)
    ((both, differing, others, shorts),) = world.rows(compared)
    assert (world.count(target), both, differing, others) == (rows, rows, 0, 0)
    assert 0 < shorts < both


def test_the_legacy_shape_keeps_to_a_span_of_resolution(world: World, production: str) -> None:
    span = (INCIDENT.window.start, INCIDENT.window.end)
    world.run(legacy_fifo.rebuild(world.client, INCIDENT, target="positions_of_a_span", resolved=span))
    within = f"resolved_at >= '{span[0]:%Y-%m-%d}' AND resolved_at < '{span[1]:%Y-%m-%d}'"
    assert world.count("positions_of_a_span") == world.count(production, within) > 0
    assert world.count(production, within) < world.count(production)


@with_sqlalchemy
def test_the_stock_expectations_see_what_the_findings_are(world: World, backfilled: str) -> None:
    took = stock(world.dsn, INCIDENT, 2, 4_000_000_000, phase="phase5", table=backfilled)
    found = world.run(alternatives.one_by_one(world.client, INCIDENT, table=backfilled))
    outcomes = took["outcomes"]
    assert {name: outcomes[name] for name in alternatives.FINDINGS} == dict.fromkeys(alternatives.FINDINGS, "BROKEN")
    assert {"rows", "values"} <= {name for name, outcome in outcomes.items() if outcome == "holds"}
    assert [outcomes[f"filled.{day}"] for day in INCIDENT.days] == ["BROKEN"] * len(INCIDENT.days)
    assert not [outcome for outcome in outcomes.values() if outcome.startswith("raised")]
    assert found["doubled"][0]["identities"] > 0
    assert outcomes["unique.fill_id"] == "BROKEN"
    assert took["queries"] > len(outcomes) / 2
    assert took["rows_read"] > world.count(backfilled)


@with_sqlalchemy
def test_the_stock_expectations_hold_of_the_right_rows(world: World) -> None:
    world.run(alternatives.insert(world.client, INCIDENT, target="only_right"))
    took = stock(world.dsn, INCIDENT, 2, 4_000_000_000, phase="phase5", table="only_right")
    assert set(took["outcomes"].values()) == {"holds"}


@with_sqlalchemy
def test_superseded_rows_break_no_stock_promise_of_phase_3(world: World, backfilled: str) -> None:
    without = tuple(name for name in alternatives.FINDINGS if name not in ("superseded", "orphans"))
    took = stock(world.dsn, INCIDENT, 2, 4_000_000_000, table=backfilled, without=without)
    assert set(took["outcomes"]) & set(alternatives.FINDINGS) == {"orphans"}
