"""`python -m reports LEDGER [RUN]`: makes the page of a run again, from the ledger alone."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from recovery.errors import RecoveryError
from recovery.ledger import Ledger
from reports import page, story


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m reports", description=__doc__)
    parser.add_argument("ledger", type=Path, metavar="LEDGER", help="the ledger, such as ledger/<incident>.jsonl")
    parser.add_argument("run", nargs="?", default="", metavar="RUN", help="how the run's id begins; default: the last")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: reports/out/<incident>/<run>.html")
    chosen = parser.parse_args(argv)
    try:
        run = story.read(Ledger(chosen.ledger), chosen.run)
    except RecoveryError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    out = chosen.out or Path(__file__).parent / "out" / run.incident / f"{run.id}.html"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page.render(run), "utf-8")
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
