"""docs/scale.md: its tables of statements are what the code does, and its times are what its rates come to."""

from __future__ import annotations

import re

import pytest

from bench import scale
from recovery import cluster
from recovery.incident import Incident
from recovery.statements import FRAGMENTS
from tests.test_cluster import OURS, composed, named_by
from tests.test_statements import INCIDENT

PAGE = scale.PAGE.read_text("utf-8")
WRITES = {row[0].strip("`"): row[1:] for row in scale.table(PAGE, "statement")[1]}
READS = {name: row[0] for row in scale.table(PAGE, "reads")[1] for name in re.findall(r"`(\w+)`", row[1])}
assert INCIDENT.positions
LOCAL = (
    INCIDENT.table.name, INCIDENT.source.table, INCIDENT.table.quarantine, INCIDENT.positions.table,
    INCIDENT.positions.resolutions,
)  # fmt: skip


@pytest.fixture(scope="module")
def sharded(tmp_path_factory: pytest.TempPathFactory) -> Incident:
    """January's incident on a cluster, with all its large tables sharded."""
    reads = ", ".join(f'{name} = "{name}_all"' for name in LOCAL)
    return named_by(tmp_path_factory.mktemp("sharded"), f'[cluster]\nname = "c"\nreads = {{ {reads} }}\n')


def reads_of(sql: str) -> str:
    """What a statement reads, in the page's words."""
    bare = re.sub(r"--.*", "", sql)
    named = re.findall(r"\b(?:FROM|JOIN) (?:`\w+`\.)?`?(\w+(?:\.\w+)?)`?", re.sub(r"\A\s*DELETE FROM", "DELETE", bare))
    found = set()
    if re.match(r"\s*DELETE", bare):
        found.add("local")  # it reads what it deletes from
    within = set(re.findall(r"(\w+) AS\s*\(", bare))
    for name in set(named) - within:
        kind = "system" if name.startswith("system.") else "Distributed" if name.endswith("_all") else "local"
        if kind == "local" and name not in LOCAL:
            kind = "own"
        found.add(kind)
    return ", ".join(sorted(found, key=("Distributed", "local", "own", "system").index)) or "-"


def test_every_statement_is_in_one_of_the_two_tables() -> None:
    assert sorted([*WRITES, *READS]) == sorted(set(OURS) - set(FRAGMENTS))


@pytest.mark.parametrize("name", WRITES)
def test_a_writing_statement_is_as_the_page_says(name: str, sharded: Incident) -> None:
    kind, on_cluster, reads, work, _ = WRITES[name]
    sql = composed(sharded, name)
    assert re.sub(r"--.*\n", "", sql).startswith(kind)
    assert on_cluster == ("yes" if "ON CLUSTER" in sql else "no")
    assert reads == reads_of(sql)
    where = "shard" if cluster.goes_to_every_host(name) else "one host" if name in cluster.ON_ONE_HOST else "initiator"
    assert work == where


@pytest.mark.parametrize("name", READS)
def test_a_reading_statement_is_as_the_page_says(name: str, sharded: Incident) -> None:
    sql = composed(sharded, name)
    reads = reads_of(sql)
    if reads == "Distributed":
        reads += ", one SELECT" if re.sub(r"--.*", "", sql).count("SELECT") == 1 else ", nested"
    assert READS[name] == reads


def test_the_expected_times_are_what_the_rates_come_to() -> None:
    assert scale.renewed(PAGE) == PAGE


def test_a_time_is_rows_over_the_rate_of_all_cores_and_what_is_sent_over_the_network() -> None:
    page = """
| task | rows | rows/s of a core | bytes sent a row | where |
|---|---|---|---|---|
| each shard | 10,000,000,000 | 1,000,000 | 0 | x |
| initiator | 10,000,000,000 | 1,000,000 | 70 | x |
| not yet | 10,000,000,000 | TO BE MEASURED | 0 | x |

| cluster | shards | cores | network |
|---|---|---|---|
| one | 1 | 32 | 1.25 |
| four | 4 | 16 | 1.25 |

| expected |
|---|
| - |
"""
    # 10^10 / (10^6 * 32) = 312.5 s; / (10^6 * 64) = 156.25 s; 625 s + 7*10^11 * 3/4 / (1.25*10^9) = 625 + 420 = 1,045 s
    assert scale.table(scale.renewed(page), "expected") == (
        ["expected", "one", "four"],
        [
            ["each shard", "5.2 min", "2.6 min"],
            ["initiator", "5.2 min", "17 min"],
            ["not yet", "TO BE MEASURED", "TO BE MEASURED"],
        ],
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.42, "0.4 s"), (59.0, "59 s"), (312.5, "5.2 min"), (7_200.0, "2.0 h"), (1e6, "12 d")]
)
def test_a_time_has_two_digits(seconds: float, text: str) -> None:
    assert scale.shown(seconds) == text


def test_every_page_that_the_text_relies_on_is_one_of_clickhouses() -> None:
    links = re.findall(r"\((https://[^)]+)\)", PAGE)
    assert len(links) > 10
    theirs = ("https://clickhouse.com/docs/", "https://github.com/ClickHouse/ClickHouse/issues/")
    assert [link for link in links if not link.startswith(theirs)] == []


def test_the_figures_of_a_list_that_lies_on_one_host_are_not_called_right() -> None:
    """What joins a list of the suite's own with a DELETE of every host is not right as it is."""
    lists = [name for name in WRITES if WRITES[name][0] == "DELETE" and "`a_worklist`" in composed(INCIDENT, name)]
    assert len(lists) == 3
    assert [name for name in lists if not WRITES[name][-1].startswith("lacks: the list lies on the initiator")] == []


def test_rows_that_are_staged_on_one_host_are_not_called_right() -> None:
    """What inserts into a table of the suite's own, which has no Distributed one, inserts on the initiator alone."""
    staged = [name for name in WRITES if WRITES[name][0] == "INSERT" and name.startswith("backfill")]
    assert staged == ["backfill", "backfill_lacking"]
    for name in (*staged, "staging_move"):
        assert WRITES[name][-1].startswith("lacks: "), name
        assert "initiator" in WRITES[name][-1] or "the same" in WRITES[name][-1], name
