"""A database that grows hour by hour: each hour adds what was written in it, and a fault changes what it says it does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from recovery.embedded import EmbeddedServer
from rehearsal.generate import generate
from rehearsal.replay import FAULTS, LATE, Replay
from rehearsal.scenario import SCENARIO
from tests.conftest import connect

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
NOON = MONDAY + HOUR * 12
FILLS, EVENTS, MAP = "pm_canonical_fills_v4", "pm_trader_events_v3", "pm_token_to_condition_map_v5"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server with the recorded world at a small scale."""
    with EmbeddedServer(tmp_path_factory.mktemp("replay")) as running:
        client = connect(running.dsn)
        generate(client, rows=3_000, seed=7, history_days=3)
        yield client


@pytest.fixture
def replay(client: Client) -> Iterator[Callable[..., Replay]]:
    """Makes a replay that is created."""
    made: list[Replay] = []

    def make(**given: Any) -> Replay:
        made.append(Replay(client, f"replay_{next(_numbers)}", **given))
        made[-1].create()
        return made[-1]

    yield make
    for one in made:
        one.drop()


@pytest.fixture(scope="module")
def sound(client: Client) -> Iterator[Replay]:
    """A clean Monday and Tuesday. Do not change it."""
    grown = Replay(client, "sound", world="clean", base=60)
    grown.create()
    grown.advance(MONDAY, MONDAY + DAY)
    grown.advance(MONDAY + DAY, MONDAY + 2 * DAY)
    yield grown
    grown.drop()


def value(client: Client, sql: str) -> Any:
    return client.query(sql).result_rows[0][0]


def moment(at: datetime) -> str:
    return f"toDateTime('{at:%Y-%m-%d %H:%M:%S}', 'UTC')"


def within(column: str, start: datetime, end: datetime) -> str:
    return f"{column} >= {moment(start)} AND {column} < {moment(end)}"


def differing(client: Client, left: str, right: str, where: str) -> int:
    """How many fills that the one or the other has are not in both with equal content."""
    rows = f"SELECT DISTINCT * EXCEPT _version FROM {{}}.{FILLS} WHERE {where}"
    one, other = rows.format(left), rows.format(right)
    return int(value(client, f"SELECT count() FROM (({one} EXCEPT {other}) UNION ALL ({other} EXCEPT {one}))"))


# The recorded world


def test_an_hour_adds_exactly_the_rows_of_that_hour(client: Client, replay: Callable[..., Replay]) -> None:
    grown, start = replay(), datetime(2026, 1, 20, 10, tzinfo=UTC)
    for table in (FILLS, EVENTS):
        client.command(f"SYSTEM STOP MERGES {grown.database}.{table}")
    for hours, after in ((1, start + HOUR), (2, start + 2 * HOUR)):
        grown.advance(after - HOUR, after)
        for table, known, time in ((FILLS, "fills", "event_time"), (EVENTS, "events", "trade_time")):
            there = value(client, f"SELECT count() FROM {grown.world}.{known} WHERE {within(time, start, after)}")
            assert value(client, f"SELECT count() FROM {grown.database}.{table}") == there > 0, hours
    assert differing(client, grown.database, "default", within("event_time", start, start + 2 * HOUR)) == 0
    late = f"SELECT countIf({{}} >= {moment(start + 2 * HOUR)}) FROM {grown.database}."
    assert value(client, late.format("trade_time") + EVENTS) == 0
    assert value(client, late.format("insert_time") + "pm_condition_resolutions") == 0
    assert value(client, late.format("greatest(entry_time, resolved_at)") + "pm_trade_fifo_roi_v3") == 0


def test_what_production_stored_twice_is_there_twice_until_a_merge(
    client: Client, replay: Callable[..., Replay]
) -> None:
    grown, start = replay(), SCENARIO["window_start"]
    client.command(f"SYSTEM STOP MERGES {grown.database}.{FILLS}")
    again = f"INSERT INTO {grown.world}.fills SELECT * REPLACE (_version + 300000 AS _version) FROM {grown.world}.fills"
    client.command(f"{again} WHERE {within('event_time', start, start + HOUR)} LIMIT 5")
    grown.advance(start, start + HOUR)
    rows, fills = client.query(f"SELECT count(), uniqExact(fill_id) FROM {grown.database}.{FILLS}").result_rows[0]
    assert rows >= fills + 5


def test_hours_one_after_another_come_to_what_production_had(client: Client, replay: Callable[..., Replay]) -> None:
    grown, end = replay(), SCENARIO["clock"]
    days = [SCENARIO["window_start"] + DAY * day for day in range(-3, 17)]
    for start in days:
        grown.advance(start, min(start + DAY, end))
    for table, at in (
        ("pm_condition_resolutions", "insert_time"),
        ("pm_trade_fifo_roi_v3", "resolved_at + INTERVAL 10 MINUTE"),
    ):
        there = value(client, f"SELECT count() FROM default.{table} FINAL WHERE {at} < {moment(end)}")
        assert value(client, f"SELECT count() FROM {grown.database}.{table} FINAL") == there > 0
    for table in (FILLS, EVENTS):
        there = value(client, f"SELECT (count(), uniqExact(*)) FROM default.{table} FINAL")
        assert value(client, f"SELECT (count(), uniqExact(*)) FROM {grown.database}.{table} FINAL") == there


def test_the_map_at_an_hour_lacks_the_tokens_that_are_mapped_later(
    client: Client, replay: Callable[..., Replay]
) -> None:
    grown, fixed = replay(), SCENARIO["fixed_at"].replace(hour=0)  # when the map learns of the new ones
    grown.advance(fixed - 2 * HOUR, fixed - HOUR)
    lacking = (
        f"SELECT uniqExact(token_id) FROM {grown.database}.{EVENTS} "
        f"WHERE token_id NOT IN (SELECT token_id_dec FROM {grown.database}.{MAP})"
    )
    tokens = f"SELECT count() FROM {grown.database}.{MAP}"
    before = value(client, tokens)
    assert before > 0
    assert value(client, lacking) > 0
    grown.advance(fixed - HOUR, fixed)
    assert value(client, tokens) == before
    grown.advance(fixed, fixed + HOUR)
    assert value(client, tokens) > before
    known = "SELECT sum(length(tokens)) FROM rehearsal.conditions WHERE mapped_at > 0 AND mapped_at < "
    assert value(client, tokens) == value(client, known + moment(fixed + HOUR))


def test_the_jobs_ran_on_time_and_the_watermark_is_at_the_last_event(
    client: Client, replay: Callable[..., Replay]
) -> None:
    grown, start = replay(), datetime(2026, 1, 20, 10, tzinfo=UTC)
    grown.advance(start, start + HOUR)
    runs = client.query(f"SELECT cron_name, count() FROM {grown.database}.cron_executions GROUP BY cron_name")
    assert dict(runs.result_rows) == {SCENARIO["updater"]: 6} | dict.fromkeys(SCENARIO["boards"], 1)
    last = value(client, f"SELECT max(trade_time) FROM {grown.database}.{EVENTS}")
    assert value(client, f"SELECT last_event_time FROM {grown.database}.pm_ingest_watermarks_v1") == last


# Clean days


def test_seven_clean_days_have_a_weekday_pattern(client: Client, replay: Callable[..., Replay]) -> None:
    grown = replay(world="clean", base=60)
    grown.advance(MONDAY, MONDAY + 7 * DAY)
    days = [
        count
        for (count,) in client.query(
            f"SELECT count() FROM {grown.database}.{FILLS} GROUP BY toDate(event_time, 'UTC') AS d ORDER BY d"
        ).result_rows
    ]
    assert len(days) == 7, days
    middle = sum(days[1:5]) / 4
    assert all(0.45 * middle < day < 0.7 * middle for day in days[5:]), days
    assert 0.75 * middle < days[0] < middle
    night, afternoon = (
        value(client, f"SELECT count() FROM {grown.database}.{FILLS} WHERE toHour(event_time, 'UTC') IN ({hours})")
        for hours in ("2, 3, 4, 5", "14, 15, 16, 17")
    )
    assert night < 0.6 * afternoon


def test_a_clean_world_is_sound(client: Client, sound: Replay) -> None:
    fills = f"{sound.database}.{FILLS}"
    events = value(client, f"SELECT count() FROM {sound.database}.{EVENTS}")
    clob, others, selves = client.query(
        f"SELECT countIf(source = 'clob'), uniqExactIf(source, source != 'clob'), countIf(is_self_fill) FROM {fills}"
    ).result_rows[0]
    assert others == len(SCENARIO["other_sources"])
    assert selves > 0
    assert events * 0.95 < clob < events
    known = f"SELECT condition_id FROM {sound.database}.{MAP}"
    wrong = (
        f"condition_id NOT IN ({known}) OR NOT match(toString(wallet), '^0x[0-9a-f]{{40}}$') "
        "OR source = 'clob' AND tokens_delta * usdc_delta >= 0"
    )
    assert value(client, f"SELECT countIf({wrong}) FROM {fills}") == 0
    assert value(client, f"SELECT uniqExact(fill_id) = count() FROM {fills}") == 1


def test_the_same_clean_hours_come_out_however_they_are_asked_for(
    client: Client, sound: Replay, replay: Callable[..., Replay]
) -> None:
    grown = replay(world="clean", base=60)
    for start in (MONDAY, MONDAY + HOUR, MONDAY + 2 * HOUR):
        grown.advance(start, start + HOUR)
    assert differing(client, grown.database, "sound", within("event_time", MONDAY, MONDAY + 3 * HOUR)) == 0


def test_new_tokens_carry_a_tenth_of_the_clean_trades(client: Client, sound: Replay) -> None:
    tuesday = f"SELECT token_id_dec FROM {sound.world}.map WHERE mapped_at >= {moment(MONDAY)}"
    share = value(
        client,
        f"SELECT countIf(token_id IN ({tuesday})) / count() FROM {sound.database}.{EVENTS} "
        f"WHERE trade_time >= {moment(MONDAY + DAY)}",
    )
    assert 0.07 < share < 0.16


# Faults: of Monday's second half; each grows to the end of Tuesday


@pytest.fixture
def faulty(replay: Callable[..., Replay]) -> Callable[..., Replay]:
    def make(fault: str, start: datetime = NOON, end: datetime | None = MONDAY + DAY) -> Replay:
        grown = replay(world="clean", base=60, fault=fault, fault_from=start, fault_to=end)
        grown.advance(MONDAY, MONDAY + DAY)
        grown.advance(MONDAY + DAY, MONDAY + 2 * DAY)
        return grown

    return make


HIT = "source = 'clob' AND " + within("event_time", NOON, MONDAY + DAY)


def test_a_fault_that_there_is_not_is_refused(client: Client) -> None:
    assert len(FAULTS) == 8
    with pytest.raises(ValueError, match="earthquake is no fault; there are day_missing, "):
        Replay(client, "never", fault="earthquake")


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "late_load"])
def test_rows_outside_the_time_of_a_fault_are_as_they_are_without_it(
    client: Client, sound: Replay, faulty: Callable[..., Replay], fault: str
) -> None:
    grown = faulty(fault)
    gone = SCENARIO["other_sources"][0] if fault == "source_stops" else ""
    outside = f"NOT ({within('event_time', NOON, MONDAY + DAY)}) AND source != '{gone}'"
    assert differing(client, grown.database, "sound", outside) == 0


def test_late_rows_come_nine_hours_late(client: Client, sound: Replay, replay: Callable[..., Replay]) -> None:
    late = NOON, NOON + 6 * HOUR
    grown = replay(world="clean", base=60, fault="late_load", fault_from=late[0], fault_to=late[1])
    there = f"SELECT count() FROM {grown.database}.{{}} WHERE "
    for start in (MONDAY, NOON, NOON + 6 * HOUR):
        grown.advance(start, start + (12 if start == MONDAY else 6 if start == NOON else 3) * HOUR)
    assert value(client, there.format(FILLS) + within("event_time", *late)) == 0
    assert value(client, there.format(EVENTS) + within("trade_time", *late)) == 0
    arrived = late[0] + LATE
    grown.advance(arrived, arrived + HOUR)
    came = within("event_time", late[0], late[0] + HOUR)
    assert value(client, there.format(FILLS) + came) == value(client, f"SELECT count() FROM sound.{FILLS} WHERE {came}")
    grown.advance(arrived + HOUR, arrived + 6 * HOUR)
    assert differing(client, grown.database, "sound", within("event_time", MONDAY, arrived + 6 * HOUR)) == 0


def test_a_source_that_stops_stops_for_good(client: Client, faulty: Callable[..., Replay]) -> None:
    grown = faulty("source_stops")
    assert client.query(
        f"SELECT source FROM {grown.database}.{FILLS} WHERE event_time >= {moment(NOON)} GROUP BY source ORDER BY source"
    ).result_columns[0] == ["clob", *sorted(SCENARIO["other_sources"][1:])]


def test_a_duplicated_load_stays_double(client: Client, faulty: Callable[..., Replay]) -> None:
    grown = faulty("duplicated_load")
    for rows, where in ((2, "NOT"), (1, "")):
        doubled = f"SELECT fill_id FROM {grown.database}.{FILLS} WHERE {within('event_time', NOON, MONDAY + DAY)}"
        assert value(
            client,
            f"SELECT uniqExact(rows) = 1 AND any(rows) = {rows} FROM (SELECT count() AS rows FROM {grown.database}.{FILLS} "
            f"WHERE fill_id {'' if where else 'NOT'} IN ({doubled}) GROUP BY fill_id)",
        ), where
    assert differing(client, grown.database, "sound", "1") == 0


def test_of_a_missing_day_only_the_events_are_there(
    client: Client, sound: Replay, faulty: Callable[..., Replay]
) -> None:
    grown = faulty("day_missing")
    assert value(client, f"SELECT count() FROM {grown.database}.{FILLS} WHERE {HIT}") == 0
    assert value(client, f"SELECT count() FROM {grown.database}.{EVENTS}") == value(
        client, f"SELECT count() FROM sound.{EVENTS}"
    )
    assert differing(client, grown.database, "sound", f"NOT ({HIT})") == 0


@pytest.mark.parametrize(
    ("fault", "right"),
    [
        ("sign_flipped", "-usdc_delta AS usdc_delta"),
        ("unit_changed", "1e6 * usdc_delta AS usdc_delta, 1e6 * tokens_delta AS tokens_delta"),
        ("upper_case_wallets", "upper(wallet) AS wallet"),
    ],
)
def test_a_fault_of_values_changes_these_values(
    client: Client, sound: Replay, faulty: Callable[..., Replay], fault: str, right: str
) -> None:
    grown = faulty(fault)
    wrong = f"SELECT toString(*) FROM (SELECT * REPLACE ({right}) FROM sound.{FILLS} WHERE {HIT})"
    wrong = wrong.replace("toString(*)", "toString(tuple(*))")
    stored = f"SELECT toString(tuple(*)) FROM {grown.database}.{FILLS} WHERE {HIT}"
    assert value(client, f"SELECT count() FROM (({wrong} EXCEPT {stored}) UNION ALL ({stored} EXCEPT {wrong}))") == 0
    assert value(client, f"SELECT count() FROM ({wrong})") > 0
    assert differing(client, grown.database, "sound", f"NOT ({HIT})") == 0


def test_fills_of_tokens_that_a_stale_map_lacks_wait(
    client: Client, sound: Replay, faulty: Callable[..., Replay]
) -> None:
    grown = faulty("stale_map", MONDAY, None)
    known = f"SELECT token_id_dec FROM {grown.database}.{MAP}"
    lacking = value(
        client,
        f"SELECT countIf(token_id NOT IN ({known})) / count() FROM {grown.database}.{EVENTS} "
        f"WHERE trade_time >= {moment(MONDAY + DAY)}",
    )
    assert 0.07 < lacking < 0.16
    waiting = f"source = 'clob' AND condition_id NOT IN (SELECT condition_id FROM {grown.database}.{MAP})"
    assert value(client, f"SELECT count() FROM {grown.database}.{FILLS} WHERE {waiting}") == 0
    assert value(client, f"SELECT count() FROM sound.{FILLS} WHERE {waiting}") > 0
    assert differing(client, grown.database, "sound", f"NOT ({waiting})") == 0
    assert value(
        client, f"SELECT max(mapped_at) FROM {grown.world}.map WHERE token_id_dec IN ({known})"
    ) < MONDAY.replace(tzinfo=None)
