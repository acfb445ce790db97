"""Redaction: a ledger in which the names of hosts, users and paths are replaced, for copies that are shown to others.

The redacted lines are a chain of their own, whose last line (kind `redacted`) says which ledger they were made from: whoever has
that makes the same copy again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from recovery import ledger
from recovery.errors import UsageError
from recovery.ledger import START, Line

PERSON = re.compile(r"(?<![\w.+-])([\w.+-]+)@([\w-]+(?:\.[\w-]+)*)")
ADDRESS = re.compile(
    r"\b(?!chdb:|file:)([a-z][a-z0-9+]*)://(?:[^\s/@\"'<>]*@)?(\[[0-9a-fA-F:]+\]|[^\s/:\"'<>?#,;)\]]+)?(:\d+)?"
)
_ROOT = r"(?:chdb|file):/{2,3}|~/|[A-Za-z]:[\\/]|\\\\|/"
PATH = re.compile(rf"(?<![\w./…-])(?:{_ROOT})(?:[\w.@+~() -]*[\w.@+~()-][/\\])+([\w.@+~()-]*)")
# A name with a port or under a well-known end, as it stands in a sentence; a table in its database has neither.
_END = r"[a-z0-9-]+(?=:\d)|com|net|org|io|app|dev|cloud|local|internal|lan|corp"
DOTTED = re.compile(rf"(?<![\w.@/-])((?:[a-z0-9-]+\.)+(?:{_END}))\b(?!\.?\w)")
AS_THEY_ARE = (
    "v", "seq", "time", "kind", "run", "phase", "phases", "verdict", "state", "action", "mode", "outcome", "check", "attempt",
)  # fmt: skip
HOST_KEYS = ("host", "hostname")


def redact(content: bytes) -> bytes:
    """A ledger's content without the names of hosts, users and paths. Raises UsageError where its chain is broken, which a new
    chain would hide."""
    if fault := ledger.fault_of(content, "the ledger"):
        raise UsageError(f"{fault}. A redacted copy would hide that; give the ledger as it is.")
    lines = ledger.lines_of(content)
    if not lines:
        raise UsageError("The ledger has no line; there is nothing to redact.")
    names = Names(lines)
    told = [_line(line, names.redacted) for line in lines]
    told.append({**lines[-1], "kind": "redacted", "of": lines[-1]["sha"], "lines": len(lines), "seq": len(lines)})
    told[-1] = {key: told[-1][key] for key in ("v", "seq", "time", "kind", "of", "lines")}
    out, prev = [], START
    for line in told:
        line = ledger.chained(line, prev)
        out.append(ledger.text_of(line))
        prev = line["sha"]
    return "".join(f"{line}\n" for line in out).encode("utf-8", "surrogatepass")


class Names:
    """One other name for each host and each user, the same wherever it stands."""

    def __init__(self, lines: list[Line]) -> None:
        self.hosts: dict[str, str] = {}
        self.users: dict[str, str] = {}
        for line in lines:
            _each_text(line, self._meet)
        short = {host.partition(".")[0]: name for host, name in self.hosts.items() if not host[:1].isdigit()}
        self._words = {**short, **self.users, **self.hosts}
        known = sorted((word for word in self._words if len(word) > 1), key=len, reverse=True)
        self._word = re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, known))})(?![\w-]|\.\w)") if known else None

    def _meet(self, key: str, text: str) -> None:
        if key in HOST_KEYS:
            self._host(text)
        for user, host in PERSON.findall(text) if key == "who" else ():
            self._user(user), self._host(host)
        if key == "by":
            self._user(text)
        for host in DOTTED.findall(text):
            self._host(host)
        for _, host, _ in ADDRESS.findall(text):
            self._host(host)

    def _host(self, name: str) -> str:
        return self.hosts.setdefault(name, f"host-{len(self.hosts) + 1}") if name else ""

    def _user(self, name: str) -> str:
        return self.users.setdefault(name, f"user-{len(self.users) + 1}")

    def redacted(self, text: str) -> str:
        text = PATH.sub(r"…/\1", text)
        text = ADDRESS.sub(lambda found: f"{found[1]}://{self._host(found[2] or '')}", text)
        text = PERSON.sub(lambda found: f"{self._user(found[1])}@{self._host(found[2])}", text)
        if self._word:
            text = self._word.sub(lambda found: self._words[found[0]], text)
        return text


def _rewritten(value: Any, change: Callable[[str], str]) -> Any:
    """The same value with every text in it changed, and keys that are paths."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_rewritten(each, change) for each in value]
    if isinstance(value, dict):
        return {
            change(key) if "/" in key or "\\" in key else key: _rewritten(each, change) for key, each in value.items()
        }
    return value


def _line(line: Line, change: Callable[[str], str]) -> Line:
    """A line with its texts changed, but for its own keys and the words that it is read by."""
    return {key: value if key in AS_THEY_ARE else _rewritten(value, change) for key, value in line.items()}


def _each_text(value: Any, see: Callable[[str, str], None], key: str = "") -> None:
    if isinstance(value, str):
        see(key, value)
    elif isinstance(value, list):
        for each in value:
            _each_text(each, see, key)
    elif isinstance(value, dict):
        for name, each in value.items():
            see("", name)
            _each_text(each, see, name)
