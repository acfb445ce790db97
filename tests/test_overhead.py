"""What a run of a phase does not load: a run that asks a small table is mostly imports."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import PROJECT, Case

HEAVY = {"great_expectations", "pandas", "chdb", "matplotlib", "hypothesis"}


def imported(said: str) -> set[str]:
    """The packages that `python -X importtime` told of."""
    return {name.split(".")[0] for name in re.findall(r"^import time:.*\| +(\S+)$", said, re.MULTILINE)}


def test_a_run_of_a_phase_on_a_running_server_loads_only_what_it_needs(backfilled: Case, tmp_path: Path) -> None:
    case = backfilled.clone(tmp_path)
    case.env = case.env | {"PYTHONPROFILEIMPORTTIME": "1"}
    assert case.pytest("phase3") == 0, case.output
    loaded = imported(case.output)
    assert {"pytest_html", "pyarrow", "clickhouse_connect"} <= loaded
    assert sorted(loaded & HEAVY) == []


def test_the_plugin_loads_nothing_that_only_some_runs_need() -> None:
    command = [sys.executable, "-X", "importtime", "-c", "import checks.plugin"]
    loaded = imported(subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stderr)
    assert "pydantic" in loaded
    assert sorted(loaded & (HEAVY | {"pyarrow", "numpy", "junitparser", "zipfile_"})) == []
