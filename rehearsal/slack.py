"""The team's Slack on loopback: the four methods that the recovery calls, as strict as Slack is, and with faults on demand."""

from __future__ import annotations

import json
import secrets
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs

from rehearsal.loopback import Loopback

CHANNEL, NAME = "C0REHEARSAL", "#rehearsal"  # a message may be posted to the name, all else needs the id
NEEDED = {
    "chat.postMessage": {"channel", "text"},
    "chat.update": {"channel", "ts", "text"},
    "pins.add": {"channel", "timestamp"},
    "pins.remove": {"channel", "timestamp"},
}
KNOWN = {"thread_ts"}


@dataclass(frozen=True)
class Call:
    method: str
    fields: dict[str, str]
    answer: str  # "ok" or the error


@dataclass
class Slack:
    """`faults` are used up in order, one per call: an error's name, "429", "500", "hang" or "" for none; the last one stays if
    `for_ever`. `calls` are all that came, in order; `complaints` what no client of Slack may do."""

    faults: list[str] = field(default_factory=list)
    for_ever: bool = False
    retry_after: int = 1
    token: str = field(default_factory=lambda: f"xoxb-{secrets.token_urlsafe(24)}")
    calls: list[Call] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self.texts: dict[str, str] = {}  # ts → text, of the messages that are there
        self.pinned: set[str] = set()
        self._closing = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._server = Loopback(_handler(self))
        self.url = f"{self._server.url}/api/"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.stop()

    def done(self, method: str) -> list[Call]:
        """The calls of a method that went well."""
        return [call for call in self.calls if call.method == method and call.answer == "ok"]

    def told(self) -> str:
        """What it saw, in a line."""
        replies = sum("thread_ts" in call.fields for call in self.done("chat.postMessage"))
        return (
            f"Slack saw {len(self.done('chat.postMessage')) - replies} messages, {len(self.done('pins.add'))} pinned, "
            f"{len(self.done('chat.update'))} edits, {replies} replies, {len(self.done('pins.remove'))} unpinned"
        )

    def answer(self, method: str, token: str, fields: dict[str, str]) -> tuple[int, dict[str, str], dict[str, Any]]:
        """Status, headers and body for one call."""
        with self._lock:
            fault = self.faults[0] if self.faults else ""
            if self.faults and not (self.for_ever and len(self.faults) == 1):
                self.faults.pop(0)
            if fault == "hang":
                self.calls.append(Call(method, fields, "hang"))
                self._lock.release()
                self._closing.wait(30)
                self._lock.acquire()
                return 500, {}, {}
            if fault in ("429", "500"):
                self.calls.append(Call(method, fields, fault))
                headers = {"Retry-After": str(self.retry_after)} if fault == "429" else {}
                return (
                    int(fault),
                    headers,
                    {"ok": False, "error": "ratelimited" if fault == "429" else "internal_error"},
                )
            error = fault or self._refused(method, token, fields)
            body = {"ok": False, "error": error} if error else {"ok": True, **self._do(method, fields)}
            self.calls.append(Call(method, fields, error or "ok"))
            return 200, {}, body

    def _refused(self, method: str, token: str, fields: dict[str, str]) -> str:
        """Slack's error for a call that it does not take, else empty."""
        if method not in NEEDED:
            self.complaints.append(f"{method} is not called by the recovery")
            return "unknown_method"
        if token != f"Bearer {self.token}":
            return "invalid_auth"
        if strange := set(fields) - NEEDED[method] - KNOWN or NEEDED[method] - set(fields):
            self.complaints.append(f"{method}: {', '.join(sorted(strange))}")
            return "invalid_arguments"
        if fields["channel"] != CHANNEL and (method, fields["channel"]) != ("chat.postMessage", NAME):
            return "channel_not_found"
        if method == "chat.postMessage":
            if not fields["text"]:
                return "no_text"
            return "" if fields.get("thread_ts", "") in ("", *self.texts) else "thread_not_found"
        ts = fields.get("ts", fields.get("timestamp", ""))
        if ts not in self.texts:
            return "message_not_found"
        if method == "pins.add":
            return "already_pinned" if ts in self.pinned else ""
        return "no_pin" if method == "pins.remove" and ts not in self.pinned else ""

    def _do(self, method: str, fields: dict[str, str]) -> dict[str, Any]:
        if method == "chat.postMessage":
            ts = f"1770012000.{len(self.calls):06}"
            self.texts[ts] = fields["text"]
            return {"channel": CHANNEL, "ts": ts}
        ts = fields.get("ts", fields.get("timestamp", ""))
        if method == "chat.update":
            self.texts[ts] = fields["text"]
            return {"channel": CHANNEL, "ts": ts}
        self.pinned = self.pinned | {ts} if method == "pins.add" else self.pinned - {ts}
        return {}


def _handler(slack: Slack) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
            if "json" in (self.headers["Content-Type"] or ""):
                fields = {name: str(value) for name, value in json.loads(content or "{}").items()}
            else:
                fields = {name: values[-1] for name, values in parse_qs(content).items()}
            method = self.path.rpartition("/")[2]
            status, headers, body = slack.answer(method, self.headers["Authorization"] or "", fields)
            sent = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {
                **headers,
                "Content-Type": "application/json",
                "Content-Length": str(len(sent)),
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: object) -> None:
            """The terminal belongs to the recovery."""

    return Handler
