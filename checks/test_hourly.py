"""Hourly: the nightly checks that can be asked of the last hours alone."""

from __future__ import annotations

import pytest

from checks.test_nightly import (
    test_a_table_has_its_columns,
    test_an_identity_has_one_row,
    test_no_row_is_there_again,
    test_only_known_values_occur,
    test_rows_are_as_promised,
    test_the_last_row_is_fresh,
)

pytestmark = pytest.mark.hourly

__all__ = [
    "test_a_table_has_its_columns",
    "test_an_identity_has_one_row",
    "test_no_row_is_there_again",
    "test_only_known_values_occur",
    "test_rows_are_as_promised",
    "test_the_last_row_is_fresh",
]
