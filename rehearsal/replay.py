"""A database that grows hour by hour, from a world that knows everything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from clickhouse_connect.driver.client import Client

from rehearsal.scenario import SCENARIO, execute, folder, parameters, statement

World = Literal["recorded", "clean"]
PARTS = ("map", "resolutions", "events", "fills", "positions")  # in the order in which they are written
AROUND = ("before", "after")
LATE = timedelta(hours=9)
DAY = timedelta(days=1)
EVER, NEVER = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
STATEMENTS = {name.rpartition("/")[2] for name in folder("replay")}
# What can go wrong: each has a statement of its own for every part that it changes.
FAULTS = sorted({name.partition("_")[2] for name in STATEMENTS if name.partition("_")[0] in {*PARTS, *AROUND}} - {""})


class Replay:
    """A database that grows hour by hour, from a world that knows everything.

    The recorded world is what rehearsal.generate made in the client's server, as production stored it. The clean one is
    made up a day at a time as it is asked for: about `base` fills an hour in the scenario's month, and more since.
    Both are kept by time in a database beside it. A fault changes the rows whose time is in [fault_from, fault_to).
    """

    def __init__(
        self,
        client: Client,
        database: str,
        *,
        fault: str = "",
        fault_from: datetime | None = None,
        fault_to: datetime | None = None,
        world: World = "recorded",
        base: float = 400,
        seed: int = 1,
    ) -> None:
        if fault and fault not in FAULTS:
            raise ValueError(f"{fault} is no fault; there are {', '.join(FAULTS)}.")
        self.database = database
        self.world = f"{database}_world"
        self._client = client
        self._fault = fault
        self._recorded = world == "recorded"
        self._begun = False
        self._made = EVER  # how far the clean world is
        self._given: dict[str, Any] = {
            "database": database,
            "world": self.world,
            "fault_from": fault_from or EVER,
            "fault_to": fault_to or NEVER,
            "late": int(LATE.total_seconds()),
            "base": base,
            "seed": seed,
            "jobs": list(SCENARIO["boards"]),
        }

    def create(self) -> None:
        """The database and its tables, all of them empty; and what the world knows of the recorded days."""
        self._execute("database")
        for name in folder("tables"):
            if "/board_" not in name:
                sql = statement(name).replace("CREATE TABLE ", "CREATE TABLE {database:Identifier}.", 1)
                self._client.command(sql, parameters=parameters(sql, self._given))
        self._execute("database", database=self.world)
        self._execute_all("create_")
        if self._recorded:
            self._execute_all("recorded_")

    def advance(self, start: datetime, end: datetime) -> None:
        """Add what was written from `start` to before `end`; the first time also what was known before."""
        if not self._recorded:
            self._make_up(start, end)
        given = {"start": start, "until": end, "begin": start if self._begun else EVER}
        self._begun = True
        faulty = {part: f"{part}_{self._fault}" for part in (*PARTS, *AROUND)}
        if faulty["before"] in STATEMENTS and end > self._given["fault_from"]:
            self._execute(faulty["before"], **given)
        for part in PARTS:
            self._execute(faulty[part] if faulty[part] in STATEMENTS else part, **given)
        if faulty["after"] in STATEMENTS:
            self._execute(faulty["after"], **given)
        self._execute("crons", **given)
        self._execute("watermark", **given)

    def drop(self) -> None:
        """Neither the database nor its world is needed any more."""
        self._execute("drop")
        self._execute("drop", database=self.world)

    def _make_up(self, start: datetime, end: datetime) -> None:
        """The clean days up to `end` that are not made yet; the first time also the conditions that began before."""
        begin = self._made
        if self._made == EVER:
            self._made = start.replace(hour=0, minute=0, second=0, microsecond=0)
        while self._made < end:
            since, self._made = self._made, self._made + DAY
            self._execute_all("clean_", since=since, until=self._made, begin=begin)
            begin = self._made

    def _execute(self, name: str, **given: Any) -> None:
        execute(self._client, f"replay/{name}", **self._given | given)

    def _execute_all(self, prefix: str, **given: Any) -> None:
        for name in sorted(STATEMENTS):
            if name.startswith(prefix):
                self._execute(name, **given)
