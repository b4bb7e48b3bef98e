"""The MIME framing of encrypted messages; the cipher itself is not here.

Source: [MS-WSMV] 2.2.9.1 (Encrypted Message Types). Clients split by fixed bytes, so tabs, line
ends and the missing blank line after the headers are exact.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

BOUNDARY: Final = b"--Encrypted Boundary"
PROTOCOL: Final = "application/HTTP-SPNEGO-session-encrypted"
CONTENT_TYPE: Final = f'multipart/encrypted;protocol="{PROTOCOL}";boundary="Encrypted Boundary"'
_OCTETS: Final = b"\tContent-Type: application/octet-stream\r\n"
_LENGTH: Final = b";Length="


class SealedError(ValueError):
    """The bytes are no encrypted message."""


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """One encrypted message: signature, cipher text and the length of the plain text."""

    signature: bytes
    data: bytes
    length: int


def is_sealed(content_type: str) -> bool:
    """Whether a Content-Type header announces a message encrypted by SPNEGO."""
    return content_type.startswith("multipart/encrypted") and PROTOCOL in content_type


def unframe(body: bytes) -> Sealed:
    """Take one message apart. Raises :class:`SealedError`."""
    head, found, rest = body.partition(_OCTETS)
    mark = head.find(_LENGTH)
    if not found or mark < 0 or not head.startswith(BOUNDARY + b"\r\n"):
        raise SealedError("no encrypted part")
    digits = head[mark + len(_LENGTH) :].partition(b"\r\n")[0]
    end = len(rest) - len(BOUNDARY) - 4
    if not digits.isdigit() or end < 4 or rest[end:] != BOUNDARY + b"--\r\n":
        raise SealedError("the parts are not closed")
    (size,) = struct.unpack_from("<i", rest)
    if not 0 <= size <= end - 4:
        raise SealedError("the signature is longer than the message")
    return Sealed(signature=rest[4 : 4 + size], data=rest[4 + size : end], length=int(digits))


def frame(message: Sealed) -> bytes:
    """Put one message together."""
    return b"".join(
        (
            BOUNDARY,
            b"\r\n\tContent-Type: ",
            PROTOCOL.encode(),
            b"\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=",
            str(message.length).encode(),
            b"\r\n",
            BOUNDARY,
            b"\r\n",
            _OCTETS,
            struct.pack("<i", len(message.signature)),
            message.signature,
            message.data,
            BOUNDARY,
            b"--\r\n",
        )
    )
