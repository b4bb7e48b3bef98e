"""Canonical JSON: one value, one sequence of bytes (RFC 8785, JSON Canonicalization Scheme).

Evidence is hashed, so its bytes must not depend on who wrote them. Floats are refused because their
text differs between writers and carries no more truth than an integer in a smaller unit. Integers
from 2^53 up become decimal strings, because JSON readers in other languages hold numbers as
IEEE 754 doubles (RFC 8259 section 6).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
import rfc8785

from opsproof.errors import OpsproofError

LARGEST_PLAIN_INTEGER = 2**53 - 1
_SORTED = msgspec.json.Encoder(order="sorted")
_DECIMAL = re.compile(r"-?[1-9][0-9]{15,}")

T = TypeVar("T")


class CanonicalError(OpsproofError):
    """A value that cannot be evidence: a float, a key that is not text, text that is not Unicode."""


def canonical(value: Any) -> bytes:
    """The canonical bytes of a record or JSON value, without a final line break.

    Raises:
        CanonicalError: naming the path of the first value that has no canonical form.
    """
    if isinstance(value, msgspec.Struct):
        value = msgspec.to_builtins(value)
    if _is_simple(value):
        # msgspec escapes as RFC 8785 does and is twenty times faster; a test holds the two together.
        try:
            return _SORTED.encode(value)
        except UnicodeEncodeError:
            pass
    try:
        return rfc8785.dumps(jsonable(value))
    except rfc8785.CanonicalizationError as error:
        raise CanonicalError(f"has no canonical form: {error}") from error


def canonical_line(value: Any) -> bytes:
    """:func:`canonical` and the line feed that ends a record of a JSON lines file."""
    return canonical(value) + b"\n"


def jsonable(value: Any) -> Any:
    """The value as plain JSON types, integers from 2^53 up as decimal strings.

    Raises:
        CanonicalError: for a float, a key that is not text or a type that JSON has not.
    """
    if isinstance(value, msgspec.Struct):
        value = msgspec.to_builtins(value)
    return _plain(value, "$")


def whole_number(value: Any) -> int | None:
    """The integer that a canonical value stands for; None when it is not a number.

    A decimal string counts only when the integer is too large to be written as a number.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        number = int(value)
        return number if abs(number) > LARGEST_PLAIN_INTEGER else None
    return None


def decode(data: bytes, kind: type[T], *, where: str) -> T:
    """Read one canonical document back as a record.

    A field with a default may be absent: what was sealed before the field existed stays readable.

    Raises:
        CanonicalError: the bytes are not JSON, not such a record, or not in canonical form.
    """
    try:
        record = msgspec.json.decode(data, type=kind)
        written = msgspec.json.decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise CanonicalError(f"is not a {kind.__name__} record: {error}", where=where) from error
    if canonical(written) != data:
        raise CanonicalError("is not in canonical form (RFC 8785)", where=where)
    return record


def decode_lines(data: bytes, kind: type[T], *, where: str) -> list[T]:
    """Read a JSON lines file of canonical records back.

    Raises:
        CanonicalError: naming the first line that is not one, or a last line without its end.
    """
    return list(decode_each(data, kind, where=where))


def decode_each(data: bytes, kind: type[T], *, where: str) -> Iterator[T]:
    """The records of :func:`decode_lines` one by one, for files that make many.

    Raises:
        CanonicalError: as :func:`decode_lines`, when the line is reached.
    """
    if data and not data.endswith(b"\n"):
        number = data.count(b"\n") + 1
        raise CanonicalError("the last line is torn", where=f"{where}:{number}")
    start, number = 0, 0
    while start < len(data):
        end = data.index(b"\n", start)
        number += 1
        yield decode(data[start:end], kind, where=f"{where}:{number}")
        start = end + 1


def _is_simple(value: Any) -> bool:
    """Whether nothing in the value needs care: no float, no large integer, no key beyond ASCII.

    Keys sort by UTF-16 units in RFC 8785 and by code points elsewhere, which is one order in ASCII.
    """
    rest = [value]
    while rest:
        item = rest.pop()
        kind = type(item)
        if kind is str or kind is bool or item is None:
            continue
        if kind is int:
            if not -LARGEST_PLAIN_INTEGER <= item <= LARGEST_PLAIN_INTEGER:
                return False
        elif kind is dict:
            for key in item:
                if type(key) is not str or not key.isascii():
                    return False
            rest += item.values()
        elif kind is list or kind is tuple:
            rest += item
        else:
            return False
    return True


def _plain(value: Any, path: str) -> Any:
    if value is None or isinstance(value, (str, bool)):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, int):
        return int(value) if abs(value) <= LARGEST_PLAIN_INTEGER else str(int(value))
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise CanonicalError(f"the key {key!r} is not text", where=path)
        return {str(key): _plain(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{path}[{n}]") for n, item in enumerate(value)]
    if isinstance(value, float):
        raise CanonicalError(
            f"{value!r} is a float", where=path, remedy="use an integer in a smaller unit"
        )
    raise CanonicalError(f"{type(value).__name__} is not a JSON type", where=path)
