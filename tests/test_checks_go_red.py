"""Every check is GO on a table that is as it should be, and NO-GO after one fault."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from checks import test_preflight
from recovery.incident import load
from recovery.phases import PHASES
from tests.asking import ask
from tests.conftest import JANUARY, Case

FILLS = "pm_canonical_fills_v4"
DAY = "2026-01-22"
SUBJECT = tomllib.loads(JANUARY.read_text())["window"]["test_subjects"][0]
ROW = f"FROM {FILLS} FINAL WHERE source = 'clob' AND condition_id != '' AND toDate(event_time) = "
Fault = Callable[[Case], None]


def insert(change: str, where: str = f"'{DAY}'") -> Fault:
    """Insert a changed copy of one good row."""
    return lambda case: case.command(
        f"INSERT INTO {FILLS} SELECT * REPLACE({change}) FROM (SELECT * {ROW}{where} ORDER BY fill_id LIMIT 1)"
    )


def delete(what: str, table: str = FILLS) -> Fault:
    return lambda case: case.command(f"ALTER TABLE {table} DELETE WHERE {what}")


def edit(**tables: dict[str, object]) -> Fault:
    return lambda case: case.edit(**tables)


def failing_mutation(case: Case) -> None:
    """A mutation that is accepted and then fails for ever in the background."""
    case.client.command(
        f"ALTER TABLE {FILLS} UPDATE tx_hash = toString(throwIf(block_number > 0)) WHERE 1",
        settings={"mutations_sync": 0},
    )


def many_parts(case: Case) -> None:
    case.command(f"SYSTEM STOP MERGES {FILLS}")
    for _ in range(8):
        insert("_version + 1 AS _version")(case)


def pick(condition: str) -> Callable[[Case], str]:
    return lambda case: str(case.value(f"SELECT fill_id FROM {FILLS} WHERE {condition} ORDER BY fill_id LIMIT 1"))


def remove_one(condition: str, rows: str = "1") -> Fault:
    """Remove the rows of the first identity for which `condition` holds, those of them for which `rows` does."""
    return lambda case: delete(f"fill_id = '{pick(condition)(case)}' AND {rows}")(case)


CLEAN = f"source = 'clob' AND condition_id != '' AND toDate(event_time) = '{DAY}'"
CORRECTED = f"{CLEAN} AND fill_id IN (SELECT fill_id FROM {FILLS} WHERE condition_id = '')"

# check: (the state it is asked in, what it is asked for, the fault)
FAULTS: dict[str, tuple[str, dict[str, str], Fault]] = {
    "test_the_deduplication_can_remove_broken_rows": ("broken", {}, edit(deduplicate={"strategy": "optimize"})),
    "test_a_correction_gets_a_higher_version": ("broken", {}, insert("18446744073709551615 AS _version")),
    "test_no_identity_lies_in_two_partitions": ("broken", {}, insert("event_time + INTERVAL 11 DAY AS event_time")),
    "test_the_affected_partitions_hold_the_window": ("broken", {}, edit(table={"partitions": ["202602"]})),
    "test_no_broken_row_lies_outside_the_window": ("broken", {}, insert("'' AS condition_id", "'2026-01-29'")),
    "test_disk_is_free_for_the_plan": ("broken", {}, edit(gates={"free_disk_factor": 1e12})),
    "test_no_mutation_or_long_merge_is_running": ("broken", {}, failing_mutation),
    "test_the_statement_reproduces_a_clean_day": (
        "broken",
        {"clean_day": "2026-01-15"},
        insert("1 - is_self_fill AS is_self_fill, _version + 1 AS _version", "'2026-01-15'"),
    ),
    "test_production_runs_the_fix": ("broken", {}, lambda case: _roll_back(case)),
    "test_the_updater_ran_since_the_deployment": (
        "broken",
        {},
        lambda case: case.command("ALTER TABLE cron_executions UPDATE status = 'failure' WHERE 1"),
    ),
    "test_the_writer_stores_right_rows": (
        "broken",
        {},
        insert("'' AS condition_id, toDateTime('2026-02-02 06:00:30') AS event_time"),
    ),
    "test_every_source_row_has_a_good_row": ("backfilled", {"day": DAY}, remove_one(CLEAN)),
    "test_rows_written_are_as_planned": ("backfilled", {"day": DAY}, remove_one(CORRECTED, "condition_id != ''")),
    "test_every_broken_row_has_one_right_correction": (
        "backfilled",
        {"day": DAY},
        remove_one(CORRECTED, "condition_id != ''"),
    ),
    "test_the_corrected_version_wins": (
        "backfilled",
        {"day": DAY},
        lambda case: case.command(
            f"INSERT INTO {FILLS} SELECT * REPLACE(18446744073709551615 AS _version) FROM {FILLS} "
            f"WHERE fill_id = '{pick(CORRECTED)(case)}' AND condition_id = '' LIMIT 1"
        ),
    ),
    "test_orphans_are_few_and_listed": ("backfilled", {}, edit(gates={"orphan_percent": 0.0})),
    "test_a_test_subject_shows_its_pairs": (
        "backfilled",
        {"subject": SUBJECT},
        delete(f"wallet = '{SUBJECT}' AND condition_id != '' AND event_time >= '2026-01-17' AND event_time < '2026-01-28'"),
    ),
    "test_the_row_ratio_is_explained": ("backfilled", {}, remove_one(CLEAN)),
    "test_a_partition_has_few_parts": ("backfilled", {"partition": "202601"}, many_parts),
    "test_no_mutation_or_merge_is_pending": ("recovered", {}, failing_mutation),
    "test_rows_are_as_planned": ("recovered", {}, remove_one(CLEAN)),
    "test_no_superseded_row_remains": ("recovered", {"day": DAY}, insert("'' AS condition_id, 1 AS _version")),
    "test_no_broken_row_remains": ("recovered", {"day": DAY}, insert("'' AS condition_id, 1 AS _version")),
    "test_every_row_is_the_right_one": (
        "recovered",
        {"day": DAY},
        insert("tokens_delta + 0.000001 AS tokens_delta, _version + 1 AS _version"),
    ),
    "test_no_identity_is_there_twice": ("recovered", {}, insert("outcome_index + 1 AS outcome_index")),
    "test_a_test_subject_is_right": (
        "recovered",
        {"subject": SUBJECT},
        insert("'' AS condition_id, 1 AS _version", f"'{DAY}' AND wallet = '{SUBJECT}'"),
    ),
    "test_every_orphan_is_accounted_for": (
        "recovered",
        {},
        lambda case: delete(
            f"fill_id = '{case.value(f'SELECT min(fill_id) FROM {FILLS}_quarantine')}'", f"{FILLS}_quarantine"
        )(case),
    ),
    "test_everything_outside_the_window_is_untouched": (
        "recovered",
        {},
        remove_one("source = 'clob' AND toDate(event_time) = '2026-01-15'"),
    ),
}  # fmt: skip


def _roll_back(case: Case) -> None:
    """Production goes back to what it was before the fix; nobody pushes."""
    repository = Path(load(case.incident).services.git.repository)
    (repository / "later").write_text("not deployed\n")

    def git(*words: str) -> str:
        command = ["git", "-C", str(repository), "-c", "user.name=T", "-c", "user.email=t@localhost", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("checkout", "--quiet", "-b", "later")
    git("add", "--all")
    git("commit", "--quiet", "-m", "a fix that nobody deployed")
    settings = tomllib.loads(case.incident.read_text())["services"]["git"]
    case.edit(services={"git": settings | {"fixes": [git("rev-parse", "HEAD")]}})
    git("checkout", "--quiet", "main")
    git("branch", "--quiet", "-D", "later")


@pytest.fixture
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    base: Case = request.getfixturevalue(request.param)
    case = base.clone(tmp_path)
    yield case
    case.command(f"KILL MUTATION WHERE database = '{case.database}'")
    case.command(f"DROP DATABASE {case.database}")


@pytest.mark.parametrize(
    ("state", "check", "axis", "fault"),
    [pytest.param(stage, check, axis, fault, id=check) for check, (stage, axis, fault) in FAULTS.items()],
    indirect=["state"],
)
def test_a_check_is_green_before_a_fault_and_red_after_it(
    state: Case, check: str, axis: dict[str, str], fault: Fault
) -> None:
    before = ask(state, check, **axis)
    assert before.verdict == "GO", before.sentence
    fault(state)
    after = ask(state, check, **axis)
    assert after.verdict == "NO-GO", after.sentence
    assert after.examined > 0


def test_a_server_that_is_too_old_is_red(broken: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(broken, "test_the_server_is_supported").verdict == "GO"
    monkeypatch.setattr(test_preflight, "OLDEST_SERVER", (99, 1))
    assert ask(broken, "test_the_server_is_supported").verdict == "NO-GO"


def test_every_required_check_has_been_seen_red() -> None:
    required = {check.name for phase in PHASES for check in phase.checks}
    assert required == {*FAULTS, "test_the_server_is_supported"}
