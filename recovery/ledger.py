"""Ledger: ledger/<incident>.jsonl, the append-only record of what was asked, found and done.

One JSON object a line (format version 1). Every line has `v`, `seq` (from 0), `time` (UTC), `kind`, `prev` (the `sha`
of the line before) and `sha` (SHA-256 of the line without it); the rest depends on the kind:

- `incident`: the incident file and the statements beside it as they were read, once per digest: digest, name, file (TOML),
  statements
- `run`: a run began: run, phases, mode (ask, execute), now, incident, title, table, window, digest, installation, server, who,
  and what it ran on: version (of the server), zone (of the server), suite, commit, python, driver
- `evidence`: one check's evidence (see evidence.py) with run and outcome; each of its answers with the SHA-256 of the file
  that keeps it
- `figures`: what the data was when a phase ended: run, phase, now, and figures of the table, its days, the positions, the boards
- `finished`: a phase of a run ended: run, phase, verdict, dry (its plan was only shown), rows, written, seconds, report,
  problems (what kept it from its end: code, sentence, reasons)
- `manifest`: what is kept of a run, in evidence/<run>/: run, files, bytes, sha256 (of its manifest.json)
- `plan`: an action's plan that was shown
- `started`, `unit`, `done`, `failed`: an action with its plan, its units, its fingerprints before and after
- `exported`: rows that are about to be removed were written to a file: run, action, file, rows, bytes, sha256
- `snapshot`: a copy of partitions was taken; `restoring`, `restored`: the window is brought back from one;
  `dropped`: one was given up
- `override`: a closed gate was passed by hand: who, why, what was missing
- `tick`, `note`: what only a person can say: who, item (of the checklist), means (its text), undone, text; who, text, learning
- `announced`: a message to the team: run, what, did (posted, pinned, edited, replied, unpinned, sent), channel, ts, error
- `repaired`: a torn last line was cut off

It is a file because it must be writable when ClickHouse is down and must not be rewound by a restore.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from recovery import interrupts
from recovery.errors import RecoveryError

VERSION = 1
START = "0" * 64
Line = dict[str, Any]


class LedgerError(RecoveryError):
    """The ledger cannot be read or written."""


class Ledger:
    """A line in the ledger is never changed; a line that was changed shows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.listeners: list[Callable[[Line], None]] = []  # told each line once it is written
        self._read: tuple[bytes, list[Line | None]] = b"", []
        self._told: tuple[tuple[int, int, int] | None, list[Line]] = None, []
        self._sound = b"", 0, START
        self._lock = FileLock(f"{path}.lock")

    def append(self, kind: str, **facts: Any) -> Line:
        """Add one line, synced to disk before this returns. A Ctrl-C meanwhile takes effect after it."""
        with interrupts.uninterrupted():
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self._lock:
                    torn = self._cut_torn_line()
                    if torn:
                        self._write("repaired", {"bytes": torn})
                    line = self._write(kind, facts)
            except OSError as error:
                raise LedgerError(f"The ledger {self.path} cannot be written: {error}. Nothing was done.") from None
        for listener in self.listeners:
            listener(line)
        return line

    def lines(self) -> list[Line]:
        """All whole lines, oldest first, whether or not the chain holds: ask `fault` for that. They are not to be changed:
        who asks again gets the same ones."""
        stamp = self._stamp()
        if stamp is None or stamp != self._told[0]:
            self._told = stamp, [line for line in self._parsed(self._content()) if line is not None]
        return list(self._told[1])

    def _stamp(self) -> tuple[int, int, int] | None:
        """What a write to the file changes: the file itself, its size, its time."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns

    def fault(self) -> str | None:
        """What breaks the chain, in a sentence, or None. A torn last line breaks nothing."""
        return self._fault(self._content(), str(self.path))

    def read(self, name: str) -> tuple[bytes, list[Line], str | None]:
        """The content, its whole lines, and what breaks its chain in a sentence about `name`, all of one moment."""
        content = self._content()
        return content, [line for line in self._parsed(content) if line is not None], self._fault(content, name)

    def _parsed(self, content: bytes) -> list[Line | None]:
        """Each whole line, None where it is not readable. What was parsed before is not parsed again, as long as the content
        begins with the same bytes."""
        read, lines = self._read
        if not content.startswith(read):
            read, lines = b"", []
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) > len(read):
            lines = lines + [_line_of(raw) for raw in _raw(whole[len(read) :])]
            self._read = whole, lines
        return lines

    def _fault(self, content: bytes, name: str) -> str | None:
        """As `fault_of`; what was found sound before is not looked at again as long as the content begins with the same bytes."""
        sound, seq, sha = self._sound
        if not content.startswith(sound):
            sound, seq, sha = b"", 0, START
        lines = self._parsed(content)[seq:]
        fault, seq, sha = _followed(zip(lines, _raw(content[len(sound) :]), strict=True), name, seq, sha)
        if fault is None:
            self._sound = content[: content.rfind(b"\n") + 1], seq, sha
        return fault

    def _content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise LedgerError(f"The ledger {self.path} cannot be read: {error}.") from None

    def _cut_torn_line(self) -> int:
        """Cut off a last line without an ending, left by a writer that was killed; returns its bytes."""
        if not self.path.exists() or not (size := self.path.stat().st_size):
            return 0
        with self.path.open("rb") as file:
            begins = file.read(1)
            file.seek(size - 1)
            whole = file.read(1) == b"\n"
        if begins != b"{":
            raise LedgerError(
                f"{self.path} holds something else than a ledger; give another file. Nothing was written."
            )
        if whole:
            return 0
        torn = size - (self.path.read_bytes().rfind(b"\n") + 1)
        with self.path.open("r+b") as file:
            file.truncate(size - torn)
            os.fsync(file.fileno())
        return torn

    def _last_line(self) -> Line | None:
        """The last line, read from the end of the file; raises LedgerError where it is not readable."""
        if not self.path.exists() or not self.path.stat().st_size:
            return None
        with self.path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            tail, start = b"", end
            while start and b"\n" not in tail[:-1]:
                start = max(0, start - 65536)
                file.seek(start)
                tail = file.read(end - start)
        try:
            line: Line = json.loads(tail.removesuffix(b"\n").rpartition(b"\n")[2])
            line["seq"], line["sha"]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise LedgerError(
                f"The last line of the ledger {self.path} is not readable; keep the file and restore it."
            ) from None
        return line

    def _write(self, kind: str, facts: Line) -> Line:
        last = self._last_line()
        line: Line = {
            "v": VERSION,
            "seq": last["seq"] + 1 if last else 0,
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "kind": kind,
            "prev": last["sha"] if last else START,
            **facts,
        }
        line["sha"] = _sha(line)
        fresh = not self.path.exists()
        with self.path.open("ab") as file:
            file.write(_bytes(text_of(line)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if fresh:
            folder = os.open(self.path.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
        return line


def lines_of(content: bytes) -> list[Line]:
    """All whole lines of a ledger's content, oldest first, whether or not its chain holds."""
    return [line for line in map(_line_of, _raw(content)) if line is not None]


def fault_of(content: bytes, name: str) -> str | None:
    """What breaks the chain of a ledger's content, in a sentence about `name`, or None. A torn last line breaks nothing; a line
    that says the same in other bytes does."""
    return _followed(((_line_of(raw), raw) for raw in _raw(content)), name, 0, START)[0]


def _followed(
    lines: Iterable[tuple[Line | None, bytes]], name: str, seq: int, previous: str
) -> tuple[str | None, int, str]:
    """What breaks the chain of whole lines, each with its bytes, that follow `seq` others, the last of which has the SHA-256
    `previous`; and the same two of the last line that holds."""
    for line, raw in lines:
        where = f"line {seq + 1} of {name}"
        if line is None:
            return f"{where} is not readable", seq, previous
        claimed = line.get("sha")
        body, text = _texts(line)
        if claimed != hashlib.sha256(_bytes(body)).hexdigest() or raw != _bytes(text):
            return f"{where} was changed after it was written", seq, previous
        if line.get("prev") != previous or line.get("seq") != seq:
            return f"{where} does not follow the line before it", seq, previous
        if line.get("v") != VERSION:
            return f"{where} has format version {line.get('v')}, this tool knows {VERSION}", seq, previous
        previous, seq = str(claimed), seq + 1
    return None, seq, previous


def chained(line: Line, prev: str) -> Line:
    """The line as the one that follows a line with the SHA-256 `prev`."""
    body = {key: value for key, value in line.items() if key != "sha"} | {"prev": prev}
    return body | {"sha": _sha(body)}


def _raw(content: bytes) -> list[bytes]:
    """The bytes of each whole line, without its ending."""
    return content.split(b"\n")[:-1]


def _line_of(raw: bytes) -> Line | None:
    """A line of its bytes, None where they are not a JSON object."""
    try:
        line = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) else None


def _texts(line: Line) -> tuple[str, str]:
    """A line without its sha, and with it, as the file has it: of long lines both at the price of one, for what stands behind
    the sha is short."""
    body = text_of({key: value for key, value in line.items() if key != "sha"})
    behind = {key: value for key, value in line.items() if key > "sha"}
    if "sha" not in line or not behind:
        return body, text_of(line)
    end = text_of(behind)[1:]
    return body, f'{body.removesuffix(end)}"sha": {json.dumps(line["sha"], ensure_ascii=False)}, {end}'


def head_of(content: bytes) -> tuple[int, str]:
    """How many whole lines a ledger has, and the SHA-256 of the last one: the head, to be kept elsewhere."""
    lines = lines_of(content)
    return len(lines), str(lines[-1]["sha"]) if lines else START


def text_of(line: Line) -> str:
    """A line as the file has it."""
    return json.dumps(line, ensure_ascii=False, sort_keys=True)


def _sha(line: Line) -> str:
    return hashlib.sha256(_bytes(text_of(line))).hexdigest()


def _bytes(text: str) -> bytes:
    """UTF-8 in which a lone surrogate, as an odd argument or file name has it, is kept, as json.loads reads it."""
    return text.encode("utf-8", "surrogatepass")
