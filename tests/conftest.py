"""One embedded ClickHouse with the January incident at a small scale; each test works on a clone of its tables."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
import tomli_w
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from recovery.embedded import EmbeddedServer
from recovery.incident import beside
from recovery.ledger import Ledger, Line
from recovery.warehouse import Dsn
from rehearsal.clock import Clock
from rehearsal.generate import generate
from rehearsal.scenario import SCENARIO
from rehearsal.services import Services
from rehearsal.writer import Writer
from tests import forked

PROJECT = Path(__file__).parent.parent
JANUARY = PROJECT / "incidents" / "2026-01-empty-condition-ids.toml"
CONTENT = tomllib.loads(JANUARY.read_text("utf-8"))
ROWS = 6_000
COPIED = (
    "pm_trader_events_v3",
    "pm_token_to_condition_map_v5",
    "pm_canonical_fills_v4",
    "cron_executions",
    "pm_ingest_watermarks_v1",
    "pm_condition_resolutions",
    "pm_trade_fifo_roi_v3",
    "wio_wallet_scores_v1",
    "pm_copy_trading_leaderboard",
    "pm_smart_money_cache",
    "pm_data_quality_metrics",
)
# What only the project's own tests need: to import it takes most of the time that a run of the checks takes to begin.
WITHOUT_PLUGINS_OF_TESTS = "-p no:hypothesispytest -p no:pytest_httpserver -p no:anyio"
# The files that take longest, longest first: workers that begin with them end together.
LONG = (
    "test_nightly", "test_rehearsal_end_to_end", "test_checks_go_red", "test_rebuild", "test_actions", "test_swap",
    "test_commands", "test_gate_mutation", "test_kills", "test_ways_back", "test_rehearsal_services", "test_two_runners",
    "test_phase8",
)  # fmt: skip
SETTINGS = {"mutations_sync": 2, "lightweight_deletes_sync": 2}
CLOCK = Clock(SCENARIO["clock"])
_numbers = itertools.count(1)
_clones: list[Case] = []


def connect(dsn: str, database: str = "default") -> Client:
    parsed = Dsn.parse(dsn)
    return clickhouse_connect.get_client(
        host=parsed.host, port=parsed.port, username=parsed.user, password=parsed.password, database=database
    )


@dataclass
class Case:
    """One incident in a database of its own, and the commands that an engineer would type."""

    dsn: str = field(repr=False)
    database: str
    folder: Path
    incident: Path
    env: dict[str, str] = field(repr=False)
    output: str = ""
    options: tuple[str, ...] = ()
    _client: Client | None = field(default=None, repr=False)

    @property
    def now(self) -> datetime:
        """A minute after the incident's clock began, and going on: two commands are never at the same moment."""
        return CLOCK.now() + timedelta(minutes=1)

    @property
    def client(self) -> Client:
        if self._client is None:
            self._client = connect(self.dsn, self.database)
        return self._client

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.folder / "ledger.jsonl")

    def lines(self, kind: str) -> list[Line]:
        return [line for line in self.ledger.lines() if line["kind"] == kind]

    def pytest(self, phase: str, *words: str, now: datetime | None = None) -> int:
        """`pytest -m PHASE WORDS` on this case; returns the exit code, keeps the output."""
        if any(name.startswith("PYTHON") for name in self.env):  # which only an interpreter that starts would heed
            with self.start(phase, *words, now=now) as running:
                self.output = running.communicate(timeout=120)[0]
            return running.returncode
        said = self.folder / "said.txt"
        code = forked.run_pytest(self._words(phase, words, now), self._environment(), PROJECT, said, seconds=120)
        self.output = said.read_text("utf-8", "backslashreplace")
        return code

    def start(self, phase: str, *words: str, now: datetime | None = None) -> subprocess.Popen[str]:
        """The same as a command of its own, begun and not waited for; what it prints is in its stdout."""
        command = [sys.executable, "-m", "pytest", *self._words(phase, words, now)]
        return subprocess.Popen(
            command, cwd=PROJECT, env=self._environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def _words(self, phase: str, words: tuple[str, ...], now: datetime | None) -> list[str]:
        parsed = Dsn.parse(self.dsn)
        return [
            "-p", "no:cacheprovider", "-m", phase, f"--incident={self.incident}",
            "--clickhouse", f"clickhouse://{parsed.user}@{parsed.host}:{parsed.port}",
            f"--ledger={self.ledger.path}", "--now", f"{now or self.now:%Y-%m-%dT%H:%M:%SZ}",
            f"--html={self.folder / 'report.html'}", "--self-contained-html", *self.options, *words,
        ]  # fmt: skip

    def _environment(self) -> dict[str, str]:
        return os.environ | {"CLICKHOUSE_PASSWORD": Dsn.parse(self.dsn).password} | self.env

    def verdict(self, phase: str) -> str:
        return str([line for line in self.lines("finished") if line["phase"] == phase][-1]["verdict"])

    def red(self) -> set[str]:
        """The checks of the last run that were not GO, without their parameters."""
        run = self.lines("run")[-1]["run"]
        return {
            line["check"].split("[")[0]
            for line in self.lines("evidence")
            if line["run"] == run and (line["verdict"] != "GO" or line["outcome"] != "passed")
        }

    def edit(self, **tables: dict[str, Any]) -> None:
        """Change keys of the incident file: edit(deduplicate={"strategy": "optimize"})."""
        content = tomllib.loads(self.incident.read_text())
        for table, values in tables.items():
            content[table] |= values
        self.incident.write_text(tomli_w.dumps(content))

    def command(self, sql: str) -> None:
        self.client.command(sql, settings=SETTINGS)

    def value(self, sql: str) -> Any:
        return self.client.query(sql).result_rows[0][0]

    def fingerprint(self) -> Any:
        """Everything that the fills hold, whatever the parts."""
        return self.value("SELECT (count(), sum(sipHash64(* EXCEPT _version))) FROM pm_canonical_fills_v4 FINAL")

    def clone(self, folder: Path) -> Case:
        """The same state in another database, with a copy of the ledger."""
        return clone(self, folder)


def pytest_configure(config: pytest.Config) -> None:
    config.option.loadscopereorder = False  # xdist would begin with the files of the most tests, which are the quickest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; within a file nothing moves."""
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


@pytest.fixture(scope="session", autouse=True)
def _runs_without_plugins_of_tests() -> Iterator[None]:
    """Whoever starts a pytest, be it a test, a script or the rehearsal, starts it as somebody who only asks checks."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTEST_ADDOPTS", f"{os.environ.get('PYTEST_ADDOPTS', '')} {WITHOUT_PLUGINS_OF_TESTS}".strip())
        yield


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(tmp_path_factory.mktemp("clickhouse")) as running:
        yield running


@pytest.fixture(scope="session")
def broken(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """The incident as it was found, the fix deployed an hour ago, and one update since. Clone it, do not change it."""
    with incident_on(server, tmp_path_factory.mktemp("broken")) as case:
        yield case


@contextmanager
def incident_on(server: EmbeddedServer, folder: Path) -> Iterator[Case]:
    """The incident in the default database of a server that has none yet, and the services around it."""
    client = connect(server.dsn)
    generate(client, rows=ROWS, seed=7, history_days=3)
    with Services(folder, lambda: connect(server.dsn), CLOCK, deploy_fix=True) as services:
        incident = folder / JANUARY.name
        incident.write_bytes(JANUARY.read_bytes())
        copy_beside(JANUARY, incident)
        case = Case(
            server.dsn, "default", folder, incident, {"VERCEL_TOKEN": services.token, "CRON_SECRET": services.secret}
        )
        sizes = {"2026-01": {"conditions": [10, 1_000], "longs": [100, 10_000], "shorts": [10, 1_000]}}
        case.edit(services=rehearsed_services(services), positions={"fills_per_unit": 1_000, "sizes": sizes})
        Writer(lambda: connect(server.dsn), services, "fixed").tick()
        yield case


def rehearsed_services(services: Services) -> dict[str, Any]:
    return {
        "vercel": {"url": services.url, "project": SCENARIO["project"]},
        "git": {
            "repository": str(services.repository),
            "remote": services.remote,
            "branch": services.branch,
            "fixes": services.fixes,
        },
        "crons": CONTENT["services"]["crons"] | {"url": services.url, "wait_seconds": 20, "poll_seconds": 0.2},
        "data_api": CONTENT["services"]["data_api"] | {"url": services.url},
    }


def copy_beside(incident: Path, copy: Path) -> None:
    """What lies beside an incident file: its statements, and its promises of the night."""
    for file in beside(incident):
        (copy.parent / file.name).write_bytes(file.read_bytes())


def clone(case: Case, folder: Path) -> Case:
    database = f"case_{next(_numbers)}"
    client = connect(case.dsn)
    client.command(f"CREATE DATABASE {database}")
    tables = client.query(
        "SELECT name FROM system.tables WHERE database = {database:String}", parameters={"database": case.database}
    ).result_rows
    for (table,) in tables:
        if case.database != "default" or table in COPIED:
            client.command(f"CREATE TABLE {database}.{table} CLONE AS {case.database}.{table}")
    copy = folder / case.incident.name
    copy.write_bytes(case.incident.read_bytes())
    copy_beside(case.incident, copy)
    if case.ledger.path.exists():
        (folder / "ledger.jsonl").write_bytes(case.ledger.path.read_bytes())
    cloned = Case(case.dsn, database, folder, copy, case.env)
    cloned.edit(table={"database": database})
    _clones.append(cloned)
    return cloned


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Drop the clones that a test made in its own folder: a server with thousands of tables is busy with them, and slow."""
    yield
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    for case in [case for case in _clones if folder and case.folder.is_relative_to(folder)]:
        _clones.remove(case)
        with suppress(ClickHouseError):  # its server may be gone
            client = connect(case.dsn)
            client.command(f"KILL MUTATION WHERE database = '{case.database}'")
            client.command(f"DROP DATABASE IF EXISTS {case.database}")
            client.close()


def _stage(case: Case, *phases: str) -> Case:
    """All of the phases in one run."""
    code = case.pytest(" or ".join(phases), "--execute")
    assert code == 0, case.output
    return case


@pytest.fixture(scope="session")
def backfilled(broken: Case, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """After phase 2. Clone it, do not change it."""
    return _stage(broken.clone(tmp_path_factory.mktemp("backfilled")), "preflight", "phase1", "phase2")


@pytest.fixture(scope="session")
def recovered(backfilled: Case, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """After phase 5, in the database that `backfilled` was cloned from. Clone it, do not change it."""
    case = backfilled.clone(tmp_path_factory.mktemp("recovered"))
    return _stage(case, "preflight", "phase1", "phase2", "phase3", "phase4", "phase5")


@contextmanager
def application_of(case: Case, folder: Path, **crons: Any) -> Iterator[Services]:
    """An application of this case's own, whose jobs compute the boards in the case's database; the case is pointed at it."""
    clock = Clock(CLOCK.now() + timedelta(minutes=1))  # as the case's
    with Services(folder, lambda: connect(case.dsn, case.database), clock, deploy_fix=True) as services:
        known = tomllib.loads(case.incident.read_text())["services"]["crons"]
        case.edit(services={"crons": known | {"url": services.url} | crons})
        case.env = case.env | {"CRON_SECRET": services.secret}
        yield services


@pytest.fixture(scope="session")
def refreshed(recovered: Case, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """After phase 7, its gates passed by hand. Clone it, do not change it."""
    case = recovered.clone(tmp_path_factory.mktemp("refreshed"))
    with application_of(case, tmp_path_factory.mktemp("application")):
        code = case.pytest("phase6 or phase7", "--execute", "--override-gate=the stage of a test")
    assert code == 0, case.output
    return case


@pytest.fixture
def case(broken: Case, tmp_path: Path) -> Case:
    """The broken table, to be changed at will."""
    return broken.clone(tmp_path)
