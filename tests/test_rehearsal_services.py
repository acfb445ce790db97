"""The services around the rehearsal answer as the real ones do, and its writer breaks fills or does not."""

from __future__ import annotations

import io
import subprocess
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import clickhouse_connect
import httpx
import pytest
import tomli_w
from clickhouse_connect.driver.client import Client
from rich.console import Console

from recovery.embedded import EmbeddedServer
from recovery.incident import load
from recovery.ledger import Ledger
from recovery.phases import PHASES
from rehearsal.__main__ import compare_end, cutoff_of, main, phases_of, scale_of, write_incident
from rehearsal.boards import Boards, refresh
from rehearsal.clock import Clock
from rehearsal.folder import Usage, prepare, size_of
from rehearsal.generate import Comparison, compare, generate
from rehearsal.positions import Positions, sizes
from rehearsal.scenario import SCENARIO
from rehearsal.services import Services
from rehearsal.showing import End, show_end
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
        generate(client, rows=2_000, seed=5, history_days=3)
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


CRON, OTHER = list(SCENARIO["boards"])[1:]
BOARD = SCENARIO["boards"][CRON]["table"]


def call(services: Services, name: str = CRON, timeout: float = 20) -> httpx.Response:
    headers = {"Authorization": f"Bearer {services.secret}"}
    return httpx.post(f"{services.url}/api/cron/{name}", headers=headers, timeout=timeout)


@pytest.fixture
def runs(services: Services, client: Client) -> Callable[[], list[tuple[Any, ...]]]:
    """The rows that CRON has written since the test began, after its board was emptied."""
    assert isinstance(services.clock, HandClock)
    services.clock.time = max(services.clock.time, last_run(client)) + timedelta(seconds=10)
    began = services.clock.time
    client.command(f"TRUNCATE TABLE {BOARD}")

    def written() -> list[tuple[Any, ...]]:
        sql = (
            "SELECT status, error_message, duration_ms FROM cron_executions WHERE cron_name = {cron:String} "
            "AND executed_at >= {began:DateTime('UTC')} ORDER BY executed_at"
        )
        return list(client.query(sql, parameters={"cron": CRON, "began": f"{began:%F %T}"}).result_rows)

    return written


def last_run(client: Client) -> datetime:
    when = client.query("SELECT max(executed_at) FROM cron_executions").result_rows[0][0]
    return when.replace(tzinfo=SCENARIO["clock"].tzinfo)


def shown(client: Client) -> int:
    return int(client.query(f"SELECT count() FROM {BOARD} FINAL").result_rows[0][0])


Runs = Callable[[], list[tuple[Any, ...]]]
FAILED = [("failure", "Query timed out after 30 s")]


@pytest.mark.parametrize(
    ("fault", "status", "success", "written", "rows", "started"),
    [
        (None, 200, True, [("success", "")], 20, 1),
        ("silent", 200, True, [], 20, 1),
        ("stale", 200, True, [("success", "")], 0, 1),
        ("fails", 500, False, FAILED, 0, 1),
        ("unsuccessful", 200, False, FAILED, 0, 1),
        ("refuses", 503, False, [], 0, 0),
    ],
)
def test_a_cron_goes_wrong_as_its_fault_says(
    services: Services,
    client: Client,
    runs: Runs,
    fault: str | None,
    status: int,
    success: bool,
    written: list[tuple[str, str]],
    rows: int,
    started: int,
) -> None:
    if fault:
        services.faults[CRON] = fault
    answer = call(services)
    assert (answer.status_code, answer.json()["success"]) == (status, success)
    assert [row[:2] for row in runs()] == written
    assert shown(client) == rows
    assert services.started == Counter({CRON: started} if started else {})
    assert call(services, OTHER).json()["success"]


def test_a_slow_cron_answers_too_late_and_still_finishes(services: Services, client: Client, runs: Runs) -> None:
    services.faults[CRON] = "slow"
    services.application.slow_seconds = 0.6
    with pytest.raises(httpx.ReadTimeout):
        call(services, timeout=0.2)
    assert (runs(), services.started[CRON]) == ([], 1)
    deadline = time.monotonic() + 20
    while not runs() and time.monotonic() < deadline:
        time.sleep(0.05)
    ((status, error, milliseconds),) = runs()
    assert (status, error, shown(client)) == ("success", "", 20)
    assert milliseconds >= 600


def test_a_cron_that_hangs_never_answers_and_writes_no_row(services: Services, client: Client, runs: Runs) -> None:
    services.faults[CRON] = "hangs"
    with pytest.raises(httpx.ReadTimeout):
        call(services, timeout=0.5)
    assert (runs(), shown(client), services.started[CRON]) == ([], 0, 1)


def test_two_starts_of_one_cron_are_counted_and_both_leave_a_row(
    services: Services, client: Client, runs: Runs
) -> None:
    services.faults[CRON] = "slow"
    services.application.slow_seconds = 0.3
    with ThreadPoolExecutor() as pool:
        answers = [answer.json()["success"] for answer in pool.map(call, [services] * 2)]
    assert (answers, services.started[CRON]) == ([True, True], 2)
    assert [row[0] for row in runs()] == ["success", "success"]
    assert shown(client) == 20


def test_a_cron_without_positions_writes_down_why_it_failed(services: Services, client: Client, runs: Runs) -> None:
    client.command(f"RENAME TABLE {SCENARIO['positions']} TO away")
    try:
        answer = call(services)
    finally:
        client.command(f"RENAME TABLE away TO {SCENARIO['positions']}")
    assert (answer.status_code, answer.json()["success"]) == (500, False)
    ((status, error, _),) = runs()
    assert status == "failure"
    assert SCENARIO["positions"] in error


def test_a_cron_notes_the_time_and_shows_it_on_its_board(services: Services, client: Client, runs: Runs) -> None:
    call(services)
    now = services.clock.now().replace(tzinfo=None)
    assert client.query(f"SELECT DISTINCT updated_at FROM {BOARD} FINAL").result_rows == [(now,)]
    assert last_run(client).replace(tzinfo=None) == now


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
    assert written["services"]["crons"] == original["services"]["crons"] | {
        "url": services.url,
        "wait_seconds": 120,
        "poll_seconds": 0.5,
    }
    assert written["services"]["data_api"] == original["services"]["data_api"] | {"url": services.url}
    assert written["services"]["git"]["fixes"] == services.fixes
    assert written["services"]["git"]["repository"] == str(services.repository)
    assert {name: part for name, part in written.items() if name != "services"} == {
        name: part for name, part in original.items() if name != "services"
    }
    assert copy.with_suffix(".sql").read_bytes() == INCIDENT.with_suffix(".sql").read_bytes()


def test_the_incident_file_expects_as_many_positions_as_the_truth_has(
    services: Services, client: Client, tmp_path: Path
) -> None:
    scale = scale_of(client, load(INCIDENT), rows=100_000)
    written = load(write_incident(INCIDENT, tmp_path / "incidents", services, scale)).positions
    original = load(INCIDENT).positions
    assert written
    assert original
    assert written.fills_per_unit == 25_000
    (month,) = written.sizes
    conditions, longs, shorts = sizes(client)[month]
    assert longs > 100 < conditions + shorts
    assert written.sizes[month].conditions == [conditions // 2, conditions * 2]
    assert written.sizes[month].longs == [longs // 2, longs * 2]
    assert written.sizes[month].shorts == [shorts // 2, shorts * 2]
    changed = {"fills_per_unit": original.fills_per_unit, "sizes": original.sizes}
    assert written.model_copy(update=changed) == original


def test_an_incident_without_positions_crons_and_data_api_is_rehearsed_as_it_is(
    services: Services, client: Client, tmp_path: Path
) -> None:
    content = tomllib.loads(INCIDENT.read_text("utf-8"))
    for section in ("positions", "boards", "validation"):
        del content[section]
    for service in ("crons", "data_api"):
        del content["services"][service]
    plain = tmp_path / INCIDENT.name
    plain.write_text(tomli_w.dumps(content), "utf-8")
    plain.with_suffix(".sql").write_bytes(INCIDENT.with_suffix(".sql").read_bytes())
    assert scale_of(client, load(plain), rows=100_000) == {}
    written = load(write_incident(plain, tmp_path / "incidents", services, {}))
    assert (written.positions, written.services.crons, written.services.data_api) == (None, None, None)
    assert phases_of(written) == ["preflight", "phase1", "phase2", "phase3", "phase4", "phase5"]


def test_the_phases_are_those_that_have_something_to_ask() -> None:
    assert phases_of(load(INCIDENT)) == [phase.name for phase in PHASES if phase.checks]


def test_positions_are_compared_up_to_the_last_rebuild(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    assert cutoff_of(ledger.path) is None
    for action, cutoff in (("rebuild", "06:01:00"), ("rebuild", "06:02:00"), ("deploy", "06:03:00")):
        ledger.append("done", action=action, plan={"facts": {"cutoff": f"2026-02-02T{cutoff}+00:00"}})
    assert cutoff_of(ledger.path) == SCENARIO["clock"] + timedelta(minutes=2)


def told(end: End) -> str:
    console = Console(record=True, width=200, file=io.StringIO())
    show_end(end, console)
    return console.export_text()


def test_the_end_tells_of_positions_and_boards_only_where_the_recovery_came_to_them() -> None:
    fills = Comparison(truth=1)
    assert "positions different" not in told(End(fills, None, None))
    positions = Positions(right=9, different=2, samples={"different": ["0xaa: roi"]})
    end = End(fills, positions, Boards(rows=5, different=0))
    assert (
        "2 positions different, 0 lost, 0 extra, 0 doubled, 0 changed that are not rebuilt, of 9.\n"
        "  different: 0xaa: roi\n"
        "0 rows of boards different, of 5.\n"
    ) in told(end)
    assert not end.perfect
    assert End(fills, Positions(right=9), Boards(rows=5, different=0)).perfect
    assert not End(fills, Positions(right=9), Boards(rows=5, different=1)).perfect
    assert not End(fills, Positions(right=0), None).perfect


def test_the_end_is_compared_as_the_ledger_and_the_phases_say(client: Client, tmp_path: Path) -> None:
    incident, ledger = load(INCIDENT), Ledger(tmp_path / "ledger.jsonl")
    assert compare_end(client, incident, ledger.path, ["phase6", "phase7"]).positions is None
    ledger.append("done", action="rebuild", plan={"facts": {"cutoff": "2026-02-02T06:00:00+00:00"}})
    stored = compare_end(client, incident, ledger.path, ["phase6"])
    assert stored.positions
    assert (stored.positions.perfect, stored.positions.outside, stored.boards) == (False, 0, None)
    client.command(f"CREATE TABLE set_aside CLONE AS {SCENARIO['positions']}")
    try:
        client.command(f"TRUNCATE TABLE {SCENARIO['positions']}")
        client.command(f"INSERT INTO {SCENARIO['positions']} SELECT * FROM rehearsal.positions")
        for cron in SCENARIO["boards"]:
            refresh(client, cron, SCENARIO["clock"])
        rebuilt = compare_end(client, incident, ledger.path, ["phase6", "phase7"])
    finally:
        client.command(f"EXCHANGE TABLES set_aside AND {SCENARIO['positions']}")
        client.command("DROP TABLE set_aside")
    assert rebuilt.positions
    assert rebuilt.boards
    assert (rebuilt.positions.perfect, rebuilt.boards.perfect) == (True, True)


def test_a_rehearsal_that_stops_early_says_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "kept"
    assert main(["--rows", "1000", "--until", "preflight", "--keep", str(kept), "--writer", "off"]) == 0
    said = capsys.readouterr().out
    assert f"python -m recovery.embedded {kept}/clickhouse" in said
    assert f"--clickhouse=chdb://{kept}/clickhouse --incident={kept}/incidents/" in said
    assert "rows lost" in said
    assert "clickhouse://" not in said


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What --until generate --keep leaves; do not change it."""
    kept = tmp_path_factory.mktemp("generated") / "kept"
    assert main(["--rows", "1000", "--seed", "9", "--days", "3", "--until", "generate", "--keep", str(kept)]) == 0
    return kept


def content_of(folder: Path) -> dict[str, int]:
    """The files of parts by name, with their size."""
    files = (path for path in (folder / "clickhouse" / "store").rglob("all_*/*") if path.is_file())
    return {str(path.relative_to(folder)): path.stat().st_size for path in files}


def test_a_kept_generation_is_gone_on_from_and_stays_as_it_is(
    generated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content_of(generated)
    words = ["--from", str(generated), "--until", "preflight", "--keep", str(tmp_path / "gone-on"), "--writer", "off"]
    assert main([*words, "--swap"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "1,000 rows, seed 9" in said
    assert "Generated:" not in said
    assert content_of(generated) == before != {}
    (incident,) = (tmp_path / "gone-on" / "incidents").glob("*condition-ids.toml")
    assert load(incident).swaps


def test_a_generation_that_did_not_end_is_refused(
    generated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half_made = prepare(tmp_path / "half-made", generated, ExitStack())
    with EmbeddedServer(half_made / "clickhouse") as server:
        clickhouse_connect.get_client(dsn=server.dsn).command("DROP TABLE rehearsal.generated")
    assert main(["--from", str(half_made), "--keep", str(tmp_path / "new")]) == 4
    assert "did not end" in capsys.readouterr().err


def test_a_folder_on_which_phases_have_run_is_no_generation_to_go_on_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("clickhouse", "incidents"):
        (tmp_path / "kept" / name).mkdir(parents=True)
    for folder in (tmp_path / "kept", tmp_path / "absent"):
        assert main(["--from", str(folder)]) == 4
        assert "is not what --until generate --keep leaves" in capsys.readouterr().err


def test_a_rehearsal_for_which_the_disk_is_too_small_makes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--rows", "10000000000", "--keep", str(tmp_path / "new")]) == 4
    said = " ".join(capsys.readouterr().err.split())
    assert said.count(".") > 0 < said.count("GB of disk")
    assert "have to stay free" in said
    assert list(tmp_path.iterdir()) == []


def test_what_a_folder_takes_is_counted_once_for_files_of_several_names(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    once = size_of(tmp_path)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert size_of(tmp_path) == once >= 100_000
    with Usage(tmp_path) as usage:
        usage.begin()
        (tmp_path / "a").unlink()
        (tmp_path / "b").unlink()
        assert usage.peak == once
        usage.begin()
    assert (usage.peak, usage.peak_of_all) == (0, once)


def test_a_folder_in_use_or_a_missing_incident_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "something").touch()
    assert main(["--keep", str(tmp_path)]) == 4
    assert "is not empty" in capsys.readouterr().err
    assert main(["--incident", "absent.toml"]) == 4
    assert capsys.readouterr().err == "rehearsal: no incident file at absent.toml; name one with --incident\n"
