"""Workplace: what everything that acts works with."""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from recovery.incident import Incident
from recovery.ledger import Ledger
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


def who() -> str:
    """Who runs this, for the ledger."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
