"""Text logs line by line, in bounded memory whatever the file holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from opsproof.logs.readers.base import Damage, Notes

BLOCK: Final = 1 << 22
LONGEST: Final = 1 << 20
"""Bytes of the longest line that is read. HTTP.sys refuses requests far shorter than that."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end: ``number`` from 1, ``offset`` of its first byte in the file."""

    number: int
    offset: int
    text: str
    finished: bool


def lines(file: BinaryIO, notes: Notes) -> Iterator[Line]:
    """The lines of a file. NUL bytes and lines without end are noted and left out.

    Text is UTF-8; a line that is not is read as Latin-1, which keeps every byte.
    """
    rest, offset, number = b"", 0, 0
    while block := file.read(BLOCK):
        pieces = (rest + block).split(b"\n")
        rest = pieces.pop()
        for piece in pieces:
            number += 1
            yield from _line(piece, number, offset, notes, finished=True)
            offset += len(piece) + 1
        if len(rest) > LONGEST:
            number += 1
            what = f"a line is longer than {LONGEST} bytes"
            notes.damage.append(Damage(what, offset=offset, record=number, records=1))
            offset, rest = _skip(file, offset + len(rest))
    if rest:
        yield from _line(rest, number + 1, offset, notes, finished=False)


def _skip(file: BinaryIO, offset: int) -> tuple[int, bytes]:
    """Go on behind the next line end: its offset, and what was read behind it."""
    while block := file.read(BLOCK):
        end = block.find(b"\n")
        if end != -1:
            return offset + end + 1, block[end + 1 :]
        offset += len(block)
    return offset, b""


def _line(
    piece: bytes, number: int, offset: int, notes: Notes, *, finished: bool
) -> Iterator[Line]:
    if b"\0" in piece:
        # HTTP.sys writes its buffer as a whole: after a crash the unwritten part is NUL bytes.
        kept = piece.replace(b"\0", b"")
        what = f"{len(piece) - len(kept)} NUL bytes, as a crash leaves them"
        notes.damage.append(Damage(what, offset=offset, record=number))
        piece = kept
    if len(piece) > LONGEST:
        what = f"a line is longer than {LONGEST} bytes"
        notes.damage.append(Damage(what, offset=offset, record=number, records=1))
        return
    if number == 1:
        piece = piece.removeprefix(b"\xef\xbb\xbf")
    piece = piece.removesuffix(b"\r")
    try:
        text = piece.decode()
    except UnicodeDecodeError:
        text = piece.decode("latin-1")
    if text.strip():
        yield Line(number, offset, text, finished)
