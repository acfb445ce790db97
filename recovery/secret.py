"""Secret: what must stand in no output: passwords and tokens, whole, as they are sent, and what is left of them in a cut text."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote

from recovery.errors import ServiceUnreachable

VARIABLES = (
    "CLICKHOUSE_PASSWORD", "CLICKHOUSE_WRITER_PASSWORD", "VERCEL_TOKEN", "CRON_SECRET", "SLACK_BOT_TOKEN", "SLACK_WEBHOOK_URL",
)  # fmt: skip
SHORTEST = 4  # below, it would be found in any text
MASK = "***"


def given(variable: str, what: str) -> str:
    """What the environment has for a service, "" where it has nothing; raises ServiceUnreachable, without showing it, where it
    cannot be sent."""
    value = os.environ.get(variable, "").strip()
    if not (value.isascii() and value.isprintable()):
        raise ServiceUnreachable(f"{variable} holds characters that no {what} has; set it again.")
    return value


def masked(text: str, passwords: Iterable[str] = (), users: Iterable[str] = ()) -> str:
    """The text without the environment's secrets and without these passwords, alone or with one of the users' names."""
    given = (*(os.environ.get(name, "") for name in VARIABLES), *passwords)
    names = (*users, os.environ.get("CLICKHOUSE_WRITER_USER", "default"), "default")
    for form in _forms(given, names):
        text = text.replace(form, MASK)
        if "..." in text:
            text = _without_pieces(text, form)
    return text


@lru_cache
def _forms(given: tuple[str, ...], users: tuple[str, ...]) -> tuple[str, ...]:
    """Each secret as it is, as an address and as Python write it, and as a login is sent; the longest first."""
    secrets = {secret for value in given for secret in (value, *value.split("\n")) if len(secret) >= SHORTEST}
    logins = {base64.b64encode(f"{user}:{secret}".encode()).decode() for user in users for secret in secrets}
    written = {form for secret in secrets for form in (secret, quote(secret, safe=""), repr(secret)[1:-1])}
    return tuple(sorted(written | logins, key=len, reverse=True))


def _without_pieces(text: str, secret: str) -> str:
    """The text without the beginning of the secret before an ellipsis, and without its end after one."""
    beginnings = tuple(secret[:length] for length in range(len(secret) - 1, SHORTEST - 1, -1))
    ends = tuple(secret[-len(beginning) :] for beginning in beginnings)
    parts = text.split("...")
    for number in range(len(parts) - 1):
        if parts[number].endswith(beginnings):
            piece = next(each for each in beginnings if parts[number].endswith(each))
            parts[number] = parts[number].removesuffix(piece) + MASK
        if parts[number + 1].startswith(ends):
            piece = next(each for each in ends if parts[number + 1].startswith(each))
            parts[number + 1] = MASK + parts[number + 1].removeprefix(piece)
    return "...".join(parts)
