"""Odds: which figures of a run rest on 64-bit hashes, and how likely it is that one is wrong for it."""

from __future__ import annotations

from collections.abc import Iterable

from reports.story import PhaseOutcome

HASHED = {
    "census",
    "census_broken",
    "census_table",
    "balance",
    "fingerprint",
    "written",
    "elsewhere",
}  # statements that count or add up hashes
BITS = 64
AGAIN = (
    "What is marked as used again was asked by a command before, at the time that it shows: the partitions that it is about "
    "consist of the same files since, by 128-bit hashes, or, where identities were matched with the source, counts and sums of "
    "hashes are as they were. A change that no sum shows has a chance of about 1 in 2^64 each time."
)


def shared(identities: int) -> float:
    """The chance that any two of so many identities share a hash, at most: of each pair it is one in 2^64."""
    return min(1.0, identities * (identities - 1) / 2 / 2**BITS)


def sentence(phases: Iterable[PhaseOutcome]) -> str:
    """What the reader of these phases' figures must know of hashes; empty where none is among them."""
    checks = [check for phase in phases for check in phase.checks]
    hashed = [check.examined for check in checks if {query.statement for query in check.queries} & HASHED]
    identities = max(hashed, default=0)
    if identities < 2:
        return ""
    again = any(query.again for check in checks for query in check.queries)
    return (
        f"Counts and sums of rows rest on {BITS}-bit hashes, here of up to {identities:,} identities or rows at a time: the "
        f"chance that any two share one is at most about 1 in {_rounded(1 / shared(identities)):,}. What is removed is "
        "decided on 128 bits." + (f" {AGAIN}" if again else "")
    )


def _rounded(value: float) -> int:
    """To two digits."""
    return int(float(f"{value:.2g}"))
