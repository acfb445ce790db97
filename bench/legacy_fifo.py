"""The legacy shape of the FIFO table's rebuild: batches of 500 conditions, each looked for in all fills, longs and shorts apart.

`rebuild` gives `(label, sql, parameters)` in order, two statements a batch, and asks the client only for the list of
conditions, as the script did. The conditions stand in the statement's text, also as there: 500 are too long for a URL.
One version of each fill is taken (GROUP BY its identity, any), as there. Semantics are those of the rehearsal's own
legacy statement, whose rows these equal: a sold part at the position's average price, a short with the whole cash flow.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from clickhouse_connect.driver.client import Client

from bench.alternatives import Statement, bound, text
from recovery.incident import Incident
from recovery.statements import literal, quote

BATCH = 500
EVER = (datetime(1970, 1, 1, tzinfo=UTC), datetime(2106, 1, 1, tzinfo=UTC))


def rebuild(
    client: Client,
    incident: Incident,
    *,
    target: str,
    table: str | None = None,
    batch: int = BATCH,
    resolved: tuple[datetime, datetime] = EVER,
    one_scan: bool = False,
) -> Iterator[Statement]:
    """All positions of conditions resolved in a half-open span, into the new table `target`. The script reads buys and sells
    of the longs apart, which is three scans a batch; with `one_scan` it is two."""
    assert incident.positions is not None
    yield "create", text("create", target=quote(target), table=quote(incident.positions.table)), {}
    sql = text("fifo_conditions")
    given = bound(incident, sql, resolved_from=resolved[0], resolved_to=resolved[1])
    conditions = [row[0] for row in client.query(sql, parameters=given).result_rows]
    for first in range(0, len(conditions), batch):
        some = conditions[first : first + batch]
        fills = text("fifo_fills", table=quote(table or incident.table.name), conditions=", ".join(map(literal, some)))
        for kind, name in (("longs", "fifo_longs_one_scan" if one_scan else "fifo_longs"), ("shorts", "fifo_shorts")):
            yield f"{kind} {first + 1}-{first + len(some)}", text(name, target=quote(target), fills=fills), {}
