"""Keeping: which rows of the window stay when those that have a right row are taken out, to be written anew."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from recovery import staging
from recovery.statements import Write
from recovery.workplace import Workplace

SHARE_ROWS = 10_000_000  # right rows whose identities one statement holds in memory


def writes(
    place: Workplace,
    table: str,
    worklist: str,
    right: Sequence[tuple[str, Mapping[str, Any]]],
    rows: int,
    values: Mapping[str, Any],
) -> list[Write]:
    """The statements that list in `worklist` what stays in `table` (quoted), and take the rest of the window out of it. `right`
    are the sources of the about `rows` right rows: tables, or selects in brackets with their parameters."""
    shares = max(1, math.ceil(rows / SHARE_ROWS))
    kept, held = staging.quoted(place, worklist), staging.quoted(place, f"{worklist}_right")
    drops = [Write("drop_table", {"own_table": name}, part=f"-drop-{n}") for n, name in enumerate((kept, held))]
    listed = {**values, "shares": shares}
    return [
        *drops,
        Write("worklist_create", {"target": kept}, part="-create-0"),
        Write("worklist_create", {"target": held}, part="-create-1"),
        *[
            Write("right_list", {"target": held, "rows": source}, {**listed, **given}, f"-right-{number}")
            for number, (source, given) in enumerate(right)
        ],
        *[
            Write("window_keep", {"target": kept, "held": held, "table": table}, {**listed, "share": share}, f"-keep-{share}")
            for share in range(shares)
        ],
        Write("window_clear", {"table": table, "worklist": kept}, values),
        *[Write(drop.name, drop.names, part=f"{drop.part}-done") for drop in drops],
    ]  # fmt: skip
