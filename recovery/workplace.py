"""Workplace: what everything that acts works with."""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from recovery.incident import Incident
from recovery.ledger import Ledger
from recovery.statements import Write
from recovery.warehouse import Warehouse


@dataclass
class Workplace:
    """What an action works with. `now` and `sleep` are passed in, so that January can be replayed in any month."""

    incident: Incident
    warehouse: Warehouse
    ledger: Ledger
    run: str
    now: Callable[[], datetime]
    sleep: Callable[[float], None] = time.sleep
    tell: Callable[[str], None] = print

    def send(self, writes: Sequence[Write], label: str) -> None:
        """Execute statements in order; the query id of each begins with `label`."""
        for write in writes:
            self.warehouse.write(write.name, label=f"{label}{write.part}", names=write.names, **write.values)


def who() -> str:
    """Who runs this, for the ledger."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
