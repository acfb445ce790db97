"""Deploy: push the fix, wait until production runs it, and wait for the next incremental update."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import stamina

from recovery import secret
from recovery.action import Plan, Unit
from recovery.errors import ActionFailed, ServiceUnreachable
from recovery.incident import Incident
from recovery.ledger import Line
from recovery.statements import Write
from recovery.warehouse import Answer, Warehouse
from recovery.workplace import Workplace

TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Deployment:
    """What production runs: `sha` is its commit, `since` when it went live (UTC)."""

    id: str
    sha: str
    since: datetime


def production(incident: Incident) -> Deployment | None:
    """The newest production deployment that is ready, or None. Source: Vercel's GET /v6/deployments."""
    service = incident.services.vercel
    token = secret.given("VERCEL_TOKEN", "token")
    query = {"projectId": service.project, "target": "production", "state": "READY", "limit": "20"}
    try:
        for attempt in stamina.retry_context(on=httpx.TransportError, attempts=3):
            with attempt:
                answer = httpx.get(
                    f"{service.url}/v6/deployments",
                    params=query,
                    headers={"Authorization": f"Bearer {token}"},
                    timeout=TIMEOUT_SECONDS,
                )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ServiceUnreachable(f"Vercel at {service.url} cannot be reached: {secret.masked(str(error))}.") from None
    if answer.status_code in (401, 403):
        raise ServiceUnreachable(f"Vercel at {service.url} refused the token; set VERCEL_TOKEN.")
    if answer.status_code != 200:
        raise ServiceUnreachable(f"Vercel at {service.url} answered with status {answer.status_code}; try again.")
    try:
        ready = [_deployment(d) for d in answer.json()["deployments"] if d["readyState"] == "READY"]
    except (ValueError, KeyError, TypeError) as error:
        raise ServiceUnreachable(
            f"Vercel at {service.url} answered something that is no list of deployments: {error!r}."
        ) from None
    return max(ready, key=lambda d: d.since, default=None)


def _deployment(raw: dict[str, Any]) -> Deployment:
    """`ready` is when it went live; where the answer lacks it, `created` is the earlier bound. Both in ms. The second in
    which it went live still belongs to the deployment before: tables keep whole seconds."""
    since = datetime.fromtimestamp(int(raw.get("ready") or raw["created"]) // 1000 + 1, UTC)
    return Deployment(str(raw["uid"]), str((raw.get("meta") or {}).get("githubCommitSha", "")), since)


def missing_fixes(incident: Incident, sha: str) -> list[str]:
    """The fix commits that are neither `sha` nor among its ancestors."""
    return [fix for fix in incident.services.git.fixes if not _contains(incident, sha, fix)]


def _contains(incident: Incident, sha: str, fix: str) -> bool:
    if not sha:
        return False
    for commit in (fix, sha):
        if _git(incident, "cat-file", "-e", f"{commit}^{{commit}}").returncode:
            _git(incident, "fetch", "--quiet", incident.services.git.remote)
            if _git(incident, "cat-file", "-e", f"{commit}^{{commit}}").returncode:
                repository = incident.services.git.repository
                raise ServiceUnreachable(
                    f"{repository} does not know the commit {commit}; fetch it, or correct services.git."
                )
    return _git(incident, "merge-base", "--is-ancestor", fix, sha).returncode == 0


def _git(incident: Incident, *words: str) -> subprocess.CompletedProcess[str]:
    repository = (incident.path.parent.parent / incident.services.git.repository).resolve()
    if not repository.is_dir():
        raise ServiceUnreachable(
            f"services.git.repository: there is no folder {repository}; correct the incident file."
        )
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    try:
        return subprocess.run(
            ["git", "-C", str(repository), *words],
            capture_output=True,
            text=True,
            timeout=300,
            env=environment,
            check=False,
        )
    except FileNotFoundError:
        raise ServiceUnreachable("git is not installed here; install it, or deploy by hand.") from None
    except subprocess.TimeoutExpired:
        raise ServiceUnreachable(f"git {words[0]} in {repository} did not end within 300 s.") from None


def _said(answer: subprocess.CompletedProcess[str]) -> str:
    """What git said, without the login that a remote's address may have in it."""
    return re.sub(r"://[^/@\s]+@", "://***@", secret.masked(answer.stderr)).strip()[:300]


def updates_since(warehouse: Warehouse, since: datetime, now: datetime) -> Answer:
    """Runs of the incremental updater since a moment: succeeded, failed, last."""
    updater = warehouse.incident.services.updater
    database = warehouse.incident.table.database
    return warehouse.ask_again(
        "updater_runs", database=database, table=updater.table, cron=updater.cron, since=since, now=now
    )


class Deploy:
    """Ends only when production runs every fix commit and the updater has run since."""

    name = "deploy"
    removes = False

    def plan(self, place: Workplace) -> Plan:
        git = place.incident.services.git
        live = production(place.incident)
        if live and not missing_fixes(place.incident, live.sha) and self._updated(place, live):
            return Plan(self.name, f"production runs {live.sha[:7]}, which has the fix; nothing to do", ())
        undo = "revert the commit and push again"
        units = (
            Unit(f"push {git.fixes[-1][:7]} to {git.remote} {git.branch}", "push", undo, counted=False),
            Unit("wait until production runs the fix", "live", "none needed", counted=False),
            Unit(f"wait for the next {place.incident.services.updater.cron}", "updated", "none needed", counted=False),
        )
        now = live.sha[:7] if live else "nothing"
        return Plan(
            self.name, f"push {', '.join(f[:7] for f in git.fixes)} (production runs {now}) and wait for it", units
        )

    def refusals(self, place: Workplace) -> list[str]:
        return []

    def left(self, place: Workplace, plan: Plan, unit: Unit) -> int:
        return int(not self._is_done(place, unit))

    def _is_done(self, place: Workplace, unit: Unit) -> bool:
        git = place.incident.services.git
        if unit.kind == "push":
            answer = _git(place.incident, "ls-remote", git.remote, f"refs/heads/{git.branch}")
            if answer.returncode:
                raise ServiceUnreachable(f"the git remote {git.remote} cannot be read: {_said(answer)}")
            head = answer.stdout.split()[0] if answer.stdout.split() else ""
            return not missing_fixes(place.incident, head)
        live = production(place.incident)
        has_fix = live is not None and not missing_fixes(place.incident, live.sha)
        if unit.kind == "live" or live is None:
            return has_fix
        return has_fix and self._updated(place, live)

    def writes(self, place: Workplace, unit: Unit) -> list[Write]:
        return []

    def do(self, place: Workplace, plan: Plan, unit: Unit, label: str) -> None:
        git = place.incident.services.git
        if unit.kind == "push":
            answer = _git(place.incident, "push", git.remote, f"{git.fixes[-1]}:refs/heads/{git.branch}")
            if answer.returncode:
                raise ActionFailed(f"git push was refused: {_said(answer)}")
            return
        updater = place.incident.services.updater
        deadline = place.now() + timedelta(seconds=updater.wait_seconds)
        while not self._is_done(place, unit):
            if place.now() >= deadline:
                raise ActionFailed(f"after {updater.wait_seconds:,} s still to do: {unit.label}")
            place.sleep(updater.poll_seconds)

    def verify(self, place: Workplace, plan: Plan, since: Line | None) -> list[str]:
        return [f"not done: {unit.label}" for unit in plan.units if not self._is_done(place, unit)]

    def _updated(self, place: Workplace, live: Deployment) -> bool:
        """The updater has run since, and rows have come in by which it can be judged."""
        ran = updates_since(place.warehouse, live.since, place.now()).first["succeeded"]
        return bool(ran and place.warehouse.ask_again("recent", since=live.since, now=place.now()).first["total"])
