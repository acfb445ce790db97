"""The rehearsal's own positions come to exact figures, and its comparisons see a change in any column of any table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from recovery.embedded import EmbeddedServer
from rehearsal import positions
from rehearsal.boards import compare_boards, refresh
from rehearsal.generate import generate
from rehearsal.positions import Resolved, compare_positions, make_as_production_had_them, make_as_they_must_be, sizes
from rehearsal.scenario import SCENARIO, execute, folder

POSITIONS = "pm_trade_fifo_roi_v3"
FIRST = datetime(2026, 1, 20, 12, tzinfo=UTC)
RESOLVED = FIRST + timedelta(days=1)
CUTOFF = datetime(2026, 2, 2, tzinfo=UTC)
WALLET = "0xabcdef0123456789abcdef0123456789abcdef01"
NOBODY = "0x" + "0" * 40


def at(minutes: float) -> datetime:
    return FIRST + timedelta(minutes=minutes)


def fill(name: str, tokens: float, dollars: float, when: float = 0, **other: Any) -> dict[str, Any]:
    """A fill of the hand-made truth: bought where tokens are positive; its transaction is the name up to a dot."""
    return {
        "fill_id": f"clob_{name}",
        "event_time": at(when),
        "block_number": 1,
        "tx_hash": f"0x{name.split('.')[0]}",
        "wallet": WALLET,
        "outcome_index": 0,
        "tokens_delta": tokens,
        "usdc_delta": -dollars if tokens > 0 else dollars,
        "source": "clob",
        "is_self_fill": 0,
        "is_maker": 0,
        "class": "clean",
    } | other


LATER = 60 * 24 + 1  # minutes: after the resolution
# By condition: the rows of its resolution, and its fills.
WORLD: dict[str, tuple[list[tuple[Any, ...]], list[dict[str, Any]]]] = {
    "a sell over two lots": (
        [("[1,0]", RESOLVED, 0)],
        [fill("a", 10, 4), fill("b", 10, 6, 1), fill("s", -15, 9, 2)],
    ),
    "sells at two prices": (
        [("[1,0]", RESOLVED, 0)],
        [fill("a", 10, 4), fill("b", 10, 6, 1), fill("s", -10, 1, 2), fill("t", -5, 5, 3)],
    ),
    "a sell before the buy": ([("[0,1]", RESOLVED, 0)], [fill("s", -4, 2), fill("a", 10, 4, 1)]),
    "more sold than bought": (
        [("[1,1]", RESOLVED, 0)],
        [fill("a", 10, 4), fill("s", -8, 4, 1), fill("t", -6, 6, 2), fill("u", -2, 1, 3)],
    ),
    "nothing bought": ([("[0,1]", RESOLVED, 0)], [fill("s", -6, 3), fill("t", -2, 1, 1)]),
    "fills of one transaction": (
        [("[1,0]", RESOLVED, 0)],
        [fill("b.1", 3, 1, 5), fill("a", 2, 1, 5), fill("b.2", 4, 3, 4, is_maker=1)],
    ),
    "a lot under a cent": (
        [("[1,0]", RESOLVED, 0)],
        [fill("a", 1, 0.009), fill("b", 10, 6, 1), fill("s", -3, 3, 2)],
    ),
    "after the resolution": (
        [("[0,1]", RESOLVED, 0)],
        [fill("a", 10, 4), fill("b", 1, 1, LATER), fill("s", -5, 5, LATER)],
    ),
    "hardly oversold": ([("[1,0]", RESOLVED, 0)], [fill("a", 10, 4), fill("s", -10.01, 10.01, 1)]),
    "oversold for nothing": (
        [("[1,0]", RESOLVED, 0)],
        [fill("a", 10, 4), fill("s", -10, 5, 1), fill("t", -9, 0.01, 2)],
    ),
    "what does not count": (
        [("[1,0]", RESOLVED, 0)],
        [
            fill("a", 10, 4),
            fill("b", 1, 1, wallet=NOBODY),
            fill("c", 1, 1, source="negrisk"),
            fill("d", 1, 1, **{"class": "orphan"}),
            fill("e", 1, 1, LATER * 8, **{"class": "late"}),
            fill("f", 1, 1, is_self_fill=1, is_maker=1),
            fill("g", 1, 1, LATER * 13),
        ],
    ),
    "missed inside the window": ([("[1,0]", RESOLVED, 0)], [fill("a", 10, 4, **{"class": "late"})]),
    "resolved again": ([("[1,0]", RESOLVED, 0), ("[0,1]", RESOLVED, 0)], [fill("a", 10, 4)]),
    "taken back": ([("[1,0]", RESOLVED, 0), ("[1,0]", RESOLVED, 1)], [fill("a", 10, 4)]),
    "open": ([("", RESOLVED, 0)], [fill("a", 10, 4)]),
    "resolved in December": ([("[1,0]", datetime(2025, 12, 31, 23, tzinfo=UTC), 0)], [fill("a", 10, 4)]),
    "too young to be rebuilt": ([("[1,0]", CUTOFF, 0)], [fill("a", 10, 4), fill("b", 1, 1, LATER * 13)]),
}
# By condition: the rows without hash, as (tokens, cost, sold, held, exit, pnl, roi, percent sold, maker, short, minutes).
LOT_A = (10, 4, 0, 10, 10, 6, 1.5, 0, 0, 0, 0)
RIGHT: dict[str, dict[str, tuple[float, ...]]] = {
    "a sell over two lots": {
        "0xa": (10, 4, 10, 0, 6, 2, 0.5, 100, 0, 0, 0),
        "0xb": (10, 6, 5, 5, 8, 2, 1 / 3, 50, 0, 0, 1),
    },
    "sells at two prices": {
        "0xa": (10, 4, 10, 0, 1, -3, -0.75, 100, 0, 0, 0),
        "0xb": (10, 6, 5, 5, 10, 4, 2 / 3, 50, 0, 0, 1),
    },
    "a sell before the buy": {"0xa": (10, 4, 4, 6, 2, -2, -0.5, 40, 0, 0, 1)},
    "more sold than bought": {
        "0xa": (10, 4, 10, 0, 6, 2, 0.5, 100, 0, 0, 0),
        "short": (6, -5, 0, 6, -3, 2, 0.4, 0, 0, 1, 2),
    },
    "nothing bought": {"short": (8, -4, 0, 8, 0, 4, 1, 0, 0, 1, 0)},
    "fills of one transaction": {
        "0xa": (2, 1, 0, 2, 2, 1, 1, 0, 0, 0, 5),
        "0xb": (7, 4, 0, 7, 7, 3, 0.75, 0, 1, 0, 4),
    },
    "a lot under a cent": {"0xb": (10, 6, 2, 8, 10, 4, 2 / 3, 20, 0, 0, 1)},
    "after the resolution": {
        "0xa": (10, 4, 0, 10, 0, -4, -1, 0, 0, 0, 0),
        "0xb": (1, 1, 0, 1, 0, -1, -1, 0, 0, 0, LATER),
    },
    "hardly oversold": {"0xa": (10, 4, 10, 0, 10, 6, 1.5, 100, 0, 0, 0)},
    "oversold for nothing": {"0xa": (10, 4, 10, 0, 5, 1, 0.25, 100, 0, 0, 0)},
    "what does not count": {"0xa": LOT_A},
    "missed inside the window": {"0xa": LOT_A},
    "resolved again": {"0xa": (10, 4, 0, 10, 0, -4, -1, 0, 0, 0, 0)},
    "taken back": {},
    "open": {},
    "resolved in December": {},
    "too young to be rebuilt": {"0xa": LOT_A, "0xb": (1, 1, 0, 1, 1, 0, 0, 0, 0, 0, LATER * 13)},
}


def rows(client: Client, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in client.query(sql).result_rows]


def insert(client: Client, table: str, records: list[dict[str, Any]]) -> None:
    client.insert(table, [list(record.values()) for record in records], column_names=list(records[0]))


@pytest.fixture(scope="module")
def made_by_hand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The hand-made truth, stored as it is, with its positions by the old rules and as they must be."""
    with EmbeddedServer(tmp_path_factory.mktemp("by-hand") / "clickhouse") as server:
        client = clickhouse_connect.get_client(dsn=server.dsn)
        for name in [*folder("own"), *folder("tables"), *folder("end")[3:]]:
            execute(client, name, seed=1)
        client.command("CREATE TABLE rehearsal.truth AS rehearsal.others ENGINE = MergeTree ORDER BY fill_id")
        client.command("ALTER TABLE rehearsal.truth ADD COLUMN class String")
        for condition, (resolutions, fills) in WORLD.items():
            for number, (numerators, when, deleted) in enumerate(resolutions):
                row = [condition, numerators, "1", when, when + timedelta(minutes=number), deleted]
                client.insert("pm_condition_resolutions", [row])
            insert(client, "rehearsal.truth", [each | {"condition_id": condition} for each in fills])
        client.command(
            "INSERT INTO pm_canonical_fills_v4 SELECT * EXCEPT class, 1 FROM rehearsal.truth WHERE class != 'orphan'"
        )
        make_as_production_had_them(client)
        right(client, cutoff=CUTOFF)
        yield client
        client.close()


def resolved(cutoff: datetime) -> Resolved:
    return Resolved.of("2026-01", "2026-03", cutoff)


def right(client: Client, cutoff: datetime = SCENARIO["clock"]) -> None:
    make_as_they_must_be(
        client,
        resolved(cutoff),
        cutoff=cutoff,
        window_start=SCENARIO["window_start"],
        window_end=SCENARIO["window_end"],
    )


def of(client: Client, table: str, condition: str) -> dict[str, tuple[float, ...]]:
    found = rows(
        client,
        "SELECT if(is_short, 'short', tx_hash), tokens, cost_usd, tokens_sold_early, tokens_held, exit_value, pnl_usd, roi, "
        f"pct_sold_early, is_maker, is_short, dateDiff('minute', toDateTime('{FIRST:%F %T}', 'UTC'), entry_time) "
        f"FROM {table} WHERE condition_id = '{condition}' AND resolved_at >= '2026-01-01'",
    )
    return {name: tuple(figures) for name, *figures in found}


@pytest.mark.parametrize("condition", WORLD)
def test_positions_made_by_hand_come_to_exact_figures(made_by_hand: Client, condition: str) -> None:
    found = of(made_by_hand, "rehearsal.positions", condition)
    assert found == {name: pytest.approx(figures, abs=1e-9) for name, figures in RIGHT[condition].items()}


def test_a_short_has_a_name_of_its_own_and_the_resolution_of_its_condition(made_by_hand: Client) -> None:
    found = rows(
        made_by_hand,
        "SELECT tx_hash, toUnixTimestamp(resolved_at) FROM rehearsal.positions "
        "WHERE is_short AND condition_id = 'nothing bought'",
    )
    assert found == [(f"short_{WALLET[:10]}_nothing bo_0", RESOLVED.timestamp())]


def test_production_took_the_average_price_and_counted_a_short_twice(made_by_hand: Client) -> None:
    average = of(made_by_hand, POSITIONS, "sells at two prices")
    assert average == {
        "0xa": pytest.approx((10, 4, 10, 0, 4, 0, 0, 100, 0, 0, 0)),
        "0xb": pytest.approx((10, 6, 5, 5, 7, 1, 1 / 6, 50, 0, 0, 1)),
    }
    twice = of(made_by_hand, POSITIONS, "more sold than bought")
    assert twice == {
        "0xa": pytest.approx((10, 4, 10, 0, 6.875, 2.875, 0.71875, 100, 0, 0, 0)),
        "short": pytest.approx((6, -7, 0, 6, -3, 4, 4 / 7, 0, 0, 1, 1)),
    }


def test_positions_are_the_same_in_several_parts(made_by_hand: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rows(made_by_hand, "SELECT * FROM rehearsal.positions ORDER BY ALL")
    monkeypatch.setattr(positions, "PART", 10)
    right(made_by_hand, cutoff=CUTOFF)
    assert rows(made_by_hand, "SELECT * FROM rehearsal.positions ORDER BY ALL") == whole
    assert len(whole) == sum(map(len, RIGHT.values())) + 1


# A generated incident


@pytest.fixture(scope="module")
def january(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A small incident, with the right positions in rehearsal.positions; do not change them."""
    with EmbeddedServer(tmp_path_factory.mktemp("january") / "clickhouse") as server:
        client = clickhouse_connect.get_client(dsn=server.dsn)
        generate(client, rows=3_000, seed=7, history_days=3)
        right(client)
        yield client
        client.close()


def test_each_position_comes_to_what_its_fills_and_its_payout_say(january: Client) -> None:
    """Of positions of which no lot and no short was too small for a row."""
    found = rows(
        january,
        "SELECT count() > 500, max(abs(p.pnl - f.pnl)) FROM ("
        "  SELECT wallet, condition_id, outcome_index, sum(pnl_usd) AS pnl, "
        "    sumIf(tokens, NOT is_short) - sumIf(tokens_sold_early, NOT is_short) - sumIf(tokens, is_short) AS net "
        "  FROM rehearsal.positions GROUP BY ALL) AS p INNER JOIN ("
        "  SELECT wallet, condition_id, outcome_index, "
        "    sum(if(is_lot, 1, -1) * (closed - opened)) / 1e6 AS net, "
        "    sum(if(is_lot, -usdc, usdc)) / 1e6 + net * any(payout) AS pnl "
        "  FROM rehearsal.ranges GROUP BY ALL) AS f USING (wallet, condition_id, outcome_index) "
        "WHERE abs(p.net - f.net) < 1e-9",
    )
    assert found == [(1, pytest.approx(0, abs=1e-9))]


def test_each_lot_has_the_proceeds_of_the_sells_that_lie_over_it(january: Client) -> None:
    found = rows(
        january,
        "SELECT countIf(p.tokens_sold_early > 0) > 30, max(abs(o.brought - p.exit_value + p.tokens_held * o.share)), "
        "  max(abs(o.overlap - p.tokens_sold_early)) FROM ("
        "  SELECT l.wallet AS wallet, l.condition_id AS condition_id, l.outcome_index AS outcome_index, l.key AS tx_hash, "
        "    any(l.payout) AS share, "
        "    sum(greatest(0, least(l.closed, s.closed) - greatest(l.opened, s.opened)) AS both) / 1e6 AS overlap, "
        "    sum(if(both = 0, 0, both * s.usdc / (s.closed - s.opened))) / 1e6 AS brought "
        "  FROM (SELECT * FROM rehearsal.ranges WHERE is_lot) AS l "
        "  LEFT JOIN (SELECT * FROM rehearsal.ranges WHERE NOT is_lot) AS s USING (wallet, condition_id, outcome_index) "
        "  GROUP BY ALL) AS o INNER JOIN rehearsal.positions AS p USING (wallet, condition_id, outcome_index, tx_hash)",
    )
    assert found == [(1, pytest.approx(0, abs=1e-9), 0)]


def test_the_incident_shows_in_the_positions_but_not_in_the_month_before(january: Client) -> None:
    found = compare_positions(january, resolved(SCENARIO["clock"]), database="default", table=POSITIONS)
    assert not found.perfect
    assert found.lost > 100 < found.different + found.lost
    assert (found.doubled, found.outside) == (0, 0)
    assert rows(january, f"SELECT count() > 20 FROM {POSITIONS} WHERE toYYYYMM(resolved_at) = 202512") == [(1,)]


def test_sizes_are_those_of_the_right_positions(january: Client) -> None:
    found = sizes(january)
    assert sorted(found) == ["2025-12", "2026-01", "2026-02"]
    longs, shorts = (
        f"SELECT countIf({short}) FROM rehearsal.positions WHERE toYYYYMM(resolved_at) = 202601"
        for short in ("is_short = 0", "is_short = 1")
    )
    assert found["2026-01"][1:] == (rows(january, longs)[0][0], rows(january, shorts)[0][0])
    assert found["2026-01"][0] > 10


@pytest.fixture
def rebuilt(january: Client) -> Client:
    """A table of positions as it must be, to be changed at will."""
    january.command("DROP TABLE IF EXISTS rebuilt")
    january.command(f"CREATE TABLE rebuilt AS {POSITIONS} ENGINE = MergeTree ORDER BY tuple() PARTITION BY tuple()")
    january.command("INSERT INTO rebuilt SELECT * FROM rehearsal.positions")
    return january


def compared(client: Client) -> positions.Positions:
    return compare_positions(client, resolved(SCENARIO["clock"]), database="default", table="rebuilt")


def change(client: Client, assignment: str, where: str = "resolved_at >= '2026-01-01'") -> None:
    key = "cityHash64(toString(wallet), condition_id, outcome_index, tx_hash)"
    one = f"{key} = (SELECT min({key}) FROM rehearsal.positions WHERE {where} AND cost_usd > 1)"
    client.command(f"ALTER TABLE rebuilt UPDATE {assignment} WHERE {one}", settings={"mutations_sync": 2})


def test_the_right_positions_compare_as_perfect(rebuilt: Client) -> None:
    found = compared(rebuilt)
    assert found.perfect
    assert found.right == rows(rebuilt, "SELECT count() FROM rebuilt")[0][0] > 500


FLOATS = ("tokens", "cost_usd", "tokens_sold_early", "tokens_held", "exit_value", "pnl_usd", "roi", "pct_sold_early")
CHANGES = {name: f"{name} = {name} * 1.00001 + 0.00001" for name in FLOATS} | {
    "entry_time": "entry_time = entry_time + 1",
    "resolved_at": "resolved_at = resolved_at + 1",
    "is_maker": "is_maker = 1 - is_maker",
    "is_short": "is_short = 1 - is_short",
}


@pytest.mark.parametrize("column", CHANGES)
def test_a_change_in_any_column_is_seen(rebuilt: Client, column: str) -> None:
    change(rebuilt, CHANGES[column])
    found = compared(rebuilt)
    assert (found.different, found.lost, found.extra, found.doubled, found.outside) == (1, 0, 0, 0, 0)
    assert found.samples["different"][0].endswith(f": {column}")


@pytest.mark.parametrize("column", ["wallet", "condition_id", "outcome_index", "tx_hash"])
def test_a_position_with_another_key_is_lost_and_extra(rebuilt: Client, column: str) -> None:
    value = f"{column} + 7" if column == "outcome_index" else f"concat({column}, 'x')"
    change(rebuilt, f"{column} = {value}")
    found = compared(rebuilt)
    assert (found.different, found.lost, found.extra) == (0, 1, 1)


def test_a_number_that_is_none_is_seen(rebuilt: Client) -> None:
    change(rebuilt, "pnl_usd = nan")
    assert compared(rebuilt).different == 1


def test_a_difference_below_a_millionth_is_none(rebuilt: Client) -> None:
    change(rebuilt, "pnl_usd = pnl_usd + 0.0000005")
    assert compared(rebuilt).perfect


@pytest.mark.parametrize(
    ("sql", "finding"),
    [
        ("INSERT INTO rebuilt SELECT * FROM rehearsal.positions WHERE resolved_at >= '2026-01-01' LIMIT 1", "doubled"),
        ("DELETE FROM rebuilt WHERE tx_hash = (SELECT max(tx_hash) FROM rehearsal.positions WHERE is_short)", "lost"),
        ("INSERT INTO rebuilt SELECT * FROM rehearsal.positions WHERE resolved_at < '2026-01-01' LIMIT 1", "outside"),
        ("DELETE FROM rebuilt WHERE resolved_at < '2026-01-01'", "outside"),
    ],
)
def test_rows_too_few_or_too_many_are_seen(rebuilt: Client, sql: str, finding: str) -> None:
    rebuilt.command(sql)
    found = compared(rebuilt)
    assert not found.perfect
    assert [name for name in ("lost", "different", "extra", "doubled", "outside") if getattr(found, name)] == [finding]
    assert found.samples[finding]


def test_a_change_in_a_month_that_is_not_rebuilt_is_told_as_such(rebuilt: Client) -> None:
    change(rebuilt, "roi = roi + 1", where="resolved_at < '2026-01-01'")
    found = compared(rebuilt)
    assert (found.different, found.outside) == (0, 1)


def test_positions_of_conditions_that_are_too_young_are_as_they_were(january: Client) -> None:
    cutoff = SCENARIO["clock"] - timedelta(days=4)
    young = f"FROM {POSITIONS} WHERE resolved_at >= '{cutoff:%F %T}'"
    try:
        right(january, cutoff)
        found = compare_positions(january, resolved(cutoff), database="default", table=POSITIONS)
        same = f"SELECT * FROM rehearsal.positions WHERE resolved_at >= '{cutoff:%F %T}'"
        assert rows(january, f"{same} ORDER BY ALL") == rows(january, f"SELECT * {young} ORDER BY ALL") != []
        assert (found.perfect, found.outside) == (False, 0)
    finally:
        right(january)


# Boards


@pytest.fixture
def refreshed(january: Client) -> Iterator[Client]:
    """The application's positions are right and its boards refreshed; afterwards they are as the incident left them."""
    january.command(f"CREATE TABLE set_aside CLONE AS {POSITIONS}")
    january.command(f"TRUNCATE TABLE {POSITIONS}")
    january.command(f"INSERT INTO {POSITIONS} SELECT * FROM rehearsal.positions")
    for cron in SCENARIO["boards"]:
        refresh(january, cron, SCENARIO["clock"])
    yield january
    january.command(f"EXCHANGE TABLES set_aside AND {POSITIONS}")
    january.command("DROP TABLE set_aside")


def board(client: Client, name: str, columns: str, order: str) -> list[tuple[Any, ...]]:
    return rows(client, f"SELECT {columns} FROM {name} FINAL ORDER BY {order}")


def test_boards_are_what_the_positions_come_to(refreshed: Client) -> None:
    counted: dict[str, list[float]] = {}
    for wallet, pnl in rows(refreshed, f"SELECT toString(wallet), pnl_usd FROM {POSITIONS}"):
        counted.setdefault(wallet, []).append(pnl)
    best = sorted(counted, key=lambda wallet: (-round(sum(counted[wallet]), 6), wallet))
    figures = {wallet: (sum(pnl), sum(p > 0 for p in pnl) / len(pnl), len(pnl)) for wallet, pnl in counted.items()}
    shown = "wallet, total_pnl, win_rate, trades"
    for name, size in (("pm_copy_trading_leaderboard", 20), ("pm_smart_money_cache", 100)):
        found = board(refreshed, name, f"rank, {shown}", "rank")
        assert [(rank, wallet) for rank, wallet, *_ in found] == list(enumerate(best[:size], 1))
        assert [row[2:] for row in found] == [pytest.approx(figures[wallet]) for wallet in best[:size]]
    scores = board(refreshed, "wio_wallet_scores_v1", f"{shown}, score", "wallet")
    assert {wallet: tuple(row) for wallet, *row, _ in scores} == {
        wallet: pytest.approx(values) for wallet, values in figures.items()
    }
    assert [row[-1] for row in scores] == [pytest.approx(row[1] * row[2]) for row in scores]


def test_a_refresh_leaves_nothing_of_the_one_before(refreshed: Client) -> None:
    refreshed.command(
        f"DELETE FROM {POSITIONS} WHERE wallet NOT IN (SELECT wallet FROM {POSITIONS} ORDER BY wallet LIMIT 1)"
    )
    for cron, made in SCENARIO["boards"].items():
        assert refresh(refreshed, cron, SCENARIO["clock"]) == 1
        assert rows(refreshed, f"SELECT count() FROM {made['table']} FINAL") == [(1,)]


def test_right_boards_compare_as_perfect_and_those_of_the_incident_do_not(refreshed: Client) -> None:
    found = compare_boards(refreshed, database="default")
    assert found.perfect
    assert found.rows > 120
    refreshed.command(f"DELETE FROM {POSITIONS} WHERE NOT is_short")
    for cron in SCENARIO["boards"]:
        refresh(refreshed, cron, SCENARIO["clock"])
    assert compare_boards(refreshed, database="default").different > 100


COLUMNS = {
    "wio_wallet_scores_v1": ("score", "total_pnl", "win_rate", "trades"),
    "pm_copy_trading_leaderboard": ("wallet", "total_pnl", "win_rate", "trades"),
    "pm_smart_money_cache": ("wallet", "total_pnl", "win_rate", "trades"),
}


@pytest.mark.parametrize(
    ("name", "column"), [(name, column) for name, columns in COLUMNS.items() for column in columns]
)
def test_a_change_in_any_column_of_a_board_is_seen(refreshed: Client, name: str, column: str) -> None:
    key = "wallet" if name == "wio_wallet_scores_v1" else "rank"
    value = "concat(wallet, 'x')" if column == "wallet" else f"{column} + 1"
    refreshed.command(
        f"ALTER TABLE {name} UPDATE {column} = {value} WHERE {key} = (SELECT min({key}) FROM {name})",
        settings={"mutations_sync": 2},
    )
    found = compare_boards(refreshed, database="default")
    assert (found.different, list(found.samples)) == (1, [name])
    assert found.samples[name][0].endswith(f": {column}")


def test_a_row_that_a_board_lacks_is_seen(refreshed: Client) -> None:
    refreshed.command("DELETE FROM pm_copy_trading_leaderboard WHERE rank = 20")
    found = compare_boards(refreshed, database="default")
    assert found.samples == {"pm_copy_trading_leaderboard": ["20 is lost"]}
