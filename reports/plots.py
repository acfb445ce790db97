"""Plots: figures of the dossier as inline SVG, in the colours of the page, to be told apart in black and white too."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

# Drawn in these colours, which stand for variables of the page's style.
COLOURS = {
    "#0a0001": "ink",
    "#0a0002": "soft",
    "#0a0003": "rule",
    "#0a0004": "one",
    "#0a0005": "two",
    "#0a0006": "three",
    "#0a0007": "paper",
}
INK, SOFT, RULE, ONE, TWO, THREE, PAPER = COLOURS
SERIES = ((ONE, ""), (TWO, "////"), (THREE, "\\\\"))
STYLE: dict[str, Any] = {
    "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9, "text.color": INK, "axes.edgecolor": RULE,
    "axes.labelcolor": SOFT, "xtick.color": SOFT, "ytick.color": SOFT, "axes.facecolor": "none", "figure.facecolor": "none",
    "grid.color": RULE, "grid.linewidth": 0.6, "axes.axisbelow": True, "hatch.linewidth": 0.8, "hatch.color": PAPER,
    "legend.frameon": False, "axes.spines.top": False, "axes.spines.right": False, "patch.linewidth": 0.6,
}  # fmt: skip
# Whatever matplotlibrc says on a machine, the same bytes are to be made.
BASE = {
    name: value for name, value in matplotlib.rcParamsDefault.items() if name not in ("backend", "timezone", "toolbar")
}
WIDE, HIGH = 9.2, 2.9  # inches


def bars_by_day(
    name: str, days: Sequence[str], series: Mapping[str, Sequence[int]], axis: str, line: str = ""
) -> Markup:
    """Bars side by side for each day; the series called `line`, where there is one, as marks joined by a line over them."""
    figure, axes = _axes(name)
    bars = [label for label in series if label != line]
    width = 0.8 / max(1, len(bars))
    for number, label in enumerate(bars):
        places = [place + (number - (len(bars) - 1) / 2) * width for place in range(len(days))]
        colour, hatch = SERIES[number % len(SERIES)]
        axes.bar(places, series[label], width, label=label, color=colour, hatch=hatch, edgecolor=PAPER)
    if line:
        axes.plot(range(len(days)), series[line], color=INK, marker="o", markersize=4, linewidth=1.2, label=line)
    axes.set_xticks(range(len(days)), [_short(day) for day in days])
    axes.set_ylabel(axis)
    axes.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
    return _svg(figure, name)


def durations(
    name: str, phases: Sequence[str], minutes: Sequence[float], planned: Sequence[tuple[float, float] | None]
) -> Markup:
    """How long each phase took, as bars, and the least and the most that the plan gave it, as a line: minutes, on a
    logarithmic scale."""
    figure, axes = _axes(name)
    low = min([value for value in minutes if value > 0] or [1.0]) / 2
    axes.barh(range(len(phases)), minutes, 0.55, left=0, color=ONE, edgecolor=PAPER, label="took")
    for place, limits in enumerate(planned):
        if limits:
            axes.plot(
                limits,
                [place, place],
                color=INK,
                marker="|",
                markersize=10,
                linewidth=2,
                label="planned, least to most",
            )
    axes.set_xscale("log")
    axes.set_xlim(left=low)
    axes.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.set_yticks(range(len(phases)), phases)
    axes.invert_yaxis()
    axes.set_xlabel("minutes, logarithmic")
    axes.grid(axis="x")
    return _svg(figure, name)


def rate(name: str, rows: Sequence[int], seconds: Sequence[float]) -> Markup:
    """Rows a second of each unit, in order."""
    figure, axes = _axes(name)
    values = [written / took if took else 0 for written, took in zip(rows, seconds, strict=True)]
    axes.bar(range(1, len(values) + 1), values, 0.7, color=ONE, edgecolor=PAPER, label="rows a second")
    axes.set_xlabel("unit")
    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_ylabel("rows a second")
    axes.set_xlim(0.4, max(3, len(values)) + 0.6)
    axes.grid(axis="y")
    return _svg(figure, name)


def _axes(name: str) -> tuple[Figure, Any]:
    with matplotlib.rc_context({**BASE, **STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(WIDE, HIGH))
        figure.subplots_adjust(left=0.075, right=0.995, top=0.86, bottom=0.17)
        FigureCanvasSVG(figure)
        return figure, figure.subplots()


def _svg(figure: Figure, name: str) -> Markup:
    """The figure as one <svg> element without anything that a second drawing would not have, its ids begun with `name`."""
    axes = figure.axes[0]
    with matplotlib.rc_context({**BASE, **STYLE, "svg.hashsalt": name}):
        named = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        if len(named) > 1:
            axes.legend(named.values(), named.keys(), loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Type": None, "Format": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*|<style.*?</style>", "", text, flags=re.S)
    text = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', text, count=1)
    text = re.sub(r"font-family: [^;\"]*", "font-family: inherit", text)
    text = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", text).replace("xlink:href", "href")
    for colour, variable in COLOURS.items():
        text = text.replace(colour, f"var(--{variable})")
    return Markup(text.strip())


def _short(day: str) -> str:
    return f"{date.fromisoformat(day):%d %b}".lstrip("0")
