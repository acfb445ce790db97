"""Readers during a swap see every row that was there at its start once, and never broken again once it was repaired."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from recovery.warehouse import Warehouse
from tests.conftest import Case, connect
from tests.faults.conftest import rounds
from tests.test_actions import FILLS, act, gates_open, load

__all__ = ["gates_open"]
OWNED = "source = 'clob' AND event_time >= '2026-01-17' AND event_time < '2026-01-28'"


@dataclass
class Watch:
    """Polls and writes go on until `ended`; times are seconds of one clock."""

    case: Case
    ended: threading.Event = field(default_factory=threading.Event)
    polls: list[tuple[float, int, int, int, frozenset[str]]] = field(default_factory=list)
    written: dict[str, float] = field(default_factory=dict)
    faults: list[BaseException] = field(default_factory=list)

    def poll(self) -> None:
        client = connect(self.case.dsn, self.case.database)
        while not self.ended.is_set():
            began = time.monotonic()
            row = client.query(
                f"""SELECT countIf(fill_id IN (SELECT fill_id FROM at_start)),
                           uniqExactIf(fill_id, fill_id IN (SELECT fill_id FROM at_start)),
                           countIf(condition_id = '' AND fill_id IN (SELECT fill_id FROM at_start WHERE repairable)),
                           groupArrayIf(fill_id, startsWith(fill_id, 'new '))
                    FROM {FILLS} FINAL"""
            ).result_rows[0]
            self.polls.append((began, row[0], row[1], row[2], frozenset(row[3])))

    def write(self) -> None:
        client = connect(self.case.dsn, self.case.database)
        for number in itertools.count():
            if self.ended.wait(0.02):
                return
            client.command(
                f"INSERT INTO {FILLS} SELECT * REPLACE('new {number}' AS fill_id, 'negrisk' AS source, "
                f"toUnixTimestamp(now()) AS _version) FROM {FILLS} WHERE toDate(event_time) = '2026-01-30' LIMIT 1"
            )
            self.written[f"new {number}"] = time.monotonic()

    def started(self, *doing: Callable[[], None]) -> list[threading.Thread]:
        def guarded(do: Callable[[], None]) -> None:
            try:
                do()
            except BaseException as error:
                self.faults.append(error)

        threads = [threading.Thread(target=guarded, args=(do,)) for do in doing]
        for thread in threads:
            thread.start()
        return threads


def gaps(watch: Watch) -> float:
    """The longest time that a row was missing for readers, from the first poll that lacked it to the first that had it again."""
    longest = 0.0
    for name, written in watch.written.items():
        lacking = [began for began, *_, seen in watch.polls if began > written and name not in seen]
        if lacking:
            back = [began for began, *_, seen in watch.polls if began > lacking[-1] and name in seen]
            assert back, f"{name} never came back"
            longest = max(longest, back[0] - lacking[0])
    return longest


@pytest.mark.usefixtures("gates_open")
def test_every_poll_during_a_swap_sees_each_row_once_and_repaired_ones_stay_repaired(
    broken: Case, tmp_path: Path, figures: Callable[..., None]
) -> None:
    wanted, done, longest = rounds(8, 1_000), 0, 0.0
    while done < wanted:
        folder = tmp_path / str(done)
        folder.mkdir()
        case = broken.clone(folder)
        case.edit(deduplicate={"strategy": "swap"})
        incident = load(case.incident)
        with Warehouse(incident, case.dsn, writable=True) as warehouse:
            act(case, "phase2", warehouse)
        (shadow,) = [line["plan"]["facts"]["shadow"] for line in case.lines("done")]
        case.command(
            "CREATE TABLE at_start ENGINE = MergeTree ORDER BY fill_id AS "
            f"SELECT DISTINCT fill_id, condition_id = '' AND fill_id IN (SELECT fill_id FROM {shadow} WHERE condition_id != '') "
            f"AS repairable FROM {FILLS} FINAL "
            f"WHERE fill_id NOT IN (SELECT fill_id FROM {shadow} WHERE {OWNED} AND condition_id = '')"
        )
        there, repairable = case.client.query("SELECT count(), countIf(repairable) FROM at_start").result_rows[0]
        assert repairable > 1_000
        watch = Watch(case)
        threads = watch.started(watch.poll, watch.poll, watch.write)
        with Warehouse(incident, case.dsn, writable=True) as warehouse:
            act(case, "phase4", warehouse)
        after = len(watch.polls)
        while len(watch.polls) < after + 6 and not watch.faults:
            time.sleep(0.02)
        watch.ended.set()
        for thread in threads:
            thread.join()
        assert not watch.faults
        watch.polls.sort()
        assert {(rows, identities) for _, rows, identities, _, _ in watch.polls} == {(there, there)}
        assert {still for *_, still, _ in watch.polls} <= {0, repairable}
        assert watch.polls[0][3] == repairable
        assert watch.polls[-1][3] == 0
        there_now = case.value(f"SELECT groupArray(fill_id) FROM {FILLS} FINAL WHERE startsWith(fill_id, 'new ')")
        assert sorted(there_now) == sorted(watch.written)
        done += len(watch.polls)
        longest = max(longest, gaps(watch))
        figures(
            "readers during the swap",
            swaps=1,
            polls=len(watch.polls),
            polls_that_saw_a_fault=0,
            newer_rows=len(watch.written),
        )
    figures("readers during the swap", longest_gap_of_a_newer_row=f"{1000 * longest:.0f} ms")
