"""January, hour by hour: the checks are quiet before the bug and see it in its first hour. bench/detection.py plays all of it."""

from __future__ import annotations

import argparse
from datetime import timedelta
from pathlib import Path

import pytest

from bench import detection
from recovery.embedded import EmbeddedServer
from rehearsal.scenario import SCENARIO


def test_the_bug_of_january_is_seen_in_its_first_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = SCENARIO["window_start"]
    monkeypatch.setattr(detection, "hours", lambda start, end: (fault + timedelta(hours=n) for n in (-20, -1, 0, 1)))
    chosen = argparse.Namespace(rows=60_000, clean_days=1)
    with EmbeddedServer(tmp_path / "clickhouse") as server:
        told = detection.scenario("january", server.dsn, tmp_path, chosen)
    assert told.false == {}
    assert told.first["fills.has_a_condition"] == f"{fault + timedelta(hours=1):%Y-%m-%dT%H:%M}"
    sentence = told.sentences["fills.has_a_condition"]
    for slice in (
        "token first traded 2026-01-17 or later",
        "token in the map no",
        "outcome 0",
        "source clob",
        "from 2026-01-17 00:",
    ):
        assert slice in sentence
