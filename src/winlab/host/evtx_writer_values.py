"""How a value of an event stands in binary XML: type code and bytes.

Types and layouts follow the "Windows XML Event Log (EVTX)" format page of libevtx and MS-EVEN6
section 2.2.12 (BinXml: ValueType). Every function is pure.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from winlab.host.events import Hex, Value, value_text

STRING, UINT8, UINT16, UINT32 = 0x01, 0x04, 0x06, 0x08
INT64, UINT64, BOOL, BINARY = 0x09, 0x0A, 0x0D, 0x0E
GUID, FILETIME, SID, HEX64 = 0x0F, 0x11, 0x13, 0x15
STRING_ARRAY = 0x81

_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


def utf16(text: str) -> bytes:
    """Return text as UTF-16LE; lone surrogates pass, as Windows lets them."""
    return text.encode("utf-16-le", "surrogatepass")


def filetime(when: datetime) -> int:
    """Return a time as FILETIME: units of 100 ns since 1601-01-01 UTC (MS-DTYP 2.3.3)."""
    return (when - _EPOCH) // _TICK * 10


@lru_cache(maxsize=4096)
def guid_bytes(text: str) -> bytes:
    """Return ``{xxxxxxxx-xxxx-...}`` (braces optional) as the 16 bytes of MS-DTYP 2.3.4.2.

    Raises ValueError for text that is no GUID.
    """
    raw = bytes.fromhex(text.strip("{}").replace("-", ""))
    if len(raw) != 16:
        raise ValueError(f"not a GUID: {text}")
    return raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[8:]


@lru_cache(maxsize=4096)
def sid_bytes(text: str) -> bytes:
    """Return ``S-1-5-...`` as a binary SID (MS-DTYP 2.4.2.2); ValueError if it is none."""
    parts = text.split("-")
    if len(parts) < 3 or parts[0] != "S":
        raise ValueError(f"not a SID: {text}")
    revision, authority, *subs = (int(part) for part in parts[1:])
    head = bytes((revision, len(subs))) + authority.to_bytes(6, "big")
    return head + struct.pack(f"<{len(subs)}I", *subs)


def typed(value: Value) -> tuple[int, bytes]:
    """Return the type code and the bytes of one value."""
    if isinstance(value, str):
        return STRING, utf16(value)
    if isinstance(value, bool):
        return BOOL, struct.pack("<I", value)
    if isinstance(value, Hex):
        return HEX64, struct.pack("<Q", value)
    if isinstance(value, int):
        if value < 0:
            return INT64, struct.pack("<q", value)
        return (
            (UINT32, struct.pack("<I", value))
            if value >> 32 == 0
            else (
                UINT64,
                struct.pack("<Q", value),
            )
        )
    if isinstance(value, bytes):
        return BINARY, value
    return FILETIME, struct.pack("<Q", filetime(value))


def string_array(values: list[Value]) -> tuple[int, bytes]:
    """Return the insertion strings of a classic event: one array, each string NUL-terminated."""
    return STRING_ARRAY, b"".join(utf16(value_text(value)) + b"\0\0" for value in values)
