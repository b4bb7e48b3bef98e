"""Correlations: rules on several records within a span of time.

Windows slide and include both ends: records at 10:00:00 and 10:05:00 are within five minutes. There
are no clock buckets, so no burst is missed for straddling one. Windows that overlap and fulfil the
condition are one burst, reported once with first, last, peak and members. Cost is n log n in the
number of records: sort, then two pointers.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from opsproof.logs.rules.compiled import Correlation


class Entry(NamedTuple):
    """One record that a correlation looks at.

    ``rank`` orders records of the same time (file, then record); ``input`` is the index of the rule
    that found it; ``value`` what is counted or summed, empty for plain counts.
    """

    time: int
    rank: int
    input: int
    value: str


@dataclass(frozen=True, slots=True)
class Found:
    """A burst: indices into the group's sorted entries, and the greatest value of any window."""

    start: int
    stop: int
    peak: int


def bursts(correlation: Correlation, entries: Sequence[Entry]) -> list[Found]:
    """The bursts of one group. ``entries`` are sorted."""
    if correlation.type in {"temporal", "temporal_ordered"}:
        windows = _temporal(correlation, entries)
    else:
        windows = _counted(correlation, entries)
    return _merged(windows)


def _merged(windows: Iterable[Found]) -> list[Found]:
    """Windows that share a record become one burst."""
    merged: list[Found] = []
    for window in windows:
        if merged and window.start < merged[-1].stop:
            last = merged[-1]
            merged[-1] = Found(last.start, max(last.stop, window.stop), max(last.peak, window.peak))
        else:
            merged.append(window)
    return merged


_HOLDS: Final[dict[str, Callable[[int, int], bool]]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "eq": operator.eq,
    "ne": operator.ne,
}


def _counted(correlation: Correlation, entries: Sequence[Entry]) -> Iterable[Found]:
    """For each record the window that ends with it: event_count and value_count."""
    holds = _HOLDS[correlation.op]
    distinct: dict[str, int] = {}
    start = 0
    counts_values = correlation.type == "value_count"
    for stop, entry in enumerate(entries, 1):
        if counts_values:
            distinct[entry.value] = distinct.get(entry.value, 0) + 1
        while entries[start].time < entry.time - correlation.span:
            if counts_values:
                value = entries[start].value
                distinct[value] -= 1
                if not distinct[value]:
                    del distinct[value]
            start += 1
        found = len(distinct) if counts_values else stop - start
        if holds(found, correlation.count):
            yield Found(start, stop, found)


def _temporal(correlation: Correlation, entries: Sequence[Entry]) -> Iterable[Found]:
    """For each record the window that ends with it: are all rules in it, in order if asked?"""
    needed = len(correlation.inputs)
    ordered = correlation.type == "temporal_ordered"
    latest: list[int] = [-1] * needed
    chain: list[int] = [-1] * needed
    for index, entry in enumerate(entries):
        earliest = entry.time - correlation.span
        latest[entry.input] = index
        if ordered:
            # chain[k] is the latest possible beginning of a sequence of rules 0..k.
            chain[entry.input] = index if entry.input == 0 else chain[entry.input - 1]
            start = chain[-1] if entry.input == needed - 1 else -1
        else:
            start = min(latest)
        if start >= 0 and entries[start].time >= earliest:
            yield Found(start, index + 1, needed)
