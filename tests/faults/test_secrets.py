"""Passwords and tokens stand in no output, ledger, page, log or traceback, in no statement and on no command line."""

from __future__ import annotations

import base64
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recovery import secret
from recovery.embedded import EmbeddedServer
from recovery.errors import UsageError
from recovery.secret import masked
from recovery.warehouse import Dsn
from scripts import plan, rollback
from tests.conftest import PROJECT, Case
from tests.faults.conftest import FULL, rounds
from tests.faults.listening import Heard, listening

SUBJECT = "secrets"
PIECE = 8  # as many characters of a secret, anywhere, are a leak
LOUD = ("-vv", "--tb=long", "--showlocals", "-rA", "--full-trace", "--log-cli-level=DEBUG", "--log-file-level=DEBUG")


PLANTED = ("CLICKHOUSE_PASSWORD", "CLICKHOUSE_WRITER_PASSWORD", "SLACK_BOT_TOKEN", "SLACK_WEBHOOK_URL")
thorough = pytest.mark.skipif(not FULL, reason="one of many situations; FAULTS=full tries each")


def canary() -> str:
    return secrets.token_urlsafe(24)


@dataclass
class Guarded:
    """A case whose secrets are all known, and everything that came out of it."""

    case: Case
    heard: Heard
    known: dict[str, str] = field(repr=False)

    @property
    def dsn(self) -> str:
        """The DSN with its password."""
        return self.heard.dsn.replace(Dsn.parse(self.heard.dsn).password, self.known["CLICKHOUSE_PASSWORD"])

    @property
    def bare(self) -> str:
        return Dsn.parse(self.dsn).shown

    def run(self, phase: str, *words: str, loud: bool = True, **env: str) -> int:
        case = self.case
        (case.folder / "tmp").mkdir(exist_ok=True)
        case.env = {
            **case.env,
            **self.known,
            "CLICKHOUSE_WRITER_USER": "default",
            "TMPDIR": str(case.folder / "tmp"),
            **env,
        }
        files = (f"--log-file={case.folder / 'run.log'}", f"--junitxml={case.folder / 'run.xml'}")
        return case.pytest(phase, f"--clickhouse={self.bare}", *(LOUD if loud else ()), *files, *words)

    def plugin(self, name: str, code: str) -> tuple[str, ...]:
        """A module beside the case, loaded by the run."""
        (self.case.folder / f"{name}.py").write_text(code)
        self.case.env = {**self.case.env, "PYTHONPATH": str(self.case.folder)}
        return ("-p", name)

    def leaks(self, *texts: str) -> list[str]:
        """Where a piece of a secret stands, in what was printed, written or asked."""
        own = {self.case.incident.with_suffix(".sql"), self.case.incident}
        files = [path for path in self.case.folder.rglob("*") if path.is_file() and path not in own]
        places = {"output": self.case.output, **{f"text {n}": text for n, text in enumerate(texts)}}
        places |= {path.name: path.read_text("utf-8", "replace") for path in files}
        places |= {f"request {n}": " ".join(request) for n, request in enumerate(self.heard.requests)}
        return [
            f"{name} in {where}"
            for name, value in self.known.items()
            for where, text in places.items()
            if has(text, value)
        ]


def has(text: str, value: str) -> bool:
    """Whether a piece of the secret is in the text, plain or in a login as it is sent."""
    login = base64.b64encode(f"default:{value}".encode()).decode()[12:]
    return any(form[at : at + PIECE] in text for form in (value, login) for at in range(len(form) - PIECE + 1))


@pytest.fixture
def guarded(broken: Case, tmp_path: Path, figures: Callable[..., None]) -> Iterator[Guarded]:
    case = broken.clone(tmp_path)
    known = {name: canary() for name in PLANTED} | dict(broken.env)
    with listening(case.dsn, known["CLICKHOUSE_PASSWORD"], known["CLICKHOUSE_WRITER_PASSWORD"]) as heard:
        yield (held := Guarded(case, heard, known))
    if heard.requests:
        figures(SUBJECT, situations=1, leaks=len(held.leaks()))


def test_the_search_finds_a_secret_a_piece_of_it_and_a_login(guarded: Guarded) -> None:
    value = guarded.known["CLICKHOUSE_PASSWORD"]
    login = base64.b64encode(f"default:{value}".encode()).decode()
    assert guarded.leaks("nothing") == []
    assert all(guarded.leaks(text) for text in (value, value[3:12], f"Basic {login}", login[20:40]))


def test_secrets_in_the_data_are_masked_in_answers_samples_and_dossier(guarded: Guarded) -> None:
    value = guarded.known["CLICKHOUSE_PASSWORD"]
    guarded.case.command(f"ALTER TABLE pm_canonical_fills_v4 UPDATE tx_hash = 'x{value}' WHERE condition_id = ''")
    guarded.run("preflight", loud=False)
    sample = guarded.case.lines("figures")[-1]["sample"]
    kept = next(guarded.case.folder.glob(f"evidence/*/{sample['query_id']}.parquet"))
    assert {row["tx_hash"] for row in pq.read_table(kept).to_pylist()} == {"x***"}
    assert guarded.leaks() == []
    assert (guarded.case.folder / "ledger.dossier.html").exists()


def test_an_action_with_everything_shown_shows_no_secret(guarded: Guarded) -> None:
    assert guarded.run("phase2", "--execute", "--override-gate=drill") == 0, guarded.case.output
    assert any("INSERT INTO" in body for _, body in guarded.heard.requests)
    assert guarded.leaks() == []


@thorough
def test_a_password_in_the_dsn_is_shown_nowhere(guarded: Guarded) -> None:
    assert guarded.run("phase3", f"--clickhouse={guarded.dsn}", CLICKHOUSE_PASSWORD="") == 1
    assert guarded.bare in guarded.case.output
    assert guarded.leaks() == []


@thorough
def test_a_refused_login_shows_no_secret(guarded: Guarded) -> None:
    wrong = guarded.known["another"] = canary()
    assert guarded.run("phase3", CLICKHOUSE_PASSWORD=wrong) == 13
    assert "refused the login" in guarded.case.output
    assert guarded.run("phase2", "--execute", "--override-gate=drill", CLICKHOUSE_WRITER_PASSWORD=wrong) in (12, 13)
    assert guarded.leaks() == []


@thorough
def test_a_server_that_is_gone_shows_no_secret(guarded: Guarded) -> None:
    gone = re.sub(r":\d+$", ":1", guarded.dsn)
    assert guarded.run("phase3", f"--clickhouse={gone}") == 13
    assert guarded.run("phase3", f"--clickhouse={Dsn.parse(gone).shown}") == 13
    assert guarded.leaks() == []


@thorough
def test_a_statement_that_fails_with_the_login_in_its_words_shows_no_secret(
    guarded: Guarded, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded.heard.fails = "'UTC') AS day"
    assert guarded.run("phase3") == 3, guarded.case.output
    assert "error 241" in guarded.case.output
    guarded.heard.fails = "system.columns"
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", guarded.known["CLICKHOUSE_PASSWORD"])
    words = [
        f"--incident={guarded.case.incident}",
        f"--clickhouse={guarded.bare}",
        f"--ledger={guarded.case.ledger.path}",
    ]
    assert rollback.main(words) in (0, 3)
    assert plan.main(words) == 3
    said = capsys.readouterr()
    assert "error 241" in said.err
    assert guarded.leaks(said.out, said.err) == []


@pytest.fixture
def echo() -> Iterator[str]:
    """A service that answers 500 and repeats what it was sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(500)
            self.end_headers()
            self.wfile.write(str(self.headers).encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@thorough
def test_a_service_that_answers_500_is_said_without_the_token(guarded: Guarded, echo: str) -> None:
    guarded.case.edit(services={"vercel": {"url": echo, "project": "x"}})
    assert guarded.run("phase1") == 13
    assert "answered with status 500" in " ".join(guarded.case.output.split())
    assert guarded.leaks() == []


@pytest.mark.parametrize("odd", ["\n{}\n{}", "{}\u00e9{}", "{} \x01{}"][: rounds(1, 3)])
def test_a_token_that_cannot_be_sent_is_not_repeated(guarded: Guarded, odd: str) -> None:
    token = guarded.known["VERCEL_TOKEN"]
    assert guarded.run("phase1", VERCEL_TOKEN=odd.format(token, token)) == 13
    assert "VERCEL_TOKEN holds characters" in " ".join(guarded.case.output.split())
    assert guarded.leaks() == []


CRASHES = {
    "the driver, with the login in its arguments": """
import clickhouse_connect
real = clickhouse_connect.get_client
def get_client(**login):
    if "readonly" not in login["settings"]:
        headers = {"padding": "x" * 100, "Authorization": login["password"]}
        raise RuntimeError(f"cannot connect with {login} and {headers}")
    return real(**login)
clickhouse_connect.get_client = get_client
""",
    "the client of the services, with the token": """
import httpx
def get(url, **given):
    environment = __import__("os").environ
    raise RuntimeError(f"no {given}")
httpx.get = get
""",
    "pytest itself": """
import os
def pytest_runtest_logreport(report):
    if report.when == "setup":
        return
    token, everything = os.environ["VERCEL_TOKEN"], dict(os.environ)
    raise RuntimeError(f"boom {os.environ['CLICKHOUSE_PASSWORD']} {everything}")
""",
}


@pytest.mark.parametrize("crash", list(CRASHES)[: rounds(1, len(CRASHES))])
def test_a_crash_shows_its_locals_without_the_secrets(guarded: Guarded, crash: str) -> None:
    words = guarded.plugin("crash", CRASHES[crash])
    phase = ["phase1"] if "services" in crash else ["phase2", "--execute", "--override-gate=drill"]
    assert guarded.run(*phase, *words) in (3, 10, 12)
    assert "RuntimeError" in guarded.case.output
    assert "***" in guarded.case.output
    assert guarded.leaks() == []


@thorough
def test_a_crash_in_a_worker_shows_no_secret(guarded: Guarded) -> None:
    words = guarded.plugin("crash", CRASHES["the client of the services, with the token"])
    assert guarded.run("phase1", *words, "-n2") in (3, 10)
    assert "RuntimeError" in guarded.case.output
    assert guarded.leaks() == []


SPY = """
import json, os, sys
def heard(event, given):
    if event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"):
        with open(os.environ["SPY"], "a") as file:
            file.write(json.dumps([event, repr(given[:2])]) + "\\n")
sys.addaudithook(heard)
with open(os.environ["SPY"], "a") as file:
    file.write(json.dumps(["began", repr(open("/proc/self/cmdline").read())]) + "\\n")
"""
LOGIN = re.compile(r"://[^/@\s'\"]*:[^/@\s'\"]+@")


def spied(folder: Path) -> dict[str, str]:
    """An environment in which every Python process writes down its command line, and each that it starts."""
    (folder / "sitecustomize.py").write_text(SPY)
    return {"PYTHONPATH": str(folder), "SPY": str(folder / "command lines")}


def test_no_secret_is_on_the_command_line_of_any_process(guarded: Guarded) -> None:
    env = spied(guarded.case.folder)
    assert guarded.run("phase1", "--execute", loud=False, **env) == 0, guarded.case.output
    seen = (guarded.case.folder / "command lines").read_text()
    assert {"git", "merge-base"} <= set(re.findall(r"[\w-]+", seen))
    assert LOGIN.findall(seen) == []
    assert guarded.leaks() == []


@thorough
def test_no_secret_is_on_the_command_line_of_a_worker_or_of_a_plan(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = spied(guarded.case.folder)
    assert guarded.run("phase3", "-n2", loud=False, **env) == 1
    words = [
        f"--incident={guarded.case.incident}",
        f"--clickhouse={guarded.dsn}",
        f"--ledger={guarded.case.ledger.path}",
    ]
    for name, value in (guarded.known | env).items():
        monkeypatch.setenv(name, value)
    command = [
        sys.executable,
        "-c",
        "import sys; from scripts import plan; sys.exit(plan.main(sys.stdin.read().split()))",
    ]
    asked = " ".join([*words, f"--now={guarded.case.now:%Y-%m-%dT%H:%M:%SZ}"])
    done = subprocess.run(command, cwd=PROJECT, input=asked, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    seen = (guarded.case.folder / "command lines").read_text()
    assert {"preflight", "readline"} <= set(re.findall(r"[\w-]+", seen))
    assert LOGIN.findall(seen) == []
    assert guarded.leaks(done.stdout, done.stderr) == []


def test_the_embedded_server_has_its_password_on_no_command_line(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "clickhouse") as server:
        password = Dsn.parse(server.dsn).password
        lines = [path.read_bytes().decode("utf-8", "replace") for path in command_lines()]
        assert any("recovery.embedded" in line and str(tmp_path) in line for line in lines)
        assert [line for line in lines if has(line, password)] == []
        assert password not in Path(f"/proc/{server.pid}/environ").read_text()
        assert password not in repr(Dsn.parse(server.dsn))


def command_lines() -> Iterator[Path]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            path.read_bytes()
        except OSError:
            continue
        yield path


@thorough
def test_a_rehearsal_has_no_secret_on_a_command_line_and_shows_none(
    tmp_path: Path, figures: Callable[..., None]
) -> None:
    kept = tmp_path / "kept"
    command = [sys.executable, "-m", "rehearsal", "--rows=2000", "--days=3", f"--keep={kept}"]
    env = os.environ | spied(tmp_path)
    done = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    texts = [done.stdout, done.stderr, (tmp_path / "command lines").read_text()]
    texts += [path.read_text() for path in kept.iterdir() if path.is_file()]
    leaks = [found for text in texts for found in LOGIN.findall(text)]
    figures(SUBJECT, situations=1, leaks=len(leaks))
    assert leaks == []


@pytest.mark.parametrize("password", ["pa#ss-canary", "pa/ss-canary", "pa?ss-canary", "12/ss-canary", "pa[ss-canary"])
def test_a_password_that_breaks_the_dsn_is_not_repeated(password: str) -> None:
    with pytest.raises(UsageError) as caught:
        Dsn.parse(f"clickhouse://ann:{password}@example.com:8123")
    assert not re.search(r"canary|\bpa\b|\b12\b|ss-", str(caught.value))


@settings(max_examples=rounds(20, 200), deadline=None, derandomize=True, database=None)
@given(st.text(st.characters(min_codepoint=33, max_codepoint=0x24F), min_size=8, max_size=40), st.integers(0, 200))
def test_a_cut_text_keeps_no_piece_of_a_secret(value: str, cut: int) -> None:
    text = "{'host': 'example', 'password': '" + value + "', 'port': 8123}"
    short = text[:cut] + "..." + text[max(cut, len(text) - cut) :]
    kept = masked(short, (value,))
    pieces = {value[at : at + PIECE] for at in range(len(value) - PIECE + 1)}
    around = "{'host': 'example', 'password': '...', 'port': 8123}"
    assert [piece for piece in pieces if piece in kept and piece not in around] == []
    assert masked(f"{value} {base64.b64encode(f'default:{value}'.encode()).decode()}", (value,)).count(secret.MASK) >= 2


@pytest.mark.parametrize("page", ["README.md", "docs/runbook.md"])
def test_the_docs_say_where_a_password_belongs(page: str) -> None:
    text = " ".join((PROJECT / page).read_text("utf-8").split())
    assert "process list" in text
    assert "CLICKHOUSE_WRITER_PASSWORD" in text
    assert LOGIN.findall(text) == []
