"""Settings: what every statement of the suite runs with, by what it does and by what it may cost the server."""

from __future__ import annotations

import re
from collections.abc import Mapping

from recovery.sections import Cost

# What every statement runs with: UTC whatever the server's zone, aliases that do not hide columns, FINAL as merges would
# leave the parts.
SETTINGS: Mapping[str, str | int] = {
    "session_timezone": "UTC",
    "prefer_column_name_to_alias": 1,
    "do_not_merge_across_partitions_select_final": 1,
    "join_use_nulls": 0,
    "transform_null_in": 0,
    "apply_mutations_on_fly": 0,  # what is read is what the parts hold, by whose files it is known again
}
READ_SETTINGS: Mapping[str, str | int] = {
    **SETTINGS,
    "readonly": 2,
}  # which may set what follows here, and write nothing
# What every writing statement runs with besides: nothing goes on in the background, nothing is dropped in silence.
WRITE_SETTINGS: Mapping[str, str | int] = {
    "mutations_sync": 2,
    "lightweight_deletes_sync": 2,
    "alter_sync": 2,
    "insert_deduplicate": 0,
    "async_insert": 0,
    "optimize_throw_if_noop": 1,
    "allow_nondeterministic_mutations": 1,
    "optimize_on_insert": 0,  # rows of equal key are merged in the background, as those of any other writer
}
# And with these where the server knows them: there they decide alone, and insert_deduplicate = 0 does nothing (measured on 26.9).
NEWER_WRITE_SETTINGS: Mapping[str, str | int] = {
    "deduplicate_insert": "disable",
    "deduplicate_insert_select": "disable",
}
# What only waits for work that the server does in the background. Cut off, the work would go on with nobody watching.
WAITING = re.compile(r"^(ALTER|DELETE|OPTIMIZE)\b", re.MULTILINE)


def within(cost: Cost) -> dict[str, str | int]:
    """The settings that keep a statement within its cost. It spills to disk before it reaches its memory."""
    threads = {"max_threads": cost.threads} if cost.threads else {}
    return {
        "max_memory_usage": cost.memory_bytes,
        "max_bytes_before_external_group_by": cost.memory_bytes // 3,
        "max_bytes_before_external_sort": cost.memory_bytes // 4,
        "max_execution_time": cost.seconds,
        "priority": cost.priority,
        **threads,
    }


def waits(sql: str) -> bool:
    """Whether a statement only waits for what the server does in the background."""
    return WAITING.search(sql) is not None


def writing(sql: str, known: Mapping[str, object]) -> dict[str, str | int]:
    """What a writing statement runs with besides, on a server that knows these settings."""
    newer = {name: value for name, value in NEWER_WRITE_SETTINGS.items() if name in known}
    return {**WRITE_SETTINGS, **newer, **({"max_execution_time": 0} if waits(sql) else {})}
