"""Ways back: orphans that heal, a window that is emptied and backfilled again, snapshots that are given up."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from scripts import rollback
from tests.asking import ask
from tests.conftest import Case
from tests.test_actions import options

FILLS = "pm_canonical_fills_v4"
MAP = "pm_token_to_condition_map_v5"


def test_orphans_whose_token_is_mapped_later_are_named_and_brought_back(recovered: Case, tmp_path: Path) -> None:
    case = recovered.clone(tmp_path)
    in_quarantine = case.value(f"SELECT count() FROM {FILLS}_quarantine")
    fill, token = case.client.query(
        f"SELECT fill_id, token_id FROM {FILLS}_quarantine AS q JOIN pm_trader_events_v3 AS e ON q.fill_id = concat('clob_', "
        "e.event_id) ORDER BY fill_id LIMIT 1"
    ).result_rows[0]
    case.command(
        f"INSERT INTO {MAP} SELECT * REPLACE('{token}' AS token_id_dec, concat('new_', condition_id) AS condition_id) "
        f"FROM {MAP} WHERE condition_id != '' LIMIT 1"
    )
    named = ask(case, "test_no_quarantined_row_can_be_healed")
    assert named.verdict == "NO-GO"
    assert fill in named.sentence
    assert case.pytest("phase5") == 1
    healed = named.found["healable"]
    everything = "preflight or phase1 or phase2 or phase3 or phase4 or phase5"
    assert case.pytest(everything, "--execute") == 0, case.output
    assert case.value(f"SELECT condition_id FROM {FILLS} FINAL WHERE fill_id = '{fill}'").startswith("new_")
    assert case.value(f"SELECT count() FROM {FILLS}_quarantine") == in_quarantine
    added = ask(case, "test_every_identity_is_accounted_for", phase="phase5").found["classes"]["added"]
    assert added == [healed, 0, healed]


def test_the_window_can_be_emptied_and_backfilled_again_without_losing_what_the_source_does_not_have(
    recovered: Case, tmp_path: Path
) -> None:
    case = recovered.clone(tmp_path)
    whole = case.fingerprint()
    assert rollback.main([*options(case), "--empty-window"]) == 0
    assert case.fingerprint() == whole
    assert case.pytest("preflight or phase1") == 0, case.output
    assert rollback.main([*options(case), f"--now={case.now.isoformat()}", "--empty-window", "--execute"]) == 0
    owned = "source = 'clob' AND event_time >= '2026-01-17' AND event_time < '2026-01-28'"
    assert case.value(f"SELECT count() FROM {FILLS} WHERE {owned}") == 0
    assert case.value(f"SELECT count() FROM {FILLS} WHERE NOT ({owned})") > 0
    assert case.pytest("phase2", "--execute") == 0, case.output
    assert case.fingerprint() == whole


def test_a_snapshot_is_dropped_only_by_its_name_and_not_before_its_age(
    recovered: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = recovered.clone(tmp_path)
    name = case.lines("snapshot")[0]["name"]
    given = [*options(case), f"--now={case.now.isoformat()}"]
    assert rollback.main([*given, "--drop", name, "--execute"]) == 4
    assert "snapshots are kept for 30 (snapshots.keep_days)" in capsys.readouterr().err
    later = [*options(case), f"--now={(case.now + timedelta(days=31)).isoformat()}"]
    assert rollback.main(later) == 0
    assert "due to be dropped, for it is 31 days old" in capsys.readouterr().out
    assert rollback.main([*later, "--drop", name]) == 0
    assert case.value(f"EXISTS TABLE {name}") == 1
    assert rollback.main([*later, "--drop", name, "--execute"]) == 0
    assert case.value(f"EXISTS TABLE {name}") == 0
    assert case.lines("dropped")[-1]["snapshot"] == name
    assert rollback.main([*later, "--drop", name, "--execute"]) == 4
