"""The live writer, asked anew in every phase: one that is still wrong would beat the fix."""

from __future__ import annotations

import pytest

from recovery.evidence import Evidence
from recovery.phases import PHASES, WRITER
from recovery.workplace import Workplace
from recovery.writer import Recent

ASKED_IN = [phase.name for phase in PHASES if WRITER in phase.checks]


@pytest.mark.parametrize("phase", [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ASKED_IN])
def test_the_writer_stores_right_rows(phase: str, place: Workplace, evidence: Evidence) -> None:
    """Rows since the deployment, at most some minutes back, and none that the clock of this run has not reached."""
    recent = Recent.ask(place)
    evidence.about = f"rows since {recent.since:%Y-%m-%d %H:%M:%S} UTC"
    evidence.show(recent.answer, examined=recent.total, **recent.answer.first, percent=recent.percent)
    evidence.expect("percent broken", recent.percent, "<=", place.incident.gates.recent_broken_percent)
    evidence.expect("rows later than the time of this run", recent.later, "==", 0)
