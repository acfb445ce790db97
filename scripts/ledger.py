"""`status` compares the ledger with its mirror on the server, `fetch` takes the mirror's lines where the file is behind;
`checklist` shows the items that people tick, `tick` ticks one, `note` writes something down: these need no server."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from recovery import checklist, incident, notify
from recovery.errors import UsageError
from recovery.ledger import Ledger
from recovery.mirror import Mirror
from recovery.statements import MIRROR
from recovery.workplace import Workplace
from scripts import command

TAKEN = {"tick": {"word", "text", "undo", "by"}, "note": {"word", "learning", "announce", "by"}}


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 when it was done, or file and mirror agree; 1 when they do not; else the one of the error."""
    parser = command.parser("ledger", __doc__, acts=False)
    parser.add_argument("do", choices=["status", "fetch", "checklist", "tick", "note"])
    parser.add_argument("word", nargs="?", default="", metavar="ITEM|TEXT", help="what is ticked, or noted")
    parser.add_argument("--text", default="", metavar="WHY", help="with tick: what to say with it")
    parser.add_argument("--undo", action="store_true", help="with tick: it is not so after all")
    parser.add_argument("--learning", action="store_true", help="with note: it is something to learn from")
    parser.add_argument("--announce", action="store_true", help="with note --learning: tell the team, too")
    parser.add_argument("--by", default="", metavar="NAME", help="with tick and note: who says so, if that is not you")
    return command.end(parser, argv, _run)


def _run(options: argparse.Namespace) -> int:
    for name in ("word", "text", "undo", "learning", "announce", "by"):
        if getattr(options, name) and name not in TAKEN.get(options.do, ()):
            raise UsageError(
                f"{options.do}: it takes no {options.word!r}."
                if name == "word"
                else f"{options.do}: it takes no --{name}."
            )
    if options.do in ("status", "fetch"):
        return _compare(options)
    about = incident.load(options.incident)
    ledger = command.ledger_of(options, about)
    if options.do == "checklist":
        return _show(about, ledger)
    if options.do == "note":
        with notify.announcing(about, ledger, "", wanted=options.announce):
            line = checklist.note(ledger, options.word, learning=options.learning, by=options.by)
        print(f"Noted in line {line['seq'] + 1:,} of {ledger.path}.")
        return 0
    ticked = checklist.tick(about, ledger, options.word, undone=options.undo, text=options.text, by=options.by)
    if ticked is None:
        print(f"{options.word} is {'not ticked' if options.undo else 'ticked already'}; nothing was written.")
    else:
        print(
            f"{options.word} is {'open again' if options.undo else 'ticked'}, in line {ticked['seq'] + 1:,} of {ledger.path}."
        )
    return 0


def _show(about: incident.Incident, ledger: Ledger) -> int:
    checklist.require_whole(ledger)
    held = checklist.ticks(about.checklist_texts, ledger.lines())
    for name, item in about.checklist.items():
        tick = held.get(name)
        said = f"  ({tick.get('by') or tick['who']}, {tick['time'][:16].replace('T', ' ')} UTC)" if tick else ""
        print(f"[{'x' if tick else ' '}] {name}: {item.text}{f', before {item.before}' if item.before else ''}{said}")
    if not about.checklist:
        print(f"{about.path} has no [checklist].")
    return 0


def _compare(options: argparse.Namespace) -> int:
    with command.opened(options, whole=False) as (place, _):
        mirror = Mirror(place.warehouse, place.ledger)
        if options.do == "fetch":
            return _fetch(place, mirror)
        fault = place.ledger.fault() or mirror.fault()
        last = mirror.last()
        lines = place.ledger.lines()
        print(f"{place.ledger.path}: {len(lines):,} lines" + (f", head {lines[-1]['sha']}" if lines else ""))
        print(f"{MIRROR}: {last['seq'] + 1 if last else 0:,} lines of {place.incident.id}")
        print(f"They do not agree: {fault}." if fault else "The chain is whole, and the file has what the server has.")
        return 1 if fault else 0


def _fetch(place: Workplace, mirror: Mirror) -> int:
    lines = mirror.fetch()
    if not lines:
        raise UsageError(f"{MIRROR} has no line of {place.incident.id} on this server; nothing was changed.")
    path = place.ledger.path
    if not (place.ledger.fault() or mirror.fault()):
        print(f"{path} has what the server has; nothing was changed.")
        return 0
    fetched = path.with_name(f"{path.name}.fetched")
    fetched.parent.mkdir(parents=True, exist_ok=True)
    fetched.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", errors="surrogatepass")
    if fault := Ledger(fetched).fault():
        raise UsageError(f"The chain of the server's {MIRROR} is broken: {fault}; nothing was changed.")
    kept = _kept_as(path)
    if path.exists():
        path.rename(kept)
    fetched.rename(path)
    print(f"{path}: {len(lines):,} lines from the server" + (f"; the file before is {kept}" if kept.exists() else ""))
    return 0


def _kept_as(path: Path) -> Path:
    number = 1
    while (kept := path.with_name(f"{path.name}.before-{number}")).exists():
        number += 1
    return kept


if __name__ == "__main__":
    sys.exit(main())
