"""Data API: Polymarket's own account of a wallet, asked page by page and kept as evidence, or read from a folder of files.

Source: GET /positions, /closed-positions and /activity of https://data-api.polymarket.com. What is asked for is sorted so
that records which come meanwhile are added at the end, and a list is at its end where a page is empty: a page that is
merely short proves nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import httpx
import stamina
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recovery import secret
from recovery.errors import ServiceUnreachable, UsageError
from recovery.polymarket import Amount, Condition, Outcome, Second, Text, Token
from recovery.sections import DataApi
from recovery.workplace import Workplace

ACTIVITY_PAGE = 500  # records; the most that /activity gives at a time
LAST_OFFSET = 10_000  # of /positions and /activity; a request beyond it is refused
ATTEMPTS = 5  # at a request that is answered with "too many" or "not now"
LONGEST_WAIT = 60.0  # seconds
TRADE = "TRADE"
FILES = ("positions", "closed_positions", "activity")

Money = Annotated[float, Field(description="a number within 1e15", ge=-1e15, le=1e15, allow_inf_nan=False)]
Hash = Annotated[str, Field(description="text, 0x and 64 hex digits")]


class Record(BaseModel):
    """One record as the API gives it; what is not named here is kept as evidence and not looked at."""

    model_config = ConfigDict(strict=True, frozen=True)


class Closed(Record):
    """A position of which all tokens are sold or settled. Tokens in shares, before fees; dollars without them."""

    token: Token = Field(alias="asset")
    condition: Condition = Field(alias="conditionId")
    outcome: Outcome = Field(alias="outcomeIndex")
    bought: Amount = Field(alias="totalBought")
    realized: Money = Field(alias="realizedPnl")
    title: Text
    event: str = Field("", alias="eventSlug", description="text")


class Open(Closed):
    """A position with tokens: `size` of them are held, `realized` is what the others brought."""

    size: Amount


class Activity(Record):
    """Something that a wallet did. What is no TRADE may have no token, and 999 as its outcome."""

    kind: Text = Field(alias="type")
    condition: str = Field(alias="conditionId", description="text")
    outcome: int = Field(999, alias="outcomeIndex", description="a whole number", ge=0)
    side: str = Field("", description="'BUY', 'SELL' or nothing")
    size: Amount
    price: Money = 0.0
    at: Second = Field(alias="timestamp")
    transaction: Hash = Field(alias="transactionHash")
    event: str = Field("", alias="eventSlug", description="text")


R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Account:
    """What the API says of one wallet. `sha256` is that of each file of it, by the file's path.

    A position that is listed as open and as closed counts as open: that record says what is held."""

    open: tuple[Open, ...]
    closed: tuple[Closed, ...]
    activity: tuple[Activity, ...]
    sha256: Mapping[str, str]


class Client:
    """Asks the API, never faster than the incident file allows, and writes each answer down before it is looked at."""

    def __init__(
        self, section: DataApi, cache: Path, now: Callable[[], datetime], sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """`cache` gets a folder for each account asked for, named by wallet and time, which `Folder` can read again."""
        self._section = section
        self._cache = cache
        self._now = now
        self._sleep = sleep
        self._http = httpx.Client(base_url=section.url, timeout=section.timeout_seconds)
        self._asked = 0

    @classmethod
    def of(cls, place: Workplace) -> Self:
        """The client of a workplace, whose cache lies beside its ledger."""
        section = place.incident.services.data_api
        if section is None:
            raise UsageError(f"{place.incident.path}: there is no section [services.data_api]; there is nobody to ask.")
        return cls(section, place.ledger.path.parent / section.cache, place.now, place.sleep)

    def account(self, wallet: str) -> Account:
        """Raises ServiceUnreachable where the API gives none, or something else."""
        folder = self._cache / f"data-api-{wallet}-{self._now().astimezone(UTC):%Y%m%dT%H%M%S}"
        section = self._section
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"{folder}: the answers cannot be kept there: {error.strerror}; correct services.data_api.cache."
            ) from None
        told = {
            "positions": self._positions(wallet, "/positions", section.open_page, LAST_OFFSET, sortBy="TITLE", sizeThreshold="0"),
            "closed_positions": self._positions(wallet, "/closed-positions", section.closed_page, None, sortBy="TIMESTAMP"),
            "activity": self._activity(wallet),
        }  # fmt: skip
        for name, records in told.items():
            try:
                (folder / f"{name}.json").write_text(json.dumps(records, indent=1), "utf-8")
            except OSError as error:
                raise UsageError(f"{folder}: the answers cannot be kept there: {error.strerror}.") from None
        return Folder(folder, wrong=ServiceUnreachable).account(wallet)

    def _positions(self, wallet: str, path: str, limit: int, last: int | None, **sort: str) -> list[dict[str, Any]]:
        """All positions that the endpoint has, each token once."""
        found: dict[str, dict[str, Any]] = {}
        offset = 0
        while page := self._page(path, limit, offset, user=wallet, sortDirection="ASC", **sort):
            found |= {str(record.get("asset")): record for record in page if str(record.get("asset")) not in found}
            offset += len(page)
            if last is not None and offset > last:
                raise ServiceUnreachable(
                    f"{self._name} gives no more than {last + limit:,} records of {path}, and {wallet} has as many or more; "
                    "its positions cannot be compared. Name another test subject."
                )
        return list(found.values())

    def _activity(self, wallet: str) -> list[dict[str, Any]]:
        """All that the wallet did, the oldest first. Where the endpoint's last offset is reached, from the last time on."""
        found: dict[str, dict[str, Any]] = {}
        start, offset = 0, 0
        while page := self._page(
            "/activity", ACTIVITY_PAGE, offset, user=wallet, start=str(start), sortBy="TIMESTAMP", sortDirection="ASC"
        ):
            found |= {json.dumps(record, sort_keys=True): record for record in page}
            offset += len(page)
            if offset > LAST_OFFSET:
                newest = page[-1].get("timestamp")
                if not isinstance(newest, int) or newest <= start:
                    raise ServiceUnreachable(
                        f"{self._name} gives no more than {LAST_OFFSET + ACTIVITY_PAGE:,} records of /activity from one "
                        f"second on, and {wallet} has more; its positions cannot be compared. Name another test subject."
                    )
                start, offset = newest, 0
        return list(found.values())

    def _page(self, path: str, limit: int, offset: int, **query: str) -> list[dict[str, Any]]:
        answer = self._get(path, {**query, "limit": str(limit), "offset": str(offset)})
        try:
            page = answer.json()
        except (ValueError, RecursionError):
            raise ServiceUnreachable(
                f"{self._name} answered {path} with something that is not JSON; try again."
            ) from None
        if not isinstance(page, list) or not all(isinstance(record, dict) for record in page):
            raise ServiceUnreachable(f"{self._name} answered {path} with something that is no list of records.")
        return page

    def _get(self, path: str, query: Mapping[str, str]) -> httpx.Response:
        """One answer. Waits where it is told to, and between requests so that there are not too many of them."""
        for attempt in range(ATTEMPTS):
            if self._asked:
                self._sleep(10 / self._section.requests_per_10_seconds)
            self._asked += 1
            answer = self._request(path, query)
            if answer.status_code == 200:
                return answer
            if answer.status_code != 429 and answer.status_code < 500:
                break
            if attempt < ATTEMPTS - 1:
                self._sleep(_wait(answer.headers.get("Retry-After", ""), attempt))
        if answer.status_code == 429:
            raise ServiceUnreachable(f"{self._name} is told to be asked too often, {ATTEMPTS} times; try again later.")
        raise ServiceUnreachable(f"{self._name} answered {path} with status {answer.status_code}; try again.")

    def _request(self, path: str, query: Mapping[str, str]) -> httpx.Response:
        ask = stamina.retry(on=httpx.TransportError, attempts=3, wait_initial=0.1, wait_max=2)(self._http.get)
        try:
            return ask(path, params=query)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServiceUnreachable(f"{self._name} cannot be reached: {secret.masked(str(error))}.") from None

    @property
    def _name(self) -> str:
        return f"The data API at {self._section.url}"


def _wait(told: str, attempt: int) -> float:
    """Seconds to wait: those of Retry-After, or twice as long as the time before."""
    return min(float(told) if re.fullmatch(r"\d{1,6}", told) else 2.0**attempt, LONGEST_WAIT)


@dataclass(frozen=True)
class Folder:
    """An account as files: positions.json, closed_positions.json and, where there is one, activity.json.

    What is wrong in a file is `wrong`: UsageError where somebody named the folder."""

    path: Path
    wrong: type[UsageError | ServiceUnreachable] = UsageError

    def account(self, wallet: str) -> Account:
        """Raises `wrong` where a file is missing or holds something else."""
        read = {name: self._read(name) for name in FILES}
        held = self._checked("positions", Open, read["positions"][0], wallet)
        known = {position.token for position in held}
        closed = self._checked("closed_positions", Closed, read["closed_positions"][0], wallet)
        return Account(
            open=_once(held),
            closed=_once(tuple(position for position in closed if position.token not in known)),
            activity=self._checked("activity", Activity, read["activity"][0], wallet),
            sha256={str(self._file(name)): sha for name, (_, sha) in read.items() if sha},
        )

    def _file(self, name: str) -> Path:
        return self.path / f"{name}.json"

    def _read(self, name: str) -> tuple[list[Any], str]:
        """The records of a file and its SHA-256; nothing where there may be no such file."""
        file = self._file(name)
        if name == "activity" and not file.exists():
            return [], ""
        try:
            content = file.read_bytes()
            records = json.loads(content)
        except OSError as error:
            raise self.wrong(f"{file}: cannot be read: {error.strerror}.") from None
        except (ValueError, RecursionError):
            raise self.wrong(f"{file}: not JSON; a list of records is expected, as the data API answers.") from None
        if not isinstance(records, list):
            raise self.wrong(f"{file}: no list of records, as the data API answers.")
        return records, hashlib.sha256(content).hexdigest()

    def _checked(self, name: str, model: type[R], records: list[Any], wallet: str) -> tuple[R, ...]:
        checked = []
        for number, record in enumerate(records, 1):
            try:
                checked.append(model.model_validate(record))
            except ValidationError as error:
                raise self.wrong(
                    f"{self._file(name)}: record {number}: {_fault(model, dict(error.errors()[0]))}"
                ) from None
            owner = record.get("proxyWallet", wallet)
            if str(owner).lower() != wallet.lower():
                raise self.wrong(f"{self._file(name)}: record {number} is of {owner}, not of {wallet}.")
        return tuple(checked)


def _once(positions: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple({position.token: position for position in reversed(positions)}.values())[::-1]


def _fault(model: type[Record], error: Mapping[str, Any]) -> str:
    """One fault as a sentence: field, value, and what would be right."""
    if not error["loc"]:
        return "no object with named fields."
    name = str(error["loc"][0])
    right = {info.alias or field: info.description for field, info in model.model_fields.items()}.get(name)
    if error["type"] == "missing":
        return f"{name} is missing; {right or 'text'} is expected."
    shown = repr(error["input"])
    return f"{name} = {shown if len(shown) <= 80 else shown[:77] + '...'} is wrong: {right or 'a number'} is expected."
