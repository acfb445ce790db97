"""The boards are refreshed by the application: each job is called once, believed by its row, compared afterwards."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from recovery import action, boards
from recovery.errors import ActionFailed, GateClosed
from recovery.incident import load
from recovery.phases import BY_NAME
from recovery.refresh_leaderboards import Refresh
from recovery.warehouse import Warehouse
from recovery.workplace import Workplace
from rehearsal.services import Services
from tests.conftest import CONTENT, Case, application_of
from tests.faults.conftest import rounds
from tests.test_actions import gates_open

__all__ = ["gates_open"]

SCORES, TOP = "refresh-wio-scores", "refresh-copy-trading-leaderboard"
JOBS = [board["cron"] for board in CONTENT["boards"].values()]
Note = Callable[[str], None]


@pytest.fixture
def application(case: Case, tmp_path: Path) -> Iterator[Services]:
    """An application of this case's own, and the case pointed at it, which gives up on a job after 6 s."""
    with application_of(case, tmp_path / "services", timeout_seconds=1, wait_seconds=6, poll_seconds=0.1) as services:
        yield services


def refresh(case: Case, told: list[str] | None = None) -> action.Plan:
    """Phase 7's action with the gates open."""
    with Warehouse(load(case.incident), case.dsn, writable=True) as warehouse, patch.dict(os.environ, case.env):
        tell: Note = (told if told is not None else []).append
        place = Workplace(warehouse.incident, warehouse, case.ledger, "refresh", lambda: case.now, tell=tell)
        return action.run(Refresh(), BY_NAME["phase7"], place)


def states(case: Case, job: str) -> list[str]:
    return [line["state"] for line in case.lines("cron") if line["cron"] == job]


def differing(case: Case) -> dict[str, int]:
    with Warehouse(load(case.incident), case.dsn) as warehouse:
        return {name: boards.agreement(warehouse, name).first["differing"] for name in CONTENT["boards"]}


def stale(case: Case) -> None:
    """Boards of positions that are not those of now."""
    case.command(
        "INSERT INTO pm_trade_fifo_roi_v3 SELECT * REPLACE(concat('x', tx_hash) AS tx_hash) FROM pm_trade_fifo_roi_v3 WHERE 1"
    )


@pytest.mark.usefixtures("gates_open")
def test_all_jobs_are_called_once_and_the_boards_agree_afterwards(case: Case, application: Services) -> None:
    stale(case)
    assert max(differing(case).values()) > 0
    told: list[str] = []
    refresh(case, told)
    assert dict(application.started) == dict.fromkeys(JOBS, 1)
    assert set(differing(case).values()) == {0}
    assert [states(case, job) for job in JOBS] == [["called", "succeeded"]] * 3
    assert sum("succeeded, " in line and " s after the call" in line for line in told) == 3
    assert refresh(case).units == ()  # and there is nothing left to do
    assert dict(application.started) == dict.fromkeys(JOBS, 1)


@pytest.mark.usefixtures("gates_open")
def test_a_job_whose_answer_comes_too_late_is_waited_for_and_not_called_twice(
    case: Case, application: Services
) -> None:
    application.faults[SCORES], application.application.slow_seconds = "slow", 2.0
    told: list[str] = []
    refresh(case, told)
    assert application.started[SCORES] == 1
    assert states(case, SCORES) == ["called", "succeeded"]
    assert any("no answer within 1 s, which says nothing" in line for line in told)


@pytest.mark.usefixtures("gates_open")
@pytest.mark.parametrize(
    ("fault", "sentence", "state"),
    [
        ("silent", "answered with status 200, and after 3 s no row in cron_executions says that it ran", "not known"),
        ("fails", "it wrote down a failure: Query timed out after 30 s", "failed"),
        ("hangs", "no answer within 1 s, which says nothing, and after 3 s no row in cron_executions", "not known"),
        ("refuses", "answered with status 503, and after 3 s no row in cron_executions says that it ran", "not known"),
        ("unsuccessful", "Query timed out after 30 s", "failed"),
    ][: rounds(2, 5)],
)
def test_a_job_that_goes_wrong_is_told_the_others_finish_and_the_next_run_calls_it_alone(
    case: Case, application: Services, fault: str, sentence: str, state: str
) -> None:
    application.faults[SCORES] = fault
    crons = CONTENT["services"]["crons"] | {"url": application.url, "timeout_seconds": 1, "poll_seconds": 0.1}
    case.edit(services={"crons": crons | {"wait_seconds": 3}})
    with pytest.raises(ActionFailed, match="1 of 3 did not succeed: refresh-wio-scores: ") as failed:
        refresh(case)
    assert sentence in str(failed.value)
    assert states(case, SCORES) == ["called", state]
    others = [job for job in JOBS if job != SCORES]
    assert [states(case, job) for job in others] == [["called", "succeeded"]] * 2
    started = application.started[SCORES]
    application.faults.clear()
    refresh(case)
    assert application.started == {SCORES: started + 1} | dict.fromkeys(others, 1)
    assert states(case, SCORES) == ["called", state, "called", "succeeded"]


@pytest.mark.usefixtures("gates_open")
def test_a_job_that_leaves_its_board_as_it_was_is_found_and_called_again(case: Case, application: Services) -> None:
    stale(case)
    application.faults[TOP] = "stale"
    refresh(case)
    assert [name for name, rows in differing(case).items() if rows] == ["pm_copy_trading_leaderboard"]
    application.faults.clear()
    assert refresh(case).facts["seen"].keys() == {TOP}
    assert set(differing(case).values()) == {0}


@pytest.mark.usefixtures("gates_open")
def test_a_wrong_secret_starts_nothing_and_is_said(case: Case, application: Services) -> None:
    case.env = case.env | {"CRON_SECRET": "not-the-secret"}
    with pytest.raises(
        ActionFailed, match=r"3 of 3 did not succeed: .*it refused the secret \(status 401\); set CRON_SECRET"
    ) as failed:
        refresh(case)
    assert "not-the-secret" not in str(failed.value)
    assert application.started == {}
    assert states(case, SCORES) == ["called", "refused"]
    case.env = case.env | {"CRON_SECRET": application.secret}
    refresh(case)
    assert dict(application.started) == dict.fromkeys(JOBS, 1)


@pytest.mark.usefixtures("gates_open")
@pytest.mark.parametrize(
    ("secret", "sentence"), [("", "CRON_SECRET is not set"), ("ä", "CRON_SECRET holds characters that no secret has")]
)
def test_without_a_secret_that_can_be_sent_nothing_is_begun(
    case: Case, application: Services, secret: str, sentence: str
) -> None:
    case.env = case.env | {"CRON_SECRET": secret}
    with pytest.raises(GateClosed, match=sentence):
        refresh(case)
    assert case.lines("started") == []


@pytest.mark.usefixtures("gates_open")
def test_an_application_that_is_not_there_is_called_again_and_then_told(case: Case, application: Services) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
        case.edit(
            services={"crons": CONTENT["services"]["crons"] | {"url": nobody, "wait_seconds": 60, "poll_seconds": 0.1}}
        )
        with pytest.raises(ActionFailed, match=f"{nobody} cannot be reached"):
            refresh(case)
    assert states(case, SCORES) == ["called", "refused"]


@pytest.mark.usefixtures("gates_open")
def test_a_run_that_takes_over_waits_for_a_job_that_is_still_out(case: Case, application: Services) -> None:
    application.faults[SCORES], application.application.slow_seconds = "slow", 2.0
    asked: list[str] = []

    def interrupting(self: Warehouse, name: str, **given: Any) -> Any:
        asked.append(name)
        if name == "cron_runs" and application.started[SCORES]:
            raise KeyboardInterrupt
        return again(self, name, **given)

    again = Warehouse.ask_again
    with patch.object(Warehouse, "ask_again", interrupting), pytest.raises(KeyboardInterrupt):
        refresh(case)
    assert states(case, SCORES) == ["called"]
    told: list[str] = []
    refresh(case, told)
    assert any(f"{SCORES}: was called at " in line and "is waited for" in line for line in told)
    assert dict(application.started) == dict.fromkeys(JOBS, 1)
    assert states(case, SCORES) == ["called", "succeeded"]


def test_the_gate_of_the_boards_needs_the_positions(case: Case, application: Services) -> None:
    with pytest.raises(GateClosed, match="phase6 has no evidence; run pytest -m phase6"):
        refresh(case)
    assert application.started == {}


@pytest.mark.usefixtures("gates_open")
def test_a_figure_that_a_board_does_not_have_differs(case: Case, application: Services) -> None:
    refresh(case)
    case.command("ALTER TABLE pm_copy_trading_leaderboard MODIFY COLUMN total_pnl Nullable(Float64)")
    case.command("ALTER TABLE pm_copy_trading_leaderboard UPDATE total_pnl = NULL WHERE rank = 1")
    assert differing(case)["pm_copy_trading_leaderboard"] == 1


def test_a_board_that_the_server_does_not_have_is_told_before_anything_is_asked(case: Case) -> None:
    case.command("DROP TABLE pm_smart_money_cache")
    case.command("ALTER TABLE pm_copy_trading_leaderboard DROP COLUMN win_rate")
    assert case.pytest("phase3") == 4
    assert "boards.pm_smart_money_cache = 'pm_smart_money_cache'" in case.output
    assert (
        "boards.pm_copy_trading_leaderboard: pm_copy_trading_leaderboard has no column 'win_rate'; it has wallet,"
        in case.output
    )
