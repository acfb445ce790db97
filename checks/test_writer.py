"""The live writer, asked anew in every phase: one that is still wrong would beat the fix."""

from __future__ import annotations

import pytest

from recovery.action import Workplace, recent_since
from recovery.evidence import Evidence
from recovery.phases import PHASES, WRITER

ASKED_IN = [phase.name for phase in PHASES if WRITER in phase.checks]


@pytest.mark.parametrize("phase", [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ASKED_IN])
def test_the_writer_stores_right_rows(phase: str, place: Workplace, evidence: Evidence) -> None:
    """Rows since the deployment, at most some minutes back, and none that the clock of this run has not reached."""
    since = recent_since(place)
    answer = place.warehouse.ask_again("recent", since=since, now=place.now())
    total, broken, later = (answer.first[name] for name in ("total", "broken", "later"))
    percent = 100 * broken / (total + later) if total + later else 0.0
    evidence.about = f"rows since {since:%Y-%m-%d %H:%M:%S} UTC"
    evidence.show(answer, examined=total, **answer.first, percent=percent)
    evidence.expect("percent broken", percent, "<=", place.incident.gates.recent_broken_percent)
    evidence.expect("rows later than the time of this run", later, "==", 0)
