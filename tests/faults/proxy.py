"""A proxy on loopback between a runner and its server, which does one kind of harm to one writing request."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Self
from urllib.parse import parse_qs, quote, unquote_plus, urlsplit

from recovery.warehouse import Dsn

DELAY_SECONDS = 1.0
WRITES = re.compile(
    r"\s*(?:--[^\n]*\n\s*)*(INSERT|ALTER|DELETE|CREATE|DROP|OPTIMIZE|TRUNCATE|RENAME|EXCHANGE|SYSTEM)\b"
)
DATA = "INSERT with data"
GONE = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


class Harm(Enum):
    """What is done to a request. `LATE` reaches the server a moment after the client gave up, `HELD` when it is let go."""

    CUT_BEFORE = "cut before it is sent on"
    RESET_BEFORE = "reset before it is sent on"
    CUT_AFTER = "cut after it was executed"
    RESET_AFTER = "reset after it was executed"
    TRUNCATED = "answered in part"
    DELAYED = "delayed"
    LATE = "executed a moment after the client gave up"
    HELD = "executed after everything else"


@dataclass(frozen=True)
class Request:
    """A writing request as it passed: its query id, and the words that its statement begins with."""

    query_id: str
    statement: str


class Proxy:
    """Every request has a connection of its own. `seen` has the writing ones; the `victim`th of them, from 0, is harmed."""

    def __init__(self, dsn: str, harm: Harm | None = None, victim: int = -1) -> None:
        parsed = Dsn.parse(dsn)
        self.seen: list[Request] = []
        self.harmed: Request | None = None
        self._server, self._harm, self._victim = (parsed.host, parsed.port), harm, victim
        self._let_go, self._lock = threading.Event(), threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._late: list[threading.Thread] = []
        port = self._listener.getsockname()[1]
        self.dsn = f"clickhouse://{parsed.user}:{quote(parsed.password)}@127.0.0.1:{port}/default"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()
        self._listener.close()

    def let_go(self) -> None:
        """Send on what is held, and wait until whatever is late has reached the server and was answered."""
        self._let_go.set()
        for thread in self._late:
            thread.join(60)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            if not (request := _read(client)):
                return
            harm = self._harm_to(request)
            if harm in (Harm.LATE, Harm.HELD):
                late = threading.Thread(target=self._send_late, args=(request, harm), daemon=True)
                self._late.append(late)
                late.start()
            if harm in (Harm.CUT_BEFORE, Harm.LATE, Harm.HELD):
                return
            if harm is Harm.RESET_BEFORE:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, GONE)
                return
            if harm is Harm.DELAYED:
                time.sleep(DELAY_SECONDS)
            answer = self._ask(request)
            if harm is Harm.RESET_AFTER:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, GONE)
            elif harm is Harm.TRUNCATED:
                client.sendall(answer[: len(answer) // 2])
            elif harm is not Harm.CUT_AFTER:
                client.sendall(answer)

    def _send_late(self, request: bytes, harm: Harm) -> None:
        if harm is Harm.LATE:
            time.sleep(DELAY_SECONDS)
        else:
            self._let_go.wait()
        with suppress(OSError):
            self._ask(request)

    def _ask(self, request: bytes) -> bytes:
        with socket.create_connection(self._server) as server:
            head, _, body = request.partition(b"\r\n\r\n")
            head = re.sub(rb"(?i)\r\nConnection: [^\r]*", b"", head)
            server.sendall(head + b"\r\nConnection: close\r\n\r\n" + body)
            return b"".join(iter(lambda: server.recv(1 << 16), b""))

    def _harm_to(self, request: bytes) -> Harm | None:
        written = _writing(request)
        if written is None:
            return None
        with self._lock:
            self.seen.append(written)
            if len(self.seen) - 1 != self._victim:
                return None
            self.harmed = written
            return self._harm


def _read(client: socket.socket) -> bytes:
    """One request with its body, as it was sent, or nothing."""
    data = _until(client, b"", lambda data: b"\r\n\r\n" in data)
    head, _, body = data.partition(b"\r\n\r\n")
    if re.search(rb"(?i)\r\nTransfer-Encoding: chunked", head):
        body = _until(client, body, lambda body: body.endswith(b"\r\n0\r\n\r\n"))
    elif length := re.search(rb"(?i)\r\nContent-Length: (\d+)", head):
        body = _until(client, body, lambda body: len(body) >= int(length[1]))
    return head + b"\r\n\r\n" + body if head else b""


def _until(client: socket.socket, data: bytes, whole: Callable[[bytes], bool]) -> bytes:
    while not whole(data):
        if not (piece := client.recv(1 << 16)):
            return b""
        data += piece
    return data


def _writing(request: bytes) -> Request | None:
    head, _, body = request.partition(b"\r\n\r\n")
    method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
    arguments = parse_qs(urlsplit(target).query)
    if method != "POST" or arguments.get("readonly", ["0"]) != ["0"]:
        return None
    text = "".join(arguments.get("query", [])) or body.decode("utf-8", "replace")
    found = WRITES.match(text) or WRITES.match(unquote_plus(text))
    query_id = arguments.get("query_id", arguments.get("log_comment", [""]))[0]
    if found:
        return Request(query_id, " ".join(text[found.start(1) :].split()[:3]))
    return Request(query_id, DATA) if b"chunked" in head.lower() else None
