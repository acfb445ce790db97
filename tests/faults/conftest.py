"""How often the faults are tried, and the figures that come of it.

`pytest tests` runs a short slice; `tox -e faults` sets FAULTS=full and runs as often as docs/reliability.md says. The figures
are printed at the end and, where FAULTS_FIGURES names a file, written there as JSON.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FULL = os.environ.get("FAULTS") == "full"
Figures = dict[str, dict[str, Any]]
_FIGURES = pytest.StashKey[Figures]()


def rounds(short: int, full: int) -> int:
    """How often a fault is tried: `short` in `pytest tests`, `full` in `tox -e faults`."""
    return full if FULL else short


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Callable[..., None]:
    """figures("kill -9 of the runner", rounds=200, equal_to_the_truth=200): counts add up over calls, the rest is replaced."""
    kept: Figures = request.config.stash.setdefault(_FIGURES, {})

    def note(subject: str, **facts: Any) -> None:
        known = kept.setdefault(subject, {})
        for name, value in facts.items():
            adds = isinstance(value, int | float) and not isinstance(value, bool) and name in known
            known[name] = known[name] + value if adds else value

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    found = terminalreporter.config.stash.get(_FIGURES, {})
    if not found:
        return
    terminalreporter.section("figures of the faults")
    for subject, facts in found.items():
        terminalreporter.line(
            f"{subject}: " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())
        )
    if target := os.environ.get("FAULTS_FIGURES"):
        path = Path(target)
        before = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(before | found, indent=2) + "\n")
