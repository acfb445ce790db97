"""What was matched once is not matched again, unless anything that it depends on was changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest

from recovery import census, matched, statements
from recovery.incident import load
from recovery.warehouse import Answer, Warehouse
from tests.conftest import Case
from tests.faults.data_faults import CLEAN, EVENTS, MAP, OWNED, Fault, added, one, removed, replaced
from tests.test_census import both, contents_swapped, counts, rows_per_range

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
        Warehouse(load(case.incident), case.dsn, matched=folder) as warehouse,
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
    assert first.count("census_matched") > 1
    assert "census_matched" not in second
    assert counts(found.rows) == counts(again.rows) == both(broken)[2]
    assert found.answers[0] == again.answers[0]  # and when it was asked


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
    assert "census_matched" in asked(broken, tmp_path, days=1)[0]


@pytest.mark.usefixtures("in_ranges")
@pytest.mark.parametrize("changed", ["census_table", "census_right", "census_matched", "identities", "has_a_right_row"])
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
    told["answer"]["rows"][0]["identities"] += 1
    path.write_text(json.dumps(told))


def of_another_kind(path: Path) -> None:
    path.write_text("[]")


@pytest.mark.usefixtures("in_ranges")
@pytest.mark.parametrize("spoil", [cut_short, one_more, of_another_kind])
def test_a_file_that_is_not_whole_is_not_believed(broken: Case, tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    _, found = asked(broken, tmp_path)
    (path,) = tmp_path.glob("*.json")
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


def test_only_the_newest_files_are_kept(broken: Case, tmp_path: Path) -> None:
    answer = Answer("census_matched", "", {}, "q", "", "", 0.0, 0, 0, [])
    with Warehouse(load(broken.incident), broken.dsn, matched=tmp_path) as warehouse:
        for number in range(matched.FILES + 3):
            matched.once(warehouse, number, lambda: answer)
    assert len(list(tmp_path.glob("*.json"))) == matched.FILES
