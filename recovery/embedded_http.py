"""ClickHouse's HTTP interface in front of the embedded engine: what a request asks for, and how it is answered.

A request's body may be compressed; an answer never is, whatever the client would accept: it stays on this machine.
"""

from __future__ import annotations

import contextlib
import gzip
import hmac
import io
import itertools
import re
import secrets
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, cast

import lz4.frame  # type: ignore[import-untyped]
from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import FileWrapper

from recovery.embedded_engine import Engine, Query, Run
from recovery.embedded_statements import ClickHouseError, refuse_writes, split_insert, utf8

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CHUNK = 1 << 20
SPOOL_IN_MEMORY = 16 << 20
# Names in the query string that are the protocol's own; every other one is a ClickHouse setting.
NOT_SETTINGS = re.compile(
    "param_.*|query|database|default_format|query_id|user|password|quota_key|session_(id|timeout|check)|compress|"
    "decompress|buffer_size|wait_end_of_query|client_protocol_version"
)


class _Request(Request):
    max_form_memory_size = None  # loopback only; clickhouse-connect sends long parameters as a form


@dataclass(frozen=True)
class Call:
    """What one HTTP request asks for: a query, and everything around it."""

    user: str
    args: dict[str, str]
    settings: dict[str, str]
    read_only: bool
    query: Query

    @classmethod
    def of(cls, request: Request, user: str, query_id: str) -> Call:
        args, body = _sent(request)
        settings = {k: v for k, v in args.items() if not NOT_SETTINGS.fullmatch(k)}
        settings.setdefault("log_comment", query_id)  # system.processes shows it; chDB takes no query id
        readonly = settings.pop("readonly", None)
        read_only = user == "reader" or request.method == "GET" or readonly not in (None, "0")
        if read_only and (readonly not in (None, "1", "2") or "dialect" in settings):
            # Another dialect would be judged by one parser and executed by another.
            raise ClickHouseError(164, "Cannot modify 'readonly' or 'dialect' in readonly mode. (READONLY)")
        if readonly and user != "reader" and "session_id" not in args:
            settings["readonly"] = readonly  # in a session for good: there, refuse_writes must do
        return cls(user, args, settings, read_only, _query(args, body))


def _sent(request: Request) -> tuple[dict[str, str], IO[bytes]]:
    """The request's arguments, wherever they stand, and its body, unpacked."""
    args, body = request.args.to_dict(), cast("IO[bytes]", io.BytesIO())
    if request.mimetype == "multipart/form-data":
        args |= request.form.to_dict()
        if request.files:
            raise ClickHouseError(48, "External tables are not served. (NOT_IMPLEMENTED)")
    else:
        body = _unpacked(request.stream, request.headers.get("Content-Encoding", ""))
    if {args.get("compress", "0"), args.get("decompress", "0")} != {"0"}:
        raise ClickHouseError(48, "compress: use Content-Encoding instead. (NOT_IMPLEMENTED)")
    for name, header in (("database", "X-ClickHouse-Database"), ("default_format", "X-ClickHouse-Format")):
        if header in request.headers:
            args.setdefault(name, request.headers[header])
    return args, body


def _query(args: dict[str, str], body: IO[bytes]) -> Query:
    """The statement, which may begin in the arguments and go on in the body; the data of an INSERT stays unread."""
    params = {k.removeprefix("param_"): v for k, v in args.items() if k.startswith("param_")}
    format = args.get("default_format", "TabSeparated")
    head = args.get("query", "").encode()
    if first := body.read(CHUNK):
        head += b"\n" * bool(head) + first
    if not (split := split_insert(head)):
        return Query(utf8(head + body.read()), params, format, None, iter(()))
    sql, inserted, start = split
    data = itertools.chain([head[start:]], iter(lambda: body.read(CHUNK), b""))
    return Query(f"{sql} FORMAT {inserted}", params, format, (sql, inserted), data)


def _unpacked(body: IO[bytes], encoding: str) -> IO[bytes]:
    if encoding in ("", "identity"):
        return body
    openers: dict[str, Callable[..., Any]] = {"lz4": lz4.frame.open, "zstd": zstd.open, "gzip": gzip.open}
    if encoding not in openers:
        raise ClickHouseError(48, f"Content-Encoding {encoding}: use lz4, zstd or gzip. (NOT_IMPLEMENTED)")
    return cast("IO[bytes]", openers[encoding](body, "rb"))


class Server:
    """The WSGI application: every request logs in, and what it took from the engine it gives back, whatever happens."""

    def __init__(self, engine: Engine, password: str) -> None:
        self._engine, self._password = engine, password

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = _Request(environ)
        query_id = request.args.get("query_id") or str(uuid.uuid4())
        try:
            response = self._answer(request, query_id)
        except Exception as error:
            failed = ClickHouseError.of(error)
            response = Response(f"{failed}\n", status=failed.status)
            response.headers["X-ClickHouse-Exception-Code"] = str(failed.code)
        response.headers["X-ClickHouse-Query-Id"] = query_id
        response.headers["X-ClickHouse-Timezone"] = self._engine.time_zone
        return response(environ, start_response)

    def _answer(self, request: Request, query_id: str) -> Response:
        if request.path == "/ping":
            return Response("Ok.\n")
        if request.path != "/":
            return Response(f"There is no {request.path}; use / or /ping.\n", status=404)
        call = Call.of(request, self._login(request), query_id)
        statement = self._engine.statement(call.query.text)
        link = self._engine.take(call.user, call.args)
        given = contextlib.ExitStack()
        given.callback(self._engine.give_back, link)
        release = given.close  # what is given back once is not given back again
        try:
            link.prepare(call.settings, call.args.get("database"))
            if call.read_only:
                refuse_writes(statement, partial(link.rows, params=call.query.params))
            run = Run(link, call.query, statement)
            pieces = run.pieces()
            given.callback(pieces.close)  # a stream ends before its connection is given back
            tag = secrets.token_hex(8)
            body: Iterable[bytes]
            if call.args.get("wait_end_of_query") == "1" or not run.streams:
                body = _spooled(pieces)
                if statement.kind == "USE":
                    link.settle()
                release()
            else:
                first = next(pieces, b"")  # an error before the first block still gets its status
                body = _flow(itertools.chain([first], pieces), tag, release)
        except BaseException:
            release()
            raise
        headers = {
            "X-ClickHouse-Format": run.format,
            "X-ClickHouse-Summary": run.summary(),
            "X-ClickHouse-Exception-Tag": tag,
        }
        response = Response(body, headers=headers, mimetype="application/octet-stream", direct_passthrough=True)
        response.call_on_close(release)
        return response

    def _login(self, request: Request) -> str:
        """The user: `default` or `reader`, who share a password."""
        sent, args, headers = request.authorization, request.args, request.headers
        user = sent.username if sent else headers.get("X-ClickHouse-User") or args.get("user")
        password = (sent.password if sent else headers.get("X-ClickHouse-Key") or args.get("password")) or ""
        if hmac.compare_digest(password.encode(), self._password.encode()) and user in ("default", "reader"):
            return user
        text = f"{user}: Authentication failed: no such user, or a wrong password. (AUTHENTICATION_FAILED)"
        raise ClickHouseError(516, text, status=403)


def _spooled(pieces: Iterator[bytes]) -> FileWrapper:
    """The whole answer, on disk when it is large. It is closed with the response."""
    spool = tempfile.SpooledTemporaryFile(SPOOL_IN_MEMORY)  # noqa: SIM115
    for piece in pieces:  # writelines would fill the memory before it looks at the size
        spool.write(piece)
    spool.seek(0)
    return FileWrapper(cast("IO[bytes]", spool), CHUNK)


def _flow(pieces: Iterator[bytes], tag: str, release: Callable[[], None]) -> Iterator[bytes]:
    """The answer as it arises. The session is free before the client has the last byte and asks again."""
    held = b""
    try:
        for piece in pieces:
            yield held
            held = piece
    except Exception as error:
        text = str(ClickHouseError.of(error)).encode()
        mark = tag.encode()
        end = b"\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n" % (mark, text, len(text) + 1, mark)
        release()
        yield held + end
        raise ConnectionAbortedError from None  # no proper end: nobody takes half an answer for a whole one
    finally:
        release()
    yield held
