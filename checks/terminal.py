"""Terminal: what a run shows while an action works and when it ends: a bar and a table, or plain lines without a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from shutil import get_terminal_size
from typing import Any

import pytest
from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column, Table

from recovery.ledger import Ledger, Line
from recovery.progress import Lines, Teller, Told, Watch, left_of

MEANINGS = {
    0: "GO", 1: "NO-GO: the data is wrong", 2: "interrupted", 3: "internal error", 4: "usage or a bad incident file",
    5: "nothing selected", 10: "incomplete: not every required check ran", 11: "a gate was closed",
    12: "an action failed or its outcome is unknown", 13: "the server or a service could not be reached",
}  # fmt: skip
COLOURS = {"GO": "green", "NO-GO": "bold red"}
COLUMNS = (
    TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[count]}"),
    TextColumn("{task.fields[rows]}"), TimeElapsedColumn(), TextColumn("{task.fields[left]}"),
)  # fmt: skip
FIGURES = ("asked", "required", "rows", "written")
PLAIN_WIDTH = 140  # where there is no terminal to ask


def is_there(reporter: pytest.TerminalReporter | None) -> bool:
    """Whether pytest writes to a terminal whose cursor can be moved; a wish for colours, as in CI, makes a pipe none."""
    return reporter is not None and reporter.isatty and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


def console(reporter: pytest.TerminalReporter | None) -> Console | None:
    """The terminal that pytest writes to, beginning on a new line, with colours where pytest has them; None without one."""
    if reporter is None or not is_there(reporter):
        return None
    reporter.ensure_newline()
    return Console(force_terminal=True, no_color=not reporter.hasmarkup)


@contextmanager
def progress(ledger: Ledger, console: Console | None, watch: Watch | None = None) -> Iterator[Callable[[str], None]]:
    """Follow an action's units in the ledger with a bar, and the statement that is watched with another, where there is a
    terminal; gives what says a sentence meanwhile."""
    if console is None:
        yield print
        return
    with Progress(*COLUMNS, console=console, transient=True) as bar:
        units, before = Units(bar, ledger), watch.teller if watch else None

        def say(sentence: str) -> None:
            console.print(sentence, markup=False, highlight=False, soft_wrap=True)

        ledger.listeners.append(units.see)
        if watch:
            watch.teller = Row(bar, say)
        try:
            yield say
        finally:
            ledger.listeners.remove(units.see)
            if watch:
                watch.teller = before


class Row:
    """The statement that is at work, as a row beside the bar of the units."""

    def __init__(self, bar: Progress, say: Callable[[str], None]) -> None:
        self.bar, self.note = bar, say
        self.task: TaskID | None = None

    def at(self, told: Told) -> None:
        shown = {
            "completed": told.done,
            "total": told.total,
            "rows": f"{told.done:,.0f} {told.unit}",
            "left": told.left_told,
        }
        if self.task is None:
            self.task = self.bar.add_task(told.statement, count="", **shown)
        self.bar.update(self.task, **shown)

    def end(self) -> None:
        if self.task is not None:
            self.bar.remove_task(self.task)
            self.task = None


class Alone:
    """The statement that a check waits for: a bar that is gone when it has ended."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bar: Progress | None = None

    def at(self, told: Told) -> None:
        if self.bar is None:
            self.console.print()  # leave the line of the checks as it is
            self.bar = Progress(*COLUMNS, console=self.console, transient=True)
            self.row = Row(self.bar, self.note)
            self.bar.start()
        self.row.at(told)

    def note(self, sentence: str) -> None:
        self.console.print(sentence, markup=False, highlight=False)

    def end(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def teller(reporter: pytest.TerminalReporter | None) -> Teller | None:
    """Where a run shows what its checks wait for, past pytest's capture; None where it has no file descriptor to write to."""
    try:
        file = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1, encoding="utf-8")
    except (OSError, ValueError):
        return None
    if is_there(reporter):
        return Alone(Console(file=file, force_terminal=True))
    return Lines(file.write)


class Units:
    """The units of one action as a bar, by the ledger's lines: it shows nothing that the ledger does not say."""

    def __init__(self, bar: Progress, ledger: Ledger) -> None:
        self.bar, self.ledger = bar, ledger
        self.task: TaskID | None = None
        self.units: list[dict[str, Any]] = []
        self.labels: list[str] = []
        self.took: dict[str, float] = {}
        self.rows, self.seconds = 0, 0.0

    def see(self, line: Line) -> None:
        if line["kind"] not in ("started", "unit") or "attempt" not in line:
            return
        if self.task is None:
            self._begin(line)
        if self.task is None or line["kind"] != "unit" or line["unit"] not in self.labels:
            return
        self._count(line)
        before = self.labels.index(line["unit"])  # they are done in order; what was found done has no line
        done = before + (line["state"] == "done")
        shown = f"{line['action']}: {line['unit']}"[:60]
        self.bar.update(self.task, description=shown, completed=done, **self._told(done))

    def _begin(self, line: Line) -> None:
        """The bar of the attempt, with what an earlier run of it has done already."""
        own = [
            each for each in self.ledger.lines() if each.get("attempt") == line["attempt"] and each["seq"] < line["seq"]
        ]
        begun = next((each for each in (*own, line) if each["kind"] == "started"), None)
        if begun is None:
            return
        earlier = [each for each in own if each["kind"] == "unit"]
        for each in earlier:
            self._count(each)
        self.units = begun["plan"]["units"]
        self.labels = [unit["label"] for unit in self.units]
        done = len({each["unit"] for each in earlier if each["state"] == "done"})
        self.task = self.bar.add_task(begun["action"], total=len(self.labels), completed=done, **self._told(done))

    def _count(self, line: Line) -> None:
        if line["state"] == "done":
            self.rows += line["rows"]
            self.seconds += line["seconds"]
            if not line.get("found"):
                self.took[line["unit"]] = line["seconds"]

    def _told(self, done: int) -> dict[str, str]:
        rate = f", {self.rows / self.seconds:,.0f} rows/s" if self.rows and self.seconds else ""
        left = str(left_of(self.units, self.took, self.labels[:done])) if done < len(self.units) else ""
        return {
            "count": f"{done}/{len(self.units)}", "rows": f"{self.rows:,} rows{rate}" if self.rows else "", "left": left
        }  # fmt: skip


def table(ends: Sequence[Line], *, width: int | None, colour: bool = False) -> str:
    """The phases of a run as the ledger's `finished` lines have them: a table, a sentence each where the terminal is too narrow
    for it, and aligned lines where there is no terminal, whose `width` is None."""
    made = Table(
        "Phase", "Verdict", _right("Asked"), _right("Required"), _right("Rows read"), _right("Rows written"), _right("Seconds"),
        box=box.ROUNDED if width else None, pad_edge=bool(width), header_style="bold" if width else "",
    )  # fmt: skip
    for line in ends:
        style = COLOURS.get(line["verdict"], "")
        word = f"[{style}]{line['verdict']}[/]" if style else line["verdict"]
        made.add_row(line["phase"], word, *(f"{line[name]:,}" for name in FIGURES), f"{line['seconds']:,.1f}")
    out = StringIO()
    shown = Console(file=out, force_terminal=colour, width=PLAIN_WIDTH, highlight=False)
    if width and shown.measure(made).maximum > width:
        return "\n".join(map(_sentence, ends))
    shown.print(made)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def width(reporter: pytest.TerminalReporter) -> int | None:
    """Columns of the terminal; None where there is none."""
    return get_terminal_size().columns if is_there(reporter) else None


def _sentence(line: Line) -> str:
    asked, required, rows, written = (f"{line[name]:,}" for name in FIGURES)
    return (
        f"{line['phase']} {line['verdict']}: {asked} checks asked, {required} required, {rows} rows read, {written} written, "
        f"{line['seconds']:,.1f} s"
    )


def verdict(verdicts: dict[str, str], code: int) -> str:
    """The last line of a run: each phase with its verdict, and the exit code in words."""
    told = ", ".join(f"{phase} {word}" for phase, word in verdicts.items())
    meaning = MEANINGS.get(code, "see docs/messages.md")
    if code == 0 and "PLAN" in verdicts.values():
        meaning = "a plan was shown and nothing was changed"
    return f"{told or 'nothing was asked'} (exit {code}: {meaning})"


def _right(title: str) -> Column:
    return Column(title, justify="right")
