"""Masking: no report, traceback or log of a run shows a password or a token, with --showlocals either."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from _pytest._code.code import TerminalRepr

from checks.audit import Audit
from recovery import secret


class Masking:
    """Whatever leaves a process of this run goes through here: reports to the terminal, the page and the ledger."""

    def __init__(self, audit: Audit) -> None:
        dsn = audit.warehouse.dsn
        self._known = {"passwords": (dsn.password,), "users": (dsn.user, "reader")}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self) -> Generator[None, Any, Any]:
        report = yield
        for name in ("longrepr", "sections", "user_properties"):
            setattr(report, name, self.masked(getattr(report, name)))
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(self) -> Generator[None, Any, Any]:
        report = yield
        report.longrepr = self.masked(report.longrepr)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self, excrepr: Any) -> None:
        self.masked(excrepr)

    def masked(self, value: Any) -> Any:
        """The same value with every text in it masked; a traceback is changed in place, for it is printed by others."""
        if isinstance(value, str):
            return secret.masked(value, **self._known)
        if isinstance(value, list | tuple):
            return type(value)(map(self.masked, value))
        if isinstance(value, dict):
            return {self.masked(key): self.masked(each) for key, each in value.items()}
        if isinstance(value, TerminalRepr):
            for name, each in vars(value).items():
                setattr(value, name, self.masked(each))
        return value
