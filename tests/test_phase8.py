"""Every check of phase 8 is GO on positions as they should be, and NO-GO after one fault; monitoring may wait."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from recovery import agreement, average_cost
from recovery.average_cost import MILLION
from recovery.errors import ServiceUnreachable
from recovery.incident import load
from recovery.kept import sha256_of
from recovery.warehouse import Warehouse
from tests.asking import ask
from tests.conftest import CONTENT, Case

POSITIONS, RESOLUTIONS, RESULTS = "pm_trade_fifo_roi_v3", "pm_condition_resolutions", "pm_data_quality_metrics"
FILLS = "pm_canonical_fills_v4"
SUBJECT = CONTENT["window"]["test_subjects"][0]
DAY, QUIET_DAY = "2026-01-22", "2026-01-18"
MONITORING = "test_criterion_monitoring_is_healthy"
BOARDS = "test_criterion_the_boards_show_the_corrected_ranking"
# A winning position of a wallet that has `number` of them.
WINNER = "'0xwinner', concat('c', toString(number)), 0, toDateTime('2026-01-20 00:00:00'), 10, 5, 0, 10, 10"
Fault = Callable[[Case], None]


@pytest.fixture(scope="module")
def validated(refreshed: Case, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """After phase 7, without results of nightly checks. Clone it, do not change it."""
    case = refreshed.clone(tmp_path_factory.mktemp("validated"))
    case.command(f"TRUNCATE TABLE {RESULTS}")
    return case


@pytest.fixture
def case(validated: Case, tmp_path: Path) -> Case:
    return validated.clone(tmp_path)


def command(sql: str) -> Fault:
    return lambda case: case.command(sql)


def rebuilt_at(case: Case) -> datetime:
    (line,) = (line for line in case.lines("done") if line["action"] == "rebuild")
    return datetime.fromisoformat(line["now"])


def delete_positions_of(case: Case, day: str) -> None:
    """None of the conditions that were resolved on a day has a position any more."""
    case.command(f"ALTER TABLE {POSITIONS} DELETE WHERE toDate(resolved_at) = '{day}'")


BROKEN_ROW = f"""
    INSERT INTO {FILLS} SELECT * REPLACE('' AS condition_id, concat(fill_id, 'x') AS fill_id)
    FROM (SELECT * FROM {FILLS} FINAL WHERE source = 'clob' AND toDate(event_time) = '{{day}}' ORDER BY fill_id LIMIT 1)"""
WINNERS = f"""
    INSERT INTO {POSITIONS} SELECT concat('t', toString(number)), {WINNER}, {{profit}}, 1, 0, 0, '2026-01-22 00:00:00', 0
    FROM numbers({{count}})"""

# fault: (check, what it is asked for, the fault, what the sentence says)
FAULTS: dict[str, tuple[str, dict[str, str], Fault, str]] = {
    "a winner who never loses": (
        "test_the_best_positions_are_reasonable", {}, command(WINNERS.format(count=101, profit=5e9)),
        "subjects with more than 100 positions and no loss 1, allowed 0",
    ),
    "a profit out of nothing": (
        "test_the_best_positions_are_reasonable", {}, command(WINNERS.format(count=1, profit=5e9)),
        "subjects who earned more than was paid and received 1, allowed 0",
    ),
    "no position of a day's conditions": (
        "test_no_resolved_condition_is_missing", {}, lambda case: delete_positions_of(case, DAY),
        "resolved conditions without a position 4, allowed <= 0",
    ),
    "no rebuild": (
        "test_no_resolved_condition_is_missing", {}, lambda case: case.ledger.path.unlink(),
        "Run pytest -m phase6 --execute.",
    ),
    "a broken row in the window": (
        "test_criterion_no_broken_row_is_left", {}, command(BROKEN_ROW.format(day=DAY)),
        "broken rows in the window 1, allowed 0",
    ),
    "a broken row outside the window": (
        "test_criterion_no_broken_row_is_left", {}, command(BROKEN_ROW.format(day="2026-01-29")),
        "broken rows outside it 1, allowed 0",
    ),
    "a day without positions": (
        "test_criterion_every_day_of_the_window_has_positions", {"day": DAY}, lambda case: delete_positions_of(case, DAY),
        "2026-01-22: conditions without a position 4, allowed 0",
    ),
    "a day and no rebuild": (
        "test_criterion_every_day_of_the_window_has_positions", {"day": DAY}, lambda case: case.ledger.path.unlink(),
        "rebuilds in the ledger 0, allowed >= 1",
    ),
}  # fmt: skip
SEEN_RED = {check for check, *_ in FAULTS.values()} | {"test_a_subject_agrees_with_the_data_api"}


@pytest.mark.parametrize("name", FAULTS)
def test_a_check_is_green_before_a_fault_and_red_after_it(case: Case, name: str) -> None:
    check, axis, fault, said = FAULTS[name]
    before = ask(case, check, **axis)
    assert before.verdict == "GO", before.sentence
    fault(case)
    after = ask(case, check, **axis)
    assert after.verdict == "NO-GO", after.sentence
    assert said in after.sentence


def test_the_best_are_shown_whether_or_not_they_are_reasonable(case: Case) -> None:
    evidence = ask(case, "test_the_best_positions_are_reasonable")
    assert len(evidence.found["best"]) == 10
    assert all(each["subject"].startswith("0x") and "win_percent" in each for each in evidence.found["best"])


def test_what_is_resolved_or_filled_after_the_rebuild_is_not_missing(case: Case) -> None:
    """Nor what has no lot of a cent, nor what was deleted or is not resolved."""
    check = "test_no_resolved_condition_is_missing"
    expected = ask(case, check).examined
    condition = "repeat('a', 64)"

    def resolve(at: str, payouts: str = "[1,0]", deleted: int = 0) -> None:
        case.command(f"INSERT INTO {RESOLUTIONS} VALUES ({condition}, '{payouts}', '1', '{at}', now(), {deleted})")

    def fill(at: str, dollars: float) -> None:
        case.command(
            f"INSERT INTO {FILLS} SELECT * REPLACE({condition} AS condition_id, '{at}' AS event_time, 'clob_z' AS fill_id, "
            f"1 AS tokens_delta, {-dollars} AS usdc_delta, 0 AS is_self_fill, 't' AS tx_hash) "
            f"FROM (SELECT * FROM {FILLS} WHERE source = 'clob' AND wallet = '{SUBJECT}' LIMIT 1)"
        )

    resolve("2026-01-23 00:00:00")
    fill("2026-02-02 06:00:00", 5)
    assert ask(case, check).examined == expected
    fill("2026-01-22 00:00:00", 0.009)
    little = ask(case, check)
    assert (little.verdict, little.examined) == ("GO", expected)
    assert "more conditions no lot cost 0.01 $" in little.sentence
    fill("2026-01-22 00:00:00", 0.01)
    missing = ask(case, check)
    assert (missing.verdict, missing.examined) == ("NO-GO", expected + 1)
    assert missing.found["missing"] == [f"2026-01-23: {'a' * 64}, fills: 1"]
    resolve("2026-02-02 06:00:00")
    assert ask(case, check).verdict == "GO"
    resolve("2026-01-23 00:00:00", payouts="")
    assert ask(case, check).verdict == "GO"
    resolve("2026-01-23 00:00:00", deleted=1)
    assert ask(case, check).verdict == "GO"


def test_a_day_on_which_nothing_was_resolved_shows_that_the_window_was_looked_at(case: Case) -> None:
    evidence = ask(case, "test_criterion_every_day_of_the_window_has_positions", day=QUIET_DAY)
    assert (evidence.verdict, evidence.found["resolved"]) == ("GO", 0)
    assert evidence.examined > 10


# The data API


def account_of(case: Case) -> dict[str, list[dict[str, Any]]]:
    """What the endpoints say where they say what the subject's fills say."""
    with Warehouse(load(case.incident), case.dsn) as warehouse:
        fills, _ = average_cost.fills_of(warehouse, SUBJECT)
    found = average_cost.positions(fills, lambda fill: abs(fill.tokens))
    positions = [
        {
            "proxyWallet": SUBJECT, "asset": str(number), "conditionId": f"0x{condition}", "outcomeIndex": outcome,
            "totalBought": position.bought / MILLION, "size": position.held / MILLION,
            "realizedPnl": position.realized / MILLION, "title": f"Market {number}", "eventSlug": "event",
        }
        for number, ((condition, outcome), position) in enumerate(found.items(), 1)
    ]  # fmt: skip
    activity = [
        {
            "type": "TRADE", "conditionId": f"0x{fill.condition}", "outcomeIndex": fill.outcome, "timestamp": fill.at,
            "side": "BUY" if fill.tokens > 0 else "SELL", "size": abs(fill.tokens) / MILLION, "price": 0.5,
            "transactionHash": fill.transaction,
        }
        for fill in fills
    ]  # fmt: skip
    return {"/positions": positions, "/closed-positions": [], "/activity": activity}


def serve(server: HTTPServer, case: Case, account: dict[str, list[dict[str, Any]]]) -> None:
    def page(request: Request) -> Response:
        here = account[request.path]
        return Response(json.dumps(here[int(request.args["offset"]) :][: int(request.args["limit"])]))

    for path in account:
        server.expect_request(path).respond_with_handler(page)
    case.edit(services={"data_api": CONTENT["services"]["data_api"] | {"url": server.url_for("").rstrip("/")}})


def test_a_subject_that_agrees_is_go_and_the_answers_are_kept(case: Case, httpserver: HTTPServer) -> None:
    serve(httpserver, case, account_of(case))
    evidence = ask(case, "test_a_subject_agrees_with_the_data_api", subject=SUBJECT)
    assert evidence.verdict == "GO", evidence.sentence
    assert evidence.examined > 3
    files = evidence.found["sha256"]
    assert [Path(path).name for path in files] == ["positions.json", "closed_positions.json", "activity.json"]
    assert all((case.folder / path).is_relative_to(case.folder / "evidence") for path in files)
    assert all(sha256_of(case.folder / path) == sha for path, sha in files.items())


def test_a_subject_that_differs_is_red_and_the_sentence_says_where(case: Case, httpserver: HTTPServer) -> None:
    account = account_of(case)
    first = account["/positions"][0]
    first["realizedPnl"] += 100
    serve(httpserver, case, account)
    evidence = ask(case, "test_a_subject_agrees_with_the_data_api", subject=SUBJECT)
    assert evidence.verdict == "NO-GO"
    assert "positions that differ and that nothing explains 1, allowed 0" in evidence.sentence
    assert f"Market 1, outcome {first['outcomeIndex']}: ours " in evidence.sentence
    assert evidence.found["causes"][agreement.UNEXPLAINED] == 1


def test_an_account_that_is_empty_is_red(case: Case, httpserver: HTTPServer) -> None:
    serve(httpserver, case, {"/positions": [], "/closed-positions": [], "/activity": []})
    assert ask(case, "test_a_subject_agrees_with_the_data_api", subject=SUBJECT).verdict == "NO-GO"


def test_an_api_that_cannot_be_reached_is_no_verdict(case: Case) -> None:
    case.edit(services={"data_api": CONTENT["services"]["data_api"] | {"url": "http://127.0.0.1:9"}})
    with pytest.raises(ServiceUnreachable):
        ask(case, "test_a_subject_agrees_with_the_data_api", subject=SUBJECT)


# Monitoring


def result(case: Case, hours: float, status: str = "OK") -> None:
    at = f"{rebuilt_at(case) + timedelta(hours=hours):%Y-%m-%d %H:%M:%S}"
    case.command(f"INSERT INTO {RESULTS} VALUES ('rows', '{at}', 0, 1, 2, '{status}', '')")


def monitoring(case: Case, hours: float = 30) -> Any:
    return ask(case, MONITORING, phase="phase8", now=case.now + timedelta(hours=hours))  # type: ignore[arg-type]


def test_monitoring_waits_until_the_results_are_good_for_long_enough(case: Case) -> None:
    assert monitoring(case).verdict == "PENDING"
    result(case, -1, "CRITICAL")
    result(case, 1)
    waiting = monitoring(case)
    assert waiting.sentence == "1 of 24 hours since the rebuild have results, 0 of 1 are CRITICAL."
    result(case, 24)
    assert monitoring(case, hours=23).verdict == "PENDING"
    assert monitoring(case).verdict == "GO"
    result(case, 11, "WARNING")
    assert monitoring(case).verdict == "GO"
    result(case, 12, "CRITICAL")
    assert "1 of 4 are CRITICAL: rows CRITICAL." in monitoring(case).sentence


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (lambda case: case.command(f"DROP TABLE {RESULTS}"), f"there is no table {RESULTS}; run pytest -m nightly."),
        (lambda case: case.ledger.path.unlink(), "nothing was rebuilt yet; run pytest -m phase6 --execute."),
        (
            lambda case: case.incident.write_text(case.incident.read_text().partition("[monitoring]")[0]),
            "the incident file has no section [monitoring]",
        ),
    ],
)
def test_monitoring_says_what_it_waits_for(case: Case, missing: Fault, said: str) -> None:
    missing(case)
    evidence = monitoring(case)
    assert evidence.verdict == "PENDING"
    assert evidence.sentence.startswith(said)


def test_a_run_of_the_phase_neither_fails_nor_lacks_anything_because_monitoring_waits(
    case: Case, httpserver: HTTPServer
) -> None:
    serve(httpserver, case, account_of(case))
    left_out = f"checks/test_phase8_final_validation.py::{BOARDS}"
    assert case.pytest("phase8", f"--deselect={left_out}") == 10, case.output
    assert {name.partition("[")[0] for name in case.lines("finished")[-1]["missing"]} == {BOARDS}
    (line,) = (line for line in case.lines("evidence") if line["check"] == MONITORING)
    assert (line["verdict"], line["outcome"]) == ("PENDING", "skipped")
    assert case.red() == {MONITORING}
    assert "PENDING" in (case.folder / "report.html").read_text()
