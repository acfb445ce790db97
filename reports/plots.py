"""Plots: figures of the dossier as inline SVG, in the colours of the page, to be told apart in black and white too."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

from markupsafe import Markup, escape

WIDE, HIGH = 662, 209  # of a picture, which the page scales to its width
LEFT, RIGHT, TOP, BOTTOM = 50, 659, 29, 173  # of what is inside the axes
HATCHES = ("", "M-1 7L7 -1M-1 1L1 -1M5 7L7 5", "M-1 -1L7 7M5 -1L7 1M-1 5L1 7")  # over a series' colour
SERIES = ("one", "two", "three")
LETTER = 4.9  # how wide a letter is about
GAP = 34  # between the beginnings of two labels of days, at least


def bars_by_day(
    name: str, days: Sequence[str], series: Mapping[str, Sequence[int]], axis: str, line: str = ""
) -> Markup:
    """Bars side by side for each day; the series called `line`, where there is one, as marks joined by a line over them."""
    bars = [label for label in series if label != line]
    drawn, height = _heights([value for values in series.values() for value in values], axis)
    step = (RIGHT - LEFT) / max(1, len(days))
    width = 0.8 * step / max(1, len(bars))
    legend = []
    for number, label in enumerate(bars):
        fill = _fill(name, number)
        begins = LEFT + 0.1 * step + number * width
        drawn += [
            _bar(begins + place * step, height(value), 0.96 * width, fill) for place, value in enumerate(series[label])
        ]
        legend.append((label, f'<rect y="-7" width="18" height="7" {fill}/>'))
    if line:
        points = [(LEFT + (place + 0.5) * step, height(value)) for place, value in enumerate(series[line])]
        drawn.append(_line(points, "ink", 1.2))
        drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" style="fill: var(--ink)"/>' for x, y in points]
        mark = '<circle cx="9" cy="-3.5" r="2" style="fill: var(--ink)"/>'
        legend.append((line, _line([(0, -3.5), (18, -3.5)], "ink", 1.2) + mark))
    every = math.ceil(GAP / step)
    drawn += [
        _text(LEFT + (place + 0.5) * step, BOTTOM + 14, _short(day))
        for place, day in enumerate(days)
        if place % every == 0
    ]
    return _svg(name, drawn, legend)


def durations(
    name: str, phases: Sequence[str], minutes: Sequence[float], planned: Sequence[tuple[float, float] | None]
) -> Markup:
    """How long each phase took, as bars, and the least and the most that the plan gave it, as a line: minutes, on a
    logarithmic scale."""
    there = [value for value in (*minutes, *(end for limits in planned for end in limits or ())) if value > 0] or [1.0]
    low, high = math.log10(min(there) / 2), math.log10(max(there) * 1.5)

    def place(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * (max(low, math.log10(value) if value > 0 else low) - low) / (high - low)

    drawn = []
    for power in range(math.ceil(low), math.floor(high) + 1):
        x = place(10**power)
        drawn += [_line([(x, TOP), (x, BOTTOM)], "rule", 0.6), _text(x, BOTTOM + 14, f"{10**power:,g}")]
    drawn.append(_text((LEFT + RIGHT) / 2, BOTTOM + 28, "minutes, logarithmic"))
    step = (BOTTOM - TOP) / max(1, len(phases))
    for number, (phase, took, limits) in enumerate(zip(phases, minutes, planned, strict=True)):
        y = TOP + (number + 0.5) * step
        high_bar = 0.55 * step
        drawn.append(_rect(LEFT, y - high_bar / 2, place(took) - LEFT, high_bar, _fill(name, 0)))
        drawn.append(_text(LEFT - 5, y + 3, phase, "end"))
        if limits:
            least, most = map(place, limits)
            drawn += [_line([(least, y), (most, y)], "ink", 2)]
            drawn += [_line([(x, y - 5), (x, y + 5)], "ink", 1) for x in (least, most)]
    legend = [("took", f'<rect y="-7" width="18" height="7" {_fill(name, 0)}/>')]
    if any(planned):
        ends = "".join(_line([(x, -7), (x, 0)], "ink", 1) for x in (0, 18))
        legend.append(("planned, least to most", _line([(0, -3.5), (18, -3.5)], "ink", 2) + ends))
    return _svg(name, drawn, legend)


def rate(name: str, rows: Sequence[int], seconds: Sequence[float]) -> Markup:
    """Rows a second of each unit, in order."""
    values = [written / took if took else 0 for written, took in zip(rows, seconds, strict=True)]
    drawn, height = _heights(values, "rows a second")
    step = (RIGHT - LEFT) / max(3, len(values))
    drawn += [
        _bar(LEFT + (n + 0.15) * step, height(value), 0.7 * step, _fill(name, 0)) for n, value in enumerate(values)
    ]
    drawn += [_text(LEFT + (n - 0.5) * step, BOTTOM + 14, f"{n:,}") for n in _marks(len(values)) if n]
    drawn.append(_text((LEFT + RIGHT) / 2, BOTTOM + 28, "unit"))
    return _svg(name, drawn, [])


def _marks(top: float) -> list[int]:
    """At most seven round whole numbers from 0 to `top`."""
    step = 10 ** max(0, math.floor(math.log10(max(1, top))) - 1)
    step *= next(times for times in (1, 2, 5, 10, 20, 50) if top / (step * times) < 7)
    return list(range(0, math.floor(top) + 1, step))


def _heights(values: Iterable[float], axis: str) -> tuple[list[str], Callable[[float], float]]:
    """The upright axis from 0 on with its grid, and where on it a value lies."""
    top = max(values, default=0) * 1.05 or 1

    def height(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * value / top

    drawn = [_line([(LEFT, height(mark)), (RIGHT, height(mark))], "rule", 0.6) for mark in _marks(top)]
    drawn += [
        _text(LEFT - 5, height(mark) + 3, f"{mark / 10**6:,g} M" if top > 10**6 else f"{mark:,}", "end")
        for mark in _marks(top)
    ]
    x, y = 9, (TOP + BOTTOM) / 2
    drawn.append(f'<text x="{x}" y="{y:g}" transform="rotate(-90 {x} {y:g})">{escape(axis)}</text>')
    return drawn, height


def _fill(name: str, number: int) -> str:
    """The colour of a series, with its hatching."""
    series = SERIES[number % len(SERIES)]
    return f'style="fill: url(#{name}-{series})"' if HATCHES[number % len(SERIES)] else f'style="fill: var(--{series})"'


def _bar(x: float, y: float, width: float, fill: str) -> str:
    return _rect(x, y, width, BOTTOM - y, fill)


def _rect(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" {fill}/>'


def _line(points: Sequence[tuple[float, float]], colour: str, width: float) -> str:
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path d="M{path}" style="fill: none; stroke: var(--{colour}); stroke-width: {width}"/>'


def _text(x: float, y: float, text: str, anchor: str = "") -> str:
    placed = f' style="text-anchor: {anchor}"' if anchor else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{placed}>{escape(text)}</text>'


def _svg(name: str, drawn: Sequence[str], legend: Sequence[tuple[str, str]]) -> Markup:
    """One <svg> element, its ids begun with `name`: axes and what is drawn in them, and the legend above where there are several
    series."""
    hatched = "".join(
        f'<pattern id="{name}-{series}" width="6" height="6" patternUnits="userSpaceOnUse">'
        f'<path d="M0 0H6V6H0Z" style="fill: var(--{series})"/>'
        f'<path d="{hatch}" style="fill: none; stroke: var(--paper); stroke-width: 0.8"/></pattern>'
        for series, hatch in zip(SERIES, HATCHES, strict=True)
        if hatch
    )
    axes = _line([(LEFT, TOP), (LEFT, BOTTOM), (RIGHT, BOTTOM)], "rule", 0.8)
    widths = [24 + LETTER * len(label) + 16 for label, _ in legend]
    x, above = (LEFT + RIGHT - sum(widths) + 16) / 2, []
    for (label, mark), width in zip(legend, widths, strict=True):
        if len(legend) > 1:
            above.append(f'<g transform="translate({x:.1f} 18)">{mark}{_text(24, 0, label, "start")}</g>')
        x += width
    style = "font-family: inherit; font-size: 9px; fill: var(--soft); text-anchor: middle"
    inner = "\n".join([f"<defs>{hatched}</defs>", *drawn, axes, *above])
    return Markup(f'<svg viewBox="0 0 {WIDE} {HIGH}" aria-hidden="true" style="{style}">\n{inner}\n</svg>')


def _short(day: str) -> str:
    return f"{date.fromisoformat(day):%d %b}".lstrip("0")
