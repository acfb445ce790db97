"""Phase 1: is the fix deployed, and has the updater run since? Whether it stores right rows is asked in test_writer.py."""

from __future__ import annotations

import pytest

from recovery import deploy
from recovery.action import Plan
from recovery.errors import ServiceUnreachable
from recovery.evidence import Evidence
from recovery.incident import Incident
from recovery.workplace import Workplace

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
