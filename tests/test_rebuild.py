"""The rebuild makes the positions anew; it can be interrupted anywhere and taken back, and no reader meets an empty month."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from recovery import fingerprint, positions
from recovery.errors import ActionFailed, GateClosed, StatementFailed
from recovery.incident import load
from recovery.rebuild_fifo import Rebuild
from recovery.warehouse import Warehouse
from recovery.workplace import Workplace
from scripts import build_trade_fifo, rollback
from tests.conftest import Case, connect
from tests.faults.conftest import rounds
from tests.test_actions import finish, gates_open, interrupted, options

__all__ = ["gates_open"]

POSITIONS, FILLS, ENDED = "pm_trade_fifo_roi_v3", "pm_canonical_fills_v4", "pm_condition_resolutions"
OLD = f"INSERT INTO {POSITIONS} (tx_hash, wallet, condition_id, tokens, cost_usd, resolved_at)"
# A month in one unit is quicker; one in several has parts to attach and to merge.
AT_ONCE, IN_SLICES = {"fills_per_unit": 3_000}, {"fills_per_unit": 1_000, "max_parts": 1}
# (statement, whether it was executed)
INTERRUPTED = [
    ("positions_conditions_fill", True),
    ("positions_build", False),
    ("positions_build", True),
    ("staging_whole", True),
    ("positions_attach", True),
    ("positions_carry", True),
    ("optimize", False),
    ("positions_replace", False),
    ("positions_replace", True),
    ("drop_table", True),
]


def rows(case: Case, where: str = "1") -> Any:
    """Everything that the positions hold, whatever the parts."""
    return case.value(f"SELECT (count(), sum(sipHash64(*))) FROM {POSITIONS} FINAL WHERE {where}")


def left_over(case: Case) -> Any:
    return case.value(
        "SELECT groupArray(name) FROM system.tables WHERE database = currentDatabase() AND position(name, '_shadow_') > 0"
    )


@pytest.fixture(scope="module")
def stage(broken: Case, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Positions of before, in the months and outside of them. Clone it, do not change it."""
    case = broken.clone(tmp_path_factory.mktemp("stage"))
    case.edit(positions=AT_ONCE)
    case.command(f"TRUNCATE TABLE {POSITIONS}")
    for month in ("2025-12-05", "2026-01-20", "2026-02-01"):
        case.command(
            f"{OLD} SELECT concat('{month}', toString(number)), 'w', 'old', 1, 1, '{month} 00:00:00' FROM numbers(50)"
        )
    return case


@pytest.fixture
def old(stage: Case, tmp_path: Path) -> Case:
    return stage.clone(tmp_path)


@pytest.fixture(scope="module")
def stage_rebuilt(stage: Case, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """After phase 6. Clone it, do not change it."""
    case = stage.clone(tmp_path_factory.mktemp("rebuilt"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("recovery.gate.reasons_to_refuse", lambda *asked: [])
        finish(case, "phase6")
    return case


@pytest.fixture
def rebuilt(stage_rebuilt: Case, tmp_path: Path) -> Case:
    return stage_rebuilt.clone(tmp_path)


@pytest.fixture(scope="module")
def undisturbed(stage_rebuilt: Case) -> Any:
    """What the months hold in the end when nothing happens, but for what the clock lets in."""
    return rows(stage_rebuilt)


@pytest.mark.usefixtures("gates_open")
@pytest.mark.parametrize(("statement", "after"), INTERRUPTED[:: rounds(2, 1)], ids=lambda value: str(value))
def test_a_rebuild_that_is_interrupted_goes_on_where_it_was(
    old: Case, undisturbed: Any, statement: str, after: bool
) -> None:
    old.edit(positions=IN_SLICES)
    interrupted(old, "phase6", statement, after=after, error=StatementFailed)
    finish(old, "phase6")
    assert rows(old) == undisturbed
    assert rows(old, "resolved_at < '2026-01-01'")[0] == 50
    assert rows(old, "condition_id = 'old' AND resolved_at >= '2026-01-01'")[0] == 0
    assert left_over(old) == []
    assert [line["action"] for line in old.lines("done")] == ["rebuild"]
    done = [line["unit"] for line in old.lines("unit") if line["state"] == "done"]
    assert len(done) == len(set(done))


@pytest.mark.usefixtures("gates_open")
@pytest.mark.parametrize("replace", ["swap", "drop"])
def test_a_restore_gives_the_months_back_as_they_were(
    old: Case, replace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    old.edit(positions={"replace": replace})
    before = rows(old)
    finish(old, "phase6")
    assert rows(old) != before
    taken = old.lines("snapshot")[-1]["name"]
    assert rollback.main([*options(old)]) == 0
    assert f"100 rows of 202601, 202602 of {POSITIONS}" in capsys.readouterr().out
    assert rollback.main([*options(old), "--restore", taken]) == 0
    assert rows(old) != before
    assert rollback.main([*options(old), "--restore", taken, "--execute"]) == 0
    assert rows(old) == before
    assert old.lines("restored")[-1]["undoes"] == ["rebuild"]
    finish(old, "phase6")  # and it can be done again
    assert len(old.lines("done")) == 2


@pytest.mark.usefixtures("gates_open")
def test_a_restore_that_is_interrupted_is_begun_again(
    stage: Case, rebuilt: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(stage)
    taken, write, sent = rebuilt.lines("snapshot")[-1], Warehouse.write, list[str]()

    def breaking(self: Warehouse, name: str, **given: Any) -> Any:
        answer = write(self, name, **given)
        sent.append(name)
        if sent.count("positions_replace") == 1 and name == "positions_replace":
            raise StatementFailed("the connection was lost", 210)
        return answer

    monkeypatch.setattr(Warehouse, "write", breaking)
    with Warehouse(load(rebuilt.incident), rebuilt.dsn, writable=True) as warehouse:
        place = Workplace(
            warehouse.incident, warehouse, rebuilt.ledger, "r", lambda: rebuilt.now, tell=lambda line: None
        )
        with pytest.raises(StatementFailed):
            positions.restore(place, taken)
        assert rows(rebuilt) != before
        positions.restore(place, taken)
    assert rows(rebuilt) == before


@pytest.mark.usefixtures("gates_open")
def test_a_restore_takes_no_later_rows_of_others_back_unless_it_is_told_to(
    rebuilt: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = rebuilt.lines("snapshot")[-1]["name"]
    rebuilt.command(f"{OLD} VALUES ('later', 'w', 'later', 1, 1, '2026-01-25 00:00:00')")
    words = [*options(rebuilt), "--restore", taken, "--execute"]
    assert rollback.main(words) == 11
    assert f"others have written to {POSITIONS} since" in capsys.readouterr().err
    assert rows(rebuilt, "condition_id = 'later'")[0] == 1
    assert rollback.main([*words, "--take-back-later-writes"]) == 0
    assert rows(rebuilt, "condition_id = 'old'")[0] == 150


@pytest.mark.usefixtures("gates_open")
def test_no_reader_meets_an_empty_month(old: Case) -> None:
    old.edit(positions=IN_SLICES)
    ended, seen = threading.Event(), list[tuple[int, int]]()

    def read() -> None:
        client = connect(old.dsn, old.database)
        while not ended.is_set():
            seen.append(
                client.query(
                    f"SELECT countIf(_partition_id = '202601'), countIf(_partition_id = '202602') FROM {POSITIONS} FINAL"
                ).result_rows[0]
            )

    reader = threading.Thread(target=read)
    reader.start()
    try:
        finish(old, "phase6")
    finally:
        ended.set()
        reader.join()
    assert len(seen) >= 10
    assert min(january for january, _ in seen) > 0
    assert min(february for _, february in seen) > 0


@pytest.mark.usefixtures("gates_open")
def test_a_month_that_others_wrote_to_meanwhile_is_not_replaced(old: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    old.edit(positions=IN_SLICES)
    write = Warehouse.write

    def beside(self: Warehouse, name: str, **given: Any) -> Any:
        if name == "optimize":
            old.command(f"{OLD} VALUES ('later', 'w', 'later', 1, 1, '2026-01-25 00:00:00')")
        return write(self, name, **given)

    monkeypatch.setattr(Warehouse, "write", beside)
    with pytest.raises(
        ActionFailed, match="others have written to 202601 since the snapshot was taken; nothing was replaced"
    ):
        finish(old, "phase6")
    assert rows(old, "condition_id = 'later'")[0] == 1
    assert rows(old, "condition_id = 'old'")[0] == 150


@pytest.mark.usefixtures("gates_open")
def test_rows_of_conditions_that_are_too_young_are_carried_over(old: Case) -> None:
    old.command(f"{OLD} VALUES ('young', 'w', 'young', 1, 1, '2026-02-02 05:30:00')")
    finish(old, "phase6")
    assert rows(old, "condition_id = 'young'")[0] == 1
    assert rows(old, "condition_id = 'old' AND resolved_at >= '2026-01-01'")[0] == 0


@pytest.mark.usefixtures("gates_open")
def test_a_month_of_which_nothing_can_be_made_stays_as_it_is(old: Case) -> None:
    old.command("ALTER TABLE pm_condition_resolutions DELETE WHERE resolved_at >= '2026-02-01'")
    with pytest.raises(
        ActionFailed, match="nothing was made for 202602, and the table holds 50 rows of it, which stay"
    ):
        finish(old, "phase6")
    assert rows(old, "resolved_at >= '2026-02-01'")[0] == 50


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        (
            f"CREATE TABLE other AS {POSITIONS} ENGINE = MergeTree ORDER BY wallet; EXCHANGE TABLES other AND {POSITIONS}",
            "it cannot be rebuilt month by month",
        ),
        (
            "INSERT INTO pm_condition_resolutions VALUES ('odd', '[0,0]', '1', '2026-01-20 00:00:00', now(), 0)",
            "have a payout that cannot be read",
        ),
    ],
    ids=["another table", "a payout of nothing"],
)
def test_a_rebuild_that_could_not_be_right_is_refused(old: Case, sql: str, sentence: str) -> None:
    for statement in sql.split("; "):
        old.command(statement)
    with Warehouse(load(old.incident), old.dsn) as warehouse:
        place = Workplace(warehouse.incident, warehouse, old.ledger, "r", lambda: old.now, tell=lambda line: None)
        (refusal,) = Rebuild().refusals(place)
    assert sentence in refusal


@pytest.mark.usefixtures("gates_open")
def test_without_execute_the_command_shows_its_plan_and_changes_nothing(
    old: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    before = rows(old)
    words = [*options(old), "--now", f"{old.now:%Y-%m-%dT%H:%M:%SZ}", "--start", "2026-01", "--end", "2026-03"]
    assert build_trade_fifo.main(words) == 0
    shown = capsys.readouterr().out
    assert "rebuild would make the positions of 202601, 202602 anew from" in shown
    assert "  - replace 202601 by it (undo: restore the snapshot)" in shown
    assert (rows(old), old.ledger.lines()) == (before, [])
    assert build_trade_fifo.main([*words, "--execute"]) == 0
    assert rows(old) != before
    assert build_trade_fifo.main(words) == 0
    assert "nothing to do" in capsys.readouterr().out


@pytest.mark.usefixtures("gates_open")
def test_the_command_rebuilds_some_of_the_months(old: Case, capsys: pytest.CaptureFixture[str]) -> None:
    february = rows(old, "resolved_at >= '2026-02-01'")
    words = [*options(old), "--now", f"{old.now:%Y-%m-%dT%H:%M:%SZ}"]
    assert build_trade_fifo.main([*words, "--end", "2026-02", "--execute"]) == 0
    assert rows(old, "resolved_at >= '2026-02-01'") == february
    assert rows(old, "condition_id = 'old' AND toYYYYMM(resolved_at) = 202601")[0] == 0
    for wrong in (
        ["--start", "2025-12"],
        ["--end", "2026-04"],
        ["--start", "2026-02", "--end", "2026-02"],
        ["--end", "soon"],
    ):
        assert build_trade_fifo.main([*words, *wrong]) == 4
        assert "months from 2026-01 to before 2026-03 are expected" in capsys.readouterr().err


@pytest.mark.usefixtures("gates_open")
def test_a_restore_of_some_months_leaves_the_others_alone(old: Case, capsys: pytest.CaptureFixture[str]) -> None:
    before = rows(old)
    words = [*options(old), "--now", f"{old.now:%Y-%m-%dT%H:%M:%SZ}"]
    assert build_trade_fifo.main([*words, "--end", "2026-02", "--execute"]) == 0
    taken = old.lines("snapshot")[-1]["name"]
    assert rollback.main([*options(old), "--restore", taken, "--execute"]) == 0, capsys.readouterr().err
    assert rows(old) == before


@pytest.mark.usefixtures("gates_open")
def test_after_a_restore_that_ended_what_others_write_is_guarded_again(rebuilt: Case) -> None:
    taken = rebuilt.lines("snapshot")[-1]["name"]
    words = [*options(rebuilt), "--restore", taken, "--execute"]
    assert rollback.main(words) == 0
    rebuilt.command(f"{OLD} VALUES ('later', 'w', 'later', 1, 1, '2026-01-25 00:00:00')")
    assert rollback.main(words) == 11
    assert rows(rebuilt, "condition_id = 'later'")[0] == 1


@pytest.mark.usefixtures("gates_open")
@pytest.mark.parametrize("statement", ["positions_replace", "drop_table"])
def test_a_rebuild_that_stopped_half_way_can_be_taken_back(old: Case, statement: str) -> None:
    before = rows(old)
    interrupted(old, "phase6", statement, after=True, error=StatementFailed)
    taken = old.lines("snapshot")[-1]["name"]
    assert rollback.main([*options(old), "--restore", taken, "--execute"]) == 0
    assert rows(old) == before


@pytest.mark.usefixtures("gates_open")
def test_a_rebuild_that_stopped_half_way_is_not_gone_on_with_by_other_rules(old: Case) -> None:
    interrupted(old, "phase6", "positions_build", after=True, error=StatementFailed)
    old.edit(positions={"least_cost": 5.0})
    with pytest.raises(GateClosed, match="was begun with other months or limits and did not end"):
        finish(old, "phase6")


@pytest.mark.usefixtures("gates_open")
def test_a_payout_that_was_corrected_after_a_rebuild_is_a_reason_for_another(rebuilt: Case) -> None:
    finish(rebuilt, "phase6")
    assert len(rebuilt.lines("done")) == 1  # nothing to do
    rebuilt.command(
        f"INSERT INTO {ENDED} SELECT * REPLACE(if(payout_numerators = '[1,0]', '[0,1]', '[1,0]') AS payout_numerators) "
        f"FROM (SELECT * FROM {ENDED} FINAL WHERE condition_id IN (SELECT condition_id FROM {POSITIONS}) LIMIT 1)"
    )
    finish(rebuilt, "phase6")
    assert len(rebuilt.lines("done")) == 2


@pytest.mark.usefixtures("gates_open")
def test_what_others_write_to_the_fills_during_a_rebuild_is_not_taken_for_the_suites_own(
    old: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Warehouse.write

    def beside(self: Warehouse, name: str, **given: Any) -> Any:
        if name == "positions_carry":
            old.command(
                f"INSERT INTO {FILLS} SELECT * REPLACE('x' AS fill_id, 'negrisk' AS source) FROM {FILLS} "
                "WHERE toDate(event_time) = '2026-01-22' LIMIT 1"
            )
        return write(self, name, **given)

    monkeypatch.setattr(Warehouse, "write", beside)
    finish(old, "phase6")
    done = old.lines("done")[-1]
    assert done["after"] == done["before"]
    with Warehouse(load(old.incident), old.dsn) as warehouse:
        assert fingerprint.of_window(warehouse) != done["after"]


def test_the_command_is_behind_the_gate_of_phase_6(old: Case, capsys: pytest.CaptureFixture[str]) -> None:
    before = rows(old)
    assert build_trade_fifo.main([*options(old), "--execute", "--now", f"{old.now:%Y-%m-%dT%H:%M:%SZ}"]) == 11
    refused = capsys.readouterr().err
    assert all(
        f"{phase} has no evidence; run pytest -m {phase}" in refused for phase in ("preflight", "phase1", "phase5")
    )
    assert rows(old) == before


def test_the_months_are_counted_over_the_turn_of_a_year(old: Case) -> None:
    known = positions.section(load(old.incident)).model_copy(update={"start": "2025-11", "end": "2026-03"})
    assert known.months == ["202511", "202512", "202601", "202602"]
