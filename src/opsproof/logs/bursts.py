"""Runs correlations on what is in the store: bursts to show, and what other correlations are fed with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from opsproof.logs import hit_id, times
from opsproof.logs.accepted import Accepted
from opsproof.logs.aside import Rows, Vector
from opsproof.logs.correlate import Bursts, Found, Windows, found, windows
from opsproof.logs.joins import CHAINS, Joined, apart, bursts_of, join
from opsproof.logs.model import Burst, Member, exact
from opsproof.logs.redact import text
from opsproof.logs.rules.compiled import Correlation, RuleSet
from opsproof.logs.store import Store
from opsproof.logs.suppress import Suppressions
from opsproof.logs.table import Longs, Mask, Place


@dataclass(frozen=True, slots=True)
class Shown:
    """A burst in detail. ``group`` is as its first record has it; ``members``, with ``places`` and
    ``moments``, are the first of its records, the first one among them in any case.
    """

    found: Found
    group: dict[str, str]
    first: int
    last: int
    rules: Sequence[str]
    moments: Sequence[int]
    places: Sequence[Place]
    most: int

    def burst(self, files: Sequence[tuple[str, str]]) -> Burst:
        """What a report says of it; ``files`` are name and hash of the file of each member."""
        members = zip(self.rules, self.moments, self.places, files, strict=True)
        return Burst(
            first=times.text(self.first) or "",
            last=times.text(self.last) or "",
            peak=self.found.peak,
            events=self.found.stop - self.found.start,
            group=_shown(self.group),
            members=tuple(
                Member(
                    rule=rule,
                    file=file,
                    sha256=sha256,
                    record_id=exact(place.record_id),
                    time=times.text(moment),
                )
                for rule, moment, place, (file, sha256) in members
            )[: self.most],
        )


class Answer(NamedTuple):
    """How many bursts a correlation found that nobody accepted, and the first of them."""

    bursts: int
    shown: list[Shown]


class Correlator:
    """Runs one correlation after another, those that others refer to first."""

    def __init__(
        self, store: Store, rules: RuleSet, suppressions: Suppressions, most_members: int
    ) -> None:
        """Of each burst ``most_members`` records are shown."""
        self._store, self._suppressions = store, suppressions
        self._most_members = most_members
        self._correlations = frozenset(one.meta.id for one in rules.correlations)

    def find(self, correlation: Correlation, most: int) -> Answer:
        """Count the bursts, tell of the first ``most``, and feed what refers to this correlation."""
        joined = self._join(correlation)
        if joined is None:
            return Answer(0, [])
        seen = windows(correlation, joined.entries)
        merged = Bursts(joined.entries, seen)
        accepted = self._suppressions.for_rule(correlation.meta)
        target = bursts_of(correlation.meta.id)
        count, first, gone = 0, _First(most), _Stretches(joined.entries.folder)
        for start, stop, peak in merged.blocks():
            moments = joined.entries.time.take(start)
            if accepted:
                kept = ~self._accepted(accepted, correlation, joined, start, moments)
                gone.add(start[~kept], stop[~kept])
                start, stop, peak, moments = start[kept], stop[kept], peak[kept], moments[kept]
            count += len(start)
            first.add(moments, start, stop, peak)
            if target in self._store:
                self._feed(correlation, joined, target, stop - 1)
        if correlation.meta.id in self._store:
            self._feed_all(correlation, joined, seen, gone)
        every = [found(correlation, joined.entries, *one) for one in first.result()]
        return Answer(count, self._detailed(correlation, joined, every))

    def _join(self, correlation: Correlation) -> Joined | None:
        """The findings of the inputs. Those that count see each burst of another correlation once, at
        its end; those that ask "and then" every moment at which its condition held.
        """
        merges = correlation.type not in CHAINS
        rules = [
            bursts_of(one.rule) if merges and one.rule in self._correlations else one.rule
            for one in correlation.inputs
        ]
        return join(correlation, self._store, rules, self._store.folder)

    def _feed_all(
        self, correlation: Correlation, joined: Joined, seen: Windows, gone: _Stretches
    ) -> None:
        """Feed the end of every window but those in bursts that are ``gone``."""
        for _, stop in seen.stop.blocks():
            ends = stop - 1
            self._feed(correlation, joined, correlation.meta.id, ends[~gone.hold(ends)])

    def _feed(self, correlation: Correlation, joined: Joined, target: str, entries: Longs) -> None:
        """Put entries (ascending) into the store, as findings of this correlation."""
        for segment, which, _, rows in _by_place(joined, entries):
            source = correlation.inputs[which]
            renamed = {
                name.lower(): own.lower()
                for name, own in zip(correlation.group, source.keys, strict=True)
            }
            self._store.take(target, segment, joined.rules[which], rows, renamed)

    def _accepted(
        self,
        accepted: Accepted,
        correlation: Correlation,
        joined: Joined,
        starts: Longs,
        moments: Longs,
    ) -> Mask:
        meta = correlation.meta
        groups = self._groups(correlation, joined, starts)

        def covered(group: dict[str, str], moment: int) -> bool:
            return self._suppressions.covers(
                accepted,
                group,
                lambda: hit_id.of_burst(meta.id, times.text(moment) or "", _shown(group)),
                shown=meta.output,
            )

        pairs = zip(groups, moments.tolist(), strict=True)
        return np.array([covered(group, moment) for group, moment in pairs], dtype=np.bool_)

    def _groups(
        self, correlation: Correlation, joined: Joined, entries: Longs
    ) -> list[dict[str, str]]:
        """What each of some entries (ascending) is grouped by, as its record has it."""
        groups: list[dict[str, str]] = [{} for _ in entries]
        for segment, which, chosen, rows in _by_place(joined, entries):
            series = self._store.series(segment, joined.rules[which])
            pool = self._store.pool(segment)
            keys = correlation.inputs[which].keys
            columns = [series.field_codes(key.lower())[rows].tolist() for key in keys]
            for at, codes in zip(chosen.tolist(), zip(*columns, strict=True), strict=False):
                texts = map(pool.text, codes)
                groups[at] = dict(zip(correlation.group, texts, strict=True))
        return groups

    def _detailed(
        self, correlation: Correlation, joined: Joined, every: list[Found]
    ) -> list[Shown]:
        """Bursts with their groups and first records."""
        every = sorted(every, key=lambda one: one.start)
        entries = joined.entries
        least = max(1, self._most_members)
        sizes = [min(one.stop - one.start, least) for one in every]
        begins = np.array([one.start for one in every], dtype=np.int64)
        shown = np.repeat(begins, sizes) + np.concatenate(
            [np.arange(0), *(np.arange(size) for size in sizes)]
        )
        places: list[Place | None] = [None] * len(shown)
        for segment, which, chosen, rows in _by_place(joined, shown):
            series = self._store.series(segment, joined.rules[which])
            pool = self._store.pool(segment)
            for at, row in zip(chosen.tolist(), rows.tolist(), strict=True):
                places[at] = series.place(row, pool)
        known = [one for one in places if one is not None]
        moments = entries.time.take(shown).tolist()
        inputs = entries.input.take(shown).tolist()
        names = [correlation.inputs[which].rule for which in inputs]
        lasts = entries.time.take(np.array([one.stop - 1 for one in every], dtype=np.int64))
        groups = self._groups(correlation, joined, begins)
        result, at = [], 0
        for one, size, group, last in zip(every, sizes, groups, lasts.tolist(), strict=True):
            of = slice(at, at + size)
            result.append(
                Shown(
                    found=one,
                    group=group,
                    first=moments[at],
                    last=last,
                    rules=names[of],
                    moments=moments[of],
                    places=known[of],
                    most=self._most_members,
                )
            )
            at += size
        return result


class _Stretches:
    """Stretches of entries that share none; they are added, and asked for, in their order."""

    def __init__(self, folder: Path) -> None:
        self._starts, self._stops = Vector(folder), Vector(folder)
        self._begun = 0

    def add(self, starts: Longs, stops: Longs) -> None:
        """Some more, from ``starts`` to ``stops`` (excluded)."""
        self._starts.append(starts)
        self._stops.append(stops)

    def hold(self, entries: Longs) -> Mask:
        """Which of the entries (ascending, behind those asked for before) are in one of them."""
        within: Mask = np.zeros(len(entries), dtype=np.bool_)
        begun = self._starts.lower(entries + 1, self._begun, len(self._starts))
        some = begun > 0
        within[some] = entries[some] < self._stops.take(begun[some] - 1)
        self._begun = int(begun[-1]) if len(begun) else self._begun
        return within


class _First:
    """The first bursts of all, by time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: list[Rows] = []

    def add(self, *columns: Rows) -> None:
        """Some more: moments, starts, stops and peaks."""
        together = columns
        if self._kept:
            pairs = zip(self._kept, columns, strict=True)
            together = tuple(np.concatenate(pair) for pair in pairs)
        order = np.lexsort((together[1], together[0]))[: self._most]
        self._kept = [column[order] for column in together]

    def result(self) -> list[tuple[int, int, Any]]:
        """Starts, stops and peaks."""
        return list(zip(*(column.tolist() for column in self._kept[1:]), strict=True))


def _by_place(joined: Joined, entries: Longs) -> Iterator[tuple[int, int, Longs, Longs]]:
    """Entries (ascending) by where their findings are: the segment, the input, which of the entries
    these are, and the numbers of their findings. So a segment is loaded once.
    """
    segments, numbers = apart(joined.place.take(entries))
    inputs = joined.entries.input.take(entries)
    order = np.lexsort((numbers, inputs, segments))
    edges = np.flatnonzero(np.diff(segments[order]) | np.diff(inputs[order])) + 1
    for chosen in np.split(order, edges) if len(order) else ():
        first = chosen[0]
        yield int(segments[first]), int(inputs[first]), chosen, numbers[chosen]


def _shown(group: dict[str, str]) -> dict[str, str]:
    return {name: text(value, name)[0] for name, value in group.items()}
