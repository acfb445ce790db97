"""Interrupts: SIGTERM is taken as Ctrl-C is, and neither cuts a line of the ledger in two."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

STOPPING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """Within this, SIGTERM raises KeyboardInterrupt. Signals belong to the main thread: in any other nothing changes."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handled_by(interrupt, signal.SIGTERM):
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """What is begun within this is ended; a Ctrl-C or SIGTERM that comes meanwhile takes effect right after."""
    told: list[int] = []
    with _handled_by(lambda number, frame: told.append(number), *STOPPING):
        yield
    if told:
        signal.raise_signal(told[0])


@contextmanager
def _handled_by(handler: Any, *numbers: signal.Signals) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, known in before.items():
            signal.signal(number, known if known is not None else signal.SIG_DFL)
