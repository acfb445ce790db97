"""Phases 6 and 7 under the faults of phases 2 to 5: killed runners and servers, a harmed network. An oracle knows the end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from recovery import boards
from recovery.incident import load
from recovery.warehouse import Warehouse
from rehearsal.services import Services
from tests.conftest import CONTENT, Case, application_of
from tests.faults import oracle
from tests.faults.conftest import FULL, rounds
from tests.faults.proxy import Harm, Proxy, Request
from tests.faults.runner import Job
from tests.faults.test_kills import Kept, connect_to, kept, wait_for_a_moment
from tests.faults.test_network import EXECUTED, run_in_a_process, run_until_done
from tests.faults.truth import faults_of_ledger, tables, units_done_twice

__all__ = ["kept"]

SMALL: dict[str, Any] = {"positions": {"fills_per_unit": rounds(1_000, 300)}, "gates": {"recent_minutes": 600}}
SHORT = (Harm.CUT_AFTER, Harm.CUT_BEFORE)
SECONDS = {"phase6": 2.5, "phase7": 1.2}  # what each action takes when nobody disturbs it
WAIT_SECONDS = 4  # for a job that was called and perhaps never started
JOBS = [board["cron"] for board in CONTENT["boards"].values()]
Note = Callable[..., None]


@pytest.fixture
def small(broken: Case, tmp_path: Path) -> Case:
    """The case with several units in its rebuild."""
    case = broken.clone(tmp_path)
    case.edit(**SMALL)
    return case


def faults_at_the_end(case: Case, *actions: str) -> list[str]:
    """What is wrong with positions, ledger and the tables that are left, a sentence each."""
    faults = oracle.faults(case) + faults_of_ledger(case, *actions)
    if left := tables(case, "%_shadow_%"):
        faults.append(f"left behind: {', '.join(left)}")
    return faults


def faults_of_boards(case: Case, application: Services) -> list[str]:
    """Boards that are not of the positions, jobs that were called while a call was out, or started more often than called."""
    faults = []
    with Warehouse(load(case.incident), case.dsn) as warehouse:
        for name in warehouse.incident.boards:
            agreed = boards.agreement(warehouse, name).first
            if agreed["differing"] or not agreed["rows"]:
                faults.append(f"{name} differs in {agreed['differing']} of {agreed['rows']} rows")
    for job, started in application.started.items():
        states = [line["state"] for line in case.lines("cron") if line["cron"] == job]
        if started > states.count("called"):
            faults.append(f"{job} was started {started} times and called {states.count('called')} times")
    return faults


def kill_again_and_again(case: Case, phase: str, random: Random, times: int) -> int:
    """Begin a phase's action so many times and kill it each time, until once it ends before. Returns how many kills met it."""
    kills = 0
    for _ in range(times):
        process = Job.on(case, phase).start()
        wait_for_a_moment(case, random, process.is_alive, SECONDS[phase])
        process.kill()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
        assert case.ledger.fault() is None
        if process.exitcode == 0:
            break
    return kills


def finish(case: Case, *phases: str) -> int:
    """What an engineer does after a kill: run it again until it is done. Returns how often it was refused."""
    for refused in range(30):
        code, sentence = Job.on(case, *phases).carry_out()
        if code == 0:
            return refused
        assert code in (11, 12), sentence
        time.sleep(0.5)
    pytest.fail(f"refused again and again: {sentence}")


@pytest.mark.parametrize("seed", range(rounds(1, 24)))
def test_a_rebuild_that_is_killed_at_any_moment_is_resumed_and_ends_right(
    small: Case, figures: Note, seed: int
) -> None:
    random = Random(3000 + seed)
    kills = kill_again_and_again(small, "phase6", random, rounds(2, 9))
    refused = finish(small, "phase6")
    faults = faults_at_the_end(small, "rebuild")
    figures(
        "kill -9 of the runner in phase 6", kills=kills, cases=1, equal_to_truth=int(not faults),
        units_done_twice=units_done_twice(small), refused_then_done=refused,
    )  # fmt: skip
    assert faults == []


@pytest.mark.parametrize("seed", range(rounds(1, 24)))
def test_a_refresh_that_is_killed_at_any_moment_is_resumed_and_calls_no_job_twice_at_a_time(
    small: Case, tmp_path: Path, figures: Note, seed: int
) -> None:
    random = Random(4000 + seed)
    with application_of(
        small, tmp_path / "services", timeout_seconds=1, wait_seconds=WAIT_SECONDS, poll_seconds=0.05
    ) as served:
        served.faults[random.choice(JOBS)], served.application.slow_seconds = "slow", 0.7
        kills = kill_again_and_again(small, "phase7", random, rounds(1, 5))
        refused = finish(small, "phase7")
        faults = faults_of_boards(small, served) + faults_of_ledger(small, "refresh")
        at_most = max(served.most_at_a_time.values())
    figures(
        "kill -9 of the runner in phase 7", kills=kills, cases=1, equal_to_truth=int(not faults),
        jobs_running_twice=at_most - 1, refused_then_done=refused,
    )  # fmt: skip
    assert faults == []
    assert at_most == 1


@pytest.mark.parametrize("seed", range(rounds(0, 10)))
def test_a_server_that_is_killed_in_a_rebuild_is_started_again_and_the_rebuild_ends_right(
    kept: Kept, figures: Note, seed: int
) -> None:
    random, case = Random(5000 + seed), kept.bring_back("before_phase2")
    with kept.serve() as first:
        connect_to(case, first).edit(**SMALL)
        job = Job.on(case, "phase6")
        process = job.start()
        wait_for_a_moment(case, random, process.is_alive, SECONDS["phase6"])
        os.kill(first.pid, signal.SIGKILL)
        process.join(60)
    assert process.exitcode in (0, 12, 13), job.said.read_text()
    assert "Traceback" not in job.said.read_text()
    with kept.serve() as second:
        refused = finish(connect_to(case, second), "phase6")
        faults = faults_at_the_end(case, "rebuild")
    figures(
        "kill -9 of the server in phase 6", kills=1, cases=1, equal_to_truth=int(not faults), refused_then_done=refused,
        **{f"exit_{process.exitcode}": 1},
    )  # fmt: skip
    assert faults == []


@pytest.fixture(scope="module")
def statements(broken: Case, tmp_path_factory: pytest.TempPathFactory) -> list[Request]:
    """The writing statements of the rebuild, as they pass when nothing happens to them."""
    case = broken.clone(tmp_path_factory.mktemp("undisturbed"))
    case.edit(**SMALL)
    with Proxy(case.dsn) as proxy:
        assert Job.on(case, "phase6", dsn=proxy.dsn).carry_out() == (0, "")
    return proxy.seen


@pytest.mark.parametrize("harm", list(Harm) if FULL else SHORT, ids=lambda harm: harm.name.lower())
def test_a_statement_of_the_rebuild_whose_request_is_harmed_is_done_once_and_the_end_is_right(
    broken: Case, statements: list[Request], tmp_path: Path, figures: Note, harm: Harm
) -> None:
    own = [place for place, request in enumerate(statements) if "-rebuild-" in request.query_id]
    wrong = []
    for victim in (
        own[list(Harm).index(harm) % 4 :: 4] if FULL else own[len(own) // 2 :][:1]
    ):  # each statement by two of the harms
        (folder := tmp_path / str(victim)).mkdir()
        case = broken.clone(folder)
        case.edit(**SMALL)
        with Proxy(case.dsn, harm, victim) as proxy:
            code, said = run_in_a_process(Job.on(case, "phase6", dsn=proxy.dsn))
            faults = [] if code in (0, 12, 13) else [f"exit {code}"]
            if harm in EXECUTED and "nothing was" in said:
                faults.append("it says that nothing was done, and the server executed it")
            again, sentence = run_until_done(Job.on(case, "phase6")) if code else (0, "")
            proxy.let_go()
        if again:
            faults.append(f"run again it ends with {again}: {sentence}")
        else:
            faults += oracle.faults(case) + faults_of_ledger(case, "rebuild")
        wrong += [f"{victim} {proxy.harmed}: {fault} (exit {code}: {said})" for fault in faults]
        figures(
            "network in phase 6", faults=1, done_at_once=int(code == 0), exit_12_then_done=int(code == 12 and not again),
            exit_13_then_done=int(code == 13 and not again), not_equal_to_truth=int(bool(faults)),
            doubled=units_done_twice(case),
        )  # fmt: skip
    assert not wrong, "\n".join(wrong)
