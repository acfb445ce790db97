"""Page: one self-contained HTML file per run, through pytest-html, with the evidence of each check in it."""

from __future__ import annotations

from typing import Any

import pytest

PHASES = pytest.StashKey[list[str]]()


class RunPage:
    """Hooks of pytest-html that put the recovery's evidence into its page."""

    def __init__(self, audit: Any) -> None:
        self.audit = audit
