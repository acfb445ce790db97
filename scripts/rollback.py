"""Lists the snapshots of an incident, and with --restore NAME --execute brings one back."""

from __future__ import annotations

import argparse
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

from recovery import incident, moment, snapshot, warehouse
from recovery.errors import RecoveryError, UsageError
from recovery.ledger import Ledger, Line
from recovery.workplace import Workplace, who

PROJECT = Path(__file__).parent.parent


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 when it was listed or restored, else the one of the error (see docs/runbook.md)."""
    parser = argparse.ArgumentParser(prog="python -m scripts.rollback", description=__doc__)
    parser.add_argument("--incident", required=True, metavar="FILE", type=Path)
    parser.add_argument("--clickhouse", default="embedded", metavar="DSN")
    parser.add_argument("--ledger", metavar="FILE", type=Path)
    parser.add_argument("--restore", metavar="SNAPSHOT", help="the snapshot to bring back")
    parser.add_argument("--now", metavar="TIME", help="the time of the restore; default: now")
    parser.add_argument("--execute", action="store_true", help="do it; without it nothing is changed")
    try:
        return _run(parser.parse_args(argv))
    except RecoveryError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except SystemExit as error:
        return 4 if error.code else 0


def _run(options: argparse.Namespace) -> int:
    about = incident.load(options.incident)
    now = moment.parse(options.now) if options.now else None
    ledger = Ledger(options.ledger or PROJECT / "ledger" / f"{about.id}.jsonl")
    if fault := ledger.fault():
        raise UsageError(f"The ledger's chain is broken: {fault}. Restore the ledger first; nothing was changed.")
    dsn, server = warehouse.serve(options.clickhouse, PROJECT / ".clickhouse")
    try:
        with warehouse.Warehouse(about, dsn, writable=options.execute) as store:
            place = Workplace(about, store, ledger, uuid.uuid4().hex, lambda: now or datetime.now(UTC))
            taken = [line for line in ledger.lines() if line["kind"] == "snapshot"]
            held = [line for line in taken if snapshot.is_there(store, line)]
            if options.restore:
                return _restore(place, held, options.restore, options.execute)
            _list(store, taken, held)
            return 0
    finally:
        if server is not None:
            server.stop()


def _list(store: warehouse.Warehouse, taken: list[Line], held: list[Line]) -> None:
    if not taken:
        print("No snapshot was taken yet: there is nothing to restore.")
    for line in taken:
        if line not in held:
            print(f"{line['name']}: not on the server any more")
            continue
        print(
            f"{line['name']}: taken {line['now'][:19]} UTC, {line['rows']:,} rows of {', '.join(line['partitions'])}; "
            f"{snapshot.window_rows(store, line['name']):,} rows of the window then, {snapshot.window_rows(store):,} now"
        )


def _restore(place: Workplace, held: list[Line], name: str, execute: bool) -> int:
    line = next((line for line in held if line["name"] == name), None)
    if line is None:
        names = ", ".join(line["name"] for line in held) or "none"
        raise UsageError(f"{name} is no snapshot of this incident on this server; there are: {names}.")
    then, now = snapshot.window_rows(place.warehouse, name), snapshot.window_rows(place.warehouse)
    if not execute:
        print(
            f"restore would put back the {then:,} rows that the window held at {line['now'][:19]} UTC in place of the "
            f"{now:,} that it holds now; rows outside the window are not touched. Pass --execute to do it."
        )
        return 0
    done = snapshot.restore(place, line)
    print(
        f"Restored: the window equals {name} ({then:,} rows), nothing outside it was touched; the state before the restore "
        f"is kept in {done['kept']} ({who()})."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
