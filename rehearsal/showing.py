"""What a rehearsal shows: its phases, and how far the end is from the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.table import Column, Table

from rehearsal.boards import Boards
from rehearsal.folder import GIGABYTE
from rehearsal.generate import Comparison
from rehearsal.positions import Positions


@dataclass(frozen=True)
class PhaseRun:
    """What the ledger says of a phase's run, or what the exit code does where the ledger has nothing."""

    phase: str
    exit_code: int
    verdict: str
    rows: int
    written: int
    seconds: float
    report: str
    disk: int  # the most that the folder took


@dataclass(frozen=True)
class End:
    """The end against the truth; positions and boards where the recovery came to them."""

    fills: Comparison
    positions: Positions | None
    boards: Boards | None

    @property
    def perfect(self) -> bool:
        return all(part.perfect for part in (self.fills, self.positions, self.boards) if part)


def phase_table(runs: list[PhaseRun]) -> Table:
    table = Table(
        "Phase", "Verdict", *(_right("Rows read"), _right("Rows written"), _right("Seconds"), _right("Disk, GB"))
    )
    for run in runs:
        table.add_row(
            run.phase,
            run.verdict,
            f"{run.rows:,}",
            f"{run.written:,}",
            f"{run.seconds:.1f}",
            f"{run.disk / GIGABYTE:.1f}",
        )
    return table


def _show_fills(found: Comparison, console: Console) -> None:
    table = Table("Against the truth", _right("Fills"), "Sample", title=f"{found.truth:,} fills in the truth")
    for name, meaning in MEANINGS.items():
        table.add_row(
            meaning,
            f"{getattr(found, name):,}",
            "\n".join(_short(each) for each in found.samples.get(name, [])),
        )
    console.print(table)
    console.print(
        f"{found.lost:,} rows lost, {found.different:,} rows different, "
        f"{found.extra:,} extra, {found.doubled:,} doubled."
    )
    console.print(
        f"{found.orphan:,} orphans, whose token is never mapped: "
        f"{found.orphan_in_quarantine:,} in quarantine, {found.orphan_in_place:,} still in place."
    )
    console.print(
        f"{found.late_outside:,} fills outside the window were missed because their token was mapped late; "
        "this recovery does not look for them."
    )


def show_end(end: End, console: Console) -> None:
    """What a rehearsal says last: how far the end is from the truth."""
    _show_fills(end.fills, console)
    if found := end.positions:
        console.print(
            f"{found.different:,} positions different, {found.lost:,} lost, {found.extra:,} extra, {found.doubled:,} doubled, "
            f"{found.outside:,} changed that are not rebuilt, of {found.right:,}."
        )
        _show_samples(found.samples, console)
    if shown := end.boards:
        console.print(f"{shown.different:,} rows of boards different, of {shown.rows:,}.")
        _show_samples(shown.samples, console)


def _show_samples(samples: Mapping[str, list[str]], console: Console) -> None:
    for finding, examples in samples.items():
        for example in examples:
            console.print(f"  {finding}: {example}", markup=False, highlight=False, soft_wrap=True)


MEANINGS = {
    "lost": "lost",
    "different": "different",
    "extra": "extra",
    "doubled": "identity with two contents",
    "broken_outside": "broken, outside the window",
    "foreign_changed": "of another source, changed",
    "orphan": "orphans",
    "orphan_in_quarantine": "orphans in quarantine",
    "orphan_in_place": "orphans still in place",
    "late_outside": "late, outside the window",
}


def _right(title: str) -> Column:
    return Column(title, justify="right")


def _short(fill: str) -> str:
    return fill if len(fill) <= 40 else f"{fill[:24]}...{fill[-10:]}"
