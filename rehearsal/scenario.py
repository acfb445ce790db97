"""The scenario: what scenario.toml says, and the statements in sql/ that take it as parameters."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client

HERE = Path(__file__).parent
SCENARIO: dict[str, Any] = tomllib.loads((HERE / "scenario.toml").read_text("utf-8"))
PARAMETER = re.compile(r"\{(\w+):")


def statement(name: str) -> str:
    return (HERE / "sql" / f"{name}.sql").read_text("utf-8").strip()


def folder(name: str) -> list[str]:
    """The names of the statements in a folder of sql/, in order."""
    return [f"{name}/{path.stem}" for path in sorted((HERE / "sql" / name).glob("*.sql"))]


def parameters(sql: str, given: dict[str, Any]) -> dict[str, Any]:
    """The parameters that the statement names, from `given` and the scenario; times as UTC."""
    known = SCENARIO | given
    return {name: _plain(known[name]) for name in PARAMETER.findall(sql)}


def execute(client: Client, name: str, **given: Any) -> None:
    sql = statement(name)
    client.command(sql, parameters=parameters(sql, given))


def ask(client: Client, name: str, **given: Any) -> list[tuple[Any, ...]]:
    sql = statement(name)
    return [tuple(row) for row in client.query(sql, parameters=parameters(sql, given)).result_rows]


def ask_named(client: Client, name: str, **given: Any) -> list[dict[str, Any]]:
    """The same, each row by the names of its columns."""
    sql = statement(name)
    return [dict(row) for row in client.query(sql, parameters=parameters(sql, given)).named_results()]


def _plain(value: Any) -> Any:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else value
