"""Fixtures of the checks: incident, warehouse, census, evidence, recovered."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from checks import terminal
from checks.audit import Audit
from recovery import action, census, fingerprint, positions, swap
from recovery.action import Plan
from recovery.actions import ACTIONS
from recovery.conservation import Conservation
from recovery.evidence import Evidence
from recovery.incident import Incident
from recovery.ledger import Line
from recovery.phases import BY_NAME, HOURLY
from recovery.plan import staged
from recovery.warehouse import Warehouse
from recovery.workplace import Workplace
from reports import page

if TYPE_CHECKING:
    from expectations.night import Night


@pytest.fixture(scope="session")
def audit(request: pytest.FixtureRequest) -> Audit:
    from checks.plugin import AUDIT

    return request.config.stash[AUDIT]


@pytest.fixture(scope="session")
def incident(audit: Audit) -> Incident:
    return audit.incident


@pytest.fixture
def warehouse(audit: Audit, request: pytest.FixtureRequest) -> Warehouse:
    """The warehouse to ask; where the table is repaired in a shadow, phases 2 and 3 look at that."""
    phase = next(iter(request.node.stash[page.PHASES]), "")
    return swap.candidate(audit.warehouse, audit.ledger.lines(), phase)


@pytest.fixture
def place(audit: Audit) -> Workplace:
    return audit.place


@pytest.fixture
def now(audit: Audit) -> datetime:
    return audit.now()


@pytest.fixture
def counted(warehouse: Warehouse, baseline: Line | None) -> census.Census:
    """The census of the window; one scan, however many checks ask for it."""
    return census.Census.take(warehouse, since=baseline)


@pytest.fixture
def evidence(request: pytest.FixtureRequest, audit: Audit, warehouse: Warehouse, baseline: Line | None) -> Evidence:
    """What this check finds. It must show an answer and expect something, or the check fails."""
    found = Evidence(check=request.node.name, phases=request.node.stash[page.PHASES])
    if audit.guard:
        return found  # it opens no gate, and reads no window
    if baseline is not None and warehouse is audit.warehouse:  # the balance is asked too: one scan for both
        found.fingerprint = census.holdings(warehouse, baseline).fingerprint(warehouse)
    else:
        found.fingerprint = fingerprint.of_window(audit.warehouse)
    if any(BY_NAME[phase].section for phase in found.phases):
        found.positions = positions.print_of(audit.warehouse)
    return found


@pytest.fixture(scope="session")
def night(audit: Audit) -> Night:
    """What is promised of the tables, as of the beginning of the run; each table is scanned once, however many checks ask."""
    from expectations.night import Night  # and pandas with it, which no phase needs

    return Night(
        audit.warehouse, audit.began.replace(microsecond=0), recent_only=audit.guard == HOURLY.name, docs=audit.docs
    )


@pytest.fixture(scope="module")
def recovered(request: pytest.FixtureRequest, audit: Audit) -> Plan:
    """The module's phase after its action: carried out under --execute, else shown, and the check left out.

    Where nothing is left to do the checks are asked either way.
    """
    phase = BY_NAME[request.module.PHASE]
    doing = ACTIONS[phase.action_for(audit.incident) or ""]
    place = audit.place
    capture = request.config.pluginmanager.getplugin("capturemanager")
    if audit.mode.execute:
        audit.end_phases_before(phase.name)
        reporter = request.config.pluginmanager.getplugin("terminalreporter")
        with (
            capture.global_and_fixture_disabled(),
            terminal.progress(audit.ledger, terminal.console(reporter), audit.warehouse.watch) as say,
        ):
            return action.run(doing, phase, replace(place, tell=say), override=audit.mode.override)
    plan = doing.plan(place)
    if plan.units:
        audit.show(phase.name, plan, staged(place, phase, doing, plan).texts if audit.incident.cluster else ())
    return plan


@pytest.fixture
def carried_out(audit: Audit, request: pytest.FixtureRequest) -> None:
    """The check is skipped where the action of its phase was only shown."""
    shown = audit.shown_plans.get(request.node.stash[page.PHASES][0])
    if shown:
        pytest.skip(f"dry run: {shown['action']} would {shown['sentence']}; {audit.way_in}")


@pytest.fixture
def after_action(recovered: Plan, carried_out: None) -> Plan:
    """As `recovered`, and the check is skipped where the action was only shown."""
    return recovered


@pytest.fixture
def baseline(audit: Audit) -> Line | None:
    """The last time that right rows were written, by a backfill or into a shadow, with what the table held before."""
    return action.baseline(audit.incident, audit.ledger.lines())


@pytest.fixture
def deduplicated(audit: Audit) -> Line | None:
    """The last deduplication that was carried out, in place or by a swap."""
    return action.last_done(BY_NAME["phase4"].action_for(audit.incident) or "", audit.ledger.lines())


@pytest.fixture
def rebuilt(audit: Audit) -> Line | None:
    """The last rebuild of the positions."""
    return action.last_done(BY_NAME["phase6"].action_for(audit.incident) or "", audit.ledger.lines())


@pytest.fixture
def refreshed(audit: Audit) -> Line | None:
    """The last refresh of the boards."""
    return action.last_done(BY_NAME["phase7"].action_for(audit.incident) or "", audit.ledger.lines())


@pytest.fixture
def conserved(warehouse: Warehouse, rebuilt: Line | None) -> Conservation | None:
    """What the fills say of the positions, as of the last rebuild; one scan of both, however many checks ask for it."""
    return Conservation.take(warehouse, rebuilt["plan"]["facts"]) if rebuilt else None
