"""Correlations: rules on several records within a span of time.

Windows slide and include both ends: records at 10:00:00 and 10:05:00 are within five minutes. There
are no clock buckets, so no burst is missed for straddling one. For every record the window that ends
with it is looked at; windows that fulfil the condition and share a record are one burst, reported
once with first, last, peak and members. Cost is n log n: one sort, then passes over numbers (numpy).

Memory does not grow with the records: some thousand entries are looked at together, what has to be
known of earlier ones is carried on, and what stands where a window begins is read again there.

Percentiles are nearest-rank: the value at place ceil(p/100 x n) of the n sorted values.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np

from opsproof.logs import aside
from opsproof.logs.aside import Rows, Vector
from opsproof.logs.chains import Beside, Block, InOrder, Seen
from opsproof.logs.distinct import Distinct
from opsproof.logs.rules.compiled import Correlation
from opsproof.logs.table import Longs


@dataclass(frozen=True, slots=True)
class Entries:
    """What a correlation looks at, sorted by group, then time, then record.

    ``group`` numbers the group of each entry, ``input`` the rule that found it, ``value`` what is
    counted or summed; ``half`` is the other half of what is counted, where one number does not say
    it all. What does not fit into memory is put aside in ``folder``.
    """

    folder: Path
    group: Vector
    time: Vector
    input: Vector
    value: Vector
    half: Vector | None = None

    def __len__(self) -> int:
        """The number of entries."""
        return len(self.time)

    @classmethod
    def of(cls, folder: Path, group: Longs, time: Longs, which: Longs, value: Rows) -> Entries:
        """Entries that are in memory."""
        kinds = (np.int64, np.int64, np.int64, value.dtype)
        columns = [Vector(folder, kind) for kind in kinds]
        for column, numbers in zip(columns, (group, time, which, value), strict=True):
            column.append(numbers)
        return cls(folder, *columns)


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows that fulfil a condition: entries ``start`` to ``stop`` (excluded), and their value."""

    start: Vector
    stop: Vector
    value: Vector


@dataclass(frozen=True, slots=True)
class Found:
    """A burst: entries ``start`` to ``stop`` (excluded), and the greatest value of any window."""

    start: int
    stop: int
    peak: int


_Look: TypeAlias = Callable[[Block], Seen]
"""Looks at the next entries."""

_HOLDS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "eq": operator.eq,
    "ne": operator.ne,
}


def windows(correlation: Correlation, entries: Entries) -> Windows:
    """The windows that fulfil the condition, by their last entry."""
    folder = entries.folder
    starts = window_starts(entries, correlation.span)
    look = _look(correlation, entries, starts)
    found = Windows(Vector(folder), Vector(folder), Vector(folder, entries.value.kind))
    for begin, first in starts.blocks():
        block = Block(begin, first, entries.input.read(begin, begin + len(first)))
        seen = look(block)
        found.start.append(seen.start[seen.holds])
        found.stop.append(block.places[seen.holds] + 1)
        found.value.append(seen.value[seen.holds])
    return found


class Bursts:
    """Windows that share an entry, as one."""

    def __init__(self, entries: Entries, found: Windows) -> None:
        """A wide window may take in earlier ones, so they are looked at from the last one on."""
        folder = entries.folder
        self._backwards = Windows(Vector(folder), Vector(folder), Vector(folder, found.value.kind))
        open_: list[Rows] | None = None
        for end in range(len(found.start), 0, -aside.STEP):
            begin = max(0, end - aside.STEP)
            stops, values = found.stop.read(begin, end), found.value.read(begin, end)
            low = np.minimum.accumulate(found.start.read(begin, end)[::-1])[::-1]
            behind = np.iinfo(np.int64).max
            if open_ is not None:
                behind = int(open_[0][0])
                low = np.minimum(low, behind)
            # A burst ends where all later windows begin behind it.
            lasts = np.flatnonzero(np.append(low[1:], behind) >= stops)
            firsts = np.append(0, lasts + 1)
            if firsts[-1] < len(low):
                # Windows behind the last end here are of the burst that is under way.
                assert open_ is not None
                tail = firsts[-1]
                peak = max(values[tail:].max(), open_[2][0])
                open_ = [low[tail : tail + 1], open_[1], np.array([peak])]
            if not len(lasts):
                continue
            parts = [low[firsts[:-1]], stops[lasts], np.maximum.reduceat(values, firsts[:-1])]
            if open_ is not None:
                self._append(open_)
            self._append([part[:0:-1] for part in parts])
            open_ = [part[:1] for part in parts]
        if open_ is not None:
            self._append(open_)

    def _append(self, rows: list[Rows]) -> None:
        kept = self._backwards
        for column, numbers in zip((kept.start, kept.stop, kept.value), rows, strict=True):
            column.append(numbers)

    def __len__(self) -> int:
        """The number of bursts."""
        return len(self._backwards.start)

    def blocks(self) -> Iterator[tuple[Longs, Longs, Rows]]:
        """All bursts in their order, some at a time: starts, stops and peaks."""
        kept = self._backwards
        for end in range(len(self), 0, -aside.STEP):
            begin = max(0, end - aside.STEP)
            start, stop, peak = (
                column.read(begin, end)[::-1] for column in (kept.start, kept.stop, kept.value)
            )
            yield start, stop, peak


def found(correlation: Correlation, entries: Entries, start: int, stop: int, peak: Any) -> Found:
    """One burst. Its percentile is that of all its entries."""
    if correlation.type == "value_percentile":
        rank = _rank(correlation.percentile, stop - start)
        return Found(start, stop, int(_smallest(entries.value, start, stop, int(rank))))
    return Found(start, stop, int(peak))


def window_starts(entries: Entries, span: int) -> Vector:
    """For each entry the first entry of its group that is at most ``span`` before it.

    Gaps between neighbours are cut to ``span + 1`` and groups set that far apart: within a window
    nothing changes, and one search over the sum of gaps serves all groups.
    """
    span = min(span, 1 << 61)
    starts = Vector(entries.folder)
    if len(entries) * (span + 1) >= 1 << 62:
        # Spans of years over millions of records do not fit into 64 bits: group by group then.
        for begin, end in _groups(entries):
            for at in range(begin, end, aside.STEP):
                some = entries.time.read(at, min(end, at + aside.STEP))
                starts.append(entries.time.lower(some - span, begin, end))
        return starts
    line = Vector(entries.folder)
    before: tuple[int, int] | None = None
    total = first = 0
    for begin, time in entries.time.blocks():
        group = entries.group.read(begin, begin + len(time))
        gaps = np.diff(time, prepend=time[:1] if before is None else before[1])
        other = np.diff(group, prepend=group[:1] if before is None else before[0]) != 0
        gaps = np.where(other, span + 1, np.minimum(gaps, span + 1))
        sums = total + np.cumsum(gaps)
        line.append(sums)
        before, total = (int(group[-1]), int(time[-1])), int(sums[-1])
        found = line.lower(sums - span, first, len(line))
        first = int(found[-1])
        starts.append(found)
    return starts


def _groups(entries: Entries) -> Iterator[tuple[int, int]]:
    """Where each group begins and ends."""
    begun, last = 0, None
    for begin, group in entries.group.blocks():
        edges = begin + 1 + np.flatnonzero(np.diff(group))
        if last is not None and group[0] != last:
            edges = np.append(begin, edges)
        for edge in edges.tolist():
            yield begun, edge
            begun = edge
        last = group[-1]
    yield begun, len(entries)


def _look(correlation: Correlation, entries: Entries, starts: Vector) -> _Look:
    if correlation.upper is None:
        return _one(correlation, entries, starts)
    op, count = correlation.upper
    end = msgspec.structs.replace(correlation, op=op, count=count)
    lower, upper = (_one(one, entries, starts) for one in (correlation, end))

    def look(block: Block) -> Seen:
        seen = lower(block)
        return Seen(seen.start, seen.value, seen.holds & upper(block).holds)

    return look


def _one(correlation: Correlation, entries: Entries, starts: Vector) -> _Look:
    holds = _HOLDS[correlation.op]
    if correlation.type == "temporal_ordered":
        return InOrder(correlation)
    if correlation.type == "temporal":
        return Beside(correlation, holds)
    if correlation.type == "value_percentile":
        return _percentiles(correlation, entries)
    if correlation.type in {"value_sum", "value_avg"}:
        return _sums(correlation, entries)
    counted: Callable[[Block], Longs] = _events
    if correlation.type == "value_count":
        counted = Distinct(entries.folder, entries.group, (entries.value, entries.half), starts)

    def look(block: Block) -> Seen:
        values = counted(block)
        return Seen(block.starts, values, holds(values, correlation.count))

    return look


def _events(block: Block) -> Longs:
    return block.places + 1 - block.starts


def _sums(correlation: Correlation, entries: Entries) -> _Look:
    total = _prefix(entries.value, lambda values: values)
    average = correlation.type == "value_avg"

    def look(block: Block) -> Seen:
        value = _within(total, block)
        events = _events(block) if average else np.ones(1, dtype=np.int64)
        holds = _HOLDS[correlation.op](value, events * correlation.count)
        return Seen(block.starts, value // events if average else value, holds)

    return look


def _percentiles(correlation: Correlation, entries: Entries) -> _Look:
    """A percentile is at least N exactly if fewer values than its rank are below N: only counting."""
    below = _prefix(entries.value, lambda values: (values < correlation.count).astype(np.int64))
    upto = _prefix(entries.value, lambda values: (values <= correlation.count).astype(np.int64))

    def look(block: Block) -> Seen:
        ranks = _rank(correlation.percentile, _events(block))
        at_least = _within(below, block) < ranks
        above = _within(upto, block) < ranks
        holds = {
            "ge": at_least,
            "gt": above,
            "lt": ~at_least,
            "le": ~above,
            "eq": at_least & ~above,
            "ne": ~at_least | above,
        }[correlation.op]
        return Seen(block.starts, np.zeros(len(ranks), dtype=entries.value.kind), holds)

    return look


def _rank(percentile: int, count: Any) -> Any:
    return np.maximum(1, -(-percentile * count // 100))


def _prefix(values: Vector, told: Callable[[Rows], Rows]) -> Vector:
    """The sums of what is told of all values before each, and of all."""
    first = told(values.read(0, 0))
    sums = Vector(values.folder, first.dtype)
    last = np.zeros(1, dtype=first.dtype)
    sums.append(last)
    for _, some in values.blocks():
        # The last sum is a number like any other, so that floating point adds in one order.
        block = np.cumsum(np.concatenate((last, told(some))))[1:]
        sums.append(block)
        last = block[-1:]
    return sums


def _within(sums: Vector, block: Block) -> Rows:
    begin, end = int(block.places[0]), int(block.places[-1]) + 1
    within: Rows = sums.read(begin + 1, end + 1) - sums.take(block.starts)
    return within


def _smallest(values: Vector, begin: int, end: int, rank: int) -> Any:
    """The value at this place (from 1) of the sorted ones; many are counted again and again, halving
    what it may be, because sorting them needs all in memory.
    """
    places = [*range(begin, end, aside.STEP), end]
    if len(places) == 2:
        return np.partition(values.read(begin, end), rank - 1)[rank - 1]
    pieces = list(pairwise(places))
    low = min(int(_ascending(values.read(*piece)).min()) for piece in pieces)
    high = max(int(_ascending(values.read(*piece)).max()) for piece in pieces)
    while low < high:
        middle = (low + high) // 2
        upto = sum(
            int(np.count_nonzero(_ascending(values.read(*piece)) <= middle)) for piece in pieces
        )
        low, high = (low, middle) if upto >= rank else (middle + 1, high)
    found = np.array([low])
    return (
        found[0]
        if values.kind == np.int64
        else _ascending(found.view(np.float64)).view(np.float64)[0]
    )


def _ascending(values: Rows) -> Longs:
    """Whole numbers in the order of the values (IEEE 754: those below zero stand backwards)."""
    bits: Longs = values.view(np.int64)
    return bits if values.dtype == np.int64 else bits ^ ((bits >> 63) & np.iinfo(np.int64).max)
