"""The network harmed at every writing statement of an action: it is done once, or the run says what is true and is repeated."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from clickhouse_connect.driver.exceptions import StreamFailureError
from clickhouse_connect.driver.query import QueryResult

from recovery.errors import ServerUnreachable
from recovery.incident import load
from recovery.warehouse import Warehouse
from tests.conftest import Case
from tests.faults.conftest import FULL
from tests.faults.proxy import DATA, Harm, Proxy, Request
from tests.faults.runner import Job
from tests.faults.truth import Truth, units_done_twice

ACTION = {"phase2": "backfill", "phase4": "deduplicate"}
EXECUTED = (Harm.CUT_AFTER, Harm.RESET_AFTER, Harm.TRUNCATED)
PATIENCE_SECONDS = 120
SHORT = [("phase2", Harm.CUT_AFTER), ("phase4", Harm.CUT_BEFORE), ("phase4", Harm.CUT_AFTER)]
Stage = Callable[[str, Path], Case]


@pytest.fixture(scope="module")
def truth(broken: Case) -> Truth:
    return Truth.of(broken)


@pytest.fixture(scope="module")
def stages(broken: Case, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """The case before each action, to be cloned."""
    before = broken.clone(tmp_path_factory.mktemp("before_phase2"))
    before.edit(backfill={"unit_rows": 1_000, "mode": "full"}, gates={"recent_minutes": 600})
    backfilled = before.clone(tmp_path_factory.mktemp("before_phase4"))
    assert Job.on(backfilled, "phase2").carry_out() == (0, "")
    return {"phase2": before, "phase4": backfilled}


@pytest.fixture(scope="module")
def statements(stages: dict[str, Case], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Request]]:
    """The writing statements of each action, as they pass when nothing happens to them."""
    passed = {}
    for phase, stage in stages.items():
        case = stage.clone(tmp_path_factory.mktemp("undisturbed"))
        with Proxy(case.dsn) as proxy:
            assert Job.on(case, phase, dsn=proxy.dsn).carry_out() == (0, "")
        passed[phase] = proxy.seen
    return passed


@pytest.mark.parametrize(
    ("phase", "harm"),
    list(itertools.product(ACTION, Harm)) if FULL else SHORT,
    ids=lambda value: getattr(value, "name", value),
)
def test_a_statement_whose_request_is_harmed_is_done_once_and_the_end_is_right(
    stages: dict[str, Case],
    statements: dict[str, list[Request]],
    truth: Truth,
    tmp_path: Path,
    figures: Callable[..., None],
    phase: str,
    harm: Harm,
) -> None:
    wrong = []
    for victim in victims(statements[phase]) if FULL else [one_of_the_action(statements[phase], phase)]:
        (folder := tmp_path / str(victim)).mkdir()
        case = stages[phase].clone(folder)
        with Proxy(case.dsn, harm, victim) as proxy:
            code, said = run_in_a_process(Job.on(case, phase, dsn=proxy.dsn))
            faults = [] if code in (0, 12, 13) else [f"exit {code}"]
            if proxy.harmed is None:
                faults.append("no request was harmed")
            if harm in EXECUTED and "nothing was" in said:
                faults.append("it says that nothing was done, and the server executed it")
            again, sentence = run_until_done(Job.on(case, phase)) if code else (0, "")
            proxy.let_go()
        if again:
            faults.append(f"run again it ends with {again}: {sentence}")
        faults += _faults_at_the_end(truth, case, phase)
        wrong += [f"{victim} {proxy.harmed}: {fault} (exit {code}: {said})" for fault in faults]
        figures(
            "network",
            faults=1,
            done_at_once=int(code == 0),
            exit_12_then_done=int(code == 12 and not again),
            exit_13_then_done=int(code == 13 and not again),
            not_equal_to_truth=int(bool(faults)),
            doubled=units_done_twice(case) + sum("twice" in fault for fault in faults),
        )
    figures("network", statements=f"{len(statements['phase2'])} + {len(statements['phase4'])}")
    assert not wrong, "\n".join(wrong)


def victims(statements: list[Request]) -> list[int]:
    """Places of all statements; of those that mirror the ledger, which are alike, the first and the last."""
    mirrored = [place for place, request in enumerate(statements) if request.statement == DATA]
    return [place for place in range(len(statements)) if place not in mirrored[1:-1]]


def one_of_the_action(statements: list[Request], phase: str) -> int:
    """The place of a statement in the middle of the action's own."""
    own = [place for place, request in enumerate(statements) if f"-{ACTION[phase]}-" in request.query_id]
    return own[len(own) // 2]


def run_in_a_process(job: Job) -> tuple[int, str]:
    """Carried out by a process that ends, as a run does: its lock is that of somebody gone."""
    process = job.start()
    process.join(PATIENCE_SECONDS)
    assert process.exitcode is not None, "it hangs"
    return process.exitcode, job.said.read_text()


def run_until_done(job: Job) -> tuple[int, str]:
    """What an engineer does who is told to run it again."""
    code, sentence = job.carry_out()
    for _ in range(2):
        if code in (11, 12):
            time.sleep(0.5)
            code, sentence = job.carry_out()
    return code, sentence


def _faults_at_the_end(truth: Truth, case: Case, phase: str) -> list[str]:
    if phase == "phase2":
        return truth.faults_after_backfill(case)
    return truth.faults_after_deduplication(case, "deduplicate")


def test_an_answer_that_breaks_off_is_a_server_out_of_reach(broken: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_off(result: QueryResult) -> None:
        raise StreamFailureError("Stream failed during read (connection closed by server)")

    with Warehouse(load(broken.incident), broken.dsn) as warehouse:
        _ = warehouse.words
        monkeypatch.setattr(QueryResult, "result_rows", property(broken_off))
        with pytest.raises(ServerUnreachable, match=r"cannot be reached \(rows_of\): Stream failed during read"):
            warehouse.ask_again("rows_of")
