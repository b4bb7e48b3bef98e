"""A small and safe XML reader: bytes -> elements.

A SOAP message must not contain a document type declaration (SOAP 1.2 part 1, 5), so one is
refused as soon as it begins: no entity is ever declared, expanded or fetched. Depth and number of
elements are bounded. Expat is used directly because a request is mostly one text node of 200 KB
and nothing may be copied twice on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.parsers import expat
from xml.sax.saxutils import escape  # only escapes, parses nothing

MAX_DEPTH = 32
MAX_ELEMENTS = 4096


class XmlError(ValueError):
    """The bytes are no well-formed XML that SOAP allows; the text says why."""


class Element:
    """One element: ``tag`` is ``{namespace}name``, attributes are named alike."""

    __slots__ = ("attributes", "children", "parts", "tag")

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        """An element as yet empty."""
        self.tag = tag
        self.attributes = attributes
        self.children: list[Element] = []
        self.parts: list[str] = []

    @property
    def text(self) -> str:
        """The character data directly inside, white space at both ends removed."""
        return "".join(self.parts).strip()

    @property
    def raw_text(self) -> str:
        """The character data directly inside, as it came."""
        return "".join(self.parts)

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
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS or len(self._open) >= MAX_DEPTH:
            raise XmlError("too many or too deeply nested elements")
        element = Element(_clark(name), {_clark(key): value for key, value in attributes.items()})
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, _name: str) -> None:
        self._open.pop()

    def data(self, text: str) -> None:
        self._open[-1].parts.append(text)

    def doctype(self, *_declaration: object) -> None:
        raise XmlError("a document type declaration")


def _clark(name: str) -> str:
    return "{" + name if "}" in name else name


def parse(document: bytes) -> Element:
    """Read one document, UTF-8 or UTF-16 by its byte order mark or declaration.

    Raises :class:`XmlError` for anything not well-formed, for a document type declaration and
    for documents beyond ``MAX_DEPTH`` or ``MAX_ELEMENTS``.
    """
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.buffer_size = 1 << 18
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = builder.doctype
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise XmlError(str(error)) from error
    assert builder.root is not None  # expat refuses a document without an element
    return builder.root


def attribute(text: str) -> str:
    """Text made safe between double quotes."""
    return escape(text, {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def content(text: str) -> str:
    """Text made safe between tags."""
    return escape(text, {"\r": "&#13;"})
