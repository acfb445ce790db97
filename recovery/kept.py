"""Kept: what is kept of a run beside the ledger, in evidence/<run>/: each answer as JSON and as Parquet, and a manifest.

The ledger holds the SHA-256 of each file, so that a changed one shows.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tempfile
from array import array
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from recovery.ledger import Ledger, Line
from recovery.warehouse import Answer

FOLDER = "evidence"
MANIFEST = "manifest.json"
PART = ".part-"  # how a file begins that is not whole yet


def folder_of(ledger: Ledger, run: str) -> Path:
    """Where what is kept of a run lies, whether or not it is there."""
    return ledger.path.parent / FOLDER / run


class Kept:
    """An answer is written once, whole and masked; what was written is not written again."""

    def __init__(self, folder: Path, limit: int, mask: Callable[[Any], Any] = lambda value: value) -> None:
        """`limit` is how many rows of an answer are kept; `mask` takes secrets out of a value."""
        self.folder, self.limit, self.mask = folder, limit, mask
        self._written: dict[str, dict[str, str]] = {}

    def keep(self, answer: Answer) -> dict[str, str]:
        """Write an answer; returns the SHA-256 of its `json` and of its `parquet`. Raises OSError where it cannot be written."""
        if answer.query_id not in self._written:
            rows = self.mask(answer.rows[: self.limit])
            told = self.mask(
                {
                    "statement": answer.statement, "sql": answer.sql, "parameters": answer.parameters,
                    "query_id": answer.query_id, "server": answer.server, "started": answer.started,
                }
            )  # fmt: skip
            text = json.dumps(
                {**told, "rows": rows, "of": len(answer.rows)}, ensure_ascii=False, sort_keys=True, default=str
            )
            name = file_name(answer.query_id)
            self._written[answer.query_id] = {
                "json": self._write(f"{name}.json", (text + "\n").encode("utf-8", "backslashreplace")),
                "parquet": self._write(f"{name}.parquet", _parquet(rows)),
            }
        return self._written[answer.query_id]

    def _write(self, name: str, content: bytes) -> str:
        write_whole(self.folder / name, content)
        return hashlib.sha256(content).hexdigest()


def file_name(query_id: str) -> str:
    """A query id as the name of a file."""
    return re.sub(r"[^\w.-]", "_", query_id)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=PART, delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            os.unlink(file.name)
            raise
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def _parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows as Parquet; a column whose values are of several kinds as JSON text."""
    import pyarrow as pa  # only where answers are kept
    import pyarrow.parquet as pq

    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: _column([row.get(name) for row in rows]) for name in names}
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def _column(values: list[Any]) -> Any:
    """The values as pyarrow has them. It is given numbers and texts as they lie in memory: of a list it would import pandas."""
    import pyarrow as pa

    kinds = {type(value) for value in values}
    try:
        if kinds == {int} or kinds == {float}:
            code, kind = ("q", pa.int64()) if kinds == {int} else ("d", pa.float64())
            return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(array(code, values))])
        if kinds == {str}:
            texts = [value.encode() for value in values]
            ends = array("i", accumulate(map(len, texts), initial=0))
            return pa.Array.from_buffers(
                pa.string(), len(values), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(texts))]
            )
        return pa.array(values)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        texts = [None if value is None else json.dumps(value, ensure_ascii=False, default=str) for value in values]
        return pa.array([text and text.encode("utf-8", "backslashreplace").decode() for text in texts])


def finish(ledger: Ledger, run: str) -> Line | None:
    """List all that is kept of a run in its manifest, and the manifest in the ledger; None where nothing is kept. Raises OSError
    where the manifest cannot be written."""
    folder = folder_of(ledger, run)
    files: dict[str, dict[str, Any]] = {
        file.relative_to(folder).as_posix(): {"sha256": sha256_of(file), "bytes": file.stat().st_size}
        for file in (sorted(folder.rglob("*")) if folder.is_dir() else ())
        if file.is_file() and file.name != MANIFEST and not file.name.startswith(PART)
    }
    if not files:
        return None
    text = json.dumps({"run": run, "files": files}, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
    write_whole(folder / MANIFEST, text.encode())
    size = sum(file["bytes"] for file in files.values())
    sha = hashlib.sha256(text.encode()).hexdigest()
    return ledger.append("manifest", run=run, files=len(files), bytes=size, sha256=sha)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, however large."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
