"""The unit of work: a stretch of one file, examined on its own, and what comes out of it.

Files are cut at fixed places that depend on the file alone, each part is examined without knowledge
of the others, and parts are merged in order. So one process, several, or several machines give the
same report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from opsproof.logs import times, traffic
from opsproof.logs.aliases import renamed
from opsproof.logs.collect import Collector
from opsproof.logs.evaluate import Evaluator
from opsproof.logs.files import READERS
from opsproof.logs.gaps import GapFinder
from opsproof.logs.model import Kind
from opsproof.logs.options import Options
from opsproof.logs.readers.base import Damage, Kept, Log, Notes
from opsproof.logs.rules.compiled import RuleSet
from opsproof.logs.summary import WANTED, Summarizer
from opsproof.logs.suppress import Suppressions
from opsproof.logs.table import Mask, Table
from opsproof.logs.traffic import TrafficCounter, numbers

MOST_CHANNELS = 1000
"""Channels of one file that are named."""


@dataclass(slots=True)
class Tally:
    """What was read: records, those outside the asked time, those without a time and the first of
    these, first and last time, channels.
    """

    records: int = 0
    filtered: int = 0
    timeless: int = 0
    first_timeless: int | None = None
    first: int | None = None
    last: int | None = None
    channels: set[str] = field(default_factory=set)

    def add(self, table: Table, kept: int) -> None:
        """Count one batch, of which ``kept`` records are within the asked time."""
        self.records += table.size
        self.filtered += table.size - kept
        unknown = table.times == times.UNKNOWN
        known = table.times[~unknown]
        if len(known):
            self._stretch(int(known.min()), int(known.max()))
        if len(known) < table.size:
            self._without(int(np.count_nonzero(unknown)), int(table.record_ids[unknown][0]))
        column = table.columns.get("channel")
        self._name({table.channel} if column is None else column.occurring())

    def merge(self, other: Tally) -> None:
        """Take what another part of the file was."""
        self.records += other.records
        self.filtered += other.filtered
        if other.first_timeless is not None:
            self._without(other.timeless, other.first_timeless)
        self._name(other.channels)
        if other.first is not None and other.last is not None:
            self._stretch(other.first, other.last)

    def _name(self, channels: set[str]) -> None:
        """Keep the first ones by name: a file may be made to speak of any number."""
        self.channels |= channels
        if len(self.channels) > MOST_CHANNELS:
            self.channels = set(sorted(self.channels)[:MOST_CHANNELS])

    def _without(self, records: int, first: int) -> None:
        self.timeless += records
        if self.first_timeless is None:
            self.first_timeless = first

    @property
    def stretch(self) -> tuple[int, int] | None:
        """The first and the last time; None where no record has any."""
        return None if self.first is None or self.last is None else (self.first, self.last)

    def _stretch(self, low: int, high: int) -> None:
        self.first = low if self.first is None else min(self.first, low)
        self.last = high if self.last is None else max(self.last, high)


@dataclass(frozen=True, slots=True)
class Unit:
    """A stretch of a file to examine. ``log`` says which; ``kind`` and ``sha256`` are the file's."""

    log: Log
    kind: Kind
    sha256: str


@dataclass(slots=True)
class Part:
    """What came out of one unit. ``failed``: its file could not be opened, or not read to its end."""

    tally: Tally
    notes: Notes
    collector: Collector
    summary: Summarizer
    traffic: TrafficCounter
    finder: GapFinder
    failed: bool = False


class Examiner:
    """Examines units with one rule set: what a worker does."""

    def __init__(self, rules: RuleSet, options: Options) -> None:
        """Makes the rules ready, once for all units."""
        self._rules, self._options = rules, options
        self._evaluator = Evaluator(rules)
        self._accepted = Suppressions(options.suppressions, options.today)
        self._wanted = self._evaluator.wanted | self.collector().wanted | WANTED | traffic.WANTED
        self._kept: Kept = {}
        self._numbers = numbers()
        self._since = options.micros(options.since)
        self._until = options.micros(options.until)

    def __reduce__(self) -> tuple[type[Examiner], tuple[RuleSet, Options]]:
        """Made ready anew in a fresh interpreter: what is compiled holds functions."""
        return Examiner, (self._rules, self._options)

    @contextmanager
    def opened(self) -> Iterator[Callable[[Unit], Part]]:
        """The work of a worker; see :mod:`opsproof.workers`."""
        yield self.examine

    def collector(self) -> Collector:
        """An empty collector."""
        limits = self._options.limits
        accepted = self._accepted.afresh()
        return Collector(self._rules, limits.hits_per_rule, limits.members, accepted)

    def examine(self, unit: Unit) -> Part:
        """Read the unit and evaluate all rules on it."""
        log = unit.log
        finder = GapFinder(self._options.micros(self._options.retained_since))
        counter = TrafficCounter(self._numbers)
        part = Part(Tally(), Notes(), self.collector(), Summarizer(), counter, finder)
        part.collector.source(log.name, unit.sha256)
        for read in self._tables(unit, part):
            read.source = 0
            table = renamed(read, self._options.aliases)
            inside = self._inside(table)
            part.tally.add(table, int(np.count_nonzero(inside)))
            part.collector.see(table)
            part.finder.add(table, log.name, unit.sha256)
            part.summary.add(table, inside, log.name, unit.sha256)
            part.traffic.add(table, inside)
            for rule, rows in self._evaluator.hits(read):
                kept = rows[inside[rows]]
                if len(kept):
                    part.collector.add(rule, table, kept)
        return part

    def _tables(self, unit: Unit, part: Part) -> Iterator[Table]:
        """The unit's records, up to where its file can be read no more (gone, disk or share fails)."""
        try:
            yield from READERS[unit.kind](unit.log, self._wanted, part.notes, self._kept)
        except OSError as error:
            part.failed = True
            part.notes.damaged(Damage(f"reading it ended with an error: {error.strerror}"))

    def _inside(self, table: Table) -> Mask:
        """Which records are within the asked time; those without a time are."""
        inside = np.ones(table.size, dtype=np.bool_)
        unknown = table.times == times.UNKNOWN
        if self._since is not None:
            inside &= unknown | (table.times >= self._since)
        if self._until is not None:
            inside &= unknown | (table.times < self._until)
        return inside
