"""Matched: what was matched once for the same rows and the same right rows is not matched again.

To lay a table that does not agree beside its source takes minutes, and preflight, the phases, the plan and the action each ask
for it in a process of their own. What comes of it depends on the rows of both alone, and sums of their hashes tell whether they
are the same. It is kept in a folder beside the ledger. Remove the folder, and it is matched anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recovery import statements
from recovery.kept import write_whole
from recovery.ledger import Ledger
from recovery.warehouse import Answer, Warehouse

FOLDER = "matched"
FILES = 20  # that are kept, the newest
TEXTS = (
    "census_table",
    "census_right",
    "census_matched",
    "identities",
    "has_a_right_row",
)  # what an answer follows from


def folder_of(ledger: Ledger) -> Path:
    """Where it is kept what was matched."""
    return ledger.path.parent / FOLDER


def once(warehouse: Warehouse, known: Any, match: Callable[[], Answer]) -> Answer:
    """What was answered for what is `known` of the rows, on this server and by these texts; else what `match` answers now.
    A file that is not whole is not believed, and a folder that cannot be written costs time only."""
    if warehouse.matched is None:
        return match()
    key = _hash([known, warehouse.words, *map(statements.text, TEXTS), warehouse.installation])
    path = warehouse.matched / f"{key}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        told = json.loads(path.read_text("utf-8"))
        if told["sha256"] == _hash([key, told["answer"]]):
            return Answer(**told["answer"])
    answer = match()
    told = json.loads(json.dumps(asdict(answer), default=str))
    with suppress(OSError):
        write_whole(path, json.dumps({"sha256": _hash([key, told]), "answer": told}).encode())
        for old in sorted(warehouse.matched.glob("*.json"), key=lambda each: each.stat().st_mtime)[:-FILES]:
            old.unlink(missing_ok=True)
    return answer


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
