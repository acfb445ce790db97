"""Hostile incident files and option values end with exit code 4 and a sentence, and nothing that writes is asked."""

from __future__ import annotations

import io
import os
import re
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recovery.errors import IncidentError
from recovery.incident import load
from rehearsal.__main__ import main as rehearse
from reports.__main__ import main as report
from scripts import plan, rollback
from tests.conftest import Case
from tests.faults import hostile
from tests.faults.conftest import rounds
from tests.faults.hostile import SELECT, TEXT, with_value
from tests.faults.listening import Heard, listening

SUBJECT = "hostile input"
SECONDS = 60
Value = TypeVar("Value")
Refused = Callable[..., str]


def some(values: Sequence[Value], short: int) -> list[Value]:
    """All of them in full, else `short` of them, from all over."""
    wanted = rounds(min(short, len(values)), len(values))
    return [values[number * len(values) // wanted] for number in range(wanted)]


def of(values: Mapping[str, Any], short: int) -> list[Any]:
    return [pytest.param(value, id=ascii(name)[1:60]) for name, value in some(list(values.items()), short)]


def shown(value: object) -> str:
    return ascii(value)[:60]


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """What would wait for ever fails instead."""

    def late(number: int, frame: object) -> None:
        raise TimeoutError(f"not ended within {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def target(broken: Case, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Case, Heard]]:
    """A table that would be written to if anything was, and what is asked of its server."""
    case = broken.clone(tmp_path_factory.mktemp("hostile"))
    with listening(case.dsn) as heard:
        yield case, heard


def state(case: Case) -> Any:
    """Every table of the server with the time of its definition, and what the fills and the runs of the updater hold."""
    tables = case.client.query(
        "SELECT database, name, toString(uuid), metadata_modification_time FROM system.tables "
        "WHERE database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema') ORDER BY database, name"
    ).result_rows
    return tables, case.fingerprint(), case.value("SELECT count() FROM cron_executions")


@pytest.fixture
def refused(target: tuple[Case, Heard], figures: Callable[..., None]) -> Iterator[Refused]:
    """refused(main, words): it says a sentence, ends with exit code 4, and the server is as it was."""
    case, heard = target
    heard.requests.clear()
    before, ledger = state(case), case.ledger.path.read_bytes() if case.ledger.path.exists() else b""

    def ended(code: int | None, said: str) -> str:
        figures(SUBJECT, cases=1, refused=int(code == 4))
        assert code == 4, said
        assert re.search(r"[A-Za-z]\S* \S+ \S+", said), said
        assert "Traceback" not in said
        assert "INTERNALERROR" not in said
        return said

    def run(main: Callable[[list[str]], int] | None, words: Sequence[str]) -> str:
        out = io.StringIO()
        if main is None:
            code = case.pytest("phase2", "--execute", *words)
            return ended(code, case.output)
        with within(SECONDS), redirect_stdout(out), redirect_stderr(out):
            code = main(list(words))
        return ended(code, out.getvalue())

    yield run
    assert heard.writing == []
    assert state(case) == before
    assert (case.ledger.path.read_bytes() if case.ledger.path.exists() else b"") == ledger


def written(folder: Path, content: bytes, select: bytes | None = SELECT.encode()) -> Path:
    path = folder / "2026-01-empty-condition-ids.toml"
    path.write_bytes(content)
    if select is not None:
        path.with_suffix(".sql").write_bytes(select)
    return path


def options(target: tuple[Case, Heard], incident: Path | None = None) -> list[str]:
    case, heard = target
    return [
        f"--incident={incident or case.incident}", f"--clickhouse={heard.dsn}", f"--ledger={case.ledger.path}",
        "--now=2026-02-02T06:01:00Z",
    ]  # fmt: skip


def here(target: tuple[Case, Heard], at: hostile.Place, value: Any) -> bytes:
    """The incident of the case's own database with one value changed."""
    database = target[0].database
    return with_value(at, value).replace(b'database = "default"', f'database = "{database}"'.encode())


@pytest.mark.parametrize("content", of(hostile.FILES, 6))
def test_a_file_that_is_no_incident_is_refused(
    content: bytes, target: tuple[Case, Heard], refused: Refused, tmp_path: Path
) -> None:
    refused(plan.main, options(target, written(tmp_path, content)))


@pytest.mark.parametrize("content", of(hostile.mutations(), 8))
def test_a_changed_incident_is_refused(
    content: bytes, target: tuple[Case, Heard], refused: Refused, tmp_path: Path
) -> None:
    refused(rollback.main, [*options(target, written(tmp_path, content)), "--restore=x", "--execute"])


@pytest.mark.parametrize("content", of(hostile.sql_in_names(), 5))
def test_sql_in_a_name_is_refused(content: bytes, target: tuple[Case, Heard], refused: Refused, tmp_path: Path) -> None:
    refused(plan.main, options(target, written(tmp_path, content)))


@pytest.mark.parametrize("key", ["owned", "broken"])
@pytest.mark.parametrize("condition", some(hostile.CONDITIONS, 2), ids=shown)
def test_a_condition_that_is_more_is_refused(
    key: str, condition: str, target: tuple[Case, Heard], refused: Refused, tmp_path: Path
) -> None:
    assert key in refused(plan.main, options(target, written(tmp_path, with_value(("table", key), condition))))


@pytest.mark.parametrize("key", ["owned", "broken"])
@pytest.mark.parametrize("condition", some(hostile.CONDITIONS_FOR_THE_SERVER, 3), ids=shown)
def test_a_condition_that_asks_for_more_than_a_row_is_refused(
    key: str, condition: str, target: tuple[Case, Heard], refused: Refused, tmp_path: Path
) -> None:
    path = written(tmp_path, here(target, ("table", key), condition))
    assert f"table.{key}" in refused(plan.main, options(target, path))
    assert not Path("/tmp/hostile").exists()


@pytest.mark.parametrize("select", of(hostile.SELECTS, 5))
def test_right_rows_that_are_no_select_of_them_are_refused(
    select: bytes | None, target: tuple[Case, Heard], refused: Refused, tmp_path: Path
) -> None:
    content = here(target, ("incident", "title"), "right rows")
    assert ".sql" in refused(plan.main, options(target, written(tmp_path, content, select)))
    assert not Path("/tmp/hostile").exists()


@pytest.mark.parametrize(
    ("at", "value"),
    some(
        [
            (("table", "database"), "system"),
            (("table", "database"), "INFORMATION_SCHEMA"),
            (("table", "database"), "no_such_database"),
            (("table", "name"), "no_such_table"),
            (("table", "name"), "n" * 10_000),
            (("table", "version"), "no_such_column"),
            (("table", "subject"), "FILL_ID"),
            (("table", "time"), "_part"),
            (("table", "identity"), ["fill_id", "no_such_column"]),
            (("table", "repaired"), ["_table"]),
            (("source", "table"), "no_such_table"),
            (("source", "key"), "no_such_column"),
            (("source", "group"), "_partition_id"),
        ],
        3,
    ),
    ids=shown,
)
def test_a_name_that_the_server_does_not_have_is_refused(
    at: hostile.Place, value: Any, target: tuple[Case, Heard], refused: Refused, tmp_path: Path
) -> None:
    refused(plan.main, options(target, written(tmp_path, here(target, at, value))))


def odd_place(folder: Path, kind: str) -> Path:
    path = folder / "odd.toml"
    if kind == "folder":
        path.mkdir()
    elif kind == "FIFO":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "a folder in place of the SELECT":
        path.write_text(TEXT)
        path.with_suffix(".sql").mkdir()
    elif kind == "a FIFO in place of the SELECT":
        path.write_text(TEXT)
        os.mkfifo(path.with_suffix(".sql"))
    else:
        path.symlink_to(kind)
    return path


ODD = (
    "folder", "FIFO", "loop", "/no/such/file", "/dev/zero", "/dev/null", "/dev/random", "/proc/self/pagemap", "/proc/self/mem",
    "/", "a folder in place of the SELECT", "a FIFO in place of the SELECT",
)  # fmt: skip


@pytest.mark.parametrize("kind", some(ODD, 4))
@pytest.mark.parametrize("main", [plan.main, rollback.main], ids=["plan", "rollback"])
def test_a_place_that_holds_no_file_is_refused_and_not_waited_for(
    main: Any, kind: str, target: tuple[Case, Heard], refused: Refused, tmp_path: Path
) -> None:
    refused(main, options(target, odd_place(tmp_path, kind)))


@pytest.mark.parametrize(
    "word",
    [
        *some([f"--clickhouse={dsn}" for dsn in hostile.DSNS], 4),
        *some([f"--now={moment}" for moment in hostile.MOMENTS], 2),
        *some([f"--incident={path}" for path in hostile.PATHS], 2),
        *some([f"--ledger={path}" for path in hostile.PATHS if path not in ("x" * 5_000, "no/such/file", "\udcff", "a\nb")], 3),
        *some(["--restore=", "--restore=x; DROP TABLE y", "--restore=`", "--restor", "--no-such", "surplus"], 2),
    ],
    ids=shown,
)  # fmt: skip
def test_a_hostile_option_of_rollback_or_plan_is_refused(
    word: str, target: tuple[Case, Heard], refused: Refused
) -> None:
    refused(rollback.main, [*options(target), "--execute", word])
    if not word.startswith("--restore"):
        refused(plan.main, [*options(target), word])


@pytest.mark.parametrize(
    "word",
    [
        *some([f"--clickhouse={dsn}" for dsn in hostile.DSNS], 1),
        *some([f"--now={moment}" for moment in hostile.MOMENTS], 1),
        *some([f"--override-gate={reason}" for reason in hostile.REASONS], 1),
        *some([f"--incident={path}" for path in hostile.PATHS], 1),
        *some([f"--ledger={path}" for path in ("", "/", "/dev/zero", "/dev/null", "/etc/passwd")], 1),
        *some(["--no-such-option", "--clickhouse", "-n=x", "--execute=yes"], 1),
    ],
    ids=shown,
)
def test_a_hostile_option_of_pytest_is_refused(word: str, target: tuple[Case, Heard], refused: Refused) -> None:
    case, heard = target
    case.options = (f"--clickhouse={heard.dsn}",)
    refused(None, [word])


@pytest.mark.parametrize("name", some(["binary", "huge", "UTF-8 with a BOM", "a quarantine that is the table"], 1))
def test_pytest_itself_refuses_a_hostile_file(
    name: str, target: tuple[Case, Heard], refused: Refused, tmp_path: Path
) -> None:
    refused(None, [f"--incident={written(tmp_path, hostile.FILES[name])}"])


def test_a_folder_of_other_files_is_not_made_a_clickhouse(
    target: tuple[Case, Heard], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a letter").touch()
    assert rollback.main([*options(target), f"--clickhouse=chdb://{tmp_path}/letters"]) == 13
    assert "holds other files than ClickHouse's" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "letters").iterdir()] == ["a letter"]


@pytest.mark.parametrize("words", some(hostile.ROWS_AND_DAYS, 4), ids=shown)
def test_a_hostile_option_of_the_rehearsal_is_refused(words: tuple[str, ...], refused: Refused) -> None:
    refused(rehearse, words)


@pytest.mark.parametrize("name", some(["binary", "empty", "JSON", "deep list"], 1))
def test_the_rehearsal_refuses_a_hostile_incident_before_it_makes_anything(
    name: str, refused: Refused, tmp_path: Path
) -> None:
    refused(rehearse, [f"--incident={written(tmp_path, hostile.FILES[name])}", f"--keep={tmp_path / 'kept'}"])
    assert list((tmp_path / "kept").rglob("*.sql")) == []


LEDGERS = {
    "empty": b"",
    "binary": bytes(range(256)),
    "text": b"not a ledger\n",
    "JSON": b"{}\n",
    "another JSON": b'{"kind": 5, "run": "x"}\n[1, 2]\n',
    "a run of nothing": b'{"kind": "run", "run": "x"}\n',
    "a run that is a number": b'{"kind": "run", "run": 5}\n',
    "deep": b'{"a": ' * 5_000 + b"\n",
    "not UTF-8": b'{"kind": "\xff"}\n',
    "UTF-16": '{"kind": "run"}\n'.encode("utf-16"),
    "a page that would lie elsewhere": (
        b'{"kind": "run", "run": "../x", "incident": "../../../../..", "mode": "ask", "server": "", "version": "", '
        b'"seq": 0, "sha": "", "installation": "", "who": "", "digest": "", "now": "2026-01-01T00:00:00Z", '
        b'"time": "2026-01-01T00:00:00Z", "phases": []}\n'
    ),
}  # fmt: skip


@pytest.mark.parametrize("content", of(LEDGERS, 4))
def test_a_page_is_not_made_of_what_is_no_ledger(content: bytes, refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").write_bytes(content)
    refused(report, [str(tmp_path / "ledger.jsonl")])


@pytest.mark.parametrize(
    "words", some([(), ("",), ("/",), ("/dev/zero",), ("/no/such",), ("--no-such",), ("a", "b", "c")], 4), ids=shown
)
def test_a_hostile_option_of_reports_is_refused(words: tuple[str, ...], refused: Refused) -> None:
    refused(report, words)


def test_whatever_is_put_between_the_lines_is_refused(
    tmp_path: Path, refused: Refused, figures: Callable[..., None]
) -> None:
    lines = TEXT.encode().splitlines(keepends=True)
    path = written(tmp_path, b"")
    odd = st.one_of(
        st.binary(min_size=1, max_size=30).map(lambda raw: b"\x00" + raw),
        st.text("[]{}='\"\n,ax1", min_size=1, max_size=30).map(lambda text: f"%{text}".encode()),
    )

    @settings(
        max_examples=rounds(10, 150), deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.integers(0, len(lines)), odd)
    def put(at: int, rubbish: bytes) -> None:
        path.write_bytes(b"".join([*lines[:at], rubbish + b"\n", *lines[at:]]))
        with within(SECONDS), pytest.raises(IncidentError) as caught:
            load(path)
        assert [fault for fault in caught.value.faults if "\n" in fault or not fault.startswith(f"{path}: ")] == []
        figures(SUBJECT, cases=1, refused=1)

    put()
