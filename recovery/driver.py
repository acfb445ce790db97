"""Driver: what the errors of ClickHouse's client mean, in our words."""

from __future__ import annotations

import re

from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError

from recovery import secret
from recovery.dsn import Dsn
from recovery.errors import LimitReached, ServerUnreachable, StatementFailed
from recovery.incident import Incident

# What the driver puts around the server's own words.
DRIVERS_WORDS = re.compile(
    r"Received ClickHouse exception, .*?server response: |Code: \d+\. |DB::Exception: |\(for url \S+\)"
)


# A statement's own limits, as different servers word them; others of the same codes are the server's.
OWN_MEMORY, OWN_TIME = re.compile(r"(?i)query memory limit|memory limit \(for query\)"), "Timeout exceeded: elapsed"


def explained(error: ClickHouseError, name: str, dsn: Dsn, incident: Incident) -> StatementFailed | ServerUnreachable:
    """A driver's error as one of ours: the first sentence of what the server said, without addresses or secrets."""
    code = getattr(error, "code", None) or 0
    text = secret.masked(str(error), (dsn.password,), (dsn.user,))
    if (code == 241 and OWN_MEMORY.search(text)) or (code == 159 and OWN_TIME in text):
        return LimitReached(f"{name}: {_stopped(name, code, incident)}", code)
    if isinstance(error, DatabaseError) and code not in (0, 516):
        return StatementFailed(f"{name}: ClickHouse answered with error {code}: {_first_sentence(text)}", code)
    if code == 516:
        return ServerUnreachable(f"{dsn.shown} refused the login; set CLICKHOUSE_PASSWORD, or correct --clickhouse.")
    if isinstance(error, OperationalError):
        return ServerUnreachable(
            f"{dsn.shown} cannot be reached ({name}): {_first_sentence(text)}. Is ClickHouse running there?"
        )
    return StatementFailed(f"{name}: {_first_sentence(text)}", code)


def _stopped(name: str, code: int, incident: Incident) -> str:
    night = name.startswith("nightly/")
    path, cost = (incident.nightly_path, incident.nightly.cost) if night else (incident.path, incident.cost)
    if code == 241:
        return (
            f"ClickHouse stopped it at {cost.memory_bytes:,} bytes of memory; raise cost.memory_bytes in {path} if the server "
            "has more to give"
        )
    return f"ClickHouse stopped it after {cost.seconds:,} s; raise cost.seconds in {path} if it may take longer"


def _first_sentence(text: str) -> str:
    line = " ".join(DRIVERS_WORDS.sub("", text).split()).strip(". ")
    if refused := re.search(r"\[Errno -?\d+\] ([^\"')]+)", line):
        return refused.group(1)
    return line if len(line) <= 400 else line[:397] + "..."
