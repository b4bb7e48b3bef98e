"""Correlations: rules on several records within a span of time.

Windows slide and include both ends: records at 10:00:00 and 10:05:00 are within five minutes. There
are no clock buckets, so no burst is missed for straddling one. For every record the window that ends
with it is looked at; windows that fulfil the condition and share a record are one burst, reported
once with first, last, peak and members. Cost is n log n: one sort, then passes over arrays (numpy).

Percentiles are nearest-rank: the value at place ceil(p/100 x n) of the n sorted values.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from opsproof.logs.rules.compiled import Correlation, Tree
from opsproof.logs.table import Longs, Mask

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Entries:
    """What a correlation looks at, sorted by group, then time, then record.

    ``group`` numbers the group of each entry, ``input`` the rule that found it, ``value`` what is
    counted (codes of distinct values) or summed (numbers).
    """

    group: Longs
    time: Longs
    input: Longs
    value: npt.NDArray[Any]

    def __len__(self) -> int:
        """The number of entries."""
        return len(self.time)


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows that fulfil a condition: entries ``start`` to ``stop`` (excluded), and their value."""

    start: Longs
    stop: Longs
    value: npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Found:
    """A burst: entries ``start`` to ``stop`` (excluded), and the greatest value of any window."""

    start: int
    stop: int
    peak: int


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
    if not len(entries):
        nothing = np.empty(0, dtype=np.int64)
        return Windows(nothing, nothing, nothing)
    starts = window_starts(entries.group, entries.time, correlation.span)
    if correlation.type == "temporal_ordered":
        return _ordered(correlation, entries, starts)
    if correlation.type == "temporal":
        return _temporal(correlation, entries, starts)
    ends = np.arange(1, len(entries) + 1)
    if correlation.type == "value_percentile":
        return _percentile(correlation, entries, starts, ends)
    value, base = _measure(correlation, entries, starts, ends)
    holds = np.flatnonzero(_HOLDS[correlation.op](value, base * correlation.count))
    measured = value if correlation.type != "value_avg" else value // base
    return Windows(starts[holds], holds + 1, measured[holds])


def bursts(correlation: Correlation, entries: Entries, found: Windows) -> list[Found]:
    """Windows that share a record, as one."""
    if not len(found.start):
        return []
    # Starts never go back, so a window begins a new burst when it begins behind all before it.
    new = np.flatnonzero(found.start[1:] >= np.maximum.accumulate(found.stop)[:-1]) + 1
    begins = np.concatenate(([0], new))
    ends = np.concatenate((new, [len(found.start)]))
    merged = []
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        start, stop = int(found.start[begin:end].min()), int(found.stop[end - 1])
        peak = int(found.value[begin:end].max())
        if correlation.type == "value_percentile":
            values = np.sort(entries.value[start:stop])
            peak = int(values[_rank(correlation.percentile, len(values)) - 1])
        merged.append(Found(start, stop, peak))
    return merged


def window_starts(group: Longs, time: Longs, span: int) -> Longs:
    """For each entry the first entry of its group that is at most ``span`` before it.

    Gaps between neighbours are cut to ``span + 1`` and groups set that far apart: within a window
    nothing changes, and one binary search over the sum of gaps serves all groups.
    """
    span = min(span, 1 << 61)
    gaps = np.diff(time, prepend=time[:1])
    gaps[1:][group[1:] != group[:-1]] = span + 1
    if len(time) * (span + 1) < 1 << 62:
        line = np.cumsum(np.minimum(gaps, span + 1))
        return np.searchsorted(line, line - span, side="left").astype(np.int64)
    # Spans of years over millions of records do not fit into 64 bits: group by group then.
    starts = np.empty(len(time), dtype=np.int64)
    edges = [0, *(np.flatnonzero(group[1:] != group[:-1]) + 1).tolist(), len(time)]
    for begin, end in pairwise(edges):
        part = time[begin:end]
        starts[begin:end] = begin + np.searchsorted(part, part - span, side="left")
    return starts


def _measure(
    correlation: Correlation, entries: Entries, starts: Longs, ends: Longs
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The value of each window, and what the condition's count is multiplied with (averages)."""
    one = np.ones(1, dtype=np.int64)
    if correlation.type == "event_count":
        return ends - starts, one
    if correlation.type == "value_count":
        return _distinct(entries, starts), one
    total = np.concatenate((np.zeros(1, dtype=entries.value.dtype), np.cumsum(entries.value)))
    value = total[ends] - total[starts]
    return value, one if correlation.type == "value_sum" else ends - starts


def _distinct(entries: Entries, starts: Longs) -> Longs:
    """Distinct values in each window.

    An entry counts, as the last of its value, in windows from its own up to where its value comes
    again or windows begin behind it.
    """
    size = len(entries)
    # Groups and values are small whole numbers, so a pair of them is one number to sort by.
    pairs = entries.group * (int(entries.value.max()) + 1) + entries.value
    order = np.argsort(pairs, kind="stable")
    again = np.flatnonzero(pairs[order[1:]] == pairs[order[:-1]])
    until = np.searchsorted(starts, np.arange(size), side="right")
    until[order[again]] = np.minimum(until[order[again]], order[again + 1])
    return np.cumsum(1 - np.bincount(until, minlength=size)[:size])


def _rank(percentile: int, count: int) -> int:
    return max(1, -(-percentile * count // 100))


def _percentile(correlation: Correlation, entries: Entries, starts: Longs, ends: Longs) -> Windows:
    """A percentile is at least N exactly if fewer values than its rank are below N: only counting."""
    size = ends - starts
    ranks = np.maximum(1, -(-correlation.percentile * size // 100))
    below = _prefix(entries.value < correlation.count)
    upto = _prefix(entries.value <= correlation.count)
    at_least = below[ends] - below[starts] < ranks
    above = upto[ends] - upto[starts] < ranks
    holds = {
        "ge": at_least,
        "gt": above,
        "lt": ~at_least,
        "le": ~above,
        "eq": at_least & ~above,
        "ne": ~at_least | above,
    }[correlation.op]
    rows = np.flatnonzero(holds)
    return Windows(starts[rows], rows + 1, np.zeros(len(rows), dtype=np.int64))


def _prefix(mask: Mask) -> Longs:
    return np.concatenate(([0], np.cumsum(mask))).astype(np.int64)


def _latest(entries: Entries, number: int) -> Longs:
    """For each entry the last entry up to it that this rule found; -1 for none."""
    places = np.where(entries.input == number, np.arange(len(entries)), -1)
    return np.maximum.accumulate(places)


def _temporal(correlation: Correlation, entries: Entries, starts: Longs) -> Windows:
    """All rules (or as many as asked, or as the expression says) within the window."""
    needed = range(len(correlation.inputs))
    latest = [_latest(entries, number) for number in needed]
    present = [places >= starts for places in latest]
    count = np.sum(present, axis=0)
    if correlation.expression is not None:
        holds = _expression(correlation.expression, present)
    else:
        holds = _HOLDS[correlation.op](count, correlation.count)
    # The window is only as wide as its records need: the earliest of the latest of each rule.
    ends = np.arange(len(entries))
    tight = np.min(
        [np.where(there, places, ends) for there, places in zip(present, latest, strict=True)],
        axis=0,
    )
    rows = np.flatnonzero(holds)
    return Windows(_monotone(tight[rows]), rows + 1, count[rows])


def _expression(tree: Tree, present: list[Mask]) -> Mask:
    if isinstance(tree, int):
        return present[tree]
    parts = [_expression(part, present) for part in tree[1:]]
    if tree[0] == "!":
        return ~parts[0]
    combine = np.logical_and if tree[0] == "&" else np.logical_or
    result: Mask = combine.reduce(parts)
    return result


def _ordered(correlation: Correlation, entries: Entries, starts: Longs) -> Windows:
    """The rules one after another: for each entry the latest beginning of a chain that ends there."""
    size = len(correlation.inputs)
    tree = ["&", *range(size)] if correlation.expression is None else correlation.expression
    ending = _ending(tree, None, entries, starts)
    rows = np.flatnonzero(ending >= starts)
    return Windows(_monotone(ending[rows]), rows + 1, np.full(len(rows), size, dtype=np.int64))


def _ending(tree: Tree, before: Longs | None, entries: Entries, starts: Longs) -> Longs:
    """For each entry the latest beginning of a chain that ends there, -1 for none.

    ``before`` is, for each entry, the latest beginning of what has to be over; None: nothing has to.
    ``&`` is one after another, ``!`` before a part of it means: none since the chain began, or, where
    it begins with that, none within the time span before it.
    """
    if isinstance(tree, int):
        begins = np.arange(len(entries)) if before is None else _shifted(before)
        return np.where(entries.input == tree, begins, -1)
    if tree[0] == "|":
        parts = [_ending(part, before, entries, starts) for part in tree[1:]]
        latest: Longs = np.max(parts, axis=0)
        return latest
    ending: Longs = np.full(len(entries), -1, dtype=np.int64)
    absent: list[Longs] = []
    for part in tree[1:]:
        if isinstance(part, list) and part[0] == "!":
            absent.extend(_latest(entries, number) for number in _leaves(part))
            continue
        if before is None:
            ending = _ending(part, None, entries, starts)
            for last in absent:
                # The last place of the shifted array is that of entries where no chain ends.
                free = np.append(_shifted(last), -1)[ending] < starts
                ending = np.where(free, ending, -1)
        else:
            for last in absent:
                before = np.where(last <= before, before, -1)
            ending = _ending(part, before, entries, starts)
        absent, before = [], np.maximum.accumulate(ending)
    return ending


def _shifted(places: Longs) -> Longs:
    """What holds up to the entry before each."""
    return np.concatenate(([-1], places[:-1]))


def _leaves(tree: Tree) -> list[int]:
    return [tree] if isinstance(tree, int) else [one for part in tree[1:] for one in _leaves(part)]


def _monotone(starts: Longs) -> Longs:
    """Starts that never go back, seen from the end: a later, wider window takes in earlier ones."""
    return np.minimum.accumulate(starts[::-1])[::-1] if len(starts) else starts
