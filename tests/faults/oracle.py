"""The positions that a case must have, by the oracle in plain Python: it shares nothing with the rebuild's statements."""

from __future__ import annotations

from datetime import datetime

from tests.conftest import Case
from tests.fifo_cases import END, START
from tests.fifo_oracle import Fill, Resolution, rows
from tests.test_fifo import FILLS, POSITIONS, RESOLUTIONS, differences, rows_as

MONTHS = "resolved_at >= '2026-01-01' AND resolved_at < '2026-03-01'"


def faults(case: Case) -> list[str]:
    """What is wrong with the positions of a case that was rebuilt, a sentence each; as of the cutoff that the ledger has."""
    cutoff = datetime.fromisoformat(case.lines("done")[-1]["plan"]["facts"]["cutoff"])
    expected = rows(
        rows_as(case.client, Fill, f"{FILLS} FINAL"), rows_as(case.client, Resolution, f"{RESOLUTIONS} FINAL"),
        allocation="fifo", cutoff=cutoff, start=START, end=END,
    )  # fmt: skip
    rebuilt = f"{MONTHS} AND resolved_at < '{cutoff:%Y-%m-%d %H:%M:%S}'"  # younger ones are carried over as they are
    found = list(case.client.query(f"SELECT * FROM {POSITIONS} WHERE {rebuilt}").named_results())
    assert expected
    wrong = [f"{position}: {'; '.join(told)}" for position, told in differences(expected, found).items()]
    return [f"{len(wrong):,} positions are wrong, such as {wrong[0][:400]}"] if wrong else []
