"""What a forked process finds done: imports, also those that come late, templates that are compiled, a font that is looked up.

Not the plugin and the checks: pytest itself has to import them, to rewrite their assertions.
"""

from __future__ import annotations

import pandas as pd  # by pyarrow, where a list becomes a column
import pyarrow.compute
import rich.console

from expectations import night, suites
from recovery import agreement, notify
from reports import bundle, page, plots
from tests.faults import runner

__all__ = ["agreement", "night", "notify", "pd", "pyarrow", "rich", "runner", "suites"]

for templates in (page.TEMPLATES, bundle.PLAIN):
    for name in templates.list_templates(filter_func=lambda name: not name.endswith(".css")):
        templates.get_template(name)
plots.bars_by_day("warm", ["2026-01-01"], {"rows": [1], "right": [1]}, "rows", "right")
