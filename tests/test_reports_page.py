"""The story of a run and its page, from ledgers that are written here.

The gold page tests/gold/report.html is what tests/gold/report.jsonl looks like. After a wanted change, look at the new
page and renew the gold file, in its folder: Path("report.html").write_text(page.render(story.read(Ledger(Path("report.jsonl")))))
"""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from recovery.errors import UsageError
from recovery.ledger import Ledger
from reports import bundle, page, story
from reports.__main__ import main

GOLD = Path(__file__).parent / "gold"
RUN = "3f0c" * 8
HOSTILE = "<script>alert('x')</script>"
SQL = "-- Counts rows.\nSELECT count() FROM t WHERE note != '<b>'"
UNITS = ("copy 2 orphans", "remove 2 orphans", "OPTIMIZE partition 202601")
PLAN = {
    "action": "deduplicate",
    "sentence": "remove 1,200 rows",
    "units": [
        {"label": label, "kind": "x", "undo": "restore the snapshot", "rows": 2, "values": {}} for label in UNITS
    ],
    "rows": 1200,
    "bytes": 3 * 2**20,
    "snapshot": ["202601", "202602"],
    "facts": {},
}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl")


def begin(ledger: Ledger, phases: list[str], *, run: str = RUN, mode: str = "ask") -> None:
    ledger.append(
        "run", run=run, phases=phases, mode=mode, now="2026-02-02T06:00:00+00:00", incident="2026-01-test",
        title="Fills without a condition", table="default.fills", digest="d1" * 32, installation="one/two",
        window=["2026-01-17T00:00:00+00:00", "2026-01-19T00:00:00+00:00"], server="clickhouse://default@db:8123",
        version="26.9.2.1", who="ann@ops",
    )  # fmt: skip


def evidence(
    ledger: Ledger, check: str, actual: float = 0, *, phase: str = "phase3", run: str = RUN, **more: Any
) -> None:
    verdict = "GO" if actual == 0 else "NO-GO"
    answer = {
        "statement": "census", "sql": SQL, "parameters": {"day": "2026-01-17", "key_to": "\U0010ffff"},
        "query_id": "recovery-census-1", "server": "clickhouse://default@db:8123",
        "started": "2026-02-02T06:00:01+00:00", "seconds": 0.25, "rows_read": 46473, "bytes_read": 1536,
    }  # fmt: skip
    facts = {
        "about": "", "examined": 10430, "found": {"classes": {"clean": 1016}}, "answers": [answer], "notes": [],
        "expectations": [["rows that are wrong", actual, "==", 0]], "fingerprint": "f1" * 32, "verdict": verdict,
        "outcome": "passed" if verdict == "GO" else "failed", "problem": "", "sentence": "",
    }  # fmt: skip
    ledger.append("evidence", run=run, check=check, phases=[phase], **facts | more)


def finish(ledger: Ledger, phase: str, verdict: str, *, run: str = RUN, **more: Any) -> None:
    facts = {"required": 1, "missing": [], "rows": 1, "written": 0, "seconds": 2.0, "problems": [], "dry": False}
    ledger.append("finished", run=run, phase=phase, verdict=verdict, asked=1, **facts | {"report": ""} | more)


def act(ledger: Ledger, *units: str, run: str = RUN) -> None:
    for unit in units:
        line = {"run": run, "action": "deduplicate", "unit": unit, "query_id": f"recovery-{unit[:4]}"}
        ledger.append("unit", **line, state="started")
        ledger.append("unit", **line, state="done", rows=2, seconds=0.5)


def start(ledger: Ledger, *, run: str = RUN) -> None:
    ledger.append(
        "started", run=run, action="deduplicate", phase="phase4", plan=PLAN, before="b1" * 32, snapshot="fills_before",
        who="ann@ops", now="2026-02-02T06:00:00+00:00", attempt="a1",
    )  # fmt: skip
    ledger.append("snapshot", run=run, name="fills_before", rows=28345, partitions=["202601", "202602"])


def told(ledger: Ledger, run: str = "") -> str:
    """The page's text, without its style, tags as spaces and runs of white space as one."""
    body = re.sub(r"<style>.*?</style>", "", page.render(story.read(ledger, run)), flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body))


class Resources(HTMLParser):
    """What a page refers to outside itself, and the elements that could act."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.elements: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href", "action", "srcset")]


def test_a_check_that_waits_is_told_as_pending_and_takes_nothing_from_the_phase(ledger: Ledger) -> None:
    begin(ledger, ["phase8"])
    evidence(ledger, "test_a", phase="phase8")
    evidence(
        ledger, "test_criterion_monitoring_is_healthy", phase="phase8", verdict="PENDING", outcome="skipped",
        pending="1 of 24 hours have results.",
    )  # fmt: skip
    finish(ledger, "phase8", "GO")
    (phase,) = story.read(ledger).phases
    assert (phase.verdict, [check.verdict for check in phase.checks], phase.faulty) == ("GO", ["GO", "PENDING"], ())
    page_text = told(ledger)
    assert "PENDING Criterion monitoring is healthy" in page_text
    assert "not required; 1 of 24 hours have results." in page_text
    assert "Not required, and it cannot be told yet: 1 of 24 hours have results." in page_text


def test_a_story_is_that_of_the_last_run_or_of_the_run_that_is_named(ledger: Ledger) -> None:
    begin(ledger, ["phase3"], run="aa11")
    finish(ledger, "phase3", "NO-GO", run="aa11")
    begin(ledger, ["phase3"], run="bb22")
    finish(ledger, "phase3", "GO", run="bb22")
    assert story.read(ledger).id == "bb22"
    assert story.read(ledger, "aa").phases[0].verdict == "NO-GO"
    with pytest.raises(UsageError, match="has no run cc"):
        story.read(ledger, "cc")


def test_a_story_counts_a_shared_query_once(ledger: Ledger) -> None:
    begin(ledger, ["phase3"])
    evidence(ledger, "test_a")
    evidence(ledger, "test_b")
    finish(ledger, "phase3", "GO")
    run = story.read(ledger)
    assert (run.phases[0].rows_read, len(run.queries)) == (46473, 1)


def test_the_page_leads_with_the_verdict_and_the_figures(ledger: Ledger) -> None:
    begin(ledger, ["phase3"])
    evidence(ledger, "test_every_row_is_right")
    finish(ledger, "phase3", "GO")
    text = told(ledger)
    assert text.index(" GO ") < text.index("All 1 required check asked and GO.") < text.index("This run")
    figures = (
        "Every row is right", "10,430 rows or objects examined", "46,473", "1.5 KiB", "250 ms", "census.sql", "ann@ops",
        "recovery-census-1", "\\U0010ffff", "2026-01-17 00:00:00 UTC to 2026-01-19 00:00:00 UTC",
    )  # fmt: skip
    assert [figure for figure in figures if figure not in text] == []


def test_a_check_that_is_asked_per_day_is_one_table(ledger: Ledger) -> None:
    begin(ledger, ["phase3"])
    evidence(ledger, "test_every_row_is_right[2026-01-17]", about="2026-01-17")
    evidence(ledger, "test_every_row_is_right[2026-01-18]", 7, about="2026-01-18")
    finish(ledger, "phase3", "NO-GO", required=2)
    text = told(ledger)
    assert "1 of 2 days GO 17 18 NO" in text
    assert "Every row is right : NO-GO for 1 of 2 days 2026-01-18: rows that are wrong 7, allowed 0" in text


def test_a_closed_gate_is_stopped_and_gives_its_reasons(ledger: Ledger) -> None:
    reasons = ["phase3 has no evidence; run pytest -m phase3", "the writer is still wrong"]
    begin(ledger, ["phase4"], mode="execute")
    sentence = "deduplicate is not allowed: " + "; ".join(reasons)
    problem = {"code": 11, "sentence": sentence, "reasons": reasons}
    finish(ledger, "phase4", "NO-GO", problems=[problem], missing=["test_a[x]", "test_b"])
    text = told(ledger)
    assert "STOPPED" in text
    assert "The gate was closed: nothing was changed." in text
    assert "deduplicate is not allowed, for 2 reasons: phase3 has no evidence; run pytest -m phase3 the writer" in text
    assert "Required and not asked: test_a for x test_b" in text


def test_an_override_tells_who_and_why_and_what_was_missing(ledger: Ledger) -> None:
    begin(ledger, ["phase4"], mode="execute")
    ledger.append(
        "override", run=RUN, action="deduplicate", who="ann@ops", reason="ticket 4711", missing=["no evidence"]
    )
    finish(ledger, "phase4", "NO-GO")
    text = told(ledger)
    assert "Gate overridden by hand ann@ops passed the closed gate of deduplicate" in text
    assert "ticket 4711 What was missing: no evidence" in text


def test_a_recorded_go_that_its_numbers_do_not_carry_is_no_go(ledger: Ledger) -> None:
    begin(ledger, ["phase3"])
    evidence(ledger, "test_a", 7, verdict="GO", outcome="passed")
    finish(ledger, "phase3", "GO")
    assert story.read(ledger).phases[0].verdict == "NO-GO"


def test_a_phase_that_did_not_end_is_not_go(ledger: Ledger) -> None:
    begin(ledger, ["phase3"])
    evidence(ledger, "test_a")
    assert "NOT ENDED" in told(ledger)
    assert "Counts as NO-GO" in told(ledger)


def test_a_ledger_that_was_changed_is_announced(ledger: Ledger) -> None:
    begin(ledger, ["phase3"])
    finish(ledger, "phase3", "GO")
    ledger.path.write_text(ledger.path.read_text().replace("ann@ops", "bob@ops"))
    assert "The ledger was tampered with line 1 of" in told(ledger)


def test_a_plan_that_was_only_shown_says_so(ledger: Ledger) -> None:
    begin(ledger, ["phase4"])
    ledger.append("plan", run=RUN, phase="phase4", plan=PLAN)
    finish(ledger, "phase4", "PLAN", dry=True)
    text = told(ledger)
    assert "PLAN" in text
    assert "this run only showed the plan, and nothing was changed" in text
    assert "1,200 rows, 3.0 MiB of disk" in text


def test_an_action_tells_its_units_its_snapshot_and_the_way_back(ledger: Ledger) -> None:
    begin(ledger, ["phase4"], mode="execute")
    start(ledger)
    act(ledger, UNITS[0], UNITS[2])
    ledger.append("done", run=RUN, action="deduplicate", phase="phase4", before="b1", after="c1", rows=4, plan=PLAN)
    finish(ledger, "phase4", "GO", written=4)
    action = story.read(ledger).phases[0].action
    assert action is not None
    assert [unit.state for unit in action.units] == ["done", "done already", "done"]
    assert (action.state, action.rows, action.snapshot_rows) == ("done", 4, 28345)
    assert "python -m scripts.rollback --restore fills_before --execute" in told(ledger)


def test_an_action_that_failed_and_was_resumed_is_told_by_the_run_that_did_it(ledger: Ledger) -> None:
    begin(ledger, ["phase4"], run="aa11", mode="execute")
    start(ledger, run="aa11")
    act(ledger, UNITS[0], run="aa11")
    ledger.append("failed", run="aa11", action="deduplicate", unit=UNITS[1], reason="disk is full")
    begin(ledger, ["phase4"], run="bb22", mode="execute")
    act(ledger, *UNITS[1:], run="bb22")
    ledger.append("done", run="bb22", action="deduplicate", phase="phase4", before="b1", after="c1", rows=4, plan=PLAN)
    first, second = (story.read(ledger, run).phases[0].action for run in ("aa11", "bb22"))
    assert first is not None
    assert second is not None
    assert ([unit.state for unit in first.units], first.reason) == (["done", "failed", "planned"], "disk is full")
    assert ([unit.state for unit in second.units], second.resumed) == (["done", "done", "done"], True)


def test_hostile_text_is_shown_and_not_obeyed(ledger: Ledger) -> None:
    begin(ledger, ["phase3"])
    evidence(
        ledger, f"test_a[{HOSTILE}]", 1, about=HOSTILE, found={HOSTILE: [HOSTILE], "odd": "\udcff"},
        notes=[HOSTILE, "\udcff"], expectations=[[HOSTILE, HOSTILE, "==", "x"]],
    )  # fmt: skip
    finish(ledger, "phase3", "NO-GO", missing=[HOSTILE], problems=[{"code": 3, "sentence": HOSTILE, "reasons": []}])
    html = page.render(story.read(ledger))
    assert "script" not in Resources(html).elements
    assert "&lt;script&gt;" in html
    assert html.encode()


def test_nothing_on_the_page_is_fetched_from_elsewhere(ledger: Ledger) -> None:
    begin(ledger, ["phase3"])
    evidence(ledger, "test_a")
    finish(ledger, "phase3", "GO")
    html = page.render(story.read(ledger))
    found = Resources(html)
    assert found.references
    assert [each for each in found.references if not each.startswith("#")] == []
    assert found.elements.isdisjoint({"script", "link", "iframe", "img", "object"})
    assert re.findall(r"url\(|@import", html) == []


def test_every_link_leads_to_a_place_on_the_page() -> None:
    html = page.render(story.read(Ledger(GOLD / "report.jsonl")))
    targets = set(re.findall(r'id="([^"]+)"', html))
    assert {each[1:] for each in Resources(html).references} <= targets


def test_a_password_in_an_address_is_masked(ledger: Ledger) -> None:
    begin(ledger, ["phase3"])
    evidence(ledger, "test_a", 1, notes=["cannot reach clickhouse://ann:hunter2@db:8123"])
    finish(ledger, "phase3", "NO-GO")
    text = told(ledger)
    assert "clickhouse://ann:***@db:8123" in text
    assert "hunter2" not in text


def test_a_statement_stands_on_the_page_once(ledger: Ledger) -> None:
    begin(ledger, ["phase3"])
    for number in range(30):
        evidence(ledger, f"test_a[{number}]")
    finish(ledger, "phase3", "GO")
    assert told(ledger).count("-- Counts rows.") == 1


def test_what_has_rows_and_columns_is_a_table_of_its_own(ledger: Ledger) -> None:
    ranks = [
        {"subject": "0xa", "rank before": 18, "rank now": 2},
        {"subject": "0xb", "rank before": None, "rank now": 6},
    ]
    begin(ledger, ["phase3"])
    evidence(ledger, "test_a[scores]", found={"moved": 2, "ranks": ranks})
    evidence(ledger, "test_a[top]", found={"moved": 0, "ranks": []})
    finish(ledger, "phase3", "GO")
    html = page.render(story.read(ledger))
    assert "<caption>scores: ranks</caption>" in html
    assert html.count("<caption>") == 1
    assert html.count(">rank before</th>") == 1
    assert html.count(">0xa<") == 1


def test_the_page_is_made_again_from_the_ledger_alone(
    tmp_path: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    begin(ledger, ["phase3"])
    finish(ledger, "phase3", "GO")
    out = tmp_path / "deep" / "page.html"
    assert main([str(ledger.path), RUN[:6], "--out", str(out)]) == 0
    assert out.read_text() == page.render(story.read(ledger))
    bundle.write_dossier(ledger)
    assert main([str(ledger.path), RUN[:6], "--out", str(out)]) == 0
    assert out.read_text() == page.render(story.read(ledger), "../ledger.dossier.html")
    assert main([str(ledger.path), "nosuch"]) == 4
    assert "has no run nosuch" in capsys.readouterr().err


def test_the_page_is_as_the_gold_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLD)
    assert page.render(story.read(Ledger(Path("report.jsonl")))) == Path("report.html").read_text()


def test_pytest_html_writes_our_page_and_no_traceback_or_environment(tmp_path: Path, ledger: Ledger) -> None:
    begin(ledger, ["phase3"])
    evidence(ledger, "test_a")
    finish(ledger, "phase3", "GO")
    (tmp_path / "conftest.py").write_text(
        "from pathlib import Path\nfrom recovery.ledger import Ledger\nfrom reports import page\n"
        "def pytest_configure(config):\n"
        f"    page.write_through_pytest_html(config, Path('out.html'), Ledger(Path('ledger.jsonl')), '{RUN}', Path('d.html'))\n"
    )
    (tmp_path / "test_it.py").write_text("def test_it():\n    hidden = 'hunter2'\n    assert hidden == ''\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "test_it.py"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 1
    html = (tmp_path / "out.html").read_text()
    assert "All 1 required check asked and GO." in html
    assert "phase3 GO - 2026-01-test" in html
    assert "hunter2" not in html
    assert "Platform" not in html
    outside = [each for each in Resources(html).references if not each.startswith("#")]
    assert sorted(set(outside)) == ["", "d.html", "https://pypi.python.org/pypi/pytest-html"]
