"""README, runbook and changelog say what is: commands, options, links, keys, exit codes, checks, grants, layout."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from pydantic import BaseModel

from recovery import statements
from recovery.incident import Incident, load, section_of
from recovery.phases import GUARDS, PHASES
from recovery.promises import Nightly
from recovery.statements import Column, Schema

ROOT = Path(__file__).parent.parent
README, RUNBOOK, CHANGELOG = ROOT / "README.md", ROOT / "docs" / "runbook.md", ROOT / "CHANGELOG.md"
MESSAGES = ROOT / "docs" / "messages.md"
PAGES = (README, RUNBOOK, CHANGELOG, MESSAGES, ROOT / "docs" / "scale.md")
JANUARY = load(ROOT / "incidents" / "2026-01-empty-condition-ids.toml")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What a command line may begin with besides the project's own commands.
OTHERS = ("export", "read", ".", "python3", "pip")


def name_of(path: Path) -> str:
    return path.name


def blocks(page: Path, language: str) -> list[str]:
    return [body for kind, body in FENCE.findall(page.read_text("utf-8")) if kind == language]


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return FENCE.sub("", page.read_text("utf-8"))


def table(page: Path, header: str) -> list[list[str]]:
    """The cells of each row of the table whose first header cell is `header`."""
    found = re.search(rf"^\| {header} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", page.read_text("utf-8"), re.MULTILINE)
    assert found, f"{page.name} has no table of {header}"
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in found[1].splitlines()]


# Commands


def command_lines(page: Path) -> list[str]:
    """Every command of the page: lines of its sh blocks, and commands that stand in its text or tables."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    inline = re.findall(r"`((?:pytest|python3? -m|\.venv/bin/\w+) ?[^`]*)`", prose(page))
    return [line for line in (*lines, *inline) if line.strip()]


def words_of(line: str) -> Iterator[list[str]]:
    """The words of each command of a line."""
    command: list[str] = []
    for word in shlex.split(line):
        if word == "&&":
            yield command
            command = []
        else:
            command.append(word)
    yield command


def commands() -> list[list[str]]:
    """The commands of all pages, as words; options that stand in PYTEST_ADDOPTS are pytest's."""
    found = []
    for page in (README, RUNBOOK, CHANGELOG):
        for line in command_lines(page):
            for words in words_of(line):
                if words[0] == "export" and words[1].startswith("PYTEST_ADDOPTS="):
                    words = ["pytest", *shlex.split(words[1].partition("=")[2])]
                words[0] = words[0].removeprefix(".venv/bin/")
                if words not in found:
                    found.append(words)
    return found


def shown(words: list[str]) -> str:
    return " ".join(words)[:70]


@cache
def options_of(program: str) -> frozenset[str]:
    """The long options of a program, from its own help."""
    if program == "pytest":
        command = [sys.executable, "-m", "pytest", "--help", "-p", "no:cacheprovider"]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    else:
        out = io.StringIO()
        name = f"{program}.__main__" if (ROOT / program.replace(".", "/")).is_dir() else program
        with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
            importlib.import_module(name).main(["--help"])
        said = out.getvalue()
    return frozenset(re.findall(r"(?<![\w-])--[a-z][a-z-]*", said))


def programs() -> list[list[str]]:
    """The commands that are pytest or a module of this project."""
    return [words for words in commands() if words[0] == "pytest" or words[:2] == ["python", "-m"]]


def test_the_pages_have_commands_of_every_kind() -> None:
    kinds = {words[0] if words[0] == "pytest" else words[2] for words in programs()}
    assert kinds >= {"pytest", "rehearsal", "recovery.embedded", "scripts.rollback", "reports"}


@pytest.mark.parametrize("words", commands(), ids=shown)
def test_every_command_is_one_that_is_known(words: list[str]) -> None:
    assert words in programs() or words[0] in OTHERS


@pytest.mark.parametrize("words", programs(), ids=shown)
def test_every_option_of_a_command_exists(words: list[str]) -> None:
    program = "pytest" if words[0] == "pytest" else words[2]
    named = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert sorted(named - options_of(program)) == []


@pytest.mark.parametrize("words", [words for words in programs() if "-m" in words and words[0] == "pytest"], ids=shown)
def test_every_mark_that_is_asked_for_exists(words: list[str]) -> None:
    asked = set(re.findall(r"\w+", words[words.index("-m") + 1])) - {"and", "or", "not"}
    assert sorted(asked - {phase.name for phase in (*PHASES, *GUARDS)}) == []


@pytest.mark.parametrize("words", [words for words in programs() if "rehearsal" in words], ids=shown)
def test_every_rehearsal_is_understood_by_its_parser(words: list[str]) -> None:
    from rehearsal.__main__ import arguments

    given = [{"N": "1000", "S": "1", "DIR": "kept"}.get(word, word) for word in words[3:]]
    assert arguments(given).rows >= 1_000


@pytest.mark.parametrize("words", [words for words in programs() if "scripts.import_polymarket" in words], ids=shown)
def test_every_import_is_understood_by_its_parser(words: list[str]) -> None:
    from scripts.import_polymarket import arguments

    assert arguments(words[3:]).clickhouse == "embedded"


def test_every_path_in_a_command_exists() -> None:
    paths = {word.rpartition("=")[2] for words in programs() for word in words if re.match(r"[^/$]*incidents/", word)}
    paths |= {word for words in programs() if words[0] == "pytest" for word in words[1:] if word == "tests"}
    assert len(paths) >= 2
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_the_options_table_is_what_the_plugin_adds() -> None:
    listed = {re.findall(r"--[a-z-]+", option)[0] for option, _ in table(README, "option")}
    source = (ROOT / "checks" / "plugin.py").read_text("utf-8")
    assert listed == set(re.findall(r'addoption\(\s*"(--[a-z-]+)"', source))


def test_every_environment_variable_is_read_somewhere() -> None:
    named = set(
        re.findall(
            r"\b[A-Z]+(?:_[A-Z]+)*_(?:PASSWORD|USER|TOKEN|SECRET|URL)\b", README.read_text() + RUNBOOK.read_text()
        )
    )
    read = "".join(path.read_text("utf-8") for path in (ROOT / "recovery").glob("*.py"))
    assert named == {name for name in named if f'"{name}"' in read}
    assert len(named) == 9


# What continuous integration runs


def test_ci_runs_exactly_the_test_command_of_the_readme(tmp_path: Path) -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert script.count('bash -euc "$command"') == 1
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "run").write_text(script.replace('bash -euc "$command"', 'printf "%s\\n" "$command"'), "utf-8")
    shutil.copy(README, tmp_path)
    said = subprocess.run(["bash", tmp_path / ".ci" / "run"], capture_output=True, text=True, timeout=30, check=True)
    (command,) = said.stdout.splitlines()
    assert command in README.read_text("utf-8").splitlines()
    assert command.startswith("python3 -m venv .venv && .venv/bin/pip install -q -e '.[dev]' && ")


def test_each_set_up_command_has_a_block_of_its_own() -> None:
    setting_up = [block for block in blocks(README, "sh") if "python3 -m venv" in block]
    assert [block.count("\n") for block in setting_up] == [1, 1]
    assert ["rehearsal" in block for block in setting_up] == [True, False]


# Links


def links() -> list[tuple[Path, str]]:
    """(page, target) of every link and image of the pages to something in this project."""
    pages = [*PAGES, *sorted((ROOT / "docs" / "adr").glob("*.md"))]
    found = [(page, target) for page in pages for target in re.findall(r"\]\(([^)\s]+)\)", prose(page))]
    return [(page, target) for page, target in found if not target.startswith("https://")]


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_are_found() -> None:
    targets = {target for _, target in links()}
    assert {"docs/report.png", "docs/runbook.md", "docs/messages.md#exit-codes", "CHANGELOG.md"} <= targets


@pytest.mark.parametrize(("page", "target"), links(), ids=lambda value: value if isinstance(value, str) else value.name)
def test_every_link_leads_to_something(page: Path, target: str) -> None:
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    assert file.exists()
    assert not anchor or anchor in anchors(file)


# Exit codes and checks


@pytest.mark.parametrize("page", [README, RUNBOOK, CHANGELOG], ids=name_of)
def test_every_exit_code_is_in_messages_md(page: Path) -> None:
    known = {code for code, _ in table(MESSAGES, "code")}
    named = set(re.findall(r"\bexit (?:code )?(\d+)", page.read_text("utf-8")))
    assert sorted(named - known) == []
    assert named or page == CHANGELOG
    assert page != CHANGELOG or "## Unreleased" in page.read_text("utf-8")


def test_the_runbook_says_what_to_do_about_every_check() -> None:
    named = set(re.findall(r"`(test_\w+)`", RUNBOOK.read_text("utf-8")))
    besides = {name for phase in PHASES for name in phase.besides}
    assert named == besides | {check.name for phase in (*PHASES, *GUARDS) for check in phase.checks}


# Keys of the incident file


def keys_of(model: type[BaseModel], prefix: str = "") -> set[str]:
    keys = set()
    for name, field in model.model_fields.items():
        part = section_of(field.annotation)
        of_several = part is not None and "dict[" in str(field.annotation)  # one section for each name
        keys |= keys_of(part, f"{prefix}{name}.{'NAME.' if of_several else ''}") if part else {f"{prefix}{name}"}
    return keys


def test_the_readme_lists_the_keys_of_an_incident_file() -> None:
    listed = [key.strip("`") for key, _ in table(README, "key")]
    assert sorted(listed) == sorted(keys_of(Incident) - {"path", "right_rows"})


def test_the_readme_lists_the_keys_of_a_nightly_file() -> None:
    listed = [key.strip("`") for key, _ in table(README, "nightly key")]
    assert sorted(listed) == sorted(keys_of(Nightly))


def test_the_readme_says_which_keys_of_a_nightly_file_may_be_left_out() -> None:
    said = {key.strip("`") for key, means in table(README, "nightly key") if "may be left out" in means}
    assert said == set(optional(Nightly))


def test_the_readme_says_which_keys_may_be_left_out() -> None:
    said = {key.strip("`") for key, means in table(README, "key") if "may be left out" in means}
    assert said == set(optional(Incident)) - {"path", "right_rows"}


def optional(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The keys that may be left out; of a section that may, its first key stands for all."""
    for name, field in model.model_fields.items():
        part = section_of(field.annotation)
        if part is None:
            yield from [] if field.is_required() else [f"{prefix}{name}"]
            continue
        several = "NAME." if "dict[" in str(field.annotation) else ""
        keys = sorted_keys(part, f"{prefix}{name}.{several}")
        if not field.is_required():
            yield keys[0]
        yield from optional(part, f"{prefix}{name}.{several}")


def sorted_keys(model: type[BaseModel], prefix: str) -> list[str]:
    return [f"{prefix}{name}" for name in model.model_fields]


# Layout


def test_every_path_of_the_layout_exists() -> None:
    paths = [re.findall(r"\[([^\]]+)\]", cell)[0] for cell, _ in table(README, "path")]
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert {"checks/", "recovery/", "reports/", "rehearsal/", "scripts/", "tests/", "incidents/", "docs/"} <= set(paths)


# The grants that the runbook gives, against the statements that the suite has


def grants(role: str) -> set[tuple[str, str]]:
    """(privilege, object) that the runbook grants to a role."""
    found = re.findall(rf"^GRANT (.+) ON (\S+) TO {role};$", "".join(blocks(RUNBOOK, "sql")), re.MULTILINE)
    return {(privilege, on) for privileges, on in found for privilege in privileges.split(", ")}


TABLE = f"{JANUARY.table.database}.{JANUARY.table.name}"
# How the names of the tables go on that the suite makes beside the fills: snapshots, lists of rows, locks, shadows.
SNAPSHOT, WORKLIST, LOCK, SHADOW, STAGING = "_before_", "_worklist_", "_recovery_lock_", "_shadow_", "_staging_"
assert JANUARY.positions
assert JANUARY.services.crons
POSITIONS = JANUARY.positions.table
# A statement's first words, what they need on the table that follows, and whether they read it besides.
VERBS = {
    r"INSERT INTO": {"INSERT"},
    r"CREATE TABLE(?: IF NOT EXISTS)?": {"CREATE TABLE"},
    r"CREATE MATERIALIZED VIEW IF NOT EXISTS": {"CREATE VIEW"},
    r"DROP TABLE IF EXISTS": {"DROP TABLE"},
    r"DROP VIEW IF EXISTS": {"DROP VIEW"},
    r"DELETE FROM": {"ALTER DELETE"},
    r"OPTIMIZE TABLE": {"OPTIMIZE"},
    r"RENAME TABLE": {"SELECT", "DROP TABLE", "INSERT", "CREATE TABLE"},  # of both names, which begin alike
    r"ALTER TABLE(?= \S+ DROP PARTITION)": {"ALTER DELETE"},
    r"ALTER TABLE(?= \S+ MODIFY COMMENT)": {"ALTER MODIFY COMMENT"},
    r"ALTER TABLE(?= \S+ MODIFY SETTING)": {"ALTER SETTINGS"},
    r"ALTER TABLE(?= \S+ MOVE PARTITION)": {
        "SELECT",
        "ALTER DELETE",
        "ALTER MOVE PARTITION",
    },  # older servers ask for the first two
    r"ALTER TABLE": {"INSERT", "ALTER DELETE"},  # ATTACH and REPLACE PARTITION
}
OPEN_TO_ALL = {"system.tables", "system.columns", "system.databases", "system.settings"}


def composed() -> Iterator[str]:
    """Every statement of the suite on January's tables; one that is for several tables, for each of them."""
    columns = tuple(Column(name, "String", "", "") for name in (*JANUARY.table.identity, JANUARY.table.version))
    words = statements.words(JANUARY, Schema(columns, "", "", "", "", "", "String"))
    snapshot, worklist, lock, shadow, staging = (
        statements.quote(JANUARY.table.database, f"{JANUARY.table.name}{suffix}x")
        for suffix in (SNAPSHOT, WORKLIST, LOCK, SHADOW, STAGING)
    )
    kept, made = (statements.quote(JANUARY.table.database, f"{POSITIONS}{suffix}x") for suffix in (SNAPSHOT, SHADOW))
    boards = [statements.quote(JANUARY.table.database, name) for name in JANUARY.boards]
    names = {
        "snapshot": snapshot,
        "own_table": snapshot,
        "worklist": worklist,
        "lock": lock,
        "holder": "''",
        "staging": staging,
        "held": staging,
        "partition": "x",
    }
    names |= dict.fromkeys(("baseline", "earlier"), snapshot) | {"set_aside": words["quarantine"]}
    names |= dict.fromkeys(("shadow", "aside", "late", "catch"), shadow)
    names["monitoring"] = statements.quote(JANUARY.table.database, JANUARY.monitoring.table)
    names |= dict.fromkeys(("target", "whole", "part", "conditions"), made)
    names |= {"runs": statements.quote(JANUARY.table.database, JANUARY.services.crons.table), "board": boards[0]}
    names |= {f"board_{name}": "x" for name in ("subject", "updated", "rank", "columns", "figures", "differs", "shown")}
    for path in sorted(statements.FOLDER.glob("*.sql")):
        text = path.read_text("utf-8")
        if "Fragment" in text.splitlines()[0]:
            continue
        variants: list[dict[str, str]] = [{}]
        match path.stem:
            case "positions_sizes" | "positions_months":
                variants = [{"own_table": table} for table in (words["positions"], kept, made)]
            case "drop_table":
                variants += [{"own_table": table} for table in (worklist, lock, shadow, kept, made, staging)]
            case "window_clear":  # done in a shadow, too
                variants += [{"table": shadow}]
            case "backfill" | "staging_create":
                variants = [{"target": staging}, {"target": shadow}]
            case "staging_move":  # what is moved may go to the table or to its shadow
                variants = [{"staging": staging, "target": words["table"]}, {"staging": shadow, "target": shadow}]
            case "backfill_lacking" | "held_create" | "held_list":
                variants = [{"target": staging}]
            case "worklist_create" | "places_create" | "superseded_list" | "superseded_place":
                variants = [{"target": worklist}]
            case "window_keep":  # from a shadow, or the table
                variants = [
                    {"target": worklist, "held": worklist, "table": table} for table in (words["table"], shadow)
                ]
            case "right_list":
                variants = [{"target": worklist, "rows": rows} for rows in (shadow, f"({words['right']})")]
            case "staging_whole":
                variants = [dict.fromkeys(("target", "whole"), table) for table in (made, staging, shadow, worklist)]
            case "optimize":
                variants += [{"table": shadow}, {"table": made}]
            case "snapshot_create" | "snapshot_attach":
                variants += [{"snapshot": shadow}, {"snapshot": kept, "table": words["positions"]}]
            case "fingerprint" | "rows_of":
                variants += [{"table": words["positions"]}, {"table": kept}]
            case "positions_replace":
                variants += [{"whole": kept}]
        if "${board}" in text:
            variants = [{"board": board} for board in boards]
        if re.search(r"^SELECT", text, re.MULTILINE) and not re.search("|".join(VERBS), text):
            variants += [{"table": snapshot}, {"table": shadow}]  # asked of a snapshot and of a shadow too
        for variant in variants:
            sql = statements.compose(path.stem, words | names | variant)
            yield " ".join(re.sub(r"--.*", "", sql).replace("`", "").split())


def needed(writing: bool) -> set[tuple[str, str]]:
    """(privilege, object) that the statements of one login need."""
    found: set[tuple[str, str]] = set()
    for sql in composed():
        verb = next((verb for verb in VERBS if re.match(verb, sql)), None)
        if (verb is not None) is not writing:
            continue
        rest = sql
        if verb:
            target = re.match(rf"{verb} (\S+)", sql)
            assert target
            found |= {(privilege, target[1]) for privilege in VERBS[verb]}
            rest = sql[target.end() :]
            if verb == r"DELETE FROM":  # its condition reads the table too
                rest += f" FROM {target[1]}"
        reads = re.findall(r"\b(?:FROM|(?<!ARRAY )JOIN|EXISTS TABLE) ([\w.{}:]+)", rest)
        named_within = set(re.findall(r"(\w+) AS \(", sql))
        found |= {("SELECT", on) for on in reads if on not in named_within}
        if "dependencies_table" in sql:  # without it, views are hidden from those who have no right on them
            found |= {("SHOW TABLES", "*.*")}
    if not writing:  # what is guarded every night is read in one statement, whose table is named by the nightly file
        found |= {("SELECT", guarded.name) for guarded in JANUARY.nightly.tables.values()}
    if writing:
        found |= {("INSERT", statements.MIRROR)}  # by Warehouse.insert, the only one that is no statement of a file
    return {(privilege, full(on)) for privilege, on in found} - {("SELECT", on) for on in OPEN_TO_ALL}


def full(name: str) -> str:
    """A table with its database, and with * for what changes in the name of a table that the suite makes."""
    if name.startswith("{database:Identifier}"):
        name = JANUARY.services.updater.table
    name = name if "." in name else f"{JANUARY.table.database}.{name}"
    return re.sub(rf"({SNAPSHOT}|{WORKLIST}|{LOCK}|{SHADOW}|{STAGING})x$", r"\1*", name)


def test_the_tables_that_the_suite_makes_are_named_as_the_grants_say() -> None:
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "recovery").glob("*.py"))
    assert set(re.findall(r"(?:table\.name|known\.table)\}(_\w+)", sources)) == {
        SNAPSHOT,
        WORKLIST,
        LOCK,
        SHADOW,
        STAGING,
    }


def test_the_reader_is_granted_what_its_statements_need_and_no_more() -> None:
    assert sorted(grants("recovery_reader")) == sorted(needed(writing=False))


def test_the_history_is_written_by_a_login_that_may_do_nothing_else() -> None:
    assert grants("recovery_history") == {("INSERT", full(JANUARY.nightly.history.table))}


def test_the_writer_is_granted_what_its_statements_need_and_no_more() -> None:
    assert sorted(grants("recovery_writer")) == sorted(needed(writing=True))
