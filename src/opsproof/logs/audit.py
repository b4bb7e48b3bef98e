"""Audit log files with Sigma rules: the one entry point of the package."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias

from opsproof.logs import times
from opsproof.logs.cluster import Cluster, examined_on
from opsproof.logs.days import Days
from opsproof.logs.files import READERS, Identity, LogFile, collected, identify
from opsproof.logs.gaps import MOST_LOGS, GapFinder
from opsproof.logs.model import AuditReport, Counts, Gap, Kind, Source, Unreadable
from opsproof.logs.nothing import why_nothing
from opsproof.logs.options import Limits, Options
from opsproof.logs.parts import Examiner, Part, Tally, Unit
from opsproof.logs.readers.base import Damage, Log, Notes
from opsproof.logs.rules.compiled import RuleSet
from opsproof.logs.rules.load import default_cache, load
from opsproof.logs.summary import Summarizer
from opsproof.logs.traffic import TrafficCounter
from opsproof.workers import Workers, seldom_collected

__all__ = ["Limits", "Options", "Progress", "Step", "audit"]


@dataclass(frozen=True, slots=True)
class Step:
    """How far an audit is: first ``files`` are identified, then their ``bytes`` are examined."""

    unit: Literal["files", "bytes"]
    name: str
    done: int
    total: int


Progress: TypeAlias = Callable[[Step], None]
"""Called before each file is identified, and when a part of a file has been examined."""

_BINARY = (
    "a centralised binary log of IIS (.ibl): the description of this format is no longer published; "
    "convert it with Log Parser 2.2 (input format BIN, output format W3C) and audit the result"
)
"""Microsoft Learn, "Central Binary Log File" calls the format proprietary and names Log Parser; the
appendix that "Centralized Binary Log File Format (IIS 6.0)" announces is empty, and the IIS 6.0 SDK, to
which "Centralized Binary Logging" (HTTP Server API) refers for a header file, is withdrawn."""

_CABINET = "a cabinet that is damaged, or packed in another way than makecab does (MSZIP)"

_FILE_BITS = 40
"""Bits that order the records of one file."""

SIDE_BY_SIDE = 1 << 26
"""Bytes from which on worker processes pay for their start."""


def audit(
    paths: Sequence[Path],
    rules: Sequence[Path] | RuleSet,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    options: Options | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
    cluster: Cluster | None = None,
) -> AuditReport:
    """Evaluate rules on log files; never raises for what a file contains.

    ``paths`` are files, folders or cabinets; ``rules`` files and folders of Sigma rules, or a rule
    set loaded before. ``since`` and ``until`` are those of :class:`Options`, for which they stand
    where no options are given. ``cache`` holds compiled rule sets (default: the user's cache).
    ``cluster`` examines the parts on other machines; the report is the same.

    Raises :class:`opsproof.errors.UsageError` where a path or the rules do not exist.
    """
    loaded = rules if isinstance(rules, RuleSet) else load(list(rules), cache or default_cache())
    asked = options or Options(since=since, until=until)
    run = _Run(loaded, asked, cluster)
    tell = progress or (lambda _: None)
    with collected(paths, asked.unpacked) as files, closing(run):
        run.begin(files)
        for number, file in enumerate(files, 1):
            tell(Step("files", file.name, number, len(files)))
            run.identify(file)
        with seldom_collected():
            run.examine(tell)
    return run.report()


@dataclass(frozen=True, slots=True)
class _Known:
    """A file and what it is."""

    file: LogFile
    identity: Identity


class _Run:
    """One audit under way: files are identified, examined part by part, and merged in order."""

    def __init__(self, rules: RuleSet, options: Options, cluster: Cluster | None) -> None:
        self._rules, self._options, self._cluster = rules, options, cluster
        self._examiner = Examiner(rules, options)
        self._collector = self._examiner.collector()
        self._summary, self._traffic = Summarizer(), TrafficCounter()
        days = Days(options.sites)
        self._finder = GapFinder(options.micros(options.retained_since), days=days)
        self._known: list[_Known] = []
        self._sources: list[Source] = []
        self._unreadable: list[Unreadable] = []
        self._names: dict[str, list[str]] = {}
        self._duplicates = 0
        self._workers: Workers[Unit, Part] | None = None

    def begin(self, files: Sequence[LogFile]) -> None:
        """Start worker processes where that pays: they get ready while files are identified."""
        if self._options.processes > 1 and self._cluster is None and _size(files) >= SIDE_BY_SIDE:
            self._workers = Workers(self._examiner.opened, self._options.processes - 1)

    def close(self) -> None:
        """End the worker processes."""
        if self._workers is not None:
            self._workers.end()

    def identify(self, file: LogFile) -> None:
        """Take a file in. One that was seen under another name counts once."""
        try:
            identity = identify(file, self._options.schemas, self._options.part_bytes)
        except OSError as error:
            self._damage(file.name, "", Damage(f"it cannot be read: {error.strerror}"))
            return
        if file.fault:
            self._damage(file.name, identity.sha256, Damage(file.fault))
            if not identity.size:
                return
        names = self._names.setdefault(identity.sha256, [])
        names.append(file.name)
        if len(names) > 1:
            self._duplicates += 1
            return
        self._known.append(_Known(file, identity))

    def examine(self, tell: Progress) -> None:
        """Read all files, side by side where that pays, and merge what comes out."""
        units = list(self._units())
        asked = (unit for _, unit in units)
        parts: Iterator[Part]
        if self._cluster is not None:
            parts = examined_on(
                self._cluster, asked, self._rules, self._options, self._examiner.examine
            )
        elif self._workers is not None:
            parts = self._workers.done(asked, self._examiner.examine)
        else:
            parts = map(self._examiner.examine, asked)
        read = set()
        for known, group in groupby(_told(units, parts, tell), key=lambda pair: pair[0]):
            read.add(known.identity.sha256)
            self._file(known, (part for _, part in group))
        for known in self._known:
            if known.identity.sha256 not in read:
                self._unread(known)

    def _units(self) -> Iterator[tuple[_Known, Unit]]:
        for known in self._known:
            file, identity = known.file, known.identity
            if identity.kind in READERS:
                ends = [*(cut.offset for cut in identity.cuts[1:]), None]
                for begin, end in zip(identity.cuts, ends, strict=True):
                    log = Log(
                        file.path,
                        file.name,
                        zone=self._options.zone,
                        schema=identity.schema,
                        begin=begin,
                        end=end,
                    )
                    yield known, Unit(log, identity.kind, identity.sha256)

    def _file(self, known: _Known, parts: Iterator[Part]) -> None:
        tally, notes = Tally(), Notes(original=True)
        base = len(self._sources) << _FILE_BITS
        for part in parts:
            # Lines are numbered through the file, events from the part's first.
            events = tally.records if known.identity.kind is Kind.EVTX else 0
            self._collector.merge(part.collector, base + events)
            tally.merge(part.tally)
            notes.merge(part.notes)
            self._summary.merge(part.summary)
            self._traffic.merge(part.traffic)
            self._finder.merge(part.finder)
        self._note(known, tally, notes)

    def _unread(self, known: _Known) -> None:
        notes = Notes()
        if known.identity.size:
            suffix = PurePosixPath(known.file.name).suffix.lower()
            what = {".ibl": _BINARY, ".cab": _CABINET}.get(
                suffix,
                "it is no log that opsproof reads (EVTX, W3C, IIS, NCSA; data logs need a schema map)",
            )
            notes.damaged(Damage(what, offset=0))
        self._note(known, Tally(), notes)

    def _note(self, known: _Known, tally: Tally, notes: Notes) -> None:
        """What is to be said of a file that has been read."""
        name, identity = known.file.name, known.identity
        for damage in notes.damage:
            self._damage(name, identity.sha256, damage)
        if tally.timeless:
            first = tally.first_timeless
            record = first if first is not None and 0 <= first < 1 << 53 else None
            what = f"the time of {tally.timeless} records cannot be read: no correlation sees them"
            self._damage(name, identity.sha256, Damage(what, record=record))
        if self._finder.crowded:
            what = f"it is of over {MOST_LOGS} computers and channels: in the others no gaps were sought"
            self._damage(name, identity.sha256, Damage(what))
        if notes.more:
            self._damage(name, identity.sha256, Damage(f"{notes.more} more places like these"))
        if identity.kind is not Kind.UNKNOWN or not identity.size:
            self._finder.close(
                name, identity.sha256, original=notes.original, records=tally.records
            )
        # An application may rest for a day; a web server that is watched does not.
        if identity.kind in {Kind.W3C, Kind.IIS, Kind.NCSA}:
            # Two days on which nobody came are alike to the byte, and none of them is missing.
            for alike in self._names[identity.sha256]:
                channel = min(tally.channels, default="")
                self._finder.days.named(
                    alike, identity.sha256, channel, tally.records, tally.stretch
                )
        for remark in notes.remarks:
            self._finder.gaps.append(
                Gap(
                    kind="unmapped-column",
                    file=name,
                    sha256=identity.sha256,
                    channel="",
                    detail=remark,
                )
            )
        self._sources.append(
            Source(
                file=name,
                kind=identity.kind,
                sha256=identity.sha256,
                bytes=identity.size,
                records=tally.records,
                filtered=tally.filtered,
                unreadable=notes.lost,
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
        """The report of all files."""
        options = self._options
        found = self._collector.result()
        ran, not_run = found.ran, found.not_run
        summary, more = self._summary.result(), self._summary.more_cleared
        accepted = self._collector.suppressions
        gaps = tuple(
            gap
            for gap in self._finder.result(summary.log_cleared, more)
            if not accepted.accepts(gap)
        )
        suppressed = accepted.result()
        sources = sorted(self._sources, key=lambda one: (one.file, one.sha256))
        since, until = (
            None if moment is None else times.text(times.micros(moment))
            for moment in (options.since, options.until)
        )
        counts = Counts(
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
        )
        return AuditReport(
            rules_sha256=self._rules.sha256,
            since=since,
            until=until,
            nothing=why_nothing(counts, sources, since, until),
            counts=counts,
            sources=tuple(sources),
            hits=found.hits,
            rules_run=ran,
            rules_not_run=not_run,
            unreadable=tuple(sorted(self._unreadable, key=_place)),
            gaps=gaps,
            summary=summary,
            suppressions=suppressed,
            traffic=self._traffic.result(),
            blind=found.blind,
        )


def _told(
    units: Sequence[tuple[_Known, Unit]], parts: Iterator[Part], tell: Progress
) -> Iterator[tuple[_Known, Part]]:
    """Each part with its file, as it comes; how far that is is told."""
    sizes = [
        (known.identity.size if unit.log.end is None else unit.log.end) - unit.log.begin.offset
        for known, unit in units
    ]
    done, total = 0, sum(sizes)
    for (known, _), size, part in zip(units, sizes, parts, strict=True):
        done += size
        tell(Step("bytes", known.file.name, done, total))
        yield known, part


def _size(files: Sequence[LogFile]) -> int:
    total = 0
    for file in files:
        with suppress(OSError):
            total += file.path.stat().st_size
    return total


def _place(one: Unreadable) -> tuple[str, str, int, str]:
    return (one.file, one.sha256, one.offset or 0, one.what)
