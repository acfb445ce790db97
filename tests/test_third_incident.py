"""The third incident, of another trade: other columns, numbers as keys, a sorting key that OPTIMIZE can collapse."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recovery.embedded import EmbeddedServer
from rehearsal.clock import Clock
from rehearsal.services import Services
from tests.conftest import Case, connect
from tests.conftest import rehearsed_services as services_of

HERE = Path(__file__).parent / "incidents"
INCIDENT = HERE / "2026-06-prices-of-zero.toml"
CLOCK = Clock(datetime(2026, 6, 12, tzinfo=UTC))
PHASES = ["preflight", "phase1", "phase2", "phase3", "phase4", "phase5"]
GO = dict.fromkeys(PHASES, "GO")
# Records of the window that have a price, and those that never get one, told from the source alone.
RIGHT = """
SELECT seq, units * price_cents, price_cents FROM till_records INNER JOIN price_list USING (article)
WHERE happened >= '2026-06-08' AND happened < '2026-06-11' ORDER BY seq"""
ORPHANS = """
SELECT seq FROM till_records
WHERE article >= 495 AND happened >= '2026-06-08' AND happened < '2026-06-11' ORDER BY seq"""
STORED = """
SELECT line_no, amount_cents, price_cents FROM line_items
WHERE channel = 'till' AND price_cents > 0 AND sold_at >= '2026-06-08' AND sold_at < '2026-06-11' ORDER BY line_no"""
BROKEN = "SELECT line_no FROM {table} WHERE channel = 'till' AND price_cents = 0 ORDER BY line_no"
OTHERS = """
SELECT * FROM line_items FINAL
WHERE channel != 'till' OR sold_at < '2026-06-08' OR sold_at >= '2026-06-11' ORDER BY line_no"""


@pytest.fixture(scope="module")
def services(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    folder = tmp_path_factory.mktemp("third")
    with Services(folder, lambda: connect(server.dsn), CLOCK, deploy_fix=True) as running:
        yield running


@pytest.fixture
def shop(server: EmbeddedServer, services: Services, tmp_path: Path, request: pytest.FixtureRequest) -> Case:
    """The incident in a database of the test's own."""
    database = f"shop_{request.node.nodeid.encode().hex()[-24:]}"
    client = connect(server.dsn)
    client.command(f"CREATE DATABASE {database}")
    client.close()
    for suffix in (".toml", ".sql"):
        shutil.copy(INCIDENT.with_suffix(suffix), tmp_path)
    case = Case(server.dsn, database, tmp_path, tmp_path / INCIDENT.name, {"VERCEL_TOKEN": services.token})
    case.edit(services=services_of(services), table={"database": database})
    for statement in (HERE / "2026-06-data.sql").read_text().split(";\n"):
        case.client.command(statement)
    return case


def run(case: Case, phases: list[str]) -> dict[str, str]:
    """The phases in one command, and their verdicts."""
    case.pytest(" or ".join(phases), "--execute", now=CLOCK.now())
    return {line["phase"]: line["verdict"] for line in case.lines("finished")}


def rows(case: Case, sql: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in case.client.query(sql).result_rows]


def test_optimize_collapses_broken_rows_and_orphans_go_to_quarantine(shop: Case) -> None:
    right, orphans, others = rows(shop, RIGHT), rows(shop, ORPHANS), rows(shop, OTHERS)
    assert run(shop, PHASES) == GO, shop.output
    assert rows(shop, STORED) == right
    assert rows(shop, BROKEN.format(table="line_items")) == []
    assert rows(shop, BROKEN.format(table="line_items_aside")) == orphans
    assert rows(shop, OTHERS) == others


def test_a_full_backfill_keeps_orphans_in_place_where_the_file_says_so(shop: Case) -> None:
    shop.edit(backfill={"mode": "full"}, deduplicate={"orphans": "keep"})
    right, orphans, others = rows(shop, RIGHT), rows(shop, ORPHANS), rows(shop, OTHERS)
    assert run(shop, PHASES) == GO, shop.output
    assert rows(shop, STORED) == right
    assert rows(shop, BROKEN.format(table="line_items")) == orphans
    assert shop.value("EXISTS TABLE line_items_aside") == 0
    assert rows(shop, OTHERS) == others


def test_broken_rows_that_merge_away_unasked_before_phase_3_close_no_gate(shop: Case) -> None:
    shop.edit(deduplicate={"orphans": "keep"})
    right, orphans = rows(shop, RIGHT), rows(shop, ORPHANS)
    first = run(shop, PHASES[:3])
    for partition in ("20260601", "20260608"):
        shop.command(f"OPTIMIZE TABLE line_items PARTITION ID '{partition}' FINAL")
    assert rows(shop, STORED) == right
    assert rows(shop, BROKEN.format(table="line_items")) == orphans
    assert first == dict.fromkeys(PHASES[:3], "GO"), shop.output
    assert run(shop, PHASES[3:]) == GO, shop.output
    assert rows(shop, STORED) == right
    assert rows(shop, BROKEN.format(table="line_items")) == orphans
