"""Which files an audit reads: named files, folders at any depth, cabinets; what kind each is."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from opsproof import cabinets
from opsproof.errors import UsageError
from opsproof.logs.aside import AsideError
from opsproof.logs.model import Kind
from opsproof.logs.readers import data, evtx, iis_native, ncsa, w3c
from opsproof.logs.readers.base import Cut, Reader
from opsproof.logs.readers.lines import as_utf_8, decode, is_utf_16
from opsproof.logs.schema import Schema, schema_for
from opsproof.logs.scratch import scratch

READERS: Final[dict[Kind, Reader]] = {
    Kind.EVTX: evtx.read,
    Kind.W3C: w3c.read,
    Kind.IIS: iis_native.read,
    Kind.NCSA: ncsa.read,
    Kind.DATA: data.read,
}

_HEAD: Final = 1 << 16
_BLOCK: Final = 1 << 22

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file to audit. ``name`` is what reports call it; ``path`` is where it is now; ``fault`` what
    was wrong before anybody looked into it.
    """

    name: str
    path: Path
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a file is: ``sha256`` and ``size`` in bytes of its content, ``schema`` of a data log.

    ``cuts`` are the places at which it may be cut into parts, the beginning included.
    """

    kind: Kind
    sha256: str
    size: int
    schema: Schema | None = None
    cuts: tuple[Cut, ...] = (Cut(),)


@contextmanager
def collected(paths: Sequence[Path], unpacked: int = cabinets.UNPACKED) -> Iterator[list[LogFile]]:
    """The files of the paths, sorted by name; what cabinets hold is unpacked for the while.

    A folder that cannot be listed is among them: opening it fails, so the audit reports it like a
    file that cannot be read. A cabinet may unpack to ``unpacked`` bytes. Raises :class:`UsageError`
    where a path does not exist, and :class:`AsideError` where there is no room to unpack.
    """
    with ExitStack() as stack:
        found: list[LogFile] = []
        place: Path | None = None
        for number, file in enumerate(_named(paths)):
            if _head(file.path).startswith(cabinets.MAGIC):
                # One for all: it is held open, and there may be more cabinets than open files.
                place = place or stack.enter_context(scratch())
                found += unpack(file, place / str(number), unpacked)
            else:
                found.append(file)
        yield sorted(found, key=lambda one: one.name)


def _named(paths: Sequence[Path]) -> list[LogFile]:
    """Each file once, under a name of its own.

    Names are short as long as they tell files apart: ``a/Security.evtx b/Security.evtx`` are two
    logs. Those that would share a name are called as they were asked for, else by their full path.
    """
    every = [one for path in paths for one in _files(path)]
    every.sort(key=lambda one: (one.name, len(str(one.path)), one.path), reverse=True)
    files = {one.path.resolve(): one for one in every}
    names = {real: one.name for real, one in files.items()}
    for longer in (lambda real: str(files[real].path), str):
        often = Counter(names.values())
        names.update({real: longer(real) for real, name in names.items() if often[name] > 1})
    return [LogFile(_encodable(names[real]), one.path) for real, one in files.items()]


def _encodable(name: str) -> str:
    """A name that a report in UTF-8 can hold: Linux has file names in any bytes."""
    return name.encode("utf-8", "backslashreplace").decode()


def _files(path: Path) -> list[LogFile]:
    if path.is_dir():
        return [
            LogFile(str(PurePosixPath(path.name, file.relative_to(path))), file)
            for file in _below(path)
        ]
    if not path.is_file():
        # A device or a pipe need never end, and cannot be read twice.
        what = "neither a file nor a folder" if path.exists() else "no such file or folder"
        raise UsageError(
            f"there is nothing to audit: {what}",
            where=str(path),
            remedy="name event logs (.evtx), IIS logs (.log), cabinets (.cab) or folders of them",
        )
    return [LogFile(path.name, path)]


def _below(folder: Path) -> list[Path]:
    """The files below a folder, and the folders there that cannot be listed."""
    closed: list[OSError] = []
    found = [
        Path(at, name)
        for at, _, names in os.walk(folder, onerror=closed.append)
        for name in names
        if _may_be_file(Path(at, name))
    ]
    return found + [Path(os.fsdecode(error.filename)) for error in closed]


def _may_be_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return True


def unpack(cabinet: LogFile, folder: Path, most: int = cabinets.UNPACKED) -> list[LogFile]:
    """The files of a Microsoft cabinet, written to the new ``folder``: ``most`` bytes of them.

    A cabinet that cannot be read is returned as it is: the audit then reports it as unreadable.
    """
    try:
        folder.mkdir()
        members = cabinets.unpack(cabinet.path, folder, most)
    except cabinets.CabinetError:
        return [cabinet]
    except OSError as error:
        if error.errno in _FULL:
            raise AsideError.at(folder, error) from error
        return [cabinet]
    return [
        LogFile(f"{cabinet.name}!{decode(one.name).replace(chr(92), '/')}", one.path, one.fault)
        for one in members
    ]


def identify(file: LogFile, schemas: Sequence[Schema], part: int) -> Identity:
    """Kind, hash, size and cuts of a file, read once in bounded memory. Raises ``OSError``.

    Parts are about ``part`` bytes. Windows event logs are cut between chunks, W3C logs between
    lines; other files, and text in UTF-16, are one part.
    """
    total = hashlib.sha256()
    size, cut = 0, False
    kind: Kind | None = None
    schema = schema_for(file.name, schemas)
    lines = w3c.Cutter(part)
    # Hashing leaves the interpreter to others: looking for lines and reading go beside it.
    with file.path.open("rb") as binary, ThreadPoolExecutor(1) as beside:
        following = binary.read(_BLOCK)
        while block := following:
            hashing = beside.submit(total.update, block)
            if kind is None:
                kind = _kind(block[:_HEAD]) if schema is None else Kind.DATA
                cut = kind is Kind.W3C and not is_utf_16(block)
            if cut:
                lines.feed(block)
            size += len(block)
            following = binary.read(_BLOCK)
            hashing.result()
    kind = kind or (Kind.UNKNOWN if schema is None else Kind.DATA)
    cuts: tuple[Cut, ...] = (Cut(),)
    if kind is Kind.EVTX:
        cuts = evtx.cuts(size, part)
    elif cut:
        cuts = lines.cuts(size)
    return Identity(kind, total.hexdigest(), size, schema, cuts)


def _kind(head: bytes) -> Kind:
    if evtx.is_evtx(head):
        return Kind.EVTX
    head = as_utf_8(head)
    if w3c.is_w3c(head):
        return Kind.W3C
    if iis_native.is_native(head):
        return Kind.IIS
    return Kind.NCSA if ncsa.is_ncsa(head) else Kind.UNKNOWN


def _head(path: Path) -> bytes:
    """The first bytes; none where the file cannot be read, which is said when it is identified."""
    try:
        with io.FileIO(path) as file:
            return file.read(4)
    except OSError:
        return b""
