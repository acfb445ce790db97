"""Preflight: can the plan work on this table, on this server, now? Nothing is written."""

from __future__ import annotations

import re

import pytest

from recovery import census, prover
from recovery.deduplicate import sorting_key_columns
from recovery.evidence import Evidence
from recovery.incident import Incident
from recovery.sections import Cluster
from recovery.warehouse import OLDEST_SERVER, Warehouse
from recovery.workplace import Workplace

pytestmark = pytest.mark.preflight


def test_the_deduplication_can_remove_broken_rows(incident: Incident, warehouse: Warehouse, evidence: Evidence) -> None:
    """OPTIMIZE replaces rows of equal sorting key: where the repaired columns are in it, the broken row survives."""
    table, schema = incident.table, warehouse.schema
    answer = warehouse.ask("table", database=table.database, table=table.name)
    in_key = [column for column in table.repaired if column in sorting_key_columns(schema)]
    strategy = incident.deduplicate.strategy
    evidence.show(
        answer, examined=1, engine=schema.engine, sorting_key=schema.sorting_key, strategy=strategy, in_key=in_key
    )
    blocking = len(in_key) if strategy == "optimize" else 0
    evidence.expect(f"repaired columns in the sorting key with strategy {strategy!r}", blocking, "==", 0)
    replaces = schema.engine.endswith("ReplacingMergeTree")
    evidence.expect(f"{schema.engine} replaces rows of equal key (1 = yes)", replaces * 1, "==", 1)
    if not replaces:
        evidence.note(
            f"{table.name} has the engine {schema.engine}: it keeps a correction beside the broken row for ever, "
            "and OPTIMIZE removes neither. Copy the rows to a ReplacingMergeTree, or recover by hand."
        )
    if blocking:
        evidence.note(
            f"{', '.join(in_key)} is in the sorting key ({schema.sorting_key}), so a broken row and its correction have "
            'different keys and OPTIMIZE keeps both. Set deduplicate.strategy = "delete": it removes exactly the superseded rows.'
        )


def test_a_correction_gets_a_higher_version(incident: Incident, warehouse: Warehouse, evidence: Evidence) -> None:
    answer = warehouse.ask_again("versions", partitions=list(incident.table.partitions))
    column = warehouse.schema.column(incident.table.version)
    named = re.search(r"ReplacingMergeTree\([^)]*?(\w+)\s*\)", warehouse.schema.engine_full)
    of_engine = named.group(1) if named else "none"
    evidence.show(
        answer, examined=1, **answer.first, engine_version=of_engine, default=column.default if column else ""
    )
    evidence.expect("the engine's version column", of_engine, "==", incident.table.version)
    evidence.expect("the version that a row gets now", answer.first["version_now"], ">", answer.first["stored"])


def test_no_identity_lies_in_two_partitions(counted: census.Census, warehouse: Warehouse, evidence: Evidence) -> None:
    """Merges never cross partitions: such an identity would stay twice for ever. All partitions are looked at."""
    answer, elsewhere = census.elsewhere(warehouse)
    spread = counted.count(of="spread") + elsewhere
    evidence.show(*counted.answers, answer, examined=counted.count(), spread=spread, elsewhere=elsewhere)
    evidence.expect("identities in two partitions", spread, "==", 0)


def test_the_affected_partitions_hold_the_window(incident: Incident, warehouse: Warehouse, evidence: Evidence) -> None:
    window = incident.window
    answer = warehouse.ask("window_partitions", time_from=window.start, time_to=window.end)
    rows = {row["partition_id"]: row["rows"] for row in answer.rows}
    outside = {name: count for name, count in rows.items() if name not in incident.table.partitions}
    evidence.show(answer, examined=sum(rows.values()), partitions=rows, named=list(incident.table.partitions))
    evidence.expect(
        "rows of the window in partitions that the incident file does not name", sum(outside.values()), "==", 0
    )


def test_no_broken_row_lies_outside_the_window(incident: Incident, warehouse: Warehouse, evidence: Evidence) -> None:
    window = incident.window
    answer = warehouse.ask_again("strays", time_from=window.start, time_to=window.end)
    broken = {row["day"]: row["broken"] for row in answer.rows if row["broken"]}
    evidence.show(answer, examined=sum(row["rows"] for row in answer.rows), days=broken)
    evidence.expect("broken rows outside the window", sum(broken.values()), "==", 0)
    if broken:
        days = ", ".join(list(broken)[:5])
        evidence.note(
            f"They lie on {days}: the recovery would leave them. Widen window.start and window.end to hold them."
        )


def test_disk_is_free_for_the_plan(
    incident: Incident, counted: census.Census, place: Workplace, warehouse: Warehouse, evidence: Evidence
) -> None:
    """OPTIMIZE FINAL writes each partition anew while a snapshot keeps the old parts, what was backfilled included."""
    table = incident.table
    disk = warehouse.ask_again("disk", database=table.database, table=table.name)
    forecast = prover.forecast(place, counted)
    free, unwritable = disk.first["free"], disk.first["unwritable"]
    evidence.show(
        disk, *counted.answers, examined=disk.first["disks"], free_bytes=free, unwritable=unwritable,
        affected_bytes=forecast.affected, inserted_bytes=forecast.inserted, rewritten_bytes=forecast.rewritten,
        largest_bytes=forecast.largest, asked_bytes=forecast.asked,
    )  # fmt: skip
    needed = max(forecast.needed, int(forecast.affected * incident.gates.free_disk_factor))
    evidence.expect("free bytes of disk", free, ">=", needed)
    evidence.expect("disks that are read-only or broken", len(unwritable), "==", 0)
    if free < needed:
        evidence.note(
            f"The backfill writes {forecast.rows:,} rows of {forecast.bytes_per_row:,} bytes, OPTIMIZE writes "
            f"{forecast.rewritten:,} bytes anew, and snapshots keep what it replaces; it begins the largest partition only "
            f"while {forecast.asked:,} bytes are free, twice what that takes then. "
            "Free some disk, or add a disk to the table's storage policy."
        )
    if unwritable:
        evidence.note(
            f"{', '.join(unwritable)}: an insert or a merge that is put there fails. Repair it, or take it out."
        )


def test_no_mutation_or_long_merge_is_running(incident: Incident, warehouse: Warehouse, evidence: Evidence) -> None:
    table = incident.table
    names = {"database": table.database, "table": table.name}
    mutations = warehouse.ask_again("mutations", **names)
    merges = warehouse.ask_again("merges", **names, partitions=list(table.partitions))
    parts = warehouse.ask_again("partitions", **names)
    longest = max((row["elapsed"] for row in merges.rows), default=0.0)
    evidence.show(
        mutations,
        merges,
        parts,
        examined=len(parts.rows),
        mutations=mutations.rows[:5],
        merges=len(merges.rows),
        longest=longest,
    )
    evidence.expect("mutations that are not done", len(mutations.rows), "==", 0)
    evidence.expect("seconds of the longest merge", float(longest), "<=", incident.gates.merge_seconds)
    for row in mutations.rows[:5]:
        why = (
            f"it fails: {row['latest_fail_reason'][:200]}" if row["latest_fail_reason"] else "it has not failed so far"
        )
        evidence.note(
            f"{row['mutation_id']} ({row['command'][:100]}) has {row['parts_to_do']:,} parts to do; {why}. A mutation of this "
            "suite would wait behind it: let it end, or KILL MUTATION it."
        )


def test_merges_are_not_stopped(incident: Incident, warehouse: Warehouse, evidence: Evidence) -> None:
    """With merges stopped, a DELETE that is waited for waits for ever. No system table says that SYSTEM STOP MERGES was
    given (ClickHouse#86576; measured on 26.9), so this reads what it leads to, parts that stay unmerged, and the table
    setting that has the same effect. Merges that were stopped a moment ago are not seen."""
    facts = prover.Facts.ask(warehouse)
    idle = facts.idle_parts
    at_once = int(facts.table_settings.get("max_parts_to_merge_at_once", 0))
    evidence.show(facts.answer, examined=facts.parts, idle=idle, max_parts_to_merge_at_once=at_once)
    evidence.expect("idle parts of a partition", max(idle.values(), default=0), "<=", prover.IDLE_PARTS)
    evidence.expect("table setting that allows no merge (max_parts_to_merge_at_once = 1)", (at_once == 1) * 1, "==", 0)
    for partition, parts in idle.items():
        if parts > prover.IDLE_PARTS:
            evidence.note(
                f"{parts:,} parts of {partition} were never merged, though older than {incident.gates.merge_seconds:,} s. "
                "A DELETE or OPTIMIZE would wait for ever: SYSTEM START MERGES, or find out what keeps the merges from running."
            )


def test_projections_allow_the_plan(incident: Incident, warehouse: Warehouse, evidence: Evidence) -> None:
    facts = prover.Facts.ask(warehouse)
    modes = {name: facts.table_settings.get(name, "") for name in prover.projection_modes(incident)}
    evidence.show(facts.answer, examined=1, projections=facts.projections, **modes)
    for name, statement in prover.projection_modes(incident).items():
        unsafe = bool(facts.projections) and modes[name] in prover.UNSAFE_PROJECTION_MODES
        evidence.expect(f"projections that keep {statement} from being right", len(facts.projections) * unsafe, "==", 0)
        if unsafe:
            what = "throws (code 344)" if modes[name] == "throw" else "leaves projections that answer wrongly"
            evidence.note(
                f"{', '.join(facts.projections)}: with {name} = {modes[name]!r} a {statement} {what}. ALTER TABLE "
                f"{incident.table.name} MODIFY SETTING {name} = 'rebuild', or drop the projections for the recovery."
            )


def test_no_materialized_view_would_count_twice(incident: Incident, warehouse: Warehouse, evidence: Evidence) -> None:
    """Rows of a backfill are moved in, which fires no materialized view of the table; nor do DELETE and OPTIMIZE. Rows that a
    catch-up, a healed orphan or a restore inserts fire every one."""
    facts = prover.Facts.ask(warehouse)
    accepted = incident.backfill.accepted_views
    unasked = {name: target for name, target in facts.views.items() if name not in accepted}
    evidence.show(facts.answer, examined=1, views=facts.views, accepted=accepted)
    evidence.expect("materialized views that are not accounted for", len(unasked), "==", 0)
    for name, target in unasked.items():
        evidence.note(
            f"{name} writes to {target}: it does not see the rows that the backfill moves in, keeps what it has of the broken "
            "ones, and would get the rows that a restore or the catch-up of a swap inserts once more. Name it in "
            f'backfill.accepted_views = ["{name}"] if that is right or it will be rebuilt; else drop or detach it.'
        )


def test_insert_deduplication_drops_nothing(warehouse: Warehouse, evidence: Evidence) -> None:
    """Within its window a repeated insert can be dropped in silence. The suite switches that off, each switch that the
    server has: on newer servers insert_deduplicate alone does nothing."""
    facts = prover.Facts.ask(warehouse)
    windows = {name: value for name, value in facts.table_settings.items() if name.endswith("deduplication_window")}
    evidence.show(facts.answer, examined=len(facts.settings), **windows, server=facts.settings)
    evidence.expect("switches of insert deduplication left on", len(facts.deduplicating), "==", 0)
    if facts.deduplicating:
        evidence.note(
            f"{', '.join(facts.deduplicating)}: a unit that is repeated after a failure could be dropped and reported as done. "
            f"Set the table's window to 0 for the recovery, or add the switch to the suite's settings."
        )


def test_partitions_are_small_enough_to_drop(incident: Incident, warehouse: Warehouse, evidence: Evidence) -> None:
    """What takes the place of an affected partition, or drops a snapshot of it, is refused above these sizes; 0 is no limit."""
    facts = prover.Facts.ask(warehouse)
    table = incident.table
    parts = warehouse.ask_again("partitions", database=table.database, table=table.name)
    sizes = {row["partition_id"]: row["bytes"] for row in parts.rows if row["partition_id"] in table.partitions}
    limits = {name: int(value) for name, value in facts.settings.items() if name.endswith("_size_to_drop")}
    evidence.show(facts.answer, parts, examined=len(sizes), sizes=sizes, **limits)
    needed = {
        "max_partition_size_to_drop": max(sizes.values(), default=0),
        "max_table_size_to_drop": sum(sizes.values()),
    }
    for name, size in needed.items():
        limit = limits.get(name, 0)
        evidence.expect(f"bytes that {name} must allow", size, "<=", limit or size)
        if limit and size > limit:
            evidence.note(
                f"{name} is {limit:,} bytes: a partition could not be replaced or dropped, nor a snapshot of the affected "
                f"partitions, which hold {sum(sizes.values()):,} bytes. Raise it in the writer's profile, or set it to 0."
            )


def test_replicas_are_in_step(incident: Incident, warehouse: Warehouse, evidence: Evidence) -> None:
    """A mutation that is waited for waits for every replica; a replica that is behind shows old rows."""
    facts = prover.Facts.ask(warehouse)
    replicas, limit = facts.replicas, incident.gates.merge_seconds
    replicated = facts.engine.startswith("Replicated")
    evidence.show(facts.answer, examined=1, engine=facts.engine, replicas=[vars(replica) for replica in replicas])
    evidence.expect("replicas that are read-only or lost their session", sum(r.read_only for r in replicas), "==", 0)
    evidence.expect("replicas that are not active", sum(r.inactive for r in replicas), "==", 0)
    evidence.expect("seconds that a replica is behind", max((r.delay for r in replicas), default=0), "<=", limit)
    oldest = max((r.oldest_entry for r in replicas), default=0)
    evidence.expect("seconds that the oldest entry of a queue waits", oldest, "<=", limit)
    if replicated:
        evidence.expect("replicas that system.replicas shows", len(replicas), ">=", 1)
        behind = (
            ", ".join(f"{r.name}: {r.queue:,} entries queued, {r.delay:,} s behind" for r in replicas) or "none shown"
        )
        evidence.note(
            f"{behind}. Where one is not in step, SYSTEM SYNC REPLICA, or SYSTEM RESTORE REPLICA where it is read-only."
        )
    else:
        evidence.note(f"{facts.engine} is no engine whose replicas system.replicas shows: none is waited for.")
    if incident.cluster:
        _look_at_the_cluster(incident, incident.cluster, warehouse, evidence)


def _look_at_the_cluster(incident: Incident, cluster: Cluster, warehouse: Warehouse, evidence: Evidence) -> None:
    """The server knows the cluster, and each table that is read through lies over its local table on every shard of it."""
    database = incident.table.database
    answer = warehouse.ask("cluster", cluster=cluster.name, database=database, tables=list(cluster.reads.values()))
    over = {name: (engine, list(lies_over)) for name, engine, lies_over in answer.first["tables"]}
    wanted = {through: [cluster.name, database, local] for local, through in cluster.reads.items()}
    wrong = [name for name in wanted if over.get(name) != ("Distributed", wanted[name])]
    evidence.show(answer, examined=1, cluster=cluster.name, hosts=answer.first["hosts"])
    evidence.expect(f"hosts of the cluster {cluster.name} in system.clusters", answer.first["hosts"], ">=", 1)
    evidence.expect(
        "tables of cluster.reads that are not Distributed over their local table there", len(wrong), "==", 0
    )
    if wrong:
        named = "; ".join(f"{name} has the engine {over.get(name, ('none',))[0]}" for name in wrong)
        evidence.note(
            f"{named}. Name tables of ENGINE = Distributed({cluster.name}, {database}, local table, sharding key)."
        )


def test_the_server_is_supported(incident: Incident, warehouse: Warehouse, evidence: Evidence) -> None:
    """Old enough servers are refused; of the others, what is known to go wrong there is shown (recovery/defects.toml)."""
    answer = warehouse.ask("server")
    year, month = prover.release(answer.first["version"])
    steps = prover.steps_of(incident)
    known = [defect for defect in prover.defects(answer.first["version"]) if set(defect.steps) & set(steps)]
    forbidding = [defect for defect in known if not defect.guard]
    evidence.show(answer, examined=1, **answer.first, defects=[defect.issue for defect in known])
    evidence.expect(
        "server version, year and month", year * 100 + month, ">=", OLDEST_SERVER[0] * 100 + OLDEST_SERVER[1]
    )
    evidence.expect("known defects of the server that forbid a step of the plan", len(forbidding), "==", 0)
    for defect in known:
        way = f"guarded: {defect.guard}" if defect.guard else f"upgrade to {defect.before} first"
        evidence.note(f"{defect.issue}: {defect.what}; {way}.")


def test_the_statement_reproduces_a_clean_day(
    clean_day: str, place: Workplace, warehouse: Warehouse, evidence: Evidence
) -> None:
    """Every column but the version, self-trades included: what the statement selects is what production wrote."""
    start, end = census.clean_range(warehouse)
    counted = census.Census.take(warehouse, start, end)
    evidence.about = clean_day
    evidence.show(
        *counted.answers, examined=counted.count(*census.OWNED, day=clean_day), classes=counted.classes(day=clean_day)
    )
    for kind in (
        census.MISSING,
        census.DIFFERENT,
        census.UNEXPECTED,
        census.UNCORRECTED,
        census.ORPHAN,
        census.CORRECTED,
    ):
        found = counted.count(kind, day=clean_day)
        evidence.expect(f"identities {kind}", found, "==", 0)
        if found:
            evidence.note(f"{kind}: {'; '.join(census.sample(warehouse, kind, start=start, end=end))}.")
