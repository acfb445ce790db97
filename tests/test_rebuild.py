"""The rebuild makes the positions anew from the repaired fills, can be interrupted, and can be taken back."""

from __future__ import annotations

import pytest

from tests.conftest import Case

POSITIONS = "pm_trade_fifo_roi_v3"


@pytest.fixture(scope="module")
def rebuilt(recovered: Case, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """After phase 6. Clone it, do not change it."""
    case = recovered.clone(tmp_path_factory.mktemp("rebuilt"))
    for phase in ("preflight", "phase1", "phase2", "phase3", "phase4", "phase5", "phase6"):
        assert case.pytest(phase, "--execute") == 0, case.output
    return case


def test_the_months_hold_the_positions_of_the_repaired_fills(rebuilt: Case) -> None:
    assert rebuilt.verdict("phase6") == "GO"
    assert rebuilt.value(f"SELECT count() FROM {POSITIONS}") > 100
