"""Values that clients send: parameters of procedure calls.

Source: [MS-TDS] 2.2.5.5 (type varieties, PLP), 2.2.5.6 (TYPE_INFO), 2.2.6.6 (parameters).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from winlab.wire.tds import TdsError
from winlab.wire.tds_types import (
    BINARY,
    CODED,
    INT_SIZES,
    LOB_NAMES,
    MAX,
    PLP_NULL,
    UNICODE,
    ColumnType,
    guid_text,
    time_size,
)

_BASE = datetime(1900, 1, 1)  # noqa: DTZ001 - SQL Server's times have no zone

_FIXED_TYPES = {
    0x32: ("bit", 1),
    0x30: ("tinyint", 1),
    0x34: ("smallint", 2),
    0x38: ("int", 4),
    0x7F: ("bigint", 8),
    0x3E: ("float", 8),
    0x3B: ("real", 4),
    0x3D: ("datetime", 8),
    0x3A: ("smalldatetime", 4),
}
_BY_SIZE = {
    0x26: {1: "tinyint", 2: "smallint", 4: "int", 8: "bigint"},
    0x68: {1: "bit"},
    0x6D: {4: "real", 8: "float"},
    0x6F: {4: "smalldatetime", 8: "datetime"},
    0x24: {16: "uniqueidentifier"},
}
_VARIABLE = {value: key for key, value in {**UNICODE, **CODED, **BINARY}.items()}
_LOB_TOKENS = {0x63: "ntext", 0x23: "text", 0x22: "image"}


@dataclass
class Reader:
    """Bytes with a place; every read checks the end."""

    data: bytes
    at: int = 0

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self.data) - self.at

    def take(self, count: int) -> bytes:
        """Raises :class:`TdsError` when there are not so many."""
        if count < 0 or count > self.left:
            raise TdsError("a request ends too early")
        found = self.data[self.at : self.at + count]
        self.at += count
        return found

    def number(self, size: int) -> int:
        """An unsigned little-endian number of so many bytes."""
        return int.from_bytes(self.take(size), "little")

    def short_text(self) -> str:
        """B_VARCHAR."""
        return self.take(2 * self.number(1)).decode("utf-16-le", "replace")


def read_value(source: Reader) -> tuple[ColumnType, Any]:
    """TYPE_INFO and the value behind it.

    Raises:
        TdsError: the bytes end too early, or the type is none that the lab reads.
    """
    token = source.number(1)
    if token in _FIXED_TYPES:
        name, size = _FIXED_TYPES[token]
        return ColumnType(name), _from_fixed(name, source.take(size), 0)
    if token in _BY_SIZE:
        size = source.number(1)
        kind = ColumnType(_by_size(token, size))
        used = source.number(1)
        return kind, _from_fixed(kind.name, source.take(used), 0) if used else None
    if token in {0x6A, 0x6C}:
        _, precision, scale = source.take(3)
        kind = ColumnType("decimal", precision=precision, scale=scale)
        used = source.number(1)
        return kind, _from_decimal(source.take(used), scale) if used else None
    if token in {0x28, 0x29, 0x2A}:
        name = {0x28: "date", 0x29: "time", 0x2A: "datetime2"}[token]
        scale = 0 if name == "date" else source.number(1)
        kind = ColumnType(name, scale=scale)
        used = source.number(1)
        return kind, _from_fixed(name, source.take(used), scale) if used else None
    if token in _VARIABLE:
        return _read_variable(source, _VARIABLE[token])
    if token in _LOB_TOKENS:
        return _read_lob(source, _LOB_TOKENS[token])
    raise TdsError(f"a parameter has the type {token:#x}, which the lab does not read")


def _by_size(token: int, size: int) -> str:
    try:
        return _BY_SIZE[token][size]
    except KeyError:
        raise TdsError(f"a parameter of type {token:#x} has the size {size}") from None


def _read_variable(source: Reader, name: str) -> tuple[ColumnType, Any]:
    declared = source.number(2)
    if name not in BINARY:
        source.take(5)
    if declared == 0xFFFF:
        return ColumnType(name, MAX), _plain(name, _read_plp(source))
    length = declared // 2 if name in UNICODE else declared
    used = source.number(2)
    data = None if used == 0xFFFF else source.take(used)
    return ColumnType(name, length), _plain(name, data)


def _read_lob(source: Reader, name: str) -> tuple[ColumnType, Any]:
    source.take(4)
    if name != "image":
        source.take(5)
    used = source.number(4)
    data = None if used == 0xFFFFFFFF else source.take(used)
    base = LOB_NAMES[name]
    return ColumnType(base, MAX), _plain(base, data)


def _read_plp(source: Reader) -> bytes | None:
    head = source.take(8)
    if head == PLP_NULL:
        return None
    out = bytearray()
    while size := source.number(4):
        out += source.take(size)
    return bytes(out)


def _plain(name: str, data: bytes | None) -> Any:
    if data is None or name in BINARY:
        return data
    return data.decode("utf-16-le" if name in UNICODE else "cp1252", "replace")


def _from_decimal(data: bytes, scale: int) -> Decimal:
    whole = int.from_bytes(data[1:], "little")
    return Decimal(whole if data[:1] == b"\1" else -whole).scaleb(-scale)


def _from_fixed(name: str, data: bytes, scale: int) -> Any:
    try:
        if name in INT_SIZES:
            return int.from_bytes(data, "little", signed=name != "tinyint")
        if name == "bit":
            return bool(data[0])
        if name in {"float", "real"}:
            return struct.unpack("<d" if name == "float" else "<f", data)[0]
        if name == "datetime":
            days, units = struct.unpack("<iI", data)
            return _BASE + timedelta(days=days, microseconds=units * 10_000 // 3)
        if name == "smalldatetime":
            days, minutes = struct.unpack("<HH", data)
            return _BASE + timedelta(days=days, minutes=minutes)
        if name == "uniqueidentifier":
            return guid_text(data)
        if name == "date":
            return date.min + timedelta(days=int.from_bytes(data, "little"))
        size = time_size(scale)
        units = int.from_bytes(data[:size], "little") * 10 ** (7 - scale) // 10
        moment = (_BASE + timedelta(microseconds=units)).time()
        if name == "time":
            return moment
        day = date.min + timedelta(days=int.from_bytes(data[size:], "little"))
        return datetime.combine(day, moment)
    except (OverflowError, ValueError, struct.error) as exc:
        raise TdsError(f"a parameter of type {name} has no possible value") from exc
