"""Terminal: what a run shows while an action works and when it ends: a bar and a table, or plain lines without a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from shutil import get_terminal_size

from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table

from recovery.ledger import Ledger, Line

MEANINGS = {
    0: "GO", 1: "NO-GO: the data is wrong", 2: "interrupted", 3: "internal error", 4: "usage or a bad incident file",
    5: "nothing selected", 10: "incomplete: not every required check ran", 11: "a gate was closed",
    12: "an action failed or its outcome is unknown", 13: "the server or a service could not be reached",
}  # fmt: skip
COLOURS = {"GO": "green", "NO-GO": "bold red"}
PLAIN_WIDTH = 140  # where there is no terminal to ask


@contextmanager
def progress(ledger: Ledger, console: Console | None = None) -> Iterator[Callable[[str], None]]:
    """Follow an action's units in the ledger with a bar, where there is a terminal; gives what says a sentence meanwhile."""
    console = console or Console()
    if not console.is_terminal or console.is_dumb_terminal:
        yield print
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rows]}"),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        units = Units(bar, ledger)
        ledger.listeners.append(units.see)
        try:
            yield lambda sentence: console.print(sentence, markup=False, highlight=False, soft_wrap=True)
        finally:
            ledger.listeners.remove(units.see)


class Units:
    """The units of one action as a bar, by the ledger's lines: it shows nothing that the ledger does not say."""

    def __init__(self, bar: Progress, ledger: Ledger) -> None:
        self.bar, self.ledger = bar, ledger
        self.task: TaskID | None = None
        self.done: set[str] = set()
        self.rows = 0

    def see(self, line: Line) -> None:
        if line["kind"] not in ("started", "unit") or (line["kind"] == "unit" and "attempt" not in line):
            return
        if self.task is None:
            self._begin(line)
        if self.task is None or line["kind"] != "unit":
            return
        if line["state"] == "done":
            self.done.add(line["unit"])
            self.rows += line["rows"]
        rows = f"{self.rows:,} rows" if self.rows else ""
        shown = f"{line['action']}: {line['unit']}"[:60]
        self.bar.update(self.task, description=shown, completed=len(self.done), rows=rows)

    def _begin(self, line: Line) -> None:
        """The bar of the attempt, with what an earlier run of it has done already."""
        own = [
            each for each in self.ledger.lines() if each.get("attempt") == line["attempt"] and each["seq"] < line["seq"]
        ]
        begun = next((each for each in (*own, line) if each["kind"] == "started"), None)
        if begun is None:
            return
        earlier = [each for each in own if each["kind"] == "unit" and each["state"] == "done"]
        self.done, self.rows = {each["unit"] for each in earlier}, sum(each["rows"] for each in earlier)
        self.task = self.bar.add_task(
            begun["action"], total=len(begun["plan"]["units"]), completed=len(self.done), rows=""
        )


def table(ends: Sequence[Line], *, rich: bool) -> str:
    """The phases of a run as the ledger's `finished` lines have them, as a table or as aligned lines."""
    made = Table(
        "Phase", "Verdict", _right("Asked"), _right("Required"), _right("Rows read"), _right("Rows written"), _right("Seconds"),
        box=box.ROUNDED if rich else None, pad_edge=rich,
    )  # fmt: skip
    for line in ends:
        style = COLOURS.get(line["verdict"], "") if rich else ""
        word = f"[{style}]{line['verdict']}[/]" if style else line["verdict"]
        figures = (f"{line[name]:,}" for name in ("asked", "required", "rows", "written"))
        made.add_row(line["phase"], word, *figures, f"{line['seconds']:,.1f}")
    out = StringIO()
    width = max(get_terminal_size().columns, 60) if rich else PLAIN_WIDTH
    Console(file=out, force_terminal=rich, width=width, highlight=False).print(made)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def verdict(verdicts: dict[str, str], code: int) -> str:
    """The last line of a run: each phase with its verdict, and the exit code in words."""
    told = ", ".join(f"{phase} {word}" for phase, word in verdicts.items())
    meaning = MEANINGS.get(code, "see docs/messages.md")
    if code == 0 and "PLAN" in verdicts.values():
        meaning = "a plan was shown and nothing was changed"
    return f"{told or 'no phase was asked'} (exit {code}: {meaning})"


def _right(title: str) -> Column:
    return Column(title, justify="right")
