"""Expectations: the standing promises of each table, and whether they hold tonight."""

import os

# Great Expectations reads it when it is imported: nothing of a night is told to anybody else.
os.environ["GX_ANALYTICS_ENABLED"] = "false"
