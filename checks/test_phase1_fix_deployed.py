"""Phase 1: is the fix deployed, has the updater run since, and does it store right rows?"""

from __future__ import annotations

import pytest

from recovery import deploy
from recovery.action import Plan, Workplace, recent_since
from recovery.errors import ServiceUnreachable
from recovery.evidence import Evidence
from recovery.incident import Incident

PHASE = "phase1"
pytestmark = pytest.mark.phase1


def test_production_runs_the_fix(after_action: Plan, incident: Incident, evidence: Evidence) -> None:
    """The production deployment is each fix commit, or has it among its ancestors."""
    live = deploy.production(incident)
    evidence.about = f"Vercel project {incident.services.vercel.project}"
    fixes = incident.services.git.fixes
    missing = deploy.missing_fixes(incident, live.sha) if live else list(fixes)
    if live:
        evidence.show(examined=1, deployment=live.id, commit=live.sha, deployed=live.since.isoformat(), missing=missing)
    evidence.expect("fix commits that production lacks", len(missing), "==", 0)
    if missing:
        evidence.note(f"Production runs {live.sha[:7] if live else 'nothing'}; it lacks {', '.join(missing)}.")


def test_the_updater_ran_since_the_deployment(after_action: Plan, place: Workplace, evidence: Evidence) -> None:
    live = deploy.production(place.incident)
    if live is None:
        raise ServiceUnreachable("There is no production deployment to compare the updater's runs with.")
    answer = deploy.updates_since(place.warehouse, live.since, place.now())
    evidence.about = place.incident.services.updater.cron
    ran = answer.first["succeeded"] + answer.first["failed"]
    evidence.show(answer, examined=ran, **answer.first, deployed=live.since.isoformat())
    evidence.expect("successful runs since the deployment", answer.first["succeeded"], ">=", 1)


@pytest.mark.phase2
@pytest.mark.phase3
@pytest.mark.phase4
@pytest.mark.phase5
def test_the_writer_stores_right_rows(place: Workplace, evidence: Evidence) -> None:
    """Rows since the deployment, at most some minutes back. A writer that is still wrong would beat the fix."""
    since = recent_since(place)
    answer = place.warehouse.ask_again("recent", since=since, now=place.now())
    total, broken = answer.first["total"], answer.first["broken"]
    percent = 100 * broken / total if total else 0.0
    evidence.about = f"rows since {since:%Y-%m-%d %H:%M:%S} UTC"
    evidence.show(answer, examined=total, **answer.first, percent=percent)
    evidence.expect("percent broken", percent, "<=", place.incident.gates.recent_broken_percent)
