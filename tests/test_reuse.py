"""What was answered once is not asked again, unless anything that it depends on was changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from recovery import action, census, fingerprint, parts, reuse, statements
from recovery.incident import load
from recovery.warehouse import Answer, Warehouse
from tests.conftest import Case
from tests.faults.conftest import rounds
from tests.faults.data_faults import CLEAN, EVENTS, FILLS, MAP, OWNED, Fault, added, one, removed, replaced
from tests.test_census import FAULTS, both, contents_swapped, counts, rows_per_range

BROKEN = f"{OWNED} AND condition_id = ''"


def asked(case: Case, folder: Path | None, days: int = 0) -> tuple[list[str], census.Census]:
    """The statements that a process of its own asks for a census, and what it says."""
    names: list[str] = []
    query = Warehouse._query

    def noted(self: Warehouse, name: str, sql: str, bound: dict[str, object]) -> Answer:
        names.append(name)
        return query(self, name, sql, bound)

    with (
        patch.object(Warehouse, "_query", noted),
        Warehouse(load(case.incident), case.dsn, answers=folder) as warehouse,
    ):
        end = warehouse.incident.window.end - timedelta(days=days)
        return names, census.Census.take(warehouse, None, end)


@pytest.fixture
def in_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    rows_per_range(monkeypatch, 2_000, 3_000)


@pytest.mark.usefixtures("in_ranges")
def test_a_second_process_does_not_match_again_and_says_the_same(broken: Case, tmp_path: Path) -> None:
    first, found = asked(broken, tmp_path)
    second, again = asked(broken, tmp_path)
    assert first.count("census_broken") > 1
    assert "census_matched" in first
    assert not {"census_broken", "census_matched"} & set(second)
    assert counts(found.rows) == counts(again.rows) == both(broken)[2]
    once, twice = found.answers[0], again.answers[0]
    assert (once.again, twice.again, twice.rows_read) == (False, True, 0)
    assert (once.query_id, once.started, once.rows) == (twice.query_id, twice.started, twice.rows)


@pytest.mark.usefixtures("in_ranges")
def test_without_a_folder_it_is_matched_each_time(broken: Case) -> None:
    for _ in range(2):
        assert "census_matched" in asked(broken, None)[0]


def token_unmapped(case: Case) -> None:
    case.command(
        f"ALTER TABLE {MAP} DELETE WHERE token_id_dec = (SELECT min(token_id_dec) FROM {MAP} WHERE condition_id != '') "
        "SETTINGS mutations_sync = 2"
    )


def event_gone(case: Case) -> None:
    case.command(
        f"DELETE FROM {EVENTS} WHERE event_id = (SELECT min(event_id) FROM {EVENTS} WHERE trade_time >= '2026-01-20')"
    )


CHANGES: dict[str, Fault] = {
    "a broken row that is gone": removed(one(BROKEN)),
    "a broken row more": added("concat(fill_id, 'x') AS fill_id", BROKEN),
    "a broken row under another identity": replaced("concat(fill_id, 'x') AS fill_id", one(BROKEN)),
    "a good row that differs": replaced("usdc_delta + 1 AS usdc_delta", one(CLEAN)),
    "a row more before the window": added(
        "concat(fill_id, 'y') AS fill_id, event_time - INTERVAL 12 DAY AS event_time", CLEAN
    ),
    "a good row twice": added("outcome_index + 1 AS outcome_index", CLEAN),
    "two identities with each other's content": contents_swapped,
    "a token that is not mapped any more": token_unmapped,
    "an event that is gone": event_gone,
}


@pytest.mark.usefixtures("in_ranges")
@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_since_is_matched_anew(broken: Case, tmp_path: Path, change: str) -> None:
    case, folder = broken.clone(tmp_path), tmp_path / "matched"
    asked(case, folder)
    CHANGES[change](case)
    names, found = asked(case, folder)
    assert "census_matched" in names
    assert counts(found.rows) == both(case)[2]


@pytest.mark.usefixtures("in_ranges")
def test_what_a_live_writer_adds_after_the_window_has_nothing_matched_anew(broken: Case, tmp_path: Path) -> None:
    case, folder = broken.clone(tmp_path), tmp_path / "matched"
    asked(case, folder)
    added("concat(fill_id, 'y') AS fill_id, event_time + INTERVAL 30 DAY AS event_time", BROKEN)(case)
    added("concat(fill_id, 'z') AS fill_id, event_time + INTERVAL 30 DAY AS event_time", CLEAN)(case)
    names, found = asked(case, folder)
    assert "census_matched" not in names
    assert counts(found.rows) == both(case)[2]


@pytest.mark.usefixtures("in_ranges")
def test_another_window_is_matched_for_itself(broken: Case, tmp_path: Path) -> None:
    asked(broken, tmp_path)
    assert "census_broken" in asked(broken, tmp_path, days=1)[0]


@pytest.mark.usefixtures("in_ranges")
@pytest.mark.parametrize(
    "changed", ["census_table", "census_right", "census_broken", "census_matched", "identities", "has_a_right_row"]
)
def test_what_another_text_of_a_statement_matched_is_not_used(
    broken: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    """As after an upgrade of the suite."""
    asked(broken, tmp_path)
    text = statements.text
    monkeypatch.setattr(statements, "text", lambda name: text(name) + " " * (name == changed))
    assert "census_matched" in asked(broken, tmp_path)[0]


def cut_short(path: Path) -> None:
    path.write_text(path.read_text()[:-100])


def one_more(path: Path) -> None:
    told = json.loads(path.read_text())
    for row in told["answer"]["rows"][:1]:  # a partition may hold nothing of the window
        row["identities"] += 1
    path.write_text(json.dumps(told))


def of_another_kind(path: Path) -> None:
    path.write_text("[]")


@pytest.mark.usefixtures("in_ranges")
@pytest.mark.parametrize("spoil", [cut_short, one_more, of_another_kind])
def test_a_file_that_is_not_whole_is_not_believed(broken: Case, tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    _, found = asked(broken, tmp_path)
    for path in tmp_path.glob("*.json"):
        spoil(path)
    names, again = asked(broken, tmp_path)
    assert "census_matched" in names
    assert counts(again.rows) == counts(found.rows)
    assert "census_matched" not in asked(broken, tmp_path)[0]


@pytest.mark.usefixtures("in_ranges")
def test_a_folder_that_cannot_be_written_costs_time_only(broken: Case, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for _ in range(2):
        names, found = asked(broken, tmp_path / "file" / "matched")
        assert "census_matched" in names
    assert counts(found.rows) == both(broken)[2]


Said = tuple[list[dict[str, Any]], str]


def since_the_backfill(case: Case, folder: Path | None) -> tuple[list[str], Said]:
    """What a process of its own reads of the table, statement and partition, and what it says: holdings and fingerprint."""
    read: set[str] = set()
    query, incident = Warehouse._query, load(case.incident)

    def noted(self: Warehouse, name: str, sql: str, bound: dict[str, Any]) -> Answer:
        if name in ("census_table", "fingerprint"):
            read.update(f"{name} {partition}" for partition in bound["partitions"])
        return query(self, name, sql, bound)

    with patch.object(Warehouse, "_query", noted), Warehouse(incident, case.dsn, answers=folder) as warehouse:
        held = census.holdings(warehouse, action.baseline(incident, case.ledger.lines()))
        said = held.answer.rows, fingerprint.of_window(warehouse)
        return sorted(read), said


EACH = ["census_table 202601", "census_table 202602", "fingerprint 202601", "fingerprint 202602"]


@pytest.mark.usefixtures("in_ranges")
def test_a_partition_of_the_same_files_is_not_read_again(backfilled: Case, tmp_path: Path) -> None:
    said = since_the_backfill(backfilled, None)[1]
    assert since_the_backfill(backfilled, tmp_path) == (EACH, said)
    assert since_the_backfill(backfilled, tmp_path) == ([], said)


@pytest.mark.usefixtures("in_ranges")
def test_what_is_in_quarantine_is_accounted_for_in_its_partition(recovered: Case, tmp_path: Path) -> None:
    said = since_the_backfill(recovered, None)[1]
    assert any(row["account"] == "quarantined" for row in said[0])
    assert since_the_backfill(recovered, tmp_path) == (EACH, said)
    assert since_the_backfill(recovered, tmp_path) == ([], said)


@pytest.mark.usefixtures("in_ranges")
def test_a_partition_that_a_live_writer_adds_to_is_read_again_and_no_other(backfilled: Case, tmp_path: Path) -> None:
    case, folder = backfilled.clone(tmp_path), tmp_path / "answers"
    since_the_backfill(case, folder)
    added("concat(fill_id, 'y') AS fill_id, event_time + INTERVAL 30 DAY AS event_time", CLEAN)(case)
    read, said = since_the_backfill(case, folder)
    assert read == [name for name in EACH if "202602" in name]
    assert said == since_the_backfill(case, None)[1]


def test_of_a_copy_by_hard_links_only_the_partitions_that_differ_are_read(backfilled: Case, tmp_path: Path) -> None:
    """As of a snapshot, while a live writer adds to one of its partitions."""
    case, folder = backfilled.clone(tmp_path), tmp_path / "answers"
    since_the_backfill(case, folder)
    case.command(f"CREATE TABLE copy AS {FILLS}")
    for partition in ("202601", "202602"):
        case.command(f"ALTER TABLE copy ATTACH PARTITION ID '{partition}' FROM {FILLS}")
    case.command(
        f"INSERT INTO copy SELECT * REPLACE('more' AS fill_id) FROM {FILLS} WHERE _partition_id = '202602' LIMIT 1"
    )
    with Warehouse(load(case.incident), case.dsn, answers=folder) as warehouse:
        found = fingerprint.ask(warehouse, "copy")
    with Warehouse(load(case.incident), case.dsn) as warehouse:
        assert fingerprint.ask(warehouse, "copy").rows == found.rows != fingerprint.ask(warehouse).rows
        assert 0 < found.rows_read < fingerprint.ask(warehouse, "copy").rows_read / 2


@pytest.mark.usefixtures("in_ranges")
@pytest.mark.parametrize("fault", list(FAULTS)[:: rounds(12, 1)])
def test_whatever_was_changed_since_is_seen(backfilled: Case, tmp_path: Path, fault: str) -> None:
    case, folder = backfilled.clone(tmp_path), tmp_path / "answers"
    since_the_backfill(case, folder)
    FAULTS[fault](case)
    assert since_the_backfill(case, folder)[1] == since_the_backfill(case, None)[1]


@pytest.mark.usefixtures("in_ranges")
def test_where_an_identity_has_rows_in_two_partitions_both_are_read_together(backfilled: Case, tmp_path: Path) -> None:
    case, folder = backfilled.clone(tmp_path), tmp_path / "answers"
    since_the_backfill(case, folder)
    added("event_time + INTERVAL 30 DAY AS event_time", CLEAN)(case)
    said = since_the_backfill(case, None)[1]
    for _ in range(2):
        read, again = since_the_backfill(case, folder)
        assert {"census_table 202601", "census_table 202602"} <= set(read)
        assert again == said


@pytest.mark.usefixtures("in_ranges")
def test_where_quarantine_is_divided_otherwise_all_is_read_together(recovered: Case, tmp_path: Path) -> None:
    case, folder = recovered.clone(tmp_path), tmp_path / "answers"
    name = load(case.incident).table.quarantine
    case.command(f"CREATE TABLE other AS {name} ENGINE = MergeTree PARTITION BY source ORDER BY fill_id")
    case.command(f"INSERT INTO other SELECT * FROM {name}")
    case.command(f"EXCHANGE TABLES other AND {name}")
    since_the_backfill(case, folder)
    read, said = since_the_backfill(case, folder)
    assert read == EACH[:2]
    assert said == since_the_backfill(case, None)[1]


@pytest.mark.usefixtures("in_ranges")
def test_what_changed_while_it_was_read_is_not_kept(backfilled: Case, tmp_path: Path) -> None:
    case, folder, ask = backfilled.clone(tmp_path), tmp_path / "answers", Warehouse.ask

    def beside(self: Warehouse, name: str, **given: Any) -> Answer:
        answer = ask(self, name, **given)
        if name in ("census_table", "fingerprint"):
            case.command(f"ALTER TABLE {FILLS} UPDATE usdc_delta = usdc_delta + 1 WHERE 1 SETTINGS mutations_sync = 2")
        return answer

    with patch.object(Warehouse, "ask", beside):
        since_the_backfill(case, folder)
    assert since_the_backfill(case, folder) == (EACH, since_the_backfill(case, None)[1])


def test_where_no_parts_are_seen_all_is_asked_each_time(backfilled: Case, tmp_path: Path) -> None:
    """As with a login that may not see them."""
    with patch.object(parts, "in_order", lambda *_: []):
        for _ in range(2):
            assert since_the_backfill(backfilled, tmp_path)[0] == EACH


@pytest.mark.parametrize("processes", [1, 2], ids=["one process", "two of one run"])
def test_what_a_run_was_answered_before_a_write_is_not_kept_as_what_is_there_after_it(
    backfilled: Case, tmp_path: Path, processes: int
) -> None:
    case = backfilled.clone(tmp_path)
    incident = load(case.incident)
    run = tmp_path / "run"
    run.mkdir()
    with Warehouse(incident, case.dsn, answers=tmp_path / "answers", shared=run) as first:
        before = fingerprint.of_window(first)
        added("usdc_delta + 1 AS usdc_delta, _version + 1 AS _version", CLEAN)(case)
        if processes == 1:
            assert fingerprint.of_window(first) == before  # a run is answered each thing once
            first.forget()
            assert fingerprint.of_window(first) != before
        else:
            with Warehouse(incident, case.dsn, answers=tmp_path / "answers", shared=run) as second:
                fingerprint.of_window(second)
    with Warehouse(incident, case.dsn, answers=tmp_path / "answers") as later, Warehouse(incident, case.dsn) as asking:
        assert fingerprint.of_window(later) == fingerprint.of_window(asking) != before


def test_what_is_kept_was_asked_after_its_files_were_looked_at(backfilled: Case, tmp_path: Path) -> None:
    """Whatever the run was answered before, by another way."""
    case = backfilled.clone(tmp_path)
    incident = load(case.incident)
    with Warehouse(incident, case.dsn, answers=tmp_path / "answers") as warehouse:
        start, end = incident.window.start, incident.window.end
        for partition in incident.table.partitions:
            warehouse.ask("fingerprint", names={}, partitions=[partition], time_from=start, time_to=end)
        added("usdc_delta + 1 AS usdc_delta, _version + 1 AS _version", CLEAN)(case)
        with Warehouse(incident, case.dsn) as asking:
            assert fingerprint.of_window(warehouse) == fingerprint.of_window(asking)


@pytest.mark.usefixtures("in_ranges")
def test_an_identity_in_quarantine_that_came_to_another_partition_is_accounted_for_as_one(
    recovered: Case, tmp_path: Path
) -> None:
    case, folder = recovered.clone(tmp_path), tmp_path / "answers"
    since_the_backfill(case, folder)
    name = load(case.incident).table.quarantine
    case.command(
        f"INSERT INTO {FILLS} SELECT * REPLACE(event_time + INTERVAL 30 DAY AS event_time) FROM {name} LIMIT 1"
    )
    said = since_the_backfill(case, None)[1]
    assert since_the_backfill(case, folder)[1] == said
    assert any(row["account"] == "changed" for row in said[0])


def test_the_order_of_parts_is_a_part_of_what_they_hold(backfilled: Case, tmp_path: Path) -> None:
    """Of two rows of one key and version FINAL shows the one of the later part."""
    case, folder = backfilled.clone(tmp_path), tmp_path / "answers"
    case.command(f"SYSTEM STOP MERGES {FILLS}")
    for change in (1, 2):
        added(f"usdc_delta + {change} AS usdc_delta, _version + 1 AS _version", one(CLEAN)(case))(case)
    since_the_backfill(case, folder)
    names = case.client.query(
        f"SELECT name FROM system.parts WHERE database = currentDatabase() AND table = '{FILLS}' AND active "
        "AND partition_id = '202601' AND rows = 1 ORDER BY min_block_number"
    ).result_columns[0]
    assert len(names) == 2
    case.command(f"ALTER TABLE {FILLS} DETACH PART '{names[0]}'")
    case.command(f"ALTER TABLE {FILLS} ATTACH PART '{names[0]}'")
    assert since_the_backfill(case, folder)[1] == since_the_backfill(case, None)[1]


def test_only_the_newest_files_are_kept(broken: Case, tmp_path: Path) -> None:
    answer = Answer("census_matched", "", {}, "q", "", "", 0.0, 0, 0, [])
    with Warehouse(load(broken.incident), broken.dsn, answers=tmp_path) as warehouse:
        for number in range(reuse.FILES + 3):
            reuse.once(warehouse, [], number, lambda: answer)
    assert len(list(tmp_path.glob("*.json"))) == reuse.FILES
