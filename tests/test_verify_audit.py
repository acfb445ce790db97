"""Tampering: whatever is changed in a ledger, its evidence or its dossier is found, and the first place named."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import random
import re
import shutil
import tomllib
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli_w

from recovery.ledger import START, Ledger, chained, head_of, lines_of, text_of
from reports import bundle
from scripts import report, verify_audit
from tests.conftest import Case

SEED = 5
Edit = Callable[[Path, random.Random], str]  # changes the files of a folder; returns what the answer has to name


@pytest.fixture(scope="module")
def trail(backfilled: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of two runs, phase 3 asked and phase 4 carried out with its rows exported, its evidence and dossier. Copy it."""
    case = backfilled.clone(tmp_path_factory.mktemp("trail"))
    case.ledger.path.unlink()
    case.command("DROP TABLE recovery_ledger")  # the mirror of the ledger that was begun before
    content = tomllib.loads(case.incident.read_text()) | {"evidence": {"export_removed": True}}
    case.incident.write_text(tomli_w.dumps(content))
    assert case.pytest("phase3") == 1, case.output  # this ledger has no backfill to compare with
    assert case.pytest("phase4", "--execute", "--override-gate=the trail of a test") in (0, 1), case.output
    assert case.lines("exported")
    folder = tmp_path_factory.mktemp("kept")
    shutil.copytree(case.folder / "evidence", folder / "evidence")
    for name in ("ledger.jsonl", "ledger.dossier.html"):
        shutil.copy(case.folder / name, folder / name)
    return folder


@pytest.fixture
def copied(trail: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trail, tmp_path / "copy"))


def asked(*arguments: object) -> tuple[int, str]:
    """Exit code and output of the command."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = verify_audit.main([str(each) for each in arguments])
    return code, said.getvalue()


def ledger_of(folder: Path) -> list[str]:
    return (folder / "ledger.jsonl").read_text().splitlines(keepends=True)


def written(folder: Path, lines: list[str]) -> None:
    (folder / "ledger.jsonl").write_text("".join(lines))


def a_changed_figure(folder: Path, chance: random.Random) -> str:
    lines = ledger_of(folder)
    number = chance.choice([n for n, line in enumerate(lines) if re.search(r": \d", line)])
    places = list(re.finditer(r"(?<=: )\d", lines[number]))
    place = chance.choice(places).start()
    digit = str((int(lines[number][place]) + chance.randint(1, 9)) % 10)
    lines[number] = lines[number][:place] + digit + lines[number][place + 1 :]
    written(folder, lines)
    return f"line {number + 1} of ledger.jsonl"


def a_removed_line(folder: Path, chance: random.Random) -> str:
    lines = ledger_of(folder)
    number = chance.randrange(len(lines) - 1)
    written(folder, lines[:number] + lines[number + 1 :])
    return f"line {number + 1} of ledger.jsonl does not follow"


def swapped_lines(folder: Path, chance: random.Random) -> str:
    lines = ledger_of(folder)
    number = chance.randrange(len(lines) - 1)
    lines[number], lines[number + 1] = lines[number + 1], lines[number]
    written(folder, lines)
    return f"line {number + 1} of ledger.jsonl does not follow"


def a_repeated_line(folder: Path, chance: random.Random) -> str:
    lines = ledger_of(folder)
    number = chance.randrange(len(lines))
    written(folder, lines[: number + 1] + lines[number:])
    return f"line {number + 2} of ledger.jsonl does not follow"


def a_rehashed_line(folder: Path, chance: random.Random) -> str:
    lines = ledger_of(folder)
    number = chance.randrange(len(lines) - 1)
    line = json.loads(lines[number]) | {"time": "2026-01-01T00:00:00.000+00:00"}
    lines[number] = text_of(chained(line, line["prev"])) + "\n"
    written(folder, lines)
    return f"line {number + 2} of ledger.jsonl does not follow"


def other_bytes_that_say_the_same(folder: Path, chance: random.Random) -> str:
    lines = ledger_of(folder)
    number = chance.randrange(len(lines))
    change = chance.choice([(": ", ":"), ("{", '{"kind": "done", '), (", ", " , "), ("}\n", "} \n")])
    lines[number] = lines[number].replace(*change, 1)
    written(folder, lines)
    return f"line {number + 1} of ledger.jsonl was changed"


def a_file_cut_within_a_line(folder: Path, chance: random.Random) -> str:
    lines = ledger_of(folder)
    number = chance.randrange(1, len(lines))
    cut = chance.randrange(1, len(lines[number]) - 1)
    written(folder, [*lines[:number], lines[number][:cut]])
    return f"line {number + 1} of ledger.jsonl is cut off"


def evidence_of(folder: Path, pattern: str, chance: random.Random) -> Path:
    return chance.choice(sorted(path for path in (folder / "evidence").rglob(pattern) if path.stat().st_size))


def a_changed_byte(folder: Path, chance: random.Random) -> str:
    path = evidence_of(folder, "*.*", chance)
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(bytes(content))
    return f"{path.relative_to(folder)} was changed"


def a_cut_file(folder: Path, chance: random.Random) -> str:
    path = evidence_of(folder, "*.*", chance)
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])
    return f"{path.relative_to(folder)} was changed"


def a_removed_file(folder: Path, chance: random.Random) -> str:
    path = evidence_of(folder, "*.*", chance)
    path.unlink()
    return f"{path.relative_to(folder)} is missing"


def an_added_file(folder: Path, chance: random.Random) -> str:
    path = evidence_of(folder, "*.json", chance).with_name(f"recovery-{chance.randrange(10**9)}.json")
    path.write_text("{}")
    return f"{path.relative_to(folder)} was added"


def a_manifest_made_anew(folder: Path, chance: random.Random) -> str:
    path = evidence_of(folder, "manifest.json", chance)
    told = json.loads(path.read_text())
    name = chance.choice(sorted(told["files"]))
    changed = path.with_name(name)
    changed.write_bytes(b"{}")
    told["files"][name] = {"sha256": hashlib.sha256(b"{}").hexdigest(), "bytes": 2}
    path.write_text(json.dumps(told, sort_keys=True, indent=1))
    return "was changed"


EDITS: list[Edit] = [
    a_changed_figure, a_removed_line, swapped_lines, a_repeated_line, a_rehashed_line, other_bytes_that_say_the_same,
    a_file_cut_within_a_line, a_changed_byte, a_cut_file, a_removed_file, an_added_file, a_manifest_made_anew,
]  # fmt: skip
TIMES = 20


def test_what_was_not_touched_is_proved(copied: Path) -> None:
    for name in ("ledger.jsonl", "ledger.dossier.html"):
        code, said = asked(copied / name)
        assert code == 0, said
        assert "not beyond" in said
        assert "The evidence is whole" in said
    assert "byte for byte, what its ledger makes" in said


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_each_random_edit_is_found_and_its_place_named_first(edit: Edit, trail: Path, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    for number in range(TIMES):
        folder = Path(shutil.copytree(trail, tmp_path / str(number)))
        place = edit(folder, chance)
        code, said = asked(folder / "ledger.jsonl")
        assert code == 1, f"{edit.__name__} {number}: {said}"
        assert place in said.splitlines()[0 if said.startswith("NOT") else 1], f"{place}: {said}"
        shutil.rmtree(folder)


def test_a_chain_that_was_written_anew_as_a_whole_is_found_by_the_head_alone(copied: Path) -> None:
    content = (copied / "ledger.jsonl").read_bytes()
    lines, head = head_of(content)
    prev, anew = START, []
    for line in lines_of(content):
        again = chained(line | {"who": "eve@ops"} if line["kind"] == "run" else line, prev)
        prev = again["sha"]
        anew.append(text_of(again) + "\n")
    written(copied, anew)
    assert asked(copied / "ledger.jsonl", "--no-evidence")[0] == 0
    code, said = asked(copied / "ledger.jsonl", "--head", head)
    assert code == 1
    assert f"No line of ledger.jsonl has the hash {head}: its {lines:,} lines are a chain, but another one." in said


def test_lines_cut_from_the_end_are_found_by_the_head_and_said_to_be_unproved_without(copied: Path) -> None:
    content = (copied / "ledger.jsonl").read_bytes()
    _, head = head_of(content)
    whole = ledger_of(copied)
    for cut in (1, 2, len(whole) // 2, len(whole) - 1):
        written(copied, whole[:-cut])
        code, said = asked(copied / "ledger.jsonl", "--no-evidence")
        assert (code, f"proved up to line {len(whole) - cut}, not beyond" in said) == (0, True)
        assert asked(copied / "ledger.jsonl", "--no-evidence", "--head", head[:12])[0] == 1


def test_a_head_of_an_earlier_line_proves_up_to_it_and_says_what_comes_after(copied: Path) -> None:
    lines = lines_of((copied / "ledger.jsonl").read_bytes())
    code, said = asked(copied / "ledger.jsonl", "--head", lines[4]["sha"])
    assert code == 0
    assert "line 5 is the one whose hash was kept elsewhere" in said
    assert f"The {len(lines) - 5:,} lines after it are proved by the chain alone." in said


def test_each_change_of_a_dossier_is_found_in_its_page_and_in_its_data(copied: Path) -> None:
    path, chance = copied / "ledger.dossier.html", random.Random(SEED)
    page = path.read_text()
    data = re.search(r'id="ledger">([^<]*)<', page)
    assert data
    figures = [found.start() for found in re.finditer(r"(?<=>)\d", page) if found.start() < data.start()]
    for place in chance.sample(figures, TIMES):
        path.write_text(page[:place] + str((int(page[place]) + 1) % 10) + page[place + 1 :])
        code, said = asked(path)
        line = page.count("\n", 0, place) + 1
        assert (code, f"line {line:,} of ledger.dossier.html is not what its ledger makes" in said) == (1, True), said
    for _ in range(TIMES):
        place = chance.randrange(data.start(1), data.end(1))
        other = chance.choice([c for c in "ABCxyz019" if c != page[place]])
        path.write_text(page[:place] + other + page[place + 1 :])
        assert asked(path)[0] in (1, 4)
    for cut in chance.sample(range(len(page)), TIMES):
        path.write_text(page[:cut])
        assert asked(path)[0] in (1, 4)


def test_a_dossier_of_another_ledger_is_found_by_the_head(copied: Path) -> None:
    path = copied / "ledger.dossier.html"
    _, head = head_of((copied / "ledger.jsonl").read_bytes())
    written(copied, ledger_of(copied)[:-3])
    bundle.write_dossier(Ledger(copied / "ledger.jsonl"))
    assert asked(path, "--no-evidence")[0] == 0
    assert asked(path, "--no-evidence", "--head", head)[0] == 1


def test_a_dossier_whose_ledger_another_zlib_packed_is_as_good(copied: Path) -> None:
    path = copied / "ledger.dossier.html"
    packed = b64encode(gzip.compress((copied / "ledger.jsonl").read_bytes(), 1, mtime=0)).decode()
    page = path.read_text()
    path.write_text(re.sub(r'(id="ledger">)[^<]*', lambda found: found[1] + packed, page))
    assert path.read_text() != page
    assert asked(path)[0] == 0


def test_evidence_that_is_not_there_is_said_to_be_unseen(copied: Path) -> None:
    shutil.rmtree(copied / "evidence")
    code, said = asked(copied / "ledger.dossier.html")
    assert (code, "the files of its answers were not looked at" in said) == (0, True)
    assert asked(copied / "ledger.jsonl")[0] == 1


def test_a_line_that_calls_the_ledger_redacted_hides_no_change(copied: Path) -> None:
    content = (copied / "ledger.jsonl").read_bytes()
    last = lines_of(content)[-1]
    evidence_of(copied, "*.json", random.Random(SEED)).write_text("{}")
    line = {"v": 1, "seq": last["seq"] + 1, "time": last["time"], "kind": "redacted", "of": last["sha"], "lines": 1}
    written(copied, [*ledger_of(copied), text_of(chained(line, last["sha"])) + "\n"])
    assert asked(copied / "ledger.jsonl", "--head", last["sha"])[0] == 1


def test_a_redacted_dossier_is_proved_by_itself_and_says_what_only_the_ledger_proves(copied: Path) -> None:
    _, head = head_of((copied / "ledger.jsonl").read_bytes())
    out = copied / "redacted.html"
    assert report.main([str(copied / "ledger.jsonl"), "--redact-host", "--out", str(out)]) == 0
    code, said = asked(out, "--head", head)
    assert code == 0, said
    assert "It says that it is a redacted copy of the ledger with this head" in said


def test_files_of_a_run_that_was_killed_are_told_and_are_no_tampering(copied: Path) -> None:
    whole = ledger_of(copied)
    written(copied, whole[: next(n for n, line in enumerate(whole) if '"kind": "manifest"' in line)])
    code, said = asked(copied / "ledger.jsonl")
    assert code == 0, said
    assert "files are of runs that did not end" in said


@pytest.mark.parametrize("line", ['{"kind": "manifest", "run": "x"}', '{"kind": "evidence", "answers": 7}', "{}"])
def test_a_whole_chain_of_lines_that_tell_nothing_is_not_proved(tmp_path: Path, line: str) -> None:
    told = {"v": 1, "seq": 0, **json.loads(line)}
    (tmp_path / "x").write_text(text_of(chained(told, START)) + "\n")
    (tmp_path / "evidence").mkdir()
    code, said = asked(tmp_path / "x")
    assert (code, "does not tell a recovery" in said) == (1, True), said


def test_a_page_made_by_other_versions_is_said_to_be_so_and_not_proved(copied: Path) -> None:
    path = copied / "ledger.dossier.html"
    path.write_text(re.sub(r"jinja2 [\d.]+", "jinja2 0.1", path.read_text()))
    code, said = asked(path)
    assert code == 1
    assert "was made by clickhouse-recovery" in said
    assert "jinja2 0.1" in said


@pytest.mark.parametrize(
    ("content", "because"),
    [
        (b"<!DOCTYPE html><p>x</p>", "carries 0 ledgers"),
        (b'<!DOCTYPE html><script type="application/gzip" id="ledger">!!</script>', "cannot be unpacked"),
        (b'<!DOCTYPE html><script type="application/gzip" id="ledger">' + b64encode(gzip.compress(b"x")[:-2]) + b"</script>",
         "does not end where it should"),
        (b"something", "neither a dossier nor a ledger"),
    ],
    ids=["no ledger", "no base64", "cut", "no file of ours"],
)  # fmt: skip
def test_what_can_not_be_proved_at_all_is_refused_in_a_sentence(tmp_path: Path, content: bytes, because: str) -> None:
    (tmp_path / "x").write_bytes(content)
    code, said = asked(tmp_path / "x")
    assert (code, because in said) == (4, True), said
    assert said.count("\n") == 1


def test_a_head_that_is_no_hash_and_a_file_that_is_not_there_are_refused(tmp_path: Path) -> None:
    assert asked(tmp_path / "nosuch")[0] == 4
    (tmp_path / "x").write_text("{}\n")
    for head in ("abc", "xyz" * 6, "a" * 65):
        code, said = asked(tmp_path / "x", "--head", head)
        assert (code, "is no hash" in said) == (4, True)
