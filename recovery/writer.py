"""The live writer, judged by its recent rows: one that is still wrong would beat the fix."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from recovery.warehouse import Answer
from recovery.workplace import Workplace


@dataclass(frozen=True)
class Recent:
    """The writer's rows since a moment; `later` are those that the clock of this run has not reached."""

    since: datetime
    answer: Answer

    @classmethod
    def ask(cls, place: Workplace) -> Recent:
        since = recent_since(place)
        return cls(since, place.warehouse.ask_again("recent", since=since, now=place.now()))

    @property
    def total(self) -> int:
        return int(self.answer.first["total"])

    @property
    def broken(self) -> int:
        return int(self.answer.first["broken"])

    @property
    def later(self) -> int:
        return int(self.answer.first["later"])

    @property
    def percent(self) -> float:
        """Broken rows of all recent ones."""
        every = self.total + self.later
        return 100 * self.broken / every if every else 0.0


def faults(place: Workplace) -> list[str]:
    """Why the writer that still runs would beat the fix; an action never starts against it."""
    recent, allowed = Recent.ask(place), place.incident.gates.recent_broken_percent
    if not recent.total:
        return ["no row of the writer is recent enough to say that it is right; run pytest -m phase1"]
    if recent.later:
        return [
            f"the table holds {recent.later:,} rows that are later than {place.now():%Y-%m-%d %H:%M:%S} UTC; correct --now"
        ]
    if recent.percent > allowed:
        return [
            f"the writer is still wrong: {recent.broken:,} of {recent.total:,} recent rows are broken "
            f"({recent.percent:.2f} %, allowed {allowed} %); run pytest -m phase1 --execute"
        ]
    return []


def recent_since(place: Workplace) -> datetime:
    """Rows since this moment say whether the writer is right: the deployment, but not longer ago than the gate says."""
    earliest = datetime.fromtimestamp(place.now().timestamp() - 60 * place.incident.gates.recent_minutes, UTC)
    deployed = [line for line in place.ledger.lines() if line["kind"] == "evidence" and "deployed" in line["found"]]
    if not deployed:
        return earliest
    return max(earliest, datetime.fromisoformat(deployed[-1]["found"]["deployed"]))
