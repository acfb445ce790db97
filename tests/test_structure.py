"""The project keeps the shape that docs and design promise."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from checks.plugin import AXES, GUARD_AXES
from recovery import errors
from recovery.errors import GateClosed, RecoveryError
from recovery.gate import State, reasons_to_refuse
from recovery.incident import Incident, load, section_of
from recovery.ledger import Ledger
from recovery.phases import BY_NAME, GUARDS, NIGHTLY, PHASES
from recovery.warehouse import Dsn

ROOT = Path(__file__).parent.parent
INCIDENTS = [load(path) for path in sorted((ROOT / "incidents").glob("*.toml")) if "." not in path.stem]
MESSAGES = ROOT / "docs" / "messages.md"
LAYERS = {
    "recovery": ("recovery",),
    "reports": ("recovery", "reports"),
    "expectations": ("recovery", "expectations"),
    "checks": ("recovery", "reports", "expectations", "checks"),
    "scripts": ("recovery", "reports", "expectations", "scripts"),
    "rehearsal": ("recovery", "reports", "expectations", "rehearsal"),
}
LONGEST_MODULE = 450


def modules(*packages: str) -> list[Path]:
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imported(path: Path) -> set[str]:
    """The packages that a module imports anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{named(path)} has a relative import"
            names.add((node.module or "").split(".")[0])
    return names


# Imports


@pytest.mark.parametrize("path", modules(*LAYERS), ids=named)
def test_imports_point_one_way(path: Path) -> None:
    allowed = LAYERS[path.relative_to(ROOT).parts[0]]
    assert sorted(imported(path) & LAYERS.keys() - set(allowed)) == []


@pytest.mark.parametrize("path", modules("recovery"), ids=named)
def test_the_engine_knows_neither_pytest_nor_html(path: Path) -> None:
    assert sorted(imported(path) & {"pytest", "_pytest", "pytest_html", "jinja2", "xdist"}) == []


@pytest.mark.parametrize("path", modules("recovery", "checks", "reports"), ids=named)
def test_nothing_but_the_expectations_imports_great_expectations(path: Path) -> None:
    assert "great_expectations" not in imported(path)


# Nothing of an incident in Python


def keys_of(model: type[BaseModel]) -> set[str]:
    """The incident file's own vocabulary: its keys, which the code has to name."""
    keys: set[str] = set()
    for name, field in model.model_fields.items():
        keys.add(name)
        if section := section_of(field.annotation):
            keys |= keys_of(section)
    return keys


def columns_of(incident: Incident) -> set[str]:
    """Columns and values that the incident names, as identifiers."""
    table, source = incident.table, incident.source
    named = {table.version, table.time, table.subject, source.key, source.group, source.time}
    if incident.positions:
        named |= {incident.positions.time, *re.findall(r"[A-Za-z_]\w*", incident.positions.fills)}
    for board in incident.boards.values():
        named |= {board.updated, *re.findall(r"[A-Za-z_]\w*", " ".join(board.figures.values()))}
    return named - {"count", "sum", "countIf"} | {
        *table.identity,
        *table.repaired,
        *re.findall(r"[A-Za-z_]\w*", f"{table.owned} {table.broken}"),
    }


def facts_of(incident: Incident) -> set[str]:
    """What else an incident is about: tables, partitions, days, subjects, deployments."""
    table, window, services = incident.table, incident.window, incident.services
    tables = {table.name, table.quarantine, incident.source.table, services.updater.table}
    days = {day.isoformat() for day in (*incident.days, *window.clean_days)}
    deployments = {*services.git.fixes, services.vercel.project, services.updater.cron}
    return {incident.id} | tables | days | deployments | later(incident) | {*table.partitions, *window.test_subjects}


def later(incident: Incident) -> set[str]:
    """What phases 6 to 8 are about: tables, jobs, months."""
    positions, crons, monitoring = incident.positions, incident.services.crons, incident.monitoring
    named = {*incident.boards, *(board.cron for board in incident.boards.values())}
    named |= {positions.table, positions.resolutions, *positions.months} if positions else set()
    named |= {crons.table} if crons else set()
    return named | ({monitoring.table} if monitoring else set())


# A word that is a key of the incident file too ("source", "time"), or of SQL, says nothing of an incident.
VOCABULARY = keys_of(Incident) | {"and", "or", "not", "in", "like", "is", "null", "AND", "OR", "NOT", "IN", "LIKE"}
COLUMNS = {column for incident in INCIDENTS for column in columns_of(incident)} - VOCABULARY
FACTS = {fact for incident in INCIDENTS for fact in facts_of(incident)} - VOCABULARY
# They read records of a format that is not ours, whose fields happen to be called as columns are.
READS_ANOTHER_FORMAT = {"recovery/polymarket.py", "recovery/data_api.py"}


def test_the_facts_of_the_incidents_are_looked_for() -> None:
    assert {"pm_canonical_fills_v4", "pm_trader_events_v3", "2026-01-22", "202601", "f834c78"} <= FACTS
    assert {"condition_id", "wallet", "clob", "transaction_hash", "_version", "event_time"} <= COLUMNS
    assert (COLUMNS | FACTS) & {"version", "source", "time", "AND"} == set()


@pytest.mark.parametrize("path", modules(*LAYERS), ids=named)
def test_no_fact_of_an_incident_stands_in_python(path: Path) -> None:
    words = FACTS if named(path) in READS_ANOTHER_FORMAT else FACTS | COLUMNS
    text = path.read_text("utf-8")
    assert [word for word in sorted(words) if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)] == []


# SQL stands in .sql files


STATEMENT = re.compile(
    r"^\s*\(?\s*(SELECT|WITH\s+\w+\s+AS|INSERT\s+INTO|DELETE\s+FROM|ALTER\s+TABLE|CREATE\s+(TABLE|DATABASE)|DROP\s+(TABLE|DATABASE)"
    r"|ATTACH|DETACH|OPTIMIZE\s+TABLE|TRUNCATE|RENAME|EXCHANGE|UPDATE\s+\w+\s+SET|SYSTEM\s+\w+|KILL|GRANT|EXPLAIN|DESCRIBE)\b",
)
# What is not a statement yet has to be asked about in place: whether a passage of the incident file is a condition, and
# which columns a SELECT that somebody wrote gives. statements.py puts a cast around the SELECT of the right rows.
PROBES = {
    "recovery/warehouse.py": ["DESCRIBE TABLE (", "EXPLAIN AST SELECT (", "SELECT ("],
    "recovery/polymarket.py": ["DESCRIBE TABLE ("],
    "recovery/statements.py": ["SELECT "],
}
# The embedded server is the engine, not somebody who asks it: it sets a session up and judges what it is sent.
ENGINE = re.compile(r"recovery/embedded(_\w+)?\.py")


def texts_of(path: Path) -> Iterator[str]:
    """Each text in a module but its docstrings; of an f-string its first part."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    parsed = tree(path)
    skipped = {
        id(node.body[0].value)
        for node in ast.walk(parsed)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(parsed):
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values[1:]}
    for node in ast.walk(parsed):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.value


@pytest.mark.parametrize(
    "path",
    [p for p in modules("recovery", "checks", "reports", "scripts") if not ENGINE.fullmatch(named(p))],
    ids=named,
)
def test_no_statement_stands_in_python(path: Path) -> None:
    found = [text.rstrip("\n") for text in texts_of(path) if STATEMENT.match(text)]
    assert sorted(found) == PROBES.get(named(path), [])


# Phases and their checks


def check_functions() -> Iterator[tuple[str, str]]:
    """(phase, check) of every check in checks/, as its marks say."""
    for path in sorted((ROOT / "checks").glob("test_*.py")):
        module = importlib.import_module(f"checks.{path.stem}")
        marks: Any = getattr(module, "pytestmark", [])
        of_module = [mark.name for mark in (marks if isinstance(marks, list) else [marks])]
        for name, function in vars(module).items():
            if name.startswith("test_") and getattr(function, "__module__", "") == module.__name__:
                of_function = list(getattr(function, "pytestmark", []))
                asked = [set_ for mark in of_function if mark.name == "parametrize" for set_ in mark.args[1]]
                of_parameters = [mark.name for set_ in asked for mark in set_.marks]
                for mark in {*of_module, *(mark.name for mark in of_function), *of_parameters}:
                    yield mark, name


@pytest.mark.parametrize("phase", [*PHASES, NIGHTLY], ids=lambda phase: phase.name)
def test_the_roster_of_a_phase_is_its_checks(phase: Any) -> None:
    marked = [name for mark, name in check_functions() if mark == phase.name]
    assert sorted(marked) == sorted([*(check.name for check in phase.checks), *phase.besides])


def test_every_mark_of_a_check_is_a_phase_or_says_how_it_is_asked() -> None:
    known = {phase.name for phase in (*PHASES, *GUARDS)} | {"parametrize"}
    assert {mark for mark, _ in check_functions()} - known == set()


def test_a_check_that_is_asked_per_something_takes_it() -> None:
    for phase in (*PHASES, NIGHTLY):
        for check in phase.checks:
            takers = [tree(path) for path in (ROOT / "checks").glob("test_*.py")]
            arguments = {
                argument.arg
                for parsed in takers
                for node in parsed.body
                if isinstance(node, ast.FunctionDef) and node.name == check.name
                for argument in node.args.args
            }
            assert arguments & {"phase", *AXES, *GUARD_AXES} == ({check.per} if check.per else set())


# Size


@pytest.mark.parametrize("path", modules(*LAYERS), ids=named)
def test_a_module_has_at_most_450_lines(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= LONGEST_MODULE


@pytest.mark.parametrize("path", modules(*LAYERS), ids=named)
def test_a_module_opens_with_a_sentence_that_says_what_it_is(path: Path) -> None:
    sentence = (ast.get_docstring(tree(path)) or "").split("\n\n")[0]
    assert re.fullmatch(r"\S.{15,}[.?:]", sentence, re.DOTALL)


# docs/messages.md


def error_classes() -> list[type[RecoveryError]]:
    """Every class of error that a person is meant to read."""
    for path in modules("recovery"):
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    found: list[type[RecoveryError]] = []
    waiting: list[type[RecoveryError]] = [RecoveryError]
    while waiting:
        waiting += (children := waiting.pop().__subclasses__())
        found += children
    return sorted((cls for cls in found if cls.__module__.startswith("recovery.")), key=lambda cls: cls.__name__)


def test_the_errors_of_errors_py_are_among_those_that_are_looked_for() -> None:
    here = [name for name, value in vars(errors).items() if isinstance(value, type) and name != "RecoveryError"]
    assert set(here) <= {cls.__name__ for cls in error_classes()}
    assert len(here) >= 8


@pytest.mark.parametrize("cls", error_classes(), ids=lambda cls: cls.__name__)
def test_every_error_is_in_messages_md_with_its_exit_code(cls: type[RecoveryError]) -> None:
    headings = re.findall(r"^### (\w+) · exit code (\d+)$", MESSAGES.read_text("utf-8"), re.MULTILINE)
    assert (cls.__name__, str(cls.exit_code)) in headings


def test_messages_md_lists_no_error_that_there_is_not() -> None:
    listed = re.findall(r"^### (\w+) · exit code \d+$", MESSAGES.read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == [cls.__name__ for cls in error_classes()]


def without_server(folder: Path) -> dict[str, Callable[[], object]]:
    """What the examples of messages.md are made by, where that needs no server."""
    incident, ledger = INCIDENTS[0], Ledger(folder / "bad.jsonl")
    text = incident.path.read_text("utf-8")
    ledger.append("note")
    with ledger.path.open("a") as file:
        file.write("rubbish\n")
    (folder / "file").write_text("")

    def changed(old: str, new: str) -> Callable[[], object]:
        path = folder / new.split()[0] / "incident.toml"
        path.parent.mkdir()
        path.write_text(text.replace(old, new), "utf-8")
        path.with_suffix(".sql").write_text(incident.right_rows, "utf-8")
        return lambda: load(path)

    def closed() -> None:
        state = State(datetime.now(UTC), "", "")
        reasons = reasons_to_refuse(BY_NAME["phase4"], incident, Ledger(folder / "none.jsonl"), state)
        raise GateClosed("deduplicate", reasons)

    return {
        "window": changed("end = 2026-01-28", "end = 2026-01-16"),
        "unknown key": changed("unit_rows", "unit_row"),
        "gate": closed,
        "ledger's folder": lambda: Ledger(folder / "file" / "x.jsonl").append("note"),
        "ledger's end": lambda: ledger.append("note"),
        "DSN": lambda: Dsn.parse("http://localhost"),
    }


@pytest.mark.parametrize("name", ["window", "unknown key", "gate", "ledger's folder", "ledger's end", "DSN"])
def test_the_examples_of_messages_md_are_what_the_code_says(name: str, tmp_path: Path) -> None:
    with pytest.raises(RecoveryError) as caught:
        without_server(tmp_path)[name]()
    said = re.sub(rf"{re.escape(str(tmp_path))}/\S*(?=incident\.toml)", "", str(caught.value))
    said = said.replace(str(tmp_path), "/data")
    quoted = MESSAGES.read_text("utf-8").replace("\\\n> ", " ").replace("\n> ", " ")
    assert f"\n {' '.join(said.split())}\n" in quoted


# As DESIGN has them.
EXIT_CODES = {
    0: "GO",
    1: "NO-GO",
    2: "interrupted",
    3: "internal error",
    4: "usage or a bad incident file",
    5: "nothing selected",
    10: "incomplete",
    11: "a gate was closed",
    12: "an action failed or its outcome is unknown",
    13: "the server or a service could not be reached",
}


def test_the_exit_codes_of_messages_md_are_those_of_the_design() -> None:
    rows = re.findall(r"^\| (\d+) \| ([^|:;]+?)(?:[:;][^|]*)? \|", MESSAGES.read_text("utf-8"), re.MULTILINE)
    assert {int(code): meaning for code, meaning in rows} == EXIT_CODES


def test_the_precedence_of_messages_md_is_that_of_the_suite() -> None:
    from checks.audit import PRECEDENCE

    (sentence,) = re.findall(r"the first of ([\d, ]+) is the one", MESSAGES.read_text("utf-8"))
    assert tuple(int(code) for code in sentence.split(", ")) == PRECEDENCE


def test_messages_md_lists_every_kind_of_ledger_line() -> None:
    written = set()
    for path in modules("recovery", "checks", "scripts"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "append":
                keywords = {keyword.arg for keyword in node.keywords}
                if keywords and node.args and isinstance(node.args[0], ast.Constant):
                    written.add(str(node.args[0].value))
    section = MESSAGES.read_text("utf-8").partition("## Ledger lines")[2].partition("\n## ")[0]
    listed = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    assert {"run", "evidence", "done"} <= written
    assert written <= listed
    assert listed - written <= {"repaired"}


# Entry points


def test_the_plugin_is_an_entry_point_and_is_loaded_by_the_conftest() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert list(project["entry-points"]["pytest11"].values()) == ["checks.plugin"]
    assert (ROOT / "conftest.py").read_text("utf-8").strip() == 'pytest_plugins = ["checks.plugin"]'
