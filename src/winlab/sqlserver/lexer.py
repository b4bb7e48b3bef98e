"""Words of Transact-SQL. Source: "Constants", "Database identifiers", "Comments" (Transact-SQL reference)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from winlab.sqlserver.errors import TsqlError, syntax

_TOKEN = re.compile(
    r"""
    (?P<blank>\s+|--[^\n]*)
  | (?P<binary>0[xX][0-9a-fA-F]*)
  | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<nstring>[nN]'(?:[^']|'')*')
  | (?P<string>'(?:[^']|'')*')
  | (?P<bracket>\[(?:[^\]]|\]\])*\])
  | (?P<quoted>"(?:[^"]|"")*")
  | (?P<global>@@[\w$#@]+)
  | (?P<variable>@[\w$#@]+)
  | (?P<word>[^\W\d][\w$#@]*|\#{1,2}[\w$#@]+|_[\w$#@]*)
  | (?P<op><>|<=|>=|!=|!<|!>|\+=|-=|\*=|/=|%=|[-+*/%=<>(),.;&|^~:])
    """,
    re.VERBOSE,
)

# "Reserved keywords (Transact-SQL)" that statements of the lab may meet; the others are plain names here.
RESERVED = frozenset(
    [
        "ADD",
        "ALL",
        "ALTER",
        "AND",
        "ANY",
        "AS",
        "ASC",
        "AUTHORIZATION",
        "BEGIN",
        "BETWEEN",
        "BREAK",
        "BY",
        "CASE",
        "CHECK",
        "CLOSE",
        "COLLATE",
        "COLUMN",
        "COMMIT",
        "CONSTRAINT",
        "CONTINUE",
        "CONVERT",
        "CREATE",
        "CROSS",
        "CURRENT_TIMESTAMP",
        "CURRENT_USER",
        "CURSOR",
        "DATABASE",
        "DECLARE",
        "DEFAULT",
        "DELETE",
        "DESC",
        "DISTINCT",
        "DROP",
        "ELSE",
        "END",
        "ESCAPE",
        "EXCEPT",
        "EXEC",
        "EXECUTE",
        "EXISTS",
        "FETCH",
        "FOR",
        "FOREIGN",
        "FROM",
        "FULL",
        "FUNCTION",
        "GOTO",
        "GRANT",
        "GROUP",
        "HAVING",
        "IDENTITY",
        "IDENTITY_INSERT",
        "IF",
        "IN",
        "INDEX",
        "INNER",
        "INSERT",
        "INTERSECT",
        "INTO",
        "IS",
        "JOIN",
        "KEY",
        "LEFT",
        "LIKE",
        "MERGE",
        "NOT",
        "NULL",
        "OF",
        "ON",
        "OPEN",
        "OPTION",
        "OR",
        "ORDER",
        "OUTER",
        "OVER",
        "PERCENT",
        "PIVOT",
        "PRIMARY",
        "PRINT",
        "PROC",
        "PROCEDURE",
        "RAISERROR",
        "REFERENCES",
        "RETURN",
        "REVOKE",
        "RIGHT",
        "ROLLBACK",
        "SAVE",
        "SCHEMA",
        "SELECT",
        "SET",
        "SOME",
        "SYSTEM_USER",
        "TABLE",
        "THEN",
        "TO",
        "TOP",
        "TRAN",
        "TRANSACTION",
        "TRIGGER",
        "TRUNCATE",
        "UNION",
        "UNIQUE",
        "UPDATE",
        "USE",
        "USER",
        "VALUES",
        "VIEW",
        "WAITFOR",
        "WHEN",
        "WHERE",
        "WHILE",
        "WITH",
    ]
)


@dataclass(frozen=True, slots=True)
class Token:
    """``kind`` is word, name (delimited), string, nstring, number, binary, variable, global, op or end.

    ``text`` is the value of names and strings, else what is written; ``upper`` the word in upper case.
    """

    kind: str
    text: str
    upper: str
    line: int
    at: int
    stop: int

    @property
    def reserved(self) -> bool:
        """Whether it cannot be a name without brackets."""
        return self.kind == "word" and self.upper in RESERVED


def tokens(text: str, *, quoted_identifiers: bool = True) -> list[Token]:
    """The words of a batch and one of kind "end".

    Raises:
        TsqlError: 102, 105 or 113, for what begins no word, an open string, an open comment.
    """
    found: list[Token] = []
    at, line = 0, 1
    while at < len(text):
        if text.startswith("/*", at):
            stop = _comment_end(text, at, line)
            line += text.count("\n", at, stop)
            at = stop
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            raise _stray(text, at, line)
        kind = match.lastgroup or ""
        raw = match.group()
        if kind == "op" and raw == "-" and text.startswith("--", at):
            at = len(text)
            continue
        if kind != "blank":
            found.append(_token(kind, raw, line, at, match.end(), quoted_identifiers))
        line += raw.count("\n")
        at = match.end()
    found.append(Token("end", "", "", line, at, at))
    return found


def _token(kind: str, raw: str, line: int, at: int, stop: int, quoted_identifiers: bool) -> Token:
    if kind == "bracket":
        return Token("name", raw[1:-1].replace("]]", "]"), "", line, at, stop)
    if kind == "quoted":
        value = raw[1:-1].replace('""', '"')
        return Token("name" if quoted_identifiers else "string", value, "", line, at, stop)
    if kind == "string":
        return Token(kind, raw[1:-1].replace("''", "'"), "", line, at, stop)
    if kind == "nstring":
        return Token(kind, raw[2:-1].replace("''", "'"), "", line, at, stop)
    return Token(kind, raw, raw.upper(), line, at, stop)


def _comment_end(text: str, at: int, line: int) -> int:
    """Comments nest."""
    depth = 0
    for match in re.compile(r"/\*|\*/").finditer(text, at):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    raise TsqlError(113, line=line)


def _stray(text: str, at: int, line: int) -> TsqlError:
    rest = text[at:]
    for opening in ("N'", "n'", "'", '"', "["):
        if rest.startswith(opening):
            return TsqlError(105, rest[len(opening) :][:128], line=line)
    return syntax(rest[0], line=line)
