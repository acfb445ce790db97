"""Rebuild: the lots and shorts of the affected months, made anew beside the live table and swapped in month by month.

Each unit makes the rows of a range of wallets in a table of its own, which gets its name when it is whole. The units' tables are
put together by hard links, each month is merged to one part, and then takes the place of the table's. No reader meets an empty
month. What a name that is used once was given is never written to again: a statement that arrives late finds nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from recovery import conservation, fingerprint, positions, snapshot, staging
from recovery.action import Plan, Unit, last_done, unended
from recovery.backfill import bytes_per_row
from recovery.deduplicate import bytes_of, parts_up_to
from recovery.errors import ActionFailed
from recovery.ledger import Line
from recovery.statements import Write
from recovery.swap import LAST_BLOCK
from recovery.workplace import Workplace

UNDO = "restore the snapshot"
DROPPED = "none needed: the table is not touched"


class Rebuild:
    """The live table is not touched before all rows of all months are made."""

    name = "rebuild"
    removes = False

    def plan(self, place: Workplace) -> Plan:
        incident, warehouse = place.incident, place.warehouse
        known, home = positions.section(incident), positions.at(place)
        if self._is_current(place):
            return Plan(self.name, "the months are as they were rebuilt, from the fills as they are; nothing to do", ())
        cutoff = cutoff_at(place)
        ranges = list(_ranges(place, cutoff))
        fills, months = sum(rows for _, _, rows in ranges), known.months
        shadow = f"{known.table}_shadow_{uuid.uuid4().hex[:8]}"
        shared = {"shadow": shadow, "cutoff": cutoff.isoformat()}
        size, held = bytes_per_row(home), bytes_of(home)
        units = [
            Unit(f"list the conditions of {', '.join(months)}", "prepare", DROPPED, 0, shared, counted=False),
            *[
                Unit(
                    f"make the positions of {_shown(low)} to {_shown(high)}", "build", DROPPED, rows,
                    {**shared, "number": number, "subject_from": low, "subject_to": high}, rows * size, counted=False,
                )
                for number, (low, high, rows) in enumerate(ranges)
            ],
            Unit(f"put them together in {shadow}", "join", DROPPED, 0, {**shared, "parts": len(ranges)}, counted=False),
            *[
                Unit(f"merge {month} of {shadow} if it has more than {known.max_parts} parts", "merge", DROPPED, 0,
                     {**shared, "partition": month}, held.get(month, 0), counted=False)
                for month in months
            ],
            *[Unit(f"replace {month} by it", "replace", UNDO, 0, {**shared, "partition": month}) for month in months],
            Unit(staging.drop_of(shadow), "clean", "none needed", 0, shared, counted=False),
        ]  # fmt: skip
        return Plan(
            action=self.name,
            sentence=(
                f"make the positions of {', '.join(months)} anew from {fills:,} fills ({known.allocation}) and replace "
                "the months by them"
            ),
            units=tuple(units) if fills else (),
            rows=fills,
            bytes=2 * fills * size,
            snapshot=tuple(months),
            facts={
                "cutoff": cutoff.isoformat(),
                "months": months,
                "ranges": [[low, high] for low, high, _ in ranges],
                "rules": rules(place),
                "before": {row["partition_id"]: row for row in sizes(place, cutoff, known.table)},
                "elsewhere": positions.elsewhere(warehouse),
            },
        )

    def _is_current(self, place: Workplace) -> bool:
        """The last rebuild is of these fills, resolutions and rules, is as it left it, and is no older than evidence may be."""
        done, warehouse = last_done(self.name, place.ledger.lines()), place.warehouse
        if done is None or done["plan"]["facts"]["rules"] != rules(place):
            return False
        if (done["after"], done["positions_after"]) != (
            fingerprint.of_window(warehouse),
            positions.print_of(warehouse),
        ):
            return False
        age = place.now() - datetime.fromisoformat(done["now"])
        if age > timedelta(hours=place.incident.gates.evidence_hours):
            return False
        legacy = positions.section(place.incident).allocation == "legacy"
        return legacy or not conservation.Conservation.take(warehouse, done["plan"]["facts"]).faults()

    def refusals(self, place: Workplace) -> list[str]:
        incident = place.incident
        going_on = unended(self.name, place.ledger.lines())
        if going_on and going_on["plan"]["facts"]["rules"] != rules(place):
            return [
                f"a rebuild of {', '.join(going_on['plan']['facts']['months'])} was begun with other months or limits and did "
                "not end; end it with those, or restore its snapshot"
            ]
        known = positions.section(incident)
        asked: dict[str, Any] = {"database": incident.table.database, "table": known.table, "cutoff": cutoff_at(place)}
        asked |= positions.span(incident)
        facts = place.warehouse.ask_again("positions_facts", **asked).first
        if not facts["fits"]:
            return [
                f"{known.table} is no ReplacingMergeTree in partitions by month of resolution, ordered by its subject; it "
                "cannot be rebuilt month by month"
            ]
        wrong = []
        if facts["unreadable"]:
            wrong.append(
                f"of {facts['conditions']:,} conditions {facts['unreadable']:,} have a payout that cannot be read"
            )
        misplaced = sum(row["misplaced"] for row in sizes(place, cutoff_at(place), known.table))
        if misplaced:
            wrong.append(f"{misplaced:,} rows of {known.table} lie in another partition than their month in UTC")
        return wrong

    def left(self, place: Workplace, plan: Plan, unit: Unit) -> int:
        shadow = unit.values["shadow"]
        if unit.kind == "clean":
            return len(staging.tables(place, shadow))
        if staging.is_dropping(place, shadow):  # so all that comes before was done
            return 0
        match unit.kind:
            case "prepare":
                return int(not snapshot.is_there(place.warehouse, f"{shadow}_conditions"))
            case "build":
                return int(not snapshot.is_there(place.warehouse, f"{shadow}_{unit.values['number']}"))
            case "join":
                return int(not snapshot.is_there(place.warehouse, shadow))
            case "merge":
                held = parts_up_to(place.warehouse, unit.values["partition"], LAST_BLOCK, shadow).first["parts"]
                return int(held > positions.section(place.incident).max_parts)
        return self._to_replace(place, unit)

    def _to_replace(self, place: Workplace, unit: Unit) -> int:
        month, shadow = unit.values["partition"], unit.values["shadow"]
        if positions.are_same(place.warehouse, month, shadow, final=""):  # which has each key once
            return 0
        made = positions.rows_in(place.warehouse, month, shadow, final="")
        if not made:
            raise ActionFailed(
                f"nothing was made for {month}, and the table holds {positions.rows_in(place.warehouse, month):,} rows of it, "
                "which stay; find out why no condition of it has fills any more"
            )
        return made

    def writes(self, place: Workplace, unit: Unit) -> list[Write]:
        return self._writes(place, unit, staging.UNNAMED)

    def _writes(self, place: Workplace, unit: Unit, mark: str) -> list[Write]:
        shadow, values = unit.values["shadow"], parameters(place, unit.values["cutoff"])
        names = {"conditions": staging.quoted(place, f"{shadow}_conditions"), "whole": staging.quoted(place, shadow)}
        match unit.kind:
            case "prepare":
                fresh = {"conditions": staging.quoted(place, f"{shadow}_conditions_{mark}")}
                return [
                    Write("positions_conditions_create", fresh, part="-create"),
                    Write("positions_conditions_fill", fresh, values),
                    Write(
                        "staging_whole", {"target": fresh["conditions"], "whole": names["conditions"]}, part="-whole"
                    ),
                ]
            case "build":
                fill = Write("positions_build", names, dict(unit.values) | values)
                return staging.made(place, f"{shadow}_{unit.values['number']}", mark, [fill], "positions_create")
            case "join":
                made = [f"{shadow}_{number}" for number in range(unit.values["parts"])]
                attached = [
                    Write("positions_attach", {"part": staging.quoted(place, table), "partition": month},
                          part=f"-{number}-{month}")
                    for number, (table, held) in enumerate(staging.rows_of(place, made).items())
                    for month in held
                ]  # fmt: skip
                carried = values | {"partitions": positions.section(place.incident).months}
                fills = [*attached, Write("positions_carry", values=carried, part="-carry")]
                return staging.made(place, shadow, f"join_{mark}", fills, "positions_create")
            case "merge":
                month = snapshot.partition_id(unit.values["partition"])
                return [Write("optimize", {"table": names["whole"], "partition": month})]
            case "replace":
                names["partition"] = snapshot.partition_id(unit.values["partition"])
                drops = positions.section(place.incident).replace == "drop"
                first = [Write("positions_drop", names, part="-drop")] if drops else []
                return [*first, Write("positions_replace", names)]
            case "clean":
                return staging.drops(place, shadow)
        raise ValueError(f"no such unit: {unit.kind}")

    def do(self, place: Workplace, plan: Plan, unit: Unit, label: str) -> None:
        if unit.kind == "replace":
            self._begin_replacing(place, unit)
        place.send(self._writes(place, unit, staging.mark_of(label)), label)
        if unit.kind == "build":
            made = f"{unit.values['shadow']}_{unit.values['number']}"
            cutoff = datetime.fromisoformat(unit.values["cutoff"])
            held = sizes(place, cutoff, made, final="")  # one INSERT has each key once
            told = {what: sum(row[what] for row in held) for what in ("longs", "shorts", "conditions")}
            place.tell(
                f"  {unit.rows:,} fills gave {told['longs']:,} lots and {told['shorts']:,} shorts of {told['conditions']:,} "
                "conditions and months"
            )

    def _begin_replacing(self, place: Workplace, unit: Unit) -> None:
        """A month is replaced only as the snapshot has it: what others wrote to it meanwhile would be lost in silence."""
        month = unit.values["partition"]
        taken = next(
            line for line in reversed(place.ledger.lines())
            if line["kind"] == "snapshot" and line.get("table") == positions.section(place.incident).table
        )  # fmt: skip
        warehouse, shadow = place.warehouse, unit.values["shadow"]
        gone = positions.section(place.incident).replace == "drop" and not positions.rows_in(warehouse, month)
        if not gone and not any(positions.are_same(warehouse, month, table) for table in (taken["name"], shadow)):
            raise ActionFailed(
                f"others have written to {month} since the snapshot was taken; nothing was replaced. To begin anew: python -m "
                f"scripts.rollback --restore {taken['name']} --take-back-later-writes --execute, then run it again"
            )
        positions.note_replacement(place, month, positions.month_of(warehouse, month, shadow, final=""))

    def verify(self, place: Workplace, plan: Plan, since: Line | None) -> list[str]:
        if plan.facts["rules"]["allocation"] == "legacy":  # which is known to lose and to double, and is for comparison
            return []
        return conservation.Conservation.take(place.warehouse, plan.facts).faults()


def rules(place: Workplace) -> dict[str, Any]:
    """What the rows of a rebuild depend on besides the data: all units of one have the same."""
    known = positions.section(place.incident)
    kept = ("fills", "start", "end", "allocation", "least_cost", "least_short_tokens", "least_short_proceeds")
    return {name: getattr(known, name) for name in kept}


def cutoff_at(place: Workplace) -> datetime:
    """Fills and resolutions from then on may still change, and are left to a later rebuild."""
    return (place.now() - timedelta(minutes=place.incident.gates.settle_minutes)).replace(microsecond=0)


def parameters(place: Workplace, cutoff: str) -> dict[str, Any]:
    """What the statements of the rebuild take."""
    legacy = positions.section(place.incident).allocation == "legacy"
    return conservation.parameters(place.warehouse, {"cutoff": cutoff}) | {"legacy": legacy}


def sizes(place: Workplace, cutoff: datetime, table: str, *, final: str = "FINAL") -> list[dict[str, Any]]:
    """Conditions, lots and shorts of each month of a table of positions."""
    names = {"own_table": staging.quoted(place, table), "final": final}
    return place.warehouse.ask_again("positions_sizes", names=names, cutoff=cutoff).rows


def _ranges(place: Workplace, cutoff: datetime) -> Iterator[tuple[str, str, int]]:
    """(from, to, fills) along the sorting key, each with about as many fills as the incident file says."""
    most = positions.section(place.incident).fills_per_unit
    found = place.warehouse.ask_again("positions_ranges", **positions.span(place.incident), cutoff=cutoff).rows
    low, fills = "", 0
    for row in found:
        if fills and fills + row["fills"] > most:
            yield low, row["prefix"], fills
            low, fills = row["prefix"], 0
        fills += row["fills"]
    if fills:
        yield low, chr(0x10FFFF), fills


def _shown(bound: str) -> str:
    return {"": "the first", chr(0x10FFFF): "the last"}.get(bound, bound)
