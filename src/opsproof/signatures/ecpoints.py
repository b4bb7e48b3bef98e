"""Two integers as DER ``SEQUENCE { r INTEGER, s INTEGER }`` or as fixed-length ``r || s``.

RFC 3279 section 2.2.3 (ECDSA-Sig-Value) and GB/T 35276-2017 section 7.3 (SM2Signature) are the DER
form; ``r || s`` is what PKCS#11 (section 2.3.1 "EC signatures") and many Chinese devices return.
"""

from __future__ import annotations

from opsproof.evidence.der import MalformedDerError, read_one
from opsproof.signatures.errors import MalformedError

_SEQUENCE, _INTEGER = 0x30, 0x02


def der_to_numbers(data: bytes) -> tuple[int, int]:
    """``(r, s)``, both positive. Raises :class:`MalformedError` for anything but strict DER."""
    try:
        parts = read_one(data).children(_SEQUENCE)
    except MalformedDerError as error:
        raise MalformedError(str(error)) from error
    if len(parts) != 2 or any(part.tag != _INTEGER or not part.content for part in parts):
        raise MalformedError("not two integers")
    for part in parts:
        lead = part.content[0]
        if lead & 0x80:
            raise MalformedError("an integer is negative")
        if lead == 0 and (len(part.content) == 1 or not part.content[1] & 0x80):
            raise MalformedError("an integer is zero or not in its shortest form")
    return int.from_bytes(parts[0].content, "big"), int.from_bytes(parts[1].content, "big")


def numbers_to_der(r: int, s: int) -> bytes:
    """The DER form of two positive integers."""
    body = _integer(r) + _integer(s)
    return bytes([_SEQUENCE]) + _length(len(body)) + body


def der_to_raw(data: bytes, size: int) -> bytes:
    """``r || s`` of ``size`` bytes each. Raises :class:`MalformedError` when one does not fit."""
    r, s = der_to_numbers(data)
    try:
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    except OverflowError as error:
        raise MalformedError("an integer is larger than the curve's order") from error


def raw_to_der(data: bytes, size: int) -> bytes:
    """The DER form of ``r || s``. Raises :class:`MalformedError` for another length."""
    if len(data) != 2 * size:
        raise MalformedError(f"{len(data)} bytes are not r || s of {2 * size}")
    r, s = int.from_bytes(data[:size], "big"), int.from_bytes(data[size:], "big")
    if not r or not s:
        raise MalformedError("an integer is zero")
    return numbers_to_der(r, s)


def _integer(value: int) -> bytes:
    content = value.to_bytes(value.bit_length() // 8 + 1, "big")
    return bytes([_INTEGER]) + _length(len(content)) + content


def _length(size: int) -> bytes:
    if size < 0x80:
        return bytes([size])
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets
