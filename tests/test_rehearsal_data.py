"""The rehearsal's generator makes January as it was, and its comparison sees every fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from recovery.embedded import EmbeddedServer
from rehearsal.generate import Comparison, compare, generate, truth_counts
from rehearsal.scenario import SCENARIO

ROWS = 20_000
FILLS = "pm_canonical_fills_v4"
EVENTS = "pm_trader_events_v3"
MAP = "pm_token_to_condition_map_v5"
RIGHT = """SELECT * EXCEPT (class, id, content) FROM rehearsal.truth WHERE class != 'orphan'"""


def made(folder: Path, rows: int, seed: int, **options: int) -> Iterator[Client]:
    with EmbeddedServer(folder / "clickhouse") as server:
        client = clickhouse_connect.get_client(dsn=server.dsn)
        generate(client, rows=rows, seed=seed, **options)
        yield client
        client.close()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    yield from made(tmp_path_factory.mktemp("january"), ROWS, 7)


def rows(client: Client, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in client.query(sql).result_rows]


def number(client: Client, sql: str) -> Any:
    return rows(client, sql)[0][0]


def compared(client: Client, table: str = FILLS, quarantine: str = "none_yet") -> Comparison:
    return compare(
        client,
        database="default",
        table=table,
        quarantine=quarantine,
        window_start=SCENARIO["window_start"],
        window_end=SCENARIO["window_end"],
    )


def test_january_has_as_many_clob_fills_as_asked(client: Client) -> None:
    found = number(
        client,
        f"SELECT uniqExact(fill_id) FROM {FILLS} WHERE source = 'clob' AND toYYYYMM(event_time) = 202601",
    )
    assert found == pytest.approx(ROWS, rel=0.03)


def test_each_day_of_the_window_has_its_share_of_empty_fills(client: Client) -> None:
    found = rows(
        client,
        f"SELECT toDate(event_time) AS day, countIf(condition_id = '') / count() FROM {FILLS} FINAL "
        "WHERE source = 'clob' AND day >= '2026-01-17' AND day < '2026-01-28' GROUP BY day ORDER BY day",
    )
    assert [share for _, share in found] == pytest.approx(SCENARIO["new_shares"], abs=0.03)


def test_nothing_outside_the_window_is_empty(client: Client) -> None:
    outside = "event_time < '2026-01-17' OR event_time >= '2026-01-28'"
    assert rows(client, f"SELECT count() > 0, countIf(condition_id = '') FROM {FILLS} WHERE {outside}") == [(1, 0)]


def test_some_broken_fills_are_orphans_whose_token_the_map_never_knows(client: Client) -> None:
    counts = truth_counts(client)
    assert 5 <= counts["orphan"] <= 0.01 * counts["broken"]
    unknown = f"SELECT count() FROM {EVENTS} FINAL WHERE token_id NOT IN (SELECT token_id_dec FROM {MAP})"
    assert number(client, unknown) >= counts["orphan"]


def test_every_event_is_in_the_truth_or_is_the_maker_half_of_a_self_fill(client: Client) -> None:
    makers_of_self_fills = number(
        client,
        f"SELECT count() FROM {EVENTS} FINAL WHERE role = 'maker' AND (transaction_hash, trader_wallet) IN "
        f"(SELECT transaction_hash, trader_wallet FROM {EVENTS} WHERE role = 'taker')",
    )
    counts = truth_counts(client)
    assert makers_of_self_fills > 0
    assert number(client, f"SELECT uniqExact(event_id) FROM {EVENTS}") == (
        sum(counts.values()) - counts["foreign"] + makers_of_self_fills
    )


def test_what_is_stored_is_the_truth_less_the_late_fills(client: Client) -> None:
    counts = truth_counts(client)
    assert number(client, f"SELECT uniqExact(fill_id) FROM {FILLS}") == sum(counts.values()) - counts["late"]


def test_late_fills_have_no_row_though_the_map_knows_their_token(client: Client) -> None:
    found = rows(
        client,
        "SELECT toDate(trade_time) < '2026-01-28' AS in_window, count() > 0, "
        f"countIf(concat('clob_', event_id) IN (SELECT fill_id FROM {FILLS})), "
        f"countIf(token_id NOT IN (SELECT token_id_dec FROM {MAP})) FROM {EVENTS} "
        "WHERE concat('clob_', event_id) IN (SELECT fill_id FROM rehearsal.truth WHERE class = 'late') "
        "GROUP BY in_window ORDER BY in_window",
    )
    assert found == [(0, 1, 0, 0), (1, 1, 0, 0)]


def test_self_fills_are_marked_and_have_no_maker_half(client: Client) -> None:
    assert rows(client, f"SELECT max(is_self_fill), countIf(is_self_fill AND is_maker) FROM {FILLS}") == [(1, 0)]


def test_wallets_trade_once_or_thousands_of_times(client: Client) -> None:
    found = rows(
        client,
        f"SELECT min(fills), max(fills) FROM (SELECT count() AS fills FROM {FILLS} FINAL GROUP BY wallet)",
    )
    assert found[0][0] == 1
    assert ROWS * 0.05 < found[0][1] < ROWS * 0.2


def test_the_test_wallet_has_broken_and_good_fills_on_its_days(client: Client) -> None:
    found = rows(
        client,
        f"SELECT countIf(condition_id = '') > 10, countIf(condition_id != '') > 10 FROM {FILLS} WHERE "
        f"wallet = '{SCENARIO['test_wallet']}' AND event_time >= '2026-01-21' AND event_time < '2026-01-25'",
    )
    assert found == [(1, 1)]


def test_transactions_have_one_taker_and_one_or_several_makers_whose_amounts_add_up(client: Client) -> None:
    found = rows(
        client,
        "SELECT min(takers), max(takers), min(makers), max(makers) > 4, max(abs(balance)), max(times) FROM ("
        "SELECT countIf(role = 'taker') AS takers, countIf(role = 'maker') AS makers, "
        "uniqExact(trade_time) AS times, sum(if(role = 'taker', token_amount, -token_amount)) AS balance "
        f"FROM {EVENTS} FINAL GROUP BY transaction_hash)",
    )
    assert found == [(1, 1, 1, 1, 0.0, 1)]


def test_some_positions_are_short(client: Client) -> None:
    positions = "SELECT sum(tokens_delta) AS net FROM rehearsal.truth GROUP BY wallet, condition_id, outcome_index"
    assert 0.02 < number(client, f"SELECT countIf(net < -0.01) / count() FROM ({positions})") < 0.4


def test_tokens_are_long_decimal_numbers_with_two_or_three_to_a_condition(client: Client) -> None:
    assert number(client, f"SELECT max(length(token_id_dec)) FROM {MAP} WHERE match(token_id_dec, '^[0-9]+$')") == 78
    outcomes = f"SELECT DISTINCT count() AS outcomes FROM {MAP} GROUP BY condition_id ORDER BY outcomes"
    assert rows(client, outcomes) == [(2,), (3,)]


def test_source_and_fills_hold_repeats_with_equal_content(client: Client) -> None:
    assert number(client, f"SELECT count() - uniqExact(event_id) FROM {EVENTS}") > 0
    content = "* EXCEPT _version"
    assert number(client, f"SELECT count() > uniqExact(fill_id) FROM {FILLS}") == 1
    assert number(client, f"SELECT count() FROM (SELECT DISTINCT {content} FROM {FILLS})") == number(
        client, f"SELECT uniqExact(fill_id) FROM {FILLS}"
    )


def test_other_sources_have_fills_and_a_few_of_them_are_broken(client: Client) -> None:
    found = dict(rows(client, f"SELECT source, uniqExact(fill_id) FROM {FILLS} WHERE source != 'clob' GROUP BY source"))
    assert sorted(found) == ["ctf_cash", "ctf_token", "negrisk"]
    broken = "source != 'clob' AND condition_id = ''"
    assert rows(client, f"SELECT source, uniqExact(fill_id) > 3 FROM {FILLS} WHERE {broken} GROUP BY source") == [
        ("negrisk", 1)
    ]


def test_conditions_end_in_every_way(client: Client) -> None:
    found = rows(client, "SELECT DISTINCT payout_numerators FROM pm_condition_resolutions ORDER BY payout_numerators")
    assert {"", "[0,1]", "[1,0]", "[1,1]"} <= {ending for (ending,) in found}


def test_the_incident_shows_in_the_comparison_and_nothing_else(client: Client) -> None:
    counts = truth_counts(client)
    late = number(client, "SELECT count() FROM rehearsal.truth WHERE class = 'late' AND event_time < '2026-01-28'")
    found = compared(client)
    assert not found.perfect
    assert (found.different, found.lost, found.late_outside) == (
        counts["broken"],
        late,
        counts["late"] - late,
    )
    assert (found.orphan, found.orphan_in_place, found.orphan_in_quarantine) == (
        counts["orphan"],
        counts["orphan"],
        0,
    )
    assert (found.extra, found.doubled, found.broken_outside, found.foreign_changed) == (0, 0, 0, 0)
    assert len(found.samples["different"]) == 5


def first(kind: str) -> str:
    return f"fill_id = (SELECT min(fill_id) FROM rehearsal.truth WHERE {kind})"


CLEAN, BROKEN, ORPHAN = (first(f"class = '{name}'") for name in ("clean", "broken", "orphan"))
LATER = first("class = 'clean' AND event_time >= '2026-01-28'")
FOREIGN = first("class = 'foreign' AND condition_id = ''")
AGAIN = "INSERT INTO repaired SELECT * REPLACE"
FAULTS = {
    "lost": f"DELETE FROM repaired WHERE {BROKEN}",
    "different": f"ALTER TABLE repaired UPDATE usdc_delta = usdc_delta + 1 WHERE {CLEAN} SETTINGS mutations_sync = 2",
    "extra": f"{AGAIN} ('clob_new' AS fill_id) FROM (SELECT * FROM repaired WHERE {CLEAN})",
    "doubled": f"{AGAIN} ('' AS condition_id) FROM repaired WHERE {BROKEN}",
    "broken_outside": f"{AGAIN} ('' AS condition_id) FROM repaired WHERE {LATER}",
    "foreign_changed": f"DELETE FROM repaired WHERE {FOREIGN}",
    "orphan_in_place": f"INSERT INTO repaired SELECT * FROM aside WHERE {ORPHAN}",
}


@pytest.fixture
def repaired(client: Client) -> Client:
    """The table as it must be in the end, with its quarantine."""
    for table in ("repaired", "aside"):
        client.command(f"DROP TABLE IF EXISTS {table}")
        client.command(f"CREATE TABLE {table} AS {FILLS}")
    client.command(f"INSERT INTO repaired SELECT *, 1 FROM ({RIGHT})")
    client.command(
        "INSERT INTO aside SELECT * EXCEPT (class, id, content), 1 FROM rehearsal.truth WHERE class = 'orphan'"
    )
    return client


def test_the_truth_itself_compares_as_perfect(repaired: Client) -> None:
    found = compared(repaired, "repaired", "aside")
    assert found.perfect
    assert found.orphan_in_quarantine == truth_counts(repaired)["orphan"]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_comparison_sees_each_fault(repaired: Client, fault: str) -> None:
    repaired.command(FAULTS[fault])
    found = compared(repaired, "repaired", "aside")
    assert not found.perfect
    assert {name: len(sample) for name, sample in found.samples.items() if not name.startswith("orphan")} == (
        {} if fault == "orphan_in_place" else {fault: 1}
    )
    assert getattr(found, fault) == 1


def test_an_orphan_that_is_nowhere_is_lost(repaired: Client) -> None:
    repaired.command(f"DELETE FROM aside WHERE {ORPHAN}")
    found = compared(repaired, "repaired", "aside")
    assert (found.lost, found.orphan - found.orphan_in_quarantine, found.perfect) == (1, 1, False)


def test_a_right_fill_in_the_quarantine_is_extra(repaired: Client) -> None:
    repaired.command(f"INSERT INTO aside SELECT * FROM repaired WHERE {CLEAN}")
    assert compared(repaired, "repaired", "aside").extra == 1


def fingerprint(client: Client) -> list[Any]:
    tables = [
        "rehearsal.truth",
        f"{FILLS} FINAL",
        f"{EVENTS} FINAL",
        f"{MAP} FINAL",
        "pm_condition_resolutions FINAL",
    ]
    return [number(client, f"SELECT (count(), groupBitXor(cityHash64(*))) FROM {table}") for table in tables]


def test_the_same_seed_makes_the_same_rows_and_another_seed_others(tmp_path: Path) -> None:
    prints = []
    for run, seed in enumerate((3, 3, 4)):
        for client in made(tmp_path / str(run), 2_000, seed, history_days=3):
            prints.append(fingerprint(client))
    assert prints[0] == prints[1]
    assert all(first != other for first, other in zip(prints[0], prints[2], strict=True))


def test_days_say_how_much_history_is_made(tmp_path: Path) -> None:
    for client in made(tmp_path, 2_000, 1, history_days=3):
        assert str(number(client, f"SELECT min(toDate(trade_time)) FROM {EVENTS}")) == "2026-01-14"
        assert not compared(client).perfect
