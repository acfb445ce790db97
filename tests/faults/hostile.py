"""Hostile: the values that an incident file, its SELECT and the commands are given, by what is wrong with them."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any

import tomli_w

from recovery.incident import MAX_BYTES
from tests.conftest import JANUARY

TEXT = JANUARY.read_text("utf-8")
SELECT = JANUARY.with_suffix(".sql").read_text("utf-8")
CONTENT = tomllib.loads(TEXT)
Place = tuple[str | int, ...]
MAY_BE_LEFT_OUT = {("window", "test_subjects"), ("window", "quiet_days"), ("backfill", "accepted_views")}


def leaves(node: Any = CONTENT, at: Place = ()) -> Iterator[Place]:
    """The place of every value of the incident file."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, (*at, key))
    else:
        yield at


def holder(content: Any, at: Place) -> Any:
    for step in at[:-1]:
        content = content[step]
    return content


def value_at(at: Place) -> Any:
    return holder(CONTENT, at)[at[-1]]


def with_value(at: Place, value: Any) -> bytes:
    content = copy.deepcopy(CONTENT)
    holder(content, at)[at[-1]] = value
    return tomli_w.dumps(content).encode("utf-8", "surrogatepass")


def without(at: Place) -> bytes:
    content = copy.deepcopy(CONTENT)
    del holder(content, at)[at[-1]]
    return tomli_w.dumps(content).encode()


def twice(at: Place) -> bytes:
    """The key once more at the end of its section."""
    lines: list[str] = []
    section = ""
    for line in TEXT.splitlines():
        section = line.partition("]")[0].removeprefix("[") if line.startswith("[") else section
        lines.append(line)
        if section == ".".join(map(str, at[:-1])) and line.partition("=")[0].strip() == at[-1]:
            lines.append(line)
    return "\n".join(lines).encode()


def wrong_kinds(value: Any) -> list[Any]:
    """Values of another kind or out of range."""
    if isinstance(value, str):
        return [5, [], {"a": "b"}, date(2026, 1, 1), float("nan"), True]
    if isinstance(value, int):
        return ["7", 1.5, -1, 10**18, float("inf"), [1]]
    if isinstance(value, float):
        return ["1.0", -0.1, float("nan"), float("inf"), 1e308, {}]
    if isinstance(value, datetime):
        return ["2026-01-20T00:00:00Z", 5, time(1), datetime(1, 1, 1, tzinfo=UTC), datetime(2106, 1, 1, tzinfo=UTC)]
    return ["x", 5, [[1]], [1.5], {"a": 1}, [float("nan")]]


def named(at: Place) -> str:
    return ".".join(map(str, at))


def mutations() -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for at in leaves():
        if at not in MAY_BE_LEFT_OUT:
            found[f"{named(at)} deleted"] = without(at)
        found[f"{named(at)} twice"] = twice(at)
        for number, value in enumerate(wrong_kinds(value_at(at))):
            found[f"{named(at)} wrong {number}"] = with_value(at, value)
        found[f"{named(at)} misspelt"] = with_value((*at[:-1], f"{at[-1]}x"), value_at(at))
    return found


FILES: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n\t\n",
    "only a comment": b"# nothing\n",
    "NUL": b"\x00" * 1_000,
    "binary": bytes(range(256)) * 40,
    "an ELF file": b"\x7fELF\x02\x01\x01" + b"\x00" * 500,
    "a gzip file": b"\x1f\x8b\x08\x00" + b"\xa5" * 500,
    "UTF-8 with a BOM": b"\xef\xbb\xbf" + TEXT.encode(),
    "UTF-16, little end first": b"\xff\xfe" + TEXT.encode("utf-16-le"),
    "UTF-16, big end first": b"\xfe\xff" + TEXT.encode("utf-16-be"),
    "UTF-32": TEXT.encode("utf-32"),
    "not UTF-8": TEXT.replace("Fills stored", "F\x00lls").encode().replace(b"\x00", b"\xe9"),
    "half a character at the end": TEXT.encode() + b"# \xe2\x82",
    "a surrogate": TEXT.encode() + b"# \xed\xa0\x80\n",
    "control characters": TEXT.replace("Fills stored", "\x1b[2J\x07Fills").encode(),
    "lone carriage returns": TEXT.replace("\n", "\r").encode(),
    "huge": TEXT.encode() + b"#" * 50 * MAX_BYTES,
    "one byte too many": TEXT.encode() + b"#" * (MAX_BYTES + 1 - len(TEXT.encode())),
    "deep list": b"x = " + b"[" * 50_000,
    "deep table": b"x = " + b"{a=" * 20_000,
    "deep key": b"x" + b".x" * 20_000 + b" = 1",
    "deep section": b"[" + b"x . " * 20_000 + b"x]",
    "many sections": TEXT.encode() + b"".join(b"[s%d]\n" % n for n in range(3_000)),
    "a number of 5,000 digits": TEXT.replace("evidence_hours = 24", "evidence_hours = " + "9" * 5_000).encode(),
    "JSON": b'{"incident": {"id": "x"}}',
    "YAML": b"incident:\n  id: x\n",
    "HTML": b"<!DOCTYPE html><script>alert(1)</script>",
    "SQL": b"DROP TABLE pm_canonical_fills_v4;\n",
    "a private key": b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    "cut in the middle": TEXT.encode()[: len(TEXT) // 2],
    "twice in one": TEXT.encode() * 2,
    "a quarantine that is the table": with_value(("table", "quarantine"), CONTENT["table"]["name"]),
    "a quarantine that is the source": with_value(("table", "quarantine"), CONTENT["source"]["table"]),
    "a quarantine that is the updater's": with_value(("table", "quarantine"), "cron_executions"),
    "a day that there is not": TEXT.replace("2026-01-14,", "2026-02-30,").encode(),
    "an hour that there is not": TEXT.replace("2026-01-28T00:00:00Z", "2026-01-28T25:00:00Z").encode(),
    "a year with five digits": TEXT.replace("end = 2026-01-28", "end = 12026-01-28").encode(),
    "a window the wrong way round": TEXT.replace("end = 2026-01-28", "end = 2026-01-10").encode(),
}

NAMES: list[Place] = [
    *(("table", key) for key in ("database", "name", "version", "time", "subject", "quarantine")),
    ("table", "identity", 0), ("table", "repaired", 1), ("table", "partitions", 0),
    *(("source", key) for key in ("table", "key", "group", "time")),
    ("services", "updater", "table"),
]  # fmt: skip
SQL_FOR_A_NAME = (
    "x; DROP TABLE pm_canonical_fills_v4", "x`; DROP TABLE pm_canonical_fills_v4; --", "x' OR '1' = '1", 'x" OR "1',
    "x -- ", "x/**/", "x\\", "x\n; SELECT 1", "a.b", "$(id)", "${table}", "{table:Identifier}", "numbers(10)",
    "\uff50\uff4d_canonical_fills_v4", "pm_canonical_fills_\u21744", "condition_\u0456d", "fill\u200b_id", "x\u202etxet", "", " ",
)  # fmt: skip


def sql_in_names() -> dict[str, bytes]:
    return {f"{named(at)} = {sql!a}": with_value(at, sql) for at in NAMES for sql in SQL_FOR_A_NAME}


# Refused by the file's own rules, whatever the server.
CONDITIONS = (
    "1) OR (1", "source = '') OR (1 = 1", "1 = 1; DROP TABLE pm_canonical_fills_v4", "1 = 1 -- all", "1 = 1 # all",
    "1 = 1 /* all", "1)) INTO OUTFILE '/tmp/x' --", "source = 'x' ; SELECT 1", "source = {x:String}", "source = '",
    'source = "', "source = `", "(source = ''", "source = '')", "[source = '')", "\u0455ource = ''", "source \uff1d ''",
    "source = $$x$$", "", " ", "\n", "source = \u2018clob\u2019", "1 = 1;", "''); DROP TABLE x; SELECT (''",
)  # fmt: skip
# They keep their brackets: what the server makes of them has to refuse them.
CONDITIONS_FOR_THE_SERVER = (
    "EXISTS(SELECT 1)", "source IN (SELECT source FROM pm_canonical_fills_v4)", "(SELECT count() FROM system.users) > 0",
    "fill_id IN (SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String'))",
    "fill_id IN (SELECT line FROM file('/etc/passwd'))",
    "fill_id IN (SELECT name FROM remote('127.0.0.1:1', 'system', 'tables'))", "source IN (system.one)", "source IN system.one",
    "source GLOBAL NOT IN (system.one)", "1 = 1 INTO OUTFILE '/tmp/hostile'", "1 = 1 SETTINGS readonly = 0", "1 = 1 FORMAT Null",
    "1 = 1 LIMIT 1", "1 = 1 UNION ALL SELECT 1", "source AS wallet", "* = 1", "COLUMNS('source') = 'x'", "source, 1", "source",
    "count() > 1", "row_number() OVER () = 1", "arrayJoin([1, 1])", "arrayjoin([1, 1]) = 1", "file('/etc/passwd') = ''",
    "url('http://127.0.0.1:1/')", "sleep(1) = 0", "sleepEachRow(1) = 0", "throwIf(1) = 0", "rand() % 2 = 0", "now() > event_time",
    "dictGet('a', 'b', 1) = 1", "no_such_column = 1", "no_such_function(1)", "DROP TABLE pm_canonical_fills_v4", "INSERT INTO x",
    "x -> x = 1", "wallet = @@version", "toDateTime('2026-01-01')", "source = 5", "SELECT 1", "DISTINCT source",
    "1 = 1 WITH TOTALS",
)  # fmt: skip

SELECTS: dict[str, bytes | None] = {
    "absent": None,
    "empty": b"",
    "only a comment": b"-- SELECT 1\n/* SELECT 2 */",
    "INSERT": b"INSERT INTO pm_canonical_fills_v4 SELECT * FROM pm_canonical_fills_v4",
    "INSERT after WITH": b"WITH 1 AS x INSERT INTO pm_canonical_fills_v4 SELECT * FROM pm_canonical_fills_v4",
    "DROP": b"DROP TABLE pm_canonical_fills_v4",
    "TRUNCATE": b"TRUNCATE TABLE pm_canonical_fills_v4",
    "ALTER": b"ALTER TABLE pm_canonical_fills_v4 DELETE WHERE 1",
    "SYSTEM": b"SYSTEM SHUTDOWN",
    "KILL": b"KILL QUERY WHERE 1",
    "SET": b"SET readonly = 0",
    "EXPLAIN": b"EXPLAIN SELECT 1",
    "several statements": SELECT.encode() + b";\nDROP TABLE pm_canonical_fills_v4",
    "several SELECTs": b"SELECT 1; SELECT 2",
    "a bracket that leaves": b"SELECT 1) UNION ALL (SELECT 2",
    "a bracket, then settings": b"SELECT 1) SETTINGS readonly = 0 -- ",
    "an open bracket": b"SELECT (1",
    "an open quote": b"SELECT 'a",
    "an open comment": SELECT.encode() + b"/* and",
    "a hidden DROP": b"/* SELECT */ DROP TABLE pm_canonical_fills_v4 -- SELECT",
    "not UTF-8": b"SELECT '\xff'",
    "UTF-16": SELECT.encode("utf-16"),
    "binary": bytes(range(256)),
    "huge": b"-- " + b"x" * MAX_BYTES,
    "a shell script": b"#!/bin/sh\nrm -rf x\n",
    "system tables": b"SELECT * FROM system.users",
    "all processes": b"SELECT query FROM system.processes",
    "other columns": b"SELECT 1 AS x",
    "a table that there is not": b"SELECT * FROM no_such_table",
    "into a file": SELECT.encode() + b"\nINTO OUTFILE '/tmp/hostile'",
    "into a file and a format": SELECT.encode() + b"\nINTO OUTFILE '/tmp/hostile' FORMAT CSV",
    "a file": b"SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "a remote server": b"SELECT * FROM remote('127.0.0.1:1', 'system', 'tables')",
    "an address": b"SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
    "input": b"SELECT * FROM input('a String')",
    "a program": b"SELECT * FROM executable('x.sh', 'TabSeparated', 'a String')",
    "an INSERT within": b"SELECT * FROM (INSERT INTO cron_executions SELECT 1)",
    "another parameter": SELECT.encode().replace(b"{key_from:String}", b"{other:String}"),
    "look-alike letters": "\u0405ELECT 1".encode(),
    "only SELECT": b"SELECT",
    "only WITH": b"WITH",
}

DSNS = (
    "", " ", "embedded ", "Embedded", "http://user@127.0.0.1:8123", "mysql://127.0.0.1", "clickhouse:", "clickhouse://",
    "clickhouse:///", "clickhouse://user@", "clickhouse://user@:8123", "clickhouse://user@127.0.0.1:0", "clickhouse://h:-1",
    "clickhouse://user@127.0.0.1:99999", "clickhouse://user@127.0.0.1:port", "clickhouse://user@[::1", "clickhouse://u@a b",
    "clickhouse://u@127.0.0.1;DROP TABLE x", "clickhouse://u@ex%00ample", "clickhouse://u@\u2100x:1", "clickhouse://u@*:1",
    "clickhouse://u@" + "a" * 70, "clickhouse://u@a..b", "clickhouse://u@h?readonly=0", "clickhouse://u@h?x", "clickhouse://u@h#f",
    "clickhouse://u:12/3@127.0.0.1", "clickhouse://u:12?3@127.0.0.1", "clickhouse://u:a#b@127.0.0.1", "clickhouse://u:a/b@h",
    "chdb:", "chdb://", "chdb:///", "chdb:///tmp/..", "chdb://relative", "chdb://./here", "chdb:///a?b", "chdb:///a#b",
    "chdb:///a%0Ab", "chdb:///a\udcff", "clickhouse://u@\udcff:1", "file:///etc/passwd", "$(id)", "'; DROP TABLE x; --",
)  # fmt: skip
MOMENTS = (
    "", " ", "now", "yesterday", "2026-02-02", "2026-02-02T06:00:00", "2026-02-30T00:00:00Z", "2026-02-02T25:00:00Z",
    "nan", "1e400",
    "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z", "2106-01-01T00:00:00Z", "1770012000",
    "2026-02-02T06:00:00Z; DROP TABLE x", "\uff12\uff10\uff12\uff16-02-02T06:00:00Z", "2026-02-02T06:00:00+99:00",
    "-1", "9" * 5_000, "\udcff",
)  # fmt: skip
REASONS = ("", " ", "\t\n", "\u200b", "--", "...", "''", "\u202e", ";")
PATHS = (
    "",
    "/",
    ".",
    "/dev/zero",
    "/dev/null",
    "x" * 5_000,
    "no/such/file",
    "\udcff",
    "/etc/passwd",
    "a\nb",
    "/proc/self/mem",
)
ROWS_AND_DAYS = (
    ("--rows=0",), ("--rows=-1",), ("--rows=999",), ("--rows=many",), ("--rows=1e9",), ("--rows=" + "9" * 30,), ("--rows=",),
    ("--days=0",), ("--days=366",), ("--days=x",), ("--seed=-1",), ("--seed=4294967296",), ("--seed=nan",), ("--until=phase9",),
    ("--until=",), ("--until=phase1; DROP",), ("--writer=evil",), ("--incident=",), ("--incident=/dev/zero",),
    ("--incident=no.toml",),
    ("--keep=/dev/null",), ("--keep=/proc/no",), ("--keep=/",), ("--no-such-option",), ("surplus",), ("--rows",),
)  # fmt: skip
