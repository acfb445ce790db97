"""Announcement: what is said to the team of a line of the ledger, in the words of the incident file."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from recovery import secret, standing
from recovery.evidence import GO, judge
from recovery.incident import Incident
from recovery.ledger import Line
from recovery.phases import BY_NAME, PHASES

LONGEST = 3_900  # characters; Slack cuts texts at 4,000
REASONS = 3


@dataclass(frozen=True)
class Message:
    """`what` names its text. `state` is the pinned message's text from now on, "" where it stays; `ends` says that the
    recovery is over."""

    what: str
    text: str
    state: str = ""
    ends: bool = False


@cache
def defaults() -> dict[str, str]:
    """The texts that an incident file may leave out."""
    return tomllib.loads((Path(__file__).parent / "announce.toml").read_text("utf-8"))


class Teller:
    """Turns lines of the ledger into messages; asks nobody but the ledger."""

    def __init__(self, incident: Incident) -> None:
        self.incident = incident
        self._texts = defaults() | (incident.announce.texts if incident.announce else {})
        self._red: dict[str, list[str]] = {}  # per phase, of this run
        self._standing: tuple[int, dict[str, str]] = (-1, {})  # of so many lines

    def of(self, line: Line, lines: Sequence[Line]) -> list[Message]:
        """The messages that a new line gives rise to; `lines` are all up to it."""
        match line["kind"]:
            case "evidence" if (line["outcome"] != "passed" or judge(line)) and not line.get("pending"):
                for phase in line["phases"]:
                    self._red.setdefault(phase, []).append(
                        f"{line['check']}: {'; '.join(judge(line)) or line['outcome']}"
                    )
            case "finished":
                return self._of_phase(line, lines)
            case "failed":
                return [self._message("failed", lines, action=line["action"], reasons=line["reason"])]
            case "override":
                reasons = _listed(line["missing"])
                facts = {"who": line["who"], "action": line["action"], "reason": line["reason"], "reasons": reasons}
                return [self._message("override", lines, **facts)]
            case "restored":
                undoes = ", ".join(line["undoes"]) or "nothing"
                facts = {"who": line["who"], "snapshot": line["snapshot"], "undoes": undoes}
                return [self._message("restored", lines, state=True, **facts)]
            case "note" if line["learning"]:
                return [self._message("learnings", lines, learnings=line["text"])]
        return []

    def start(self, lines: Sequence[Line]) -> Message:
        """What opens the recovery."""
        return self._message("start", lines)

    def _of_phase(self, line: Line, lines: Sequence[Line]) -> list[Message]:
        name = line["phase"]
        facts = {
            "phase": name, "phase_title": BY_NAME[name].title if name in BY_NAME else "", "verdict": line["verdict"],
            "rows_read": f"{line['rows']:,}", "rows_written": f"{line['written']:,}", "seconds": f"{line['seconds']:,.1f}",
        }  # fmt: skip
        told = [self._message("phase", lines, state=True, **facts)]
        if line["verdict"] == "NO-GO":
            reasons = [reason for each in line["problems"] for reason in (each["reasons"] or [each["sentence"]])]
            reasons += self._red.pop(name, []) + [f"{check} was not asked" for check in line["missing"]]
            told.append(self._message("no_go", lines, reasons=_listed(reasons), **facts))
        if self._is_over(lines) and not self._is_over([each for each in lines if each["seq"] < line["seq"]]):
            learned = [each["text"] for each in lines if each["kind"] == "note" and each["learning"]]
            told += [self._message("learnings", lines, learnings="; ".join(learned))] if learned else []
            told.append(self._message("final", lines, ends=True))
        return told

    def _is_over(self, lines: Sequence[Line]) -> bool:
        return set(self._verdicts(lines).values()) == {GO}

    def _verdicts(self, lines: Sequence[Line]) -> dict[str, str]:
        """Each phase of the incident with what holds of it now; told once, however many messages a line gives rise to."""
        if self._standing[0] != len(lines):
            names = [phase.name for phase in PHASES if phase.checks and phase.applies(self.incident)]
            self._standing = len(lines), standing.of(lines, names)
        return self._standing[1]

    def _message(
        self, what: str, lines: Sequence[Line], *, state: bool = False, ends: bool = False, **facts: Any
    ) -> Message:
        verdicts = self._verdicts(lines)
        run = next((line for line in reversed(lines) if line["kind"] == "run"), {})
        common = {
            "title": self.incident.incident.title,
            "incident": self.incident.id,
            "phases": ", ".join(f"{name} {word}" for name, word in verdicts.items()),
            "next": next((name for name, word in verdicts.items() if word != GO), "nothing, all are GO"),
            "line": f"{len(lines):,}",
            "head": lines[-1]["sha"] if lines else "none",
            "who": run.get("who", ""),
        }
        told = {name: _escaped(secret.masked(str(value))) for name, value in (common | facts).items()}
        text = self._texts[what].format(**told)
        return Message(what, _cut(text), _cut(self._texts["state"].format(**told)) if state or ends else "", ends)


def _listed(reasons: Sequence[str]) -> str:
    more = f"; and {len(reasons) - REASONS} more" if len(reasons) > REASONS else ""
    return "; ".join(reason.rstrip(".") for reason in reasons[:REASONS]) + more + "."


def _escaped(text: str) -> str:
    """As Slack wants what is no markup of its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
