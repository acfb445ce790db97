"""Truth: what a table has to hold in the end, row by row, in plain SQL that shares nothing with the suite's own counts.

It is taken from the state before: the incident's SELECT says which rows are right, everything else stays as it was. Rows are
compared as text of all their columns but the version, by identity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tests.conftest import Case

FILLS = "pm_canonical_fills_v4"
QUARANTINE = f"{FILLS}_quarantine"
OWNED = "source = 'clob' AND event_time >= '2026-01-17 00:00:00' AND event_time < '2026-01-28 00:00:00'"
BROKEN = "condition_id = ''"
ALL_TIME = {
    "key_from": "",
    "key_to": chr(0x10FFFF),
    "time_from": "2026-01-17 00:00:00",
    "time_to": "2026-01-28 00:00:00",
}
Rows = Counter[tuple[str, str]]


@dataclass(frozen=True)
class Truth:
    """Rows as (identity, content). `newest` is the highest version that was stored before."""

    before: Rows
    backfilled: Rows
    right: Rows
    others: Rows
    orphans: Rows
    newest: int

    @classmethod
    def of(cls, case: Case) -> Truth:
        """Of a case that nothing was done to yet."""
        select = case.incident.with_suffix(".sql").read_text()
        right = _rows(case, f"({select})", **ALL_TIME)
        before, others = _rows(case, f"{FILLS} FINAL"), _rows(case, f"{FILLS} FINAL", f"NOT ({OWNED})")
        broken = _rows(case, f"{FILLS} FINAL", f"{OWNED} AND {BROKEN}")
        known = {identity for identity, _ in right}
        orphans = Counter(row for row in broken if row[0] not in known)
        assert right
        assert orphans
        assert len(known) == right.total()
        newest = case.value(f"SELECT max(_version) FROM {FILLS}")
        return cls(before, others + broken + right, right, others, orphans, newest)

    def faults_after_backfill(self, case: Case) -> list[str]:
        """What is wrong once phase 2 is done, a sentence each: every right row is there, the rest as before."""
        doubled = case.client.query(
            f"SELECT fill_id FROM {FILLS} WHERE {OWNED} AND NOT {BROKEN} AND _version > {self.newest} "
            "GROUP BY fill_id HAVING count() > 1"
        ).result_rows
        faults = [f"{len(doubled)} identities were inserted twice: {doubled[:3]}"] if doubled else []
        faults += _differences(FILLS, _rows(case, f"{FILLS} FINAL"), self.backfilled)
        return faults + self._faults_of_snapshots(case) + faults_of_ledger(case, "backfill")

    def faults_after_deduplication(self, case: Case, *actions: str) -> list[str]:
        """What is wrong once phase 4 is done: right rows once, orphans once in quarantine, the rest as before."""
        faults = _differences("window", _rows(case, FILLS, OWNED), self.right)
        faults += _differences("others", _rows(case, f"{FILLS} FINAL", f"NOT ({OWNED})"), self.others)
        faults += _differences("quarantine", _rows(case, QUARANTINE), self.orphans)
        twice = case.value(f"SELECT count() - uniqExact(fill_id) FROM {FILLS} FINAL")
        if twice:
            faults.append(f"{twice} identities are in the table twice")
        return faults + self._faults_of_snapshots(case) + faults_of_ledger(case, *actions)

    def _faults_of_snapshots(self, case: Case) -> list[str]:
        """What keeps a snapshot that the ledger names from bringing the state before its action back."""
        faults = []
        there = tables(case, f"{FILLS}_before_%")
        for name in dict.fromkeys(line["name"] for line in case.lines("snapshot")):
            if name not in there:
                faults.append(f"the snapshot {name} is gone")
                continue
            rows = _rows(case, f"{name} FINAL")
            faults += _differences(name, rows, self.before if "_phase2_" in name else self.backfilled)
            doubled = case.value(f"SELECT count() - uniqExact(fill_id, condition_id, _version) FROM {name}")
            if doubled:
                faults.append(f"the snapshot {name} holds {doubled} rows twice")
        return faults


def faults_of_ledger(case: Case, *actions: str) -> list[str]:
    """A chain that does not hold, a unit that is done twice in one attempt, an action without exactly one end."""
    lines = case.ledger.lines()
    faults = [fault] if (fault := case.ledger.fault()) else []
    for action in actions:
        of_action = [line for line in lines if line.get("action") == action]
        ends = sum(line["kind"] == "done" for line in of_action)
        if ends != 1:
            faults.append(f"{action} has {ends} lines done")
        faults += [f"{unit} of {action} was done twice" for unit in _done_twice(of_action)]
    return faults


def units_done_twice(case: Case) -> int:
    return len(_done_twice([line for line in case.ledger.lines() if line["kind"] in ("started", "unit")]))


def tables(case: Case, pattern: str) -> list[str]:
    """Tables of the case whose name is like `pattern`."""
    found = case.client.query(
        "SELECT name FROM system.tables WHERE database = {database:String} AND name LIKE {pattern:String}",
        parameters={"database": case.database, "pattern": pattern.replace("_", r"\_")},
    )
    return [name for (name,) in found.result_rows]


def left_over(case: Case) -> list[str]:
    """Tables that an action made for itself and that it has to drop."""
    return [
        f"{name} is left" for what in ("staging", "shadow", "worklist") for name in tables(case, f"{FILLS}_{what}_%")
    ]


def _done_twice(lines: Iterable[dict[str, object]]) -> list[str]:
    attempt, done = 0, Counter[tuple[int, object]]()
    for line in lines:
        attempt += line["kind"] == "started"
        if line["kind"] == "unit" and line["state"] == "done":
            done[attempt, line["unit"]] += 1
    return [str(unit) for (_, unit), times in done.items() if times > 1]


def _rows(case: Case, source: str, where: str = "1", **parameters: str) -> Rows:
    columns = [
        name
        for (name,) in case.client.query(
            "SELECT name FROM system.columns WHERE database = {database:String} AND table = {table:String} "
            "AND name != '_version' ORDER BY position",
            parameters={"database": case.database, "table": FILLS},
        ).result_rows
    ]
    content = "concat(" + ", '|', ".join(f"toString({name})" for name in columns) + ")"
    found = case.client.query(
        f"SELECT fill_id, {content}, count() FROM {source} WHERE {where} GROUP BY 1, 2", parameters=parameters or None
    )
    return Counter({(identity, text): count for identity, text, count in found.result_rows})


def _differences(where: str, found: Rows, expected: Rows) -> list[str]:
    faults = []
    for word, rows in (("lacking", expected - found), ("too many", found - expected)):
        if rows:
            shown = "; ".join(text for _, text in sorted(rows)[:3])
            faults.append(f"{where}: {rows.total():,} rows {word}, such as {shown}")
    return faults
