"""scripts.check_writer: two writers' SELECTs beside each other, on the January incident at a small scale."""

from __future__ import annotations

import pytest

from tests.conftest import JANUARY, PROJECT, Case
from scripts.check_writer import main
from recovery.warehouse import Dsn
from unittest.mock import patch
import os

WRITER = JANUARY.with_suffix(".writer.sql")
WRITERS = PROJECT / "tests" / "writers"

def command(case: Case, *words: object) -> int:
    parsed = Dsn.parse(case.dsn)
    with patch.dict(os.environ, {"CLICKHOUSE_PASSWORD": parsed.password}):
        return main(
            [
                f"--incident={case.incident}",
                f"--clickhouse=clickhouse://{parsed.user}@{parsed.host}:{parsed.port}",
                f"--ledger={case.ledger.path}",
                f"--now={case.now:%Y-%m-%dT%H:%M:%SZ}",
                *map(str, words),
            ]
        )

def test_try(case: Case) -> None:
    for words in ([WRITER], [WRITERS/"legacy_backfill.sql"], [WRITERS/"left_join.sql"],[WRITERS/"other_unit.sql", WRITER, "--days=14"], [WRITER, "--days=1"],[WRITER, "--day", "2026-01-02"],[WRITER, "--day", "2026-01-22", WRITER], ["--days=2", WRITER]):
        print(words, command(case, *words))
    print(case.client.query("select toDate(trade_time) d, count(), countIf(token_id not in (select token_id_dec from pm_token_to_condition_map_v5 where condition_id!='')), sum(usdc_amount=0) from pm_trader_events_v3 final group by d order by d").result_rows)
    assert 0
