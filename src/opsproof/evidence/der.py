"""DER (ITU-T X.690 section 10), strictly: definite, shortest lengths and nothing left over."""

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
        at = 0
        while at < len(self.content):
            found.append(element_at(self.content, at))
            at += len(found[-1].raw)
        return found


def read_one(data: bytes) -> Element:
    """The element that ``data`` is, whole."""
    element = element_at(data, 0)
    if len(element.raw) != len(data):
        raise MalformedDerError(f"{len(data) - len(element.raw)} bytes follow the element")
    return element


def element_at(data: bytes, at: int) -> Element:
    """The element that begins there, whatever follows it."""
    if len(data) < at + 2:
        raise MalformedDerError("the data ends inside an element")
    size, start = data[at + 1], at + 2
    if size >= 0x80:
        octets = size & 0x7F
        start += octets
        size = int.from_bytes(data[at + 2 : start], "big")
        if octets == 0 or len(data) < start or size < 0x80 or data[at + 2] == 0:
            raise MalformedDerError("a length is not in its shortest form")
    if len(data) < start + size:
        raise MalformedDerError("the data ends inside an element")
    return Element(data[at], data[start : start + size], data[at : start + size])


def tlv(tag: int, content: bytes) -> bytes:
    """One element with a single identifier octet."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content
