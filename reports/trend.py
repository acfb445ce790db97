"""Trend: a nightly check over thirty days, as a row of bars, a day each, and since when it is as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from markupsafe import Markup

from reports.story import CheckOutcome, PhaseOutcome

DAYS, WIDTH, HEIGHT = 30, 5, 26  # of a bar: its width and the height of all, in pixels
BAD = ("CRITICAL", "WARNING")


@dataclass(frozen=True)
class Trend:
    """`days` are the worst of each day, today's result among them; `metric` is None where there was nothing to measure."""

    name: str
    check: CheckOutcome
    status: str
    metric: float | None
    warn: float
    critical: float
    days: Mapping[date, tuple[float, str]]
    today: date

    @property
    def since(self) -> str:
        """The first of the days on end that are as today is, as far as they are known."""
        first = self.today
        for day in sorted(self.days, reverse=True):
            if day < self.today and self.days[day][1] != self.status:
                return f"since {first.isoformat()}"
            first = min(first, day)
        return f"since {first.isoformat()} or earlier" if first < self.today else "no earlier result"

    @property
    def bars(self) -> Markup:
        """A bar a day, as high as what was found; critical ones in the colour of NO-GO, the first of those on end marked."""
        values = [value for value, _ in self.days.values() if value == value]
        top = max([self.critical, self.warn, *values], default=0) or 1.0
        parts, begun = [], False
        for number in range(DAYS):
            day = self.today - timedelta(days=DAYS - 1 - number)
            x = number * WIDTH
            if day not in self.days:
                parts.append(f'<rect x="{x}" y="{HEIGHT - 1}" width="{WIDTH - 1}" height="1" class="none"/>')
                begun = False
                continue
            value, status = self.days[day]
            height = max(2.0, (HEIGHT - 4) * min(1.0, value / top)) if value == value else HEIGHT - 4
            shown = f"{value:,.6g}" if value == value else "nothing measured"
            parts.append(
                f'<rect x="{x}" y="{HEIGHT - height:.1f}" width="{WIDTH - 1}" height="{height:.1f}" class="{status.lower()}">'
                f"<title>{day.isoformat()}: {status}, {shown}</title></rect>"
            )
            if status == "CRITICAL" and not begun:
                parts.append(f'<path d="M{x} 0h{WIDTH - 1}l-{(WIDTH - 1) / 2} 3z" class="first"/>')
            begun = status == "CRITICAL"
        label = f"{DAYS} days to {self.today.isoformat()}: {self.status} {self.since}"
        return Markup(
            f'<svg class="spark" role="img" aria-label="{label}" width="{DAYS * WIDTH}" height="{HEIGHT}" '
            f'viewBox="0 0 {DAYS * WIDTH} {HEIGHT}">{"".join(parts)}</svg>'
        )


def trends(phase: PhaseOutcome, today: date) -> list[Trend]:
    """The results of a guard's checks, those that are critical first."""
    found = []
    for check in phase.checks:
        for name, metric, warn, critical, status, *_ in check.results:
            days = _days(check.found.get("trend", {}).get(name, ()))
            value = float("nan") if metric is None else float(metric)
            days[today] = (value, status)
            found.append(Trend(name, check, status, metric, warn, critical, days, today))
    return sorted(found, key=lambda each: BAD.index(each.status) if each.status in BAD else len(BAD))


def _days(rows: Sequence[Mapping[str, Any]]) -> dict[date, tuple[float, str]]:
    return {
        date.fromisoformat(row["day"]): (float("nan") if row["metric"] is None else float(row["metric"]), row["status"])
        for row in rows
    }
