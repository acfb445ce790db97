"""A January of fills and their events, such that the nightly promises hold: what bench.nightly measures on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from string import Template

from bench.measure import Server, settle
from recovery.incident import Incident
from recovery.promises import Guarded, Nightly
from recovery.statements import quote

PROJECT = Path(__file__).resolve().parent.parent
INCIDENT = PROJECT / "incidents" / "2026-01-empty-condition-ids.toml"
TABLES = PROJECT / "rehearsal" / "sql" / "tables"
SQL = Path(__file__).parent / "sql" / "nightly"
SMALL = ("map", "resolutions", "positions", "watermarks", "crons")
LARGE = ("fills", "events")
PIECE = 1_000_000
NOW = datetime(2026, 2, 1, 0, 10, tzinfo=UTC)


@dataclass(frozen=True)
class Bench(Server):
    """A server with the data, and what is measured on it."""

    incident: Incident
    rows: int

    @property
    def nightly(self) -> Nightly:
        return self.incident.nightly

    @property
    def key(self) -> str:
        """The broken table's, in the nightly file."""
        return next(key for key, table in self.nightly.tables.items() if table.name == self.incident.table.name)

    @property
    def table(self) -> Guarded:
        return self.nightly.tables[self.key]

    def count(self, table: str) -> int:
        with self.connect() as client:
            return int(client.query(f"SELECT count() FROM {quote(table)}").first_row[0])


def text(name: str, **words: str) -> str:
    return Template((SQL / f"{name}.sql").read_text("utf-8")).substitute(words)


def fill(bench: Bench) -> str:
    """Make the tables and their rows; where the folder has them already, leave them."""
    with bench.connect() as client:
        made = {row[0] for row in client.query("SELECT name FROM system.tables WHERE database = 'default'").result_rows}
        if bench.table.name in made:
            if (found := bench.count(bench.table.name)) != bench.rows:
                raise SystemExit(
                    f"The folder holds {found:,} rows, not {bench.rows:,}: give --rows {found}, or another."
                )
            settle(client)
            return "kept from before"
        clock = time.perf_counter()
        for path in sorted(TABLES.glob("*.sql")):
            client.command(path.read_text("utf-8"))
        for name in SMALL:
            client.command(text(name))
        for first in range(0, bench.rows, PIECE):
            piece = {"rows": bench.rows, "first": first, "count": min(PIECE, bench.rows - first)}
            for name in reversed(LARGE):  # the fills last: by their count the folder is known to be whole
                client.command(text(name, draw=text("draw")), parameters=piece)
        inserted = time.perf_counter() - clock
        settle(client)
        return f"inserted in {inserted:.0f} s, merged after {time.perf_counter() - clock:.0f} s"
