"""The application's boards: computed from the positions as its jobs do, and compared with those of the right positions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from clickhouse_connect.driver.client import Client

from rehearsal.scenario import SCENARIO, ask, execute

TRUTH = "rehearsal"
SAMPLES = 5


@dataclass(frozen=True)
class Boards:
    """The boards against what they must hold; each board's rows that are different, with some samples."""

    rows: int
    different: int
    samples: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def perfect(self) -> bool:
        return self.rows > 0 and self.different == 0


def refresh(client: Client, cron: str, now: datetime) -> int:
    """What the application's job does: its board from its positions, in the client's database; returns the board's rows."""
    return _make(client, cron, now, database=str(client.database), source=SCENARIO["positions"])


def compare_boards(client: Client, *, database: str) -> Boards:
    """Compare all boards of the database with those of rehearsal.positions, which is made before."""
    rows, different, samples = 0, 0, {}
    for cron, board in SCENARIO["boards"].items():
        rows += _make(client, cron, SCENARIO["clock"], database=TRUTH, source="positions")
        found = [
            row
            for (row,) in ask(
                client,
                "boards/compare",
                database=database,
                board=board["table"],
                key=board["key"],
                measure=board["measure"],
            )
        ]
        different += len(found)
        if found:
            samples[board["table"]] = found[:SAMPLES]
    return Boards(rows, different, samples)


def _make(client: Client, cron: str, now: datetime, *, database: str, source: str) -> int:
    board = SCENARIO["boards"][cron]
    given = {**board, "board": board["table"], "database": database}
    execute(client, "boards/clear", **given)
    execute(client, f"boards/{board['statement']}", source=source, now=now, **given)
    return int(ask(client, "boards/count", **given)[0][0])
