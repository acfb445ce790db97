"""Polymarket: dumps of its data API and Parquet files of its trades, checked record by record and put into ClickHouse.

What a record is stands here; what becomes of it, and every column of the tables that it goes to, in sql/polymarket/.
The files go into tables of the import's own first, so that a wrong record leaves the others as they were.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from clickhouse_connect.driver.client import Client
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, computed_field

from recovery import statements
from recovery.errors import DumpError, UsageError

BATCH = 10_000  # records in memory at once; a JSON dump is read as a whole: the API gives 10,500 records at most
FILL = "TRADE"  # the type of activity that is a fill
LAST_SECOND = 2**32 - 1  # of ClickHouse's DateTime


def _second(value: Any) -> int:
    """The epoch second of a time as text: a day, an ISO time with its zone, or one without it, which is in UTC."""
    if not isinstance(value, str):
        raise ValueError("not text")
    moment = datetime.fromisoformat(value)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _payout(value: float) -> float:
    if value not in (0, 0.5, 1):
        raise ValueError("no payout")
    return value


def _told(sentence: str, **bounds: Any) -> Any:
    return Field(description=sentence, **bounds)


Lower = AfterValidator(str.lower)
Hash = Annotated[str, _told("0x and 64 hex digits", pattern=r"^0x[0-9a-fA-F]{64}$"), Lower]
Condition = Annotated[
    str, _told("0x and 64 hex digits", pattern=r"^0x[0-9a-fA-F]{64}$"), AfterValidator(lambda text: text[2:].lower())
]
Wallet = Annotated[str, _told("0x and 40 hex digits", pattern=r"^0x[0-9a-fA-F]{40}$"), Lower]
Token = Annotated[str, _told("a decimal number of up to 78 digits, as text", pattern=r"^[0-9]{1,78}$")]
Side = Annotated[Literal["BUY", "SELL"], _told("'BUY' or 'SELL'")]
Outcome = Annotated[int, _told("a whole number from 0 to 255", ge=0, le=255)]
Amount = Annotated[float, _told("a number from 0 to 1e15", ge=0, le=1e15, allow_inf_nan=False)]
Second = Annotated[int, _told("epoch seconds", ge=0, le=LAST_SECOND)]
Moment = Annotated[
    int, BeforeValidator(_second), _told("a time such as 2026-04-01T00:00:00Z", ge=0, le=LAST_SECOND)
]  # fmt: skip
Payout = Annotated[float, _told("0, 0.5, 1, or null while unresolved"), AfterValidator(_payout)]
Text = Annotated[str, _told("text"), AfterValidator(lambda text: text.encode().decode())]  # no lone surrogates


class Record(BaseModel):
    """One record of a file, named as the import's own tables name it; the file's names are the aliases."""

    model_config = ConfigDict(strict=True, frozen=True)


class Trade(Record):
    """A fill as /trades has it: the size is what was received less the fee once more, and there are no dollars."""

    tx_hash: Hash = Field(alias="transactionHash")
    wallet: Wallet = Field(alias="proxyWallet")
    side: Side
    token_id: Token = Field(alias="asset")
    condition_id: Condition = Field(alias="conditionId")
    outcome_index: Outcome = Field(alias="outcomeIndex")
    size: Amount
    price: Amount
    ts: Second = Field(alias="timestamp")
    title: Text


class Activity(Trade):
    """A fill as /activity has it: the size is before a fee that is taken in tokens."""

    usdc: Amount = Field(alias="usdcSize")


class Fill(Record):
    """A fill of fills.parquet; some of its sources lack the transaction, the token or the outcome."""

    source: Text
    tx_hash: Hash | None
    wallet: Wallet
    side: Side
    token_id: Token | None
    condition_id: Condition | None
    outcome_index: Outcome | None
    size: Amount
    price: Amount
    usdc: Amount
    ts: Second
    title: Text | None


class Historic(Record):
    """A trade of midterms2022.parquet, which names its token only by market and outcome."""

    market: Text
    outcome: Text
    wallet: Text  # an address or, of a few, a name
    side: Annotated[Side, BeforeValidator(lambda text: text.upper() if isinstance(text, str) else text)]
    size: Amount = Field(alias="shares")
    price: Amount | None
    usdc: Amount = Field(alias="amount")
    ts: Moment

    @computed_field  # type: ignore[prop-decorator]
    @property
    def token_id(self) -> str:
        return f"{self.market}: {self.outcome}"


class KnownToken(Record):
    token_id: Token
    condition_id: Condition
    outcome_index: Outcome
    payout: Payout | None


class Position(Record):
    condition_id: Condition = Field(alias="conditionId")
    ended: Moment = Field(alias="endDate")


R = TypeVar("R", bound=Record)

FILLS = pa.schema(
    [
        pa.field("origin", pa.string(), nullable=False),
        pa.field("tx_hash", pa.string(), nullable=False),
        pa.field("wallet", pa.string(), nullable=False),
        pa.field("side", pa.string(), nullable=False),
        pa.field("token_id", pa.string(), nullable=False),
        pa.field("condition_id", pa.string(), nullable=False),
        pa.field("outcome_index", pa.int16(), nullable=False),
        pa.field("size", pa.float64(), nullable=False),
        pa.field("price", pa.float64(), nullable=False),
        pa.field("usdc", pa.float64()),
        pa.field("ts", pa.uint32(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
    ]
)
TOKENS = pa.schema(
    [
        pa.field("token_id", pa.string(), nullable=False),
        pa.field("condition_id", pa.string(), nullable=False),
        pa.field("outcome_index", pa.int16(), nullable=False),
        pa.field("payout", pa.float64()),
    ]
)
ENDS = pa.schema(
    [pa.field("condition_id", pa.string(), nullable=False), pa.field("ended", pa.uint32(), nullable=False)]
)
STAGES = {"stage_fills": FILLS, "stage_tokens": TOKENS, "stage_ends": ENDS}
UNKNOWN = {"tx_hash": "", "token_id": "", "condition_id": "", "outcome_index": -1, "price": 0.0, "title": ""}


@dataclass(frozen=True)
class Dumps:
    """The files to import. `sources` are those of the Parquet fills that are wanted; all when empty."""

    activity: Path | None = None
    trades: Path | None = None
    fills: Path | None = None
    tokens: Path | None = None
    positions: tuple[Path, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Targets:
    """The tables to import to; one that is None is left out."""

    database: str
    events: str | None = None
    map: str | None = None
    resolutions: str | None = None

    def named(self) -> dict[str, str]:
        pairs = {"events": self.events, "map": self.map, "resolutions": self.resolutions}
        return {kind: table for kind, table in pairs.items() if table}


def load(client: Client, dumps: Dumps, targets: Targets, *, create: bool, tell: Callable[[str], None]) -> None:
    """Import `dumps` into `targets` and `tell` what was done, a sentence at a time. Importing again changes nothing.

    Raises DumpError at the first record that is wrong, before anything was written to the targets, and UsageError
    where a target is not there and `create` is not set.
    """
    mark = uuid.uuid4().hex[:12]
    words = {name: statements.quote(targets.database, f"import_{mark}_{name}") for name in STAGES}
    for part in ("fills", "payouts"):
        words[part] = statements.compose(f"polymarket/{part}", words)
    tables = {kind: statements.quote(targets.database, table) for kind, table in targets.named().items()}
    _require(client, tables, create)
    try:
        for name in STAGES:
            client.command(statements.compose(f"polymarket/{name}", words))
        for name, rows in _staged(dumps, tell):
            for batch in _batches(rows):
                client.insert_arrow(words[name], pa.Table.from_pylist(batch, schema=STAGES[name]))
        _tell_what_is_seen(client, words, tell)
        for kind, table in tables.items():
            tell(f"{kind}: {_insert(client, kind, table, words):,} new rows in {table.replace('`', '')}")
    finally:
        for name in STAGES:
            client.command(statements.compose("polymarket/drop", {"target": words[name]}))


def _require(client: Client, tables: Mapping[str, str], create: bool) -> None:
    for kind, table in tables.items():
        if create:
            client.command(statements.compose(f"polymarket/create_{kind}", {"target": table}))
        elif not client.command(statements.compose("polymarket/exists", {"target": table})):
            raise UsageError(
                f"There is no table {table.replace('`', '')}; pass --create to make it, or correct its name."
            )


def _insert(client: Client, kind: str, table: str, words: Mapping[str, str]) -> int:
    rows = statements.compose(f"polymarket/{kind}", {**words, "target": table})
    columns = ", ".join(statements.quote(row[0]) for row in client.query(f"DESCRIBE TABLE (\n{rows}\n)").result_rows)
    known = {"target": table, "rows": rows, "columns": columns}
    new = int(client.query(statements.compose("polymarket/count", known)).result_rows[0][0])
    if new:
        client.command(statements.compose("polymarket/insert", known))
    return new


def _tell_what_is_seen(client: Client, words: Mapping[str, str], tell: Callable[[str], None]) -> None:
    seen = next(iter(client.query(statements.compose("polymarket/seen", words)).named_results()))
    tell(f"{seen['fills']:,} fills, {seen['repeats']:,} of them exact repeats within a file, each kept as its own")
    if seen["one_sided"]:
        tell(f"{seen['one_sided']:,} fills are in only one of /activity and /trades and are taken as they are there")
    if seen["conditions"]:
        tell(
            f"{seen['conditions']:,} conditions; of {seen['without_end']:,} no position says when they ended: "
            "their tokens are known, their resolution is not"
        )


def _staged(dumps: Dumps, tell: Callable[[str], None]) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
    """The files that are given: which of the import's tables they go to, and their rows."""
    if dumps.activity:
        yield "stage_fills", _fills("activity", checked(dumps.activity, Activity, _only_fills(dumps.activity, tell)))
    if dumps.trades:
        yield "stage_fills", _fills("trades", checked(dumps.trades, Trade, json_records(dumps.trades)))
    if dumps.fills:
        model: type[Record] = Historic if _has_columns(dumps.fills, Historic) else Fill
        fills = checked(dumps.fills, model, parquet_records(dumps.fills, model))
        wanted = (fill for fill in fills if not dumps.sources or getattr(fill, "source", "") in dumps.sources)
        yield "stage_fills", _fills("fills", wanted)
    if dumps.tokens:
        tokens = checked(dumps.tokens, KnownToken, parquet_records(dumps.tokens, KnownToken))
        yield "stage_tokens", (token.model_dump() for token in tokens)
    for path in dumps.positions:
        yield "stage_ends", (end.model_dump() for end in checked(path, Position, json_records(path)))


def _fills(origin: str, records: Iterable[Record]) -> Iterator[dict[str, Any]]:
    for record in records:
        known = {name: value for name, value in record.model_dump().items() if value is not None}
        yield {"origin": origin, **UNKNOWN, **known}


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def _only_fills(path: Path, tell: Callable[[str], None]) -> Iterator[tuple[int, Any]]:
    """The fills among the activity. A split or a reward is none, and may have an empty asset and outcome 999."""
    others: Counter[str] = Counter()
    for number, record in json_records(path):
        kind = record.get("type")
        if not isinstance(kind, str):
            raise DumpError(f"{path}: record {number}: type is {_short(kind)}; text such as {FILL!r} is expected.")
        if kind == FILL:
            yield number, record
        else:
            others[kind] += 1
    if others:
        listed = ", ".join(f"{count:,} {kind}" for kind, count in sorted(others.items()))
        tell(f"{others.total():,} records of activity are no fills and were skipped: {listed}")


def json_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON list, numbered from 1."""
    try:
        records = json.loads(_present(path).read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise DumpError(f"{path}: not UTF-8 at byte {error.start}; a JSON dump is.") from None
    except (ValueError, RecursionError) as error:
        raise DumpError(f"{path}: not JSON: {error}; a list of records is expected, as the data API answers.") from None
    except OSError as error:
        raise DumpError(f"{path}: cannot be read: {error.strerror}.") from None
    if not isinstance(records, list):
        raise DumpError(f"{path}: holds {_short(records)}; a list of records is expected, as the data API answers.")
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            raise DumpError(f"{path}: record {number} is {_short(record)}; an object with named fields is expected.")
        yield number, record


def parquet_records(path: Path, model: type[Record]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a Parquet file, those columns that the model knows, numbered from 1 and read in batches."""
    columns = list(_descriptions(model))
    try:
        with pq.ParquetFile(_present(path)) as file:
            missing = [name for name in columns if name not in file.schema_arrow.names]
            if missing:
                raise DumpError(
                    f"{path}: the column {missing[0]} is missing; {', '.join(columns)} are expected, and it has "
                    f"{', '.join(file.schema_arrow.names)}."
                )
            number = 0
            for batch in file.iter_batches(batch_size=BATCH, columns=columns):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pa.ArrowInvalid, OSError) as error:
        raise DumpError(f"{path}: not Parquet: {str(error).splitlines()[0]}") from None


def checked(path: Path, model: type[R], records: Iterable[tuple[int, dict[str, Any]]]) -> Iterator[R]:
    """The records as values; raises DumpError with file, record, field and what is right at the first that is wrong."""
    right = _descriptions(model)
    for number, record in records:
        try:
            yield model.model_validate(record)
        except ValidationError as error:
            fault = error.errors()[0]
            name = str(fault["loc"][0])
            if fault["type"] == "missing":
                raise DumpError(f"{path}: record {number}: {name} is missing; {right[name]} is expected.") from None
            value = _short(record[name])
            raise DumpError(f"{path}: record {number}: {name} = {value} is wrong: {right[name]} is expected.") from None


def _descriptions(model: type[Record]) -> dict[str, str]:
    """Of each field, by the name that it has in the file, what is right."""
    return {info.alias or name: info.description or "" for name, info in model.model_fields.items()}


def _has_columns(path: Path, model: type[Record]) -> bool:
    try:
        return set(_descriptions(model)) <= set(pq.read_schema(_present(path)).names)
    except (pa.ArrowInvalid, OSError):
        return False  # said where it is read


def _present(path: Path) -> Path:
    if not path.is_file():
        raise DumpError(f"{path}: there is no such file; correct the name, or leave the option out.")
    return path


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
