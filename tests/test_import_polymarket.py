"""The import: real records become events as Polymarket counts them, and a wrong file changes nothing.

Tests of the real records need ../shared/data/polymarket (or POLYMARKET_DATA) and are skipped where it is absent.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clickhouse_connect.driver.client import Client

from recovery.embedded import EmbeddedServer
from scripts.import_polymarket import main
from tests.conftest import connect
from tests.polymarket_data import DATA, needs_data

WALLET = DATA / "wallet_af17"
ENDPOINTS = ("--activity", WALLET / "activity.json", "--trades", WALLET / "trades.json")
TABLES = {"--events-table": "events", "--map-table": "tokens", "--resolutions-table": "resolutions"}
_numbers = itertools.count(1)


class Place:
    """A database of a test's own, and the command that imports to it."""

    def __init__(self, dsn: str) -> None:
        self.dsn, self.database = dsn, f"imported_{next(_numbers)}"
        connect(dsn).command(f"CREATE DATABASE {self.database}")
        self.client: Client = connect(dsn, self.database)

    def load(self, *words: object, create: bool = True) -> int:
        names = [word for option in TABLES.items() for word in option] + ["--create"] * create
        return main(["--clickhouse", self.dsn, "--database", self.database, *names, *map(str, words)])

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.client.query(sql).result_rows]

    def value(self, sql: str) -> Any:
        return self.ask(sql)[0][0]


@pytest.fixture
def place(server: EmbeddedServer) -> Iterator[Place]:
    place = Place(server.dsn)
    yield place
    place.client.close()


@pytest.fixture(scope="module")
def wallet(server: EmbeddedServer) -> Place:
    """The wallet of the real records, imported."""
    place = Place(server.dsn)
    positions = ("--positions", WALLET / "positions.json", "--closed-positions", WALLET / "closed_positions.json")
    assert place.load(*ENDPOINTS, "--tokens", DATA / "tokens.parquet", *positions) == 0
    return place


def answer(name: str) -> list[dict[str, Any]]:
    return list(json.loads((WALLET / f"{name}.json").read_text()))


# What a fill is.


@needs_data
def test_tokens_received_add_up_to_every_open_position_that_polymarket_published(wallet: Place) -> None:
    held = dict(wallet.ask("SELECT token_id, sum(if(side = 'buy', 1, -1) * token_amount) / 1e6 FROM events GROUP BY 1"))
    published = {position["asset"]: position["size"] for position in answer("positions")}
    assert len(published) == 71
    assert {token: held[token] for token in published} == pytest.approx(published, abs=1e-4)


@needs_data
def test_dollars_are_without_the_fee_which_stands_beside_them(wallet: Place) -> None:
    stored = wallet.ask("SELECT transaction_hash, side, usdc_amount, fee_amount FROM events WHERE fee_amount > 0")
    paid = {fill["transactionHash"]: fill["usdcSize"] for fill in answer("activity")}
    assert len(stored) == 108
    signs = {"buy": 1, "sell": -1}
    assert [paid[hash] * 1e6 for hash, *_ in stored] == pytest.approx(
        [dollars + signs[side] * fee for _, side, dollars, fee in stored], abs=0.5
    )
    assert wallet.value("SELECT toDate(min(trade_time)) FROM events WHERE fee_amount > 0").isoformat() == "2026-04-30"


@needs_data
def test_the_map_knows_every_token_and_resolutions_come_from_payouts_and_ends(wallet: Place) -> None:
    assert wallet.value("SELECT count() FROM events LEFT ANTI JOIN tokens ON token_id = token_id_dec") == 0
    assert wallet.value("SELECT countIf(NOT match(condition_id, '^[0-9a-f]{64}$')) FROM tokens") == 0
    ends = {position["conditionId"][2:]: position["endDate"][:10] for position in answer("closed_positions")}
    stored = dict(wallet.ask("SELECT condition_id, toString(toDate(resolved_at)) FROM resolutions"))
    assert {condition: stored[condition] for condition in ends if condition in stored} == {
        condition: end for condition, end in ends.items() if condition in stored
    }
    counts = wallet.ask(
        "SELECT payout_numerators, payout_denominator, count() FROM resolutions GROUP BY 1, 2 ORDER BY 1"
    )
    assert counts == [("", "", 3), ("[0,1]", "1", 87), ("[1,0]", "1", 30)]


@needs_data
def test_importing_again_in_any_order_doubles_nothing(wallet: Place) -> None:
    tables = ("events", "tokens", "resolutions")
    before = [wallet.ask(f"SELECT * FROM {table} ORDER BY ALL") for table in tables]
    parquet = ("--fills", DATA / "fills.parquet", "--source", "wallet_af17")
    tokens = ("--tokens", DATA / "tokens.parquet")
    for words in ((*ENDPOINTS, *tokens), ENDPOINTS[:2], ENDPOINTS[2:], (*parquet, *tokens)):
        assert wallet.load(*words, create=False) == 0
    assert [wallet.ask(f"SELECT * FROM {table} ORDER BY ALL") for table in tables] == before


@needs_data
def test_what_two_endpoints_say_together_replaces_what_one_said(place: Place, wallet: Place) -> None:
    for words in (ENDPOINTS[2:], ENDPOINTS[:2], ENDPOINTS):
        assert place.load(*words) == 0
    assert place.ask("SELECT * FROM events FINAL ORDER BY ALL") == wallet.ask("SELECT * FROM events ORDER BY ALL")


# The sources that are there for volume.


@needs_data
def test_exact_repeats_survive_a_merge_because_each_is_a_fill_of_its_own(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    """ibalgo has no transaction hash: whether a repeat is the same fill cannot be known, so none is thrown away. The
    ordinal among equals keeps them apart, and gives them the same ids when the file is imported again."""
    ibalgo = ("--fills", DATA / "fills.parquet", "--source", "ibalgo")
    assert place.load(*ibalgo) == 0
    assert "2,852 fills, 598 of them exact repeats" in capsys.readouterr().out
    assert place.load(*ibalgo) == 0
    place.client.command("INSERT INTO events SELECT * FROM events")
    assert place.value("SELECT count() FROM events") == 2 * 2852
    place.client.command("OPTIMIZE TABLE events FINAL")
    assert place.value("SELECT count() FROM events") == 2852
    contents = "trader_wallet, side, token_id, usdc_amount, token_amount, trade_time"
    assert place.value(f"SELECT uniqExact({contents}) FROM events") == 2852 - 598


@needs_data
def test_all_sources_are_imported_each_row_under_an_id_of_its_own(place: Place) -> None:
    assert place.load("--fills", DATA / "fills.parquet") == 0
    assert place.load("--fills", DATA / "midterms2022.parquet") == 0
    assert place.ask("SELECT count(), uniqExact(event_id) FROM events") == [(8191 + 28005,) * 2]
    sorts_as_its_key = "startsWith(event_id, transaction_hash) AND match(event_id, '^0x[0-9a-f]{64}_0x[0-9a-f]{64}-t$')"
    assert place.value(f"SELECT countIf(NOT ({sorts_as_its_key})) FROM events") == 0


# Made-up records.

FILL = {
    "type": "TRADE", "asset": "123", "conditionId": "0x" + "c" * 64, "outcome": "Yes", "outcomeIndex": 0, "price": 0.25,
    "proxyWallet": "0x" + "A" * 40, "side": "BUY", "size": 10, "timestamp": 1_775_000_000, "title": "Will it rain?",
    "transactionHash": "0x" + "d" * 64, "usdcSize": 2.5,
}  # fmt: skip
PARQUET = {
    "source": "some", "wallet": "0x" + "a" * 40, "side": "BUY", "token_id": "123", "condition_id": "0x" + "c" * 64,
    "outcome_index": 0, "size": 10.0, "price": 0.25, "usdc": 2.5, "ts": 1_775_000_000, "tx_hash": None, "title": None,
}  # fmt: skip


def dump(folder: Path, *records: object, name: str = "dump.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(records))
    return path


def parquet(folder: Path, *records: dict[str, Any]) -> Path:
    path = folder / "fills.parquet"
    pq.write_table(pa.Table.from_pylist(list(records)), path)
    return path


def test_activity_that_is_no_fill_is_skipped_and_counted(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = FILL | {"asset": "", "outcomeIndex": 999}
    records = [FILL, other | {"type": "SPLIT"}, other | {"type": "REDEEM"}, other | {"type": "REDEEM"}]
    assert place.load("--activity", dump(tmp_path, *records)) == 0
    assert "3 records of activity are no fills and were skipped: 2 REDEEM, 1 SPLIT" in capsys.readouterr().out
    assert place.value("SELECT count() FROM events") == 1


def test_a_part_of_a_dump_gives_the_ids_that_the_whole_gives(place: Place, tmp_path: Path) -> None:
    fills = [FILL, FILL | {"price": 0.3, "usdcSize": 3}, FILL | {"size": 20, "price": 0.2, "usdcSize": 4}]
    assert place.load("--activity", dump(tmp_path, *fills[1:])) == 0
    assert place.load("--activity", dump(tmp_path, *reversed(fills))) == 0
    assert place.ask("SELECT usdc_amount, token_amount FROM events ORDER BY 1") == [
        (2.5e6, 1e7),
        (3e6, 1e7),
        (4e6, 2e7),
    ]


def test_a_fee_in_tokens_is_the_mean_of_what_the_endpoints_say(place: Place, tmp_path: Path) -> None:
    trade = {name: value for name, value in FILL.items() if name not in ("type", "usdcSize")} | {"size": 9}
    activity, trades = dump(tmp_path, FILL, name="activity.json"), dump(tmp_path, trade, name="trades.json")
    assert place.load("--activity", activity, "--trades", trades) == 0
    assert place.ask("SELECT token_amount, usdc_amount, fee_amount, _version FROM events") == [(9.5e6, 2.5e6, 0, 2)]


def test_wallets_and_conditions_are_stored_as_production_stores_them(place: Place, tmp_path: Path) -> None:
    assert place.load("--activity", dump(tmp_path, FILL)) == 0
    assert place.ask("SELECT trader_wallet, role, side FROM events") == [("0x" + "a" * 40, "taker", "buy")]
    assert place.ask("SELECT * FROM tokens") == [("123", "c" * 64, 0, "Will it rain?", "")]


# What is wrong, and what would be right.

WRONG_FIELDS = [
    ("asset", "", "a decimal number of up to 78 digits"),
    ("asset", 123, "a decimal number of up to 78 digits"),
    ("conditionId", "c" * 64, "0x and 64 hex digits"),
    ("outcomeIndex", 999, "a whole number from 0 to 255"),
    ("price", "0.25", "a number from 0 to 1e15"),
    ("size", -1, "a number from 0 to 1e15"),
    ("size", 1e300, "a number from 0 to 1e15"),
    ("size", True, "a number from 0 to 1e15"),
    ("usdcSize", float("nan"), "a number from 0 to 1e15"),
    ("side", "buy", "'BUY' or 'SELL'"),
    ("timestamp", 1_775_000_000_000, "epoch seconds"),
    ("transactionHash", None, "0x and 64 hex digits"),
    ("proxyWallet", "0x1", "0x and 40 hex digits"),
    ("title", None, "text"),
    ("title", "\ud800", "text"),
]


@pytest.mark.parametrize(("field", "value", "right"), WRONG_FIELDS)
def test_a_wrong_field_is_named_with_file_record_and_what_is_right(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], field: str, value: object, right: str
) -> None:
    path = dump(tmp_path, FILL, FILL | {field: value})
    assert place.load("--activity", path) == 4
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{path}: record 2: {field} = {value!r} is wrong: {right}" in said
    assert place.value("SELECT count() FROM events") == 0
    assert place.ask("SHOW TABLES LIKE 'import%'") == []


@pytest.mark.parametrize("field", [name for name in FILL if name not in ("outcome", "type")])
def test_a_missing_field_is_named(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], field: str) -> None:
    path = dump(tmp_path, {name: value for name, value in FILL.items() if name != field})
    assert place.load("--activity", path) == 4
    assert f"{path}: record 1: {field} is missing; " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "not JSON: "),
        (b"<html>", "not JSON: "),
        (b"[{", "not JSON: "),
        (b"[" * 100_000, "not JSON: "),
        (b"\xff\xfe", "not UTF-8 at byte 0"),
        (b'{"error": "no"}', "holds {'error': 'no'}; a list of records is expected"),
        (b"[1]", "record 1 is 1; an object with named fields is expected"),
        (b'[{"asset": "1"}]', "record 1: type is None; text such as 'TRADE' is expected"),
    ],
)
def test_a_file_of_another_shape_is_refused_in_a_sentence(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: bytes, said: str
) -> None:
    path = tmp_path / "dump.json"
    path.write_bytes(text)
    assert place.load("--activity", path) == 4
    error = capsys.readouterr().err
    assert f"{path}: {said}" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"wallet": "nobody"}, "record 2: wallet = 'nobody' is wrong: 0x and 40 hex digits"),
        ({"usdc": None}, "record 2: usdc = None is wrong: a number from 0 to 1e15"),
        ({"size": float("inf")}, "record 2: size = inf is wrong: a number from 0 to 1e15"),
    ],
)
def test_a_wrong_row_of_a_parquet_file_is_named(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], said: str
) -> None:
    path = parquet(tmp_path, PARQUET, PARQUET | change)
    assert place.load("--fills", path) == 4
    assert f"{path}: {said}" in capsys.readouterr().err
    assert place.value("SELECT count() FROM events") == 0


def test_a_parquet_file_without_a_column_is_refused(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = parquet(tmp_path, {name: value for name, value in PARQUET.items() if name != "usdc"})
    assert place.load("--fills", path) == 4
    assert f"{path}: the column usdc is missing" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--fills", "--tokens"])
def test_what_is_not_parquet_is_refused(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    path = dump(tmp_path, FILL)
    assert place.load(option, path) == 4
    assert f"{path}: not Parquet: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "option", ["--activity", "--trades", "--fills", "--tokens", "--positions", "--closed-positions"]
)
def test_a_file_that_is_not_there_is_named(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    assert place.load(option, tmp_path / "none") == 4
    assert f"{tmp_path / 'none'}: there is no such file" in capsys.readouterr().err


def test_a_position_without_a_right_end_is_named(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = dump(tmp_path, {"conditionId": "0x" + "c" * 64, "endDate": "soon"})
    assert place.load("--positions", path) == 4
    assert f"{path}: record 1: endDate = 'soon' is wrong: a time such as " in capsys.readouterr().err


def test_a_table_that_is_not_there_is_made_only_when_asked(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.load("--activity", dump(tmp_path, FILL), create=False) == 4
    assert f"There is no table {place.database}.events; pass --create to make it" in capsys.readouterr().err
    assert place.ask("SHOW TABLES") == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Nothing to import to; name --events-table"),
        (["--nothing"], "unrecognized arguments: --nothing"),
        (["--events-table", "a; DROP TABLE b"], "'a; DROP TABLE b' is not a plain name"),
        (["--events-table", "events", "--clickhouse", "http://somewhere"], "a DSN is clickhouse://"),
    ],
)
def test_a_wrong_option_is_a_usage_error(
    server: EmbeddedServer, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["--clickhouse", server.dsn, *words]) == 4
    assert said in capsys.readouterr().err


def test_a_server_that_is_not_there_is_said_without_the_password(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--clickhouse", "clickhouse://someone:secret@127.0.0.1:9", "--events-table", "events"]) == 13
    said = capsys.readouterr().err
    assert "clickhouse://someone@127.0.0.1:9 cannot be reached" in said
    assert "secret" not in said
