"""Undo after each phase that changes the table, while a writer goes on: the window as before, and what the writer added stays."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recovery import restore
from recovery.warehouse import Warehouse
from recovery.workplace import Workplace
from tests.conftest import Case, connect
from tests.faults.conftest import rounds
from tests.test_actions import FILLS, finish, gates_open, load

__all__ = ["gates_open"]

UNDONE = [("swap", "phase4"), ("delete", "phase2"), ("delete", "phase4"), ("swap", "phase2")]


@contextmanager
def writer(case: Case, names: list[str]) -> Iterator[None]:
    """Another's rows, into the window and beside it, for as long as this lasts; `names` has those that were acknowledged."""
    ended = threading.Event()

    def write() -> None:
        client = connect(case.dsn, case.database)
        for number in itertools.count(len(names)):
            day = ("2026-01-20", "2026-01-30")[number % 2]
            client.command(
                f"INSERT INTO {FILLS} SELECT * REPLACE('new {number}' AS fill_id, 'negrisk' AS source, "
                f"toUnixTimestamp(now()) AS _version) FROM {FILLS} "
                f"WHERE condition_id != '' AND toDate(event_time) = '{day}' LIMIT 1"
            )
            names.append(f"new {number}")
            if ended.wait(0.05):
                return

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.usefixtures("gates_open")
@pytest.mark.parametrize(("strategy", "phase"), UNDONE[: rounds(1, len(UNDONE))])
@pytest.mark.parametrize("number", range(rounds(1, 5)))
def test_a_restore_beside_a_writer_gives_the_window_back_and_keeps_what_was_added(
    broken: Case, tmp_path: Path, figures: Callable[..., None], strategy: str, phase: str, number: int
) -> None:
    case = broken.clone(tmp_path)
    case.edit(deduplicate={"strategy": strategy})
    if phase == "phase4":
        finish(case, "phase2")
    before = case.fingerprint()
    finish(case, phase)
    (taken,) = [line for line in case.lines("snapshot") if line["name"] == case.lines("started")[-1]["snapshot"]]
    incident, names = load(case.incident), list[str]()
    with Warehouse(incident, case.dsn, writable=True) as warehouse, writer(case, names):
        place = Workplace(incident, warehouse, case.ledger, "undo", lambda: case.now, tell=lambda line: None)
        restore.restore(place, taken)
    there = case.value(f"SELECT groupArray(fill_id) FROM {FILLS} FINAL WHERE startsWith(fill_id, 'new ')")
    assert sorted(there) == sorted(names)
    case.command(f"ALTER TABLE {FILLS} DELETE WHERE startsWith(fill_id, 'new ')")
    assert case.fingerprint() == before
    figures("undo", restores=1, fingerprints_equal=1, rows_added_meanwhile=len(names), rows_lost=0)
