"""The expected times of docs/scale.md: what its rates, sizes and clusters come to. `python -m bench.scale` writes them there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "scale.md"
UNKNOWN = "TO BE MEASURED"
UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def table(text: str, header: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table whose first header cell is `header`."""
    found = re.search(rf"^\| {re.escape(header)} \|.*\n\|[-|]+\|\n(?:\|.*\n)+", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"{PAGE.name} has no table of {header}")
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split(" | ")] for line in found[0].splitlines())
    return head, rows


def number(text: str) -> float | None:
    """A figure of the page; None where it is to be measured."""
    return None if text == UNKNOWN else float(text.replace(",", ""))


def shown(seconds: float | None) -> str:
    """A time with two digits, in the largest unit of which there is one."""
    if seconds is None:
        return UNKNOWN
    unit, size = next(((name, size) for name, size in UNITS if seconds >= size), UNITS[-1])
    value = float(f"{seconds / size:.2g}")
    return f"{value:.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}"


def expected(text: str) -> str:
    """The table of expected times."""
    _, tasks = table(text, "task")
    _, clusters = table(text, "cluster")
    lines = ["| expected | " + " | ".join(name for name, *_ in clusters) + " |", "|---" * (len(clusters) + 1) + "|"]
    for task, rows, rate, shipped, _ in tasks:
        times = []
        for _, shards, cores, network in clusters:
            measured, sharded = number(rate), shipped == "0"
            at_work = float(cores) * (float(shards) if sharded else 1)
            sent = float(rows.replace(",", "")) * float(shipped) * (1 - 1 / float(shards)) / (float(network) * 1e9)
            times.append(
                shown(None if measured is None else float(rows.replace(",", "")) / (measured * at_work) + sent)
            )
        lines.append(f"| {task} | {' | '.join(times)} |")
    return "\n".join(lines) + "\n"


def renewed(text: str) -> str:
    """The page with its expected times as its other figures have them."""
    return re.sub(r"^\| expected \|.*\n(?:\|.*\n)+", lambda _: expected(text), text, count=1, flags=re.MULTILINE)


def main() -> int:
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
