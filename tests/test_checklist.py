"""The checklist and notes: what people write into the ledger, and the gate that waits for it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from recovery import clear, gate
from recovery.errors import IncidentError
from recovery.incident import load
from recovery.ledger import Ledger, Line
from recovery.phases import BY_NAME, Phase
from reports import dossier_page
from scripts import ledger as command
from tests.conftest import CONTENT, JANUARY, Case
from tests.test_gate import NOW


@pytest.fixture
def incident(tmp_path: Path) -> Path:
    """January's file, whose backfill waits for a tick."""
    return written(
        tmp_path, told={"text": "The team was told", "before": "phase2"}, closed={"text": "The ticket is closed"}
    )


def written(folder: Path, **items: dict[str, Any]) -> Path:
    path = folder / JANUARY.name
    path.write_text(tomli_w.dumps(CONTENT | {"checklist": items}))
    path.with_suffix(".sql").write_bytes(JANUARY.with_suffix(".sql").read_bytes())
    return path


def run(incident: Path, *words: str) -> int:
    return command.main(["--incident", str(incident), "--ledger", str(incident.parent / "ledger.jsonl"), *words])


def lines(incident: Path) -> list[Line]:
    return Ledger(incident.parent / "ledger.jsonl").lines()


def test_a_tick_is_a_line_with_who_and_when_and_is_shown(incident: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(incident, "tick", "told", "--text", "in the channel", "--by", "Ann") == 0
    read, line = lines(incident)
    assert (read["kind"], "The team was told" in read["file"]) == ("incident", True)
    assert (line["kind"], line["item"], line["undone"], line["text"], line["by"]) == (
        "tick",
        "told",
        False,
        "in the channel",
        "Ann",
    )
    assert "@" in line["who"]
    capsys.readouterr()
    assert run(incident, "checklist") == 0
    said = capsys.readouterr().out
    assert "[x] told: The team was told, before phase2  (Ann, " in said
    assert "[ ] closed: The ticket is closed\n" in said


def test_ticking_twice_and_undoing_what_is_not_ticked_write_nothing(
    incident: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(incident, "tick", "told", "--undo") == 0
    assert "told is not ticked; nothing was written." in capsys.readouterr().out
    for _ in range(2):
        assert run(incident, "tick", "told") == 0
    assert "told is ticked already; nothing was written." in capsys.readouterr().out
    assert run(incident, "tick", "told", "--undo") == 0
    assert [line["undone"] for line in lines(incident) if line["kind"] == "tick"] == [False, True]


@pytest.mark.parametrize(
    ("words", "because"),
    [
        (["tick", "nosuch"], "'nosuch' is no item of the checklist"),
        (["tick", ""], "there are: told, closed"),
        (["note", "  "], "write it in words"),
        (["note", "\x1b[31mred"], "write it in words"),
        (["note", "x" * 2001], "at most 2,000 are kept"),
        (["tick", "told", "--text", "!!"], "--text: write it in words"),
        (["note", "fine", "--by", "?"], "--by: write it in words"),
        (["tick", "told", "--learning"], "tick: it takes no --learning"),
        (["checklist", "told"], "checklist: it takes no 'told'"),
    ],
)
def test_what_says_nothing_is_refused_and_nothing_is_written(
    incident: Path, words: list[str], because: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(incident, *words) == 4
    assert because in capsys.readouterr().err
    assert lines(incident) == []


def test_nothing_is_added_to_a_ledger_whose_chain_is_broken(incident: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(incident, "note", "first") == 0
    path = incident.parent / "ledger.jsonl"
    path.write_text(path.read_text().replace("first", "other"))
    for words in (["note", "second"], ["tick", "told"]):
        assert run(incident, *words) == 4
        assert "chain is broken" in capsys.readouterr().err
    assert len(path.read_text().splitlines()) == 1


def test_a_learning_is_noted_as_one(incident: Path) -> None:
    assert run(incident, "note", "Map tokens first", "--learning") == 0
    assert [(line["text"], line["learning"]) for line in lines(incident)] == [("Map tokens first", True)]


def test_an_item_that_waits_for_no_phase_is_refused_by_the_incident_file(tmp_path: Path) -> None:
    for phase in ("phase9", "phase3"):
        with pytest.raises(IncidentError, match=r"checklist\.told\.before"):
            load(written(tmp_path, told={"text": "x", "before": phase}))


def reasons(incident: Path, phase: str | Phase = "phase2") -> list[str]:
    state = gate.State(NOW, "", "one/two")
    about = load(incident)
    found = gate.reasons_to_refuse(
        phase if isinstance(phase, Phase) else BY_NAME[phase], about, Ledger(incident.parent / "ledger.jsonl"), state
    )
    return [reason for reason in found if "tick" in reason]


def test_the_gate_of_a_phase_waits_for_its_item_alone(incident: Path) -> None:
    assert reasons(incident) == [
        "told is not ticked (The team was told); when it is so, run python -m scripts.ledger tick told"
    ]
    assert run(incident, "tick", "closed") == 0
    assert len(reasons(incident)) == 1
    assert reasons(incident, "phase4") == []
    assert len(reasons(incident, clear.PHASE)) == 1  # which phase 2 has to follow
    assert run(incident, "tick", "told") == 0
    assert reasons(incident) == []
    assert run(incident, "tick", "told", "--undo") == 0
    assert len(reasons(incident)) == 1


def test_a_tick_that_cannot_be_read_keeps_every_gate_closed(incident: Path) -> None:
    Ledger(incident.parent / "ledger.jsonl").append("tick", item="told", who="eve@ops")
    assert run(incident, "checklist") == 4
    assert run(incident, "tick", "told") == 4
    (reason,) = [r for r in reasons(incident) if "(tick)" in r]
    assert "line 1 of the ledger (tick) has no undone that can be read" in reason


def test_fetch_keeps_a_tick_that_only_the_file_has(
    backfilled: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = backfilled.clone(tmp_path)
    options = ["--incident", str(case.incident), "--ledger", str(case.ledger.path), "--clickhouse", case.dsn]
    assert command.main([*options, "note", "written while the server was down"]) == 0
    before = case.ledger.path.read_bytes()
    assert command.main([*options, "fetch"]) == 0
    assert "has what the server has; nothing was changed." in capsys.readouterr().out
    assert case.ledger.path.read_bytes() == before


def test_an_action_is_refused_until_its_item_is_ticked_or_somebody_overrides(case: Case) -> None:
    content = tomllib.loads(case.incident.read_text())
    content["checklist"] = {"told": {"text": "The team was told", "before": "phase2"}}
    case.incident.write_text(tomli_w.dumps(content))
    assert case.pytest("preflight or phase1", "--execute") == 0, case.output
    assert case.pytest("phase2", "--execute") == 11, case.output
    assert "told is not ticked (The team was told)" in " ".join(case.output.split())
    options = ["--incident", str(case.incident), "--ledger", str(case.ledger.path)]
    assert command.main([*options, "tick", "told", "--by", "Ann"]) == 0
    assert case.pytest("phase2", "--execute") == 0, case.output
    told = dossier_page.render(case.ledger.path.read_bytes())
    assert "Ann, written down by" in told
    assert "phase2 was refused" in told
