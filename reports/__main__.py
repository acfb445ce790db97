"""`python -m reports LEDGER [RUN]`: makes the page of a run again, from the ledger alone."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from recovery import options
from recovery.errors import RecoveryError, UsageError
from reports import bundle, junit, page, story


def main(argv: Sequence[str] | None = None) -> int:
    """0 it is made · 3 the ledger cannot be read · 4 a wrong option, or a file that is no ledger."""
    try:
        return _make(argv)
    except RecoveryError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except SystemExit as error:
        return 4 if error.code else 0


def _make(argv: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(prog="python -m reports", description=__doc__)
    parser.add_argument("ledger", type=Path, metavar="LEDGER", help="the ledger, such as ledger/<incident>.jsonl")
    parser.add_argument("run", nargs="?", default="", metavar="RUN", help="how the run's id begins; default: the last")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: reports/out/<incident>/<run>.html")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write the run as JUnit XML")
    chosen = parser.parse_args(argv)
    kept = options.ledger(chosen.ledger)
    try:
        run = story.read(kept, chosen.run)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise UsageError(f"{chosen.ledger} does not tell a run of this suite: {error!r}. Give its ledger.") from None
    folder = Path(__file__).parent / "out"
    out = chosen.out or (folder / run.incident / f"{run.id}.html").resolve()
    if chosen.out is None and not out.is_relative_to(folder):
        raise UsageError(f"{chosen.ledger} names a run whose page would lie outside {folder}; give --out=FILE.")
    dossier = bundle.dossier_beside(kept)
    text = page.render(run, page.address_from(out, dossier) if dossier.exists() else "")
    bundle.write(out, text.encode())
    print(out)
    if chosen.junit:
        print(bundle.write(chosen.junit, junit.of(run)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
