"""A process that is forked from one that has done the imports: what a command does, without the second that it takes to begin.

The environment is the command's own but for what an interpreter reads when it starts, such as PYTHONPATH.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.warm"])


def run_pytest(words: Sequence[str], env: Mapping[str, str], folder: Path, output: Path, seconds: float) -> int:
    """`pytest WORDS` in a folder; what it prints goes to a file. Returns its exit code; raises TimeoutError after `seconds`."""
    process = PROCESSES.Process(target=_pytest, args=(list(words), dict(env), folder, output))
    process.start()
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise TimeoutError(f"pytest {' '.join(words)} did not end in {seconds:.0f} s: {output.read_text()}")
    return process.exitcode


def _pytest(words: list[str], env: dict[str, str], folder: Path, output: Path) -> None:
    gc.freeze()  # what is inherited is not looked through for garbage again and again
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    tempfile.tempdir = None
    os.chdir(folder)
    with output.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = ["pytest", *words]
    sys.exit(pytest.console_main())
