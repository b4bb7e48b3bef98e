"""How often each of any number of names occurred: exact, in bounded memory.

A few thousand names are a dictionary. When it is full, its names are put aside with their counts, and
added up at the end, sorted by digests of the names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from heapq import nsmallest
from itertools import repeat
from operator import add
from struct import Struct
from typing import Any, Final

import numpy as np

from opsproof.logs.aside import Blobs, Rows, Sorter, Vector, folder
from opsproof.logs.table import Longs

_FULL: Final = 1 << 20
"""Bytes that the names in memory may take."""

_PER_NAME: Final = 200
_HALVES: Final = Struct("<qq")
_ROW: Final = 5
"""Two halves of a digest, count, and where the name begins among the texts and how long it is."""

_TEXT: Final = 1 << 20


class Names:
    """Counts names."""

    def __init__(self) -> None:
        """Nothing counted yet."""
        self._counts: Counter[str] = Counter()
        self._bytes = 0
        self._begin()

    def _begin(self) -> None:
        self._rows, self._texts = Vector(folder(), width=_ROW), Blobs(folder())

    def __getstate__(self) -> dict[str, Any]:
        """All of it, for who merges it in another process."""
        rows, texts = self._rows.read(0, len(self._rows)), self._texts.read(0, self._texts.size)
        return {"counts": dict(self._counts), "bytes": self._bytes, "rows": rows, "texts": texts}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """See :meth:`__getstate__`."""
        self._counts, self._bytes = Counter(state["counts"]), state["bytes"]
        self._begin()
        self._rows.append(state["rows"])
        self._texts.append(state["texts"])

    def add(self, counted: Iterable[tuple[str, int]]) -> None:
        """Names and how often each occurred."""
        counts = self._counts
        for name, count in counted:
            if name in counts:
                counts[name] += count
            else:
                counts[name] = count
                self._bytes += len(name) + _PER_NAME
        if self._bytes > _FULL:
            self._put_aside()

    def take(self, counted: dict[str, int]) -> None:
        """Names, each once, and how often each occurred: without a step of Python for each."""
        new = counted.keys() - self._counts.keys()
        totals = list(map(add, counted.values(), map(self._counts.get, counted, repeat(0))))
        dict.update(self._counts, zip(counted, totals, strict=True))
        self._bytes += sum(map(len, new)) + _PER_NAME * len(new)
        if self._bytes > _FULL:
            self._put_aside()

    def merge(self, other: Names) -> None:
        """Add what was counted elsewhere."""
        begin = self._texts.size
        for at in range(0, other._texts.size, _TEXT):
            self._texts.append(other._texts.read(at, min(_TEXT, other._texts.size - at)))
        for _, rows in other._rows.blocks():
            self._rows.append(rows + np.array([0, 0, 0, begin, 0]))
        self.take(other._counts)

    def _put_aside(self) -> None:
        texts = [name.encode("utf-8", "surrogatepass") for name in self._counts]
        sizes = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        begin = self._texts.append(b"".join(texts))
        digests = [_HALVES.unpack(blake2b(text, digest_size=16).digest()) for text in texts]
        counts = np.fromiter(self._counts.values(), dtype=np.int64, count=len(texts))
        begins = begin + np.cumsum(sizes) - sizes
        halves = np.array(digests, dtype=np.int64).reshape(-1, 2)
        self._rows.append(np.column_stack([halves, counts, begins, sizes]))
        self._counts, self._bytes = Counter(), 0

    def result(self, most: int) -> tuple[int, list[tuple[str, int]]]:
        """How many names there are, and the ``most`` frequent ones: by count, then by name."""
        if not len(self._rows):
            ordered = sorted(self._counts.items(), key=lambda pair: (-pair[1], pair[0]))
            return len(self._counts), ordered[:most]
        self._put_aside()
        distinct = Vector(folder(), width=3)
        first: Longs = np.zeros(0, dtype=np.int64)
        for rows in self._together():
            distinct.append(rows)
            first = np.sort(np.concatenate((first, rows[:, 0])))[-most:]
        # Of those as frequent as the last one that is shown, the first ones by name are.
        least = int(first[0]) if len(first) else 0
        found = nsmallest(most, self._named(distinct, least))
        return len(distinct), [(text.decode("utf-8", "surrogatepass"), -one) for one, text in found]

    def _together(self) -> Iterator[Rows]:
        """Count, beginning and size of each distinct name."""
        sorter = Sorter(folder(), _ROW, 4)
        for _, rows in self._rows.blocks():
            # The place of the name orders what is the same, so that it is always the first that stands.
            sorter.add(rows)
        waiting: Rows = np.empty((0, _ROW), dtype=np.int64)
        for block in sorter.sorted():
            rows = np.concatenate((waiting, block))
            if not len(rows):
                continue
            new = np.flatnonzero((rows[1:, :2] != rows[:-1, :2]).any(axis=1)) + 1
            firsts = np.append(0, new)
            summed = rows[firsts]
            summed[:, 2] = np.add.reduceat(rows[:, 2], firsts)
            waiting = summed[-1:]
            yield summed[:-1, 2:]
        yield waiting[:, 2:]

    def _named(self, distinct: Vector, least: int) -> Iterator[tuple[int, bytes]]:
        """Negative count and text of all names that are as frequent as this."""
        for _, rows in distinct.blocks():
            chosen = rows[rows[:, 0] >= least]
            chosen = chosen[np.argsort(chosen[:, 1])]
            at, text = 0, b""
            for count, begin, size in chosen.tolist():
                if begin + size > at + len(text):
                    at, text = begin, self._texts.read(begin, max(size, _TEXT >> 4))
                yield -count, text[begin - at : begin - at + size]
