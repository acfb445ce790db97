"""Polymarket's data API: trades and positions of a user as the outside world knows them, with average cost in integers."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from clickhouse_connect.driver.client import Client

from rehearsal.application import Answer
from rehearsal.scenario import ask, ask_named

Record = dict[str, Any]
MILLION = 1_000_000
LAST_SECOND = 2**32 - 1  # of ClickHouse's DateTime
FAULTS = ("throttles", "short", "extra")
OF_A_TRADE = ("asset", "conditionId", "eventSlug", "outcome", "outcomeIndex", "price", "proxyWallet", "side", "size", "slug",
              "timestamp", "title", "transactionHash")  # fmt: skip
OF_AN_ACTIVITY = (*OF_A_TRADE, "type", "usdcSize")
OF_A_CLOSED_POSITION = ("asset", "avgPrice", "conditionId", "curPrice", "endDate", "eventSlug", "oppositeAsset",
                        "oppositeOutcome", "outcome", "outcomeIndex", "proxyWallet", "realizedPnl", "slug", "timestamp",
                        "title", "totalBought")  # fmt: skip
OF_AN_OPEN_POSITION = ("asset", "avgPrice", "cashPnl", "conditionId", "curPrice", "currentValue", "endDate", "eventSlug",
                       "initialValue", "mergeable", "negativeRisk", "oppositeAsset", "oppositeOutcome", "outcome",
                       "outcomeIndex", "percentPnl", "percentRealizedPnl", "proxyWallet", "realizedPnl", "redeemable", "size",
                       "slug", "title", "totalBought")  # fmt: skip


@dataclass(frozen=True)
class Endpoint:
    """What a path gives, how much of it at a time and how deep, and in which order where nobody asks for one."""

    fields: tuple[str, ...]
    usual: int
    most: int
    deepest: int
    order: str
    orders: dict[str, str]


VALUES = {
    "TOKENS": "size", "CURRENT": "currentValue", "INITIAL": "initialValue", "CASHPNL": "cashPnl", "TITLE": "title",
    "PERCENTPNL": "percentPnl", "RESOLVING": "endDate", "PRICE": "curPrice", "AVGPRICE": "avgPrice",
}  # fmt: skip
RESULTS = {
    "REALIZEDPNL": "realizedPnl",
    "TITLE": "title",
    "PRICE": "curPrice",
    "AVGPRICE": "avgPrice",
    "TIMESTAMP": "timestamp",
}
MOMENTS = {"TIMESTAMP": "timestamp", "TOKENS": "size", "CASH": "usdcSize"}
ENDPOINTS = {
    "/positions": Endpoint(OF_AN_OPEN_POSITION, 100, 500, 10_000, "TOKENS", VALUES),
    "/closed-positions": Endpoint(OF_A_CLOSED_POSITION, 10, 50, 100_000, "REALIZEDPNL", RESULTS),
    "/activity": Endpoint(OF_AN_ACTIVITY, 100, 500, 10_000, "TIMESTAMP", MOMENTS),
    "/trades": Endpoint(OF_A_TRADE, 100, 10_000, 10_000, "TIMESTAMP", MOMENTS),
}


@dataclass
class Known:
    """All trades of a user, the oldest first, and what was answered from them: in order, whole, by what was asked."""

    halves: int
    trades: list[Record]
    answers: dict[tuple[Any, ...], list[Record]] = field(default_factory=dict)


class DataApi:
    """Every request is counted in `asked` by its path, also one that is throttled.

    faults: throttles: so many of the next requests get 429 with Retry-After: 1. short: a page has so many records fewer
    than asked for, while more exist. extra: so many open positions that nobody else has.
    """

    def __init__(self, connect: Callable[[], Client]) -> None:
        self.connect = connect
        self.faults: dict[str, int] = {}
        self.asked: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._known: dict[str, Known] = {}

    def answer(self, path: str, query: dict[str, str]) -> Answer:
        """A page of what the path gives, or what is wrong with the question."""
        with self._lock:
            self.asked[path] += 1
            if self.faults.get("throttles", 0) > 0:
                self.faults["throttles"] -= 1
                return Answer(429, {"error": "Too many requests"}, (("Retry-After", "1"),))
        endpoint = ENDPOINTS[path]
        if not query.get("user"):
            return Answer(400, {"error": "required query param 'user' not provided"})
        try:
            limit = min(int(query.get("limit", endpoint.usual)), endpoint.most)
            offset = int(query.get("offset", 0))
            order = endpoint.orders[query.get("sortBy", endpoint.order)]
            threshold = float(query.get("sizeThreshold", 1))
            start, end = int(query.get("start", 0)), int(query.get("end", LAST_SECOND))
        except (ValueError, KeyError) as error:
            return Answer(400, {"error": f"invalid query param: {error}"})
        if limit < 0 or not 0 <= offset <= endpoint.deepest:
            return Answer(400, {"error": f"offset must be from 0 to {endpoint.deepest}"})
        found = self._in_order(path, query, order, threshold)
        if path == "/activity":
            found = [record for record in found if start <= record["timestamp"] <= end]
        if offset + limit < len(found) and limit > 1:
            limit = max(1, limit - self.faults.get("short", 0))
        return Answer(200, [{name: record[name] for name in endpoint.fields} for record in found[offset:][:limit]])

    def _in_order(self, path: str, query: dict[str, str], order: str, threshold: float) -> list[Record]:
        """All that the path gives of the user, whatever the page."""
        known = self._trades(query["user"].lower())
        asked = sorted(
            (name, value) for name, value in query.items() if name not in ("limit", "offset", "start", "end")
        )
        key = (path, self.faults.get("extra", 0), *asked)
        if key not in known.answers:
            found = self._records(path, query, known.trades, threshold)
            for name, of in (("market", "conditionId"), ("side", "side")):
                if name in query:
                    found = [record for record in found if record.get(of) in query[name].split(",")]
            found.sort(key=lambda record: str(record["asset"]))
            found.sort(key=lambda record: record[order], reverse=query.get("sortDirection", "DESC") != "ASC")
            known.answers[key] = found
        return known.answers[key]

    def _records(self, path: str, query: dict[str, str], trades: list[Record], threshold: float) -> list[Record]:
        if path == "/activity":
            return [trade | {"type": "TRADE"} for trade in trades if "TRADE" in query.get("type", "TRADE").split(",")]
        if path == "/trades":
            return [trade for trade in trades if query.get("takerOnly", "true") == "false" or not trade["maker"]]
        held = positions(trades)
        if path == "/closed-positions":
            return [position for position in held if position["held"] == 0 < position["totalBought"]]
        extra = [_nobody_else_has(query["user"].lower(), number) for number in range(self.faults.get("extra", 0))]
        return [_rounded(each) for each in [*held, *extra] if each["held"] and each["size"] >= threshold]

    def _trades(self, user: str) -> Known:
        """What is known of the user until there are new trades of it."""
        client = self.connect()
        try:
            halves: int = ask(client, "api/halves", user=user)[0][0]
            known = self._known.get(user)
            if known is None or known.halves != halves:
                known = self._known[user] = Known(halves, ask_named(client, "api/trades", user=user))
        finally:
            client.close()
        return known


def positions(trades: Iterable[Record]) -> list[Record]:
    """The positions that trades, the oldest first, come to: the average cost of a token is kept in millionths of a dollar and
    rounded down at each buy; a sell realizes on no more than is held."""
    found: dict[str, Record] = {}
    for trade in trades:
        position = found.setdefault(trade["asset"], {"held": 0, "average": 0, "bought": 0, "realized": 0})
        tokens, held, average = trade["millionths"], position["held"], position["average"]
        price = trade["paid"] * MILLION // tokens
        if trade["side"] == "BUY":
            position["average"] = (average * held + price * tokens) // (held + tokens)
            position["held"] = held + tokens
            position["bought"] += tokens
        else:
            sold = min(held, tokens)
            position["realized"] += sold * (price - average)
            position["held"] = held - sold
        position["last"] = trade
    return [position["last"] | _figures(position) for position in found.values()]


def _figures(position: Record) -> Record:
    size, average, price = position["held"] / MILLION, position["average"] / MILLION, position["last"]["curPrice"]
    initial, gain, realized = size * average, size * (price - average), position["realized"] / MILLION**2
    paid = position["bought"] / MILLION * average
    return {
        "held": position["held"],
        "size": size,
        "avgPrice": average,
        "totalBought": position["bought"] / MILLION,
        "realizedPnl": realized,
        "initialValue": initial,
        "currentValue": size * price,
        "cashPnl": gain,
        "percentPnl": 100 * gain / initial if initial else 0,
        "percentRealizedPnl": 100 * realized / paid if paid else 0,
        "mergeable": False,
        "negativeRisk": False,
        "redeemable": bool(position["last"]["resolved"]),
    }


def _rounded(position: Record) -> Record:
    """An open position as it is told: its figures have four digits."""
    told = (
        "avgPrice",
        "initialValue",
        "currentValue",
        "cashPnl",
        "percentPnl",
        "realizedPnl",
        "percentRealizedPnl",
        "curPrice",
    )
    return position | {name: round(position[name], 4) for name in told}


def _nobody_else_has(user: str, number: int) -> Record:
    """An open position of no trade that anybody has seen."""
    trade = {
        "asset": str(10**70 + number),
        "conditionId": f"0x{number:064x}",
        "proxyWallet": user,
        "side": "BUY",
        "outcomeIndex": 0,
        "outcome": "Yes",
        "oppositeAsset": str(10**70 + 10**6 + number),
        "oppositeOutcome": "No",
        "title": f"Question nobody asked, number {number}?",
        "slug": f"nobody-asked-{number}",
        "eventSlug": f"nobody-asked-{number}",
        "endDate": "2030-01-01T00:00:00Z",
        "curPrice": 0.5,
        "resolved": 0,
        "millionths": 100 * MILLION,
        "paid": 40 * MILLION,
    }
    return positions([trade])[0]
