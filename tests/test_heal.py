"""Orphans heal: a fill in quarantine whose token has been mapped since is named, and brought back with the same proofs."""

from __future__ import annotations

from pathlib import Path

from tests.asking import ask
from tests.conftest import Case

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
    for phase in ("preflight", "phase1", "phase2", "phase3", "phase4", "phase5"):
        words = ["--execute"] if phase in ("phase2", "phase4") else []
        assert case.pytest(phase, *words) == 0, case.output
    assert case.value(f"SELECT condition_id FROM {FILLS} FINAL WHERE fill_id = '{fill}'").startswith("new_")
    assert case.value(f"SELECT count() FROM {FILLS}_quarantine") == in_quarantine
    added = ask(case, "test_every_identity_is_accounted_for", phase="phase5").found["classes"]["added"]
    assert added == [healed, 0, healed]
