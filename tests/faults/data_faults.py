"""Data faults: what may happen to the rows of a table, in general; each is done to a clone in one of the three states."""

from __future__ import annotations

from collections.abc import Callable

from tests.conftest import Case
from tests.test_checks_go_red import CLEAN, DAY, FILLS, SUBJECT, Fault, delete, insert, pick, remove_one

EVENTS, MAP, QUARANTINE = "pm_trader_events_v3", "pm_token_to_condition_map_v5", f"{FILLS}_quarantine"
FOREIGN = f"source != 'clob' AND toDate(event_time) = '{DAY}'"
FOREIGN_OUTSIDE = "source != 'clob' AND toDate(event_time) = '2026-01-15'"
BEFORE, AFTER = (f"source = 'clob' AND toDate(event_time) = '{day}'" for day in ("2026-01-15", "2026-01-29"))
OWNED = f"source = 'clob' AND toDate(event_time) = '{DAY}'"
MAPPED = f"SELECT token_id_dec FROM {MAP} WHERE condition_id != ''"
ORPHAN = (
    f"source = 'clob' AND condition_id = '' AND fill_id IN "
    f"(SELECT concat('clob_', event_id) FROM {EVENTS} WHERE token_id NOT IN ({MAPPED}))"
)
NOW = "toUInt64(toUnixTimestamp64Milli(now64()))"
Where = Callable[[Case], str]


def one(condition: str) -> Where:
    """The rows of the first identity for which a condition holds."""
    return lambda case: f"fill_id = '{pick(condition)(case)}'"


def event_of(condition: str) -> Where:
    return lambda case: f"event_id = '{pick(condition)(case).removeprefix('clob_')}'"


def all_of(condition: str) -> Where:
    return lambda case: condition


def replaced(change: str, where: Where, table: str = FILLS) -> Fault:
    """Rows that become others, whatever the sorting key: they are taken out, changed and put back."""

    def inject(case: Case) -> None:
        condition = where(case)
        case.command(f"CREATE TABLE aside AS {table}")
        case.command(
            f"INSERT INTO aside SELECT * REPLACE({change}) FROM (SELECT * FROM {table} FINAL WHERE {condition})"
        )
        assert case.value("SELECT count() FROM aside") > 0
        case.command(f"ALTER TABLE {table} DELETE WHERE {condition}")
        case.command(f"INSERT INTO {table} SELECT * FROM aside")
        case.command("DROP TABLE aside")

    return inject


def removed(where: Where, table: str = FILLS) -> Fault:
    return lambda case: delete(where(case), table)(case)


def added(change: str, condition: str) -> Fault:
    """A changed copy of the first row for which a condition holds."""
    return lambda case: case.command(
        f"INSERT INTO {FILLS} SELECT * REPLACE({change}) FROM (SELECT * FROM {FILLS} WHERE {condition} ORDER BY fill_id LIMIT 1)"
    )


def hidden(case: Case) -> None:
    case.command(f"DELETE FROM {FILLS} WHERE {one(CLEAN)(case)}")


def in_turn(*faults: Fault) -> Fault:
    def inject(case: Case) -> None:
        for fault in faults:
            fault(case)

    return inject


def event_added(case: Case) -> None:
    event = f"(SELECT * FROM {EVENTS} WHERE {event_of(CLEAN)(case)})"
    case.command(f"INSERT INTO {EVENTS} SELECT * REPLACE(concat(event_id, 'x') AS event_id) FROM {event}")


def orphan_mapped(case: Case) -> None:
    """The token map learns the token of an orphan, wherever that is kept."""
    kept = QUARANTINE if case.value(f"EXISTS TABLE {QUARANTINE}") else FILLS
    orphan = case.value(f"SELECT fill_id FROM {kept} WHERE {ORPHAN} ORDER BY fill_id LIMIT 1")
    token = case.value(f"SELECT token_id FROM {EVENTS} WHERE concat('clob_', event_id) = '{orphan}' LIMIT 1")
    case.command(
        f"INSERT INTO {MAP} SELECT * REPLACE('{token}' AS token_id_dec) FROM {MAP} WHERE condition_id != '' "
        "ORDER BY token_id_dec LIMIT 1"
    )


def from_quarantine(change: str) -> Fault:
    return lambda case: case.command(
        f"INSERT INTO {FILLS} SELECT * REPLACE({change}) FROM {QUARANTINE} ORDER BY fill_id LIMIT 1"
    )


DATA_FAULTS: dict[str, Fault] = {
    "a row dropped": remove_one(CLEAN),
    "a row hidden by a lightweight delete": hidden,
    "a row doubled under another sorting key": insert("outcome_index + 1 AS outcome_index"),
    "a row doubled under the wallet in upper case": insert("upper(wallet) AS wallet"),
    "a row doubled in another partition": insert("event_time + INTERVAL 11 DAY AS event_time"),
    "a condition blanked": replaced("'' AS condition_id", one(CLEAN)),
    "a condition of another market": replaced("reverse(condition_id) AS condition_id", one(CLEAN)),
    "an identity blanked": replaced("'' AS fill_id", one(CLEAN)),
    "a value changed": replaced("usdc_delta + 0.000001 AS usdc_delta", one(CLEAN)),
    "a value that is no number": replaced("nan AS tokens_delta", one(CLEAN)),
    "a sign turned": replaced("-tokens_delta AS tokens_delta", one(CLEAN)),
    "two values swapped": replaced("usdc_delta AS tokens_delta, tokens_delta AS usdc_delta", one(CLEAN)),
    "a flag turned": replaced("1 - is_maker AS is_maker", one(CLEAN)),
    "a block number changed": replaced("block_number + 1 AS block_number", one(CLEAN)),
    "a wallet in upper case": replaced("upper(wallet) AS wallet", one(CLEAN)),
    "a wallet of a test subject": replaced(f"'{SUBJECT}' AS wallet", one(f"{CLEAN} AND wallet != '{SUBJECT}'")),
    "a broken row that is newer": insert("'' AS condition_id, _version + 1 AS _version"),
    "a broken row that is older": insert("'' AS condition_id, 1 AS _version"),
    "a changed row that is newer": insert("usdc_delta + 1 AS usdc_delta, _version + 1 AS _version"),
    "a day missing": delete(OWNED),
    "a day moved by five hours": replaced("event_time + INTERVAL 5 HOUR AS event_time", all_of(OWNED)),
    "a row moved over midnight": replaced("toDateTime('2026-01-23 00:00:00') AS event_time", one(CLEAN)),
    "a row moved behind the window": replaced("toDateTime('2026-01-28 00:00:00') AS event_time", one(CLEAN)),
    "a row moved before the window": replaced("toDateTime('2026-01-16 23:59:59') AS event_time", one(CLEAN)),
    "a row moved to another partition": replaced("event_time + INTERVAL 11 DAY AS event_time", one(CLEAN)),
    "a row moved to a partition that is not named": replaced("event_time - INTERVAL 60 DAY AS event_time", one(CLEAN)),
    "a partition dropped": lambda case: case.command(f"ALTER TABLE {FILLS} DROP PARTITION ID '202601'"),
    "a partition outside the window dropped": lambda case: case.command(
        f"ALTER TABLE {FILLS} DROP PARTITION ID '202602'"
    ),
    "a row that the source does not have": insert("'clob_of_nobody' AS fill_id"),
    "a row that the source does not have in the place of another": in_turn(
        insert("'clob_of_nobody' AS fill_id"), remove_one(CLEAN)
    ),
    "a row outside the window added": insert("'clob_of_nobody' AS fill_id", "'2026-01-15'"),
    "a row before the window removed": remove_one(BEFORE),
    "a row behind the window removed": remove_one(AFTER),
    "a row of a day that is not settled removed": remove_one("source = 'clob' AND toDate(event_time) = '2026-02-02'"),
    "a row before the window changed": replaced("usdc_delta + 1 AS usdc_delta", one(BEFORE)),
    "a row behind the window changed": replaced("usdc_delta + 1 AS usdc_delta", one(AFTER)),
    "a row behind the window blanked": replaced("'' AS condition_id", one(AFTER)),
    "a foreign row removed": remove_one(FOREIGN),
    "a foreign row changed": replaced("usdc_delta + 1 AS usdc_delta", one(FOREIGN)),
    "a foreign row blanked": replaced("'' AS condition_id", one(FOREIGN)),
    "a foreign row doubled": added("outcome_index + 1 AS outcome_index", FOREIGN),
    "a foreign row in the place of another": in_turn(added("'of_nobody' AS fill_id", FOREIGN), remove_one(FOREIGN)),
    "a foreign row outside the window removed": remove_one(FOREIGN_OUTSIDE),
    "a foreign row outside the window changed": replaced("usdc_delta + 1 AS usdc_delta", one(FOREIGN_OUTSIDE)),
    "an owned row that becomes foreign": replaced("'negrisk' AS source", one(CLEAN)),
    "a foreign row that becomes owned": replaced("'clob' AS source", one(FOREIGN)),
    "the foreign rows of a day removed": delete(FOREIGN),
    "an event of the source lost": removed(event_of(CLEAN), EVENTS),
    "an event of the source changed": replaced("usdc_amount + 1000000 AS usdc_amount", event_of(CLEAN), EVENTS),
    "an event of the source added": event_added,
    "the token map says another condition": replaced("reverse(condition_id) AS condition_id", all_of("1"), MAP),
    "the token map forgets all": delete("1", MAP),
    "the token map learns an orphan's token": orphan_mapped,
}  # fmt: skip

# Of one state only.
OF_STATE: dict[str, dict[str, Fault]] = {
    "broken": {"an orphan gone without a copy": removed(one(ORPHAN))},
    "backfilled": {"an orphan gone without a copy": removed(one(ORPHAN))},
    "recovered": {
        "an orphan gone without a copy": lambda case: case.command(
            f"ALTER TABLE {QUARANTINE} DELETE WHERE fill_id = (SELECT min(fill_id) FROM {QUARANTINE})"
        ),
        "all orphans gone without a copy": lambda case: case.command(f"DROP TABLE {QUARANTINE}"),
        "an orphan's copy changed": lambda case: case.command(
            f"ALTER TABLE {QUARANTINE} UPDATE usdc_delta = usdc_delta + 1 WHERE 1"
        ),
        "an orphan back in the table": from_quarantine("1 AS _version"),
        "an orphan back in the table with a made-up condition": from_quarantine("'0xabc' AS condition_id"),
    },
}

# Changes that are right, or that are not this recovery's to see; each with why no check has to turn red.
LEGITIMATE: dict[str, tuple[Fault, str]] = {
    "a right row again with a later version": (
        insert("_version + 1 AS _version"),
        "the updater reads its last blocks again; rows of equal key are one row as soon as they merge",
    ),
    "a foreign row added that is older than the recovery": (
        added("'of_nobody' AS fill_id", FOREIGN),
        "an insert that was in flight when the snapshot was taken has an older version too, and is no fault",
    ),
    "a foreign row written by others since": (
        added(f"'of_nobody' AS fill_id, {NOW} AS _version", FOREIGN),
        "other pipelines go on writing rows of their own, and the source does not know them",
    ),
    "a foreign row written anew by others since": (
        added(f"usdc_delta + 1 AS usdc_delta, {NOW} AS _version", FOREIGN),
        "as above: it has a version of after the snapshot, and the suite writes no such row",
    ),
    "a row in a partition that is not named": (
        insert("'clob_of_nobody' AS fill_id, event_time - INTERVAL 60 DAY AS event_time"),
        "the suite neither reads nor writes rows of other partitions, unless an identity of the window is there too",
    ),
}  # fmt: skip
