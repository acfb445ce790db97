"""Dossier page: the whole recovery as one self-contained HTML file, which carries the ledger that it was made from.

The same bytes of a ledger give the same bytes of a page, so that anybody can make it again and compare.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from typing import Any

from markupsafe import Markup

from recovery import ledger, standing
from recovery.errors import UsageError
from recovery.evidence import GO, NO_GO
from recovery.ledger import Line
from recovery.standing import STOPPED, UNFINISHED
from reports import dossier, page, plots
from reports.dossier import BACKFILLS, NOT_RECOVERED, TAMPERED, Dossier
from reports.story import CheckOutcome, Query

NAME = "the ledger"  # on the page, wherever it lies
MADE_BY = ("clickhouse-recovery", "jinja2", "matplotlib")  # other versions may make other bytes
ORDER = (
    "rows", "identities", "identities in the source", "good rows", "broken rows", "without a right row", "superseded rows",
    "duplicates", "orphans", "rows in quarantine", "lots", "shorts", "cost", "profit",
)  # fmt: skip


@dataclass(frozen=True)
class Plot:
    """A picture and the figures in it: `columns` names those of `rows`."""

    name: str
    title: str
    about: str
    picture: Markup
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Compared:
    """A figure before, between (None where it was not looked at) and now."""

    what: str
    before: float
    during: float | None
    after: float
    unit: str = ""

    @property
    def change(self) -> float:
        return round(self.after - self.before, 2)


def render(text: bytes, told: Dossier | None = None) -> str:
    """The page of a ledger's bytes; `told` is what `read` says of them, where that is known. Raises UsageError where they tell of
    no recovery."""
    told = told or read(text)
    html = page.TEMPLATES.get_template("dossier.html").render(
        d=told,
        made_by=", ".join(f"{name} {version(name)}" for name in MADE_BY),
        sentence=sentence(told),
        left=left(told),
        done=done(told),
        wrong=wrong(told),
        figures=figures(told),
        boards=boards(told),
        criteria=criteria(told),
        plain=plain,
        plots=plots_of(told),
        contents=contents(told),
        bad=(NO_GO, STOPPED, UNFINISHED, standing.TAKEN_BACK, standing.OUT_OF_DATE),
        queries=_queries(told),
        embedded=Markup(base64.b64encode(gzip.compress(text, 6, mtime=0)).decode()),
    )
    return page.safe(html)


def read(text: bytes) -> Dossier:
    """The dossier of a ledger's bytes. Raises UsageError where they tell of no recovery."""
    return of(ledger.lines_of(text), ledger.fault_of(text, NAME))


def of(lines: Sequence[Line], fault: str | None) -> Dossier:
    """The dossier of a ledger's lines and what breaks their chain. Raises UsageError where they tell of no recovery."""
    try:
        return dossier.of(lines, fault or "")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise UsageError(f"The ledger does not tell a recovery of this suite: {error!r}. Give its ledger.") from None


def sentence(d: Dossier) -> str:
    """The verdict and the state, in a sentence."""
    if d.verdict == TAMPERED:
        return f"The ledger was changed after it was written: {d.fault}. Nothing on this page can be relied on."
    at = d.stands_at
    if at is None:
        return f"All {len(d.phases)} phases {'that were asked ' if not d.facts else ''}are GO{_broken(d)}. {_open(d)}"
    gone = [phase.name for phase in d.phases if phase.state == GO]
    so_far = f"GO so far: {', '.join(gone)}" if gone else "No phase is GO yet"
    if d.verdict == NOT_RECOVERED:
        why = at.attempts[-1].why[0] if at.attempts and at.attempts[-1].why else ""
        return f"{at.name} is {at.state}{': ' + why.rstrip('.') if why else ''}. {so_far}{_broken(d)}."
    return f"{so_far}; {at.name} is next ({at.title}){_broken(d)}."


def _broken(d: Dossier) -> str:
    if d.before is None:
        return ""
    if d.after is None:
        return f"; {d.before.table['broken rows']:,} broken rows in the window"
    when = "when it was last looked at, before it was changed again" if d.is_stale else "now"
    return f"; {d.before.table['broken rows']:,} broken rows before, {d.after.table['broken rows']:,} {when}"


def _open(d: Dossier) -> str:
    still = [f"{page.count(len(d.open_items), 'item')} of the checklist"] if d.open_items else []
    still += [f"whether {plain(check)}" for check in d.criteria if check.pending]
    return f"Still open: {', '.join(still)}." if still else "Nothing is open."


def plain(check: CheckOutcome) -> str:
    """What a criterion says, without the word."""
    return check.title.removeprefix("Criterion ")


def wrong(d: Dossier) -> list[str]:
    """What was wrong, a sentence each."""
    told = [f"{d.title or d.incident}, in {d.table}." if d.table else f"{d.title or d.incident}."]
    condition = d.facts.get("table", {}).get("broken", "")
    if d.before:
        found = d.before.table
        share = 100 * found["broken rows"] / found["rows"] if found["rows"] else 0.0
        days = [day for day, each in d.before.days.items() if each["broken rows"]]
        span = f", on {page.count(len(days), 'day')} from {days[0]} to {days[-1]}" if days else ""
        told.append(
            f"{found['broken rows']:,} of {found['rows']:,} rows of the window ({share:.1f} %) were broken"
            f"{f' ({condition})' if condition else ''}{span}; {found['orphans']:,} identities are orphans, for the source has no "
            "right row of theirs."
        )
    elif condition:
        told.append(f"A row is broken where {condition}.")
    return told


def done(d: Dossier) -> list[str]:
    """What was done, in order, a sentence each."""
    told = []
    for each in d.actions:
        how = {"done": "carried out", "failed": "stopped", "started": "begun, its end is not known"}[each.state]
        rows = f", {page.count(each.rows, 'row')}" if each.rows else ""
        told.append(f"{page.utc(each.began)}: {each.name} ({each.phase}) {how}{rows}, by {each.who}: {each.sentence}.")
    told += [f"{page.utc(event.time)}: {event.what}, by {event.who}." for event in d.events if event.kind == "restored"]
    return sorted(told) or ["Nothing was changed: the server was only asked."]


def left(d: Dossier) -> list[str]:
    """What is left to do, a sentence each."""
    told = [f"{phase.name}, {phase.title} It is {phase.state}." for phase in d.phases if phase.state != GO]
    told += [
        f"The run {run.id[:8]} of {page.utc(run.began)} did not end; it is told up to its last line."
        for run in d.crashed
        if any(run.id == phase.attempts[-1].run for phase in d.phases if phase.attempts)
    ]
    told += [f"Whether {plain(check)} cannot be told yet: {check.pending}" for check in d.criteria if check.pending]
    told += [f"Not ticked: {item.text}" for item in d.open_items]
    last = d.after or d.before
    if last:
        told += [
            f"{last.table[name]:,} {name}{_meaning(d, name)}." for name in dossier.REMAINING if last.table.get(name)
        ]
    kept = [copy for copy in d.copies if not copy.fate]
    if kept:
        days = d.facts.get("snapshots", {}).get("keep_days")
        due = f", due from {page.utc(max(copy.time for copy in kept) + timedelta(days=days))[:10]} on" if days else ""
        told.append(f"{page.count(len(kept), 'snapshot')} kept on the server to go back to{due}.")
    return told or ["Nothing."]


def _meaning(d: Dossier, name: str) -> str:
    """What somebody who was not there has to know of a figure that remains."""
    table = d.facts.get("table", {})
    if name == "rows in quarantine":
        kept = table.get("quarantine", "")
        return f" ({kept}): orphans, unmerged copies among them; they come back once the source has their right row"
    if name == "broken rows of other sources":
        owned = table.get("owned", "its own")
        return f", which this recovery does not answer for (only for {owned}); they are left as they are"
    return ""


def figures(d: Dossier) -> list[Compared]:
    """The figures before, between and now."""
    rows = []
    if d.before and d.after:
        during = d.during.table if d.during else {}
        rows += [
            Compared(name, d.before.table[name], during.get(name), d.after.table.get(name, 0))
            for name in _in_order(d.before.table)
        ]
    if both := d.of("positions"):
        first, last = (state.positions for state in both)
        dollars = ("cost", "profit")
        rows += [
            Compared(f"positions: {name}", first[name], None, last[name], "$" if name in dollars else "")
            for name in _in_order(first)
            if isinstance(first[name], int | float) and isinstance(last.get(name), int | float)
        ]
    if both := d.of("boards"):
        first, last = (state.boards for state in both)
        rows += [
            Compared(f"{name}: rows", first[name]["rows"], None, last[name]["rows"]) for name in first if name in last
        ]
    return rows


def _in_order(figures: Mapping[str, float]) -> list[str]:
    """The names of figures, as a reader wants them."""
    return sorted(figures, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


def boards(d: Dossier) -> list[tuple[str, list[dict[str, Any]], list[dict[str, Any]]]]:
    """The first places of each board, before and now."""
    if not (both := d.of("boards")):
        return []
    first, last = (state.boards for state in both)
    return [(name, first[name]["first"], last[name]["first"]) for name in first if name in last and last[name]["first"]]


def contents(d: Dossier) -> list[tuple[str, str]]:
    """The parts of the page, by anchor."""
    parts = {"answers": "In short", "log": "Execution log", "figures": "Figures", "criteria": "Criteria of success"}
    parts |= {page.anchor(phase.name): phase.name for phase in d.told}
    parts |= {"actions": "Actions", "gates": "Gates", "people": "Checklist", "timeline": "Timeline"}
    return list((parts | {"environment": "Environment", "verify": "How to verify"}).items())


def criteria(d: Dossier) -> list[page.Group]:
    """The criteria of success, each with all that it was asked of."""
    return page.grouped(d.criteria)


def plots_of(d: Dossier) -> list[Plot]:
    return [plot for plot in (_broken_by_day(d), _rows_by_day(d), _durations(d), _rate(d)) if plot]


def _broken_by_day(d: Dossier) -> Plot | None:
    if not d.before or not d.before.days:
        return None
    states = {"before": d.before, "after the backfill": d.during, "now": d.after}
    there = {label: state.days for label, state in states.items() if state}
    days = list(d.before.days)
    series = {label: [each.get(day, {}).get("broken rows", 0) for day in days] for label, each in there.items()}
    picture = plots.bars_by_day("broken", days, series, "broken rows")
    return Plot(
        "broken", "Broken rows per day", "Rows of the window that are broken, by day, as the phases found them.",
        picture, ("Day", *series), tuple(zip(days, *series.values(), strict=True)),
    )  # fmt: skip


def _rows_by_day(d: Dossier) -> Plot | None:
    if not d.before or not d.before.days:
        return None
    days = list(d.before.days)
    last = (d.after or d.before).days
    truth = "identities in the source"
    series = {
        "good rows before": [d.before.days[day]["good rows"] for day in days],
        "good rows now": [last.get(day, {}).get("good rows", 0) for day in days],
        truth: [last.get(day, {}).get(truth, 0) for day in days],
    }
    picture = plots.bars_by_day("truth", days, series, "rows", line=truth)
    return Plot(
        "truth", "Rows per day against the source",
        "Good rows of each day, unmerged copies among them, beside those of the source.",
        picture, ("Day", *series), tuple(zip(days, *series.values(), strict=True)),
    )  # fmt: skip


def _durations(d: Dossier) -> Plot | None:
    asked = [phase for phase in d.phases if phase.attempts]
    took = [phase.seconds / 60 for phase in asked]
    picture = plots.durations("took", [phase.name for phase in asked], took, [phase.minutes for phase in asked])
    rows = tuple(
        (phase.name, round(minutes, 2), *(phase.minutes or ("not planned", "not planned")))
        for phase, minutes in zip(asked, took, strict=True)
    )
    return Plot(
        "took", "Duration of each phase against the plan", "All runs of a phase together, and what the plan gave it.",
        picture, ("Phase", "minutes", "planned, least", "planned, most"), rows,
    )  # fmt: skip


def _rate(d: Dossier) -> Plot | None:
    units = [
        unit for action in d.actions if action.name in BACKFILLS for unit in action.units if unit.rows and unit.seconds
    ]
    if not units:
        return None
    picture = plots.rate("rate", [unit.rows or 0 for unit in units], [unit.seconds or 0 for unit in units])
    rows = tuple(
        (number, unit.label, unit.rows, round(unit.seconds or 0, 2), round((unit.rows or 0) / (unit.seconds or 1)))
        for number, unit in enumerate(units, 1)
    )
    return Plot(
        "rate", "Rate of the backfill", "Rows a second of each unit that wrote right rows.",
        picture, ("Unit", "what", "rows", "seconds", "rows a second"), rows,
    )  # fmt: skip


def _queries(d: Dossier) -> list[Query]:
    """The queries of the runs that are told in full, each once."""
    once: dict[str, Query] = {}
    for phase in d.told:
        assert phase.last
        for check in phase.last.checks:
            once |= {query.query_id: query for query in check.queries}
    return sorted(once.values(), key=lambda query: query.started)
