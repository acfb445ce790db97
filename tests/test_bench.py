"""The benchmark, small: every task has its figures, ratios are of medians, and the page is what its JSON says."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import pytest

from bench import __main__ as command
from bench import figures, page, stock
from bench.measure import Took
from bench.tasks import TASKS, Part, Task
from bench.world import World
from rehearsal import __main__ as rehearsal

DOCS = Path(__file__).parent.parent / "docs"
ROWS = 4_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def made(folder: Path) -> Iterator[dict[str, Any]]:
    """All tasks at a very small size, once; stock Great Expectations, which takes seconds to import, is left to
    test_alternatives.py."""
    suites = {"server": 0.5, "queries": 2, "outcomes": {"rows": "holds", "values": "BROKEN", "key": "raised: memory"}}
    commands = {
        "pytest -m phase3": {"wall": 3.5, "cpu": 3.0, "limit": 4.0},
        "the dossier": {"wall": 2.5, "cpu": 2.0, "limit": 2.0},
        "python -c pass": {"wall": 0.1, "cpu": 0.1, "limit": None},
    }
    words = ["--rows", str(ROWS), "--turns", "1", "--keep", str(folder / "data"), "--json", str(folder / "made.json")]
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "great_expectations", ModuleType("great_expectations"))
        patched.setattr(stock, "stock", lambda *asked: suites)
        patched.setattr(command, "overhead", lambda turns: commands)
        code = command.main(words)
    yield json.loads((folder / "made.json").read_text("utf-8"))
    assert code == 0


def test_every_way_of_every_task_has_its_figures(made: dict[str, Any]) -> None:
    parts = {task: told["parts"] for task, told in made["tasks"].items()}
    assert {name: list(ways) for name, ways in parts.items()} == {
        task.name: [part.name for part in task.parts] for task in TASKS
    }
    assert [way for ways in parts.values() for way, part in ways.items() if "error" in part] == []
    for ways in parts.values():
        for part in ways.values():
            assert part["medians"]["seconds"]["whole"] > 0
    grown = {(task.name, part.name) for task in TASKS for part in task.parts if part.grows}
    assert {(name, way) for name, ways in parts.items() for way, part in ways.items() if "growth" in part} == grown


def test_a_way_reads_and_writes_what_it_is_for(made: dict[str, Any]) -> None:
    parts = {way: part for told in made["tasks"].values() for way, part in told["parts"].items()}
    written = parts["plain INSERT SELECT"]["medians"]["rows_written"]
    assert parts["every right row"]["medians"]["rows_written"] == written
    assert parts["every right row"]["turns"][0]["told"]["rows"] == written
    assert parts["a statement a day, as the plan"]["medians"]["rows_written"] == written
    moved = {way: part["turns"][0]["told"].get("rows") for way, part in parts.items()}
    assert 0 < moved["only what is broken"] < written
    assert 0 < moved["where a tenth of it is left"] < moved["only what is broken"] / 5
    assert moved["nothing is broken"] == 0
    assert parts["limit"]["medians"]["rows_read"] > ROWS
    assert parts["stock Great Expectations"]["turns"][0]["told"]["outcomes"] == {"holds": 1, "BROKEN": 1, "raised": 1}


def test_each_bar_compares_medians(made: dict[str, Any]) -> None:
    assert [bar["text"] for bar in made["bars"]] == [bar["text"] for bar in figures.BARS if "from_rows" not in bar]

    def seconds(bar: dict[str, Any], way: str) -> float:
        turns = made["tasks"][bar["task"]]["parts"][way]["turns"]
        return median(turn["seconds"]["whole"] for turn in turns)

    compared = [bar for bar in made["bars"] if "per" in bar or "times" in bar]
    assert len(compared) >= 7
    for bar in compared:
        ours, theirs = seconds(bar, bar["part"]), seconds(bar, bar.get("per") or bar["times"])
        assert bar["value"] == pytest.approx(ours / theirs if "per" in bar else theirs / ours)


def test_of_several_turns_the_medians_are_compared_and_the_peaks_are_the_most() -> None:
    def turns(*seconds: float) -> list[dict[str, Any]]:
        told = {"rows_read": 1, "bytes_read": 1, "rows_written": 1, "process": 0, "disk": 5}
        return [
            told | {"seconds": {"whole": each, "cpu": each}, "memory": int(each), "told": {"partition": 50}}
            for each in seconds
        ]

    part = figures.of_part({"turns": turns(9, 3, 4), "quarter": turns(1, 2, 8)})
    assert (part["growth"], part["medians"]["memory"], part["memory_growth"]) == (2.0, 9, 9 / 8)
    assert part["medians"]["disk_share"] == 0.1


def test_the_page_shows_what_the_json_holds(made: dict[str, Any], folder: Path) -> None:
    to = folder / "page.md"
    assert command.main(["--write", str(to), str(folder / "made.json")]) == 0
    shown = to.read_text("utf-8")
    assert shown == page.render(made)
    for told in made["tasks"].values():
        for way, part in told["parts"].items():
            assert f"| {way} | 1 | {part['medians']['seconds']['whole']:.2f} |" in shown
    for bar in made["bars"]:
        assert f"| {bar['text']} | " in shown
    assert "| pytest -m phase3 | ≤ 4 | 3.50 | 3.00 | reached |" in shown
    assert "| the dossier | ≤ 2 | 2.50 | 2.00 | MISSED |" in shown


def test_what_a_rehearsal_generated_is_measured_as_it_is_without_a_quarter_of_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, found = folder / "generated", folder / "from.json"
    assert rehearsal.main(["--rows", str(ROWS), "--until", "generate", "--keep", str(kept)]) == 0
    monkeypatch.setattr(command, "TASKS", (Task("fifo", "One.", (Part("rebuild", works, grows=True),)),))
    assert command.main(["--from", str(kept), "--tasks", "fifo", "--turns", "1", "--json", str(found)]) == 0
    told = json.loads(found.read_text("utf-8"))
    assert (told["rows"], told["quarter_rows"]) == (ROWS, None)
    assert "growth" not in {bar.get("figure") for bar in told["bars"]}
    assert [path.name for path in kept.iterdir()] == ["clickhouse"]
    assert f"\n{ROWS:,} CLOB fills a month; the ways" in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"--from: .*nothing"):
        command.main(["--from", str(folder / "nothing")])


def test_a_bar_for_many_rows_is_not_asked_of_few() -> None:
    told = {"quarter_rows": None, "tasks": {"fifo": {"parts": {}}}}
    few, many = (figures.of_bars({**told, "rows": rows}) for rows in (20_000_000, 96_000_000))
    assert [bar["at_least"] for bar in few if "times" in bar] == [3]
    assert [bar["at_least"] for bar in many if "times" in bar] == [10]


def fails(world: World) -> Took:
    raise ValueError("it takes\ntoo much memory")


def stops(world: World) -> Took:
    raise KeyboardInterrupt


def works(world: World) -> Took:
    took = Took()
    with took.measuring(world.server, world.every):
        pass
    return took


def test_what_fails_is_told_with_its_error_the_others_go_on_and_an_interrupted_run_keeps_what_it_has(
    made: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = (Part("a", fails), Part("b", works, grows=True), Part("c", works, slow=True))
    tasks = (
        Task("first", "One.", parts),
        Task("second", "Two.", (Part("d", works),)),
        Task("third", "3.", (Part("e", stops),)),
    )
    monkeypatch.setattr(command, "TASKS", tasks)
    words = ["--rows", str(ROWS), "--turns", "2", "--keep", str(folder / "data"), "--json", str(folder / "cut.json")]
    with pytest.raises(KeyboardInterrupt):
        command.main(words)
    told = json.loads((folder / "cut.json").read_text("utf-8"))
    first = told["tasks"]["first"]["parts"]
    assert first["a"] == {"turns": [], "quarter": [], "error": "ValueError: it takes too much memory"}
    assert (len(first["b"]["turns"]), len(first["b"]["quarter"]), len(first["c"]["turns"])) == (2, 2, 1)
    assert list(told["tasks"]) == ["first", "second"]
    assert "- a failed: ValueError: it takes too much memory" in page.render(told)


def test_a_run_with_a_failure_ends_with_1(made: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "TASKS", (Task("first", "One.", (Part("a", fails),)),))
    words = ["--rows", str(ROWS), "--turns", "1", "--keep", str(folder / "data"), "--tasks", "first"]
    assert command.main(words) == 1


def test_the_page_in_docs_is_made_of_the_json_beside_it() -> None:
    told = json.loads((DOCS / "performance.json").read_text("utf-8"))
    assert (DOCS / "performance.md").read_text("utf-8") == page.render(told)


def test_with_add_what_was_measured_of_other_tasks_is_kept(folder: Path, made: dict[str, Any]) -> None:
    path = folder / "added.json"
    path.write_text(json.dumps(made), "utf-8")
    words = ["--turns", "1", "--keep", str(folder / "data"), "--tasks", "removal", "--json", str(path), "--add"]
    assert command.main(["--rows", str(ROWS), *words]) == 0
    told = json.loads(path.read_text("utf-8"))
    assert {name: told["tasks"][name] == task for name, task in made["tasks"].items()} == {
        name: name != "removal" for name in made["tasks"]
    }
    assert told["overhead"] == made["overhead"]
    assert len(told["bars"]) == len(made["bars"])
    with pytest.raises(SystemExit, match=r"added\.json is of 4,000 rows, not 8,000"):
        command.main(["--rows", str(2 * ROWS), *words])
