"""What a run leaves besides its verdict, on the real engine: figures in the ledger and the dossier beside it."""

from __future__ import annotations

import time
from pathlib import Path

from recovery.environment import facts
from reports import bundle, dossier_page
from scripts import report
from tests.conftest import Case

WINDOW = "source = 'clob' AND event_time >= '2026-01-17' AND event_time < '2026-01-28'"
FILLS = "pm_canonical_fills_v4"


def test_a_run_leaves_the_figures_of_the_data_and_a_dossier_that_its_page_links_to(
    backfilled: Case, tmp_path: Path
) -> None:
    case = backfilled.clone(tmp_path)
    assert case.pytest("phase3") == 0, case.output
    figures = case.lines("figures")[-1]
    assert figures["table"]["rows"] == case.value(f"SELECT count() FROM {FILLS} WHERE {WINDOW}")
    broken = f"SELECT count() FROM {FILLS} WHERE {WINDOW} AND condition_id = ''"
    assert figures["table"]["broken rows"] == case.value(broken) > 0
    day = "2026-01-22"
    assert figures["days"][day]["broken rows"] == case.value(f"{broken} AND toDate(event_time) = '{day}'") > 0
    assert figures["table"]["identities"] == case.value(f"SELECT uniqExact(fill_id) FROM {FILLS} WHERE {WINDOW}")
    others = (
        f"SELECT count() FROM {FILLS} WHERE source != 'clob' AND condition_id = '' AND {WINDOW.partition(' AND ')[2]}"
    )
    assert figures["table"]["broken rows of other sources"] == case.value(others) > 0
    assert sum(each["rows"] for each in figures["days"].values()) == figures["table"]["rows"]

    made = bundle.dossier_beside(case.ledger)
    assert made.read_text() == dossier_page.render(case.ledger.path.read_bytes())
    assert f"dossier: {made}" in case.output
    assert f'href="{made.name}"' in (case.folder / "report.html").read_text()


def test_a_run_writes_down_what_it_ran_on_and_the_incident_file_once(backfilled: Case, tmp_path: Path) -> None:
    case = backfilled.clone(tmp_path)
    for _ in range(2):
        assert case.pytest("phase3") == 0, case.output
    begun = case.lines("run")[-1]
    assert {name: begun[name] for name in facts()} == facts()
    assert begun["zone"] == "UTC"
    (read,) = [line for line in case.lines("incident") if line["digest"] == begun["digest"]]
    assert read["file"] == case.incident.read_text()
    assert "SELECT" in read["statements"][case.incident.with_suffix(".sql").name]


def test_positions_and_boards_have_figures_before_and_after(refreshed: Case) -> None:
    before, after = refreshed.lines("figures")[0], refreshed.lines("figures")[-1]
    (number,) = {line["positions"]["rows"] for line in refreshed.lines("figures") if line["phase"] == "phase6"}
    months = "resolved_at >= '2026-01-01' AND resolved_at < '2026-03-01'"
    assert number == refreshed.value(f"SELECT count() FROM pm_trade_fifo_roi_v3 FINAL WHERE {months}")
    assert before["positions"]["rows"] != number
    assert after["boards"].keys() == before["boards"].keys()
    profit = refreshed.value(f"SELECT round(sum(pnl_usd), 2) FROM pm_trade_fifo_roi_v3 FINAL WHERE {months}")
    assert [line["positions"]["profit"] for line in refreshed.lines("figures") if line["phase"] == "phase6"] == [profit]


def test_a_killed_run_is_told_by_a_dossier_that_is_made_without_the_server(case: Case) -> None:
    assert case.pytest("preflight or phase1", "--execute") == 0, case.output
    with case.start("phase2", "--execute") as running:
        deadline = time.monotonic() + 60
        while not [line for line in case.lines("started") if line["action"] == "backfill"]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        running.kill()
    out = case.folder / "again.html"
    assert report.main([str(case.ledger.path), "--out", str(out)]) == 0
    told = dossier_page.read(case.ledger.path.read_bytes())
    assert told.verdict == "NOT RECOVERED"
    assert [run.id for run in told.crashed] == [case.lines("run")[-1]["run"]]
    assert "phase2 is NOT ENDED: the run was cut off before this phase ended" in out.read_text()
    first = out.read_bytes()
    assert report.main([str(case.ledger.path), "--out", str(out)]) == 0
    assert out.read_bytes() == first


def test_a_dossier_that_cannot_be_written_changes_no_verdict(backfilled: Case, tmp_path: Path) -> None:
    case = backfilled.clone(tmp_path)
    bundle.dossier_beside(case.ledger).mkdir()
    assert case.pytest("phase3") == 0, case.output
    assert "dossier: not made. " in case.output
    assert "cannot be written" in case.output
