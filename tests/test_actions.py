"""Actions that are interrupted, resumed and taken back; the end is compared with what the source says, row by row."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from recovery import action, census, deduplicate, fingerprint, gate, interrupts, lock, restore
from recovery.actions import ACTIONS
from recovery.errors import ActionFailed, GateClosed, StatementFailed
from recovery.incident import load
from recovery.ledger import Ledger
from recovery.phases import BY_NAME
from recovery.statements import Schema
from recovery.warehouse import Warehouse
from recovery.workplace import Workplace
from scripts import ledger as ledger_command
from scripts import rollback
from tests.conftest import Case, connect
from tests.faults.conftest import rounds
from tests.faults.data_faults import CLEAN, added
from tests.test_census import rows_per_range

FILLS = "pm_canonical_fills_v4"
# (error, whether the statement was executed)
INTERRUPTED_BACKFILLS = [
    (StatementFailed, True),
    (KeyboardInterrupt, False),
    (StatementFailed, False),
    (KeyboardInterrupt, True),
]
# (statement, whether it was executed): each statement once, then the other way round
INTERRUPTED_DEDUPLICATIONS = [
    (statement, (number + turn) % 2 == 0)
    for turn in (0, 1)
    for number, statement in enumerate(
        [
            "quarantine_copy",
            "quarantined_delete",
            "superseded_list",
            "superseded_place",
            "superseded_delete",
            "optimize",
        ]
    )
]


class Interrupting(Warehouse):
    """A warehouse whose nth writing statement of a kind is interrupted: before it is sent, or after it was executed."""

    def __init__(self, *args: Any, statement: str, after: bool, error: type[BaseException], **options: Any) -> None:
        super().__init__(*args, **options)
        self._interrupted = False
        self._plan = (statement, after, error)

    def write(self, name: str, **options: Any) -> Any:
        statement, after, error = self._plan
        if name != statement or self._interrupted:
            return super().write(name, **options)
        self._interrupted = True
        if after:
            super().write(name, **options)
        raise StatementFailed("the connection was lost", 210) if error is StatementFailed else error()


def act(case: Case, phase: str, warehouse: Warehouse) -> action.Plan:
    incident, run = load(case.incident), f"run-{time.monotonic_ns()}"
    place = Workplace(incident, warehouse, case.ledger, run, lambda: case.now, tell=lambda line: None)
    with patch.dict(os.environ, case.env):
        return action.run(ACTIONS[BY_NAME[phase].action_for(incident) or ""], BY_NAME[phase], place)


def interrupted(
    case: Case, phase: str, statement: str, *, after: bool, error: type[BaseException], recorded: bool = True
) -> None:
    """Run a phase's action with a statement interrupted; `recorded` says that the ledger has a line about it."""
    breaking = Interrupting(load(case.incident), case.dsn, writable=True, statement=statement, after=after, error=error)
    with breaking:
        try:
            act(case, phase, breaking)
        except (ActionFailed, error):
            assert case.lines("failed") or not recorded
        else:  # the connection was lost, and the server showed the unit as done
            assert after
            assert error is StatementFailed
    assert case.ledger.fault() is None


def classes(case: Case) -> dict[str, int]:
    with Warehouse(load(case.incident), case.dsn) as warehouse:
        return census.Census.take(warehouse).classes()


def prove(case: Case, *phases: str) -> None:
    assert case.pytest(" or ".join(phases)) == 0, case.output


@pytest.fixture
def gates_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evidence is not asked for: test_commands.py and test_gate.py are about the gate."""
    monkeypatch.setattr(gate, "reasons_to_refuse", lambda *asked: [])


def options(case: Case) -> list[str]:
    """What a command of scripts/ is given to work on this case."""
    return ["--incident", str(case.incident), "--clickhouse", case.dsn, "--ledger", str(case.ledger.path)]


def finish(case: Case, phase: str) -> None:
    """What the next run does after an interruption."""
    with Warehouse(load(case.incident), case.dsn, writable=True) as warehouse:
        act(case, phase, warehouse)


@pytest.mark.usefixtures("gates_open")
@pytest.mark.parametrize(("error", "after"), INTERRUPTED_BACKFILLS[: rounds(2, 4)])
def test_a_backfill_that_is_interrupted_goes_on_where_it_was(
    case: Case, error: type[BaseException], after: bool
) -> None:
    case.edit(backfill={"mode": "full", "unit_rows": 2_000})
    there = classes(case)
    interrupted(case, "phase2", "backfill", after=after, error=error)
    finish(case, "phase2")
    units = [line["unit"] for line in case.lines("unit") if line["state"] == "done"]
    assert len(units) == len(set(units)) >= 2 - after
    assert case.lines("done")[-1]["action"] == "backfill"
    wanted = there[census.CLEAN] + there[census.MISSING], there[census.UNCORRECTED]
    assert (classes(case)[census.CLEAN], classes(case)[census.CORRECTED]) == wanted


@pytest.mark.usefixtures("gates_open")
@pytest.mark.parametrize(("statement", "after"), INTERRUPTED_DEDUPLICATIONS[: rounds(4, 10)])
def test_a_deduplication_that_is_interrupted_goes_on_where_it_was(
    backfilled: Case, tmp_path: Path, statement: str, after: bool
) -> None:
    case = backfilled.clone(tmp_path)
    there = classes(case)
    interrupted(case, "phase4", statement, after=after, error=StatementFailed)
    finish(case, "phase4")
    assert case.lines("done")[-1]["action"] == "deduplicate"
    assert len([line for line in case.lines("started") if line["action"] == "deduplicate"]) == 1
    deduplicated_as_planned(case, there)
    assert case.value(f"SELECT uniqExact(fill_id) FROM {FILLS}_quarantine") == there[census.ORPHAN]


def deduplicated_as_planned(case: Case, there: dict[str, int]) -> None:
    """What was superseded is gone, and nothing besides but orphans."""
    right = there[census.CORRECTED] + there.get(census.CLEAN, 0)
    unchanged = {kind: there[kind] for kind in (census.FOREIGN, census.FOREIGN_BROKEN, census.OUTSIDE)}
    assert classes(case) == unchanged | {census.CLEAN: right}


@pytest.mark.usefixtures("gates_open")
@pytest.mark.parametrize("ranged", [True, False], ids=["range by range", "in shares of the whole table"])
def test_superseded_rows_are_removed_piece_by_piece(
    backfilled: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ranged: bool
) -> None:
    case = backfilled.clone(tmp_path)
    there = classes(case)
    rows_per_range(monkeypatch, 2_000, 3_000)
    monkeypatch.setattr(deduplicate, "SHARE_IDENTITIES", 500)
    if not ranged:
        monkeypatch.setattr(Schema, "lead", lambda *_: None)  # a key that begins with what cannot be cut
    finish(case, "phase4")
    (planned,) = [line for line in case.lines("started") if line["action"] == "deduplicate"]
    (removal,) = [unit for unit in planned["plan"]["units"] if unit["kind"] == "superseded"]
    pieces = removal["values"]["pieces"]
    assert len(pieces) > 2
    assert len({piece["share"] for piece in pieces}) == len(pieces)
    assert len({piece["range_from"] for piece in pieces}) == (len(pieces) if ranged else 1)
    monkeypatch.undo()
    deduplicated_as_planned(case, there)


def merged_before(case: Case, statement: str) -> AbstractContextManager[Any]:
    """The parts of the table are merged just before the first statement of this name."""
    write, merged = Warehouse.write, []

    def beside(self: Warehouse, name: str, **options: Any) -> Any:
        if name == statement and not merged:
            merged.append(case.command(f"OPTIMIZE TABLE {FILLS} FINAL"))
        return write(self, name, **options)

    return patch.object(Warehouse, "write", beside)


@pytest.fixture
def in_two_parts(backfilled: Case, tmp_path: Path) -> Case:
    """After phase 2, the partition in more than one part, so that a merge makes others of them."""
    case = backfilled.clone(tmp_path)
    case.command(f"SYSTEM STOP MERGES {FILLS}")
    added("concat(fill_id, 'y') AS fill_id, event_time - INTERVAL 6 DAY AS event_time", CLEAN)(case)
    case.command(f"SYSTEM START MERGES {FILLS}")
    return case


@pytest.mark.usefixtures("gates_open")
def test_superseded_rows_in_parts_that_were_merged_meanwhile_are_looked_for_again(in_two_parts: Case) -> None:
    there = classes(in_two_parts)
    with merged_before(in_two_parts, "superseded_place"):
        finish(in_two_parts, "phase4")
    deduplicated_as_planned(in_two_parts, there)


@pytest.mark.usefixtures("gates_open")
def test_what_was_merged_just_before_it_is_removed_stays_and_the_next_run_goes_on(in_two_parts: Case) -> None:
    there = classes(in_two_parts)
    with (
        merged_before(in_two_parts, "superseded_delete"),
        pytest.raises(ActionFailed, match="was executed, and the server does not show it as done"),
    ):
        finish(in_two_parts, "phase4")
    assert classes(in_two_parts)[census.CORRECTED] == there[census.CORRECTED]
    finish(in_two_parts, "phase4")
    deduplicated_as_planned(in_two_parts, there)


@pytest.mark.usefixtures("gates_open")
def test_an_action_that_merges_begins_only_with_room_for_what_the_server_asks_for(
    backfilled: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OPTIMIZE is refused unless twice the bytes of the parts are free: 40 GB for a shadow of 96 million fills."""
    case = backfilled.clone(tmp_path)
    size = case.value(
        "SELECT max(size) FROM (SELECT sum(bytes_on_disk) AS size FROM system.parts WHERE database = currentDatabase() "
        f"AND table = '{FILLS}' AND active GROUP BY partition_id)"
    )
    monkeypatch.setattr(action, "free_disk", lambda place: int(1.9 * size))
    with pytest.raises(ActionFailed, match=r"deduplicate needs about .* bytes and .* are free"):
        finish(case, "phase4")
    assert not [line for line in case.lines("started") if line["action"] == "deduplicate"]


def test_a_deduplication_refuses_while_corrections_are_missing_whatever_is_overridden(case: Case) -> None:
    there = case.fingerprint()
    assert case.pytest("phase4", "--execute", "--override-gate", "in a hurry") == 11, case.output
    assert "identities are uncorrected" in case.output
    assert case.fingerprint() == there


@pytest.mark.usefixtures("gates_open")
def test_an_action_is_not_resumed_while_its_last_statement_still_runs(case: Case) -> None:
    interrupted(case, "phase2", "backfill_lacking", after=False, error=KeyboardInterrupt)
    label = case.lines("unit")[-1]["query_id"]
    other = connect(case.dsn, case.database)

    def run_on() -> None:
        with suppress(ClickHouseError):
            other.command("SELECT sum(sipHash64(number)) FROM numbers(100000000000)", settings={"log_comment": label})

    still = threading.Thread(target=run_on)
    still.start()
    while not case.value(f"SELECT count() FROM system.processes WHERE Settings['log_comment'] = '{label}'"):
        time.sleep(0.02)
    with pytest.raises(ActionFailed, match="still running on the server; nothing was sent"):
        finish(case, "phase2")
    case.client.command(f"KILL QUERY WHERE Settings['log_comment'] = '{label}' SYNC")
    still.join()
    finish(case, "phase2")
    assert case.lines("done")[-1]["action"] == "backfill"


def test_an_action_looks_at_the_server_anew_whatever_the_run_was_answered_before(case: Case) -> None:
    prove(case, "preflight", "phase1")
    with Warehouse(load(case.incident), case.dsn, writable=True) as warehouse:
        fingerprint.of_window(warehouse)
        census.Census.take(warehouse)
        case.command(
            f"INSERT INTO {FILLS} SELECT * REPLACE(usdc_delta + 1000 AS usdc_delta, _version + 1 AS _version) "
            f"FROM (SELECT * FROM {FILLS} WHERE toDate(event_time) = '2026-01-20' AND condition_id != '' LIMIT 1)"
        )
        with pytest.raises(GateClosed, match="the window was written to, not by this suite"):
            act(case, "phase2", warehouse)


def test_of_two_runners_one_acts_and_the_other_is_refused_by_name(case: Case, tmp_path: Path) -> None:
    incident = load(case.incident)
    with (
        Warehouse(incident, case.dsn, writable=True) as warehouse,
        lock.held(warehouse, "backfill", "alice@there"),
        pytest.raises(GateClosed, match=r"alice@there \(pid \d+, backfill\) acts on the table, last heard \d+ s ago"),
    ):
        act(case, "phase2", warehouse)
    with Warehouse(incident, case.dsn, writable=True) as warehouse:
        place = Workplace(incident, warehouse, case.ledger, "run", lambda: case.now)
        with lock.held(warehouse, "backfill", "alice@there"), pytest.raises(GateClosed, match="alice@there"):
            restore.restore(place, {"name": "none"})
    assert not case.value("SELECT count() FROM system.tables WHERE database = currentDatabase() AND name LIKE '%lock%'")


def test_a_lock_whose_holder_died_or_fell_silent_is_passed_over_and_the_holder_finds_out(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Warehouse(load(case.incident), case.dsn, writable=True) as warehouse:
        with lock.held(warehouse, "backfill", "alice@there") as first:
            first.require()
            monkeypatch.setattr(lock, "SILENT_SECONDS", -1.0)
            with lock.held(warehouse, "backfill", "bob@here"), pytest.raises(GateClosed, match="was lost to bob@here"):
                first.require()
        monkeypatch.undo()
        ended = subprocess.Popen(["true"])
        gone = lock.Holder("carol@here", "backfill", lock.this_machine(), ended.pid, "1")
        ended.wait()
        lock._write(warehouse, "lock_take", 1, gone)
        with lock.held(warehouse, "backfill", "bob@here") as second:
            second.require()


@pytest.mark.usefixtures("gates_open")
def test_a_ledger_that_is_behind_the_server_refuses_to_act_until_it_was_fetched(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(case, "phase2")
    whole = case.ledger.path.read_bytes()
    given = options(case)
    assert ledger_command.main([*given, "status"]) == 0, capsys.readouterr()
    for cut in (b"".join(whole.splitlines(keepends=True)[:-1]), b""):
        case.ledger.path.write_bytes(cut)
        assert case.ledger.fault() is None
        with pytest.raises(GateClosed, match=r"the ledger is behind: .* fetch it with python -m scripts.ledger fetch"):
            finish(case, "phase4")
        assert ledger_command.main([*given, "status"]) == 1
        assert ledger_command.main([*given, "fetch"]) == 0
        assert case.ledger.path.read_bytes() == whole
        assert "the file before is" in capsys.readouterr().out
    finish(case, "phase4")


@pytest.mark.usefixtures("gates_open")
def test_an_action_pauses_while_the_server_is_over_its_limits_and_stops_on_the_panic_file(case: Case) -> None:
    case.edit(limits={"free_disk_percent": 100.0, "pause_seconds": 10, "poll_seconds": 5.0})
    told: list[str] = []
    waits: list[float] = []
    incident = load(case.incident)
    with Warehouse(incident, case.dsn, writable=True) as warehouse:
        place = Workplace(incident, warehouse, case.ledger, "run", lambda: case.now, waits.append, told.append)
        with pytest.raises(ActionFailed, match=r"paused for 10 s and still over the limits: .* of the disk is free"):
            action.run(ACTIONS["backfill"], BY_NAME["phase2"], place)
        assert waits == [5.0, 5.0]
        assert any(line.startswith("pausing:") for line in told)
    case.edit(limits={"free_disk_percent": 0.0})
    panic = case.incident.parent / incident.limits.panic_file
    panic.touch()
    with pytest.raises(ActionFailed, match=r"the panic file .* is there; remove it"):
        finish(case, "phase2")
    panic.unlink()
    finish(case, "phase2")
    assert len(case.lines("started")) == 1


@pytest.fixture
def heeded() -> Iterator[None]:
    """Ctrl-C interrupts, though a shell that runs the tests in the background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_never_cuts_a_line_of_the_ledger(tmp_path: Path, number: signal.Signals, heeded: None) -> None:
    def append_while_told_to_stop() -> None:
        with interrupts.terminate_as_interrupt(), interrupts.uninterrupted():
            signal.raise_signal(number)
            signal.raise_signal(number)
            Ledger(tmp_path / "ledger.jsonl").append("run")

    with pytest.raises(KeyboardInterrupt):
        append_while_told_to_stop()
    assert len(Ledger(tmp_path / "ledger.jsonl").lines()) == 1


@pytest.mark.usefixtures("gates_open")
def test_a_restore_that_is_interrupted_is_begun_again_and_loses_nothing(case: Case) -> None:
    finish(case, "phase2")
    (taken,) = case.lines("snapshot")
    case.command(
        f"INSERT INTO {FILLS} SELECT * REPLACE(concat('later', fill_id) AS fill_id) "
        f"FROM {FILLS} WHERE event_time >= '2026-02-02 05:00:00' LIMIT 3"
    )
    breaking = Interrupting(
        load(case.incident), case.dsn, writable=True, statement="restore_remove", after=False, error=StatementFailed
    )
    for warehouse in (breaking, Warehouse(load(case.incident), case.dsn, writable=True)):
        with warehouse:
            place = Workplace(
                warehouse.incident, warehouse, case.ledger, "run", lambda: case.now, tell=lambda line: None
            )
            with nullcontext() if warehouse is not breaking else pytest.raises(StatementFailed):
                restore.restore(place, taken)
    assert case.value(f"SELECT count() FROM {FILLS} WHERE startsWith(fill_id, 'later')") == 3
    with Warehouse(load(case.incident), case.dsn) as warehouse:
        assert fingerprint.of_window(warehouse) == taken["window"]


def test_a_runner_that_is_killed_leaves_a_whole_ledger_and_is_followed_by_one_that_finishes(case: Case) -> None:
    case.edit(backfill={"mode": "full", "unit_rows": 1_000})
    prove(case, "preflight", "phase1")
    with case.start("phase2", "--execute") as running:
        deadline = time.monotonic() + 60
        while len(case.lines("unit")) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        running.send_signal(signal.SIGKILL)
    assert case.ledger.fault() is None
    assert not case.lines("done") or case.lines("done")[-1]["action"] == "deploy"
    assert case.pytest("phase2 or phase3", "--execute") == 0, case.output
    assert case.lines("done")[-1]["action"] == "backfill"
    assert len(case.lines("started")) == 1


def test_a_deploy_that_is_interrupted_is_found_out_by_looking_and_finished(case: Case) -> None:
    incident = load(case.incident)
    deploy = ACTIONS["deploy"]
    waits: list[float] = []

    def impatient(seconds: float) -> None:
        waits.append(seconds)
        raise KeyboardInterrupt

    case.command("ALTER TABLE cron_executions DELETE WHERE executed_at >= '2026-02-02 05:00:00'")
    with Warehouse(incident, case.dsn, writable=True) as warehouse, patch.dict(os.environ, case.env):
        place = Workplace(incident, warehouse, case.ledger, "run", lambda: case.now, impatient, lambda line: None)
        with pytest.raises(KeyboardInterrupt):
            action.run(deploy, BY_NAME["phase1"], place)
        assert waits == [incident.services.updater.poll_seconds]
        assert case.lines("failed")[-1]["unit"].startswith("wait for the next")
        case.command(
            "INSERT INTO cron_executions (cron_name, executed_at, status) "
            f"VALUES ('{incident.services.updater.cron}', '{case.now - timedelta(seconds=1):%Y-%m-%d %H:%M:%S}', 'success')"
        )
        action.run(deploy, BY_NAME["phase1"], place)
    assert case.lines("done")[-1]["action"] == "deploy"
    assert len(case.lines("started")) == 1


@pytest.mark.usefixtures("gates_open")
def test_an_action_stops_before_it_starts_when_the_disk_is_too_small(case: Case) -> None:
    with (
        Warehouse(load(case.incident), case.dsn, writable=True) as warehouse,
        patch.object(action, "free_disk", lambda place: 1),
        pytest.raises(ActionFailed, match="and 1 are free"),
    ):
        act(case, "phase2", warehouse)
    assert not case.lines("started")


@pytest.mark.usefixtures("gates_open")
@pytest.mark.parametrize("phase", ["phase2", "phase4"])
def test_a_snapshot_brings_the_state_before_an_action_back(
    case: Case, phase: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if phase == "phase4":
        finish(case, "phase2")
    before = case.fingerprint()
    rows = case.value(f"SELECT count() FROM {FILLS} FINAL")
    finish(case, phase)
    assert case.fingerprint() != before
    case.command(
        f"INSERT INTO {FILLS} SELECT * REPLACE(concat('later', fill_id) AS fill_id) "
        f"FROM {FILLS} WHERE event_time >= '2026-02-02 05:00:00' LIMIT 3"
    )

    name = case.lines("started")[-1]["snapshot"]
    given = options(case)
    assert rollback.main(given) == 0
    assert name in capsys.readouterr().out
    assert rollback.main([*given, "--restore", "nothing"]) == 4
    assert rollback.main([*given, "--restore", name]) == 0
    assert case.fingerprint() != before
    assert "Pass --execute" in capsys.readouterr().out
    assert rollback.main([*given, "--restore", name, "--execute"]) == 0
    assert case.value(f"SELECT count() FROM {FILLS} FINAL") == rows + 3
    case.command(f"ALTER TABLE {FILLS} DELETE WHERE startsWith(fill_id, 'later')")
    assert case.fingerprint() == before
    assert case.lines("restored")[-1]["snapshot"] == name
