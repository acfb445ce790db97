"""The balance, asked in every phase from the backfill on: each identity in one class, and before + written - removed = after."""

from __future__ import annotations

import pytest

from recovery import balance
from recovery.balance import Balance
from recovery.evidence import Evidence
from recovery.ledger import Line
from recovery.phases import BALANCE, PHASES
from recovery.warehouse import Warehouse

ASKED_IN = [phase.name for phase in PHASES if BALANCE in phase.checks]


@pytest.mark.parametrize("phase", [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ASKED_IN])
def test_every_identity_is_accounted_for(
    phase: str, carried_out: None, baseline: Line | None, warehouse: Warehouse, evidence: Evidence
) -> None:
    """Between the snapshot before the backfill and now: nothing lost, doubled or changed that no class explains."""
    if baseline is None:
        evidence.expect("snapshots from before the backfill", 0, ">=", 1)
        evidence.note("There is nothing to compare with: run pytest -m phase2 --execute.")
        return
    found = Balance.take(warehouse, baseline)
    evidence.show(
        found.answer, examined=found.identities(*balance.EXPLAINED, *balance.UNEXPLAINED), classes=found.table(),
        before=found.before, written=found.written, removed=found.removed, after=found.after,
    )  # fmt: skip
    for kind in balance.UNEXPLAINED:
        identities = found.identities(kind)
        evidence.expect(f"identities {kind}", identities, "==", 0)
        if identities:
            evidence.note(f"{kind}: {'; '.join(balance.sample(warehouse, baseline, kind))}.")
    evidence.expect("rows before + written - removed - after", found.remainder, "==", 0)
