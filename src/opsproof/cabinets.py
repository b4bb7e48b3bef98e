"""Unpacks Microsoft cabinets block by block, in bounded memory and into bounded room.

Format: [MS-CAB], "Cabinet File Format", sections 2.1 to 2.6; MSZIP: [MS-MCI], "Microsoft ZIP (MSZIP)
Compression and Decompression Data Structure": each block of at most 32 KB is deflated by itself, with
the block before it as the dictionary. Read are stored and MSZIP folders of one cabinet, which is what
``makecab`` writes; Quantum, LZX and members that go on in another cabinet are told as faults.

A cabinet may be made to harm: members that lie on one another, folders that share their data and
blocks of one byte again and again unpack to any size. So members must follow each other, and who
unpacks says how much room there is.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias

import numpy as np

from opsproof.errors import OpsproofError

MAGIC: Final = b"MSCF"
"""What a cabinet begins with."""

_HEADER: Final = struct.Struct("<4s4xI4xI4xBBHHHHH")
_RESERVED: Final = struct.Struct("<HBB")
_FOLDER: Final = struct.Struct("<IHH")
_FILE: Final = struct.Struct("<IIHHHH")
_BLOCK: Final = struct.Struct("<IHH")

UNPACKED: Final = 16_000_000_000
"""Bytes that one cabinet may unpack to, where nobody says otherwise."""

_SMALL: Final = 1 << 28
_RATIO: Final = 200
"""Times its own size that a cabinet may unpack to, from 256 MiB on. Logs are packed to a tenth or a
fiftieth; MSZIP packs one byte again and again to a thousandth.
"""

_PREVIOUS, _NEXT, _RESERVE = 1, 2, 4
_LARGEST: Final = 32768
"""Bytes of the largest block, unpacked."""

_ELSEWHERE: Final = 0xFFFD
"""Folder numbers from which on a member goes on from, or in, another cabinet."""

_LONGEST_NAME: Final = 256
_METHODS: Final = {0: "stored", 1: "MSZIP", 2: "Quantum", 3: "LZX"}


class CabinetError(OpsproofError):
    """A file is no cabinet, or its list of members cannot be read."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a cabinet: its name there, as it was written or as bytes of Latin-1; its stated
    size in bytes; where it, or what could be had of it, is now; and what is wrong with it.
    """

    name: bytes
    size: int
    path: Path
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Digest:
    """One file of a cabinet that was not written: its name, its stated size in bytes, the SHA-256 of
    what could be had of it, and what is wrong with it.
    """

    name: bytes
    size: int
    sha256: str
    fault: str = ""


@dataclass(frozen=True, slots=True)
class _Entry:
    number: int
    name: bytes
    size: int
    offset: int
    folder: int


@dataclass(frozen=True, slots=True)
class _Folder:
    offset: int
    blocks: int
    method: int


_Begin: TypeAlias = Callable[[_Entry], AbstractContextManager[Callable[[bytes], object]]]
"""Opens what takes the content of a member, piece by piece."""


class _DamageError(Exception):
    """A folder cannot be read any further."""


class _FullError(Exception):
    """There is no more room."""


def unpack(cabinet: Path, target: Path, most: int = UNPACKED) -> list[Member]:
    """Write the members of a cabinet to ``target``, and list them all: at most ``most`` bytes, and
    none that are out of all proportion to the cabinet.

    What is damaged ends a folder, not the others; members with a fault may have the beginning of
    their content. Raises :class:`CabinetError` where the members cannot be listed, and ``OSError``
    where a file cannot be read or written.
    """

    @contextmanager
    def begin(entry: _Entry) -> Iterator[Callable[[bytes], object]]:
        with path(entry).open("wb") as file:
            yield file.write

    def path(entry: _Entry) -> Path:
        return target / f"{entry.number:05d}"

    members = [
        Member(entry.name, entry.size, path(entry), fault)
        for entry, fault in _unpacked(cabinet, most, begin)
    ]
    return sorted(members, key=lambda one: (one.name, one.path.name))


def digests(cabinet: Path, most: int = UNPACKED) -> list[Digest]:
    """What :func:`unpack` would write, hashed and not written. Raises as it does."""
    hashes: dict[int, Any] = {}

    def begin(entry: _Entry) -> AbstractContextManager[Callable[[bytes], object]]:
        hashes[entry.number] = sha256()
        return nullcontext(hashes[entry.number].update)

    found = sorted(_unpacked(cabinet, most, begin), key=lambda one: (one[0].name, one[0].number))
    return [
        Digest(entry.name, entry.size, hashes[entry.number].hexdigest(), fault)
        for entry, fault in found
    ]


def _unpacked(cabinet: Path, most: int, begin: _Begin) -> Iterator[tuple[_Entry, str]]:
    """Each member when its content has been handed on, and what is wrong with it."""
    with cabinet.open("rb") as file:
        folders, entries, reserved = _listed(file, cabinet)
        size = os.fstat(file.fileno()).st_size
        left = _Room(min(most, max(_SMALL, size * _RATIO)), size)
        by_folder: dict[int, list[_Entry]] = {}
        for entry in entries:
            by_folder.setdefault(entry.folder, []).append(entry)
        for number, inside in sorted(by_folder.items()):
            if number >= len(folders):
                where = "another cabinet" if number >= _ELSEWHERE else "a folder that is not there"
                for entry in inside:
                    with begin(entry):
                        yield entry, f"it is, or goes on, in {where}"
                continue
            yield from _handed_on(
                _blocks(file, folders[number], reserved, left), inside, begin, left
            )


class _Room:
    """What may still be unpacked, and how many bytes of the cabinet are not read yet."""

    def __init__(self, room: int, packed: int) -> None:
        self._room = self._left = room
        self._packed = packed

    def read(self, size: int) -> None:
        """So many bytes of the cabinet were read: of a sound one none is read twice."""
        self._packed -= size
        if self._packed < 0:
            raise _DamageError("its blocks are those of another folder too")

    def take(self, size: int) -> None:
        if size > self._left:
            self._left = 0
            raise _FullError(f"the cabinet holds more than the {self._room} bytes it may unpack to")
        self._left -= size


def _listed(file: BinaryIO, cabinet: Path) -> tuple[list[_Folder], list[_Entry], int]:
    """The folders and members that a cabinet states; the bytes reserved in each of its blocks."""
    try:
        head = _exactly(file, _HEADER.size)
        magic, _, files_at, _, major, folders, files, flags, _, _ = _HEADER.unpack(head)
        if magic != MAGIC or major != 1:
            raise _DamageError("it has no cabinet header")
        in_header = in_folder = in_block = 0
        if flags & _RESERVE:
            in_header, in_folder, in_block = _RESERVED.unpack(_exactly(file, _RESERVED.size))
            _exactly(file, in_header)
        for flag in (_PREVIOUS, _NEXT):
            if flags & flag:
                _name(file)
                _name(file)
        found = []
        for _ in range(folders):
            found.append(_Folder(*_FOLDER.unpack(_exactly(file, _FOLDER.size))))
            _exactly(file, in_folder)
        file.seek(files_at)
        entries = []
        for number in range(files):
            size, offset, folder, _, _, _ = _FILE.unpack(_exactly(file, _FILE.size))
            entries.append(_Entry(number, _name(file), size, offset, folder))
    except _DamageError as error:
        raise CabinetError(str(error), where=str(cabinet)) from error
    return found, entries, in_block


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise _DamageError("it is cut short")
    return data


def _name(file: BinaryIO) -> bytes:
    """A text that ends with a NUL byte."""
    begin = file.tell()
    name, end, _ = file.read(_LONGEST_NAME + 1).partition(b"\0")
    if not end:
        raise _DamageError("a name does not end")
    file.seek(begin + len(name) + 1)
    return name


def _blocks(file: BinaryIO, folder: _Folder, reserved: int, room: _Room) -> Iterator[bytes]:
    """The content of a folder. Raises :class:`_DamageError` where it goes on no further."""
    method = folder.method & 0xF
    if method > 1:
        name = _METHODS.get(method, f"method {method}")
        raise _DamageError(f"it is packed by {name}; only stored and MSZIP can be read")
    before, at = b"", folder.offset
    for number in range(folder.blocks):
        file.seek(at)
        head = _exactly(file, _BLOCK.size + reserved)
        stated, packed, unpacked = _BLOCK.unpack_from(head)
        room.read(len(head) + packed)
        data = _exactly(file, packed)
        at = file.tell()
        if stated and stated != checksum(head[4:], checksum(data)):
            raise _DamageError(f"the checksum of its block {number} is wrong")
        if method:
            data = _inflated(data, before, number)
        if len(data) != unpacked or unpacked > _LARGEST:
            raise _DamageError(f"its block {number} is not of the stated size")
        before = data
        yield data


def checksum(data: bytes, seed: int = 0) -> int:
    """The sum of [MS-CAB] section 3.1: words of four bytes by exclusive or, the odd ones backwards."""
    whole = len(data) & ~3
    words = np.frombuffer(data, dtype="<u4", count=whole // 4)
    odd = int.from_bytes(data[whole:], "big")
    return seed ^ int(np.bitwise_xor.reduce(words, initial=0)) ^ odd


def _inflated(data: bytes, before: bytes, number: int) -> bytes:
    if not data.startswith(b"CK"):
        raise _DamageError(f"its block {number} is no MSZIP")
    inflate = zlib.decompressobj(-zlib.MAX_WBITS, zdict=before)
    try:
        return inflate.decompress(data[2:], _LARGEST + 1)
    except zlib.error as error:
        raise _DamageError(f"its block {number} cannot be unpacked") from error


def _handed_on(
    blocks: Iterator[bytes], entries: Sequence[_Entry], begin: _Begin, room: _Room
) -> Iterator[tuple[_Entry, str]]:
    """The members of one folder, one after another as they lie in it."""
    at, waiting, why = 0, b"", ""
    for entry in sorted(entries, key=lambda one: (one.offset, one.number)):
        written, fault = 0, why
        with begin(entry) as take:
            if entry.size and entry.offset < at and not why:
                fault = "it lies on another member"
            elif not why:
                try:
                    while written < entry.size:
                        # What lies before the member is of none, and passed by.
                        passed = min(len(waiting), max(0, entry.offset - at))
                        room.take(passed)
                        waiting, at = waiting[passed:], at + passed
                        piece = waiting[: entry.size - written] if at >= entry.offset else b""
                        room.take(len(piece))
                        take(piece)
                        waiting, at, written = (
                            waiting[len(piece) :],
                            at + len(piece),
                            written + len(piece),
                        )
                        if written < entry.size and not waiting:
                            waiting = _next(blocks)
                except (_DamageError, _FullError) as error:
                    # Whatever lies behind in this folder cannot be had any more.
                    why = fault = str(error)
        if fault:
            fault = f"{written} of its {entry.size} bytes could be unpacked: {fault}"
        yield entry, fault


def _next(blocks: Iterator[bytes]) -> bytes:
    for block in blocks:
        return block
    raise _DamageError("its folder ends before it does")
