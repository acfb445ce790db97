"""Evidence of phases 6 to 8 holds for the positions that it saw; an incident without positions is not asked about them."""

from __future__ import annotations

from pathlib import Path

import pytest

from recovery.gate import State, reasons_to_refuse
from recovery.phases import BY_NAME, PHASES, Phase
from tests.test_gate import CLEANED, FOREIGN, HERE, INCIDENT, NOW, Line, done, run_of, started, written

OLD, REBUILT, OTHER = "positions of before", "positions rebuilt", "positions of somebody else"
AFTER_6 = Phase("next", "What comes after phase 6?", action="next", after=("phase6",), section="boards")
REASON = "since phase6 was asked; run pytest -m phase6"


def phase6(saw: str = REBUILT) -> list[Line]:
    """A run of phase 6 that is GO."""
    lines = run_of("phase6", CLEANED)
    return [line | {"positions": saw} if line["kind"] == "evidence" else line for line in lines]


def of_positions(line: Line, before: str, after: str | None = None) -> Line:
    return line | {"positions_before": before} | ({"positions_after": after} if after else {})


def rebuild(before: str = OLD, after: str = REBUILT) -> list[Line]:
    begun = of_positions(started("rebuild", CLEANED), before)
    return [begun, of_positions(done("rebuild", CLEANED, CLEANED), before, after)]


def refused(lines: list[Line], folder: Path, positions: str = REBUILT, window: str = CLEANED) -> list[str]:
    ledger = written(folder / "incident.jsonl", lines)
    return reasons_to_refuse(AFTER_6, INCIDENT, ledger, State(NOW, window, HERE, positions))


def test_the_gate_opens_on_the_positions_that_phase_6_saw(tmp_path: Path) -> None:
    assert refused([*rebuild(), *phase6()], tmp_path) == []


def test_evidence_that_saw_the_positions_before_our_own_rebuild_holds_after_it(tmp_path: Path) -> None:
    assert refused([*phase6(OLD), *rebuild()], tmp_path) == []


def test_somebody_elses_write_to_the_positions_closes_the_gate(tmp_path: Path) -> None:
    assert refused([*rebuild(), *phase6()], tmp_path, OTHER) == [
        f"the positions were written to, not by this suite, {REASON}"
    ]


def test_somebody_elses_write_to_the_window_closes_it_too(tmp_path: Path) -> None:
    assert refused([*rebuild(), *phase6()], tmp_path, window=FOREIGN) == [
        f"the window was written to, not by this suite, {REASON}"
    ]


def test_a_restore_of_the_positions_ends_the_evidence_of_what_it_took_back(tmp_path: Path) -> None:
    back = {"kind": "restored", "run": "r", "before": CLEANED, "after": CLEANED, "undoes": ["rebuild"]}
    lines = [*rebuild(), *phase6(), of_positions(back, REBUILT, OLD)]
    assert refused(lines, tmp_path, OLD) == [f"the positions were restored to an earlier state {REASON}"]


def test_a_rebuild_that_was_left_half_way_is_told_from_a_write_of_others(tmp_path: Path) -> None:
    lines = [*phase6(OLD), of_positions(started("rebuild", CLEANED) | {"phase": "phase6"}, OLD)]
    assert refused(lines, tmp_path, OTHER) == [
        f"the positions were left half-way by rebuild, which pytest -m phase6 --execute ends, {REASON}"
    ]


def test_evidence_of_phase_6_that_does_not_say_which_positions_it_saw_opens_nothing(tmp_path: Path) -> None:
    lines = [{key: value for key, value in line.items() if key != "positions"} for line in phase6()]
    assert refused([*rebuild(), *lines], tmp_path) == [f"the positions were written to, not by this suite, {REASON}"]


@pytest.mark.parametrize("phase", [phase for phase in PHASES if phase.section], ids=lambda phase: phase.name)
def test_a_phase_that_the_incident_has_no_section_for_is_not_asked_for(phase: Phase, tmp_path: Path) -> None:
    without = INCIDENT.model_copy(update={phase.section: None})
    assert phase.applies(INCIDENT)
    assert not phase.applies(without)
    next_one = Phase("next", "What comes after it?", action="next", after=(phase.name,))
    ledger = written(tmp_path / "incident.jsonl", [])
    assert reasons_to_refuse(next_one, without, ledger, State(NOW, CLEANED, HERE)) == []
    assert reasons_to_refuse(next_one, INCIDENT, ledger, State(NOW, CLEANED, HERE)) != []


def test_phases_6_to_8_come_after_all_before_them() -> None:
    names = [phase.name for phase in PHASES]
    assert [BY_NAME[name].after for name in names[6:8]] == [tuple(names[:6]), tuple(names[:7])]
