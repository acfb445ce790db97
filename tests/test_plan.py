"""The plan as a value, and the command that proves and shows it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from recovery import plan, prover, staging
from recovery.actions import ACTIONS
from recovery.incident import load
from recovery.statements import Column, Schema, Write, partition_expression
from recovery.warehouse import Warehouse
from recovery.workplace import Workplace
from scripts.plan import main
from tests.conftest import Case

FILLS = "pm_canonical_fills_v4"


@contextmanager
def workplace(case: Case) -> Iterator[Workplace]:
    with patch.dict(os.environ, case.env), Warehouse(load(case.incident), case.dsn, writable=True) as store:
        yield Workplace(store.incident, store, case.ledger, "test", lambda: case.now)


def stages(case: Case) -> dict[str, plan.Stage]:
    with workplace(case) as place:
        return {stage.plan.action: stage for stage in plan.stages(place)}


def show(case: Case, *words: str) -> int:
    with patch.dict(os.environ, case.env):
        return main(
            [f"--incident={case.incident}", f"--clickhouse={case.dsn}", f"--ledger={case.ledger.path}",
             f"--now={case.now.isoformat()}", *words]
        )  # fmt: skip


def everything(case: Case) -> tuple[Any, ...]:
    """The tables and the table's parts: whatever writes changes them."""
    tables = case.value(f"SELECT arraySort(groupArray(name)) FROM system.tables WHERE database = '{case.database}'")
    return case.fingerprint(), tables


def test_the_command_shows_findings_and_statements_in_order_and_writes_nothing_on_the_server(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    before = everything(case)
    assert show(case) == 0
    out = capsys.readouterr().out
    assert everything(case) == before
    assert "findings are GO" in out
    assert "\n  NO-GO" not in out
    marks = ("Preflight:", "phase1, deploy:", "phase2, backfill: insert", "INSERT INTO", "phase4, deduplicate: remove")
    places = [out.index(mark) for mark in marks]
    assert places == sorted(places)
    assert "about" in out
    assert "seconds: not measured yet" in out
    assert "undo: restore the snapshot" in out
    assert f"OPTIMIZE TABLE `{case.database}`.`{FILLS}` PARTITION ID '202601' FINAL" in out
    assert "key_from = ''" in out
    assert [secret for secret in case.env.values() if secret in out] == []
    assert case.lines("finished")[-1]["phase"] == "preflight"


def test_a_finding_that_is_no_go_is_shown_with_its_sentence_and_ends_with_1(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    case.command("CREATE TABLE copies (fill_id String) ENGINE = MergeTree ORDER BY fill_id")
    case.command(f"CREATE MATERIALIZED VIEW copying TO copies AS SELECT fill_id FROM {FILLS}")
    assert show(case) == 1
    out = capsys.readouterr().out
    (line,) = [line for line in out.splitlines() if line.startswith("  NO-GO")]
    assert f"copying writes to {case.database}.copies: it does not see the rows that the backfill moves in" in line
    assert "phase2, backfill: insert" in out


def test_what_no_plan_can_be_made_for_is_said(
    case: Case, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recovery.backfill.WAIT_FOR_CLOCK_SECONDS", 1)
    case.command(
        f"INSERT INTO {FILLS} SELECT * REPLACE(18446744073709551615 AS _version) FROM {FILLS} "
        "WHERE source = 'clob' AND condition_id != '' LIMIT 1"
    )
    assert show(case) == 1
    assert "No plan can be made: a row written now would get version" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--incident=nowhere.toml",), 4, "no such file"),
        (("--clickhouse=clickhouse://127.0.0.1:1",), 13, "cannot be reached"),
        (("--now=yesterday",), 4, "is not a time with its zone"),
        (("--unknown",), 4, "unrecognized arguments"),
    ],
)
def test_wrong_use_gives_its_exit_code_and_a_sentence(
    broken: Case, words: tuple[str, ...], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show(broken, *words) == code
    assert said in capsys.readouterr().err


def test_the_statements_of_the_plan_are_those_that_run(backfilled: Case, tmp_path: Path) -> None:
    case = backfilled.clone(tmp_path)
    ran: list[tuple[str, str]] = []
    real = Warehouse.write

    def write(self: Warehouse, name: str, **words: Any) -> Any:
        answer = real(self, name, **words)
        ran.append((name, answer.sql))
        return answer

    with workplace(case) as place:
        action = ACTIONS["deduplicate"]
        made = action.plan(place)
        shown = [
            (each.name, place.warehouse.composed(each)[0]) for unit in made.units for each in action.writes(place, unit)
        ]
        with patch.object(Warehouse, "write", write):
            for number, unit in enumerate(made.units):
                action.do(place, made, unit, f"{number}-unfinished")
    assert len(shown) > 5
    # what is not finished has a name that is used once
    assert [(name, sql.replace("_finished", f"_{staging.UNNAMED}")) for name, sql in ran] == shown


def test_the_deduplication_is_planned_as_the_backfill_leaves_the_table(broken: Case, backfilled: Case) -> None:
    names = ("classes", "orphans", "window_rows_after")  # rows of equal keys merge away in between, identities do not
    foreseen, found = stages(broken)["deduplicate"].plan, stages(backfilled)["deduplicate"].plan
    assert {name: foreseen.facts[name] for name in names} == {name: found.facts[name] for name in names}
    assert foreseen.facts["superseded_rows"] > 0
    assert [unit.kind for unit in foreseen.units] == [unit.kind for unit in found.units]
    assert stages(backfilled)["backfill"].steps == ()


def test_a_snapshot_is_planned_of_the_partitions_that_are_there(broken: Case) -> None:
    statements = stages(broken)["backfill"].snapshot
    assert [each.name for each in statements] == ["snapshot_create", "snapshot_attach", "snapshot_attach"]
    assert "before_phase2" in statements[0].sql
    assert stages(broken)["deploy"].snapshot == ()


def started(*units: tuple[str, str]) -> dict[str, Any]:
    return {
        "kind": "started",
        "action": "backfill",
        "plan": {"units": [{"label": name, "kind": kind} for name, kind in units]},
    }


def done(name: str, rows: int, seconds: float) -> dict[str, Any]:
    return {"kind": "unit", "action": "backfill", "unit": name, "state": "done", "rows": rows, "seconds": seconds}


def test_the_disk_that_is_wanted_is_what_optimize_asks_for_at_the_largest_partition() -> None:
    forecast = prover.Forecast(rows=10, bytes_per_row=3, affected=150, largest=100)
    assert forecast.rewritten == 150 + 30
    assert forecast.asked == 2 * (100 + 30)
    assert forecast.needed == 30 + 50 + 2 * (100 + 30)


def test_seconds_come_from_finished_units_of_the_same_kind_alone() -> None:
    lines = [
        started(("a", "insert"), ("b", "insert"), ("c", "merge"), ("d", "copy")),
        {"kind": "unit", "action": "backfill", "unit": "d", "state": "started"},
        done("a", 1_000, 2.0), done("b", 3_000, 6.0), done("c", 0, 5.0), done("c", 0, 7.0), done("unknown", 1, 1.0),
    ]  # fmt: skip
    found = plan.rates(lines)
    assert sorted(found) == [("backfill", "insert"), ("backfill", "merge")]
    assert found["backfill", "insert"].of(500) == 1.0
    assert found["backfill", "merge"].of(0) == 6.0


def test_a_stage_has_a_time_only_when_all_its_steps_have(backfilled: Case) -> None:
    stage = stages(backfilled)["deduplicate"]
    assert stage.seconds is None
    assert {step.seconds for step in stage.steps} == {None}
    steps = tuple(plan.Step(str(seconds), 1, 1, seconds, "", ()) for seconds in (1.5, 2.0))
    assert plan.Stage("phase4", stage.plan, (), steps).seconds == 3.5


@pytest.mark.parametrize(
    ("key", "expression"),
    [
        ("", "tuple()"),
        ("toYYYYMM(at)", "toYYYYMM(at)"),
        ("day", "(toDate(at))"),
        ("(day, kind)", "((toDate(at)), kind)"),
        ("v % 4", "tuple()"),
    ],
)
def test_the_partition_key_is_asked_on_the_columns_that_a_right_row_has(key: str, expression: str) -> None:
    columns = (
        Column("at", "DateTime", "", ""),
        Column("kind", "String", "", ""),
        Column("day", "Date", "MATERIALIZED", "toDate(at)"),
        Column("v", "UInt64", "DEFAULT", "1"),
    )
    schema = Schema(columns, "ReplacingMergeTree", "", "at", key, "", "String")
    assert partition_expression(schema, "v") == expression


def test_a_composed_write_has_its_parameters_as_clickhouse_gets_them(broken: Case) -> None:
    with workplace(broken) as place:
        start = place.incident.window.start
        sql, values = place.warehouse.composed(
            Write("quarantined_delete", values={"time_from": start, "partitions": ["p"]})
        )
    assert sql.splitlines()[1] == f"DELETE FROM `default`.`{FILLS}`"
    assert values == {"time_from": "2026-01-17 00:00:00", "partitions": ["p"]}
