"""Every check has been turned red, and no data fault passes unseen: checks by faults, each cell asked of a real table.

A fault is done to a clone of the table as it was broken, backfilled, recovered or, with its positions and boards, refreshed;
then every check is asked that is asked in that state, for each of its days, partitions, subjects, months and boards. `pytest
tests` does some faults to the recovered table and to what is refreshed; FAULTS=full does all of them in all four states, prints
the tables, and writes them as Markdown where FAULTS_TABLE names a file. One state alone: -k "refreshed or turned_red".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest
from _pytest.mark import ParameterSet

from checks import test_preflight
from recovery import prover, statements
from recovery.errors import RecoveryError
from recovery.incident import load
from recovery.phases import PHASES, Phase, axis
from recovery.warehouse import Warehouse
from tests import test_phase8
from tests.asking import ask
from tests.conftest import Case
from tests.faults.conftest import FULL
from tests.faults.data_faults import DATA_FAULTS, LEGITIMATE, LEGITIMATE_REFRESHED, OF_STATE, UNSEEN
from tests.test_checks_go_red import FAULTS, FAULTS_THAT_SAY_WHY, FILLS, MORE_FAULTS, PRETENCES, Fault

Context = Callable[[], AbstractContextManager[object]]
ASKED_IN = {
    "preflight": "broken", "phase1": "broken", "phase2": "backfilled", "phase3": "backfilled", "phase4": "recovered",
    "phase5": "recovered", "phase6": "refreshed", "phase7": "refreshed", "phase8": "refreshed",
}  # fmt: skip
STATES = ("broken", "backfilled", "recovered", "refreshed")
RED, REFUSED, GO = "X", "E", "·"
SHORT = {
    "recovered": (
        "a row doubled in another partition", "a broken row that is older", "a foreign row in the place of another",
        "a row before the window changed", "an orphan gone without a copy", "the token map learns an orphan's token",
        "that of test_a_test_subject_is_right",
    ),
    "refreshed": (
        "a month of the positions dropped", "a lot moved to a month that was not rebuilt", "a fill removed since the rebuild",
        "a broken row of the last minutes", "that of test_no_lot_is_sold_beyond_what_was_bought",
    ),
}  # fmt: skip
SHORT_PHASES = ("phase5", "phase6")


@dataclass(frozen=True)
class Injected:
    """A fault in one of the states; `world` is what the server pretends to be meanwhile, `sees` a check that must see it."""

    state: str
    name: str
    fault: Fault | None
    sees: str = ""
    world: Context = nullcontext
    data: bool = False

    def __str__(self) -> str:
        return f"{self.state}: {self.name}"


def pretence(statement: str, words: str, others: str) -> Context:
    """The server answers a statement as if it were another's."""
    real = statements.text

    def text(asked: str) -> str:
        return real(asked).replace(words, others) if asked == statement else real(asked)

    return lambda: patch.object(statements, "text", text)


def injections() -> Iterator[Injected]:
    for state in STATES:
        general = {} if state == "refreshed" else DATA_FAULTS
        for name, fault in {**general, **OF_STATE[state]}.items():
            yield Injected(state, name, fault, data=True)
        for name, (fault, _) in (LEGITIMATE_REFRESHED if state == "refreshed" else LEGITIMATE).items():
            yield Injected(state, name, fault)
    for check, (state, _, fault) in FAULTS.items():
        yield Injected(state, f"that of {check}", fault, check)
    for name, (check, state, _, fault) in MORE_FAULTS.items():
        yield Injected(state, name, fault, check)
    for name, (check, _, fault, _) in test_phase8.FAULTS.items():
        yield Injected("refreshed", name, fault, check)
    for name, (check, fault, _) in FAULTS_THAT_SAY_WHY.items():
        yield Injected("broken", name, fault, check)
    for name, (check, statement, words, others, _) in PRETENCES.items():
        yield Injected("broken", name, None, check, pretence(statement, words, others))
    yield Injected(
        "broken", "a server that is too old", None, "test_the_server_is_supported",
        lambda: patch.object(test_preflight, "OLDEST_SERVER", (99, 1)),
    )  # fmt: skip
    yield Injected(
        "broken", "a switch of insert deduplication left on", None, "test_insert_deduplication_drops_nothing",
        lambda: patch.object(prover, "NEWER_WRITE_SETTINGS", {}),
    )  # fmt: skip


INJECTED = [one for one in injections() if FULL or one.name in SHORT.get(one.state, ())]


def phases_of(state: str) -> list[Phase]:
    """In the short slice, of the recovered table phase 5 alone, and of what is refreshed phase 6."""
    asked = [phase for phase in PHASES if phase.checks and ASKED_IN[phase.name] == state]
    return asked if FULL else [phase for phase in asked if phase.name in SHORT_PHASES]


def checks_of(state: str) -> dict[str, set[tuple[str, str, str]]]:
    """check → (phase, axis, its name for the axis): those of the state's phases, and those whose own fault is done to it."""
    asked: dict[str, set[tuple[str, str, str]]] = {}
    own = {check for check, (where, *_) in FAULTS.items() if where == state} if FULL else set()
    for phase in PHASES:
        for check in phase.checks:
            if phase in phases_of(state) or check.name in own:
                asked.setdefault(check.name, set()).add((phase.name, check.per, check.name))
    return asked


@dataclass
class Table:
    """What was asked: (state, fault) → check → mark. The first column of a state, "", is the table without a fault."""

    cells: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)

    @property
    def states(self) -> list[str]:
        return list(dict.fromkeys(state for state, _ in self.cells))

    def never_red(self, state: str) -> list[str]:
        """The checks of a state that no fault of it turned red."""
        found = [marks for (where, fault), marks in self.cells.items() if where == state and fault]
        return [check for check in checks_of(state) if all(marks[check] != RED for marks in found)]

    @property
    def checks(self) -> list[str]:
        return list(dict.fromkeys(check for marks in self.cells.values() for check in marks))

    def markdown(self) -> str:
        """A table for each state: its checks, and the faults by number."""
        parts = []
        for state in self.states:
            faults = [fault for where, fault in self.cells if where == state and fault]
            checks = list(self.cells[state, ""])
            rows = [["check", *(str(number) for number, _ in enumerate(faults, 1))]]
            rows += [["---", *("---" for _ in faults)]]
            rows += [[f"`{check}`", *(self.cells[state, fault][check] for fault in faults)] for check in checks]
            unseen = [fault for fault in faults if set(self.cells[state, fault].values()) == {GO}]
            parts += [
                f"## The table as it was {state}",
                "\n".join(f"| {' | '.join(row)} |" for row in rows),
                "\n".join(f"{number}. {fault}" for number, fault in enumerate(faults, 1)),
                f"Seen by no check that is asked in this state: {'; '.join(unseen) or 'none'}.",
            ]
            wrong = [f"{fault}: {UNSEEN[fault]}" for fault in unseen if fault in UNSEEN]
            parts += [f"Of these are wrong, and ought to be seen: {'; '.join(wrong)}."] if wrong else []
        return "\n\n".join(
            [f"{RED}: NO-GO; {REFUSED}: could not be asked, which is no GO either; {GO}: GO.", *parts, ""]
        )


@pytest.fixture(scope="module")
def table() -> Table:
    return Table()


@pytest.fixture(scope="module")
def moment(broken: Case) -> datetime:
    """When the live writer's last row was stored, however long ago this run began: checks look at what it did last."""
    return datetime.fromtimestamp(broken.value(f"SELECT toUnixTimestamp(max(event_time)) FROM {FILLS}"), UTC)


@pytest.fixture
def still(request: pytest.FixtureRequest, moment: datetime, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Case]:
    """A state in which the clock stands still, a minute after its last command."""

    def at(state: str) -> Case:
        case: Case = request.getfixturevalue(state)
        runs = [datetime.fromisoformat(line["now"]) for line in case.lines("run")]
        monkeypatch.setattr(Case, "now", property(lambda _: max([moment, *runs]) + timedelta(minutes=1)))
        return case

    return at


def marks_of(case: Case, state: str, folder: Path) -> dict[str, str]:
    """Each check that is asked in a state, for all that it is asked for; as in a run, a statement is put once."""
    incident = load(case.incident)
    found: dict[str, str] = {}
    with patch("tests.asking.Warehouse", partial(Warehouse, shared=folder)):
        for check, asked in checks_of(state).items():
            for phase, per, name in sorted(asked):
                values = [phase] if per == "phase" else axis(incident, per) if per else [""]
                for value in values:
                    mark = mark_of(case, name, {per: value} if per else {})
                    found[check] = max(found.get(check, GO), mark, key=[GO, REFUSED, RED].index)
    return found


def mark_of(case: Case, check: str, asked_for: dict[str, str]) -> str:
    try:
        return GO if ask(case, check, **asked_for).verdict == "GO" else RED
    except RecoveryError:
        return REFUSED


def contents(case: Case) -> dict[str, object]:
    """What every table holds."""
    names = case.client.query("SELECT name FROM system.tables WHERE database = currentDatabase()").result_rows
    return {name: case.value(f"SELECT (count(), sum(sipHash64(*))) FROM `{name}`") for (name,) in names}


@pytest.mark.parametrize("state", STATES if FULL else list(SHORT))
def test_every_check_is_go_without_a_fault(
    state: str, still: Callable[[str], Case], table: Table, tmp_path: Path
) -> None:
    table.cells[state, ""] = marks_of(still(state), state, tmp_path)
    assert [check for check, mark in table.cells[state, ""].items() if mark != GO] == []


class Unseen(AssertionError):
    """No check sees a fault."""


def parameter(injected: Injected) -> ParameterSet:
    """A fault that is known to be seen by no check is expected to fail, and to be taken from the list as soon as one sees it."""
    is_unseen = injected.data and injected.state == "refreshed" and injected.name in UNSEEN
    marks = [pytest.mark.xfail(reason=UNSEEN[injected.name], raises=Unseen, strict=True)] if is_unseen else []
    return pytest.param(injected, id=str(injected), marks=marks)


@pytest.mark.parametrize("injected", [parameter(injected) for injected in INJECTED])
def test_a_fault_is_seen(injected: Injected, still: Callable[[str], Case], table: Table, tmp_path: Path) -> None:
    case = still(injected.state)
    (tmp_path / "asked").mkdir()
    if injected.fault:
        case = case.clone(tmp_path)
        before = contents(case) if injected.data else {}
        injected.fault(case)
        assert not injected.data or contents(case) != before
    with injected.world():
        marks = marks_of(case, injected.state, tmp_path / "asked")
    table.cells[injected.state, injected.name] = marks
    seen = [check for check, mark in marks.items() if mark != GO]
    if injected.sees:
        assert marks[injected.sees] == RED
    if injected.data and injected.state in ("recovered", "refreshed") and not seen:
        raise Unseen(f"no check sees {injected.name}")


def test_every_check_was_turned_red(
    table: Table, figures: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    text = table.markdown()
    if target := os.environ.get("FAULTS_TABLE"):
        Path(target).write_text(text, "utf-8")
    if FULL:
        with capsys.disabled():
            print(f"\n{text}")
    never = [f"{state}: {check}" for state in table.states for check in table.never_red(state)]
    roster = {check.name for state in table.states for phase in phases_of(state) for check in phase.checks}
    cells = [mark for (_, fault), marks in table.cells.items() if fault for mark in marks.values()]
    figures(
        "gate mutation", checks=len(table.checks), faults=sum(bool(fault) for _, fault in table.cells), cells=len(cells),
        red_cells=cells.count(RED), checks_never_red=len(never),
    )  # fmt: skip
    assert set(table.checks) == roster
    assert never == []
