"""What a statement may cost: each connection keeps to it, a statement that is cut says so, and an action goes on after it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from clickhouse_connect.driver.client import Client

from recovery import action, gate, settings, statements
from recovery.actions import ACTIONS
from recovery.errors import ActionFailed, LimitReached
from recovery.incident import load
from recovery.phases import BY_NAME
from recovery.sections import Cost
from recovery.warehouse import Warehouse
from recovery.workplace import Workplace
from tests.conftest import Case

LIMITS = {"memory_bytes": 600_000_000, "threads": 1, "seconds": 77, "priority": 9}
ASKED = (
    "max_memory_usage", "max_bytes_before_external_group_by", "max_bytes_before_external_sort", "max_threads",
    "max_execution_time", "priority",
)  # fmt: skip


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Statements of a test beside the suite's, by name."""
    texts: dict[str, str] = {}
    known = statements.text
    monkeypatch.setattr(statements, "text", lambda name: texts[name] if name in texts else known(name))
    return texts


def opened(case: Case, **cost: int) -> Warehouse:
    if cost:
        case.edit(cost=cost)
    return Warehouse(load(case.incident), case.dsn, writable=True)


def runs_with(client: Client) -> tuple[Any, ...]:
    asked = ", ".join(f"getSetting('{name}')" for name in ASKED)
    return tuple(client.query(f"SELECT {asked}").result_rows[0])


@pytest.mark.parametrize("connection", ["_reader", "_writer", "_historian"])
def test_every_connection_runs_with_what_the_incident_file_says(case: Case, connection: str) -> None:
    with opened(case, **LIMITS) as warehouse:
        assert runs_with(getattr(warehouse, connection)) == (600_000_000, 200_000_000, 150_000_000, 1, 77, 9)


def test_an_incident_file_without_a_cost_has_the_documented_one(case: Case) -> None:
    case.incident.write_text(re.sub(r"\[cost\]\n(\w+ = .*\n)+", "", case.incident.read_text("utf-8")))
    with opened(case) as warehouse:
        memory, groups, sorts, _, seconds, priority = runs_with(warehouse._reader)
    assert (memory, groups, sorts, seconds, priority) == (1_500_000_000, 500_000_000, 375_000_000, 3_600, 10)


def test_no_threads_are_sent_where_the_server_shall_choose() -> None:
    assert "max_threads" not in settings.within(Cost())
    assert settings.within(Cost(threads=3))["max_threads"] == 3


@pytest.mark.parametrize(
    ("limit", "select", "sentence"),
    [
        (
            {"memory_bytes": 20_000_000},
            "SELECT uniqExact(number) FROM numbers(3000000)",
            "slow: ClickHouse stopped it at 20,000,000 bytes of memory; raise cost.memory_bytes in {path}",
        ),
        (
            {"seconds": 1},
            "SELECT count() FROM numbers(100) WHERE sleepEachRow(0.5) = 0 SETTINGS max_block_size = 1",
            "slow: ClickHouse stopped it after 1 s; raise cost.seconds in {path}",
        ),
    ],
    ids=["memory", "time"],
)
@pytest.mark.parametrize("writes", [False, True], ids=["read", "write"])
def test_a_statement_that_runs_into_a_limit_names_the_limit_and_its_key(
    case: Case, own: dict[str, str], limit: dict[str, int], select: str, sentence: str, writes: bool
) -> None:
    case.command("CREATE TABLE cut (n UInt64) ENGINE = MergeTree ORDER BY n")
    own["slow"] = f"INSERT INTO cut {select}" if writes else select
    with opened(case, **limit) as warehouse, pytest.raises(LimitReached) as caught:
        warehouse.write("slow", label="cut") if writes else warehouse.ask("slow")
    assert str(caught.value).startswith(sentence.format(path=case.incident))
    assert "\n" not in str(caught.value)


def test_a_check_that_runs_into_a_limit_leaves_its_phase_incomplete(backfilled: Case, tmp_path: Path) -> None:
    """Its SELECT of the right rows is one that needs more memory than it gets."""
    case = backfilled.clone(tmp_path)
    select = case.incident.with_suffix(".sql")
    heavy = "fill_id NOT IN (SELECT toString(number) FROM numbers(3000000))"
    select.write_text(f"SELECT * FROM ({select.read_text('utf-8').rstrip().rstrip(';')}\n) WHERE {heavy}", "utf-8")
    case.edit(cost={"memory_bytes": 30_000_000})
    code = case.pytest("phase3")
    assert code == 10, case.output
    assert re.search(r"\w+: ClickHouse stopped it at 30,000,000 bytes of memory; raise cost\.memory_bytes", case.output)
    assert "Traceback" not in case.output


def test_only_statements_that_wait_for_the_background_have_no_end_of_time() -> None:
    waiting = {
        path.stem for path in statements.FOLDER.rglob("*.sql") if settings.WAITING.search(path.read_text("utf-8"))
    }
    assert waiting == {
        "lock_beat",
        "optimize",
        "positions_attach",
        "positions_drop",
        "positions_replace",
        "quarantined_delete",
        "restore_remove",
        "snapshot_attach",
        "staging_move",
        "superseded_delete",
        "swap_replace",
        "swap_shadow_settings",
        "window_clear",
    }


def test_a_mutation_is_waited_for_longer_than_a_statement_may_take(case: Case, own: dict[str, str]) -> None:
    case.command("CREATE TABLE kept (n UInt64) ENGINE = MergeTree ORDER BY n")
    case.command("INSERT INTO kept SELECT number FROM numbers(5)")
    own["slow"] = "ALTER TABLE kept DELETE WHERE n = 1 AND sleepEachRow(0.5) = 0 OR sleepEachRow(0.1) = 1"
    with opened(case, seconds=1) as warehouse:
        warehouse.write("slow", label="waited for")
    assert case.value("SELECT groupArray(n) FROM kept") == [0, 2, 3, 4]
    assert case.value("SELECT min(is_done) FROM system.mutations WHERE database = currentDatabase() AND table = 'kept'")


class Squeezed(Warehouse):
    """A warehouse on which from the nth INSERT of right rows on the memory does not suffice."""

    def __init__(self, *args: Any, enough_for: int, **options: Any) -> None:
        super().__init__(*args, **options)
        self.left = enough_for

    def write(self, name: str, **options: Any) -> Any:
        if name != "backfill_lacking":
            return super().write(name, **options)
        self.left -= 1
        little = {"max_memory_usage": 1_000} if self.left < 0 else {}
        with patch.dict(settings.WRITE_SETTINGS, little):  # type: ignore[arg-type]
            return super().write(name, **options)


def backfill(case: Case, warehouse: Warehouse) -> action.Plan:
    incident = load(case.incident)
    place = Workplace(incident, warehouse, case.ledger, "run", lambda: case.now, tell=lambda line: None)
    with patch.dict(os.environ, case.env):
        return action.run(ACTIONS["backfill"], BY_NAME["phase2"], place)


def test_an_action_that_is_cut_by_a_limit_is_gone_on_with(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "reasons_to_refuse", lambda *asked: [])
    case.edit(backfill={"unit_rows": 2_000})
    cut = Squeezed(load(case.incident), case.dsn, writable=True, enough_for=1)
    with cut, pytest.raises(ActionFailed) as caught:
        backfill(case, cut)
    assert "backfill_lacking: ClickHouse stopped it at 1,500,000,000 bytes of memory; raise cost.memory_bytes" in str(
        caught.value
    )
    assert caught.value.exit_code == 12
    done = [line["unit"] for line in case.lines("unit") if line["state"] == "done"]
    assert [re.split(" keys ", unit)[0] for unit in done] == ["list what the table holds", "source"]
    with opened(case) as warehouse:
        plan = backfill(case, warehouse)
    finished = [line["unit"] for line in case.lines("unit") if line["state"] == "done"]
    assert finished == [unit.label for unit in plan.units]
    assert len(finished) > len(done)
    assert [line["rows"] for line in case.lines("done")] == [plan.rows]


@pytest.fixture(autouse=True)
def _no_settings_of_a_test_remain() -> Iterator[None]:
    before = dict(settings.WRITE_SETTINGS)
    yield
    assert before == settings.WRITE_SETTINGS
