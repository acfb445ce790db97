"""The commands that an engineer types, with their exit codes, on the real engine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from recovery import warehouse
from recovery.errors import ServerUnreachable, UsageError
from recovery.incident import load
from recovery.warehouse import Warehouse
from tests.conftest import Case

FILLS = "pm_canonical_fills_v4"
FOREIGN_WRITE = f"""
    INSERT INTO {FILLS} SELECT * REPLACE(
        tokens_delta + 1 AS tokens_delta, (SELECT max(_version) FROM {FILLS}) + 60 AS _version)
    FROM (SELECT * FROM {FILLS} FINAL WHERE source = 'clob' AND toDate(event_time) = '2026-01-20' AND condition_id != ''
    ORDER BY fill_id LIMIT 1)"""


def test_phase_3_is_no_go_before_the_backfill_and_go_after_it(broken: Case, backfilled: Case, tmp_path: Path) -> None:
    before = broken.clone(tmp_path)
    assert before.pytest("phase3") == 1, before.output
    assert "NO-GO" in before.output
    assert backfilled.pytest("phase3") == 0, backfilled.output


def test_the_deduplication_opens_only_on_complete_go_evidence_of_the_state_as_it_is(case: Case) -> None:
    def refused(because: str) -> None:
        there = case.fingerprint()
        assert case.pytest("phase4", "--execute") == 11, case.output
        assert because in " ".join(case.output.split()), case.output
        assert case.fingerprint() == there
        assert not case.lines("started") or case.lines("started")[-1]["action"] != "deduplicate"

    refused("preflight has no evidence")
    assert case.pytest("preflight or phase1 or phase2") == 0
    assert case.verdict("phase2") == "PLAN"
    refused("only showed its plan")
    assert case.pytest("phase3") == 1
    refused("is NO-GO")
    assert case.pytest("phase2", "--execute") == 0, case.output
    left_out = "checks/test_phase3_corrections_verified.py::test_the_corrected_version_wins[2026-01-22]"
    assert case.pytest("phase3", f"--deselect={left_out}") == 10, case.output
    refused("test_the_corrected_version_wins[2026-01-22] was not asked")
    assert case.pytest("phase3") == 0
    case.command(FOREIGN_WRITE)
    refused("the window was written to, not by this suite")
    assert case.pytest("phase3") == 1
    refused("is NO-GO")
    # The value, not a subquery: that would be asked anew for each part, and of those without the row take the next newest.
    foreign = case.value(f"SELECT max(_version) FROM {FILLS}")
    case.command(f"ALTER TABLE {FILLS} DELETE WHERE _version = {foreign}")
    assert case.pytest("phase3") == 0, case.output

    there = case.fingerprint()
    assert case.pytest("phase4") == 0, case.output
    assert "deduplicate would remove" in case.output
    assert case.fingerprint() == there

    assert case.pytest("phase4 or phase5", "--execute") == 0, case.output
    assert case.ledger.fault() is None


def test_a_closed_gate_can_be_passed_with_a_reason_that_is_recorded(case: Case) -> None:
    assert case.pytest("phase2", "--execute", "--override-gate", "") == 4
    assert case.pytest("phase2", "--execute", "--override-gate", "drill, agreed with the lead") == 0, case.output
    (override,) = case.lines("override")
    assert override["reason"] == "drill, agreed with the lead"
    assert override["who"]
    assert any("preflight has no evidence" in reason for reason in override["missing"])


def test_the_phases_run_in_order_and_stop_where_a_gate_closes(case: Case) -> None:
    assert case.pytest("preflight or phase1 or phase2 or phase3", "--execute") == 0, case.output
    case.command(FOREIGN_WRITE)
    assert case.pytest("phase3 or phase4 or phase5", "--execute") == 11, case.output
    assert [line["phase"] for line in case.lines("finished")][-3:] == ["phase3", "phase4", "phase5"]
    assert not any(line["action"] == "deduplicate" for line in case.lines("started"))


def test_the_plans_own_deduplication_is_no_go_on_the_production_key(case: Case) -> None:
    case.edit(deduplicate={"strategy": "optimize"})
    assert case.pytest("preflight") == 1
    said = " ".join(case.output.split())
    assert "condition_id, outcome_index is in the sorting key" in said
    assert 'Set deduplicate.strategy = "delete"' in said
    assert case.red() == {"test_the_deduplication_can_remove_broken_rows"}


def test_a_buggy_writer_closes_every_gate_from_phase_2_on(backfilled: Case, tmp_path: Path) -> None:
    case = backfilled.clone(tmp_path)
    case.command(
        f"INSERT INTO {FILLS} SELECT * REPLACE('' AS condition_id, toDateTime('2026-02-02 06:00:30') AS event_time, "
        f"concat('x', fill_id) AS fill_id) FROM {FILLS} WHERE source = 'clob' LIMIT 20"
    )
    phases = ("phase2", "phase3", "phase4", "phase5")
    assert case.pytest(" or ".join(phases)) == 1, case.output
    red = {line["check"] for line in case.lines("evidence") if line["verdict"] == "NO-GO"}
    assert {f"test_the_writer_stores_right_rows[{phase}]" for phase in phases} <= red
    assert {case.verdict(phase) for phase in phases} == {"NO-GO"}
    assert case.pytest("phase4", "--execute") == 11
    assert "the writer is still wrong" in " ".join(case.output.split())


def test_workers_side_by_side_give_the_same_verdicts_and_scan_once(backfilled: Case, tmp_path: Path) -> None:
    case = backfilled.clone(tmp_path)

    def verdicts_and_reads(*words: str) -> tuple[dict[str, str], int]:
        case.command("SYSTEM DROP QUERY CONDITION CACHE")  # parts that the server knows to hold nothing are not counted
        reads = "SELECT sum(value) FROM system.events WHERE event = 'SelectedParts'"
        before = case.value(reads)
        assert case.pytest("phase3", *words) == 0, case.output
        parts = case.value(reads) - before
        run = case.lines("run")[-1]["run"]
        return {r["check"]: r["verdict"] for r in case.lines("evidence") if r["run"] == run}, parts

    case.command(f"SYSTEM STOP MERGES {FILLS}")
    alone, parts_alone = verdicts_and_reads("-n", "0")
    together, parts_together = verdicts_and_reads("-n", "2")
    assert alone == together
    assert len(alone) > 20
    assert parts_alone == parts_together


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--execute", "-n", "2"), 4, "--execute acts in one process"),
        (("--now", "yesterday"), 4, "is not a time with its zone"),
        (("--incident", "nowhere.toml"), 4, "no such file"),
        (("--clickhouse", "mysql://here"), 4, "a DSN is clickhouse://"),
        (("--clickhouse", "clickhouse://127.0.0.1:1"), 13, "cannot be reached"),
    ],
)
def test_wrong_use_gives_its_exit_code_and_a_sentence(
    broken: Case, words: tuple[str, ...], code: int, sentence: str
) -> None:
    assert broken.pytest("phase3", *words) == code
    assert sentence in " ".join(broken.output.split())
    assert "Traceback" not in broken.output


def test_a_wrong_password_is_said_and_not_shown(broken: Case) -> None:
    dsn = re.sub(r":[^:@]+@", ":a-wrong-secret@", broken.dsn.removesuffix("/default"))
    assert broken.pytest("phase3", "--clickhouse", dsn) == 13
    assert "refused the login" in broken.output
    assert "a-wrong-secret" not in broken.output


def test_names_that_the_table_lacks_are_all_said_before_anything_is_asked(broken: Case, tmp_path: Path) -> None:
    case = broken.clone(tmp_path)
    case.edit(table={"subject": "walet"}, source={"table": "no_such_table"})
    assert case.pytest("phase3") == 4
    said = " ".join(case.output.split())
    assert "table.subject = 'walet': pm_canonical_fills_v4 has no such column; it has fill_id" in said
    assert "source.table = 'no_such_table'" in said
    assert not case.lines("run")


def test_a_server_older_than_supported_is_refused_in_words(broken: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warehouse, "OLDEST_SERVER", (99, 1))
    with (
        Warehouse(load(broken.incident), broken.dsn) as old,
        pytest.raises(ServerUnreachable, match=r"the oldest supported one is 99\.1"),
    ):
        _ = old.server


def test_nothing_selected_is_5(broken: Case) -> None:
    assert broken.pytest("preflight and phase3") == 5


def test_without_a_mark_preflight_and_the_next_phase_are_asked(case: Case) -> None:
    case.pytest("")
    assert {line["phase"] for line in case.lines("finished")} == {"preflight", "phase1"}


def test_a_warehouse_without_execute_cannot_write(broken: Case) -> None:
    with Warehouse(load(broken.incident), broken.dsn) as reading:
        with pytest.raises(UsageError, match="pass --execute"):
            reading.write("quarantine_create", label="never")
        for statement in (
            "DROP TABLE cron_executions",
            f"INSERT INTO {FILLS} SELECT * FROM {FILLS}",
            "KILL QUERY WHERE 1",
        ):
            with pytest.raises(Exception, match=r"READONLY|164|read"):
                reading._query("hostile", statement, {})
