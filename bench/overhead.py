"""What a run costs beside its statements: a phase asked of a small table, a run's page and the dossier, as whole processes.

    python -m bench.overhead [--turns 3] [--rows 20000] [--lines 10000] [--json FILE]

A small rehearsal is made and served, and each command is run in turn, against its own ledger and against the same grown to
10,000 lines. Prints medians of wall and CPU seconds (user and system, of the process alone, not of the server) in Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from recovery.embedded import EmbeddedServer
from recovery.ledger import START, chained, lines_of, text_of

ROOT = Path(__file__).parent.parent
FLOOR = "python -m pytest --version"


@dataclass(frozen=True)
class Task:
    """A command, and the wall seconds that it may take, where that is promised. It finds a copy of `ledger` in its folder."""

    name: str
    command: tuple[str, ...]
    limit: float | None = None
    ledger: bytes = b""


@dataclass
class Took:
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def grown(content: bytes, lines: int) -> bytes:
    """A ledger of at least so many lines: the given one over and over, each time as other runs, in one whole chain."""
    own, prev = lines_of(content), START
    out: list[str] = []
    while len(out) < lines:
        copy = len(out) // len(own)
        for line in own:
            again = {**line, "seq": len(out)}
            if copy and "run" in line:
                again["run"] = f"{line['run']}-{copy}"
            again = chained(again, prev)
            prev = again["sha"]
            out.append(text_of(again))
    return "".join(f"{line}\n" for line in out).encode()


def tasks(incident: Path, dsn: str, ledger: bytes, lines: int) -> list[Task]:
    """What is measured; commands run in a folder that holds the ledger alone."""
    run = [line for line in lines_of(ledger) if line["kind"] == "run"][-1]
    now = datetime.fromisoformat(run["now"]) + timedelta(minutes=1)
    ask = ["pytest", str(ROOT / "checks"), "-m", "phase3", f"--incident={incident}", f"--clickhouse={dsn}"]
    ask += ["--ledger=ledger.jsonl", f"--now={now.isoformat()}", "--html=run.html"]
    made = [Task("python -c pass", ("-c", "pass")), Task(FLOOR, ("-m", "pytest", "--version"))]
    for content in (ledger, grown(ledger, lines)):
        told = f"ledger of {len(lines_of(content)):,} lines"
        made += [
            Task(f"pytest -m phase3, {told}", ("-m", *ask), 4.0 if content is ledger else None, content),
            Task(f"a run's page, {told}", ("-m", "reports", "ledger.jsonl", "--out=run.html"), 2.0, content),
            Task(f"the dossier, {told}", ("-m", "scripts.report", "ledger.jsonl"), 2.0, content),
        ]
    return made


def once(task: Task, folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds of the task's process. Raises RuntimeError where it does not end well."""
    place = folder / "turn"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    (place / "ledger.jsonl").write_bytes(task.ledger)
    with (folder / "said.txt").open("w+") as said:
        clock = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, *task.command], cwd=place, env=_environment(folder), stdout=said, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - clock
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            raise RuntimeError(f"{task.name} ended with {child.returncode}: {said.read()[-2000:]}")
    return wall, used.ru_utime + used.ru_stime


def _environment(folder: Path) -> dict[str, str]:
    """As somebody has it who ran the suite before: bytecode is kept."""
    ours = {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    left = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return left | ours


def in_turns(asked: Sequence[Task], turns: int, folder: Path) -> dict[str, Took]:
    """Each task once for its bytecode, then all of them in turn."""
    took = {task.name: Took() for task in asked}
    for turn in range(turns + 1):
        for task in asked:
            wall, cpu = once(task, folder)
            if turn:
                took[task.name].wall.append(wall)
                took[task.name].cpu.append(cpu)
    return took


def told(asked: Sequence[Task], took: Mapping[str, Took]) -> dict[str, Any]:
    """The figures by the task's name: medians in seconds, what is allowed, and how many times pytest's own start it is."""
    floor = statistics.median(took[FLOOR].cpu)
    return {
        task.name: {
            "wall": statistics.median(took[task.name].wall),
            "cpu": statistics.median(took[task.name].cpu),
            "limit": task.limit,
            "times_pytest": statistics.median(took[task.name].cpu) / floor,
            "turns": {"wall": took[task.name].wall, "cpu": took[task.name].cpu},
        }
        for task in asked
    }


def measure(turns: int, rows: int = 20_000, lines: int = 10_000) -> dict[str, Any]:
    """The figures, on a rehearsal of so many rows up to phase 2."""
    with tempfile.TemporaryDirectory(prefix="overhead-") as name:
        folder, world = Path(name), Path(name) / "world"
        command = [sys.executable, "-m", "rehearsal", "--rows", str(rows), "--until", "phase2", "--keep", str(world)]
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        (incident,) = [path for path in (world / "incidents").glob("*.toml") if "." not in path.stem]
        with EmbeddedServer(world / "clickhouse") as server:
            asked = tasks(incident, server.dsn, (world / "ledger.jsonl").read_bytes(), lines)
            return told(asked, in_turns(asked, turns, folder))


def table(figures: Mapping[str, Any]) -> str:
    rows = ["| process | wall s | CPU s | allowed, wall s | times pytest's start, CPU |", "|---|--:|--:|--:|--:|"]
    rows += [
        f"| {name} | {each['wall']:.2f} | {each['cpu']:.2f} | {each['limit'] or ''} | {each['times_pytest']:.1f} |"
        for name, each in figures.items()
    ]
    return "\n".join(rows)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.overhead", description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--rows", type=int, default=20_000, help="CLOB fills of January")
    parser.add_argument("--lines", type=int, default=10_000, help="of the large ledger")
    parser.add_argument("--json", type=Path, metavar="FILE")
    chosen = parser.parse_args(argv)
    figures = measure(chosen.turns, chosen.rows, chosen.lines)
    print(table(figures))
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
