"""With a cluster named, statements are shown as they would be sent there, and none is sent."""

from __future__ import annotations

import os
import re
from pathlib import Path
from unittest.mock import patch

import pytest

from checks import test_preflight
from recovery import cluster, statements
from recovery.errors import GateClosed, IncidentError, StatementFailed
from recovery.evidence import Evidence
from recovery.incident import Incident, load
from recovery.warehouse import Warehouse
from scripts.plan import main as show_plan
from scripts.rollback import main as roll_back
from tests.conftest import Case
from tests.test_plan import everything
from tests.test_statements import INCIDENT, NAMES, OF_THE_CALL, SCHEMA

FILLS, EVENTS, QUARANTINE = INCIDENT.table.name, INCIDENT.source.table, INCIDENT.table.quarantine
SECTION = f"""
[cluster]
name = "three_shards"
reads = {{ {FILLS} = "fills_all", {EVENTS} = "events_all" }}
"""
# What a writing statement of the suite begins with; a kind that is not here has to be thought through first.
WRITING = re.compile(r"\A(?:--.*\n)*(CREATE|DROP|RENAME|ALTER|OPTIMIZE|DELETE|INSERT|TRUNCATE|SYSTEM|KILL|UPDATE)\b")
OURS = [
    name for name in NAMES if "/" not in name
]  # what the night asks writes nothing, and the import knows no incident
EVERY_HOST = [name for name in OURS if cluster.goes_to_every_host(name)]


def on_a_cluster(case: Case) -> Case:
    """The case, its file naming a cluster. A Merge table stands in for each Distributed one: it has the same columns, virtual
    ones too, and takes FINAL."""
    for local, over in ((FILLS, "fills_all"), (EVENTS, "events_all")):
        case.command(f"CREATE TABLE {over} AS {local} ENGINE = Merge('{case.database}', '^{local}$')")
    case.incident.write_text(case.incident.read_text() + SECTION)
    select = case.incident.with_suffix(".sql")
    select.write_text(select.read_text().replace(EVENTS, "events_all"))
    return case


@pytest.fixture
def clustered(case: Case) -> Case:
    return on_a_cluster(case)


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Incident:
    """January's incident, naming a cluster."""
    return named_by(tmp_path_factory.mktemp("clustered"), SECTION)


def named_by(folder: Path, section: str) -> Incident:
    """January's incident with a section more, its SELECT reading Distributed tables."""
    path = folder / INCIDENT.path.name
    path.write_text(f"{INCIDENT.path.read_text('utf-8')}\n{section}")
    select = re.sub(rf"\b({EVENTS}|pm_token_to_condition_map_v5)\b", r"\1_all", INCIDENT.right_rows)
    path.with_suffix(".sql").write_text(select)
    return load(path)


def composed(incident: Incident, name: str) -> str:
    return cluster.compose(incident, name, statements.words(incident, SCHEMA), OF_THE_CALL)


# Which statements


@pytest.mark.parametrize("name", [name for name in OURS if WRITING.match(statements.text(name))])
def test_every_writing_statement_goes_to_every_host_or_is_an_insert_or_stays_on_one_host(name: str) -> None:
    is_insert = bool(cluster.INSERT.match(statements.text(name)))
    assert [name in EVERY_HOST, is_insert, name in cluster.ON_ONE_HOST].count(True) == 1


@pytest.mark.parametrize("name", [name for name in OURS if name not in EVERY_HOST])
def test_what_is_not_sent_to_every_host_says_nothing_of_a_cluster(name: str, named: Incident) -> None:
    assert "ON CLUSTER" not in composed(named, name)


@pytest.mark.parametrize("name", EVERY_HOST)
def test_what_is_sent_to_every_host_names_the_cluster_once_and_the_local_tables(name: str, named: Incident) -> None:
    sql = composed(named, name)
    assert sql.count(" ON CLUSTER `three_shards`") == 1
    assert "_all`" not in sql
    assert sql.replace(" ON CLUSTER `three_shards`", "") == composed(INCIDENT, name)  # which holds no right rows


@pytest.mark.parametrize("name", OURS)
def test_without_a_cluster_every_statement_is_as_its_file_has_it(name: str) -> None:
    words = statements.words(INCIDENT, SCHEMA)
    assert composed(INCIDENT, name) == statements.compose(name, words, **OF_THE_CALL)
    assert "ON CLUSTER" not in composed(INCIDENT, name)


def test_a_read_and_an_insert_go_through_the_distributed_tables(named: Incident) -> None:
    for name in ("census", "census_table", "elsewhere", "held_list"):
        assert "`fills_all`" in composed(named, name), name
        assert f"`{FILLS}`" not in composed(named, name), name
    into_fills = composed(named, "late_insert")
    assert into_fills.splitlines()[1].startswith("INSERT INTO `default`.`fills_all` (")


@pytest.mark.parametrize("name", ["backfill", "backfill_lacking"])
def test_right_rows_are_read_through_distributed_tables_and_staged_in_a_local_one(name: str, named: Incident) -> None:
    sql = composed(named, name)
    assert f"{EVENTS}_all" in sql
    assert re.search(r"^INSERT INTO `default`.`\w+` \(", sql, re.MULTILINE)
    assert "`fills_all`" not in sql


def test_every_statement_as_it_would_be_sent_is_one_that_clickhouse_parses(clustered: Case) -> None:
    with Warehouse(load(clustered.incident), clustered.dsn) as warehouse:
        parsed = {}
        for name in EVERY_HOST:
            sql = cluster.compose(warehouse.incident, name, warehouse.words, OF_THE_CALL)
            parsed[name] = warehouse.ask("parsed", statement=sql).first["parsed"]
    assert parsed.keys() == set(EVERY_HOST)
    assert [name for name, text in parsed.items() if " ON CLUSTER three_shards" not in text] == []


def test_a_statement_with_the_words_in_the_wrong_place_is_refused_by_the_parser(clustered: Case) -> None:
    with (
        Warehouse(load(clustered.incident), clustered.dsn) as warehouse,
        pytest.raises(StatementFailed, match="Syntax error"),
    ):
        warehouse.ask("parsed", statement="DROP TABLE IF EXISTS `a`.`b` SYNC ON CLUSTER `three_shards`")


# The section


@pytest.mark.parametrize(
    ("reads", "said"),
    [
        (f'{{ {FILLS} = "fills_all" }}', f"the Distributed table over {EVENTS} (source.table) is expected in it"),
        (f'{{ {FILLS} = "{EVENTS}", {EVENTS} = "events_all" }}', f"{EVENTS} cannot be a local table and a Distributed"),
        ("{}", "cluster.reads = {…} is wrong"),
    ],
)
def test_a_cluster_that_would_be_read_in_part_is_refused(reads: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / INCIDENT.path.name
    path.write_text(f'{INCIDENT.path.read_text("utf-8")}\n[cluster]\nname = "three_shards"\nreads = {reads}\n')
    path.with_suffix(".sql").write_text(INCIDENT.right_rows)
    with pytest.raises(IncidentError, match=re.escape(said)):
        load(path)


def test_a_distributed_table_that_is_not_there_is_named_before_anything_is_asked(clustered: Case) -> None:
    clustered.command("DROP TABLE events_all")
    clustered.incident.with_suffix(".sql").write_text(INCIDENT.right_rows)
    assert clustered.pytest("phase4") == 4
    assert f"cluster.reads.{EVENTS} = 'events_all'" in clustered.output
    assert "has no such table" in clustered.output


# The dry run


def test_a_dry_run_shows_on_cluster_in_exactly_what_goes_to_every_host(backfilled: Case, tmp_path: Path) -> None:
    case = on_a_cluster(backfilled.clone(tmp_path))
    before = case.fingerprint()
    assert case.pytest("phase4") == 0, case.output
    here = f"`{case.database}`."
    for shown in (
        f"CREATE TABLE {here}`{FILLS}_before_phase4_",
        f"ALTER TABLE {here}`{FILLS}_before_phase4_",
        f"DELETE FROM {here}`{FILLS}` ON CLUSTER `three_shards`",
        f"OPTIMIZE TABLE {here}`{FILLS}` ON CLUSTER `three_shards` PARTITION ID '202601' FINAL",
        f"FROM {here}`fills_all`",
    ):
        assert shown in case.output, shown
    heads = re.findall(r"^  (CREATE|RENAME|ALTER|OPTIMIZE|DELETE|INSERT)( .*)$", case.output, re.MULTILINE)
    assert {verb for verb, _ in heads} == {"CREATE", "RENAME", "ALTER", "OPTIMIZE", "DELETE", "INSERT"}
    assert [verb for verb, rest in heads if ("ON CLUSTER" in rest) is (verb == "INSERT")] == []
    assert "nothing is carried out on the cluster three_shards" in case.output
    assert "pass --execute" not in case.output
    assert case.fingerprint() == before


def test_a_dry_run_without_a_cluster_says_nothing_of_one(backfilled: Case, tmp_path: Path) -> None:
    case = backfilled.clone(tmp_path)
    assert case.pytest("phase4") == 0, case.output
    assert "pass --execute to do it" in case.output
    assert "CLUSTER" not in case.output


def test_the_plan_command_shows_the_statements_as_they_would_be_sent(
    clustered: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    with patch.dict(os.environ, clustered.env):
        show_plan(
            [f"--incident={clustered.incident}", f"--clickhouse={clustered.dsn}", f"--ledger={clustered.ledger.path}",
             f"--now={clustered.now.isoformat()}"]
        )  # fmt: skip
    out = capsys.readouterr().out
    staging = rf"`{clustered.database}`\.`{FILLS}_staging_\w+`"
    assert re.search(rf"CREATE TABLE {staging} ON CLUSTER `three_shards` AS `{clustered.database}`\.`{FILLS}`", out)
    assert re.search(rf"INSERT INTO {staging} \(", out)
    assert re.search(rf"ALTER TABLE {staging} ON CLUSTER `three_shards` MOVE PARTITION ID", out)
    assert f"DELETE FROM `{clustered.database}`.`{FILLS}` ON CLUSTER `three_shards`" in out


def test_preflight_is_red_where_the_server_knows_no_such_cluster(clustered: Case) -> None:
    assert clustered.pytest("preflight") == 1
    (line,) = [line for line in clustered.lines("evidence") if line["check"] == "test_replicas_are_in_step"]
    assert line["verdict"] == "NO-GO"
    assert "hosts of the cluster three_shards in system.clusters 0" in line["sentence"]
    assert "fills_all has the engine Merge; events_all has the engine Merge" in line["sentence"]


def test_preflight_is_go_where_each_table_lies_over_its_local_one(
    clustered: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a server would answer that has the cluster: an embedded one refuses to make a Distributed table of it."""
    db = clustered.database
    over = {"fills_all": FILLS, "events_all": EVENTS}
    tables = " UNION ALL ".join(
        f"SELECT '{db}' AS database, '{name}' AS name, 'Distributed' AS engine, "
        f"'Distributed(\\'three_shards\\', \\'{db}\\', \\'{local}\\', cityHash64(wallet))' AS engine_full"
        for name, local in over.items()
    )
    real = statements.text
    monkeypatch.setattr(
        statements, "text", lambda asked: real(asked)
        .replace("system.tables", f"({tables})")
        .replace("system.clusters", "(SELECT arrayJoin(['three_shards', 'three_shards', 'other']) AS cluster)")
        if asked == "cluster" else real(asked),
    )  # fmt: skip
    incident = load(clustered.incident)
    with Warehouse(incident, clustered.dsn) as warehouse:
        evidence = Evidence("test_replicas_are_in_step", ["preflight"])
        test_preflight.test_replicas_are_in_step(incident, warehouse, evidence)
    assert evidence.verdict == "GO", evidence.sentence
    assert evidence.found["hosts"] == 2


# What is never sent


@pytest.mark.parametrize("words", [(), ("--override-gate", "we are sure")])
def test_execute_is_refused_with_one_sentence_and_nothing_begins(clustered: Case, words: tuple[str, ...]) -> None:
    before = everything(clustered)
    assert clustered.pytest("phase2", "--execute", *words) == 11
    assert "--execute is not allowed: " in clustered.output
    assert "acting on a cluster is not proven, so nothing was begun and no override passes this" in clustered.output
    assert everything(clustered) == before
    assert clustered.ledger.lines() == []


def test_a_command_that_acts_is_refused_too(clustered: Case, capsys: pytest.CaptureFixture[str]) -> None:
    with patch.dict(os.environ, clustered.env):
        code = roll_back(
            [f"--incident={clustered.incident}", f"--clickhouse={clustered.dsn}", f"--ledger={clustered.ledger.path}",
             "--restore", "a_snapshot", "--execute"]
        )  # fmt: skip
    assert code == 11
    assert "acting on a cluster is not proven" in capsys.readouterr().err
    assert clustered.ledger.lines() == []


def test_nothing_that_writes_is_made_for_a_cluster(named: Incident) -> None:
    with pytest.raises(GateClosed, match="acting on a cluster is not proven"):
        Warehouse(named, "clickhouse://default@127.0.0.1:1", writable=True)
