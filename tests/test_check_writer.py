"""scripts.check_writer: two writers' SELECTs beside each other, on the January incident at a small scale."""

from __future__ import annotations

import argparse
import os
import re
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import pytest

from recovery.errors import UsageError
from recovery.warehouse import Dsn
from scripts.check_writer import days_of, main
from tests.conftest import JANUARY, PROJECT, Case

WRITER = JANUARY.with_suffix(".writer.sql")
OTHERS = PROJECT / "tests" / "writers"
LEGACY, LEFT_JOIN, OTHER_UNIT = (OTHERS / f"{name}.sql" for name in ("legacy_backfill", "left_join", "other_unit"))
SAMPLED = ("2026-01-19", "2026-01-26", "2026-02-01")  # of the 14 days before the case's 2 February
WITH_UNMAPPED = "2026-01-25"
# The source's events of the sampled days, each with whether its wallet is maker and taker of one transaction.
EVENTS = f"""(
    SELECT *, uniqExact(role) OVER (PARTITION BY transaction_hash, trader_wallet) > 1 AS of_self,
        token_id IN (SELECT token_id_dec FROM pm_token_to_condition_map_v5 WHERE condition_id != '') AS mapped
    FROM pm_trader_events_v3 FINAL WHERE toString(toDate(trade_time)) IN {SAMPLED}
)"""


def command(case: Case, *words: object, dsn: str = "") -> int:
    parsed = Dsn.parse(case.dsn)
    with patch.dict(os.environ, {"CLICKHOUSE_PASSWORD": parsed.password}):
        return main(
            [
                f"--incident={case.incident}",
                f"--clickhouse={dsn or f'clickhouse://{parsed.user}@{parsed.host}:{parsed.port}'}",
                f"--ledger={case.ledger.path}",
                f"--now={case.now:%Y-%m-%dT%H:%M:%SZ}",
                *map(str, words),
            ]
        )


def days(text: str) -> list[dict[str, int]]:
    """The figures of each day, as they were printed."""
    lines = [line for line in text.splitlines() if line.startswith("day ")]
    figures = (re.findall(r"; ([a-z ]+) ([\d,]+)", line) for line in lines)
    return [{name: int(value.replace(",", "")) for name, value in each} for each in figures]


def totals(text: str) -> dict[str, int]:
    found = days(text)
    return {name: sum(day[name] for day in found) for name in found[0]}


def changed(folder: Path, old: str, new: str) -> Path:
    """The writer with one passage changed."""
    text = WRITER.read_text("utf-8")
    assert old in text
    path = folder / "changed.sql"
    path.write_text(text.replace(old, new), "utf-8")
    return path


# What is the same


def test_the_writer_and_the_incidents_select_agree(broken: Case, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(broken, WRITER) == 0
    said = capsys.readouterr().out
    wanted = broken.value(f"SELECT countIf(mapped AND NOT (of_self AND role = 'maker')) FROM {EVENTS}")
    found = totals(said)
    assert (found["rows left"], found["rows right"], found["same"]) == (wanted, wanted, wanted)
    assert said.splitlines()[-1] == f"SAME: both would write the same rows, {wanted:,} identities on 3 days"
    assert re.findall(r"^day (\S+);", said, re.MULTILINE) == list(SAMPLED)
    assert len(re.findall(r"\.sql: SHA-256 [0-9a-f]{64}$", said, re.MULTILINE)) == 2


def test_they_agree_on_all_of_the_last_days(broken: Case, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(broken, WRITER, "--days=14") == 0
    assert len(days(capsys.readouterr().out)) == 14


def test_a_column_of_another_type_is_the_same_once_it_is_written(broken: Case, tmp_path: Path) -> None:
    wider = changed(tmp_path, "role = 'maker' AS is_maker", "toInt64(role = 'maker') AS is_maker")
    assert command(broken, wider, "--days=1") == 0


def test_it_only_reads_and_leaves_no_ledger(case: Case) -> None:
    before = case.fingerprint()
    assert command(case, LEGACY, WRITER) == 1
    assert case.fingerprint() == before
    assert not case.ledger.path.exists()


# What differs


def test_the_legacy_backfill_differs_in_exactly_the_self_fills(
    broken: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(broken, LEGACY, WRITER) == 1
    said = capsys.readouterr().out
    makers, takers = broken.client.query(
        f"SELECT countIf(role = 'maker'), countIf(role = 'taker') FROM {EVENTS} WHERE of_self AND mapped"
    ).first_row
    found = totals(said)
    assert min(makers, takers) > 5
    assert (found["only left"], found["only right"], found["different"]) == (makers, 0, takers)
    assert said.splitlines()[-1] == (
        f"DIFFERENT: of {found['rows left']:,} identities on 3 days {makers} only left, 0 only right, "
        f"{takers} different (is_self_fill {takers})"
    )


def test_the_samples_are_identities_of_their_class_and_at_most_five(
    broken: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(broken, WRITER, LEGACY, "--day", SAMPLED[0]) == 1
    said = capsys.readouterr().out
    for name, role in (("only right", "maker"), ("different", "taker")):
        sampled = re.findall(rf"^  {SAMPLED[0]} {name}, such as \('(\S+)'\)$", said, re.MULTILINE)
        events = f"(SELECT concat('clob_', event_id) FROM {EVENTS} WHERE of_self AND role = '{role}')"
        assert len(set(sampled)) == 5
        assert broken.value(f"SELECT countIf(fill NOT IN {events}) FROM (SELECT arrayJoin({sampled}) AS fill)") == 0


def test_the_left_join_writes_rows_that_the_other_does_not(broken: Case, capsys: pytest.CaptureFixture[str]) -> None:
    unmapped = broken.value(
        f"SELECT countIf(NOT (of_self AND role = 'maker')) FROM {EVENTS.replace(str(SAMPLED), repr([WITH_UNMAPPED]))} "
        "WHERE NOT mapped"
    )
    assert unmapped > 0
    assert command(broken, LEFT_JOIN, WRITER, "--day", WITH_UNMAPPED) == 1
    (found,) = days(capsys.readouterr().out)
    assert (found["only left"], found["only right"], found["different"]) == (unmapped, 0, 0)
    assert found["rows right"] == found["same"] > 0


def test_the_left_join_is_not_seen_on_days_whose_tokens_have_all_been_mapped_since(broken: Case) -> None:
    assert broken.value(f"SELECT countIf(NOT mapped) FROM {EVENTS}") == 0
    assert command(broken, LEFT_JOIN) == 0


def test_the_other_unit_differs_in_the_dollars_of_all_rows(broken: Case, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(broken, WRITER, OTHER_UNIT) == 1
    said = capsys.readouterr().out
    found = totals(said)
    assert found["different"] == found["rows left"] == found["rows right"] > 0
    assert (found["same"], found["only left"], found["only right"]) == (0, 0, 0)
    assert said.splitlines()[-1].endswith(f"{found['different']} different (usdc_delta {found['different']})")


def test_each_column_that_differs_is_counted(broken: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = changed(tmp_path, "    block_number,", "    block_number + (role = 'maker') AS block_number,")
    path.write_text(path.read_text().replace("role = 'maker' AS is_maker", "role = 'taker' AS is_maker"))
    assert command(broken, path, "--days=1") == 1
    said = capsys.readouterr().out
    makers = broken.value(
        f"SELECT countIf(role = 'maker' AND mapped AND NOT of_self) FROM {EVENTS} "
        "WHERE toDate(trade_time) = '2026-02-01'"
    )
    (found,) = days(said)
    assert f"(is_maker {found['different']}, block_number {makers})" in said.splitlines()[-1]


def test_a_row_that_is_written_twice_is_different_and_counted(
    broken: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twice = changed(tmp_path, ") AS e\n", ") AS e\nARRAY JOIN if(role = 'maker', [1, 2], [1]) AS once_or_twice\n")
    assert command(broken, twice, WRITER, "--days=1") == 1
    said = capsys.readouterr().out
    (found,) = days(said)
    assert found["different"] == found["doubled left"] == found["rows left"] - found["rows right"] > 0
    assert found["doubled right"] == 0
    assert "columns that differ" not in said
    assert f"; more than once: {found['doubled left']} of the left, 0 of the right" in said.splitlines()[-1]


def test_what_both_write_twice_is_the_same_and_said(
    broken: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twice = changed(tmp_path, ") AS e\n", ") AS e\nARRAY JOIN if(role = 'maker', [1, 2], [1]) AS once_or_twice\n")
    assert command(broken, twice, twice, "--days=1") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"SAME: .*; more than once: (\d+) of the left, \1 of the right", last)


def test_the_command_shows_a_table_on_a_terminal(
    broken: Case, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "240")
    assert command(broken, WRITER) == 0
    shown = capsys.readouterr().out
    assert "What two writers would write" in shown
    assert "doubled right" in shown
    assert shown.splitlines()[-1].startswith("SAME: ")


# What proves nothing


def test_a_day_without_rows_is_exit_code_10(broken: Case, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(broken, WRITER, "--day", "2026-01-02", SAMPLED[0]) == 10
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("NOT PROVEN: ")
    assert last.endswith("; no row was looked at on 2026-01-02, which proves nothing")


def test_a_difference_weighs_more_than_a_day_without_rows(broken: Case, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(broken, LEGACY, "--day", "2026-01-02", SAMPLED[0]) == 1
    assert "no row was looked at on 2026-01-02" in capsys.readouterr().out.splitlines()[-1]


def test_a_writer_that_writes_nothing_differs_from_one_that_does(broken: Case, tmp_path: Path) -> None:
    nothing = changed(tmp_path, "WHERE NOT (is_self AND role = 'maker')", "WHERE 0")
    assert command(broken, nothing, "--days=1") == 1
    assert command(broken, nothing, nothing, "--days=1") == 10


# Wrong files and options


def test_a_file_with_lacking_columns_is_one_sentence_and_exit_code_4(
    broken: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = changed(tmp_path, "    block_number,\n    transaction_hash AS tx_hash,\n", "    transaction_hash AS tx,\n")
    assert command(broken, WRITER, path) == 4
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence == (
        f"{path}: selects other columns than pm_canonical_fills_v4 has; lacking: block_number, tx_hash; unknown: tx."
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    block_number,", "    block_number, block_number,", "; twice: block_number."),
        ("'clob' AS source,", "'clob' AS source, 1 AS _version,", "unknown: _version."),
        (" AND event_id < {key_to:String}", "", "SELECT; lacking: {key_to:String}."),
        ("{key_to:String}", "{until:String} -- {key_to:String}", "lacking: {key_to:String}; unknown: {until:String}."),
        ("SELECT\n    concat", "INSERT INTO t SELECT\n    concat", "one SELECT is expected in it"),
        ("WHERE NOT (is_self AND role = 'maker')", "; DROP TABLE t", "one SELECT is expected in it"),
        ("pm_trader_events_v3", "nowhere", "nowhere"),
        ("1e6 AS usdc_delta", "cents AS usdc_delta", "cents"),
    ],
)
def test_a_file_that_is_no_such_select_is_exit_code_4(
    broken: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    path = changed(tmp_path, old, new)
    assert command(broken, path, "--days=1") == 4
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith(f"{path}: ")
    assert said in sentence


def test_a_file_that_is_not_there_is_exit_code_4(
    broken: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(broken, tmp_path / "none.sql") == 4
    assert capsys.readouterr().err == f"{tmp_path}/none.sql: no such file; the SELECT of a writer is expected there.\n"


def test_what_cannot_be_written_into_the_table_names_both_files_and_the_day(
    broken: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = changed(tmp_path, "    block_number,", "    concat('a', toString(block_number)) AS block_number,")
    assert command(broken, path, WRITER, "--days=1") == 3
    assert f"{path} beside {WRITER} on 2026-02-01: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--days=0"], "--days: 0 is not from 1 to 14."),
        (["--days=15"], "--days: 15 is not from 1 to 14."),
        (["--days=some"], "invalid int value"),
        (["--day=2026-02-02"], "--day: 2026-02-02 is not over; the last day that is, is 2026-02-01."),
        (["--day=2026-02-30"], "--day: '2026-02-30' is no day"),
        (["--day=20260130"], "--day: '20260130' is no day"),
        (["--day=2026-01-30", "--days=2"], "--day and --days: give one of them."),
    ],
)
def test_a_wrong_option_is_exit_code_4(
    broken: Case, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert command(broken, WRITER, *words) == 4
    assert said in capsys.readouterr().err


def test_no_server_is_exit_code_13(broken: Case) -> None:
    assert command(broken, WRITER, dsn="clickhouse://default@127.0.0.1:9") == 13


# Which days


@pytest.mark.parametrize("count", range(1, 15))
def test_the_sampled_days_are_evenly_spread_and_yesterday_is_among_them(count: int) -> None:
    options = argparse.Namespace(day=None, days=count)
    found = days_of(options, datetime(2026, 2, 2, 6, tzinfo=UTC))
    gaps = {(later - earlier).days for earlier, later in pairwise(found)}
    assert (len(set(found)), found[-1]) == (count, date(2026, 2, 1))
    assert found[0] == (date(2026, 1, 19) if count > 1 else date(2026, 2, 1))
    assert max(gaps, default=0) - min(gaps, default=0) <= 1


def test_days_that_are_named_are_looked_at_once_each_and_in_order() -> None:
    options = argparse.Namespace(day=["2026-01-20", "2026-01-19", "2026-01-20"], days=None)
    assert days_of(options, datetime(2026, 2, 2, tzinfo=UTC)) == [date(2026, 1, 19), date(2026, 1, 20)]


def test_a_file_after_the_days_is_told_from_a_day() -> None:
    options = argparse.Namespace(day=["2026-01-20", "left.sql"], days=None)
    with pytest.raises(UsageError, match=r"'left\.sql' is no day; .*, and the files before it"):
        days_of(options, datetime(2026, 2, 2, tzinfo=UTC))
