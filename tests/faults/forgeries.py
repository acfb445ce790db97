"""Forgeries: what makes a genuine ledger prove nothing; each takes away something that the gate must rely on.

Each is certain to do harm, alone and after others: what it changes it changes in every run of the phase, so that no other
forgery can leave a line that still proves it, and what it makes up is used nowhere else.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from recovery.gate import State
from recovery.incident import Incident
from recovery.ledger import START, VERSION, Line
from recovery.phases import BY_NAME, Phase

BAD_TIMES = (
    "yesterday", "", None, 20260202, [], "2026-02-02", "2026-02-02T06:00:00", "2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
)  # fmt: skip
NOTHING = object()
_tokens = (hashlib.sha256(f"forged {number}".encode()).hexdigest() for number in itertools.count())


@dataclass
class Forged:
    """A ledger's lines, the gate that is asked, and what makes a file of them.

    `asked` is when the last phase that the gate needs was asked, `own` the run of each of them, `elsewhere` all evidence of the
    recovery, before it and after it too."""

    phase: Phase
    incident: Incident
    other: Incident
    state: State
    asked: datetime
    lines: list[Line]
    own: dict[str, str]
    elsewhere: list[Line]
    draw: Callable[[st.SearchStrategy[Any]], Any] = field(repr=False)
    spoil: Callable[[list[Line]], bytes] = field(default=lambda lines: file_of(lines), repr=False)

    def one_of(self, choices: Any) -> Any:
        return self.draw(st.sampled_from(list(choices)))

    def some_phase(self) -> str:
        return str(self.one_of(self.phase.after))

    def some_check(self) -> tuple[str, str]:
        name = self.some_phase()
        return name, str(self.one_of(BY_NAME[name].roster(self.incident)))

    def change(self, chosen: Callable[[Line], bool], **values: Any) -> None:
        """In all lines that are chosen; NOTHING takes the key away."""
        for at, line in enumerate(self.lines):
            if chosen(line):
                changed = line | values
                self.lines[at] = {key: value for key, value in changed.items() if value is not NOTHING}

    def drop(self, chosen: Callable[[Line], bool]) -> None:
        self.lines = [line for line in self.lines if not chosen(line)]

    def last_end(self) -> int:
        """Where the first run ends that the gate's last phase is proved by."""
        run = self.own[self.phase.after[-1]]
        ends = (at for at, line in enumerate(self.lines) if line.get("kind") == "finished" and line.get("run") == run)
        return next(ends, max(0, len(self.lines) - 1))


def file_of(lines: list[Line]) -> bytes:
    """These lines in a whole chain."""
    previous, texts = START, []
    for seq, facts in enumerate(lines):
        line = {"v": VERSION, **facts, "seq": seq, "prev": previous}
        previous = sha(line)
        texts.append(json.dumps(line | {"sha": previous}, ensure_ascii=False, sort_keys=True))
    return "".join(f"{text}\n" for text in texts).encode()


def sha(line: Line) -> str:
    return hashlib.sha256(json.dumps(line, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def of(name: str, *kinds: str) -> Callable[[Line], bool]:
    """Lines of these kinds that are about a phase, in whatever run."""

    def chosen(line: Line) -> bool:
        phases = line.get("phases", [line.get("phase")])
        return line.get("kind") in kinds and isinstance(phases, list) and name in phases

    return chosen


def about(name: str, check: str) -> Callable[[Line], bool]:
    return lambda line: of(name, "evidence")(line) and line.get("check") == check


# Partial


def evidence_is_dropped(forged: Forged) -> None:
    forged.drop(about(*forged.some_check()))


def half_of_the_checks_were_not_asked(forged: Forged) -> None:
    name = forged.some_phase()
    roster = BY_NAME[name].roster(forged.incident)
    gone = forged.draw(st.sets(st.sampled_from(roster), min_size=1))
    forged.drop(lambda line: of(name, "evidence")(line) and line.get("check") in gone)


def a_line_of_a_run_is_dropped(forged: Forged) -> None:
    forged.drop(of(forged.some_phase(), forged.one_of(["run", "finished"])))


def a_phase_is_dropped(forged: Forged) -> None:
    forged.drop(of(forged.some_phase(), "run", "evidence", "finished"))


def the_ledger_ends_early(forged: Forged) -> None:
    forged.lines = forged.lines[: forged.draw(st.integers(0, forged.last_end()))]


def lines_are_of_an_unknown_kind(forged: Forged) -> None:
    kind = forged.one_of(["surprise", "Evidence", "", None, 7, NOTHING, ["run"]])
    forged.change(of(forged.some_phase(), forged.one_of(["run", "evidence", "finished"])), kind=kind)


LACKING = {
    "run": ["run", "phases", "now", "digest", "installation"],
    "evidence": ["run", "phases", "check", "outcome", "fingerprint", "examined", "expectations", "verdict"],
    "finished": ["run", "phase", "verdict", "dry"],
}


def a_key_is_lacking(forged: Forged) -> None:
    kind = forged.one_of(LACKING)
    value = forged.one_of([NOTHING, None, [], {}, 0, 1.5])
    forged.change(of(forged.some_phase(), kind), **{forged.one_of(LACKING[kind]): value})


def a_step_does_not_say_what_it_was(forged: Forged) -> None:
    kind, keys = forged.one_of({"started": 2, "done": 3, "restored": 1}.items())
    line = {"kind": kind, "action": "backfill", "before": next(_tokens), "after": next(_tokens)}
    key = forged.one_of(["action", "before", "after"][-keys:] if kind != "started" else ["action", "before"])
    line[key] = forged.one_of([None, 7, [], True])
    forged.lines.insert(forged.draw(st.integers(0, len(forged.lines))), line)


# Stale


def the_evidence_is_old(forged: Forged) -> None:
    later = timedelta(hours=forged.incident.gates.evidence_hours, seconds=forged.draw(st.integers(1, 10**6)))
    forged.state = replace(forged.state, now=forged.asked + later)


def the_evidence_is_from_the_future(forged: Forged) -> None:
    earlier = timedelta(seconds=forged.draw(st.integers(1, 10**6)))
    forged.state = replace(forged.state, now=forged.asked - earlier)


def a_run_claims_a_time_that_cannot_be(forged: Forged) -> None:
    forged.change(of(forged.some_phase(), "run"), now=forged.one_of(BAD_TIMES))


# Not asked, or asked until it was green


def a_check_did_not_pass(forged: Forged) -> None:
    outcome = forged.one_of(["failed", "skipped", "xfailed", "xpassed", "error", "errored", "deselected", "PASSED", ""])
    forged.change(about(*forged.some_check()), outcome=outcome)


def a_run_ended_otherwise(forged: Forged) -> None:
    verdict = forged.one_of(["NO-GO", "PLAN", "", "go", "GO ", True])
    forged.change(of(forged.some_phase(), "finished"), verdict=verdict)


def a_run_was_dry(forged: Forged) -> None:
    forged.change(of(forged.some_phase(), "finished"), dry=forged.one_of([True, 1, "no", None]))


def a_check_failed_before_it_passed(forged: Forged) -> None:
    chosen = about(*forged.some_check())
    lines: list[Line] = []
    for line in forged.lines:
        if chosen(line):
            lines.append(
                line | {"outcome": forged.one_of(["failed", "passed", "error"]), **worse_numbers(forged, line)}
            )
        lines.append(line)
    forged.lines = lines


def another_check_of_the_run_failed(forged: Forged) -> None:
    name, check = forged.some_check()
    worse = [
        line | {"check": f"{check}[again]", "outcome": "failed", **worse_numbers(forged, line)}
        for line in forged.lines
        if about(name, check)(line)
    ]
    forged.lines += worse
    if not worse:
        evidence_is_dropped(forged)


def a_later_run_is_worse(forged: Forged) -> None:
    name, check = forged.some_check()
    begun = [line for line in forged.lines if of(name, "run")(line)]
    run = next(_tokens)
    again = [
        line | {"run": run}
        for line in forged.lines
        if begun and line.get("run") == begun[-1].get("run") and of(name, "run", "evidence", "finished")(line)
    ]
    way = forged.one_of(["numbers", "partial", "dry", "unended", "aborted"])
    if way == "numbers":
        again = [line | worse_numbers(forged, line) if about(name, check)(line) else line for line in again]
    elif way == "partial":
        again = [line for line in again if not about(name, check)(line)]
    elif way == "dry":
        again = [line | {"dry": True} if line.get("kind") == "finished" else line for line in again]
    elif way == "unended":
        again = [line for line in again if line.get("kind") != "finished"]
    else:
        again = again[:1]
    forged.lines += again


# Tampered with, and sealed again


def worse_numbers(forged: Forged, line: Line) -> Line:
    """One thing that makes the numbers prove nothing, whatever the verdict says."""
    expectations = line.get("expectations")
    if not isinstance(expectations, list) or not expectations:
        return {"expectations": []}
    at = forged.draw(st.integers(0, len(expectations) - 1))
    what, actual, relation, expected = (expectations[at] + [None] * 4)[:4]
    more = forged.draw(st.integers(1, 10**12))
    violating = {"==": more, "<=": more, ">=": -more, ">": -more}.get(str(relation), more)
    number = expected if type(expected) in (int, float) else 0
    odd = forged.one_of([float("nan"), float("inf"), float("-inf"), True, False, None, [], {}, ""])
    wrong = forged.one_of(
        [
            [what, number + violating, relation, expected],
            [what, odd, relation, expected],
            [what, actual, relation, odd if odd != "" else None],
            [what, str(number + violating), relation, str(number)],
            [what, "1000000", "<=", "5"],
            [what, actual, forged.one_of(["!=", "<", "", "=", "holds", None, ["=="], {}]), expected],
            [what, actual, ">", actual],
            [what, actual, relation],
            [what, actual, relation, expected, "and more"],
            "==" * 2,
            None,
        ]
    )
    return forged.one_of(
        [
            {"expectations": [*expectations[:at], wrong, *expectations[at + 1 :]]},
            {"expectations": forged.one_of([[], None, {}, "", 0, True, {"rows": 0}])},
            {"examined": forged.one_of([0, -1, -(10**30), "1000", "many", 1.5, True, None, float("nan"), [1]])},
        ]
    )


def numbers_are_worse_than_the_verdict(forged: Forged) -> None:
    chosen = about(*forged.some_check())
    forged.lines = [line | worse_numbers(forged, line) if chosen(line) else line for line in forged.lines]


def a_verdict_is_another(forged: Forged) -> None:
    forged.change(about(*forged.some_check()), verdict=forged.one_of(["NO-GO", "", "go", "GO ", True, None, NOTHING]))


# Foreign


def another_incident_is_asked(forged: Forged) -> None:
    if forged.draw(st.booleans()):
        forged.incident = forged.other
    else:
        digest = forged.one_of(["", forged.incident.digest[:12], next(_tokens)])
        forged.change(of(forged.some_phase(), "run"), digest=digest)


def another_server_is_asked(forged: Forged) -> None:
    if forged.draw(st.booleans()):
        forged.state = replace(forged.state, installation=f"{next(_tokens)}/other")
    else:
        forged.change(of(forged.some_phase(), "run"), installation=forged.one_of(["", "/", next(_tokens)]))


def evidence_of_another_state_is_relabelled(forged: Forged) -> None:
    """Another run's evidence under this run's name: all is as it should be, but the state that it saw."""
    name, check = forged.some_check()
    for at, line in enumerate(forged.lines):
        if about(name, check)(line):
            known = {line.get("fingerprint"), forged.state.fingerprint}
            others = [other for other in forged.elsewhere if other["fingerprint"] not in known]
            taken = forged.one_of([*others, line | {"fingerprint": next(_tokens)}])
            forged.lines[at] = taken | {"run": line.get("run"), "phases": [name], "check": check}


def evidence_of_another_check_is_relabelled(forged: Forged) -> None:
    name, check = forged.some_check()
    forged.change(
        about(name, check), check=forged.one_of([f"{check} ", check.upper(), "test_", f"{check}[2026-01-22]"])
    )


def evidence_is_of_another_run_or_phase(forged: Forged) -> None:
    name, check = forged.some_check()
    other = forged.one_of([{"run": next(_tokens)}, {"phases": []}, {"phases": ["phase8"]}, {"phases": [f"{name}0"]}])
    forged.change(about(name, check), **other)


# What leads from the state of the evidence to that of now


def the_window_is_another(forged: Forged) -> None:
    forged.state = replace(forged.state, fingerprint=next(_tokens))


def an_action_leads_elsewhere(forged: Forged) -> None:
    steps = [line for line in forged.lines if line.get("kind") == "done" and line.get("run") in forged.own.values()]
    if steps and forged.draw(st.booleans()):
        forged.change(lambda line: line in steps, **{forged.one_of(["before", "after"]): next(_tokens)})
    elif steps and forged.draw(st.booleans()):
        forged.drop(lambda line: line in steps)
        forged.lines[:0] = forged.one_of([steps, []])
    else:
        step = {"kind": "done", "action": forged.one_of(["backfill", "deduplicate", "next"]), "run": next(_tokens)}
        forged.lines.append(step | {"before": forged.state.fingerprint, "after": next(_tokens)})


def another_state_is_said_to_be_half_way(forged: Forged) -> None:
    forged.state = replace(forged.state, fingerprint=next(_tokens))
    began = {"action": forged.phase.action or "none", "before": next(_tokens)}
    forged.lines.append({"kind": "started", "run": next(_tokens), **began})


def the_window_was_restored(forged: Forged) -> None:
    line = {"kind": "restored", "run": next(_tokens), "before": forged.state.fingerprint, "after": next(_tokens)}
    forged.lines.append(line | {"undoes": ["backfill"]})


# The file is spoilt after it was sealed


def spoilt(way: Callable[[Forged, list[bytes]], list[bytes]]) -> Callable[[Forged], None]:
    def forge(forged: Forged) -> None:
        def spoil(lines: list[Line]) -> bytes:
            texts = file_of(lines).splitlines(keepends=True)
            return b"".join(way(forged, texts)) if len(texts) > 2 else b""

        forged.spoil = spoil

    forge.__name__ = way.__name__
    return forge


def one_value_is_changed(forged: Forged, texts: list[bytes]) -> list[bytes]:
    """And its line's own sum with it, where that is not the last."""
    at = forged.draw(st.integers(0, len(texts) - 2))
    line = json.loads(texts[at])
    key = forged.one_of(sorted(line.keys() - {"sha"}))
    numbers = {"examined": 10**6, "seq": 10**6, "found": {"rows": 0}, "expectations": [["rows", 0, "==", 0]]}
    line[key] = numbers.get(key, next(_tokens))
    if forged.draw(st.booleans()):
        line["sha"] = sha({name: value for name, value in line.items() if name != "sha"})
    return [*texts[:at], json.dumps(line, ensure_ascii=False, sort_keys=True).encode() + b"\n", *texts[at + 1 :]]


def an_expectation_is_dropped(forged: Forged, texts: list[bytes]) -> list[bytes]:
    having = [at for at, text in enumerate(texts) if b'"expectations": [[' in text]
    at = forged.one_of(having or [0])
    line = json.loads(texts[at])
    line["expectations"] = line["expectations"][1:] if having else []
    return [*texts[:at], json.dumps(line, ensure_ascii=False, sort_keys=True).encode() + b"\n", *texts[at + 1 :]]


def lines_change_places(forged: Forged, texts: list[bytes]) -> list[bytes]:
    one, two = sorted(forged.draw(st.sets(st.integers(0, len(texts) - 1), min_size=2, max_size=2)))
    texts[one], texts[two] = texts[two], texts[one]
    return texts


def a_line_is_gone_or_there_twice(forged: Forged, texts: list[bytes]) -> list[bytes]:
    at = forged.draw(st.integers(0, len(texts) - 2))
    return [*texts[:at], *texts[at : at + 1] * forged.one_of([0, 2]), *texts[at + 1 :]]


def a_line_is_rubbish(forged: Forged, texts: list[bytes]) -> list[bytes]:
    at = forged.draw(st.integers(0, len(texts) - 1))
    rubbish = forged.one_of([b"\n", b"null\n", b"{}\n", b"[1]\n", b"\xff\xfe\n", b"\x00\n", b"[" * 20_000 + b"\n"])
    return [*texts[:at], rubbish, *texts[at + forged.one_of([0, 1]) :]]


def the_file_is_cut(forged: Forged, texts: list[bytes]) -> list[bytes]:
    whole = b"".join(texts[: forged.last_end() + 1])
    return [whole[: forged.draw(st.integers(0, len(whole) - 1))]]


def the_format_is_another(forged: Forged) -> None:
    forged.lines = [line | {"v": forged.one_of([0, 2, "1", None])} for line in forged.lines]


FORGERIES: tuple[Callable[[Forged], None], ...] = (
    evidence_is_dropped, half_of_the_checks_were_not_asked, a_line_of_a_run_is_dropped, a_phase_is_dropped,
    the_ledger_ends_early, lines_are_of_an_unknown_kind, a_key_is_lacking, a_step_does_not_say_what_it_was,
    the_evidence_is_old, the_evidence_is_from_the_future, a_run_claims_a_time_that_cannot_be, a_check_did_not_pass,
    a_run_ended_otherwise, a_run_was_dry, a_check_failed_before_it_passed, another_check_of_the_run_failed,
    a_later_run_is_worse, numbers_are_worse_than_the_verdict, a_verdict_is_another, another_incident_is_asked,
    another_server_is_asked, evidence_of_another_state_is_relabelled, evidence_of_another_check_is_relabelled,
    evidence_is_of_another_run_or_phase, the_window_is_another, an_action_leads_elsewhere,
    another_state_is_said_to_be_half_way, the_window_was_restored, the_format_is_another,
    *map(spoilt, (one_value_is_changed, an_expectation_is_dropped, lines_change_places, a_line_is_gone_or_there_twice,
                  a_line_is_rubbish, the_file_is_cut)),
)  # fmt: skip
