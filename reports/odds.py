"""Odds: which figures of a run rest on 64-bit hashes, and how likely it is that one is wrong for it."""

from __future__ import annotations

from collections.abc import Iterable

from reports.story import PhaseOutcome

HASHED = {
    "census",
    "census_table",
    "balance",
    "fingerprint",
    "written",
    "elsewhere",
}  # statements that count or add up hashes
AGAIN = "census_matched"  # whose answer recovery/matched.py may use again
BITS = 64
OF_SUMS = (
    "How identities were matched with the source is used again where counts and sums of hashes are as they were: a change that "
    "no sum shows has a chance of about 1 in 2^64 each time."
)


def shared(identities: int) -> float:
    """The chance that any two of so many identities share a hash, at most: of each pair it is one in 2^64."""
    return min(1.0, identities * (identities - 1) / 2 / 2**BITS)


def sentence(phases: Iterable[PhaseOutcome]) -> str:
    """What the reader of these phases' figures must know of hashes; empty where none is among them."""
    asked = [
        ({query.statement for query in check.queries}, check.examined) for phase in phases for check in phase.checks
    ]
    identities = max((examined for names, examined in asked if names & HASHED), default=0)
    if identities < 2:
        return ""
    again = any(AGAIN in names for names, _ in asked)
    return (
        f"Counts and sums of rows rest on {BITS}-bit hashes, here of up to {identities:,} identities or rows at a time: the "
        f"chance that any two share one is at most about 1 in {_rounded(1 / shared(identities)):,}. What is removed is "
        "decided on 128 bits." + (f" {OF_SUMS}" if again else "")
    )


def _rounded(value: float) -> int:
    """To two digits."""
    return int(float(f"{value:.2g}"))
