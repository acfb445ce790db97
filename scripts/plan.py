"""Proves the plan of an incident and shows it: preflight's findings, then every statement with its size, time and undo."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from recovery import plan
from recovery.errors import ActionFailed
from recovery.incident import Incident
from recovery.ledger import Ledger, Line
from scripts import command
from scripts.command import PROJECT

NO_GO = 1


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 when all of preflight is GO, 1 when a finding is NO-GO, else the one of the error. Only the ledger is
    written: it keeps what preflight found."""
    return command.end(command.parser("plan", __doc__, acts=False), argv, _run)


def _run(options: argparse.Namespace) -> int:
    with command.opened(options) as (place, dsn):
        _ = place.warehouse.server, place.warehouse.schema, place.warehouse.words
        now = place.now()
        code = _prove(place.incident, dsn, place.ledger, now)
        try:
            for stage in plan.stages(replace(place, now=lambda: now)):
                _show(stage)
        except ActionFailed as error:
            print(f"\nNo plan can be made: {error}")
            return code or NO_GO
        return code


def _prove(about: Incident, dsn: str, ledger: Ledger, now: datetime) -> int:
    """Ask preflight in a process of its own, as `pytest -m preflight` does, and print what the ledger has of it."""
    url = urlsplit(dsn)
    bare = url._replace(netloc=f"{url.username or 'default'}@{url.hostname}:{url.port}")
    password = url.password or os.environ.get("CLICKHOUSE_PASSWORD", "")
    seen = len(ledger.lines())
    asked = [
        sys.executable, "-m", "pytest", "-q", "-m", "preflight", f"--incident={about.path}", f"--clickhouse={bare.geturl()}",
        f"--ledger={ledger.path}", f"--now={now.isoformat()}",
    ]  # fmt: skip
    done = subprocess.run(
        asked, cwd=PROJECT, env=os.environ | {"CLICKHOUSE_PASSWORD": password}, capture_output=True, text=True, check=False
    )  # fmt: skip
    found = ledger.lines()[seen:]
    _print_findings([line for line in found if line["kind"] == "evidence"])
    if done.returncode not in (0, NO_GO):
        print("\n".join((done.stdout + done.stderr).splitlines()[-20:]), file=sys.stderr)
    return done.returncode


def _print_findings(lines: list[Line]) -> None:
    bad = [line for line in lines if line["verdict"] != "GO" or line["outcome"] != "passed"]
    print(f"Preflight: {len(lines) - len(bad):,} of {len(lines):,} findings are GO.")
    for line in lines:
        print(f"  {'NO-GO' if line in bad else 'GO':6}{line['check']}: {line['sentence']}")


def _show(stage: plan.Stage) -> None:
    print(f"\n{stage.phase}, {stage.plan.action}: {stage.plan.sentence}")
    if not stage.steps:
        return
    print(
        f"  in all: {stage.plan.rows:,} rows, {stage.plan.bytes:,} bytes free on disk to begin, {_seconds(stage.seconds)}"
    )
    shown: set[str] = set()
    if stage.snapshot:
        print("  first: a snapshot, hard links that take no disk until their source is rewritten; undo: none needed")
        _print_statements(stage.snapshot, shown)
    for number, step in enumerate(stage.steps, 1):
        size = f"about {step.rows:,} rows, {step.bytes:,} bytes written, " if step.statements else ""
        print(f"  {number}. {step.label}: {size}{_seconds(step.seconds)}; undo: {step.undo}")
        _print_statements(step.statements, shown)


def _print_statements(statements: tuple[plan.Statement, ...], shown: set[str]) -> None:
    """Each text once; where a unit repeats it, only its parameters."""
    for statement in statements:
        text = "as above" if statement.sql in shown else ""
        print(f"     {statement.name}.sql {_parameters(statement.parameters)}{text}".rstrip())
        if not text:
            print("\n".join(f"       {line}" for line in statement.sql.splitlines() if not line.startswith("--")))
        shown.add(statement.sql)


def _parameters(values: dict[str, Any]) -> str:
    return f"with {', '.join(f'{name} = {value!r}' for name, value in values.items())} " if values else ""


def _seconds(seconds: float | None) -> str:
    return "seconds: not measured yet" if seconds is None else f"about {seconds:,.1f} s"


if __name__ == "__main__":
    sys.exit(main())
