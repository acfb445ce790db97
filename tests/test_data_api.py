"""The client of Polymarket's data API misses nothing, waits where it is told to, and says in a sentence what is wrong."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from recovery.data_api import Account, Client, Folder
from recovery.errors import ServiceUnreachable, UsageError
from recovery.sections import DataApi

WALLET = "0x" + "ab" * 20
NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
Records = list[dict[str, Any]]


def position(number: int, **changes: Any) -> dict[str, Any]:
    """A record of /positions; without its size one of /closed-positions."""
    return {
        "proxyWallet": WALLET, "asset": str(number), "conditionId": f"0x{number:064x}", "outcomeIndex": 0, "totalBought": 10,
        "realizedPnl": -1.5, "size": 4.0, "title": f"Market {number}", "eventSlug": "event",
    } | changes  # fmt: skip


def closed(number: int) -> dict[str, Any]:
    return {name: value for name, value in position(number).items() if name != "size"}


def trade(number: int, at: int, **changes: Any) -> dict[str, Any]:
    return {
        "type": "TRADE", "conditionId": f"0x{number:064x}", "outcomeIndex": 0, "side": "BUY", "size": 1.0, "price": 0.5,
        "timestamp": at, "transactionHash": f"0x{number:064x}",
    } | changes  # fmt: skip


def paged(
    records: Records, *, at_most: int = 10**6, seen: list[dict[str, str]] | None = None
) -> Callable[..., Response]:
    """An endpoint of these records that gives `at_most` of them at a time, whatever the limit."""

    def answer(request: Request) -> Response:
        if seen is not None:
            seen.append(dict(request.args))
        offset, limit = int(request.args["offset"]), int(request.args["limit"])
        start = int(request.args.get("start", 0))
        here = [record for record in records if record.get("timestamp", 0) >= start] if start else records
        return Response(json.dumps(here[offset : offset + min(limit, at_most)]), content_type="application/json")

    return answer


class Api:
    """The API on loopback, and a client of it whose sleeps are only written down."""

    def __init__(self, server: HTTPServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.slept: list[float] = []
        self.url = server.url_for("").rstrip("/")
        self.serve("/positions", paged([]))
        self.serve("/closed-positions", paged([]))
        self.serve("/activity", paged([]))

    def serve(self, path: str, handler: Callable[..., Response]) -> None:
        for handlers in (self.server.handlers,):
            handlers[:] = [h for h in handlers if h.matcher.uri != path]
        self.server.expect_request(path).respond_with_handler(handler)

    def ask(self, **changes: Any) -> Account:
        section = DataApi(
            **{
                "url": self.url, "open_page": 3, "closed_page": 2, "requests_per_10_seconds": 100, "timeout_seconds": 5,
                "cache": "evidence",
            }
            | changes
        )  # fmt: skip
        return Client(section, self.folder, lambda: NOW, self.slept.append).account(WALLET)

    def fault(self, **changes: Any) -> str:
        with pytest.raises(ServiceUnreachable) as caught:
            self.ask(**changes)
        assert caught.value.exit_code == 13
        return str(caught.value).replace(self.url, "http://api")


@pytest.fixture
def api(httpserver: HTTPServer, tmp_path: Path) -> Api:
    return Api(httpserver, tmp_path)


# Pages


def test_positions_are_read_page_by_page_until_one_is_empty(api: Api) -> None:
    api.serve("/positions", paged([position(n) for n in range(7)]))
    api.serve("/closed-positions", paged([closed(n) for n in range(10, 15)]))
    account = api.ask()
    assert [p.token for p in account.open] == [str(n) for n in range(7)]
    assert [p.token for p in account.closed] == [str(n) for n in range(10, 15)]


def test_a_short_page_is_not_the_end(api: Api) -> None:
    api.serve("/positions", paged([position(n) for n in range(7)], at_most=1))
    api.serve("/closed-positions", paged([closed(n) for n in range(10, 15)], at_most=1))
    account = api.ask()
    assert (len(account.open), len(account.closed)) == (7, 5)


def test_losers_are_asked_for_as_well_as_winners_and_small_positions_as_well_as_large_ones(api: Api) -> None:
    open_queries: list[dict[str, str]] = []
    closed_queries: list[dict[str, str]] = []
    api.serve("/positions", paged([], seen=open_queries))
    api.serve("/closed-positions", paged([], seen=closed_queries))
    api.ask()
    assert open_queries == [
        {"user": WALLET, "limit": "3", "offset": "0", "sizeThreshold": "0", "sortBy": "TITLE", "sortDirection": "ASC"}
    ]
    assert closed_queries == [
        {"user": WALLET, "limit": "2", "offset": "0", "sortBy": "TIMESTAMP", "sortDirection": "ASC"}
    ]


def test_a_position_on_two_pages_counts_once(api: Api) -> None:
    twice = [position(1), position(2), position(2), position(3), position(1)]
    api.serve("/positions", paged(twice))
    assert sorted(p.token for p in api.ask().open) == ["1", "2", "3"]


def test_a_position_that_is_open_and_closed_counts_as_open(api: Api) -> None:
    api.serve("/positions", paged([position(1)]))
    api.serve("/closed-positions", paged([closed(1), closed(2)]))
    account = api.ask()
    assert ([p.token for p in account.open], [p.token for p in account.closed]) == (["1"], ["2"])


def test_activity_beyond_the_last_offset_is_read_from_the_last_time_on(api: Api) -> None:
    queries: list[dict[str, str]] = []
    api.serve("/activity", paged([trade(n, 1_000 + n // 2) for n in range(12_000)], seen=queries))
    account = api.ask()
    assert [record.transaction for record in account.activity] == [f"0x{n:064x}" for n in range(12_000)]
    assert max(int(query["offset"]) for query in queries) == 10_000


def test_more_records_than_the_api_gives_are_said_and_not_left_out(api: Api) -> None:
    api.serve("/positions", paged([position(n) for n in range(10_001)]))
    assert "gives no more than 10,500 records of /positions" in api.fault(open_page=500)
    api.serve("/positions", paged([]))
    api.serve("/activity", paged([trade(n, 7) for n in range(10_501)]))
    assert "records of /activity from one second on" in api.fault()


# Waiting


def test_requests_are_spread_so_that_there_are_not_too_many(api: Api) -> None:
    api.serve("/positions", paged([position(n) for n in range(4)]))
    api.ask(requests_per_10_seconds=20)
    assert api.slept == [0.5] * 4


def answers(*given: Response, then: Callable[..., Response]) -> Callable[..., Response]:
    """These answers in turn, and then the endpoint."""
    left = list(given)
    return lambda request: left.pop(0) if left else then(request)


def test_too_many_requests_are_sent_again_when_the_api_says(api: Api) -> None:
    limited = Response("", status=429, headers={"Retry-After": "7"})
    api.serve("/positions", answers(limited, limited, then=paged([position(1)])))
    assert [p.token for p in api.ask().open] == ["1"]
    assert [seconds for seconds in api.slept if seconds > 0.1] == [7.0, 7.0]


@pytest.mark.parametrize(("told", "waited"), [("", 1.0), ("soon", 1.0), ("100000", 60.0), ("-1", 1.0)])
def test_without_a_time_that_can_be_waited_for_a_moment_is_waited(api: Api, told: str, waited: float) -> None:
    limited = Response("", status=429, headers={"Retry-After": told})
    api.serve("/positions", answers(limited, then=paged([])))
    api.ask()
    assert [seconds for seconds in api.slept if seconds > 0.1] == [waited]


def test_too_many_requests_for_ever_end_in_a_sentence(api: Api) -> None:
    api.serve("/positions", lambda _: Response("", status=429))
    assert api.fault() == "The data API at http://api is told to be asked too often, 5 times; try again later."


def test_a_server_that_fails_is_asked_again_and_then_given_up(api: Api) -> None:
    api.serve("/positions", answers(Response("", status=502), then=paged([position(1)])))
    assert len(api.ask().open) == 1
    api.serve("/positions", lambda _: Response("", status=503))
    assert api.fault() == "The data API at http://api answered /positions with status 503; try again."


def test_a_refusal_is_not_sent_again(api: Api) -> None:
    api.serve("/positions", lambda _: Response("", status=400))
    assert api.fault() == "The data API at http://api answered /positions with status 400; try again."
    assert api.slept == []


# What is wrong


def test_an_api_that_is_not_there_is_a_sentence(api: Api) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{probe.getsockname()[1]}"
    assert api.fault(url=nobody).startswith(f"The data API at {nobody} cannot be reached: ")


def test_an_api_that_does_not_answer_in_time_is_a_sentence(api: Api) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert api.fault(url=url, timeout_seconds=1) == f"The data API at {url} cannot be reached: timed out."


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<html>", "answered /positions with something that is not JSON; try again."),
        ('{"error": "x"}', "answered /positions with something that is no list of records."),
        ("[1, 2]", "answered /positions with something that is no list of records."),
    ],
)
def test_an_answer_that_is_no_list_of_records_is_a_sentence(api: Api, body: str, said: str) -> None:
    api.serve("/positions", lambda _: Response(body))
    assert api.fault() == f"The data API at http://api {said}"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"totalBought": "10"}, "totalBought = '10' is wrong: a number from 0 to 1e15 is expected."),
        ({"conditionId": "12"}, "conditionId = '12' is wrong: 0x and 64 hex digits is expected."),
        ({"realizedPnl": None}, "realizedPnl = None is wrong: a number within 1e15 is expected."),
        ({"proxyWallet": "0xother"}, f"is of 0xother, not of {WALLET}."),
    ],
)
def test_a_wrong_record_is_one_sentence_with_its_field(api: Api, changes: dict[str, Any], said: str) -> None:
    api.serve("/positions", paged([position(1), position(2, **changes)]))
    where = f"{api.folder}/data-api-{WALLET}-20300102T030405/positions.json: record 2"
    assert api.fault() in (f"{where}: {said}", f"{where} {said}")


def test_a_record_without_a_field_says_which(api: Api) -> None:
    api.serve("/positions", paged([closed(1)]))
    assert api.fault().endswith("positions.json: record 1: size is missing; a number from 0 to 1e15 is expected.")


# Evidence, and the same from files


def test_what_was_answered_is_kept_and_can_be_read_again_without_the_api(api: Api) -> None:
    api.serve("/positions", paged([position(1, iconUrl="kept as it came")]))
    api.serve("/closed-positions", paged([closed(2)]))
    api.serve("/activity", paged([trade(3, 5)]))
    account = api.ask()
    folder = api.folder / f"data-api-{WALLET}-20300102T030405"
    files = {name: folder / f"{name}.json" for name in ("positions", "closed_positions", "activity")}
    assert json.loads(files["positions"].read_text())[0]["iconUrl"] == "kept as it came"
    assert account.sha256 == {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files.values()}
    assert Folder(folder).account(WALLET) == account


def test_activity_may_be_missing_from_a_folder_and_positions_may_not(tmp_path: Path) -> None:
    (tmp_path / "closed_positions.json").write_text("[]")
    with pytest.raises(UsageError, match=r"positions\.json: cannot be read: No such file or directory\."):
        Folder(tmp_path).account(WALLET)
    (tmp_path / "positions.json").write_text(json.dumps([position(1)]))
    account = Folder(tmp_path).account(WALLET.upper().replace("0X", "0x"))
    assert (len(account.open), account.activity, len(account.sha256)) == (1, (), 2)


@pytest.mark.parametrize(("content", "said"), [("{", "not JSON"), ("{}", "no list of records"), ("[1]", "record 1")])
def test_a_file_that_holds_something_else_is_a_sentence(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "closed_positions.json").write_text("[]")
    (tmp_path / "positions.json").write_text(content)
    with pytest.raises(UsageError, match=said) as caught:
        Folder(tmp_path).account(WALLET)
    assert caught.value.exit_code == 4
