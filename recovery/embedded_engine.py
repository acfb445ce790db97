"""The engine of the embedded ClickHouse: chDB, its connections and sessions, and a statement at work on one of them."""

from __future__ import annotations

import functools
import io
import itertools
import json
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import chdb

from recovery.embedded_statements import ClickHouseError, Statement, parse, quoted

SESSION_SECONDS, SESSION_SECONDS_MAX = 60, 3600
LONG = 1 << 16  # a statement too long to be remembered
# chDB encodes every block as a file of its own: what has a header or a footer cannot be sent by the block.
STREAMABLE = ("Native", "TabSeparated", "TSV", "CSV", "JSONEachRow", "RowBinary", "ArrowStream")


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
            asked = ", ".join(f"getSetting({quoted(name)})" for name in new)
            self._before |= dict(zip(new, self.rows(f"SELECT {asked}")[0], strict=True))
        changes = {k: v for k, v in (self._before | settings).items() if self._now.get(k) != v}
        if changes:
            assignments = (f"{quoted(name, '`')} = {quoted(value)}" for name, value in changes.items())
            self.connection.query("SET " + ", ".join(assignments))  # all of them or, on an error, none
        self._now, self._before = settings, {k: v for k, v in self._before.items() if k in settings}
        if (database := database or self.home) != self.database:
            self.connection.query(f"USE {quoted(database, '`')}")
            self.database = database

    def settle(self) -> None:
        """After a USE: the database it named is the session's own from here on."""
        self.home = self.database = self.rows("SELECT currentDatabase()")[0][0]

    def rows(self, sql: str, params: dict[str, str] | None = None, part: str = "data") -> list[Any]:
        answer = self.connection.query(sql, "JSONCompactStrings", params=params or {})
        return cast("list[Any]", json.loads(answer.bytes())[part])


class Engine:
    """One chDB folder: it is open as long as this is, and a session's connection serves one request at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._anchor = self._connect()  # the folder stays open as long as a connection is
        self._anchor_lock = threading.Lock()
        self._sessions: dict[tuple[str, str], Link] = {}
        self._sessions_lock = threading.Lock()
        self._remembered = functools.lru_cache(maxsize=512)(self._parse)
        self._make_default_atomic()
        self.time_zone = self._ask("SELECT timezone()", {})

    def _connect(self, user: str = "default") -> Any:
        connection: Any = chdb.connect(str(self._folder))  # type: ignore[no-untyped-call]
        if user == "reader":
            connection.query("SET readonly = 2")
        return connection

    def _make_default_atomic(self) -> None:
        """chDB wraps `default` in an Overlay, whose tables show no uuid; elsewhere it is Atomic."""
        query, metadata = self._anchor.query, self._folder / "metadata"
        declared, tables = metadata / "default.sql", metadata / "default"
        if declared.exists() and tables.exists() and tables.resolve().name in declared.read_text():
            query("DETACH DATABASE default")
            query("ATTACH DATABASE default")
        elif not declared.exists() and not tables.exists():  # else chDB without this server made it: leave it so
            query("DROP DATABASE default")
            query("CREATE DATABASE default ENGINE = Atomic")
            query("CREATE TABLE default._ (_ UInt8) ENGINE = Memory")  # a first table makes it last on disk
            query("DROP TABLE default._ SYNC")

    def statement(self, text: str) -> Statement:
        return self._remembered(text) if len(text) < LONG else self._parse(text)

    def _parse(self, text: str) -> Statement:
        return parse(text, self._ask)

    def _ask(self, sql: str, params: dict[str, str]) -> str:
        with self._anchor_lock:
            return cast(str, self._anchor.query(sql, "RawBLOB", params=params).bytes().decode())

    def take(self, user: str, args: Mapping[str, str]) -> Link:
        """The session's connection, or a new one that serves this request alone; to be given back."""
        name = args.get("session_id")
        if not name:
            return Link(self._connect(user))
        seconds = min(int(args.get("session_timeout", SESSION_SECONDS)), SESSION_SECONDS_MAX)
        with self._sessions_lock:
            for key, link in list(self._sessions.items()):
                if link.until < time.monotonic() and not link.busy.locked():
                    self._sessions.pop(key).connection.close()
            key = (user, name)
            if key not in self._sessions:
                if args.get("session_check") == "1":
                    raise ClickHouseError(372, f"Session {name} not found. (SESSION_NOT_FOUND)")
                self._sessions[key] = Link(self._connect(user), session=True)
            link = self._sessions[key]
            if not link.busy.acquire(blocking=False):
                raise ClickHouseError(373, f"Session {name} is locked by another query. (SESSION_IS_LOCKED)")
            link.seconds = seconds
            return link

    def give_back(self, link: Link) -> None:
        if not link.session:
            link.connection.close()
            return
        link.until = time.monotonic() + link.seconds
        link.busy.release()

    def cancel_all(self) -> None:
        """Stop whatever runs, so that the folder can be closed."""
        connection = self._connect()
        connection.query("KILL QUERY WHERE query NOT LIKE 'KILL QUERY%' ASYNC")
        connection.close()

    def close(self) -> None:
        for link in self._sessions.values():
            link.connection.close()
        self._anchor.close()


@dataclass(frozen=True)
class Query:
    """What is to be executed: the text, the values of its parameters and, for an INSERT with data, the data."""

    text: str  # of an INSERT with data, without the data
    params: dict[str, str]
    format: str  # of the answer, if the text names none
    insert: tuple[str, str] | None  # its statement without FORMAT, and the format
    data: Iterator[bytes]


class Run:
    """One statement at work on one connection: its answer in pieces, and its summary."""

    def __init__(self, link: Link, query: Query, statement: Statement) -> None:
        self._link, self._query, self._statement = link, query, statement
        self.format = statement.format or query.format
        self.streams = statement.selects and self.format in STREAMABLE
        self._rows = 0
        self._progress: dict[str, int] = {}
        self._started = time.perf_counter_ns()
        link.connection.set_progress_callback(self._progress.update)

    def pieces(self) -> Generator[bytes, None, None]:
        if self._query.insert:
            self._insert(*self._query.insert)
        elif not self.streams:
            yield from self._whole()
        elif self.format == "ArrowStream":
            yield from self._one_arrow_stream()
        else:
            yield from self._blocks()
        self._link.connection.set_progress_callback(None)  # the summary is of the statement, not of what follows
        if not self._rows and self.format == "Native" and self._statement.answers:
            yield self._empty_block()

    def _insert(self, sql: str, format: str) -> None:
        connection = self._link.connection
        for name, value in self._query.params.items():  # send_insert takes none
            connection.query(f"SET {quoted('param_' + name, '`')} = {quoted(value)}")
        with connection.send_insert(sql, format) as inserter:
            for piece in self._query.data:
                inserter.append(piece)
            done = inserter.finish()
        written = {"written_rows": done.rows_written, "written_bytes": done.bytes_written}
        self._progress |= written | {"read_rows": done.rows_written, "read_bytes": done.bytes_written}

    def _whole(self) -> Iterator[bytes]:
        answer = self._link.connection.query(self._query.text, self.format, params=self._query.params)
        self._rows += answer.rows_read()
        yield answer.bytes()

    def _blocks(self) -> Iterator[bytes]:
        with self._link.connection.send_query(self._query.text, self.format, params=self._query.params) as stream:
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
        if self._statement.selects:
            columns = [row[:2] for row in self._link.rows(f"DESCRIBE ({body})", self._query.params)]
        else:
            columns = [(c["name"], c["type"]) for c in self._link.rows(body, self._query.params, "meta")]
        block = _varint(len(columns)) + _varint(0)
        for text in itertools.chain.from_iterable(columns):
            block += _varint(len(text.encode())) + text.encode()
        return block

    def summary(self) -> str:
        """The value of X-ClickHouse-Summary: counts and nanoseconds, as texts in a JSON object."""
        names = ("read_rows", "read_bytes", "written_rows", "written_bytes", "total_rows_to_read")
        values = {name: self._progress.get(name, 0) for name in names} | {"result_rows": self._rows}
        values["elapsed_ns"] = time.perf_counter_ns() - self._started
        return json.dumps({name: str(value) for name, value in values.items()})


def _varint(number: int) -> bytes:
    low = number & 0x7F
    return bytes([low]) if number < 0x80 else bytes([low | 0x80]) + _varint(number >> 7)
