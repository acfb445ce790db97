"""The services around the tables, on loopback: Vercel's API, the application's git remote and jobs, the data API."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from clickhouse_connect.driver.client import Client

from rehearsal.application import Answer, Application, is_job
from rehearsal.clock import Clock
from rehearsal.data_api import ENDPOINTS, DataApi
from rehearsal.loopback import Loopback
from rehearsal.scenario import SCENARIO, statement

BUILD = timedelta(seconds=1.5)
BRANCH = "main"


@dataclass(frozen=True)
class Deployment:
    """One production deployment; it serves from `ready` on, until a later one does."""

    sha: str
    created: datetime
    ready: datetime

    def as_vercel(self, now: datetime) -> dict[str, Any]:
        state = "READY" if now >= self.ready else "BUILDING"
        return {
            "uid": f"dpl_{self.sha[:24]}",
            "name": SCENARIO["project"],
            "url": f"{SCENARIO['project']}-{self.sha[:9]}.vercel.app",
            "created": int(self.created.timestamp() * 1000),
            "ready": int(self.ready.timestamp() * 1000) if state == "READY" else None,
            "readyState": state,
            "state": state,
            "target": "production",
            "meta": {"githubCommitSha": self.sha, "githubCommitRef": BRANCH},
        }


class Services:
    """The application and the data API as the recovery sees them. A push to the remote is noticed whenever somebody looks.

    `faults` and `started` are those of application.py, by job; `api_faults` and `asked` those of data_api.py.
    """

    remote = "origin"
    branch = BRANCH

    def __init__(self, folder: Path, connect: Callable[[], Client], clock: Clock, *, deploy_fix: bool = False) -> None:
        """`folder` gets the bare repository app.git and its clone app; `connect` opens a writing client."""
        self.clock = clock
        self.token = secrets.token_urlsafe(24)
        self.secret = secrets.token_urlsafe(24)
        self.repository = folder / "app"
        self.fixes: list[str] = []
        self.url = ""
        self._bare = folder / "app.git"
        self.application = Application(connect, clock)
        self.faults, self.started = self.application.faults, self.application.started
        self.most_at_a_time = self.application.most_at_a_time
        self.data_api = DataApi(connect)
        self.api_faults, self.asked = self.data_api.faults, self.data_api.asked
        self._deploy_fix = deploy_fix
        self._deployments: list[Deployment] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._make_application()
        self._server = Loopback(_handler(self))
        self.url = self._server.url
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.application.closing.set()
        self._server.stop()

    def deployments(self) -> list[Deployment]:
        """All production deployments, the newest first."""
        with self._lock:
            head = _git(self._bare, "rev-parse", BRANCH)
            if head != self._deployments[-1].sha:
                now = self.clock.now()
                self._deployments.append(Deployment(head, created=now, ready=now + BUILD))
            return self._deployments[::-1]

    @property
    def fixed(self) -> bool:
        """Whether what serves now has the last fix, or is it."""
        now = self.clock.now()
        serving = next(deployment for deployment in self.deployments() if now >= deployment.ready)
        command = ["git", "-C", str(self._bare), "merge-base", "--is-ancestor", self.fixes[-1], serving.sha]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _make_application(self) -> None:
        """An application with one deployed commit and three fixes that are committed but not pushed."""
        self._bare.mkdir(parents=True)
        _git(self._bare, "init", "--quiet", "--bare", "--initial-branch", BRANCH)
        _git(self._bare.parent, "clone", "--quiet", str(self._bare), str(self.repository))
        _git(self.repository, "checkout", "--quiet", "-B", BRANCH)
        deployed = self._commit("updater: read the map in one pass", {"updater.sql": statement("writer_buggy")})
        _git(self.repository, "push", "--quiet", self.remote, BRANCH)
        created = self.clock.now() - timedelta(hours=2)
        self._deployments.append(Deployment(deployed, created, created + BUILD))
        self.fixes = [
            self._commit(
                "updater: wait for tokens that the map does not know",
                {"updater.sql": statement("writer_fixed")},
            ),
            self._commit(
                "updater: say in the log how many wait",
                {"CHANGES": "The updater says how many fills wait.\n"},
            ),
            self._commit(
                "updater: write down why",
                {"README": "Fills of tokens without a condition wait for the map.\n"},
            ),
        ]
        if self._deploy_fix:
            _git(self.repository, "push", "--quiet", self.remote, BRANCH)
            created = self.clock.now() - timedelta(hours=1)
            self._deployments.append(Deployment(self.fixes[-1], created, created + BUILD))

    def _commit(self, message: str, files: dict[str, str]) -> str:
        for name, content in files.items():
            (self.repository / name).write_text(content, "utf-8")
        _git(self.repository, "add", "--all")
        _git(self.repository, "commit", "--quiet", "--message", message)
        return _git(self.repository, "rev-parse", "HEAD")


def _git(folder: Path, *arguments: str) -> str:
    """Run git without anybody's own settings; the result is what it printed."""
    identity = ["-c", "user.name=Rehearsal", "-c", "user.email=rehearsal@localhost"]
    env = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, env=env, capture_output=True, check=True, text=True).stdout.strip()


def _handler(services: Services) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(url.query).items()}
            if url.path in ENDPOINTS:
                self._answer(services.data_api.answer(url.path, query))
            elif url.path != "/v6/deployments":
                self._refuse(404, "not_found", "Not found")
            elif self.headers["Authorization"] != f"Bearer {services.token}":
                self._refuse(403, "forbidden", "Not authorized", invalidToken=True)
            elif query.get("projectId") != SCENARIO["project"]:
                self._refuse(404, "not_found", "Project not found")
            else:
                self._answer(Answer(200, _deployments(services, query)))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            prefix, _, name = urlsplit(self.path).path.rpartition("/")
            if self.headers["Authorization"] != f"Bearer {services.secret}":
                self._answer(Answer(401, {"success": False, "error": "Unauthorized"}))
            elif prefix != "/api/cron" or not is_job(name):
                self._answer(Answer(404, {"success": False, "error": "Not found"}))
            else:
                self._answer(services.application.run(name))

        def _refuse(self, status: int, code: str, message: str, **more: Any) -> None:
            self._answer(Answer(status, {"error": {"code": code, "message": message} | more}))

        def _answer(self, answer: Answer) -> None:
            body = json.dumps(answer.content).encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in answer.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: the terminal belongs to the recovery."""

    return Handler


def _deployments(services: Services, query: dict[str, str]) -> dict[str, Any]:
    now = services.clock.now()
    states = query.get("state", "READY,BUILDING").split(",")
    found = [
        deployment
        for deployment in (each.as_vercel(now) for each in services.deployments())
        if deployment["readyState"] in states and query.get("target", "production") == deployment["target"]
    ][: int(query.get("limit", "20"))]
    return {"pagination": {"count": len(found), "next": None, "prev": None}, "deployments": found}
