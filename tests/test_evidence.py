"""Evidence is GO only on numbers that were really compared, and a record of it is judged by its numbers again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from recovery.evidence import GO, NO_GO, PENDING, Evidence, Expectation, judge, shown
from recovery.warehouse import Answer


def answer(statement: str = "census") -> Answer:
    return Answer(
        statement=statement,
        sql="SELECT 1",
        parameters={"day": "2030-01-01"},
        query_id=f"recovery-{statement}-5f3c0000-0000-0000-0000-000000000000",
        server="clickhouse://reader@localhost:8123",
        started="2030-01-01T00:00:00+00:00",
        seconds=0.123456,
        rows_read=1_000,
        bytes_read=8_000,
        rows=[{"count": 7}],
    )


def evidence(examined: int = 10, *expectations: tuple[Any, str, Any]) -> Evidence:
    found = Evidence(check="test_a", phases=["phase3"], fingerprint="f")
    found.show(answer(), examined=examined, count=7)
    for actual, relation, expected in expectations:
        found.expect("rows", actual, relation, expected)
    return found


@pytest.mark.parametrize(
    ("actual", "relation", "expected", "holds"),
    [
        (0, "==", 0, True),
        (1, "==", 0, False),
        (0.0, "==", 0, True),
        (1, "<=", 1, True),
        (1.0001, "<=", 1, False),
        (1, ">=", 1, True),
        (0, ">=", 1, False),
        (2, ">", 1, True),
        (1, ">", 1, False),
        ("_version", "==", "_version", True),
        ("none", "==", "_version", False),
        (2**70, "==", 2**70, True),
        (10**400, ">", 1, True),
    ],
)
def test_an_expectation_compares(actual: Any, relation: str, expected: Any, holds: bool) -> None:
    assert Expectation("rows", actual, relation, expected).holds is holds


@pytest.mark.parametrize(
    ("actual", "relation", "expected"),
    [
        (None, "==", None),
        (None, "==", 0),
        ([], "==", []),
        ({}, "==", {}),
        (True, "==", True),
        (False, "==", 0),
        ("0", "==", 0),
        (0, "==", "0"),
        ("1000000", "<=", "5"),
        ("2", ">", "1"),
        (float("nan"), "==", float("nan")),
        (float("nan"), "<=", 1),
        (float("inf"), ">=", 1),
        (0, "<=", float("inf")),
        (0, "!=", 1),
        (0, "<", 1),
        (0, "", 0),
    ],
)
def test_what_cannot_be_compared_does_not_hold(actual: Any, relation: str, expected: Any) -> None:
    assert Expectation("rows", actual, relation, expected).holds is False


def test_evidence_is_go_when_rows_were_examined_and_every_expectation_holds() -> None:
    assert evidence(10, (0, "==", 0), (3, ">=", 1)).verdict == GO


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (evidence(0, (0, "==", 0)), "no rows were examined, which proves nothing (0 examined; "),
        (evidence(-5, (0, "==", 0)), "no rows were examined, which proves nothing (-5 examined; "),
        (evidence(10), "nothing was compared, which proves nothing (10 examined; "),
        (evidence(10, (0, "==", 0), (1, "==", 0)), "rows 1, allowed 0 (10 examined; "),
        (evidence(0), "no rows were examined, which proves nothing; nothing was compared, which proves nothing (0 "),
    ],
)
def test_evidence_is_no_go_otherwise_and_says_why(found: Evidence, sentence: str) -> None:
    assert found.verdict == NO_GO
    assert found.sentence.startswith(sentence)


def test_a_failure_says_where_how_much_against_what_and_which_statement() -> None:
    found = evidence(87_000_000, (1_425_925, "==", 0), (72.88, "<=", 0.1))
    found.about = "2030-01-22"
    found.note("The token map is not ready.")
    assert found.sentence == (
        "2030-01-22: rows 1,425,925, allowed 0; rows 72.88, allowed <= 0.1 (87,000,000 examined; census.sql, query "
        "5f3c0000-0000-0000-0000-000000000000). The token map is not ready."
    )


def test_a_success_says_what_held_and_how_much_was_looked_at() -> None:
    assert evidence(12_345, (0, "==", 0)).sentence == "rows 0, allowed 0 (12,345 examined)."


def test_evidence_without_a_statement_says_so() -> None:
    assert Evidence(check="test_a", phases=["phase3"]).sentence == (
        "no rows were examined, which proves nothing; nothing was compared, which proves nothing "
        "(0 examined; no statement)."
    )


def test_what_is_shown_in_steps_adds_up() -> None:
    found = evidence(10, (0, "==", 0))
    found.show(answer("recent"), examined=5, broken=0)
    assert found.examined == 15
    assert found.found == {"count": 7, "broken": 0}
    assert [a.statement for a in found.answers] == ["census", "recent"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1_425_925, "1,425,925"),
        (-1_000, "-1,000"),
        (0.1, "0.1"),
        (72.88, "72.88"),
        (1234.5, "1,234.5"),
        (100.0, "100"),
        (0.0, "0"),
        (1 / 3, "0.3333"),
        ("delete", "delete"),
        ("", ""),
    ],
)
def test_figures_are_shown_with_thousands_separators(value: float | int | str, text: str) -> None:
    assert shown(value) == text


def test_a_record_survives_json_and_is_judged_as_the_evidence_was() -> None:
    good, bad = evidence(10, (0, "==", 0)), evidence(10, (1, "==", 0))
    records = [json.loads(json.dumps(found.record())) for found in (good, bad)]
    assert [record["verdict"] for record in records] == [GO, NO_GO]
    assert [judge(record) for record in records] == [[], ["rows 1, allowed 0"]]
    assert records[0]["answers"][0] | {"sql": ""} == {
        "statement": "census", "sql": "", "parameters": {"day": "2030-01-01"},
        "query_id": answer().query_id, "server": "clickhouse://reader@localhost:8123",
        "started": "2030-01-01T00:00:00+00:00", "seconds": 0.1235, "rows_read": 1_000, "bytes_read": 8_000,
    }  # fmt: skip


RECORD = evidence(10, (0, "==", 0)).record()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"examined": 0}, "no rows were examined, which proves nothing"),
        ({"expectations": []}, "nothing was compared, which proves nothing"),
        ({"expectations": [["rows", 55_000_000, "==", 0]]}, "rows 55,000,000, allowed 0"),
        ({"expectations": [["rows", 0, "==", 0], ["rows", 0, ">=", 1]]}, "rows 0, allowed >= 1"),
        ({"verdict": NO_GO}, "it was recorded as NO-GO"),
        ({"verdict": None}, "it was recorded as None"),
        ({"verdict": "go"}, "it was recorded as go"),
    ],
)
def test_the_numbers_decide_whatever_the_record_claims(change: dict[str, Any], fault: str) -> None:
    assert judge(RECORD | change) == [fault]


@pytest.mark.parametrize(
    "change",
    [
        {"examined": None},
        {"examined": "10"},
        {"examined": True},
        {"examined": 0.5},
        {"examined": float("inf")},
        {"examined": [10]},
        {"expectations": None},
        {"expectations": 1},
        {"expectations": "abcd"},
        {"expectations": [[]]},
        {"expectations": [["rows", 0, "=="]]},
        {"expectations": [["rows", 0, "==", 0, 0]]},
        {"expectations": [["rows", 0, [], 0]]},
        {"expectations": [["rows", 0, {}, 0]]},
        {"expectations": [["rows", None, "==", None]]},
        {"expectations": [["rows", [], "==", []]]},
        {"expectations": [["rows", True, "==", True]]},
        {"expectations": [["rows", 10**5_000, "==", 0]]},
        {"expectations": [["rows", float("nan"), "<=", 0]]},
        {"expectations": {"abcd": 1}},
        {"expectations": ["a1=1"]},
    ],
)
def test_a_malformed_record_is_never_go(change: dict[str, Any]) -> None:
    assert judge(RECORD | change) != []


@pytest.mark.parametrize("key", ["examined", "expectations", "verdict"])
def test_a_record_that_lacks_a_part_is_never_go(key: str) -> None:
    assert judge({name: value for name, value in RECORD.items() if name != key}) != []


@pytest.mark.parametrize("record", [{}, [], None, "GO", 1])
def test_what_is_no_record_is_never_go(record: Any) -> None:
    assert judge(record) == ["its record cannot be read"]


def test_what_cannot_be_told_yet_is_neither_go_nor_no_go_and_is_never_judged_go() -> None:
    found = evidence(10, (0, "==", 0))
    found.pending = "24 hours have to pass."
    assert (found.verdict, found.sentence) == (PENDING, "24 hours have to pass.")
    record = found.record()
    assert record["pending"] == "24 hours have to pass."
    assert judge(record) == ["it was recorded as PENDING"]
