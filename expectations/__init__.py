"""Expectations: the standing promises of each table, and whether they hold tonight."""
