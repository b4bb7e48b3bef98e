"""LOGIN7: who wants to work with which database, in which dialect of TDS.

Source: [MS-TDS] 2.2.6.4 (LOGIN7), 2.2.7.14 (LOGINACK, versions).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from winlab.wire.tds import TdsError


class Version(IntEnum):
    """TDS versions as LOGIN7 gives them."""

    V7_0 = 0x70000000
    V7_1 = 0x71000001
    V7_2 = 0x72090002
    V7_3A = 0x730A0003
    V7_3B = 0x730B0003
    V7_4 = 0x74000004


def agreed(client: int, server: Version) -> Version:
    """The version both speak: the client's unless the server is older.

    Raises:
        TdsError: the client asks for a version below 7.0.
    """
    found = [one for one in Version if one <= min(client, server)]
    if client == 0x71000000 and server >= Version.V7_1:
        return Version.V7_1
    if not found:
        raise TdsError(f"the client speaks TDS {client:#x}")
    return found[-1]


_FIELDS = (
    "host",
    "user",
    "password",
    "program",
    "server",
    "extension",
    "library",
    "language",
    "database",
)
_INTEGRATED = 0x80


@dataclass(frozen=True)
class Login:
    """A client's LOGIN7. ``integrated`` means Windows authentication by SSPI."""

    tds: int
    packet_size: int
    host: str
    user: str
    password: str
    program: str
    server: str
    library: str
    language: str
    database: str
    integrated: bool

    def __repr__(self) -> str:
        """Without the password."""
        return f"Login(user={self.user!r}, database={self.database!r}, program={self.program!r})"


def read_login(data: bytes) -> Login:
    """Raises :class:`TdsError` for a message whose fields point outside of it."""
    # 7.0 and 7.1 end the fixed part after AtchDBFile.
    if len(data) < 86:
        raise TdsError("LOGIN7 is too short")
    length, tds, packet_size = struct.unpack_from("<III", data)
    if length > len(data):
        raise TdsError("LOGIN7 is shorter than it says")
    flags2 = data[25]
    values: dict[str, str] = {}
    for number, name in enumerate(_FIELDS):
        offset, count = struct.unpack_from("<HH", data, 36 + 4 * number)
        raw = data[offset : offset + 2 * count]
        if name == "extension":
            continue
        if len(raw) != 2 * count:
            raise TdsError(f"the field {name} of LOGIN7 points outside of it")
        if name == "password":
            raw = clear_password(raw)
        values[name] = raw.decode("utf-16-le", "replace")
    return Login(tds=tds, packet_size=packet_size, integrated=bool(flags2 & _INTEGRATED), **values)


def clear_password(data: bytes) -> bytes:
    """Undo what hides a password: each byte XOR 0xA5, its halves swapped (2.2.6.4)."""
    out = bytearray()
    for byte in data:
        plain = byte ^ 0xA5
        out.append((plain << 4 | plain >> 4) & 0xFF)
    return bytes(out)
