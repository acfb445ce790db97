"""Where the real Polymarket records are: ../shared/data/polymarket, or what POLYMARKET_DATA names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import PROJECT

DATA = Path(os.environ.get("POLYMARKET_DATA") or PROJECT / ".." / "shared" / "data" / "polymarket")
needs_data = pytest.mark.skipif(
    not (DATA / "fills.parquet").is_file(),
    reason=f"needs the real records in {DATA}; POLYMARKET_DATA names another folder",
)
