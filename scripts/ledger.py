"""Compares the ledger's file with its mirror on the server; `fetch` takes the mirror's lines where the file is behind."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from recovery.errors import UsageError
from recovery.ledger import Ledger
from recovery.mirror import Mirror
from recovery.statements import MIRROR
from recovery.workplace import Workplace
from scripts import command


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 when file and mirror agree or were made to, 1 when they do not, else the one of the error."""
    parser = command.parser("ledger", __doc__, acts=False)
    parser.add_argument(
        "do", choices=["status", "fetch"], help="fetch keeps the file that was there beside the new one"
    )
    return command.end(parser, argv, _run)


def _run(options: argparse.Namespace) -> int:
    with command.opened(options, whole=False) as (place, _):
        mirror = Mirror(place.warehouse, place.ledger)
        if options.do == "fetch":
            return _fetch(place, mirror)
        fault = place.ledger.fault() or mirror.fault()
        last = mirror.last()
        print(f"{place.ledger.path}: {len(place.ledger.lines()):,} lines")
        print(f"{MIRROR}: {last['seq'] + 1 if last else 0:,} lines of {place.incident.id}")
        print(f"They do not agree: {fault}." if fault else "The chain is whole, and the file has what the server has.")
        return 1 if fault else 0


def _fetch(place: Workplace, mirror: Mirror) -> int:
    lines = mirror.fetch()
    if not lines:
        raise UsageError(f"{MIRROR} has no line of {place.incident.id} on this server; nothing was changed.")
    path = place.ledger.path
    fetched = path.with_name(f"{path.name}.fetched")
    fetched.parent.mkdir(parents=True, exist_ok=True)
    fetched.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", errors="surrogatepass")
    if fault := Ledger(fetched).fault():
        raise UsageError(f"The chain of the server's {MIRROR} is broken: {fault}; nothing was changed.")
    kept = _kept_as(path)
    if path.exists():
        path.rename(kept)
    fetched.rename(path)
    print(f"{path}: {len(lines):,} lines from the server" + (f"; the file before is {kept}" if kept.exists() else ""))
    return 0


def _kept_as(path: Path) -> Path:
    number = 1
    while (kept := path.with_name(f"{path.name}.before-{number}")).exists():
        number += 1
    return kept


if __name__ == "__main__":
    sys.exit(main())
