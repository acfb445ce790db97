"""Custom expectations: what Great Expectations has none for, judged on what ClickHouse has aggregated."""

from __future__ import annotations

import great_expectations.expectations as gxe


class ExpectRowsToKeepAConditionOnClickHouse(gxe.ExpectColumnMaxToBeBetween):
    """The share of rows that break a condition, such as a regular expression, which the server judged."""


class ExpectValuesToBeKnownToAnotherTable(gxe.ExpectColumnMaxToBeBetween):
    """The share of rows that refer to what another table does not have."""


class ExpectIdentitiesToHaveOneRow(gxe.ExpectColumnMaxToBeBetween):
    """Rows of an identity beyond the first: those that a merge takes away, or those that none will."""


class ExpectClosedDaysToKeepTheirRows(gxe.ExpectColumnMaxToBeBetween):
    """Conservation of rows: the share of a day's identities that were there last night and are not tonight."""


class ExpectADayToFollowItsHistory(gxe.ExpectColumnMaxToBeBetween):
    """How many times more or less a day has than days of its weekday had, growth allowed for."""


class ExpectStoredRowsToBeThoseOfTheStatement(gxe.ExpectColumnMaxToBeBetween):
    """Parity: the share of a day's rows that the writer stored and the statement would not, or the other way round."""
