"""The folder a rehearsal works in: new, or with what another kept of its generation; and the disk that it takes."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

# Bytes per CLOB fill of January: what its generation takes at most, with its merges, and what that leaves; what the phases take
# on top, and what they want free for the merge of January's partition, in which a swap has less. The first two are measured at
# 96,000,000, the others reckoned from what phases 2 and 4 took and asked for there.
GENERATING, GENERATED, PHASES = 520, 340, 350
MERGE, MERGE_BY_SWAP = 550, 440
ANYWAY = 300_000_000
GIGABYTE = 10**9
BEFORE = "generate"  # --until this, no phase is run


class RehearsalError(Exception):
    """The rehearsal cannot be held as it was asked for; one sentence says why and what to do."""

    exit_code = 4


def require_disk(keep: Path | None, source: Path | None, rows: int, merge: int, kept_free_percent: float) -> str:
    """What will be taken and what is free, in a sentence; an error where that is too little. Nothing is made yet.

    `merge`: the bytes per row that the phases want free on top of the generation; 0 where none is asked.
    `kept_free_percent` of the disk is what the suite itself does not go below.
    """
    if source:
        _require_generation_alone(source)
    where = (keep or source or Path(tempfile.gettempdir())).absolute()
    while not where.exists():
        where = where.parent
    disk = shutil.disk_usage(where)
    rows, generated = (size_of(source) // GENERATED, 0) if source else (rows, GENERATED)
    taken = ANYWAY + rows * max(0 if source else GENERATING, generated + (PHASES if merge else 0))
    reserve = int(disk.total * kept_free_percent / 100) if merge else 0
    sentence = f"up to {told(taken)} of disk, of {told(disk.free)} that are free at {where}"
    wanted = max(taken + reserve, ANYWAY + rows * (generated + merge))
    if wanted > disk.free:
        because = f" ({told(reserve)} have to stay free, and OPTIMIZE wants twice of what it merges)" if reserve else ""
        fewer = "" if source else ", or take fewer --rows"
        raise RehearsalError(f"this takes {sentence}, and wants {told(wanted)} free{because}; free some{fewer}")
    return sentence


def prepare(keep: Path | None, source: Path | None, stack: ExitStack) -> Path:
    """The folder: `keep`, or a temporary one; with the generation in `source`, which stays as it is."""
    if keep is None:
        beside = source.absolute().parent if source else None  # hard links do not reach another disk
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rehearsal-", dir=beside)))
    else:
        folder = _empty(keep)
    if source:
        try:
            shutil.copytree(source / "clickhouse", folder / "clickhouse", symlinks=True, copy_function=_link)
        except shutil.Error as error:
            shutil.rmtree(folder / "clickhouse")
            raise RehearsalError(
                f"{source} cannot be linked into {folder} ({error.args[0][0][2]}); give --keep a folder on the same disk, "
                "and let no server use the other"
            ) from None
    return folder


def _require_generation_alone(source: Path) -> None:
    """Refuse what is no kept generation, or one on which phases have run."""
    there = sorted(path.name for path in source.iterdir()) if source.is_dir() else []
    if there != ["clickhouse"]:
        raise RehearsalError(f"{source} is not what --until {BEFORE} --keep leaves; give --from such a folder")


def _empty(keep: Path) -> Path:
    try:
        keep.mkdir(parents=True, exist_ok=True)
        there = any(keep.iterdir())
    except OSError as error:
        raise RehearsalError(f"{keep} cannot be used: {error.strerror}; give --keep a new folder") from None
    if there:
        raise RehearsalError(f"{keep} is not empty; give --keep a new folder, or delete this one")
    return keep.resolve()


def _link(source: str, copy: str) -> None:
    """ClickHouse never changes a file of a part; what it may change is copied."""
    if source.endswith(".sql") or os.path.basename(source) == "status":
        shutil.copy2(source, copy)
    else:
        os.link(source, copy)


class Usage:
    """Looks every second at how much disk the folder takes; `peak` is the most of it since `begin`, in bytes."""

    def __init__(self, folder: Path) -> None:
        self.peak = self.peak_of_all = 0
        self._folder = folder
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def begin(self) -> None:
        self.peak = 0
        self._look()

    def _run(self) -> None:
        while not self._stopping.wait(1):
            self._look()

    def _look(self) -> None:
        self.peak = max(self.peak, size_of(self._folder))
        self.peak_of_all = max(self.peak, self.peak_of_all)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()


def size_of(folder: Path) -> int:
    """What the files of a folder take of the disk, each once however many names it has."""
    found: dict[int, int] = {}
    for name, _, files in os.walk(folder):
        for file in files:
            try:
                status = os.lstat(os.path.join(name, file))
            except FileNotFoundError:
                continue  # a part that was merged just now
            found[status.st_ino] = status.st_blocks * 512
    return sum(found.values())


def memory_of(pid: int) -> int:
    """The most memory that a process has held so far, in bytes; 0 where the system does not say."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text("utf-8").splitlines() if status.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def told(size: int) -> str:
    return f"{size / GIGABYTE:,.1f} GB"
