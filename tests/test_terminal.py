"""What a run says at the terminal: the bar of an action, the table at the end, and the verdict as the last line."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from checks import terminal
from recovery.ledger import Ledger
from tests.conftest import PROJECT, Case

PLAN = {"units": [{"label": "one"}, {"label": "two"}, {"label": "three"}]}


def unit(ledger: Ledger, label: str, state: str, rows: int = 0) -> None:
    ledger.append("unit", action="backfill", attempt="a1", unit=label, state=state, rows=rows, seconds=0.1)


def shown(out: StringIO) -> str:
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", out.getvalue())


def test_where_there_is_a_terminal_a_bar_follows_the_units_of_the_ledger(tmp_path: Path) -> None:
    ledger, out = Ledger(tmp_path / "ledger.jsonl"), StringIO()
    with terminal.progress(ledger, Console(file=out, force_terminal=True, width=120)) as say:
        ledger.append("started", action="backfill", attempt="a1", plan=PLAN)
        unit(ledger, "one", "started")
        unit(ledger, "one", "done", 1200)
        say("[bold]waiting[/] for merges")
        unit(ledger, "two", "started")
    assert "1/3" in shown(out)
    assert "1,200 rows" in shown(out)
    assert "[bold]waiting[/] for merges" in shown(out)
    assert ledger.listeners == []


def test_a_resumed_action_goes_on_where_it_was(tmp_path: Path) -> None:
    ledger, out = Ledger(tmp_path / "ledger.jsonl"), StringIO()
    ledger.append("started", action="backfill", attempt="a1", plan=PLAN)
    unit(ledger, "one", "done", 1200)
    with terminal.progress(ledger, Console(file=out, force_terminal=True, width=120)):
        unit(ledger, "two", "done", 300)
    assert "2/3" in shown(out)
    assert "1,500 rows" in shown(out)


def test_where_there_is_none_sentences_are_plain_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    with terminal.progress(ledger, None) as say:
        say("backfill 1/3: one")
        assert ledger.listeners == []
    assert capsys.readouterr().out == "backfill 1/3: one\n"


END = {
    "phase": "phase3",
    "verdict": "GO",
    "asked": 27,
    "required": 27,
    "rows": 1_234_567,
    "written": 0,
    "seconds": 1.25,
}


def test_a_terminal_that_is_too_narrow_for_the_table_gets_a_sentence() -> None:
    assert "1,234,567" in terminal.table([END], width=120)
    assert "\u256d" in terminal.table([END], width=120)
    assert terminal.table([END], width=40).startswith("phase3 GO: 27 checks asked, 27 required, 1,234,567 rows read")
    assert terminal.table([END], width=None).splitlines()[1].split()[:5] == ["phase3", "GO", "27", "27", "1,234,567"]


def test_a_ledger_that_is_lost_on_the_way_is_no_verdict(backfilled: Case, tmp_path: Path) -> None:
    case = backfilled.clone(tmp_path)
    lose = "import pathlib, pytest\n@pytest.hookimpl(trylast=True)\ndef pytest_runtest_logreport(report):\n"
    lose += f"    pathlib.Path({str(case.ledger.path)!r}).write_text('lost')\n"
    (case.folder / "losing.py").write_text(lose)
    case.env = case.env | {"PYTHONPATH": str(case.folder)}
    assert case.pytest("phase3", "-p", "losing") == 3, case.output
    assert last_line(case) == "phase3 NOT ENDED (exit 3: internal error)"


def test_the_meanings_of_the_exit_codes_are_those_of_the_reference() -> None:
    rows = re.findall(r"^\| (\d+) \| ([^;:|]+)", (PROJECT / "docs" / "messages.md").read_text(), re.M)
    told = {int(code): meaning.strip() for code, meaning in rows}
    assert {code: meaning.split(":")[0] for code, meaning in terminal.MEANINGS.items() if code not in (10,)} == {
        code: meaning for code, meaning in told.items() if code != 10
    }


def last_line(case: Case) -> str:
    return case.output.rstrip().splitlines()[-1]


def test_the_verdict_is_the_last_line_and_the_table_has_the_ledgers_figures(backfilled: Case, tmp_path: Path) -> None:
    case = backfilled.clone(tmp_path)
    assert case.pytest("phase3") == 0, case.output
    assert last_line(case) == "phase3 GO (exit 0: GO)"
    end = case.lines("finished")[-1]
    row = next(line.split() for line in case.output.splitlines() if line.startswith("phase3  "))
    assert row[1:6] == ["GO", *(f"{end[name]:,}" for name in ("asked", "required", "rows", "written"))]
    lines = case.ledger.lines()
    assert f"{len(lines):,} lines, head {lines[-1]['sha']}" in case.output
    assert "\x1b" not in case.output


def test_the_verdict_is_last_when_quiet_with_workers_and_where_a_gate_is_closed(broken: Case, tmp_path: Path) -> None:
    case = broken.clone(tmp_path)
    assert case.pytest("phase3", "-q") == 1, case.output
    assert last_line(case) == "phase3 NO-GO (exit 1: NO-GO: the data is wrong)"
    assert case.pytest("preflight", "-n", "2") == 0, case.output
    assert last_line(case) == "preflight GO (exit 0: GO)"
    assert case.pytest("phase4", "--execute") == 11, case.output
    assert last_line(case) == "phase4 NO-GO (exit 11: a gate was closed)"
    assert case.pytest("phase4") == 0, case.output
    assert last_line(case) == "phase4 PLAN (exit 0: a plan was shown and nothing was changed)"


def test_where_nothing_is_asked_there_is_no_verdict(broken: Case, tmp_path: Path) -> None:
    case = broken.clone(tmp_path)
    assert case.pytest("phase3", "--collect-only", "-q") == 0, case.output
    assert "exit" not in last_line(case)
    assert case.pytest("preflight and phase3") == 5, case.output
    assert "exit" not in last_line(case)
