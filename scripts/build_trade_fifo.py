"""Rebuilds the positions of the incident's months from the repaired fills, as phase 6 does: shows the plan, and with --execute
carries it out behind the same gate. --start and --end choose some of the months."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from recovery import action, positions
from recovery.actions import ACTIONS
from recovery.errors import GateClosed, UsageError
from recovery.incident import Incident
from recovery.phases import BY_NAME
from scripts import command

PHASE = BY_NAME["phase6"]


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 when the plan was shown or carried out, else the one of the error (see docs/messages.md)."""
    parser = command.parser("build_trade_fifo", __doc__, acts=True)
    parser.add_argument("--start", metavar="MONTH", help="the first month of resolution, such as 2026-01")
    parser.add_argument("--end", metavar="MONTH", help="the first month that is left out")
    return command.end(parser, argv, _run)


def _run(options: argparse.Namespace) -> int:
    with command.opened(options) as (place, _):
        about = _months(place.incident, options.start, options.end)
        place.warehouse.incident = about
        place = replace(place, incident=about)
        doing = ACTIONS[PHASE.action_for(about) or ""]
        if options.execute:
            plan = action.run(doing, PHASE, place)
            print(f"{plan.action}: {plan.sentence}.")
            print("Now run pytest -m phase6: it asks whether the positions are right.")
            return 0
        if reasons := doing.refusals(place):
            raise GateClosed(doing.name, reasons)
        plan = doing.plan(place)
        print(
            f"{plan.action} would {plan.sentence}; pass --execute to do it."
            if plan.units
            else f"{plan.action}: {plan.sentence}."
        )
        for unit in plan.units:
            print(f"  - {unit.label} (undo: {unit.undo})")
        return 0


def _months(about: Incident, start: str | None, end: str | None) -> Incident:
    """The incident with some of its months; raises UsageError where these are not among them."""
    known = positions.section(about)
    chosen = known.model_copy(update={"start": start or known.start, "end": end or known.end, "sizes": {}})
    try:
        inside = known.start <= chosen.start < chosen.end <= known.end and bool(set(chosen.months) <= set(known.months))
    except ValueError:
        inside = False
    if not inside:
        raise UsageError(
            f"--start {chosen.start} --end {chosen.end}: months from {known.start} to before {known.end} are expected, "
            "as the incident file has them."
        )
    return about.model_copy(update={"positions": chosen})


if __name__ == "__main__":
    sys.exit(main())
