"""Environment: what a run ran on: the versions of the suite, of Python and of the driver, and the commit of the suite."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PROJECT = Path(__file__).parent.parent


@cache
def facts() -> dict[str, str]:
    """suite, commit ("" where the suite is no git checkout; "-dirty" where it was changed since), python, driver."""
    return {
        "suite": _release("clickhouse-recovery"),
        "commit": _commit(),
        "python": platform.python_version(),
        "driver": _release("clickhouse-connect"),
    }


def _release(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _commit() -> str:
    try:
        told = subprocess.run(
            ["git", "-C", str(PROJECT), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            capture_output=True, text=True, timeout=10, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.strip() if told.returncode == 0 else ""
