"""Holdings: what the affected partitions hold by themselves, and what became of it since a snapshot, from one scan in ranges.

The census, the balance and the fingerprint are drawn from the same rows. What merges would leave is told from the rows as they
are: of those with one sorting key the newest stays. Where that cannot be told so, `is_sure` is false, and FINAL is asked.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from recovery import fingerprint, parts, ranges, reuse, snapshot
from recovery.statements import Schema
from recovery.warehouse import Answer, Warehouse

BY = ("day", "in_window", "subject", "class", "account")
OVERLAP_ROWS = 1_000_000  # of the table in one range, whose identities are grouped by their partitions
MERGED = re.compile(r"(?:Replicated|Shared)?ReplacingMergeTree\((?:'[^']*', *'[^']*', *)?`?(\w+)`?\)")


@dataclass(frozen=True)
class Holdings:
    """Identities and rows by day, whether they are in the window, test subject, class and account (BY)."""

    answer: Answer
    is_sure: bool
    has_accounts: bool  # the snapshot was there to be compared with

    @classmethod
    def take(
        cls,
        warehouse: Warehouse,
        asked: Mapping[str, Any],
        since: Mapping[str, Any] | None = None,
        *,
        beyond: bool = True,
    ) -> Self:
        """`asked` is what the census is asked with; `since` the ledger's line of the action that took the snapshot. Not
        `beyond` the time that is asked for, rows outside it are not looked at."""
        names = {"baseline": warehouse.words["table"], "set_aside": warehouse.words["table"]}
        known: dict[str, Any] = {"has_baseline": False, "has_quarantine": False, "since_version": 0}
        database = warehouse.incident.table.database
        if since is not None and not warehouse.ask("table", database=database, table=since["snapshot"]).rows:
            since = None
        if since is not None:
            there = bool(warehouse.ask("quarantine_exists").first["result"])
            names["baseline"] = snapshot.table_of(warehouse, since["snapshot"])
            names["set_aside"] = warehouse.words["quarantine"] if there else names["baseline"]
            version = since["plan"]["facts"]["start_version"]
            known = {"has_baseline": True, "has_quarantine": there, "since_version": version}
        quarantine = warehouse.incident.table.quarantine if known["has_quarantine"] else ""
        known["beyond"] = beyond
        scan = _Scan(warehouse, asked, names, known, since["snapshot"] if since is not None else "", quarantine)
        found = warehouse.once(json.dumps(["holdings", warehouse.words, names, known, asked], default=str), scan.of_all)
        table = warehouse.incident.table
        merged = keeps_the_newest(warehouse.schema, table.version, table.identity)
        return cls(found, merged and not any(row["unsure"] for row in found.rows), since is not None)

    def by(self, *names: str, of: Sequence[str]) -> list[dict[str, Any]]:
        """The sums of some columns, of the rows that agree in others."""
        return ranges.added([{name: row[name] for name in (*names, *of)} for row in self.answer.rows], names)

    def fingerprint(self, warehouse: Warehouse) -> str:
        """As `fingerprint.of_window`."""
        if not self.is_sure:
            return fingerprint.of_window(warehouse)
        rows = self.by("day", "in_window", of=("rows_now", "hash"))
        return fingerprint.digest(
            row | {"rows": row["rows_now"]} for row in rows if row["in_window"] and row["rows_now"]
        )


@dataclass(frozen=True)
class _Scan:
    """One scan of the table and, where one is named, of a snapshot and of quarantine."""

    warehouse: Warehouse
    asked: Mapping[str, Any]
    names: Mapping[str, str]
    known: Mapping[str, Any]
    snapshot: str
    quarantine: str

    def of_all(self) -> Answer:
        """Of all partitions. Of a large table each is scanned by itself, and not again while it consists of the same files, if no
        identity has rows in two of them. One that is lost in one may have come to another, so then all are scanned together."""
        partitions, warehouse = self.asked["partitions"], self.warehouse
        if warehouse.answers is None or len(ranges.of_table(warehouse)) == 1 or not self._is_apart(partitions):
            return self._of(warehouse, partitions)
        tables = [warehouse.seen, *filter(None, (self.snapshot, self.quarantine))]
        known = [self.names, self.known, {**self.asked, "partitions": []}]

        def of(partition: str) -> Answer:
            ask = functools.partial(self._of, partitions=[partition], aside_in=[partition])
            return reuse.of_parts(warehouse, tables, [partition], ["census_table"], known, ask)

        found = ranges.total([of(each) for each in partitions], [{"partitions": [each]} for each in partitions], BY)
        lost = any(row["account"] == "lost" for row in found.rows)
        return self._of(warehouse, partitions) if lost else found

    def _of(self, warehouse: Warehouse, partitions: Sequence[str], aside_in: Sequence[str] = ()) -> Answer:
        """Parts that table and snapshot have in common are read once, if they are there from the beginning to the end."""
        cut = ranges.of_table(warehouse, partitions=partitions)
        there, then = parts.common(warehouse, warehouse.seen, self.snapshot, partitions) if self.snapshot else ([], [])
        given = {"names": self.names, **self.known, **self.asked, "partitions": partitions, "aside_in": list(aside_in)}
        answer = ranges.ask(warehouse, "census_table", cut, BY, shared=there, shared_before=then, **given)
        if parts.are_there(warehouse, warehouse.seen, there, partitions):
            return answer
        return ranges.ask(warehouse, "census_table", cut, BY, shared=[], shared_before=[], **given)

    def _is_apart(self, partitions: Sequence[str]) -> bool:
        """Whether no identity has rows in two of these partitions, of the table and of quarantine, which is divided as it is."""
        warehouse, table = self.warehouse, self.warehouse.incident.table
        if self.quarantine:
            there = warehouse.ask("table", database=table.database, table=self.quarantine)
            if there.first["partition_key"] != warehouse.schema.partition_key:
                return False
        cut = ranges.of_table(warehouse, OVERLAP_ROWS)
        asked = {"partitions": partitions, "has_quarantine": bool(self.quarantine)}
        names = {"set_aside": self.names["set_aside"]}
        return not ranges.ask(warehouse, "partition_overlap", cut, (), names=names, **asked).first["identities"]


def keeps_the_newest(schema: Schema, version: str, identity: Sequence[str]) -> bool:
    """Whether a merge keeps, of the rows of one sorting key, the one with the highest version, and they are of one identity."""
    found = MERGED.match(schema.engine_full)
    return bool(found and found.group(1) == version and set(identity) <= set(schema.key_columns or ()))
