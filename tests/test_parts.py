"""A copy is known by the hashes of its parts, and where these differ by its rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from recovery import parts, snapshot
from recovery.errors import ActionFailed
from recovery.ledger import Line
from recovery.warehouse import Answer, Warehouse
from recovery.workplace import Workplace
from tests.conftest import Case
from tests.faults.data_faults import CLEAN, FILLS, added
from tests.test_plan import workplace

COPY = "a_copy"


@contextmanager
def asked() -> Iterator[list[str]]:
    """The names of the statements that are sent."""
    names: list[str] = []
    query = Warehouse._query

    def noted(self: Warehouse, name: str, sql: str, bound: dict[str, Any]) -> Answer:
        names.append(name)
        return query(self, name, sql, bound)

    with patch.object(Warehouse, "_query", noted):
        yield names


@pytest.fixture
def case(backfilled: Case, tmp_path: Path) -> Case:
    found = backfilled.clone(tmp_path)
    found.command(f"SYSTEM STOP MERGES {FILLS}")
    return found


def taken(place: Workplace) -> Line:
    return snapshot.take(place, COPY, place.incident.table.partitions)


def test_a_snapshot_of_the_same_parts_is_proved_by_their_hashes_and_its_table_is_read_once(case: Case) -> None:
    with workplace(case) as place, asked() as names:
        line = taken(place)
        assert names.count("fingerprint") == len(place.incident.table.partitions)
        assert line["files"] == parts.hashes(place.warehouse, FILLS, place.incident.table.partitions)
        assert snapshot.fault(place, line) is None
        assert names.count("fingerprint") == len(place.incident.table.partitions)


def test_a_snapshot_beside_which_rows_were_written_is_read(case: Case) -> None:
    write = Warehouse.write

    def beside(self: Warehouse, name: str, **given: Any) -> Answer:
        if name == "snapshot_create":
            added("concat(fill_id, 'x') AS fill_id", CLEAN)(case)
        return write(self, name, **given)

    with (
        workplace(case) as place,
        patch.object(Warehouse, "write", beside),
        pytest.raises(ActionFailed, match="does not equal its source"),
    ):
        taken(place)


def test_a_snapshot_whose_parts_were_merged_since_is_whole_all_the_same(case: Case) -> None:
    with workplace(case) as place, asked() as names:
        line = taken(place)
        case.command(f"OPTIMIZE TABLE {COPY} FINAL")
        assert line["files"] != parts.hashes(place.warehouse, COPY, place.incident.table.partitions)
        assert snapshot.fault(place, line) is None
        assert names.count("fingerprint") == 2 * len(place.incident.table.partitions)


def test_a_snapshot_that_was_written_to_is_told(case: Case) -> None:
    with workplace(case) as place:
        line = taken(place)
        case.command(
            f"INSERT INTO {COPY} SELECT * REPLACE(concat(fill_id, 'x') AS fill_id) FROM {FILLS} WHERE {CLEAN} LIMIT 1"
        )
        assert snapshot.fault(place, line) == f"the snapshot {COPY} was written to"


def test_rows_that_were_hidden_make_another_part(case: Case) -> None:
    with workplace(case) as place:
        line = taken(place)
        case.command(f"DELETE FROM {COPY} WHERE toDate(event_time) = '2026-01-20'")
        assert not parts.are_same(place.warehouse, COPY, FILLS, ["202601"])
        assert snapshot.fault(place, line) == f"the snapshot {COPY} was written to"


def test_parts_besides_the_known_ones_are_named(case: Case) -> None:
    with workplace(case) as place:
        known = parts.hashes(place.warehouse, FILLS, ["202601"])
        assert parts.besides(place.warehouse, FILLS, "202601", known) == []
        added("concat(fill_id, 'x') AS fill_id", CLEAN)(case)
        (name,) = parts.besides(place.warehouse, FILLS, "202601", known)
        assert case.value(f"SELECT count() FROM {FILLS} WHERE _part = '{name}'") == 1


def test_parts_in_common_are_paired_each_once(case: Case) -> None:
    case.command(f"CREATE TABLE {COPY} AS {FILLS}")
    for table in (FILLS, FILLS, COPY):  # two parts of the same content in one, and one in the other
        case.command(
            f"INSERT INTO {table} SELECT * REPLACE('same' AS fill_id, toUInt64(1) AS _version) "
            f"FROM (SELECT * FROM {FILLS} WHERE {CLEAN} ORDER BY fill_id LIMIT 1)"
        )
    with workplace(case) as place:
        ours, theirs = parts.common(place.warehouse, FILLS, COPY, ["202601"])
        assert (len(ours), len(theirs)) == (1, 1)
        assert parts.are_there(place.warehouse, FILLS, ours, ["202601"])
        case.command(f"SYSTEM START MERGES {FILLS}")
        case.command(f"OPTIMIZE TABLE {FILLS} FINAL")
        assert not parts.are_there(place.warehouse, FILLS, ours, ["202601"])


def test_what_a_lightweight_update_left_beside_a_part_makes_it_another(case: Case) -> None:
    """The part's files stay as they are, and it is read with those of the update."""
    case.command(f"ALTER TABLE {FILLS} MODIFY SETTING enable_block_number_column = 1, enable_block_offset_column = 1")
    added("_version + 1 AS _version", CLEAN)(case)
    case.command(f"CREATE TABLE {COPY} AS {FILLS}")
    case.command(f"ALTER TABLE {COPY} ATTACH PARTITION 202601 FROM {FILLS}")
    with workplace(case) as place:

        def seen() -> tuple[list[list[str]], tuple[list[str], list[str]]]:
            hashes = parts.hashes(place.warehouse, FILLS, ["202601"])
            return hashes, parts.common(place.warehouse, FILLS, COPY, ["202601"])

        before, (shared, _) = seen()
        assert parts.are_there(place.warehouse, FILLS, shared, ["202601"])
        case.command(
            f"UPDATE {FILLS} SET usdc_delta = usdc_delta + 1 WHERE fill_id = (SELECT max(fill_id) FROM {FILLS} WHERE {CLEAN}) "
            "SETTINGS enable_lightweight_update = 1"
        )
        after, common = seen()
        assert len(shared) > 0
        assert [line for line in after if line[0] == "202601"] == before != after
        assert common == ([], [])
        assert not parts.are_there(place.warehouse, FILLS, shared, ["202601"])
