"""An embedded ClickHouse (chDB) served over ClickHouse's HTTP interface on loopback, in a process of its own.

A chDB folder belongs to one process at a time: several share it through this server. Stock clickhouse-connect
works against it, with typed parameters, settings, sessions, streams, compression and error codes.
`EmbeddedServer` starts it as a child; `python -m recovery.embedded DIR` serves a folder by hand. The user
`default` may do everything, the user `reader` may only read.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import functools
import gzip
import hmac
import http.client
import io
import itertools
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol, Self, cast
from urllib.parse import urlsplit

import lz4.frame  # type: ignore[import-untyped]
import waitress  # type: ignore[import-untyped]
from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import FileWrapper

from recovery.errors import EmbeddedError, RecoveryError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
THREADS = 32  # requests at work at once; a stream holds one until the client has read it
CHUNK = 1 << 20
SPOOL_IN_MEMORY = 16 << 20
LONG = 1 << 16  # a statement too long to be remembered
SESSION_SECONDS, SESSION_SECONDS_MAX = 60, 3600
READS = ("SELECT", "WITH", "SHOW", "DESCRIBE", "EXISTS", "EXPLAIN")
# chDB encodes every block as a file of its own: what has a header or a footer cannot be sent by the block.
STREAMABLE = ("Native", "TabSeparated", "TSV", "CSV", "JSONEachRow", "RowBinary", "ArrowStream")
# Names in the query string that are the protocol's own; every other one is a ClickHouse setting.
NOT_SETTINGS = re.compile(
    "param_.*|query|database|default_format|query_id|user|password|quota_key|session_(id|timeout|check)|compress|"
    "decompress|buffer_size|wait_end_of_query|client_protocol_version"
)
TOKEN = re.compile(
    r"""\s+|--[^\n]*|\#[ !][^\n]*|/\*.*?\*/|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`|\w+|.""",
    re.DOTALL,
)
EXPLAIN = re.compile(
    r"EXPLAIN ((AST|SYNTAX|QUERY TREE|PLAN|PIPELINE|ESTIMATE|ANALYZE) )?(\w+ = \w+,? )*(?=\(*(SELECT|WITH)\b)"
)


class ClickHouseError(Exception):
    """An error as ClickHouse reports it: its code, its text, and the HTTP status that goes with it."""

    def __init__(self, code: int, text: str, status: int = 500) -> None:
        super().__init__(text if text.startswith("Code:") else f"Code: {code}. DB::Exception: {text}")
        self.code, self.status = code, status

    @classmethod
    def of(cls, error: Exception) -> ClickHouseError:
        """The error inside chDB's, which wraps it in words of its own."""
        found = re.search(r"Code: (\d+)\..*", str(error), re.DOTALL)
        return cls(int(found[1]), found[0].strip()) if found else cls(1001, str(error) or repr(error))


@dataclass(frozen=True)
class Statement:
    """What ClickHouse's own parser makes of a text, which is one statement, never several."""

    body: str  # in canonical form, without FORMAT and what follows it
    format: str | None
    words: tuple[str, ...]  # the unquoted words of the canonical form, in capitals

    @property
    def kind(self) -> str:
        return self.words[0]

    @property
    def selects(self) -> bool:
        return self.kind in ("SELECT", "WITH")


def tokens(text: str) -> Iterator[re.Match[str]]:
    """The tokens of SQL that mean something: no white space, no comments."""
    for token in TOKEN.finditer(text):
        if not (token[0].isspace() or token[0].startswith(("--", "/*", "# ", "#!"))):
            yield token


def split_insert(head: bytes) -> tuple[str, str, int] | None:
    """Of an INSERT with data: its statement without FORMAT, the format, and where the data begins."""
    depth, before = 0, None
    text = head.decode("latin-1")  # one character a byte, so that positions are those of the bytes
    for number, token in enumerate(tokens(text)):
        word = token[0].upper()
        if number == 0 and word != "INSERT":
            return None
        depth += (word == "(") - (word == ")")
        if depth or word == ")":
            continue
        if before is not None and before[0].upper() == "FORMAT":
            gap = re.compile(r"[ \t\f]*\r?\n?").match(text, token.end())
            return _utf8(head[: before.start()]), token[0], gap.end() if gap else token.end()
        if word == "VALUES":
            return _utf8(head[: token.start()]), "Values", token.end()
        if word in ("SELECT", "WITH", "FROM"):
            return None
        before = token
    return None


def _utf8(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise ClickHouseError(36, f"The statement is not UTF-8: {error}. (BAD_ARGUMENTS)") from None


def _quoted(text: str, mark: str = "'") -> str:
    return mark + text.replace("\\", "\\\\").replace(mark, "\\" + mark) + mark


@dataclass
class Link:
    """One chDB connection: a request's own, or a session's. What a request sets does not outlast it."""

    connection: Any
    session: bool = False
    busy: threading.Lock = field(default_factory=threading.Lock)
    until: float = 0.0
    home: str = "default"  # the session's database, as USE left it
    database: str = "default"
    seconds: int = 0
    _now: dict[str, str] = field(default_factory=dict)  # the settings of the last request
    _before: dict[str, str] = field(default_factory=dict)  # what those were in the session itself

    def prepare(self, settings: dict[str, str], database: str | None) -> None:
        """Take on this request's settings and database, and give back those of the request before."""
        new = [name for name in settings if name not in self._before]
        if new and self.session:  # the connection of a single request needs no way back
            asked = ", ".join(f"getSetting({_quoted(name)})" for name in new)
            self._before |= dict(zip(new, self.rows(f"SELECT {asked}")[0], strict=True))
        changes = {k: v for k, v in (self._before | settings).items() if self._now.get(k) != v}
        if changes:
            self._now = {}  # should it fail half-way, the next request sets them all
            assignments = (f"{_quoted(name, '`')} = {_quoted(value)}" for name, value in changes.items())
            self.connection.query("SET " + ", ".join(assignments))
        self._now, self._before = settings, {k: v for k, v in self._before.items() if k in settings}
        if (database := database or self.home) != self.database:
            self.connection.query(f"USE {_quoted(database, '`')}")
            self.database = database

    def rows(self, sql: str, params: dict[str, str] | None = None, part: str = "data") -> list[Any]:
        answer = self.connection.query(sql, "JSONCompactStrings", params=params or {})
        return cast("list[Any]", json.loads(answer.bytes())[part])


class Packer(Protocol):
    """Compresses an answer piece by piece."""

    def compress(self, data: bytes) -> bytes: ...
    def flush(self) -> bytes: ...


class _Lz4Packer:
    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._header = cast(bytes, self._frame.begin())

    def compress(self, data: bytes) -> bytes:
        header, self._header = self._header, b""
        return header + cast(bytes, self._frame.compress(data))

    def flush(self) -> bytes:
        return self.compress(b"") + cast(bytes, self._frame.flush())


class _PlainPacker:
    def compress(self, data: bytes) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


PACKERS: dict[str, Callable[[], Packer]] = {
    "": _PlainPacker,
    "lz4": _Lz4Packer,
    "zstd": lambda: cast(Packer, zstd.ZstdCompressor(level=1)),
    "gzip": lambda: cast(Packer, zlib.compressobj(1, wbits=31)),
}


def _unpacked(body: IO[bytes], encoding: str) -> IO[bytes]:
    if encoding in ("", "identity"):
        return body
    if encoding == "lz4":
        return cast("IO[bytes]", lz4.frame.open(body, "rb"))
    if encoding == "zstd":
        return cast("IO[bytes]", zstd.open(body, "rb"))
    if encoding == "gzip":
        return cast("IO[bytes]", gzip.open(body, "rb"))
    raise ClickHouseError(48, f"Content-Encoding {encoding}: use lz4, zstd or gzip. (NOT_IMPLEMENTED)")


class _Request(Request):
    max_form_memory_size = None  # loopback only; clickhouse-connect sends long parameters as a form


@dataclass(frozen=True)
class Call:
    """What one HTTP request asks for."""

    user: str
    args: dict[str, str]
    settings: dict[str, str]
    params: dict[str, str]
    read_only: bool
    text: str  # the whole statement; of an INSERT with data, without the data
    insert: tuple[str, str] | None  # its statement without FORMAT, and the format
    data: Iterator[bytes]
    packer: str

    @classmethod
    def of(cls, request: Request, user: str, query_id: str) -> Call:
        args = request.args.to_dict()
        body: IO[bytes] = io.BytesIO()
        if request.mimetype == "multipart/form-data":
            args |= request.form.to_dict()
            if request.files:
                raise ClickHouseError(48, "External tables are not served. (NOT_IMPLEMENTED)")
        else:
            body = _unpacked(request.stream, request.headers.get("Content-Encoding", ""))
        if {args.get("compress", "0"), args.get("decompress", "0")} != {"0"}:
            raise ClickHouseError(48, "compress: use Content-Encoding instead. (NOT_IMPLEMENTED)")
        for name, header in (
            ("database", "X-ClickHouse-Database"),
            ("default_format", "X-ClickHouse-Format"),
        ):
            if header in request.headers:
                args.setdefault(name, request.headers[header])

        settings = {k: v for k, v in args.items() if not NOT_SETTINGS.fullmatch(k)}
        settings.setdefault("log_comment", query_id)  # system.processes shows it; chDB takes no query id
        readonly = settings.pop("readonly", None)
        read_only = user == "reader" or request.method == "GET" or readonly not in (None, "0")
        if read_only and (readonly not in (None, "1", "2") or "dialect" in settings):
            # Another dialect would be judged by one parser and executed by another.
            raise ClickHouseError(164, "Cannot modify 'readonly' or 'dialect' in readonly mode. (READONLY)")
        if readonly and user != "reader" and "session_id" not in args:
            settings["readonly"] = readonly  # in a session for good: there, _refuse_writes must do

        head = args.get("query", "").encode()
        if first := body.read(CHUNK):
            head += b"\n" * bool(head) + first
        data: Iterator[bytes] = iter(())
        insert: tuple[str, str] | None = None
        if split := split_insert(head):
            sql, format, start = split
            data = itertools.chain([head[start:]], iter(lambda: body.read(CHUNK), b""))
            text, insert = f"{sql} FORMAT {format}", (sql, format)
        else:
            text = _utf8(head + body.read())
        wanted = request.accept_encodings.values() if args.get("enable_http_compression") != "0" else ()
        packer = next((name for name in PACKERS if name in tuple(wanted)), "")
        params = {k.removeprefix("param_"): v for k, v in args.items() if k.startswith("param_")}
        return cls(user, args, settings, params, read_only, text, insert, data, packer)


class Run:
    """One statement at work on one connection: its answer in pieces, and its summary."""

    def __init__(self, link: Link, call: Call, statement: Statement) -> None:
        self._link, self._call, self._statement = link, call, statement
        self.format = statement.format or call.args.get("default_format", "TabSeparated")
        self._rows = 0
        self._progress: dict[str, int] = {}
        self._started = time.perf_counter_ns()
        link.connection.set_progress_callback(self._progress.update)

    @property
    def streams(self) -> bool:
        return self._statement.selects and self.format in STREAMABLE

    def pieces(self) -> Generator[bytes, None, None]:
        if self._call.insert:
            self._insert(*self._call.insert)
        elif not self.streams:
            yield from self._whole()
        elif self.format == "ArrowStream":
            yield from self._one_arrow_stream()
        else:
            yield from self._blocks()
        if not self._rows and self.format == "Native":
            yield self._empty_block()

    def _insert(self, sql: str, format: str) -> None:
        connection = self._link.connection
        for name, value in self._call.params.items():  # send_insert takes none
            connection.query(f"SET {_quoted('param_' + name, '`')} = {_quoted(value)}")
        with connection.send_insert(sql, format) as inserter:
            for piece in self._call.data:
                inserter.append(piece)
            done = inserter.finish()
        written = {"written_rows": done.rows_written, "written_bytes": done.bytes_written}
        self._progress |= written | {"read_rows": done.rows_written, "read_bytes": done.bytes_written}

    def _whole(self) -> Iterator[bytes]:
        answer = self._link.connection.query(self._call.text, self.format, params=self._call.params)
        self._rows += answer.rows_read()
        yield answer.bytes()

    def _blocks(self) -> Iterator[bytes]:
        call = self._call
        with self._link.connection.send_query(call.text, self.format, params=call.params) as stream:
            for block in stream:
                self._rows += block.rows_read()
                yield block.bytes()

    def _one_arrow_stream(self) -> Iterator[bytes]:
        """Every block arrives as an Arrow stream of its own: write their batches into a single one."""
        import pyarrow as pa

        sink, writer = io.BytesIO(), None
        for block in self._blocks():
            with pa.ipc.open_stream(block) as reader:
                writer = writer or pa.ipc.new_stream(
                    sink, reader.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")
                )
                for batch in reader:
                    writer.write_batch(batch)
            yield sink.getvalue()
            sink.seek(0)
            sink.truncate()
        if writer:
            writer.close()
            yield sink.getvalue()
        else:
            yield from self._whole()  # no rows: only the whole answer carries the schema

    def _empty_block(self) -> bytes:
        """A Native block of no rows: chDB answers no rows with no bytes, a server with the columns."""
        body = self._statement.body
        self._link.connection.set_progress_callback(None)  # the summary is of the statement, not of this
        if self._statement.selects:
            columns = [row[:2] for row in self._link.rows(f"DESCRIBE ({body})", self._call.params)]
        elif self._statement.kind in READS:
            columns = [(c["name"], c["type"]) for c in self._link.rows(body, self._call.params, "meta")]
        else:
            return b""
        block = _varint(len(columns)) + _varint(0)
        for text in itertools.chain.from_iterable(columns):
            block += _varint(len(text.encode())) + text.encode()
        return block

    def summary(self) -> str:
        names = ("read_rows", "read_bytes", "written_rows", "written_bytes", "total_rows_to_read")
        values = {name: self._progress.get(name, 0) for name in names} | {"result_rows": self._rows}
        values["elapsed_ns"] = time.perf_counter_ns() - self._started
        return json.dumps({name: str(value) for name, value in values.items()})


def _varint(number: int) -> bytes:
    low = number & 0x7F
    return bytes([low]) if number < 0x80 else bytes([low | 0x80]) + _varint(number >> 7)


class Server:
    """The WSGI application: one engine, its sessions, and the two logins that share a password."""

    def __init__(self, folder: Path, password: str) -> None:
        self._folder, self._password = folder, password
        self._anchor = Link(self._connect())  # the engine lives as long as a connection is open
        self._anchor_lock = threading.Lock()
        self._sessions: dict[tuple[str, str], Link] = {}
        self._sessions_lock = threading.Lock()
        self._parse_again = functools.lru_cache(maxsize=512)(self._parse)
        self._make_default_atomic()

    def _connect(self, user: str = "default") -> Any:
        import chdb

        connection: Any = chdb.connect(str(self._folder))  # type: ignore[no-untyped-call]
        if user == "reader":
            connection.query("SET readonly = 2")
        return connection

    def _make_default_atomic(self) -> None:
        """chDB wraps `default` in an Overlay, whose tables show no uuid; elsewhere it is Atomic."""
        query, metadata = self._anchor.connection.query, self._folder / "metadata"
        declared, tables = metadata / "default.sql", metadata / "default"
        if declared.exists() and tables.exists() and tables.resolve().name in declared.read_text():
            query("DETACH DATABASE default")
            query("ATTACH DATABASE default")
        elif not declared.exists() and not tables.exists():  # else chDB without this server made it: leave it so
            query("DROP DATABASE default")
            query("CREATE DATABASE default ENGINE = Atomic")
            query("CREATE TABLE default._ (_ UInt8) ENGINE = Memory")  # a first table makes it last on disk
            query("DROP TABLE default._ SYNC")

    def close(self) -> None:
        for link in (*self._sessions.values(), self._anchor):
            link.connection.close()

    def cancel_all(self) -> None:
        """Stop whatever runs, so that the server can close."""
        connection = self._connect()
        connection.query("KILL QUERY WHERE query NOT LIKE 'KILL QUERY%' ASYNC")
        connection.close()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = _Request(environ)
        query_id = request.args.get("query_id") or str(uuid.uuid4())
        try:
            response = self._answer(request, query_id)
        except Exception as error:
            failed = error if isinstance(error, ClickHouseError) else ClickHouseError.of(error)
            response = Response(f"{failed}\n", status=failed.status)
            response.headers["X-ClickHouse-Exception-Code"] = str(failed.code)
        response.headers["X-ClickHouse-Query-Id"] = query_id
        response.headers["X-ClickHouse-Timezone"] = "UTC"
        return response(environ, start_response)

    def _answer(self, request: Request, query_id: str) -> Response:
        if request.path == "/ping":
            return Response("Ok.\n")
        if request.path != "/":
            return Response(f"There is no {request.path}; use / or /ping.\n", status=404)
        call = Call.of(request, self._login(request), query_id)
        statement = self._parse_again(call.text) if len(call.text) < LONG else self._parse(call.text)
        link = self._take(call)
        given = contextlib.ExitStack()
        given.callback(self._give_back, link)
        release = given.close  # what is given back once is not given back again
        try:
            link.prepare(call.settings, call.args.get("database"))
            if call.read_only:
                _refuse_writes(link, statement, call.params)
            run = Run(link, call, statement)
            pieces = run.pieces()
            given.callback(pieces.close)  # a stream ends before its connection is given back
            packer = PACKERS[call.packer]()
            tag = secrets.token_hex(8)
            body: Iterable[bytes]
            if call.args.get("wait_end_of_query") == "1" or not run.streams:
                body = _spooled(pieces, packer)
                if statement.kind == "USE":
                    link.home = link.database = link.rows("SELECT currentDatabase()")[0][0]
                release()
            else:
                first = next(pieces, b"")  # an error before the first block still gets its status
                body = _flow(itertools.chain([first], pieces), packer, tag, release)
        except BaseException:
            release()
            raise
        headers = {"X-ClickHouse-Format": run.format, "X-ClickHouse-Summary": run.summary()}
        headers["X-ClickHouse-Exception-Tag"] = tag
        if call.packer:
            headers["Content-Encoding"] = call.packer
        response = Response(body, headers=headers, mimetype="application/octet-stream", direct_passthrough=True)
        response.call_on_close(release)
        return response

    def _login(self, request: Request) -> str:
        sent, args, headers = request.authorization, request.args, request.headers
        user = sent.username if sent else headers.get("X-ClickHouse-User") or args.get("user")
        password = (sent.password if sent else headers.get("X-ClickHouse-Key") or args.get("password")) or ""
        if hmac.compare_digest(password.encode(), self._password.encode()) and user in ("default", "reader"):
            return user
        text = f"{user}: Authentication failed: no such user, or a wrong password. (AUTHENTICATION_FAILED)"
        raise ClickHouseError(516, text, status=403)

    def _parse(self, text: str) -> Statement:
        """Ask ClickHouse's parser, which executes nothing and refuses several statements in one text."""
        escaped = text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
        sql = "SELECT formatQuerySingleLine({text:String}) SETTINGS max_query_size = 0"
        try:
            with self._anchor_lock:
                answer = self._anchor.connection.query(sql, "RawBLOB", params={"text": escaped})
        except Exception as error:
            asked = re.compile(r"\.?\s*: In scope SELECT formatQuery.*(?=\. \(\w+\)$)", re.DOTALL)
            raise ClickHouseError.of(Exception(asked.sub("", str(error)))) from None
        canonical = answer.bytes().decode()
        found = list(tokens(canonical))
        words = tuple(t[0].upper() for t in found if t[0].isidentifier())
        if {("INTO", "OUTFILE"), ("FROM", "INFILE")} & set(itertools.pairwise(words)):
            raise ClickHouseError(358, "INTO OUTFILE is not allowed. (INTO_OUTFILE_NOT_ALLOWED)")
        last = [t[0] for t in found] + ["SETTINGS"]
        for at in range(len(found) - 2, 0, -1):
            if last[at] == "FORMAT" and last[at + 2] == "SETTINGS":
                return Statement(canonical[: found[at].start()], last[at + 1], words)
        return Statement(canonical, None, words)

    def _take(self, call: Call) -> Link:
        """The session's connection, or a new one that serves this request alone."""
        name = call.args.get("session_id")
        if not name:
            return Link(self._connect(call.user))
        seconds = min(int(call.args.get("session_timeout", SESSION_SECONDS)), SESSION_SECONDS_MAX)
        with self._sessions_lock:
            for key, link in list(self._sessions.items()):
                if link.until < time.monotonic() and not link.busy.locked():
                    self._sessions.pop(key).connection.close()
            key = (call.user, name)
            if key not in self._sessions:
                if call.args.get("session_check") == "1":
                    raise ClickHouseError(372, f"Session {name} not found. (SESSION_NOT_FOUND)")
                self._sessions[key] = Link(self._connect(call.user), session=True)
            link = self._sessions[key]
            if not link.busy.acquire(blocking=False):
                raise ClickHouseError(373, f"Session {name} is locked by another query. (SESSION_IS_LOCKED)")
            link.seconds = seconds
            return link

    def _give_back(self, link: Link) -> None:
        if not link.session:
            link.connection.close()
            return
        link.until = time.monotonic() + link.seconds
        link.busy.release()


def _refuse_writes(link: Link, statement: Statement, params: dict[str, str]) -> None:
    """Let only reads through: readonly = 2 alone lets KILL QUERY and INSERT INTO FUNCTION pass."""
    refusal = ClickHouseError(164, f"Cannot execute {statement.kind} query in readonly mode. (READONLY)")
    if ("PARALLEL", "WITH") in itertools.pairwise(statement.words):  # what follows may be a DROP
        raise refusal
    if statement.kind in ("SHOW", "DESCRIBE", "EXISTS"):
        return
    explained = EXPLAIN.match(statement.body)
    if not (explained or statement.selects):
        raise refusal
    inner = statement.body[explained.end() :] if explained else statement.body
    try:  # in this place ClickHouse takes a SELECT and nothing else, such as EXPLAIN ANALYZE INSERT
        link.rows(f"SELECT explain FROM (EXPLAIN AST {inner}) LIMIT 1", params)
    except Exception as error:
        failed = ClickHouseError.of(error)
        raise (refusal if failed.code == 36 else failed) from None


def _spooled(pieces: Iterator[bytes], packer: Packer) -> FileWrapper:
    """The whole answer, on disk when it is large. It is closed with the response."""
    spool = tempfile.SpooledTemporaryFile(SPOOL_IN_MEMORY)  # noqa: SIM115
    for piece in pieces:
        spool.write(packer.compress(piece))
    spool.write(packer.flush())
    spool.seek(0)
    return FileWrapper(cast("IO[bytes]", spool), CHUNK)


def _flow(pieces: Iterator[bytes], packer: Packer, tag: str, release: Callable[[], None]) -> Iterator[bytes]:
    """The answer as it arises. The session is free before the client has the last byte and asks again."""
    held = b""
    try:
        for piece in pieces:
            yield packer.compress(held)
            held = piece
    except Exception as error:
        text = str(ClickHouseError.of(error)).encode()
        mark = tag.encode()
        end = b"\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n" % (mark, text, len(text) + 1, mark)
        release()
        yield packer.compress(held + end) + packer.flush()
        raise ConnectionAbortedError from None  # no proper end: nobody takes half an answer for a whole one
    finally:
        release()
    yield packer.compress(held) + packer.flush()


def _in_use(folder: Path) -> str | None:
    """Who holds the folder: ClickHouse keeps a lock on its file `status`, which names the process."""
    status = folder / "status"
    if not status.exists():
        return None
    with status.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found = re.search(r"PID: (\d+)", file.read())
            return f"pid {found[1]}" if found else "pid unknown"
    return None


def _open(folder: Path, password: str) -> Server:
    """Open the folder, or say in one sentence why not."""
    next_step = "Give a folder of your own that can be written."
    try:
        if folder.exists() and not folder.is_dir():
            raise EmbeddedError(f"{folder} is a file, not a folder. {next_step}")
        if "?" in str(folder):
            raise EmbeddedError(f"{folder}: chDB cannot open a name with a question mark. {next_step}")
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise EmbeddedError(f"{folder} cannot be written. {next_step}")
        if holder := _in_use(folder):
            raise EmbeddedError(
                f"{folder} is in use by another ClickHouse process ({holder}). "
                "Stop that one, or connect to it by its DSN."
            )
        return Server(folder, password)
    except OSError as error:
        raise EmbeddedError(f"{folder} cannot be used: {error.strerror}. {next_step}") from None
    except RuntimeError as error:
        said = str(error).splitlines()[0]
        raise EmbeddedError(f"chDB could not open {folder}: {said} Use a folder that chDB has made.") from None


def main(argv: list[str]) -> int:
    """Serve a folder until SIGINT or SIGTERM. The first line on stdout is the DSN."""
    parser = argparse.ArgumentParser(prog="python -m recovery.embedded", description=main.__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="the data folder; made when it is missing")
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    parser.add_argument("--until-stdin-closes", action="store_true", help="stop when the parent is gone")
    options = parser.parse_args(argv)
    os.environ["TZ"] = "UTC"  # before chDB is loaded: it is the server's time zone
    time.tzset()
    password = secrets.token_urlsafe(24)
    try:
        server = _open(options.folder.resolve(), password)
        try:
            http_server = waitress.create_server(
                server,
                host=HOST,
                port=options.port,
                threads=THREADS,
                connection_limit=1000,
                ident=None,
                max_request_body_size=1 << 50,
                max_request_header_size=1 << 20,
                channel_timeout=3600,
                log_socket_errors=False,  # a client that went away is no news
            )
        except OSError as error:
            raise EmbeddedError(f"Port {options.port}: {error.strerror}. Choose another, or none.") from None
    except RecoveryError as error:
        print(error, file=sys.stderr)
        return error.exit_code

    def stop(number: int, frame: object) -> None:
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, signal.SIG_IGN)
        overdue = threading.Timer(15, os._exit, [1])
        overdue.daemon = True
        overdue.start()
        server.cancel_all()
        raise SystemExit

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, stop)
    if options.until_stdin_closes:
        threading.Thread(target=_stop_when_stdin_closes, daemon=True).start()
    print(f"clickhouse://default:{password}@{HOST}:{http_server.effective_port}/default", flush=True)
    print("Ctrl-C stops it. The user `reader`, with the same password, can only read.", file=sys.stderr)
    http_server.run()
    http_server.close()
    server.close()
    return 0


def _stop_when_stdin_closes() -> None:
    while os.read(0, 1024):  # not sys.stdin, whose lock would hold up the exit
        pass
    os.kill(os.getpid(), signal.SIGTERM)


class EmbeddedServer:
    """A server in a child process that ends with its parent, however that one ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dsn = self.reader_dsn = ""
        self.pid = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        command = [sys.executable, "-m", "recovery.embedded", str(self.folder), "--until-stdin-closes"]
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # the terminal's Ctrl-C is for the parent, who decides
                env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in (str(ROOT), *inherited) if path)},
            )
            self._process, self.pid = process, process.pid
            self.dsn = cast("IO[bytes]", process.stdout).readline().decode().strip()
            if not self.dsn:
                self.stop()
                errors.seek(0)
                said = errors.read().decode(errors="replace").strip().splitlines() or ["it said nothing."]
                raise EmbeddedError(said[-1])
        self.reader_dsn = self.dsn.replace("//default:", "//reader:", 1)
        connection = http.client.HTTPConnection(urlsplit(self.dsn).netloc.rpartition("@")[2], timeout=30)
        connection.request("GET", "/ping")
        connection.getresponse().read()
        connection.close()

    def stop(self) -> None:
        """Ask it to stop, wait up to 20 seconds, then kill it."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
