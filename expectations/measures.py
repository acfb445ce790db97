"""Measures: what a table's promises come to tonight, as columns of small frames, and how much of each is allowed.

Every measure is a number of which less is better, and is allowed up to `warn` and up to `critical`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pandas as pd

from expectations.scan import Scan, utc
from expectations.volume import Deviation, deviation
from recovery.promises import Alike, Identity, Rows, Volume
from recovery.statements import Column

DAY = timedelta(days=1)
FEW = 4  # a recent day with less than a fourth of the rows of another one is not held against it
JUDGED_DAYS = 7  # a day that is wrong stays so for a week, or until it is mended
COLUMNS, ROWS, UNKNOWN, VALUES, UNMERGED, DOUBLED, ALIKE, GONE, FRESH, VOLUME, AMOUNT, PARITY = (
    "columns", "rows", "unknown", "values", "unmerged", "doubled", "alike", "gone", "fresh", "volume", "amount", "parity",
)  # fmt: skip


@dataclass(frozen=True)
class Measure:
    """`column` of `frame` holds it, a row for each place that it was measured at, `place` says which; no row, or NaN in all of
    them: there was nothing to measure. `examined` is how many rows, or objects, it is about; `allowed` are the values, or the
    pairs of them, that columns may have; `promised` is the promise in the nightly file's words. `detail` goes into the
    history."""

    name: str
    kind: str
    what: str
    frame: pd.DataFrame = field(repr=False)
    column: str
    warn: float
    critical: float
    examined: int
    detail: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    allowed: tuple[Any, ...] = ()
    promised: str = ""

    def worst(self) -> str:
        """The place of the worst value; empty where there is only one."""
        values = self.frame[self.column]
        if "place" not in self.frame or not values.notna().any():
            return ""
        return str(self.frame["place"][values.idxmax()])


def of_columns(key: str, expected: Mapping[str, str], found: tuple[Column, ...]) -> Measure:
    """Whether the table has the columns that are promised, of their types."""
    known = {column.name: column.type for column in found}
    frame = pd.DataFrame({"column": list(expected), "type": [known.get(name, "none") for name in expected]})
    wrong = [
        f"{name} is {known.get(name, 'not there')}, promised {kind}"
        for name, kind in expected.items()
        if known.get(name) != kind
    ]
    return Measure(
        f"{key}.columns",
        COLUMNS,
        "columns that are not there, or of another type",
        frame,
        "type",
        0,
        0,
        len(expected),
        notes=tuple(f"{each}." for each in wrong),
        allowed=tuple(expected.items()),
    )


def of_scan(scan: Scan, before: Mapping[str, Any], *, recent_only: bool) -> list[Measure]:
    """The measures that the nightly file asks for. `before` is what last night's history says of this table's days; where only
    the recent rows were looked at, what needs days is left out."""
    found = [_rows(scan, name, promise) for name, promise in scan.table.rows.items()]
    if scan.table.values:
        frame = scan.slots.groupby("value", as_index=False)["rows"].sum()
        allowed = scan.table.values
        strange = sorted(set(frame["value"]) - set(allowed))
        notes = (f"{', '.join(map(repr, strange))} is not one of {', '.join(allowed)}.",) if strange else ()
        found.append(
            Measure(
                f"{scan.key}.values",
                VALUES,
                f"values of {scan.table.by} that are not known",
                frame,
                "value",
                0,
                0,
                scan.rows,
                notes=notes,
                allowed=tuple(allowed),
            )
        )
    found += [_fresh(scan, value) for value in scan.table.fresh]
    found += _identities(scan, before, recent_only)
    if scan.table.alike:
        found.append(_alike(scan, scan.table.alike))
    if scan.table.volume and not recent_only:
        found += _volumes(scan, scan.table.volume)
    return found


def _rows(scan: Scan, name: str, promise: Rows) -> Measure:
    every, bad = f"all_{name}", f"bad_{name}"
    slots = scan.slots
    if promise.of:
        slots = slots[slots["value"].isin(promise.of)]
    if promise.over in ("hour", "recent_hour"):
        frame = slots[slots[every] > 0].assign(place=lambda each: _places(scan, each))
        over = "each hour, or day before them" if promise.over == "hour" else "each recent hour"
    else:
        frame = slots.groupby("value", as_index=False)[[every, bad]].sum()
        frame = frame[frame[every] > 0].assign(place=lambda each: each["value"])
        over = "the recent ones" if promise.over == "recent" and scan.table.time else "all of them"
    frame = frame.assign(percent=100.0 * frame[bad] / frame[every])
    rows, wrong = int(frame[every].sum()), int(frame[bad].sum())
    without = sorted(set(promise.of or ()) - set(frame["value"]))
    notes = (f"There are no rows of {', '.join(without)} to look at.",) if without and rows else ()
    unknown = promise.unknown
    wanted = promise.wrong or (f"{unknown.column} is no {unknown.key} of {unknown.table}" if unknown else "")
    warn, critical = promise.percent
    where = f", where {promise.where}" if promise.where else ""
    kind = ROWS if promise.wrong else UNKNOWN
    return Measure(
        f"{scan.key}.{name}", kind, "percent of rows that break it", frame, "percent", warn, critical,
        rows, {"rows": rows, "wrong": wrong}, notes, promised=f"of {over}{where}: none where {wanted}",
    )  # fmt: skip


def _places(scan: Scan, slots: pd.DataFrame) -> list[str]:
    """Value and time of each slot."""
    return [
        f"{value} {utc(slot) if recent else f'{slot:%Y-%m-%d}'}".strip()
        for value, slot, recent in zip(slots["value"], slots["slot"], slots["recent"], strict=True)
    ]


def _fresh(scan: Scan, value: str) -> Measure:
    last = scan.slots if value == "*" else scan.slots[scan.slots["value"] == value]
    moment = pd.Timestamp(scan.span.now)
    since = last["last"].max() if len(last) else pd.Timestamp(scan.span.since)
    minutes = (moment - since).total_seconds() / 60
    warn, critical = scan.table.fresh[value]
    name = f"{scan.key}.fresh" + ("" if value == "*" else f".{value}")
    told = f"its last row is of {utc(since)} UTC" if len(last) else f"it has no row since {utc(since)} UTC"
    frame = pd.DataFrame({"minutes": [minutes], "place": [""]})
    return Measure(
        name,
        FRESH,
        "minutes since the last row",
        frame,
        "minutes",
        warn,
        critical,
        scan.rows,
        notes=(f"{told[0].upper()}{told[1:]}.",),
    )


def _identities(scan: Scan, before: Mapping[str, Any], recent_only: bool) -> list[Measure]:
    identity = scan.table.identity
    if identity is None:
        return []
    slots = scan.slots[scan.slots["counted"] > 0]
    hours = slots.assign(doubled=slots["keys"] - slots["identities"], place=_places(scan, slots))
    days = slots.assign(
        place=[_day(scan, *each) for each in zip(slots["value"], slots["slot"], slots["recent"], strict=True)]
    )
    days = days.groupby(["value", "recent", "place"], as_index=False)[["counted", "keys"]].sum()
    most = days.groupby(["value", "recent"])["counted"].transform("max")
    enough = (days["recent"] == 0) | (days["counted"] * FEW >= most)  # a writer may stand still
    days = days[enough].reset_index(drop=True)
    days = days.assign(unmerged=100.0 * (days["counted"] - days["keys"]) / days["counted"])
    counted = int(slots["counted"].sum())
    sampled = (
        f" (of rows before {utc(scan.span.recent)} UTC one identity in {identity.sample})"
        if identity.sample > 1
        else ""
    )
    found = [
        Measure(
            f"{scan.key}.unmerged", UNMERGED, "percent of the rows of a day that a merge will take away", days,
            "unmerged", *identity.unmerged_percent, counted, promised=sampled,
        ),
        Measure(
            f"{scan.key}.doubled", DOUBLED, "identities of an hour, or day, with several keys", hours, "doubled",
            *identity.doubled, counted, promised=sampled,
        ),
    ]  # fmt: skip
    if identity.gone_percent and not recent_only:
        found.append(_gone(scan, before, *identity.gone_percent))
    return found


def _day(scan: Scan, value: str, slot: pd.Timestamp, recent: int) -> str:
    """What rows are counted together: of recent ones those of a value in a whole day, so that none is judged by a single hour;
    of the others, which are sampled, all of a day."""
    if not recent:
        return f"{slot:%Y-%m-%d}"
    last = max(1, scan.table.recent_hours // 24) - 1
    day = min(last, int((slot - pd.Timestamp(scan.span.recent)) / DAY))
    start = scan.span.recent + day * DAY
    return f"{value} {utc(start)} to {utc(scan.span.now if day == last else start + DAY)}".strip()


def _alike(scan: Scan, alike: Alike) -> Measure:
    """Rows that repeat another one."""
    slots = scan.slots[scan.slots["alike_rows"] > 0]
    again = (slots["alike_rows"] - slots["alike"]).clip(lower=0)
    rows, repeats = int(slots["alike_rows"].sum()), int(again.sum())
    frame = slots.assign(repeats=100.0 * again / slots["alike_rows"], place=_places(scan, slots))
    notes = (f"{repeats:,} of {rows:,} rows repeat another.",) if repeats else ()
    return Measure(
        f"{scan.key}.alike", ALIKE, "percent of the rows of an hour, or day, that are there again", frame, "repeats",
        *alike.percent, rows, {"rows": rows, "repeats": repeats}, notes,
        promised=f"{', '.join(alike.columns)} once",
    )  # fmt: skip


def _gone(scan: Scan, before: Mapping[str, Any], warn: float, critical: float) -> Measure:
    """Identities of a day that was over by last night and that are there no more. What a day had before is remembered for some
    nights, so that a loss is not taken for what is usual the night after."""
    assert scan.table.identity
    days = scan.slots.groupby(scan.slots["slot"].dt.strftime("%Y-%m-%d"))["sampled"].sum()
    now = {str(day): int(count) for day, count in days.items()}
    today, looked = f"{scan.span.now:%Y-%m-%d}", _sampling(scan.table.identity)
    earlier = before.get("days", {}) if before.get("looked") == looked else {}
    earlier = {day: int(count) for day, count in earlier.items() if day >= f"{scan.span.since:%Y-%m-%d}" and count}
    gone = {day: max(0.0, 100.0 * (count - now.get(day, 0)) / count) for day, count in sorted(earlier.items())}
    notes = () if gone else ("The history has nothing of the days before to compare with; the next night has.",)
    frame = pd.DataFrame({"place": list(gone) or ["no day"], "gone": list(gone.values()) or [0.0]})
    since = {day: before.get("since", {}).get(day, today) for day, percent in gone.items() if percent > warn}
    remembered = f"{scan.span.now - JUDGED_DAYS * DAY:%Y-%m-%d}"
    since = {day: first for day, first in since.items() if first > remembered}
    closed = {day: count for day, count in now.items() if day < today} | {day: earlier[day] for day in since}
    return Measure(
        f"{scan.key}.gone", GONE, "percent of a day's identities that are there no more", frame, "gone", warn, critical,
        scan.rows, {"days": closed, "since": since, "looked": looked}, notes,
    )  # fmt: skip


def _sampling(identity: Identity) -> str:
    """What was counted; figures of another sample, or of other columns, are no match."""
    return f"{', '.join(identity.columns)}; 1 in {identity.sample}"


def _volumes(scan: Scan, volume: Volume) -> list[Measure]:
    """The last days that are over, by value of `by`, against their own history."""
    last = (scan.span.now - timedelta(hours=volume.settle_hours)).date() - timedelta(days=1)
    days = pd.DataFrame(
        {
            "day": scan.slots["slot"].dt.date,
            "value": scan.slots["value"],
            "rows": scan.slots["rows"],
            "amount": scan.slots.get("amount", 0.0),
            "amounts": scan.slots.get("amounts", 0),
        }
    )
    found = []
    for value in volume.of or scan.table.values or ("",):
        own = (days[days["value"] == value] if value else days).groupby("day")[["rows", "amount", "amounts"]].sum()
        rows = {day: float(count) for day, count in own["rows"].items()}
        name = f"{scan.key}.volume" + (f".{value}" if value else "")
        judged = _judged(rows, last, least=0.5)
        found.append(
            _volume(
                name,
                VOLUME,
                "times more or fewer rows in a day than its history says",
                judged,
                volume.times,
                int(sum(rows.values())),
                last,
            )
        )
        if volume.amount:
            means = {day: abs(float(each.amount / each.amounts)) for day, each in own.iterrows() if each.amounts}
            judged = _judged(means, last, least=1e-9, known=means)
            name = f"{scan.key}.amount" + (f".{value}" if value else "")
            found.append(
                _volume(
                    name,
                    AMOUNT,
                    "times more or less in the mean of a day than its history says",
                    judged,
                    volume.amount_times,
                    int(sum(rows.values())),
                    last,
                )
            )
    return found


def _judged(
    history: Mapping[date, float], last: date, *, least: float, known: Mapping[date, float] | None = None
) -> dict[date, Deviation]:
    """The last days' deviations; those of `known` days alone, where it is given."""
    days = [last - timedelta(days=n) for n in range(JUDGED_DAYS)]
    past = {day: value for day, value in history.items() if day <= last}
    return {
        day: found
        for day in sorted(days)
        if (known is None or day in known) and (found := deviation(past, day, least=least))
    }


def _volume(
    name: str, kind: str, what: str, judged: Mapping[date, Deviation], bounds: list[float], examined: int, last: date
) -> Measure:
    frame = pd.DataFrame(
        [
            {
                "place": f"{day.isoformat()}: {found.actual:,.6g} where {found.expected:,.6g} was to be expected",
                "times": found.times,
            }
            for day, found in judged.items()
        ],
        columns=["place", "times"],
    )
    notes: tuple[str, ...] = ()
    if frame.empty:
        frame = pd.DataFrame({"place": ["no day"], "times": [1.0]})
        notes = (f"Less than a week is known before {last.isoformat()}: only that there are rows was looked at.",)
    return Measure(name, kind, what, frame, "times", *bounds, examined, notes=notes)


def details(measure: Measure, worst: str) -> str:
    """What the history keeps of a measure besides its number, as JSON."""
    return json.dumps({"worst": worst, **measure.detail}, sort_keys=True)
