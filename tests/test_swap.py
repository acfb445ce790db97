"""The repair in a shadow: no reader sees a double or a missing row of what was repaired, and nothing that is written is lost."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import patch

import pytest

from recovery import plan, swap
from recovery.errors import GateClosed, StatementFailed
from recovery.incident import load
from recovery.warehouse import Warehouse
from recovery.workplace import Workplace
from scripts import rollback
from tests.conftest import Case
from tests.faults.conftest import rounds
from tests.faults.truth import left_over
from tests.test_actions import FILLS, finish, gates_open, interrupted, options
from tests.test_parts import asked
from tests.test_plan import workplace

__all__ = ["gates_open"]

CLEAN = ("preflight", "phase1", "phase2", "phase3", "phase4", "phase5")

# (phase, statement, whether it was executed)
INTERRUPTED = [
    ("phase2", "window_clear", True),
    ("phase2", "swap_shadow_settings", False),
    ("phase2", "swap_shadow_settings", True),
    ("phase4", "swap_replace", False),
    ("phase4", "swap_replace", True),
    ("phase4", "late_insert", False),
    ("phase4", "swap_catch_create", True),
    ("phase2", "snapshot_attach", True),
    ("phase2", "window_keep", False),
    ("phase2", "backfill", False),
    ("phase2", "staging_whole", False),
    ("phase2", "staging_move", True),
    ("phase4", "optimize", False),
    ("phase4", "swap_catch_drop", False),
    ("phase4", "late_insert", True),
    ("phase4", "quarantined_delete", False),
]


@pytest.fixture
def swapping(case: Case) -> Case:
    return swapped(case)


@pytest.fixture(scope="module")
def stage(broken: Case, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """After phase 2, which has built the shadow. Clone it, do not change it."""
    case = swapped(broken.clone(tmp_path_factory.mktemp("built")))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("recovery.gate.reasons_to_refuse", lambda *asked: [])
        finish(case, "phase2")
    return case


@pytest.fixture
def built(stage: Case, tmp_path: Path) -> Case:
    """The same, to be changed at will."""
    return stage.clone(tmp_path)


def swapped(case: Case) -> Case:
    """The case, to be repaired in a shadow."""
    case.edit(deduplicate={"strategy": "swap"}, backfill={"unit_rows": 2_000})
    return case


def test_a_swap_goes_through_all_phases_and_leaves_the_same_table_as_the_repair_in_place(
    swapping: Case, recovered: Case
) -> None:
    untouched = swapping.fingerprint()
    assert swapping.pytest(" or ".join(CLEAN[:4]), "--execute") == 0, swapping.output
    assert swapping.fingerprint() == untouched
    assert swapping.pytest("phase4", "--execute") == 0, swapping.output
    assert swapping.fingerprint() == recovered.fingerprint()
    assert swapping.pytest(" or ".join(CLEAN[2:])) == 0, swapping.output
    assert {phase: swapping.verdict(phase) for phase in CLEAN[2:]} == dict.fromkeys(CLEAN[2:], "GO")
    left = swapping.value(
        "SELECT groupArray(name) FROM system.tables WHERE database = currentDatabase() AND match(name, 'shadow|worklist|lock')"
    )
    assert left == []


def insert_now(case: Case, name: str, source: str = "negrisk", day: str = "2026-01-30") -> None:
    """A row that another writer adds to a partition that is being repaired."""
    case.command(
        f"INSERT INTO {FILLS} SELECT * REPLACE('{name}' AS fill_id, '{source}' AS source, toUnixTimestamp(now()) AS _version) "
        f"FROM {FILLS} WHERE condition_id != '' AND toDate(event_time) = '{day}' LIMIT 1"
    )


def copies(case: Case, name: str) -> int:
    return int(case.value(f"SELECT count() FROM {FILLS} FINAL WHERE fill_id = '{name}'"))


@pytest.mark.parametrize(("phase", "statement", "after"), INTERRUPTED[: rounds(4, len(INTERRUPTED))])
@pytest.mark.usefixtures("gates_open")
def test_a_swap_that_is_interrupted_goes_on_and_loses_nothing(
    request: pytest.FixtureRequest, recovered: Case, phase: str, statement: str, after: bool
) -> None:
    case: Case = request.getfixturevalue("built" if phase == "phase4" else "swapping")
    if phase == "phase4":
        insert_now(case, "between")
    interrupted(case, phase, statement, after=after, error=StatementFailed, recorded=statement != "snapshot_attach")
    insert_now(case, "later")
    if phase == "phase2":
        finish(case, "phase2")
    finish(case, "phase4")
    assert (copies(case, "later"), copies(case, "between")) == (1, int(phase == "phase4"))
    assert left_over(case) == []
    case.command(f"ALTER TABLE {FILLS} DELETE WHERE fill_id IN ('later', 'between')")
    assert case.fingerprint() == recovered.fingerprint()


@pytest.mark.parametrize("is_written_to", [False, True])
@pytest.mark.usefixtures("gates_open")
def test_only_parts_that_came_meanwhile_are_looked_through_for_late_rows(built: Case, is_written_to: bool) -> None:
    if is_written_to:
        insert_now(built, "between")
    with asked() as names:
        finish(built, "phase4")
    assert ("late_left" in names) is is_written_to
    assert copies(built, "between") == int(is_written_to)


def test_a_partition_that_has_the_shadows_parts_is_in_place_only_when_what_it_held_is_aside(built: Case) -> None:
    (line,) = built.lines("done")
    shadow = line["plan"]["facts"]["shadow"]
    built.command(f"ALTER TABLE {FILLS} REPLACE PARTITION ID '202601' FROM {shadow}")
    with workplace(built) as place:
        unit = next(unit for unit in swap.Swap().plan(place).units if unit.kind == "replace")
        assert unit.values["partition"] == "202601"
        assert not swap._is_in_place(place, unit)
        built.command(f"CREATE TABLE {shadow}_aside_{unit.values['number']} AS {FILLS}")
        assert swap._is_in_place(place, unit)


def test_what_is_taken_out_of_the_shadow_is_not_counted_in_the_disk_that_its_merge_asks_for(built: Case) -> None:
    with workplace(built) as place:
        planned = [unit for unit in swap.Swap().plan(place).units if unit.kind == "merge"]
        for unit in planned:
            held = swap.bytes_of(place, unit.values["shadow"])
            assert 0 < unit.bytes < held[unit.values["partition"]]
            made = built.value(f"SHOW CREATE TABLE {unit.values['shadow']}")
            assert "exclude_deleted_rows_for_part_size_in_merge = 1" in made
            assert "load_existing_rows_count_for_old_parts = 1" in made
    assert planned


def test_the_shadow_stays_in_the_parts_that_it_was_built_in_until_the_swap_merges_them(built: Case) -> None:
    (line,) = built.lines("done")
    shadow = line["plan"]["facts"]["shadow"]
    asked = f"SELECT groupArray(name) FROM (SELECT name FROM system.parts WHERE table = '{shadow}' AND active ORDER BY name)"
    before = built.value(asked)
    assert len(before) > 2
    built.command(f"OPTIMIZE TABLE {shadow}")  # one merge, as in the background; the swap's is FINAL
    assert built.value(asked) == before


@pytest.mark.usefixtures("gates_open")
def test_a_swap_is_refused_once_the_window_or_the_shadow_was_written_to(built: Case) -> None:
    (line,) = built.lines("done")
    shadow = line["plan"]["facts"]["shadow"]
    built.command(f"CREATE TABLE kept CLONE AS {shadow}")
    built.command(f"ALTER TABLE {shadow} DELETE WHERE toDate(event_time) = '2026-01-20'")
    with pytest.raises(GateClosed, match=r"in the shadow [\d,]+ identities are missing"):
        finish(built, "phase4")
    built.command(f"EXCHANGE TABLES kept AND {shadow}")
    insert_now(built, "another", source="clob", day="2026-01-20")
    with pytest.raises(GateClosed, match="the window was written to since the shadow was built"):
        finish(built, "phase4")
    built.command(f"DROP TABLE {shadow}")
    with pytest.raises(GateClosed, match="is not there any more; run pytest -m phase2 --execute"):
        finish(built, "phase4")


@pytest.mark.usefixtures("gates_open")
def test_a_swap_is_taken_back_and_what_others_wrote_since_stays(built: Case) -> None:
    before = built.fingerprint()
    finish(built, "phase4")
    insert_now(built, "outside")
    insert_now(built, "inside", day="2026-01-20")
    name = built.lines("started")[-1]["snapshot"]
    assert rollback.main([*options(built), "--restore", name, "--execute"]) == 0
    assert (copies(built, "outside"), copies(built, "inside")) == (1, 1)
    built.command(f"ALTER TABLE {FILLS} DELETE WHERE fill_id IN ('outside', 'inside')")
    assert built.fingerprint() == before


def test_the_plan_of_a_swap_is_shown_before_anything_is_built(swapping: Case) -> None:
    incident = load(swapping.incident)
    with Warehouse(incident, swapping.dsn) as warehouse, patch.dict(os.environ, swapping.env):
        place = Workplace(incident, warehouse, swapping.ledger, "plan", lambda: swapping.now)
        shown = {stage.plan.action: stage for stage in plan.stages(place)}
    assert list(shown) == ["deploy", "build", "swap", "rebuild", "refresh"]
    statements = [statement.sql for step in shown["swap"].steps for statement in step.statements]
    assert any("REPLACE PARTITION ID '202601' FROM" in sql for sql in statements)
    assert not any("202602" in sql for sql in statements if "REPLACE PARTITION" in sql)
    assert shown["build"].steps[0].undo == "none needed: the table is not touched"
