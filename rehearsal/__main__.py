"""`python -m rehearsal`: makes the incident, runs the recovery on it, and compares the end with the truth."""

from __future__ import annotations

import argparse
import functools
import json
import os
import shlex
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
import tomli_w
from clickhouse_connect.driver.exceptions import ClickHouseError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from recovery.embedded import EmbeddedServer
from recovery.errors import RecoveryError
from recovery.incident import Incident, beside, load
from recovery.ledger import Ledger
from recovery.phases import PHASES as IN_ORDER
from rehearsal.boards import compare_boards
from rehearsal.clock import Clock
from rehearsal.folder import (
    BEFORE,
    MERGE,
    MERGE_BY_SWAP,
    RehearsalError,
    Usage,
    memory_of,
    prepare,
    require_disk,
    told,
)
from rehearsal.generate import compare, generate, generated_before, truth_counts
from rehearsal.positions import Resolved, compare_positions, make_as_they_must_be, sizes
from rehearsal.scenario import SCENARIO, ask, execute
from rehearsal.services import Services
from rehearsal.showing import End, PhaseRun, phase_table, show_end
from rehearsal.slack import NAME, Slack
from rehearsal.writer import MODES, Writer
from reports import bundle

ROOT = Path(__file__).resolve().parent.parent
PHASES = tuple(phase.name for phase in IN_ORDER)
LINES_SHOWN = 60
SETTLE_SECONDS = 900
OUTDATED = 100_000_000  # bytes that are not worth waiting for
MATCHED_BYTES = 150  # of memory for each fill, from which on a statement gets more than the incident file says
PATIENCE = 7_200  # seconds for one statement of the rehearsal's own


def main(argv: Sequence[str] | None = None) -> int:
    """0 all is recovered · 1 it is not, or the rehearsal failed · 4 a wrong option or incident file · 13 no server."""
    console = Console()
    try:
        return rehearse(arguments(argv), console)
    except (RehearsalError, RecoveryError, ClickHouseError, OSError, subprocess.CalledProcessError) as error:
        lines = str(error).strip().splitlines() or [repr(error)]
        Console(stderr=True).print(f"rehearsal: {lines[0]}", markup=False, highlight=False, soft_wrap=True)
        return error.exit_code if isinstance(error, RehearsalError | RecoveryError) else 1
    except SystemExit as error:
        return 4 if error.code else 0
    except KeyboardInterrupt:
        return 2


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m rehearsal", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, metavar="N", help="CLOB fills of January (1,000,000)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="the same seed makes the same rows (1)")
    parser.add_argument("--days", type=int, default=16, metavar="N", help="days of history before the window (16)")
    parser.add_argument("--until", choices=(BEFORE, *PHASES), default=PHASES[-1], help="the last phase to run")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="an empty folder for everything, kept afterwards")
    parser.add_argument(
        "--from",
        type=Path,
        dest="source",
        metavar="DIR",
        help=f"what --until {BEFORE} --keep left, with its rows, seed and days",
    )
    parser.add_argument(
        "--swap", action="store_true", help="repair a shadow of the fills and replace the table's partitions by it"
    )
    parser.add_argument("--writer", choices=MODES, default="follow", help="the live writer's behaviour (follow)")
    default = ROOT / "incidents" / f"{SCENARIO['incident']}.toml"
    parser.add_argument("--incident", type=Path, default=default, metavar="FILE", help="the incident file to rehearse")
    chosen = parser.parse_args(argv)
    if not (1_000 <= chosen.rows <= 10**10 and 1 <= chosen.days <= 365 and 0 <= chosen.seed < 2**32):
        parser.error("--rows is 1,000 to 10,000,000,000, --days 1 to 365, and --seed 0 to 4,294,967,295")
    return chosen


def rehearse(chosen: argparse.Namespace, console: Console) -> int:
    if not chosen.incident.is_file():
        raise RehearsalError(f"no incident file at {chosen.incident}; name one with --incident")
    phases = phases_of(load(chosen.incident))
    asked = (
        [phase for phase in phases if PHASES.index(phase) <= PHASES.index(chosen.until)]
        if chosen.until in PHASES
        else []
    )
    with ExitStack() as stack:
        merge = (MERGE_BY_SWAP if chosen.swap else MERGE) if asked else 0
        kept_free = load(chosen.incident).limits.free_disk_percent
        disk = require_disk(chosen.keep, chosen.source, chosen.rows, merge, kept_free)
        folder = prepare(chosen.keep, chosen.source, stack)
        trail = folder if chosen.keep else _trail(chosen.incident.stem)
        server = stack.enter_context(EmbeddedServer(folder / "clickhouse"))
        connect = functools.partial(clickhouse_connect.get_client, dsn=server.dsn, send_receive_timeout=PATIENCE)
        client = connect()
        if chosen.source:
            chosen.rows, chosen.seed, chosen.days = generated_before(client, chosen.source)
        console.print(
            f"Rehearsal of {chosen.incident.stem}: {chosen.rows:,} rows, seed {chosen.seed}, in {folder}; takes {disk}",
            soft_wrap=True,
        )
        usage = stack.enter_context(Usage(folder))
        if not chosen.source:
            _generate(client, chosen, console)
        if chosen.until == BEFORE:
            _show_usage(usage, server, console)
            if chosen.keep:
                _settle(client)
                console.print(f"To go on: python -m rehearsal --from {shlex.quote(str(folder))}", soft_wrap=True)
            console.print(_verdict(BEFORE, True, True, []))
            return 0

        clock = Clock(SCENARIO["clock"])
        services = stack.enter_context(Services(folder, connect, clock, deploy_fix=chosen.writer == "fixed"))
        slack = stack.enter_context(Slack())
        scale = scale_of(client, load(chosen.incident), chosen.rows)
        if scale:
            execute(client, "positions/clear")  # the end is compared with those up to the rebuild
        units = unit_rows(load(chosen.incident), chosen.rows)
        memory = memory_bytes(load(chosen.incident), chosen.rows)
        if memory > load(chosen.incident).cost.memory_bytes:
            console.print(f"cost.memory_bytes is {told(memory)} here, for what has to be matched identity by identity.")
        incident = write_incident(
            chosen.incident, folder / "incidents", services, scale, units, slack, swap=chosen.swap, memory_bytes=memory
        )
        writer = Writer(connect, services, chosen.writer)
        writer.start()
        try:
            runs = _run_phases(asked, server.dsn, incident, folder, trail, services, slack, usage, console)
        finally:
            writer.stop()

        end = compare_end(client, load(incident), trail / "ledger.jsonl", [run.phase for run in runs])
        client.close()
        console.print(phase_table(runs))
        for report in dict.fromkeys(run.report for run in runs[-1:]):
            console.print(f"Report: {report}", soft_wrap=True)
        if runs:
            console.print(f"Dossier: {bundle.dossier_beside(Ledger(trail / 'ledger.jsonl'))}", soft_wrap=True)
        show_end(end, console)
        _show_usage(usage, server, console)
        console.print(f"{slack.told()}.", highlight=False, soft_wrap=True)
        for complaint in slack.complaints:
            console.print(f"Slack would have refused: {complaint}", markup=False, soft_wrap=True)
        if chosen.keep:
            following = next((phase for phase in phases if phase not in asked), phases[-1])
            _how_to_go_on(following, folder, incident, clock, console)
        went = all(run.exit_code == 0 and run.verdict == "GO" for run in runs)
        good = went and (asked != phases or (len(runs) == len(phases) and end.perfect))
        console.print(_verdict(chosen.until, good, asked != phases, runs), soft_wrap=True)
        return 0 if good else 1


def _verdict(until: str, good: bool, stopped: bool, runs: Sequence[PhaseRun]) -> str:
    """The last line: whether all went as it has to."""
    said = ", ".join(f"{run.phase} {run.verdict}" for run in runs) or "no phase was asked"
    if good and stopped:
        return f"Stopped after {until}, as asked: the recovery is not finished ({said})."
    return f"Recovered: {said}; the end equals the truth." if good else f"Not recovered: {said}."


def phases_of(incident: Incident) -> list[str]:
    """The phases that have something to ask, and for which the incident file has what they need."""
    return [phase.name for phase in IN_ORDER if phase.checks and phase.applies(incident)]


def _trail(incident: str) -> Path:
    """Where ledger, pages, evidence and dossier of a rehearsal stay when its data is gone."""
    return ROOT / "reports" / "out" / incident / f"rehearsal-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}"


def _generate(client: Any, chosen: argparse.Namespace, console: Console) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("generating", total=None)

        def progress(step: str, done: int, total: int) -> None:
            bar.update(task, description=f"generating: {step}", completed=done, total=total)

        generate(client, rows=chosen.rows, seed=chosen.seed, history_days=chosen.days, progress=progress)
    counts = truth_counts(client)
    console.print("Generated: " + ", ".join(f"{fills:,} {name}" for name, fills in counts.items()))


def _settle(client: Any) -> None:
    """Wait for merges, and until what they leave is removed: nobody would remove it from a kept folder."""
    until = time.monotonic() + SETTLE_SECONDS
    while ask(client, "outdated")[0][0] > OUTDATED and time.monotonic() < until:
        time.sleep(1)


def _show_usage(usage: Usage, server: EmbeddedServer, console: Console) -> None:
    console.print(
        f"At most {told(usage.peak_of_all)} of disk were taken in the folder, and {told(memory_of(server.pid))} of memory by "
        "the server.",
        highlight=False,
        soft_wrap=True,
    )


def scale_of(client: Any, incident: Incident, rows: int) -> dict[str, Any]:
    """What of the section positions depends on how much there is: several units, and half and double of the truth."""
    if not incident.positions:
        return {}
    _make_right_positions(client, incident, SCENARIO["clock"])
    found = sizes(client)
    expected = {}
    for month in incident.positions.sizes:
        conditions, longs, shorts = ([n // 2, n * 2] for n in found.get(month, (0, 0, 0)))
        expected[month] = {"conditions": conditions, "longs": longs, "shorts": shorts}
    return {"fills_per_unit": min(incident.positions.fills_per_unit, max(10_000, rows // 4)), "sizes": expected}


def unit_rows(incident: Incident, rows: int) -> int:
    """Source rows in a unit of the backfill: the incident file's own, or fewer, so that it has several."""
    return min(incident.backfill.unit_rows, max(10_000, rows // 2))


def memory_bytes(incident: Incident, rows: int) -> int:
    """Bytes of memory of one statement: the incident file's own, or, where there are many rows, up to half of the machine's, so
    that what has to be matched is matched in few passes."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(incident.cost.memory_bytes, min(machine // 2, rows * MATCHED_BYTES))


def write_incident(
    original: Path,
    folder: Path,
    services: Services,
    scale: Mapping[str, Any] | None = None,
    unit_rows: int = 0,
    slack: Slack | None = None,
    *,
    swap: bool = False,
    memory_bytes: int = 0,
) -> Path:
    """A copy of the incident file, and of the statements beside it, with the rehearsal's services and scale."""
    content = tomllib.loads(original.read_text("utf-8"))
    service = content["services"]
    service["vercel"] |= {"url": services.url, "project": SCENARIO["project"]}
    service["git"] |= {
        "repository": str(services.repository),
        "remote": services.remote,
        "branch": services.branch,
        "fixes": services.fixes,
    }
    service["updater"] |= {"cron": SCENARIO["updater"], "poll_seconds": 0.5}
    if "crons" in service:
        service["crons"] |= {"url": services.url, "wait_seconds": 120, "poll_seconds": 0.5}
    if "data_api" in service:
        service["data_api"] |= {"url": services.url}
    if scale:
        content["positions"] |= scale
    if unit_rows:
        content["backfill"] |= {"unit_rows": unit_rows}
    if memory_bytes:
        content["cost"] = content.get("cost", {}) | {"memory_bytes": memory_bytes}
    if swap:
        content["deduplicate"] |= {"strategy": "swap"}
    if slack and "announce" in content:
        content["announce"] |= {"slack": "bot", "url": slack.url, "channel": NAME}
    folder.mkdir()
    for file in beside(original):
        (folder / file.name).write_bytes(file.read_bytes())
    copy = folder / original.name
    copy.write_text(tomli_w.dumps(content), "utf-8")
    return copy


def _run_phases(
    phases: Sequence[str],
    dsn: str,
    incident: Path,
    folder: Path,
    trail: Path,
    services: Services,
    slack: Slack,
    usage: Usage,
    console: Console,
) -> list[PhaseRun]:
    """Run the suite phase by phase, up to the first that fails; what it leaves goes to `trail`."""
    runs: list[PhaseRun] = []
    secrets = {"VERCEL_TOKEN": services.token, "CRON_SECRET": services.secret, "SLACK_BOT_TOKEN": slack.token}
    announce = ["--announce"] if load(incident).announce else []
    given = urlsplit(dsn)
    server = given._replace(netloc=f"{given.username}@{given.hostname}:{given.port}")
    env = os.environ | secrets | {"CLICKHOUSE_PASSWORD": given.password or ""}
    for phase in phases:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-m",
            phase,
            *([] if phase == PHASES[0] else ["--execute"]),
        ]
        command += [f"--incident={incident}", f"--clickhouse={server.geturl()}"]
        command += [f"--ledger={trail / 'ledger.jsonl'}", f"--now={_instant(services.clock.now())}"]
        command += announce
        command += [f"--html={trail / 'runs' / phase}.html"]
        log = folder / f"{phase}.log"
        usage.begin()
        with console.status(f"{phase} ..."), log.open("wb") as output:
            code = subprocess.run(command, cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT, check=False)
        runs.append(_from_ledger(trail / "ledger.jsonl", phase, code.returncode, usage.peak))
        console.print(f"{phase}: {runs[-1].verdict}, {runs[-1].seconds:.1f} s")
        if code.returncode != 0:
            for line in log.read_text("utf-8", "replace").splitlines()[-LINES_SHOWN:]:
                console.print(line, markup=False, highlight=False, soft_wrap=True)
            break
    return runs


def _from_ledger(ledger: Path, phase: str, exit_code: int, disk: int) -> PhaseRun:
    lines = ledger.read_text("utf-8").splitlines() if ledger.exists() else []
    ends = [entry for entry in map(json.loads, lines) if entry["kind"] == "finished" and entry["phase"] == phase]
    last: dict[str, Any] = ends[-1] if ends else {}
    return PhaseRun(
        phase=phase,
        exit_code=exit_code,
        verdict=last.get("verdict") or f"exit {exit_code}",
        rows=last.get("rows") or 0,
        written=last.get("written") or 0,
        seconds=last.get("seconds") or 0.0,
        report=last.get("report") or "none",
        disk=disk,
    )


def compare_end(client: Any, incident: Incident, ledger: Path, ran: Sequence[str]) -> End:
    table, rebuilt = incident.table, cutoff_of(ledger)
    fills = compare(
        client,
        database=table.database,
        table=table.name,
        quarantine=table.quarantine,
        window_start=incident.window.start,
        window_end=incident.window.end,
    )
    if not (incident.positions and rebuilt):
        return End(fills, None, None)
    _make_right_positions(client, incident, rebuilt)
    found = compare_positions(
        client, _resolved(incident, rebuilt), database=table.database, table=incident.positions.table
    )
    return End(fills, found, compare_boards(client, database=table.database) if "phase7" in ran else None)


def cutoff_of(ledger: Path) -> datetime | None:
    """Up to when the last rebuild of the positions counted fills; None where there was no rebuild."""
    done = [line for line in Ledger(ledger).lines() if line["kind"] == "done" and line["action"] == "rebuild"]
    return datetime.fromisoformat(done[-1]["plan"]["facts"]["cutoff"]) if done else None


def _make_right_positions(client: Any, incident: Incident, cutoff: datetime) -> None:
    window, resolved = incident.window, _resolved(incident, cutoff)
    make_as_they_must_be(client, resolved, cutoff=cutoff, window_start=window.start, window_end=window.end)


def _resolved(incident: Incident, cutoff: datetime) -> Resolved:
    assert incident.positions
    return Resolved.of(incident.positions.start, incident.positions.end, cutoff)


def _how_to_go_on(following: str, folder: Path, incident: Path, clock: Clock, console: Console) -> None:
    options = [f"--incident={incident}", f"--ledger={folder / 'ledger.jsonl'}", f"--now={_instant(clock.now())}"]
    commands = [
        ["python", "-m", "recovery.embedded", str(folder / "clickhouse")],
        ["pytest", "-m", following, f"--clickhouse=chdb://{folder / 'clickhouse'}", *options],
    ]
    console.print("Its services have stopped. To go on, serve the folder, or ask a phase:")
    for command in commands:
        console.print("  " + shlex.join(command), markup=False, highlight=False, soft_wrap=True)


def _instant(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


if __name__ == "__main__":
    sys.exit(main())
