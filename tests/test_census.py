"""The census in ranges and by sums says what the exact statement says, whatever is wrong and however many ranges there are."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from recovery import census, ranges
from recovery.incident import load
from recovery.sections import Cost
from recovery.warehouse import Warehouse
from tests.conftest import Case
from tests.faults.conftest import rounds
from tests.faults.data_faults import (
    CLEAN,
    DATA_FAULTS,
    DAY,
    FILLS,
    FOREIGN,
    ORPHAN,
    OWNED,
    SUBJECT,
    Fault,
    added,
    all_of,
    delete,
    in_turn,
    insert,
    one,
    removed,
    replaced,
)

FIGURES = ("identities", "rows", "broken_rows", "good_rows", "doubled", "spread")
Counts = dict[tuple[str, int, str], tuple[int, ...]]
OTHER_WALLET = "concat('0x', repeat('f', 38), 'ff') AS wallet"  # far from the first rows of the table
BESIDE = f"source = 'clob' AND condition_id != '' AND toDate(event_time) = '{DAY}' AND wallet < '0x8'"


def emptied(case: Case) -> None:
    case.command(f"TRUNCATE TABLE {FILLS}")


def contents_swapped(case: Case) -> None:
    """Two identities of a day, each with what the other should hold."""
    found = case.client.query(f"SELECT fill_id FROM {FILLS} WHERE {CLEAN} ORDER BY fill_id LIMIT 2").result_rows
    (first,), (second,) = found
    replaced(
        f"if(fill_id = '{first}', '{second}', '{first}') AS fill_id", lambda _: f"fill_id IN ('{first}', '{second}')"
    )(case)


def amounts_that_cancel_out(case: Case) -> None:
    """One dollar less here and one more there: the sums of the amounts are as before."""
    found = case.client.query(f"SELECT fill_id FROM {FILLS} WHERE {CLEAN} ORDER BY fill_id LIMIT 2").result_rows
    (first,), (second,) = found
    replaced(
        f"usdc_delta + if(fill_id = '{first}', 1, -1) AS usdc_delta", lambda _: f"fill_id IN ('{first}', '{second}')"
    )(case)


def every_row_twice(case: Case) -> None:
    case.command(f"SYSTEM STOP MERGES {FILLS}")
    case.command(f"INSERT INTO {FILLS} SELECT * FROM {FILLS}")


FAULTS: dict[str, Fault] = DATA_FAULTS | {
    "nothing": lambda case: None,
    "an empty table": emptied,
    "a day with nothing": delete(f"toDate(event_time) = '{DAY}'"),
    "a day without orphans": removed(all_of(f"{ORPHAN} AND toDate(event_time) = '{DAY}'")),
    "every row twice": every_row_twice,
    "two identities with each other's content": contents_swapped,
    "two amounts that cancel out": amounts_that_cancel_out,
    "a missing row and one too many on the same day": in_turn(
        removed(one(CLEAN)), insert("concat(fill_id, 'x') AS fill_id")
    ),
    "two good rows, the wrong one older": insert("usdc_delta + 1 AS usdc_delta, 1 AS _version"),
    "a foreign row under an owned identity": insert("'amm' AS source, outcome_index + 1 AS outcome_index"),
    "a foreign broken row under an owned identity": insert("'amm' AS source, '' AS condition_id"),
    "an owned row under a foreign identity": added("'clob' AS source, outcome_index + 1 AS outcome_index", FOREIGN),
    "a right row under another wallet too": insert(OTHER_WALLET),
    "a right row with another wallet": replaced(OTHER_WALLET, one(BESIDE)),
    "a broken row with another wallet beside its correction": added(
        f"{OTHER_WALLET}, '' AS condition_id, 1 AS _version", BESIDE
    ),
    "a newer broken row with another wallet beside its correction": added(
        f"{OTHER_WALLET}, '' AS condition_id, _version + 1 AS _version", BESIDE
    ),
    "an orphan under two wallets": added(OTHER_WALLET, f"{ORPHAN} AND wallet < '0x8'"),
    "an orphan of a test subject": replaced(f"'{SUBJECT}' AS wallet", one(ORPHAN)),
    "a wallet with bytes that are no text": replaced("unhex('FFFE0080') AS wallet", one(CLEAN)),
    "foreign wallets with bytes that are no text": replaced(
        "concat(unhex('C3'), wallet, unhex('FF00')) AS wallet", all_of("source != 'clob'")
    ),
    "foreign wallets with signs of every kind": replaced(
        "concat(wallet, '\\t\\\\n\\'\"\\n%{}é漢😀') AS wallet", all_of("source != 'clob'")
    ),
    "an orphan over midnight": replaced("event_time + INTERVAL 1 DAY AS event_time", one(f"{OWNED} AND {ORPHAN}")),
}  # fmt: skip


def rows_per_range(monkeypatch: pytest.MonkeyPatch, table: int, source: int) -> None:
    of_table, of_source = ranges.of_table, ranges.of_source
    monkeypatch.setattr(ranges, "of_table", lambda warehouse, rows=0, **given: of_table(warehouse, table, **given))
    monkeypatch.setattr(ranges, "of_source", lambda warehouse, span, rows=0: of_source(warehouse, span, source))
    monkeypatch.setattr(ranges, "WHOLE_BYTES", 10**12)  # what does not agree is compared in ranges as well
    monkeypatch.setattr(ranges, "MATCHED_BYTES", Cost().memory_bytes // source)


def counts(rows: list[dict[str, Any]]) -> Counts:
    return {(row["day"], row["subject"], row["class"]): tuple(row[name] for name in FIGURES) for row in rows}


def both(case: Case) -> tuple[census.Census, Counts, Counts]:
    """What the census says, in figures, and what the exact statement does."""
    with Warehouse(load(case.incident), case.dsn) as warehouse:
        taken = census.Census.take(warehouse)
        exact = warehouse.ask("census", **census.parameters(warehouse))
    return taken, counts(taken.rows), counts(exact.rows)


@pytest.mark.parametrize("fault", list(FAULTS)[:: rounds(6, 1)])
def test_a_fault_is_counted_in_ranges_as_in_one_exact_statement(
    backfilled: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    case = backfilled.clone(tmp_path)
    FAULTS[fault](case)
    rows_per_range(monkeypatch, 300, 500)
    taken, found, exact = both(case)
    assert found == exact
    wrong = {census.MISSING, census.DIFFERENT, census.UNEXPECTED, census.UNCORRECTED, census.MIXED}
    assert not (taken.agrees and wrong & {kind for _, _, kind in exact})


@pytest.mark.parametrize(("table", "source"), [(64, 64), (1_000, 100), (1_000_000, 1_000_000)])
def test_the_size_of_the_ranges_changes_no_figure(
    backfilled: Case, monkeypatch: pytest.MonkeyPatch, table: int, source: int
) -> None:
    rows_per_range(monkeypatch, table, source)
    taken, found, exact = both(backfilled)
    assert taken.agrees
    assert found == exact
    assert taken.count(census.CORRECTED)
    assert taken.count(census.ORPHAN)


def test_a_table_that_lacks_corrections_is_asked_exactly(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    rows_per_range(monkeypatch, 300, 500)
    taken, found, exact = both(case)
    assert not taken.agrees
    assert found == exact
    assert taken.count(census.UNCORRECTED)


OF_A_CLEAN_DAY = "source = 'clob' AND toDate(event_time) = '2026-01-15'"


@pytest.mark.parametrize("size", [300, 1_000_000])
@pytest.mark.parametrize(
    ("fault", "agrees"),
    [
        (FAULTS["nothing"], True),
        (replaced("usdc_delta + 1 AS usdc_delta", one(OF_A_CLEAN_DAY)), False),
        (replaced("event_time + INTERVAL 3 DAY AS event_time", one(OF_A_CLEAN_DAY)), False),
    ],
)
def test_of_the_clean_days_no_other_is_read_unless_they_do_not_agree(
    backfilled: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault, agrees: bool, size: int
) -> None:
    case = backfilled.clone(tmp_path)
    fault(case)
    rows_per_range(monkeypatch, size, size)
    with Warehouse(load(case.incident), case.dsn) as warehouse:
        start, end = census.clean_range(warehouse)
        taken = census.Census.take(warehouse, start, end)
        exact = warehouse.ask("census", **census.parameters(warehouse, start, end))
    inside = counts([row for row in exact.rows if start <= datetime.fromisoformat(f"{row['day']}T00:00Z") < end])
    found = counts(taken.rows)
    assert taken.agrees == agrees
    assert {key: figures for key, figures in found.items() if key in inside} == inside
    assert (len(found) > len(inside)) != agrees
    assert bool(taken.count(census.DIFFERENT)) != agrees


def test_of_the_clean_days_a_row_beyond_them_is_not_noticed_where_they_agree(backfilled: Case, tmp_path: Path) -> None:
    """As the census's docstring and decision 0022 say."""
    case = backfilled.clone(tmp_path)
    added("event_time + INTERVAL 3 DAY AS event_time", OF_A_CLEAN_DAY)(case)
    with Warehouse(load(case.incident), case.dsn) as warehouse:
        taken = census.Census.take(warehouse, *census.clean_range(warehouse))
        assert taken.agrees
        assert not census.Census.take(warehouse).agrees


def of_the_window(case: Case, days: int = 0) -> tuple[list[str], Counts, Counts]:
    """The statements that the census of the window without its last `days` is drawn from; what it says, and the exact one."""
    with Warehouse(load(case.incident), case.dsn) as warehouse:
        end = warehouse.incident.window.end - timedelta(days=days)
        taken = census.Census.take(warehouse, None, end)
        exact = warehouse.ask("census", **census.parameters(warehouse, None, end))
    return [answer.statement for answer in taken.answers], counts(taken.rows), counts(exact.rows)


@pytest.mark.parametrize("fault", list(FAULTS)[:: rounds(6, 1)])
def test_before_a_backfill_too_a_fault_is_counted_in_ranges_as_in_one_exact_statement(
    case: Case, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    FAULTS[fault](case)
    rows_per_range(monkeypatch, 300, 500)
    _, found, exact = both(case)
    assert found == exact


def test_before_a_backfill_only_the_days_that_differ_are_matched(broken: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    rows_per_range(monkeypatch, 300, 500)
    taken, found, exact = both(broken)
    matched, apart, held = taken.answers
    assert (matched.statement, apart.statement, held.statement) == ("census_matched", "census_broken", "census_table")
    assert {row["day"] for row in matched.rows} == {"2026-01-27"}
    assert len({row["day"] for row in apart.rows}) > 1
    assert found == exact


def test_where_no_day_differs_none_is_matched(broken: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    rows_per_range(monkeypatch, 300, 500)
    names, found, exact = of_the_window(broken, days=1)
    assert names == ["census_broken", "census_table"]
    assert found == exact


def test_broken_rows_that_do_not_fit_into_memory_are_matched(broken: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    rows_per_range(monkeypatch, 300, 500)
    monkeypatch.setattr(ranges, "LISTED_BYTES", 10**9)
    names, found, exact = of_the_window(broken)
    assert names == ["census_matched", "census_table"]
    assert found == exact


def test_right_rows_that_are_there_twice_are_matched(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    select = case.incident.with_suffix(".sql")
    select.write_text(f"SELECT found.* FROM (\n{select.read_text()}\n) AS found CROSS JOIN numbers(2) AS twice")
    rows_per_range(monkeypatch, 300, 500)
    names, found, exact = of_the_window(case)
    assert names == ["census_matched", "census_table"]
    assert found == exact


# fault: (how, its class in the exact statement)
UNNOTICED: dict[str, tuple[Fault, str]] = {
    "a foreign row with an identity of the window and another wallet": (
        added(f"{OTHER_WALLET}, 'amm' AS source", BESIDE),
        census.MIXED,
    ),
    "a row outside the window with an identity of the window and another wallet": (
        added(f"{OTHER_WALLET}, toDateTime('2026-01-15 12:00:00') AS event_time", BESIDE),
        census.DIFFERENT,
    ),
}


@pytest.mark.parametrize("fault", UNNOTICED)
def test_what_several_ranges_do_not_notice_is_this_and_no_right_row_is_wrong_then(
    backfilled: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """The census's docstring and decision 0022 say so. In one range, as small tables are, they are noticed."""
    case = backfilled.clone(tmp_path)
    inject, kind = UNNOTICED[fault]
    inject(case)
    assert both(case)[0].count(kind) == 1
    rows_per_range(monkeypatch, 300, 500)
    taken, _, exact = both(case)
    assert taken.agrees
    assert not taken.count(kind)
    assert taken.count(*census.WITH_RIGHT_ROW) == sum(
        figures[0] for (_, _, name), figures in exact.items() if name in (*census.WITH_RIGHT_ROW, census.MIXED)
    )


def test_above_a_limit_a_broken_row_under_another_lead_counts_as_an_orphan(
    backfilled: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = backfilled.clone(tmp_path)
    there = both(case)[0].count(census.ORPHAN)
    FAULTS["a broken row with another wallet beside its correction"](case)
    rows_per_range(monkeypatch, 300, 500)
    assert both(case)[0].count(census.ORPHAN) == there
    monkeypatch.setattr(census, "MANY_BROKEN", 0)
    assert both(case)[0].count(census.ORPHAN) == there + 1
