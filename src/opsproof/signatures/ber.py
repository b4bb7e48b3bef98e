"""Messages of indefinite length (X.690 section 8.1.3.6) as what they would be with definite ones.

Signers that write while they read, such as those of Java or ``openssl cms -stream``, do not know lengths
when they begin. Only what is indefinite from the outside in is written anew: what has a length, such as
a certificate or the signed attributes, stays byte for byte.
"""

from __future__ import annotations

from typing import Final

from opsproof.evidence.der import MalformedDerError, element_at, read_one, tlv

_DEEPEST: Final = 12
_MOST_PARTS: Final = 10_000
_CONSTRUCTED: Final = 0x20
_OCTETS: Final = 0x04
_END: Final = b"\x00\x00"


def definite(data: bytes) -> bytes:
    """The message with lengths; as it is where it has them. Raises :class:`MalformedDerError`."""
    if data[1:2] != b"\x80":
        return data
    written, end = _written(data, 0, _DEEPEST)
    if end != len(data):
        raise MalformedDerError(f"{len(data) - end} bytes follow the element")
    return written


def _written(data: bytes, at: int, deepest: int) -> tuple[bytes, int]:
    """The element that begins there, and where it ends."""
    if data[at + 1 : at + 2] != b"\x80":
        raw = element_at(data, at).raw
        return raw, at + len(raw)
    if not data[at] & _CONSTRUCTED or not deepest:
        raise MalformedDerError("a length is not understood")
    tag, at = data[at], at + 2
    parts: list[bytes] = []
    while data[at : at + 2] != _END:
        part, at = _written(data, at, deepest - 1)
        parts.append(part)
        if len(parts) > _MOST_PARTS:
            raise MalformedDerError("it has too many parts")
    if tag == _OCTETS | _CONSTRUCTED:
        octets = [read_one(part) for part in parts]
        if any(one.tag != _OCTETS for one in octets):
            raise MalformedDerError("a part of an octet string is none")
        return tlv(_OCTETS, b"".join(one.content for one in octets)), at + 2
    return tlv(tag, b"".join(parts)), at + 2
