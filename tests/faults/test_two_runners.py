"""Two runners that start together, as from two machines, each with its own copy of the ledger: one acts, the other is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from recovery.workplace import who
from tests.conftest import Case
from tests.faults.conftest import rounds
from tests.faults.truth import Truth

ACTION = {"phase2": "backfill", "phase4": "deduplicate"}
PATIENCE_SECONDS = 180


def beside(case: Case, folder: Path) -> Case:
    """The same tables as another machine works on them: its own incident file and its own copy of the ledger."""
    folder.mkdir()
    for path in (case.incident, case.incident.with_suffix(".sql"), case.ledger.path):
        (folder / path.name).write_bytes(path.read_bytes())
    return replace(case, folder=folder, incident=folder / case.incident.name, _client=None)


def start_together(runners: list[Case], phase: str) -> list[int]:
    """Both runs at once, until both have ended; their exit codes."""
    running = [runner.start(phase, "--execute") for runner in runners]
    codes = []
    for runner, process in zip(runners, running, strict=True):
        runner.output = process.communicate(timeout=PATIENCE_SECONDS)[0]
        codes.append(process.returncode)
    return codes


def faults_of(runners: list[Case], codes: list[int], phase: str) -> list[str]:
    """What is wrong with the ends of two runs that started together, a sentence each."""
    acted = [runner for runner in runners if _acts(runner, phase)]
    faults = [] if sorted(codes) == [0, 11] else [f"the exit codes are {codes}"]
    if len(acted) != 1:
        faults.append(f"{len(acted)} runners acted")
    for runner, code in zip(runners, codes, strict=True):
        if "Traceback" in runner.output:
            faults.append("a run ended with a traceback")
        if code and not _names_the_holder(runner.output):
            faults.append(f"the refusal does not say who acts: {runner.output[-600:]}")
        if code and runner in acted:
            faults.append(f"a run that ended with {code} acted")
    return faults


def _acts(runner: Case, phase: str) -> bool:
    """Whether this runner's own ledger says that it began a unit or ended the action."""
    return any(line["kind"] in ("unit", "done") and line["action"] == ACTION[phase] for line in runner.ledger.lines())


def _names_the_holder(output: str) -> bool:
    """By the lock, while the other acts, or by the server's copy of the ledger, once it has ended."""
    text = " ".join(output.split())
    return who() in text or bool(re.search(r"ledger.{0,200}\b(behind|lacks|lines? of another)\b", text))


@pytest.mark.parametrize("number", range(rounds(1, 25)))
def test_of_two_runners_that_start_together_one_acts_and_the_other_is_refused(
    broken: Case, tmp_path: Path, figures: Callable[..., None], number: int
) -> None:
    (tmp_path / "case").mkdir()
    case = broken.clone(tmp_path / "case")
    case.edit(backfill={"unit_rows": rounds(1_000, 200), "mode": "full"}, gates={"recent_minutes": 600})
    truth = Truth.of(case)
    assert case.pytest("preflight or phase1", "--execute") == 0, case.output
    for phase in ACTION:
        runners = [beside(case, tmp_path / f"{phase}_{name}") for name in ("one", "other")]
        codes = start_together(runners, phase)
        faults = faults_of(runners, codes, phase)
        case = runners[codes.index(0)] if 0 in codes else runners[0]
        if phase == "phase2":
            faults += truth.faults_after_backfill(case)
        else:
            faults += truth.faults_after_deduplication(case, "backfill", "deduplicate")
        acted = sum(_acts(runner, phase) for runner in runners)
        figures(
            "two runners",
            starts=1,
            one_acted=int(acted == 1),
            both_acted=int(acted == 2),
            refused_with_11=codes.count(11),
            refused_by_the_ledger=int(any("behind" in r.output for r in runners)),
            ended_right=int(not faults),
        )
        assert faults == []
        if phase == "phase2":
            assert case.pytest("phase3") == 0, case.output
