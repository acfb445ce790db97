"""An embedded ClickHouse (chDB) served over ClickHouse's HTTP interface on loopback, in a process of its own.

A chDB folder belongs to one process at a time: several share it through this server. Stock clickhouse-connect
works against it, with typed parameters, settings, sessions, streams, compressed inserts and error codes.
`EmbeddedServer` starts it as a child; `python -m recovery.embedded DIR` serves a folder by hand. The user
`default` may do everything, the user `reader` may only read.

The engine and the web server are imported where they are started: whoever only starts the child stays light.
"""

from __future__ import annotations

import argparse
import fcntl
import http.client
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self, cast
from urllib.parse import urlsplit

from recovery.errors import EmbeddedError, RecoveryError

if TYPE_CHECKING:
    from recovery.embedded_engine import Engine

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
THREADS = 32  # requests at work at once; a stream holds one until the client has read it


def _in_use(folder: Path) -> str | None:
    """Who holds the folder: ClickHouse keeps a lock on its file `status`, which names the process."""
    status = folder / "status"
    if not status.exists():
        return None
    with status.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found = re.search(r"PID: (\d+)", file.read())
            return f"pid {found[1]}" if found else "pid unknown"
    return None


def _open(folder: Path) -> Engine:
    """Open the folder, or say in one sentence why not."""
    next_step = "Give a folder of your own that can be written."
    try:
        if folder.exists() and not folder.is_dir():
            raise EmbeddedError(f"{folder} is a file, not a folder. {next_step}")
        if "?" in str(folder):
            raise EmbeddedError(f"{folder}: chDB cannot open a name with a question mark. {next_step}")
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise EmbeddedError(f"{folder} cannot be written. {next_step}")
        if not (folder / "metadata").exists() and any(folder.iterdir()):
            raise EmbeddedError(f"{folder} holds other files than ClickHouse's. Give a new folder, or an empty one.")
        if holder := _in_use(folder):
            raise EmbeddedError(
                f"{folder} is in use by another ClickHouse process ({holder}). "
                "Stop that one, or connect to it by its DSN."
            )
        from recovery.embedded_engine import Engine

        return Engine(folder)
    except OSError as error:
        raise EmbeddedError(f"{folder} cannot be used: {error.strerror}. {next_step}") from None
    except ImportError:
        if (zone := os.environ["TZ"]) == "UTC":
            raise
        raise EmbeddedError(f"{zone} is no time zone that chDB knows; give one such as Asia/Kolkata.") from None
    except RuntimeError as error:
        said = str(error).splitlines()[0]
        raise EmbeddedError(f"chDB could not open {folder}: {said} Use a folder that chDB has made.") from None


def _listen(engine: Engine, password: str, port: int) -> Any:
    """A web server that listens, and answers once it is run."""
    import waitress  # type: ignore[import-untyped]

    from recovery.embedded_http import Server

    try:
        return waitress.create_server(
            Server(engine, password),
            host=HOST,
            port=port,
            threads=THREADS,
            connection_limit=1000,
            ident=None,
            max_request_body_size=1 << 50,
            max_request_header_size=1 << 20,
            channel_timeout=3600,
            asyncore_use_poll=True,  # select takes no descriptor above 1023, and parts have thousands of files
            log_socket_errors=False,  # a client that went away is no news
        )
    except OSError as error:
        raise EmbeddedError(f"Port {port}: {error.strerror}. Choose another, or none.") from None


def main(argv: list[str]) -> int:
    """Serve a folder until SIGINT or SIGTERM. The first line on stdout is the DSN."""
    parser = argparse.ArgumentParser(prog="python -m recovery.embedded", description=main.__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="the data folder; made when it is missing")
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    parser.add_argument("--time-zone", default="UTC", metavar="ZONE", help="the server's time zone; default: UTC")
    parser.add_argument("--until-stdin-closes", action="store_true", help="stop when the parent is gone")
    options = parser.parse_args(argv)
    os.environ["TZ"] = options.time_zone  # before chDB is loaded: it is the server's time zone
    time.tzset()
    password = secrets.token_urlsafe(24)
    try:
        engine = _open(options.folder.resolve())
        http_server = _listen(engine, password, options.port)
    except RecoveryError as error:
        print(error, file=sys.stderr)
        return error.exit_code

    def stop(number: int, frame: object) -> None:
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, signal.SIG_IGN)
        overdue = threading.Timer(15, os._exit, [1])
        overdue.daemon = True
        overdue.start()
        engine.cancel_all()
        raise SystemExit

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, stop)
    if options.until_stdin_closes:
        threading.Thread(target=_stop_when_stdin_closes, daemon=True).start()
    print(f"clickhouse://default:{password}@{HOST}:{http_server.effective_port}/default", flush=True)
    if not options.until_stdin_closes:
        print("Ctrl-C stops it. The user `reader`, with the same password, can only read.", file=sys.stderr)
    http_server.run()
    http_server.close()
    engine.close()
    return 0


def _stop_when_stdin_closes() -> None:
    while os.read(0, 1024):  # not sys.stdin, whose lock would hold up the exit
        pass
    os.kill(os.getpid(), signal.SIGTERM)


class EmbeddedServer:
    """A server in a child process that ends with its parent, however that one ends."""

    def __init__(self, folder: Path, time_zone: str = "UTC") -> None:
        self.folder = folder
        self.time_zone = time_zone
        self.dsn = self.reader_dsn = ""
        self.pid = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None

    def start(self) -> None:
        inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        command = [
            sys.executable,
            "-m",
            "recovery.embedded",
            str(self.folder),
            "--time-zone",
            self.time_zone,
            "--until-stdin-closes",
        ]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it is read when the server has ended
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,  # the terminal's Ctrl-C is for the parent, who decides
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in (str(ROOT), *inherited) if path)},
        )
        self._process, self.pid = process, process.pid
        self.dsn = cast("IO[bytes]", process.stdout).readline().decode().strip()
        if not self.dsn:
            process.wait()
            raise EmbeddedError(self._end())
        self.reader_dsn = self.dsn.replace("//default:", "//reader:", 1)
        connection = http.client.HTTPConnection(urlsplit(self.dsn).netloc.rpartition("@")[2], timeout=30)
        connection.request("GET", "/ping")
        connection.getresponse().read()
        connection.close()

    def stop(self) -> None:
        """Ask it to stop, wait up to 20 seconds, then kill it. Where it had ended by itself, say so on stderr, and why."""
        if said := self._end():
            print(
                f"The embedded ClickHouse in {self.folder} had ended by itself; it said last: {said}", file=sys.stderr
            )

    def _end(self) -> str:
        """How it ended and what it said last, if it had ended by itself before."""
        process, self._process = self._process, None
        if process is None:
            return ""
        by_itself = process.poll() is not None
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()
        with cast("IO[bytes]", self._errors) as errors:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip().splitlines() or ["it said nothing."]
        if not by_itself:
            return ""
        killed = f" (killed by signal {-process.returncode})" if process.returncode < 0 else ""
        return f"{said[-1]}{killed}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
