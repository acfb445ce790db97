"""Lists the snapshots of an incident; --restore brings one back, --drop gives one up, --empty-window takes rows out to be
backfilled again (the plan's option 2); each with --execute."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime, timedelta

from recovery import action, notify, positions, restore, snapshot
from recovery.clear import PHASE, Clear
from recovery.errors import UsageError
from recovery.ledger import Line
from recovery.workplace import Workplace
from scripts import command


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 when it was listed, restored or dropped, else the one of the error (see docs/messages.md)."""
    parser = command.parser("rollback", __doc__, acts=True)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--restore", metavar="SNAPSHOT", help="the snapshot to bring back")
    what.add_argument("--drop", metavar="SNAPSHOT", help="the snapshot to give up")
    what.add_argument(
        "--empty-window", action="store_true", help="take out the rows of the window that the source has right rows for"
    )
    parser.add_argument(
        "--take-back-later-writes", action="store_true", help="with --restore: rows that others wrote since go, too"
    )
    parser.add_argument("--even-young", action="store_true", help="with --drop: also one that is not old enough yet")
    parser.add_argument("--announce", action="store_true", help="tell the team, as the incident file's [announce] says")
    return command.end(parser, argv, _run)


def _run(options: argparse.Namespace) -> int:
    with (
        command.opened(options) as (place, _),
        notify.announcing(place.incident, place.ledger, place.run, wanted=options.announce),
    ):
        taken = [line for line in place.ledger.lines() if line["kind"] == "snapshot"]
        held = [line for line in taken if snapshot.is_there(place.warehouse, line["name"])]
        if options.restore is not None:
            taken_back = _named(held, options.restore)
            (_restore_positions if _is_of_positions(place, taken_back) else _restore)(place, taken_back, options)
        elif options.empty_window:
            _empty_window(place, options)
        elif options.drop is not None:
            _drop(place, _named(held, options.drop), options)
        else:
            _list(place, taken, held)
        return 0


def _named(held: list[Line], name: str) -> Line:
    line = next((line for line in held if line["name"] == name), None)
    if line is None:
        names = ", ".join(line["name"] for line in held) or "none"
        raise UsageError(f"{name} is no snapshot of this incident on this server; there are: {names}.")
    return line


def _list(place: Workplace, taken: list[Line], held: list[Line]) -> None:
    if not taken:
        print("No snapshot was taken yet: there is nothing to restore.")
    now = restore.window_rows(place.warehouse)
    for line in taken:
        if line not in held:
            print(f"{line['name']}: not on the server any more")
            continue
        due = "" if _is_young(place, line) else f"; due to be dropped, for it is {_age(place, line).days} days old"
        of = f" of {line['table']}" if _is_of_positions(place, line) else ""
        then = (
            ""
            if of
            else f"; {restore.window_rows(place.warehouse, line['name']):,} rows of the window then, {now:,} now"
        )
        print(
            f"{line['name']}: taken {line['now'][:19]} UTC, {line['rows']:,} rows of {', '.join(line['partitions'])}"
            f"{of}{then}{due}"
        )


def _restore(place: Workplace, taken: Line, options: argparse.Namespace) -> None:
    take_back = options.take_back_later_writes
    change = restore.difference(place, taken, take_back=take_back)
    print(
        f"{taken['name']}, taken {taken['now'][:19]} UTC: {change.insert:,} rows of the window to put back, "
        f"{change.remove:,} to remove, {change.later:,} that others wrote since and that stay"
    )
    for row in restore.sample(place, taken, take_back=take_back) if change.later else []:
        print(f"  stays: {row}")
    if not options.execute:
        print("Rows outside the window are not touched. Pass --execute to do it.")
        return
    done = restore.restore(place, taken, take_back=take_back)
    print(
        f"Restored: {done['inserted']:,} rows put back, {done['removed']:,} removed, {done['left']:,} later ones left; "
        f"the window equals the snapshot otherwise, nothing outside it was touched. The state before is kept in {done['kept']}."
    )


def _restore_positions(place: Workplace, taken: Line, options: argparse.Namespace) -> None:
    table = positions.section(place.incident).table
    print(
        f"{taken['name']}, taken {taken['now'][:19]} UTC: {taken['rows']:,} rows of {table} to put back, month by month"
    )
    if not options.execute:
        print("Each month is replaced at once; other months are not touched. Pass --execute to do it.")
        return
    done = positions.restore(place, taken, take_back=options.take_back_later_writes)
    print(
        f"Restored: the months of {table} are as in the snapshot, {done['inserted']:,} rows in place of {done['removed']:,}. "
        f"The state before is kept in {done['kept']}. The boards are computed again by pytest -m phase7 --execute."
    )


def _is_of_positions(place: Workplace, taken: Line) -> bool:
    known = place.incident.positions
    return known is not None and taken.get("table") == known.table


def _empty_window(place: Workplace, options: argparse.Namespace) -> None:
    plan = action.run(Clear(), PHASE, place) if options.execute else Clear().plan(place)
    print(f"{plan.action}: {plan.sentence}.")
    if not options.execute:
        print("Until phase 2 has brought them back readers miss them. Pass --execute to do it.")
    elif plan.units:
        print("Now run pytest -m phase2 --execute: it brings the right rows back.")


def _drop(place: Workplace, taken: Line, options: argparse.Namespace) -> None:
    if _is_young(place, taken) and not options.even_young:
        raise UsageError(
            f"{taken['name']} is {_age(place, taken).days} days old, and snapshots are kept for "
            f"{place.incident.snapshots.keep_days} (snapshots.keep_days); pass --even-young to give it up all the same."
        )
    if not options.execute:
        print(f"{taken['name']}, taken {taken['now'][:19]} UTC, would be dropped for good. Pass --execute to do it.")
        return
    snapshot.give_up(place, taken)
    print(f"Dropped {taken['name']}.")


def _age(place: Workplace, taken: Line) -> timedelta:
    return place.now() - datetime.fromisoformat(taken["now"])


def _is_young(place: Workplace, taken: Line) -> bool:
    return _age(place, taken) < timedelta(days=place.incident.snapshots.keep_days)


if __name__ == "__main__":
    sys.exit(main())
