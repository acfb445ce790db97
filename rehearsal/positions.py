"""The positions: as production had them, as they must be in the end, and the one compared with the other."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Self

from clickhouse_connect.driver.client import Client

from rehearsal.scenario import ask, execute

PART = 2_000_000  # fills of the truth that are looked at together, about
MOST_PARTS = 16**4  # by the first digits of the wallets


@dataclass(frozen=True)
class Resolved:
    """When a condition must have been resolved for its positions to be rebuilt, half-open, in UTC."""

    start: datetime
    end: datetime

    @classmethod
    def of(cls, start: str, end: str, cutoff: datetime) -> Self:
        """From a month such as 2026-01 to before another, but not from the cutoff on: these are too young to be rebuilt."""
        first, after = (datetime.fromisoformat(f"{month}-01T00:00:00Z") for month in (start, end))
        return cls(first, min(after, cutoff))


@dataclass(frozen=True)
class Positions:
    """The table of positions against what it must hold, in rows; `outside` counts those that changed though they are
    of conditions that are not rebuilt."""

    right: int
    lost: int = 0
    different: int = 0
    extra: int = 0
    doubled: int = 0
    outside: int = 0
    samples: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def perfect(self) -> bool:
        return self.right > 0 and self.lost + self.different + self.extra + self.doubled + self.outside == 0


def make_as_production_had_them(client: Client) -> None:
    """Fill the application's table from the stored fills, by the old rules; and keep a copy of it."""
    for part in _parts(client):
        execute(client, "positions/legacy", **part)
    execute(client, "positions/settled")
    execute(client, "positions/before")


def make_as_they_must_be(
    client: Client, resolved: Resolved, *, cutoff: datetime, window_start: datetime, window_end: datetime
) -> None:
    """Fill rehearsal.positions from the truth: fills before `cutoff`, those outside the window that were missed left out."""
    given = {
        "cutoff": cutoff,
        "window_start": window_start,
        "window_end": window_end,
        "resolved_from": resolved.start,
        "resolved_until": resolved.end,
    }
    execute(client, "positions/clear")
    for part in _parts(client):
        for step in ("ranges_clear", "ranges", "true"):
            execute(client, f"positions/{step}", **given, **part)
    execute(client, "positions/untouched", **given)


def sizes(client: Client) -> dict[str, tuple[int, int, int]]:
    """Conditions, lots and shorts by month of what rehearsal.positions holds; a month is such as 2026-01."""
    return {month: (conditions, lots, shorts) for month, conditions, lots, shorts in ask(client, "positions/sizes")}


def compare_positions(client: Client, resolved: Resolved, *, database: str, table: str) -> Positions:
    """Compare the table with rehearsal.positions, which is made before."""
    counts: Counter[str] = Counter()
    samples: dict[str, list[str]] = defaultdict(list)
    given = {
        "database": database,
        "table": table,
        "resolved_from": resolved.start,
        "resolved_until": resolved.end,
    }
    for part in _parts(client):
        for finding, rows, examples in ask(client, "positions/compare", **given, **part):
            counts[finding] += rows
            samples[finding] = [*samples[finding], *examples][:5]
    return Positions(right=ask(client, "positions/count")[0][0], samples=dict(samples), **counts)


def _parts(client: Client) -> Iterator[dict[str, str]]:
    """Ranges of the wallets, by which all tables of positions are sorted, so that none needs much memory."""
    parts = min(ask(client, "positions/fills")[0][0] // PART + 1, MOST_PARTS)
    edges = ["", *(f"0x{MOST_PARTS * part // parts:04x}" for part in range(1, parts)), ""]
    for wallet_from, wallet_to in pairwise(edges):
        yield {"wallet_from": wallet_from, "wallet_to": wallet_to}
