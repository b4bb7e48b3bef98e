"""A small and safe XML reader: bytes -> elements.

A SOAP message must not contain a document type declaration (SOAP 1.2 part 1, 5), so one is
refused as soon as it begins: no entity is ever declared, expanded or fetched. Depth and number of
elements are bounded. Expat is used directly because a request is mostly one text node of 200 KB
and nothing may be copied twice on the way.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from xml.parsers import expat
from xml.sax.saxutils import escape  # only escapes, parses nothing

import msgspec

MAX_DEPTH = 32
MAX_ELEMENTS = 4096
# Shorter texts are not worth a look beside the parser (bytes).
_LONG = 8_192

# Three times as fast as binascii, and stricter: nothing but the alphabet passes.
_strict_base64 = msgspec.json.Decoder(bytes)


class XmlError(ValueError):
    """The bytes are no well-formed XML that SOAP allows; the text says why."""


class Element:
    """One element: ``tag`` is ``{namespace}name``, attributes are named alike."""

    __slots__ = ("attributes", "children", "encoded", "parts", "tag")

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        """An element as yet empty."""
        self.tag = tag
        self.attributes = attributes
        self.children: list[Element] = []
        self.parts: list[str] = []
        self.encoded: tuple[bytes, bytes] | None = None
        """All its text, when that was one long run of base64, and what it decodes to."""

    @property
    def text(self) -> str:
        """The character data directly inside, white space at both ends removed."""
        return self.raw_text.strip()

    @property
    def raw_text(self) -> str:
        """The character data directly inside, as it came."""
        if self.encoded is not None:
            return self.encoded[0].decode("ascii") + "".join(self.parts)
        return "".join(self.parts)

    @property
    def octets(self) -> bytes:
        """The base64 inside, decoded; characters outside the alphabet are passed over.

        Raises ``ValueError`` when what remains is no base64 (RFC 4648, 4).
        """
        if self.encoded is not None and not self.parts:
            return self.encoded[1]
        text = self.raw_text
        decoded = _strictly(text.encode())
        return binascii.a2b_base64(text) if decoded is None else decoded

    def find(self, tag: str) -> Element | None:
        """The first child of that tag."""
        for child in self.children:
            if child.tag == tag:
                return child
        return None

    def find_all(self, tag: str) -> Iterator[Element]:
        """The children of that tag."""
        return (child for child in self.children if child.tag == tag)

    def text_of(self, tag: str) -> str | None:
        """The text of the first child of that tag; None without one."""
        child = self.find(tag)
        return None if child is None else child.text


class _Builder:
    def __init__(self, parser: expat.XMLParserType) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0
        self._parser = parser
        self._begun_at = -1
        self._skipped = 0
        parser.buffer_text = True
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.data
        parser.StartDoctypeDeclHandler = self.doctype

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS or len(self._open) >= MAX_DEPTH:
            raise XmlError("too many or too deeply nested elements")
        if attributes:
            attributes = {_clark(key): value for key, value in attributes.items()}
        element = Element(_clark(name), attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._begun_at = self._parser.CurrentByteIndex

    def end(self, _name: str) -> None:
        self._open.pop()

    def data(self, text: str) -> None:
        self._open[-1].parts.append(text)

    def doctype(self, *_declaration: object) -> None:
        raise XmlError("a document type declaration")

    def feed(self, document: bytes) -> None:
        """Parse it all, but take long runs of base64 past the parser.

        Such a run is taken only between a start tag, which the parser has seen whole, and the next
        tag; so it can be neither in an attribute nor in a comment nor in CDATA.
        """
        fed = 0
        tag = document.find(b"<")
        while tag >= 0:
            following = document.find(b"<", tag + 1)
            if following - tag > _LONG:
                text_at = (document.find(b">", tag, following) + 1) or following
                encoded = document[text_at:following]
                decoded = _strictly(encoded)
                if decoded is not None:
                    self._parser.Parse(document[fed:text_at], False)
                    fed = text_at
                    if self._begun_at + self._skipped == tag and document[text_at - 2] != 0x2F:
                        self._open[-1].encoded = encoded, decoded
                        self._skipped += len(encoded)
                        fed = following
            tag = following
        self._parser.Parse(document[fed:], True)


def _strictly(encoded: bytes) -> bytes | None:
    if b"\\" in encoded:  # JSON has escapes, base64 has none
        return None
    try:
        return _strict_base64.decode(b'"%b"' % encoded)
    except msgspec.MsgspecError:
        return None


def _clark(name: str) -> str:
    return "{" + name if "}" in name else name


def parse(document: bytes) -> Element:
    """Read one document, UTF-8 or UTF-16 by its byte order mark or declaration.

    Raises :class:`XmlError` for anything not well-formed, for a document type declaration and
    for documents beyond ``MAX_DEPTH`` or ``MAX_ELEMENTS``.
    """
    parser = expat.ParserCreate(namespace_separator="}")
    builder = _Builder(parser)
    try:
        if len(document) > _LONG and _is_utf8(document):
            builder.feed(document)
        else:
            parser.Parse(document, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise XmlError(str(error)) from error
    assert builder.root is not None  # expat refuses a document without an element
    return builder.root


def _is_utf8(document: bytes) -> bool:
    start = document[:200].lower()
    return b"\0" not in start and (b"encoding" not in start or b"utf-8" in start)


def attribute(text: str) -> str:
    """Text made safe between double quotes."""
    return escape(text, {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def content(text: str) -> str:
    """Text made safe between tags."""
    return escape(text, {"\r": "&#13;"})
