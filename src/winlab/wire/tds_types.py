"""Types and values of TDS: TYPE_INFO and the bytes of a cell.

Source: [MS-TDS] 2.2.5.4 (data types), 2.2.5.5 (type varieties, PLP), 2.2.5.6 (TYPE_INFO). Python values: int,
bool, Decimal, float, str, bytes, date, time, datetime (naive), GUIDs as text, and None.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from winlab.wire.tds_login import Version

MAX = -1
"""The length of varchar(max), nvarchar(max) and varbinary(max)."""
LATIN1_CI_AS = bytes.fromhex("0904d00034")
"""SQL_Latin1_General_CP1_CI_AS: LCID 0x0409, ignore case, kana and width, sort id 52 (2.2.5.1.2)."""
CHINESE_PRC_CI_AS = bytes.fromhex("0408d00000")

PLP_NULL = b"\xff" * 8
_CHUNK = 0x7FFF_FFF0


@dataclass(frozen=True)
class ColumnType:
    """A type by its name in Transact-SQL.

    ``length`` is in bytes for binary and char, in characters for nchar and nvarchar, `MAX` for (max);
    ``collation`` are the five bytes of texts, ``codec`` Python's name of a varchar's code page.
    """

    name: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    collation: bytes = LATIN1_CI_AS
    codec: str = "cp1252"


INT_SIZES = {"tinyint": 1, "smallint": 2, "int": 4, "bigint": 8}
_INT_FORMATS = {1: "<B", 2: "<h", 4: "<i", 8: "<q"}
UNICODE = {"nchar": 0xEF, "nvarchar": 0xE7}
CODED = {"char": 0xAF, "varchar": 0xA7}
BINARY = {"binary": 0xAD, "varbinary": 0xA5}
_NEW_TIMES = {"date": 0x28, "time": 0x29, "datetime2": 0x2A}
_LOBS = {"nvarchar": 0x63, "varchar": 0x23, "varbinary": 0x22}
LOB_NAMES = {"ntext": "nvarchar", "text": "varchar", "image": "varbinary"}
_TEXT_LENGTH = 0x7FFF_FFFF


def as_client_sees(kind: ColumnType, tds: Version) -> ColumnType:
    """The type for a client of an older version: new times become text before 7.3 (2.2.5.4.2)."""
    if tds < Version.V7_3A and kind.name in _NEW_TIMES:
        length = {"date": 10, "time": 16, "datetime2": 27}[kind.name]
        return ColumnType("nvarchar", length, collation=kind.collation)
    return kind


def is_lob(kind: ColumnType, tds: Version) -> bool:
    """Whether cells travel with a text pointer: text, ntext, image; (max) before 7.2."""
    return kind.name in LOB_NAMES or (kind.length == MAX and tds < Version.V7_2)


def type_info(kind: ColumnType, tds: Version) -> bytes:
    """TYPE_INFO of a nullable column. Raises `KeyError` for a type that the lab does not send."""
    name = kind.name
    if is_lob(kind, tds):
        base = LOB_NAMES.get(name, name)
        length = _TEXT_LENGTH - 1 if base == "nvarchar" else _TEXT_LENGTH
        head = struct.pack("<BI", _LOBS[base], length)
        return head if base == "varbinary" else head + kind.collation
    if name in INT_SIZES:
        return bytes([0x26, INT_SIZES[name]])
    if name == "bit":
        return b"\x68\x01"
    if name in {"decimal", "numeric"}:
        token = 0x6A if name == "decimal" else 0x6C
        return bytes([token, _decimal_size(kind.precision), kind.precision, kind.scale])
    if name in {"float", "real"}:
        return bytes([0x6D, 8 if name == "float" else 4])
    if name in {"datetime", "smalldatetime"}:
        return bytes([0x6F, 8 if name == "datetime" else 4])
    if name == "date":
        return b"\x28"
    if name in {"time", "datetime2"}:
        return bytes([_NEW_TIMES[name], kind.scale])
    if name == "uniqueidentifier":
        return b"\x24\x10"
    if name == "sql_variant":
        return struct.pack("<BI", 0x62, 8009)
    if name in UNICODE:
        length = 0xFFFF if kind.length == MAX else 2 * kind.length
        return struct.pack("<BH", UNICODE[name], length) + kind.collation
    if name in CODED:
        length = 0xFFFF if kind.length == MAX else kind.length
        return struct.pack("<BH", CODED[name], length) + kind.collation
    length = 0xFFFF if kind.length == MAX else kind.length
    return struct.pack("<BH", BINARY[name], length)


def cell(kind: ColumnType, value: Any, tds: Version) -> bytes:
    """The bytes of a value in a ROW."""
    name = kind.name
    if is_lob(kind, tds):
        return _lob(_text_bytes(kind, value))
    if name in UNICODE or name in CODED or name in BINARY:
        return _variable(kind, value)
    if value is None:
        return b"\0\0\0\0" if name == "sql_variant" else b"\0"
    if name == "sql_variant":
        return _variant(kind, value)
    data = _fixed(kind, value)
    return bytes([len(data)]) + data


def _variable(kind: ColumnType, value: Any) -> bytes:
    data = _text_bytes(kind, value)
    if kind.length == MAX:
        if data is None:
            return PLP_NULL
        out = bytearray(struct.pack("<Q", len(data)))
        for at in range(0, len(data), _CHUNK):
            part = data[at : at + _CHUNK]
            out += struct.pack("<I", len(part)) + part
        return bytes(out) + b"\0\0\0\0"
    if data is None:
        return b"\xff\xff"
    return struct.pack("<H", len(data)) + data


def _text_bytes(kind: ColumnType, value: Any) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    text = value if isinstance(value, str) else _as_text(value)
    if kind.name in {"nchar", "nvarchar", "ntext"}:
        return text.encode("utf-16-le", "surrogatepass")
    return text.encode(kind.codec, "replace")


def _as_text(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond:06d}0"
    if isinstance(value, time):
        return f"{value:%H:%M:%S}.{value.microsecond:06d}0"
    return str(value)


def _lob(data: bytes | None) -> bytes:
    """2.2.5.5.2: a text pointer and a time stamp, then the length and the data."""
    if data is None:
        return b"\0"
    return b"\x10" + b"dummy textptr\0\0\0" + b"dummyTS\0" + struct.pack("<I", len(data)) + data


def _variant(kind: ColumnType, value: Any) -> bytes:
    """2.2.5.5.4: the length, the base type, its properties, the data."""
    if isinstance(value, int):
        return struct.pack("<IBBi", 6, 0x38, 0, value)
    data = str(value).encode("utf-16-le")
    head = bytes([0xE7, 7]) + kind.collation + struct.pack("<H", 8000)
    return struct.pack("<I", len(head) + len(data)) + head + data


def _fixed(kind: ColumnType, value: Any) -> bytes:
    name = kind.name
    if name in INT_SIZES:
        return struct.pack(_INT_FORMATS[INT_SIZES[name]], int(value))
    if name == "bit":
        return bytes([bool(value)])
    if name in {"decimal", "numeric"}:
        return _decimal(kind, Decimal(value))
    if name in {"float", "real"}:
        return struct.pack("<d" if name == "float" else "<f", value)
    if name == "datetime":
        days = (value.date() - date(1900, 1, 1)).days
        since = timedelta(
            hours=value.hour,
            minutes=value.minute,
            seconds=value.second,
            microseconds=value.microsecond,
        )
        return struct.pack("<iI", days, round(since / timedelta(microseconds=1) * 3 / 10_000))
    if name == "smalldatetime":
        days = (value.date() - date(1900, 1, 1)).days
        return struct.pack("<HH", days, value.hour * 60 + value.minute)
    if name == "date":
        return _date(value)
    if name == "time":
        return _time(value, kind.scale)
    if name == "datetime2":
        return _time(value.time(), kind.scale) + _date(value.date())
    assert name == "uniqueidentifier"
    return guid_bytes(str(value))


def guid_bytes(text: str) -> bytes:
    """The 16 bytes of a GUID: the first three groups little-endian (2.2.5.5.3)."""
    data = bytes.fromhex(text.replace("-", ""))
    return data[3::-1] + data[5:3:-1] + data[7:5:-1] + data[8:]


def guid_text(data: bytes) -> str:
    """A GUID in upper case from its 16 bytes."""
    digits = (data[3::-1] + data[5:3:-1] + data[7:5:-1] + data[8:]).hex().upper()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _date(value: date) -> bytes:
    return (value - date.min).days.to_bytes(3, "little")


def _time(value: time, scale: int) -> bytes:
    micro = ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond
    units = micro * 10 // int(10 ** (7 - scale))
    return units.to_bytes(time_size(scale), "little")


def time_size(scale: int) -> int:
    """Bytes of a time of day (2.2.5.5.1.8)."""
    return 3 if scale <= 2 else 4 if scale <= 4 else 5


def _decimal_size(precision: int) -> int:
    return 5 if precision <= 9 else 9 if precision <= 19 else 13 if precision <= 28 else 17


def _decimal(kind: ColumnType, value: Decimal) -> bytes:
    whole = int(value.scaleb(kind.scale).to_integral_value())
    size = _decimal_size(kind.precision) - 1
    return bytes([whole >= 0]) + abs(whole).to_bytes(size, "little")
