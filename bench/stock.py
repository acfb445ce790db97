"""The promises of phases 3 and 5 as stock Great Expectations over SQL, in one suite over the table.

`stock` runs them, for Great Expectations sends the statements itself. What has no stock expectation is an
UnexpectedRowsExpectation with the statement of bench/alternatives.py: superseded rows, orphans, and whatever is compared
with the source. Great Expectations binds no values, so they stand in the statements' text; and it fetches all rows that such
a statement finds and counts them in another, which is why superseded rows are asked for in phase 5 only, where none is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from bench import gx
from bench.alternatives import FINDINGS, bound, finding
from recovery.incident import Incident
from recovery.statements import literal


def stock(
    dsn: str,
    incident: Incident,
    threads: int,
    memory: int,
    *,
    phase: str = "phase3",
    table: str | None = None,
    without: tuple[str, ...] = (),
) -> dict[str, Any]:
    """What the suite took, as bench.gx.validated has it."""
    return gx.validated(
        dsn,
        table or incident.table.name,
        expected(incident, phase, table),
        threads=threads,
        memory=memory,
        without=without,
    )


def expected(incident: Incident, phase: str, table: str | None) -> Iterator[tuple[str, Any]]:
    """Row counts, uniqueness, known values; nothing broken on any day, nor among the rows of a test subject; and the
    findings that need SQL of one's own."""
    import great_expectations.expectations as gxe
    from great_expectations.expectations.row_conditions import Column

    guarded = next(each for each in incident.nightly.tables.values() if each.name == incident.table.name)
    window, owned = incident.window, guarded.rows["has_a_condition"].of
    assert guarded.identity is not None
    assert guarded.by is not None
    assert owned
    yield "rows", gxe.ExpectTableRowCountToBeBetween(min_value=1)
    yield "values", gxe.ExpectColumnValuesToBeInSet(column=guarded.by, value_set=list(guarded.values or ()))
    for column in incident.table.identity:
        yield f"identities.{column}", gxe.ExpectColumnUniqueValueCountToBeBetween(column=column, min_value=1)
        yield f"unique.{column}", gxe.ExpectColumnValuesToBeUnique(column=column)
    yield "unique.key", gxe.ExpectCompoundColumnsToBeUnique(column_list=list(guarded.identity.key))
    by, subject, at = Column(guarded.by), Column(incident.table.subject), Column(incident.table.time)
    spans = {
        f"filled.{day}": (by == owned[0], datetime(day.year, day.month, day.day), timedelta(days=1))
        for day in incident.days
    } | {
        f"filled.{each}": (subject == each, _plain(window.test_start), window.test_end - window.test_start)
        for each in window.test_subjects
    }
    mostly = 1 - incident.gates.remaining_broken_percent / 100
    for promise, (of, start, length) in spans.items():
        yield (
            promise,
            gxe.ExpectColumnValuesToNotBeInSet(
                column=incident.table.repaired[0],
                value_set=[""],
                mostly=mostly,
                row_condition=of & (at >= start) & (at < start + length),
            ),
        )
    for name in FINDINGS:
        if phase == "phase3" and name == "superseded":
            continue
        query = literally(incident, finding(incident, name, table)).replace("{", "{{").replace("}", "}}")
        yield name, gxe.UnexpectedRowsExpectation(unexpected_rows_query=query)


def _plain(moment: datetime) -> datetime:
    """As Great Expectations writes it into a condition: UTC without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def literally(incident: Incident, sql: str) -> str:
    """A statement with its parameters as literals in it, and without the comment on top."""
    given = bound(incident, sql)

    def written(found: re.Match[str]) -> str:
        value, kind = given[found[1]], found[2]
        if isinstance(value, list):
            return f"[{', '.join(map(literal, value))}]"
        return f"CAST({literal(str(value))} AS {kind})"

    return re.sub(r"\{(\w+):([^{}]+)\}", written, re.sub(r"\A(--.*\n)+", "", sql))
