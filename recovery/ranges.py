"""Ranges: a large table and its source in pieces, by sorting key or by hash, so that no statement needs memory for all."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from recovery.warehouse import Answer, Warehouse

TABLE_ROWS = 500_000  # of the table in one range: about 250 MB of the server's memory for the census since a snapshot
SOURCE_ROWS = 200_000  # of the source in one range: about 250 MB, most of it for judging a group's rows together
# Where cost.memory_bytes is high, a range has a row for so many bytes of it: fewer pass over the same rows and the same map.
TABLE_BYTES = 6_000
SOURCE_BYTES = 7_500
WHOLE_BYTES = 1_000  # of memory for a row of the table or the source, where all are laid beside each other at once
MATCHED_BYTES = 1_600  # for one of the source in a range, laid beside the table's rows of its identity
LISTED_BYTES = 50  # for a broken row of the table, in the list that the right rows are looked up in
SAMPLED_PER_RANGE = 64
SAMPLED_GROUPS = 100_000


def of_table(warehouse: Warehouse, rows: int = 0, *, partitions: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Parameters of each range of the table's sorting key, of about so many rows of the affected partitions, or of some. All
    rows of one identity are in one range, unless they differ in the column that the key begins with. Where one value of that
    column has more rows, its range is cut into slices by a hash of the identity, each of which reads all of it."""
    if warehouse.schema.lead(warehouse.incident.table.repaired) is None:
        return whole(warehouse)
    zero = whole(warehouse)[0]["range_from"]
    rows = rows or max(TABLE_ROWS, warehouse.incident.cost.memory_bytes // TABLE_BYTES)
    every = max(1, rows // SAMPLED_PER_RANGE)
    partitions = list(partitions or warehouse.incident.table.partitions)
    found = warehouse.ask("range_bounds", partitions=partitions, every=every, step=math.ceil(rows / every)).rows
    # What is no UTF-8 comes as other text than it is: in order and each once, any text cuts the table into whole ranges.
    slices = {zero: 1} | {row["bound"]: row["slices"] for row in found}
    cuts = sorted(slices, key=int if zero else None)
    cut = [{"range_from": low, "range_to": high, "is_last": False} for low, high in itertools.pairwise(cuts)]
    cut.append({"range_from": cuts[-1], "range_to": cuts[-1], "is_last": True})
    return [
        each | {"slice": number, "slices": slices[each["range_from"]]}
        for each in cut
        for number in range(slices[each["range_from"]])
    ]


def whole(warehouse: Warehouse) -> list[dict[str, Any]]:
    """The one range that all rows are in."""
    lead = warehouse.schema.lead(warehouse.incident.table.repaired)
    zero = "" if lead is None or "String" in lead.type else "0"
    return [{"range_from": zero, "range_to": zero, "is_last": True, "slice": 0, "slices": 1}]


def of_source(warehouse: Warehouse, span: Mapping[str, Any], rows: int = 0) -> list[dict[str, Any]]:
    """Parameters of each range of the source's key, half-open, with about so many rows of a time; a group is in one range.
    `span` is time_from and time_to."""
    asked = {name: span[name] for name in ("time_from", "time_to")}
    rows = rows or max(SOURCE_ROWS, warehouse.incident.cost.memory_bytes // SOURCE_BYTES)
    held = warehouse.ask("source_rows", **asked).first
    count = max(1, math.ceil(held["rows"] / rows))
    one_of = max(1, held["groups"] // max(SAMPLED_GROUPS, SAMPLED_PER_RANGE * count))
    step = max(1, math.ceil(held["groups"] / one_of / count))
    bounds = [row["bound"] for row in warehouse.ask("unit_bounds", **asked, one_of=one_of, step=step).rows]
    low, high = warehouse.key_bounds
    cuts = [low, *(bounds[: count - 1] if count > 1 else []), high]
    return [{"key_from": start, "key_to": end} for start, end in itertools.pairwise(cuts)]


def fits(warehouse: Warehouse, span: Mapping[str, Any]) -> bool:
    """Whether the table and the source can be laid beside each other in one statement."""
    asked = {name: span[name] for name in ("time_from", "time_to", "partitions")}
    rows = warehouse.ask("rows_to_compare", **asked).first["rows"]
    return bool(rows * WHOLE_BYTES <= warehouse.incident.cost.memory_bytes)


def fits_in_a_list(warehouse: Warehouse, broken: int) -> bool:
    """Whether a list of so many broken rows takes no more than half of the memory of one statement."""
    return 2 * broken * LISTED_BYTES <= warehouse.incident.cost.memory_bytes


def to_match(warehouse: Warehouse, span: Mapping[str, Any], listed: int = 0) -> list[dict[str, Any]]:
    """The ranges of the source's key whose right rows are laid beside the table's rows of the same identities: as large as
    memory allows beside a list of so many broken rows, for each looks through the whole table."""
    left = warehouse.incident.cost.memory_bytes - listed * LISTED_BYTES
    return of_source(warehouse, span, max(1, left // MATCHED_BYTES))


def ask(
    warehouse: Warehouse, name: str, ranges: Sequence[Mapping[str, Any]], by: Sequence[str], **parameters: Any
) -> Answer:
    """The answers to a statement for each range as one: rows that agree in `by` are added up, as `added` does."""
    key = json.dumps([name, warehouse.words, list(ranges), by, parameters], default=str)
    return warehouse.once(
        key, lambda: total([warehouse.ask(name, **{**parameters, **each}) for each in ranges], ranges, by)
    )


def total(answers: Sequence[Answer], ranges: Sequence[Mapping[str, Any]], by: Sequence[str]) -> Answer:
    """The answers to a statement for each range as one, as `ask` gives it. Of those that are used again the last tells it
    apart from what was made of others before."""
    again = any(answer.again for answer in answers)
    first = max(answers, key=lambda answer: answer.started) if again else answers[0]
    several = {name: [each[name] for each in ranges] for name in ranges[0]} if len(ranges) > 1 else {}
    return Answer(
        statement=first.statement, sql=first.sql, parameters=first.parameters | several, query_id=first.query_id,
        server=first.server, started=first.started, seconds=sum(answer.seconds for answer in answers),
        rows_read=sum(answer.rows_read for answer in answers), bytes_read=sum(answer.bytes_read for answer in answers),
        rows=added((row for answer in answers for row in answer.rows), by), again=again,
    )  # fmt: skip


def added(rows: Iterable[dict[str, Any]], by: Sequence[str]) -> list[dict[str, Any]]:
    """One row for those that agree in `by`, in its order, with the sums of the others: modulo 2^64, as the server has them,
    and of the column `hash`, which is wider, modulo 2^128."""
    sums: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(row[name] for name in by)
        held = sums.get(key)
        sums[key] = row if held is None else row | {n: (held[n] + row[n]) % _size(n) for n in row if n not in by}
    return [sums[key] for key in sorted(sums)]


def _size(column: str) -> int:
    return 2**128 if column == "hash" else 2**64
