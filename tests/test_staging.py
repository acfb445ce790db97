"""Rows are staged and moved in: stopped at any statement, a backfill ends as one that was not, and leaves no table behind."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from recovery import restore, staging
from recovery.actions import ACTIONS
from recovery.errors import ActionFailed, StatementFailed
from recovery.incident import load
from recovery.warehouse import Warehouse
from recovery.workplace import Workplace
from tests.conftest import Case
from tests.faults.conftest import rounds
from tests.faults.truth import tables
from tests.test_actions import FILLS, act, finish, gates_open  # noqa: F401

MODES = ["missing", "full"]


class Stopping(Warehouse):
    """A warehouse whose nth writing statement is interrupted: before it is sent, or after it was executed."""

    def __init__(self, *args: Any, stop_at: int, after: bool, only: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.sent: list[str] = []
        self._stop = stop_at, after, only

    def write(self, name: str, **options: Any) -> Any:
        number, after, only = self._stop
        if name.startswith(("lock", "snapshot")) or not name.startswith(only):
            return super().write(name, **options)
        self.sent.append(name)
        if len(self.sent) - 1 != number:
            return super().write(name, **options)
        if after:
            super().write(name, **options)
        raise KeyboardInterrupt if number % 2 else StatementFailed("the connection was lost", 210)


def stopped(case: Case, number: int, *, after: bool = False, only: str = "") -> list[str]:
    """The statements of a backfill that was stopped at the nth, of those that are called so."""
    with Stopping(load(case.incident), case.dsn, writable=True, stop_at=number, after=after, only=only) as warehouse:
        with suppress(ActionFailed, StatementFailed, KeyboardInterrupt):
            act(case, "phase2", warehouse)
        return warehouse.sent


def rows(case: Case) -> Counter[tuple[str, str]]:
    """Every row of the table, each as often as it is there, but for its version."""
    found = case.client.query(f"SELECT fill_id, toString(tuple(* EXCEPT _version)) FROM {FILLS}").result_rows
    return Counter(found)


def written(case: Case) -> int:
    """What the ledger says that the backfill wrote."""
    return int(case.lines("done")[-1]["rows"])


def prepared(case: Case, mode: str) -> None:
    case.edit(backfill={"mode": mode, "unit_rows": 3_000})
    case.command(f"SYSTEM STOP MERGES {FILLS}")


@pytest.fixture(scope="module", params=MODES)
def whole(request: pytest.FixtureRequest, broken: Case, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A backfill that nothing interrupted: mode, its statements, the rows that it ended with, those that it wrote."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("recovery.gate.reasons_to_refuse", lambda *asked: [])
        case = broken.clone(tmp_path_factory.mktemp("whole"))
        prepared(case, request.param)
        before = sum(rows(case).values())
        sent = stopped(case, -1)
        assert len(set(sent)) >= 5
        assert written(case) == sum(rows(case).values()) - before > 0
        return request.param, sent, rows(case), written(case)


@pytest.mark.usefixtures("gates_open")
@pytest.mark.parametrize("after", [False, True])
def test_a_backfill_that_is_stopped_at_any_statement_ends_as_one_that_was_not(
    whole: Any, broken: Case, tmp_path: Path, after: bool
) -> None:
    mode, sent, expected, count = whole
    own = [number for number, name in enumerate(sent) if name != "ledger_create"]
    numbers = [*own[int(after) :: rounds(4, 1)], sent.index("staging_move") + 1]
    for number in numbers:
        folder = tmp_path / str(number)
        folder.mkdir()
        case = broken.clone(folder)
        prepared(case, mode)
        there = rows(case)
        reached = stopped(case, number, after=after)
        assert reached[: number + 1] == sent[: number + 1]
        if not any(name == "staging_move" for name in reached):
            assert rows(case) == there, f"{sent[number]}: the table was written to before all was staged"
        if not ended(case):  # the connection was lost, and the server did not show the unit as done
            finish(case, "phase2")
        assert rows(case) == expected, f"{mode}, stopped at {number}, {sent[number]}"
        assert written(case) == count, f"{mode}, stopped at {number}, {sent[number]}"
        assert tables(case, f"{FILLS}_staging_%") == []
        case.command(f"DROP DATABASE {case.database}")


def ended(case: Case) -> bool:
    return any(line["action"] == "backfill" for line in case.lines("done"))


def place_of(case: Case, warehouse: Warehouse) -> Workplace:
    return Workplace(warehouse.incident, warehouse, case.ledger, "run", lambda: case.now, tell=lambda line: None)


def test_a_staging_table_that_was_left_half_filled_is_never_moved(case: Case) -> None:
    """Its INSERT did not end, so it has not got the name by which a move knows it."""
    case.command(f"CREATE TABLE {FILLS}_staging_1_0_abc AS {FILLS}")
    case.command(f"INSERT INTO {FILLS}_staging_1_0_abc SELECT * FROM {FILLS} LIMIT 5")
    with Warehouse(load(case.incident), case.dsn) as warehouse:
        place = place_of(case, warehouse)
        assert staging.rows_of(place, [f"{FILLS}_staging_1_0"]) == {}
        case.command(f"RENAME TABLE {FILLS}_staging_1_0_abc TO {FILLS}_staging_1_0")
        assert staging.rows_of(place, [f"{FILLS}_staging_1_0"]) != {}


def test_a_move_that_is_repeated_moves_nothing(case: Case) -> None:
    name = f"{FILLS}_staging_1_0"
    case.command(f"CREATE TABLE {name} AS {FILLS}")
    case.command(f"INSERT INTO {name} SELECT * FROM {FILLS} LIMIT 5")
    with Warehouse(load(case.incident), case.dsn, writable=True) as warehouse:
        place, before = place_of(case, warehouse), rows(case)
        moves = staging.moves(place, staging.rows_of(place, [name]), warehouse.words["table"])
        for number in range(3):
            place.send(moves, f"recovery-test-move-{number}-")
            assert sum(rows(case).values()) == sum(before.values()) + 5
        assert staging.rows_of(place, [name]) == {}


@pytest.mark.usefixtures("gates_open")
@pytest.mark.parametrize("mode", MODES)
def test_a_restore_after_a_backfill_that_stopped_between_two_moves_brings_the_state_before_back_and_leaves_no_table(
    case: Case, mode: str
) -> None:
    case.edit(backfill={"mode": mode, "unit_rows": 3_000})  # merges go on: the restore's DELETE waits for them
    before = case.fingerprint()
    with Warehouse(load(case.incident), case.dsn) as warehouse:
        planned = ACTIONS["backfill"].plan(place_of(case, warehouse))
    assert stopped(case, 1, only="staging_move") == ["staging_move"] * 2
    assert case.fingerprint() != before
    assert tables(case, f"{FILLS}_staging_%")
    with Warehouse(load(case.incident), case.dsn, writable=True) as warehouse:
        restore.restore(place_of(case, warehouse), case.lines("snapshot")[-1])
    assert case.fingerprint() == before
    assert tables(case, f"{FILLS}_staging_%") == []
    finish(case, "phase2")
    assert written(case) == planned.rows
    assert tables(case, f"{FILLS}_staging_%") == []
