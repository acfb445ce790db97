"""Suites: the promises of a table as a Great Expectations suite, run on frames that ClickHouse has aggregated."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
from great_expectations.data_context import AbstractDataContext

from expectations import custom, measures
from expectations.measures import Measure
from recovery.history import CRITICAL, OK, WARNING

KINDS: Mapping[str, type[gxe.ExpectColumnMaxToBeBetween]] = {
    measures.ROWS: custom.ExpectRowsToKeepAConditionOnClickHouse,
    measures.UNKNOWN: custom.ExpectValuesToBeKnownToAnotherTable,
    measures.UNMERGED: custom.ExpectIdentitiesToHaveOneRow,
    measures.DOUBLED: custom.ExpectIdentitiesToHaveOneRow,
    measures.ALIKE: custom.ExpectIdentitiesToHaveOneRow,
    measures.GONE: custom.ExpectClosedDaysToKeepTheirRows,
    measures.FRESH: gxe.ExpectColumnMaxToBeBetween,
    measures.VOLUME: custom.ExpectADayToFollowItsHistory,
    measures.AMOUNT: custom.ExpectADayToFollowItsHistory,
    measures.PARITY: custom.ExpectStoredRowsToBeThoseOfTheStatement,
}
logging.getLogger("great_expectations").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Judged:
    """A measure as Great Expectations found it: `metric` is None where there was nothing to measure, or it failed to."""

    measure: Measure
    metric: float | None
    status: str
    error: str = ""


def judge(table: str, found: Sequence[Measure], docs: Path | None = None) -> dict[str, Judged]:
    """Run the suite of a table; by name of the measure. With `docs` the result is kept in a folder of Great Expectations,
    whose Data Docs show it."""
    context = _context(docs)
    expected = [
        _expectation(measure, severity, bound)
        for measure in found
        for severity, bound in ((WARNING, measure.warn), (CRITICAL, measure.critical))
    ]
    suite = gx.ExpectationSuite(name=table, expectations=expected)
    results: dict[str, dict[str, Any]] = {}
    for result in _validate(context, suite, _side_by_side(found), docs):
        meta = result.expectation_config.meta
        results.setdefault(meta["promise"], {})[meta["status"]] = result
    if docs is not None:
        context.build_data_docs()
    return {measure.name: _judged(measure, results[measure.name]) for measure in found}


def _side_by_side(found: Sequence[Measure]) -> pd.DataFrame:
    """One frame with a column for each measure, as long as the longest; below the others nothing."""
    columns = []
    for measure in found:
        if measure.kind == measures.COLUMNS:
            named = measure.frame[["column", "type"]]
        else:
            named = measure.frame[measure.column].rename(measure.name)
        columns.append(named.reset_index(drop=True))
    return pd.concat(columns, axis=1)


def _expectation(measure: Measure, severity: str, bound: float) -> gxe.Expectation:
    about: dict[str, Any] = {
        "severity": severity.lower(),
        "meta": {"promise": measure.name, "status": severity},
        "notes": f"{measure.name}: {measure.what}",
    }
    if measure.kind == measures.COLUMNS:
        return gxe.ExpectColumnPairValuesToBeInSet(
            column_A="column", column_B="type", value_pairs_set=list(measure.allowed), **about
        )
    if measure.kind == measures.VALUES:
        return gxe.ExpectColumnDistinctValuesToBeInSet(column=measure.name, value_set=list(measure.allowed), **about)
    return KINDS[measure.kind](column=measure.name, max_value=bound, **about)


def _validate(
    context: AbstractDataContext, suite: gx.ExpectationSuite, frame: pd.DataFrame, docs: Path | None
) -> list[Any]:
    batches, given = _batches(docs, suite.name), {"dataframe": frame}
    if docs is None:
        return list(batches.get_batch(batch_parameters=given).validate(suite).results)
    context.suites.add_or_update(suite)
    run = gx.ValidationDefinition(name=suite.name, data=batches, suite=suite)
    return list(context.validation_definitions.add_or_update(run).run(batch_parameters=given).results)


@cache
def _batches(docs: Path | None, table: str) -> Any:
    """Where Great Expectations takes the frames of a table from."""
    asset = _context(docs).data_sources.add_or_update_pandas(name=table).add_dataframe_asset(table)
    return asset.add_batch_definition_whole_dataframe("tonight")


def _judged(measure: Measure, results: Mapping[str, Any]) -> Judged:
    found = results[CRITICAL]
    raised = [str(each.exception_info) for each in results.values() if _raised(each.exception_info)]
    if raised:
        return Judged(measure, None, CRITICAL, raised[0][:300])
    result = found.result
    value = result.get("observed_value")
    metric = result.get("unexpected_count") if measure.kind in (measures.COLUMNS, measures.VALUES) else value
    if metric is None or not math.isfinite(metric):
        return Judged(measure, None, CRITICAL)
    status = CRITICAL if not found.success else WARNING if not results[WARNING].success else OK
    return Judged(measure, float(metric), status)


def _raised(info: Any) -> bool:
    """Whether an expectation ended in an exception; one of several metrics tells it in a mapping of its own."""
    if isinstance(info, Mapping):
        return bool(info.get("raised_exception")) or any(map(_raised, info.values()))
    return False


@cache
def _context(docs: Path | None) -> AbstractDataContext:
    context = gx.get_context(mode="ephemeral") if docs is None else gx.get_context(mode="file", project_root_dir=docs)
    context.variables.progress_bars = {"globally": False}
    return context
