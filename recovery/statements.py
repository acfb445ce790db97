"""Statements: SQL files by name, and the one function that composes the incident's names and conditions into them.

Values are always typed parameters and never pass through here. What ClickHouse does not take as a parameter (a name after
REPLACE PARTITION FROM, a condition, the SELECT of the right rows) stands in a file as ${word} and is filled in by
`compose` with validated, quoted text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, Self

from recovery.errors import IncidentError
from recovery.incident import Incident
from recovery.sections import NAME

PLAIN = re.compile(r"(Replicated|Shared)?MergeTree")  # the engines that know no FINAL, for they keep all rows
MIRROR = "recovery_ledger"  # the table that mirrors the ledgers of a database's incidents
FOLDER = Path(__file__).parent / "sql"
FRAGMENTS = (
    "identities",
    "healing",
    "broken_identities",
    "orphans",
    "has_a_right_row",
    "quarantined",
    "superseded",
    "place_in_parts",
    "differing",
    "accounts",
    "late_rows",
    "resolved",
    "resolved_fills",
    "position_accounts",
)


@dataclass(frozen=True)
class Write:
    """One writing statement: its file, and the quoted names and the values that it is composed with. `part` is what its
    query id adds to that of its unit."""

    name: str
    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    part: str = ""


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    default_kind: str
    default: str


@dataclass(frozen=True)
class Schema:
    """The broken table as the server has it, and the type of its source's key."""

    columns: tuple[Column, ...]
    engine: str
    engine_full: str
    sorting_key: str
    partition_key: str
    uuid: str
    key_type: str

    @classmethod
    def of_json(cls, text: str) -> Self:
        facts = json.loads(text)
        columns = tuple(Column(**column) for column in facts.pop("columns"))
        return cls(columns=columns, **facts)

    def stored(self) -> tuple[Column, ...]:
        """The columns that an INSERT can name."""
        return tuple(c for c in self.columns if c.default_kind not in ("MATERIALIZED", "ALIAS"))

    def content(self, version: str) -> tuple[Column, ...]:
        """The columns that say what a row is: all stored ones but the version."""
        return tuple(c for c in self.stored() if c.name != version)

    def column(self, name: str) -> Column | None:
        return next((c for c in self.columns if c.name == name), None)

    @property
    def key_columns(self) -> tuple[str, ...] | None:
        """The columns of the sorting key; None where it has an expression, or there is none."""
        columns = tuple(part.strip(" ()`") for part in self.sorting_key.split(","))
        return columns if all(re.fullmatch(r"\w+", column) for column in columns) else None

    def lead(self, repaired: Sequence[str]) -> Column | None:
        """The column that the sorting key begins with, where the table can be asked in ranges of it: it has strings or
        natural numbers, is not computed, and a repair does not change it, so that all rows of an identity are in one range."""
        first = re.match(r"\(?\s*`?(\w+)`?\s*(,|\)|$)", self.sorting_key)
        found = self.column(first.group(1)) if first and first.group(1) not in repaired else None
        return (
            found
            if found in self.stored() and re.fullmatch(r"(LowCardinality\()?(String|UInt\d+)\)?", found.type)
            else None
        )


@cache
def text(name: str) -> str:
    """The text of recovery/sql/<name>.sql."""
    return (FOLDER / f"{name}.sql").read_text(encoding="utf-8").strip().rstrip(";")


def _body(name: str) -> str:
    """A fragment without its opening comment, which says "Fragment" and would be wrong inside a statement."""
    lines = text(name).splitlines()
    first = next(n for n, line in enumerate(lines) if not line.startswith("--"))
    return "\n".join(lines[first:])


def quote(*parts: str) -> str:
    """A quoted, dotted name; refuses whatever is not made of plain names."""
    for part in parts:
        if not NAME.fullmatch(part):
            raise IncidentError([f"{part!r} is not a plain name: letters, digits and _ only."])
    return ".".join(f"`{part}`" for part in parts)


def literal(text: str) -> str:
    """Text as a quoted string of SQL, for the places where ClickHouse takes no parameter."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(quote(name) for name in names)


def words(incident: Incident, schema: Schema) -> dict[str, str]:
    """What each ${word} stands for."""
    table, source = incident.table, incident.source
    content = schema.content(table.version)
    typed = ", ".join(f"CAST({quote(c.name)} AS {c.type}) AS {quote(c.name)}" for c in content)
    version, lead = schema.column(table.version), schema.lead(table.repaired)
    return positions_words(incident) | {
        "table": quote(table.database, table.name),
        "live": quote(table.database, table.name),
        "quarantine": quote(table.database, table.quarantine),
        "source": quote(table.database, source.table),
        "ledger": quote(table.database, MIRROR),
        "final": "" if PLAIN.fullmatch(schema.engine) else "FINAL",
        "identity": _listed(table.identity),
        "content": _listed(c.name for c in content),
        "stored": _listed(c.name for c in schema.stored()),
        "sorting_key": schema.sorting_key or "tuple()",
        "beside_identity": beside_identity(schema, table.identity),
        "which": "1",
        "lead": f"CAST({quote(lead.name)} AS {_plain_type(lead)})" if lead else "0",
        "in_range": in_range(lead, table.identity),
        "partition_key": partition_expression(schema, table.version),
        "version": quote(table.version),
        "version_now": (version.default if version else "") or "0",
        "time": quote(table.time),
        "subject": quote(table.subject),
        "owned": f"ifNull(({table.owned}), 0)",
        "broken": f"ifNull(({table.broken}), 0)",
        "key": quote(source.key),
        "group": quote(source.group),
        "source_time": quote(source.time),
        "right": f"SELECT {typed} FROM (\n{incident.right_rows}\n)",
    }


def positions_words(incident: Incident) -> dict[str, str]:
    """The words of the positions, where the incident has them."""
    positions, database = incident.positions, incident.table.database
    if positions is None:
        return {}
    return {
        "positions": quote(database, positions.table),
        "resolutions": quote(database, positions.resolutions),
        "counted": f"ifNull(({positions.fills}), 0)",
    }


def beside_identity(schema: Schema, identity: Iterable[str]) -> str:
    """What of the sorting key tells apart the keys of one identity."""
    if schema.key_columns is None:
        return schema.sorting_key or "tuple()"
    return _listed(column for column in schema.key_columns if column not in set(identity)) or "tuple()"


def in_range(lead: Column | None, identity: Iterable[str]) -> str:
    """The condition that a row is in a range of the sorting key, half-open, the last without an end, and in the slice of it
    that its identity is in."""
    if lead is None:
        return "1"
    kind = _plain_type(lead)
    low, high = (f"CAST({{range_{end}:String}} AS {kind})" for end in ("from", "to"))
    within = f"{quote(lead.name)} >= {low} AND ({{is_last:Bool}} OR {quote(lead.name)} < {high})"
    slice_of = f"sipHash64(tuple({_listed(identity)})) % {{slices:UInt32}} = {{slice:UInt32}}"
    return f"({within} AND ({{slices:UInt32}} = 1 OR {slice_of}))"


def partition_expression(schema: Schema, version: str) -> str:
    """The partition key on the columns that a right row has: computed columns as what they are computed from; tuple()
    where there is no key, or one by the version, which a row only gets when it is written."""
    key = schema.partition_key or "tuple()"
    for column in schema.columns:
        if column not in schema.stored():
            key = re.sub(rf"\b{re.escape(column.name)}\b", f"({column.default})".replace("\\", r"\\"), key)
    return "tuple()" if re.search(rf"\b{re.escape(version)}\b", key) else key


def _plain_type(column: Column) -> str:
    """Its type without a dictionary: a few rows of many blocks would hold as many dictionaries."""
    return column.type.removeprefix("LowCardinality(").removesuffix(")")


def condition(name: str, known: Mapping[str, str]) -> str:
    """A fragment that is a condition, as the text of a ${word}."""
    return Template(_body(name)).substitute(known)


def compose(name: str, known: Mapping[str, str], **extra: str) -> str:
    """The statement `name` with each ${word} filled in; `extra` holds names (quoted by `quote`) of this call only."""
    filled = {**known, **extra}

    def fill(template: str) -> str:
        for fragment in FRAGMENTS:
            if f"${{{fragment}}}" in template and fragment not in filled:
                filled[fragment] = fill(_body(fragment))
        return Template(template).substitute(filled)

    return fill(text(name))


def parameters_of(sql: str) -> dict[str, str]:
    """The typed parameters that a statement takes: name → type."""
    return dict(re.findall(r"\{([A-Za-z_][A-Za-z0-9_]*):([^{}]+)\}", sql))
