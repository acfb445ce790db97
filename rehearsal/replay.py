"""A database that grows hour by hour, from a world that knows everything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from clickhouse_connect.driver.client import Client

from rehearsal.scenario import HERE, SCENARIO, execute, folder, parameters, statement

World = Literal["recorded", "clean"]
PARTS = ("map", "resolutions", "events", "fills", "positions")  # in the order in which they are written
AROUND = ("before", "after")
LATE = timedelta(hours=9)
EVER, NEVER = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def _path(name: str) -> bool:
    return (HERE / "sql" / f"{name}.sql").exists()


def faults() -> list[str]:
    """What can go wrong: each has a statement of its own for what it changes."""
    names = [name.rpartition("/")[2].partition("_") for name in folder("replay")]
    return sorted({fault for part, _, fault in names if fault and part in {*PARTS, *AROUND}})


class Replay:
    """A database that grows hour by hour, from a world that knows everything.

    The world is what was generated before, as production stored it, or clean days that are made up as they are asked for:
    about `base` fills an hour. A fault changes the rows whose time is in [fault_from, fault_to).
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
        if fault and fault not in faults():
            raise ValueError(f"{fault} is no fault; there are {', '.join(faults())}.")
        self.database = database
        self._client = client
        self._fault = fault
        self._world = world
        self._begun = False
        self._given = {
            "database": database,
            "fault_from": fault_from or EVER,
            "fault_to": fault_to or NEVER,
            "late": int(LATE.total_seconds()),
            "base": base,
            "seed": seed,
            "jobs": list(SCENARIO["boards"]),
        }

    def create(self) -> None:
        """The database and its tables, all of them empty."""
        execute(self._client, "replay/create", **self._given)
        for name in folder("tables"):
            if "/board_" not in name:
                sql = statement(name).replace("CREATE TABLE ", "CREATE TABLE {database:Identifier}.", 1)
                self._client.command(sql, parameters=parameters(sql, self._given))

    def advance(self, start: datetime, end: datetime) -> None:
        """Add what was written from `start` to before `end`; the first time also what the world knew before."""
        given = self._given | {"start": start, "until": end, "begin": start if self._begun else EVER}
        if end > self._given["fault_from"]:
            self._around("before", given)
        for part in PARTS:
            self._write(part, given)
        self._around("after", given)
        for name in ("crons", "watermark"):
            execute(self._client, f"replay/{name}", **given)
        self._begun = True

    def _around(self, when: str, given: dict[str, Any]) -> None:
        name = f"replay/{when}_{self._fault}"
        if _path(name):
            execute(self._client, name, **given)

    def _write(self, part: str, given: dict[str, Any]) -> None:
        """Insert what the world has of a part of the database, in the way that the fault has it."""
        faulty = f"replay/{part}_{self._fault}"
        insert = statement(faulty if _path(faulty) else f"replay/{part}")
        known = ["hours", "resolutions", part] if self._world == "clean" else [part]
        names = {name: f"replay/{self._world}_{name}" for name in known}
        world = ",\n".join(f"{name} AS\n(\n{statement(path)}\n)" for name, path in names.items())
        sql = f"WITH {world}\n{insert}"
        since = given["start"] - (LATE if "{late:" in insert else timedelta(0))
        self._client.command(sql, parameters=parameters(sql, given | {"since": since}))
