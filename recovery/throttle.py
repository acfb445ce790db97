"""Throttle: an action waits while the server is over the incident file's limits, and stops when the panic file is there."""

from __future__ import annotations

from recovery.errors import ActionFailed
from recovery.workplace import Workplace


def wait(place: Workplace) -> None:
    """Return when the server is within the limits; raises ActionFailed on the panic file, or after limits.pause_seconds."""
    limits = place.incident.limits
    waited = 0.0
    said: list[str] = []
    while True:
        stop_if_told(place)
        over = over_limits(place)
        if not over:
            if said:
                place.tell("going on")
            return
        if waited >= limits.pause_seconds:
            raise ActionFailed(f"paused for {limits.pause_seconds:,} s and still over the limits: {'; '.join(over)}")
        if over != said:
            place.tell(f"pausing: {'; '.join(over)}")
            said = over
        place.sleep(limits.poll_seconds)
        waited += limits.poll_seconds


def over_limits(place: Workplace) -> list[str]:
    """What the server has too much of right now, a phrase each."""
    limits, table = place.incident.limits, place.incident.table
    load = place.warehouse.ask_again(
        "load", database=table.database, table=table.name, partitions=list(table.partitions)
    ).first
    over = [
        f"{load[name]:,} {words}, limit {limit:,}"
        for name, words, limit in (
            ("running_queries", "queries are running", limits.running_queries),
            ("running_merges", "merges are running", limits.running_merges),
            ("parts_in_partition", "parts are in one partition", limits.parts_in_partition),
        )
        if load[name] > limit
    ]
    if load["free_disk_percent"] < limits.free_disk_percent:
        over.append(f"{load['free_disk_percent']:.1f} % of the disk is free, limit {limits.free_disk_percent:g} %")
    return over


def stop_if_told(place: Workplace) -> None:
    """Raises ActionFailed when the panic file is there: the way to stop a recovery without its terminal."""
    panic = place.incident.path.parent / place.incident.limits.panic_file
    if panic.exists():
        raise ActionFailed(f"the panic file {panic} is there; remove it when the recovery may go on")
