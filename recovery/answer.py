"""Answer: what a statement answered, and how; shared by the processes of one run through files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock


@dataclass(frozen=True)
class Answer:
    """What a statement answered, and how: times in seconds, sizes in rows and bytes, `started` in UTC (ISO 8601). `again` says
    that it was asked by a command before, and nothing, or not all, was read for it now."""

    statement: str
    sql: str
    parameters: dict[str, Any]
    query_id: str
    server: str
    started: str
    seconds: float
    rows_read: int
    bytes_read: int
    rows: list[dict[str, Any]]
    again: bool = False

    @property
    def first(self) -> dict[str, Any]:
        return self.rows[0]


def shared(folder: Path | None, key: str, ask: Callable[[], Answer]) -> Answer:
    """The answer that another process of the run left in the folder, else what `ask` gives, left there for the others."""
    if folder is None:
        return ask()
    path = folder / f"{key}.json"
    with FileLock(f"{path}.lock"):
        if path.exists():
            return Answer(**json.loads(path.read_text()))
        answer = ask()
        path.write_text(json.dumps(asdict(answer)))
        return answer
