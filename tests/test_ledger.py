"""The ledger keeps what was appended, in order, and shows whatever was done to it afterwards."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from recovery.ledger import START, VERSION, Ledger, LedgerError


def independent_sha(text: str) -> str:
    """The hash of a line as the ledger's format says: of its JSON, keys in order, without the hash itself."""
    body = {key: value for key, value in json.loads(text).items() if key != "sha"}
    return sha256(json.dumps(body, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger" / "incident.jsonl")


@pytest.fixture
def five(ledger: Ledger) -> Ledger:
    for number in range(5):
        ledger.append("note", number=number, text=f"Zeile {number}: größer als 1,000 …")
    assert ledger.fault() is None
    return ledger


def texts(ledger: Ledger) -> list[str]:
    return ledger.path.read_text("utf-8").splitlines()


def put(ledger: Ledger, lines: list[str]) -> None:
    ledger.path.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def test_a_ledger_that_was_never_written_is_whole_and_empty(ledger: Ledger) -> None:
    assert ledger.lines() == []
    assert ledger.fault() is None
    assert not ledger.path.exists()


def test_what_was_appended_is_read_in_order(five: Ledger) -> None:
    lines = five.lines()
    assert [line["number"] for line in lines] == [0, 1, 2, 3, 4]
    assert [line["seq"] for line in lines] == [0, 1, 2, 3, 4]
    assert {line["v"] for line in lines} == {VERSION}
    assert {line["kind"] for line in lines} == {"note"}
    assert lines[1]["text"] == "Zeile 1: größer als 1,000 …"


def test_append_returns_the_line_that_it_wrote(ledger: Ledger) -> None:
    line = ledger.append("note", values=[1, 2.5, "x", None, True, {"a": []}])
    assert ledger.lines() == [line]


def test_a_ledger_is_read_by_another_object_and_continued(five: Ledger) -> None:
    Ledger(five.path).append("note", number=5)
    assert [line["number"] for line in five.lines()] == [0, 1, 2, 3, 4, 5]
    assert five.fault() is None


def test_what_another_hand_changes_shows_in_a_ledger_that_was_read_before(five: Ledger) -> None:
    before, whole = texts(five), five.lines()
    put(five, [before[0], before[1].replace("Zeile 1", "Zeile 7"), *before[2:]])
    assert five.lines()[1]["text"].startswith("Zeile 7")
    assert five.fault() == f"line 2 of {five.path} was changed after it was written"
    put(five, before[:3])
    assert (five.lines(), five.fault()) == (whole[:3], None)
    with five.path.open("a") as file:
        file.write(before[4] + "\n" + before[3][:9])
    assert (five.lines(), five.fault()) == (
        [*whole[:3], whole[4]],
        f"line 4 of {five.path} does not follow the line before it",
    )
    put(five, before)
    assert (five.lines(), five.fault()) == (whole, None)


def test_who_changes_the_list_of_lines_changes_it_for_nobody_else(five: Ledger) -> None:
    five.lines().clear()
    assert len(five.lines()) == 5


def test_each_hash_is_that_of_the_text_and_each_line_has_the_hash_before_it(five: Ledger) -> None:
    lines = [json.loads(text) for text in texts(five)]
    assert [line["sha"] for line in lines] == [independent_sha(text) for text in texts(five)]
    assert [line["prev"] for line in lines] == [START, *(line["sha"] for line in lines[:-1])]


def test_text_that_no_file_should_have_still_makes_a_whole_chain(ledger: Ledger) -> None:
    ledger.append("override", reason="a\r\nb\u2028c\x00\udcffd")
    ledger.append("note", deep=[[[[[[1]]]]]], number=2**70, part=0.1 + 0.2)
    assert ledger.lines()[0]["reason"] == "a\r\nb\u2028c\x00\udcffd"
    assert ledger.lines()[1]["number"] == 2**70
    assert ledger.fault() is None


def with_value(text: str, key: str, value: Any, *, rehash: bool = False) -> str:
    line = json.loads(text) | {key: value}
    changed = json.dumps(line, ensure_ascii=False, sort_keys=True)
    return (
        json.dumps(line | {"sha": independent_sha(changed)}, sort_keys=True, ensure_ascii=False) if rehash else changed
    )


def without_key(text: str, key: str) -> str:
    line = json.loads(text)
    del line[key]
    return json.dumps(line, sort_keys=True)


CHANGED, UNLINKED, UNREADABLE = (
    "was changed after it was written",
    "does not follow the line before it",
    "is not readable",
)
TAMPERED: dict[str, tuple[Callable[[list[str]], list[str]], int, str]] = {
    "a changed value": (lambda t: [t[0], with_value(t[1], "number", 9), *t[2:]], 2, CHANGED),
    "a changed type": (lambda t: [t[0], with_value(t[1], "number", True), *t[2:]], 2, CHANGED),
    "a changed value with its hash made anew": (
        lambda t: [t[0], with_value(t[1], "number", 9, rehash=True), *t[2:]],
        3,
        UNLINKED,
    ),
    "an added value": (lambda t: [t[0], with_value(t[1], "more", 1), *t[2:]], 2, CHANGED),
    "a changed time": (lambda t: [t[0], with_value(t[1], "time", "2030-01-01T00:00:00+00:00"), *t[2:]], 2, CHANGED),
    "a changed last line": (lambda t: [*t[:4], with_value(t[4], "number", 9)], 5, CHANGED),
    "a changed first line": (lambda t: [with_value(t[0], "number", 9), *t[1:]], 1, CHANGED),
    "a removed line": (lambda t: [*t[:2], *t[3:]], 3, UNLINKED),
    "a removed first line": (lambda t: t[1:], 1, UNLINKED),
    "swapped lines": (lambda t: [t[0], t[2], t[1], *t[3:]], 2, UNLINKED),
    "a repeated line": (lambda t: [*t[:3], *t[2:]], 4, UNLINKED),
    "a repeated last line": (lambda t: [*t, t[4]], 6, UNLINKED),
    "an inserted line with a good hash": (
        lambda t: [t[0], with_value(t[0], "number", 7, rehash=True), *t[1:]],
        2,
        UNLINKED,
    ),
    "an appended line with a good hash": (lambda t: [*t, with_value(t[0], "number", 7, rehash=True)], 6, UNLINKED),
    "another number of the line": (lambda t: [*t[:4], with_value(t[4], "seq", 5, rehash=True)], 5, UNLINKED),
    "a line without its hash": (lambda t: [without_key(t[0], "sha"), *t[1:]], 1, CHANGED),
    "a line without its link": (lambda t: [t[0], without_key(t[1], "prev"), *t[2:]], 2, CHANGED),
    "a line that is not JSON": (lambda t: [t[0], "{", *t[1:]], 2, UNREADABLE),
    "a line that is no object": (lambda t: [t[0], "[]", *t[1:]], 2, UNREADABLE),
    "an empty line": (lambda t: [t[0], "", *t[1:]], 2, UNREADABLE),
    "a line too deep to read": (lambda t: [t[0], "[" * 100_000, *t[1:]], 2, UNREADABLE),
    "other spacing": (lambda t: [t[0], t[1].replace(": ", ":", 1), *t[2:]], 2, CHANGED),
    "a key that is there twice": (lambda t: [t[0], t[1].replace("{", '{"number": 7, ', 1), *t[2:]], 2, CHANGED),
    "a lone surrogate": (lambda t: [t[0], t[1].replace("Zeile", "\\ud800"), *t[2:]], 2, CHANGED),
    "lines joined by a carriage return": (lambda t: [t[0], f"{t[1]}\r{t[2]}", *t[3:]], 2, UNREADABLE),
    "rubbish before a carriage return, to hide what follows": (
        lambda t: [t[0], f"x\r{t[1]}", *t[2:3], with_value(t[3], "number", 9), t[4]],
        2,
        UNREADABLE,
    ),
    "another version of the format": (
        lambda t: [*t[:4], with_value(t[4], "v", 2, rehash=True)],
        5,
        "has format version 2, this tool knows 1",
    ),
}


@pytest.mark.parametrize(("tamper", "number", "how"), TAMPERED.values(), ids=TAMPERED.keys())
def test_tampering_is_seen(tamper: Callable[[list[str]], list[str]], number: int, how: str, five: Ledger) -> None:
    put(five, tamper(texts(five)))
    assert five.fault() == f"line {number} of {five.path} {how}"


@pytest.mark.parametrize("size", [1, 20, -2, -1])
def test_a_torn_last_line_breaks_nothing_and_is_not_read(size: int, five: Ledger) -> None:
    content = five.path.read_bytes()
    last = len(content) - content[:-1].rfind(b"\n") - 1
    five.path.write_bytes(content[: len(content) - last + (size if size > 0 else last + size)])
    assert five.fault() is None
    assert [line["number"] for line in five.lines()] == [0, 1, 2, 3]


def test_the_next_line_cuts_a_torn_one_and_says_so(five: Ledger) -> None:
    with five.path.open("ab") as file:
        file.write(b'{"v": 1, "seq')
    five.append("note", number=5)
    assert five.fault() is None
    assert [(line["seq"], line["kind"]) for line in five.lines()[4:]] == [(4, "note"), (5, "repaired"), (6, "note")]
    assert five.lines()[5]["bytes"] == len(b'{"v": 1, "seq')


def test_a_ledger_of_one_torn_line_begins_anew(ledger: Ledger) -> None:
    ledger.path.parent.mkdir()
    ledger.path.write_bytes(b'{"torn')
    ledger.append("note", number=0)
    assert [(line["seq"], line["kind"], line["prev"]) for line in ledger.lines()] == [
        (0, "repaired", START),
        (1, "note", ledger.lines()[0]["sha"]),
    ]
    assert ledger.fault() is None


def test_nothing_is_appended_after_a_last_line_that_is_not_readable(five: Ledger) -> None:
    put(five, [*texts(five), "rubbish"])
    before = five.path.read_bytes()
    with pytest.raises(LedgerError) as caught:
        five.append("note", number=5)
    assert str(caught.value) == (
        f"The last line of the ledger {five.path} is not readable; keep the file and restore it."
    )
    assert five.path.read_bytes() == before


def test_a_line_longer_than_a_block_is_followed(ledger: Ledger) -> None:
    ledger.append("note", text="x" * 200_000)
    ledger.append("note", text="y" * 70_000)
    ledger.append("note", text="z")
    assert ledger.fault() is None
    assert [len(line["text"]) for line in ledger.lines()] == [200_000, 70_000, 1]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(LedgerError) as caught:
        Ledger(tmp_path / "file" / "incident.jsonl").append("note")
    sentence = str(caught.value)
    assert sentence.startswith(f"The ledger {tmp_path}/file/incident.jsonl cannot be written: ")
    assert sentence.endswith(". Nothing was done.")
    assert "\n" not in sentence


def test_a_folder_in_the_place_of_the_ledger_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"^The ledger .* cannot be written: .*\. Nothing was done\.$"):
        Ledger(tmp_path).append("note")
    with pytest.raises(LedgerError, match=r"^The ledger .* cannot be read: .*\.$"):
        Ledger(tmp_path).lines()


def append_many(path: Path, writer: str, count: int) -> None:
    ledger = Ledger(path)
    for number in range(count):
        ledger.append("note", writer=writer, number=number, text=writer * 5_000)


def test_two_processes_that_append_at_once_never_interleave(tmp_path: Path) -> None:
    path = tmp_path / "incident.jsonl"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=append_many, args=(path, writer, 40)) for writer in ("a", "b")]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0]
    ledger = Ledger(path)
    assert ledger.fault() is None
    written = [(line["writer"], line["number"]) for line in ledger.lines()]
    assert sorted(written) == [(writer, number) for writer in ("a", "b") for number in range(40)]
