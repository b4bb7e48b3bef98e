"""Windows event log files (EVTX), parsed by the ``evtx`` package, chunk by chunk.

The file format is that of "Windows XML Event Log (EVTX)" in the libyal documentation: a header
block of 4,096 bytes, then chunks of 65,536 bytes, each with its own header, string table and
records. The parser gives up a whole chunk at its first damaged record and says nothing of a file
that is cut short, so this reader walks the records of every chunk itself, compares what it counted
with what the parser returned, and closes damaged spots so that the rest of the chunk is read.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import evtx
import msgspec

from opsproof.logs.readers.base import Cut, Damage, Fields, Kept, Log, Notes
from opsproof.logs.readers.evtx_forms import Book
from opsproof.logs.readers.evtx_load import Loader
from opsproof.logs.table import Table

HEADER = 4096
CHUNK = 65536
RECORDS_AT = 512
GROUP = 32
"""Chunks handed to the parser at a time (2 MiB)."""

_SMALLEST_RECORD = 28
_DIRTY = 1
_HEADER_SIZE = 128
_MAGIC = b"ElfFile\0"
_CHUNK_MAGIC = b"ElfChnk\0"
_RECORD_MAGIC = b"**\0\0"
_FAILED = re.compile(r"record number (\d+): (.*)", re.DOTALL)
_START, _SIZE = struct.Struct("<4sIQ"), struct.Struct("<I")


def is_evtx(head: bytes) -> bool:
    """Whether a file that begins with these bytes is an event log file."""
    return head.startswith(_MAGIC)


@dataclass(slots=True)
class _Group:
    """Some chunks as the parser gets them, and the record numbers it has to return."""

    data: list[bytes | bytearray]
    numbers: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)


def read(log: Log, wanted: Fields, notes: Notes, kept: Kept | None = None) -> Iterator[Table]:
    """Batches of the live records of one EVTX file, in file order.

    Records in slack space (overwritten, no longer part of the log) are not read: they would count
    twice.
    """
    memory = os.fdopen(os.memfd_create("opsproof-evtx"), "wb")
    with memory, log.path.open("rb") as file:
        header = file.read(HEADER)
        if len(header) < HEADER or not is_evtx(header):
            notes.damaged(Damage("not an event log file: its header is cut short", offset=0))
            return
        kept = {} if kept is None else kept
        loader, exported = Loader(log.source, wanted, kept.setdefault(Book, Book(wanted))), False
        # Until a record says otherwise: a part without records must not speak for the others.
        notes.original = True
        first = max(HEADER, log.begin.offset)
        if first == HEADER:
            _check_header(header, os.fstat(file.fileno()).st_size, notes)
        for group in _groups(file, header, first, log.end, notes):
            for number, text in _parse(group, memory, notes):
                try:
                    loader.add(text, number)
                except (ValueError, msgspec.DecodeError, RecursionError) as error:
                    notes.damaged(Damage(f"a record is no event: {error}", records=1))
                # Looked at after each record: few bytes may refer to a large template again and again.
                if loader.full:
                    exported = exported or loader.exported
                    notes.original = not exported
                    yield loader.table()
                    if not loader.pays:
                        kept[Book] = Book(wanted)
                    loader = Loader(log.source, wanted, kept[Book])
        if len(loader):
            notes.original = not (exported or loader.exported)
            yield loader.table()
        if not loader.pays:
            del kept[Book]


def cuts(size: int, part: int) -> tuple[Cut, ...]:
    """Where a file of this size may be cut: between chunks, into parts of at most ``part`` bytes.

    They are alike in size and a multiple of four (where chunks are enough), so that two or four
    processes end together.
    """
    chunks = -(-(size - HEADER) // CHUNK)
    parts = -(-chunks // max(1, part // CHUNK))
    if parts <= 1:
        return (Cut(),)
    step = -(-chunks // (-(-parts // 4) * 4)) * CHUNK
    return tuple(Cut(offset) for offset in (0, *range(HEADER + step, size, step)))


def _check_header(header: bytes, size: int, notes: Notes) -> None:
    """The sizes of the header are always the same; a closed file has room for the chunks it states."""
    if header != _mended(header):
        notes.damaged(Damage("the header of the file is damaged: it gives wrong sizes", offset=0))
    stated = struct.unpack_from("<H", header, 42)[0]
    found = -(-(size - HEADER) // CHUNK)
    if not struct.unpack_from("<I", header, 120)[0] & _DIRTY and found < stated:
        what = f"the file is cut short: it has {found} of the {stated} chunks its header states"
        notes.damaged(Damage(what, offset=size))


def _mended(header: bytes) -> bytes:
    """The header with the sizes that every file has: the parser refuses the whole file for others."""
    mended = bytearray(header)
    struct.pack_into("<I", mended, 32, _HEADER_SIZE)
    struct.pack_into("<H", mended, 40, HEADER)
    return bytes(mended)


def _groups(
    file: BinaryIO, header: bytes, first: int, end: int | None, notes: Notes
) -> Iterator[_Group]:
    """The chunks from ``first`` to ``end`` in groups, damage closed and noted.

    The checksums of a file that was copied while it was open (its header says dirty) lag behind its
    records, so they prove nothing and are not compared.
    """
    checked = not struct.unpack_from("<I", header, 120)[0] & _DIRTY
    offset, mended = first, _mended(header)
    file.seek(first)
    while block := file.read(min(CHUNK * GROUP, (1 << 62 if end is None else end) - offset)):
        group = _Group([mended])
        for at in range(0, len(block), CHUNK):
            chunk = block[at : at + CHUNK]
            if len(chunk) < CHUNK:
                if not any(chunk):
                    continue
                what = f"the file is cut short: {len(chunk)} bytes of a chunk of {CHUNK}"
                notes.damaged(Damage(what, offset=offset + at))
                chunk += bytes(CHUNK - len(chunk))
                checked = False
            if chunk.startswith(_CHUNK_MAGIC):
                group.data.append(_walk(chunk, offset + at, group, checked=checked, notes=notes))
            elif any(chunk[:RECORDS_AT]):
                what = "a chunk has no header: its records are lost"
                notes.damaged(Damage(what, offset=offset + at))
        yield group
        offset += len(block)


def _walk(
    chunk: bytes, base: int, group: _Group, *, checked: bool, notes: Notes
) -> bytes | bytearray:
    """Find the records of one chunk; returns it with what is none between them closed."""
    free = struct.unpack_from("<I", chunk, 48)[0]
    if not RECORDS_AT <= free <= CHUNK:
        notes.damaged(Damage(f"a chunk header gives its end as {free}", offset=base))
        free = CHUNK
    elif checked and zlib.crc32(memoryview(chunk)[RECORDS_AT:free]) != _stored_sum(chunk):
        what = "the checksum of a chunk is wrong: its records were changed or damaged"
        notes.damaged(Damage(what, offset=base))
    closed: bytes | bytearray = chunk
    at = RECORDS_AT
    while at < free:
        record = _record(chunk, at, free)
        if record is None:
            end = _next_record(chunk, at, free)
            notes.damaged(
                Damage(f"{end - at} bytes of a chunk are no record", offset=base + at, records=1)
            )
            closed = bytearray(closed) if isinstance(closed, bytes) else closed
            _close(closed, at, end)
            at = end
        else:
            group.numbers.append(record[1])
            group.places.append(base + at)
            at += record[0]
    return closed


def _stored_sum(chunk: bytes) -> int:
    return int(struct.unpack_from("<I", chunk, 52)[0])


def _record(chunk: bytes, at: int, free: int) -> tuple[int, int] | None:
    """Size and number of the record at ``at``; None where there is none. Its size is at both ends."""
    if at + _SMALLEST_RECORD > free:
        return None
    magic, size, number = _START.unpack_from(chunk, at)
    if magic != _RECORD_MAGIC or size < _SMALLEST_RECORD or at + size > free:
        return None
    return (size, number) if _SIZE.unpack_from(chunk, at + size - 4)[0] == size else None


def _next_record(chunk: bytes, at: int, free: int) -> int:
    """Where the next sound record begins, or the end of the chunk's records."""
    found = at
    while (found := chunk.find(_RECORD_MAGIC, found + 4, free)) != -1:
        if _record(chunk, found, free) is not None:
            return found
    return free


def _close(chunk: bytearray, at: int, end: int) -> None:
    """Make the damaged bytes one record that the parser rejects, so that it goes on behind it.

    Where they are too few for a record, or the last ones, the chunk ends there instead.
    """
    size = end - at
    if size < _SMALLEST_RECORD:
        struct.pack_into("<I", chunk, 48, at)
        return
    struct.pack_into("<4sIQ", chunk, at, _RECORD_MAGIC, size, (1 << 64) - 1)
    chunk[at + 24 : end - 4] = bytes(size - 28)
    struct.pack_into("<I", chunk, end - 4, size)


def _parse(group: _Group, memory: BinaryIO, notes: Notes) -> Iterator[tuple[int, str]]:
    """Each record's number in the file and the parser's JSON; what it leaves out is noted.

    ``memory`` is a file for the parser to read, written anew for each group.
    """
    numbers, found = group.numbers, 0
    missing: dict[int, list[int]] | None = None
    failures: dict[int, str] = {}
    memory.seek(0)
    memory.writelines(group.data)
    memory.truncate()
    parser = evtx.PyEvtxParser(f"/proc/self/fd/{memory.fileno()}", number_of_threads=1)
    records = iter(parser.records_json())
    while True:
        try:
            record: Any = next(records)
        except StopIteration:
            break
        except (RuntimeError, OSError, ValueError) as error:
            told = _FAILED.search(str(error))
            if told:
                failures.setdefault(int(told[1]), told[2])
            continue
        number = record["event_record_id"]
        if missing is None and found < len(numbers) and numbers[found] == number:
            found += 1
            yield number, record["data"]
            continue
        # Not the one that was to come: from here on by number. Two chunks may hold the same
        # numbers: files that somebody put together do.
        missing = _left(group, found) if missing is None else missing
        places = missing.get(number)
        if places:
            places.pop(0)
            yield number, record["data"]
    missing = _left(group, found) if missing is None else missing
    for some in _runs(sorted(number for number, places in missing.items() if places)):
        first, last = some[0], some[-1]
        # Only what is said of these very records: all else depends on what stands beside them.
        reason = next((failures[number] for number in some if number in failures), "")
        why = f": {reason[:160]}" if reason else ""
        which = "a record" if first == last else f"the records to {last}"
        notes.damaged(
            Damage(
                f"{which} cannot be parsed{why}",
                offset=missing[first][0],
                record=first,
                records=sum(len(missing[number]) for number in some),
            )
        )


def _left(group: _Group, found: int) -> dict[int, list[int]]:
    """Where the records stand that were not found yet, by number."""
    left: dict[int, list[int]] = {}
    pairs = zip(group.numbers[found:], group.places[found:], strict=True)
    for number, place in pairs:
        left.setdefault(number, []).append(place)
    return left


def _runs(numbers: list[int]) -> list[list[int]]:
    """Sorted numbers in runs without a hole."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs
