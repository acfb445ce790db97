"""A runner without checks around it: actions carried out with the gates open, here or in a process that can be killed."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from unittest.mock import patch

from recovery import action, gate
from recovery.actions import ACTIONS
from recovery.errors import RecoveryError
from recovery.incident import load
from recovery.ledger import Ledger
from recovery.phases import BY_NAME
from recovery.warehouse import Warehouse
from recovery.workplace import Workplace
from tests.conftest import Case
from tests.forked import PROCESSES


@dataclass(frozen=True)
class Job:
    """Actions of some phases on a case, as a process can be given them."""

    incident: Path
    dsn: str
    ledger: Path
    phases: tuple[str, ...]
    now: datetime
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def on(cls, case: Case, *phases: str, dsn: str | None = None) -> Job:
        return cls(case.incident, dsn or case.dsn, case.ledger.path, phases, case.now, tuple(case.env.items()))

    @property
    def said(self) -> Path:
        """Where the process leaves its last sentence."""
        return self.ledger.with_suffix(".said")

    def start(self) -> ForkServerProcess:
        """Begin it in a process of its own, forked from one that has imported everything and holds no connection."""
        process = PROCESSES.Process(target=_carry_out, args=(self,), daemon=True)
        process.start()
        return process

    def carry_out(self) -> tuple[int, str]:
        """Do it here; the exit code and the sentence that a command would end with."""
        try:
            with (
                patch.dict(os.environ, dict(self.env)),
                Warehouse(load(self.incident), self.dsn, writable=True) as warehouse,
                patch.object(gate, "reasons_to_refuse", lambda *asked: []),
            ):
                for phase in self.phases:
                    self._act(phase, warehouse)
        except RecoveryError as error:
            return error.exit_code, str(error)
        return 0, ""

    def _act(self, phase: str, warehouse: Warehouse) -> None:
        place = Workplace(
            warehouse.incident,
            warehouse,
            Ledger(self.ledger),
            f"run-{os.getpid()}-{time.monotonic_ns()}",
            lambda: self.now + timedelta(seconds=time.monotonic() - self.began),
            tell=lambda line: None,
        )
        action.run(ACTIONS[BY_NAME[phase].action or ""], BY_NAME[phase], place)


def _carry_out(job: Job) -> None:
    job.said.unlink(missing_ok=True)
    code, sentence = job.carry_out()
    job.said.write_text(sentence)
    sys.exit(code)
