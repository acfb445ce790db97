"""Compares what two writers would write, before one is deployed; reads only. The last line is the verdict."""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from recovery import incident, statements
from recovery.errors import IncidentError, StatementFailed, UsageError
from recovery.workplace import Workplace
from scripts import command

SAMPLED_DAYS = 14  # the days before --now of which some are looked at
DAYS = 3
DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Writer:
    """One SELECT, as its file has it."""

    path: Path
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class Compared:
    """What two writers would write on one day; `columns` counts the identities that differ in each."""

    day: date
    rows: tuple[int, int]
    same: int
    only: tuple[int, int]
    different: int
    doubled: tuple[int, int]
    columns: Counter[str]
    samples: dict[str, list[str]]

    @property
    def looked_at(self) -> bool:
        return any(self.rows)

    @property
    def differs(self) -> bool:
        return any(self.only) or self.different > 0

    @property
    def identities(self) -> int:
        return self.same + sum(self.only) + self.different


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 the same · 1 they differ · 4 a wrong file or option · 10 a day without rows · 13 no server."""
    parser = command.parser("check_writer", __doc__, acts=False)
    parser.epilog = "Both are asked of the data as it is now, where what came late is there by now."
    parser.add_argument("left", metavar="LEFT.sql", type=Path, help="a writer's SELECT")
    parser.add_argument("right", metavar="RIGHT.sql", type=Path, nargs="?", help="another; default: the incident's own")
    parser.add_argument(
        "--days", metavar="N", type=int, help=f"how many of the last {SAMPLED_DAYS} days; default: {DAYS}"
    )
    parser.add_argument(
        "--day", metavar="DAY", action="extend", nargs="+", help="these days (YYYY-MM-DD) and no others"
    )
    return command.end(parser, argv, _run)


def _run(options: argparse.Namespace) -> int:
    with command.opened(options) as (place, _):
        days = days_of(options, place.now())
        writers = written_by(place, options.left), written_by(place, options.right)
        for writer in writers:
            print(f"{writer.path}: SHA-256 {writer.sha256}")
        found = [compare(place, *writers, day) for day in days]
    _show(found)
    print(verdict(found))
    if any(each.differs for each in found):
        return 1
    return 0 if all(each.looked_at for each in found) else 10


def days_of(options: argparse.Namespace, now: datetime) -> list[date]:
    """The days that the options name, else some of the last ones: yesterday, and others evenly spread before it."""
    today = now.astimezone(UTC).date()
    if options.day and options.days is not None:
        raise UsageError("--day and --days: give one of them.")
    if options.day:
        return sorted({_day(text, today) for text in options.day})
    count = DAYS if options.days is None else options.days
    if not 1 <= count <= SAMPLED_DAYS:
        raise UsageError(f"--days: {count} is not from 1 to {SAMPLED_DAYS}.")
    back = [1 + n * (SAMPLED_DAYS - 1) // max(count - 1, 1) for n in range(count)]
    return sorted(today - timedelta(days=days) for days in back)


def _day(text: str, today: date) -> date:
    """A day that is over."""
    try:
        day = date.fromisoformat(text) if DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not 1970 < day.year < 2106:
        raise UsageError(f"--day: {text!r} is no day; give one such as 2026-02-01, and the files before it.")
    if day >= today:
        raise UsageError(f"--day: {text} is not over; the last day that is, is {today - timedelta(days=1)}.")
    return day


def written_by(place: Workplace, path: Path | None) -> Writer:
    """A writer's SELECT, once it is seen to fit the table; raises IncidentError with a sentence for each fault."""
    if path is None:  # it was looked at when the warehouse read the table
        return Writer(place.incident.path.with_suffix(".sql"), place.incident.right_rows)
    writer = Writer(path, incident.select_in(path, "the SELECT of a writer"))
    if faults := _unlike(_taken(writer.text), _taken(place.incident.right_rows)):
        raise IncidentError([f"{path}: takes other parameters than the incident's SELECT; {faults}."])
    try:
        rows = place.warehouse.ask("nightly/writer_columns", names={"writer": writer.text}, **_range(place)).rows
    except StatementFailed as error:
        raise IncidentError([f"{path}: {error}"]) from None
    table = place.incident.table
    content = [column.name for column in place.warehouse.schema.content(table.version)]
    if faults := _unlike([row["name"] for row in rows], content):
        raise IncidentError([f"{path}: selects other columns than {table.name} has; {faults}."])
    return writer


def _taken(sql: str) -> list[str]:
    """The parameters that a statement takes, those in its comments apart."""
    bare = incident.COMMENT_OR_QUOTED.sub(lambda found: " " if found[0][0] in "-/#" else found[0], sql)
    return [f"{{{name}:{''.join(kind.split())}}}" for name, kind in statements.parameters_of(bare).items()]


def _unlike(have: Sequence[str], want: Sequence[str]) -> str:
    """What is lacking, unknown or there twice; empty where nothing is."""
    twice = {name for name in have if have.count(name) > 1}
    parts = {"lacking": set(want) - set(have), "unknown": set(have) - set(want), "twice": twice}
    return "; ".join(f"{name}: {', '.join(sorted(found))}" for name, found in parts.items() if found)


def _range(place: Workplace, day: date = date(1971, 1, 1)) -> dict[str, Any]:
    """A whole day, as the statements take it."""
    low, high = place.warehouse.key_bounds
    begin = datetime.combine(day, time(), UTC)
    return {"key_from": low, "key_to": high, "time_from": begin, "time_to": begin + timedelta(days=1)}


def compare(place: Workplace, left: Writer, right: Writer, day: date) -> Compared:
    """What both would write on one day, compared by identity and by content in the table's types."""
    store = place.warehouse
    content = [column.name for column in store.schema.content(place.incident.table.version)]
    names = {"left": _typed(place, left), "right": _typed(place, right)}
    names["cells"] = ", ".join(f"sipHash64(tuple({statements.quote(name)}))" for name in content)
    try:
        row = store.ask("nightly/writers", names=names, **_range(place, day)).first
    except StatementFailed as error:
        raise StatementFailed(f"{left.path} beside {right.path} on {day}: {error}", error.code) from None
    counts = zip(content, row["columns"] or [0] * len(content), strict=True)
    return Compared(
        day=day,
        rows=(row["left_rows"], row["right_rows"]),
        same=row["same"],
        only=(row["only_left"], row["only_right"]),
        different=row["different"],
        doubled=(row["left_doubled"], row["right_doubled"]),
        columns=Counter({name: count for name, count in counts if count}),
        samples={
            "only left": row["sample_left"],
            "only right": row["sample_right"],
            "different": row["sample_different"],
        },
    )


def _typed(place: Workplace, writer: Writer) -> str:
    """A writer's SELECT with its columns cast to the table's types, as the right rows are."""
    about = place.incident.model_copy(update={"right_rows": writer.text})
    return statements.words(about, place.warehouse.schema)["right"]


def verdict(found: Sequence[Compared]) -> str:
    """One line: what holds on all days together."""
    on = f"on {_count(len(found), 'day')}"
    every = _count(sum(each.identities for each in found), "identity", "identities")
    empty = [f"{each.day}" for each in found if not each.looked_at]
    doubled = [sum(each.doubled[side] for each in found) for side in (0, 1)]
    besides = f"; more than once: {doubled[0]:,} of the left, {doubled[1]:,} of the right" if any(doubled) else ""
    besides += f"; no row was looked at on {', '.join(empty)}, which proves nothing" if empty else ""
    if not any(each.differs for each in found):
        if empty:
            return f"NOT PROVEN: {every} {on}, all the same{besides}"
        return f"SAME: both would write the same rows, {every} {on}{besides}"
    left, right = (sum(each.only[side] for each in found) for side in (0, 1))
    different = sum(each.different for each in found)
    columns = _columns(sum((each.columns for each in found), Counter()))
    classes = f"{left:,} only left, {right:,} only right, {different:,} different{columns}"
    return f"DIFFERENT: of {every} {on} {classes}{besides}"


def _columns(counts: Counter[str]) -> str:
    return f" ({', '.join(f'{name} {count:,}' for name, count in counts.most_common())})" if counts else ""


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def _show(found: Iterable[Compared]) -> None:
    """A table on a terminal, else a line for each day; then what is not the same."""
    console = Console()
    if console.is_terminal:
        table = Table(title="What two writers would write: rows, and identities of each class")
        for name in _cells(next(iter(found))):
            table.add_column(name, justify="left" if name == "day" else "right", no_wrap=True)
        for each in found:
            table.add_row(*_cells(each).values(), style="bold" if each.differs or not each.looked_at else "")
        console.print(table)
    for each in found:
        if not console.is_terminal:
            print("; ".join(f"{name} {value}" for name, value in _cells(each).items()))
        if each.columns:
            print(f"  {each.day} columns that differ: {_columns(each.columns).strip(' ()')}")
        for name, identities in each.samples.items():
            for identity in identities:
                print(f"  {each.day} {name}, such as {identity}")


def _cells(each: Compared) -> dict[str, str]:
    figures = {
        "rows left": each.rows[0], "rows right": each.rows[1], "same": each.same, "only left": each.only[0],
        "only right": each.only[1], "different": each.different, "doubled left": each.doubled[0],
        "doubled right": each.doubled[1],
    }  # fmt: skip
    return {"day": f"{each.day}", **{name: f"{figure:,}" for name, figure in figures.items()}}


if __name__ == "__main__":
    sys.exit(main())
