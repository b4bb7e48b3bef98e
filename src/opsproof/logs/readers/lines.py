"""Text logs in blocks of whole lines, in bounded memory whatever the file holds.

IIS writes UTF-8 or the system's code page, as it is set up ("Logging" on Microsoft Learn, encoding),
and never UTF-16. But Notepad and Windows PowerShell's ``>`` do, so a copy of a log may be that.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from opsproof.logs.readers.base import Cut, Damage, Notes
from opsproof.logs.readers.undecoded import ERRORS, MARK, told

BLOCK: Final = 1 << 20
LONGEST: Final = 1 << 20
"""Bytes of the longest line that is read. HTTP.sys refuses requests far shorter than that."""

_START: Final = Cut()
_MARK: Final = b"\xef\xbb\xbf"
_FEED: Final = ord("\n")


PADDING: Final = 256
"""Bytes behind a block that may be read though they are not of it."""

_COUNTED: Final = 1 << 18
"""Bytes that are looked at together: they and what is made of them stay in a core's cache."""


_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")

_GB2312: Final = re.compile(rb"(?:[\x00-\x7f]|[\xa1-\xa9\xb0-\xf7][\xa1-\xfe])*")
"""Text in the code page of Chinese Windows, of the characters that are in use. Western text that is
not UTF-8 hardly ever is this: it has single letters between ASCII, not pairs.
"""


class Bytes(Protocol):
    """What is read of an open file."""

    def read(self, size: int, /) -> bytes:
        """Bytes, at most so many; none at the end."""

    def seek(self, offset: int, /) -> int:
        """Go to a place: the beginning, or one in what was read last."""


class _Utf8:
    """A text file in UTF-16 as if it were in UTF-8. Only its beginning can be sought, and what was
    read last.
    """

    def __init__(self, text: io.TextIOWrapper, notes: Notes) -> None:
        self._text, self._notes = text, notes
        self._told = 0
        self._begin()

    def _begin(self) -> None:
        self._offset, self._last, self._next, self._line = 0, b"", 0, 1

    def read(self, size: int, /) -> bytes:
        self._offset += self._next
        self._last = self._last[self._next :]
        while len(self._last) < size and (more := self._text.read(size)):
            self._last += (self._without_marks(more) if MARK in more else more).encode()
            self._line += more.count("\n")
        self._next = min(size, len(self._last))
        return self._last[: self._next]

    def _without_marks(self, text: str) -> str:
        """What bytes of no text stand for; each line is told of once, though it may come in pieces."""
        for number, line in enumerate(text.split("\n"), self._line):
            if MARK in line and number > self._told:
                self._told = number
                told(line, number, "UTF-16", self._notes)
        return text.replace(MARK, "\ufffd")

    def seek(self, offset: int, /) -> int:
        self._next = offset - self._offset
        if not 0 <= self._next <= len(self._last):
            self._text.seek(0)
            self._begin()
        return offset


def is_utf_16(head: bytes) -> bool:
    """Whether a file that begins with these bytes says that it is in UTF-16."""
    return head.startswith(_UTF_16)


def as_utf_8(head: bytes) -> bytes:
    """The beginning of a text file as UTF-8."""
    return head.decode("utf-16", "replace").encode() if is_utf_16(head) else head


@contextmanager
def opened(path: Path, notes: Notes) -> Iterator[Bytes]:
    """A text log to read as UTF-8. Of one in UTF-16 damage has lines, and no offsets of its bytes."""
    with path.open("rb") as file:
        head = file.read(2)
        file.seek(0)
        if not is_utf_16(head):
            yield file
            return
        with io.TextIOWrapper(file, encoding="utf-16", errors=ERRORS, newline="") as text:
            yield _Utf8(text, notes)
    notes.damage = [replace(one, offset=None) for one in notes.damage]


@dataclass(slots=True)
class Block:
    """Whole lines: ``number`` of the first, from 1, and ``offset`` of its first byte in the file.

    They are the first ``size`` bytes of ``padded``, and :data:`PADDING` or more follow. The last is a
    line feed, which the file lacks where ``finished`` is False. ``lines`` is how many they are: who
    counts them says so here, else they are counted when the next block is asked for.
    """

    number: int
    offset: int
    padded: bytes
    size: int
    finished: bool = True
    lines: int = 0

    @property
    def data(self) -> bytes:
        """The lines alone, a copy."""
        return self.padded[: self.size]

    @property
    def array(self) -> npt.NDArray[np.uint8]:
        """The lines alone, as numpy sees them."""
        return np.frombuffer(self.padded, dtype=np.uint8, count=self.size)


def blocks(
    file: Bytes, notes: Notes, begin: Cut = _START, stop: int | None = None
) -> Iterator[Block]:
    """The file in blocks, from ``begin`` to the byte ``stop``, where lines begin and end.

    A line that is too long is noted and left out.
    """
    offset, number, reach = begin.offset, begin.line, BLOCK
    stop = (1 << 62) if stop is None else stop
    while offset < stop:
        # Each block is read from where the last line broke off: no bytes are put together. The last
        # one of a part is not to be a few lines only: what is left over goes with it.
        left = stop - offset
        size = left if left < reach + BLOCK // 4 else reach
        file.seek(offset)
        padded = file.read(size + PADDING)
        size = min(size, len(padded))
        end = padded.rfind(b"\n", 0, size) + 1
        if end:
            reach = BLOCK
            padded = padded if len(padded) - end >= PADDING else padded + bytes(PADDING)
            block = Block(number, offset, padded, end)
            yield block
            number += block.lines or feeds(block.array)
            offset += end
        elif size > LONGEST:
            note_long(offset, number, notes)
            offset = _skip(file, offset + size, stop)
            number += 1
        elif reach <= size < left:
            reach *= 2
        elif size:
            padded = b"".join((padded[:size], b"\n", bytes(PADDING)))
            yield Block(number, offset, padded, size + 1, finished=False)
            return
        else:
            return


def feeds(data: npt.NDArray[np.uint8]) -> int:
    """The number of line feeds."""
    found = np.empty(_COUNTED, dtype=np.bool_)
    count = 0
    for at in range(0, len(data), _COUNTED):
        piece = data[at : at + _COUNTED]
        count += int(np.count_nonzero(np.equal(piece, _FEED, out=found[: len(piece)])))
    return count


def note_long(offset: int, number: int, notes: Notes) -> None:
    """Note a line that is too long to be read."""
    what = f"a line is longer than {LONGEST} bytes"
    notes.damaged(Damage(what, offset=offset, record=number, records=1))


def _skip(file: Bytes, offset: int, stop: int) -> int:
    """Where the next line begins."""
    file.seek(offset)
    while piece := file.read(min(BLOCK, stop - offset)):
        end = piece.find(b"\n")
        if end != -1:
            return offset + end + 1
        offset += len(piece)
    return offset


def decode(value: bytes) -> str:
    """Text as UTF-8; what is none as Chinese Windows writes it, or as Latin-1, which keeps every byte."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("gb18030" if _GB2312.fullmatch(value) else "latin-1", "replace")


def cleaned(line: bytes, number: int, offset: int, notes: Notes) -> str:
    """One line as text: byte-order mark, NUL bytes and the carriage return dropped."""
    if b"\0" in line:
        # HTTP.sys writes its buffer as a whole: after a crash the unwritten part is NUL bytes.
        kept = line.replace(b"\0", b"")
        what = f"{len(line) - len(kept)} NUL bytes, as a crash leaves them"
        notes.damaged(Damage(what, offset=offset, record=number))
        line = kept
    return decode(line.removeprefix(_MARK) if number == 1 else line).rstrip("\r\n")
