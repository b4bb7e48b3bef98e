"""The second command: which files there are. It only reads.

``robocopy /l`` copies nothing and lists the same way in every language: with ``/bytes /ts /fp`` a line
is size, time of the last write in UTC and full path ("robocopy", Microsoft Learn, for the options).
"""

from __future__ import annotations

import ntpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from opsproof.collection.look import Look, one_line, part_of, refuse_unsafe
from opsproof.collection.model import DataSource, Kind, State, state_of
from opsproof.errors import UsageError
from opsproof.inspection.batch import Batch
from opsproof.inspection.command import LAST

_OPTIONS = "/l /ts /fp /bytes /nc /ndl /njh /njs /r:0 /w:0 /xj"
_NOWHERE = '"%TEMP%\\opsproof-none"'
_FILE = re.compile(r"^\s*(\d+)\s+(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)\s+([A-Za-z]:\\.+?)\s*$")
_CODE = re.compile(r"\(0x([0-9A-Fa-f]{8})\)")
_PATTERN_OK = re.compile(r"[^\"&|<>^%\\/:\r\n]+")
_FAILED = 8
"""Exit codes of robocopy from here on mean that something could not be read or copied."""


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A folder to look into: ``name`` tells it apart in reports."""

    kind: Kind
    name: str
    path: str
    pattern: str
    deep: bool = False


@dataclass(frozen=True, kw_only=True)
class Found:
    """One file: size in bytes, last write in UTC."""

    path: str
    size: int
    modified: datetime

    @property
    def name(self) -> str:
        """The file's name."""
        return ntpath.basename(self.path)


@dataclass(frozen=True, kw_only=True)
class Listed:
    """What a folder holds. ``state`` is COLLECTED where it could be listed."""

    folder: Folder
    files: tuple[Found, ...]
    state: State
    code: int = 0


def folders_of(look: Look, data: Sequence[DataSource]) -> tuple[Folder, ...]:
    """Every folder that may hold logs of this host, each once.

    Raises :class:`UsageError` when a name cannot stand in a command line.
    """
    found = [
        Folder(kind=Kind.ARCHIVE, name=path, path=path, pattern="Archive-*.evtx")
        for path in _each_once(channel.folder for channel in look.channels)
    ]
    if look.sites is not None:
        places = [site.directory for site in look.sites]
        if look.central != "Site":
            places.append(look.central_folder)
        found += [
            Folder(kind=Kind.IIS, name=path, path=path, pattern="*.log", deep=True)
            for path in _each_once(places)
        ]
        found.append(
            Folder(kind=Kind.HTTPERR, name="HTTPERR", path=look.httperr_folder, pattern="*.log")
        )
    for source in data:
        if not _PATTERN_OK.fullmatch(source.pattern):
            raise UsageError(
                f"{source.pattern!r} is no pattern of file names", where="log_collection_data"
            )
        path = source.folder.rstrip("\\")
        found.append(Folder(kind=Kind.DATA, name=source.name, path=path, pattern=source.pattern))
    for folder in found:
        refuse_unsafe(folder.path, f"the folder of {folder.name}", "*?")
        if folder.path.endswith(":"):
            raise UsageError(
                f"{folder.path} is a drive, not a folder", where=f"the folder of {folder.name}"
            )
    return tuple(found)


def _each_once(paths: Iterable[str]) -> list[str]:
    """The paths that are not empty, each once however it is spelled."""
    return list({path.lower(): path for path in paths if path}.values())


def listing_command(folders: Sequence[Folder], *, newest_days: int) -> str:
    """One line that lists the files written in the last ``newest_days``.

    Raises :class:`UsageError` when it grows too long.
    """
    steps = [
        part_of(
            f"files {number}",
            f'robocopy "{folder.path}" {_NOWHERE} "{folder.pattern}" {_OPTIONS}'
            f"{' /s' if folder.deep else ''} /maxage:{newest_days}",
        )
        for number, folder in enumerate(folders)
    ]
    return one_line(steps or [LAST], "log_collection_data")


def read_listing(batch: Batch, folders: Sequence[Folder]) -> tuple[Listed, ...]:
    """The answer of :func:`listing_command`; raises :class:`IncompleteError` when a part is missing."""
    return tuple(
        _listed(
            folder, batch.section(f"files {number}").text, batch.section(f"files {number}").code
        )
        for number, folder in enumerate(folders)
    )


def _listed(folder: Folder, text: str, code: int | None) -> Listed:
    if code is None or code >= _FAILED:
        win32 = next(iter(errors(text).values()), 1)
        return Listed(folder=folder, files=(), state=state_of(win32), code=win32)
    files = [match for line in text.splitlines() if (match := _FILE.match(line))]
    found = {
        match[3].lower(): Found(path=match[3], size=int(match[1]), modified=_moment(match[2]))
        for match in files
    }
    return Listed(
        folder=folder,
        files=tuple(found[key] for key in sorted(found)),
        state=State.COLLECTED,
    )


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y/%m/%d %H:%M:%S").replace(tzinfo=UTC)


def errors(text: str) -> dict[str, int]:
    """Win32 codes by lower-case path, of the lines in which robocopy says that it failed.

    The words around are translated, the code in parentheses is not.
    """
    found: dict[str, int] = {}
    for line in text.splitlines():
        if match := _CODE.search(line):
            path = re.search(r"[A-Za-z]:\\.*$", line[match.end() :])
            found.setdefault(path[0].rstrip("\\ ").lower() if path else "", int(match[1], 16))
    return found
