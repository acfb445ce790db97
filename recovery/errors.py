"""One class per situation. Each message is a sentence for the operator: what, where, and the next step."""

from __future__ import annotations

from typing import ClassVar


class RecoveryError(Exception):
    """Base of all errors that a person is meant to read; `exit_code` is what the command ends with."""

    exit_code: ClassVar[int] = 3


class IncidentError(RecoveryError):
    """The incident file is wrong. `faults` holds one sentence per fault."""

    exit_code = 4

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class UsageError(RecoveryError):
    """The command was called in a way that cannot work."""

    exit_code = 4


class DumpError(RecoveryError):
    """A file that is to be imported is wrong; the sentence names file, record, field and what is right."""

    exit_code = 4


class GateClosed(RecoveryError):
    """An action was asked for and the evidence before it does not allow it. `reasons` says what is missing."""

    exit_code = 11

    def __init__(self, action: str, reasons: list[str]) -> None:
        super().__init__(f"{action} is not allowed: " + "; ".join(reasons))
        self.reasons = reasons


class ActionFailed(RecoveryError):
    """An action stopped before its end; the ledger says which units are done."""

    exit_code = 12


class ServerUnreachable(RecoveryError):
    """ClickHouse could not be reached, refused the login, or is too old."""

    exit_code = 13


class ServiceUnreachable(RecoveryError):
    """A service beside ClickHouse (Vercel, git, the application) could not be reached."""

    exit_code = 13


class EmbeddedError(RecoveryError):
    """The embedded ClickHouse could not be started."""

    exit_code = 13


class StatementFailed(RecoveryError):
    """ClickHouse answered a statement with an error; `code` is its number."""

    exit_code = 3

    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.code = code


class LimitReached(StatementFailed):
    """ClickHouse stopped a statement at what the incident file lets it cost. It answered nothing, so what asked is open."""

    exit_code = 10
