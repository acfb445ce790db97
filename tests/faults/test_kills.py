"""kill -9 of the runner and of the server, at moments drawn by chance: whoever comes after finishes, and ends right."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from recovery.embedded import EmbeddedServer
from tests.conftest import Case, incident_on
from tests.faults.conftest import FULL, rounds
from tests.faults.runner import Job
from tests.faults.truth import Truth, left_over, units_done_twice

SMALL: dict[str, Any] = {
    "backfill": {"unit_rows": rounds(1_000, 400), "mode": "full"},
    "gates": {"recent_minutes": 600},
}
BEFORE, WHOLE = "preflight or phase1", "phase2 or phase3 or phase4 or phase5"
PHASES_SECONDS = 6.0  # what phases 2 to 5 take when nobody disturbs them
ACTIONS_SECONDS = 2.5  # and what their two actions take without checks
PATIENCE_SECONDS = 120
Note = Callable[..., None]


@dataclass
class Tally:
    """What happened to one case."""

    kills: int = 0
    asked_again: int = 0
    refused: int = 0


def wait_for_a_moment(case: Case, random: Random, is_running: Callable[[], bool], seconds: float) -> None:
    """Half of the moments are drawn over the time that a run takes, half over what it writes into the ledger."""
    if random.random() < 0.5:
        until = time.monotonic() + random.uniform(0, seconds)
        while is_running() and time.monotonic() < until:
            time.sleep(0.002)
        return
    steps = steps_of(case) + random.randint(1, 10)
    until = time.monotonic() + PATIENCE_SECONDS
    while is_running() and steps_of(case) < steps and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.1))


def steps_of(case: Case) -> int:
    """Lines of the ledger that are not evidence, which is written in heaps."""
    if not case.ledger.path.exists():
        return 0
    return sum(b'"kind": "evidence"' not in line for line in case.ledger.path.read_bytes().splitlines())


def small(case: Case) -> Case:
    """The case with several units in its backfill, and a writer that is judged whenever the test comes to it."""
    case.edit(**SMALL)
    return case


def ask(case: Case, phases: str) -> None:
    assert case.pytest(phases, "--execute") == 0, case.output


def go_on(case: Case, tally: Tally, phases: str = WHOLE) -> None:
    """What an engineer does: run it, and where it is refused, what the refusal names, until it is GO."""
    for _ in range(4):
        code = case.pytest(phases, "--execute")
        assert "Traceback" not in case.output, case.output
        if code == 0:
            return
        assert code in (11, 12), case.output
        tally.refused += 1
        named = dict.fromkeys(re.findall(r"run pytest -m (phase\d|preflight)", case.output))
        for phase in sorted(named, key=lambda name: (name != "preflight", name)):
            tally.asked_again += 1
            ask(case, phase)
    pytest.fail(f"refused again and again: {case.output}")


@pytest.mark.parametrize("seed", range(rounds(1, 16)))
def test_a_run_that_is_killed_at_any_moment_is_followed_by_one_that_ends_right(
    broken: Case, tmp_path: Path, figures: Note, seed: int
) -> None:
    random, case, tally = Random(seed), small(broken.clone(tmp_path)), Tally()
    truth = Truth.of(case)
    ask(case, BEFORE)
    for _ in range(rounds(1, 8)):
        with case.start(WHOLE, "--execute") as running:
            wait_for_a_moment(case, random, lambda running=running: running.poll() is None, PHASES_SECONDS)  # type: ignore[misc]
            running.kill()
        assert case.ledger.fault() is None
        if running.returncode != -signal.SIGKILL:
            break
        tally.kills += 1
    go_on(case, tally)
    _assert_the_truth(case, truth, "a run of pytest", tally, figures)


@pytest.mark.parametrize("seed", range(rounds(1, 18)))
def test_actions_that_are_killed_at_any_moment_are_resumed_and_end_right(
    broken: Case, tmp_path: Path, figures: Note, seed: int
) -> None:
    random, case, tally = Random(1000 + seed), small(broken.clone(tmp_path)), Tally()
    truth = Truth.of(case)
    for _ in range(rounds(2, 11)):
        job = Job.on(case, "phase2", "phase4")
        process = job.start()
        wait_for_a_moment(case, random, process.is_alive, ACTIONS_SECONDS)
        process.kill()
        process.join()
        assert process.exitcode in (-signal.SIGKILL, 0, 12), job.said.read_text()
        tally.kills += process.exitcode == -signal.SIGKILL
        tally.refused += process.exitcode == 12
        assert case.ledger.fault() is None
        if process.exitcode == 0:
            break
    for _ in range(20):
        code, sentence = Job.on(case, "phase2", "phase4").carry_out()
        if code == 0:
            break
        assert "still running on the server" in sentence
        tally.refused += 1
        time.sleep(0.5)
    _assert_the_truth(case, truth, "an action alone", tally, figures)


def _assert_the_truth(case: Case, truth: Truth, of: str, tally: Tally, figures: Note) -> None:
    faults = truth.faults_after_deduplication(case, "backfill", "deduplicate") + left_over(case)
    figures(
        "kill -9 of the runner",
        kills=tally.kills,
        cases=1,
        equal_to_truth=int(not faults),
        units_done_twice=units_done_twice(case),
        refused_then_done=tally.refused,
        phases_asked_again=tally.asked_again,
        tables_left=len(left_over(case)),
        **{f"kills_of_{of.replace(' ', '_')}": tally.kills},
    )
    assert faults == []


@dataclass
class Kept:
    """A server's folder and the case on it, put away at a stage; each round works on a copy in the same place."""

    live: Path
    case: Case
    truth: Truth

    def put_away(self, stage: str) -> None:
        shutil.copytree(self.live, self._away(stage), symlinks=True)

    def bring_back(self, stage: str) -> Case:
        """The case as it was put away, on a server that is not started yet."""
        shutil.rmtree(self.live)
        shutil.copytree(self._away(stage), self.live, symlinks=True)
        folder = self.live / "case"
        return replace(self.case, folder=folder, incident=folder / self.case.incident.name, _client=None)

    def serve(self) -> EmbeddedServer:
        return EmbeddedServer(self.live / "clickhouse")

    def _away(self, stage: str) -> Path:
        return self.live.with_name(stage)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """The incident on a server of its own, before the backfill and, in full, before the deduplication."""
    live = tmp_path_factory.mktemp("server") / "live"
    with EmbeddedServer(live / "clickhouse") as server:
        (folder := live / "case").mkdir()
        with incident_on(server, folder) as case:
            small(case)
            kept = Kept(live, case, Truth.of(case))
            if FULL:
                ask(case, BEFORE)
            server.stop()
            kept.put_away("before_phase2")
            if FULL:
                server.start()
                connect_to(case, server)
                ask(case, "phase2 or phase3")
                server.stop()
                kept.put_away("before_phase4")
            yield kept


def connect_to(case: Case, server: EmbeddedServer) -> Case:
    """A server has a new port and a new password each time that it starts."""
    case.dsn, case._client = server.dsn, None
    return case


def _server_kills() -> list[tuple[str, str, int]]:
    every = [
        ("phase2", "action"),
        ("phase4", "action"),
        ("phase2", "pytest"),
        ("phase4", "pytest"),
        ("phase4", "action"),
    ]
    return [(*every[number % len(every)], number) for number in range(rounds(1, 52))]


@pytest.mark.parametrize(("phase", "by", "seed"), _server_kills())
def test_a_server_that_is_killed_at_any_moment_is_started_again_and_the_recovery_ends_right(
    kept: Kept, figures: Note, phase: str, by: str, seed: int
) -> None:
    random, case, tally = Random(2000 + seed), kept.bring_back(f"before_{phase}"), Tally()
    with kept.serve() as first:
        connect_to(case, first)
        code, said = (_run_and_kill if by == "pytest" else _act_and_kill)(case, phase, first.pid, random)
    assert "Traceback" not in said
    assert code in (12, 13) or (code == 0 and case.lines("done")[-1]["phase"] == phase), said
    assert case.ledger.fault() is None
    with kept.serve() as second:
        connect_to(case, second)
        if by == "pytest":
            go_on(case, tally, phase)
        assert Job.on(case, "phase2", "phase4").carry_out() == (0, "")
        faults = kept.truth.faults_after_deduplication(case, "backfill", "deduplicate") + left_over(case)
    figures(
        "kill -9 of the server",
        kills=1,
        cases=1,
        equal_to_truth=int(not faults),
        refused_then_done=tally.refused,
        phases_asked_again=tally.asked_again,
        **{f"exit_{code}": 1},
    )
    assert faults == []


def _run_and_kill(case: Case, phase: str, server: int, random: Random) -> tuple[int, str]:
    with case.start(phase, "--execute") as running:
        wait_for_a_moment(case, random, lambda: running.poll() is None, PHASES_SECONDS / 2)
        os.kill(server, signal.SIGKILL)
        said = running.communicate(timeout=PATIENCE_SECONDS)[0]
    return running.returncode, said


def _act_and_kill(case: Case, phase: str, server: int, random: Random) -> tuple[int, str]:
    job = Job.on(case, phase)
    process = job.start()
    wait_for_a_moment(case, random, process.is_alive, ACTIONS_SECONDS / 2)
    os.kill(server, signal.SIGKILL)
    process.join(PATIENCE_SECONDS)
    assert process.exitcode is not None
    return process.exitcode, job.said.read_text()
