"""TDS packets and the PRELOGIN message: bytes to typed messages and back.

Source: [MS-TDS] 2.2.3 (packets), 2.2.6.5 (PRELOGIN). Only the server's side: requests are read, answers
written.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum

HEADER = 8
DEFAULT_PACKET_SIZE = 4096
MAX_MESSAGE = 64 * 1024 * 1024
"""Bytes of one request; assumed: the lab's own limit (the server's is the batch size, 65,536 packets)."""


class TdsError(Exception):
    """Bytes that are no TDS; the server closes such a connection."""


class PacketType(IntEnum):
    """2.2.3.1.1."""

    SQL_BATCH = 1
    PRE_TDS7_LOGIN = 2
    RPC = 3
    TABULAR_RESULT = 4
    ATTENTION = 6
    BULK_LOAD = 7
    FEDERATED_AUTHENTICATION_TOKEN = 8
    TRANSACTION_MANAGER = 14
    LOGIN7 = 16
    SSPI = 17
    PRELOGIN = 18


_EOM, _IGNORE, _RESET, _RESET_SKIP_TRAN = 0x01, 0x02, 0x08, 0x10


@dataclass(frozen=True)
class Message:
    """One whole request; ``reset`` asks for a reset of the session before it (2.2.3.1.2)."""

    type: PacketType
    data: bytes
    reset: bool = False


@dataclass
class PacketReader:
    """Joins packets to messages, whatever pieces the bytes come in."""

    _buffer: bytearray = field(default_factory=bytearray)
    _parts: bytearray = field(default_factory=bytearray)
    _type: int | None = None
    _reset: bool = False

    def feed(self, data: bytes) -> list[Message]:
        """Take bytes; return the messages that they complete.

        Raises:
            TdsError: a header is impossible, or a message is longer than `MAX_MESSAGE`.
        """
        self._buffer += data
        found = []
        while len(self._buffer) >= HEADER:
            kind, status, length = struct.unpack_from(">BBH", self._buffer)
            if length < HEADER:
                raise TdsError(f"a packet says that it is {length} bytes long")
            if kind not in PacketType._value2member_map_:
                raise TdsError(f"there is no packet of type {kind}")
            if len(self._buffer) < length:
                break
            if self._type is None:
                self._type = kind
                self._reset = bool(status & (_RESET | _RESET_SKIP_TRAN))
            elif kind != self._type and kind != PacketType.ATTENTION:
                raise TdsError("a message changes its type")
            body = bytes(self._buffer[HEADER:length])
            del self._buffer[:length]
            if kind == PacketType.ATTENTION and self._type != kind:
                # 3.3.5.7: an attention ends the message that was being sent.
                self._parts.clear()
                self._type = None
                found.append(Message(PacketType.ATTENTION, b""))
                continue
            self._parts += body
            if len(self._parts) > MAX_MESSAGE:
                raise TdsError(f"a message is longer than {MAX_MESSAGE} bytes")
            if status & _EOM:
                if not status & _IGNORE:
                    found.append(Message(PacketType(self._type), bytes(self._parts), self._reset))
                self._parts.clear()
                self._type = None
        return found


@dataclass
class PacketWriter:
    """Cuts one answer into packets as it grows; nothing is kept but the last, unfinished packet."""

    size: int = DEFAULT_PACKET_SIZE
    spid: int = 0
    type: PacketType = PacketType.TABULAR_RESULT
    _rest: bytearray = field(default_factory=bytearray)
    _number: int = 1

    def write(self, data: bytes) -> bytes:
        """Take more of the answer; return the packets that are full."""
        self._rest += data
        room = self.size - HEADER
        out = bytearray()
        while len(self._rest) > room:
            out += self._packet(bytes(self._rest[:room]), 0)
            del self._rest[:room]
        return bytes(out)

    def end(self) -> bytes:
        """Return the last packet."""
        last = self._packet(bytes(self._rest), _EOM)
        self._rest.clear()
        self._number = 1
        return last

    def _packet(self, body: bytes, status: int) -> bytes:
        header = struct.pack(
            ">BBHHBB", self.type, status, HEADER + len(body), self.spid, self._number & 255, 0
        )
        self._number += 1
        return header + body


class Encryption(IntEnum):
    """2.2.6.5, B_FENCRYPTION."""

    OFF = 0
    ON = 1
    NOT_SUP = 2
    REQ = 3


_VERSION, _ENCRYPTION, _INSTANCE, _THREAD, _MARS, _END = 0, 1, 2, 3, 4, 0xFF


@dataclass(frozen=True)
class Prelogin:
    """A client's PRELOGIN; ``instance`` is "" or the name it wants checked."""

    version: tuple[int, int, int]
    encryption: Encryption
    instance: str
    mars: bool


def read_prelogin(data: bytes) -> Prelogin:
    """Raises :class:`TdsError` for a message whose options point outside of it."""
    options: dict[int, bytes] = {}
    at = 0
    while True:
        if at >= len(data):
            raise TdsError("PRELOGIN has no terminator")
        token = data[at]
        if token == _END:
            break
        if at + 5 > len(data):
            raise TdsError("PRELOGIN ends inside an option")
        offset, length = struct.unpack_from(">HH", data, at + 1)
        if offset + length > len(data):
            raise TdsError("an option of PRELOGIN points outside of it")
        options[token] = data[offset : offset + length]
        at += 5
    version = options.get(_VERSION, b"")
    major, minor, build = struct.unpack_from(">BBH", version.ljust(6, b"\0"))
    wanted = options.get(_ENCRYPTION, b"\x02")[:1] or b"\x02"
    if wanted[0] not in Encryption._value2member_map_:
        raise TdsError(f"there is no encryption option {wanted[0]}")
    instance = options.get(_INSTANCE, b"").rstrip(b"\0").decode("latin-1")
    return Prelogin(
        (major, minor, build), Encryption(wanted[0]), instance, options.get(_MARS, b"")[:1] == b"\1"
    )


def negotiated(client: Encryption, *, forced: bool) -> Encryption:
    """What the server answers (2.2.6.5); ``forced`` is its setting ForceEncryption.

    OFF encrypts the login alone, ON and REQ everything, NOT_SUP nothing. A client without encryption at a
    server that forces it gets REQ, and the connection ends.
    """
    if forced:
        return Encryption.ON if client is Encryption.ON else Encryption.REQ
    if client in {Encryption.ON, Encryption.REQ}:
        return Encryption.ON
    return client


def write_prelogin(
    version: tuple[int, int, int], encryption: Encryption, *, instance_wrong: bool = False
) -> bytes:
    """The server's answer; ``version`` is major, minor and build of the product."""
    values = (
        (_VERSION, struct.pack(">BBHH", *version, 0)),
        (_ENCRYPTION, bytes([encryption])),
        (_INSTANCE, b"\1" if instance_wrong else b"\0"),
        (_THREAD, b""),
        (_MARS, b"\0"),
    )
    offset = 5 * len(values) + 1
    head, body = bytearray(), bytearray()
    for token, value in values:
        head += struct.pack(">BHH", token, offset + len(body), len(value))
        body += value
    return bytes(head) + bytes([_END]) + bytes(body)
