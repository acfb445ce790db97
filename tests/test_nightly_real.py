"""The nightly checks on real records: the wallet's month is as it is promised, and a load that came twice is not.

Needs ../shared/data/polymarket (or POLYMARKET_DATA) and is skipped where it is absent.
"""

from __future__ import annotations

import itertools
import shutil
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import tomli_w

from expectations.night import Night
from recovery.embedded import EmbeddedServer
from recovery.history import CRITICAL, OK
from recovery.incident import load
from recovery.warehouse import Warehouse
from scripts.import_polymarket import main
from tests.conftest import PROJECT, Case, connect, copy_beside
from tests.polymarket_data import DATA, needs_data
from tests.real_wallet import INCIDENT, WHOLE, import_wallet, make_tables

pytestmark = needs_data

END_OF_APRIL = datetime(2026, 5, 1, 2, tzinfo=UTC)
AFTER_THE_REPEATS = datetime(2026, 1, 9, 3, tzinfo=UTC)
EVENTS = "pm_wallet_events_v1"
_numbers = itertools.count(1)


@pytest.fixture
def tables(server: EmbeddedServer, tmp_path: Path) -> Callable[[], Case]:
    """Makes the tables of the April incident, empty, in a database of their own."""

    def make() -> Case:
        database = f"real_{next(_numbers)}"
        client = connect(server.dsn)
        client.command(f"CREATE DATABASE {database}")
        client.close()
        client = connect(server.dsn, database)
        make_tables(client)
        metrics = (PROJECT / "rehearsal" / "sql" / "tables" / "quality_metrics.sql").read_text()
        client.command(metrics)
        client.close()
        copy = tmp_path / INCIDENT.name
        shutil.copy(INCIDENT, copy)
        copy_beside(INCIDENT, copy)
        case = Case(server.dsn, database, tmp_path, copy, {})
        case.edit(table={"database": database})
        return case

    return make


def test_the_imported_month_holds_what_is_promised(tables: Callable[[], Case]) -> None:
    """April as a writer stores it who waits for the map, on the last night of it."""
    case = tables()
    import_wallet(case.dsn, case.database)
    statement = load(case.incident).right_rows
    case.client.command(
        f"INSERT INTO pm_wallet_fills_v1 (* EXCEPT _version) SELECT fill_id, event_time, block_number, tx_hash, wallet, "
        f"condition_id, outcome_index, tokens_delta, usdc_delta, source, is_self_fill, is_maker FROM ({statement})",
        parameters=WHOLE,
    )
    assert case.pytest("nightly", now=END_OF_APRIL) == 0, case.output
    passed = [line for line in case.lines("evidence") if line["outcome"] == "passed"]
    assert len(passed) >= 20
    assert sum(line["examined"] for line in passed) > 1_000


def test_the_598_repeats_are_red_where_they_are_loaded_as_rows_of_their_own(tables: Callable[[], Case]) -> None:
    case = tables()
    import_wallet(case.dsn, case.database)
    case.command(f"TRUNCATE TABLE {EVENTS}")
    words = ["--clickhouse", case.dsn, "--database", case.database, "--events-table", EVENTS, "--create"]
    assert main([*words, "--fills", str(DATA / "fills.parquet"), "--source", "ibalgo"]) == 0
    path = case.incident.with_suffix(".nightly.toml")
    content = tomllib.loads(path.read_text())
    content["tables"] = {"events": content["tables"]["events"]}
    path.write_text(tomli_w.dumps(content))

    def repeats() -> tuple[str, str]:
        with Warehouse(load(case.incident), case.dsn) as warehouse:
            found = Night(warehouse, AFTER_THE_REPEATS).finding("events.alike")
        return found.status, "".join(found.notes[:1])

    assert repeats() == (CRITICAL, "598 of 2,852 rows repeat another.")
    columns = ", ".join(content["tables"]["events"]["alike"]["columns"])
    case.command(f"CREATE TABLE clean AS {EVENTS}")
    case.command(f"INSERT INTO clean SELECT * FROM {EVENTS} LIMIT 1 BY {columns}")
    case.command(f"EXCHANGE TABLES clean AND {EVENTS}")
    assert repeats() == (OK, "")
