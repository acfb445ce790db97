"""The services around the rehearsal answer as the real ones do, and its writer breaks fills or does not."""

from __future__ import annotations

import subprocess
import time
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import clickhouse_connect
import httpx
import pytest
from clickhouse_connect.driver.client import Client

from recovery.embedded import EmbeddedServer
from rehearsal.__main__ import main, write_incident
from rehearsal.clock import Clock
from rehearsal.generate import compare, generate
from rehearsal.scenario import SCENARIO
from rehearsal.services import Services
from rehearsal.writer import Mode, Writer

FILLS = "pm_canonical_fills_v4"
INCIDENT = Path(__file__).parent.parent / "incidents" / f"{SCENARIO['incident']}.toml"


class HandClock(Clock):
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        super().__init__(SCENARIO["clock"])
        self.time = SCENARIO["clock"]

    def now(self) -> Any:
        return self.time


class Production:
    def __init__(self, *, fixed: bool) -> None:
        self.clock: Clock = HandClock()
        self.fixed = fixed


@pytest.fixture(scope="module")
def dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with EmbeddedServer(tmp_path_factory.mktemp("services") / "clickhouse") as server:
        client = clickhouse_connect.get_client(dsn=server.dsn)
        generate(client, rows=2_000, seed=5)
        client.close()
        yield server.dsn


@pytest.fixture
def client(dsn: str) -> Iterator[Client]:
    client = clickhouse_connect.get_client(dsn=dsn)
    yield client
    client.close()


@pytest.fixture
def services(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    with Services(tmp_path / "app", lambda: clickhouse_connect.get_client(dsn=dsn), HandClock()) as services:
        yield services


def deployments(services: Services, **query: str) -> httpx.Response:
    asked = {"projectId": SCENARIO["project"], "target": "production"} | query
    headers = {"Authorization": f"Bearer {services.token}"}
    return httpx.get(f"{services.url}/v6/deployments", params=asked, headers=headers)


def push(services: Services) -> None:
    command = ["git", "-C", str(services.repository), "push", services.remote, services.branch]
    subprocess.run(command, check=True, capture_output=True)


def wait(services: Services, seconds: float) -> None:
    assert isinstance(services.clock, HandClock)
    services.clock.time += timedelta(seconds=seconds)


def test_vercel_lists_deployments_in_its_own_shape(services: Services) -> None:
    found = deployments(services, state="READY", limit="1").json()
    assert sorted(found) == ["deployments", "pagination"]
    assert found["pagination"] == {"count": 1, "next": None, "prev": None}
    (only,) = found["deployments"]
    assert {"uid", "name", "url", "created", "readyState", "target", "meta"} <= set(only)
    assert (only["readyState"], only["target"]) == ("READY", "production")
    assert only["created"] == (SCENARIO["clock"] - timedelta(hours=2)).timestamp() * 1000
    assert only["meta"]["githubCommitSha"] not in services.fixes


def test_vercel_wants_its_token_and_knows_one_project(services: Services) -> None:
    query = {"projectId": SCENARIO["project"]}
    assert httpx.get(f"{services.url}/v6/deployments", params=query).status_code == 403
    assert deployments(services, projectId="another").status_code == 404


def test_a_pushed_fix_is_building_and_then_ready(services: Services) -> None:
    assert not services.fixed
    push(services)
    newest = deployments(services).json()["deployments"][0]
    assert (newest["readyState"], newest["meta"]["githubCommitSha"]) == ("BUILDING", services.fixes[-1])
    assert not services.fixed
    assert len(deployments(services, state="READY").json()["deployments"]) == 1
    wait(services, 2)
    ready = deployments(services, state="READY", limit="1").json()["deployments"][0]
    assert (ready["readyState"], ready["uid"]) == ("READY", newest["uid"])
    assert services.fixed


def test_a_commit_on_top_of_the_fix_has_the_fix(services: Services) -> None:
    services._commit("another thing", {"other": "x"})
    push(services)
    assert services.deployments()[0].sha not in services.fixes
    wait(services, 2)
    assert services.fixed


def test_the_fix_can_be_deployed_from_the_start(dsn: str, tmp_path: Path) -> None:
    def connect() -> Client:
        return clickhouse_connect.get_client(dsn=dsn)

    with Services(tmp_path, connect, HandClock(), deploy_fix=True) as services:
        assert services.fixed
        assert services.deployments()[0].sha == services.fixes[-1]


@pytest.mark.parametrize("name", SCENARIO["boards"])
def test_a_cron_runs_with_the_secret_and_leaves_a_row(services: Services, client: Client, name: str) -> None:
    ran = f"SELECT countIf(status = 'success'), max(executed_at) FROM cron_executions WHERE cron_name = '{name}'"
    before = client.query(ran).result_rows[0][0]
    url = f"{services.url}/api/cron/{name}"
    assert httpx.post(url).status_code == 401
    assert httpx.post(url, headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert client.query(ran).result_rows[0][0] == before
    answer = httpx.post(url, headers={"Authorization": f"Bearer {services.secret}"})
    assert (answer.status_code, answer.json()["success"]) == (200, True)
    after, when = client.query(ran).result_rows[0]
    assert (after, when.replace(tzinfo=SCENARIO["clock"].tzinfo)) == (before + 1, SCENARIO["clock"])


def test_an_unknown_cron_is_not_found(services: Services) -> None:
    headers = {"Authorization": f"Bearer {services.secret}"}
    assert httpx.post(f"{services.url}/api/cron/nothing", headers=headers).status_code == 404


def compared(client: Client) -> Any:
    return compare(
        client,
        database="default",
        table=FILLS,
        quarantine="none_yet",
        window_start=SCENARIO["window_start"],
        window_end=SCENARIO["window_end"],
    )


def later(client: Client, production: Production) -> int:
    """Move the clock a day past the last trade; the last block so far."""
    when, block = client.query("SELECT max(at), max(block) FROM rehearsal.halves").result_rows[0]
    assert isinstance(production.clock, HandClock)
    production.clock.time = when.replace(tzinfo=SCENARIO["clock"].tzinfo) + timedelta(days=1)
    return int(block)


def run(writer: Writer, production: Production, ticks: int = 14) -> None:
    assert isinstance(production.clock, HandClock)
    for _ in range(ticks):
        production.clock.time += timedelta(seconds=1)
        writer.tick()
    writer.stop()


@pytest.mark.parametrize(
    ("mode", "fixed", "breaks", "misses"),
    [
        ("follow", False, False, False),
        ("follow", True, False, True),
        ("buggy", False, True, False),
        ("buggy", True, False, True),
        ("stuck", True, True, False),
        ("fixed", False, False, True),
    ],
)
def test_the_writer_inserts_breaks_and_misses_what_its_mode_says(
    dsn: str, client: Client, mode: Mode, fixed: bool, breaks: bool, misses: bool
) -> None:
    production = Production(fixed=fixed)
    block = later(client, production)
    before = compared(client)
    run(Writer(dsn, production, mode), production)
    stored, empty = client.query(
        f"SELECT uniqExact(fill_id), uniqExactIf(fill_id, condition_id = '') FROM {FILLS} "
        f"WHERE source = 'clob' AND block_number > {block}"
    ).result_rows[0]
    after = compared(client)
    assert stored > 28
    assert (empty > 0) == breaks
    assert after.broken_outside - before.broken_outside == empty
    assert (after.late_outside > before.late_outside) == misses
    untouched = ("lost", "different", "extra", "doubled", "foreign_changed", "orphan_in_place")
    assert [getattr(after, name) for name in untouched] == [getattr(before, name) for name in untouched]


def test_the_writer_reads_its_last_blocks_again_and_stores_equal_rows(dsn: str, client: Client) -> None:
    production = Production(fixed=True)
    block = later(client, production)
    run(Writer(dsn, production, "fixed"), production, ticks=3)
    live = f"FROM {FILLS} WHERE block_number > {block}"
    fills = client.query(f"SELECT uniqExact(fill_id) {live}").result_rows[0][0]
    assert fills > 0
    assert client.query(f"SELECT count() FROM (SELECT DISTINCT * EXCEPT _version {live})").result_rows == [(fills,)]
    first = f"SELECT max(_version) {live} AND event_time = (SELECT min(event_time) {live})"
    last = f"SELECT max(_version) {live}"
    assert client.query(first).result_rows == client.query(last).result_rows


def test_each_tick_moves_the_watermark_and_notes_the_run(dsn: str, client: Client) -> None:
    production = Production(fixed=True)
    later(client, production)
    run(Writer(dsn, production, "fixed"), production, ticks=2)
    moved = "SELECT argMax(last_event_time, updated_at), max(updated_at) FROM pm_ingest_watermarks_v1"
    ran = f"SELECT max(executed_at) FROM cron_executions WHERE cron_name = '{SCENARIO['updater']}'"
    now = production.clock.now().replace(tzinfo=None)
    assert client.query(moved).result_rows == [(now, now)]
    assert client.query(ran).result_rows == [(now,)]


def test_the_writer_runs_by_itself_until_it_is_stopped(dsn: str, client: Client) -> None:
    production = Production(fixed=True)
    later(client, production)
    writer = Writer(dsn, production, "fixed", interval=0.01)
    writer.start()
    deadline = time.monotonic() + 20
    while writer.ticks < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    writer.stop()
    ticks = writer.ticks
    assert ticks >= 4
    time.sleep(0.1)
    assert writer.ticks == ticks


def test_a_writer_that_failed_says_so_when_it_is_stopped(dsn: str) -> None:
    class Broken:
        clock = HandClock()

        @property
        def fixed(self) -> bool:
            raise RuntimeError("no deployment")

    writer = Writer(dsn, Broken(), "follow", interval=0.01)
    writer.start()
    time.sleep(0.2)
    with pytest.raises(RuntimeError, match="no deployment"):
        writer.stop()


def test_the_incident_file_is_the_original_but_for_the_services(services: Services, tmp_path: Path) -> None:
    copy = write_incident(INCIDENT, tmp_path / "incidents", services)
    original, written = (tomllib.loads(path.read_text("utf-8")) for path in (INCIDENT, copy))
    assert written["services"]["vercel"] == original["services"]["vercel"] | {"url": services.url}
    assert written["services"]["crons"]["url"] == services.url
    assert written["services"]["git"]["fixes"] == services.fixes
    assert written["services"]["git"]["repository"] == str(services.repository)
    assert {name: part for name, part in written.items() if name != "services"} == {
        name: part for name, part in original.items() if name != "services"
    }
    assert copy.with_suffix(".sql").read_bytes() == INCIDENT.with_suffix(".sql").read_bytes()


def test_a_rehearsal_that_stops_early_says_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "kept"
    assert main(["--rows", "1000", "--until", "generate", "--keep", str(kept), "--writer", "off"]) == 0
    said = capsys.readouterr().out
    assert f"python -m recovery.embedded {kept}/clickhouse" in said
    assert f"--clickhouse=chdb://{kept}/clickhouse --incident={kept}/incidents/" in said
    assert "rows lost" in said
    assert "clickhouse://" not in said


def test_a_folder_in_use_or_a_missing_incident_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "something").touch()
    assert main(["--keep", str(tmp_path)]) == 4
    assert "is not empty" in capsys.readouterr().err
    assert main(["--incident", "absent.toml"]) == 4
    assert capsys.readouterr().err == "rehearsal: no incident file at absent.toml; name one with --incident\n"
