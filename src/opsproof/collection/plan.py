"""Decide what is brought home, and in which part: new and grown files, events of the window."""

from __future__ import annotations

import ntpath
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from opsproof.collection.listing import Found, Listed
from opsproof.collection.look import Look
from opsproof.collection.model import Item, Kind, Part, SiteLogs, State
from opsproof.collection.sites import site_logs
from opsproof.evidence.ids import moment, timestamp
from opsproof.evidence.model import Record

OVERLAP = timedelta(hours=1)
"""Events are exported from this much earlier: a burst that began before the window is seen whole."""

LARGEST = 0x7FFF8000
"""Bytes that one file and one folder of a cabinet may have (makecab, "Microsoft Cabinet Format")."""

_RESERVE = 256 << 20
"""Bytes that stay free on the scratch drive."""

_PACKED_PERCENT = 30
"""What the cabinets of logs take at most; text and event logs compress to a tenth and less."""

_STILL_WRITTEN = timedelta(days=1)
"""A log that was written this long before a collection may have been written after it."""

_ALWAYS_OPEN = (Kind.IIS, Kind.HTTPERR, Kind.DATA)


class KnownFile(Record, frozen=True, kw_only=True):
    """A file as it is at home. ``until``: records written before are there."""

    size: int
    modified: str
    sha256: str
    until: str


class Home(Record, frozen=True, kw_only=True):
    """What is at home of one host: ``home.json`` of its store.

    ``horizon``: since when logs are brought home. ``channels`` maps a channel to the time before
    which its events are there, ``files`` a lower-case path to its last known state. ``parts`` are
    those that no sealed run holds yet; ``released`` is when the run began that sealed the last of
    the others.
    """

    schema: str = "home/1"
    horizon: str = ""
    channels: dict[str, str] = msgspec.field(default_factory=dict)
    files: dict[str, KnownFile] = msgspec.field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    released: str = ""

    @property
    def last(self) -> str:
        """Up to when the host was last collected from; empty where it never was."""
        ends = [*self.channels.values(), *(known.until for known in self.files.values())]
        return max(ends, default="")


class Plan(Record, frozen=True, kw_only=True):
    """Parts to pack, each a list of items; ``left`` is what cannot be packed, and why.

    ``unchanged`` counts files that are at home as they are; ``gone`` are the paths of those that were
    still written when the host was last collected from, and are not there any more. ``short`` are the
    names of data logs whose folder could not be listed or has lost one, ``sites`` the web sites that
    begin a log each day.
    """

    until: str
    parts: tuple[tuple[Item, ...], ...]
    left: tuple[tuple[Item, State], ...] = ()
    unchanged: int = 0
    gone: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    sites: tuple[SiteLogs, ...] = ()

    @property
    def items(self) -> tuple[Item, ...]:
        """All items in the order of their numbers in the batch file."""
        return tuple(item for part in self.parts for item in part)


def make_plan(
    look: Look,
    listed: Sequence[Listed],
    home: Home,
    *,
    since: datetime,
    until: datetime,
    part_bytes: int,
) -> Plan:
    """What to pack. ``since`` is where a host begins that was never collected from.

    ``until`` bounds events (exclusive) and is the next run's beginning: not later than the host's own
    clock. Parts hold about ``part_bytes`` of raw logs; a larger log is a part of its own.
    """
    horizon = home.horizon or timestamp(since)
    items = [*_channels(look, home, horizon), *_files(listed, home, moment(horizon))]
    unchanged = sum(len(one.files) for one in listed) - sum(
        1 for item in items if item.kind is not Kind.EVENTS
    )
    packable, left = [], []
    for item in items:
        if item.size > LARGEST:
            left.append((item, State.TOO_LARGE))
        else:
            packable.append(item)
    parts, no_room = _fit(_parts(packable, part_bytes), look.free)
    gone = _gone(listed, home)
    left += [(item, State.NO_SPACE) for item in no_room]
    return Plan(
        until=timestamp(until),
        parts=tuple(parts),
        left=tuple(left),
        unchanged=unchanged,
        gone=tuple(gone),
        short=tuple(
            one.folder.name
            for one in listed
            if one.folder.kind is Kind.DATA
            and (
                one.state is not State.COLLECTED
                or any(_is_below(path, one.folder.path) for path in gone)
            )
        ),
        sites=tuple(
            site_logs(look, listed, {path: known.size for path, known in home.files.items()})
        ),
    )


def _gone(listed: Iterable[Listed], home: Home) -> list[str]:
    """Logs that somebody removed, or renamed, with what was written after the last collection.

    Told for a day: after that the last collection is too late for it.
    """
    if not home.last:
        return []
    written = moment(home.last) - _STILL_WRITTEN
    looked = [
        one for one in listed if one.folder.kind in _ALWAYS_OPEN and one.state is State.COLLECTED
    ]
    there = {found.path.lower() for one in looked for found in one.files}
    return sorted(
        path
        for path, known in home.files.items()
        if path not in there
        and moment(known.modified) >= written
        and any(_is_below(path, one.folder.path) for one in looked)
    )


def _is_below(path: str, folder: str) -> bool:
    """Whether a lower-case path is in a folder, which may begin with a variable for its drive."""
    below = re.sub(r"^%[^%]+%", "", folder.lower()).rstrip("\\") + "\\"
    return below in path if folder.startswith("%") else path.startswith(below)


def _channels(look: Look, home: Home, horizon: str) -> list[Item]:
    """Channels that are switched off too: they may hold what was written before."""
    return [
        Item(
            kind=Kind.EVENTS,
            path=channel.name,
            size=channel.size,
            since=home.channels.get(channel.name, horizon),
        )
        for channel in look.channels
        if channel.state in (State.PLANNED, State.DISABLED)
    ]


def _files(listed: Iterable[Listed], home: Home, horizon: datetime) -> list[Item]:
    items: dict[str, Item] = {}
    for one in listed:
        open_ones = _newest(one) if one.folder.kind in _ALWAYS_OPEN else set()
        for found in one.files:
            key = found.path.lower()
            known = home.files.get(key)
            same = known is not None and (known.size, known.modified) == (
                found.size,
                timestamp(found.modified),
            )
            # The folder tells size and time of a file that is held open too late: look inside.
            is_open = key in open_ones
            if (same or found.modified < horizon) and not is_open:
                continue
            items[key] = Item(
                kind=one.folder.kind,
                path=found.path,
                size=found.size,
                since=known.until if known else timestamp(horizon),
                modified=timestamp(found.modified),
                source=one.folder.name,
                known=known.sha256 if known else "",
            )
    return [items[key] for key in sorted(items)]


def _newest(listed: Listed) -> set[str]:
    """The last written file of every folder."""
    newest: dict[str, Found] = {}
    for found in listed.files:
        folder = ntpath.dirname(found.path).lower()
        best = newest.get(folder)
        if best is None or (found.modified, found.name) > (best.modified, best.name):
            newest[folder] = found
    return {found.path.lower() for found in newest.values()}


def _parts(items: Sequence[Item], part_bytes: int) -> list[tuple[Item, ...]]:
    parts: list[tuple[Item, ...]] = []
    current: list[Item] = []
    size = 0
    for item in items:
        if current and size + item.size > part_bytes:
            parts.append(tuple(current))
            current, size = [], 0
        current.append(item)
        size += item.size
    return [*parts, tuple(current)] if current else parts


def _fit(
    parts: Sequence[tuple[Item, ...]], free: int | None
) -> tuple[list[tuple[Item, ...]], list[Item]]:
    """The parts for which the scratch drive has room, and the items of the others."""
    if free is None:
        return list(parts), []
    room = free - _RESERVE
    kept: list[tuple[Item, ...]] = []
    left: list[Item] = []
    packed = 0
    for part in parts:
        raw = sum(item.size for item in part)
        cabinet = raw * _PACKED_PERCENT // 100
        if packed + raw + cabinet > room:
            left += part
        else:
            kept.append(part)
            packed += cabinet
    return kept, left
