"""Generates the incident and its truth inside ClickHouse, and compares the recovered table with the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from clickhouse_connect.driver.client import Client

from rehearsal import boards, positions
from rehearsal.folder import RehearsalError
from rehearsal.scenario import SCENARIO, ask, execute, folder

LAST_REFRESH = timedelta(hours=1)


def generate(
    client: Client,
    *,
    rows: int,
    seed: int,
    history_days: int = 16,
    sized_as: int | None = None,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> None:
    """Make the tables, the incident with its positions and boards, and the truth; the client's database must not have them yet.

    `rows` is the number of CLOB fills of a whole month; `history_days` of it are made before the window.
    There are as many conditions as `sized_as` fills would have, by default these.
    """
    first_day = (SCENARIO["window_start"] - timedelta(days=history_days)).date()
    given = {"rows": rows, "sized_as": sized_as or rows, "seed": seed, "first_day": first_day, "now": SCENARIO["clock"]}
    for name in [*folder("own"), *folder("tables"), *folder("flow"), *folder("world")]:
        execute(client, name, **given)
    batches = [batch for (batch,) in ask(client, "batches")]
    steps = [*folder("draw"), *folder("trades")]
    for done, batch in enumerate(batches):
        for position, name in enumerate(steps):
            progress(name, done * len(steps) + position, len(batches) * len(steps))
            execute(client, name, batch=batch, **given)
    for name in folder("end"):
        execute(client, name, **given)
    positions.make_as_production_had_them(client)
    for cron in SCENARIO["boards"]:
        boards.refresh(client, cron, SCENARIO["clock"] - LAST_REFRESH)
    execute(client, "generated", days=history_days, **given)
    progress("done", len(batches) * len(steps), len(batches) * len(steps))


def generated_before(client: Client, source: Path) -> tuple[int, int, int]:
    """Rows, seed and days of history of the incident that was generated and kept in `source`, which the client is connected
    to. Raises RehearsalError where its generation did not end."""
    there = ask(client, "exists", database="rehearsal", table="generated")[0][0]
    if not (there and (given := ask(client, "generated_with"))):
        raise RehearsalError(f"the generation kept in {source} did not end; delete it, and generate it anew")
    return given[0]


@dataclass(frozen=True)
class Comparison:
    """The fills and the quarantine against the truth, in fills by identity."""

    truth: int
    lost: int = 0
    different: int = 0
    extra: int = 0
    doubled: int = 0
    broken_outside: int = 0
    foreign_changed: int = 0
    orphan: int = 0
    orphan_in_quarantine: int = 0
    orphan_in_place: int = 0
    late_outside: int = 0
    samples: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def perfect(self) -> bool:
        wrong = self.lost + self.different + self.extra + self.doubled + self.broken_outside + self.foreign_changed
        set_aside = self.orphan_in_quarantine == self.orphan and self.orphan_in_place == 0
        return self.truth > 0 and wrong == 0 and set_aside


def compare(
    client: Client,
    *,
    database: str,
    table: str,
    quarantine: str,
    window_start: datetime,
    window_end: datetime,
) -> Comparison:
    """Compare the final state with the truth; the quarantine may be missing."""
    exists = ask(client, "exists", database=database, table=quarantine)[0][0]
    tables = {
        "database": database,
        "table": table,
        "quarantine_database": database if exists else "rehearsal",
        "quarantine": quarantine if exists else "no_quarantine",
    }
    findings = ask(client, "compare", window_start=window_start, window_end=window_end, **tables)
    counts = {finding.replace(" ", "_"): fills for finding, fills, _ in findings}
    ids = [each for _, _, sample in findings for each in sample]
    names = dict(ask(client, "compare_names", ids=ids, **tables)) if ids else {}
    samples = {finding.replace(" ", "_"): sorted(names[each] for each in sample) for finding, _, sample in findings}
    return Comparison(truth=sum(truth_counts(client).values()), samples=samples, **counts)


def truth_counts(client: Client) -> dict[str, int]:
    """How many fills of each class the truth holds."""
    return dict(ask(client, "truth_counts"))
