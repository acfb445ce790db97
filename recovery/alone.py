"""Alone: what everything that writes to the table works within, be it an action, a restore or the dropping of a snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from recovery import interrupts, lock, mirror
from recovery.lock import Lock
from recovery.workplace import Workplace, who


@contextmanager
def alone(place: Workplace, what: str) -> Iterator[Lock]:
    """Within this the lock is held, each line of the ledger mirrored, and SIGTERM taken as Ctrl-C. Raises GateClosed when another
    runner acts or this one's ledger is behind."""
    with (
        interrupts.terminate_as_interrupt(),
        lock.held(place.warehouse, what, who()) as held,
        mirror.following(place.warehouse, place.ledger, what),
    ):
        yield held
