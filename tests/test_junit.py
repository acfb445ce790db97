"""JUnit XML of a run, from ledgers that are written here and from a real run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from junitparser import Error, Failure, JUnitXml, Properties, Skipped

from recovery import kept
from recovery.ledger import Ledger
from reports import junit, story
from reports.__main__ import main
from tests.conftest import Case
from tests.test_reports_page import PLAN, RUN, begin, evidence, finish


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl")


def parsed(ledger: Ledger) -> dict[str, dict[str, Any]]:
    """suite → case → its result, None where it passed."""
    made = JUnitXml.fromstring(junit.of(story.read(ledger)).decode())
    return {suite.name: {case.name: next(iter(case.result), None) for case in suite} for suite in made}


def test_a_phase_is_a_suite_and_each_check_a_case(ledger: Ledger) -> None:
    begin(ledger, ["phase3", "phase4"])
    evidence(ledger, "test_a[2026-01-17]")
    evidence(ledger, "test_b", 7)
    evidence(ledger, "test_c", phase="phase4")
    finish(ledger, "phase3", "NO-GO", missing=["test_d"])
    finish(ledger, "phase4", "GO")
    made = parsed(ledger)
    assert list(made) == ["phase3", "phase4"]
    assert made["phase3"]["test_a[2026-01-17]"] is None
    assert isinstance(made["phase3"]["test_b"], Failure)
    assert made["phase3"]["test_b"].message == "rows that are wrong 7, allowed 0"
    assert made["phase3"]["test_d"].message == "it was required and not asked"
    assert made["phase4"] == {"test_c": None}


def test_a_case_says_what_was_compared_and_by_which_query(ledger: Ledger) -> None:
    begin(ledger, ["phase3"])
    evidence(ledger, "test_a")
    finish(ledger, "phase3", "GO")
    (suite,) = JUnitXml.fromstring(junit.of(story.read(ledger)).decode())
    (case,) = suite
    assert case.time == 0.25
    assert {each.name: each.value for each in case.child(Properties)} == {
        "examined": "10430", "rows that are wrong": "0 == 0", "query": "recovery-census-1",
    }  # fmt: skip
    assert suite.hostname is None


def test_problems_are_errors_pending_and_dry_runs_are_skipped(ledger: Ledger) -> None:
    begin(ledger, ["phase4", "phase8"])
    ledger.append("plan", run=RUN, phase="phase4", plan=PLAN)
    problem = {"code": 13, "sentence": "db:8123 cannot be reached", "reasons": []}
    finish(ledger, "phase4", "PLAN", dry=True, problems=[problem])
    evidence(
        ledger, "test_criterion_monitoring_is_healthy", phase="phase8", verdict="PENDING", outcome="skipped",
        pending="1 of 24 hours have results.",
    )  # fmt: skip
    finish(ledger, "phase8", "GO")
    made = parsed(ledger)
    assert isinstance(made["phase4"]["problem 1"], Error)
    assert isinstance(made["phase4"]["action"], Skipped)
    assert isinstance(made["phase8"]["test_criterion_monitoring_is_healthy"], Skipped)


def test_a_run_that_was_cut_off_is_an_error(ledger: Ledger) -> None:
    begin(ledger, ["phase3"])
    evidence(ledger, "test_a")
    assert isinstance(parsed(ledger)["phase3"]["end"], Error)


def test_what_xml_cannot_hold_is_written_as_an_escape(ledger: Ledger, tmp_path: Path) -> None:
    begin(ledger, ["phase3"])
    evidence(ledger, "test_a", 7, expectations=[["bell \x07 \x00 \x1b[31m <b>", 1, "==", 0]])
    finish(ledger, "phase3", "NO-GO")
    assert parsed(ledger)["phase3"]["test_a"].message == "bell \\x07 \\x00 \\x1b[31m <b> 1, allowed 0"
    out = tmp_path / "again.xml"
    assert main([str(ledger.path), "--out", str(tmp_path / "p.html"), "--junit", str(out)]) == 0
    assert out.read_bytes() == junit.of(story.read(ledger))


def test_a_run_leaves_it_beside_its_evidence_with_the_verdicts_of_the_ledger(backfilled: Case, tmp_path: Path) -> None:
    case = backfilled.clone(tmp_path)
    assert case.pytest("phase3") == 0, case.output
    run = case.lines("run")[-1]["run"]
    made = JUnitXml.fromfile(str(kept.folder_of(case.ledger, run) / "junit.xml"))
    asked = [line["check"] for line in case.lines("evidence") if line["run"] == run]
    assert sorted(each.name for suite in made for each in suite) == sorted(asked)
    assert (made.failures, made.errors) == (0, 0)
