"""Swap: repair the affected partitions in a shadow of the table, then put each in the table's place at once.

Build makes the shadow: the partitions as they are, by hard links; in them the rows that the source has right rows for are
removed and the right ones inserted. What the source does not own, orphans and everything outside the window is carried over as
it is. Swap merges each partition of the shadow to one part and replaces the table's. So that nothing is lost that is written
meanwhile, a materialized view takes what is inserted while a partition is replaced, and what the partition held just before is
kept by hard links: the rows that came after the shadow was built are then inserted again.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from recovery import backfill, census, fingerprint, keeping, parts, ranges, snapshot, staging
from recovery.action import Plan, Unit, last_done
from recovery.deduplicate import Deduplicate, bytes_of, last_blocks, parts_up_to
from recovery.errors import ActionFailed
from recovery.ledger import Line
from recovery.statements import Write, quote
from recovery.warehouse import Warehouse
from recovery.workplace import Workplace

RANGE_ROWS = 4_000_000  # rows whose hashes one statement holds in memory
LAST_BLOCK = 2**63 - 1
PATIENCE_SECONDS = 120  # for inserts of others that began before a partition is replaced
UNDO = "restore the snapshot"
DROPPED = "none needed: the table is not touched"


class Build:
    """The table itself is not touched: until the swap, all that is done here can be dropped."""

    name = "build"
    removes = False

    def plan(self, place: Workplace) -> Plan:
        incident, warehouse = place.incident, place.warehouse
        counted, lines = census.Census.take(warehouse), place.ledger.lines()
        done, swapped = last_done(self.name, lines), last_done(Swap.name, lines)
        if done and swapped and swapped["seq"] > done["seq"] and not _bad_rows(counted):
            return Plan(self.name, "the repaired partitions are in place; nothing to do", ())
        if done and not _faults_of_shadow(place, done):
            return Plan(self.name, "the shadow is built, and the window as it was then; nothing to do", ())
        per_day = counted.per_day(*census.WITH_RIGHT_ROW)
        rows, size = sum(per_day.values()), backfill.bytes_per_row(place)
        version = backfill.start_version(place)
        shadow = f"{incident.table.name}_shadow_{uuid.uuid4().hex[:8]}"
        partitions, held = partitions_of(place), bytes_of(place)
        shared = {"shadow": shadow, "before_version": version}
        copied = [partition for partition in incident.table.partitions if partition in held]
        moved = backfill.units(place, {**shared, "staging": f"{shadow}_staging", "full": True}, rows, DROPPED)
        prepare = Unit(
            f"copy {', '.join(copied)} to {shadow} and remove there what is broken or has a right row", "prepare", DROPPED,
            values={
                **moved[-2].values, "partitions": copied, "right": rows,
                "worklist": f"{incident.table.name}_worklist_{shadow[-8:]}",
            },
            counted=False,
        )  # fmt: skip
        return Plan(
            action=self.name,
            sentence=f"build {', '.join(partitions)} anew in {shadow}, with {rows:,} right rows of {len(per_day)} days",
            units=(*moved[:-2], prepare, *moved[-2:]),
            rows=rows,
            bytes=rows * size,
            snapshot=tuple(incident.table.partitions),
            facts={
                "shadow": shadow,
                "partitions": list(partitions),
                "per_day": per_day,
                "start_version": version,
                "classes": counted.classes(),
                "rows_before": counted.count(of="rows"),
                "window_rows_before": backfill.window_rows(counted),
                "window_identities_before": backfill.window_identities(counted),
            },
        )

    def refusals(self, place: Workplace) -> list[str]:
        return []

    def left(self, place: Workplace, plan: Plan, unit: Unit) -> int:
        if unit.kind == "prepare":
            return int(not snapshot.is_there(place.warehouse, unit.values["shadow"]))
        return backfill.left_of(place, unit)

    def writes(self, place: Workplace, unit: Unit) -> list[Write]:
        return self._writes(place, unit, staging.UNNAMED)

    def _writes(self, place: Workplace, unit: Unit, mark: str) -> list[Write]:
        """The shadow gets its name when it is cleared."""
        shadow = staging.quoted(place, unit.values["shadow"])
        if unit.kind != "prepare":
            return backfill.writes_of(place, unit, shadow, mark)
        fresh, values = f"{unit.values['shadow']}_{mark}", _values(place, unit)
        table = staging.quoted(place, fresh)
        made, *attached = snapshot.writes(place.warehouse, fresh, unit.values["partitions"])
        copied = [made, Write("swap_shadow_settings", {"shadow": table}, part="settings"), *attached]
        right: list[tuple[str, dict[str, Any]]] = [
            (staging.quoted(place, name), {}) for name in backfill.parts_of(unit)
        ]
        return [
            *[Write(write.name, write.names, part=f"-{write.part}-{n}") for n, write in enumerate(copied)],
            *keeping.writes(place, table, unit.values["worklist"], right, unit.values["right"], values),
            Write("staging_whole", {"target": table, "whole": shadow}, part="-whole"),
        ]

    def do(self, place: Workplace, plan: Plan, unit: Unit, label: str) -> None:
        place.send(self._writes(place, unit, staging.mark_of(label)), label)

    def verify(self, place: Workplace, plan: Plan, since: Line | None) -> list[str]:
        return _bad_rows(census.Census.take(place.warehouse.at(plan.facts["shadow"]), since=since))


class Swap:
    """Readers see a partition as it was, or repaired; rows that others write meanwhile are there again after the catching up."""

    name = "swap"
    removes = True

    def plan(self, place: Workplace) -> Plan:
        built, lines = last_done(Build.name, place.ledger.lines()), place.ledger.lines()
        done = last_done(self.name, lines)
        counted = census.Census.take(place.warehouse, since=built if done else None)
        if done and not _bad_rows(counted) and (built is None or done["seq"] > built["seq"]):
            return Plan(self.name, "the repaired partitions are in place; nothing to do", ())
        facts = built["plan"]["facts"] if built else {}
        shadow = facts.get("shadow", f"{place.incident.table.name}_shadow_{'x' * 8}")  # it is named when it is built
        partitions = facts.get("partitions") or list(partitions_of(place))
        shared = {"shadow": shadow, "before_version": facts.get("start_version", 0)}
        held, made, rows = bytes_of(place), _bytes_to_merge(place, shadow), backfill.window_rows(counted)
        cut = ranges.of_table(place.warehouse, RANGE_ROWS)
        orphans = counted.count(census.ORPHAN) if place.incident.deduplicate.orphans == "quarantine" else 0
        units = [
            Unit(
                f"{words} {partition}", kind, undo, 0, {**shared, "partition": partition, "number": number},
                made.get(partition, held.get(partition, 0)) if kind == "merge" else 0, counted=False,
            )
            for words, kind, undo in (
                ("merge the shadow of partition", "merge", DROPPED),
                ("replace partition", "replace", UNDO),
                ("stop taking what is inserted into", "release", "none needed"),
            )
            for number, partition in enumerate(partitions)
        ]  # fmt: skip
        units += [
            Unit(
                f"catch up what came into {partition} meanwhile, range {nth + 1} of {len(cut)}", "catch_up", UNDO, 0,
                {**shared, "partition": partition, "number": number, **each},
            )
            for number, partition in enumerate(partitions)
            for nth, each in enumerate(cut)
        ]  # fmt: skip
        units += [unit for unit in Deduplicate().plan_for(place, counted).units if unit.kind in ("copy", "quarantined")]
        units.append(Unit(staging.drop_of(shadow), "clean", "none needed", 0, shared, counted=False))
        identities = backfill.window_identities(counted) + counted.count(census.MISSING)
        return Plan(
            action=self.name,
            sentence=(
                f"replace {', '.join(partitions)} by {shadow} and move {orphans:,} orphans to "
                f"{place.incident.table.quarantine}"
            ),
            units=tuple(units),
            rows=rows,
            bytes=sum(held.get(partition, 0) for partition in partitions),
            snapshot=tuple(place.incident.table.partitions),
            facts={
                "classes": counted.classes(),
                "partitions": partitions,
                "orphans": orphans,
                "last_blocks": {key: block for key, block in last_blocks(place).items() if key in partitions},
                "window_rows_before": rows,
                "window_rows_after": identities - orphans,
            },
        )  # fmt: skip

    def refusals(self, place: Workplace) -> list[str]:
        lines = place.ledger.lines()
        built, done = last_done(Build.name, lines), last_done(self.name, lines)
        if built is None:
            return ["no shadow is built; run pytest -m phase2 --execute"]
        begun = any(
            line["kind"] == "started" and line["action"] == self.name and line["seq"] > built["seq"] for line in lines
        )
        if begun or (done and done["seq"] > built["seq"]):  # the shadow is in place already, or a part of it
            return []
        return _faults_of_shadow(place, built)

    def left(self, place: Workplace, plan: Plan, unit: Unit) -> int:
        if unit.kind in ("copy", "quarantined"):
            return Deduplicate().left(place, plan, unit)
        warehouse, names, values = place.warehouse, _names(place, unit), _values(place, unit)
        if unit.kind == "clean":
            return len(staging.tables(place, unit.values["shadow"]))
        if unit.kind == "merge":
            made = _parts(place, unit)
            return int(made["parts"] > 1 or made["with_hidden_rows"] > 0)
        if unit.kind == "replace":
            if _is_in_place(place, unit):
                return 0
            return int(warehouse.ask_again("swap_in_place", names=names, **values).first["there"] == 0)
        if unit.kind == "release":
            return int(snapshot.is_there(warehouse, _name(unit, "catch")))
        if not snapshot.is_there(warehouse, _name(unit, "aside")):
            raise ActionFailed(f"{_name(unit, 'aside')} is gone, so what came meanwhile cannot be told. {unit.undo}")
        if not values["parts"] and not staging.rows_of(place, [_name(unit, "late")]):
            return 0
        return int(warehouse.ask_again("late_left", names=names, **values).first["left"])

    def writes(self, place: Workplace, unit: Unit) -> list[Write]:
        if unit.kind in ("copy", "quarantined"):
            return Deduplicate().writes(place, unit)
        names, values = _names(place, unit), _values(place, unit)
        match unit.kind:
            case "merge":
                return [Write("optimize", {"table": names["shadow"], "partition": names["partition"]})]
            case "replace":
                copied = snapshot.writes(place.warehouse, _name(unit, "aside"), [unit.values["partition"]])
                return [
                    Write("swap_late_create", names, part="-late"),
                    Write("swap_catch_create", names, part="-catch"),
                    Write("drop_table", {"own_table": names["aside"]}, part="-drop"),
                    *[Write(write.name, write.names, part=f"-{write.part}") for write in copied],
                    Write("swap_replace", names),
                ]
            case "release":
                return [Write("swap_catch_drop", names)]
            case "catch_up":
                return [Write("late_insert", names, values)]
            case "clean":
                return staging.drops(place, unit.values["shadow"])
        raise ValueError(f"no such unit: {unit.kind}")

    def do(self, place: Workplace, plan: Plan, unit: Unit, label: str) -> None:
        if unit.kind in ("copy", "quarantined"):
            Deduplicate().do(place, plan, unit, label)
            return
        for write in self.writes(place, unit):
            if write.name in ("snapshot_create", "swap_catch_drop"):
                _until_inserts_ended(place)
            if write.name == "swap_replace":
                _require_one_part(place, unit)
            place.send([write], label)

    def verify(self, place: Workplace, plan: Plan, since: Line | None) -> list[str]:
        counted = census.Census.take(place.warehouse, since=since)
        faults = _bad_rows(counted)
        if plan.facts["orphans"] and counted.count(census.ORPHAN):
            faults.append(f"{counted.count(census.ORPHAN):,} orphans are still in the table")
        rows, planned = backfill.window_rows(counted), int(plan.facts["window_rows_after"])
        if rows != planned:
            faults.append(f"the window holds {rows:,} rows, planned {planned:,}")
        return faults


def candidate(warehouse: Warehouse, lines: Sequence[Line], phase: str) -> Warehouse:
    """What the checks of a phase look at: in phases 2 and 3 of a swap its shadow, once it is built and until it is in place."""
    built, swapped = last_done(Build.name, list(lines)), last_done(Swap.name, list(lines))
    if not warehouse.incident.swaps or phase not in ("phase2", "phase3") or built is None:
        return warehouse
    shadow = built["plan"]["facts"]["shadow"]
    in_place = swapped is not None and swapped["seq"] > built["seq"]
    return warehouse if in_place or not snapshot.is_there(warehouse, shadow) else warehouse.at(shadow)


def _faults_of_shadow(place: Workplace, built: Line) -> list[str]:
    """Why the shadow must not replace the table: it is gone, not right, or the window is not as it was when it was built."""
    shadow = built["plan"]["facts"]["shadow"]
    if not snapshot.is_there(place.warehouse, shadow):
        return [f"the shadow {shadow} is not there any more; run pytest -m phase2 --execute"]
    if fingerprint.of_window(place.warehouse) != built["after"]:
        return ["the window was written to since the shadow was built; run pytest -m phase2 --execute"]
    counted = census.Census.take(place.warehouse.at(shadow), since=built)
    return [f"in the shadow {fault}" for fault in _bad_rows(counted)]


def _bad_rows(counted: census.Census) -> list[str]:
    return counted.told(
        census.MISSING, census.UNCORRECTED, census.CORRECTED, census.OUTVERSIONED, census.DIFFERENT, census.UNEXPECTED,
        census.MIXED,
    )  # fmt: skip


def _require_one_part(place: Workplace, unit: Unit) -> None:
    """REPLACE PARTITION is atomic for one part only, and takes a partition away where the source has none of it."""
    made = _parts(place, unit)
    if made["parts"] != 1 or not made["rows"] or made["with_hidden_rows"]:
        raise ActionFailed(
            f"{unit.values['shadow']} has {made['parts']:,} parts of {unit.values['partition']}, one is expected; "
            "nothing was replaced"
        )


def _until_inserts_ended(place: Workplace) -> None:
    """Wait until no insert into the table runs that began before now; raises ActionFailed when one does not end."""
    asked: dict[str, Any] = {"table": place.incident.table.name}
    moment = place.warehouse.ask_again("swap_inserting", **asked, moment=0.0).first["now"]
    for _ in range(PATIENCE_SECONDS):
        if not place.warehouse.ask_again("swap_inserting", **asked, moment=moment).first["running"]:
            return
        place.sleep(1)
    raise ActionFailed(f"an insert into {place.incident.table.name} has been running for {PATIENCE_SECONDS} s")


def _bytes_to_merge(place: Workplace, shadow: str) -> dict[str, int]:
    """Bytes of each partition of the shadow without the rows that are taken out; none where it is not there."""
    warehouse, table = place.warehouse, place.incident.table
    if not snapshot.is_there(warehouse, shadow):
        return {}
    shown = warehouse.ask_again("rows_of", names={"table": staging.quoted(place, shadow)}).rows
    rows = {row["partition_id"]: int(row["rows"]) for row in shown}
    held = warehouse.ask_again("partitions", database=table.database, table=shadow).rows
    return {row["partition_id"]: row["bytes"] * rows.get(row["partition_id"], 0) // max(1, row["rows"]) for row in held}


def partitions_of(place: Workplace) -> tuple[str, ...]:
    """The affected partitions that hold rows of the window."""
    window = place.incident.window
    rows = place.warehouse.ask_again("window_partitions", time_from=window.start, time_to=window.end).rows
    held = {row["partition_id"] for row in rows}
    return tuple(partition for partition in place.incident.table.partitions if partition in held)


def _parts(place: Workplace, unit: Unit) -> dict[str, Any]:
    return parts_up_to(place.warehouse, unit.values["partition"], LAST_BLOCK, unit.values["shadow"]).first


def _is_in_place(place: Workplace, unit: Unit) -> bool:
    """Whether what the partition held was put aside and the table has the shadow's parts; where it does not, they may have been
    merged with others since. A partition with nothing to repair has the same parts from the beginning."""
    if not snapshot.is_there(place.warehouse, _name(unit, "aside")):
        return False
    of = [unit.values["partition"]]
    made, there = (
        parts.hashes(place.warehouse, name, of) for name in (unit.values["shadow"], place.incident.table.name)
    )
    return bool(made) and all(part in there for part in made)


def _name(unit: Unit, what: str) -> str:
    """A table of one partition's swap: `aside` (what it held), `late` (what is inserted), `catch` (the view that takes it)."""
    return f"{unit.values['shadow']}_{what}_{unit.values['number']}"


def _names(place: Workplace, unit: Unit) -> dict[str, str]:
    database = place.incident.table.database
    names = {"shadow": quote(database, unit.values["shadow"])}
    if "partition" in unit.values:
        names["partition"] = snapshot.partition_id(unit.values["partition"])
        names |= {what: quote(database, _name(unit, what)) for what in ("aside", "late", "catch")}
    return names


def _values(place: Workplace, unit: Unit) -> dict[str, Any]:
    values = census.parameters(place.warehouse) | dict(unit.values)
    return values | {"parts": _came(place, unit)} if unit.kind == "catch_up" else values


def _came(place: Workplace, unit: Unit) -> list[str]:
    """The parts of what the partition held that were not in the snapshot from before the shadow was built: what came since is
    in these, and rows that were merged since."""
    lines = place.ledger.lines()
    built = last_done(Build.name, lines)
    taken = next(
        (line for line in lines if built and line["kind"] == "snapshot" and line["name"] == built["snapshot"]), {}
    )
    return parts.besides(place.warehouse, _name(unit, "aside"), unit.values["partition"], taken.get("files", []))
