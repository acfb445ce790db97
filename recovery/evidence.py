"""Evidence: what one check found, judged by comparison of numbers, so that a gate can judge it again."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from recovery.warehouse import Answer

GO, NO_GO = "GO", "NO-GO"
PENDING = "PENDING"  # it cannot be told yet; never GO, and no fault of a check that no phase requires
RELATIONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "<=": operator.le,
    ">=": operator.ge,
    ">": operator.gt,
}


@dataclass(frozen=True)
class Expectation:
    """`what` was `actual` and is allowed to be `relation` `expected`."""

    what: str
    actual: float | int | str
    relation: str
    expected: float | int | str

    @property
    def holds(self) -> bool:
        kind = _kind(self.actual)
        if kind != _kind(self.expected) or not kind or self.relation not in RELATIONS:
            return False
        if kind == "text" and self.relation != "==":  # as text "1000000" comes before "5"
            return False
        return RELATIONS[self.relation](self.actual, self.expected)

    def __str__(self) -> str:
        bound = "" if self.relation == "==" else f"{self.relation} "
        return f"{self.what} {shown(self.actual)}, allowed {bound}{shown(self.expected)}"


@dataclass
class Evidence:
    """What a check looked at and expects. It is GO only if rows were examined and every expectation holds.

    `examined` counts the rows or objects the answer is about; `found` is the answer's part that the check is about.
    `fingerprint` is that of the window and `positions` that of the positions, where the phase looks at them. `pending` says
    why it cannot be told yet; such evidence is neither GO nor NO-GO.
    """

    check: str
    phases: list[str]
    about: str = ""
    examined: int = 0
    found: dict[str, Any] = field(default_factory=dict)
    expectations: list[Expectation] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    fingerprint: str = ""
    positions: str = ""
    pending: str = ""
    results: list[list[Any]] = field(default_factory=list)  # of a nightly check, for the history

    def show(self, *answers: Answer, examined: int, **found: Any) -> None:
        """Take note of answers, of how many rows they are about, and of the figures that matter here."""
        self.answers += answers
        self.examined += examined
        self.found |= found

    def expect(self, what: str, actual: float | int | str, relation: str, expected: float | int | str) -> None:
        self.expectations.append(Expectation(what, actual, relation, expected))

    def result(self, *parts: str | float | None) -> None:
        """What the history keeps: name, metric (None where there was none), warn, critical, status, details."""
        self.results.append(list(parts))

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)

    def lack(self, actions: str, phase: str) -> None:
        """Nothing can be told, for the ledger has none of these actions, which `phase` carries out."""
        self.expect(f"{actions} in the ledger", 0, ">=", 1)
        self.note(f"Run pytest -m {phase} --execute.")

    @property
    def verdict(self) -> str:
        if self.pending:
            return PENDING
        return GO if not faults(self.examined, self.expectations) else NO_GO

    @property
    def sentence(self) -> str:
        """The verdict in words: what, where, how much, against what, and which statement."""
        where = f"{self.about}: " if self.about else ""
        if self.pending:
            return f"{where}{self.pending}"
        wrong = faults(self.examined, self.expectations)
        asked = ", ".join(f"{a.statement}.sql, query {a.query_id[-36:]}" for a in self.answers) or "no statement"
        looked = f"{self.examined:,} examined"
        notes = " ".join(self.notes)
        if wrong:
            return f"{where}{'; '.join(wrong)} ({looked}; {asked}). {notes}".strip()
        return f"{where}{'; '.join(map(str, self.expectations))} ({looked}). {notes}".strip()

    def record(self) -> dict[str, Any]:
        """The evidence as it travels between processes and stands in the ledger."""
        return {
            "check": self.check,
            "phases": self.phases,
            "about": self.about,
            "examined": self.examined,
            "found": self.found,
            "expectations": [[e.what, e.actual, e.relation, e.expected] for e in self.expectations],
            "answers": [
                {
                    "statement": a.statement, "sql": a.sql, "parameters": a.parameters, "query_id": a.query_id,
                    "server": a.server, "started": a.started, "seconds": round(a.seconds, 4),
                    "rows_read": a.rows_read, "bytes_read": a.bytes_read, **({"again": True} if a.again else {}),
                }
                for a in self.answers
            ],
            "notes": self.notes,
            "fingerprint": self.fingerprint,
            "pending": self.pending,
            "positions": self.positions,
            "verdict": self.verdict,
            "sentence": self.sentence,
            **({"results": self.results} if self.results else {}),
        }  # fmt: skip


def faults(examined: int, expectations: list[Expectation]) -> list[str]:
    """What keeps this evidence from being GO, a phrase each; empty when nothing does."""
    wrong = [str(e) for e in expectations if not e.holds]
    if examined <= 0:
        wrong.insert(0, "no rows were examined, which proves nothing")
    if not expectations:
        wrong.append("nothing was compared, which proves nothing")
    return wrong


def judge(record: Mapping[str, Any]) -> list[str]:
    """The faults of recorded evidence, judged again from its numbers, whatever verdict it claims."""
    try:
        expectations = [Expectation(*parts) for parts in record["expectations"]]
        examined = record["examined"]
        if type(examined) is not int:
            raise TypeError("examined is a count")
        wrong = faults(examined, expectations)
    except (KeyError, TypeError, ValueError):
        return ["its record cannot be read"]
    if not wrong and record.get("verdict") != GO:
        wrong.append(f"it was recorded as {record.get('verdict')}")
    return wrong


def _kind(value: object) -> str:
    """What a value can be compared with; empty for what is no finite number and no text."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, float):
        return "number" if math.isfinite(value) else ""
    return "number" if type(value) is int else ""


def shown(value: float | int | str) -> str:
    """A figure as people read it."""
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.4f}".rstrip("0").rstrip(".")
