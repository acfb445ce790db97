"""Page: a run's story as one self-contained HTML file that opens offline, reads without JavaScript and prints on A4.

pytest-html writes the file; everything on it is ours, as plain HTML, made from the ledger alone: pytest-html's own
table needs JavaScript and shows tracebacks, in which arguments (a DSN with its password, say) would stand.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from recovery.errors import RecoveryError, UsageError
from recovery.evidence import GO, NO_GO, Expectation, shown
from recovery.ledger import Ledger
from reports import odds, story
from reports.story import CheckOutcome, PhaseOutcome, Query, Run
from reports.trend import trends

PHASES = pytest.StashKey[list[str]]()
BOUNDS = {"==": "", "<=": "at most", ">=": "at least", ">": "more than"}
DAY = re.compile(r"\d{4}-\d\d-\d\d")
TREND = "trend"  # what was found of it is drawn, not listed
COMMAND = re.compile(r"(pytest -m [\w-]+(?: --[\w-]+)*|scripts/\w+\.py(?: --[\w-]+(?: [\w.]+)?)*)")
PASSWORD = re.compile(r"://(?<=\w://)([^\s/:@]*):[^\s/@]+@")  # begun with the rare part: a page may have megabytes


@dataclass(frozen=True)
class Group:
    """One check of a phase, asked once, or once for each of several days, partitions or subjects."""

    checks: tuple[CheckOutcome, ...]

    @property
    def first(self) -> CheckOutcome:
        return self.checks[0]

    @property
    def many(self) -> bool:
        return len(self.checks) > 1

    @property
    def faulty(self) -> tuple[CheckOutcome, ...]:
        return tuple(check for check in self.checks if check.faults)

    @property
    def verdict(self) -> str:
        return NO_GO if self.faulty else next((check.verdict for check in self.checks if check.pending), GO)

    @property
    def axis(self) -> str:
        """What the check was asked once for: a day, or the word that stands before the value ("partition 203001")."""
        if all(DAY.fullmatch(check.value) for check in self.checks):
            return "day"
        return self.first.about.removesuffix(self.first.value).strip() or "case"

    @property
    def queries(self) -> tuple[Query, ...]:
        return tuple({query.query_id: query for check in self.checks for query in check.queries}.values())

    @property
    def compared(self) -> dict[str, str]:
        """What is compared, in order, with what is allowed; "" where that differs from one to the next."""
        allowed: dict[str, set[str]] = {}
        for check in self.checks:
            for comparison in check.comparisons:
                allowed.setdefault(comparison.what, set()).add(bound(comparison))
        return {what: bounds.pop() if len(bounds) == 1 else "" for what, bounds in allowed.items()}

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of what was found."""
        return tuple(dict.fromkeys(name for check in self.checks for name in flat(check.found)))

    @property
    def notes(self) -> dict[str, list[str]]:
        """Each note once, with the values of the checks that made it."""
        notes: dict[str, list[str]] = {}
        for check in self.checks:
            for note in check.notes:
                notes.setdefault(note, []).append(check.value)
        return notes


def groups(phase: PhaseOutcome) -> list[Group]:
    """The phase's checks, red ones first, else in order; those that differ only in their value together."""
    return sorted(grouped(phase.checks), key=lambda group: not group.faulty)


def grouped(checks: Iterable[CheckOutcome]) -> list[Group]:
    """Checks in order, those that differ only in their value together."""
    together: dict[str, list[CheckOutcome]] = {}
    for check in checks:
        together.setdefault(check.name, []).append(check)
    return [Group(tuple(alike)) for alike in together.values()]


def missing(phase: PhaseOutcome) -> dict[str, list[str]]:
    """The names of required checks that were not asked, with the values that they lack."""
    names: dict[str, list[str]] = {}
    for check in phase.missing:
        name, _, value = check.removesuffix("]").partition("[")
        names.setdefault(name, []).extend([value] if value else [])
    return names


def statements(queries: Iterable[Query]) -> list[tuple[str, str, list[Query]]]:
    """Each distinct statement once, with its SQL and its queries, by name."""
    texts: dict[tuple[str, str], list[Query]] = {}
    for query in queries:
        texts.setdefault((query.statement, query.sql), []).append(query)
    return [(name, sql, texts[name, sql]) for name, sql in sorted(texts)]


def place_of(statement: str, sql: str) -> str:
    """The anchor of a statement: a name may have had several texts."""
    return f"sql-{anchor(statement)}-{hashlib.sha256(sql.encode('utf-8', 'replace')).hexdigest()[:8]}"


def listed(found: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """What was found and has rows and columns, by name."""
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value)
    }


def flat(found: Mapping[str, Any]) -> dict[str, Any]:
    """Figures by name, those of one mapping in it among them; without what has rows and columns."""
    tables = listed(found)
    plain = {name: value for name, value in found.items() if name not in tables and not isinstance(value, Mapping)}
    for name, value in found.items():
        if isinstance(value, Mapping) and name != TREND:
            plain |= {f"{name}: {inner}" if inner in plain else inner: each for inner, each in value.items()}
    return plain


def unseen(check: CheckOutcome) -> list[str]:
    """The faults that a table of comparisons does not show."""
    compared = {str(comparison) for comparison in check.comparisons}
    return [fault for fault in check.faults if fault not in compared]


def of_check(check: CheckOutcome, what: str) -> list[Expectation]:
    """The check's comparisons of `what`."""
    return [comparison for comparison in check.comparisons if comparison.what == what]


def commands(sentence: str) -> Markup:
    """A sentence with the commands in it set as code."""
    return Markup(COMMAND.sub(r"<code>\1</code>", str(escape(sentence))))


def bound(comparison: Expectation) -> str:
    return f"{BOUNDS.get(comparison.relation, comparison.relation)} {number(comparison.expected)}".lstrip()


def number(value: Any) -> str:
    """A figure as people read it; what cannot be printed is written as an escape."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, int | float):
        return shown(value)
    text = str(value)
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text) or "''"


def size(value: int) -> str:
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if value >= 1024**power:
            return f"{value / 1024**power:,.1f} {unit}"
    return f"{value:,} bytes"


def seconds(value: float) -> str:
    return f"{value:,.1f} s" if value >= 10 else f"{value:,.2f} s" if value >= 1 else f"{value * 1000:,.0f} ms"


def utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def count(amount: int, one: str, several: str = "") -> str:
    return f"{amount:,} {one if amount == 1 else several or one + 's'}"


def first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def anchor(text: str) -> str:
    return re.sub(r"\W+", "-", text)


TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)
TEMPLATES.filters |= {
    each.__name__: each for each in (number, size, seconds, utc, bound, anchor, commands, unseen, first_upper)
}
TEMPLATES.globals |= {"odds": odds.sentence} | {
    each.__name__: each for each in (groups, missing, statements, place_of, flat, listed, count, of_check, trends)
}


def headline(run: Run) -> str:
    return ", ".join(f"{phase.name} {phase.verdict}" for phase in run.phases) + f" - {run.incident}"


def fragment(run: Run, dossier: str = "") -> str:
    """The run as HTML to stand in the body of a page, its style included; `dossier` is the address of the incident's dossier."""
    return safe(TEMPLATES.get_template("run.html").render(run=run, dossier=dossier))


def safe(html: str) -> str:
    """Without a password in an address, and as UTF-8 can hold it."""
    return PASSWORD.sub(r"://\1:***@", html).encode("utf-8", "backslashreplace").decode()


def render(run: Run, dossier: str = "") -> str:
    """The run as a whole page, for a ledger whose page is to be made again."""
    return TEMPLATES.get_template("page.html").render(title=headline(run), body=fragment(run, dossier))


def write_through_pytest_html(
    config: pytest.Config, path: Path, ledger: Ledger, run: str, dossier: Path | None
) -> Path:
    """Have pytest-html write the run's page, to `path` unless --html names another; returns where it will be."""
    if not config.pluginmanager.hasplugin("html"):
        return path
    config.option.htmlpath = config.option.htmlpath or str(path)
    config.option.self_contained_html = True
    place = Path(config.invocation_params.dir, config.option.htmlpath)
    config.pluginmanager.register(
        RunPage(ledger, run, address_from(place, dossier) if dossier else ""), "recovery-page"
    )
    return place


def address_from(page: Path, other: Path) -> str:
    """How a page beside or elsewhere links to another file."""
    return quote(Path(os.path.relpath(other.resolve(), page.resolve().parent)).as_posix())


class RunPage:
    """Hooks of pytest-html: our page instead of its summary, environment and table."""

    def __init__(self, ledger: Ledger, run: str, dossier: str) -> None:
        self.ledger, self.run, self.dossier = ledger, run, dossier
        self._report: Any = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_report_title(self, report: Any) -> None:
        self._report = report
        report.title = "Recovery run"
        report.set_data("environment", {})

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_row(self, cells: list[str]) -> None:
        cells.clear()

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        try:
            run = story.read(self.ledger, self.run)
        except UsageError:
            prefix.append("<p>No check was asked, so the ledger has nothing of this run.</p>")
            return
        except RecoveryError as error:
            prefix.append(f"<p>{escape(str(error))}</p>")
            return
        self._report.title = headline(run)
        prefix.append(fragment(run, self.dossier))
