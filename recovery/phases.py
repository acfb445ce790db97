"""Phase: the plan's phases in order, each with its action, its required checks and the phases that must be GO before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recovery.evidence import PENDING
from recovery.incident import Incident
from recovery.promises import Guarded


@dataclass(frozen=True)
class Check:
    """A required check by its name; `per` says what it is asked once for: nothing, phase, day, clean_day, partition, subject,
    month, sized_month, cron, board, and of the nightly file: table, promise, allowed, fresh, identity, alike, closed, volume,
    amount, parity."""

    name: str
    per: str = ""


@dataclass(frozen=True)
class Phase:
    """`after` are the phases whose evidence opens the gate of this phase's action; `swapping` is its action where the
    incident file says that the table is repaired in a shadow; `section` is what the incident file has where the phase is
    asked at all: such a phase looks at the positions, too; `besides` are checks that it asks and does not require;
    `stands_before` is the phase whose action this one's makes necessary, and whose ticks it needs as well."""

    name: str
    title: str
    checks: tuple[Check, ...] = ()
    action: str | None = None
    after: tuple[str, ...] = ()
    swapping: str | None = None
    section: str = ""
    besides: tuple[str, ...] = ()
    stands_before: str = ""

    def applies(self, incident: Incident) -> bool:
        """Whether the incident has what the phase is about."""
        return not self.section or bool(getattr(incident, self.section))

    def action_for(self, incident: Incident) -> str | None:
        """The name of the phase's action."""
        return self.swapping if incident.swaps and self.swapping else self.action

    def waits(self, record: Mapping[str, Any]) -> bool:
        """Whether recorded evidence is that of a check which is not required, and was left because it cannot be told yet."""
        left = (record.get("verdict"), record.get("outcome")) == (PENDING, "skipped")
        return left and record["check"].partition("[")[0] in self.besides

    def roster(self, incident: Incident) -> list[str]:
        """The ids of all checks that must be GO, one for each day, partition or subject."""
        ids = []
        for check in self.checks:
            values = [self.name] if check.per == "phase" else axis(incident, check.per) if check.per else [None]
            ids += [check.name if value is None else f"{check.name}[{value}]" for value in values]
        return ids


def axis(incident: Incident, per: str) -> list[str]:
    """The values that a check is asked once for."""
    match per:
        case "day":
            return [day.isoformat() for day in incident.days]
        case "clean_day":
            return [day.isoformat() for day in incident.window.clean_days]
        case "partition":
            return list(incident.table.partitions)
        case "subject":
            return list(incident.window.test_subjects)
        case "month":
            return incident.positions.months if incident.positions else []
        case "sized_month":
            return [month.replace("-", "") for month in incident.positions.sizes] if incident.positions else []
        case "cron":
            return list(dict.fromkeys(board.cron for board in incident.boards.values()))
        case "board":
            return list(incident.boards)
    tables = incident.nightly.tables
    match per:
        case "table":
            return list(tables)
        case "promise":
            return [f"{key}.{name}" for key, table in tables.items() for name in table.rows]
        case "allowed":
            return [f"{key}.values" for key, table in tables.items() if table.values]
        case "fresh":
            return [
                f"{key}.fresh{'' if value == '*' else f'.{value}'}"
                for key, table in tables.items()
                for value in table.fresh
            ]
        case "identity":
            return [key for key, table in tables.items() if table.identity]
        case "alike":
            return [f"{key}.alike" for key, table in tables.items() if table.alike]
        case "closed":
            return [key for key, table in tables.items() if table.identity and table.identity.gone_percent]
        case "volume":
            return [f"{key}.volume{value}" for key, table in tables.items() if table.volume for value in _split(table)]
        case "amount":
            return [
                f"{key}.amount{value}"
                for key, table in tables.items()
                if table.volume and table.volume.amount
                for value in _split(table)
            ]
        case "parity":
            return [f"parity.{name}" for name in ("missing", "different", "extra")] if incident.nightly.parity else []
    raise ValueError(f"no such axis: {per}")


def _split(table: Guarded) -> list[str]:
    """The values that the volume of a table is judged by, with the dot before them; one empty one where it is not split."""
    assert table.volume
    return [f".{value}" for value in table.volume.of or table.values or ()] or [""]


WRITER = Check("test_the_writer_stores_right_rows", "phase")
BALANCE = Check("test_every_identity_is_accounted_for", "phase")

PHASES: tuple[Phase, ...] = (
    Phase(
        "preflight",
        "Can the plan work on this table, on this server, now?",
        checks=(
            Check("test_the_deduplication_can_remove_broken_rows"),
            Check("test_a_correction_gets_a_higher_version"),
            Check("test_no_identity_lies_in_two_partitions"),
            Check("test_the_affected_partitions_hold_the_window"),
            Check("test_no_broken_row_lies_outside_the_window"),
            Check("test_disk_is_free_for_the_plan"),
            Check("test_no_mutation_or_long_merge_is_running"),
            Check("test_merges_are_not_stopped"),
            Check("test_projections_allow_the_plan"),
            Check("test_no_materialized_view_would_count_twice"),
            Check("test_insert_deduplication_drops_nothing"),
            Check("test_partitions_are_small_enough_to_drop"),
            Check("test_replicas_are_in_step"),
            Check("test_the_server_is_supported"),
            Check("test_the_statement_reproduces_a_clean_day", "clean_day"),
        ),
    ),
    Phase(
        "phase1",
        "Is the fix deployed and does it work?",
        checks=(
            Check("test_production_runs_the_fix"),
            Check("test_the_updater_ran_since_the_deployment"),
            WRITER,
        ),
        action="deploy",
    ),
    Phase(
        "phase2",
        "Is every right row in the table?",
        checks=(
            WRITER,
            BALANCE,
            Check("test_every_source_row_has_a_good_row", "day"),
            Check("test_rows_written_are_as_planned", "day"),
        ),
        action="backfill",
        swapping="build",
        after=("preflight", "phase1"),
    ),
    Phase(
        "phase3",
        "Can the broken rows go?",
        checks=(
            WRITER,
            BALANCE,
            Check("test_every_broken_row_has_one_right_correction", "day"),
            Check("test_the_corrected_version_wins", "day"),
            Check("test_orphans_are_few_and_listed"),
            Check("test_a_test_subject_shows_its_pairs", "subject"),
            Check("test_the_row_ratio_is_explained"),
        ),
        after=("preflight", "phase1", "phase2"),
    ),
    Phase(
        "phase4",
        "Are the broken rows gone, and only they?",
        checks=(
            WRITER,
            BALANCE,
            Check("test_a_partition_has_few_parts", "partition"),
            Check("test_no_mutation_or_merge_is_pending"),
            Check("test_rows_are_as_planned"),
        ),
        action="deduplicate",
        swapping="swap",
        after=("preflight", "phase1", "phase2", "phase3"),
    ),
    Phase(
        "phase5",
        "Is the table right?",
        checks=(
            WRITER,
            BALANCE,
            Check("test_no_superseded_row_remains", "day"),
            Check("test_no_broken_row_remains", "day"),
            Check("test_every_row_is_the_right_one", "day"),
            Check("test_no_identity_is_there_twice"),
            Check("test_a_test_subject_is_right", "subject"),
            Check("test_every_orphan_is_accounted_for"),
            Check("test_no_quarantined_row_can_be_healed"),
            Check("test_everything_outside_the_window_is_untouched"),
        ),
        after=("preflight", "phase1", "phase2", "phase3", "phase4"),
    ),
    Phase(
        "phase6",
        "Are the positions rebuilt?",
        checks=(
            WRITER,
            BALANCE,
            Check("test_a_month_has_the_positions_of_its_fills", "month"),
            Check("test_tokens_and_dollars_are_conserved"),
            Check("test_no_lot_is_sold_beyond_what_was_bought"),
            Check("test_every_row_agrees_with_itself_and_its_payout"),
            Check("test_no_row_outside_the_months_changed"),
            Check("test_a_month_is_of_the_expected_size", "sized_month"),
        ),
        action="rebuild",
        after=("preflight", "phase1", "phase2", "phase3", "phase4", "phase5"),
        section="positions",
    ),
    Phase(
        "phase7",
        "Are the boards refreshed?",
        checks=(
            WRITER,
            BALANCE,
            Check("test_a_cron_succeeded_since_the_rebuild", "cron"),
            Check("test_a_board_was_written_since_the_rebuild", "board"),
            Check("test_a_board_agrees_with_the_positions", "board"),
            Check("test_ranks_before_and_after_are_shown", "board"),
        ),
        action="refresh",
        after=("preflight", "phase1", "phase2", "phase3", "phase4", "phase5", "phase6"),
        section="boards",
    ),
    Phase(
        "phase8",
        "Do the numbers agree with the outside world?",
        checks=(
            Check("test_a_subject_agrees_with_the_data_api", "subject"),
            Check("test_the_best_positions_are_reasonable"),
            Check("test_the_positions_are_still_those_of_the_fills"),
            Check("test_no_resolved_condition_is_missing"),
            Check("test_criterion_no_broken_row_is_left"),
            Check("test_criterion_every_day_of_the_window_has_positions", "day"),
            Check("test_criterion_the_boards_show_the_corrected_ranking", "board"),
        ),
        after=("preflight", "phase1", "phase2", "phase3", "phase4", "phase5", "phase6", "phase7"),
        section="validation",
        besides=("test_criterion_monitoring_is_healthy",),
    ),
)
HOURLY_CHECKS = (
    Check("test_a_table_has_its_columns", "table"),
    Check("test_rows_are_as_promised", "promise"),
    Check("test_only_known_values_occur", "allowed"),
    Check("test_the_last_row_is_fresh", "fresh"),
    Check("test_an_identity_has_one_row", "identity"),
    Check("test_no_row_is_there_again", "alike"),
)
# What is asked every night and every hour, besides the phases: no action waits for it, and no phase for these.
NIGHTLY = Phase(
    "nightly",
    "Does the data still hold what is promised of it?",
    checks=(
        *HOURLY_CHECKS,
        Check("test_the_rows_of_closed_days_are_still_there", "closed"),
        Check("test_a_day_has_the_volume_of_its_history", "volume"),
        Check("test_amounts_are_of_their_usual_size", "amount"),
        Check("test_the_writer_stores_what_the_statement_selects", "parity"),
        Check("test_the_history_is_kept_long_enough"),
    ),
)
HOURLY = Phase("hourly", "Do the last hours hold what is promised of them?", checks=HOURLY_CHECKS)
GUARDS = (NIGHTLY, HOURLY)
BY_NAME = {phase.name: phase for phase in (*PHASES, *GUARDS)}


def waits(record: Mapping[str, Any]) -> bool:
    """Whether recorded evidence is that of a check that one of its phases asks besides, and that cannot be told yet."""
    return any(BY_NAME[name].waits(record) for name in record["phases"] if name in BY_NAME)
