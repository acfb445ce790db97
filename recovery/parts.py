"""Parts: whether partitions of two tables consist of the same files, which says that they are equal without reading them."""

from __future__ import annotations

from collections.abc import Sequence

from recovery.warehouse import Warehouse


def hashes(warehouse: Warehouse, table: str, partitions: Sequence[str]) -> list[list[str]]:
    """Partition, rows and hash of the files of each active part, as text, in one order."""
    database = warehouse.incident.table.database
    found = warehouse.ask_again("part_hashes", database=database, table=table, partitions=list(partitions)).rows
    return [[row["partition_id"], str(row["rows"]), row["hash_of_all_files"]] for row in found]


def besides(warehouse: Warehouse, table: str, partition: str, known: Sequence[Sequence[str]]) -> list[str]:
    """The names of a partition's active parts whose files are none of the `known` ones."""
    database = warehouse.incident.table.database
    found = warehouse.ask_again("part_hashes", database=database, table=table, partitions=[partition]).rows
    there = {hashed for _, _, hashed in known}
    return [row["name"] for row in found if row["hash_of_all_files"] not in there]


def are_same(warehouse: Warehouse, table: str, other: str, partitions: Sequence[str]) -> bool:
    """Whether the partitions of both are made of the same files. Where they are not, for one was merged since, they may
    hold the same rows all the same."""
    return hashes(warehouse, table, partitions) == hashes(warehouse, other, partitions)
