"""Statements are composed from validated names and conditions; values never pass through text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recovery.errors import ActionFailed, IncidentError
from recovery.incident import load
from recovery.snapshot import partition_id
from recovery.statements import FOLDER, FRAGMENTS, Column, Schema, compose, literal, parameters_of, quote, text, words

ROOT = Path(__file__).parent.parent
INCIDENT = load(ROOT / "incidents" / "2026-01-empty-condition-ids.toml")
PYTHON = [path for folder in ("recovery", "expectations", "checks", "scripts") for path in (ROOT / folder).glob("*.py")]
NAMES = sorted(path.stem for path in FOLDER.glob("*.sql"))
NAMES += sorted(f"nightly/{path.stem}" for path in (FOLDER / "nightly").glob("*.sql"))
BY_HAND = {"nightly/history_create"}  # what an administrator executes, as the runbook says
SCHEMA = Schema(
    columns=(
        Column("fill_id", "String", "", ""),
        Column("event_time", "DateTime", "", ""),
        Column("event_date", "Date", "MATERIALIZED", "toDate(event_time)"),
        Column("wallet", "LowCardinality(String)", "", ""),
        Column("condition_id", "String", "", ""),
        Column("outcome_index", "UInt8", "", ""),
        Column("source", "LowCardinality(String)", "", ""),
        Column("upper_wallet", "String", "ALIAS", "upper(wallet)"),
        Column("_version", "UInt64", "DEFAULT", "toUnixTimestamp64Milli(now64())"),
    ),
    engine="ReplacingMergeTree",
    engine_full="ReplacingMergeTree(_version) ORDER BY (wallet, condition_id, outcome_index, fill_id)",
    sorting_key="wallet, condition_id, outcome_index, fill_id",
    partition_key="toYYYYMM(event_time)",
    uuid="00000000-0000-0000-0000-000000000000",
    key_type="String",
)
WORDS = words(INCIDENT, SCHEMA)
OF_THE_CALL = {
    "snapshot": quote("default", "a_snapshot"),
    "current": quote("default", "a_table_just_before_a_restore"),
    "worklist": quote("default", "a_worklist"),
    "staging": quote("default", "a_table_for_rows_that_are_not_all_there"),
    "held": quote("default", "a_list_of_what_is_there"),
    "rows": quote("default", "rows_that_are_right"),
    "own_table": quote("default", "a_table_of_ours"),
    "lock": quote("default", "a_lock"),
    "baseline": quote("default", "a_snapshot"),
    "earlier": quote("default", "another_snapshot"),
    "set_aside": quote("default", "a_quarantine"),
    "shadow": quote("default", "a_shadow"),
    "aside": quote("default", "what_a_partition_held"),
    "late": quote("default", "what_came_late"),
    "catch": quote("default", "a_view"),
    "monitoring": quote("default", "results"),
    "holder": literal("a holder"),
    "partition": partition_id("202601"),
    "target": quote("default", "what_is_being_made"),
    "whole": quote("default", "what_is_made"),
    "part": quote("default", "a_part_of_it"),
    "conditions": quote("default", "conditions"),
    "runs": quote("default", "runs"),
    "board": quote("default", "a_board"),
    "board_subject": quote("subject"),
    "board_updated": quote("updated"),
    "board_rank": quote("rank"),
    "board_columns": quote("total"),
    "board_figures": "sum(pnl_usd) AS `total`",
    "board_differs": "b.`total` != p.`total`",
    "board_shown": "toString(b.`total`)",
    "guarded": quote("default", "a_table"),
    "history": quote("default", "results"),
    "slot": "toStartOfHour(at, 'UTC')",
    "value": "toString(source)",
    "recent": "1",
    "last": "max(at)",
    "figures": ",\n    count() AS all_of_them",
    "looked_at": "1",
    "between": "1",
    "is_wrong": "(amount < 0)",
    "at": quote("at"),
    "position": quote("block"),
    "slices": ", ('source', toString(source))",
    "traced": "",
    "cost": "max_threads = 2",
    "writer": "SELECT 1",
    "left": "SELECT 1",
    "cells": "1",
}


@pytest.mark.parametrize("name", NAMES)
def test_every_word_of_a_statement_is_filled_in(name: str) -> None:
    sql = compose(name, WORDS, **OF_THE_CALL)
    assert re.findall(r"\$\{?\w*\}?", sql) == []
    assert "-- Fragment" not in sql or name in FRAGMENTS


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_opens_with_a_comment_that_says_what_it_answers(name: str) -> None:
    first, *others = text(name).splitlines()
    assert re.fullmatch(r"-- [A-Z].{10,}", first)
    assert [line for line in others if line and not line.startswith("--")] != []


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_is_one_statement(name: str) -> None:
    assert ";" not in text(name)


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_is_used(name: str) -> None:
    if name in FRAGMENTS:
        mention, places = f"${{{name}}}", [text(other) for other in NAMES]
    elif name in BY_HAND:
        mention, places = f"{name.partition('/')[2]}.sql", [(ROOT / "docs" / "runbook.md").read_text("utf-8")]
    else:
        mention, places = f'"{name}"', [path.read_text("utf-8") for path in PYTHON]
    assert [place for place in places if mention in place] != []


def test_the_fragments_are_those_that_are_marked_so() -> None:
    assert sorted(FRAGMENTS) == [name for name in NAMES if text(name).startswith("-- Fragment")]


def test_no_word_is_called_as_a_fragment_which_it_would_hide() -> None:
    assert (WORDS.keys() | OF_THE_CALL.keys()) & set(FRAGMENTS) == set()
    assert WORDS.keys() & OF_THE_CALL.keys() == set()


def test_the_incidents_conditions_stand_in_brackets() -> None:
    assert WORDS["broken"] == "ifNull((condition_id = ''), 0)"
    assert WORDS["owned"] == "ifNull((source = 'clob'), 0)"


def test_the_words_are_quoted_names() -> None:
    assert WORDS["table"] == "`default`.`pm_canonical_fills_v4`"
    assert WORDS["source"] == "`default`.`pm_trader_events_v3`"
    assert WORDS["identity"] == "`fill_id`"
    assert WORDS["version_now"] == "toUnixTimestamp64Milli(now64())"


def test_computed_columns_are_not_stored_and_the_version_is_no_content() -> None:
    stored = "`fill_id`, `event_time`, `wallet`, `condition_id`, `outcome_index`, `source`"
    assert WORDS["content"] == stored
    assert WORDS["stored"] == f"{stored}, `_version`"


def test_the_right_rows_are_cast_to_the_tables_types() -> None:
    head = "SELECT CAST(`fill_id` AS String) AS `fill_id`, CAST(`event_time` AS DateTime) AS `event_time`, "
    assert WORDS["right"].startswith(head)
    assert WORDS["right"].endswith(f"FROM (\n{INCIDENT.right_rows}\n)")


def test_a_word_that_is_not_known_is_an_error_not_an_empty_text() -> None:
    with pytest.raises(KeyError, match="partition"):
        compose("optimize", WORDS)


def test_a_dollar_in_the_incidents_text_is_text() -> None:
    sql = compose("recent", WORDS | {"owned": "(name = '${table} $x')"})
    assert "(name = '${table} $x')" in sql


@pytest.mark.parametrize("name", ["table", "a_1", "_version", "X" * 300])
def test_a_plain_name_is_quoted(name: str) -> None:
    assert quote(name) == f"`{name}`"
    assert quote("default", name) == f"`default`.`{name}`"


HOSTILE_NAMES = [
    "",
    " ",
    "a b",
    "a.b",
    "a`b",
    "`a`",
    "a;b",
    "a'b",
    "1a",
    "a-b",
    "a\n",
    "a\x00",
    "ä",
    "a)",
    "${table}",
    "a--",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_whatever_is_not_a_plain_name_is_refused(name: str) -> None:
    sentence = re.escape(f"{name!r} is not a plain name: letters, digits and _ only.")
    for parts in ((name,), ("default", name), (name, "table")):
        with pytest.raises(IncidentError, match=f"^{sentence}$"):
            quote(*parts)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text("aZ_0` .;'-\n\u0130", max_size=6))
def test_a_quoted_name_holds_nothing_but_letters_digits_and_underscores(name: str) -> None:
    quoted = ""
    try:
        quoted = quote(name)
    except IncidentError:
        assert not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name)
    else:
        assert re.fullmatch("`[A-Za-z_][A-Za-z0-9_]*`", quoted)


@pytest.mark.parametrize("text", ["202601", "all", "a1b2c3", "20260117-0", "2026_01"])
def test_a_partition_id_is_taken_as_it_is(text: str) -> None:
    assert partition_id(text) == text


@pytest.mark.parametrize("text", ["", "' OR 1", "202601'", "2026 01", "(2026, 1)", "a;b", "a\n", "$x", "--\n", "ä"])
def test_what_could_be_more_than_a_partition_id_is_refused(text: str) -> None:
    with pytest.raises(ActionFailed, match=f"^{re.escape(repr(text))} is not a partition id$"):
        partition_id(text)


def test_parameters_are_found_with_their_types() -> None:
    sql = "SELECT {a:String}, {b:Array(String)}, {c:DateTime('UTC')}, {d:Map(String, UInt8)}, {a:String}, '{}', {e}"
    assert parameters_of(sql) == {
        "a": "String",
        "b": "Array(String)",
        "c": "DateTime('UTC')",
        "d": "Map(String, UInt8)",
    }


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("recent", {"since": "DateTime('UTC')", "now": "DateTime('UTC')"}),
        (
            "census",
            {
                "subjects": "Array(String)",
                "time_from": "DateTime('UTC')",
                "time_to": "DateTime('UTC')",
                "window_from": "DateTime('UTC')",
                "window_to": "DateTime('UTC')",
                "partitions": "Array(String)",
                "key_from": "String",
                "key_to": "String",
            },
        ),
        ("optimize", {}),
    ],
)
def test_values_are_parameters(name: str, parameters: dict[str, str]) -> None:
    assert parameters_of(compose(name, WORDS, **OF_THE_CALL)) == parameters


@pytest.mark.parametrize("name", NAMES)
def test_no_value_of_the_incident_enters_a_statement_through_a_word(name: str) -> None:
    sql = compose(name, {**WORDS, "right": "SELECT 1"}, **{**OF_THE_CALL, "partition": "p"})
    window = INCIDENT.window
    values = [*window.test_subjects, *INCIDENT.table.partitions, *(f"{t:%Y-%m-%d}" for t in (window.start, window.end))]
    assert [value for value in values if value in sql] == []
