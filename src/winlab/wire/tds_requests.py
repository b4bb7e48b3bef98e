"""What a client asks after its login: batches, procedure calls, transactions.

Source: [MS-TDS] 2.2.6.7 (SQLBatch), 2.2.6.6 (RPC), 2.2.6.9 (transaction manager), 2.2.5.3 (ALL_HEADERS).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from winlab.wire.tds import TdsError
from winlab.wire.tds_login import Version
from winlab.wire.tds_types import ColumnType
from winlab.wire.tds_values import Reader, read_value

PROCEDURES = {
    1: "sp_cursor",
    2: "sp_cursoropen",
    3: "sp_cursorprepare",
    4: "sp_cursorexecute",
    5: "sp_cursorprepexec",
    6: "sp_cursorunprepare",
    7: "sp_cursorfetch",
    8: "sp_cursoroption",
    9: "sp_cursorclose",
    10: "sp_executesql",
    11: "sp_prepare",
    12: "sp_execute",
    13: "sp_prepexec",
    14: "sp_prepexecrpc",
    15: "sp_unprepare",
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a call; ``name`` with its @, or ""."""

    name: str
    type: ColumnType
    value: Any
    output: bool = False


@dataclass(frozen=True)
class Call:
    """A call of a stored procedure."""

    procedure: str
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True)
class Transact:
    """A request to the transaction manager: "begin", "commit", "rollback" or "save".

    ``isolation`` is 0 for the session's own; ``restart`` begins a new transaction behind a commit or
    rollback.
    """

    action: str
    name: str = ""
    isolation: int = 0
    restart: bool = False


def read_batch(data: bytes, tds: Version) -> str:
    """The text of a SQLBatch."""
    body = _behind_headers(data, tds)
    if len(body) % 2:
        raise TdsError("the text of a batch has half a character")
    return body.decode("utf-16-le", "surrogatepass")


def read_calls(data: bytes, tds: Version) -> list[Call]:
    """The calls of an RPC request. Raises :class:`TdsError` for what is none."""
    source = Reader(_behind_headers(data, tds))
    separators = {0x80, 0xFF, 0xFE}
    calls = []
    while source.left:
        length = source.number(2)
        if length == 0xFFFF:
            number = source.number(2)
            name = PROCEDURES.get(number, f"procedure {number}")
        else:
            name = source.take(2 * length).decode("utf-16-le", "replace")
        source.take(2)
        parameters = []
        while source.left and source.data[source.at] not in separators:
            label = source.short_text()
            status = source.number(1)
            kind, value = read_value(source)
            parameters.append(Parameter(label, kind, value, bool(status & 1)))
        if source.left:
            source.take(1)
        calls.append(Call(name, tuple(parameters)))
    if not calls:
        raise TdsError("an RPC request calls nothing")
    return calls


_ACTIONS = {5: "begin", 7: "commit", 8: "rollback", 9: "save"}


def read_transaction(data: bytes, tds: Version) -> Transact:
    """A transaction manager request. Raises :class:`TdsError` for one of distributed transactions."""
    source = Reader(_behind_headers(data, tds))
    number = source.number(2)
    if number not in _ACTIONS:
        raise TdsError(f"the lab has no transaction manager request {number}")
    action = _ACTIONS[number]
    if action == "begin":
        isolation = source.number(1)
        return Transact(action, _name(source), isolation)
    name = _name(source)
    restart = action != "save" and bool(source.left) and bool(source.number(1) & 1)
    return Transact(action, name, restart=restart)


def _name(source: Reader) -> str:
    """B_VARBYTE of UTF-16."""
    if not source.left:
        return ""
    return source.take(source.number(1)).decode("utf-16-le", "replace")


def _behind_headers(data: bytes, tds: Version) -> bytes:
    if tds < Version.V7_2:
        return data
    total = int.from_bytes(data[:4], "little")
    if total < 4 or total > len(data):
        raise TdsError("ALL_HEADERS is longer than the request")
    return data[total:]
