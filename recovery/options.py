"""Options: what an engineer types as a ledger, refused where writing to it would harm or wait for ever."""

from __future__ import annotations

from pathlib import Path

from recovery.errors import UsageError
from recovery.ledger import Ledger


def ledger(path: str | Path) -> Ledger:
    """The ledger at `path`, which is none yet or one already; raises UsageError for anything else."""
    place = Path(path)
    try:
        if not str(path) or (place.is_symlink() and not place.exists()) or (place.exists() and not place.is_file()):
            raise UsageError(f"--ledger: {str(path)!r} is no file; give one such as ledger/incident.jsonl.")
        begins = b""
        if place.exists():
            with place.open("rb") as file:
                begins = file.read(1)
    except (OSError, ValueError) as error:
        raise UsageError(f"--ledger: {str(path)!r} cannot be read: {error}.") from None
    if begins not in (b"", b"{"):
        raise UsageError(f"--ledger: {place} holds something else; give a ledger, or a new file.")
    return Ledger(place.absolute())
