"""Compares the positions of one subject with Polymarket's own figures; reads only. The last line is the verdict."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from recovery import agreement
from recovery.agreement import Agreement, Row
from recovery.data_api import Client, Folder
from recovery.errors import UsageError
from recovery.workplace import Workplace
from scripts import command

ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 agrees · 1 differs · 4 a wrong address or option · 13 the API or the server cannot be reached."""
    parser = command.parser("check_wallet", __doc__, acts=False)
    parser.add_argument("address", metavar="0x…", help="whose positions: 0x and 40 hex digits")
    parser.add_argument("--from", dest="folder", metavar="DIR", type=Path, help="the API's answers as files, not asked")
    return command.end(parser, argv, _run)


def _run(options: argparse.Namespace) -> int:
    if not ADDRESS.fullmatch(options.address):
        raise UsageError(f"{options.address!r} is no address: 0x and 40 hex digits are expected.")
    with command.opened(options) as (place, _):
        compared = compare(place, options.address.lower(), options.folder)
    _show(compared)
    for path, sha in compared.sha256.items():
        print(f"{path}: SHA-256 {sha}")
    print(compared)
    return 0 if compared.holds else 1


def compare(place: Workplace, subject: str, folder: Path | None) -> Agreement:
    """Our positions of a subject beside those of the files in a folder, or of the API where none is named."""
    agreement.rules_of(place.incident)
    source = Folder(folder) if folder else Client.of(place)
    return agreement.compare(place.warehouse, source.account(subject), subject, place.now())


def _show(compared: Agreement) -> None:
    """A table on a terminal, else a line for each position."""
    console = Console()
    if not console.is_terminal:
        for row in compared.rows:
            print("; ".join(f"{name} {value}" for name, value in _cells(row).items()))
        return
    table = Table(title=f"Positions of {compared.subject}: dollars realized; of tokens the difference")
    for number, name in enumerate(_cells(compared.rows[0]) if compared.rows else ()):
        table.add_column(name, justify="left" if name in ("position", "cause") else "right", no_wrap=number > 0)
    for row in compared.rows:
        table.add_row(*_cells(row).values(), style="" if row.cause == agreement.SAME else "bold")
    console.print(table)


def _cells(row: Row) -> dict[str, str]:
    off = row.difference
    return {
        "position": row.position,
        "ours": f"{row.ours.realized:,.2f}",
        "theirs": f"{row.theirs.realized:,.2f}",
        "difference": f"{off.realized:+,.2f}",
        "FIFO": "none" if row.fifo is None else f"{row.fifo:,.2f}",
        "tokens bought": f"{off.bought:+,.2f}",
        "tokens held": "none" if off.held is None else f"{off.held:+,.2f}",
        "cause": row.cause,
    }


if __name__ == "__main__":
    sys.exit(main())
