"""docs/performance.md from what a benchmark left as JSON: the bar, and each task with its alternatives, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from string import Template
from typing import Any

TEMPLATE = Path(__file__).parent / "performance.template.md"
SHOWN_PARTS = 12  # of where the time of a part goes, the longest


def render(told: dict[str, Any]) -> str:
    machine, versions = told["machine"], told["versions"]
    return Template(TEMPLATE.read_text("utf-8")).substitute(
        rows=f"{told['rows']:,}",
        growth=f" and, for the growth, {told['quarter_rows']:,}" if told["quarter_rows"] else "",
        date=told["date"],
        machine=f"{machine['processors']} processors, {machine['memory'] / 2**30:.0f} GiB of memory, load "
        f"{machine['load']:.1f} before it began",
        versions=", ".join(f"{name} {version}" for name, version in versions.items()),
        tables=_table(("table", "rows"), ((name, f"{rows:,}") for name, rows in told["tables"].items() if rows)),
        bars="\n".join(_bars(told["bars"])),
        tasks="\n".join(line for name, task in told["tasks"].items() for line in _task(name, task)).strip(),
        overhead="\n".join(_overhead(told["overhead"])),
    )


def _bars(bars: Sequence[dict[str, Any]]) -> Iterator[str]:
    rows = []
    for bar in bars:
        asked = bar.get("asked") or (f"≤ {bar['at_most']:g}" if "at_most" in bar else f"≥ {bar['at_least']:g}")
        best = f" ({bar['best']:g})" if "best" in bar else ""
        said = {None: "", True: "reached", False: "MISSED"}[bar.get("reached")]
        said = "not measured" if bar["value"] is None else said
        rows.append((bar["text"], asked + best, _number(bar["value"]), _number(bar["cpu"]), said))
    yield _table(("what", "bar (best)", "measured", "in CPU", ""), rows)


def _task(name: str, task: dict[str, Any]) -> Iterator[str]:
    yield f"### {name.capitalize() if name != 'fifo' else 'FIFO'}\n"
    yield f"{task['sentence']}\n"
    parts = task["parts"]
    yield _table(
        ("way", "turns", "s", "CPU s", "memory MB", "process MB", "rows read", "rows written", "for 4 times the rows"),
        (_row(way, part) for way, part in parts.items()),
    )
    yield ""
    for way, part in parts.items():
        if "error" in part:
            yield f"- {way} failed: {part['error']}"
        if told := list(_told(part)):
            yield f"- {way}: {'; '.join(told)}."
    yield ""


def _row(way: str, part: dict[str, Any]) -> tuple[str, ...]:
    if "medians" not in part:
        return (way, "0", *["-"] * 7)
    own = part["medians"]
    growth = f"{_number(part['growth'])} (memory {_number(part['memory_growth'])})" if "growth" in part else ""
    return (
        way, str(own["turns"]), f"{own['seconds']['whole']:.2f}", f"{own['seconds']['cpu']:.2f}",
        f"{own['memory'] / 1e6:,.0f}", f"{own['process'] / 1e6:,.0f}", f"{own['rows_read']:,}", f"{own['rows_written']:,}",
        growth,
    )  # fmt: skip


def _told(part: dict[str, Any]) -> Iterator[str]:
    """Where the time of a part goes, the range of its turns, and what it says of itself."""
    if not part.get("turns"):
        return
    own, last = part["medians"], part["turns"][-1]["told"]
    turns = sorted(turn["seconds"]["whole"] for turn in part["turns"])
    if len(turns) > 1:
        yield f"{turns[0]:.2f} to {turns[-1]:.2f} s"
    pieces = {name: seconds for name, seconds in own["seconds"].items() if name not in ("whole", "cpu")}
    longest = sorted(pieces, key=lambda name: -pieces[name])[:SHOWN_PARTS]
    if longest:
        yield ", ".join(f"{name} {pieces[name]:.2f} s" for name in longest)
    if rows := last.get("rows"):
        yield f"{rows:,} rows, {rows / own['seconds']['whole']:,.0f} a second"
    if "disk_share" in own and own["disk"]:
        yield f"{own['disk'] / 1e6:,.0f} MB of disk more meanwhile, {100 * own['disk_share']:.1f} % of the partitions"
    if "outcomes" in last:
        yield f"{last['queries']} queries; " + ", ".join(f"{count} {what}" for what, count in last["outcomes"].items())
    shown = ("identities", "conditions", "longs", "shorts")
    if figures := [f"{last[name]:,} {name}" for name in shown if name in last]:
        yield ", ".join(figures)


def _overhead(told: dict[str, Any]) -> Iterator[str]:
    if "error" in told:
        yield f"Not measured: {told['error']}"
        return
    rows = []
    for name, each in told.items():
        said = "" if each["limit"] is None else "reached" if each["wall"] <= each["limit"] else "MISSED"
        asked = "" if each["limit"] is None else f"≤ {each['limit']:g}"
        rows.append((name, asked, f"{each['wall']:.2f}", f"{each['cpu']:.2f}", said))
    yield _table(("process", "bar, s", "s", "CPU s", ""), rows)


def _number(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
