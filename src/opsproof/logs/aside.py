"""What must not fill the memory: bytes and rows of numbers in nameless files, and sorting them.

A file has no name, so nothing is left of it when the process ends, however it ends. What is small
stays in memory. Rows are only ever read in stretches: nothing is mapped, so that what a process
holds is what it asked for.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from opsproof.errors import OpsproofError
from opsproof.logs.table import Longs

Rows = npt.NDArray[Any]

STEP: Final = 1 << 16
"""Rows that are looked at together."""

_KEPT: Final = 1 << 18
"""Bytes up to which a file stays in memory."""

_RUN: Final = 1 << 23
"""Bytes of rows that are sorted in memory."""

_LEAST: Final = 64
"""Rows of each sorted run that are read together, however many runs there are."""


class AsideError(OpsproofError):
    """There is no room for what an audit keeps on disk while it runs."""

    @classmethod
    def at(cls, place: Path, error: OSError) -> AsideError:
        """What went wrong in this folder."""
        return cls(
            f"what the audit has to put aside cannot be written: {error.strerror}",
            where=str(place),
            remedy="name a folder with more room by TMPDIR, or audit fewer files at a time",
        )


def folder() -> Path:
    """Where to keep what is large: where ``TMPDIR`` says, else ``/var/tmp``, which is for large files
    (Filesystem Hierarchy Standard 3.0, section 5.15), while ``/tmp`` may be memory.
    """
    lasting = Path("/var/tmp")  # noqa: S108 - only nameless files and folders of tempfile go there
    if not os.environ.get("TMPDIR") and os.access(lasting, os.W_OK | os.X_OK):
        return lasting
    return Path(tempfile.gettempdir())


@contextmanager
def _room(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AsideError.at(place, error) from error


class Blobs:
    """Pieces of bytes, each found by where it begins."""

    def __init__(self, folder: Path) -> None:
        """Large ones go to a nameless file in ``folder``."""
        self._folder = folder
        self._kept = bytearray()
        self._file: int | None = None
        self.size = 0
        """Bytes so far."""

    def append(self, data: bytes | memoryview) -> int:
        """Add a piece; returns where it begins. Raises :class:`AsideError` where the disk is full."""
        begin = self.size
        if self._file is None and begin + len(data) <= _KEPT:
            self._kept += data
        else:
            with _room(self._folder):
                if self._file is None:
                    self._file = _nameless(self._folder)
                    weakref.finalize(self, os.close, self._file)
                    _write(self._file, self._kept, 0)
                    self._kept = bytearray()
                _write(self._file, data, begin)
        self.size += len(data)
        return begin

    def read(self, begin: int, size: int) -> bytes:
        """The bytes from ``begin`` on."""
        if self._file is None:
            return bytes(self._kept[begin : begin + size])
        with _room(self._folder):
            pieces = []
            while size and (piece := os.pread(self._file, size, begin)):
                pieces.append(piece)
                begin, size = begin + len(piece), size - len(piece)
            return b"".join(pieces) if len(pieces) != 1 else pieces[0]


def _nameless(folder: Path) -> int:
    """A new file without a name; where the system or the file system knows none, with one for a moment."""
    with suppress(AttributeError, OSError):
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    file, name = tempfile.mkstemp(dir=folder)
    os.unlink(name)  # noqa: PTH108 - a name, not a path
    return file


def _write(file: int, data: bytes | bytearray | memoryview, at: int) -> None:
    left = memoryview(data)
    while left:
        written = os.pwrite(file, left, at)
        left, at = left[written:], at + written


class Vector:
    """Numbers of 64 bits, or rows of them: added at the end, read in stretches."""

    def __init__(self, folder: Path, kind: npt.DTypeLike = np.int64, width: int = 0) -> None:
        """Rows of ``width`` numbers; 0: plain numbers."""
        self.folder = folder
        self.kind: np.dtype[Any] = np.dtype(kind)
        self._blobs = Blobs(folder)
        self._width = width
        self._row = self.kind.itemsize * (width or 1)

    def __len__(self) -> int:
        """The number of rows."""
        return self._blobs.size // self._row

    def append(self, rows: Rows) -> None:
        """Add rows at the end."""
        if len(rows):
            self._blobs.append(np.ascontiguousarray(rows, dtype=self.kind).tobytes())

    def read(self, begin: int, end: int) -> Rows:
        """The rows from ``begin`` to ``end``, or to the last one."""
        end = min(end, len(self))
        data = self._blobs.read(begin * self._row, max(0, end - begin) * self._row)
        rows = np.frombuffer(data, dtype=self.kind)
        return rows.reshape(-1, self._width) if self._width else rows

    def blocks(self) -> Iterator[tuple[int, Rows]]:
        """All rows in stretches, each with the place of its first."""
        for begin in range(0, len(self), STEP):
            yield begin, self.read(begin, begin + STEP)

    def take(self, places: Longs) -> Rows:
        """The rows at these places, which must ascend."""
        found = np.empty((len(places), self._width) if self._width else len(places), self.kind)
        done = 0
        while done < len(places):
            begin = int(places[done])
            piece = self.read(begin, begin + STEP)
            upto = int(np.searchsorted(places, begin + len(piece)))
            found[done:upto] = piece[places[done:upto] - begin]
            done = upto
        return found

    def lower(self, values: Rows, begin: int, end: int) -> Longs:
        """For each of ascending ``values`` the first place that holds as much, or ``end``.

        Numbers must ascend between ``begin`` and ``end``.
        """
        found = np.full(len(values), end, dtype=np.int64)
        done = 0
        while done < len(values) and begin < end:
            piece = self.read(begin, min(end, begin + STEP))
            upto = done + int(np.searchsorted(values[done:], piece[-1], side="right"))
            found[done:upto] = begin + np.searchsorted(piece, values[done:upto])
            done, begin = upto, begin + len(piece)
        return found


class Sorter:
    """Sorts any number of rows of whole numbers: in runs that fit into memory, which are merged."""

    def __init__(self, folder: Path, width: int, keys: int) -> None:
        """Rows of ``width`` numbers, sorted by the first ``keys`` of them."""
        self._folder, self._width, self._keys = folder, width, keys
        self._most = max(1, _RUN // (8 * width))
        self._waiting: list[Rows] = []
        self._count = 0
        self._runs = Vector(folder, width=width)
        self._edges = [0]

    def add(self, rows: Rows) -> None:
        """Take rows in any order."""
        for at in range(0, len(rows), self._most):
            some = rows[at : at + self._most]
            if self._count + len(some) > self._most:
                self._flush()
            self._waiting.append(some)
            self._count += len(some)

    def sorted(self) -> Iterator[Rows]:
        """All rows in their order, some at a time; once."""
        if len(self._edges) == 1:
            rows = self._in_order(self._waiting)
            self._waiting = []
            yield from (rows[at : at + STEP] for at in range(0, len(rows), STEP))
            return
        self._flush()
        yield from self._merged()

    def _flush(self) -> None:
        if self._count:
            self._runs.append(self._in_order(self._waiting))
            self._edges.append(len(self._runs))
        self._waiting, self._count = [], 0

    def _in_order(self, parts: list[Rows]) -> Rows:
        if not parts:
            return np.empty((0, self._width), dtype=np.int64)
        rows = np.concatenate(parts) if len(parts) > 1 else parts[0]
        parts.clear()
        columns = [rows[:, key] for key in range(self._keys - 1, -1, -1)]
        # A column of one number orders nothing, and sorting by it would cost as much as by any.
        telling = [one for one in columns if len(one) and (one[0] != one).any()]
        return rows[np.lexsort(telling)] if telling else rows

    def _merged(self) -> Iterator[Rows]:
        ends = self._edges[1:]
        places = self._edges[:-1]
        share = max(_LEAST, self._most // len(ends))
        loaded: list[Rows] = [self._runs.read(0, 0) for _ in ends]
        while True:
            left = []
            for run, end in enumerate(ends):
                if not len(loaded[run]):
                    loaded[run] = self._runs.read(places[run], min(end, places[run] + share))
                    places[run] += len(loaded[run])
                if len(loaded[run]):
                    left.append(run)
            if not left:
                return
            # What is not loaded yet comes behind the last row of its run's loaded ones.
            more = [tuple(loaded[run][-1, : self._keys]) for run in left if places[run] < ends[run]]
            taken = []
            for run in left:
                count = _upto(loaded[run], min(more), self._keys) if more else len(loaded[run])
                taken.append(loaded[run][:count])
                loaded[run] = loaded[run][count:]
            yield self._in_order(taken)


def _upto(rows: Rows, bound: tuple[Any, ...], keys: int) -> int:
    """How many of sorted rows come before the bound or are as it."""
    same = np.ones(len(rows), dtype=np.bool_)
    before = np.zeros(len(rows), dtype=np.bool_)
    for key in range(keys):
        before |= same & (rows[:, key] < bound[key])
        same &= rows[:, key] == bound[key]
    return int(np.count_nonzero(before | same))
