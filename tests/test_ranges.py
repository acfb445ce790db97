"""Ranges hold every row exactly once, whatever the table's sorting key begins with and however many there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recovery import census, holdings, ranges
from recovery.incident import load
from recovery.warehouse import Warehouse
from tests.conftest import Case
from tests.test_actions import classes, finish, gates_open  # noqa: F401
from tests.test_census import BESIDE, FILLS, OTHER_WALLET, added

EVENTS = "pm_trader_events_v3"
SIZES = [64, 300, 2_500, 1_000_000]
TEXTS = (
    "['', 'a', 'a\\tb', 'a\\nb', 'a\\\\b', 'a''b', 'é', '漢', '😀', "
    "unhex('FF'), unhex('FEFF'), unhex('80'), unhex('C3'), '%{x}', 'zz']"
)


@contextmanager
def asked(case: Case) -> Iterator[Warehouse]:
    with Warehouse(load(case.incident), case.dsn) as warehouse:
        yield warehouse


def sorted_by(case: Case, key: str, column: str = "") -> None:
    """The same rows in a table that is sorted otherwise, by a column more where one is given."""
    stored = case.value(f"SHOW CREATE TABLE {FILLS}").replace(f".{FILLS}", ".other")
    head, _, tail = stored.partition("ORDER BY (")
    case.command(head + "ORDER BY (" + key + tail[tail.index(")") :])
    if column:
        case.command(f"ALTER TABLE other ADD COLUMN {column}, MODIFY ORDER BY ({key})")
    case.command(f"INSERT INTO other SELECT * FROM {FILLS}")
    case.command(f"EXCHANGE TABLES other AND {FILLS}")


def assert_each_row_is_in_one_range(case: Case, several: bool = True) -> None:
    whole = case.client.query(
        f"SELECT count(), sum(sipHash64(*)) FROM {FILLS} WHERE toYYYYMM(event_time) IN (202601, 202602)"
    ).result_rows[0]
    with asked(case) as warehouse:
        for size in SIZES:
            cut = ranges.of_table(warehouse, size)
            sums = [0, 0]
            for each in cut:
                ((rows, content),) = case.client.query(
                    f"SELECT count(), sum(sipHash64(*)) FROM {FILLS} "
                    f"WHERE toYYYYMM(event_time) IN (202601, 202602) AND {warehouse.words['in_range']}",
                    parameters=each,
                ).result_rows
                sums = [sums[0] + rows, (sums[1] + content) % 2**64]
            assert sums == list(whole), f"{size} rows in a range, {len(cut)} ranges"
            assert len(cut) > 1 or not several or size > whole[0] / 2


def test_each_row_is_in_exactly_one_range(broken: Case) -> None:
    assert_each_row_is_in_one_range(broken)


def test_each_row_is_in_exactly_one_range_of_numbers(case: Case) -> None:
    sorted_by(case, "block_number, fill_id")
    assert_each_row_is_in_one_range(case)


def test_numbers_of_unlike_length_are_cut_in_their_order(case: Case) -> None:
    case.command(f"ALTER TABLE {FILLS} UPDATE block_number = cityHash64(fill_id) % 1200 WHERE 1")
    sorted_by(case, "block_number, fill_id")
    assert_each_row_is_in_one_range(case)


@pytest.mark.parametrize("key", ["event_time, wallet, fill_id", "lower(wallet), fill_id", "condition_id, fill_id"])
def test_a_table_whose_key_begins_with_no_usable_column_is_asked_as_a_whole(case: Case, key: str) -> None:
    """A time, an expression, a column that the repair changes."""
    sorted_by(case, key)
    assert_each_row_is_in_one_range(case, several=False)
    with asked(case) as warehouse:
        assert len(ranges.of_table(warehouse, 64)) == 1


def test_wallets_of_any_bytes_are_in_exactly_one_range(case: Case) -> None:
    case.command(f"CREATE TABLE aside AS {FILLS}")
    case.command(
        f"INSERT INTO aside SELECT * REPLACE(concat({TEXTS}[1 + cityHash64(fill_id) % 15], if(block_number % 2, wallet, '')) "
        f"AS wallet) FROM {FILLS}"
    )
    case.command(f"EXCHANGE TABLES aside AND {FILLS}")
    assert_each_row_is_in_one_range(case)


@pytest.mark.parametrize("size", [100, 700, 1_000_000])
def test_the_ranges_of_the_source_hold_every_right_row_once(broken: Case, size: int) -> None:
    assert_the_source_is_whole(broken, size)


@pytest.mark.parametrize("size", [100, 700])
def test_the_ranges_of_a_numbered_source_hold_every_right_row_once(case: Case, size: int) -> None:
    case.command(f"ALTER TABLE {EVENTS} ADD COLUMN number UInt64 MATERIALIZED cityHash64(transaction_hash) % 5000")
    select = case.incident.with_suffix(".sql")
    by_number = select.read_text().replace(
        "event_id >= {key_from:String} AND event_id <", "number >= {key_from:UInt64} AND number <"
    )
    select.write_text(by_number.replace("{key_to:String}", "{key_to:UInt64}"))
    case.edit(source={"key": "number", "group": "number"})
    assert_the_source_is_whole(case, size, int)


def assert_the_source_is_whole(case: Case, size: int, kind: type = str) -> None:
    with asked(case) as warehouse:
        span = census.parameters(warehouse)
        cut = ranges.of_source(warehouse, span, size)
        whole = warehouse.ask("census_right", **span).rows
        summed = ranges.ask(warehouse, "census_right", cut, ("day",), **span).rows
    assert sorted(whole, key=lambda row: row["day"]) == summed
    bounds = [kind(each["key_from"]) for each in cut]
    assert bounds == sorted(set(bounds))
    assert (len(cut) > 3) == (size < 1_000)


def test_figures_of_ranges_are_added_up_by_what_they_are_about_and_sums_of_hashes_stay_64_bits(broken: Case) -> None:
    with asked(broken) as warehouse:
        cut, table = ranges.of_table(warehouse, 300), warehouse.words["table"]
        known = census.parameters(warehouse) | {
            "has_baseline": False,
            "has_quarantine": False,
            "since_version": 0,
            "beyond": True,
        }
        known |= {"shared": [], "shared_before": [], "aside_in": []}
        known["names"] = {"baseline": table, "set_aside": table}
        found = ranges.ask(warehouse, "census_table", cut, holdings.BY, **known)
        (whole,) = ranges.whole(warehouse)
        one = warehouse.ask("census_table", **(known | whole))
    assert found.rows == sorted(one.rows, key=lambda row: tuple(row[name] for name in holdings.BY))
    assert found.rows_read > 0
    assert len(found.parameters["range_from"]) == len(cut)


@pytest.mark.usefixtures("gates_open")
def test_a_broken_row_under_another_lead_goes_where_its_class_says(
    backfilled: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = backfilled.clone(tmp_path)
    added(f"{OTHER_WALLET}, '' AS condition_id, 1 AS _version", BESIDE)(case)
    there = classes(case)
    of_table = ranges.of_table
    monkeypatch.setattr(ranges, "of_table", lambda warehouse, rows=0, **given: of_table(warehouse, 300, **given))
    assert classes(case) == there
    finish(case, "phase4")
    right = there[census.CORRECTED] + there.get(census.CLEAN, 0)
    assert classes(case)[census.CLEAN] == right
    assert case.value(f"SELECT uniqExact(fill_id) FROM {FILLS}_quarantine") == there[census.ORPHAN]
