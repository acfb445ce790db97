"""When the nightly and hourly checks notice a fault, and whether they cry wolf, on databases that grow hour by hour.

    python -m bench.detection [--only NAME ...] [--clean-days 62] [--rows 300000] [--json FILE]

January as it was, clean days with weekdays, growth and one load that comes late, and a fault each in such days. Every hour is
followed by an hourly run, and that of 03:00 by a nightly one. Prints a table in Markdown, as it stands in docs/detection.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import clickhouse_connect
import tomli_w

from expectations.night import Finding, Night
from recovery import history
from recovery.embedded import EmbeddedServer
from recovery.history import CRITICAL, WARNING, Result
from recovery.incident import Incident, beside, load
from recovery.warehouse import Warehouse
from rehearsal.generate import generate
from rehearsal.replay import FAULTS, Replay
from rehearsal.scenario import SCENARIO

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NIGHT = 3
BASE = 400
CLEAN_FROM = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
BEFORE, AFTER = 28 * DAY, 32 * HOUR  # of history before a fault, and of hours after it
ROOT = Path(__file__).parent.parent


@dataclass
class Told:
    """What the checks said of one replay: names by the time of the first run that found them so, and how often."""

    name: str
    fault_from: str = ""
    hours: int = 0
    nights: int = 0
    runs: int = 0
    seconds: float = 0.0
    first: dict[str, str] = field(default_factory=dict)  # after the fault began: check → time of the run
    false: dict[str, int] = field(default_factory=dict)  # critical before it, or without any
    warned: dict[str, int] = field(default_factory=dict)
    sentences: dict[str, str] = field(default_factory=dict)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.detection", description=__doc__)
    parser.add_argument("--only", nargs="*", default=["january", "clean", *sorted(set(FAULTS) - {"late_load"})])
    parser.add_argument("--clean-days", type=int, default=62)
    parser.add_argument(
        "--hourly-days", type=int, default=400, help="clean days around the late load that are asked by the hour"
    )
    parser.add_argument("--rows", type=int, default=300_000, help="CLOB fills of January")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args(argv)
    told = []
    with tempfile.TemporaryDirectory() as folder, EmbeddedServer(Path(folder) / "clickhouse") as server:
        for name in chosen.only:
            told.append(scenario(name, server.dsn, Path(folder), chosen))
            print(json.dumps(asdict(told[-1])), file=sys.stderr, flush=True)
    print(table(told))
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(each) for each in told], indent=1))
    return 0


def scenario(name: str, dsn: str, folder: Path, chosen: argparse.Namespace) -> Told:
    client = clickhouse_connect.get_client(dsn=dsn)
    incident = incident_in(folder, f"replay_{name}")
    if name == "january":
        generate(client, rows=chosen.rows, seed=1, history_days=17)  # the first night has a day before it to compare
        replay = Replay(client, incident.table.database)
        start, fault = datetime(2026, 1, 1, tzinfo=UTC), SCENARIO["window_start"]
        end = fault + 2 * DAY
    else:
        start = CLEAN_FROM
        fault = start + BEFORE if name != "clean" else None
        end = start + timedelta(days=chosen.clean_days) if fault is None else fault + AFTER
        late = start + 40 * DAY + 9 * HOUR
        begins, ends = (
            (late, late + 6 * HOUR) if fault is None else (fault, end if name != "day_missing" else fault + DAY)
        )
        replay = Replay(
            client, incident.table.database, world="clean", base=BASE, fault="late_load" if fault is None else name,
            fault_from=begins, fault_to=ends,
        )  # fmt: skip
    replay.create()
    told = Told(name, fault.isoformat() if fault else "")
    with Warehouse(incident, dsn) as warehouse:
        if name == "january":
            replay.advance(start - DAY, start)
        elif fault is None:
            replay.advance(start - BEFORE, start)
        else:  # the last night before it is asked, for the history
            replay.advance(start, fault - DAY)
            start = fault - DAY
        before = start
        for now in hours(start, end):
            by_the_hour = fault is not None or abs(now - late) <= chosen.hourly_days * DAY / 2
            if not by_the_hour and now.hour != NIGHT:
                continue
            replay.advance(before, now)
            before = now
            told.hours += by_the_hour
            told.nights += now.hour == NIGHT
            for recent_only in [True] * by_the_hour + [False] * (now.hour == NIGHT):
                clock = time.perf_counter()
                found = Night(warehouse, now, recent_only).findings()
                told.seconds += time.perf_counter() - clock
                told.runs += 1
                note(told, found, now, fault)
                remember(warehouse, found, now)
                warehouse.forget()
    replay.drop()
    client.close()
    return told


def hours(start: datetime, end: datetime) -> Iterator[datetime]:
    now = start + HOUR
    while now <= end:
        yield now
        now += HOUR


def note(told: Told, found: list[Finding], now: datetime, fault: datetime | None) -> None:
    for each in found:
        if each.status == WARNING:
            told.warned[each.name] = told.warned.get(each.name, 0) + 1
        if each.status != CRITICAL:
            continue
        if fault is None or now <= fault:
            told.false[each.name] = told.false.get(each.name, 0) + 1
            told.sentences.setdefault(
                each.name, f"{now:%Y-%m-%d %H:%M} {each.metric} {each.worst} {' '.join(each.notes)} {each.error}"
            )
        elif each.name not in told.first and each.name not in told.false:
            told.first[each.name] = f"{now:%Y-%m-%dT%H:%M}"
            told.sentences[each.name] = f"{each.metric} {each.worst} {' '.join(each.notes)} {each.error}"


def remember(warehouse: Warehouse, found: list[Finding], now: datetime) -> None:
    results = [
        Result(
            each.name,
            float("nan") if each.metric is None else each.metric,
            each.warn,
            each.critical,
            each.status,
            each.details,
        )
        for each in found
    ]
    history.write(warehouse, results, now, "bench")


def incident_in(folder: Path, database: str) -> Incident:
    original = ROOT / "incidents" / f"{SCENARIO['incident']}.toml"
    copy = folder / database / original.name
    copy.parent.mkdir()
    for file in beside(original):
        (copy.parent / file.name).write_bytes(file.read_bytes())
    content = tomllib.loads(original.read_text("utf-8"))
    content["table"]["database"] = database
    copy.write_text(tomli_w.dumps(content), "utf-8")
    return load(copy)


def table(told: list[Told]) -> str:
    lines = [
        "| replay | hours | nights | false criticals | detected after | by, first | warned of |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in told:
        after, by = "", ""
        if each.first:
            first = min(each.first.values())
            took = datetime.fromisoformat(first).replace(tzinfo=UTC) - datetime.fromisoformat(each.fault_from)
            after = f"{took.total_seconds() / 3600:g} h"
            by = ", ".join(name for name, when in each.first.items() if when == first)
        warned = ", ".join(f"{name} ({count})" for name, count in Counter(each.warned).most_common(4))
        lines.append(
            f"| {each.name} | {each.hours:,} | {each.nights:,} | {sum(each.false.values())} | {after} | {by} | {warned} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
