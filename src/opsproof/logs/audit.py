"""Audit log files with Sigma rules: the one entry point of the package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path

import numpy as np

from opsproof.logs import times
from opsproof.logs.collect import Collector
from opsproof.logs.evaluate import Evaluator
from opsproof.logs.files import READERS, Identity, LogFile, collected, identify
from opsproof.logs.gaps import GapFinder
from opsproof.logs.model import AuditReport, Counts, Gap, Kind, Source, Unreadable
from opsproof.logs.readers.base import Damage, Log, Notes
from opsproof.logs.rules.compiled import RuleSet
from opsproof.logs.rules.load import default_cache, load
from opsproof.logs.schema import Schema
from opsproof.logs.summary import WANTED, Summarizer
from opsproof.logs.suppress import Suppression, Suppressions
from opsproof.logs.table import Mask, Table

Progress = Callable[[str, int, int], None]
"""Called before each file: its name, its number from 1, how many there are."""

MOST_DAMAGE = 1000
"""Places of damage that a report lists for one file; all are counted."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much detail a report keeps. Everything beyond is counted, never lost from the counts."""

    hits_per_rule: int = 1000
    members: int = 20


@dataclass(frozen=True, slots=True)
class Options:
    """What an audit is asked for besides files and rules.

    Records from ``since`` (included) to ``until`` (excluded) count; a record without a time always
    does. ``schemas`` say what data logs mean, ``zone`` is that of local times in logs that do not
    say (IIS native). ``suppressions`` hold until they expire; ``today`` None: for ever.
    ``retained_since``: every log must reach back to it.
    """

    since: datetime | None = None
    until: datetime | None = None
    limits: Limits = field(default_factory=Limits)
    schemas: tuple[Schema, ...] = ()
    zone: tzinfo = UTC
    suppressions: tuple[Suppression, ...] = ()
    today: date | None = None
    retained_since: datetime | None = None


def audit(
    paths: Sequence[Path],
    rules: Sequence[Path] | RuleSet,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    options: Options | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> AuditReport:
    """Evaluate rules on log files; never raises for what a file contains.

    ``paths`` are files, folders or cabinets; ``rules`` files and folders of Sigma rules, or a rule
    set loaded before. ``since`` and ``until`` are those of :class:`Options`, for which they stand
    where no options are given. ``cache`` holds compiled rule sets (default: the user's cache).

    Raises :class:`opsproof.errors.UsageError` where a path or the rules do not exist.
    """
    loaded = rules if isinstance(rules, RuleSet) else load(list(rules), cache or default_cache())
    run = Run(loaded, options or Options(since=since, until=until))
    with collected(paths) as files:
        for number, file in enumerate(files, 1):
            if progress is not None:
                progress(file.name, number, len(files))
            run.file(file)
    return run.report()


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else times.micros(moment)


@dataclass(slots=True)
class _Tally:
    """What was read of one file."""

    records: int = 0
    filtered: int = 0
    first: int | None = None
    last: int | None = None
    channels: set[str] = field(default_factory=set)

    def add(self, table: Table, kept: int) -> None:
        self.records += table.size
        self.filtered += table.size - kept
        known = table.times[table.times != times.UNKNOWN]
        if len(known):
            low, high = int(known.min()), int(known.max())
            self.first = low if self.first is None else min(self.first, low)
            self.last = high if self.last is None else max(self.last, high)
        column = table.columns.get("channel")
        self.channels.update(column.values if column is not None else {table.channel: 0})


class Run:
    """One audit under way: files go in one after another, the report comes out."""

    def __init__(self, rules: RuleSet, options: Options) -> None:
        """Nothing read yet."""
        self._rules, self._options = rules, options
        self._since, self._until = _micros(options.since), _micros(options.until)
        self._evaluator = Evaluator(rules)
        self._suppressions = Suppressions(options.suppressions, options.today)
        limits = options.limits
        self._collector = Collector(rules, limits.hits_per_rule, limits.members, self._suppressions)
        self._wanted = self._evaluator.wanted | self._collector.wanted | WANTED
        self._summary = Summarizer()
        self._finder = GapFinder(_micros(options.retained_since))
        self._sources: list[Source] = []
        self._unreadable: list[Unreadable] = []
        self._seen: set[str] = set()
        self._duplicates = 0

    def file(self, file: LogFile) -> None:
        """Audit one file. A file that was seen under another name counts once."""
        try:
            identity = identify(file, self._options.schemas)
        except OSError as error:
            self._damage(file.name, "", Damage(f"it cannot be read: {error.strerror}"))
            return
        if identity.sha256 in self._seen:
            self._duplicates += 1
            return
        self._seen.add(identity.sha256)
        tally, notes = _Tally(), Notes()
        if identity.kind in READERS:
            self._read(file, identity, tally, notes)
        elif identity.size:
            what = "it is no log that opsproof reads (EVTX, W3C, IIS; data logs need a schema map)"
            notes.damage.append(Damage(what, offset=0))
        self._note(file, identity, tally, notes)

    def _read(self, file: LogFile, identity: Identity, tally: _Tally, notes: Notes) -> None:
        number = self._collector.source(file.name, identity.sha256)
        log = Log(file.path, file.name, number, self._options.zone, identity.schema)
        for table in READERS[identity.kind](log, self._wanted, notes):
            inside = self._inside(table)
            tally.add(table, int(np.count_nonzero(inside)))
            self._collector.see(table)
            self._finder.add(table, file.name, identity.sha256)
            self._summary.add(table, inside, file.name, identity.sha256)
            for rule, rows in self._evaluator.hits(table):
                kept = rows[inside[rows]]
                if len(kept):
                    self._collector.add(rule, table, kept)

    def _inside(self, table: Table) -> Mask:
        """Which records are within the asked time; those without a time are."""
        inside = np.ones(table.size, dtype=np.bool_)
        unknown = table.times == times.UNKNOWN
        if self._since is not None:
            inside &= unknown | (table.times >= self._since)
        if self._until is not None:
            inside &= unknown | (table.times < self._until)
        return inside

    def _note(self, file: LogFile, identity: Identity, tally: _Tally, notes: Notes) -> None:
        """What is to be said of a file that has been read."""
        for damage in notes.damage[:MOST_DAMAGE]:
            self._damage(file.name, identity.sha256, damage)
        if len(notes.damage) > MOST_DAMAGE:
            what = f"{len(notes.damage) - MOST_DAMAGE} more places like these"
            self._damage(file.name, identity.sha256, Damage(what))
        if identity.kind is not Kind.UNKNOWN or not identity.size:
            self._finder.close(
                file.name, identity.sha256, original=notes.original, records=tally.records
            )
        if identity.kind in {Kind.W3C, Kind.IIS}:
            self._finder.named(file.name, identity.sha256, min(tally.channels, default=""))
        for remark in notes.remarks:
            self._finder.gaps.append(
                Gap(
                    kind="unmapped-column",
                    file=file.name,
                    sha256=identity.sha256,
                    channel="",
                    detail=remark,
                )
            )
        self._sources.append(
            Source(
                file=file.name,
                kind=identity.kind,
                sha256=identity.sha256,
                bytes=identity.size,
                records=tally.records,
                filtered=tally.filtered,
                unreadable=sum(damage.records for damage in notes.damage),
                first=None if tally.first is None else times.text(tally.first),
                last=None if tally.last is None else times.text(tally.last),
                channels=tuple(sorted(filter(None, tally.channels))),
            )
        )

    def _damage(self, file: str, sha256: str, damage: Damage) -> None:
        self._unreadable.append(
            Unreadable(
                file=file,
                sha256=sha256,
                offset=damage.offset,
                record=damage.record,
                records=damage.records,
                what=damage.what,
            )
        )

    def report(self) -> AuditReport:
        """The report of all files so far."""
        hits, ran, not_run = self._collector.result()
        summary = self._summary.result()
        suppressed = self._suppressions.result()
        sources = sorted(self._sources, key=lambda one: (one.file, one.sha256))
        return AuditReport(
            rules_sha256=self._rules.sha256,
            since=None if self._since is None else times.text(self._since),
            until=None if self._until is None else times.text(self._until),
            counts=Counts(
                files=len(sources),
                bytes=sum(one.bytes for one in sources),
                records=sum(one.records for one in sources),
                unreadable=sum(one.unreadable for one in sources),
                filtered=sum(one.filtered for one in sources),
                hits=sum(one.hits for one in ran),
                rules_run=len(ran),
                rules_not_run=len(not_run),
                duplicates=self._duplicates,
                suppressed=sum(one.hits for one in suppressed),
            ),
            sources=tuple(sources),
            hits=hits,
            rules_run=ran,
            rules_not_run=not_run,
            unreadable=tuple(sorted(self._unreadable, key=_place)),
            gaps=self._finder.result(summary.log_cleared),
            summary=summary,
            suppressions=suppressed,
        )


def _place(one: Unreadable) -> tuple[str, str, int, str]:
    return (one.file, one.sha256, one.offset or 0, one.what)
