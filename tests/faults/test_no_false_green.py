"""Nothing but complete, whole, recent evidence of this incident on this server opens a gate.

Each case begins with a ledger that a real recovery wrote and that opens a gate. One to four forgeries are made in it, each of
which takes something away that the gate must rely on; then the lines are sealed into a new chain, so that the chain alone does
not give the forgery away, or the file is spoilt after it was sealed.

Left out, because the file alone cannot show it: somebody who writes the whole chain anew with evidence that is consistent in
itself, be it with an expectation less, with another check's true numbers under this check's name and the state of now, or cut
where the ledger once ended. Lines of a kind that the gate does not know are not proof, and no harm where they are only added.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from recovery.gate import State, reasons_to_refuse
from recovery.incident import load
from recovery.ledger import Ledger
from recovery.phases import PHASES, Phase
from tests.conftest import Case
from tests.faults.conftest import FULL, rounds
from tests.faults.forgeries import FORGERIES, Forged


def genuine(phase: Phase, case: Case, broken: Case) -> Forged:
    """What a real ledger held when this phase's action was next, or, of a phase that only asks, its questions."""
    incident, whole = load(case.incident), case.ledger.lines()
    runs = [line for line in whole if line["kind"] == "run" and line["digest"] == incident.digest]
    last = {name: line for line in runs for name in line["phases"] if name in phase.after}
    own = {name: line["run"] for name, line in last.items()}
    end = max(at for at, line in enumerate(whole, 1) if line["kind"] == "finished" and line["run"] in own.values())
    lines = [{key: value for key, value in line.items() if key not in ("seq", "prev", "sha")} for line in whole[:end]]
    evidence = [line for line in lines if line["kind"] == "evidence"]
    asked = max(datetime.fromisoformat(line["now"]) for line in last.values())
    state = State(asked + timedelta(minutes=1), evidence[-1]["fingerprint"], runs[-1]["installation"])
    return Forged(phase, incident, load(broken.incident), state, asked, lines, own, [], draw=lambda strategy: None)


@pytest.fixture(scope="module")
def bases(broken: Case, backfilled: Case, recovered: Case) -> dict[str, Forged]:
    """By the phase whose gate they open."""
    found: dict[str, Forged] = {}
    asked = [name for line in recovered.lines("run") for name in line["phases"]]
    done = tuple(phase.name for phase in PHASES if phase.name in asked)
    early = {name for line in backfilled.lines("run") for name in line["phases"]}
    last = Phase("next", "What comes when all of this is GO?", action="next", after=done)
    for phase in (*PHASES, last):
        if phase.after and set(phase.after) <= set(done):
            found[phase.name] = genuine(phase, backfilled if set(phase.after) <= early else recovered, broken)
    evidence = {line["fingerprint"]: line for base in found.values() for line in base.lines if "fingerprint" in line}
    return {name: replace(base, elsewhere=list(evidence.values())) for name, base in found.items()}


def refused(forged: Forged, path: Path) -> list[str]:
    path.write_bytes(forged.spoil(forged.lines))
    return reasons_to_refuse(forged.phase, forged.incident, Ledger(path), forged.state)


def forge(
    base: Forged, draw: Callable[[st.SearchStrategy[Any]], Any], ways: Iterable[Callable[[Forged], None]]
) -> Forged:
    forged = replace(base, lines=[dict(line) for line in base.lines], draw=draw)
    for way in ways:
        way(forged)
    return forged


def assert_refused_in_words(reasons: list[str]) -> None:
    assert reasons, "the gate is open"
    for reason in reasons:
        assert re.search(r"; run pytest -m \w+|the ledger", reason), reason
        assert not re.search(r"Error|Traceback|None-?Type", reason), reason


def often(short: int, full: int) -> Any:
    return settings(
        max_examples=rounds(short, full), deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip


def test_a_genuine_ledger_opens_its_gate_and_what_leads_there_is_not_empty(
    bases: dict[str, Forged], tmp_path: Path
) -> None:
    assert {"phase2", "phase3", "phase4", "phase5", "next"} <= bases.keys()
    assert {name: refused(base, tmp_path / "genuine.jsonl") for name, base in bases.items()} == {
        name: [] for name in bases
    }
    assert len(bases["next"].elsewhere) == 3


@pytest.mark.parametrize("way", FORGERIES, ids=lambda way: way.__name__)
def test_one_forgery_closes_every_gate(
    way: Callable[[Forged], None], bases: dict[str, Forged], tmp_path: Path, figures: Callable[..., None]
) -> None:
    @often(1, 8)
    @given(st.data())
    def try_it(data: st.DataObject) -> None:
        for base in bases.values():
            reasons = refused(forge(base, data.draw, [way]), tmp_path / "forged.jsonl")
            figures("no false green", cases=1, gates_opened=int(not reasons))
            assert_refused_in_words(reasons)

    try_it()


def test_no_forgeries_together_open_a_gate(
    bases: dict[str, Forged], tmp_path: Path, figures: Callable[..., None]
) -> None:
    tried: Counter[str] = Counter()
    cases = 0

    @often(60, 2_000)
    @given(st.data())
    def try_them(data: st.DataObject) -> None:
        nonlocal cases
        base = bases[data.draw(st.sampled_from(sorted(bases)))]
        ways = data.draw(st.lists(st.sampled_from(FORGERIES), min_size=1, max_size=4))
        note(f"{base.phase.name}: {', '.join(way.__name__ for way in ways)}")
        reasons = refused(forge(base, data.draw, ways), tmp_path / "forged.jsonl")
        cases += 1
        tried.update(way.__name__ for way in ways)
        figures("no false green", cases=1, gates_opened=int(not reasons))
        assert_refused_in_words(reasons)

    try_them()
    assert cases >= rounds(60, 2_000)
    assert FULL is False or tried.keys() == {way.__name__ for way in FORGERIES}
