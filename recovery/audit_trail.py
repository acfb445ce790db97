"""Audit trail: proves that a ledger, a dossier and the evidence beside them are as they were written, or says what is not.

A chain proves that no line before its end was changed, left out or reordered. That lines were cut off its end, or that it was
written anew as a whole, shows only against a head that was kept elsewhere, or the mirror on the server.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recovery import kept, ledger
from recovery.errors import UsageError
from recovery.ledger import Line

EMBEDDED = re.compile(rb'<script type="application/gzip" id="ledger">([^<]*)</script>')
GENERATOR = re.compile(r'<meta name="generator" content="([^"]*)">')
LARGEST = 2**32  # bytes of an embedded ledger; more is no ledger


@dataclass(frozen=True)
class Proof:
    """What was proved, a sentence each, and what was not, the first place first; all is proved where there is no fault."""

    proved: tuple[str, ...]
    faults: tuple[str, ...]


def of_ledger(content: bytes, name: str, evidence: Path | None, head: str = "") -> Proof:
    """Prove a ledger's content, and the evidence in the folder `evidence` unless that is None. `head` is the beginning of the
    SHA-256 of a line, kept elsewhere."""
    lines = ledger.lines_of(content)
    fault = ledger.fault_of(content, name)
    if fault is None and content and not content.endswith(b"\n"):
        fault = f"line {len(lines) + 1} of {name} is cut off"
    if fault is None and not lines:
        fault = f"{name} has no line"
    if fault:
        return Proof((), (f"{fault}.",))
    proved, faults = _by_head(lines, name, head)
    if evidence is not None:
        try:
            wrong = list(_of_evidence(lines, evidence))
            files = sum(line["files"] for line in lines if line["kind"] == "manifest")
            runs = len(_runs(lines))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return Proof(tuple(proved), (*faults, f"{name} does not tell a recovery of this suite: {error!r}."))
        faults += wrong
        if not wrong:
            proved.append(f"The evidence is whole: {files:,} files of {runs:,} runs are as the ledger says.")
    return Proof(tuple(proved), tuple(faults))


def _by_head(lines: Sequence[Line], name: str, head: str) -> tuple[list[str], list[str]]:
    total = len(lines)
    if not head:
        return [
            f"The chain of {name} is whole: proved up to line {total:,}, not beyond. Lines that were cut off the end do not show "
            f"without --head, or the server's mirror (python -m scripts.ledger status). Its head: {lines[-1]['sha']}"
        ], []
    at = next((number for number, line in enumerate(lines, 1) if str(line["sha"]).startswith(head)), None)
    if at is None:
        return [], [
            f"No line of {name} has the hash {head}: its {total:,} lines are a chain, but another one. It was written anew, or "
            "cut off before that line."
        ]
    after = f" The {total - at:,} lines after it are proved by the chain alone." if at < total else ""
    return [f"The chain of {name} is whole, and line {at:,} is the one whose hash was kept elsewhere.{after}"], []


def _runs(lines: Sequence[Line]) -> list[str]:
    return list(dict.fromkeys(line["run"] for line in lines if line["kind"] in ("run", "exported", "manifest")))


def _of_evidence(lines: Sequence[Line], folder: Path) -> Iterator[str]:
    """What is not as the ledger says, in the order of its lines; then what the ledger does not know."""
    told: set[str] = set()
    for number, line in enumerate(lines, 1):
        for name, sha in _vouched(line):
            if name not in told:
                told.add(name)
                if fault := _fault(folder / name, sha):
                    yield f"{kept.FOLDER}/{name} {fault}; line {number:,} of the ledger vouches for it."
        if line["kind"] == "manifest":
            yield from _of_manifest(line, number, folder, told)
    ended = {line["run"] for line in lines if line["kind"] == "manifest"}
    for name in dict.fromkeys(Path(name).parts[0] for name in [*sorted(told), *(f"{run}/" for run in _runs(lines))]):
        place = folder / name
        for file in sorted(place.rglob("*")) if place.is_dir() else ():
            within = file.relative_to(folder).as_posix()
            if file.is_file() and within not in told and not file.name.startswith(kept.PART):
                cut_off = "" if name in ended else ", whose run did not end"
                yield f"{kept.FOLDER}/{within} was added: no line of the ledger vouches for it{cut_off}."


def _vouched(line: Line) -> Iterator[tuple[str, str]]:
    """The files that a line has the hash of, by their place in the folder."""
    answers = line.get("answers", []) + ([line["sample"]] if line.get("sample") else [])
    for answer in answers:
        for form, sha in answer.get("kept", {}).items():
            yield f"{line['run']}/{kept.file_name(answer['query_id'])}.{form}", sha
    for name, sha in line.get("found", {}).get("sha256", {}).items():  # files of a service's answers
        if name.startswith(f"{kept.FOLDER}/"):
            yield name.removeprefix(f"{kept.FOLDER}/"), sha
    if line["kind"] == "exported":
        yield line["file"], line["sha256"]


def _of_manifest(line: Line, number: int, folder: Path, told: set[str]) -> Iterator[str]:
    name = f"{line['run']}/{kept.MANIFEST}"
    told.add(name)
    if fault := _fault(folder / name, line["sha256"]):
        yield f"{kept.FOLDER}/{name} {fault}; line {number:,} of the ledger vouches for it."
        return
    for file, facts in json.loads((folder / name).read_bytes())["files"].items():
        within = f"{line['run']}/{file}"
        if within not in told:
            told.add(within)
            if fault := _fault(folder / within, facts["sha256"]):
                yield f"{kept.FOLDER}/{within} {fault}; the manifest that line {number:,} of the ledger vouches for lists it."


def _fault(path: Path, sha: str) -> str:
    """Why a file is not the one with this hash; empty where it is."""
    try:
        if not path.is_file():
            return "is missing"
        return "" if kept.sha256_of(path) == sha else "was changed"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def of_dossier(page: bytes, name: str, render: Callable[[bytes], str], evidence: Path | None, head: str = "") -> Proof:
    """Prove a dossier: the ledger that it carries, and that the page is what this ledger makes."""
    content = carried(page, name)
    proof = of_ledger(content, f"the ledger in {name}", evidence, head)
    if proof.faults and not proof.proved:
        return proof
    made = render(content)
    if made.encode() == page:
        return Proof((*proof.proved, f"{name} is, byte for byte, what its ledger makes."), proof.faults)
    return Proof(proof.proved, (*proof.faults, _difference(page, made, name)))


def carried(page: bytes, name: str) -> bytes:
    """The ledger in a dossier. Raises UsageError where there is none to be read."""
    found = EMBEDDED.findall(page)
    if len(found) != 1:
        raise UsageError(
            f"{name} carries {len(found)} ledgers where one is expected: it is no dossier, or it is cut off."
        )
    try:
        unpack = zlib.decompressobj(wbits=31)
        content = unpack.decompress(base64.b64decode(found[0], validate=True), LARGEST)
        if not unpack.eof or unpack.unused_data:
            raise ValueError("it does not end where it should")
        return content
    except (ValueError, binascii.Error, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(
            f"The ledger in {name} cannot be unpacked: {error}. The page was changed or cut off."
        ) from None


def _difference(page: bytes, made: str, name: str) -> str:
    """The first place in which a page is not what its ledger makes."""
    theirs, ours = (GENERATOR.search(text) for text in (page.decode("utf-8", "replace"), made))
    if theirs and ours and theirs[1] != ours[1]:
        return (
            f"{name} was made by {theirs[1]}, and this is {ours[1]}, so the page cannot be compared with its ledger here. "
            "Verify it with those versions."
        )
    for number, (there, here) in enumerate(zip(page.split(b"\n"), made.encode().split(b"\n"), strict=False), 1):
        if there != here:
            return f"line {number:,} of {name} is not what its ledger makes: {_shown(there)} stands where {_shown(here)} belongs."
    return f"{name} is longer or shorter than what its ledger makes."


def _shown(line: bytes) -> str:
    text: Any = line.decode("utf-8", "replace").strip()
    return repr(text if len(text) <= 100 else text[:97] + "...")
