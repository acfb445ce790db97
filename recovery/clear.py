"""Clear: the plan's last resort, "drop the partition, then backfill again", without what that would lose.

Of the window only rows go that the source has a right row for, so the backfill brings all of them back; rows of other sources,
orphans and everything outside the window stay.
"""

from __future__ import annotations

import uuid

from recovery import backfill, census, keeping, ranges
from recovery.action import Plan, Unit
from recovery.ledger import Line
from recovery.phases import Phase
from recovery.statements import Write
from recovery.workplace import Workplace

PHASE = Phase(
    "option2", "The window's rows taken out, to be backfilled again", action="clear", after=("preflight", "phase1"),
    stands_before="phase2",
)  # fmt: skip


class Clear:
    """Readers miss the window's rows until phase 2 has brought them back."""

    name = "clear"
    removes = False  # not for good: each has its right row in the source

    def plan(self, place: Workplace) -> Plan:
        incident, counted = place.incident, census.Census.take(place.warehouse)
        rows = counted.count(*census.WITH_RIGHT_ROW, of="rows")
        if not rows:
            return Plan(self.name, "the window holds no row that the source has a right row for; nothing to do", ())
        unit = Unit(
            f"remove {rows:,} rows of the window that the source has right rows for", "clear", "restore the snapshot", rows,
            {
                "before_version": backfill.start_version(place),
                "worklist": f"{incident.table.name}_worklist_{uuid.uuid4().hex[:8]}",
            },
        )  # fmt: skip
        return Plan(
            self.name, f"remove {rows:,} rows of the window, to be backfilled again", (unit,), rows,
            snapshot=tuple(incident.table.partitions),
        )  # fmt: skip

    def refusals(self, place: Workplace) -> list[str]:
        return []

    def left(self, place: Workplace, plan: Plan, unit: Unit) -> int:
        values = census.parameters(place.warehouse) | dict(unit.values)
        return int(place.warehouse.ask_again("window_left", **values).first["left"])

    def writes(self, place: Workplace, unit: Unit) -> list[Write]:
        values, warehouse = census.parameters(place.warehouse) | dict(unit.values), place.warehouse
        right = [(f"(\n{warehouse.words['right']}\n)", each) for each in ranges.of_source(warehouse, values)]
        return keeping.writes(place, warehouse.words["table"], unit.values["worklist"], right, unit.rows, values)

    def do(self, place: Workplace, plan: Plan, unit: Unit, label: str) -> None:
        place.send(self.writes(place, unit), label)

    def verify(self, place: Workplace, plan: Plan, since: Line | None) -> list[str]:
        left = sum(self.left(place, plan, unit) for unit in plan.units)
        return [f"{left:,} rows are still there"] if left else []
