"""scripts.check_wallet: our positions of a wallet beside Polymarket's own, on the real records where they are there."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from recovery import agreement
from recovery.agreement import Agreement
from recovery.data_api import Folder
from recovery.embedded import EmbeddedServer
from recovery.incident import load
from recovery.warehouse import Dsn, Warehouse
from scripts.check_wallet import main
from tests.conftest import CONTENT, Case, connect
from tests.polymarket_data import needs_data
from tests.real_wallet import INCIDENT, RECORDS, WALLET, WHOLE, import_wallet, make_tables

pytestmark = needs_data

DATABASE = "wallet_as_it_was"
FILLS = "pm_wallet_fills_v1"


@pytest.fixture(scope="module")
def real(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """All 537 fills of the real wallet, as the April incident's statement says that they are right."""
    folder = tmp_path_factory.mktemp("wallet")
    client = connect(server.dsn)
    client.command(f"CREATE DATABASE {DATABASE}")
    client.close()
    import_wallet(server.dsn, DATABASE)
    client = connect(server.dsn, DATABASE)
    make_tables(client)
    client.command(
        f"INSERT INTO {FILLS} (* EXCEPT _version) SELECT * FROM ({load(INCIDENT).right_rows})", parameters=WHOLE
    )
    copy = folder / INCIDENT.name
    shutil.copy(INCIDENT, copy)
    shutil.copy(INCIDENT.with_suffix(".sql"), folder)
    case = Case(server.dsn, DATABASE, folder, copy, {})
    case.edit(table={"database": DATABASE})
    return case


def compared(case: Case, folder: Path = RECORDS, wallet: str = WALLET) -> Agreement:
    with Warehouse(load(case.incident), case.dsn) as warehouse:
        return agreement.compare(warehouse, Folder(folder).account(wallet), wallet, case.now)


@pytest.fixture
def case(real: Case, tmp_path: Path) -> Case:
    """The real wallet, to be changed at will."""
    return real.clone(tmp_path)


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """The API's answers, to be changed at will."""
    return Path(shutil.copytree(RECORDS, tmp_path / "records", copy_function=shutil.copyfile))


def change(records: Path, name: str, do: Callable[[list[dict[str, Any]]], object]) -> None:
    path = records / f"{name}.json"
    content = json.loads(path.read_text())
    do(content)
    path.write_text(json.dumps(content))


def within(difference: float | None) -> bool:
    return difference is not None and abs(difference) <= 0.01


# The real records


def test_of_125_real_positions_125_agree_in_tokens_bought_71_in_tokens_held_and_119_in_dollars(real: Case) -> None:
    found = compared(real)
    off = [row.difference for row in found.rows]
    figures = {
        "positions": len(off),
        "bought": sum(within(each.bought) for each in off),
        "open": sum(each.held is not None for each in off),
        "held": sum(within(each.held) for each in off),
        "realized": sum(within(each.realized) for each in off),
    }
    print(figures, found.causes)
    assert figures == {"positions": 125, "bought": 125, "open": 71, "held": 71, "realized": 119}


def test_the_six_others_are_off_by_less_than_their_fees_and_nothing_is_unexplained(real: Case) -> None:
    found = compared(real)
    assert found.causes == {agreement.FEES: 6, agreement.SAME: 119}
    assert max(row.largest for row in found.rows) == pytest.approx(0.2431, abs=1e-4)
    assert str(found) == (
        f"{WALLET} agrees: 119 of 125 positions within the tolerance (95.2 %, required 95 %), 0 unexplained"
    )


def test_without_the_activity_the_fees_are_explained_and_not_taken_for_agreement(real: Case, records: Path) -> None:
    (records / "activity.json").unlink()
    found = compared(real, records)
    assert found.causes == {agreement.FEES: 37, agreement.SAME: 88}
    assert not found.holds


# What is wrong is seen


def test_a_fill_that_is_missing_is_unexplained(case: Case) -> None:
    largest = f"(SELECT fill_id FROM {FILLS} ORDER BY abs(usdc_delta) DESC LIMIT 1)"
    case.command(f"ALTER TABLE {FILLS} DELETE WHERE fill_id = {largest}")
    found = compared(case)
    assert (found.holds, found.unexplained) == (False, 1)
    assert found.rows[0].cause == agreement.UNEXPLAINED


def test_a_fill_of_a_position_that_nobody_else_knows_is_unexplained(case: Case) -> None:
    case.command(
        f"INSERT INTO {FILLS} SELECT * REPLACE('aa' AS condition_id, concat(fill_id, 'x') AS fill_id) "
        f"FROM (SELECT * FROM {FILLS} ORDER BY abs(usdc_delta) DESC LIMIT 1)"
    )
    found = compared(case)
    assert [row.position for row in found.rows if row.cause == agreement.UNEXPLAINED] == ["aa, outcome 0"]


def test_a_sale_of_what_was_never_held_is_unexplained(case: Case) -> None:
    case.command(
        f"INSERT INTO {FILLS} SELECT * REPLACE(concat(fill_id, 'x') AS fill_id, -1000 AS tokens_delta, 0.5 AS usdc_delta, "
        f"event_time + 1 AS event_time) FROM (SELECT * FROM {FILLS} WHERE condition_id = (SELECT condition_id FROM {FILLS} "
        "GROUP BY condition_id HAVING count() = 1 ORDER BY condition_id LIMIT 1))"
    )
    (unexplained,) = (row for row in compared(case).rows if row.cause == agreement.UNEXPLAINED)
    assert unexplained.oversold > 100


def take_one_position_out(case: Case) -> None:
    """The fills of one condition go into a table `taken`."""
    condition = case.value(f"SELECT condition_id FROM {FILLS} ORDER BY event_time, condition_id LIMIT 1")
    case.command(f"CREATE TABLE taken AS {FILLS}")
    case.command(f"INSERT INTO taken SELECT * FROM {FILLS} WHERE condition_id = '{condition}'")
    case.command(f"ALTER TABLE {FILLS} DELETE WHERE condition_id = '{condition}'")


def test_a_position_whose_fills_are_broken_is_explained_and_counts_as_differing(case: Case) -> None:
    take_one_position_out(case)
    case.command(f"INSERT INTO {FILLS} SELECT * REPLACE('' AS condition_id, 0 AS outcome_index) FROM taken")
    found = compared(case)
    assert (found.causes[agreement.SET_ASIDE], found.unexplained) == (1, 0)
    assert (found.agreeing, found.holds) == (118, False)


def test_a_position_whose_fills_are_in_quarantine_is_explained(case: Case) -> None:
    take_one_position_out(case)
    case.command(f"CREATE TABLE {FILLS}_quarantine AS {FILLS}")
    case.command(f"INSERT INTO {FILLS}_quarantine SELECT * REPLACE('' AS condition_id, 0 AS outcome_index) FROM taken")
    assert compared(case).causes[agreement.SET_ASIDE] == 1


def test_a_position_whose_fills_are_nowhere_is_unexplained(case: Case) -> None:
    take_one_position_out(case)
    assert compared(case).unexplained == 1


def test_a_position_that_they_do_not_list_needs_its_fills_in_the_activity(real: Case, records: Path) -> None:
    change(records, "positions", lambda rows: rows.pop(0))
    assert compared(real, records).causes[agreement.UNLISTED] == 1
    (records / "activity.json").write_text("[]")
    assert compared(real, records).unexplained == 1


@pytest.mark.parametrize(
    ("kind", "size", "cause"),
    [
        ("SPLIT", 60.0, agreement.MOVED),
        ("MERGE", 60.0, agreement.MOVED),
        ("CONVERSION", 60.0, agreement.MOVED),
        ("SPLIT", 40.0, agreement.UNEXPLAINED),
        ("REDEEM", 60.0, agreement.UNEXPLAINED),
    ],
)
def test_tokens_that_came_without_a_trade_explain_as_many_and_no_more(
    real: Case, records: Path, kind: str, size: float, cause: str
) -> None:
    position = json.loads((records / "positions.json").read_text())[0]
    change(records, "positions", lambda rows: rows[0].update(totalBought=rows[0]["totalBought"] + 50))
    moved = {
        "type": kind, "size": size, "asset": "", "outcomeIndex": 999, "timestamp": 1_770_000_000, "transactionHash": "0x1",
        "conditionId": "" if kind == "CONVERSION" else position["conditionId"], "eventSlug": position["eventSlug"],
    }  # fmt: skip
    change(records, "activity", lambda rows: rows.append(moved))
    (off,) = (
        row for row in compared(real, records).rows if row.position.startswith(position["title"]) and row.largest > 1
    )
    assert off.cause == cause


def test_what_is_settled_there_and_not_resolved_here_is_explained_by_what_is_held(case: Case) -> None:
    case.command("ALTER TABLE pm_wallet_resolutions_v1 DELETE WHERE resolved_at < '2026-03-30 00:00:00'")
    found = compared(case)
    assert found.causes[agreement.UNRESOLVED] > 1
    assert found.unexplained == 0


def test_halves_of_self_fills_explain_as_much_as_they_are(case: Case, records: Path) -> None:
    fill = f"(SELECT fill_id FROM {FILLS} WHERE tokens_delta > 1 ORDER BY event_time, fill_id LIMIT 1)"
    case.command(f"ALTER TABLE {FILLS} UPDATE is_self_fill = 1 WHERE fill_id = {fill}")
    condition, tokens = case.client.query(
        f"SELECT condition_id, tokens_delta FROM {FILLS} WHERE is_self_fill = 1"
    ).first_row

    def sell(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if row["conditionId"].endswith(condition):
                row["totalBought"] += tokens

    for name in ("positions", "closed_positions"):
        change(records, name, sell)
    assert compared(case, records).causes[agreement.SELF_FILLS] == 1


def test_a_trade_of_the_last_minutes_may_be_on_its_way(case: Case, records: Path) -> None:
    last = case.value(f"SELECT toUnixTimestamp(max(event_time)) FROM {FILLS}")
    case.command(f"ALTER TABLE {FILLS} DELETE WHERE toUnixTimestamp(event_time) = {last}")
    with Warehouse(load(case.incident), case.dsn) as warehouse:
        account = Folder(records).account(WALLET)

        def at(minutes: int) -> Agreement:
            now = datetime.fromtimestamp(last, UTC) + timedelta(minutes=minutes)
            return agreement.compare(warehouse, account, WALLET, now)

        assert at(10).causes[agreement.JUST_NOW] == 1
        assert at(40).unexplained == 1


def test_the_fifo_figure_stands_beside_where_there_is_a_table_of_positions(case: Case) -> None:
    assert {row.fifo for row in compared(case).rows} == {None}
    case.command(
        "INSERT INTO pm_wallet_positions_v1 (wallet, condition_id, outcome_index, tx_hash, pnl_usd) "
        f"SELECT wallet, condition_id, outcome_index, tx_hash, 0.25 FROM {FILLS} ORDER BY fill_id LIMIT 1"
    )
    fifo = [row.fifo for row in compared(case).rows if row.fifo is not None]
    assert fifo == [0.25]


# The command


def command(case: Case, *words: str) -> int:
    with patch.dict(os.environ, {"CLICKHOUSE_PASSWORD": Dsn.parse(case.dsn).password}):
        parsed = Dsn.parse(case.dsn)
        return main(
            [
                f"--incident={case.incident}",
                f"--clickhouse=clickhouse://{parsed.user}@{parsed.host}:{parsed.port}",
                f"--ledger={case.ledger.path}",
                *words,
            ]
        )


def test_the_command_says_that_they_agree_in_its_last_line(real: Case, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(real, WALLET, f"--from={RECORDS}") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == (
        f"{WALLET} agrees: 119 of 125 positions within the tolerance (95.2 %, required 95 %), 0 unexplained"
    )
    assert lines[0] == (
        "position Will the highest temperature in Beijing be 22°C on April 17?, outcome 1; ours -36.61; theirs -36.86; "
        f"difference +0.24; FIFO none; tokens bought +0.00; tokens held none; cause {agreement.FEES}"
    )
    assert len([line for line in lines if line.startswith("position ")]) == 125
    assert len([line for line in lines if re.search(r"\.json: SHA-256 [0-9a-f]{64}$", line)]) == 3
    assert not real.ledger.path.exists()


def test_the_command_shows_a_table_on_a_terminal(
    real: Case, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "240")
    assert command(real, WALLET, f"--from={RECORDS}") == 0
    shown = capsys.readouterr().out
    assert f"Positions of {WALLET}" in shown
    assert "tokens bought" in shown


def test_the_command_says_that_they_differ(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    case.command(f"ALTER TABLE {FILLS} UPDATE usdc_delta = 2 * usdc_delta WHERE 1")
    assert command(case, WALLET, f"--from={RECORDS}") == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(rf"{WALLET} differs: \d+ of 125 positions .*, [1-9]\d* unexplained", last)


def test_a_wallet_that_neither_side_knows_proves_nothing(real: Case, tmp_path: Path) -> None:
    for name in ("positions", "closed_positions"):
        (tmp_path / f"{name}.json").write_text("[]")
    assert command(real, "0x" + "0" * 40, f"--from={tmp_path}") == 1


@pytest.mark.parametrize("address", ["0x12", "", "af17", WALLET + "0", "0x" + "g" * 40])
def test_a_wrong_address_is_a_usage_error(real: Case, capsys: pytest.CaptureFixture[str], address: str) -> None:
    assert command(real, address, f"--from={RECORDS}") == 4
    assert "is no address: 0x and 40 hex digits are expected" in capsys.readouterr().err


def test_the_command_asks_the_api_page_by_page_and_keeps_its_answers(
    case: Case, httpserver: HTTPServer, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in ("/positions", "/closed-positions", "/activity"):
        records = json.loads((RECORDS / f"{path[1:].replace('-', '_')}.json").read_text())
        httpserver.expect_request(path, method="GET").respond_with_handler(
            lambda request, records=records: Response(
                json.dumps(records[int(request.args["offset"]) :][: int(request.args["limit"])])
            )
        )
    url = httpserver.url_for("").rstrip("/")
    case.edit(services={"data_api": CONTENT["services"]["data_api"] | {"url": url, "requests_per_10_seconds": 10_000}})
    assert command(case, WALLET) == 0
    assert "119 of 125 positions within the tolerance" in capsys.readouterr().out
    (kept,) = (case.folder / "evidence").iterdir()
    assert command(case, WALLET, f"--from={kept}") == 0


def test_an_api_that_cannot_be_reached_is_exit_code_13(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    case.edit(services={"data_api": CONTENT["services"]["data_api"] | {"url": "http://127.0.0.1:9"}})
    assert command(case, WALLET) == 13
    assert "The data API at http://127.0.0.1:9 cannot be reached" in capsys.readouterr().err


def test_an_incident_without_the_section_says_so(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    text = case.incident.read_text()
    case.incident.write_text(text[: text.index("[validation]")])
    assert command(case, WALLET) == 4
    assert "there is no section [validation]; without it nothing is compared." in capsys.readouterr().err
