"""Reuse: what was answered about the same rows is not asked again, by no command of the incident.

To read a large table takes minutes, and preflight, the phases, the plan and the action each ask for it in a process of their
own. Whether the rows are the same is told by the hashes of the files that hold them, or by sums of the hashes of the rows. What
was answered is kept in a folder beside the ledger. Remove the folder, and all is asked anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from recovery import parts, statements
from recovery.answer import shared
from recovery.kept import write_whole
from recovery.ledger import Ledger
from recovery.warehouse import Answer, Warehouse

FOLDER = "answers"
FILES = 500  # that are kept, the last that were used


def folder_of(ledger: Ledger) -> Path:
    """Where answers are kept."""
    return ledger.path.parent / FOLDER


def once(
    warehouse: Warehouse,
    texts: Sequence[str],
    known: Any,
    ask: Callable[[], Answer],
    holds: Callable[[], bool] = lambda: True,
) -> Answer:
    """What was answered for what is `known` of the rows, on this server and by the statements `texts`; else what `ask` answers
    now, kept if what is known `holds` still. A file that is not whole is not believed, and a folder that cannot be written costs
    time only."""
    if warehouse.answers is None:
        return ask()
    key = _hash([known, warehouse.words, *map(statements.text, texts), warehouse.installation])
    path = warehouse.answers / f"{key}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        told = json.loads(path.read_text("utf-8"))
        if told["sha256"] == _hash([key, told["answer"]]):
            os.utime(path)
            return replace(Answer(**told["answer"]), rows_read=0, bytes_read=0, again=True)
    answer = ask()
    if not holds():
        return answer
    told = json.loads(json.dumps(asdict(answer), default=str))
    with suppress(OSError):
        write_whole(path, json.dumps({"sha256": _hash([key, told]), "answer": told}).encode())
        for old in sorted(warehouse.answers.glob("*.json"), key=lambda each: each.stat().st_mtime)[:-FILES]:
            old.unlink(missing_ok=True)
    return answer


def of_parts(
    warehouse: Warehouse,
    tables: Sequence[str],
    partitions: Sequence[str],
    texts: Sequence[str],
    known: Any,
    ask: Callable[[Warehouse], Answer],
) -> Answer:
    """As `once`, of what follows from these partitions of tables (by name) alone: it is used as long as their parts have the
    same files, also for tables of other names, as a copy by hard links. Asked each time where the first table shows no parts,
    and on a cluster, of which one host's are seen. Within a run it is made once, as any answer."""
    if warehouse.answers is None or warehouse.incident.cluster:
        return ask(warehouse)

    def files() -> list[list[list[str]]]:
        return [parts.in_order(warehouse, table, partitions) for table in tables]

    def make() -> Answer:
        if not (before := files())[0]:
            return ask(warehouse)
        # What is kept was asked after the files were looked at, whatever this run was answered before.
        return once(warehouse, texts, [*about, before], lambda: ask(warehouse.afresh()), lambda: files() == before)

    about = [known, list(partitions), asdict(warehouse.schema)]
    key = _hash(["of_parts", about, list(tables), warehouse.words, list(texts)])
    return warehouse.once(key, lambda: shared(warehouse.shared, key, make))


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
