"""What web logs say apart from rules: how many requests, of what, by whom, with what outcome.

Everything is counted by the numbers of distinct values, so it costs little beside reading. Numbers
of requests are exact. Lists of names (paths, clients) are exact too up to :data:`MOST_NAMES` distinct
ones in a part of the logs; beyond that the rarest are let go, and the report says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from operator import itemgetter
from typing import Any, Final

import numpy as np

from opsproof.logs import times
from opsproof.logs.atoms import number
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

MOST_NAMES: Final = 1 << 17
"""Distinct names that a list is made from."""

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
        self._days += other._days
        for name, total in other._bytes.items():
            self._bytes[name] += total
        for name, counted in vars(self).items():
            if isinstance(counted, _Names):
                counted.merge(getattr(other, name))

    def result(self) -> Traffic | None:
        """What was counted so far; None where there is no web log."""
        if not self._requests:
            return None
        statuses = self._statuses.every()
        return Traffic(
            requests=self._requests,
            statuses=_counts(statuses),
            classes=_counts(_classes(statuses)),
            methods=_counts(self._methods.every()),
            days=tuple(
                Count(name=_day(day), count=count) for day, count in sorted(self._days.items())
            )[-_MOST_DAYS:],
            clients=len(self._clients.every()),
            paths=len(self._paths.every()),
            top_clients=_counts(self._clients.every()),
            top_paths=_counts(self._paths.every(), shown=_shown),
            failed_paths=_counts(self._failed.every(), shown=_shown),
            missed_paths=_counts(self._missed.every(), shown=_shown),
            slow=self._slow,
            slow_paths=_counts(self._slow_paths.every(), shown=_shown),
            slowest_ms=exact(self._slowest) or 0,
            sent_bytes=exact(self._bytes["sc-bytes"]) or 0,
            received_bytes=exact(self._bytes["cs-bytes"]) or 0,
            complete=not any(
                counted.lost for counted in vars(self).values() if isinstance(counted, _Names)
            ),
        )

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
    """How often each name occurred, in bounded memory."""

    def __init__(self) -> None:
        self._total: Counter[str] = Counter()
        self._column: Column | None = None
        self._counts: Longs = np.zeros(0, dtype=np.int64)
        self.lost = False
        """Whether names were let go: the others may be counted too low."""

    def __getstate__(self) -> tuple[Counter[str], bool]:
        """What there is to merge."""
        self._settle()
        return self._total, self.lost

    def __setstate__(self, state: tuple[Counter[str], bool]) -> None:
        """See :meth:`__getstate__`."""
        self.__init__()  # type: ignore[misc]  # an empty one is filled
        self._total, self.lost = state

    def add(self, column: Column, codes: Ints) -> None:
        """Count names by their codes; -1 is none."""
        if self._column is None or self._column.values is not column.values:
            self._settle()
        self._column = column
        counts = np.bincount(codes + 1, minlength=len(column.values) + 1)[1:]
        counts[: len(self._counts)] += self._counts
        self._counts = counts
        if len(self._total) + len(column.values) > MOST_NAMES:
            # Names are let go as soon as there are too many, whatever else the column knows: so
            # which ones are does not depend on what was read before.
            self._settle()

    def merge(self, other: _Names) -> None:
        """Add what another part counted."""
        other._settle()
        self._settle()
        self._total.update(other._total)
        self.lost |= other.lost
        self._bound()

    def every(self) -> Counter[str]:
        """All names with their counts."""
        self._settle()
        return self._total

    def _settle(self) -> None:
        if self._column is not None:
            names = self._column.names()
            occurring = np.flatnonzero(self._counts)
            pairs = zip(occurring.tolist(), self._counts[occurring].tolist(), strict=True)
            self._total.update({names[code]: count for code, count in pairs})
            self._bound()
        self._column, self._counts = None, np.zeros(0, dtype=np.int64)

    def _bound(self) -> None:
        if len(self._total) > MOST_NAMES:
            self._total = Counter(dict(_ranked(self._total)[: MOST_NAMES // 2]))
            self.lost = True


def _ranked(counter: Counter[str]) -> list[tuple[str, int]]:
    """The most frequent first, then by name."""
    return sorted(sorted(counter.items()), key=itemgetter(1), reverse=True)


def _counts(counter: Counter[str], shown: Callable[[str], str] = str) -> tuple[Count, ...]:
    ordered = _ranked(counter)[:MOST]
    return tuple(Count(name=shown(name), count=count) for name, count in ordered)


def _shown(path: str) -> str:
    return text(path)[0]


def _classes(statuses: Counter[str]) -> Counter[str]:
    classes: Counter[str] = Counter()
    for status, count in statuses.items():
        classes[f"{status[:1]}xx" if len(status) == 3 and status.isdecimal() else "other"] += count
    return classes


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
