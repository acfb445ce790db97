"""The pictures of the dossier show the figures that they are given."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from reports import plots

SVG = "{http://www.w3.org/2000/svg}"
DAYS = [f"2026-01-{day:02d}" for day in range(1, 32)]


def drawn(picture: Markup) -> ElementTree.Element:
    return ElementTree.fromstring(str(picture).replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1))


def bars(picture: Markup) -> list[ElementTree.Element]:
    """Without those of the legend."""
    return drawn(picture).findall(f"{SVG}rect")


def texts(picture: Markup) -> list[str]:
    return [text.text or "" for text in drawn(picture).iter(f"{SVG}text")]


def lengths(picture: Markup, which: str) -> list[float]:
    return [float(bar.get(which) or 0) for bar in bars(picture)]


def test_bars_of_a_day_are_as_high_as_its_figures_and_stand_beside_each_other() -> None:
    picture = plots.bars_by_day("x", DAYS[:2], {"before": [20, 400], "now": [0, 200]}, "rows")
    high = lengths(picture, "height")
    assert [round(each / high[1], 2) for each in high] == [0.05, 1.0, 0.0, 0.5]
    one, two, three, four = lengths(picture, "x")
    assert one < three < two < four
    assert {"before", "now", "rows", "1 Jan", "2 Jan", "400"} <= set(texts(picture))


def test_a_line_over_the_bars_has_a_mark_at_the_height_of_each_figure() -> None:
    picture = plots.bars_by_day("x", DAYS[:3], {"good": [1, 2, 4], "right": [4, 2, 1]}, "rows", line="right")
    tops = lengths(picture, "y")
    marks = [float(mark.get("cy") or 0) for mark in drawn(picture).findall(f"{SVG}circle")]
    assert marks == tops[::-1]


def test_a_bar_of_minutes_is_as_long_as_their_logarithm() -> None:
    picture = plots.durations("x", ["a", "b", "c"], [1, 10, 100], [None, (5, 50), None])
    wide = lengths(picture, "width")
    assert wide[2] - wide[1] == pytest.approx(wide[1] - wide[0], abs=0.2)
    assert {"a", "b", "c", "1", "10", "100", "took", "planned, least to most"} <= set(texts(picture))


def test_a_bar_of_a_unit_is_as_high_as_its_rows_a_second() -> None:
    high = lengths(plots.rate("x", [100, 100, 100], [1.0, 2.0, 0.0]), "height")
    assert [round(each / high[0], 2) for each in high] == [1.0, 0.5, 0.0]


def test_nothing_and_much_are_drawn_too_and_names_are_text() -> None:
    nothing = plots.bars_by_day("x", DAYS[:1], {"a": [0], "b": [0]}, "rows")
    assert lengths(nothing, "height") == [0, 0]
    assert lengths(plots.durations("x", ["a"], [0.0], [None]), "width") == [0]
    assert len(bars(plots.rate("x", range(1, 5_001), [1.0] * 5_000))) == 5_000
    much = plots.bars_by_day("x", DAYS, {"a": [30_000_000 + n for n in range(31)]}, "rows")
    assert "30 M" in texts(much)
    assert [day for day in texts(much) if day.endswith("Jan")] == [f"{day} Jan" for day in range(1, 32, 2)]
    assert "<script>" in texts(plots.durations("x", ["<script>"], [1.0], [None]))


@pytest.mark.parametrize("top", [0, 0.3, 1, 6, 7, 9.9, 10, 99, 1_050, 7_396, 10**9 - 1])
def test_marks_of_an_axis_are_few_round_and_reach_far_enough(top: float) -> None:
    marks = plots._marks(top)
    assert marks[0] == 0
    assert marks[-1] <= top
    assert len(marks) <= 7
    step = marks[1] if len(marks) > 1 else 1
    assert top < marks[-1] + step
    assert str(step).rstrip("0") in ("1", "2", "5")
