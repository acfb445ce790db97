"""The alternatives that the benchmark compares with: the statements that others would send for the same figures and rows.

Each function takes a client, which tells the database, and the incident, and gives `(label, sql, parameters)` in the order in
which to execute them; it executes nothing. Times are bound as UTC. What is compared:

    plan(phase=…)          the plan's own queries of phase 3 or phase 5, one by one
    one_by_one()           what the plan has no query for and the verification answers, each written with care
    naive()                two of them as they are mostly written, with IN and NOT IN: gigabytes of memory at 20 M rows
    insert(), daily()      all right rows of a span, in one INSERT SELECT or in one a day, into a table that is made here
    partition()            a partition made anew beside the table, and merged: what a swap does, without auditing and swapping
    delete_broken(), delete_superseded(), optimize()    what is done to the table itself

The names in the statements are those of the incident of January; `table` is for a copy of its table under another name.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template
from typing import Any

from clickhouse_connect.driver.client import Client

from recovery.incident import Incident
from recovery.statements import parameters_of, quote

SQL = Path(__file__).parent / "sql" / "alternatives"
FINDINGS = ("superseded", "orphans", "outversioned", "different", "missing", "unexpected")
NAIVE = ("superseded_in", "orphans_not_in")

Statement = tuple[str, str, dict[str, Any]]


def text(name: str, **words: str) -> str:
    """The text of bench/sql/alternatives/<name>.sql with each ${word} filled in."""
    return Template((SQL / f"{name}.sql").read_text("utf-8").strip()).substitute(words)


def bound(incident: Incident, sql: str, **given: Any) -> dict[str, Any]:
    """The parameters that a statement takes: those given, and the incident's own."""
    window = incident.window
    known = {
        "time_from": window.start,
        "time_to": window.end,
        "key_from": "",
        "key_to": chr(0x10FFFF),
        "partitions": list(incident.table.partitions),
        "month": int(incident.table.partitions[0]),
        "subject": window.test_subjects[0],
        "subject_from": window.test_start,
        "subject_to": window.test_end,
    } | given
    return {
        name: f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if isinstance(value := known[name], datetime) else value
        for name in parameters_of(sql)
    }


def finding(incident: Incident, name: str, table: str | None = None) -> str:
    """The SELECT of the rows that a finding is about: an identity and a day each."""
    return text(name, table=quote(table or incident.table.name), right_rows=incident.right_rows)


def plan(client: Client, incident: Incident, *, phase: str, table: str | None = None) -> Iterator[Statement]:
    """The queries of `phase`, phase3 or phase5, as the plan has them."""
    for name in ("plan_rows", f"plan_days_{phase}", f"plan_subject_{phase}"):
        yield _of_table(incident, name, table)


def one_by_one(client: Client, incident: Incident, *, table: str | None = None) -> Iterator[Statement]:
    """Duplicates, each finding per day, and the rows that are left alone."""
    yield _of_table(incident, "doubled", table)
    yield from _findings(incident, FINDINGS, table)
    yield _of_table(incident, "others", table)


def naive(client: Client, incident: Incident, *, table: str | None = None) -> Iterator[Statement]:
    """Superseded rows and orphans with IN and NOT IN."""
    yield from _findings(incident, NAIVE, table)


def insert(
    client: Client, incident: Incident, *, target: str, start: datetime | None = None, end: datetime | None = None
) -> Iterator[Statement]:
    """All right rows of [start, end), by default of the window, in one statement into the new table `target`."""
    yield _create(incident, target)
    yield _insert(incident, target, "insert", start or incident.window.start, end or incident.window.end)


def daily(
    client: Client, incident: Incident, *, target: str, start: datetime | None = None, end: datetime | None = None
) -> Iterator[Statement]:
    """The same rows in one statement a day, as the plan's script had it."""
    yield _create(incident, target)
    day, end = start or incident.window.start, end or incident.window.end
    while day < end:
        until = min(end, day + timedelta(days=1))
        yield _insert(incident, target, f"insert {day:%Y-%m-%d}", day, until)
        day = until


def partition(
    client: Client, incident: Incident, *, target: str, partition: str | None = None, table: str | None = None
) -> Iterator[Statement]:
    """A partition in the new table `target`: the right rows of the window, its other rows as they are, merged to one part."""
    partition = partition or incident.table.partitions[0]
    yield _create(incident, target)
    yield _insert(incident, target, "insert", incident.window.start, incident.window.end)
    carry = text("carry", target=quote(target), table=quote(table or incident.table.name))
    yield "carry", carry, bound(incident, carry, partition=partition)
    yield from optimize(client, incident, table=target, partitions=(partition,))


def optimize(
    client: Client, incident: Incident, *, table: str | None = None, partitions: tuple[str, ...] | None = None
) -> Iterator[Statement]:
    """OPTIMIZE FINAL of each partition, which removes no broken row: it has another key than its correction."""
    for each in partitions or incident.table.partitions:
        yield f"optimize {each}", text("optimize", table=quote(table or incident.table.name), partition=each), {}


def delete_broken(client: Client, incident: Incident, *, table: str | None = None) -> Iterator[Statement]:
    """ALTER DELETE of what is broken, corrected or not, whoever wrote it."""
    yield _of_table(incident, "delete_broken", table)


def delete_superseded(
    client: Client, incident: Incident, *, table: str | None = None, partition: str | None = None
) -> Iterator[Statement]:
    """ALTER DELETE of what is broken in a partition and has a correction, decided on the identity itself."""
    partition = partition or incident.table.partitions[0]
    sql = text("delete_superseded", table=quote(table or incident.table.name), partition=partition)
    yield "delete_superseded", sql, bound(incident, sql)


def _of_table(incident: Incident, name: str, table: str | None) -> Statement:
    sql = text(name, table=quote(table or incident.table.name))
    return name, sql, bound(incident, sql)


def _findings(incident: Incident, names: tuple[str, ...], table: str | None) -> Iterator[Statement]:
    for name in names:
        sql = text("by_day", found=finding(incident, name, table))
        yield name, sql, bound(incident, sql)


def _create(incident: Incident, target: str) -> Statement:
    return "create", text("create", target=quote(target), table=quote(incident.table.name)), {}


def _insert(incident: Incident, target: str, label: str, start: datetime, end: datetime) -> Statement:
    sql = text("insert", target=quote(target), right_rows=incident.right_rows)
    return label, sql, bound(incident, sql, time_from=start, time_to=end)
