"""Nightly: does the data still hold what the nightly file promises of it?"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from recovery.errors import RecoveryError
from recovery.evidence import Evidence
from recovery.history import CRITICAL, WARNING
from recovery.incident import Incident
from recovery.warehouse import Warehouse

if TYPE_CHECKING:
    from expectations.night import Night

pytestmark = pytest.mark.nightly

TTL = re.compile(r"\bTTL\b[^,]*?toInterval(Day|Hour|Week|Month|Year)\((\d+)\)", re.DOTALL)
DAYS = {"Hour": 1 / 24, "Day": 1, "Week": 7, "Month": 30, "Year": 365}


def test_a_table_has_its_columns(table: str, night: Night, evidence: Evidence) -> None:
    """Each with its type; columns that nobody promised may be there besides."""
    tell(night, f"{table}.columns", evidence, about=table)


def test_rows_are_as_promised(promise: str, night: Night, evidence: Evidence) -> None:
    """Form and range of what they hold, and what they refer to is known."""
    tell(night, promise, evidence)


def test_only_known_values_occur(allowed: str, night: Night, evidence: Evidence) -> None:
    """In the column that splits the rows, such as their source."""
    tell(night, allowed, evidence)


def test_the_last_row_is_fresh(fresh: str, night: Night, evidence: Evidence) -> None:
    tell(night, fresh, evidence)


def test_an_identity_has_one_row(identity: str, night: Night, evidence: Evidence) -> None:
    """Neither rows that no merge takes away, nor more of those that a merge will take away than usual."""
    tell(night, f"{identity}.doubled", evidence, about=identity)
    tell(night, f"{identity}.unmerged", evidence, about=identity)


def test_no_row_is_there_again(alike: str, night: Night, evidence: Evidence) -> None:
    """Under another identity, as from a load that came twice."""
    tell(night, alike, evidence)


def test_the_rows_of_closed_days_are_still_there(closed: str, night: Night, evidence: Evidence) -> None:
    """Conservation: what was there last night, of days that were over."""
    tell(night, f"{closed}.gone", evidence, about=closed)


def test_a_day_has_the_volume_of_its_history(volume: str, night: Night, evidence: Evidence) -> None:
    tell(night, volume, evidence)


def test_amounts_are_of_their_usual_size(amount: str, night: Night, evidence: Evidence) -> None:
    """A unit that changed shows in the mean of a day."""
    tell(night, amount, evidence)


def test_the_writer_stores_what_the_statement_selects(parity: str, night: Night, evidence: Evidence) -> None:
    """Yesterday's rows, as they were stored, against the statement that a backfill would insert."""
    tell(night, parity, evidence)


def test_the_history_is_kept_long_enough(incident: Incident, warehouse: Warehouse, evidence: Evidence) -> None:
    """Its table replaces the result of a check and hour, and keeps results for as many days as the nightly file says."""
    section = incident.nightly.history
    answer = warehouse.ask_again("nightly/retention", database=incident.table.database, table=section.table)
    evidence.about = section.table
    evidence.show(answer, examined=len(answer.rows))
    evidence.expect("tables of that name", len(answer.rows), "==", 1)
    if not answer.rows:
        evidence.note("Make it with recovery/sql/nightly/history_create.sql, as the runbook says.")
        return
    found = TTL.search(answer.first["engine_full"])
    days = DAYS[found[1]] * int(found[2]) if found else None
    unread = found is None and re.search(r"\bTTL\b", answer.first["engine_full"]) is not None
    evidence.expect("TTLs that cannot be read; write it as check_time + INTERVAL 30 DAY", int(unread), "==", 0)
    evidence.show(examined=0, kept="until somebody deletes it" if days is None else f"for {days:g} days")
    evidence.expect(
        f"results that go before {section.days} days", int(days is not None and days < section.days), "==", 0
    )
    replaces = "Replacing" in answer.first["engine_full"] and answer.first["sorting_key"] == "check_name, check_time"
    evidence.expect("tables that replace the result of a check and hour", int(replaces), "==", 1)


def tell(night: Night, name: str, evidence: Evidence, *, about: str = "") -> None:
    """A finding as evidence: what is above `critical` is NO-GO, what is above `warn` is told, what could not be measured is
    NO-GO because nothing was examined."""
    try:
        found, trend = night.finding(name), night.trend(name)
    except RecoveryError as error:
        evidence.result(name, None, 0, 0, CRITICAL, json.dumps({"error": str(error)}))
        raise
    evidence.about = about or name
    measured = {"promised": found.promised} if found.promised else {}
    evidence.show(*found.answers, examined=found.examined if found.metric is not None else 0, **measured)
    if found.metric is not None:
        evidence.expect(found.what, found.metric, "<=", found.critical)
    if found.worst:
        evidence.show(examined=0, worst=found.worst)
        evidence.note(f"Worst: {found.worst}.")
    if found.status == WARNING:
        evidence.note(
            f"WARNING: {name} is {found.metric:,.6g}, above {found.warn:g}; up to {found.critical:g} it fails no run."
        )
    for note in (*found.notes, *((found.error,) if found.error else ())):
        evidence.note(note)
    if found.change:
        evidence.show(examined=0, slices=found.change.table(), samples=found.change.samples)
    if trend:
        evidence.show(examined=0, trend={**evidence.found.get("trend", {}), name: trend})
    evidence.result(name, found.metric, found.warn, found.critical, found.status, found.details)
