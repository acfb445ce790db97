"""The promises of a night that have a stock counterpart, as one suite of Great Expectations over SQL."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Any

from bench import gx
from bench.measure import Took
from bench.nightly_data import NOW, Bench
from expectations import scan as scans
from recovery.statements import quote

NO_STOCK = (
    "the worst hour and day of a condition, with two thresholds (mostly is one share of all rows)",
    "unmerged and doubled apart (uniqueness is one or the other, of all rows or of none)",
    "gone: identities of a closed day that were there last night",
    "volume and mean amount against their own weekday's history (bounds have to be given)",
    "a type of each column (the dialect's types have other names)",
)


def stock(bench: Bench, without: Collection[str] = ()) -> Took:
    """C: the suite; `without` leaves out what is known to fail."""
    took, threads = Took(), bench.nightly.cost.threads
    with took.timing("whole", bench):
        told = gx.validated(bench.dsn, bench.table.name, expected(bench), threads=threads, without=without)
    took.seconds["server"] = told["server"]
    took.rows_read, took.bytes_read = told["rows_read"], told["bytes_read"]
    took.told = {name: told[name] for name in ("expectations", "queries", "slowest", "outcomes")}
    return took


def expected(bench: Bench) -> Iterator[tuple[str, Any]]:
    """The promises of the broken table as stock expectations. What has none but SQL of one's own is
    UnexpectedRowsExpectation with the condition of the nightly file, of the same rows."""
    import great_expectations.expectations as gxe
    from great_expectations.expectations.row_conditions import Column

    table = bench.table
    assert table.time is not None
    assert table.by is not None
    assert table.identity is not None
    span = scans.Span.of(table, NOW)
    day = NOW.replace(hour=0, minute=0) - timedelta(days=2)
    by, at = Column(table.by), Column(table.time)
    of = {"row_condition": by == "clob"}
    yield "columns", gxe.ExpectTableColumnsToMatchSet(column_set=list(table.columns), exact_match=False)
    yield "values", gxe.ExpectColumnValuesToBeInSet(column=table.by, value_set=list(table.values or ()))
    yield (
        "has_a_condition",
        gxe.ExpectColumnValuesToNotBeInSet(column="condition_id", value_set=[""], mostly=0.99, **of),
    )
    empty = ["", "0x", f"0x{'0' * 40}"]
    yield "has_a_wallet", gxe.ExpectColumnValuesToNotBeInSet(column="wallet", value_set=empty, mostly=0.999, **of)
    yield "wallet_not_null", gxe.ExpectColumnValuesToNotBeNull(column="wallet")
    for column, most in (("usdc_delta", 1e8), ("tokens_delta", 1e9)):
        yield (
            f"amounts_are_in_range.{column}",
            gxe.ExpectColumnValuesToBeBetween(column=column, min_value=-most, max_value=most, mostly=0.999),
        )
    yield (
        "outcome_is_in_range",
        gxe.ExpectColumnValuesToBeBetween(column="outcome_index", min_value=0, max_value=20, mostly=0.999),
    )
    done = {"has_a_condition", "has_a_wallet", "amounts_are_in_range", "outcome_is_in_range"}
    for name, promise in table.rows.items():
        if name in done:
            continue
        conditions = [scans.wrong(bench.incident.table.database, promise)]
        if promise.of:
            conditions.append(f"{quote(table.by)} IN ({', '.join(repr(each) for each in promise.of)})")
        if promise.over == "recent":
            conditions.append(f"{quote(table.time)} >= '{span.recent:%Y-%m-%d %H:%M:%S}'")
        where = " AND ".join(conditions).replace("{", "{{").replace("}", "}}")
        yield name, gxe.UnexpectedRowsExpectation(unexpected_rows_query=f"SELECT * FROM {{batch}} WHERE {where}")
    for value, (_, critical) in table.fresh.items():
        least = (NOW - timedelta(minutes=critical)).replace(tzinfo=None)
        yield (
            f"fresh.{value}",
            gxe.ExpectColumnMaxToBeBetween(column=table.time, min_value=least, row_condition=by == value),
        )
    for value in table.values or ():
        given = (by == value) & (at >= day.replace(tzinfo=None)) & (at < (day + timedelta(days=1)).replace(tzinfo=None))
        yield f"volume.{value}", gxe.ExpectTableRowCountToBeBetween(min_value=1, row_condition=given)
    for column in table.identity.columns:
        yield f"unique.{column}", gxe.ExpectColumnValuesToBeUnique(column=column)
    yield "unique.key", gxe.ExpectCompoundColumnsToBeUnique(column_list=list(table.identity.key))
