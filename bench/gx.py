"""Stock Great Expectations over SQL: a suite validated against a table, and what its statements took."""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

MEMORY = 16_000_000_000  # bytes that a stock expectation may take; 8 GB were too few for uniqueness of the key
SLOWEST = 8  # of the statements that are told


@dataclass(frozen=True)
class Query:
    seconds: float
    rows_read: int
    bytes_read: int
    sql: str


def validated(
    dsn: str, table: str, expected: Iterable[tuple[str, Any]], *, threads: int, memory: int = MEMORY,
    without: Collection[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """What a suite of `(promise, expectation)` took, with at most `memory` bytes a statement: seconds as a whole and of the
    `server`, queries, rows and bytes read, and the outcome of each promise: holds, BROKEN, or how it raised. A statement that
    fails is tried again by Great Expectations, with others that it belongs to: `without` leaves out what is known to fail."""
    import great_expectations as gx

    url = f"{dsn.replace('clickhouse://', 'clickhousedb://', 1)}?max_memory_usage={memory}&max_threads={threads}"
    clock = time.perf_counter()
    with executed() as queries, redirect_stdout(io.StringIO()):  # it prints of statements that {batch} is not in them
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        asset = context.data_sources.add_sql("stock", connection_string=url).add_table_asset("stock", table_name=table)
        suite = gx.ExpectationSuite(name="stock")
        for promise, expectation in expected:
            if promise not in without:
                expectation.meta = {"promise": promise}
                suite.add_expectation(expectation)
        batch = asset.add_batch_definition_whole_table("whole").get_batch()
        results = batch.validate(suite, result_format="BOOLEAN_ONLY").results
    return {
        "seconds": time.perf_counter() - clock,
        "server": sum(each.seconds for each in queries),
        "expectations": len(results),
        "queries": len(queries),
        "rows_read": sum(each.rows_read for each in queries),
        "bytes_read": sum(each.bytes_read for each in queries),
        "slowest": [
            {"seconds": round(each.seconds, 3), "rows_read": each.rows_read, "sql": each.sql[:300]}
            for each in sorted(queries, key=lambda each: -each.seconds)[:SLOWEST]
        ],
        "outcomes": {each.expectation_config.meta["promise"]: _outcome(each) for each in results},
    }


def counted(outcomes: dict[str, str]) -> dict[str, int]:
    """How many promises hold, are broken, or raised."""
    return dict(Counter(outcome.partition(":")[0] for outcome in outcomes.values()))


@contextmanager
def executed() -> Iterator[list[Query]]:
    """The statements that SQLAlchemy sends meanwhile."""
    import sqlalchemy

    queries: list[Query] = []

    def before(connection: Any, *_: Any) -> None:
        connection.info["bench"] = time.perf_counter()

    def after(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        summary = cursor.summary[-1] if cursor.summary else {}
        seconds = time.perf_counter() - connection.info["bench"]
        read = int(summary.get("read_rows", 0)), int(summary.get("read_bytes", 0))
        queries.append(Query(seconds, *read, " ".join(statement.split())))

    heard = {"before_cursor_execute": before, "after_cursor_execute": after}
    for name, listener in heard.items():
        sqlalchemy.event.listen(sqlalchemy.Engine, name, listener)
    try:
        yield queries
    finally:
        for name, listener in heard.items():
            sqlalchemy.event.remove(sqlalchemy.Engine, name, listener)


def _outcome(result: Any) -> str:
    if raised := _raised(result.exception_info):
        return f"raised: {raised}"
    return "holds" if result.success else "BROKEN"


def _raised(info: Any) -> str:
    """The first message of an exception, wherever it stands."""
    if isinstance(info, dict):
        if message := info.get("exception_message"):
            return " ".join(str(message).split())[:300]
        return next((found for each in info.values() if (found := _raised(each))), "")
    return ""
