"""A gate opens on complete, whole and recent evidence of the state that holds now, and on nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks import test_phase3_corrections_verified as phase3_checks
from checks import test_phase4_deduplicated as phase4_checks
from checks import test_phase5_table_right as phase5_checks
from recovery.census import CLEAN, UNCORRECTED, Census
from recovery.evidence import GO, NO_GO, Evidence
from recovery.gate import State, reasons_to_refuse
from recovery.incident import load
from recovery.ledger import START, VERSION, Ledger
from recovery.phases import BY_NAME, Phase
from recovery.warehouse import Answer

INCIDENT = load(Path(__file__).parent.parent / "incidents" / "2026-01-empty-condition-ids.toml")
NOW = datetime(2026, 2, 2, 6, tzinfo=UTC)
HERE = "server/table"
BEFORE, FILLED, CLEANED, FOREIGN = "state before", "state filled", "state cleaned", "state of somebody else"
BACKFILL, DEDUPLICATE = BY_NAME["phase2"], BY_NAME["phase4"]
AFTER_3 = Phase("next", "What comes after phase 3?", action="next", after=("phase3",))
AFTER_4 = Phase("next", "What comes after phase 4?", action="next", after=("phase4",))
AFTER_5 = Phase("next", "What comes after phase 5?", action="next", after=("phase5",))

Line = dict[str, Any]


def record(check: str, phase: str, fingerprint: str) -> Line:
    """A GO of one check, as its evidence stands in the ledger."""
    evidence = Evidence(check=check, phases=[phase], fingerprint=fingerprint)
    evidence.show(examined=1_000)
    evidence.expect("rows that are wrong", 0, "==", 0)
    return evidence.record()


def run_of(name: str, fingerprint: str, *, run: str = "", now: datetime = NOW) -> list[Line]:
    """A complete GO run of one phase."""
    run = run or f"run of {name}"
    begun = {
        "kind": "run",
        "run": run,
        "phases": [name],
        "mode": "ask",
        "now": now.isoformat(),
        "incident": INCIDENT.id,
    }
    begun |= {"digest": INCIDENT.digest, "installation": HERE}
    found = [
        {"kind": "evidence", "run": run, "outcome": "passed", "problem": "", **record(check, name, fingerprint)}
        for check in BY_NAME[name].roster(INCIDENT)
    ]
    return [begun, *found, {"kind": "finished", "run": run, "phase": name, "verdict": GO, "dry": False}]


def started(action: str, before: str) -> Line:
    return {
        "kind": "started",
        "run": f"run of {action}",
        "action": action,
        "phase": "phase4",
        "before": before,
        "snapshot": None,
    }


def done(action: str, before: str, after: str) -> Line:
    return {"kind": "done", "run": f"run of {action}", "action": action, "before": before, "after": after}


def restored(before: str, after: str) -> Line:
    return {"kind": "restored", "run": "restore", "before": before, "after": after, "undoes": ["backfill"]}


def up_to_phase1() -> list[Line]:
    return run_of("preflight", BEFORE) + run_of("phase1", BEFORE)


def up_to_phase3() -> list[Line]:
    """What the ledger holds when the deduplication is next."""
    return [
        *up_to_phase1(),
        started("backfill", BEFORE),
        done("backfill", BEFORE, FILLED),
        *run_of("phase2", FILLED),
        *run_of("phase3", FILLED),
    ]


def written(path: Path, lines: list[Line]) -> Ledger:
    """A ledger with these lines in a whole chain."""
    previous, texts = START, []
    for seq, facts in enumerate(lines):
        line = {**facts, "v": VERSION, "seq": seq, "time": NOW.isoformat(), "prev": previous}
        previous = sha256(json.dumps(line, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
        texts.append(json.dumps(line | {"sha": previous}, ensure_ascii=False, sort_keys=True))
    path.write_text("".join(f"{text}\n" for text in texts), "utf-8")
    return Ledger(path)


@pytest.fixture
def refuse(tmp_path: Path) -> Callable[..., list[str]]:
    def reasons(
        lines: list[Line], phase: Phase = DEDUPLICATE, *, state: str = FILLED, now: datetime = NOW, where: str = HERE
    ) -> list[str]:
        ledger = written(tmp_path / "incident.jsonl", lines)
        assert ledger.fault() is None
        return reasons_to_refuse(phase, INCIDENT, ledger, State(now, state, where))

    return reasons


Refuse = Callable[..., list[str]]


def the(lines: list[Line], check: str) -> Line:
    """The evidence of one check."""
    (line,) = (line for line in lines if line["kind"] == "evidence" and line["check"] == check)
    return line


def ended(lines: list[Line], phase: str) -> Line:
    (line,) = (line for line in lines if line["kind"] == "finished" and line["phase"] == phase)
    return line


def begun(lines: list[Line], phase: str) -> Line:
    (line,) = (line for line in lines if line["kind"] == "run" and phase in line["phases"])
    return line


# Open


def test_the_gate_of_the_backfill_opens_on_preflight_and_phase_1(refuse: Refuse) -> None:
    assert refuse(up_to_phase1(), BACKFILL, state=BEFORE) == []


def test_the_gate_of_the_deduplication_opens_on_everything_before_it(refuse: Refuse) -> None:
    assert refuse(up_to_phase3()) == []


def test_the_gate_opens_on_a_ledger_that_the_suite_wrote_itself(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "incident.jsonl")
    for line in up_to_phase1():
        facts = dict(line)
        ledger.append(facts.pop("kind"), **facts)
    assert reasons_to_refuse(BACKFILL, INCIDENT, ledger, State(NOW, BEFORE, HERE)) == []
    assert reasons_to_refuse(BACKFILL, INCIDENT, ledger, State(NOW, FOREIGN, HERE)) != []


def test_the_deployment_needs_no_evidence_because_it_is_the_cure(refuse: Refuse) -> None:
    assert refuse([], BY_NAME["phase1"]) == []


def test_one_run_of_several_phases_opens_the_gate_too(refuse: Refuse) -> None:
    lines = up_to_phase1()
    begun(lines, "phase1")["phases"] = ["preflight", "phase1"]
    for line in lines:
        line["run"] = "one run"
    lines = [line for line in lines if line["kind"] != "run" or line["phases"] != ["preflight"]]
    assert refuse(lines, BACKFILL, state=BEFORE) == []


def test_our_own_actions_lead_from_the_state_of_the_evidence_to_that_of_now(refuse: Refuse) -> None:
    lines = [*up_to_phase3(), started("deduplicate", FILLED), done("deduplicate", FILLED, CLEANED)]
    assert refuse(lines, AFTER_3, state=CLEANED) == []
    assert refuse(lines, AFTER_3, state=FILLED) == [
        "the window was written to, not by this suite, since phase3 was asked; run pytest -m phase3"
    ]


def test_an_action_that_is_resumed_needs_no_new_evidence(refuse: Refuse) -> None:
    lines = [*up_to_phase3(), started("deduplicate", FILLED)]
    assert refuse(lines, state="state half way") == []
    assert refuse(lines, AFTER_3, state="state half way") != []


def test_a_deployment_in_between_does_not_end_what_is_being_resumed(refuse: Refuse) -> None:
    lines = [*up_to_phase3(), started("deduplicate", FILLED), started("deploy", ""), done("deploy", "", "")]
    assert refuse(lines, state="state half way") == []


def test_an_action_that_ended_is_not_resumed(refuse: Refuse) -> None:
    lines = [*up_to_phase3(), started("deduplicate", FILLED), done("deduplicate", FILLED, CLEANED)]
    assert refuse(lines, state="state half way") != []


def test_an_action_that_began_on_another_state_is_not_resumed(refuse: Refuse) -> None:
    assert refuse([*up_to_phase3(), started("deduplicate", FOREIGN)], state="state half way") != []


def test_a_restore_leads_back_to_the_state_that_the_evidence_saw(refuse: Refuse) -> None:
    lines = [*up_to_phase3(), restored(FILLED, BEFORE)]
    assert refuse(lines, BACKFILL, state=BEFORE) == []


def test_a_restore_ends_the_evidence_of_what_it_took_back(refuse: Refuse) -> None:
    lines = [*up_to_phase3(), restored(FILLED, BEFORE)]
    assert refuse(lines, state=BEFORE) == [
        f"the window was restored to an earlier state since {name} was asked; run pytest -m {name}"
        for name in ("phase2", "phase3")
    ]


def test_a_restore_ends_what_could_have_been_resumed(refuse: Refuse) -> None:
    lines = [*up_to_phase3(), started("deduplicate", FILLED), restored("state half way", FILLED)]
    assert refuse(lines, state=FILLED) == []
    assert refuse(lines, state="state half way") != []


def test_a_later_good_run_replaces_a_bad_one(refuse: Refuse) -> None:
    bad = run_of("phase1", BEFORE, run="bad")
    bad[1]["expectations"] = [["percent broken", 80.0, "<=", 0.1]]
    assert refuse([*run_of("preflight", BEFORE), *bad], BACKFILL, state=BEFORE) != []
    assert refuse([*run_of("preflight", BEFORE), *bad, *run_of("phase1", BEFORE)], BACKFILL, state=BEFORE) == []


# Closed


@pytest.mark.parametrize("missing", ["preflight", "phase1", "phase2", "phase3"])
def test_no_evidence_of_one_phase_closes_the_gate(missing: str, refuse: Refuse) -> None:
    lines = [line for line in up_to_phase3() if line.get("run") != f"run of {missing}"]
    assert refuse(lines) == [f"{missing} has no evidence; run pytest -m {missing}"]


def test_an_empty_ledger_names_every_phase_that_is_missing(refuse: Refuse) -> None:
    assert refuse([]) == [
        f"{p} has no evidence; run pytest -m {p}" for p in ("preflight", "phase1", "phase2", "phase3")
    ]


def test_a_run_that_did_not_end_closes_the_gate(refuse: Refuse) -> None:
    lines = up_to_phase3()
    lines.remove(ended(lines, "phase3"))
    assert refuse(lines) == ["the last run of phase3 did not end; run pytest -m phase3"]


def test_a_run_that_ended_another_phase_only_closes_the_gate(refuse: Refuse) -> None:
    lines = up_to_phase3()
    ended(lines, "phase3")["phase"] = "phase5"
    assert refuse(lines) == ["the last run of phase3 did not end; run pytest -m phase3"]


def test_a_dry_run_closes_the_gate(refuse: Refuse) -> None:
    lines = up_to_phase3()
    ended(lines, "phase2")["dry"] = True
    assert refuse(lines) == ["the last run of phase2 only showed its plan; run pytest -m phase2 --execute"]


@pytest.mark.parametrize("check", BY_NAME["phase3"].roster(INCIDENT))
def test_one_check_that_was_not_asked_closes_the_gate(check: str, refuse: Refuse) -> None:
    lines = up_to_phase3()
    lines.remove(next(line for line in lines if line.get("check") == check and line["phases"] == ["phase3"]))
    assert refuse(lines) == [f"phase3: {check} was not asked; run pytest -m phase3"]


def test_one_check_that_is_no_go_closes_the_gate(refuse: Refuse) -> None:
    lines = up_to_phase3()
    the(lines, "test_orphans_are_few_and_listed")["verdict"] = NO_GO
    assert refuse(lines) == [
        "phase3: test_orphans_are_few_and_listed is NO-GO: it was recorded as NO-GO; run pytest -m phase3"
    ]


@pytest.mark.parametrize("outcome", ["failed", "skipped", "xfailed"])
def test_another_outcome_than_passed_closes_the_gate_whatever_the_numbers(outcome: str, refuse: Refuse) -> None:
    lines = up_to_phase3()
    the(lines, "test_orphans_are_few_and_listed")["outcome"] = outcome
    assert refuse(lines) == [f"phase3: test_orphans_are_few_and_listed is NO-GO: it {outcome}; run pytest -m phase3"]


def test_numbers_that_do_not_hold_close_the_gate_though_go_was_recorded(refuse: Refuse) -> None:
    lines = up_to_phase3()
    the(lines, "test_the_corrected_version_wins[2026-01-22]")["expectations"] = [
        ["newer broken rows", 1_425_925, "==", 0]
    ]
    assert ended(lines, "phase3")["verdict"] == GO
    assert refuse(lines) == [
        "phase3: test_the_corrected_version_wins[2026-01-22] is NO-GO: newer broken rows 1,425,925, allowed 0; "
        "run pytest -m phase3"
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"examined": 0}, "no rows were examined, which proves nothing"),
        ({"expectations": []}, "nothing was compared, which proves nothing"),
        ({"expectations": [["rows", None, "==", None]]}, "its record cannot be read"),
        ({"expectations": [["rows", "1000000", "<=", "5"]]}, "rows 1000000, allowed <= 5"),
        ({"examined": "many"}, "its record cannot be read"),
    ],
)
def test_evidence_that_proves_nothing_closes_the_gate(change: Line, reason: str, refuse: Refuse) -> None:
    lines = up_to_phase3()
    the(lines, "test_the_row_ratio_is_explained").update(change)
    (refused,) = refuse(lines)
    assert refused.startswith("phase3: test_the_row_ratio_is_explained is NO-GO: ")
    assert reason in refused


def test_a_check_asked_twice_must_be_go_twice(refuse: Refuse) -> None:
    lines = up_to_phase3()
    again = deepcopy(the(lines, "test_the_row_ratio_is_explained"))
    again["examined"] = 0
    assert refuse([*lines[:-1], again, lines[-1]]) != []


def test_another_check_of_the_run_that_is_no_go_closes_the_gate(refuse: Refuse) -> None:
    lines = up_to_phase3()
    again = the(lines, "test_the_row_ratio_is_explained") | {"check": "test_of_nobody", "outcome": "failed"}
    assert refuse([*lines[:-1], again, lines[-1]]) == [
        "phase3: test_of_nobody is NO-GO: it failed; run pytest -m phase3"
    ]


def test_a_run_that_ended_no_go_closes_the_gate_though_each_check_is_go(refuse: Refuse) -> None:
    lines = up_to_phase3()
    ended(lines, "phase3")["verdict"] = NO_GO
    assert refuse(lines) == ["the last run of phase3 ended NO-GO; run pytest -m phase3"]


def test_a_run_that_ended_twice_must_have_ended_go_twice(refuse: Refuse) -> None:
    lines = up_to_phase3()
    assert refuse([*lines, ended(lines, "phase3") | {"dry": True}]) != []
    assert refuse([*lines, ended(lines, "phase3") | {"verdict": NO_GO}]) != []


def test_evidence_after_an_action_that_saw_the_state_before_it_closes_the_gate(refuse: Refuse) -> None:
    action = [started("deduplicate", FILLED), done("deduplicate", FILLED, CLEANED)]
    begun, *found = run_of("phase4", CLEANED)
    lines = [*up_to_phase3(), begun, *action, *found]
    assert refuse(lines, AFTER_4, state=CLEANED) == []
    the(lines, "test_rows_are_as_planned")["fingerprint"] = FILLED
    assert refuse(lines, AFTER_4, state=CLEANED) == [
        "the window was written to, not by this suite, since phase4 was asked; run pytest -m phase4"
    ]


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("run", "now", None),
        ("run", "now", "yesterday"),
        ("run", "now", "2026-02-02T06:00:00"),
        ("run", "digest", None),
        ("run", "phases", "phase3"),
        ("evidence", "outcome", None),
        ("evidence", "fingerprint", ["state filled"]),
        ("finished", "dry", None),
        ("finished", "dry", 0),
        ("done", "after", None),
        ("started", "before", 7),
    ],
)
def test_a_line_that_does_not_say_what_the_gate_reads_closes_it_in_words(
    kind: str, key: str, value: object, refuse: Refuse
) -> None:
    lines = up_to_phase3()
    number = max(at for at, line in enumerate(lines, 1) if line["kind"] == kind)
    said = (
        f"line {number} of the ledger ({kind}) has no {key} that can be read; find out what happened to the file, or begin a "
        "new one with --ledger"
    )
    lines[number - 1][key] = value
    assert refuse(lines) == [said]
    del lines[number - 1][key]
    assert refuse(lines) == [said]


def test_a_line_without_a_kind_closes_the_gate_in_words(refuse: Refuse) -> None:
    (reason,) = refuse([*up_to_phase3(), {"run": "run of phase3"}])
    assert "(None) has no kind that can be read" in reason


def test_many_reasons_are_cut_to_three_and_a_count(refuse: Refuse) -> None:
    lines = [line for line in up_to_phase3() if line.get("phases") != ["phase3"] or line["kind"] == "run"]
    reasons = refuse(lines)
    assert len(reasons) == 4
    assert reasons[-1] == "phase3: 24 more checks are missing or NO-GO; run pytest -m phase3"
    assert len(BY_NAME["phase3"].roster(INCIDENT)) == 27


def test_evidence_older_than_the_limit_closes_the_gate(refuse: Refuse) -> None:
    limit = timedelta(hours=INCIDENT.gates.evidence_hours)
    assert refuse(up_to_phase3(), now=NOW + limit) == []
    assert refuse(up_to_phase3(), now=NOW + limit + timedelta(seconds=1)) == [
        f"the evidence of {name} is 1 day, 0:00:01 old, allowed 1 day, 0:00:00; run pytest -m {name}"
        for name in ("preflight", "phase1", "phase2", "phase3")
    ]


def test_evidence_from_the_future_closes_the_gate(refuse: Refuse) -> None:
    lines = up_to_phase3()
    begun(lines, "phase3")["now"] = "2026-02-02T07:00:00+01:00"
    assert refuse(lines) == []
    begun(lines, "phase3")["now"] = "2026-02-02T06:00:01+00:00"
    assert refuse(lines) == [
        "the evidence of phase3 is from 2026-02-02T06:00:01+00:00, which is later than now; run pytest -m phase3"
    ]


def test_another_incident_file_closes_the_gate(refuse: Refuse) -> None:
    lines = up_to_phase3()
    begun(lines, "phase2")["digest"] = "0" * 64
    assert refuse(lines) == ["phase2 was asked with another incident file or other statements; run pytest -m phase2"]


def test_another_installation_closes_the_gate(refuse: Refuse) -> None:
    lines = up_to_phase3()
    begun(lines, "phase2")["installation"] = "another server/table"
    assert refuse(lines) == ["phase2 was asked on another server or table; run pytest -m phase2"]
    assert len(refuse(up_to_phase3(), where="server/another table")) == 4


def test_somebody_elses_write_closes_the_gate(refuse: Refuse) -> None:
    assert refuse(up_to_phase3(), state=FOREIGN) == [
        f"the window was written to, not by this suite, since {name} was asked; run pytest -m {name}"
        for name in ("preflight", "phase1", "phase2", "phase3")
    ]


def test_somebody_elses_write_between_two_actions_of_ours_closes_the_gate(refuse: Refuse) -> None:
    lines = [*up_to_phase3(), started("deduplicate", FOREIGN), done("deduplicate", FOREIGN, CLEANED)]
    assert refuse(lines, AFTER_3, state=CLEANED) != []


def test_a_window_that_another_action_of_ours_left_half_way_is_told_from_one_that_somebody_wrote_to(
    refuse: Refuse,
) -> None:
    (reason, *_) = refuse([*up_to_phase1(), started("deduplicate", BEFORE)], BACKFILL, state=FOREIGN)
    assert reason == (
        "the window was left half-way by deduplicate, which pytest -m phase4 --execute ends, since preflight was asked; "
        "run pytest -m preflight"
    )


@pytest.mark.parametrize("phase", [{"phase": "option2"}, {}])
def test_an_action_of_no_phase_that_is_half_done_is_named_without_a_pytest_command(refuse: Refuse, phase: Line) -> None:
    begun_only = {key: value for key, value in started("clear", BEFORE).items() if key != "phase"} | phase
    (reason, *_) = refuse([*up_to_phase1(), begun_only], BACKFILL, state=FOREIGN)
    assert reason.startswith(
        "the window was left half-way by clear, which its command, run again, ends, since preflight"
    )


def test_one_check_that_saw_another_state_closes_the_gate(refuse: Refuse) -> None:
    lines = up_to_phase3()
    the(lines, "test_the_row_ratio_is_explained")["fingerprint"] = FOREIGN
    assert refuse(lines) == [
        "the window was written to, not by this suite, since phase3 was asked; run pytest -m phase3"
    ]


def test_a_broken_chain_closes_every_gate(tmp_path: Path) -> None:
    ledger = written(tmp_path / "incident.jsonl", up_to_phase3())
    ledger.path.write_text(ledger.path.read_text().replace('"examined": 1000', '"examined": 1001', 1))
    for phase, state in ((BY_NAME["phase1"], BEFORE), (BACKFILL, BEFORE), (DEDUPLICATE, FILLED)):
        assert reasons_to_refuse(phase, INCIDENT, ledger, State(NOW, state, HERE)) == [
            f"the ledger's chain is broken: line 2 of {ledger.path} was changed after it was written"
        ]


def test_a_later_bad_run_replaces_a_good_one(refuse: Refuse) -> None:
    bad = run_of("phase3", FILLED, run="later")
    bad[5]["expectations"] = [["identities uncorrected", 4, "==", 0]]
    bad[5]["verdict"], bad[5]["outcome"], bad[-1]["verdict"] = NO_GO, "failed", NO_GO
    (reason,) = refuse([*up_to_phase3(), *bad])
    assert reason.startswith(f"phase3: {bad[5]['check']} is NO-GO: identities uncorrected 4, allowed 0")


def test_a_later_partial_run_replaces_a_good_one(refuse: Refuse) -> None:
    later = run_of("phase3", FILLED, run="later")
    partial = [later[0], *(line for line in later[1:-1] if "orphans" in line["check"]), later[-1]]
    assert len(partial) == 3
    assert refuse([*up_to_phase3(), *partial]) != []


def test_a_later_run_that_did_not_end_replaces_a_good_one(refuse: Refuse) -> None:
    assert refuse([*up_to_phase3(), *run_of("phase3", FILLED, run="later")[:-1]]) == [
        "the last run of phase3 did not end; run pytest -m phase3"
    ]


def test_evidence_that_was_given_for_another_phase_of_the_run_does_not_count(refuse: Refuse) -> None:
    lines = up_to_phase1()
    the(lines, "test_the_writer_stores_right_rows[phase1]").update(phases=["phase5"])
    assert refuse(lines, BACKFILL, state=BEFORE) == [
        "phase1: test_the_writer_stores_right_rows[phase1] was not asked; run pytest -m phase1"
    ]


def test_evidence_of_two_runs_does_not_add_up(refuse: Refuse) -> None:
    first, second = run_of("phase3", FILLED, run="first"), run_of("phase3", FILLED, run="second")
    halves = [*first[:10], first[-1], second[0], *second[10:]]
    lines = [line for line in up_to_phase3() if line.get("run") != "run of phase3"]
    assert refuse([*lines, *halves]) != []


def test_a_phase_without_checks_proves_nothing(refuse: Refuse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BY_NAME, "phase9", Phase("phase9", ""))
    lines = [*up_to_phase3(), *run_of("phase9", FILLED)]
    phase = Phase("next", "", action="next", after=("phase9",))
    assert refuse(lines, phase) == ["phase9 has no checks yet; run pytest -m phase9"]


# Evidence that is pending


AFTER_8 = Phase("next", "What comes after phase 8?", action="next", after=("phase8",))
WAITING = BY_NAME["phase8"].besides[0]


def pending(check: str, outcome: str = "skipped") -> Line:
    evidence = Evidence(check=check, phases=["phase8"], fingerprint=FILLED, pending="in a day it can be told.")
    return {"kind": "evidence", "run": "run of phase8", "outcome": outcome, "problem": "", **evidence.record()}


def test_a_check_that_no_phase_requires_may_be_pending(refuse: Refuse) -> None:
    first, *found, last = run_of("phase8", FILLED)
    assert refuse([first, *found, pending(WAITING), last], AFTER_8) == []


def test_a_required_check_that_is_pending_is_not_go(refuse: Refuse) -> None:
    first, _, *others, last = run_of("phase8", FILLED)
    check = BY_NAME["phase8"].roster(INCIDENT)[0]
    (reason,) = refuse([first, pending(check), *others, last], AFTER_8)
    assert f"{check} is NO-GO: no rows were examined" in reason


@pytest.mark.parametrize("line", [pending(WAITING, "failed"), pending("test_something_else")])
def test_what_is_no_check_that_waits_is_not_let_through(refuse: Refuse, line: Line) -> None:
    first, *found, last = run_of("phase8", FILLED)
    assert refuse([first, *found, line, last], AFTER_8) != []


def test_a_check_that_waits_is_no_excuse_once_it_is_told(refuse: Refuse) -> None:
    first, *found, last = run_of("phase8", FILLED)
    told = pending(WAITING, "failed") | {"verdict": NO_GO, "expectations": [["results", 1, "==", 0]], "examined": 1}
    assert f"{WAITING} is NO-GO: results 1, allowed 0" in refuse([first, *found, told, last], AFTER_8)[0]


# The numbers that people logged in January: 230 M rows -> 175 M where 96 M were expected, days 61 to 99 % filled.

MILLION = 1_000_000
FILLED_PERCENT = [96.63, 99, 95, 90, 85, 80, 75, 70, 65, 61, 98]  # of the rows of each day, 17 to 27 January
DAY_ROWS = [22_500_000, *[20_750_000] * 10]  # 230 M in all


def counted(*rows: tuple[str, str, int, int, int, int]) -> Census:
    """A census of (day, class, identities, rows, broken rows, doubled)."""
    names = ("day", "class", "identities", "rows", "broken_rows", "doubled")
    answered = [
        dict(zip(names, row, strict=True)) | {"subject": 0, "good_rows": row[3] - row[4], "spread": 0} for row in rows
    ]
    answer = Answer("census", "", {}, "q" * 36, "", "", 0.0, sum(r["rows"] for r in answered), 0, answered)
    return Census((answer,), answered)


def logged(phase: str, ask: Callable[[Evidence], None], check: str, fingerprint: str) -> Line:
    """What a check says to the people's numbers, recorded as they ticked it off: passed and GO."""
    evidence = Evidence(check=check, phases=[phase], fingerprint=fingerprint)
    ask(evidence)
    return evidence.record() | {"verdict": GO}


@pytest.fixture
def warehouse() -> Any:
    rows: dict[str, list[dict[str, int]]] = {
        "quarantine_exists": [{"result": 0}],
        "elsewhere": [{"identities": 1, "elsewhere": 0}],
        "source_rows": [{"rows": 0, "groups": 0}],
        "rows_to_compare": [{"rows": 0}],
    }

    def ask(name: str, **_: Any) -> Answer:
        return Answer(name, "", {}, "q" * 36, "", "", 0.0, 0, 0, rows.get(name, []))

    schema = SimpleNamespace(lead=lambda repaired: None, engine_full="", key_columns=None)  # asked whole, not in ranges
    return SimpleNamespace(
        incident=INCIDENT,
        schema=schema,
        key_bounds=("", "~"),
        ask=ask,
        ask_again=ask,
        once=lambda _, make: make(),
        answers=None,
        seen="t",
        words={"quarantine": "`q`", "table": "`t`"},
    )


def carried_out(action: str, **facts: Any) -> Line:
    """The ledger's line of an action that was done, with these figures in its plan."""
    return {"kind": "done", "action": action, "plan": {"facts": facts}}


def ticked(phase: str, fingerprint: str, *records: Line) -> list[Line]:
    """A GO run of the phase in which these records replace those of the same checks."""
    lines = run_of(phase, fingerprint)
    for found in records:
        the(lines, found["check"]).update(found)
    return lines


def test_the_numbers_of_january_are_no_go_as_evidence_of_phase_3(refuse: Refuse, warehouse: Any) -> None:
    census = counted(
        *(
            (day.isoformat(), kind, rows, rows, rows if kind == UNCORRECTED else 0, 0)
            for day, total, percent in zip(INCIDENT.days, DAY_ROWS, FILLED_PERCENT, strict=True)
            for kind, rows in ((CLEAN, round(total * percent / 100)), (UNCORRECTED, round(total * (1 - percent / 100))))
        )
    )
    assert census.count(of="rows") == 230 * MILLION
    ask = phase3_checks.test_every_broken_row_has_one_right_correction
    records = [
        logged("phase3", lambda e, day=day: ask(day, census, warehouse, e), f"{ask.__name__}[{day}]", FILLED)  # type: ignore[misc]
        for day in map(str, INCIDENT.days)
    ]
    lines = ticked("phase3", FILLED, *records)
    reasons = refuse(lines, AFTER_3)
    assert reasons == [
        "phase3: test_every_broken_row_has_one_right_correction[2026-01-17] is NO-GO: identities uncorrected 758,250, "
        "allowed 0; run pytest -m phase3",
        "phase3: test_every_broken_row_has_one_right_correction[2026-01-18] is NO-GO: identities uncorrected 207,500, "
        "allowed 0; run pytest -m phase3",
        "phase3: test_every_broken_row_has_one_right_correction[2026-01-19] is NO-GO: identities uncorrected "
        "1,037,500, allowed 0; run pytest -m phase3",
        "phase3: 8 more checks are missing or NO-GO; run pytest -m phase3",
    ]


def test_230_million_rows_are_no_go_where_the_plan_and_the_ledger_know_96(refuse: Refuse, warehouse: Any) -> None:
    baseline = {
        "snapshot": "a_snapshot",
        "plan": {
            "facts": {
                "window_identities_before": INCIDENT.plan.rows_after,
                "window_rows_before": INCIDENT.plan.rows_after,
                "classes": {},
                "per_day": {},
                "start_version": 1,
            }
        },
    }
    census = counted(("2026-01-17", CLEAN, 230 * MILLION, 230 * MILLION, 0, 0))
    ask = phase3_checks.test_the_row_ratio_is_explained
    found = logged("phase3", lambda e: ask(census, baseline, INCIDENT, warehouse, e), ask.__name__, FILLED)
    assert refuse(ticked("phase3", FILLED, found), AFTER_3) == [
        "phase3: test_the_row_ratio_is_explained is NO-GO: identities of the window, those set aside among them "
        "230,000,000, allowed <= 96,000,000; run pytest -m phase3"
    ]


def test_the_numbers_of_january_are_no_go_as_evidence_of_phase_4(refuse: Refuse) -> None:
    census = counted(("2026-01-17", CLEAN, 96 * MILLION, 175 * MILLION, 0, 0))
    line = carried_out(
        "deduplicate", window_rows_after=INCIDENT.plan.rows_after, window_rows_before=INCIDENT.plan.rows_before
    )
    ask = phase4_checks.test_rows_are_as_planned
    found = logged("phase4", lambda e: ask(None, line, census, INCIDENT, e), ask.__name__, CLEANED)  # type: ignore[arg-type]
    assert refuse(ticked("phase4", CLEANED, found), AFTER_4, state=CLEANED) == [
        "phase4: test_rows_are_as_planned is NO-GO: rows of the window 175,000,000, allowed 96,000,000; "
        "run pytest -m phase4"
    ]


def test_the_numbers_of_january_are_no_go_as_evidence_of_phase_5(refuse: Refuse, warehouse: Any) -> None:
    removed, superseded = 55 * MILLION, 230 * MILLION - INCIDENT.plan.rows_after
    left = superseded - removed
    census = counted(("2026-01-17", CLEAN, 96 * MILLION, 96 * MILLION + left, 0, left))
    assert census.count(of="rows") == 175 * MILLION
    twice = phase5_checks.test_no_identity_is_there_twice
    found = logged("phase5", lambda e: twice(census, warehouse, e), twice.__name__, CLEANED)
    assert refuse(ticked("phase5", CLEANED, found), AFTER_5, state=CLEANED) == [
        "phase5: test_no_identity_is_there_twice is NO-GO: identities under two keys 79,000,000, allowed 0; "
        "run pytest -m phase5"
    ]


# Whatever is done to a complete set of evidence


RELEVANT: dict[str, Callable[[Line], Line]] = {
    "run": lambda line: {"run": "another run"},
    "examined": lambda line: {"examined": 0},
    "negative": lambda line: {"examined": -1},
    "text": lambda line: {"examined": str(line.get("examined"))},
    "numbers": lambda line: {"expectations": [["rows that are wrong", 1, "==", 0]]},
    "relation": lambda line: {"expectations": [["rows that are wrong", 0, ">", 0]]},
    "nothing": lambda line: {"expectations": []},
    "verdict": lambda line: {"verdict": NO_GO},
    "outcome": lambda line: {"outcome": "skipped"},
    "check": lambda line: {"check": f"{line.get('check')}_"},
    "state": lambda line: {"fingerprint": FOREIGN},
    "phases": lambda line: {"phases": ["phase5"]},
}
FOR_KIND: dict[str, dict[str, Callable[[Line], Line]]] = {
    "evidence": RELEVANT,
    "run": {
        "digest": lambda line: {"digest": "0" * 64},
        "installation": lambda line: {"installation": "elsewhere"},
        "old": lambda line: {"now": "2026-01-02T06:00:00+00:00"},
        "future": lambda line: {"now": "2026-03-02T06:00:00+00:00"},
        "phases": lambda line: {"phases": ["phase5"]},
    },
    "finished": {"dry": lambda line: {"dry": True}, "phase": lambda line: {"phase": "phase5"}},
    "done": {"before": lambda line: {"before": FOREIGN}, "after": lambda line: {"after": FOREIGN}},
}
COMPLETE = [line for line in up_to_phase3() if line["kind"] != "started"]
HARMLESS = ("notes", "sentence", "about", "found", "answers", "problem")


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Line], bool]:
    """Lines made from a complete set, and whether nothing that a gate relies on was changed."""
    lines, whole = deepcopy(COMPLETE), True
    for place in draw(st.sets(st.integers(0, len(lines) - 1), max_size=2)):
        line = lines[place]
        changes = FOR_KIND[line["kind"]]
        line.update(changes[draw(st.sampled_from(sorted(changes)))](line))
        whole = False
    for place in draw(st.sets(st.integers(0, len(lines) - 1), max_size=2)):
        lines[place] |= {draw(st.sampled_from(HARMLESS)): draw(st.integers())}
    gone = draw(st.sets(st.integers(0, len(lines) - 1), max_size=2))
    whole = whole and not gone
    lines = [line for place, line in enumerate(lines) if place not in gone]
    if draw(st.booleans()):
        lines = draw(st.permutations(lines))
        kinds = [line["kind"] for line in lines]
        asked = [at for at, line in enumerate(lines) if line.get("fingerprint") == BEFORE]
        whole = whole and "done" in kinds and max(asked) < kinds.index("done")
    return lines, whole


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(histories())
def test_no_subset_order_or_mutation_of_the_evidence_opens_the_gate(
    tmp_path_factory: pytest.TempPathFactory, history: tuple[list[Line], bool]
) -> None:
    lines, whole = history
    ledger = written(tmp_path_factory.getbasetemp() / "history.jsonl", lines)
    refused = reasons_to_refuse(DEDUPLICATE, INCIDENT, ledger, State(NOW, FILLED, HERE))
    assert (refused == []) is whole
