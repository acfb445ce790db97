"""The real records of one wallet, put into the tables of the April incident with the project's own import."""

from __future__ import annotations

from clickhouse_connect.driver.client import Client

from scripts.import_polymarket import main
from tests.conftest import PROJECT
from tests.polymarket_data import DATA

INCIDENT = PROJECT / "incidents" / "2026-04-late-tokens-of-a-wallet.toml"
WALLET = "0xaf17116ae2b1476032785a67bd5b7c8c05905c20"
RECORDS = DATA / "wallet_af17"
TOKENS = "pm_wallet_tokens_v1"
WHOLE = {"key_from": "", "key_to": chr(0x10FFFF), "time_from": "2000-01-01 00:00:00", "time_to": "2100-01-01 00:00:00"}


def make_tables(client: Client) -> None:
    """The tables of the April incident that the import does not make; its positions are as those of January."""
    texts = (PROJECT / "tests" / "incidents" / "2026-04-tables.sql").read_text().split(";")
    positions = (PROJECT / "rehearsal" / "sql" / "tables" / "fifo.sql").read_text()
    for statement in (*texts, positions.replace("pm_trade_fifo_roi_v3", "pm_wallet_positions_v1")):
        client.command(statement)


def import_wallet(dsn: str, database: str) -> None:
    """Events, tokens and resolutions; the fills are the incident's business."""
    options = {
        "--clickhouse": dsn,
        "--database": database,
        "--events-table": "pm_wallet_events_v1",
        "--map-table": TOKENS,
        "--resolutions-table": "pm_wallet_resolutions_v1",
        "--activity": RECORDS / "activity.json",
        "--trades": RECORDS / "trades.json",
        "--tokens": DATA / "tokens.parquet",
        "--positions": RECORDS / "positions.json",
        "--closed-positions": RECORDS / "closed_positions.json",
    }
    assert main(["--create", *(str(word) for option in options.items() for word in option)]) == 0
