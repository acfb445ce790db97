"""The nightly workflow: its commands and options exist, its secrets are those that the suite reads, its pages are kept."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from recovery.phases import GUARDS
from tests.test_docs import options_of

ROOT = Path(__file__).parent.parent
WORKFLOW: dict[Any, Any] = YAML(typ="safe").load((ROOT / ".github" / "workflows" / "nightly.yml").read_text("utf-8"))
(JOB,) = WORKFLOW["jobs"].values()
STEPS = {step["name"]: step for step in JOB["steps"] if "name" in step}


def test_it_asks_with_options_that_exist() -> None:
    words = shlex.split(STEPS["Ask"]["run"])
    assert words[:4] == ["python", "-m", "pytest", "-m"]
    named = {word.partition("=")[0] for word in words[4:] if word.startswith("--")}
    assert sorted(named - options_of("pytest") - {"--html", "--junitxml"}) == []
    assert {"--clickhouse", "--announce", "--ledger"} <= named


def test_it_asks_each_guard_by_its_name_and_nothing_acts() -> None:
    assert set(WORKFLOW["on"]["workflow_dispatch"]["inputs"]["checks"]["options"]) == {guard.name for guard in GUARDS}
    assert "--execute" not in STEPS["Ask"]["run"]
    assert WORKFLOW["permissions"] == {"contents": "read"}


def test_its_secrets_are_read_by_the_suite_and_stand_on_no_command_line() -> None:
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "recovery").glob("*.py"))
    given = STEPS["Ask"]["env"]
    assert all(value == f"${{{{ secrets.{name} }}}}" for name, value in given.items())
    assert sorted(name for name in given if f'"{name}"' not in sources) == ["CLICKHOUSE_DSN"]
    assert re.findall(r"\$\{?\{?\s*secrets|PASSWORD|TOKEN", STEPS["Ask"]["run"]) == []


def test_what_was_found_is_kept_whatever_the_exit_code_and_the_exit_code_counts() -> None:
    assert STEPS["Keep the page"]["if"] == "always()"
    assert all(path.startswith("out/") for path in re.findall(r"(?:ledger|html|junitxml)=(\S+)", STEPS["Ask"]["run"]))
    assert "continue-on-error" not in STEPS["Ask"]


@pytest.mark.parametrize("cron", [entry["cron"] for entry in WORKFLOW["on"]["schedule"]])
def test_each_schedule_leads_to_one_of_the_guards(cron: str) -> None:
    assert len(cron.split()) == 5
    nightly = cron in JOB["env"]["CHECKS"]
    assert nightly == (cron.split()[1] != "*")
