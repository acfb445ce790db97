"""What a statement to the embedded ClickHouse is, and whether it only reads: as ClickHouse's own parser says."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

TOKEN = re.compile(
    r"""\s+|--[^\n]*|\#[ !][^\n]*|/\*.*?\*/|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`|\w+|.""",
    re.DOTALL,
)
EXPLAIN = re.compile(
    r"EXPLAIN ((AST|SYNTAX|QUERY TREE|PLAN|PIPELINE|ESTIMATE|ANALYZE) )?(\w+ = \w+,? )*(?=\(*(SELECT|WITH)\b)"
)


class ClickHouseError(Exception):
    """An error as ClickHouse reports it: its code, its text, and the HTTP status that goes with it."""

    def __init__(self, code: int, text: str, status: int = 500) -> None:
        super().__init__(text if text.startswith("Code:") else f"Code: {code}. DB::Exception: {text}")
        self.code, self.status = code, status

    @classmethod
    def of(cls, error: Exception) -> ClickHouseError:
        """The error inside chDB's, which wraps it in words of its own."""
        if isinstance(error, cls):
            return error
        found = re.search(r"Code: (\d+)\..*", str(error), re.DOTALL)
        return cls(int(found[1]), found[0].strip()) if found else cls(1001, str(error) or repr(error))


@dataclass(frozen=True)
class Statement:
    """What ClickHouse's own parser makes of a text, which is one statement, never several."""

    body: str  # in canonical form, without FORMAT and what follows it
    format: str | None
    words: tuple[str, ...]  # the unquoted words of the canonical form, in capitals

    @property
    def kind(self) -> str:
        return self.words[0]

    @property
    def selects(self) -> bool:
        return self.kind in ("SELECT", "WITH")

    @property
    def answers(self) -> bool:
        """Whether its answer has columns, be it without rows."""
        return self.selects or self.kind in ("SHOW", "DESCRIBE", "EXISTS", "EXPLAIN")


def parse(text: str, ask: Callable[[str, dict[str, str]], str]) -> Statement:
    """Ask ClickHouse's parser, which executes nothing and refuses several statements in one text."""
    escaped = text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
    try:
        canonical = ask("SELECT formatQuerySingleLine({text:String}) SETTINGS max_query_size = 0", {"text": escaped})
    except Exception as error:
        asked = re.compile(r"\.?\s*: In scope SELECT formatQuery.*(?=\. \(\w+\)$)", re.DOTALL)
        raise ClickHouseError.of(Exception(asked.sub("", str(error)))) from None
    found = list(_tokens(canonical))
    words = tuple(t[0].upper() for t in found if t[0].isidentifier())
    if {("INTO", "OUTFILE"), ("FROM", "INFILE")} & set(itertools.pairwise(words)):
        raise ClickHouseError(358, "INTO OUTFILE is not allowed. (INTO_OUTFILE_NOT_ALLOWED)")
    last = [t[0] for t in found] + ["SETTINGS"]
    for at in range(len(found) - 2, 0, -1):
        if last[at] == "FORMAT" and last[at + 2] == "SETTINGS":
            return Statement(canonical[: found[at].start()], last[at + 1], words)
    return Statement(canonical, None, words)


def refuse_writes(statement: Statement, ask: Callable[[str], object]) -> None:
    """Let only reads through: readonly = 2 alone lets KILL QUERY and INSERT INTO FUNCTION pass."""
    refusal = ClickHouseError(164, f"Cannot execute {statement.kind} query in readonly mode. (READONLY)")
    if ("PARALLEL", "WITH") in itertools.pairwise(statement.words):  # what follows may be a DROP
        raise refusal
    if statement.kind in ("SHOW", "DESCRIBE", "EXISTS"):
        return
    explained = EXPLAIN.match(statement.body)
    if not (explained or statement.selects):
        raise refusal
    inner = statement.body[explained.end() :] if explained else statement.body
    try:  # in this place ClickHouse takes a SELECT and nothing else, such as EXPLAIN ANALYZE INSERT
        ask(f"SELECT explain FROM (EXPLAIN AST {inner}) LIMIT 1")
    except Exception as error:
        failed = ClickHouseError.of(error)
        raise (refusal if failed.code == 36 else failed) from None


def split_insert(head: bytes) -> tuple[str, str, int] | None:
    """Of an INSERT with data: its statement without FORMAT, the format, and where the data begins."""
    depth, before = 0, None
    text = head.decode("latin-1")  # one character a byte, so that positions are those of the bytes
    for number, token in enumerate(_tokens(text)):
        word = token[0].upper()
        if number == 0 and word != "INSERT":
            return None
        depth += (word == "(") - (word == ")")
        if depth or word == ")":
            continue
        if before is not None and before[0].upper() == "FORMAT":
            gap = re.compile(r"[ \t\f]*\r?\n?").match(text, token.end())
            return utf8(head[: before.start()]), token[0], gap.end() if gap else token.end()
        if word == "VALUES":
            return utf8(head[: token.start()]), "Values", token.end()
        if word in ("SELECT", "WITH", "FROM"):
            return None
        before = token
    return None


def _tokens(text: str) -> Iterator[re.Match[str]]:
    """The tokens of SQL that mean something: no white space, no comments."""
    for token in TOKEN.finditer(text):
        if not (token[0].isspace() or token[0].startswith(("--", "/*", "# ", "#!"))):
            yield token


def utf8(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise ClickHouseError(36, f"The statement is not UTF-8: {error}. (BAD_ARGUMENTS)") from None


def quoted(text: str, mark: str = "'") -> str:
    """The text as a literal or, with a backtick, as a name."""
    return mark + text.replace("\\", "\\\\").replace(mark, "\\" + mark) + mark
