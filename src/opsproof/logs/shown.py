"""Which hits of a rule a report shows where it has too many of them: not the first ones.

Who attacks decides what comes first. A thousand refused requests must not hide the one that was
answered, nor a thousand for one page that for another. So hits are of a *sort* that the server decides
(the status of a request, the id of an event), and within it of a *kind* (the path, the computer). Of a
sort, the first hits of all kinds go before the second ones, and so on; sorts take turns.

What is chosen depends on the hits and their order alone. A part of a log chooses for itself without
losing any that the whole would show: whatever stands before a hit in the part, stands before it in the
whole, too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import count
from typing import Final, TypeAlias

import numpy as np

from opsproof.logs.model import Hit
from opsproof.logs.readers.base import ANY_DATA, KIND
from opsproof.logs.table import Ints, Longs, Table

_BY: Final = {"windows": ("eventid", "computer"), ANY_DATA: ("result", "user")}
_WEB: Final = ("sc-status", "cs-uri-stem")
FIELDS: Final = frozenset({*_WEB, *(name for pair in _BY.values() for name in pair)})
"""The fields that tell the sort and the kind of a hit."""

_LONGEST: Final = 256
"""Characters of a value that tell it from others."""

_Place: TypeAlias = tuple[str, str, int]
"""Sort, kind, and how many of these came before."""


class Shown:
    """The hits of one rule that are shown, at most ``most``."""

    def __init__(self, most: int) -> None:
        """None yet."""
        self._most = most
        self._counts: dict[str, dict[str, int]] = defaultdict(dict)
        self._limits: dict[str, int] = {}
        self._kept: list[tuple[_Place, Hit]] = []

    def __len__(self) -> int:
        """How many are shown."""
        return min(self._most, len(self._kept))

    def choose(self, table: Table, rows: Ints) -> Iterator[tuple[int, _Place]]:
        """Of the hits of the next batch those to :meth:`keep`, by row."""
        chosen: list[tuple[int, _Place]] = []
        for sort, kind, mine in _sorted_out(table, rows):
            rank, useful = self._count(sort, kind, len(mine))
            some = enumerate(mine[:useful].tolist(), rank)
            chosen += [(row, (sort, kind, place)) for place, row in some]
        for row, place in sorted(chosen):
            if place[2] < self._limits.get(place[0], self._most):
                yield row, place

    def keep(self, place: _Place, hit: Hit) -> None:
        """One more hit."""
        self._kept.append((place, hit))
        if len(self._kept) > 2 * self._most:
            self._prune()

    def merge(self, other: Shown) -> None:
        """Take those of a later part. ``other`` is used up."""
        before = {
            (sort, kind): self._count(sort, kind, number)[0]
            for sort, counts in other._counts.items()
            for kind, number in counts.items()
        }
        for (sort, kind, rank), hit in other._kept:
            place = rank + before[sort, kind]
            if kind in self._counts[sort] and place < self._limits.get(sort, self._most):
                self.keep((sort, kind, place), hit)

    def hits(self) -> list[Hit]:
        """The hits that are shown, in the order in which they came."""
        self._prune()
        return [hit for _, hit in self._kept]

    def _count(self, sort: str, kind: str, number: int) -> tuple[int, int]:
        """Count hits: the rank of the first, and how many may be shown.

        Behind ``most`` kinds of a sort no further one is shown, so none is remembered.
        """
        counts = self._counts[sort]
        rank = counts.get(kind, 0)
        if not rank and len(counts) >= self._most:
            return 0, 0
        counts[kind] = rank + number
        return rank, max(0, min(number, self._limits.get(sort, self._most) - rank))

    def _prune(self) -> None:
        """Leave those that are shown; note from which rank on no more of a sort can be."""
        if len(self._kept) <= self._most:
            return
        turns: dict[str, count[int]] = defaultdict(count)
        places = [place for place, _ in self._kept]
        ranked = sorted(range(len(places)), key=lambda at: (places[at][2], at))
        order = sorted((next(turns[places[at][0]]), places[at][0], at) for at in ranked)
        for _, sort, _ in order[self._most :]:
            self._limits[sort] = 0
        self._kept = [self._kept[at] for at in sorted(at for *_, at in order[: self._most])]
        for (sort, _, rank), _ in self._kept:
            if sort in self._limits:
                self._limits[sort] = max(self._limits[sort], rank)


def _sorted_out(table: Table, rows: Ints) -> Iterator[tuple[str, str, Ints]]:
    """The rows by sort and kind; those that come first, first."""
    kinds = table.columns[KIND].values if KIND in table.columns else {}
    plain = next(iter(kinds), "").partition(":")[0].lower()
    first, second = (_texts(table, name, rows) for name in _BY.get(plain, _WEB))
    codes: Longs = first[1].astype(np.int64) << 32 | second[1]
    distinct, begins, inverse = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    groups = np.split(rows[order], np.cumsum(np.bincount(inverse))[:-1])
    for at in np.argsort(begins, kind="stable").tolist():
        code = int(distinct[at])
        yield first[0][code >> 32], second[0][code & 0xFFFFFFFF], groups[at]


def _texts(table: Table, name: str, rows: Ints) -> tuple[list[str], Ints]:
    """The values of a field, and for each of some records the number of its own; the last is none."""
    column = table.columns.get(name)
    if column is None:
        return [""], np.zeros(len(rows), dtype=np.int32)
    have = column.row_array()
    places = np.minimum(np.searchsorted(have, rows), max(0, len(have) - 1))
    codes = np.full(len(rows), len(column.values), dtype=np.int32)
    if len(have):
        found = have[places] == rows
        codes[found] = column.code_array()[places[found]]
    used, numbers = np.unique(codes, return_inverse=True)
    names = column.names()
    texts = [names[code][:_LONGEST] if code < len(names) else "" for code in used.tolist()]
    return texts, numbers.astype(np.int32)
