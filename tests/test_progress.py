"""What is told of a statement that takes long, and how near the time that it is said to take comes to the truth."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from recovery import statements
from recovery.incident import load
from recovery.progress import Lines, Series, Told, left_of, told_of
from recovery.warehouse import Warehouse
from tests.conftest import Case

# Rows read at a time, of 1,000 in 100 s, and from when on the time left has to be right.
SHAPES: dict[str, tuple[Callable[[float], float], float]] = {
    "an even rate": (lambda t: 10 * t, 10),
    "a slow start": (lambda t: t if t < 10 else 10 + 11 * (t - 10), 25),
    "a rate that halves": (lambda t: 13.3333 * t if t < 50 else 666.667 + 6.6667 * (t - 50), 80),
    "blocks": (lambda t: 30 * (t // 3) if t < 99 else 1000 * t / 100, 15),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_time_left_is_within_a_fifth_once_the_rate_is_known(shape: str) -> None:
    read, since = SHAPES[shape]
    series, told = Series(), {}
    for second in range(5, 100):
        series.add(second, read(second), 1_000)
        left = series.left()
        if left is not None:
            assert series.done >= 100
            told[second] = left
    wrong = {second: left for second, left in told.items() if second >= since and abs(left + second - 100) > 20}
    assert wrong == {}
    assert len([second for second in told if second >= since]) > (100 - since) / 3


def test_no_time_is_told_while_the_rate_changes() -> None:
    """From the moment on at which the change can be seen, until the rate of before is forgotten."""
    series = Series()
    for second in range(5, 60):
        series.add(second, 12.5 * second if second < 50 else 625 + 2.5 * (second - 50), 1_000)
        if second >= 53:
            assert series.left() is None


def test_before_a_tenth_is_done_no_time_is_told() -> None:
    series = Series()
    for second in range(1, 10):
        series.add(second, second, 100)
        assert series.left() is None
    series.add(10, 10, 100)
    assert series.left() == pytest.approx(90)


def told(sql: str, looks: list[tuple[float, float, float]], took: tuple[float, float] | None = None) -> Told:
    series = Series()
    for look in looks:
        series.add(*look)
    return told_of("read", sql, "rows", looks[-1][0], series, took)


EVEN = [(seconds, 10.0 * seconds, 1_000.0) for seconds in range(5, 31)]


def test_what_is_computed_after_the_reading_is_not_passed_over() -> None:
    assert str(told("SELECT count() FROM a", EVEN)) == "read: 300 of about 1,000 rows (30 %), 30 s, about 70 s left"
    grouped = "SELECT a FROM b GROUP BY a"
    assert told(grouped, EVEN).left_told == "about 70 s of reading left"
    assert told(grouped, [*EVEN, (100, 1_000, 1_000)]).left_told == "all is read and being computed"
    assert told(grouped, EVEN, took=(300, 2_000)).left_told == "about 120 s left"


def test_where_more_may_turn_up_to_be_read_no_time_is_told() -> None:
    sql = "SELECT a FROM b WHERE a IN (SELECT c FROM d)"
    assert told(sql, EVEN).left is None
    assert told(sql, EVEN, took=(500, 5_000)).left is None
    assert told(sql, EVEN, took=(100, 1_000)).left == pytest.approx(70)
    more = [(seconds, 10.0 * seconds, 2_000.0) for seconds in range(31, 41)]
    assert told(sql, [*EVEN, *more]).left == pytest.approx(160)


def units(kind: str, *rows: int) -> list[dict[str, Any]]:
    return [{"label": f"{kind} {number}", "kind": kind, "rows": each, "bytes": 0} for number, each in enumerate(rows)]


PLAN = [*units("insert", 100, 100, 300, 500), *units("merge", 0, 0)]


def test_what_units_still_take_goes_by_their_rows() -> None:
    left = left_of(PLAN[:4], {"insert 0": 10.0, "insert 1": 12.0}, ["insert 0", "insert 1"])
    assert (left.seconds, left.unknown) == (pytest.approx(88), 0)


def test_a_kind_of_which_nothing_was_done_is_said_to_be_unknown() -> None:
    done = {"insert 0": 10.0, "insert 1": 10.0}
    assert str(left_of(PLAN, done, list(done))) == "about 80 s left, and 2 units of a kind that was not measured yet"
    every = {unit["label"]: unit["rows"] / 10 for unit in PLAN[:4]}
    assert str(left_of(PLAN, every, list(every))) == "how long 2 units still take is not known yet"
    assert str(left_of(PLAN, every | {"merge 0": 50.0}, [*every, "merge 0"])) == "about 50 s left"


def test_units_that_another_run_did_say_nothing_of_the_rate() -> None:
    assert str(left_of(PLAN[:4], {}, ["insert 0"])) == "how long 3 units still take is not known yet"


def test_kinds_of_different_speed_end_when_it_was_said() -> None:
    plan = [*units("insert", *[1_000] * 10), *units("delete", *[50] * 10)]
    truth = {unit["label"]: unit["rows"] / (100 if unit["kind"] == "insert" else 2) for unit in plan}
    for done in range(11, 20):
        ended = [unit["label"] for unit in plan[:done]]
        left = left_of(plan, {label: truth[label] for label in ended}, ended)
        assert left.seconds == pytest.approx(sum(truth.values()) - sum(truth[label] for label in ended))


# On the engine


class Said:
    """What is told, in order; None where a statement has ended."""

    def __init__(self) -> None:
        self.told: list[Told | None] = []
        self.notes: list[str] = []

    def at(self, told: Told) -> None:
        self.told.append(told)

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)

    def end(self) -> None:
        self.told.append(None)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    texts: dict[str, str] = {}
    known = statements.text
    monkeypatch.setattr(statements, "text", lambda name: texts[name] if name in texts else known(name))
    return texts


@pytest.fixture
def watched(case: Case) -> Iterator[tuple[Warehouse, Said]]:
    """A warehouse whose statements are looked at from the beginning on."""
    case.command("CREATE TABLE much (n UInt64) ENGINE = MergeTree ORDER BY n")
    case.command("INSERT INTO much SELECT number FROM numbers(3000000)")
    with Warehouse(load(case.incident), case.dsn, writable=True) as warehouse:
        said = Said()
        warehouse.watch.teller, warehouse.watch.after, warehouse.watch.every = said, 0.1, 0.1
        yield warehouse, said


HASHES = ", ".join(f"sipHash128(toString(n), {number})" for number in range(16))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_long_statement_is_told_and_what_is_told_is_true(
    watched: tuple[Warehouse, Said], own: dict[str, str], threads: int
) -> None:
    """In all as many rows as there are, and for those that are left the time that they take."""
    warehouse, said = watched
    own["slow"] = f"SELECT count() AS rows FROM much WHERE NOT ignore({HASHES}) SETTINGS max_threads = {threads}"
    assert warehouse.ask("slow").first == {"rows": 3_000_000}
    *looks, end = said.told
    assert end is None
    assert looks != []
    known = [told for told in looks if told is not None]
    assert {(told.statement, told.unit) for told in known} == {("slow", "rows")}
    assert all(0.9 * 3_000_000 <= told.total <= 1.1 * 3_000_000 for told in known)
    assert [told.done for told in known] == sorted(told.done for told in known)
    timed = [told for told in known if told.left is not None]
    assert timed != []
    assert [told for told in timed if told.done < 0.1 * told.total] == []
    off = []
    for told in (
        timed
    ):  # by the rows that the looks of the last third saw being read, whatever the clock of a busy machine says
        first = next(each for each in known if each.seconds >= told.seconds * 2 / 3)
        rate = (told.done - first.done) / (told.seconds - first.seconds)
        off.append(abs(rate * (told.left or 0) / (3_000_000 - told.done) - 1))
    assert [each for each in off if each > 0.2] == []


def test_an_insert_that_takes_long_is_told(watched: tuple[Warehouse, Said], own: dict[str, str], case: Case) -> None:
    warehouse, said = watched
    case.command("CREATE TABLE made (n UInt64) ENGINE = MergeTree ORDER BY n")
    own["slow"] = f"INSERT INTO made SELECT n FROM much WHERE NOT ignore({HASHES})"
    warehouse.write("slow", label="an-insert")
    assert said.told[-1] is None
    assert any(told and told.left is not None and told.unit == "rows" for told in said.told)
    assert case.value("SELECT count() FROM made") == 3_000_000


def test_a_mutation_is_told_by_the_parts_that_it_still_has_to_write(
    watched: tuple[Warehouse, Said], own: dict[str, str], case: Case
) -> None:
    warehouse, said = watched
    own["slow"] = f"ALTER TABLE much DELETE WHERE ignore({HASHES}) OR n < 10"
    warehouse.write("slow", label="a-mutation")
    known = [told for told in said.told if told]
    assert {told.unit for told in known} == {"bytes"}
    assert len({told.done for told in known}) > 1
    assert case.value("SELECT count() FROM much") == 2_999_990


def test_a_merge_is_told(watched: tuple[Warehouse, Said], own: dict[str, str], case: Case) -> None:
    warehouse, said = watched
    case.command("INSERT INTO much SELECT number FROM numbers(3000000)")
    own["slow"] = "OPTIMIZE TABLE much FINAL"
    warehouse.watch.after = warehouse.watch.every = 0.02
    warehouse.write("slow", label="a-merge")
    assert {told.unit for told in said.told if told} == {"bytes"}


def test_a_short_statement_is_not_told(watched: tuple[Warehouse, Said]) -> None:
    warehouse, said = watched
    warehouse.watch.after = 5
    assert warehouse.ask_again("server").rows
    assert said.told == []


def test_a_watcher_that_fails_is_told_of_once_and_fails_nothing(
    watched: tuple[Warehouse, Said], own: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse, said = watched
    own["slow"] = "SELECT count() AS rows FROM numbers(2) WHERE sleepEachRow(0.3) = 0 SETTINGS max_block_size = 1"
    own["progress"] = "SELECT nothing FROM nowhere"
    assert [warehouse.ask_again("slow").first["rows"] for _ in range(2)] == [2, 2]
    assert said.told == []
    (note,) = said.notes
    assert note.startswith("progress is not shown any more: DatabaseError: ")


def test_nothing_is_told_of_a_statement_after_its_end(case: Case) -> None:
    """The server answers the watcher only when the statement has ended already."""
    with Warehouse(load(case.incident), case.dsn) as warehouse:
        said, ended = Said(), threading.Event()

        def look(label: str, sql: str) -> tuple[float, float, str]:
            ended.wait(10)
            return 1.0, 2.0, "rows"

        warehouse.watch.teller, warehouse.watch.look, warehouse.watch.after = said, look, 0.0
        with warehouse.watch.over("slow", "label", "SELECT 1"):
            time.sleep(0.05)
        ended.set()
        for thread in threading.enumerate():
            if thread.name == "progress":
                thread.join(10)
    assert said.told == []


# At the terminal


AT = Told("census", "rows", 2_000_000, 8_000_000, 6.0, 18.0)


def test_without_a_terminal_there_is_a_line_every_ten_seconds() -> None:
    written: list[str] = []
    clock = iter([0.0, 0.0, 4.0, 9.0, 10.5, 10.5, 12.0])
    lines = Lines(written.append, lambda: next(clock))
    for _ in range(5):
        lines.at(AT)
    assert written == ["\n  census: 2,000,000 of about 8,000,000 rows (25 %), 6 s, about 18 s left\n"] * 2


def test_a_check_that_takes_long_is_told_past_the_capture(backfilled: Case, tmp_path: Path) -> None:
    case = backfilled.clone(tmp_path)
    early = "import pytest\nfrom recovery import progress\nprogress.LINE_SECONDS = 0.0\n"
    early += "import recovery.warehouse as w\nreal = w.progress.Watch\n"
    early += "w.progress.Watch = lambda look: real(look, after=0.0, every=0.01)\n"
    (case.folder / "early.py").write_text(early)
    case.env = case.env | {"PYTHONPATH": str(case.folder)}
    assert case.pytest("phase3", "-p", "early") == 0, case.output
    assert re.search(r"^  \w+: [\d,]+ of about [\d,]+ rows", case.output, re.MULTILINE)
