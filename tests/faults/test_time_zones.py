"""A time zone other than UTC, of the server or of the engineer's machine, changes no verdict and no figure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from recovery.embedded import EmbeddedServer
from recovery.errors import EmbeddedError
from recovery.incident import load
from rehearsal.clock import Clock
from rehearsal.generate import compare, generate
from rehearsal.scenario import SCENARIO
from rehearsal.services import Services
from rehearsal.writer import Writer
from scripts import rollback
from tests.conftest import JANUARY, ROWS, Case, connect, rehearsed_services
from tests.faults.conftest import FULL

PHASES = "preflight or phase1 or phase2 or phase3 or phase4 or phase5"
START = SCENARIO["clock"].astimezone(UTC) + timedelta(seconds=1)
NOW = START + timedelta(minutes=1)
# The server's zone and the client's.
ZONES = [("Asia/Kolkata", "America/New_York")] + [
    ("America/New_York", "Asia/Kolkata"), ("UTC", "America/New_York"), ("UTC", "Asia/Kolkata"),
    ("America/New_York", "America/New_York"), ("Asia/Kolkata", "UTC"), ("Pacific/Kiritimati", "America/Los_Angeles"),
] * FULL  # fmt: skip
# What two runs in one zone do not have in common either: the commit's name, versions, bytes, and rows that merge away unasked.
FOUND_VARIES = {
    "commit", "deployment", "version_now", "free_bytes", "affected_bytes", "inserted_bytes", "rewritten_bytes", "largest_bytes",
    "asked_bytes", "sizes", "partitions", "rows", "parts", "all_parts",
}  # fmt: skip
EXPECTED_VARIES = ("the version that a row gets now", "free bytes of disk", "bytes that max_", "parts of ")


class Frozen(Clock):
    def now(self) -> datetime:
        return START


@contextmanager
def incident_in(server_zone: str, client_zone: str, folder: Path) -> Iterator[Case]:
    """The incident, made on a server in one zone, and an engineer in another."""
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedServer(folder / "clickhouse", server_zone))
        client = connect(server.dsn)
        generate(client, rows=ROWS, seed=7, history_days=3)
        clock = Frozen(START)
        services = stack.enter_context(Services(folder, lambda: connect(server.dsn), clock, deploy_fix=True))
        path = folder / JANUARY.name
        path.write_bytes(JANUARY.read_bytes())
        path.with_suffix(".sql").write_bytes(JANUARY.with_suffix(".sql").read_bytes())
        secrets = {"VERCEL_TOKEN": services.token, "CRON_SECRET": services.secret}
        case = Case(server.dsn, "default", folder, path, secrets | {"TZ": client_zone})
        case.edit(services=rehearsed_services(services))
        Writer(lambda: connect(server.dsn), services, "fixed").tick()
        yield case


def told(case: Case) -> dict[str, Any]:
    """Each check of the last run, with its verdict and its figures; each action's fingerprints; each phase's verdict."""
    run = case.lines("run")[-1]["run"]
    facts: dict[str, Any] = {}
    for line in case.ledger.lines():
        if line.get("run") != run:
            continue
        if line["kind"] == "evidence":
            facts[line["check"]] = {
                "verdict": (line["verdict"], line["outcome"]),
                "found": {name: value for name, value in line["found"].items() if name not in FOUND_VARIES},
                "expectations": [each for each in line["expectations"] if not each[0].startswith(EXPECTED_VARIES)],
                "fingerprint": line["fingerprint"],
            }
        elif line["kind"] == "done":
            facts[line["action"]] = {name: line[name] for name in ("before", "after", "rows")}
        elif line["kind"] == "finished":
            facts[line["phase"]] = (line["verdict"], line["required"], line["missing"])
    return facts


def recover(case: Case) -> dict[str, Any]:
    assert case.pytest(PHASES, "--execute", now=NOW) == 0, case.output
    assert "06:01:0" in case.output.partition(" UTC (from --now)")[0]
    return told(case)


@pytest.fixture(scope="module")
def in_utc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The fills as they were generated, and what a recovery tells, where everything is in UTC."""
    with incident_in("UTC", "UTC", tmp_path_factory.mktemp("utc")) as case:
        fills = case.fingerprint()
        yield fills, recover(case)


@pytest.mark.parametrize(("server_zone", "client_zone"), ZONES)
def test_a_recovery_in_other_zones_tells_what_it_tells_in_utc(
    server_zone: str, client_zone: str, in_utc: tuple[Any, dict[str, Any]], tmp_path: Path, figures: Callable[..., None]
) -> None:
    fills, expected = in_utc
    with incident_in(server_zone, client_zone, tmp_path) as case:
        assert case.value("SELECT timezone()") == server_zone
        assert case.fingerprint() == fills
        found = recover(case)
        assert found == expected
        assert len(found) > 60
        about = load(case.incident)
        end = compare(
            case.client, database="default", table=about.table.name, quarantine=about.table.quarantine,
            window_start=about.window.start, window_end=about.window.end,
        )  # fmt: skip
        assert end.perfect
        if FULL:
            asked_again(case, expected)
            restored(case)
    figures("time zones", recoveries=1, checks_equal_to_utc=len(found))


def asked_again(case: Case, expected: dict[str, Any]) -> None:
    """Phase 5, which only reads, in a run of its own."""
    assert case.pytest("phase5", now=NOW + timedelta(minutes=2)) == 0, case.output
    again = told(case)
    assert {check: facts["fingerprint"] for check, facts in again.items() if check.startswith("test_")} == {
        check: expected[check]["fingerprint"] for check in again if check.startswith("test_")
    }


def restored(case: Case) -> None:
    """The snapshot of phase 2 brings the window back as it was before."""
    taken = next(line for line in case.lines("snapshot"))
    words = [f"--incident={case.incident}", f"--clickhouse={case.dsn}", f"--ledger={case.ledger.path}"]
    moment = f"--now={NOW + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
    assert rollback.main([*words, moment, f"--restore={taken['name']}", "--execute"]) == 0
    assert case.lines("restored")[-1]["after"] == case.lines("started")[0]["before"]


@pytest.mark.skipif(not FULL, reason="the recoveries above ask these phases too; FAULTS=full asks them by themselves")
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata"])
@pytest.mark.parametrize(("fixture", "phase"), [("backfilled", "phase3"), ("recovered", "phase5")])
def test_a_phase_that_only_reads_tells_the_same_from_another_zone(
    fixture: str, phase: str, zone: str, request: pytest.FixtureRequest, tmp_path: Path, figures: Callable[..., None]
) -> None:
    case: Case = request.getfixturevalue(fixture).clone(tmp_path)
    now = case.now
    assert case.pytest(phase, now=now) == 0, case.output
    expected = told(case)
    case.env = case.env | {"TZ": zone}
    assert case.pytest(phase, now=now) == 0, case.output
    assert told(case) == expected
    figures("time zones", phases_that_read=1, checks_equal_to_utc=len(expected))


def test_a_zone_that_there_is_not_is_said(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"Mars/Olympus is no time zone that chDB knows"):
        EmbeddedServer(tmp_path / "clickhouse", "Mars/Olympus").start()
