"""A ledger whose end was cut off: where that would reopen a gate, the server's mirror keeps it closed."""

from __future__ import annotations

from pathlib import Path

from recovery import fingerprint, gate
from recovery.incident import load
from recovery.ledger import Ledger
from recovery.mirror import Mirror
from recovery.phases import BY_NAME
from recovery.warehouse import Warehouse
from tests.conftest import Case


def test_no_cut_opens_a_gate_that_the_whole_ledger_keeps_closed(backfilled: Case, tmp_path: Path) -> None:
    case = backfilled.clone(tmp_path)
    assert case.pytest("preflight or phase1 or phase2 or phase3", "--execute") == 0, case.output
    left_out = "checks/test_phase3_corrections_verified.py::test_the_corrected_version_wins[2026-01-22]"
    assert case.pytest("phase3", "--execute", f"--deselect={left_out}") == 10, case.output
    incident, whole = load(case.incident), case.ledger.path.read_bytes().splitlines(keepends=True)
    with Warehouse(incident, case.dsn) as warehouse:
        state = gate.State(case.now, fingerprint.of_window(warehouse), warehouse.installation)
        cut = Ledger(tmp_path / "cut.jsonl")

        def reasons() -> list[str]:
            return gate.reasons_to_refuse(BY_NAME["phase4"], incident, cut, state)

        cut.path.write_bytes(b"".join(whole))
        assert any("was not asked" in reason for reason in reasons())
        assert Mirror(warehouse, cut).fault() is None
        opened = []
        for lines in range(1, len(whole)):
            cut.path.write_bytes(b"".join(whole[:lines]))
            if not reasons():
                opened.append(lines)
                assert "lines and the server's recovery_ledger has" in (Mirror(warehouse, cut).fault() or ""), lines
    assert opened  # else nothing was tried

    case.ledger.path.write_bytes(b"".join(whole[: opened[-1]]))
    there = case.fingerprint()
    assert case.pytest("phase4", "--execute") == 11, case.output
    assert "the ledger is behind" in case.output
    assert case.fingerprint() == there
