"""What the night's scan of the broken table costs: against the least it could cost, and against stock Great Expectations.

    python -m bench.nightly [--rows 20000000] [--keep DIR] [--turns 3] [--stock-turns 1] [--costs] [--json FILE]

Makes a January of fills and their events in an embedded ClickHouse, such that the nightly promises hold, and measures in turns:
A, the scan's columns read and hashed; B, the promises as the night judges them; C, the same promises as stock expectations over
SQL; D, the whole night. Medians of the turns; the server's memory is looked at in one more turn of each, which is not timed.
With --costs, what each figure of the scan takes in their stead: the scan without it, and with it alone.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.measure import Took, watched
from bench.nightly_data import INCIDENT, NOW, Bench, fill, text
from bench.nightly_stock import NO_STOCK, stock
from expectations import measures
from expectations import scan as scans
from expectations.night import Night
from recovery import incident as incidents
from recovery.embedded import EmbeddedServer
from recovery.promises import Guarded
from recovery.statements import quote
from recovery.warehouse import Warehouse

EVERY = 0.02  # seconds between two looks at the server's memory


def limit(bench: Bench, columns: list[str], name: str) -> Took:
    """A: a statement over the scan's columns."""
    took = Took()
    words = {"guarded": quote(bench.table.name), "columns": ", ".join(map(quote, columns))}
    with bench.connect() as client, took.timing("whole", bench):
        result = client.query(
            text(name, threads=str(bench.nightly.cost.threads), **words), settings={"log_comment": f"bench-{name}"}
        )
    took.rows_read, took.bytes_read = int(result.summary["read_rows"]), int(result.summary["read_bytes"])
    return took


def promised(bench: Bench) -> Took:
    """B: the promises of the broken table as the night judges them, on a warehouse that has asked nothing."""
    from expectations import suites  # seconds to import: told apart

    took, key, table = Took(), bench.key, bench.table
    with took.timing("whole"), Warehouse(bench.incident, bench.dsn) as warehouse:
        with took.timing("schema"):
            found = [measures.of_columns(key, table.columns, warehouse.columns(table.name))]
            _ = warehouse.words
        with took.timing("take", bench):
            scan = scans.take(warehouse, key, table, bench.nightly.cost, scans.Span.of(table, NOW))
        with took.timing("measures"):
            found += measures.of_scan(scan, {}, recent_only=False)
        with took.timing("judge"):
            judged = suites.judge(key, found)
    took.seconds["server"] = scan.answer.seconds
    took.rows_read, took.bytes_read = scan.answer.rows_read, scan.answer.bytes_read
    took.told = {
        "label": scan.answer.query_id,
        "sql": scan.answer.sql,
        "slots": len(scan.slots),
        "statuses": {name: each.status for name, each in judged.items()},
    }
    return took


def night(bench: Bench) -> Took:
    """D: all findings of a night, on a warehouse that has asked nothing."""
    took = Took()
    with took.timing("whole"), Warehouse(bench.incident, bench.dsn) as warehouse:
        with took.timing("schema"):
            _ = warehouse.words
        with took.timing("findings", bench):
            findings = Night(warehouse, NOW).findings()
    answers = {each.query_id: (found.name.partition(".")[0], each) for found in findings for each in found.answers}
    took.seconds["server"] = sum(each.seconds for _, each in answers.values())
    took.rows_read = sum(each.rows_read for _, each in answers.values())
    took.bytes_read = sum(each.bytes_read for _, each in answers.values())
    took.told = {
        "statuses": {found.name: found.status for found in findings},
        "not ok": {
            found.name: {"status": found.status, "metric": found.metric, "notes": found.notes, "error": found.error}
            for found in findings
            if found.status != "OK"
        },
        "statements": [
            {
                "key": key,
                "statement": each.statement,
                "seconds": each.seconds,
                "rows_read": each.rows_read,
                "label": each.query_id,
            }
            for key, each in answers.values()
        ],
    }
    return took


def figures(bench: Bench) -> dict[str, Callable[[], Took]]:
    """The scan, the scan without one of its figures, and with one alone."""
    table = bench.table
    bare = table.model_copy(update={"rows": {}, "identity": None, "volume": None})
    figure: dict[str, dict[str, Any]] = {
        "identity": {"identity": None},
        "amount": {"volume": None},
        "rows": {"rows": {}},
    }
    for name in table.rows:
        figure[name] = {"rows": {other: each for other, each in table.rows.items() if other != name}}
    variants = {"the scan": table, "bare": bare}
    for name, without in figure.items():
        variants[f"without {name}"] = table.model_copy(update=without)
        if name in table.rows:
            alone: dict[str, Any] = {"rows": {name: table.rows[name]}}
        else:
            alone = {field: getattr(table, field) for field in without}
        variants[f"alone {name}"] = bare.model_copy(update=alone)

    def turn(variant: Guarded) -> Callable[[], Took]:
        def run() -> Took:
            took, span = Took(), scans.Span.of(table, NOW)
            with Warehouse(bench.incident, bench.dsn) as warehouse:
                _ = warehouse.words
                with took.timing("whole", bench):
                    answer = scans.take(warehouse, bench.key, variant, bench.nightly.cost, span).answer
            took.rows_read, took.bytes_read = answer.rows_read, answer.bytes_read
            return took

        return run

    return {name: turn(variant) for name, variant in variants.items()}


def in_turns(parts: dict[str, Callable[[], Took]], turns: int, most: dict[str, int]) -> dict[str, list[Took]]:
    """Each part once, then each again; `most` says of which parts fewer turns suffice."""
    took: dict[str, list[Took]] = {name: [] for name in parts}
    for turn in range(turns):
        for name, part in parts.items():
            if turn < most.get(name, turns):
                took[name].append(part())
                said = ", ".join(f"{key} {seconds:.2f}" for key, seconds in took[name][-1].seconds.items())
                print(f"turn {turn + 1}: {name}: {said} s", file=sys.stderr, flush=True)
    return took


def median(turns: list[Took]) -> dict[str, float]:
    return {part: statistics.median(each.seconds[part] for each in turns) for part in turns[0].seconds}


def measure(bench: Bench, turns: int, stock_turns: int) -> dict[str, Any]:
    """Everything that is told, as JSON can hold it."""
    clock = time.perf_counter()
    from expectations import suites  # noqa: F401 - imported before anything is timed

    imported = time.perf_counter() - clock
    first = promised(bench)
    columns = [name for name in bench.table.columns if re.search(rf"\b{name}\b", first.told["sql"])]
    parts: dict[str, Callable[[], Took]] = {
        "A limit": lambda: limit(bench, columns, "limit"),
        "A read": lambda: limit(bench, columns, "read"),
        "B promises": lambda: promised(bench),
        "C stock": lambda: stock(bench),
        "D night": lambda: night(bench),
    }
    fewer = {"C stock": stock_turns, "D night": turns}
    took = in_turns({name: part for name, part in parts.items() if fewer.get(name, 1)}, turns, fewer)
    outcomes = took["C stock"][-1].told["outcomes"] if "C stock" in took else {}
    if failed := [name for name, outcome in outcomes.items() if outcome.startswith("raised")]:
        parts["C what runs"] = lambda: stock(bench, failed)
        took |= in_turns({"C what runs": parts["C what runs"]}, stock_turns, {})
    memory: dict[str, dict[str, int]] = {}
    last: dict[str, Took] = {}
    for name in took:
        print(f"memory: {name}", file=sys.stderr, flush=True)
        with watched(bench, EVERY) as seen:
            last[name] = parts[name]()
        memory[name] = seen.statements
    tables = {key: bench.count(table.name) for key, table in bench.nightly.tables.items()}
    told: dict[str, Any] = {
        "rows": bench.rows,
        "tables": tables,
        "imports_seconds": imported,
        "columns": columns,
        "turns": {name: [each.seconds for each in own] for name, own in took.items()},
        "medians": {name: median(own) for name, own in took.items()},
        "rows_read": {name: own[-1].rows_read for name, own in took.items()},
        "bytes_read": {name: own[-1].bytes_read for name, own in took.items()},
        "memory": {name: max(peaks.values(), default=0) for name, peaks in memory.items()},
        "memory_of_the_scan": memory["B promises"].get(last["B promises"].told["label"], 0),
        "B": last["B promises"].told,
        "C": last["C stock"].told if "C stock" in last else {},
        "D": last["D night"].told,
        "no_stock_counterpart": NO_STOCK,
    }
    for statement in told["D"]["statements"]:
        statement["memory"] = memory["D night"].get(statement.pop("label"), 0)
    return told


def costs(bench: Bench, turns: int) -> dict[str, Any]:
    """What each figure of the scan takes."""
    took = in_turns(figures(bench), turns, {})
    return {
        name: {
            "seconds": median(own)["cpu"],
            "turns": [each.seconds for each in own],
            "bytes_read": own[-1].bytes_read,
        }
        for name, own in took.items()
    }


def report(told: dict[str, Any]) -> Iterator[str]:
    yield "rows: " + ", ".join(f"{key} {count:,}" for key, count in told["tables"].items())
    yield f"the scan's columns: {', '.join(told['columns'])}"
    yield f"great_expectations imported in {told['imports_seconds']:.1f} s, once and in no figure below"
    yield ""
    yield f"{'':12} {'turns':>5} {'whole s':>9} {'server s':>9} {'CPU s':>7} {'rows read':>14} {'bytes read':>16} {'peak MB':>9}"
    for name, seconds in told["medians"].items():
        server, memory = seconds.get("server", seconds["whole"]), told["memory"][name] / 1e6
        yield (
            f"{name:12} {len(told['turns'][name]):5} {seconds['whole']:9.2f} {server:9.2f} {seconds['cpu']:7.2f} "
            f"{told['rows_read'][name]:14,} {told['bytes_read'][name]:16,} {memory:9.0f}"
        )
    medians = told["medians"]
    limit, ours = medians["A limit"]["whole"], medians["B promises"]
    yield ""
    yield f"B/A of the server's CPU: {ours['cpu'] / medians['A limit']['cpu']:.2f}"
    yield f"B/A: whole {ours['whole'] / limit:.2f}, server {ours['server'] / limit:.2f}"
    yield f"server B/A read: {ours['server'] / medians['A read']['whole']:.2f}"
    pairs = zip(told["turns"]["A limit"], told["turns"]["B promises"], strict=True)
    yield "server B/A, turn by turn: " + ", ".join(f"{b['server'] / a['whole']:.2f}" for a, b in pairs)
    if "C stock" in medians:
        named = [name for name in medians if name.startswith("C ")]
        yield from (f"{name}/B: whole {medians[name]['whole'] / ours['whole']:.2f}" for name in named)
    yield "B's parts: " + ", ".join(f"{part} {seconds:.2f} s" for part, seconds in ours.items())
    yield f"B's scan: {told['B']['slots']:,} slots, {told['memory_of_the_scan'] / 1e6:.0f} MB at most"
    yield "B's statuses: " + _counted(told["B"]["statuses"])
    yield ""
    if told["C"]:
        yield f"C: {told['C']['expectations']} expectations, {told['C']['queries']} queries"
        yield from (f"  {name}: {outcome}" for name, outcome in told["C"]["outcomes"].items())
        yield "  slowest:"
        yield from (f"  {q['seconds']:8.2f} s, {q['rows_read']:,} rows: {q['sql']}" for q in told["C"]["slowest"])
        yield "  without a stock counterpart:"
        yield from (f"  - {each}" for each in told["no_stock_counterpart"])
        yield ""
    yield "D's statuses: " + _counted(told["D"]["statuses"])
    yield from (f"  {name}: {each}" for name, each in told["D"]["not ok"].items())
    yield "D's statements (rows read against rows of the table):"
    for each in told["D"]["statements"]:
        there = told["tables"].get(each["key"])
        against = (
            f" of {there:,}" + (f" ({each['rows_read'] / there:.2f} times)" if there else "")
            if there is not None
            else ""
        )
        yield (
            f"  {each['key']:12} {each['statement']:16} {each['seconds']:8.2f} s {each['rows_read']:14,}{against}, "
            f"{each['memory'] / 1e6:.0f} MB"
        )


def costs_report(told: dict[str, Any]) -> Iterator[str]:
    whole, bare = told["the scan"]["seconds"], told["bare"]["seconds"]
    yield f"CPU seconds of the server: the scan {whole:.2f}, with no figure but rows and last {bare:.2f}"
    yield f"{'':28} {'saved without it':>20} {'added by it alone':>20}"
    for name in (each.removeprefix("without ") for each in told if each.startswith("without ")):
        saved, added = whole - told[f"without {name}"]["seconds"], told[f"alone {name}"]["seconds"] - bare
        yield f"{name:28} {saved:8.2f} s ({100 * saved / whole:5.1f} %) {added:8.2f} s ({100 * added / whole:5.1f} %)"


def _counted(statuses: dict[str, str]) -> str:
    return ", ".join(f"{list(statuses.values()).count(each)} {each}" for each in sorted(set(statuses.values())))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.nightly", description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the data here, and use it if it is there")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--stock-turns", type=int, default=1, help="of C, which takes long; 0 leaves it out")
    parser.add_argument("--costs", action="store_true", help="only what each figure of the scan takes")
    parser.add_argument("--json", type=Path, metavar="FILE")
    chosen = parser.parse_args(argv)
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedServer((chosen.keep or Path(folder) / "clickhouse").resolve()) as server,
    ):
        bench = Bench(server.dsn, server.pid, incidents.load(INCIDENT), chosen.rows)
        made = fill(bench)
        print(f"{chosen.rows:,} rows, {made}; load {os.getloadavg()[0]:.1f} at the start", flush=True)
        if chosen.costs:
            told, lines = costs(bench, chosen.turns), costs_report
        else:
            told, lines = measure(bench, chosen.turns, chosen.stock_turns), report
    if chosen.json:
        chosen.json.write_text(json.dumps(told, indent=1, default=str) + "\n")
    print("\n".join(lines(told)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
