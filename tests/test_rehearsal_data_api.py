"""The rehearsal's data API gives what Polymarket's gives: its fields, its limits, its arithmetic; and its faults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import clickhouse_connect
import httpx
import pytest
from clickhouse_connect.driver.client import Client

from recovery.embedded import EmbeddedServer
from rehearsal.clock import Clock
from rehearsal.data_api import positions
from rehearsal.generate import generate
from rehearsal.scenario import SCENARIO
from rehearsal.services import Services
from tests.polymarket_data import DATA, needs_data

TRADER = "0x00000000000000000000000000000000000000ab"
CLOSED, OPEN, SMALL = 120, 7, 3
BUSIEST = "SELECT wallet FROM rehearsal.truth WHERE source = 'clob' GROUP BY wallet ORDER BY count() DESC LIMIT 1"
# The trader buys ten tokens of each condition for 1 dollar or more, and sells those of the first for 4.
TRADES = f"""
INSERT INTO rehearsal.halves (wallet, kind, created, rank, outcome, batch, n, half, at, is_buy, tokens, usdc, class)
SELECT '{TRADER}', kind, created, rank, 0, 4294967290, 2 * number + buys, number % 2,
       toDateTime('2026-01-05', 'UTC') + 2 * number + (NOT buys), buys,
       if(number < {CLOSED + OPEN}, 10000000, 900000), if(buys, 1000000 + number * 50000, 4000000), 'clean'
FROM (SELECT *, row_number() OVER (ORDER BY condition_id) - 1 AS number FROM rehearsal.conditions)
ARRAY JOIN [1, 0] AS buys
WHERE number < {CLOSED + OPEN + SMALL} AND (buys OR number < {CLOSED})
"""


@pytest.fixture(scope="module")
def dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with EmbeddedServer(tmp_path_factory.mktemp("api") / "clickhouse") as server:
        client = clickhouse_connect.get_client(dsn=server.dsn)
        generate(client, rows=2_000, seed=5)
        client.command(TRADES)
        client.close()
        yield server.dsn


@pytest.fixture(scope="module")
def running(dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    def connect() -> Client:
        return clickhouse_connect.get_client(dsn=dsn)

    with Services(tmp_path_factory.mktemp("services"), connect, Clock(SCENARIO["clock"])) as services:
        yield services


@pytest.fixture
def services(running: Services) -> Iterator[Services]:
    running.asked.clear()
    yield running
    running.api_faults.clear()


@pytest.fixture
def client(dsn: str) -> Iterator[Client]:
    client = clickhouse_connect.get_client(dsn=dsn)
    yield client
    client.close()


def get(services: Services, path: str, **query: Any) -> Any:
    answer = httpx.get(f"{services.url}/{path}", params={"user": TRADER} | query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def pages(services: Services, path: str, limit: int, **query: Any) -> list[Any]:
    """Everything, a page after the other until one is empty."""
    found: list[Any] = []
    while page := get(services, path, limit=limit, offset=len(found), **query):
        found += page
    return found


def value(client: Client, sql: str) -> Any:
    return client.query(sql).result_rows[0][0]


# Arithmetic


def trade(side: str, tokens: float, dollars: float) -> dict[str, Any]:
    amounts = {"millionths": round(tokens * 1e6), "paid": round(dollars * 1e6)}
    return {"asset": "1", "side": side, "curPrice": 1.0, "resolved": 1} | amounts


def test_the_average_cost_is_in_millionths_and_rounded_down_at_each_buy() -> None:
    (found,) = positions([trade("BUY", 3, 1), trade("BUY", 3, 1.000002), trade("BUY", 1, 0.5)])
    first, second = 333_333, (333_333 * 3 + 333_334 * 3) // 6
    assert second == first
    assert found["avgPrice"] == (second * 6 + 500_000) // 7 / 1e6 == 0.357142
    assert (found["size"], found["totalBought"], found["realizedPnl"]) == (7, 7, 0)


def test_a_sell_realizes_on_what_is_held_and_leaves_the_average() -> None:
    (found,) = positions([trade("BUY", 10, 4), trade("SELL", 4, 2), trade("BUY", 4, 1.6)])
    assert (found["size"], found["avgPrice"], found["totalBought"]) == (10, 0.4, 14)
    assert found["realizedPnl"] == pytest.approx(0.4)
    assert (found["initialValue"], found["currentValue"], found["cashPnl"]) == pytest.approx((4, 10, 6))


def test_what_is_sold_beyond_what_is_held_realizes_nothing() -> None:
    (found,) = positions([trade("SELL", 5, 3), trade("BUY", 10, 4), trade("SELL", 15, 9)])
    assert (found["size"], found["totalBought"], found["realizedPnl"]) == (0, 10, pytest.approx(2))


def moment(record: dict[str, Any]) -> tuple[Any, ...]:
    return (record["timestamp"], record["transactionHash"], record["asset"], record["side"], record["size"])


@needs_data
def test_real_trades_come_to_the_figures_that_polymarket_gave() -> None:
    """In April 2026 fees were taken in tokens: what came in is the mean of the sizes that the two endpoints tell."""
    activity, trades, opened, closed = (
        json.loads((DATA / "wallet_af17" / f"{name}.json").read_text())
        for name in ("activity", "trades", "positions", "closed_positions")
    )
    told = {record["asset"]: record for record in opened + closed}
    made = []
    for one, other in zip(sorted(activity, key=moment), sorted(trades, key=moment), strict=True):
        assert moment(one)[:4] == moment(other)[:4]
        amount = trade(one["side"], size := (one["size"] + other["size"]) / 2, one["price"] * size)
        made.append(one | amount | {"asset": one["asset"], "curPrice": told[one["asset"]]["curPrice"]})
    found = {each["asset"]: each for each in positions(made)}
    assert len(found) == len(told) == 125
    assert [found[record["asset"]]["realizedPnl"] for record in opened] == pytest.approx(
        [record["realizedPnl"] for record in opened], abs=0.01
    )
    # A closed one was redeemed: what was held was realized at its payout.
    redeemed = [found[record["asset"]]["realizedPnl"] + found[record["asset"]]["cashPnl"] for record in closed]
    off = [abs(ours - record["realizedPnl"]) for ours, record in zip(redeemed, closed, strict=True)]
    assert sum(difference < 0.01 for difference in off) == 48
    assert max(off) < 0.25


# What it gives


@needs_data
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("positions", "positions"),
        ("closed-positions", "closed_positions"),
        ("activity", "activity"),
        ("trades", "trades"),
    ],
)
def test_records_have_the_fields_of_polymarkets(services: Services, path: str, name: str) -> None:
    real = json.loads((DATA / "wallet_af17" / f"{name}.json").read_text())[0]
    ours = get(services, path, takerOnly="false")[0]
    assert sorted(ours) == sorted(real.keys() - {"eventId"})
    kinds = {key: isinstance(real[key], str) for key in ours}
    assert {key: isinstance(record, str) for key, record in ours.items()} == kinds
    assert ours["conditionId"].startswith("0x")
    assert len(ours["conditionId"]) == 66


def test_what_is_held_is_open_and_what_was_sold_is_closed(services: Services) -> None:
    assert len(pages(services, "closed-positions", 50)) == CLOSED
    assert len(pages(services, "positions", 500)) == OPEN
    assert len(pages(services, "positions", 500, sizeThreshold=0)) == OPEN + SMALL


def test_trades_are_those_of_takers_unless_one_asks_for_all(services: Services) -> None:
    everything = 2 * CLOSED + OPEN + SMALL
    assert len(get(services, "trades", limit=1000)) == everything // 2
    assert len(get(services, "trades", limit=1000, takerOnly="false")) == everything
    assert len(pages(services, "activity", 500)) == everything
    assert {record["type"] for record in get(services, "activity")} == {"TRADE"}
    assert get(services, "activity", type="REDEEM") == []


@pytest.mark.parametrize(("path", "most", "usual"), [("positions", 500, 100), ("closed-positions", 50, 10)])
def test_a_page_has_no_more_than_the_api_gives_at_a_time(services: Services, path: str, most: int, usual: int) -> None:
    there = CLOSED if path == "closed-positions" else OPEN
    assert len(get(services, path, limit=1000)) == min(most, there)
    assert len(get(services, path)) == min(usual, there)


def test_a_capped_pull_of_closed_positions_sees_only_winners(services: Services) -> None:
    found = [record["realizedPnl"] for record in pages(services, "closed-positions", 50)]
    assert found == sorted(found, reverse=True)
    assert min(found[:50]) > 0 > min(found)


def test_records_come_in_the_order_that_is_asked_for(services: Services) -> None:
    ascending = {"sortBy": "TIMESTAMP", "sortDirection": "ASC"}
    times = [record["timestamp"] for record in pages(services, "closed-positions", 50, **ascending)]
    assert times == sorted(times)
    newest = [record["timestamp"] for record in get(services, "activity")]
    assert newest == sorted(newest, reverse=True)


def test_activity_can_be_asked_for_from_one_second_to_another(services: Services) -> None:
    times = sorted(record["timestamp"] for record in pages(services, "activity", 500))
    found = [record["timestamp"] for record in get(services, "activity", limit=500, start=times[10], end=times[20])]
    assert sorted(found) == [time for time in times if times[10] <= time <= times[20]]
    assert 10 < len(found) < len(times)


def test_figures_of_a_closed_position_are_those_of_its_trades(services: Services) -> None:
    (record,) = get(services, "closed-positions", limit=1)
    assert (record["avgPrice"], record["totalBought"], record["realizedPnl"]) == (0.1, 10, pytest.approx(3))
    assert record["proxyWallet"] == TRADER


@pytest.mark.parametrize("kind", ["broken", "orphan", "late"])
def test_the_outside_world_knows_what_the_table_lacks(services: Services, client: Client, kind: str) -> None:
    user, name = client.query(
        f"SELECT wallet, tx_hash FROM rehearsal.truth WHERE class = '{kind}' ORDER BY fill_id LIMIT 1"
    ).result_rows[0]
    found = [record for record in pages(services, "activity", 500, user=user) if record["transactionHash"] == name]
    conditions = "SELECT condition_id FROM rehearsal.conditions"
    assert found
    assert {record["conditionId"][2:] for record in found} <= {row[0] for row in client.query(conditions).result_rows}


def test_the_trades_of_a_wallet_are_as_many_as_in_the_truth(services: Services, client: Client) -> None:
    user = value(client, BUSIEST)
    found = pages(services, "trades", 500, user=user.upper().replace("0X", "0x"), takerOnly="false")
    counted = f"SELECT count() FROM rehearsal.truth WHERE source = 'clob' AND wallet = '{user}'"
    assert len(found) == value(client, counted) > 50
    signed = sum(record["size"] * (1 if record["side"] == "BUY" else -1) for record in found)
    assert signed == pytest.approx(
        value(client, f"SELECT sum(tokens_delta) FROM rehearsal.truth WHERE source = 'clob' AND wallet = '{user}'")
    )


def test_positions_of_settled_conditions_are_known_outside_too(services: Services, client: Client) -> None:
    user = value(client, "SELECT min(wallet) FROM rehearsal.halves WHERE class = 'settled'")
    assert any(record["endDate"] < "2026" for record in pages(services, "positions", 500, user=user))


def test_new_trades_show_at_once(services: Services, client: Client) -> None:
    user = "0x00000000000000000000000000000000000000cd"
    assert get(services, "activity", user=user) == []
    client.command(TRADES.replace(TRADER, user).replace("4294967290", "4294967291"))
    assert get(services, "activity", user=user)


@pytest.mark.parametrize(
    "query", [{"user": ""}, {"limit": "many"}, {"offset": "10001"}, {"offset": "-1"}, {"sortBy": "LUCK"}]
)
def test_a_question_that_makes_no_sense_is_refused(services: Services, query: dict[str, str]) -> None:
    answer = httpx.get(f"{services.url}/positions", params={"user": TRADER} | query)
    assert answer.status_code == 400
    assert answer.json()["error"]


# Faults


def test_the_first_requests_are_throttled(services: Services) -> None:
    services.api_faults["throttles"] = 2
    answers = [httpx.get(f"{services.url}/positions", params={"user": TRADER}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert [answer.headers.get("Retry-After") for answer in answers] == ["1", "1", None]
    assert services.asked == {"/positions": 3}


def test_a_page_can_be_short_though_there_is_more(services: Services) -> None:
    services.api_faults["short"] = 3
    assert len(get(services, "closed-positions", limit=50)) == 47
    assert len(get(services, "closed-positions", limit=50, offset=100)) == 20
    assert len({record["asset"] for record in pages(services, "closed-positions", 50)}) == CLOSED


def test_there_can_be_a_position_that_nobody_else_has(services: Services) -> None:
    services.api_faults["extra"] = 1
    found = pages(services, "positions", 500)
    (extra,) = [record for record in found if record["title"].startswith("Question nobody asked")]
    assert (len(found), extra["size"], extra["proxyWallet"]) == (OPEN + 1, 100, TRADER)
    assert sorted(extra) == sorted(found[-1])
