"""What is kept of a run beside the ledger: answers, samples, and rows before they are removed."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tomli_w

from recovery import kept
from recovery.kept import Kept, sha256_of
from recovery.ledger import Ledger
from recovery.warehouse import Answer
from tests.conftest import Case

FILLS = "pm_canonical_fills_v4"
BROKEN = "source = 'clob' AND condition_id = '' AND event_time >= '2026-01-17' AND event_time < '2026-01-28'"


def answer(rows: list[dict[str, Any]], query_id: str = "recovery-x-1") -> Answer:
    return Answer(
        "x", "SELECT 1", {"day": "2026-01-17"}, query_id, "clickhouse://db", "2026-02-02T06:00:00", 0.1, 1, 1, rows
    )


def test_an_answer_is_kept_as_json_and_as_parquet_with_their_hashes(tmp_path: Path) -> None:
    rows = [{"day": "2026-01-17", "rows": 7}, {"day": "2026-01-18", "rows": None}]
    hashes = Kept(tmp_path, 10).keep(answer(rows))
    told = json.loads((tmp_path / "recovery-x-1.json").read_text())
    assert (told["rows"], told["of"], told["sql"], told["parameters"]) == (rows, 2, "SELECT 1", {"day": "2026-01-17"})
    assert pq.read_table(tmp_path / "recovery-x-1.parquet").to_pylist() == rows
    assert hashes == {form: sha256_of(tmp_path / f"recovery-x-1.{form}") for form in ("json", "parquet")}


def test_rows_beyond_the_limit_are_left_out_and_counted(tmp_path: Path) -> None:
    Kept(tmp_path, 3).keep(answer([{"n": n} for n in range(5)]))
    told = json.loads((tmp_path / "recovery-x-1.json").read_text())
    assert (len(told["rows"]), told["of"]) == (3, 5)
    assert pq.read_table(tmp_path / "recovery-x-1.parquet").num_rows == 3


def test_values_of_several_kinds_large_numbers_and_odd_names_are_kept_too(tmp_path: Path) -> None:
    rows = [{"a": 1, "b": 2**100, "c": [1, "x"], "d": "\ud800"}, {"a": "x", "b": 1, "c": [], "e": None}]
    Kept(tmp_path, 10).keep(answer(rows, "a/../b c"))
    (parquet,) = tmp_path.glob("*.parquet")
    assert parquet.name == "a_.._b_c.parquet"
    assert pq.read_table(parquet).column("a").to_pylist() == ["1", '"x"']
    assert Kept(tmp_path, 10).keep(answer([], "none"))


VALUES = [
    [], [1, -(2**63)], [1, 2**63], [0.5, float("inf")], [1, 0.5], [True, False], [True, 1], ["", "größer …", "x" * 300],
    ["x", None], [None], ["a", 1], [[1], []], [[1, "a"]],
]  # fmt: skip


@pytest.mark.parametrize("values", VALUES, ids=str)
def test_a_column_is_the_one_that_pyarrow_makes_of_the_values(tmp_path: Path, values: list[Any]) -> None:
    Kept(tmp_path, 10).keep(answer([{"x": value} for value in values]))
    kept_as = pq.read_table(tmp_path / "recovery-x-1.parquet")
    try:
        wanted = pa.array(values)
    except (pa.ArrowException, OverflowError):
        wanted = pa.array([json.dumps(value) for value in values])
    assert kept_as.num_rows == len(values)
    assert kept_as.columns == ([pa.chunked_array([wanted])] if values else [])


def test_the_manifest_lists_every_file_and_the_ledger_vouches_for_it(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    assert kept.finish(ledger, "r1") is None
    folder = kept.folder_of(ledger, "r1")
    Kept(folder, 10).keep(answer([{"n": 1}]))
    (folder / ".part-x").write_text("left by a kill")
    line = kept.finish(ledger, "r1")
    assert line
    assert (line["files"], line["sha256"]) == (2, sha256_of(folder / "manifest.json"))
    assert set(json.loads((folder / "manifest.json").read_text())["files"]) == {
        "recovery-x-1.json",
        "recovery-x-1.parquet",
    }


def set_evidence(case: Case, **values: Any) -> None:
    content = tomllib.loads(case.incident.read_text()) | {"evidence": values}
    case.incident.write_text(tomli_w.dumps(content))


def test_a_run_keeps_each_answer_of_its_evidence_and_a_sample_of_broken_rows(backfilled: Case, tmp_path: Path) -> None:
    case = backfilled.clone(tmp_path)
    set_evidence(case, samples=7)
    assert case.pytest("phase3") == 0, case.output
    run = case.lines("run")[-1]["run"]
    folder = kept.folder_of(case.ledger, run)
    evidence = [line for line in case.lines("evidence") if line["run"] == run]
    answers = [each for line in evidence for each in line["answers"]]
    assert {each["kept"]["json"] for each in answers} <= {sha256_of(path) for path in folder.glob("*.json")}
    census = next(each for each in answers if each["statement"] == "census_table")
    told = json.loads((folder / f"{census['query_id']}.json").read_text())
    assert sum(row["broken_rows"] for row in told["rows"] if row["class"] == "corrected") > 0
    sample = case.lines("figures")[-1]["sample"]
    rows = pq.read_table(folder / f"{sample['query_id']}.parquet").to_pylist()
    assert (len(rows), {row["condition_id"] for row in rows}) == (7, {""})
    assert case.lines("manifest")[-1]["sha256"] == sha256_of(folder / "manifest.json")


def test_workers_keep_answers_as_one_process_does(backfilled: Case, tmp_path: Path) -> None:
    case = backfilled.clone(tmp_path)
    assert case.pytest("phase3", "-n", "2") == 0, case.output
    run = case.lines("run")[-1]["run"]
    answers = [each for line in case.lines("evidence") if line["run"] == run for each in line["answers"]]
    files = {sha256_of(path) for path in kept.folder_of(case.ledger, run).iterdir()}
    assert answers
    assert {sha for each in answers for sha in each["kept"].values()} <= files


@pytest.mark.parametrize("strategy", ["delete", "swap"])
def test_rows_are_exported_before_they_are_removed(
    broken: Case, backfilled: Case, tmp_path: Path, strategy: str
) -> None:
    case = (backfilled if strategy == "delete" else broken).clone(tmp_path)
    case.edit(deduplicate={"strategy": strategy})
    set_evidence(case, export_removed=True)
    overridden = "--override-gate=a test of the export"
    if strategy == "swap":
        assert case.pytest("phase2", "--execute", overridden) == 0, case.output
    before = case.client.query(
        f"SELECT fill_id, _version, tokens_delta FROM {FILLS} WHERE {BROKEN} ORDER BY ALL"
    ).result_rows
    assert case.pytest("phase4", "--execute", overridden) in (0, 1), case.output
    assert case.value(f"SELECT count() FROM {FILLS} WHERE {BROKEN}") == 0
    (line,) = case.lines("exported")
    path = case.folder / "evidence" / line["file"]
    table = pq.read_table(path).select(["fill_id", "_version", "tokens_delta"])
    rows = [tuple(row.values()) for row in table.to_pylist()]
    assert sorted((str(name, "utf-8") if isinstance(name, bytes) else name, *rest) for name, *rest in rows) == before
    assert (line["rows"], line["sha256"]) == (len(before), sha256_of(path)) > (0, "")
    seqs = [each["seq"] for each in case.lines("unit") if each["action"] == line["action"]]
    assert line["seq"] < min(seqs)


def test_an_export_that_fails_stops_the_removal_before_it_began_and_is_gone_on_from(
    backfilled: Case, tmp_path: Path
) -> None:
    case = backfilled.clone(tmp_path)
    set_evidence(case, export_removed=True)
    overridden = "--override-gate=a test of the export"
    there = case.fingerprint()
    blocked = case.folder / "evidence"
    blocked.write_text("no folder")
    assert case.pytest("phase4", "--execute", overridden) == 12, case.output
    assert "could not be kept in" in case.output
    assert "Nothing was removed" in " ".join(case.output.split())
    assert case.fingerprint() == there
    assert case.lines("failed")[-1]["action"] == "deduplicate"
    assert not [line for line in case.lines("unit") if line["action"] == "deduplicate"]
    blocked.unlink()
    assert case.pytest("phase4", "--execute", overridden) in (0, 1), case.output
    (line,) = case.lines("exported")
    assert line["rows"] > 0
    assert len([each for each in case.lines("started") if each["action"] == "deduplicate"]) == 1


def test_answers_that_cannot_be_kept_change_no_verdict_and_are_noted(backfilled: Case, tmp_path: Path) -> None:
    case = backfilled.clone(tmp_path)
    (case.folder / "evidence").write_text("no folder")
    assert case.pytest("phase3") == 0, case.output
    notes = case.lines("evidence")[-1]["notes"]
    assert any("Its answers could not be kept in" in note for note in notes)
    assert "kept" not in case.lines("evidence")[-1]["answers"][0]
