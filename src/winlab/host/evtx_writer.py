"""Real EVTX files from event records: pure bytes in memory, no I/O.

File header, chunk header, record header and checksums follow the "Windows XML Event Log (EVTX)"
format page of libevtx and MS-EVEN6. Each chunk is self-contained, as Windows writes it: template
definitions stand in the first record that needs them, names in the first template that needs them,
and the two tables of the chunk header find both.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

from winlab.host.events import EventRecord
from winlab.host.evtx_writer_template import Assembler, shape_of, system_values, tree_of
from winlab.host.evtx_writer_values import filetime

CHUNK_SIZE = 0x10000
HEADER_SIZE = 0x1000
_CHUNK_HEADER = 512
_RECORD_OVERHEAD = 28
_MAX_CHUNKS = 0xFFFF
_NONE = 0xFFFFFFFFFFFFFFFF


class EvtxTooLargeError(ValueError):
    """A record that no chunk can hold (64 KB), or more chunks than a file can count."""


@dataclass
class _Chunk:
    """One chunk being filled; ``body`` is what follows its header."""

    body: bytearray = field(default_factory=bytearray)
    strings: list[int] = field(default_factory=lambda: [0] * 64)
    templates: list[int] = field(default_factory=lambda: [0] * 32)
    names: dict[str, int] = field(default_factory=dict)
    known: dict[Hashable, tuple[int, int]] = field(default_factory=dict)
    first: int = 1
    last: int = _NONE
    first_number: int = 1
    last_number: int = _NONE
    last_offset: int = 0

    def add(self, record: EventRecord, number: int) -> bool:
        """Append a record under the file's record number; False if it does not fit."""
        shape, payload = shape_of(record)
        start = _CHUNK_HEADER + len(self.body)
        known = self.known.get(shape)
        definition, heads = b"", self.strings
        if known is None:
            heads = list(self.strings)
            base = start + 24 + 4 + 10
            assembler = Assembler(base, self.names, heads)
            definition, template_id = assembler.definition(tree_of(record))
            bucket = template_id % len(self.templates)
            definition = struct.pack("<I", self.templates[bucket]) + definition
            offset = base
        else:
            template_id, offset = known
        values = [*system_values(record), *payload]
        parts = [
            b"\x0f\x01\x01\x00\x0c\x01",
            struct.pack("<II", template_id, offset),
            definition,
            struct.pack("<I", len(values)),
            *_descriptors(values, record),
            *[raw for _, raw in values],
            b"\0",
        ]
        content = b"".join(parts)
        size = (_RECORD_OVERHEAD + len(content) + 7) & ~7
        if start + size > CHUNK_SIZE:
            return False
        if known is None:
            self.strings = heads
            self.names.update(assembler.added)
            self.templates[bucket] = offset
            self.known[shape] = (template_id, offset)
        self.body += struct.pack("<4sIQQ", b"**\0\0", size, number, filetime(record.time_created))
        self.body += content.ljust(size - _RECORD_OVERHEAD, b"\0") + struct.pack("<I", size)
        if self.last == _NONE:
            self.first, self.first_number = number, number
        self.last = self.last_number = number
        self.last_offset = start
        return True

    def finish(self) -> bytes:
        """Return the chunk, 64 KB, with both checksums."""
        free = _CHUNK_HEADER + len(self.body)
        head = struct.pack(
            "<8sQQQQIIII",
            b"ElfChnk\0",
            self.first_number,
            self.last_number,
            self.first,
            self.last,
            128,
            self.last_offset,
            free,
            zlib.crc32(self.body),
        ).ljust(120, b"\0")
        tables = struct.pack("<96I", *self.strings, *self.templates)
        check = zlib.crc32(tables, zlib.crc32(head))
        full = head + struct.pack("<II", 1, check) + tables + self.body
        return full.ljust(CHUNK_SIZE, b"\0")


def _descriptors(values: list[tuple[int, bytes]], record: EventRecord) -> list[bytes]:
    try:
        return [struct.pack("<HBB", len(raw), kind, 0) for kind, raw in values]
    except struct.error as exc:
        raise EvtxTooLargeError(
            f"event record {record.record_id} of {record.channel} holds a value above 65,535 bytes"
        ) from exc


def evtx_bytes(
    records: Iterable[EventRecord], *, exported: bool = False, dirty: bool = False
) -> bytes:
    """Return an EVTX file with these records, in the order given.

    ``exported`` numbers the records of the file from 1, as ``wevtutil epl`` does (the record header
    then differs from System/EventRecordID, which stays). ``dirty`` sets the flag of a log that the
    service has open. Raises EvtxTooLargeError for a record above what a chunk holds.
    """
    chunk, done = _Chunk(), bytearray()
    count, next_id = 1, 1
    for position, record in enumerate(records, 1):
        number = position if exported else record.record_id
        if not chunk.add(record, number):
            if chunk.last != _NONE:
                done += chunk.finish()
                chunk, count = _Chunk(), count + 1
            if count > _MAX_CHUNKS or not chunk.add(record, number):
                raise EvtxTooLargeError(
                    f"event record {record.record_id} of {record.channel} does not fit into a "
                    f"chunk of 64 KB, or the log is above {_MAX_CHUNKS} chunks"
                )
        next_id = number + 1
    done += chunk.finish()
    head = struct.pack(
        "<8sQQQIHHHH", b"ElfFile\0", 0, count - 1, next_id, 128, 1, 3, HEADER_SIZE, count
    ).ljust(120, b"\0")
    head += struct.pack("<II", 1 if dirty else 0, zlib.crc32(head))
    return head.ljust(HEADER_SIZE, b"\0") + bytes(done)
