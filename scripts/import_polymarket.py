"""`python -m scripts.import_polymarket`: put dumps of Polymarket's data API and Parquet fills into ClickHouse."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

from recovery import polymarket, warehouse
from recovery.errors import RecoveryError, ServerUnreachable, StatementFailed, UsageError

ROOT = Path(__file__).resolve().parent.parent


def main(argv: Sequence[str] | None = None) -> int:
    """0 done · 4 a wrong file or option · 3 a statement failed · 13 no server."""
    try:
        chosen = arguments(argv)
        _import(chosen)
    except RecoveryError as error:
        print(f"import_polymarket: {error}", file=sys.stderr)
        return error.exit_code
    return 0


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; {self.prog} --help lists the options.")


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="python -m scripts.import_polymarket", description=__doc__)
    parser.add_argument("--clickhouse", metavar="DSN", default="embedded", help="as for pytest; default: embedded")
    parser.add_argument("--activity", metavar="FILE", type=Path, help="answer of /activity (JSON)")
    parser.add_argument("--trades", metavar="FILE", type=Path, help="answer of /trades?takerOnly=false (JSON)")
    parser.add_argument("--fills", metavar="FILE", type=Path, help="fills (Parquet)")
    parser.add_argument("--source", metavar="NAME", action="append", default=[], help="only fills of this source")
    parser.add_argument("--tokens", metavar="FILE", type=Path, help="tokens with their payouts (Parquet)")
    parser.add_argument("--positions", metavar="FILE", type=Path, help="answer of /positions: when markets ended")
    parser.add_argument("--closed-positions", metavar="FILE", type=Path, help="answer of /closed-positions: likewise")
    parser.add_argument("--database", metavar="NAME", default="default", help="where the tables are; default: default")
    parser.add_argument("--events-table", metavar="NAME", help="the table to put fills into, as events")
    parser.add_argument("--map-table", metavar="NAME", help="the table to put tokens into")
    parser.add_argument("--resolutions-table", metavar="NAME", help="the table to put resolutions into")
    parser.add_argument("--create", action="store_true", help="make the tables that are not there")
    return parser.parse_args(argv)


def _import(chosen: argparse.Namespace) -> None:
    targets = polymarket.Targets(chosen.database, chosen.events_table, chosen.map_table, chosen.resolutions_table)
    if not targets.named():
        raise UsageError("Nothing to import to; name --events-table, --map-table or --resolutions-table.")
    positions = tuple(path for path in (chosen.positions, chosen.closed_positions) if path)
    dumps = polymarket.Dumps(
        chosen.activity, chosen.trades, chosen.fills, chosen.tokens, positions, tuple(chosen.source)
    )
    dsn, server = warehouse.serve(chosen.clickhouse, ROOT / ".clickhouse")
    try:
        _load(warehouse.Dsn.parse(dsn), dumps, targets, chosen.create)
    finally:
        if server is not None:
            server.stop()


def _load(dsn: warehouse.Dsn, dumps: polymarket.Dumps, targets: polymarket.Targets, create: bool) -> None:
    try:
        client = clickhouse_connect.get_client(
            host=dsn.host, port=dsn.port, username=dsn.user, password=dsn.password, secure=dsn.secure
        )
        try:
            polymarket.load(client, dumps, targets, create=create, tell=print)
        finally:
            client.close()
    except OperationalError as error:
        raise ServerUnreachable(f"{dsn.shown} cannot be reached: {_one_line(error)}. Is ClickHouse running?") from None
    except ClickHouseError as error:
        raise StatementFailed(f"{dsn.shown} refused: {_one_line(error)}", getattr(error, "code", None) or 0) from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:400]


if __name__ == "__main__":
    sys.exit(main())
