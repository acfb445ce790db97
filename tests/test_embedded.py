"""The embedded ClickHouse behaves, for a stock clickhouse-connect client, like a server."""

from __future__ import annotations

import http.client
import io
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.message import Message
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import clickhouse_connect
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.compression import get_compressor
from clickhouse_connect.driver.exceptions import DatabaseError

from recovery.embedded import EmbeddedServer
from recovery.errors import EmbeddedError

ROOT = Path(__file__).parent.parent
SLOW = "SELECT sum(sleepEachRow(0.03)) FROM numbers(400) SETTINGS max_block_size = 1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(tmp_path_factory.mktemp("embedded") / "data") as server:
        yield server


@pytest.fixture(scope="module")
def client(server: EmbeddedServer) -> Iterator[Client]:
    with connect(server.dsn) as client:
        yield client


@pytest.fixture(scope="module")
def reader(server: EmbeddedServer) -> Iterator[Client]:
    with connect(server.reader_dsn) as client:
        yield client


@pytest.fixture
def table(client: Client) -> Iterator[str]:
    name = f"t_{uuid.uuid4().hex}"
    client.command(f"CREATE TABLE {name} (id UInt64, name String, at DateTime) ENGINE = MergeTree ORDER BY id")
    yield name
    client.command(f"DROP TABLE {name} SYNC")


@pytest.fixture(scope="module")
def guarded(client: Client) -> str:
    """A table that nobody gets to change."""
    client.command("CREATE TABLE guarded (id UInt64, name String, at DateTime) ENGINE = MergeTree ORDER BY id")
    client.command("INSERT INTO guarded VALUES (1, '', 0)")
    return "guarded"


def connect(dsn: str, session: bool = True, **options: object) -> Client:
    return clickhouse_connect.get_client(dsn=dsn, autogenerate_session_id=session, **options)


def basic(user: str, server: EmbeddedServer) -> str:
    return "Basic " + b64encode(f"{user}:{urlsplit(server.dsn).password}".encode()).decode()


def post(
    server: EmbeddedServer, body: Any, headers: dict[str, str] | None = None, method: str = "POST", **args: str
) -> tuple[int, Message, bytes]:
    """One plain HTTP request, as curl would send it: status, headers, body."""
    sent = {"Authorization": basic("default", server)} | (headers or {})
    connection = http.client.HTTPConnection(urlsplit(server.dsn).netloc.rpartition("@")[2], timeout=30)
    connection.request(method, "/?" + urlencode(args), body, sent)
    answer = connection.getresponse()
    result = answer.status, answer.headers, answer.read()
    connection.close()
    return result


def code_of(action: Callable[[], object]) -> int | None:
    with pytest.raises(DatabaseError) as raised:
        action()
    return raised.value.code


def eventually(holds: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False


def at_work(client: Client, query_id: str) -> bool:
    sql = "SELECT count() FROM system.processes WHERE Settings['log_comment'] = {name:String}"
    return bool(client.command(sql, parameters={"name": query_id}) == 1)


def runs(pid: int) -> bool:
    """Whether the process is there; one that only waits to be reaped is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# Queries


def test_a_query_answers_with_names_types_and_a_summary(client: Client) -> None:
    answer = client.query("SELECT number AS n, toString(number) AS s FROM numbers(3)")
    assert answer.result_rows == [(0, "0"), (1, "1"), (2, "2")]
    assert answer.column_names == ("n", "s")
    assert (answer.summary["read_rows"], answer.summary["read_bytes"]) == ("3", "24")
    assert int(answer.summary["elapsed_ns"]) > 0


@pytest.mark.parametrize("value", ["tab\there", "back\\slash", "quo'te", "line\nbreak", "zoë", "\\N", ""])
def test_a_string_parameter_arrives_as_it_was_sent(client: Client, value: str) -> None:
    assert [(value,)] == client.query("SELECT {v:String}", parameters={"v": value}).result_rows


def test_parameters_carry_names_dates_arrays_and_nulls(client: Client) -> None:
    sql = "SELECT {c:Identifier} + 1, {d:DateTime}, {a:Array(String)}, {n:Nullable(String)} FROM {t:Identifier} LIMIT 1"
    parameters = {
        "c": "number",
        "t": "one",
        "d": datetime(2026, 1, 17, tzinfo=UTC),
        "a": ["x'", "\\"],
        "n": None,
    }
    client.command("CREATE TEMPORARY TABLE one AS SELECT number FROM numbers(1)")
    assert [(1, datetime(2026, 1, 17), ["x'", "\\"], None)] == client.query(sql, parameters=parameters).result_rows


def test_parameters_too_long_for_a_url_arrive(client: Client) -> None:
    values = [f"0x{number:064x}" for number in range(2000)]
    assert client.query("SELECT length({v:Array(String)})", parameters={"v": values}).result_rows == [(2000,)]


@pytest.mark.parametrize("session", [True, False])
def test_settings_of_a_request_end_with_it(server: EmbeddedServer, session: bool) -> None:
    sql = "SELECT getSetting('max_threads'), getSetting('max_result_rows')"
    with connect(server.dsn, session) as client:
        before = client.query(sql).result_rows
        assert client.query(sql, settings={"max_threads": 7, "max_result_rows": 9}).result_rows == [(7, 9)]
        assert before == client.query(sql).result_rows


def test_a_setting_made_in_a_session_comes_back_after_a_request_with_another(server: EmbeddedServer) -> None:
    with connect(server.dsn) as client:
        client.command("SET max_threads = 3")
        assert client.query("SELECT getSetting('max_threads')", settings={"max_threads": 5}).result_rows == [(5,)]
        assert client.query("SELECT getSetting('max_threads')").result_rows == [(3,)]


def test_a_query_without_rows_still_names_its_columns(client: Client, table: str) -> None:
    assert client.query(f"SELECT * FROM {table}").column_names == ("id", "name", "at")
    assert client.query("SHOW TABLES LIKE 'there is none'").column_names == ("name",)
    assert client.query("SELECT {v:UInt8} AS x WHERE 0", parameters={"v": 1}).column_names == ("x",)
    assert client.query_arrow(f"SELECT * FROM {table}").column_names == ["id", "name", "at"]
    with client.query_arrow_stream(f"SELECT * FROM {table}") as batches:
        assert sum(batch.num_rows for batch in batches) == 0


@pytest.mark.parametrize("session", [True, False])
def test_the_summary_counts_the_rows_that_were_read_even_when_none_answer(
    server: EmbeddedServer, client: Client, table: str, session: bool
) -> None:
    client.command(f"INSERT INTO {table} SELECT number, 'x', 0 FROM numbers(300000)")
    with connect(server.dsn, session) as other:
        for condition, rows in (("NOT ignore(name)", 300_000), ("name = 'y'", 0)):
            answer = other.query(f"SELECT * FROM {table} WHERE {condition}")
            assert (len(answer.result_rows), answer.summary["read_rows"]) == (rows, "300000")
            assert answer.summary["result_rows"] == str(rows)
        assert other.query(f"SELECT uniq(name) FROM {table}").summary["read_rows"] == "300000"


def test_settings_of_a_request_that_failed_end_with_it_too(server: EmbeddedServer) -> None:
    with connect(server.dsn) as client:
        before = client.query("SELECT getSetting('max_threads')").result_rows
        broken = {"max_threads": "7", "max_block_size": "no number"}
        status, _, _ = post(server, b"SELECT 1", session_id=client.get_client_setting("session_id"), **broken)
        assert status == 500
        assert client.query("SELECT getSetting('max_threads')").result_rows == before


@pytest.mark.parametrize("format", ["JSON", "CSVWithNames", "Parquet", "TSV", "JSONEachRow"])
def test_any_format_is_one_file_however_many_blocks_it_has(client: Client, format: str) -> None:
    body = client.raw_query(f"SELECT number FROM numbers(200000) FORMAT {format} -- and a comment")
    lines = {"CSVWithNames": 200_001, "TSV": 200_000, "JSONEachRow": 200_000}
    if format in lines:
        assert lines[format] == body.count(b"\n")
    elif format == "JSON":
        assert body.count(b'"meta"') == 1
    else:
        assert parquet.read_table(io.BytesIO(body)).num_rows == 200_000


# Errors


def test_an_error_carries_its_code(server: EmbeddedServer, client: Client) -> None:
    assert code_of(lambda: client.query("SELECT no_such_column")) == 47
    assert code_of(lambda: client.query("SELECT * FROM no_such_table")) == 60
    assert code_of(lambda: client.query("SELECT SELECT 1 FROM")) == 62
    assert code_of(lambda: client.query("SELECT 1", settings={"database": "no_such_database"})) == 81
    status, headers, body = post(server, b"SELECT throwIf(1)")
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (500, "395")
    assert body.startswith(b"Code: 395. DB::Exception: ")


def test_an_unknown_setting_is_refused(server: EmbeddedServer) -> None:
    assert post(server, b"SELECT 1", no_such_setting="1")[1]["X-ClickHouse-Exception-Code"] == "115"


def test_a_wrong_password_or_user_is_refused(server: EmbeddedServer) -> None:
    assert code_of(lambda: connect(server.dsn.replace(str(urlsplit(server.dsn).password), "wrong"))) == 516
    assert code_of(lambda: connect(server.dsn.replace("//default", "//nobody"))) == 516
    status, headers, _ = post(server, b"SELECT 1", {"Authorization": "Basic " + b64encode(b"default:").decode()})
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (403, "516")


def test_ping_needs_no_login(server: EmbeddedServer, client: Client) -> None:
    assert client.ping()


def test_two_statements_in_one_request_are_refused_and_neither_is_executed(client: Client, table: str) -> None:
    assert code_of(lambda: client.command(f"SELECT 1; DROP TABLE {table}")) == 62
    assert client.command(f"EXISTS {table}") == 1


def test_nobody_can_write_a_file_of_the_host(client: Client, reader: Client, tmp_path: Path) -> None:
    for user in (client, reader):
        assert code_of(lambda user=user: user.command(f"SELECT 1 INTO /**/ OUTFILE '{tmp_path}/x.csv'")) == 358
    assert list(tmp_path.iterdir()) == []


# Inserts


def test_a_plain_insert_reports_what_it_wrote(client: Client, table: str) -> None:
    rows = [[number, f"n;{number}'", datetime(2026, 1, 17)] for number in range(10_000)]
    summary = client.insert(table, rows, column_names=["id", "name", "at"])
    assert summary.written_rows == 10_000
    assert client.query(f"SELECT count(), argMax(name, id) FROM {table}").result_rows == [(10_000, "n;9999'")]


@pytest.mark.parametrize("compress", ["lz4", "zstd", "gzip", False])
def test_whatever_compression_a_client_asks_for_changes_nothing(
    server: EmbeddedServer, table: str, compress: str | bool
) -> None:
    with connect(server.dsn, compress=compress) as client:
        client.insert(table, [[number, "x" * 50, 0] for number in range(100_000)], column_names=["id", "name", "at"])
        answer = client.query(f"SELECT * FROM {table} ORDER BY id")
    assert (len(answer.result_rows), answer.result_rows[-1][0]) == (100_000, 99_999)


def test_an_answer_is_plain_whatever_a_client_accepts(server: EmbeddedServer) -> None:
    _, headers, body = post(server, b"SELECT 1", {"Accept-Encoding": "lz4, zstd, gzip"})
    assert (headers["Content-Encoding"], body) == (None, b"1\n")


def test_an_arrow_insert_arrives(client: Client, table: str) -> None:
    rows = pa.table(
        {
            "id": pa.array(range(1000), pa.uint64()),
            "name": ["a"] * 1000,
            "at": pa.array([0] * 1000, pa.uint32()),
        }
    )
    assert client.insert_arrow(table, rows).written_rows == 1000
    assert client.command(f"SELECT count() FROM {table}") == 1000


@pytest.mark.parametrize("compression", [None, "gzip", "lz4", "zstd"])
def test_a_raw_insert_arrives(client: Client, table: str, compression: str | None) -> None:
    body = b'1,one,2026-01-17 00:00:00\n2,"t;w\'o",2026-01-17 00:00:00\n'
    if compression:
        packer = get_compressor(compression)
        body = bytes(packer.compress_block(body)) + bytes(packer.flush() or b"")
    client.raw_insert(table, ["id", "name", "at"], body, fmt="CSV", compression=compression)
    assert client.query(f"SELECT id, name FROM {table} ORDER BY id").result_rows == [(1, "one"), (2, "t;w'o")]


def test_a_chunked_body_arrives(server: EmbeddedServer, client: Client, table: str) -> None:
    chunks = (f"{number}\tx\t2026-01-17 00:00:00\n".encode() for number in range(5000))
    status, headers, _ = post(server, chunks, query=f"INSERT /* FORMAT CSV */ INTO {table} FORMAT TSV")
    assert (status, '"written_rows": "5000"' in headers["X-ClickHouse-Summary"]) == (200, True)


def test_an_insert_of_values_and_of_a_select_arrive(client: Client, table: str) -> None:
    client.command(f"INSERT INTO {table} (id, name, at) VALUES (1, 'a;b', 0), (2, ')--', 0)")
    client.command("INSERT INTO {t:Identifier} SELECT number, 'VALUES', 0 FROM numbers(3)", parameters={"t": table})
    assert client.command(f"SELECT count() FROM {table}") == 5


def test_an_insert_takes_settings_and_parameters(client: Client, table: str) -> None:
    sql = "INSERT INTO {t:Identifier} (id) SETTINGS max_threads = 1 VALUES"
    client.command(sql, data="(1), (2)", parameters={"t": table}, settings={"max_insert_threads": 1})
    client.command(f"{sql} (3)", parameters={"t": table})
    assert client.command(f"SELECT count() FROM {table}") == 3


def test_a_broken_insert_fails_with_its_code_and_the_session_goes_on(client: Client, table: str) -> None:
    assert code_of(lambda: client.raw_insert(table, ["id", "name", "at"], b"x\ty\tz\n", fmt="TSV")) == 27
    assert code_of(lambda: client.raw_insert(table, ["nope"], b"1\n", fmt="TSV")) == 16
    assert code_of(lambda: client.raw_insert("no_such_table", ["id"], b"1\n", fmt="TSV")) == 60
    assert client.command(f"SELECT count() FROM {table}") == 0


# Streams


def test_a_stream_of_a_million_rows_is_complete(client: Client) -> None:
    sql = "SELECT number, toString(number) FROM numbers(1000000)"
    with client.query_row_block_stream(sql) as blocks:
        assert sum(len(block) for block in blocks) == 1_000_000
    with client.query_arrow_stream(sql) as batches:
        assert sum(batch.num_rows for batch in batches) == 1_000_000
    with client.raw_stream(sql, fmt="TSV") as raw:
        assert raw.read().count(b"\n") == 1_000_000


def test_an_error_in_the_middle_of_a_stream_is_an_error_for_the_client(client: Client) -> None:
    sql = "SELECT throwIf(number = 3000000) FROM numbers(10000000)"
    with pytest.raises(DatabaseError) as raised, client.query_row_block_stream(sql) as blocks:
        for _ in blocks:
            pass
    assert raised.value.code == 395
    with pytest.raises(Exception, match="IncompleteRead"):
        client.raw_stream(sql, fmt="TSV").read()
    assert client.command("SELECT 1") == 1


def test_a_stream_that_is_left_early_frees_its_session(server: EmbeddedServer) -> None:
    with connect(server.dsn) as client:
        with client.query_row_block_stream("SELECT number FROM numbers(2000000)") as blocks:
            next(iter(blocks))
        assert eventually(lambda: client.command("SELECT 1") == 1)


# Ids, sessions, several at once


def test_the_query_id_comes_back_and_is_the_log_comment(client: Client) -> None:
    name = str(uuid.uuid4())
    answer = client.query("SELECT getSetting('log_comment')", settings={"query_id": name})
    assert (name, [(name,)]) == (answer.query_id, answer.result_rows)
    assert client.query("SELECT getSetting('log_comment')", settings={"log_comment": "mine"}).result_rows == [("mine",)]


def test_two_sessions_have_temporary_tables_of_their_own(server: EmbeddedServer) -> None:
    with connect(server.dsn) as one, connect(server.dsn) as two:
        for number, client in enumerate((one, two)):
            client.command("CREATE TEMPORARY TABLE mine (n UInt8)")
            client.insert("mine", [[number]], column_names=["n"])
        assert [one.command("SELECT n FROM mine"), two.command("SELECT n FROM mine")] == [0, 1]


def test_a_session_used_twice_at_once_is_locked(server: EmbeddedServer, client: Client) -> None:
    with connect(server.dsn, session_id="shared") as one, connect(server.dsn, session_id="shared") as two:
        slow = threading.Thread(target=lambda: one.query("SELECT sleep(0.4)", settings={"query_id": "slow"}))
        slow.start()
        assert eventually(lambda: at_work(client, "slow"))
        assert code_of(lambda: two.query("SELECT 1")) == 373
        slow.join()
        assert two.command("SELECT 1") == 1


def test_use_lasts_in_a_session_and_a_named_database_does_not(server: EmbeddedServer) -> None:
    def ask(sql: bytes, **args: str) -> bytes:
        return post(server, sql, session_id="use", **args)[2]

    assert ask(b"SELECT currentDatabase()", database="system") == b"system\n"
    assert ask(b"SELECT currentDatabase()") == b"default\n"
    ask(b"USE system")
    assert ask(b"SELECT currentDatabase()") == b"system\n"


def test_a_long_query_holds_up_no_short_one_and_can_be_killed(server: EmbeddedServer, client: Client) -> None:
    name, ended = str(uuid.uuid4()), []

    def run() -> None:
        with connect(server.dsn) as slow:
            ended.append(code_of(lambda: slow.query(SLOW, settings={"query_id": name})))

    thread = threading.Thread(target=run)
    thread.start()
    assert eventually(lambda: at_work(client, name))
    started = time.monotonic()
    client.query("SELECT 1")
    assert time.monotonic() - started < 1
    client.command(f"KILL QUERY WHERE Settings['log_comment'] = '{name}' SYNC")
    thread.join(10)
    assert ended == [394]


# The reader

WRITES = [
    "INSERT INTO {t} SELECT 1, '', 0",
    "INSERT INTO {t} VALUES (1, '', 0)",
    "WITH x AS (SELECT 1) INSERT INTO {t} SELECT *, '', 0 FROM x",
    "/* SELECT */ INSERT INTO FUNCTION file('{f}') SELECT 1",
    "EXPLAIN ANALYZE INSERT INTO FUNCTION file('{f}') SELECT 1",
    "-- SELECT 1\nDROP TABLE {t}",
    "SELECT 1 PARALLEL WITH DROP TABLE {t}",
    "SHOW TABLES PARALLEL WITH DROP TABLE {t}",
    "(SELECT 1) PARALLEL WITH DROP TABLE {t}",
    "KILL QUERY WHERE 1 SYNC",
    "KILL MUTATION WHERE 1",
    "ALTER TABLE {t} DELETE WHERE 1",
    "DELETE FROM {t} WHERE 1",
    "TRUNCATE TABLE {t}",
    "OPTIMIZE TABLE {t} FINAL",
    "CREATE TEMPORARY TABLE x (n UInt8)",
    "SET readonly = 0",
    "SET max_threads = 1",
    "SYSTEM STOP MERGES",
    "SELECT 1 FORMAT TSV SETTINGS max_threads = 1 PARALLEL WITH DROP TABLE {t}",
    "EXPLAIN SELECT 1 PARALLEL WITH DROP TABLE {t}",
    "SELECT 1; DROP TABLE {t}",
    "USE system",
    "EXECUTE AS default DROP TABLE {t}",
]


@pytest.mark.parametrize("statement", WRITES)
def test_whoever_may_only_read_cannot(
    server: EmbeddedServer, client: Client, guarded: str, tmp_path: Path, statement: str
) -> None:
    sql = statement.replace("{t}", guarded).replace("{f}", str(tmp_path / "out.csv"))
    answers = {
        "reader": post(server, sql, {"Authorization": basic("reader", server)}),
        "readonly=1": post(server, sql, readonly="1"),
        "readonly=2 in a session": post(server, sql, readonly="2", session_id="restricted"),
        "GET": post(server, b"", method="GET", query=sql),
    }
    codes = {who: (status, headers["X-ClickHouse-Exception-Code"]) for who, (status, headers, _) in answers.items()}
    assert codes == dict.fromkeys(answers, (500, "62" if "; DROP" in sql else "164"))
    assert list(tmp_path.iterdir()) == []
    assert client.command(f"SELECT count() FROM {guarded}") == 1


READS = [
    "SELECT 1",
    "/* INSERT */ (SELECT 1) UNION ALL SELECT 2",
    "WITH x AS (SELECT 1) SELECT * FROM x",
    "SHOW TABLES",
    "DESCRIBE TABLE {t}",
    "EXISTS {t}",
    "SHOW CREATE TABLE {t}",
    "EXPLAIN indexes = 1 SELECT * FROM {t}",
    "EXPLAIN SELECT 1",
    "EXPLAIN ESTIMATE SELECT * FROM {t}",
    "SELECT 'KILL QUERY', `insert` FROM (SELECT 1 AS `insert`)",
]


@pytest.mark.parametrize("statement", READS)
def test_the_reader_can_read(reader: Client, guarded: str, statement: str) -> None:
    assert reader.query(statement.replace("{t}", guarded)).column_names


def test_the_reader_reads_with_parameters_and_settings(reader: Client, table: str) -> None:
    sql = (
        "SELECT {v:UInt8}, getSetting('max_threads'), getSetting('readonly') FROM (SELECT count() FROM {t:Identifier})"
    )
    answer = reader.query(sql, parameters={"v": 3, "t": table}, settings={"max_threads": 2})
    assert answer.result_rows == [(3, 2, 2)]


@pytest.mark.parametrize("settings", [{"readonly": 0}, {"readonly": "false"}, {"dialect": "prql"}])
def test_the_reader_cannot_leave_readonly(server: EmbeddedServer, settings: dict[str, object]) -> None:
    login = basic("reader", server)
    args = {name: str(value) for name, value in settings.items()}
    status, headers, _ = post(server, b"SELECT 1", {"Authorization": login}, **args)
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (500, "164")


def test_the_reader_cannot_leave_readonly_within_a_statement(reader: Client) -> None:
    assert code_of(lambda: reader.query("SELECT 1 SETTINGS readonly = 0")) == 164


# The engine


def test_the_default_database_is_atomic_and_does_what_a_recovery_needs(client: Client) -> None:
    for sql in (
        "CREATE TABLE base (id UInt64, v UInt8) ENGINE = ReplacingMergeTree(v) PARTITION BY id % 2 ORDER BY id",
        "INSERT INTO base SELECT number, 0 FROM numbers(10)",
        "CREATE TABLE copy CLONE AS base",
        "CREATE TABLE shadow AS base",
        "ALTER TABLE shadow ATTACH PARTITION 0 FROM base",
        "DELETE FROM base WHERE id = 4",
        "ALTER TABLE base REPLACE PARTITION 0 FROM shadow",
        "ALTER TABLE copy DELETE WHERE id < 5 SETTINGS mutations_sync = 2",
        "EXCHANGE TABLES copy AND shadow",
    ):
        client.command(sql)
    assert client.query(
        "SELECT (SELECT count() FROM base), (SELECT count() FROM copy), (SELECT count() FROM shadow)"
    ).result_rows == [(10, 5, 5)]
    zero = uuid.UUID(int=0)
    tables = client.query("SELECT uuid FROM system.tables WHERE name IN ('base', 'copy', 'shadow')").result_rows
    assert (len(tables), (zero,) in tables) == (3, False)
    assert client.query("SELECT serverTimezone()").result_rows == [("UTC",)]


def test_merges_run_between_requests(client: Client, table: str) -> None:
    for number in range(12):
        client.command(f"INSERT INTO {table} VALUES ({number}, '', 0)")
    parts = f"SELECT count() FROM system.parts WHERE table = '{table}' AND active"
    assert eventually(lambda: client.command(parts) < 12)
    assert client.command("SELECT value FROM system.events WHERE event = 'Merge'") > 0


# The process


def test_a_client_process_loads_neither_the_engine_nor_the_web_server() -> None:
    script = "import sys, recovery.embedded; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "recovery" in loaded.split()
    assert {"chdb", "werkzeug", "waitress", "lz4", "pyarrow"} & set(loaded.split()) == set()


def test_a_restart_keeps_the_data_and_changes_the_password(tmp_path: Path) -> None:
    dsns = set()
    for expected in (1, 2, 3):
        with EmbeddedServer(tmp_path) as server, connect(server.dsn) as client:
            dsns.add(urlsplit(server.dsn).password)
            client.command("CREATE TABLE IF NOT EXISTS kept (n UInt8) ENGINE = MergeTree ORDER BY n")
            client.insert("kept", [[expected]], column_names=["n"])
            rows = client.query(
                "SELECT count(), (SELECT engine FROM system.databases WHERE name = 'default') FROM kept"
            )
            assert [(expected, "Atomic")] == rows.result_rows
    assert len(dsns) == 3


def test_a_folder_in_use_is_refused_in_one_sentence(server: EmbeddedServer) -> None:
    sentence = (
        f"{server.folder} is in use by another ClickHouse process (pid {server.pid}). "
        "Stop that one, or connect to it by its DSN."
    )
    with pytest.raises(EmbeddedError) as raised:
        EmbeddedServer(server.folder).start()
    assert sentence == str(raised.value)
    done = subprocess.run(
        [sys.executable, "-m", "recovery.embedded", str(server.folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (13, "", sentence + "\n") == (done.returncode, done.stdout, done.stderr)


def test_a_folder_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match="is a file, not a folder"):
        EmbeddedServer(tmp_path / "file").start()
    with pytest.raises(EmbeddedError, match="cannot be used"):
        EmbeddedServer(tmp_path / "file" / "below").start()


def test_the_password_is_not_in_the_process_list(server: EmbeddedServer) -> None:
    command = Path(f"/proc/{server.pid}/cmdline").read_bytes()
    assert b"recovery.embedded" in command
    assert str(urlsplit(server.dsn).password).encode() not in command


def test_it_goes_on_answering_while_a_query_has_thousands_of_files_open(tmp_path: Path) -> None:
    columns = ", ".join(f"c{n} UInt8" for n in range(100))
    with EmbeddedServer(tmp_path / "data") as server, connect(server.dsn) as client:
        wide = "ENGINE = ReplacingMergeTree ORDER BY id SETTINGS min_bytes_for_wide_part = 0"
        client.command(f"CREATE TABLE many_files (id UInt64, {columns}) {wide}")
        client.command("SYSTEM STOP MERGES many_files")
        for _ in range(15):
            client.command("INSERT INTO many_files (id) SELECT number FROM numbers(200)")
        query = "SELECT sum(ignore(*) + sleepEachRow(0.03)) FROM many_files FINAL"
        asked = threading.Thread(target=partial(client.query, query, settings={"max_threads": 1, "max_block_size": 1}))
        asked.start()
        assert eventually(lambda: len(os.listdir(f"/proc/{server.pid}/fd")) > 1_500)
        with connect(server.dsn) as late:
            assert late.query("SELECT 1").result_rows == [(1,)]
        assert asked.is_alive()
        asked.join()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_even_in_the_middle_of_a_query(tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-m", "recovery.embedded", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        dsn = process.stdout.readline().strip()
        with connect(dsn) as client, connect(dsn) as other:
            query = partial(client.query, SLOW, settings={"query_id": "slow"})
            slow = threading.Thread(target=lambda: code_of(query))
            slow.start()
            assert eventually(lambda: at_work(other, "slow"))
            process.send_signal(number)
            assert process.wait(20) == 0
            slow.join()
        assert process.stdout.read() == ""
        assert process.stderr.read().count("\n") == 1


def test_when_it_ended_by_itself_its_last_words_are_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with EmbeddedServer(tmp_path / "data") as server:
        os.kill(server.pid, signal.SIGKILL)
        os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
    told = capfd.readouterr().err
    assert f"The embedded ClickHouse in {tmp_path / 'data'} had ended by itself" in told
    assert "(killed by signal 9)" in told


def test_the_child_goes_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from recovery.embedded import EmbeddedServer\n"
        "s = EmbeddedServer(Path(sys.argv[1])); s.start(); print(s.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert runs(child)
        parent.kill()
    assert eventually(lambda: not runs(child))


def test_the_terminals_ctrl_c_does_not_reach_the_child(server: EmbeddedServer) -> None:
    assert os.getpgid(server.pid) != os.getpgid(0)
