"""The actions by the name that a phase gives them."""

from __future__ import annotations

from collections.abc import Mapping

from recovery.action import Action
from recovery.backfill import Backfill
from recovery.deduplicate import Deduplicate
from recovery.deploy import Deploy
from recovery.rebuild_fifo import Rebuild
from recovery.refresh_leaderboards import Refresh
from recovery.swap import Build, Swap

ACTIONS: Mapping[str, Action] = {
    action.name: action for action in (Deploy(), Backfill(), Deduplicate(), Build(), Swap(), Rebuild(), Refresh())
}
