"""The tokens of an answer. Source: [MS-TDS] 2.2.7."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag
from typing import Any

from winlab.wire.tds_login import Version
from winlab.wire.tds_types import ColumnType, as_client_sees, cell, is_lob, type_info


@dataclass(frozen=True)
class Column:
    """One column of a result."""

    name: str
    type: ColumnType
    nullable: bool = True
    identity: bool = False


class DoneStatus(IntFlag):
    """2.2.7.6."""

    FINAL = 0
    MORE = 1
    ERROR = 2
    IN_TRANSACTION = 4
    COUNT = 0x10
    ATTENTION = 0x20
    SERVER_ERROR = 0x100


def _short(text: str) -> bytes:
    """B_VARCHAR."""
    data = text.encode("utf-16-le", "surrogatepass")[:510]
    return bytes([len(data) // 2]) + data


def _long(text: str) -> bytes:
    """US_VARCHAR."""
    data = text.encode("utf-16-le", "surrogatepass")[:131070]
    return struct.pack("<H", len(data) // 2) + data


def _token(number: int, body: bytes) -> bytes:
    return struct.pack("<BH", number, len(body)) + body


def login_ack(tds: Version, program: str, version: tuple[int, int, int]) -> bytes:
    """2.2.7.14; ``version`` is major, minor and build."""
    body = b"\1" + struct.pack(">I", tds) + _short(program) + struct.pack(">BBH", *version)
    return _token(0xAD, body)


def database_change(new: str, old: str) -> bytes:
    """ENVCHANGE type 1, 2.2.7.9."""
    return _token(0xE3, b"\1" + _short(new) + _short(old))


def language_change(new: str, old: str) -> bytes:
    """ENVCHANGE type 2."""
    return _token(0xE3, b"\2" + _short(new) + _short(old))


def packet_size_change(new: int, old: int) -> bytes:
    """ENVCHANGE type 4."""
    return _token(0xE3, b"\4" + _short(str(new)) + _short(str(old)))


def collation_change(collation: bytes) -> bytes:
    """ENVCHANGE type 7."""
    return _token(0xE3, b"\7" + bytes([len(collation)]) + collation + b"\0")


def transaction_change(kind: str, descriptor: int) -> bytes:
    """ENVCHANGE types 8 (begin), 9 (commit) and 10 (rollback); only from TDS 7.2 on."""
    data = b"\x08" + struct.pack("<Q", descriptor)
    number = {"begin": 8, "commit": 9, "rollback": 10}[kind]
    return _token(0xE3, bytes([number]) + (data + b"\0" if kind == "begin" else b"\0" + data))


def reset_done() -> bytes:
    """ENVCHANGE type 18: the reset that a request asked for was done."""
    return _token(0xE3, b"\x12\0\0")


@dataclass(frozen=True)
class Note:
    """ERROR (``severity`` above 10) or INFO, 2.2.7.10 and 2.2.7.13."""

    number: int
    state: int
    severity: int
    text: str
    server: str
    line: int = 1
    procedure: str = ""

    def token(self, tds: Version) -> bytes:
        """The line number has two bytes before 7.2, then four."""
        line = struct.pack("<i" if tds >= Version.V7_2 else "<h", self.line)
        body = struct.pack("<iBB", self.number, self.state, self.severity)
        body += _long(self.text) + _short(self.server) + _short(self.procedure) + line
        return _token(0xAA if self.severity > 10 else 0xAB, body)


def done(status: int, count: int, tds: Version, *, token: int = 0xFD, command: int = 0) -> bytes:
    """DONE 0xFD, DONEPROC 0xFE, DONEINPROC 0xFF; the count has four bytes before 7.2, then eight."""
    size = "<BHHQ" if tds >= Version.V7_2 else "<BHHI"
    return struct.pack(size, token, status, command, max(count, 0))


def return_status(value: int) -> bytes:
    """2.2.7.18."""
    return struct.pack("<Bi", 0x79, value)


def col_metadata(columns: Sequence[Column], tds: Version) -> bytes:
    """2.2.7.4."""
    out = bytearray(struct.pack("<BH", 0x81, len(columns)))
    for column in columns:
        flags = (1 if column.nullable else 0) | (0x10 if column.identity else 0x08)
        kind = as_client_sees(column.type, tds)
        out += struct.pack("<IH" if tds >= Version.V7_2 else "<HH", 0, flags)
        out += type_info(kind, tds)
        if is_lob(kind, tds):
            out += b"\1" + _long("") if tds >= Version.V7_2 else _long("")
        out += _short(column.name)
    return bytes(out)


def row(columns: Sequence[Column], values: Sequence[Any], tds: Version) -> bytes:
    """ROW, or NBCROW (from 7.3B on) when there is a NULL: 2.2.7.19, 2.2.7.15."""
    kinds = [as_client_sees(column.type, tds) for column in columns]
    if tds < Version.V7_3B or None not in values:
        return b"\xd1" + b"".join(
            cell(kind, value, tds) for kind, value in zip(kinds, values, strict=True)
        )
    bitmap = bytearray((len(values) + 7) // 8)
    body = bytearray()
    for number, (kind, value) in enumerate(zip(kinds, values, strict=True)):
        if value is None:
            bitmap[number // 8] |= 1 << number % 8
        else:
            body += cell(kind, value, tds)
    return b"\xd2" + bytes(bitmap) + bytes(body)
