"""Binary XML templates: the constant part of an event, written once in each chunk.

Layouts follow the "Windows XML Event Log (EVTX)" format page of libevtx (sections "Binary XML",
"Template definition", "Name") and MS-EVEN6 section 2.2.12. All offsets count from the chunk's start.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TypeAlias

from winlab.host import evtx_writer_values as v
from winlab.host.events import NAMESPACE, EventData, EventRecord, Node, UserData

_FRAGMENT = b"\x0f\x01\x01\x00"
_END_OF_STREAM, _CLOSE_START, _CLOSE_EMPTY, _END = b"\x00", b"\x02", b"\x03", b"\x04"
_NAME_HASH_FACTOR = 65599

Payload: TypeAlias = "tuple[tuple[int, bytes], ...]"
"""Values of an event's payload in the order of their substitutions: (type code, bytes)."""


@dataclass(frozen=True, slots=True)
class Subst:
    """A hole of the template: the type its value has."""

    type: int


@dataclass(frozen=True, slots=True)
class Elem:
    """An element of a template; text is literal or a hole."""

    name: str
    attributes: tuple[tuple[str, str | Subst], ...] = ()
    children: tuple[Elem | str | Subst, ...] = ()


def shape_of(record: EventRecord) -> tuple[Hashable, Payload]:
    """Return what the record's template depends on, and the values of the payload's holes.

    Records alike give equal shapes; ``tree_of`` makes the template.
    """
    data = record.data
    payload: Hashable = None
    values: Payload = ()
    if isinstance(data, EventData):
        values = _data_values(data)
        kinds = tuple(kind for kind, _ in values)
        payload = (data.name, tuple(name for name, _ in data.items), kinds, data.binary is not None)
    elif data is not None:
        filled: list[tuple[int, bytes]] = []
        payload, values = _node(data.root, filled), tuple(filled)
    return (
        record.provider,
        record.provider_guid,
        record.event_source_name,
        record.channel,
        record.computer,
        record.qualifiers is None,
        record.version is None,
        record.opcode is None,
        record.process_id is None,
        record.thread_id is None,
        record.user_sid is None,
        record.activity_id is None,
        record.related_activity_id is None,
        payload,
    ), values


def tree_of(record: EventRecord) -> Elem:
    """Return the template of a record: the whole event with holes for what varies."""
    payload = _payload(record.data)
    system = _system(record)
    inner = (system,) if payload is None else (system, payload)
    return Elem("Event", (("xmlns", NAMESPACE),), inner)


def _system(r: EventRecord) -> Elem:
    def when(value: object, attribute: str, kind: int) -> tuple[tuple[str, Subst], ...]:
        return () if value is None else ((attribute, Subst(kind)),)

    names = [
        ("Name", r.provider),
        ("Guid", r.provider_guid),
        ("EventSourceName", r.event_source_name),
    ]
    literal = tuple((name, text) for name, text in names if text is not None)
    children = [
        Elem("Provider", literal),
        Elem("EventID", when(r.qualifiers, "Qualifiers", v.UINT16), (Subst(v.UINT16),)),
    ]
    if r.version is not None:
        children.append(Elem("Version", (), (Subst(v.UINT8),)))
    children += [Elem("Level", (), (Subst(v.UINT8),)), Elem("Task", (), (Subst(v.UINT16),))]
    if r.opcode is not None:
        children.append(Elem("Opcode", (), (Subst(v.UINT8),)))
    execution = when(r.process_id, "ProcessID", v.UINT32) + when(r.thread_id, "ThreadID", v.UINT32)
    related = when(r.activity_id, "ActivityID", v.GUID)
    related += when(r.related_activity_id, "RelatedActivityID", v.GUID)
    children += [
        Elem("Keywords", (), (Subst(v.HEX64),)),
        Elem("TimeCreated", (("SystemTime", Subst(v.FILETIME)),)),
        Elem("EventRecordID", (), (Subst(v.UINT64),)),
        Elem("Correlation", related),
        Elem("Execution", execution),
        Elem("Channel", (), (r.channel,) if r.channel else ()),
        Elem("Computer", (), (r.computer,) if r.computer else ()),
        Elem("Security", when(r.user_sid, "UserID", v.SID)),
    ]
    return Elem("System", (), tuple(c for c in children if c.attributes or c.name not in _BARE))


_BARE = {"Execution"}
"""Elements left out when they have no attribute (classic events of old systems)."""


def system_values(r: EventRecord) -> list[tuple[int, bytes]]:
    """Return the values of System's holes, in the order in which the template has them."""
    found: list[tuple[int, bytes]] = []
    if r.qualifiers is not None:
        found.append((v.UINT16, struct.pack("<H", r.qualifiers)))
    found.append((v.UINT16, struct.pack("<H", r.event_id)))
    if r.version is not None:
        found.append((v.UINT8, bytes((r.version,))))
    found += ((v.UINT8, bytes((r.level,))), (v.UINT16, struct.pack("<H", r.task)))
    if r.opcode is not None:
        found.append((v.UINT8, bytes((r.opcode,))))
    found += (
        (v.HEX64, struct.pack("<Q", r.keywords)),
        (v.FILETIME, struct.pack("<Q", v.filetime(r.time_created))),
        (v.UINT64, struct.pack("<Q", r.record_id)),
    )
    if r.activity_id is not None:
        found.append((v.GUID, v.guid_bytes(r.activity_id)))
    if r.related_activity_id is not None:
        found.append((v.GUID, v.guid_bytes(r.related_activity_id)))
    if r.process_id is not None:
        found.append((v.UINT32, struct.pack("<I", r.process_id)))
    if r.thread_id is not None:
        found.append((v.UINT32, struct.pack("<I", r.thread_id)))
    if r.user_sid is not None:
        found.append((v.SID, v.sid_bytes(r.user_sid)))
    return found


def _classic(data: EventData) -> bool:
    return bool(data.items) and all(name is None for name, _ in data.items)


def _data_values(data: EventData) -> Payload:
    if _classic(data):
        values = [v.string_array([value for _, value in data.items])]
    else:
        values = [v.typed(value) for _, value in data.items]
    if data.binary is not None:
        values.append((v.BINARY, data.binary))
    return tuple(values)


def _payload(data: EventData | UserData | None) -> Elem | None:
    if data is None:
        return None
    if isinstance(data, UserData):
        return _node(data.root, [])
    if _classic(data):
        children = [Elem("Data", (), (Subst(v.STRING_ARRAY),))]
    else:
        children = [
            Elem("Data", (("Name", name),) if name is not None else (), (Subst(kind),))
            for (name, _), (kind, _) in zip(data.items, _data_values(data), strict=False)
        ]
    if data.binary is not None:
        children.append(Elem("Binary", (), (Subst(v.BINARY),)))
    name = (("Name", data.name),) if data.name is not None else ()
    return Elem("EventData", name, tuple(children))


def _node(node: Node, values: list[tuple[int, bytes]]) -> Elem:
    children: list[Elem | Subst] = []
    for child in node.children:
        if isinstance(child, str):
            values.append((v.STRING, v.utf16(child)))
            children.append(Subst(v.STRING))
        else:
            children.append(_node(child, values))
    return Elem(node.name, node.attributes, tuple(children))


def name_hash(name: str) -> int:
    """Return the 16-bit hash that a name entry carries and the string table is keyed by."""
    value = 0
    for char in name:
        value = (value * _NAME_HASH_FACTOR + ord(char)) & 0xFFFFFFFF
    return value & 0xFFFF


@dataclass
class Assembler:
    """Writes one template definition for the place ``base`` of a chunk.

    ``names`` are the chunk's name entries so far; what this template adds is in ``added`` (in
    order, name -> offset), so that the caller can drop the template when the chunk is full.
    ``heads`` are the 64 buckets of the chunk's string table.
    """

    base: int
    names: dict[str, int]
    heads: list[int]
    added: dict[str, int] = field(default_factory=dict)
    out: bytearray = field(default_factory=bytearray)
    holes: int = 0

    def definition(self, tree: Elem) -> tuple[bytes, int]:
        """Return the definition after its first field (GUID, size, body) and the template's id.

        ``base`` is where that first field, the offset of the next template, stands.
        """
        guid = hashlib.blake2b(repr(tree).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        self.out += guid + b"\0\0\0\0" + _FRAGMENT
        self._element(tree)
        self.out += _END_OF_STREAM
        self._patch(16, len(self.out) - 20)
        return bytes(self.out), int(struct.unpack_from("<I", guid)[0])

    def _patch(self, at: int, value: int) -> None:
        struct.pack_into("<I", self.out, at, value)

    def _name(self, name: str) -> None:
        offset = self.names.get(name) or self.added.get(name)
        if offset is not None:
            self.out += struct.pack("<I", offset)
            return
        offset = self.base + 4 + len(self.out) + 4
        bucket = name_hash(name) % len(self.heads)
        text = v.utf16(name)
        self.out += struct.pack("<IIHH", offset, self.heads[bucket], name_hash(name), len(name))
        self.out += text + b"\0\0"
        self.heads[bucket] = self.added[name] = offset

    def _text(self, text: str | Subst) -> None:
        if isinstance(text, Subst):
            self.out += struct.pack("<BHB", 0x0D, self.holes, text.type)
            self.holes += 1
        else:
            self.out += struct.pack("<BBH", 0x05, v.STRING, len(v.utf16(text)) // 2) + v.utf16(text)

    def _element(self, element: Elem) -> None:
        self.out += b"\x41" if element.attributes else b"\x01"
        self.out += b"\xff\xff\0\0\0\0"
        size_at = len(self.out) - 4
        self._name(element.name)
        if element.attributes:
            self._attributes(element.attributes)
        if element.children:
            self.out += _CLOSE_START
            for child in element.children:
                if isinstance(child, Elem):
                    self._element(child)
                else:
                    self._text(child)
            self.out += _END
        else:
            self.out += _CLOSE_EMPTY
        self._patch(size_at, len(self.out) - size_at - 4)

    def _attributes(self, attributes: tuple[tuple[str, str | Subst], ...]) -> None:
        self.out += b"\0\0\0\0"
        size_at = len(self.out) - 4
        for left, (name, value) in zip(range(len(attributes) - 1, -1, -1), attributes, strict=True):
            self.out += b"\x46" if left else b"\x06"
            self._name(name)
            self._text(value)
        self._patch(size_at, len(self.out) - size_at - 4)
