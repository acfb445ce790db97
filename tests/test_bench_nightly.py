"""The benchmark of the nightly checks, small: its data holds the promises, and the scan reads each row once."""

from __future__ import annotations

from pathlib import Path

from bench.nightly import limit, promised
from bench.nightly_data import INCIDENT, Bench, fill
from recovery import incident
from recovery.embedded import EmbeddedServer

ROWS = 40_000


def test_the_data_holds_the_promises_and_the_scan_reads_it_once(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "clickhouse") as server:
        bench = Bench(server.dsn, server.pid, incident.load(INCIDENT), ROWS)
        fill(bench)
        assert fill(bench) == "kept from before"
        took = promised(bench)
        assert set(took.told["statuses"].values()) == {"OK"}
        known = {each.unknown.table for each in bench.table.rows.values() if each.unknown}
        assert took.rows_read == ROWS + sum(map(bench.count, known))
        assert limit(bench, list(bench.table.columns), "limit").rows_read == ROWS
