"""What the commands share: their options, the workplace that they name, and how they end."""

from __future__ import annotations

import argparse
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from recovery import incident, moment, progress, reuse, warehouse
from recovery import options as given
from recovery.errors import RecoveryError, UsageError
from recovery.ledger import Ledger
from recovery.workplace import Workplace

PROJECT = Path(__file__).parent.parent


def parser(module: str, description: str | None, *, acts: bool) -> argparse.ArgumentParser:
    """A parser with the options that every command has; --execute where it `acts`."""
    made = argparse.ArgumentParser(prog=f"python -m scripts.{module}", description=description)
    made.add_argument("--incident", required=True, metavar="FILE", type=Path)
    made.add_argument("--clickhouse", default="embedded", metavar="DSN")
    made.add_argument("--ledger", metavar="FILE", type=Path)
    made.add_argument("--now", metavar="TIME", help="the time that it is; default: now")
    made.set_defaults(execute=False)
    if acts:
        made.add_argument("--execute", action="store_true", help="do it; without it nothing is changed")
    return made


def end(parser: argparse.ArgumentParser, argv: list[str] | None, do: Callable[[argparse.Namespace], int]) -> int:
    """Parse and do; the exit code is the one of the error (see docs/messages.md)."""
    try:
        return do(parser.parse_intermixed_args(argv))  # options may stand between words
    except RecoveryError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("Interrupted; the ledger says where. Run it again to go on.", file=sys.stderr)
        return 2
    except SystemExit as error:
        return 4 if error.code else 0


def ledger_of(options: argparse.Namespace, about: incident.Incident) -> Ledger:
    """The ledger that the options name, else the incident's own."""
    return given.ledger(options.ledger or PROJECT / "ledger" / f"{about.id}.jsonl")


@contextmanager
def opened(options: argparse.Namespace, *, whole: bool = True) -> Iterator[tuple[Workplace, str]]:
    """The workplace that the options name, and the DSN of its server; raises UsageError where the ledger is not `whole`."""
    about = incident.load(options.incident)
    ledger = ledger_of(options, about)
    now = moment.parse(options.now) if options.now is not None else None
    if whole and (fault := ledger.fault()):
        raise UsageError(f"The ledger's chain is broken: {fault}. Restore the ledger first; nothing was changed.")
    dsn, server = warehouse.serve(options.clickhouse, PROJECT / ".clickhouse")
    try:
        kept = reuse.folder_of(ledger)
        with warehouse.Warehouse(about, dsn, writable=options.execute, answers=kept) as store:
            store.watch.teller = progress.Lines(sys.stderr.write)
            yield Workplace(about, store, ledger, uuid.uuid4().hex, lambda: now or datetime.now(UTC)), dsn
    finally:
        if server is not None:
            server.stop()
