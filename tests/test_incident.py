"""An incident file is read whole or refused with one sentence per fault."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recovery.errors import IncidentError
from recovery.incident import MAX_BYTES, Incident, load

JANUARY = Path(__file__).parent.parent / "incidents" / "2026-01-empty-condition-ids.toml"
TEXT = JANUARY.read_text("utf-8")
SELECT = JANUARY.with_suffix(".sql").read_text("utf-8")


def written(folder: Path, text: str | bytes, select: str | None = SELECT) -> Path:
    """An incident file in `folder`, with its SELECT beside it."""
    path = folder / "incident.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if select is not None:
        path.with_suffix(".sql").write_text(select, "utf-8")
    return path


def changed(old: str, new: str) -> str:
    """The January file with one passage changed, which must be in it once."""
    assert TEXT.count(old) == 1
    return TEXT.replace(old, new)


def faults(path: Path) -> list[str]:
    with pytest.raises(IncidentError) as caught:
        load(path)
    assert caught.value.exit_code == 4
    assert str(caught.value) == "\n".join(caught.value.faults)
    return caught.value.faults


def test_the_january_file_loads() -> None:
    incident = load(JANUARY)
    assert incident.id == JANUARY.stem
    assert incident.days == [date(2026, 1, day) for day in range(17, 28)]
    assert incident.window.test_subjects == ["0xb17dd9cbcbccffba903c4eb378f024554521a597"]
    assert incident.gates.recent_broken_percent == 0.1
    assert incident.gates.remaining_broken_percent == 0
    assert incident.services.git.fixes == ["f834c78", "26403e5", "21d822f"]
    assert incident.right_rows == SELECT.strip()
    assert incident.path == JANUARY


@pytest.mark.parametrize(
    "path", [path for path in sorted(JANUARY.parent.glob("*.toml")) if "." not in path.stem], ids=lambda path: path.stem
)
def test_every_incident_file_of_the_project_loads(path: Path) -> None:
    assert load(path).id == path.stem


def test_an_incident_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(JANUARY).table.name = "other"  # type: ignore[misc]


ONE_FAULT = {
    "unknown key with a near one": (
        'version = "_version"',
        'version = "_version"\nversoin = "_version"',
        "table.versoin = '_version' is an unknown key; did you mean version?",
    ),
    "unknown key with none near": (
        'quarantine = "pm',
        'zzz = 1\nquarantine = "pm',
        "table.zzz = 1 is an unknown key; known keys: database, name, identity, version, time, subject, owned, broken, "
        "repaired, partitions, quarantine.",
    ),
    "unknown section": (
        "[plan] ",
        "[palns]\n[plan] ",
        "palns = {…} is an unknown key; did you mean plan?",
    ),
    "key that could draw on the terminal": (
        "[plan] ",
        '["pl\\u001b[2Jan"]\n[plan] ',
        "'pl\\x1b[2Jan' = {…} is an unknown key; did you mean plan?",
    ),
    "text for a number": (
        "unit_rows = 1_000_000",
        'unit_rows = "1_000_000"',
        "backfill.unit_rows = '1_000_000' is wrong: Input should be a valid integer.",
    ),
    "number for a text": (
        'cron = "update-canonical-fills"',
        "cron = 5",
        "services.updater.cron = 5 is wrong: Input should be a valid string.",
    ),
    "yes for a number": (
        "evidence_hours = 24",
        "evidence_hours = true",
        "gates.evidence_hours = True is wrong: Input should be a valid integer.",
    ),
    "text for a list": (
        'identity = ["fill_id"]',
        'identity = "fill_id"',
        "table.identity = 'fill_id' is wrong: Input should be a valid list.",
    ),
    "text for a time": (
        "end = 2026-01-28T00:00:00Z",
        'end = "2026-01-28T00:00:00Z"',
        "window.end = '2026-01-28T00:00:00Z' is wrong: Input should be a valid datetime.",
    ),
    "empty list": (
        'identity = ["fill_id"]',
        "identity = []",
        "table.identity = [] is wrong: List should have at least 1 item after validation, not 0.",
    ),
    "missing key": ("max_parts = 5\n", "\n", "deduplicate.max_parts is missing; it is required."),
    "missing key of a section of a section": (
        'url = "https://cascadian.vercel.app"',
        "",
        "services.crons.url is missing; it is required.",
    ),
    "naive time": (
        "start = 2026-01-17T00:00:00Z",
        "start = 2026-01-17T00:00:00",
        "window.start = 2026-01-17T00:00:00 is wrong: a time with its zone is expected, such as 2030-12-31T00:00:00Z.",
    ),
    "parts of a second": (
        "start = 2026-01-17T00:00:00Z",
        "start = 2026-01-17T00:00:00.5Z",
        "window.start = 2026-01-17T00:00:00.500000+00:00 is wrong: whole seconds are expected.",
    ),
    "time that no DateTime holds": (
        "start = 2026-01-17T00:00:00Z",
        "start = 0001-01-01T00:00:00+23:59",
        "window.start = 0001-01-01T00:00:00+23:59 is wrong: a time from 1971 to 2105 is expected, which is what "
        "ClickHouse's DateTime holds.",
    ),
    "window that ends before it starts": (
        "end = 2026-01-28T00:00:00Z",
        "end = 2026-01-16T00:00:00Z",
        "window = {…} is wrong: start 2026-01-17T00:00:00Z must be before end 2026-01-16T00:00:00Z.",
    ),
    "test range outside the window": (
        "test_end = 2026-01-25T00:00:00Z",
        "test_end = 2026-01-29T00:00:00Z",
        "window = {…} is wrong: test_start must be before test_end, both inside the window.",
    ),
    "SQL in a name": (
        'name = "pm_canonical_fills_v4"',
        'name = "fills; DROP TABLE fills"',
        "table.name = 'fills; DROP TABLE fills' is wrong: "
        "a plain name is expected: letters, digits and _ only, no SQL.",
    ),
    "SQL in one name of a list": (
        'repaired = ["condition_id", "outcome_index"]',
        'repaired = ["condition_id", "1 OR 1"]',
        "table.repaired.1 = '1 OR 1' is wrong: a plain name is expected: letters, digits and _ only, no SQL.",
    ),
    "SQL in a partition": (
        '["202601", "202602"]',
        '["202601", "x\' FINAL"]',
        "table.partitions.1 = \"x' FINAL\" is wrong: String should match pattern '^[A-Za-z0-9_-]+$'.",
    ),
    "partition that is there twice": (
        '["202601", "202602"]',
        '["202601", "202601"]',
        "table.partitions = ['202601', '202601'] is wrong: each value once is expected, and 202601 is there twice.",
    ),
    "choice that is none": (
        'strategy = "delete"',
        'strategy = "truncate"',
        "deduplicate.strategy = 'truncate' is wrong: Input should be 'delete', 'optimize' or 'swap'.",
    ),
    "percentage over a hundred": (
        "recent_broken_percent = 0.1",
        "recent_broken_percent = 101.0",
        "gates.recent_broken_percent = 101.0 is wrong: Input should be less than or equal to 100.",
    ),
    "threshold that is no number": (
        "free_disk_factor = 2.0",
        "free_disk_factor = nan",
        "gates.free_disk_factor = nan is wrong: Input should be a finite number.",
    ),
    "hours that no clock counts": (
        "evidence_hours = 24",
        "evidence_hours = 9000000000000000000",
        "gates.evidence_hours = 9000000000000000000 is wrong: Input should be less than or equal to 1000000.",
    ),
    "commit that is an option": (
        '"f834c78"',
        '"--upload-pack=x"',
        "services.git.fixes.0 = '--upload-pack=x' is wrong: String should match pattern '^[0-9a-f]{7,40}$'.",
    ),
}


@pytest.mark.parametrize(("old", "new", "sentence"), ONE_FAULT.values(), ids=ONE_FAULT.keys())
def test_a_fault_is_one_sentence_with_file_key_value_and_what_is_right(
    old: str, new: str, sentence: str, tmp_path: Path
) -> None:
    path = written(tmp_path, changed(old, new))
    assert faults(path) == [f"{path}: {sentence}"]


@pytest.mark.parametrize(
    "condition",
    [
        "1) OR (1",
        "a = '') OR (1 = 1",
        "a = $$'$$ ) OR (1 = $$'$$",
        "a = \u2018'\u2019) OR (1 = \u2018'\u2019",
        "a = 1 -- all of them",
        "a = 1 # all of them",
        "a = 1 /* all of them",
        "a = 1; DROP TABLE t",
        "a = {x:String}",
        "a = '",
        'a = "',
        "(a = 1",
        " ",
    ],
)
def test_a_condition_that_could_leave_its_brackets_is_refused(condition: str, tmp_path: Path) -> None:
    path = written(tmp_path, changed("condition_id = ''\"", condition.replace('"', '\\"') + '"'))
    (fault,) = faults(path)
    assert fault.startswith(f"{path}: table.broken = {condition!r} is wrong: one SQL condition")


@pytest.mark.parametrize(
    "condition",
    ["a = ''", "a = 'it''s )('", r"a = 'it\'s )' OR b IN (1, 2)", "price < 0", "`odd;name` = '--'", "a[1] = (b + 1)"],
)
def test_a_condition_with_quotes_and_brackets_in_it_is_taken_as_it_is(condition: str, tmp_path: Path) -> None:
    path = written(tmp_path, changed("\"condition_id = ''\"", f"'''{condition}'''"))
    assert load(path).table.broken == condition


def test_several_faults_give_several_sentences(tmp_path: Path) -> None:
    text = changed("max_parts = 5\n", "\n").replace("evidence_hours = 24", "evidence_hours = 0")
    text = text.replace('database = "default"', 'database = "a.b"').replace("unit_rows", "unit_row")
    path = written(tmp_path, text, select=None)
    assert faults(path) == [
        f"{path}: table.database = 'a.b' is wrong: a plain name is expected: letters, digits and _ only, no SQL.",
        f"{path}: backfill.unit_rows is missing; it is required.",
        f"{path}: backfill.unit_row = 1000000 is an unknown key; did you mean unit_rows?",
        f"{path}: deduplicate.max_parts is missing; it is required.",
        f"{path}: gates.evidence_hours = 0 is wrong: Input should be greater than or equal to 1.",
        f"{path.with_suffix('.sql')}: no such file; "
        "the SELECT of the right rows, beside the incident file is expected there.",
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xff\xfe" + TEXT.encode(), "not UTF-8 at byte 0; save it as UTF-8."),
        (TEXT.encode("utf-16-le"), "not valid TOML: Found invalid character '\\x00' (at line 1, column 2)"),
        (b"[incident", "not valid TOML: Expected ']' at the end of a table declaration (at end of document)"),
        (TEXT.encode() + b"#" * MAX_BYTES, "larger than 100,000 bytes, which is no incident file."),
        (b"x = " + b"[" * 50_000, "nested too deep to be an incident file."),
        (b"x = " + b"{a=" * 20_000, "nested too deep to be an incident file."),
        (b"x" + b".x" * 20_000 + b" = 1", "nested too deep to be an incident file."),
        (b"[" + b"x . " * 20_000 + b"x]", "nested too deep to be an incident file."),
    ],
    ids=["not UTF-8", "UTF-16", "not TOML", "too large", "deep list", "deep table", "deep key", "deep section"],
)
def test_a_file_that_cannot_be_one_is_one_sentence(content: bytes, sentence: str, tmp_path: Path) -> None:
    path = written(tmp_path, content)
    assert faults(path) == [f"{path}: {sentence}"]


def test_a_number_too_long_to_read_is_one_sentence(tmp_path: Path) -> None:
    (fault,) = faults(written(tmp_path, changed("evidence_hours = 24", "evidence_hours = " + "9" * 5_000)))
    assert re.search(r"not valid TOML: Exceeds the limit \(4300 digits\)", fault)


def test_an_empty_file_lacks_every_section(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    sections = (
        "incident",
        "table",
        "window",
        "source",
        "backfill",
        "deduplicate",
        "gates",
        "limits",
        "snapshots",
        "plan",
        "services",
    )
    assert faults(path) == [f"{path}: {section} is missing; it is required." for section in sections]


def test_a_value_where_a_section_is_expected_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "table = 5")
    assert f"{path}: table = 5 is wrong: a section [table] is expected." in faults(path)


def test_a_folder_and_a_missing_file_are_no_incident_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.toml"):
        assert faults(path) == [f"{path}: no such file; an incident file (TOML) is expected there."]


@pytest.mark.parametrize(
    ("select", "sentence"),
    [
        (None, "no such file; the SELECT of the right rows, beside the incident file is expected there."),
        ("", "empty; the SELECT of the right rows is expected in it."),
        (" \n;\n", "empty; the SELECT of the right rows is expected in it."),
        ("-- " * MAX_BYTES, "larger than 100,000 bytes, which is no incident file."),
    ],
    ids=["missing", "empty", "only a semicolon", "too large"],
)
def test_a_select_that_cannot_be_one_is_one_sentence(select: str | None, sentence: str, tmp_path: Path) -> None:
    path = written(tmp_path, TEXT, select)
    assert faults(path) == [f"{path.with_suffix('.sql')}: {sentence}"]


def test_the_digest_changes_with_the_file_and_with_its_select(tmp_path: Path) -> None:
    def digest(text: str, select: str) -> str:
        return load(written(tmp_path, text, select)).digest

    same = digest(TEXT, SELECT)
    assert re.fullmatch("[0-9a-f]{64}", same)
    assert digest(TEXT, SELECT) == same
    others = [
        digest(changed("evidence_hours = 24", "evidence_hours = 25"), SELECT),
        digest(TEXT + "# a comment\n", SELECT),
        digest(TEXT, SELECT + "-- a comment\n"),
        digest(TEXT + "# 1\n", "-- 2\n" + SELECT),
        digest(TEXT + "# 1\n-- 2\n".replace("\n-", "\n#-"), SELECT),
    ]
    assert len({same, *others}) == 6


def test_text_that_moves_from_one_file_to_the_other_changes_the_digest(tmp_path: Path) -> None:
    first = load(written(tmp_path, TEXT + "#\n", SELECT)).digest
    moved = Incident.model_construct(path=written(tmp_path, TEXT, "#\n" + SELECT), right_rows="")
    assert first != moved.digest


HOSTILE: st.SearchStrategy[Any] = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.datetimes(),
    st.dates(),
    st.times(),
    st.lists(st.one_of(st.integers(), st.text("ab'; .-{}$\\\n", max_size=5)), max_size=3),
    st.dictionaries(st.text("ab. '\n", max_size=3), st.integers(), max_size=2),
    st.sampled_from(["'; DROP TABLE t; --", "a\x00b", "../../etc/passwd", "$(id)", "${table}", "0x" + "f" * 400]),
)
KEYS = [
    (section, key)
    for section, keys in tomllib.loads(TEXT).items()
    for key in keys
    if section != "services"
]  # fmt: skip


@contextmanager
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as name:
        yield Path(name)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from([*KEYS, ("table", "more"), ("gates", "")]), HOSTILE, min_size=1, max_size=3))
def test_whatever_a_value_is_the_file_loads_or_is_refused_in_sentences(values: dict[tuple[str, str], Any]) -> None:
    content = tomllib.loads(TEXT)
    for (section, key), value in values.items():
        content[section][key] = value
    with folder() as here:
        path = written(here, tomli_w.dumps(content))
        refused: list[str] = []
        try:
            incident = load(path)
        except IncidentError as error:
            refused = error.faults
        else:
            assert len(incident.digest) == 64
            assert incident.days
        assert [f for f in refused if not f.startswith(f"{path}: ") or "\n" in f] == []


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.one_of(st.binary(max_size=200), st.text("[]{}=.\"'#\n ax1-:T", max_size=200).map(str.encode)))
def test_whatever_stands_in_the_file_it_is_refused_in_sentences(content: bytes) -> None:
    with folder() as here:
        assert faults(written(here, content))
