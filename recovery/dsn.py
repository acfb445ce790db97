"""Dsn: how --clickhouse names a server, and the embedded server that some of its forms mean."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from recovery.embedded import EmbeddedServer
from recovery.errors import UsageError

HOST = re.compile(r"[A-Za-z0-9_.-]+")
IPV6 = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9_.-]+)?")


@dataclass(frozen=True)
class Dsn:
    """A parsed DSN. clickhouse-connect does not understand clickhouses://, so the scheme is parsed here."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    secure: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """What is refused is not repeated: it may be a part of a password."""
        try:
            url = urlsplit(text)
            port = url.port
            host = url.hostname or ""
            named = IPV6.fullmatch(host) or HOST.fullmatch(host.encode("idna").decode())
        except ValueError:
            raise UsageError(
                "--clickhouse: not a DSN: its host or port cannot be read. Use clickhouse://user@host:8123, and "
                "CLICKHOUSE_PASSWORD for the password."
            ) from None
        spelt_out = url.scheme in ("clickhouse", "clickhouses") and named and port != 0
        if not spelt_out or url.query or url.fragment or "@" in url.path:
            raise UsageError(
                "--clickhouse: a DSN is clickhouse://user@host:8123, clickhouses://user@host:8443 (TLS), "
                "chdb:///folder, or the word embedded."
            )
        secure = url.scheme == "clickhouses"
        return cls(
            host=host,
            port=port or (8443 if secure else 8123),
            user=unquote(url.username or "default"),
            password=unquote(url.password or "") or os.environ.get("CLICKHOUSE_PASSWORD", ""),
            secure=secure,
        )

    @property
    def shown(self) -> str:
        """The DSN without its password."""
        return f"clickhouse{'s' if self.secure else ''}://{self.user}@{self.host}:{self.port}"


def serve(dsn: str, folder: Path) -> tuple[str, EmbeddedServer | None]:
    """The DSN to connect to; for `embedded` (in `folder`) and chdb:///path a server is started, to be stopped by the caller."""
    if dsn != "embedded" and not dsn.startswith("chdb://"):
        return dsn, None
    server = EmbeddedServer(folder if dsn == "embedded" else _folder(dsn))
    server.start()
    return server.dsn, server


def _folder(dsn: str) -> Path:
    """The folder of chdb:///folder: never the one that the command happens to be called in, never the root of a disk."""
    rest = dsn.removeprefix("chdb://")
    folder = Path(unquote(rest)).resolve() if rest.startswith("/") and rest.isprintable() else Path()
    if folder == folder.parent or not str(folder).isprintable() or "?" in rest or "#" in rest:
        raise UsageError(
            "--clickhouse: chdb:///folder names a folder from the root on, such as chdb:///data/clickhouse."
        )
    return folder
