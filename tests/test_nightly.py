"""The nightly checks: GO on a table that is as it should be, red after one fault each, and what is written down of them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tomli_w

from checks import test_nightly as checks
from expectations.night import Finding, Night
from recovery import history, watch
from recovery.errors import IncidentError
from recovery.evidence import Evidence
from recovery.history import CRITICAL, OK, Result
from recovery.incident import load
from recovery.phases import HOURLY, NIGHTLY, axis
from recovery.warehouse import Dsn, Warehouse
from rehearsal.slack import NAME, Slack
from tests.conftest import JANUARY, PROJECT, Case

FILLS, EVENTS, MAP = "pm_canonical_fills_v4", "pm_trader_events_v3", "pm_token_to_condition_map_v5"
RESOLUTIONS, POSITIONS, METRICS = "pm_condition_resolutions", "pm_trade_fifo_roi_v3", "pm_data_quality_metrics"
LAST_HOURS = "event_time >= '2026-02-01 12:00:00'"
YESTERDAY = "toDate(event_time) = '2026-02-01' AND source = 'clob'"
PROMISES = axis(load(JANUARY), "promise")
Fault = Callable[[Case], None]


@pytest.fixture
def healthy(recovered: Case, tmp_path: Path) -> Case:
    """A table that was recovered, to be changed at will; the history may be written."""
    return with_history(recovered.clone(tmp_path))


@pytest.fixture(scope="module")
def guarded(recovered: Case, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The same after two nightly runs of one hour, the exit codes of which are `codes`."""
    case = with_history(recovered.clone(tmp_path_factory.mktemp("guarded")))
    case.codes = [case.pytest("nightly"), case.pytest("nightly", now=case.now + timedelta(minutes=5))]  # type: ignore[attr-defined]
    return case


def with_history(case: Case) -> Case:
    login = Dsn.parse(case.dsn)
    case.env = case.env | {"CLICKHOUSE_HISTORY_USER": login.user, "CLICKHOUSE_HISTORY_PASSWORD": login.password}
    return case


def replaced(change: str, where: str = LAST_HOURS, table: str = FILLS, order: str = "fill_id") -> Fault:
    """One row of the table is stored otherwise: a changed copy of it is inserted, a row like it of another kind."""
    return lambda case: case.command(
        f"INSERT INTO {table} SELECT * REPLACE ({change}) FROM (SELECT * FROM {table} WHERE {where} ORDER BY {order} LIMIT 40)"
    )


def promise_broken(change: str, table: str = FILLS) -> Fault:
    where = {
        FILLS: f"{LAST_HOURS} AND source = 'clob'", EVENTS: "trade_time >= '2026-02-01 12:00:00'", MAP: "1",
        RESOLUTIONS: "insert_time >= '2026-01-10'", POSITIONS: "resolved_at >= '2026-01-10'",
    }[table]  # fmt: skip
    return replaced(change, where, table, "tuple()")


BROKEN: dict[str, Fault] = {
    "fills.has_a_condition": promise_broken("'' AS condition_id"),
    "fills.condition_has_its_form": promise_broken("upper(condition_id) AS condition_id"),
    "fills.condition_is_in_the_map": promise_broken("reverse(condition_id) AS condition_id"),
    "fills.has_a_wallet": promise_broken("'' AS wallet"),
    "fills.wallet_has_its_form": promise_broken("upper(toString(wallet)) AS wallet"),
    "fills.transaction_has_its_form": promise_broken("'0x1' AS tx_hash"),
    "fills.id_says_its_source": promise_broken("concat('x', fill_id) AS fill_id"),
    "fills.money_goes_against_tokens": promise_broken("-usdc_delta AS usdc_delta"),
    "fills.amounts_are_in_range": promise_broken("nan AS usdc_delta"),
    "fills.price_is_below_a_dollar": promise_broken("tokens_delta * -3 - sign(tokens_delta) AS usdc_delta"),
    "fills.outcome_is_in_range": promise_broken("99 AS outcome_index"),
    "events.side_is_known": promise_broken("'swap' AS side", EVENTS),
    "events.wallet_has_its_form": promise_broken("upper(trader_wallet) AS trader_wallet", EVENTS),
    "events.token_has_its_form": promise_broken("concat('0x', token_id) AS token_id", EVENTS),
    "events.token_is_in_the_map": promise_broken("concat('9', token_id) AS token_id", EVENTS),
    "events.amounts_are_in_range": promise_broken("-token_amount AS token_amount", EVENTS),
    "map.token_has_its_form": promise_broken("concat('0x', token_id_dec) AS token_id_dec", MAP),
    "map.condition_has_its_form": promise_broken("'' AS condition_id, concat('1', token_id_dec) AS token_id_dec", MAP),
    "map.outcome_is_in_range": promise_broken("-1 AS outcome_index, concat('1', token_id_dec) AS token_id_dec", MAP),
    "resolutions.condition_has_its_form": promise_broken("upper(condition_id) AS condition_id", RESOLUTIONS),
    "resolutions.payout_is_known": promise_broken(
        "'[2,0]' AS payout_numerators, reverse(condition_id) AS condition_id", RESOLUTIONS
    ),
    "resolutions.has_positions": lambda case: case.command(f"TRUNCATE TABLE {POSITIONS}"),
    "positions.has_a_condition": promise_broken("'' AS condition_id", POSITIONS),
    "positions.has_a_wallet": promise_broken("'0x' AS wallet", POSITIONS),
    "positions.profit_is_exit_less_cost": promise_broken("pnl_usd + 5 AS pnl_usd, concat('x', tx_hash) AS tx_hash", POSITIONS),
    "positions.condition_is_resolved": promise_broken(
        "reverse(condition_id) AS condition_id, toDateTime('2026-02-02 01:00:00') AS resolved_at", POSITIONS
    ),
    "crons.succeeded": lambda case: case.command("ALTER TABLE cron_executions UPDATE status = 'failure' WHERE 1"),
    "metrics.status_is_known": lambda case: case.command(
        f"INSERT INTO {METRICS} VALUES ('x', '2026-02-02 05:00:00', 1, 1, 1, 'FINE', '')"
    ),
}  # fmt: skip


def found(case: Case, name: str, **later: int) -> Finding:
    """What became of a promise, asked in this process."""
    with Warehouse(load(case.incident), case.dsn) as warehouse:
        return Night(warehouse, case.now + timedelta(**later)).finding(name)


def test_every_promise_of_rows_has_a_fault_here() -> None:
    assert sorted(BROKEN) == sorted(PROMISES)


@pytest.mark.parametrize("name", PROMISES)
def test_a_promise_of_rows_is_red_after_its_fault(name: str, healthy: Case) -> None:
    """Without it, it holds: test_a_nightly_run_is_go_and_written_down_once_an_hour."""
    BROKEN[name](healthy)
    after = found(healthy, name)
    assert after.status == CRITICAL
    assert after.metric is not None
    assert after.metric > after.critical


# The other checks

OTHERS: dict[str, tuple[str, Fault]] = {
    "test_a_table_has_its_columns": (
        "map.columns", lambda case: case.command(f"ALTER TABLE {MAP} MODIFY COLUMN outcome_index Int32")
    ),
    "test_only_known_values_occur": ("fills.values", replaced("'elsewhere' AS source")),
    "test_the_last_row_is_fresh": (
        "fills.fresh.clob", lambda case: case.command(f"ALTER TABLE {FILLS} DELETE WHERE {LAST_HOURS} AND source = 'clob'")
    ),
    "test_an_identity_has_one_row": ("fills.doubled", replaced("reverse(condition_id) AS condition_id")),
    "test_no_row_is_there_again": (
        "events.alike", replaced("concat('2', event_id) AS event_id", "trade_time >= '2026-02-01 12:00:00'", EVENTS, "event_id")
    ),
    "test_a_day_has_the_volume_of_its_history": (
        "fills.volume.clob", lambda case: case.command(f"ALTER TABLE {FILLS} DELETE WHERE {YESTERDAY}")
    ),
    "test_amounts_are_of_their_usual_size": (
        "fills.amount.clob",
        lambda case: case.command(f"ALTER TABLE {FILLS} UPDATE usdc_delta = usdc_delta * 1e6 WHERE {YESTERDAY}"),
    ),
    "test_the_writer_stores_what_the_statement_selects": (
        "parity.different", lambda case: case.command(f"ALTER TABLE {FILLS} UPDATE is_maker = 1 - is_maker WHERE {YESTERDAY}")
    ),
}  # fmt: skip
ELSEWHERE = {
    "test_rows_are_as_promised", "test_the_rows_of_closed_days_are_still_there", "test_the_history_is_kept_long_enough",
}  # fmt: skip


def test_every_check_of_the_night_is_seen_red_here() -> None:
    assert sorted({*OTHERS, *ELSEWHERE}) == sorted(check.name for check in NIGHTLY.checks)


@pytest.mark.parametrize("check", sorted(OTHERS))
def test_a_check_is_red_after_its_fault(check: str, healthy: Case) -> None:
    name, fault = OTHERS[check]
    fault(healthy)
    assert found(healthy, name).status == CRITICAL


@pytest.mark.parametrize(
    "check", ["test_an_identity_has_one_row", "test_no_row_is_there_again", "test_only_known_values_occur"]
)
def test_rows_that_break_a_promise_together_are_shown_too(check: str, healthy: Case) -> None:
    name, fault = OTHERS[check]
    fault(healthy)
    after = found(healthy, name)
    assert after.change, after.notes
    assert after.change.samples
    assert after.change.first.startswith("2026-02-01")


def test_a_load_that_came_twice_shows_in_what_merges_will_take_away(healthy: Case) -> None:
    healthy.command(f"SYSTEM STOP MERGES {FILLS}")
    healthy.command(f"INSERT INTO {FILLS} SELECT * REPLACE (_version + 9 AS _version) FROM {FILLS} WHERE {YESTERDAY}")
    after = found(healthy, "fills.unmerged")
    assert after.status == CRITICAL
    assert after.worst.startswith("clob 2026-02-01")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("parity.missing", f"ALTER TABLE {FILLS} DELETE WHERE {YESTERDAY} AND is_maker = 1"),
        (
            "parity.extra",
            f"INSERT INTO {FILLS} SELECT * REPLACE (concat('clob_9', fill_id) AS fill_id) FROM {FILLS} WHERE {YESTERDAY}",
        ),
    ],
)
def test_parity_tells_which_way_they_differ(name: str, change: str, healthy: Case) -> None:
    healthy.command(change)
    after = found(healthy, name)
    assert after.status == CRITICAL
    assert "clob_" in after.notes[0]


def test_parity_finds_the_self_fills_of_the_legacy_backfill_and_nothing_in_ours(healthy: Case) -> None:
    """Yesterday as the incremental updater stored it, against our statement and against the one of January's people."""
    assert {found(healthy, f"parity.{kind}").metric for kind in ("different", "extra")} == {0.0}
    legacy = PROJECT / "tests" / "writers" / "legacy_backfill.sql"
    healthy.incident.with_suffix(".sql").write_bytes(legacy.read_bytes())
    kept, marked = (found(healthy, f"parity.{kind}") for kind in ("missing", "different"))
    assert (kept.status, marked.status) == (
        CRITICAL,
        CRITICAL,
    )  # maker halves that it keeps, marks that it does not set


def nightly_file(case: Case, change: Callable[[dict[str, Any]], object]) -> None:
    path = case.incident.with_suffix(".nightly.toml")
    content = tomllib.loads(path.read_text())
    change(content)
    path.write_text(tomli_w.dumps(content))


# What changed


def test_january_is_told_by_its_slices(broken: Case) -> None:
    after = found(broken, "fills.has_a_condition")
    assert after.change
    told = {slice.dimension: (slice.values, slice.since) for slice in after.change.slices}
    assert told["source"] == (("clob",), False)
    assert told["outcome"] == (("0",), False)
    assert told["condition"] == (("empty",), False)
    assert told["token_first_traded"] == (("2026-01-17",), True)
    assert after.change.first.startswith("2026-01-17 0")
    assert re.search(r"\(block_number 8169\d{4}\)", after.change.sentence)
    assert {row["condition_id"] for row in after.change.samples} == {""}


def test_a_token_that_the_map_lacks_is_told(broken: Case, tmp_path: Path) -> None:
    case = broken.clone(tmp_path)
    known = f"SELECT condition_id FROM {FILLS} WHERE event_time < '2026-01-17'"
    case.command(f"ALTER TABLE {MAP} DELETE WHERE condition_id NOT IN ({known})")
    after = found(case, "fills.has_a_condition")
    assert after.change
    assert "token in the map no" in after.change.sentence


def test_slices_that_cannot_be_told_do_not_hide_the_finding(broken: Case, tmp_path: Path) -> None:
    case = broken.clone(tmp_path)
    case.incident.with_suffix(".fills.trace.sql").write_text("SELECT fill_id, nothing FROM nowhere")
    after = found(case, "fills.has_a_condition")
    assert after.status == CRITICAL
    assert "cannot be told" in " ".join(after.notes)


def test_null_is_wrong_and_columns_may_be_called_as_ours_are(healthy: Case) -> None:
    """A table of another kind: NULL in what splits it and in what refers, and columns named slot, value, recent and last."""
    healthy.command(
        "CREATE TABLE odd (id UInt32, slot DateTime, value Nullable(String), recent Nullable(String), last Float64) "
        "ENGINE = MergeTree ORDER BY id"
    )
    rows = "SELECT number, toDateTime('2026-02-02 05:00:00') - number, if(number % 2, 'a', NULL), if(number % 4, 'x', NULL), nan"
    healthy.command(f"INSERT INTO odd {rows} FROM numbers(100)")
    healthy.command("INSERT INTO odd SELECT 1, '2026-02-02 05:00:00', 'b', 'x', 1")
    columns = {
        "id": "UInt32",
        "slot": "DateTime",
        "value": "Nullable(String)",
        "recent": "Nullable(String)",
        "last": "Float64",
    }
    odd = {
        "name": "odd", "columns": columns, "time": "slot", "by": "value", "values": ["a", "b"], "slices": {"last": "last > 0"},
        "identity": {"columns": ["id"], "key": ["id", "value"], "unmerged_percent": [0.0, 1.0], "doubled": [0, 0]},
        "rows": {
            "known": {"unknown": {"column": "recent", "table": "odd", "key": "recent"}, "percent": [0.0, 1.0]},
            "is_x": {"wrong": "recent != 'x'", "percent": [0.0, 1.0]},
            "is_number": {"wrong": "isNaN(last)", "percent": [0.0, 1.0]},
        },
    }  # fmt: skip
    nightly_file(healthy, lambda content: content["tables"].update(odd=odd))
    for name, metric in (("known", 50.0), ("is_x", 50.0), ("is_number", 100.0)):
        after = found(healthy, f"odd.{name}")
        assert (after.status, after.metric) == (CRITICAL, metric)
        assert after.change, after.notes
    assert found(healthy, "odd.values").notes[0] == "'NULL' is not one of a, b."
    assert healthy.pytest("hourly") == 1, healthy.output
    assert re.search(r"[:\[,] ?NaN", healthy.ledger.path.read_text()) is None


# Runs


def test_a_nightly_run_is_go_and_written_down_once_an_hour(guarded: Case) -> None:
    assert guarded.codes == [0, 0], guarded.output  # type: ignore[attr-defined]
    (run,) = {line["run"] for line in guarded.lines("run")[-1:]}
    asked = [line["check"] for line in guarded.lines("evidence") if line["run"] == run]
    assert sorted(asked) == sorted(NIGHTLY.roster(load(guarded.incident)))
    rows = guarded.lines("history")[-1]["rows"]
    assert guarded.value(f"SELECT count() FROM {METRICS} FINAL") == rows > 60
    assert guarded.value(f"SELECT uniqExact(check_time) FROM {METRICS}") == 1


def test_a_warning_is_told_and_fails_no_run(guarded: Case) -> None:
    told = [line for line in guarded.lines("evidence") if any(note.startswith("WARNING") for note in line["notes"])]
    assert told
    assert {line["outcome"] for line in told} == {"passed"}
    assert guarded.value(f"SELECT countIf(status = 'WARNING') FROM {METRICS} FINAL") > 0


def test_a_nightly_run_takes_no_figures_and_makes_no_dossier(guarded: Case) -> None:
    assert guarded.lines("figures")[-1]["run"] != guarded.lines("run")[-1]["run"]
    assert "dossier:" not in guarded.output
    assert {
        line["fingerprint"] for line in guarded.lines("evidence") if line["run"] == guarded.lines("run")[-1]["run"]
    } == {""}


def test_each_table_is_scanned_once_whatever_is_promised_of_it(guarded: Case) -> None:
    run = guarded.lines("run")[-1]["run"]
    answers = [each for line in guarded.lines("evidence") if line["run"] == run for each in line["answers"]]
    scans = {each["query_id"] for each in answers if each["statement"] == "nightly/scan"}
    assert len(scans) == len(load(guarded.incident).nightly.tables)


def test_rows_of_a_closed_day_that_are_gone_are_told_the_next_night(guarded: Case, tmp_path: Path) -> None:
    case = with_history(guarded.clone(tmp_path))
    assert found(case, "fills.gone", days=1).status == OK
    case.command(f"ALTER TABLE {FILLS} DELETE WHERE toDate(event_time) = '2026-01-20'")
    after = found(case, "fills.gone", days=1)
    assert (after.status, after.worst, after.metric) == (CRITICAL, "2026-01-20", 100.0)
    for nights in (1, 2):  # a loss is not what is usual the night after, and remembered for a week
        with Warehouse(load(case.incident), case.dsn) as warehouse:
            result = Result("fills.gone", after.metric or 0.0, 0.1, 1.0, after.status, after.details)
            history.write(warehouse, [result], case.now + timedelta(days=nights), "test")
        after = found(case, "fills.gone", days=nights + 1)
        assert (after.status, after.worst) == (CRITICAL, "2026-01-20")
    details = json.dumps(json.loads(after.details) | {"since": {"2026-01-20": "2026-01-25"}})
    with Warehouse(load(case.incident), case.dsn) as warehouse:
        history.write(
            warehouse, [Result("fills.gone", 100.0, 0.1, 1.0, CRITICAL, details)], case.now + timedelta(days=3), "test"
        )
    case_later = found(case, "fills.gone", days=4)
    assert json.loads(case_later.details)["since"] == {}


def test_the_page_shows_thirty_days_and_the_first_bad_one(guarded: Case, tmp_path: Path) -> None:
    case = with_history(guarded.clone(tmp_path))
    earlier = case.now - timedelta(days=3)
    with Warehouse(load(case.incident), case.dsn) as warehouse:
        for days, status in ((2, CRITICAL), (3, OK)):
            result = Result("fills.has_a_condition", 5.0, 0.1, 1.0, status, "{}")
            history.write(warehouse, [result], earlier + timedelta(days=3 - days), "test")
    promise_broken("'' AS condition_id")(case)
    assert case.pytest("nightly") == 1
    page = (case.folder / "report.html").read_text()
    row = re.search(r"<tr class=\"broken\"><td><a[^>]*>fills\.has_a_condition</a>.*?</tr>", page, re.DOTALL)
    assert row
    assert row[0].count("<rect") == 30
    assert row[0].count('class="first"') == 2  # two spells: the day before yesterday, and today
    assert "2026-01-31: CRITICAL, 5" in row[0]
    assert "source clob" in page


def test_hourly_asks_the_last_hours_alone(healthy: Case) -> None:
    assert healthy.pytest("hourly", "-n", "2") == 0, healthy.output
    asked = [line["check"] for line in healthy.lines("evidence") if line["run"] == healthy.lines("run")[-1]["run"]]
    assert sorted(asked) == sorted(HOURLY.roster(load(healthy.incident)))
    assert not any("volume" in check or "parity" in check for check in asked)


def test_an_empty_table_is_red_and_never_green(healthy: Case) -> None:
    healthy.command(f"TRUNCATE TABLE {EVENTS}")
    assert healthy.pytest("hourly") == 1
    red = {
        line["check"] for line in healthy.lines("evidence") if line["verdict"] == "NO-GO" and "events." in line["check"]
    }
    assert {f"test_rows_are_as_promised[{name}]" for name in PROMISES if name.startswith("events.")} <= red
    assert "no rows were examined, which proves nothing" in healthy.output


def test_a_promise_that_the_server_cannot_judge_is_red_and_the_others_are_asked(healthy: Case) -> None:
    nightly_file(
        healthy,
        lambda content: content["tables"]["map"]["rows"].update(
            odd={"wrong": "no_such_column > 1", "percent": [0.0, 0.0]}
        ),
    )
    assert healthy.pytest("hourly") == 3
    assert "no_such_column" in healthy.output
    asked = {
        line["check"]: line for line in healthy.lines("evidence") if line["run"] == healthy.lines("run")[-1]["run"]
    }
    assert asked["test_rows_are_as_promised[map.odd]"]["outcome"] == "failed"
    assert asked["test_rows_are_as_promised[fills.has_a_condition]"]["outcome"] == "passed"
    assert healthy.value(f"SELECT status FROM {METRICS} FINAL WHERE check_name = 'hourly.map.odd'") == CRITICAL


def test_without_a_login_of_its_own_the_history_is_not_written_and_that_is_said(healthy: Case) -> None:
    healthy.env = {name: value for name, value in healthy.env.items() if "HISTORY" not in name}
    assert healthy.pytest("hourly") == 0
    assert "history: not written, for CLICKHOUSE_HISTORY_USER names no login" in healthy.output
    assert healthy.value(f"SELECT count() FROM {METRICS}") == 0


def test_a_history_that_cannot_be_written_is_no_success(healthy: Case) -> None:
    healthy.env = healthy.env | {"CLICKHOUSE_HISTORY_PASSWORD": "wrong"}
    assert healthy.pytest("hourly") == 13
    assert "Its login is CLICKHOUSE_HISTORY_USER" in healthy.output
    assert healthy.lines("history")[-1]["rows"] == 0


def test_the_hour_does_not_overwrite_what_the_night_found(healthy: Case) -> None:
    replaced("'' AS condition_id, event_time - INTERVAL 3 DAY AS event_time", f"{LAST_HOURS} AND source = 'clob'")(
        healthy
    )
    assert [healthy.pytest("nightly"), healthy.pytest("hourly")] == [1, 0]
    status = f"SELECT status FROM {METRICS} FINAL WHERE check_name = "
    assert healthy.value(f"{status}'fills.has_a_condition'") == CRITICAL
    assert healthy.value(f"{status}'hourly.fills.has_a_condition'") == OK


def test_a_table_that_is_gone_is_named(healthy: Case) -> None:
    healthy.command("DROP TABLE pm_ingest_watermarks_v1")
    assert healthy.pytest("hourly") == 1
    assert "pm_ingest_watermarks_v1 or a column of it is not there, so it cannot be judged" in healthy.output
    assert "CRITICAL: watermarks.columns 5" in healthy.output


def test_a_replay_is_not_written_into_the_history_of_a_server_elsewhere() -> None:
    elsewhere: Any = SimpleNamespace(dsn=SimpleNamespace(host="db"))
    result = Result("x", 0.0, 0.0, 1.0, OK, "{}")
    replay = datetime(2026, 1, 17, tzinfo=UTC)
    assert watch.remember(elsewhere, "nightly", [result], [], replay, "run", embedded=True) == (0, watch.REPLAYED)


def test_nobody_is_told_where_it_is_not_known_what_was_told_before(healthy: Case) -> None:
    healthy.edit(announce={"slack": "bot", "channel": NAME})
    healthy.env = {name: value for name, value in healthy.env.items() if "HISTORY" not in name}
    assert healthy.pytest("hourly", "--announce") == 4
    assert "CLICKHOUSE_HISTORY_USER names no login" in healthy.output


def test_what_the_night_has_told_the_hour_does_not_tell_again(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(watch.notify, "tell", lambda incident, ledger, run, message: said.append(message.text) or [])
    results = [Result(name, 5.0, 0.1, 1.0, CRITICAL if name == "a" else OK, "{}") for name in ("a", "b")]
    asked: Any = (load(JANUARY), None, "run")
    for known, expected in (
        (watch.Known(), "now critical: a (5, critical above 1)."),
        (watch.Known(told=frozenset("a")), ""),
        (watch.Known(told=frozenset("ab")), "still critical: a (5, critical above 1). no longer critical: b (5"),
        (watch.Known(told=frozenset("ab"), others=frozenset("b")), ""),
        (watch.Known(told=frozenset("ac")), ""),  # c was not asked
    ):
        said.clear()
        watch.announce(*asked, known, results, Path("page.html"))
        assert expected in " ".join(said)
        assert len(said) == bool(expected)


def test_a_bad_nightly_file_keeps_nobody_from_a_phase(healthy: Case) -> None:
    nightly_file(healthy, lambda content: content["tables"]["fills"].update(dayz=3))
    assert healthy.pytest("nightly") == 4
    assert "tables.fills.dayz = 3 is an unknown key; did you mean days?" in healthy.output
    assert healthy.pytest("phase5") in (0, 1)


def test_an_incident_without_a_nightly_file_says_so(healthy: Case) -> None:
    healthy.incident.with_suffix(".nightly.toml").unlink()
    assert healthy.pytest("nightly") == 4
    assert (
        ".nightly.toml: no such file; the nightly file (TOML), beside the incident file, is expected there."
        in healthy.output
    )


@pytest.mark.parametrize(
    ("mark", "words", "said"),
    [
        ("nightly or phase3", (), "nightly and hourly are asked each by itself"),
        ("nightly or hourly", (), "nightly and hourly are asked each by itself"),
        ("nightly", ("--execute",), "--execute: nightly has no action"),
        ("phase3", ("--data-docs=docs",), "only nightly and hourly have Data Docs"),
        ("nightly", ("--data-docs=docs", "-n", "2"), "leave -n out"),
    ],
)
def test_what_does_not_go_together_is_refused(mark: str, words: tuple[str, ...], said: str, recovered: Case) -> None:
    assert recovered.pytest(mark, *words) == 4
    assert said in recovered.output


def test_data_docs_are_made_where_they_are_asked_for(healthy: Case) -> None:
    assert healthy.pytest("hourly", f"--data-docs={healthy.folder / 'docs'}") == 0, healthy.output
    site = healthy.folder / "docs" / "gx" / "uncommitted" / "data_docs" / "local_site"
    assert {path.stem for path in (site / "expectations").glob("*.html")} == set(load(healthy.incident).nightly.tables)
    assert list((site / "validations").glob("fills/**/*.html"))


# History


def test_the_history_has_to_be_kept_long_enough(healthy: Case) -> None:
    def asked() -> Evidence:
        evidence = Evidence("test_the_history_is_kept_long_enough", [])
        incident = load(healthy.incident)
        with Warehouse(incident, healthy.dsn) as warehouse:
            checks.test_the_history_is_kept_long_enough(incident, warehouse, evidence)
        return evidence

    assert asked().verdict == "GO"
    healthy.command(f"ALTER TABLE {METRICS} MODIFY TTL check_time + INTERVAL 30 DAY")
    assert asked().verdict == "GO"
    healthy.command(f"ALTER TABLE {METRICS} MODIFY TTL check_time + INTERVAL 1 WEEK")
    assert "results that go before 30 days 1, allowed 0" in asked().sentence
    healthy.command(f"DROP TABLE {METRICS}")
    assert "tables of that name 0, allowed 1" in asked().sentence


def test_the_plans_monitoring_is_answered_from_the_history(guarded: Case) -> None:
    text = (Path(history.__file__).parent / "sql" / "monitoring.sql").read_text()
    assert "FINAL" in text  # a result that another run of the hour replaced does not count


def test_the_statement_that_makes_the_history_is_the_table_of_the_rehearsal(healthy: Case) -> None:
    text = (Path(history.__file__).parent / "sql" / "nightly" / "history_create.sql").read_text()
    healthy.command(text.replace("${history}", "made"))
    columns = "SELECT groupArray((name, type)) FROM system.columns WHERE database = currentDatabase() AND table = "
    assert healthy.value(f"{columns} 'made'") == healthy.value(f"{columns} '{METRICS}'")


# The team


@pytest.fixture
def slack() -> Iterator[Slack]:
    with Slack() as running:
        yield running
    assert running.complaints == []


def test_the_team_is_told_of_what_is_critical_once_until_it_changes(healthy: Case, slack: Slack) -> None:
    healthy.edit(announce={"slack": "bot", "url": slack.url, "channel": NAME})
    healthy.env = healthy.env | {"SLACK_BOT_TOKEN": slack.token}

    nightly_file(healthy, lambda content: [table.pop("fresh", None) for table in content["tables"].values()])

    def run(minutes: int) -> int:
        return healthy.pytest("hourly", "--announce", now=healthy.now + timedelta(minutes=minutes))

    assert run(0) == 0
    assert told(healthy) == []
    promise_broken("'' AS condition_id")(healthy)
    assert [run(1), run(2), run(62)] == [1, 1, 1]
    assert len(told(healthy)) == 1
    healthy.command(f"ALTER TABLE {FILLS} DELETE WHERE condition_id = ''")
    run(124)
    assert len(told(healthy)) == 2
    first, last = (call.fields["text"] for call in slack.calls)
    assert "now critical: " in first
    assert "fills.has_a_condition" in first
    assert "no longer critical: " in last


def told(case: Case) -> list[Any]:
    return [line for line in case.lines("announced") if line["what"] == "critical" and not line["error"]]


# The nightly file


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda c: c["tables"]["fills"]["rows"]["has_a_condition"].update(percent=[2.0, 1.0]),
            "[warn, critical] is expected",
        ),
        (lambda c: c["tables"]["fills"]["rows"]["has_a_condition"].pop("wrong"), "either wrong or unknown is expected"),
        (lambda c: c["tables"]["fills"]["rows"]["has_a_condition"].update(wrong="1) OR (1; DROP"), "one SQL condition"),
        (lambda c: c["tables"]["map"].update(fresh={"*": [1, 2]}), "fresh and volume need time"),
        (lambda c: c["tables"]["fills"]["columns"].pop("source"), "columns: source is used and not among them"),
        (lambda c: c["history"].pop("days"), "history.days is missing; it is required."),
        (lambda c: c["tables"].update(parity=c["tables"]["map"]), "parity is the name of a check of its own"),
        (lambda c: c["tables"]["fills"]["fresh"].update({"caf\u00e9": [1, 2]}), "String should match pattern"),
        (
            lambda c: c["tables"]["fills"]["rows"].update(columns={"wrong": "1", "percent": [0.0, 0.0]}),
            "columns is the name of a check of its own; call the promise otherwise",
        ),
        (lambda c: c["history"].update(table="elsewhere"), "name the same in both files"),
    ],
)
def test_a_fault_of_the_nightly_file_is_one_sentence(
    change: Callable[[dict[str, Any]], object], said: str, tmp_path: Path
) -> None:
    copy = tmp_path / JANUARY.name
    for ending in (".toml", ".sql", ".nightly.toml"):
        copy.with_suffix(ending).write_bytes(JANUARY.with_suffix(ending).read_bytes())
    path = copy.with_suffix(".nightly.toml")
    content = tomllib.loads(path.read_text())
    change(content)
    path.write_text(tomli_w.dumps(content))
    with pytest.raises(IncidentError) as caught:
        _ = load(copy).nightly
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_details_in_the_history_are_json(guarded: Case) -> None:
    rows = guarded.client.query(f"SELECT details FROM {METRICS} FINAL").result_rows
    assert all(isinstance(json.loads(details), dict) for (details,) in rows)
