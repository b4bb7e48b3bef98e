"""What is missing from the logs, or wrong with their order: the gaps of a report."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np

from opsproof.logs import times
from opsproof.logs.model import Cleared, Gap, GapKind
from opsproof.logs.table import Longs, Table

BACKWARDS: Final = 60_000_000
"""Microseconds that a log's time may go back: records of several threads are not in strict order."""

_DAILY: Final = re.compile(r"u?_?(?:ex|in|nc)(\d\d)(\d\d)(\d\d)\.log", re.IGNORECASE)
_MOST_DAYS: Final = 400


@dataclass(slots=True)
class _Order:
    """The order of one channel's records in one file, over batches."""

    last_id: int = -1
    last_time: int = times.UNKNOWN
    holes: int = 0
    missing: int = 0
    first_hole: tuple[int, int] = (0, 0)
    backs: int = 0
    worst: int = 0
    worst_at: int = 0

    def follow(self, ids: Longs, moments: Longs) -> None:
        """Take the next records, in file order."""
        known = moments != times.UNKNOWN
        self._times(moments[known], ids[known])
        numbered = ids[ids >= 0]
        if len(numbered):
            line = numbered if self.last_id < 0 else np.concatenate(([self.last_id], numbered))
            steps = np.diff(line)
            where = np.flatnonzero(steps > 1)
            if len(where) and not self.holes:
                at = int(where[0])
                self.first_hole = (int(line[at]), int(line[at + 1]))
            self.holes += len(where)
            self.missing += int((steps[where] - 1).sum())
            self.last_id = int(numbered[-1])

    def _times(self, moments: Longs, ids: Longs) -> None:
        if not len(moments):
            return
        line = (
            moments
            if self.last_time == times.UNKNOWN
            else np.concatenate(([self.last_time], moments))
        )
        back = -np.diff(line)
        where = np.flatnonzero(back > BACKWARDS)
        if len(where):
            worst = int(where[np.argmax(back[where])])
            if int(back[worst]) > self.worst:
                self.worst = int(back[worst])
                self.worst_at = int(ids[worst + 1 - (len(line) - len(moments))])
            self.backs += len(where)
        self.last_time = int(moments[-1])


@dataclass(slots=True)
class GapFinder:
    """Looks at every record's id and time, and at file names. Feed files one after another."""

    retained_since: int | None = None
    gaps: list[Gap] = field(default_factory=list)
    _orders: dict[tuple[str, str], _Order] = field(default_factory=dict)
    _oldest: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    _days: dict[str, dict[date, tuple[str, str]]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, table: Table, file: str, sha256: str) -> None:
        """The next batch of the file."""
        for channel, rows in _by_channel(table):
            ids, moments = table.record_ids[rows], table.times[rows]
            self._orders.setdefault((channel, _computers(table)), _Order()).follow(ids, moments)
            known = moments[moments != times.UNKNOWN]
            if len(known):
                oldest = (int(known.min()), file, sha256)
                self._oldest[channel] = min(self._oldest.get(channel, oldest), oldest)

    def close(self, file: str, sha256: str, *, original: bool, records: int) -> None:
        """The file is done. ``original``: it is a log itself, so its ids must have no holes."""
        if not records:
            self._gap("no-records", file, sha256, "", "the file holds no record")
        for (channel, _), order in sorted(self._orders.items()):
            if order.holes and original:
                low, high = order.first_hole
                detail = (
                    f"{order.missing} record ids are missing in {order.holes} places, "
                    f"first between {low} and {high}"
                )
                self._gap("record-id-hole", file, sha256, channel, detail)
            if order.backs:
                detail = (
                    f"time goes back {order.backs} times, most by "
                    f"{order.worst // 1_000_000} s at record {order.worst_at}"
                )
                self._gap("time-backwards", file, sha256, channel, detail)
        self._orders.clear()

    def named(self, file: str, sha256: str, channel: str) -> None:
        """Note the day that a web log's name says it is of."""
        match = _DAILY.search(file.rsplit("/", 1)[-1])
        if match:
            try:
                day = date(2000 + int(match[1]), int(match[2]), int(match[3]))
            except ValueError:
                return
            self._days[channel][day] = (file, sha256)

    def result(self, cleared: tuple[Cleared, ...]) -> tuple[Gap, ...]:
        """All gaps, sorted."""
        for one in cleared:
            who = f" by {one.account}" if one.account else ""
            detail = f"the log was cleared{who}: what it held before is gone"
            self._gap("log-cleared", one.file, one.sha256, one.channel, detail, one.time)
        self._missing_days()
        self._short_retention()
        return tuple(
            sorted(self.gaps, key=lambda one: (one.file, one.kind, one.channel, one.detail))
        )

    def _missing_days(self) -> None:
        for channel, days in sorted(self._days.items()):
            last = max(days)
            day = min(days)
            for _ in range(_MOST_DAYS):
                day += timedelta(days=1)
                if day >= last:
                    break
                if day not in days:
                    file, sha256 = days[last]
                    self._gap("missing-day", file, sha256, channel, f"no log of {day.isoformat()}")

    def _short_retention(self) -> None:
        if self.retained_since is None:
            return
        for channel, (oldest, file, sha256) in sorted(self._oldest.items()):
            if oldest > self.retained_since:
                policy = datetime.fromtimestamp(self.retained_since // 1_000_000, UTC).date()
                detail = f"the oldest record is of {times.text(oldest)}; policy asks for {policy}"
                self._gap("short-retention", file, sha256, channel, detail, times.text(oldest))

    def _gap(
        self,
        kind: GapKind,
        file: str,
        sha256: str,
        channel: str,
        detail: str,
        first: str | None = None,
    ) -> None:
        self.gaps.append(
            Gap(kind=kind, file=file, sha256=sha256, channel=channel, detail=detail, first=first)
        )


def _by_channel(table: Table) -> list[tuple[str, Longs]]:
    column = table.columns.get("channel")
    if column is None:
        return [(table.channel, np.arange(table.size))]
    names, codes, rows = column.names(), column.code_array(), column.row_array()
    return [
        (names[code], rows[codes == code].astype(np.int64)) for code in np.unique(codes).tolist()
    ]


def _computers(table: Table) -> str:
    """The computers of a batch, as one text: ids count per log of a computer."""
    column = table.columns.get("computer")
    return "" if column is None or len(column.values) != 1 else next(iter(column.values))
