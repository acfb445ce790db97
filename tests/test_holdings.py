"""What is drawn from one scan of the rows as they are is what the statements say that ask FINAL."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from recovery import action, census, fingerprint, holdings, parts
from recovery.balance import Balance
from recovery.holdings import Holdings
from recovery.incident import load
from recovery.statements import Schema
from recovery.warehouse import Warehouse
from tests.conftest import Case
from tests.faults.conftest import rounds
from tests.faults.data_faults import CLEAN, FILLS, FOREIGN, NOW, added
from tests.test_census import FAULTS, rows_per_range

OUTSIDE = "source = 'clob' AND toDate(event_time) = '2026-01-15'"


def drawn(case: Case) -> tuple[Holdings, tuple[Any, ...], tuple[Any, ...]]:
    """The holdings since the backfill; fingerprint, balance and rows written as they say, and as the statements do."""
    incident = load(case.incident)
    since = action.baseline(incident, case.ledger.lines())
    assert since is not None
    with Warehouse(incident, case.dsn) as warehouse:
        held = census.holdings(warehouse, since)
        ours = held.fingerprint(warehouse), Balance.take(warehouse, since).table(), census.written(warehouse, since)[1]
    with Warehouse(incident, case.dsn) as warehouse, patch.object(holdings, "keeps_the_newest", lambda *_: False):
        assert not census.holdings(warehouse, since).is_sure
        balance, written = Balance.take(warehouse, since), census.written(warehouse, since)
        assert (balance.answer.statement, written[0].statement) == ("balance", "written")
        theirs = fingerprint.of_window(warehouse), balance.table(), written[1]
    return held, ours, theirs


@pytest.mark.parametrize("fault", list(FAULTS)[:: rounds(12, 1)])
def test_one_scan_says_what_final_says_whatever_is_wrong(
    backfilled: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    case = backfilled.clone(tmp_path)
    FAULTS[fault](case)
    rows_per_range(monkeypatch, 2_000, 3_000)
    held, ours, theirs = drawn(case)
    assert ours == theirs
    assert held.has_accounts


def test_rows_that_merges_would_leave_are_told_without_final(backfilled: Case, tmp_path: Path) -> None:
    case = backfilled.clone(tmp_path)
    case.command(f"SYSTEM STOP MERGES {FILLS}")
    added("_version + 1 AS _version", CLEAN)(case)
    added("usdc_delta + 1 AS usdc_delta, _version - 1 AS _version", CLEAN)(case)
    held, ours, theirs = drawn(case)
    assert held.is_sure
    assert ours == theirs
    assert sum(row["rows"] for row in held.answer.rows) > sum(row["rows_now"] for row in held.answer.rows)


def test_what_others_changed_since_is_new_as_final_has_it(backfilled: Case, tmp_path: Path) -> None:
    case = backfilled.clone(tmp_path)
    before = drawn(case)[1][1]
    for condition in (FOREIGN, OUTSIDE):
        added(f"usdc_delta + 1 AS usdc_delta, {NOW} AS _version", f"{condition} AND condition_id != ''")(case)
    held, ours, theirs = drawn(case)
    assert held.is_sure
    assert ours == theirs
    assert ours[1]["new"][0] == before.get("new", [0])[0] + 2


def test_where_two_newest_rows_differ_final_is_asked(backfilled: Case, tmp_path: Path) -> None:
    case = backfilled.clone(tmp_path)
    case.command(f"SYSTEM STOP MERGES {FILLS}")
    added("usdc_delta + 1 AS usdc_delta", CLEAN)(case)
    held, ours, theirs = drawn(case)
    assert not held.is_sure
    assert ours == theirs


def test_where_rows_of_one_identity_are_of_several_days_final_is_asked(backfilled: Case, tmp_path: Path) -> None:
    case = backfilled.clone(tmp_path)
    added("event_time + INTERVAL 1 DAY AS event_time, outcome_index + 1 AS outcome_index", CLEAN)(case)
    held, ours, theirs = drawn(case)
    assert not held.is_sure
    assert ours == theirs


def test_parts_that_table_and_snapshot_have_in_common_are_read_once(backfilled: Case, tmp_path: Path) -> None:
    case = backfilled.clone(tmp_path)
    held, ours, theirs = drawn(case)
    with patch.object(parts, "common", lambda *_: ([], [])):
        apart, same, _ = drawn(case)
    assert held.answer.parameters["shared"] != []
    assert held.answer.rows_read < apart.answer.rows_read
    assert ours == theirs == same
    assert held.answer.rows == apart.answer.rows


def test_where_a_part_is_merged_away_meanwhile_all_is_read_anew(backfilled: Case, tmp_path: Path) -> None:
    case = backfilled.clone(tmp_path)
    held, ours, _ = drawn(case)
    ask, merged = Warehouse.ask, []

    def beside(self: Warehouse, name: str, **given: Any) -> Any:
        if name == "census_table" and not merged:
            merged.append(case.command(f"OPTIMIZE TABLE {FILLS} FINAL"))
        return ask(self, name, **given)

    with patch.object(Warehouse, "ask", beside):
        again, same, theirs = drawn(case)
    assert merged
    assert (held.answer.parameters["shared"] == [], again.answer.parameters["shared"]) == (False, [])
    assert ours == same == theirs


def test_without_its_snapshot_nothing_is_accounted_for(backfilled: Case, tmp_path: Path) -> None:
    case = backfilled.clone(tmp_path)
    since = action.baseline(load(case.incident), case.ledger.lines())
    assert since is not None
    case.command(f"DROP TABLE {since['snapshot']} SYNC")
    with Warehouse(load(case.incident), case.dsn) as warehouse:
        held = census.holdings(warehouse, since)
        assert not held.has_accounts
        assert held.fingerprint(warehouse) == fingerprint.of_window(warehouse)


@pytest.mark.parametrize(
    ("engine", "key", "newest"),
    [
        ("ReplacingMergeTree(_version)", "wallet, id", True),
        ("ReplacingMergeTree(`_version`) PARTITION BY day", "(wallet, id)", True),
        ("ReplicatedReplacingMergeTree('/tables/{uuid}', '{replica}', _version) ORDER BY id", "id", True),
        ("SharedReplacingMergeTree('/tables/{uuid}', '{replica}', _version)", "id", True),
        ("ReplacingMergeTree", "id", False),
        ("ReplacingMergeTree(other)", "id", False),
        ("ReplacingMergeTree(_version, is_deleted)", "id", False),
        ("ReplacingMergeTree(_version)", "wallet", False),
        ("ReplacingMergeTree(_version)", "wallet, lower(id)", False),
        ("MergeTree ORDER BY id", "id", False),
        ("SummingMergeTree(_version)", "id", False),
        ("CollapsingMergeTree(_version)", "id", False),
    ],
)
def test_only_where_a_merge_keeps_the_newest_row_of_one_identity_is_it_told_from_the_rows(
    engine: str, key: str, newest: bool
) -> None:
    schema = Schema((), engine.partition("(")[0], engine, key, "", "", "String")
    assert holdings.keeps_the_newest(schema, "_version", ["id"]) is newest
