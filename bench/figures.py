"""What the turns of a benchmark say: medians, growth, and each bar with what is reached of it."""

from __future__ import annotations

import math
import statistics
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BARS: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "bars.toml").read_text("utf-8"))["bar"]
GROWTHS = ("growth", "memory_growth")
PEAKS = ("memory", "process", "disk")  # of which the most counts
Told = dict[str, Any]


def of_turns(turns: Sequence[Mapping[str, Any]]) -> Told:
    """The medians of a part's turns, and the most of what it held."""
    names = turns[0]["seconds"]
    figures: Told = {
        "turns": len(turns),
        "seconds": {name: statistics.median(each["seconds"][name] for each in turns) for name in names},
    }
    for name in ("rows_read", "bytes_read", "rows_written"):
        figures[name] = int(statistics.median(each[name] for each in turns))
    for name in PEAKS:
        figures[name] = max(each[name] for each in turns)
    if partition := turns[-1]["told"].get("partition"):
        figures["disk_share"] = figures["disk"] / partition
    return figures


def of_part(part: Told) -> Told:
    """The part with its medians, those at a quarter of the rows, and how it grows from these."""
    told: Told = {key: part[key] for key in ("turns", "quarter", "error") if key in part}
    if part.get("turns"):
        told["medians"] = of_turns(part["turns"])
    if part.get("quarter"):
        told["quarter_medians"] = of_turns(part["quarter"])
    if "medians" in told and "quarter_medians" in told:
        much, little = told["medians"], told["quarter_medians"]
        told["growth"] = ratio(much["seconds"]["whole"], little["seconds"]["whole"])
        told["cpu_growth"] = ratio(much["seconds"]["cpu"], little["seconds"]["cpu"])
        told["memory_growth"] = ratio(much["memory"], little["memory"])
    return told


def of_bars(told: Mapping[str, Any]) -> list[Told]:
    """Each bar that is for so many rows, with what is reached; without a value where what it compares was not measured."""
    return [_of_bar(told["tasks"], bar) for bar in BARS if bar["task"] in told["tasks"] and _is_for(told, bar)]


def _is_for(told: Mapping[str, Any], bar: Told) -> bool:
    grows = bar.get("figure") in GROWTHS
    return bar.get("from_rows", 0) <= told["rows"] < bar.get("to_rows", math.inf) and bool(
        told["quarter_rows"] or not grows
    )


def _of_bar(tasks: Mapping[str, Told], bar: Told) -> Told:
    parts, figure = tasks[bar["task"]]["parts"], bar.get("figure", "seconds")
    own, other = parts.get(bar["part"], {}), bar.get("per") or bar.get("times")
    value = cpu = None
    if other:
        value, cpu = (_compared(own, parts.get(other, {}), name, "times" in bar) for name in ("whole", "cpu"))
    elif figure in GROWTHS:
        value, cpu = own.get(figure), own.get("cpu_growth") if figure == "growth" else None
    elif figure in own.get("medians", {}):
        value = own["medians"][figure] / bar.get("unit", 1)
    told = dict(bar) | {"value": value, "cpu": cpu}
    if value is not None and "asked" not in bar:
        told["reached"] = value <= bar["at_most"] if "at_most" in bar else value >= bar["at_least"]
    return told


def _compared(own: Told, other: Told, name: str, times: bool) -> float | None:
    if "medians" not in own or "medians" not in other:
        return None
    ours, theirs = own["medians"]["seconds"][name], other["medians"]["seconds"][name]
    return ratio(theirs, ours) if times else ratio(ours, theirs)


def ratio(much: float, little: float) -> float | None:
    return much / little if little else None
