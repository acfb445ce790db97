"""How long each task of the recovery takes, beside what it could be done by, in one run and in turn.

    python -m bench [--rows 20000000] [--turns 3] [--slow-turns 1] [--keep DIR] [--tasks verification,fifo] [--json FILE [--add]]
    python -m bench --from DIR --tasks fifo,orphans --turns 1 [--json FILE [--add]]
    python -m bench --write docs/performance.md FILE.json

Makes the incident in an embedded ClickHouse, and one of a quarter of the rows for the growth; or takes the one that
`python -m rehearsal --until generate --keep DIR` made, without a quarter. The JSON is written after every way, so that what
an interrupted run has measured is kept; with --add it keeps the tasks of the file that are not asked for.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import figures, page
from bench.measure import Server, Took
from bench.tasks import TASKS, Part, Task, overhead
from bench.world import BROKEN, World
from recovery.embedded import EmbeddedServer
from rehearsal.folder import PHASES, RehearsalError, prepare, require_disk
from rehearsal.generate import generated_before

EVERY = 0.1  # seconds between two looks at the server's memory; a look takes some milliseconds
QUARTER = " at a quarter"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    names = [*(task.name for task in TASKS), "overhead"]
    parser.add_argument("--rows", type=int, default=20_000_000, help="CLOB fills of a month")
    parser.add_argument(
        "--from", dest="source", type=Path, metavar="DIR", help="a generation that a rehearsal kept, not --rows"
    )
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--slow-turns", type=int, default=1, help="of what takes long; 0 leaves it out")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the data here, and use it if it is there")
    parser.add_argument(
        "--tasks", type=lambda given: given.split(","), default=names, help=f"some of {','.join(names)}"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--add", action="store_true", help="keep what the file of --json has of other tasks")
    parser.add_argument("--write", type=Path, nargs=2, metavar=("PAGE", "FROM"), help="only make the page of a JSON")
    chosen = parser.parse_args(argv)
    if chosen.write:
        to, source = chosen.write
        to.write_text(page.render(json.loads(source.read_text("utf-8"))), "utf-8")
        return 0
    if unknown := set(chosen.tasks) - set(names):
        parser.error(f"--tasks {','.join(sorted(unknown))}: give some of {','.join(names)}")
    told = measure(chosen)
    print(page.render(told))
    return int(any("error" in part for task in told["tasks"].values() for part in task["parts"].values()))


def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    """All tasks, as JSON has them."""
    clock = time.monotonic()
    told: dict[str, Any] = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "rows": chosen.rows,
        "quarter_rows": None if chosen.source else chosen.rows // 4,
        "turns": chosen.turns,
        "slow_turns": chosen.slow_turns,
        "machine": {
            "processors": os.cpu_count(),
            "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "load": round(os.getloadavg()[0], 2),
        },
        "tasks": {},
        "bars": [],
        "overhead": {"error": "it was not asked for"},
    }
    with ExitStack() as stack:
        scratch, small = Path(stack.enter_context(tempfile.TemporaryDirectory())), None
        if chosen.source:
            large = _kept(stack, chosen.source, scratch)
        else:
            folder = (chosen.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))).resolve()
            large, small = (_world(stack, folder, scratch, rows) for rows in (chosen.rows, chosen.rows // 4))
        told["rows"] = large.rows
        if chosen.add and chosen.json and chosen.json.exists():
            told |= _before(chosen.json, large.rows)
        told["versions"] = {"ClickHouse": large.server.client.server_version, "Python": platform.python_version()}
        told["versions"] |= {name: version(name) for name in ("chdb", "clickhouse-connect", "great-expectations")}
        known = large.incident
        tables = [known.table.name, known.source.table, *([known.positions.table] if known.positions else [])]
        told["tables"] = {name: large.count(BROKEN, name) for name in tables}
        for task in TASKS:
            if task.name in chosen.tasks:
                for measured in _task(task, large, small, chosen.turns, chosen.slow_turns):
                    told["tasks"][task.name] = measured
                    _keep(told, clock, chosen.json)
    if "overhead" in chosen.tasks:
        try:
            told["overhead"] = overhead(chosen.turns)
        except Exception as error:  # the other tasks are measured
            told["overhead"] = {"error": _said(error)}
    _keep(told, clock, chosen.json)
    return told


def _before(path: Path, rows: int) -> dict[str, Any]:
    before = json.loads(path.read_text("utf-8"))
    if before["rows"] != rows:
        raise SystemExit(f"--add: {path} is of {before['rows']:,} rows, not {rows:,}.")
    return {name: before[name] for name in ("tasks", "overhead")}


def _world(stack: ExitStack, folder: Path, scratch: Path, rows: int) -> World:
    world = _served(stack, folder / str(rows) / "clickhouse", scratch / str(rows), rows)
    _say(f"{rows:,} rows: {world.make()}")
    return world


def _kept(stack: ExitStack, source: Path, scratch: Path) -> World:
    """What a rehearsal generated, as hard links beside it: it stays as it is."""
    try:
        require_disk(None, source, 0, PHASES, 0)
        world = _served(stack, prepare(None, source, stack) / "clickhouse", scratch, 0)
        world.rows, _, _ = generated_before(world.server.client, source)
    except (RehearsalError, OSError) as error:
        raise SystemExit(f"--from: {error}") from None
    return world


def _served(stack: ExitStack, home: Path, ledgers: Path, rows: int) -> World:
    for each in (home, ledgers):
        each.mkdir(parents=True, exist_ok=True)
    server = stack.enter_context(EmbeddedServer(home))
    return World(Server(server.dsn, server.pid), home, ledgers, rows, EVERY)


def _task(task: Task, large: World, small: World | None, turns: int, slow_turns: int) -> Iterator[dict[str, Any]]:
    """Each part once, at a quarter of the rows as well where it grows, then each again; what fails is not tried again. What is
    measured so far, after each."""
    parts: dict[str, dict[str, Any]] = {part.name: {"turns": [], "quarter": []} for part in task.parts}
    runs: list[tuple[Part, str, Callable[[], Took]]] = []
    for part in task.parts:
        runs += [(part, "turns", partial(part.run, large))]
        runs += [(part, "quarter", partial(part.run, small))] if part.grows and small else []
    for turn in range(turns):
        for part, size, run in runs:
            told = parts[part.name]
            if "error" in told or (part.slow and turn >= slow_turns):
                continue
            name = f"{task.name}: {part.name}{QUARTER if size == 'quarter' else ''}"
            try:
                took = run()
            except Exception as error:  # a task that fails is told of, and the others go on
                told["error"] = _said(error)
                _say(f"turn {turn + 1}: {name}: {told['error']}")
            else:
                told[size].append(asdict(took))
                times = ", ".join(f"{key} {took.seconds[key]:.2f}" for key in took.seconds)
                _say(f"turn {turn + 1}: {name}: {times} s")
            yield {"sentence": task.sentence, "parts": {name: figures.of_part(part) for name, part in parts.items()}}


def _keep(told: dict[str, Any], clock: float, path: Path | None) -> None:
    told["seconds"] = round(time.monotonic() - clock, 1)
    told["bars"] = figures.of_bars(told)
    if path:
        path.write_text(json.dumps(told, indent=1, default=str) + "\n", "utf-8")


def _said(error: Exception) -> str:
    """The error in a line, without what a driver adds to it."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
