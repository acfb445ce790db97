"""How long a dossier takes to make and how large it is, from a ledger and from the same ledger grown to 10,000 lines.

    python -m bench.dossier LEDGER [--lines 10000]

Prints seconds (median of three turns, plots included), bytes, and both as ratios to the ledger that was given.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

from recovery.ledger import START, chained, lines_of, text_of
from reports import dossier_page


def grown(content: bytes, lines: int) -> bytes:
    """A ledger of at least so many lines: the given one over and over, each time as other runs, in one whole chain."""
    own, prev, out = lines_of(content), START, []
    while len(out) < lines:
        copy = len(out) // len(own)
        for line in own:
            again = {**line, "seq": len(out)}
            if copy and "run" in line:
                again["run"] = f"{line['run']}-{copy}"
            again = chained(again, prev)
            prev = again["sha"]
            out.append(text_of(again))
    return "".join(f"{line}\n" for line in out).encode()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.dossier", description=__doc__)
    parser.add_argument("ledger", type=Path)
    parser.add_argument("--lines", type=int, default=10_000)
    chosen = parser.parse_args(argv)
    ledgers = [chosen.ledger.read_bytes()]
    ledgers.append(grown(ledgers[0], chosen.lines))
    dossier_page.render(ledgers[0])  # imports and fonts
    took: list[list[float]] = [[], []]
    sizes = [0, 0]
    for _ in range(3):
        for number, content in enumerate(ledgers):
            clock = time.perf_counter()
            sizes[number] = len(dossier_page.render(content).encode())
            took[number].append(time.perf_counter() - clock)
    for number, content in enumerate(ledgers):
        median = statistics.median(took[number])
        print(
            f"{len(lines_of(content)):,} lines: {median:.2f} s, {sizes[number]:,} bytes, "
            f"{median / statistics.median(took[0]):.1f} times the time, {sizes[number] / sizes[0]:.1f} times the size"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
