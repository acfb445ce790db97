"""The promises of phases 3 and 5 as stock Great Expectations over SQL, one suite for the partitions and one for the window.

`stock` runs them, for Great Expectations sends the statements itself. What has no stock expectation is an
UnexpectedRowsExpectation with the statement of bench/alternatives.py: superseded rows, orphans, and whatever is compared
with the source. Great Expectations binds no values, so they stand in the statements' text.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.alternatives import FINDINGS, bound, finding, text
from bench.nightly import _raised
from recovery.incident import Incident
from recovery.statements import literal, quote


def stock(
    dsn: str, incident: Incident, threads: int, memory: int, *, table: str | None = None, without: tuple[str, ...] = ()
) -> dict[str, Any]:
    """What the suites took, with at most `memory` bytes a statement: seconds as a whole and of the `server`, queries,
    rows and bytes read, and the outcome of each promise: holds, BROKEN, or how it raised. `without` names promises to
    leave out: a statement that fails is tried again by Great Expectations, and others with it."""
    import great_expectations as gx
    import sqlalchemy

    queries: list[tuple[float, int, int]] = []
    url = f"{dsn.replace('clickhouse://', 'clickhousedb://', 1)}?max_memory_usage={memory}&max_threads={threads}"

    def before(connection: Any, *_: Any) -> None:
        connection.info["bench"] = time.perf_counter()

    def after(connection: Any, cursor: Any, *_: Any) -> None:
        summary = cursor.summary[-1] if cursor.summary else {}
        read = int(summary.get("read_rows", 0)), int(summary.get("read_bytes", 0))
        queries.append((time.perf_counter() - connection.info["bench"], *read))

    outcomes = {}
    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", before)
    sqlalchemy.event.listen(sqlalchemy.Engine, "after_cursor_execute", after)
    clock = time.perf_counter()
    try:
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        source = context.data_sources.add_sql("stock", connection_string=url)
        for name, expected in (("stock_rows", of_the_partitions), ("stock_window", of_the_window)):
            suite = gx.ExpectationSuite(name=name)
            for promise, expectation in expected(incident, table):
                if promise not in without:
                    expectation.meta = {"promise": promise}
                    suite.add_expectation(expectation)
            query = literally(incident, text(name, table=quote(table or incident.table.name)))
            batch = source.add_query_asset(name, query=query).add_batch_definition_whole_table("whole").get_batch()
            with redirect_stdout(io.StringIO()):  # it prints, per statement, that {batch} is not in it
                results = batch.validate(suite, result_format="BOOLEAN_ONLY").results
            for result in results:
                raised = _raised(result.exception_info)
                outcomes[result.expectation_config.meta["promise"]] = (
                    f"raised: {raised}" if raised else "holds" if result.success else "BROKEN"
                )
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", before)
        sqlalchemy.event.remove(sqlalchemy.Engine, "after_cursor_execute", after)
    return {
        "seconds": time.perf_counter() - clock,
        "server": sum(seconds for seconds, _, _ in queries),
        "queries": len(queries),
        "rows_read": sum(rows for _, rows, _ in queries),
        "bytes_read": sum(size for _, _, size in queries),
        "outcomes": outcomes,
    }


def of_the_partitions(incident: Incident, table: str | None) -> Iterator[tuple[str, Any]]:
    """Row counts, uniqueness, known values, and the findings that need SQL of one's own."""
    import great_expectations.expectations as gxe

    guarded = next(each for each in incident.nightly.tables.values() if each.name == incident.table.name)
    assert guarded.identity is not None
    yield "rows", gxe.ExpectTableRowCountToBeBetween(min_value=1)
    yield "values", gxe.ExpectColumnValuesToBeInSet(column=guarded.by, value_set=list(guarded.values or ()))
    for column in incident.table.identity:
        yield f"identities.{column}", gxe.ExpectColumnUniqueValueCountToBeBetween(column=column, min_value=1)
        yield f"unique.{column}", gxe.ExpectColumnValuesToBeUnique(column=column)
    yield "unique.key", gxe.ExpectCompoundColumnsToBeUnique(column_list=list(guarded.identity.key))
    for name in FINDINGS:
        query = literally(incident, finding(incident, name, table)).replace("{", "{{").replace("}", "}}")
        yield name, gxe.UnexpectedRowsExpectation(unexpected_rows_query=query)


def of_the_window(incident: Incident, table: str | None) -> Iterator[tuple[str, Any]]:
    """Nothing broken on any day, nor among the rows of a test subject."""
    import great_expectations.expectations as gxe
    from great_expectations.expectations.row_conditions import Column

    window, at = incident.window, Column(incident.table.time)
    filled = {"column": incident.table.repaired[0], "value_set": [""]}
    mostly = 1 - incident.gates.remaining_broken_percent / 100
    for day in incident.days:
        start = datetime(day.year, day.month, day.day)
        of = (at >= start) & (at < start + timedelta(days=1))
        yield f"filled.{day}", gxe.ExpectColumnValuesToNotBeInSet(**filled, mostly=mostly, row_condition=of)
    for subject in window.test_subjects:
        start, end = (each.astimezone(UTC).replace(tzinfo=None) for each in (window.test_start, window.test_end))
        of = (Column(incident.table.subject) == subject) & (at >= start) & (at < end)
        yield f"filled.{subject}", gxe.ExpectColumnValuesToNotBeInSet(**filled, mostly=mostly, row_condition=of)


def literally(incident: Incident, sql: str) -> str:
    """A statement with its parameters as literals in it, and without the comment on top: SELECT has to come first."""
    given = bound(incident, sql)

    def written(found: re.Match[str]) -> str:
        value, kind = given[found[1]], found[2]
        if isinstance(value, list):
            return f"[{', '.join(map(literal, value))}]"
        return f"CAST({literal(str(value))} AS {kind})"

    return re.sub(r"\{(\w+):([^{}]+)\}", written, re.sub(r"\A(--.*\n)+", "", sql))
