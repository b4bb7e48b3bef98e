"""Text logs in blocks of whole lines, in bounded memory whatever the file holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt

from opsproof.logs.readers.base import Cut, Damage, Notes

BLOCK: Final = 1 << 21
LONGEST: Final = 1 << 20
"""Bytes of the longest line that is read. HTTP.sys refuses requests far shorter than that."""

_START: Final = Cut()
_MARK: Final = b"\xef\xbb\xbf"
_FEED: Final = ord("\n")


PADDING: Final = 256
"""Bytes behind a block that may be read though they are not of it."""

_COUNTED: Final = 1 << 18
"""Bytes that are looked at together: they and what is made of them stay in a core's cache."""


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines: ``number`` of the first, from 1, and ``offset`` of its first byte in the file.

    They are the first ``size`` bytes of ``padded``, and :data:`PADDING` or more follow. The last is a
    line feed, which the file lacks where ``finished`` is False.
    """

    number: int
    offset: int
    padded: bytes
    size: int
    finished: bool = True

    @property
    def data(self) -> bytes:
        """The lines alone, a copy."""
        return self.padded[: self.size]


def blocks(
    file: BinaryIO, notes: Notes, begin: Cut = _START, stop: int | None = None
) -> Iterator[Block]:
    """The file in blocks, from ``begin`` to the byte ``stop``, where lines begin and end.

    A line that is too long is noted and left out.
    """
    rest, offset, number = b"", begin.offset, begin.line
    file.seek(offset)
    left = (1 << 62) if stop is None else stop - offset
    while piece := file.read(min(BLOCK, left)):
        left -= len(piece)
        size = len(rest) + len(piece)
        padded = b"".join((rest, piece, bytes(PADDING)))
        end = padded.rfind(b"\n", 0, size) + 1
        if end:
            yield Block(number, offset, padded, end)
            number += feeds(np.frombuffer(padded, dtype=np.uint8, count=end))
            offset += end
        rest = padded[end:size]
        if len(rest) > LONGEST:
            note_long(offset, number, notes)
            offset, rest, left = _skip(file, offset + len(rest), left)
            number += 1
    if rest:
        padded = b"".join((rest, b"\n", bytes(PADDING)))
        yield Block(number, offset, padded, len(rest) + 1, finished=False)


def feeds(data: npt.NDArray[np.uint8]) -> int:
    """The number of line feeds."""
    steps = range(0, len(data), _COUNTED)
    return sum(int(np.count_nonzero(data[at : at + _COUNTED] == _FEED)) for at in steps)


def note_long(offset: int, number: int, notes: Notes) -> None:
    """Note a line that is too long to be read."""
    what = f"a line is longer than {LONGEST} bytes"
    notes.damaged(Damage(what, offset=offset, record=number, records=1))


def _skip(file: BinaryIO, offset: int, left: int) -> tuple[int, bytes, int]:
    """Go on behind the next line end: its offset, what was read behind it, what is left to read."""
    while piece := file.read(min(BLOCK, left)):
        left -= len(piece)
        end = piece.find(b"\n")
        if end != -1:
            return offset + end + 1, piece[end + 1 :], left
        offset += len(piece)
    return offset, b"", left


def decode(value: bytes) -> str:
    """Text as UTF-8; what is none is read as Latin-1, which keeps every byte."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def cleaned(line: bytes, number: int, offset: int, notes: Notes) -> str:
    """One line as text: byte-order mark, NUL bytes and the carriage return dropped."""
    if b"\0" in line:
        # HTTP.sys writes its buffer as a whole: after a crash the unwritten part is NUL bytes.
        kept = line.replace(b"\0", b"")
        what = f"{len(line) - len(kept)} NUL bytes, as a crash leaves them"
        notes.damaged(Damage(what, offset=offset, record=number))
        line = kept
    return decode(line.removeprefix(_MARK) if number == 1 else line).rstrip("\r\n")
