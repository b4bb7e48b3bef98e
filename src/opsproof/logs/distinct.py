"""How many distinct values stand in each of many windows that slide."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from opsproof.logs import aside
from opsproof.logs.aside import Rows, Sorter, Vector
from opsproof.logs.chains import Block
from opsproof.logs.table import Longs

_NEVER: Final = np.iinfo(np.int64).max
_MOST: Final = 1 << 18
"""Entries that are sorted together where no window goes on behind them."""


class Distinct:
    """Counts from window to window: what comes in that was not there, what goes that is not again."""

    def __init__(
        self, folder: Path, group: Vector, value: tuple[Vector, Vector | None], starts: Vector
    ) -> None:
        """``value`` are the two halves of what is counted, or all of it and None."""
        self._before, self._again = Vector(folder), Vector(folder)
        columns = [group, *(half for half in value if half is not None)]
        for begin, end in _stretches(starts):
            for before, again in _neighbours(folder, columns, begin, end):
                self._before.append(before)
                self._again.append(again)
        self._first = self._count = 0

    def __call__(self, block: Block) -> Longs:
        """The distinct values in the windows that the next entries end."""
        starts, size = block.starts, len(block.starts)
        come = self._before.read(block.begin, block.begin + size) < starts
        gone = np.zeros(size, dtype=np.int64)
        last = int(starts[-1])
        for at in range(self._first, last, aside.STEP):
            again = self._again.read(at, min(last, at + aside.STEP))
            left = np.searchsorted(starts, np.arange(at, at + len(again)), side="right")
            gone += np.bincount(left[again >= left + block.begin], minlength=size)
        counts: Longs = self._count + np.cumsum(come - gone)
        self._first, self._count = last, int(counts[-1])
        return counts


def _stretches(starts: Vector) -> Iterator[tuple[int, int]]:
    """Entries in stretches that no window reaches across, as many together as are quick to sort."""
    begun = last = 0
    for begin, first in starts.blocks():
        cuts = begin + np.flatnonzero(first == np.arange(begin, begin + len(first)))
        while len(cuts) and cuts[-1] > begun + _MOST:
            place = int(np.searchsorted(cuts, begun + _MOST, side="right"))
            cut = max(last, int(cuts[place - 1]) if place else 0)
            cut = cut if cut > begun else int(cuts[place])
            yield begun, cut
            begun = last = cut
        last = int(cuts[-1]) if len(cuts) else last
    if begun < last and len(starts) - begun > _MOST:
        yield begun, last
        begun = last
    yield begun, len(starts)


def _neighbours(
    folder: Path, columns: list[Vector], begin: int, end: int
) -> Iterator[tuple[Longs, Longs]]:
    """For each entry the last one before it, and the next one, of its group and value.

    -1 and a number beyond all stand for none.
    """
    if end - begin <= _MOST:
        keys = [column.read(begin, end) for column in columns]
        order = np.lexsort(keys[::-1])
        same = np.ones(max(0, len(order) - 1), dtype=np.bool_)
        for key in keys:
            placed = key[order]
            same &= placed[1:] == placed[:-1]
        before = np.full(len(order), -1, dtype=np.int64)
        again = np.full(len(order), _NEVER, dtype=np.int64)
        pairs = np.flatnonzero(same)
        before[order[pairs + 1]] = begin + order[pairs]
        again[order[pairs]] = begin + order[pairs + 1]
        yield before, again
        return
    width = len(columns)
    by_value = Sorter(folder, width + 1, width + 1)
    for at in range(begin, end, aside.STEP):
        places = np.arange(at, min(end, at + aside.STEP))
        by_value.add(
            np.column_stack([*(one.read(at, int(places[-1]) + 1) for one in columns), places])
        )
    by_place = Sorter(folder, 3, 1)
    waiting: Rows = np.empty((0, width + 1), dtype=np.int64)
    before_it = -1
    for block in by_value.sorted():
        rows = np.concatenate((waiting, block))
        waiting = rows[-1:]
        before_it = _told(rows, before_it, by_place, whole=False)
    _told(waiting, before_it, by_place, whole=True)
    for block in by_place.sorted():
        yield block[:, 1], block[:, 2]


def _told(rows: Rows, before: int, target: Sorter, *, whole: bool) -> int:
    """Hand on what is known of all rows but the last one, or of all; what stands before that one."""
    places = rows[:, -1]
    same = (rows[1:, :-1] == rows[:-1, :-1]).all(axis=1)
    befores = np.append(before, np.where(same, places[:-1], -1))
    agains = np.append(np.where(same, places[1:], _NEVER), _NEVER)
    told = slice(None) if whole else slice(-1)
    target.add(np.column_stack([places, befores, agains])[told])
    return int(befores[-1])
