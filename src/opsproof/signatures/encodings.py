"""How signature bytes are written as text, and what transports do to such text.

:func:`decode` is strict: only the one text that :func:`encode` would write is accepted.
:func:`readings` undoes known damage, the least first. It only proposes: whether a proposal is a
signature is decided by verifying it.
"""

from __future__ import annotations

import base64
import binascii
import html
import quopri
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import unquote

from opsproof.signatures.errors import MalformedError

Stored: TypeAlias = str | bytes | None
"""What a column holds."""

_MOST_STEPS = 4
_MOST_TEXTS = 300
_MOST_CHARACTERS = 400_000
"""What is looked at for one value: hostile text must not cost more than a signature is worth."""
_LONGEST = 65536
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_INVISIBLE: Final = dict.fromkeys(
    [0xFEFF, 0x200B, 0x200C, 0x200D, 0x2060, 0x00AD, 0x00A0, 0x3000], None
)
_FULL: Final = {full: full - 0xFEE0 for full in range(0xFF01, 0xFF5F)}


@dataclass(frozen=True, slots=True)
class Reading:
    """Bytes that the stored text may stand for, and the damage undone to get there."""

    data: bytes
    damage: tuple[str, ...]


def encode(data: bytes, encoding: str) -> str | bytes:
    """The one right way to store ``data`` under a profile's encoding."""
    if encoding == "binary":
        return data
    if encoding == "base64":
        return base64.b64encode(data).decode("ascii")
    return data.hex() if encoding == "hex-lower" else data.hex().upper()


def decode(stored: Stored, encoding: str) -> bytes:
    """The bytes of a stored value. Raises :class:`MalformedError` unless it is exactly right."""
    if encoding == "binary":
        if not isinstance(stored, bytes) or not stored:
            raise MalformedError("not bytes")
        return stored
    if not isinstance(stored, str) or not stored:
        raise MalformedError("not text")
    try:
        data = base64.b64decode(stored, validate=True) if encoding == "base64" else _hex(stored)
    except ValueError as error:
        raise MalformedError(f"not {encoding}") from error
    if encode(data, encoding) != stored:
        raise MalformedError(f"not {encoding} as it is written")
    return data


def is_missing(stored: Stored) -> bool:
    """Whether nothing is stored: NULL, nothing, or only blanks and the word NULL."""
    if stored is None:
        return True
    if isinstance(stored, bytes):
        return not stored.strip(b"\0 \t\r\n")
    return stored.translate(_INVISIBLE).strip(" \t\r\n\0").lower() in ("", "null", "none")


def readings(stored: Stored) -> Iterator[Reading]:
    """Everything that the stored value may stand for, each content once, least damage first."""
    seen: set[bytes] = set()
    for reading in _all(stored):
        if reading.data and reading.data not in seen:
            seen.add(reading.data)
            yield reading


def _all(stored: Stored) -> Iterator[Reading]:
    if stored is None or len(stored) > _LONGEST:
        return
    if isinstance(stored, bytes):
        yield Reading(stored, ())
        stripped = stored.rstrip(b"\0")
        if stripped != stored:
            yield Reading(stripped, ("zero-padding",))
        text = _as_text(stored)
        if text is not None:
            for found in _texts(text):
                yield Reading(found.data, ("text-in-binary", *found.damage))
        return
    yield from _texts(stored)


def _as_text(data: bytes) -> str | None:
    for codec in ("utf-16", "utf-8-sig") if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8",):
        try:
            return data.decode(codec)
        except UnicodeDecodeError:
            continue
    return None


def _texts(text: str) -> Iterator[Reading]:
    """Breadth first over the ways to undo damage, so that fewer steps come first."""
    queue: list[tuple[str, tuple[str, ...]]] = [(text, ())]
    seen = {text}
    most = min(_MOST_TEXTS, max(8, _MOST_CHARACTERS // max(1, len(text))))
    for current, damage in queue:
        for name, data in _decoded(current):
            yield Reading(data, damage + name)
            inner = _inner_text(data)
            if inner is not None and inner not in seen and len(seen) < most:
                seen.add(inner)
                queue.append((inner, (*damage, *name, "doubled")))
        if len(damage) >= _MOST_STEPS:
            continue
        for step, undo in _UNDO.items():
            after = undo(current)
            if after and after not in seen and len(seen) < most:
                seen.add(after)
                queue.append((after, (*damage, step)))


def _decoded(text: str) -> Iterator[tuple[tuple[str, ...], bytes]]:
    if _HEX.fullmatch(text):
        wrong = () if text in (text.lower(), text.upper()) else ("mixed-case",)
        yield wrong, bytes.fromhex(text)
    if not _BASE64.fullmatch(text):
        return
    body = text.rstrip("=")
    if len(body) % 4 == 1:
        return
    padded = body + "=" * (-len(body) % 4)
    try:
        data = base64.b64decode(padded, validate=True)
    except binascii.Error:
        return
    damage: tuple[str, ...] = () if padded == text else ("padding",)
    if base64.b64encode(data).decode("ascii") != padded:
        damage = (*damage, "spare-bits")
    yield damage, data


def _inner_text(data: bytes) -> str | None:
    """The text that was encoded a second time, if it looks like base64 or hex itself."""
    if len(data) < 16:
        return None
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        return None
    return text if _BASE64.fullmatch("".join(text.split())) else None


def _hex(text: str) -> bytes:
    if not _HEX.fullmatch(text):
        raise ValueError
    return bytes.fromhex(text)


def _quoted_printable(text: str) -> str:
    if not re.search(r"=(?:[0-9A-Fa-f]{2}|\r?\n)", text):
        return text
    return quopri.decodestring(text.encode("utf-8")).decode("utf-8", "replace")


def _armour(text: str) -> str:
    found = re.search(r"-----BEGIN [A-Z0-9 ]+-----(.*?)-----END [A-Z0-9 ]+-----", text, re.DOTALL)
    return found.group(1).strip() if found else text


def _zero_bytes(text: str) -> str:
    """UTF-16 that was read as a one-byte code page has a zero after every character."""
    return text.replace("\0", "")


_UNDO: Final[dict[str, Callable[[str], str]]] = {
    "byte-order-mark": lambda text: text.removeprefix("\ufeff").removeprefix("ï»¿"),
    "zero-bytes": _zero_bytes,
    "line-breaks": lambda text: re.sub(r"[\r\n]+", "", text),
    "blanks": lambda text: "".join(text.translate(_INVISIBLE).split()),
    # Not stripped first: a signature can begin or end with the plus sign.
    "plus-as-blank": lambda text: text.replace(" ", "+"),
    "edge-blanks": lambda text: text.strip(),
    "url-safe": lambda text: text.replace("-", "+").replace("_", "/"),
    "percent-encoding": lambda text: unquote(text) if "%" in text else text,
    "quoted-printable": _quoted_printable,
    "html-entities": lambda text: html.unescape(text) if "&" in text else text,
    "escapes": lambda text: text.replace("\\r", "\r").replace("\\n", "\n").replace("\\/", "/"),
    "quotes": lambda text: text.strip().strip("\"'"),
    "hex-prefix": lambda text: re.sub(r"^(?:0[xX]|\\x)", "", text.strip()),
    "hex-separators": lambda text: re.sub(r"[: -]", "", text),
    "full-width": lambda text: text.translate(_FULL),
    "armour": _armour,
}
