"""Proves that a ledger or a dossier, and the evidence beside it, are as they were written, or says what is not."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from recovery import audit_trail, kept
from recovery.errors import UsageError
from reports import dossier_page
from scripts import command

HEAD = re.compile(r"[0-9a-f]{12,64}")


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 when all is proved, 1 when something is not as it was written, 4 when there is nothing that can be proved."""
    parser = argparse.ArgumentParser(prog="python -m scripts.verify_audit", description=__doc__)
    parser.add_argument("file", type=Path, metavar="DOSSIER|LEDGER", help="a dossier (HTML) or a ledger (JSON lines)")
    parser.add_argument(
        "--head", default="", metavar="SHA", help="the hash of a line that was kept elsewhere, or its first 12 digits"
    )
    parser.add_argument("--no-evidence", action="store_true", help="leave out the files of evidence/ beside it")
    return command.end(parser, argv, _run)


def _run(options: argparse.Namespace) -> int:
    head = options.head.strip().lower()
    if options.head and not HEAD.fullmatch(head):
        raise UsageError(
            f"--head: {options.head!r} is no hash; give the SHA-256 of a line, or at least its first 12 digits."
        )
    try:
        content = options.file.read_bytes()
    except OSError as error:
        raise UsageError(f"{options.file} cannot be read: {error.strerror}.") from None
    evidence = options.file.parent / kept.FOLDER
    if content[:9].lower() == b"<!doctype":
        beside = evidence if evidence.is_dir() and not options.no_evidence else None
        proof = audit_trail.of_dossier(content, options.file.name, dossier_page.render, beside, head)
    elif content[:1] in (b"{", b""):
        proof = audit_trail.of_ledger(content, options.file.name, None if options.no_evidence else evidence, head)
    else:
        raise UsageError(f"{options.file} is neither a dossier nor a ledger.")
    if not evidence.is_dir() and not options.no_evidence:
        print(f"There is no {kept.FOLDER}/ beside {options.file.name}: the files of its answers were not looked at.")
    for sentence in proof.proved:
        print(sentence)
    for fault in proof.faults[:1]:
        print(f"NOT PROVED: {fault}")
    for fault in proof.faults[1:10]:
        print(f"Then: {fault}")
    if len(proof.faults) > 10:
        print(f"And {len(proof.faults) - 10:,} more.")
    return 1 if proof.faults else 0


if __name__ == "__main__":
    sys.exit(main())
