"""Listening: stands between the suite and the server, passes everything on, and keeps what was asked."""

from __future__ import annotations

import base64
import http.client
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from recovery.warehouse import Dsn

READS = re.compile(r"\s*(--[^\n]*\n\s*)*(SELECT|WITH|DESCRIBE|EXPLAIN)\b", re.IGNORECASE)
IN_FORM = re.compile(r'name="query"\r\n\r\n(.*?)\r\n--', re.DOTALL)
# What the driver asks of itself, before it is told the settings.
CONNECTING = ("SELECT version(), timezone()", "SELECT name, value, readonly FROM system.settings", "SELECT 1 AS check")

OF_THE_HOP = ("host", "connection", "transfer-encoding", "content-length")


@dataclass
class Heard:
    """Each request as it came: its address, with the settings, and its body. The login is not among them."""

    dsn: str = field(repr=False)
    requests: list[tuple[str, str]] = field(default_factory=list)
    fails: str = ""  # a statement with this text in it is answered with an error that repeats the login

    @property
    def writing(self) -> list[str]:
        """What was asked that is no reading statement under readonly = 2; the driver's own words at connect apart."""
        found = []
        for address, body in self.requests:
            settings = parse_qs(urlsplit(address).query)
            in_form = IN_FORM.search(body)
            text = in_form[1] if in_form else body or settings.get("query", [""])[0]
            bound = settings.get("readonly") == ["2"] or text.startswith(CONNECTING)
            if not (READS.match(text) and bound):
                found.append(text)
        return found


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@contextmanager
def listening(dsn: str, *passwords: str) -> Iterator[Heard]:
    """A server in front of the one of `dsn`, with the same login; `passwords` are taken for the right one."""
    there = Dsn.parse(dsn)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self._body()
            if urlsplit(self.path).path == "/":
                heard.requests.append((self.path, body.decode("utf-8", "replace")))
            login = self.headers.get("Authorization", "")
            if heard.fails and heard.fails.encode() in body:
                self._answer(
                    500, [("X-ClickHouse-Exception-Code", "241")], f"Code: 241. DB::Exception: no, {login}".encode()
                )
                return
            connection = http.client.HTTPConnection(there.host, there.port, timeout=120)
            kept = {name: value for name, value in self.headers.items() if name.lower() not in OF_THE_HOP}
            if any(login == _basic(there.user, password) for password in passwords):
                kept["Authorization"] = _basic(there.user, there.password)
            connection.request(self.command, self.path, body or None, kept)
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            self._answer(answer.status, answer.getheaders(), content)

        def _body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        do_GET = do_POST = _pass_on

        def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    heard = Heard(f"clickhouse://{there.user}:{there.password}@127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
