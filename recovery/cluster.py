"""Cluster: what a statement becomes where the incident file names a cluster, and why it is shown and never sent.

What changes tables, partitions or rows in place is sent to each host, on its local table, with ON CLUSTER. What reads, and
what inserts, is sent once and goes through the Distributed tables that the incident file names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from recovery import statements
from recovery.errors import GateClosed
from recovery.incident import Incident

# A statement that ClickHouse takes ON CLUSTER for, up to the place where it takes it. Names have no spaces in them.
DISTRIBUTED_DDL = re.compile(
    r"\A(?:--.*\n)*(?:"
    r"(?:CREATE TABLE|CREATE MATERIALIZED VIEW)(?: IF NOT EXISTS)? \S+"
    r"|(?:DROP TABLE|DROP VIEW)(?: IF EXISTS)? \S+"
    r"|(?:ALTER TABLE|OPTIMIZE TABLE|DELETE FROM) \S+"
    r"|RENAME TABLE \S+ TO \S+"
    r")"
)
INSERT = re.compile(r"\A(?:--.*\n)*INSERT INTO ")
# The lock and the mirror of the ledger lie on one host, the same for all runners: two hosts create one table each. Whether a
# table was made is asked of the local one, for a Distributed table is there without it.
ON_ONE_HOST = ("ledger_create", "lock_take", "lock_beat", "quarantine_exists")


def goes_to_every_host(name: str) -> bool:
    """Whether the statement recovery/sql/<name>.sql is sent with ON CLUSTER."""
    return bool(DISTRIBUTED_DDL.match(statements.text(name))) and name not in ON_ONE_HOST


def compose(incident: Incident, name: str, words: Mapping[str, str], names: Mapping[str, str]) -> str:
    """The statement `name` as `statements.compose` makes it or, on a cluster, as it would be sent there."""
    cluster = incident.cluster
    if cluster is None or name in ON_ONE_HOST:
        return statements.compose(name, words, **names)
    if goes_to_every_host(name):
        return DISTRIBUTED_DDL.sub(
            lambda head: f"{head[0]} ON CLUSTER `{cluster.name}`", statements.compose(name, words, **names)
        )
    database = incident.table.database
    read = {
        statements.quote(database, local): statements.quote(database, over) for local, over in cluster.reads.items()
    }
    through = {word: read.get(text, text) for word, text in {**words, **names}.items()}
    return statements.compose(name, through)


def may_be_written(incident: Incident) -> bool:
    """True; raises GateClosed where the incident file names a cluster, for nothing was ever carried out on one."""
    if incident.cluster is not None:
        raise GateClosed(
            "--execute",
            [
                f"{incident.path.name} names the cluster {incident.cluster.name!r}, and acting on a cluster is not proven, so "
                "nothing was begun and no override passes this. Look at the plan with python -m scripts.plan, and see "
                "docs/scale.md for what each shard needs; or leave [cluster] out to recover a table that lies on one server"
            ],
        )
    return True
