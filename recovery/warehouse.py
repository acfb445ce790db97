"""Warehouse: the one door to ClickHouse. Statements by name, typed parameters, one login to read and one to write."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from urllib3.exceptions import HTTPError

from recovery import cluster, progress, settings, statements
from recovery.answer import Answer as Answer
from recovery.answer import shared
from recovery.driver import explained
from recovery.dsn import Dsn as Dsn
from recovery.dsn import serve as serve
from recovery.errors import IncidentError, ServerUnreachable, StatementFailed, UsageError
from recovery.incident import Incident
from recovery.statements import Column, Schema, Write

OLDEST_SERVER = (25, 5)
TIMEOUT_SECONDS = 24 * 3600
NO_SUCH_DATABASE = 81
# What has no place in a condition, as EXPLAIN AST shows it: it asks for more than the row (IN of a table as well), makes
# several of one, gives names, waits, throws, or answers differently the next time.
OUT_OF_A_ROW = re.compile(
    r"Subquery|Asterisk|Matcher|QueryParameter|\(alias "
    r"|Function (arrayJoin|file|dict\w+|joinGet\w*|sleep\w*|throwIf|rand\w*|generateUUID\w*|now\w*|today|yesterday)\b"
    r"|Function (global)?(not)?(null)?in \(children 1\)\n( +)ExpressionList \(children 2\)\n\5 \S.*\n(\5  .*\n)*\5 Identifier",
    re.IGNORECASE,
)


class Warehouse:
    """Asks over a connection that cannot write; writes only when it was made with `writable=True`."""

    def __init__(
        self,
        incident: Incident,
        dsn: str,
        *,
        writable: bool = False,
        shared: Path | None = None,
        answers: Path | None = None,
    ) -> None:
        """`shared` is a folder in which the answers of one run are kept, so that its processes ask each thing once;
        `answers` one in which recovery/reuse.py keeps what it may use again."""
        self.incident = incident
        self.dsn = Dsn.parse(dsn)
        self.writable = writable and cluster.may_be_written(incident)
        self.shared = shared
        self.answers = answers
        self.watch = progress.Watch(self._look)
        self._asked: dict[str, Answer] = {}
        self._columns: dict[str, tuple[Column, ...]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in ("_reader", "_writer", "_historian", "_onlooker"):
            client = self.__dict__.pop(name, None)
            if client is not None:
                client.close()

    def at(self, table: str) -> Self:
        """This warehouse with another table of the same structure in the broken one's place, such as a shadow of it."""
        return self.seen_as(self.incident, {"table": statements.quote(self.incident.table.database, table)})

    def seen_as(self, incident: Incident, words: dict[str, str]) -> Self:
        """This warehouse about another incident on the same server, with other text for some ${words}."""
        other = copy.copy(self)
        other.incident = incident
        other.__dict__["words"] = self.words | words
        return other

    def afresh(self) -> Self:
        """This warehouse without what it, or another process of the run, was answered so far."""
        other = copy.copy(self)
        other._asked, other.shared = {}, None
        return other

    def ask(self, name: str, *, names: Mapping[str, str] | None = None, **parameters: Any) -> Answer:
        """The answer to the read-only statement `name`; within one run the same question is put to the server once.
        `names` are quoted names for the ${words} of this call."""
        sql, bound = self._composed(name, names, parameters)
        key = hashlib.sha256(json.dumps([sql, _bound(bound)], sort_keys=True).encode()).hexdigest()
        return self.once(key, lambda: shared(self.shared, key, lambda: self._query(name, sql, bound)))

    def once(self, key: str, make: Callable[[], Answer]) -> Answer:
        """An answer that is made of others; until something is forgotten it is made once."""
        if key not in self._asked:
            self._asked[key] = make()
        return self._asked[key]

    def forget(self) -> None:
        """Answers given so far are out of date: the server's data was changed."""
        self._asked.clear()
        if self.shared is not None:
            for path in self.shared.glob("*.json"):
                path.unlink()

    def ask_again(self, name: str, *, names: Mapping[str, str] | None = None, **parameters: Any) -> Answer:
        """As `ask`, but always from the server: for what changes by itself, such as parts and merges."""
        return self._query(name, *self._composed(name, names, parameters))

    def stream(self, name: str, form: str, piece: int, **parameters: Any) -> Iterator[bytes]:
        """The answer to a read-only statement in one of ClickHouse's formats, in pieces of at most so many bytes."""
        sql, bound = self._composed(name, None, parameters)
        label = f"recovery-{name}-{uuid.uuid4()}"
        try:
            with (
                self.watch.over(name, label, sql),
                self._reader.raw_stream(
                    sql, parameters=_bound(bound) or None, fmt=form, settings={"log_comment": label, "query_id": label}
                ) as answer,
            ):
                while read := answer.read(piece):
                    yield read
        except ClickHouseError as error:
            raise explained(error, name, self.dsn, self.incident) from None
        except HTTPError as error:  # the driver lets an answer that breaks off through as it is
            raise ServerUnreachable(
                f"{self.dsn.shown} broke off the answer to {name}: {type(error).__name__}."
            ) from None

    def write(self, name: str, *, label: str, names: Mapping[str, str] | None = None, **parameters: Any) -> Answer:
        """Execute the writing statement `name`; `label` is its query id and log_comment, by which it is found again."""
        if not self.writable:
            raise UsageError(f"{name} would write to {self.dsn.shown}; pass --execute to do it.")
        sql, bound = self._composed(name, names, parameters)
        started, clock = datetime.now(UTC), time.monotonic()
        try:
            with self.watch.over(name, label, sql):
                self._writer.command(
                    sql,
                    parameters=_bound(bound) or None,
                    settings={
                        **settings.writing(sql, self._writer.server_settings),
                        "log_comment": label,
                        "query_id": label,
                    },
                )
        except ClickHouseError as error:
            raise explained(error, name, self.dsn, self.incident) from None
        return Answer(
            statement=name, sql=sql, parameters=_bound(bound), query_id=label, server=self.dsn.shown,
            started=started.isoformat(), seconds=time.monotonic() - clock, rows_read=0, bytes_read=0, rows=[],
        )  # fmt: skip

    def insert(self, table: str, rows: Sequence[Sequence[Any]], columns: Mapping[str, str], *, label: str) -> None:
        """Insert rows of the suite's own into a table of the incident's database; `columns` are names and types."""
        if not self.writable:
            raise UsageError(f"a row of {table} would be written to {self.dsn.shown}; pass --execute to do it.")
        try:
            self._writer.insert(
                table, rows, column_names=list(columns), column_type_names=list(columns.values()),
                settings={"log_comment": label, "async_insert": 0},
            )  # fmt: skip
        except ClickHouseError as error:
            raise explained(error, f"insert into {table}", self.dsn, self.incident) from None

    def remember(self, table: str, rows: Sequence[Sequence[Any]], columns: Mapping[str, str], *, label: str) -> None:
        """Insert results of the nightly checks, over the login of the history, which may do nothing else."""
        try:
            self._historian.insert(
                table, rows, column_names=list(columns), column_type_names=list(columns.values()),
                settings={"log_comment": label, "async_insert": 0, "insert_deduplicate": 0},
            )  # fmt: skip
        except ClickHouseError as error:
            raise explained(error, f"insert into {table}", self.dsn, self.incident) from None

    def composed(self, write: Write) -> tuple[str, dict[str, Any]]:
        """A writing statement as `write` would execute it, and its parameters as ClickHouse would get them."""
        sql, bound = self._composed(write.name, write.names, write.values)
        return sql, _bound(bound)

    @cached_property
    def schema(self) -> Schema:
        """The table as the server has it; raises IncidentError where it lacks what the incident file names. The
        processes of one run look at it once."""
        kept = self.shared / "schema" if self.shared else None
        if kept and kept.exists():
            return Schema.of_json(kept.read_text())
        schema = self._read_schema()
        if kept:
            kept.write_text(json.dumps(asdict(schema)))
        return schema

    def _read_schema(self) -> Schema:
        table, source = self.incident.table, self.incident.source
        faults: list[str] = []
        columns = self.columns(table.name)
        source_columns = self.columns(source.table)
        where = self.incident.path

        def need(key: str, names: list[str], have: tuple[Column, ...], owner: str) -> None:
            known = [c.name for c in have]
            for name in names:
                if have and name not in known:
                    faults.append(f"{where}: {key} = {name!r}: {owner} has no such column; it has {', '.join(known)}.")

        for key, name, have in (("table.name", table.name, columns), ("source.table", source.table, source_columns)):
            if not have:
                faults.append(f"{where}: {key} = {name!r}: {self.dsn.shown} has no such table in {table.database}.")
        need("table.identity", list(table.identity), columns, table.name)
        need("table.repaired", list(table.repaired), columns, table.name)
        for key in ("version", "time", "subject"):
            need(f"table.{key}", [getattr(table, key)], columns, table.name)
        for key in ("key", "group", "time"):
            need(f"source.{key}", [getattr(source, key)], source_columns, source.table)
        if faults:
            raise IncidentError(faults)
        facts = self._query("table", statements.text("table"), {"database": table.database, "table": table.name}).first
        if not facts["engine"].endswith("MergeTree"):
            raise IncidentError(
                [
                    f"{where}: table.name = {table.name!r}: its engine is {facts['engine']}, which has no parts and no versions; "
                    "name a table of the MergeTree family that holds the rows (of a Distributed one, the local table)."
                ]
            )
        key_type = next(c.type for c in source_columns if c.name == source.key)
        schema = Schema(columns=columns, key_type=key_type, **facts)
        self._check_statement(schema)
        return schema

    @cached_property
    def words(self) -> dict[str, str]:
        return statements.words(self.incident, self.schema)

    @property
    def seen(self) -> str:
        """The name of the table in the broken one's place: itself, a shadow of it, or another that `seen_as` looks at."""
        return self.words["table"].rpartition(".")[2].strip("`")

    @cached_property
    def server(self) -> dict[str, str]:
        """version, uuid, timezone and host of the server; raises ServerUnreachable when it is too old."""
        facts = self._query("server", statements.text("server"), {}).first
        version = tuple(int(part) for part in facts["version"].split(".")[:2])
        if version < OLDEST_SERVER:
            raise ServerUnreachable(
                f"{self.dsn.shown} is ClickHouse {facts['version']}; the oldest supported one is "
                f"{'.'.join(map(str, OLDEST_SERVER))}. Upgrade the server, or recover by hand."
            )
        return facts

    @cached_property
    def installation(self) -> str:
        """Which table on which server: the server's UUID (all zeros on an embedded one) and the table's."""
        return f"{self.server['uuid']}/{self.schema.uuid}"

    @cached_property
    def key_bounds(self) -> tuple[str, str]:
        """Values of the source's key below which, and from which on, there is none."""
        kind = self.schema.key_type
        if kind == "String":
            return "", chr(0x10FFFF)
        if kind.startswith("UInt"):
            return "0", str(2 ** int(kind[4:]) - 1)
        raise IncidentError(
            [f"{self.incident.path}: source.key = {self.incident.source.key!r} is {kind}; String or UInt… is expected."]
        )

    def columns(self, table: str) -> tuple[Column, ...]:
        """The columns of a table of the incident's database, read once; none where there is no such table."""
        if table in self._columns:
            return self._columns[table]
        parameters = {"database": self.incident.table.database, "table": table}
        rows = self._query("columns", statements.text("columns"), parameters).rows
        found = tuple(Column(r["name"], r["type"], r["default_kind"], r["default_expression"]) for r in rows)
        if found:
            self._columns[table] = found
        return found

    def columns_asked(self, table: str) -> Answer:
        """The answer to which columns a table has, for evidence that it lacks some, or is not there."""
        return self._query(
            "columns", statements.text("columns"), {"database": self.incident.table.database, "table": table}
        )

    def _check_statement(self, schema: Schema) -> None:
        """The incident's conditions and its SELECT parse, and the SELECT gives the table's columns."""
        table, where = self.incident.table, self.incident.path
        faults = []
        conditions = {"table.owned": table.owned, "table.broken": table.broken}
        if self.incident.positions:
            conditions["positions.fills"] = self.incident.positions.fills
        for key, condition in conditions.items():
            try:
                tree = self._query("condition", f"EXPLAIN AST SELECT ({condition})", {}).rows
                parsed = "\n".join(re.sub(r"Literal .*", "Literal", next(iter(row.values()))) for row in tree)
                if parsed.count("SelectQuery") != 1 or OUT_OF_A_ROW.search(parsed):
                    raise StatementFailed("one condition on the columns of a row is expected, without a SELECT", 0)
                there = statements.quote(table.database, table.name)
                self._query(
                    "condition", f"SELECT ({condition}) FROM {there} WHERE ifNull(({condition}), 0) LIMIT 0", {}
                )
            except StatementFailed as error:
                faults.append(f"{where}: {key} = {condition!r} is wrong: {error}")
        low, high = ("", chr(0x10FFFF)) if schema.key_type == "String" else ("0", "1")
        parameters = {
            "key_from": low,
            "key_to": high,
            "time_from": datetime(1970, 1, 2),
            "time_to": datetime(1970, 1, 3),
        }
        statement = where.with_suffix(".sql")
        try:
            rows = self._query("right rows", f"DESCRIBE TABLE ({self.incident.right_rows})", parameters).rows
        except StatementFailed as error:
            faults.append(f"{statement}: {error}")
        else:
            have, want = {r["name"] for r in rows}, {c.name for c in schema.content(table.version)}
            if have != want:
                lacks, extra = ", ".join(sorted(want - have)) or "none", ", ".join(sorted(have - want)) or "none"
                faults.append(
                    f"{statement}: selects other columns than {table.name} has; lacking: {lacks}; unknown: {extra}."
                )
        if faults:
            raise IncidentError(faults)

    def _composed(
        self, name: str, names: Mapping[str, str] | None, parameters: Mapping[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        """The statement with its words filled in, and those of the parameters that it takes."""
        sql = cluster.compose(self.incident, name, self.words, names or {})
        return sql, {key: parameters[key] for key in statements.parameters_of(sql) if key in parameters}

    def _query(self, name: str, sql: str, parameters: dict[str, Any]) -> Answer:
        label = f"recovery-{name.replace(' ', '-')}-{uuid.uuid4()}"
        started, clock = datetime.now(UTC), time.monotonic()
        try:
            with self.watch.over(name, label, sql):
                result = self._reader.query(
                    sql, parameters=_bound(parameters) or None, settings={"log_comment": label, "query_id": label}
                )
                read = result.result_rows
        except ClickHouseError as error:
            raise explained(error, name, self.dsn, self.incident) from None
        rows = [{k: _plain(v) for k, v in zip(result.column_names, row, strict=True)} for row in read]
        return Answer(
            statement=name, sql=sql, parameters=_bound(parameters), query_id=label, server=self.dsn.shown,
            started=started.isoformat(), seconds=time.monotonic() - clock,
            rows_read=int(result.summary.get("read_rows", 0)), bytes_read=int(result.summary.get("read_bytes", 0)),
            rows=rows,
        )  # fmt: skip

    def _look(self, label: str, sql: str) -> tuple[float, float, str] | None:
        """What the server shows of the statement with this label: done and in all in rows, or 0 and what is left in bytes."""
        if settings.waits(sql):
            known = {"database": self.incident.table.database, "statement": sql}
            ((left,),) = self._onlooker.query(statements.text("progress_of_merges"), parameters=known).result_rows
            return (0.0, left, "bytes")
        seen = self._onlooker.query(statements.text("progress"), parameters={"label": label}).result_rows
        return (seen[0][0], seen[0][1], "rows") if seen else None

    @cached_property
    def _onlooker(self) -> Client:
        """The reader's login once more, for what is looked at while the reader or the writer is busy."""
        return self._connect(self.dsn.user, self.dsn.password, settings.READ_SETTINGS)

    @cached_property
    def _reader(self) -> Client:
        return self._connect(self.dsn.user, self.dsn.password, settings.READ_SETTINGS)

    @cached_property
    def _writer(self) -> Client:
        user = os.environ.get("CLICKHOUSE_WRITER_USER", self.dsn.user)
        password = os.environ.get("CLICKHOUSE_WRITER_PASSWORD", self.dsn.password)
        return self._connect(user, password, settings.SETTINGS)

    @cached_property
    def _historian(self) -> Client:
        user = os.environ.get("CLICKHOUSE_HISTORY_USER")
        password = os.environ.get("CLICKHOUSE_HISTORY_PASSWORD", "") if user else self.dsn.password
        try:
            return self._connect(user or self.dsn.user, password, {})
        except ServerUnreachable as error:
            raise ServerUnreachable(
                f"The history cannot be written: {error} Its login is CLICKHOUSE_HISTORY_USER with CLICKHOUSE_HISTORY_PASSWORD."
            ) from None

    def _connect(self, user: str, password: str, of_login: Mapping[str, str | int]) -> Client:
        kept = {**of_login, **settings.within(self.incident.cost)}
        try:
            return clickhouse_connect.get_client(
                host=self.dsn.host, port=self.dsn.port, username=user, password=password, secure=self.dsn.secure,
                database=self.incident.table.database, settings=kept, autogenerate_session_id=False,
                send_receive_timeout=TIMEOUT_SECONDS, client_name="recovery",
            )  # fmt: skip
        except ClickHouseError as error:
            if getattr(error, "code", None) == NO_SUCH_DATABASE:
                table = self.incident.table
                where = f"{self.incident.path}: table.database = {table.database!r}"
                raise IncidentError([f"{where}: {self.dsn.shown} has no such database."]) from None
            raise explained(error, "connect", self.dsn, self.incident) from None


def _bound(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as ClickHouse parses them: instants as UTC text, whatever zone server and client are in."""
    bound: dict[str, Any] = {}
    for key, value in parameters.items():
        if isinstance(value, datetime):
            value = value.astimezone(UTC) if value.tzinfo else value
            bound[key] = value.strftime("%Y-%m-%d %H:%M:%S")
        elif isinstance(value, date):
            bound[key] = value.isoformat()
        else:
            bound[key] = value
    return bound


def _plain(value: Any) -> Any:
    """A value as JSON can hold it; an instant as UTC has it, whatever the server's zone."""
    if isinstance(value, datetime) and value.tzinfo:
        value = value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, int | float | str | bool | list | None) else str(value)
