"""A strict reader of DER (ITU-T X.690 section 10): definite, shortest lengths and nothing left over."""

from __future__ import annotations

from dataclasses import dataclass


class MalformedDerError(ValueError):
    """The bytes are not DER, or not the element that was expected."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its identifier octet, its content and all its bytes."""

    tag: int
    content: bytes
    raw: bytes

    def children(self, tag: int) -> list[Element]:
        """The elements inside, when this element has the given identifier octet."""
        if self.tag != tag:
            raise MalformedDerError(f"found tag {self.tag:#04x} where {tag:#04x} belongs")
        found: list[Element] = []
        rest = self.content
        while rest:
            element = _first(rest)
            found.append(element)
            rest = rest[len(element.raw) :]
        return found


def read_one(data: bytes) -> Element:
    """The element that ``data`` is, whole."""
    element = _first(data)
    if len(element.raw) != len(data):
        raise MalformedDerError(f"{len(data) - len(element.raw)} bytes follow the element")
    return element


def _first(data: bytes) -> Element:
    if len(data) < 2:
        raise MalformedDerError("the data ends inside an element")
    size, start = data[1], 2
    if size >= 0x80:
        octets = size & 0x7F
        start += octets
        size = int.from_bytes(data[2:start], "big")
        if octets == 0 or len(data) < start or size < 0x80 or data[2] == 0:
            raise MalformedDerError("a length is not in its shortest form")
    if len(data) < start + size:
        raise MalformedDerError("the data ends inside an element")
    return Element(data[0], data[start : start + size], data[: start + size])
