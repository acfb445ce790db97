"""Makes the dossier of an incident from its ledger alone; --log the execution log in the plan's form, --zip all of it for the
ticket, --redact-host a copy of the dossier that names no host, user or path."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from recovery import kept
from recovery import options as given
from recovery.errors import UsageError
from reports import bundle, dossier_page, redaction
from scripts import command


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 when it was made, else the one of the error (see docs/messages.md)."""
    parser = argparse.ArgumentParser(prog="python -m scripts.report", description=__doc__)
    parser.add_argument("ledger", type=Path, metavar="LEDGER", help="the ledger, such as ledger/<incident>.jsonl")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the dossier; default: beside the ledger")
    parser.add_argument("--log", type=Path, metavar="FILE", help="also write the execution log, as Markdown")
    parser.add_argument("--zip", type=Path, metavar="FILE", help="also write everything into one file")
    parser.add_argument("--redact-host", action="store_true", help="replace the names of hosts, users and paths")
    return command.end(parser, argv, _run)


def _run(options: argparse.Namespace) -> int:
    ledger = given.ledger(options.ledger)
    for name in ("out", "log", "zip"):
        path = getattr(options, name)
        taken = {ledger.path.resolve(), (ledger.path.parent / kept.FOLDER).resolve()}
        if path and {path.resolve(), *path.resolve().parents} & taken:
            raise UsageError(f"--{name}: {path} is the ledger, or lies in its evidence; give another place.")
    text, told = bundle.read(ledger)
    if options.redact_host:
        if options.zip:
            raise UsageError("--zip: the evidence names hosts and paths, so it goes without --redact-host only.")
        if options.out is None:
            raise UsageError("--redact-host: give --out as well, so that the dossier beside the ledger stays whole.")
        text = redaction.redact(text)
        told = dossier_page.read(text)
    html = dossier_page.render(text, told).encode()
    print(bundle.write(options.out or bundle.dossier_beside(ledger), html))
    if options.log:
        print(bundle.write(options.log, bundle.execution_log(told).encode()))
    if options.zip:
        files = bundle.write_zip(ledger, text, told, html, options.zip)
        print(f"{options.zip}: {files:,} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
