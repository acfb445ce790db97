"""Export: rows that are about to be removed, written to a file beside the ledger first, where the incident file says so."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from recovery import census, kept
from recovery.errors import ActionFailed, RecoveryError
from recovery.ledger import Line
from recovery.workplace import Workplace

SPARE_BYTES = 2**30  # that stay free on the disk of the ledger
PIECE_BYTES = 2**20


def before_removal(place: Workplace, begun: Line) -> None:
    """Write the broken rows of the window, which an action will remove, to a file, unless an earlier run of this attempt did;
    orphans among them, even where they stay. Raises ActionFailed where that cannot be done; then nothing was removed."""
    attempt = begun["attempt"]
    wanted = place.incident.evidence.export_removed
    if not wanted or any(line["kind"] == "exported" and line["attempt"] == attempt for line in place.ledger.lines()):
        return
    path = kept.folder_of(place.ledger, place.run) / f"removed-{attempt}.parquet"
    part = path.with_name(f"{kept.PART}{path.name}")
    place.tell(f"{begun['action']}: keeping the rows that it removes in {path}")
    parameters = census.parameters(place.warehouse)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            for piece in place.warehouse.stream("removed_rows", "Parquet", PIECE_BYTES, **parameters):
                if shutil.disk_usage(path.parent).free < SPARE_BYTES + len(piece):
                    raise ActionFailed(f"less than {SPARE_BYTES / 2**30:.0f} GiB would stay free where the ledger is")
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        import pyarrow.parquet as pq  # only where rows are exported

        rows = pq.read_metadata(part).num_rows
        os.replace(part, path)
    except (RecoveryError, OSError, ValueError) as error:
        _drop(part)
        reason = f"the rows that it removes could not be kept in {path}: {str(error).rstrip('.')}"
        place.ledger.append("failed", run=place.run, action=begun["action"], reason=reason)
        raise ActionFailed(
            f"{begun['action']}: {reason}. Nothing was removed; make room, or set evidence.export_removed = false"
        ) from None
    except KeyboardInterrupt:
        _drop(part)
        place.ledger.append(
            "failed", run=place.run, action=begun["action"], reason="interrupted before it removed anything"
        )
        raise
    place.ledger.append(
        "exported", run=place.run, action=begun["action"], attempt=attempt, file=f"{place.run}/{path.name}", rows=rows,
        bytes=path.stat().st_size, sha256=kept.sha256_of(path),
    )  # fmt: skip


def _drop(part: Path) -> None:
    with suppress(OSError):
        part.unlink()
