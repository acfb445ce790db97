"""Bundle: what is made of a ledger for the ticket: the dossier, the execution log, and both with all evidence as one zip file."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from recovery import kept
from recovery.errors import UsageError
from recovery.ledger import Ledger
from reports import dossier_page, page
from reports.dossier import Dossier

PLAIN = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
)  # fmt: skip
PLAIN.filters |= page.TEMPLATES.filters
PLAIN.globals |= page.TEMPLATES.globals
EPOCH = (1980, 1, 1, 0, 0, 0)  # of each member, so that the same files make the same zip


def dossier_beside(ledger: Ledger) -> Path:
    """Where the dossier of a ledger is kept."""
    return ledger.path.with_name(f"{ledger.path.stem}.dossier.html")


def write_dossier(ledger: Ledger, out: Path | None = None) -> Path:
    """Write the dossier, beside the ledger unless `out` says where. Raises UsageError where it cannot be."""
    return write(out or dossier_beside(ledger), dossier_page.render(*read(ledger)).encode())


def read(ledger: Ledger) -> tuple[bytes, Dossier]:
    """The ledger's bytes and what they tell. Raises UsageError where there is none, or it tells of no recovery."""
    if not ledger.path.exists():
        raise UsageError(f"The ledger {ledger.path} cannot be read: No such file or directory.")
    text, lines, fault = ledger.read(dossier_page.NAME)
    return text, dossier_page.of(lines, fault)


def write(path: Path, data: bytes) -> Path:
    """Write a file whole or not at all."""
    try:
        kept.write_whole(path, data)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}; give --out another place.") from None
    return path


def execution_log(told: Dossier) -> str:
    """The execution log in the plan's form, as Markdown."""
    text = PLAIN.get_template("execution_log.md").render(
        d=told,
        sentence=dossier_page.sentence(told),
        left=dossier_page.left(told),
        criteria=dossier_page.criteria(told),
        plain=dossier_page.plain,
        heading=_heading,
    )
    return page.safe(re.sub(r"\n{3,}", "\n\n", text).strip() + "\n")


def _heading(phase: str) -> str:
    return re.sub(r"(\D)(\d)$", r"\1 \2", phase).capitalize()


def write_zip(ledger: Ledger, text: bytes, told: Dossier, html: bytes, out: Path) -> int:
    """All of it in one file: the dossier `html`, execution log, ledger, the page of each run, the evidence. Returns the number of
    files. The same ledger and evidence give the same bytes."""
    made = {"dossier.html": html, "ledger.jsonl": text, "execution_log.md": execution_log(told).encode()}
    for run in told.runs:
        shown = replace(run, ledger="ledger.jsonl", fault=told.fault)
        made[f"runs/{run.began:%Y%m%dT%H%M%S}-{run.id[:8]}.html"] = page.render(shown, "../dossier.html").encode()
    kept = dict(_evidence(ledger, told, text))
    temporary = out.with_name(f".{out.name}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as bundle:
            for name in sorted(made | kept):
                member = zipfile.ZipInfo(name, EPOCH)
                member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                if name in made:
                    bundle.writestr(member, made[name])
                else:
                    with kept[name].open("rb") as source, bundle.open(member, "w", force_zip64=True) as copy:
                        while piece := source.read(1 << 20):
                            copy.write(piece)
        os.replace(temporary, out)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UsageError(f"{out} cannot be written: {error.strerror}; give --zip another place.") from None
    return len(made) + len(kept)


def _evidence(ledger: Ledger, told: Dossier, text: bytes) -> Iterator[tuple[str, Path]]:
    """The files of the ledger's runs, and the folders beside them that the ledger names."""
    folder = ledger.path.parent / kept.FOLDER
    runs = {run.id for run in told.runs}
    for place in sorted(folder.iterdir()) if folder.is_dir() else ():
        if place.is_dir() and (place.name in runs or place.name.encode() in text):
            for file in sorted(place.rglob("*")):
                if file.is_file() and not file.is_symlink():
                    yield f"{kept.FOLDER}/{file.relative_to(folder).as_posix()}", file
