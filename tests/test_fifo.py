"""The table of positions that our SQL builds is that of the oracle, in every column of every row."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import chain
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.insert import InsertContext
from hypothesis import HealthCheck, Phase, given, seed, settings

from recovery import positions, statements
from recovery.conservation import WORDS
from recovery.embedded import EmbeddedServer
from recovery.incident import load
from recovery.settings import SETTINGS
from recovery.statements import quote
from tests.conftest import JANUARY as FILE
from tests.conftest import PROJECT, connect
from tests.fifo_cases import ALLOCATIONS, CUTOFFS, DAY, START, Case, cases
from tests.fifo_oracle import Allocation, Fill, Key, Resolution, Row

JANUARY = load(FILE)
FILLS, RESOLUTIONS, POSITIONS = "pm_canonical_fills_v4", "pm_condition_resolutions", "pm_trade_fifo_roi_v3"
TABLES = ("fills", "resolutions", "fifo")
COLUMNS = tuple(column.name for column in fields(Row))
IDENTITY = ("wallet", "condition_id", "outcome_index", "tx_hash")
TOLERANCE = 1e-6
DATABASE = "fifo_and_its_oracle"
EXAMPLES = 16  # of each cutoff
# How many positions are compared at least, and how many have each of the other features.
LEAST = {"compared, fifo": 2_000, "compared, legacy": 2_000}
OFTEN = 10

# A failure tells of the smallest position that differs: nothing is gained by making its case smaller.
ONLY_GENERATED = settings(
    derandomize=True,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

Found = dict[str, Any]
Build = Callable[[str, str, Allocation, datetime], list[Found]]


def build(dsn: str, database: str, allocation: Allocation, cutoff: datetime) -> list[Found]:
    """The rows of January and February 2026 (START to END of tests.fifo_cases), made from the tables of this database by the
    rebuild's own statements; the check of phase 6 that follows each sell is asked of them, too."""
    known = JANUARY.positions
    assert known
    incident = JANUARY.model_copy(update={"table": JANUARY.table.model_copy(update={"database": database})})
    words = statements.positions_words(incident) | {"table": quote(database, FILLS), "final": "FINAL"}
    names = {"target": words["positions"], "conditions": quote(database, "conditions")}
    values = {
        **positions.span(incident),
        **{
            name: getattr(known, name)
            for name in ("least_cost", "least_short_tokens", "least_short_proceeds", "tolerance")
        },
        "cutoff": cutoff,
        "legacy": allocation == "legacy",
        "subject_from": "",
        "subject_to": chr(0x10FFFF),
    }
    bound = {name: f"{it:%Y-%m-%d %H:%M:%S}" if isinstance(it, datetime) else it for name, it in values.items()}
    client = connect(dsn, database)
    client.command("DROP TABLE IF EXISTS conditions")
    for name in ("positions_conditions_create", "positions_conditions_fill", "positions_build"):
        client.command(statements.compose(name, words, **names), parameters=bound, settings=dict(SETTINGS))
    if allocation == "fifo":
        balance = statements.compose("positions_balance", words)
        found = list(client.query(balance, parameters=bound, settings=dict(SETTINGS)).named_results())
        wrong = {what: sum(row[what] for row in found) for what in WORDS}
        assert wrong == dict.fromkeys(WORDS, 0)
    return list(client.query(f"SELECT * FROM {POSITIONS}").named_results())


# The tables


@dataclass(frozen=True)
class Tables:
    """The fills, the resolutions and the positions, in a database of their own. No part is merged: only the reader makes one
    version of many."""

    dsn: str = field(repr=False)
    client: Client
    into_fills: InsertContext
    into_resolutions: InsertContext

    def fill(self, case: Case) -> None:
        """Replace the fills and the resolutions. Older versions are inserted after the newest: the last is not the right one."""
        for table in (FILLS, RESOLUTIONS):
            self.client.command(f"TRUNCATE TABLE {table}")
        newest: dict[tuple[Key, str], int] = {}
        for one in case.fills:
            newest[one.position, one.fill_id] = max(one.version, newest.get((one.position, one.fill_id), 0))
        self._insert_fills([one for one in case.fills if one.version == newest[one.position, one.fill_id]])
        self._insert_fills([one for one in case.fills if one.version < newest[one.position, one.fill_id]])
        resolutions = [
            [it.condition_id, it.payout_numerators, "1", it.resolved_at, it.resolved_at, it.is_deleted]
            for it in case.resolutions
        ]
        self.client.insert(context=self.into_resolutions, data=resolutions)
        counts = f"SELECT (SELECT count() FROM {FILLS}), (SELECT count() FROM {RESOLUTIONS})"
        assert [(len(case.fills), len(case.resolutions))] == self.client.query(counts).result_rows

    def _insert_fills(self, fills: list[Fill]) -> None:
        if fills:
            columns = [[getattr(one, column.name) for one in fills] for column in fields(Fill)]
            self.client.insert(context=self.into_fills, data=columns)

    def write(self, rows: list[Row]) -> None:
        """Replace the positions by these."""
        self.client.command(f"TRUNCATE TABLE {POSITIONS}")
        if rows:
            self.client.insert(POSITIONS, [list(as_found(row).values()) for row in rows], column_names=COLUMNS)

    def read(self) -> list[Found]:
        return list(self.client.query(f"SELECT * FROM {POSITIONS}").named_results())


@pytest.fixture(scope="module")
def tables(server: EmbeddedServer) -> Iterator[Tables]:
    connect(server.dsn).command(f"CREATE DATABASE {DATABASE}")
    client = connect(server.dsn, DATABASE)
    for name in TABLES:
        client.command((PROJECT / "rehearsal" / "sql" / "tables" / f"{name}.sql").read_text("utf-8"))
    for table in (FILLS, RESOLUTIONS, POSITIONS):
        client.command(f"SYSTEM STOP MERGES {table}")
    columns = ["_version" if column.name == "version" else column.name for column in fields(Fill)]
    into_fills = client.create_insert_context(FILLS, columns, column_oriented=True, settings={"optimize_on_insert": 0})
    yield Tables(server.dsn, client, into_fills, client.create_insert_context(RESOLUTIONS))
    client.command(f"DROP DATABASE {DATABASE}")


def rows_as(client: Client, model: type[Any], table: str) -> list[Any]:
    """The rows of a table as the oracle takes them."""
    names = [column.name for column in fields(model)]
    columns = ", ".join("_version" if name == "version" else name for name in names)
    found = client.query(f"SELECT {columns} FROM {table}").result_rows
    return [model(**{name: in_utc(value) for name, value in zip(names, row, strict=True)}) for row in found]


def in_utc(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


# The comparison


def as_found(row: Row) -> Found:
    """A row of the oracle as the table keeps it."""
    return {name: float(it) if isinstance(it, Fraction) else it for name, it in asdict(row).items()}


def same(expected: Any, found: Any) -> bool:
    """Text and whole numbers are equal; times too, in UTC; others within a millionth, of a dollar or of what is larger."""
    if isinstance(expected, datetime) and isinstance(found, datetime):
        return expected == (found if found.tzinfo else found.replace(tzinfo=UTC))
    if isinstance(expected, float) and isinstance(found, float):
        return abs(expected - found) <= TOLERANCE * max(1.0, abs(expected))
    return type(expected) is type(found) and bool(expected == found)


def differences(expected: list[Row], found: list[Found]) -> dict[Key, list[str]]:
    """What differs, a sentence each, by position."""
    mine = {tuple(getattr(row, name) for name in IDENTITY): as_found(row) for row in expected}
    theirs = {tuple(row[name] for name in IDENTITY): row for row in found}
    times = Counter(tuple(row[name] for name in IDENTITY) for row in found)
    seen: defaultdict[Key, list[str]] = defaultdict(list)
    for identity in sorted(mine.keys() | theirs.keys()):
        position, lot = identity[:3], identity[3]
        if identity not in theirs:
            seen[position].append(f"{lot} is missing: {mine[identity]}")
        elif identity not in mine:
            seen[position].append(f"{lot} is too much: {theirs[identity]}")
        else:
            if times[identity] > 1:
                seen[position].append(f"{lot} is there {times[identity]} times")
            seen[position] += [
                f"{lot}: {name} is {theirs[identity][name]}, the oracle says {mine[identity][name]}"
                for name in COLUMNS
                if not same(mine[identity][name], theirs[identity][name])
            ]
    return {position: sentences for position, sentences in seen.items() if sentences}


def told(case: Case, allocation: Allocation, seen: dict[Key, list[str]]) -> str:
    """The position with the fewest fills of those that differ, with its fills and its resolution."""
    position = min(seen, key=lambda key: len(case.positions.get(key, [])))
    resolutions = [it for it in case.resolutions if it.condition_id == position[1]]
    of_it = sorted(case.positions.get(position, []), key=lambda one: (one.event_time, one.fill_id))
    head = f"{allocation}, cutoff {case.cutoff}: {len(seen)} of {len(case.positions)} positions differ, such as {position}:"
    return "\n  ".join([head, *seen[position], *map(str, resolutions), *map(str, of_it)])


def compare(tables: Tables, build: Build, examples: int) -> Counter[str]:
    """Build the positions of so many cases of each cutoff in both allocations; returns how many positions were compared, and
    how many are an example of what."""
    seen: Counter[str] = Counter()

    def one(case: Case) -> None:
        tables.fill(case)
        for allocation in ALLOCATIONS:
            tables.write([])
            differing = differences(case.rows[allocation], build(tables.dsn, DATABASE, allocation, case.cutoff))
            assert not differing, told(case, allocation, differing)
            seen[f"compared, {allocation}"] += len({row.position for row in case.rows[allocation]})
        seen.update(case.features())

    for number, cutoff in enumerate(CUTOFFS):
        seed(number)(settings(ONLY_GENERATED, max_examples=examples)(given(cases(cutoff))(one)))()
    return seen


# The build


def test_the_table_is_that_of_the_oracle(tables: Tables) -> None:
    seen = compare(tables, build, EXAMPLES)
    assert {name: times for name, times in seen.items() if times < LEAST.get(name, OFTEN)} == {}
    assert LEAST.keys() <= seen.keys()


# The comparison sees what it must


@pytest.fixture
def echo(tables: Tables) -> Build:
    """A build that is the oracle's own, of the fills and resolutions that ClickHouse gives back, by way of the table."""

    def built(dsn: str, database: str, allocation: Allocation, cutoff: datetime) -> list[Found]:
        client = connect(dsn, database)
        fills, ended = rows_as(client, Fill, FILLS), rows_as(client, Resolution, RESOLUTIONS)
        tables.write(Case(cutoff, tuple(fills), tuple(ended)).rows[allocation])
        return tables.read()

    return built


def test_what_is_inserted_is_what_the_build_reads_and_the_comparison_agrees(tables: Tables, echo: Build) -> None:
    seen = compare(tables, echo, 2)
    assert min(seen["compared, fifo"], seen["compared, legacy"]) > 100


def test_the_cases_tell_the_allocations_apart(tables: Tables, echo: Build) -> None:
    def swapped(dsn: str, database: str, allocation: Allocation, cutoff: datetime) -> list[Found]:
        return echo(dsn, database, "legacy" if allocation == "fifo" else "fifo", cutoff)

    with pytest.raises(AssertionError, match=r"fifo, cutoff .* positions differ, such as"):
        compare(tables, swapped, 2)


LOT = Row(
    tx_hash="0xa",
    wallet="0xw",
    condition_id="c",
    outcome_index=1,
    entry_time=START,
    tokens=Fraction(10),
    cost_usd=Fraction(3),
    tokens_sold_early=Fraction(4),
    tokens_held=Fraction(6),
    exit_value=Fraction(8),
    pnl_usd=Fraction(5),
    roi=Fraction(5, 3),
    pct_sold_early=Fraction(40),
    is_maker=1,
    resolved_at=START + DAY,
    is_short=0,
)
POSITION = LOT.position


@pytest.fixture
def stored(tables: Tables) -> list[Found]:
    """LOT as the table gives it back."""
    tables.write([LOT])
    return tables.read()


def test_a_stored_row_is_the_oracles(stored: list[Found]) -> None:
    assert list(stored[0]) == list(COLUMNS)
    assert differences([LOT], stored) == {}


@pytest.mark.parametrize("column", [name for name in COLUMNS if name not in IDENTITY])
def test_a_change_in_a_column_is_seen(stored: list[Found], column: str) -> None:
    value = stored[0][column]
    step = (
        timedelta(seconds=1) if isinstance(value, datetime) else 1 if isinstance(value, int) else 1.1e-6 * max(1, value)
    )
    seen = differences([LOT], [stored[0] | {column: value + step}])
    assert [sentence.split(" is ")[0] for sentence in seen[POSITION]] == [f"0xa: {column}"]


@pytest.mark.parametrize("column", [name for name, it in asdict(LOT).items() if isinstance(it, Fraction)])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), None], ids=str)
def test_what_is_no_number_is_seen(stored: list[Found], column: str, value: float | None) -> None:
    assert POSITION in differences([LOT], [stored[0] | {column: value}])


def test_less_than_a_millionth_is_no_difference(stored: list[Found]) -> None:
    assert differences([LOT], [stored[0] | {"tokens": 10.000_009, "roi": 5 / 3 - 1e-6}]) == {}


@pytest.mark.parametrize("column", IDENTITY)
def test_a_row_of_another_identity_is_one_missing_and_one_too_much(stored: list[Found], column: str) -> None:
    seen = differences([LOT], [stored[0] | {column: stored[0][column] * 2}])
    assert sorted(sentence.split()[2] for sentence in chain(*seen.values())) == ["missing:", "too"]


def test_a_missing_row_is_seen() -> None:
    assert [sentence[:14] for sentence in differences([LOT], [])[POSITION]] == ["0xa is missing"]


def test_a_row_too_much_is_seen(stored: list[Found]) -> None:
    assert [sentence[:15] for sentence in differences([], stored)[POSITION]] == ["0xa is too much"]


def test_a_row_that_is_there_twice_is_seen(stored: list[Found]) -> None:
    assert differences([LOT], stored * 2) == {POSITION: ["0xa is there 2 times"]}
