"""The whole recovery: by the rehearsal's command, and step by step against a writer that is still wrong."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from recovery.embedded import EmbeddedServer
from rehearsal.clock import Clock
from rehearsal.generate import compare, generate
from rehearsal.scenario import SCENARIO
from rehearsal.services import Services
from rehearsal.writer import Writer
from tests.conftest import JANUARY, PROJECT, Case, connect, rehearsed_services

ROWS = 5_000


def test_the_rehearsal_recovers_everything_while_the_writer_runs(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "rehearsal",
        "--rows",
        str(ROWS),
        "--seed",
        "3",
        "--days",
        "3",
        "--keep",
        str(tmp_path / "kept"),
    ]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert "0 rows lost, 0 rows different, 0 extra, 0 doubled." in said
    assert "0 positions different, 0 lost, 0 extra, 0 doubled, 0 changed that are not rebuilt, of " in said
    assert "0 rows of boards different, of " in said
    embedded = [
        "-m",
        "phase5",
        f"--clickhouse=chdb://{tmp_path}/kept/clickhouse",
        f"--now={SCENARIO['clock'] + timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}",
    ]
    asked = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *embedded, f"--ledger={tmp_path}/kept/ledger.jsonl",
         f"--incident={tmp_path}/kept/incidents/{JANUARY.name}", f"--html={tmp_path}/report.html"],
        cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert asked.returncode == 0, asked.stdout


def test_a_folder_that_is_in_use_gives_one_sentence_and_13(server: EmbeddedServer, broken: Case) -> None:
    assert broken.pytest("phase3", f"--clickhouse=chdb://{server.folder}") == 13
    assert f"{server.folder} is in use by another ClickHouse process" in " ".join(broken.output.split())


def test_a_deployment_cures_a_writer_that_breaks_new_rows_and_the_recovery_reaches_the_truth(tmp_path: Path) -> None:
    clock = Clock(SCENARIO["clock"])
    with EmbeddedServer(tmp_path / "clickhouse") as server:
        generate(connect(server.dsn), rows=ROWS, seed=5, history_days=3)
        with Services(tmp_path, lambda: connect(server.dsn), clock) as services:
            incident = tmp_path / JANUARY.name
            incident.write_bytes(JANUARY.read_bytes())
            incident.with_suffix(".sql").write_bytes(JANUARY.with_suffix(".sql").read_bytes())
            secrets = {"VERCEL_TOKEN": services.token, "CRON_SECRET": services.secret}
            case = Case(server.dsn, "default", tmp_path, incident, secrets)
            case.edit(services=rehearsed_services(services))
            writer = Writer(lambda: connect(server.dsn), services, "buggy", interval=0.3)
            stored_empty = (
                "SELECT count() FROM pm_canonical_fills_v4 WHERE condition_id = '' AND event_time >= '2026-02-02'"
            )
            while not case.value(stored_empty):
                assert writer.ticks < 40
                writer.tick()

            assert case.pytest("phase2", "--execute") == 11, case.output
            assert "the writer is still wrong" in " ".join(case.output.split())
            assert case.pytest("phase3") == 1
            assert "test_the_writer_stores_right_rows" in case.red()

            writer.start()
            assert case.pytest("phase1", "--execute", now=clock.now()) == 0, case.output
            writer.stop()

            assert case.pytest("preflight") == 1
            assert case.red() == {"test_no_broken_row_lies_outside_the_window"}
            assert "Widen window.start and window.end" in " ".join(case.output.split())
            case.edit(window={"end": clock.now().replace(microsecond=0) + timedelta(seconds=1)})
            everything = "preflight or phase1 or phase2 or phase3 or phase4 or phase5"
            assert case.pytest(everything, "--execute") == 0, case.output
            found = compare(
                connect(server.dsn),
                database="default",
                table="pm_canonical_fills_v4",
                quarantine="pm_canonical_fills_v4_quarantine",
                window_start=SCENARIO["window_start"],
                window_end=clock.now(),
            )
            assert found.perfect, found
