"""What is at home of a host: cabinets that came whole, and what they hold.

A cabinet stays in the store until a sealed run holds it, so that a run that was cut off loses
nothing: the next one hands over what came before and fetches only the rest. Every write is one
rename; files are readable by their owner alone.
"""

from __future__ import annotations

import ntpath
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TypeVar

import msgspec

from opsproof import cabinets
from opsproof.collection.model import Item, Kind, Member, Part, SiteLogs
from opsproof.collection.pack import Packed
from opsproof.collection.plan import Home, KnownFile, Plan
from opsproof.errors import OpsproofError
from opsproof.evidence.canonical import canonical, decode
from opsproof.evidence.files import replace_durably, write_durably
from opsproof.evidence.model import Record
from opsproof.evidence.sums import sha256_file

FOLDER_LOGS = "logs"
"""Below the staging folder: the logs of all hosts, ``logs/HOST/KIND/...``, ready to be audited."""

FOLDER_LISTS = "log_collection"
"""Below the staging folder: what came of each host, ``log_collection/HOST.json``."""

_FILE = "home.json"
_LONGEST_NAME = 120


class DamagedPartError(OpsproofError):
    """A cabinet is not what the host packed: cut, damaged, or lacking a member."""


class Staged(Record, frozen=True, kw_only=True):
    """One log of a host where it can be audited. ``file`` is its path below the staging folder."""

    file: str
    kind: Kind
    path: str
    source: str
    sha256: str
    bytes: int
    since: str
    part: str


class HandedOver(Record, frozen=True, kw_only=True):
    """All logs of one host that a run has before it: ``log_collection/HOST.json``.

    ``short`` are the names of its data logs of which something did not come, ``sites`` its web sites with
    the days that have a log: those that ended between ``days_from`` and ``until`` are new.
    """

    schema: str = "collected/1"
    host: str
    since: str
    until: str
    schemas: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    sites: tuple[SiteLogs, ...] = ()
    days_from: str = ""
    files: tuple[Staged, ...] = ()


@dataclass(frozen=True)
class Store:
    """The folder of one host."""

    folder: Path

    def load(self, sealed: str | None) -> Home:
        """As :meth:`look`, and remove cabinets that are in bundles, and what never came whole."""
        home = self.look(sealed)
        self.save(home)
        names = {_FILE, *(part.name for part in home.parts)}
        for other in self.folder.iterdir():
            if other.name in names:
                continue
            if other.is_dir() and not other.is_symlink():
                shutil.rmtree(other)
            else:
                other.unlink()
        return home

    def look(self, sealed: str | None) -> Home:
        """What is at home. ``sealed``: when the last run began that was sealed with this host well.

        Cabinets of that run and earlier ones are in bundles. None where no run seals; empty where
        none has yet. Writes nothing.

        Raises :class:`CanonicalError` where the file is not ours, and ``OSError``.
        """
        file = self.folder / _FILE
        if not file.is_file():
            return Home()
        home = decode(file.read_bytes(), Home, where=str(file))
        done = [part for part in home.parts if sealed and part.run_started <= sealed]
        waiting = [part for part in home.parts if part not in done]
        kept = tuple(part for part in waiting if self._is_whole(part))
        released = max([home.released, *(part.run_started for part in done)])
        if lost := [part for part in waiting if part not in kept]:
            home = _forget(home, lost)
        if sealed is not None and released > sealed:
            # Another ledger, or an older state of it, holds what is not here: begin anew.
            home, released = _known_from(kept), ""
        return msgspec.structs.replace(home, parts=kept, released=released)

    def _is_whole(self, part: Part) -> bool:
        file = self.folder / part.name
        return file.is_file() and sha256_file(file) == part.sha256

    def save(self, home: Home) -> None:
        """Write ``home.json``."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_durably(self.folder / _FILE, canonical(home), mode=0o600)

    def incoming(self, index: int) -> Path:
        """Where a cabinet lies while it is on its way."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.folder / f".{index}.cab.partial"

    def take_in(self, home: Home, packed: Packed, plan: Plan, run_started: str) -> Home:
        """Check a cabinet that has arrived and make it part of what is at home.

        Raises:
            DamagedPartError: it is not what the host packed; it is removed.
        """
        arrived = self.incoming(packed.index)
        try:
            sha256 = sha256_file(arrived)
            if sha256 != packed.sha256:
                size = arrived.stat().st_size
                raise DamagedPartError(
                    f"{size} bytes came with SHA-256 {sha256[:16]}…, the host packed "
                    f"{packed.sha256[:16]}…",
                    where=packed.path,
                )
            members = tuple(_members(arrived, packed, plan.until))
        except DamagedPartError:
            arrived.unlink()
            raise
        stamp = re.sub(r"[^0-9TZ]", "", run_started)
        part = Part(
            name=f"{stamp}-{packed.index}-{sha256[:8]}.cab",
            sha256=sha256,
            bytes=arrived.stat().st_size,
            run_started=run_started,
            members=members,
        )
        arrived.chmod(0o600)
        arrived.replace(self.folder / part.name)
        home = _remember(home, part, plan.until)
        self.save(home)
        return home

    def release(self, home: Home) -> Home:
        """Remove the cabinets: for runs that nothing seals."""
        for part in home.parts:
            (self.folder / part.name).unlink(missing_ok=True)
        home = msgspec.structs.replace(home, parts=())
        self.save(home)
        return home

    def hand_over(self, home: Home, staging: Path, host: str) -> tuple[Staged, ...]:
        """Unpack what waits into the staging folder; also copies the cabinets there.

        Returns the logs, sorted by file.
        """
        folder = staging / FOLDER_LOGS / host
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(mode=0o700, parents=True)
        taken: set[str] = set()
        staged = []
        older, since = _superseded(home.parts)
        for part in home.parts:
            cabinet = self.folder / part.name
            kept = staging / FOLDER_LISTS / host / part.name
            kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copyfile(cabinet, kept)
            with _unpacked(cabinet, folder) as found:
                contents = [found[number] for number in sorted(found)]
                for number, member in enumerate(part.members):
                    if (part.name, number) in older:
                        continue
                    name = _free_name(member.file, taken)
                    place = folder / name
                    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                    contents[number].replace(place)
                    staged.append(
                        Staged(
                            file=f"{FOLDER_LOGS}/{host}/{name}",
                            kind=member.item.kind,
                            path=member.item.path,
                            source=member.item.source,
                            sha256=member.sha256,
                            bytes=member.bytes,
                            since=since.get(member.item.path, member.item.since),
                            part=part.sha256,
                        )
                    )
        return tuple(sorted(staged, key=lambda one: one.file))


def _superseded(parts: Iterable[Part]) -> tuple[set[tuple[str, int]], dict[str, str]]:
    """Copies of files that a later, longer copy holds too, and from when on the later one counts.

    Several copies wait where a run was not sealed. Audited twice, a log's lines would count twice.
    """
    older: set[tuple[str, int]] = set()
    since: dict[str, str] = {}
    last: dict[str, tuple[str, int, int]] = {}
    for part in parts:
        for number, member in enumerate(part.members):
            path = member.item.path
            if member.item.kind is Kind.EVENTS:
                continue
            if path in last and member.bytes >= last[path][2]:
                older.add(last[path][:2])
            since[path] = min(since.get(path, member.item.since), member.item.since)
            last[path] = (part.name, number, member.bytes)
    return older, since


def _members(cabinet: Path, packed: Packed, until: str) -> Iterator[Member]:
    """The logs that a cabinet must hold. They are hashed here, and laid out when they are audited."""
    contents = _by_number(cabinet, cabinets.digests)
    for number, item in sorted(packed.items.items()):
        if number not in contents:
            raise DamagedPartError(f"it lacks {item.path}", where=packed.path)
        yield Member(
            item=item,
            file=_file(item),
            sha256=contents[number].sha256,
            bytes=contents[number].size,
            until=until,
        )


@contextmanager
def _unpacked(cabinet: Path, beside: Path) -> Iterator[dict[int, Path]]:
    """The members by number.

    They lie in a folder below ``beside``, which is removed afterwards, and by the next
    :meth:`Store.hand_over` where this process is killed.
    """
    with tempfile.TemporaryDirectory(prefix=".unpacked-", dir=beside) as name:
        found = _by_number(cabinet, lambda file: cabinets.unpack(file, Path(name)))
        yield {number: member.path for number, member in found.items()}


_Inside = TypeVar("_Inside", cabinets.Member, cabinets.Digest)


def _by_number(cabinet: Path, read: Callable[[Path], Iterable[_Inside]]) -> dict[int, _Inside]:
    """The members by number, which begins their names (:func:`opsproof.collection.pack.inside_name`)."""
    found = {}
    try:
        for member in read(cabinet):
            if member.fault:
                raise DamagedPartError(member.fault, where=cabinet.name)
            found[int(re.split(rb"[\\/]", member.name)[0])] = member
    except (cabinets.CabinetError, ValueError) as e:
        raise DamagedPartError(f"it cannot be unpacked: {e}", where=cabinet.name) from e
    return found


def _file(item: Item) -> str:
    """Where a log is kept below the host's folder; nothing of it can lead elsewhere."""
    if item.kind is Kind.EVENTS:
        return f"{item.kind}/{_safe(item.path.replace('/', '%4'))}.evtx"
    above = item.source if item.kind is Kind.DATA else ntpath.basename(ntpath.dirname(item.path))
    return f"{item.kind}/{_safe(above)}/{_safe(ntpath.basename(item.path))}"


def _safe(name: str) -> str:
    clean = re.sub(r"[\x00-\x1f/\\:]", "_", name).lstrip(".") or "_"
    return clean if len(clean) <= _LONGEST_NAME else clean[-_LONGEST_NAME:]


def _free_name(name: str, taken: set[str]) -> str:
    """The name, or one with a number where it is taken. The end stays: schema maps go by it."""
    path, free, number = PurePosixPath(name), name, 1
    while free.lower() in taken:
        number += 1
        free = str(path.parent / str(number) / path.name)
    taken.add(free.lower())
    return free


def _remember(home: Home, part: Part, until: str) -> Home:
    channels, files = dict(home.channels), dict(home.files)
    for member in part.members:
        item = member.item
        if item.kind is Kind.EVENTS:
            channels[item.path] = until
        else:
            files[item.path.lower()] = KnownFile(
                size=item.size, modified=item.modified, sha256=member.sha256, until=member.until
            )
    horizon = home.horizon or min(member.item.since for member in part.members)
    return msgspec.structs.replace(
        home, horizon=horizon, channels=channels, files=files, parts=(*home.parts, part)
    )


def _known_from(parts: Iterable[Part]) -> Home:
    """What is known of a host by the cabinets that wait, and by nothing else."""
    home = Home()
    for part in parts:
        ends = [member.until for member in part.members]
        home = _remember(home, part, min(ends))
    return home


def _forget(home: Home, lost: Iterable[Part]) -> Home:
    """Let what was in cabinets that are not there any more be fetched again."""
    channels, files = dict(home.channels), dict(home.files)
    for part in lost:
        for member in part.members:
            if member.item.kind is Kind.EVENTS:
                channels[member.item.path] = member.item.since
            else:
                files.pop(member.item.path.lower(), None)
    return msgspec.structs.replace(home, channels=channels, files=files)


def prune(home: Home, oldest: str) -> Home:
    """Forget files last written before ``oldest``: no listing shows them any more."""
    files = {path: file for path, file in home.files.items() if file.modified >= oldest}
    return msgspec.structs.replace(home, files=files)


def write_list(staging: Path, over: HandedOver) -> None:
    """Write what the audit needs to know of a host's logs."""
    place = staging / FOLDER_LISTS / f"{over.host}.json"
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_durably(place, canonical(over), mode=0o600)


def read_lists(staging: Path) -> tuple[HandedOver, ...]:
    """What all hosts handed over, by host. Raises :class:`CanonicalError` for a file not ours."""
    folder = staging / FOLDER_LISTS
    return tuple(
        decode(path.read_bytes(), HandedOver, where=str(path))
        for path in sorted(folder.glob("*.json"))
    )


def not_delivered(
    staging: Path, expected: Mapping[str, Iterable[str]], name: str = "*"
) -> tuple[str, ...]:
    """Hosts that did not hand over, whole, the data logs ``name`` (with * and ?), as ``HOST: NAME``.

    ``expected``: the names of each host's data logs. Raises :class:`CanonicalError` for a list not ours.
    """
    lists = {one.host: one for one in read_lists(staging)}
    return tuple(
        f"{host}: {source}"
        for host in sorted(expected)
        for source in sorted({one for one in expected[host] if fnmatchcase(one, name)})
        if host not in lists or source in lists[host].short
    )
