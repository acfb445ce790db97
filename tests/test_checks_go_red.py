"""Every check is GO on a table that is as it should be, and NO-GO after one fault."""

from __future__ import annotations

import subprocess
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from checks import test_preflight
from recovery import prover, statements
from recovery.errors import IncidentError
from recovery.incident import load
from recovery.phases import PHASES
from recovery.settings import NEWER_WRITE_SETTINGS, WRITE_SETTINGS
from tests import test_phase8
from tests.asking import ask
from tests.conftest import JANUARY, Case

FILLS, POSITIONS = "pm_canonical_fills_v4", "pm_trade_fifo_roi_v3"
LOT = "wallet, condition_id, outcome_index, tx_hash"
A_LOT = "is_short = 0 AND resolved_at >= '2026-01-01'"
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


def unmerged(case: Case) -> None:
    """More parts than merges would leave, older than the incident file says that a merge may take."""
    case.edit(gates={"merge_seconds": 1})
    case.command(f"SYSTEM STOP MERGES {FILLS}")
    for _ in range(12):
        insert("_version + 1 AS _version")(case)
    time.sleep(2.5)


def plain_engine(case: Case) -> None:
    """The same rows in a table that keeps them all."""
    case.command(
        f"CREATE TABLE plain ENGINE = MergeTree PARTITION BY toYYYYMM(event_time) ORDER BY fill_id AS SELECT * FROM {FILLS}"
    )
    case.command(f"EXCHANGE TABLES plain AND {FILLS}")


def projection(mode: str) -> Fault:
    def add(case: Case) -> None:
        case.command(f"ALTER TABLE {FILLS} MODIFY SETTING deduplicate_merge_projection_mode = '{mode}'")
        case.command(f"ALTER TABLE {FILLS} ADD PROJECTION per_source (SELECT source, count() GROUP BY source)")

    return add


def view(case: Case) -> None:
    case.command("CREATE TABLE per_day (day Date, fills UInt64) ENGINE = SummingMergeTree ORDER BY day")
    case.command(
        f"CREATE MATERIALIZED VIEW fills_per_day TO per_day AS SELECT toDate(event_time) AS day, count() AS fills "
        f"FROM {FILLS} GROUP BY day"
    )


def moved_home(case: Case) -> None:
    """A row whose right row belongs to another partition: the correction would never replace it."""
    fill = pick(CLEAN)(case)
    insert("event_time + INTERVAL 11 DAY AS event_time", f"'{DAY}' AND fill_id = '{fill}'")(case)
    delete(f"fill_id = '{fill}' AND toYYYYMM(event_time) = 202601")(case)


def pick(condition: str) -> Callable[[Case], str]:
    return lambda case: str(case.value(f"SELECT fill_id FROM {FILLS} WHERE {condition} ORDER BY fill_id LIMIT 1"))


def remove_one(condition: str, rows: str = "1") -> Fault:
    """Remove the rows of the first identity for which `condition` holds, those of them for which `rows` does."""
    return lambda case: delete(f"fill_id = '{pick(condition)(case)}' AND {rows}")(case)


def map_a_token_of_an_orphan(case: Case) -> None:
    token = case.value(
        "SELECT token_id FROM pm_trader_events_v3 WHERE concat('clob_', event_id) IN "
        f"(SELECT fill_id FROM {FILLS}_quarantine) LIMIT 1"
    )
    case.command(
        f"INSERT INTO pm_token_to_condition_map_v5 SELECT * REPLACE('{token}' AS token_id_dec) "
        "FROM pm_token_to_condition_map_v5 WHERE condition_id != '' LIMIT 1"
    )


def position(change: str, where: str = "1") -> Fault:
    """Insert a changed copy of one row of the rebuilt months, which replaces it."""
    return lambda case: case.command(
        f"INSERT INTO {POSITIONS} SELECT * REPLACE({change}) FROM (SELECT * FROM {POSITIONS} "
        f"WHERE {where} AND toYYYYMM(resolved_at) = 202601 ORDER BY {LOT} LIMIT 1)"
    )


def remove_position(where: str, rows: int = 1) -> Fault:
    return lambda case: delete(
        f"({LOT}) IN (SELECT {LOT} FROM {POSITIONS} WHERE {where} AND toYYYYMM(resolved_at) < 202602 "
        f"ORDER BY {LOT} LIMIT {rows})",
        POSITIONS,
    )(case)


CLEAN = f"source = 'clob' AND condition_id != '' AND toDate(event_time) = '{DAY}'"
CORRECTED = f"{CLEAN} AND fill_id IN (SELECT fill_id FROM {FILLS} WHERE condition_id = '')"

# check: (the state it is asked in, what it is asked for, the fault)
FAULTS: dict[str, tuple[str, dict[str, str], Fault]] = {
    "test_the_deduplication_can_remove_broken_rows": ("broken", {}, edit(deduplicate={"strategy": "optimize"})),
    "test_a_correction_gets_a_higher_version": ("broken", {}, insert("18446744073709551615 AS _version")),
    "test_no_identity_lies_in_two_partitions": ("broken", {}, insert("event_time + INTERVAL 11 DAY AS event_time")),
    "test_the_affected_partitions_hold_the_window": ("broken", {}, edit(table={"partitions": ["202602"]})),
    "test_no_broken_row_lies_outside_the_window": ("broken", {}, insert("'' AS condition_id", "'2026-01-29'")),
    "test_disk_is_free_for_the_plan": ("broken", {}, edit(gates={"free_disk_factor": 1e6})),
    "test_no_mutation_or_long_merge_is_running": ("broken", {}, failing_mutation),
    "test_merges_are_not_stopped": ("broken", {}, unmerged),
    "test_projections_allow_the_plan": ("broken", {}, projection("drop")),
    "test_no_materialized_view_would_count_twice": ("broken", {}, view),
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
        {"phase": "phase3"},
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
    "test_every_identity_is_accounted_for": ("recovered", {"phase": "phase5"}, remove_one(CLEAN)),
    "test_no_quarantined_row_can_be_healed": ("recovered", {}, lambda case: map_a_token_of_an_orphan(case)),
    "test_everything_outside_the_window_is_untouched": (
        "recovered",
        {},
        remove_one("source = 'clob' AND toDate(event_time) = '2026-01-15'"),
    ),
    "test_a_month_has_the_positions_of_its_fills": ("refreshed", {"month": "202601"}, remove_position(A_LOT)),
    "test_tokens_and_dollars_are_conserved": ("refreshed", {}, position("tokens + 1 AS tokens, cost_usd + 1 AS cost_usd")),
    "test_no_lot_is_sold_beyond_what_was_bought": (
        "refreshed", {}, position("tokens + 1 AS tokens_sold_early", "is_short = 0"),
    ),
    "test_every_row_agrees_with_itself_and_its_payout": ("refreshed", {}, position("pnl_usd + 1 AS pnl_usd")),
    "test_no_row_outside_the_months_changed": (
        "refreshed", {}, remove_position("resolved_at < '2026-01-01'"),
    ),
    "test_a_month_is_of_the_expected_size": ("refreshed", {"sized_month": "202601"}, remove_position("is_short = 1", 1_000)),
    "test_a_cron_succeeded_since_the_rebuild": (
        "refreshed",
        {"cron": "refresh-smart-money"},
        lambda case: case.command(
            "ALTER TABLE cron_executions UPDATE status = 'failure' WHERE cron_name = 'refresh-smart-money'"
        ),
    ),
    "test_a_board_was_written_since_the_rebuild": (
        "refreshed",
        {"board": "pm_copy_trading_leaderboard"},
        lambda case: case.command(
            "INSERT INTO pm_copy_trading_leaderboard SELECT * REPLACE('2026-02-01 00:00:00' AS updated_at, 99 AS rank) "
            "FROM pm_copy_trading_leaderboard LIMIT 1"
        ),
    ),
    "test_a_board_agrees_with_the_positions": (
        "refreshed",
        {"board": "wio_wallet_scores_v1"},
        position("pnl_usd + 1 AS pnl_usd", "is_short = 0"),
    ),
    "test_ranks_before_and_after_are_shown": (
        "refreshed",
        {"board": "pm_smart_money_cache"},
        lambda case: case.ledger.path.unlink(),
    ),
    "test_the_positions_are_still_those_of_the_fills": ("refreshed", {}, position("pnl_usd + 1 AS pnl_usd")),
    "test_criterion_the_boards_show_the_corrected_ranking": (
        "refreshed",
        {"board": "pm_smart_money_cache"},
        lambda case: case.command("ALTER TABLE pm_smart_money_cache UPDATE total_pnl = total_pnl + 1 WHERE rank = 2"),
    ),
}  # fmt: skip


# And further faults that a check must see: (check, state, axis, fault)
MORE_FAULTS: dict[str, tuple[str, str, dict[str, str], Fault]] = {
    "a lot twice under another transaction": (
        "test_a_month_has_the_positions_of_its_fills",
        "refreshed",
        {"month": "202601"},
        position("concat(tx_hash, 'x') AS tx_hash"),
    ),
    "a short that is not there": (
        "test_tokens_and_dollars_are_conserved",
        "refreshed",
        {},
        remove_position("is_short = 1 AND resolved_at >= '2026-01-01'"),
    ),
    "a profit on another lot of the position": (
        "test_tokens_and_dollars_are_conserved",
        "refreshed",
        {},
        position("pnl_usd + 1 AS pnl_usd, exit_value + 1 AS exit_value", "is_short = 0"),
    ),
    "a fill that came after the rebuild": (
        "test_tokens_and_dollars_are_conserved",
        "refreshed",
        {},
        lambda case: case.command(
            f"INSERT INTO {FILLS} SELECT * REPLACE(concat(fill_id, 'x') AS fill_id) FROM {FILLS} FINAL "
            f"WHERE condition_id IN (SELECT condition_id FROM {POSITIONS} WHERE resolved_at >= '2026-01-20') "
            "AND source = 'clob' AND tokens_delta > 0 AND is_self_fill = 0 ORDER BY fill_id LIMIT 1"
        ),
    ),
    "another payout than the resolution's": (
        "test_every_row_agrees_with_itself_and_its_payout",
        "refreshed",
        {},
        position(
            "exit_value + tokens_held AS exit_value, pnl_usd + tokens_held AS pnl_usd, (pnl_usd + tokens_held) / cost_usd AS roi",
            "is_short = 0 AND tokens_sold_early = 0",
        ),
    ),
    "a return that is not profit over cost": (
        "test_every_row_agrees_with_itself_and_its_payout",
        "refreshed",
        {},
        position("roi + 1 AS roi"),
    ),
    "sold and held tokens that are not all": (
        "test_every_row_agrees_with_itself_and_its_payout",
        "refreshed",
        {},
        position("tokens_held + 1 AS tokens_held", "is_short = 0"),
    ),
    "a condition that was never resolved": (
        "test_every_row_agrees_with_itself_and_its_payout",
        "refreshed",
        {},
        position("repeat('ab', 32) AS condition_id"),
    ),
    "a resolution that was changed since": (
        "test_every_row_agrees_with_itself_and_its_payout",
        "refreshed",
        {},
        lambda case: case.command(
            "INSERT INTO pm_condition_resolutions SELECT * REPLACE(resolved_at + 1 AS resolved_at) "
            "FROM pm_condition_resolutions FINAL "
            f"WHERE condition_id IN (SELECT condition_id FROM {POSITIONS} WHERE toYYYYMM(resolved_at) = 202601) LIMIT 1"
        ),
    ),
    "a row in a month that had none": (
        "test_no_row_outside_the_months_changed",
        "refreshed",
        {},
        position("resolved_at - INTERVAL 120 DAY AS resolved_at"),
    ),
    "a board of another's figures": (
        "test_a_board_agrees_with_the_positions",
        "refreshed",
        {"board": "pm_copy_trading_leaderboard"},
        lambda case: case.command("ALTER TABLE pm_copy_trading_leaderboard UPDATE trades = trades + 1 WHERE rank = 1"),
    ),
    "a board with a wallet that has no positions": (
        "test_a_board_agrees_with_the_positions",
        "refreshed",
        {"board": "pm_copy_trading_leaderboard"},
        lambda case: case.command("ALTER TABLE pm_copy_trading_leaderboard UPDATE wallet = '0xnobody' WHERE rank = 1"),
    ),
    "rows later than the time of the run": (
        "test_the_writer_stores_right_rows",
        "broken",
        {"phase": "phase2"},
        insert("toDateTime('2026-02-02 09:00:00') AS event_time"),
    ),
    "a copy in a partition that the incident file does not name": (
        "test_no_identity_lies_in_two_partitions",
        "broken",
        {},
        insert("event_time + INTERVAL 60 DAY AS event_time"),
    ),
    "the same copy after the recovery": (
        "test_no_identity_is_there_twice",
        "recovered",
        {},
        insert("event_time + INTERVAL 60 DAY AS event_time"),
    ),
    "a changed copy on a day before the window": (
        "test_every_row_is_the_right_one",
        "recovered",
        {"day": DAY},
        insert("event_time - INTERVAL 8 DAY AS event_time, usdc_delta * 5 AS usdc_delta"),
    ),
    "another source's row under the same identity": (
        "test_every_row_is_the_right_one",
        "recovered",
        {"day": DAY},
        insert("'negrisk' AS source, outcome_index + 1 AS outcome_index"),
    ),
    "an orphan whose copy in quarantine was changed": (
        "test_every_orphan_is_accounted_for",
        "recovered",
        {},
        lambda case: case.command(f"ALTER TABLE {FILLS}_quarantine UPDATE usdc_delta = usdc_delta + 1 WHERE 1"),
    ),
    "rows of others in quarantine in the place of orphans": (
        "test_every_orphan_is_accounted_for",
        "recovered",
        {},
        lambda case: case.command(
            f"ALTER TABLE {FILLS}_quarantine UPDATE tx_hash = concat('x', tx_hash) WHERE fill_id = "
            f"'{case.value(f'SELECT max(fill_id) FROM {FILLS}_quarantine')}'"
        ),
    ),
}


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
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    base: Case = request.getfixturevalue(request.param)
    return base.clone(tmp_path)


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


@pytest.mark.parametrize(
    ("state", "check", "axis", "fault"),
    [pytest.param(stage, check, axis, fault, id=name) for name, (check, stage, axis, fault) in MORE_FAULTS.items()],
    indirect=["state"],
)
def test_a_check_sees_a_fault_that_hides(state: Case, check: str, axis: dict[str, str], fault: Fault) -> None:
    assert ask(state, check, **axis).verdict == "GO"
    fault(state)
    assert ask(state, check, **axis).verdict == "NO-GO"


# Faults besides: (check, the fault, what the sentence says).
FAULTS_THAT_SAY_WHY: dict[str, tuple[str, Fault, str]] = {
    "a right row in another partition": ("test_no_identity_lies_in_two_partitions", moved_home, "in two partitions 1,"),
    "an engine that keeps all rows": (
        "test_the_deduplication_can_remove_broken_rows",
        plain_engine,
        "has the engine MergeTree",
    ),
    "a setting that allows no merge": (
        "test_merges_are_not_stopped",
        lambda case: case.command(f"ALTER TABLE {FILLS} MODIFY SETTING max_parts_to_merge_at_once = 1"),
        "max_parts_to_merge_at_once = 1",
    ),
    "a projection that OPTIMIZE leaves wrong": (
        "test_projections_allow_the_plan",
        projection("ignore"),
        "answer wrongly",
    ),
}


@pytest.mark.parametrize("name", FAULTS_THAT_SAY_WHY)
@pytest.mark.parametrize("state", ["broken"], indirect=True)
def test_a_check_is_red_after_another_fault_and_says_why(state: Case, name: str) -> None:
    check, fault, said = FAULTS_THAT_SAY_WHY[name]
    assert ask(state, check).verdict == "GO"
    fault(state)
    after = ask(state, check)
    assert after.verdict == "NO-GO"
    assert said in after.sentence


# What an embedded server cannot be brought to: the statement is asked with these words replaced, on the real engine.
REPLICA = (
    "(SELECT 'one' AS replica_name, {0} AS is_readonly, 0 AS is_session_expired, {1} AS absolute_delay, {2} AS queue_size, "
    "now() - {3} AS queue_oldest_time, 2 AS total_replicas, {4} AS active_replicas, "
    "{{database:String}} AS database, {{table:String}} AS table)"
)
PRETENCES: dict[str, tuple[str, str, str, str, str]] = {
    "a read-only disk": (
        "test_disk_is_free_for_the_plan", "disk", "FROM system.disks",
        "FROM (SELECT * REPLACE (1 AS is_read_only) FROM system.disks)",
        "default: an insert or a merge that is put there fails",
    ),
    "a broken disk": (
        "test_disk_is_free_for_the_plan", "disk", "FROM system.disks",
        "FROM (SELECT * REPLACE (1 AS is_broken) FROM system.disks)",
        "disks that are read-only or broken 1",
    ),
    "a full disk": (
        "test_disk_is_free_for_the_plan", "disk", "min(unreserved_space)", "1000", "Free some disk",
    ),
    "a partition too large to drop": (
        "test_partitions_are_small_enough_to_drop", "plan_facts", "if(q.changed OR s.value = '', q.value, s.value)",
        "if(q.name = 'max_partition_size_to_drop', '1', q.value)", "max_partition_size_to_drop is 1 bytes",
    ),
    "a table too large to drop": (
        "test_partitions_are_small_enough_to_drop", "plan_facts", "if(q.changed OR s.value = '', q.value, s.value)",
        "if(q.name = 'max_table_size_to_drop', '1', q.value)", "max_table_size_to_drop is 1 bytes",
    ),
    "a read-only replica": (
        "test_replicas_are_in_step", "plan_facts", "system.replicas", REPLICA.format(1, 0, 0, 0, 2),
        "read-only or lost their session 1",
    ),
    "a replica that is behind": (
        "test_replicas_are_in_step", "plan_facts", "system.replicas", REPLICA.format(0, 5000, 0, 0, 2), "behind 5,000",
    ),
    "a queue that stands still": (
        "test_replicas_are_in_step", "plan_facts", "system.replicas", REPLICA.format(0, 0, 3, 5000, 2), "of a queue waits 5,00",
    ),
    "a replica that is not active": (
        "test_replicas_are_in_step", "plan_facts", "system.replicas", REPLICA.format(0, 0, 0, 0, 1), "not active 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PRETENCES)
def test_a_check_is_red_on_a_server_that_only_looks_so(
    broken: Case, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, statement, words, others, said = PRETENCES[name]
    assert ask(broken, check).verdict == "GO"
    real = statements.text
    assert words in real(statement)
    monkeypatch.setattr(
        statements, "text", lambda asked: real(asked).replace(words, others) if asked == statement else real(asked)
    )
    after = ask(broken, check)
    assert after.verdict == "NO-GO"
    assert said in after.sentence


def test_replicas_in_step_are_go_and_a_plain_engine_says_that_none_is_waited_for(
    broken: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "none is waited for" in ask(broken, "test_replicas_are_in_step").sentence
    real = statements.text
    monkeypatch.setattr(
        statements, "text", lambda asked: real(asked).replace("system.replicas", REPLICA.format(0, 5, 3, 5, 2))
    )
    after = ask(broken, "test_replicas_are_in_step")
    assert after.verdict == "GO"
    assert after.found["replicas"][0]["queue"] == 3


@pytest.mark.parametrize("state", ["broken"], indirect=True)
def test_a_view_that_the_incident_file_accepts_is_go_and_still_named(state: Case) -> None:
    view(state)
    asked = ask(state, "test_no_materialized_view_would_count_twice")
    assert f"fills_per_day writes to {state.database}.per_day" in asked.sentence
    state.edit(backfill={"accepted_views": ["fills_per_day"]})
    asked = ask(state, "test_no_materialized_view_would_count_twice")
    assert asked.verdict == "GO"
    assert list(asked.found["views"]) == ["fills_per_day"]


def test_a_switch_of_insert_deduplication_that_is_left_on_is_red(broken: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(broken, "test_insert_deduplication_drops_nothing").verdict == "GO"
    monkeypatch.setattr(prover, "NEWER_WRITE_SETTINGS", {})
    after = ask(broken, "test_insert_deduplication_drops_nothing")
    assert after.verdict == "NO-GO"
    assert "deduplicate_insert, deduplicate_insert_select: a unit that is repeated" in after.sentence


@pytest.mark.parametrize("state", ["broken"], indirect=True)
def test_a_repeated_insert_is_dropped_by_the_server_and_not_with_the_suites_settings(state: Case) -> None:
    state.command(
        "CREATE TABLE windowed (a UInt8) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100"
    )

    def rows_after_two_inserts(settings: dict[str, object]) -> int:
        state.command("TRUNCATE TABLE windowed")
        for _ in range(2):
            state.client.command("INSERT INTO windowed SELECT number FROM numbers(1) ORDER BY ALL", settings=settings)
        return int(state.value("SELECT count() FROM windowed"))

    assert rows_after_two_inserts({"insert_deduplicate": 0}) == 1
    assert rows_after_two_inserts({**WRITE_SETTINGS, **NEWER_WRITE_SETTINGS}) == 2


def test_a_known_defect_that_nothing_guards_against_forbids_the_plan(
    broken: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(broken, "test_the_server_is_supported").found["defects"] == [
        "ClickHouse#120904, #52346",
        "ClickHouse#90836",
    ]
    listed = tmp_path / "defects.toml"
    listed.write_text('[[defect]]\nissue = "x#1"\nbefore = "98.2"\nsteps = ["delete"]\nwhat = "rows go"\nguard = ""\n')
    monkeypatch.setattr(prover, "DEFECTS", listed)
    prover._known_defects.cache_clear()
    try:
        after = ask(broken, "test_the_server_is_supported")
    finally:
        prover._known_defects.cache_clear()
    assert after.verdict == "NO-GO"
    assert "x#1: rows go; upgrade to 98.2 first" in after.sentence


def test_a_table_that_is_not_of_the_mergetree_family_is_refused_in_a_sentence(broken: Case, tmp_path: Path) -> None:
    case = broken.clone(tmp_path)
    case.command(f"CREATE TABLE memory ENGINE = Memory AS SELECT * FROM {FILLS}")
    case.command(f"EXCHANGE TABLES memory AND {FILLS}")
    with pytest.raises(IncidentError, match="its engine is Memory"):
        ask(case, "test_the_deduplication_can_remove_broken_rows")


def test_a_server_that_is_too_old_is_red(broken: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(broken, "test_the_server_is_supported").verdict == "GO"
    monkeypatch.setattr(test_preflight, "OLDEST_SERVER", (99, 1))
    assert ask(broken, "test_the_server_is_supported").verdict == "NO-GO"


def test_every_required_check_has_been_seen_red() -> None:
    required = {check.name for phase in PHASES for check in phase.checks}
    elsewhere = {"test_the_server_is_supported", "test_insert_deduplication_drops_nothing", *test_phase8.SEEN_RED}
    assert required == {*FAULTS, *elsewhere, *(check for check, *_ in PRETENCES.values())}
