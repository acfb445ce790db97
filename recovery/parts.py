"""Parts: whether partitions of two tables consist of the same files, which says that they are equal without reading them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recovery.warehouse import Warehouse


def hashes(warehouse: Warehouse, table: str, partitions: Sequence[str]) -> list[list[str]]:
    """Partition, rows and hash of the files of each active part, as text, in one order."""
    return _told(_active(warehouse, table, partitions))


def in_order(warehouse: Warehouse, table: str, partitions: Sequence[str]) -> list[list[str]]:
    """As `hashes`, in the order of their blocks: of rows of one sorting key and version FINAL shows the last."""
    rows = sorted(_active(warehouse, table, partitions), key=lambda row: (row["partition_id"], row["min_block_number"]))
    return _told(rows)


def names(warehouse: Warehouse, table: str, partitions: Sequence[str]) -> list[str]:
    """The names of the active parts."""
    return [row["name"] for row in _active(warehouse, table, partitions)]


def are_same(warehouse: Warehouse, table: str, other: str, partitions: Sequence[str]) -> bool:
    """Whether the partitions of both are made of the same files. Where they are not, for one was merged since, they may
    hold the same rows all the same."""
    return hashes(warehouse, table, partitions) == hashes(warehouse, other, partitions)


def besides(warehouse: Warehouse, table: str, partition: str, known: Sequence[Sequence[str]]) -> list[str]:
    """The names of a partition's active parts whose files are none of the `known` ones."""
    there = {hashed for _, _, hashed in known}
    return [row["name"] for row in _active(warehouse, table, [partition]) if row["hash_of_all_files"] not in there]


def common(warehouse: Warehouse, table: str, other: str, partitions: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names of the active parts that two tables have in common, in one and in the other, each once; none of a partition
    that a lightweight UPDATE has left something to be read beside."""
    first: dict[tuple[str, str], list[str]] = {}
    second: dict[tuple[str, str], list[str]] = {}
    updated: set[str] = set()
    for found, name in ((first, table), (second, other)):
        for row in _active(warehouse, name, partitions):
            updated |= {row["patched"]} - {row["partition_id"]}
            found.setdefault((row["partition_id"], row["hash_of_all_files"]), []).append(row["name"])
    keys = [key for key in first.keys() & second.keys() if key[0] in partitions and key[0] not in updated]
    pairs = [pair for key in keys for pair in zip(first[key], second[key], strict=False)]
    return sorted(name for name, _ in pairs), sorted(name for _, name in pairs)


def are_there(warehouse: Warehouse, table: str, names: Sequence[str], partitions: Sequence[str]) -> bool:
    """Whether parts are active still, and read as they are. One that is merged away does not come back."""
    there = _active(warehouse, table, partitions)
    as_they_are = all(row["patched"] == row["partition_id"] for row in there)
    return not names or (as_they_are and set(names) <= {row["name"] for row in there})


def _told(rows: Sequence[dict[str, Any]]) -> list[list[str]]:
    return [[row["partition_id"], str(row["rows"]), row["hash_of_all_files"]] for row in rows]


def _active(warehouse: Warehouse, table: str, partitions: Sequence[str]) -> list[dict[str, Any]]:
    database = warehouse.incident.table.database
    return warehouse.ask_again("part_hashes", database=database, table=table, partitions=list(partitions)).rows
