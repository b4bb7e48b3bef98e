"""What web logs say apart from rules: how many requests, of what, by whom, with what outcome.

Everything is counted by the numbers of distinct values, so it costs little beside reading. All of it
is exact, however many paths and clients there are (:mod:`opsproof.logs.counts`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

import numpy as np

from opsproof.logs import times
from opsproof.logs.atoms import number
from opsproof.logs.counts import Names
from opsproof.logs.model import Count, Traffic, exact
from opsproof.logs.parsed import Parsed
from opsproof.logs.redact import text
from opsproof.logs.table import Column, Ints, Longs, Mask, Table

WANTED: Final = frozenset(
    {
        "_kind",
        "c-ip",
        "cs-bytes",
        "cs-method",
        "cs-uri-stem",
        "sc-bytes",
        "sc-status",
        "time-taken",
    }
)
"""The fields that are counted, lower-cased."""

SLOW: Final = 5000
"""Milliseconds from which on a request is slow."""

MOST: Final = 20
"""Rows of each list."""

_MOST: Final = 1 << 62

_DAY: Final = 86_400_000_000
_MOST_DAYS: Final = 4000


class TrafficCounter:
    """Counts over all batches of web logs."""

    def __init__(self, read: Mapping[str, Parsed] | None = None) -> None:
        """Nothing counted yet. ``read``: what :func:`numbers` made, for one counter or many."""
        self._requests = self._slow = 0
        self._days: Counter[int] = Counter()
        self._statuses, self._methods = _Names(), _Names()
        self._classes = _Names(_class)
        self._clients, self._paths = _Names(), _Names()
        self._failed, self._missed, self._slow_paths = _Names(), _Names(), _Names()
        self._slowest = 0
        self._bytes = dict.fromkeys(("sc-bytes", "cs-bytes"), 0)
        self._numbers = read or numbers()

    def __getstate__(self) -> dict[str, Any]:
        """What there is to merge."""
        return {**vars(self), "_numbers": None}

    def add(self, table: Table, inside: Mask) -> None:
        """Count the requests of one batch that are ``inside`` the asked time."""
        kind = table.columns.get("_kind")
        if kind is None or "web" not in kind.values:
            return
        every = bool(inside.all())
        self._requests += table.size if every else int(np.count_nonzero(inside))
        self._count_days(table.times[inside])
        dense = _Dense(table, None if every else inside)
        for name, counted in (
            ("sc-status", self._statuses),
            ("sc-status", self._classes),
            ("cs-method", self._methods),
            ("c-ip", self._clients),
            ("cs-uri-stem", self._paths),
        ):
            column = table.columns.get(name)
            if column is not None:
                counted.add(column, dense.codes(name))
        for name in self._bytes:
            column = table.columns.get(name)
            if column is not None:
                self._bytes[name] += _sum(self._numbers[name].table(column)[dense.codes(name)])
        self._count_paths(table, dense)

    def merge(self, other: TrafficCounter) -> None:
        """Add what another part of the audit counted."""
        self._requests += other._requests
        self._slow += other._slow
        self._slowest = max(self._slowest, other._slowest)
        self._days.update(other._days)
        self._latest_days()
        for name, total in other._bytes.items():
            self._bytes[name] += total
        for name, counted in vars(self).items():
            if isinstance(counted, _Names):
                counted.merge(getattr(other, name))

    def result(self) -> Traffic | None:
        """What was counted so far; None where there is no web log."""
        if not self._requests:
            return None
        clients, top_clients = self._clients.result()
        paths, top_paths = self._paths.result(_shown)
        return Traffic(
            requests=self._requests,
            statuses=self._statuses.result()[1],
            classes=self._classes.result()[1],
            methods=self._methods.result()[1],
            days=tuple(
                Count(name=_day(day), count=count) for day, count in sorted(self._days.items())
            )[-_MOST_DAYS:],
            clients=clients,
            paths=paths,
            top_clients=top_clients,
            top_paths=top_paths,
            failed_paths=self._failed.result(_shown)[1],
            missed_paths=self._missed.result(_shown)[1],
            slow=self._slow,
            slow_paths=self._slow_paths.result(_shown)[1],
            slowest_ms=exact(self._slowest) or 0,
            sent_bytes=exact(self._bytes["sc-bytes"]) or 0,
            received_bytes=exact(self._bytes["cs-bytes"]) or 0,
        )

    def _latest_days(self) -> None:
        """Let go of days that are not shown: times may be any."""
        if len(self._days) > 2 * _MOST_DAYS:
            self._days = Counter(dict(sorted(self._days.items())[-_MOST_DAYS:]))

    def _count_days(self, moments: Longs) -> None:
        known = moments[moments != times.UNKNOWN]
        if not len(known):
            return
        days = known // _DAY
        low, high = int(days.min()), int(days.max())
        if low == high:
            self._days[low] += len(days)
        else:
            distinct, counts = np.unique(days, return_counts=True)
            self._days.update(dict(zip(distinct.tolist(), counts.tolist(), strict=True)))
            self._latest_days()

    def _count_paths(self, table: Table, dense: _Dense) -> None:
        """Paths of requests that failed, were not found, or took long."""
        paths = table.columns.get("cs-uri-stem")
        slow = self._slow_ones(table, dense)
        if slow is not None:
            self._slow += int(np.count_nonzero(slow))
        if paths is None:
            return
        for counted, rows in (
            (self._failed, dense.matching("sc-status", lambda status: status.startswith("5"))),
            (self._missed, dense.matching("sc-status", lambda status: status == "404")),
            (self._slow_paths, slow),
        ):
            if rows is not None and rows.any():
                counted.add(paths, dense.codes("cs-uri-stem")[rows])

    def _slow_ones(self, table: Table, dense: _Dense) -> Mask | None:
        column = table.columns.get("time-taken")
        if column is None:
            return None
        taken = self._numbers["time-taken"].table(column)[dense.codes("time-taken")]
        self._slowest = max(self._slowest, int(taken.max(initial=0)))
        slow: Mask = taken >= SLOW
        return slow


class _Dense:
    """The codes of all counted records of a batch, -1 for those without the field."""

    def __init__(self, table: Table, inside: Mask | None) -> None:
        self._table, self._inside = table, inside
        self._codes: dict[str, Ints] = {}

    def codes(self, name: str) -> Ints:
        """The codes of a column that is there."""
        found = self._codes.get(name)
        if found is None:
            column = self._table.columns[name]
            whole = len(column.rows) == self._table.size
            found = column.code_array() if whole else column.dense(self._table.size)
            found = self._codes[name] = found if self._inside is None else found[self._inside]
        return found

    def matching(self, name: str, holds: Callable[[str], bool]) -> Mask | None:
        """The records whose value is as asked; None where there is no such column."""
        column = self._table.columns.get(name)
        if column is None:
            return None
        table = np.zeros(len(column.values) + 1, dtype=np.bool_)  # the last place is that of -1
        table[:-1] = [holds(value) for value in column.names()]
        return table[self.codes(name)]


class _Names:
    """How often each value of a column occurred."""

    def __init__(self, named: Callable[[str], str] = str) -> None:
        """``named`` gives what a value is counted as."""
        self._named = named
        self._names = Names()
        self._column: Column | None = None
        self._counts: Longs = np.zeros(0, dtype=np.int64)

    def __getstate__(self) -> tuple[Callable[[str], str], Names]:
        """What there is to merge."""
        self._settle()
        return self._named, self._names

    def __setstate__(self, state: tuple[Callable[[str], str], Names]) -> None:
        """See :meth:`__getstate__`."""
        self._named, self._names = state
        self._column, self._counts = None, np.zeros(0, dtype=np.int64)

    def add(self, column: Column, codes: Ints) -> None:
        """Count values by their codes; -1 is none."""
        self._count(column, np.bincount(codes + 1, minlength=len(column.values) + 1)[1:])

    def _count(self, column: Column, counts: Longs) -> None:
        """Add counts by codes. They become names where another column comes, or at the end."""
        if self._column is None or self._column.values is not column.values:
            self._settle()
        more, fewer = sorted((counts, self._counts), key=len, reverse=True)
        more[: len(fewer)] += fewer
        self._column, self._counts = column, more

    def merge(self, other: _Names) -> None:
        """Add what another part counted. ``other`` is used up."""
        if other._column is not None:
            self._count(other._column, other._counts)
        self._names.merge(other._names)

    def result(self, shown: Callable[[str], str] = str) -> tuple[int, tuple[Count, ...]]:
        """How many names there are, and the most frequent ones."""
        self._settle()
        distinct, found = self._names.result(MOST)
        return distinct, tuple(Count(name=shown(name), count=count) for name, count in found)

    def _settle(self) -> None:
        if self._column is not None:
            names = self._column.names()
            occurring = np.flatnonzero(self._counts)
            found = map(names.__getitem__, occurring.tolist())
            pairs = zip(found, self._counts[occurring].tolist(), strict=True)
            if self._named is str:
                self._names.take(dict(pairs))
            else:
                self._names.add((self._named(name), count) for name, count in pairs)
        self._column, self._counts = None, np.zeros(0, dtype=np.int64)


def _shown(path: str) -> str:
    return text(path)[0]


def _class(status: str) -> str:
    return f"{status[:1]}xx" if len(status) == 3 and status.isdecimal() else "other"


def _day(day: int) -> str:
    return (times.EPOCH + timedelta(days=day)).date().isoformat()


def numbers() -> dict[str, Parsed]:
    """Reads the numbers of the fields that are numbers, each distinct one once."""
    return {name: Parsed(_whole) for name in ("time-taken", "sc-bytes", "cs-bytes")}


def _whole(value: str) -> int | None:
    """A number as 64 bits hold it."""
    found = number(value)
    return None if found is None else max(-_MOST, min(int(found), _MOST))


def _sum(found: Longs) -> int:
    """The sum of numbers; what is none adds nothing."""
    found = found[found != times.UNKNOWN]
    # In halves: their sums fit into 64 bits, however many records a batch has.
    low = int((found & 0xFFFFFFFF).sum())
    return (int((found >> 32).sum()) << 32) + low
