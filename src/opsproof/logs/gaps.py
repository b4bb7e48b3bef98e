"""What is missing from the logs, or wrong with their order: the gaps of a report."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np

from opsproof.logs import times
from opsproof.logs.days import Days, folder_of
from opsproof.logs.model import Cleared, Gap, GapKind
from opsproof.logs.table import Longs, Table

BACKWARDS: Final = 60_000_000
"""Microseconds that a log's time may go back: records of several threads are not in strict order."""

MOST_LOGS: Final = 1000
"""Computers and channels that one file may speak of; more are none of a log that anybody writes."""

_Log: TypeAlias = tuple[str, str]
"""The computer that wrote a log, and the channel. Channels are called alike on all computers."""


@dataclass(slots=True)
class _Order:
    """The order of one channel's records in one file, over batches and parts."""

    first_id: int = -1
    last_id: int = -1
    first_time: int = times.UNKNOWN
    first_time_id: int = -1
    last_time: int = times.UNKNOWN
    holes: int = 0
    missing: int = 0
    first_hole: tuple[int, int] | None = None
    backs: int = 0
    worst: int = 0
    worst_at: int = 0

    def follow(self, ids: Longs, moments: Longs) -> None:
        """Take the next records, in file order."""
        known = moments != times.UNKNOWN
        self.merge(_Order.of(ids[ids >= 0], moments[known], ids[known]))

    @classmethod
    def of(cls, ids: Longs, moments: Longs, timed: Longs) -> _Order:
        """The order of a stretch of records; ``timed`` are the ids of those with a time."""
        one = cls()
        if len(ids):
            steps = np.diff(ids)
            where = np.flatnonzero(steps > 1)
            if len(where):
                one.first_hole = (int(ids[where[0]]), int(ids[where[0] + 1]))
            one.holes, one.missing = len(where), int((steps[where] - 1).sum())
            one.first_id, one.last_id = int(ids[0]), int(ids[-1])
        if len(moments):
            back = -np.diff(moments)
            where = np.flatnonzero(back > BACKWARDS)
            if len(where):
                worst = int(where[np.argmax(back[where])])
                one.worst, one.worst_at = int(back[worst]), int(timed[worst + 1])
            one.backs = len(where)
            one.first_time, one.last_time = int(moments[0]), int(moments[-1])
            one.first_time_id = int(timed[0])
        return one

    def merge(self, after: _Order) -> None:
        """Take the order of the records that follow."""
        if self.last_id >= 0 and after.first_id - self.last_id > 1:
            self.first_hole = self.first_hole or (self.last_id, after.first_id)
            self.holes += 1
            self.missing += after.first_id - self.last_id - 1
        self.first_hole = self.first_hole or after.first_hole
        self.holes += after.holes
        self.missing += after.missing
        if times.UNKNOWN not in (self.last_time, after.first_time):
            self._back(self.last_time - after.first_time, after.first_time_id, BACKWARDS, 1)
        self._back(after.worst, after.worst_at, 0, after.backs)
        if self.first_id < 0:
            self.first_id = after.first_id
        if self.first_time == times.UNKNOWN:
            self.first_time, self.first_time_id = after.first_time, after.first_time_id
        self.last_id = max(self.last_id, after.last_id) if after.last_id < 0 else after.last_id
        if after.last_time != times.UNKNOWN:
            self.last_time = after.last_time

    def _back(self, by: int, at: int, least: int, count: int) -> None:
        if by > least:
            self.backs += count
            if by > self.worst:
                self.worst, self.worst_at = by, at


@dataclass(slots=True)
class GapFinder:
    """Looks at every record's id and time, and at file names. Feed files one after another.

    Each computer's log stands for itself: what one has does not make up for what another lacks.
    Where records name no computer (most web logs), files in one folder or cabinet are of one log.
    """

    retained_since: int | None = None
    gaps: list[Gap] = field(default_factory=list)
    _orders: dict[_Log, _Order] = field(default_factory=dict)
    _block: int | None = None
    _waiting: dict[_Log, list[tuple[Longs, Longs]]] = field(default_factory=dict)
    _oldest: dict[_Log, tuple[int, str, str]] = field(default_factory=dict)
    _followed: set[_Log] = field(default_factory=set)
    days: Days = field(default_factory=Days)
    crowded: bool = False
    """Whether the file at hand is of more logs than are looked at."""

    def add(self, table: Table, file: str, sha256: str) -> None:
        """The next batch of the file."""
        if table.block is None or table.block != self._block:
            self._flush()
        self._block = table.block
        for log, rows in sorted(_by_log(table), key=lambda pair: int(pair[1][0])):
            if not self._follows(log):
                continue
            ids, moments = table.record_ids[rows], table.times[rows]
            self._waiting.setdefault(log, []).append((ids, moments))
            known = moments[moments != times.UNKNOWN]
            if len(known):
                oldest = (int(known.min()), file, sha256)
                computer, channel = log
                self.days.seen(file, computer, known)
                key = (computer or folder_of(file), channel)
                self._oldest[key] = min(self._oldest.get(key, oldest), oldest)

    def _follows(self, log: _Log) -> bool:
        """Whether the order of a log's records is looked at: of the first logs of a file it is."""
        if log not in self._followed:
            if len(self._followed) >= MOST_LOGS:
                self.crowded = True
                return False
            self._followed.add(log)
        return True

    def _flush(self) -> None:
        """Put the records that wait for the rest of their block in order."""
        for log, parts in self._waiting.items():
            ids = np.concatenate([one for one, _ in parts])
            moments = np.concatenate([one for _, one in parts])
            if len(parts) > 1:
                order = np.argsort(ids, kind="stable")
                ids, moments = ids[order], moments[order]
            self._orders.setdefault(log, _Order()).follow(ids, moments)
        self._waiting.clear()

    def merge(self, other: GapFinder) -> None:
        """Take a later part of the same file, or of the next ones."""
        other._flush()
        self.crowded |= other.crowded
        for log, order in other._orders.items():
            if self._follows(log):
                self._orders.setdefault(log, _Order()).merge(order)
        for key, oldest in other._oldest.items():
            self._oldest[key] = min(self._oldest.get(key, oldest), oldest)
        self.days.merge(other.days)

    def close(self, file: str, sha256: str, *, original: bool, records: int) -> None:
        """The file is done. ``original``: it is a log itself, so its ids must have no holes."""
        self._flush()
        if not records:
            self._gap("no-records", file, sha256, "", "the file holds no record")
        self._renamed(file, sha256)
        several = len({computer for computer, _ in self._orders}) > 1
        for (computer, channel), order in sorted(self._orders.items()):
            whose = f"of {computer}, " if several and computer else ""
            if order.first_hole is not None and original:
                low, high = order.first_hole
                detail = (
                    f"{whose}{order.missing} record ids are missing in {order.holes} places, "
                    f"first between {low} and {high}"
                )
                self._gap("record-id-hole", file, sha256, channel, detail)
            if order.backs:
                detail = (
                    f"{whose}time goes back {order.backs} times, most by "
                    f"{order.worst // 1_000_000} s at record {order.worst_at}"
                )
                self._gap("time-backwards", file, sha256, channel, detail)
        self._orders.clear()
        self._followed.clear()
        self.crowded = False

    def _renamed(self, file: str, sha256: str) -> None:
        """A log that another computer goes on with, id by id: it was renamed, or joined a domain."""
        by_channel: dict[str, list[tuple[int, int, str]]] = {}
        for (computer, channel), order in self._orders.items():
            if order.first_id >= 0:
                entry = (order.first_id, order.last_id, computer)
                by_channel.setdefault(channel, []).append(entry)
        for channel, entries in sorted(by_channel.items()):
            entries.sort()
            for (_, last, before), (first, _, after) in pairwise(entries):
                if first == last + 1:
                    detail = (
                        f"up to record {last} the computer is called {before}, from {first} on {after}: "
                        f"it counts as two; --alias {before}={after} makes it one"
                    )
                    self._gap("computer-renamed", file, sha256, channel, detail)

    def result(self, cleared: tuple[Cleared, ...], more: int = 0) -> tuple[Gap, ...]:
        """All gaps, sorted. Logs were cleared ``more`` times than are listed."""
        for one in cleared:
            who = f" by {one.account}" if one.account else ""
            detail = f"the log was cleared{who}: what it held before is gone"
            self._gap("log-cleared", one.file, one.sha256, one.channel, detail, one.time)
        if more:
            last = cleared[-1]
            detail = f"logs were cleared {more} more times"
            self._gap("log-cleared", last.file, last.sha256, last.channel, detail)
        self.gaps += self.days.result()
        self._short_retention()
        return tuple(
            sorted(self.gaps, key=lambda one: (one.file, one.kind, one.channel, one.detail))
        )

    def _short_retention(self) -> None:
        if self.retained_since is None:
            return
        for (_, channel), (oldest, file, sha256) in sorted(self._oldest.items()):
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


def _by_log(table: Table) -> list[tuple[_Log, Longs]]:
    """The records of each log, in file order. Records whose channel is null are of none."""
    channel, computer = table.columns.get("channel"), table.columns.get("computer")
    channels = [table.channel] if channel is None else channel.names()
    computers = [*(() if computer is None else computer.names()), table.computer]
    width = len(computers)
    pairs = np.full(table.size, width - 1, dtype=np.int64)
    if computer is not None:
        pairs[computer.row_array()] = computer.code_array()
    if channel is not None:
        pairs += channel.dense(table.size).astype(np.int64) * width
    order = np.argsort(pairs, kind="stable")
    order = order[np.searchsorted(pairs[order], 0) :]
    edges = np.flatnonzero(np.diff(pairs[order])) + 1
    return [
        ((computers[int(pairs[rows[0]]) % width], channels[int(pairs[rows[0]]) // width]), rows)
        for rows in np.split(order, edges)
        if len(rows)
    ]
