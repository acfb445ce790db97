"""Asks one check of a case in this process, without a pytest of its own."""

from __future__ import annotations

import importlib
import inspect
import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from recovery import action, census, fingerprint, swap
from recovery.action import Plan
from recovery.conservation import Conservation
from recovery.evidence import Evidence
from recovery.incident import load
from recovery.ledger import Line
from recovery.phases import BY_NAME, PHASES
from recovery.warehouse import Warehouse
from recovery.workplace import Workplace
from tests.conftest import PROJECT, Case

CHECKS = {
    name: function
    for path in sorted((PROJECT / "checks").glob("test_*.py"))
    for name, function in inspect.getmembers(importlib.import_module(f"checks.{Path(path).stem}"), inspect.isfunction)
    if name.startswith("test_")
}


def ask(case: Case, check: str, **axis: str) -> Evidence:
    """The evidence of a check, as its fixtures would give it what it needs."""
    incident = load(case.incident)
    with patch.dict(os.environ, case.env), Warehouse(incident, case.dsn, writable=True) as warehouse:
        place = Workplace(incident, warehouse, case.ledger, "asked", lambda: case.now + timedelta(seconds=1))
        evidence = Evidence(check, [], fingerprint=fingerprint.of_window(warehouse))
        lines = case.ledger.lines()
        phase = axis.get("phase") or next(p.name for p in PHASES if any(c.name == check for c in p.checks))
        looked_at = swap.candidate(warehouse, lines, phase)

        def last_done(phase: str) -> Line | None:
            return action.last_done(BY_NAME[phase].action_for(incident) or "", lines)

        offered: dict[str, Any] = {
            "after_action": Plan("none", "", ()),
            "baseline": last_done("phase2"),
            "carried_out": None,
            "counted": lambda: census.Census.take(looked_at, since=last_done("phase2")),
            "conserved": lambda: (
                Conservation.take(warehouse, last_done("phase6")["plan"]["facts"]) if last_done("phase6") else None
            ),
            "deduplicated": last_done("phase4"),
            "rebuilt": last_done("phase6"),
            "refreshed": last_done("phase7"),
            "evidence": evidence,
            "incident": incident,
            "now": case.now,
            "place": place,
            "warehouse": looked_at,
            **axis,
        }
        wanted = inspect.signature(CHECKS[check]).parameters
        values = {name: offered[name]() if callable(offered[name]) else offered[name] for name in wanted}
        CHECKS[check](**values)
        return evidence
