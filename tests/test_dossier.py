"""The dossier and what is made with it: from ledgers that are written here, as those of a run page are."""

from __future__ import annotations

import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib
import pytest

from bench.overhead import grown
from recovery.errors import UsageError
from recovery.ledger import Ledger, fault_of, lines_of
from reports import bundle, dossier, dossier_page, redaction
from scripts import report
from tests.test_reports_page import HOSTILE, PLAN, RUN, act, begin, evidence, finish, start

SECOND = "5e2d" * 8
FILE = """
[table]
broken = "kind = ''"
[positions]
[plan.minutes]
phase3 = [20, 30]
phase4 = [60, 120]
[checklist.told]
text = "The team was told"
[checklist.closed]
text = "The ticket is closed"
before = "phase4"
[snapshots]
keep_days = 30
"""
TABLE = {
    "rows": 100, "identities": 90, "identities in the source": 88, "broken rows": 40, "good rows": 60, "duplicates": 10,
    "superseded rows": 5, "without a right row": 35, "orphans": 2, "rows in quarantine": 0,
}  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl")


def read_incident(ledger: Ledger, file: str = FILE) -> None:
    ledger.append("incident", digest="d1" * 32, name="test.toml", file=file, statements={"test.sql": "SELECT 1"})


def figures(ledger: Ledger, phase: str, run: str = RUN, **changed: int) -> None:
    table = TABLE | {name.replace("_", " "): value for name, value in changed.items()}
    days = {"2026-01-17": table, "2026-01-18": table | {"broken rows": 1}}
    ledger.append(
        "figures", run=run, phase=phase, now="2026-02-02T06:00:00+00:00", table=table, days=days, shadow=""
    )  # fmt: skip


def ask(ledger: Ledger, phase: str, verdict: str = "GO", run: str = RUN, actual: int = 0, **more: Any) -> None:
    begin(ledger, [phase], run=run)
    evidence(ledger, f"test_of_{phase}", actual, phase=phase, run=run)
    finish(ledger, phase, verdict, run=run, **more)


def told(ledger: Ledger) -> dossier.Dossier:
    return dossier_page.read(ledger.path.read_bytes())


def shown(ledger: Ledger) -> str:
    """The dossier's text without style, scripts and tags, runs of white space as one."""
    html = re.sub(r"<(style|script|svg)\b.*?</\1>", " ", dossier_page.render(ledger.path.read_bytes()), flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def recover(ledger: Ledger) -> None:
    """A recovery whose phases are all GO, each by a run of its own."""
    read_incident(ledger, FILE.replace("[positions]\n", ""))
    for number, phase in enumerate(("preflight", "phase1", "phase2", "phase3", "phase4", "phase5")):
        run = f"{number}" * 32
        begin(ledger, [phase], run=run, mode="execute")
        if phase == "phase4":
            start(ledger, run=run)
            act(ledger, "copy 2 orphans", "remove 2 orphans", "OPTIMIZE partition 202601", run=run)
            ledger.append(
                "done", run=run, action="deduplicate", phase="phase4", rows=6, before="b1", after="a1", snapshot="s"
            )
        evidence(ledger, f"test_of_{phase}", phase=phase, run=run)
        figures(
            ledger, phase, run, **({"broken_rows": 0, "rows_in_quarantine": 2} if phase in ("phase4", "phase5") else {})
        )
        finish(ledger, phase, "GO", run=run)


def test_the_dossier_of_a_recovery_says_in_short_what_was_wrong_what_was_done_and_what_is_left(ledger: Ledger) -> None:
    recover(ledger)
    ledger.append(
        "tick", run="", who="ann@ops", item="told", means="The team was told", undone=False, text="in the channel"
    )
    text = shown(ledger)
    assert told(ledger).verdict == "RECOVERED"
    assert "All 6 phases are GO; 40 broken rows before, 0 now. Still open: 1 item of the checklist." in text
    assert "40 of 100 rows of the window (40.0 %) were broken (kind = &#39;&#39;), on 2 days from 2026-01-17" in text
    assert "deduplicate (phase4) carried out, 6 rows, by ann@ops: remove 1,200 rows." in text
    assert "Not ticked: The ticket is closed" in text
    assert "2 rows in quarantine ():" in text
    assert "1 snapshot kept on the server to go back to, due from" in text
    assert "ann@ops ran 6 runs of the suite." in text
    assert "No closed gate was passed by hand" in text
    assert "ann@ops ticked The team was told" in text
    assert re.search(r"broken rows 40 40 0 -40", text)


def test_a_recovery_that_has_not_come_to_its_end_says_what_is_next(ledger: Ledger) -> None:
    read_incident(ledger)
    ask(ledger, "preflight")
    assert told(ledger).verdict == "UNDER WAY"
    assert "GO so far: preflight; phase1 is next" in shown(ledger)


def test_a_phase_that_is_no_go_makes_the_verdict_and_gives_its_reason(ledger: Ledger) -> None:
    ask(ledger, "preflight")
    ask(ledger, "phase3", "NO-GO", run=SECOND, actual=7)
    assert told(ledger).verdict == "NOT RECOVERED"
    text = shown(ledger)
    assert "phase3 is NO-GO: Of phase3: rows that are wrong 7, allowed 0. GO so far: preflight." in text


def test_red_checks_stand_before_green_ones(ledger: Ledger) -> None:
    begin(ledger, ["phase3"])
    evidence(ledger, "test_first_green")
    evidence(ledger, "test_second_red", 3)
    finish(ledger, "phase3", "NO-GO")
    text = shown(ledger)
    assert text.index("Second red") < text.index("First green")


def test_a_later_run_of_a_phase_counts_and_the_earlier_ones_are_told(ledger: Ledger) -> None:
    ask(ledger, "phase3", "NO-GO", actual=7)
    ask(ledger, "phase3", run=SECOND)
    (phase,) = told(ledger).phases
    assert (phase.state, [each.verdict for each in phase.attempts]) == ("GO", ["NO-GO", "GO"])
    assert "run 2 of 2" in shown(ledger)
    assert "Of phase3: rows that are wrong 7, allowed 0" in shown(ledger)


def test_a_restore_takes_back_the_phase_that_acted_and_puts_those_after_it_out_of_date(ledger: Ledger) -> None:
    recover(ledger)
    ledger.append(
        "restored", run="x", snapshot="fills_before", before="a1", after="b1", kept="k", inserted=1, removed=2, left=0,
        undoes=["deduplicate"], who="bob@ops", now="2026-02-02T07:00:00+00:00",
    )  # fmt: skip
    whole = told(ledger)
    assert [phase.state for phase in whole.phases][-3:] == ["GO", "TAKEN BACK", "OUT OF DATE"]
    assert whole.verdict == "NOT RECOVERED"
    assert "brought back by bob@ops" in shown(ledger)


def test_an_action_of_an_earlier_phase_puts_later_evidence_out_of_date(ledger: Ledger) -> None:
    ask(ledger, "phase5")
    ledger.append("done", run="x", action="backfill", phase="phase2", rows=6, before="b1", after="b2", snapshot=None)
    assert [phase.state for phase in told(ledger).phases] == ["OUT OF DATE"]


CHANGES = {
    "option 2 carried out": [("started", "clear", "a1"), ("done", "clear", "b9")],
    "option 2 begun and not ended": [("started", "clear", "a1")],
    "a backfill begun and not ended": [("started", "backfill", "a1")],
    "a restore begun and not ended": [("restoring", "", "")],
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES.keys())
def test_what_changed_the_data_since_or_may_have_is_not_recovered(
    ledger: Ledger, changes: list[tuple[str, str, str]]
) -> None:
    recover(ledger)
    for kind, action, print_ in changes:
        facts: dict[str, Any] = {"run": "x", "who": "bob@ops", "now": "2026-02-02T07:00:00+00:00"}
        if kind == "restoring":
            facts |= {"snapshot": "fills_before", "kept": "k", "worklist": "w", "before": "a1"}
        else:
            facts |= {
                "action": action,
                "phase": "option2",
                "plan": PLAN,
                "before": "a1",
                "snapshot": None,
                "attempt": "z",
            }
            facts |= {"rows": 1, "after": print_} if kind == "done" else {}
        ledger.append(kind, **facts)
    assert told(ledger).verdict == "NOT RECOVERED"
    assert "now. " not in dossier_page.sentence(told(ledger))
    assert "when it was last looked at, before it was changed again" in shown(ledger)


@pytest.mark.parametrize("what", ["digest", "installation"])
def test_a_go_of_another_server_or_other_statements_is_out_of_date(ledger: Ledger, what: str) -> None:
    read_incident(ledger)
    ask(ledger, "phase1")
    begun = {
        key: value for key, value in ledger.lines()[1].items() if key not in ("v", "seq", "time", "kind", "prev", "sha")
    }
    ledger.append("run", **begun | {"run": SECOND, "phases": ["phase2"], what: "another"})
    assert {phase.name: phase.state for phase in told(ledger).phases}["phase1"] == "OUT OF DATE"


def test_a_go_without_the_evidence_that_it_needs_is_no_go(ledger: Ledger) -> None:
    begin(ledger, ["phase5"])
    finish(ledger, "phase5", "GO")
    assert [phase.state for phase in told(ledger).phases] == ["NO-GO"]


def test_without_the_incident_file_of_the_last_run_nothing_is_said_to_be_recovered(ledger: Ledger) -> None:
    ask(ledger, "preflight")
    assert told(ledger).verdict == "UNDER WAY"
    ledger.append("incident", digest="other", name="x", file="[table]", statements={})
    assert told(ledger).verdict == "UNDER WAY"


def test_a_red_phase_is_not_hidden_behind_one_that_was_never_asked(ledger: Ledger) -> None:
    read_incident(ledger)
    ask(ledger, "phase5", "NO-GO", actual=7)
    assert told(ledger).verdict == "NOT RECOVERED"
    assert dossier_page.sentence(told(ledger)).startswith("phase5 is NO-GO")


def test_figures_that_are_none_and_boards_without_places_break_no_page(ledger: Ledger) -> None:
    ask(ledger, "phase8")
    for _ in range(2):
        ledger.append(
            "figures", run=RUN, phase="phase8", now="2026-02-02T06:00:00+00:00", positions={"rows": 0, "cost": None},
            boards={"b": {"rows": 0, "written": [], "first": [{"total": 1}]}},
        )  # fmt: skip
    assert "positions: rows" in shown(ledger)


def test_the_dossier_is_never_written_over_the_ledger_or_its_evidence(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(ledger, "phase3")
    before = ledger.path.read_bytes()
    evidence = ledger.path.parent / "evidence" / "x.zip"
    for option, path in (("--out", ledger.path), ("--log", ledger.path), ("--zip", evidence)):
        assert report.main([str(ledger.path), option, str(path)]) == 4
        assert "is the ledger, or lies in its evidence" in capsys.readouterr().err
    assert ledger.path.read_bytes() == before


def test_the_settings_of_matplotlib_on_a_machine_change_nothing(ledger: Ledger) -> None:
    recover(ledger)
    page = dossier_page.render(ledger.path.read_bytes())
    with matplotlib.rc_context({"xtick.labelsize": 14, "font.size": 20}):
        assert dossier_page.render(ledger.path.read_bytes()) == page


NAMED = [
    "chdb:///home/alice/data/db", "file:///home/alice/x/y", "ledger: /home/alice/a/b.jsonl", "C:/Users/alice/log/x.txt",
    r"\\\\fs01\\alice\\x", "see app.alice-corp.vercel.app", "db1.alice.example.com:9000 refused", "alice on db1 said so",
    "/home/alice (old)/a.txt", "alice@db1.prod.example.com",
]  # fmt: skip


@pytest.mark.parametrize("text", NAMED)
def test_a_redacted_copy_keeps_no_name_in_whatever_form_it_stands(ledger: Ledger, text: str) -> None:
    begin(ledger, ["phase3"])
    evidence(ledger, "test_a", notes=[text])
    ledger.append("note", who="alice@db1.prod.example.com", by="Alice Miller", text="by Alice Miller", learning=False)
    redacted = re.sub(r"[0-9a-f]{64}", "", redaction.redact(ledger.path.read_bytes()).decode())
    for name in ("alice", "Alice", "db1", "example.com", "fs01", "vercel"):
        assert name not in redacted, redacted


def test_a_host_that_is_called_as_a_key_is_redacts_no_key(ledger: Ledger) -> None:
    begin(ledger, ["phase3"])
    evidence(ledger, "test_a", found={"host": "server"}, notes=["server run phase3"])
    finish(ledger, "phase3", "GO")
    dossier_page.render(redaction.redact(ledger.path.read_bytes()))


def test_a_crashed_run_is_told_up_to_its_last_line_and_said_to_be_unfinished(ledger: Ledger) -> None:
    begin(ledger, ["phase4"], mode="execute")
    start(ledger)
    act(ledger, "copy 2 orphans")
    text = shown(ledger)
    assert told(ledger).verdict == "NOT RECOVERED"
    assert "phase4 is NOT ENDED: the run was cut off before this phase ended." in text
    assert f"The run {RUN[:8]} of" in text
    assert "did not end; it is told up to its last line." in text
    assert "Begun; the ledger does not show its end." in text


def test_a_torn_last_line_is_left_out(ledger: Ledger) -> None:
    ask(ledger, "phase3")
    whole = shown(ledger)
    with ledger.path.open("ab") as file:
        file.write(b'{"kind": "evid')
    assert shown(ledger) == whole


def test_a_ledger_that_was_changed_proves_nothing_whatever_it_says(ledger: Ledger) -> None:
    recover(ledger)
    ledger.path.write_bytes(ledger.path.read_bytes().replace(b"remove 1,200", b"remove 1,201", 1))
    assert told(ledger).verdict == "NOT PROVED"
    assert "The ledger was tampered with" in shown(ledger)
    assert "RECOVERED" not in shown(ledger)


def test_a_refusal_and_an_override_are_told_with_their_reasons(ledger: Ledger) -> None:
    begin(ledger, ["phase4"], mode="execute")
    problem = {
        "code": 11,
        "sentence": "deduplicate: the gate is closed: no evidence",
        "reasons": ["phase3 has no evidence"],
    }
    finish(ledger, "phase4", "NO-GO", problems=[problem])
    begin(ledger, ["phase4"], mode="execute", run=SECOND)
    ledger.append(
        "override", run=SECOND, action="deduplicate", reason="the CTO said so", who="bob@ops", missing=["phase3 is old"]
    )
    text = shown(ledger)
    assert "phase4 was refused" in text
    assert "phase3 has no evidence" in text
    assert "bob@ops passed the closed gate of deduplicate by hand" in text
    assert "the CTO said so" in text
    assert "phase3 is old" in text


def test_phases_of_one_run_follow_each_other_and_end_when_the_ledger_says(ledger: Ledger) -> None:
    begin(ledger, ["phase3", "phase4"])
    for name in ("phase3", "phase4"):
        evidence(ledger, "test_a", phase=name)
        finish(ledger, name, "GO", seconds=5.0)
    first, second = told(ledger).phases
    assert first.ended
    assert second.began == first.ended <= second.ended
    assert (first.ended - first.began).total_seconds() == 5.0
    assert second.ended.isoformat(timespec="milliseconds") == ledger.lines()[-1]["time"]


def test_planned_times_add_up_from_the_first_planned_phase(ledger: Ledger) -> None:
    read_incident(ledger)
    ask(ledger, "phase3")
    ask(ledger, "phase4", run=SECOND)
    phases = {phase.name: phase for phase in told(ledger).phases}
    assert phases["phase3"].planned
    assert phases["phase4"].planned
    assert phases["phase3"].planned[0] == phases["phase3"].began
    assert (phases["phase3"].planned[1] - phases["phase3"].planned[0]).total_seconds() == 30 * 60
    assert phases["phase4"].planned[0] == phases["phase3"].planned[1]


def test_notes_and_learnings_are_told_with_who_wrote_them(ledger: Ledger) -> None:
    ask(ledger, "phase3")
    ledger.append("note", run="", who="ann@ops", by="Bob", text="Map tokens first", learning=True)
    assert "Bob, written down by ann@ops" in shown(ledger)
    assert "Learning: Map tokens first" in shown(ledger)


def test_the_same_ledger_makes_the_same_page_wherever_it_lies(ledger: Ledger, tmp_path: Path) -> None:
    recover(ledger)
    first = bundle.write_dossier(ledger).read_bytes()
    moved = Ledger(tmp_path / "elsewhere" / "other.jsonl")
    moved.path.parent.mkdir()
    moved.path.write_bytes(ledger.path.read_bytes())
    assert bundle.write_dossier(moved).read_bytes() == first


class Anchors(HTMLParser):
    """The ids of a page and where its links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "srcset", "action")]


def test_every_link_leads_to_one_place_on_the_page_and_none_leaves_it(ledger: Ledger) -> None:
    recover(ledger)
    page = Anchors(dossier_page.render(ledger.path.read_bytes()))
    assert len(page.links) > 20
    assert [link for link in page.links if link.removeprefix("#") not in page.ids] == []
    assert len(page.ids) == len(set(page.ids))


def test_statements_of_one_name_and_two_texts_have_a_place_each(ledger: Ledger) -> None:
    begin(ledger, ["phase3"])
    evidence(ledger, "test_a")
    answer = {**ledger.lines()[-1]["answers"][0], "sql": "SELECT 2", "query_id": "recovery-census-2"}
    evidence(ledger, "test_b", answers=[answer])
    finish(ledger, "phase3", "GO")
    page = Anchors(dossier_page.render(ledger.path.read_bytes()))
    assert len([id for id in page.ids if id.startswith("sql-census-")]) == 2


def test_hostile_text_is_shown_and_not_obeyed(ledger: Ledger) -> None:
    begin(ledger, ["phase3"])
    evidence(ledger, "test_a", about=HOSTILE, notes=[HOSTILE])
    ledger.append("note", run="", who=HOSTILE, text=HOSTILE + "</script>", learning=False)
    finish(ledger, "phase3", "GO")
    html = dossier_page.render(ledger.path.read_bytes())
    assert html.count("<script") == 2
    assert HOSTILE not in html
    assert "&lt;script&gt;" in html


def test_a_ledger_without_a_run_is_refused_in_a_sentence(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    ledger.append("note", run="", who="ann@ops", text="x", learning=False)
    assert report.main([str(ledger.path)]) == 4
    assert capsys.readouterr().err == "The ledger has no run yet; there is nothing to tell.\n"
    assert report.main([str(ledger.path.parent / "nosuch.jsonl")]) == 4
    assert "cannot be read: No such file" in capsys.readouterr().err


def test_a_ledger_whose_lines_lack_what_is_told_is_refused_in_a_sentence(ledger: Ledger) -> None:
    ledger.append("run", run=RUN)
    with pytest.raises(UsageError, match="does not tell a recovery of this suite: KeyError"):
        told(ledger)


def test_ten_thousand_lines_make_a_page_under_ten_megabytes(ledger: Ledger) -> None:
    recover(ledger)
    page = dossier_page.render(grown(ledger.path.read_bytes(), 10_000))
    assert len(page) < 10_000_000
    assert "NOT PROVED" not in page


def test_the_execution_log_has_the_plans_form(ledger: Ledger) -> None:
    recover(ledger)
    text = bundle.execution_log(told(ledger))
    assert text.startswith("# Execution Log: Fills without a condition\n")
    assert "**Phase 4 (Are the broken rows gone, and only they?):**\n- Start time: " in text
    assert "- Action: deduplicate, done: remove 1,200 rows\n" in text
    assert "- [ ] The ticket is closed\n" in text
    assert "\n\n\n" not in text


def test_a_redacted_copy_names_no_host_no_user_and_no_path_and_has_a_chain_of_its_own(ledger: Ledger) -> None:
    begin(ledger, ["phase3"])
    evidence(
        ledger, "test_a", found={"host": "warehouse-7", "files": {"/home/ann/evidence/a.json": "x"}},
        notes=["warehouse-7: https://ann:pw@api.corp.example/v6?x=1 of ann@ops", r"see C:\Users\ann\log.txt or ~/ann/y"],
    )  # fmt: skip
    finish(ledger, "phase3", "GO", report="/home/ann/reports/out/page.html")
    redacted = redaction.redact(ledger.path.read_bytes())
    text = redacted.decode()
    for name in ("ann", "ops", "warehouse-7", "corp", "/home", "Users", "default@"):
        assert name not in text, name
    assert "user-1@host-" in text
    assert "…/page.html" in text
    assert fault_of(redacted, "it") is None
    last = lines_of(redacted)[-1]
    assert (last["kind"], last["of"]) == ("redacted", ledger.lines()[-1]["sha"])
    assert redaction.redact(ledger.path.read_bytes()) == redacted
    assert "Names of hosts, users and paths were replaced" in dossier_page.render(redacted)


def test_a_redacted_copy_of_a_changed_ledger_is_refused(ledger: Ledger) -> None:
    ask(ledger, "phase3")
    with pytest.raises(UsageError, match="A redacted copy would hide that"):
        redaction.redact(ledger.path.read_bytes().replace(b"ann@ops", b"bob@ops", 1))


def test_the_zip_holds_dossier_log_ledger_pages_and_the_evidence_of_its_runs_alone(
    ledger: Ledger, tmp_path: Path
) -> None:
    ask(ledger, "phase3")
    for run in (RUN, "other"):
        (tmp_path / "evidence" / run).mkdir(parents=True)
        (tmp_path / "evidence" / run / "answer.json").write_text("{}")
    for name in ("one.zip", "two.zip"):
        assert report.main([str(ledger.path), "--zip", str(tmp_path / name)]) == 0
    with zipfile.ZipFile(tmp_path / "one.zip") as made:
        names = made.namelist()
        assert made.read("ledger.jsonl") == ledger.path.read_bytes()
        assert made.read("dossier.html") == bundle.dossier_beside(ledger).read_bytes()
        (page,) = [name for name in names if name.startswith("runs/")]
        assert b'href="../dossier.html"' in made.read(page)
    assert [name for name in names if name.startswith("evidence/")] == [f"evidence/{RUN}/answer.json"]
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_redacted_dossier_is_not_put_in_the_place_of_the_whole_one(
    ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(ledger, "phase3")
    assert report.main([str(ledger.path), "--redact-host"]) == 4
    assert (
        report.main(
            [str(ledger.path), "--redact-host", "--out", str(tmp_path / "r.html"), "--zip", str(tmp_path / "z")]
        )
        == 4
    )
    assert not bundle.dossier_beside(ledger).exists()
    assert report.main([str(ledger.path), "--redact-host", "--out", str(tmp_path / "r.html")]) == 0
    assert "ann@ops" not in (tmp_path / "r.html").read_text()
    assert report.main([str(ledger.path), "--out", str(tmp_path)]) == 4
    assert "cannot be written" in capsys.readouterr().err
