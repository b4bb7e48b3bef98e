"""Any real EVTX file as records of a host's log, read through the ``evtx`` package.

Record ids, times and every value keep the text they have in the file; the types of EventData values
are not kept (each becomes text). A file that cannot be read in full raises `EvtxUnreadableError`.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from defusedxml.ElementTree import ParseError, fromstring
from evtx import PyEvtxParser

from winlab.host.events import EventData, EventRecord, Node, UserData, Value

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_NS = "{http://schemas.microsoft.com/win/2004/08/events/event}"


_HEADER, _CHUNK = 4096, 65536
_DIRTY = 1


class EvtxUnreadableError(ValueError):
    """Bytes that are no EVTX file, or one whose records cannot all be read."""


def read_evtx(content: bytes) -> list[EventRecord]:
    """Return all live records of an EVTX file, in file order; EvtxUnreadableError otherwise."""
    return list(iter_evtx(content))


def iter_evtx(content: bytes) -> Iterator[EventRecord]:
    """Yield the live records one by one; EvtxUnreadableError at the first that is broken.

    Headers, lengths and checksums are held first, as the event log service does when it opens a
    file: parsers made for forensics read on where Windows says that the file is corrupted.
    """
    _check(content)
    try:
        records = PyEvtxParser(io.BytesIO(content)).records()
    except (RuntimeError, OSError) as exc:
        raise EvtxUnreadableError(f"not an EVTX file: {_first_line(exc)}") from exc
    done = 0
    while True:
        try:
            raw = next(records, None)
        except (RuntimeError, OSError) as exc:
            raise EvtxUnreadableError(
                f"EVTX file is broken after record {done}: {_first_line(exc)}"
            ) from exc
        if raw is None:
            return
        done += 1
        try:
            record = record_from_xml(raw["data"], raw["event_record_id"], raw["timestamp"])
        except (ParseError, ValueError) as exc:
            raise EvtxUnreadableError(
                f"EVTX file is broken in record {raw['event_record_id']}: {_first_line(exc)}"
            ) from exc
        yield record


def _check(content: bytes) -> None:
    """Hold a file against its own header and chunks.

    Source: "Windows XML Event Log (EVTX)" of the libevtx project, "File header" and "Chunk".
    """
    if len(content) < _HEADER or content[:8] != b"ElfFile\0":
        raise EvtxUnreadableError("not an EVTX file: no header")
    (chunks,) = struct.unpack_from("<H", content, 42)
    flags, checksum = struct.unpack_from("<II", content, 120)
    if checksum != zlib.crc32(content[:120]):
        raise EvtxUnreadableError("EVTX file is broken: the header's checksum is wrong")
    if len(content) < _HEADER + chunks * _CHUNK:
        raise EvtxUnreadableError(
            f"EVTX file is cut off: {len(content)} bytes of {_HEADER + chunks * _CHUNK}"
        )
    for number in range(chunks):
        chunk = content[_HEADER + number * _CHUNK : _HEADER + (number + 1) * _CHUNK]
        if chunk[:8] != b"ElfChnk\0":
            raise EvtxUnreadableError(f"EVTX file is broken: chunk {number} has no header")
        # The log of a running service has checksums of an earlier moment.
        if flags & _DIRTY:
            continue
        end, events = struct.unpack_from("<II", chunk, 48)
        (own,) = struct.unpack_from("<I", chunk, 124)
        if own != zlib.crc32(chunk[:120] + chunk[128:512]) or events != zlib.crc32(chunk[512:end]):
            raise EvtxUnreadableError(f"EVTX file is broken: chunk {number} has a wrong checksum")


def _first_line(exc: BaseException) -> str:
    return str(exc).strip().partition("\n")[0]


def record_from_xml(xml: str, number: int, written: str) -> EventRecord:
    """Return the record of one event's XML.

    ``number`` and ``written`` are the record header's id and time: they stand in where System has
    none (3 % of public samples).
    """
    root = fromstring(xml)
    system = root.find(f"{_NS}System")
    if system is None:
        raise EvtxUnreadableError(f"record {number} has no System element")
    part = _Parts(system)
    return EventRecord(
        record_id=part.integer("EventRecordID", number),
        time_created=_time(part.attribute("TimeCreated", "SystemTime") or written),
        provider=part.attribute("Provider", "Name") or "",
        provider_guid=_braced(part.attribute("Provider", "Guid")),
        event_source_name=part.attribute("Provider", "EventSourceName"),
        event_id=part.integer("EventID", 0),
        qualifiers=_optional(part.attribute("EventID", "Qualifiers")),
        version=_optional(part.text("Version")),
        level=part.integer("Level", 0),
        task=part.integer("Task", 0),
        opcode=_optional(part.text("Opcode")),
        keywords=part.integer("Keywords", 0),
        channel=part.text("Channel") or "",
        computer=part.text("Computer") or "",
        user_sid=part.attribute("Security", "UserID") or None,
        process_id=_optional(part.attribute("Execution", "ProcessID")),
        thread_id=_optional(part.attribute("Execution", "ThreadID")),
        activity_id=_braced(part.attribute("Correlation", "ActivityID")),
        related_activity_id=_braced(part.attribute("Correlation", "RelatedActivityID")),
        data=_payload(root),
    )


class _Parts:
    """System's children by name."""

    def __init__(self, system: Element) -> None:
        self._by_name = {child.tag.removeprefix(_NS): child for child in system}

    def text(self, name: str) -> str | None:
        found = self._by_name.get(name)
        return None if found is None else (found.text or "").strip()

    def attribute(self, name: str, attribute: str) -> str | None:
        found = self._by_name.get(name)
        return None if found is None else found.get(attribute)

    def integer(self, name: str, absent: int) -> int:
        text = self.text(name)
        return int(text, 0) if text else absent


def _optional(text: str | None) -> int | None:
    return int(text, 0) if text else None


def _braced(text: str | None) -> str | None:
    return "{" + text.strip("{}") + "}" if text else None


def _time(text: str) -> datetime:
    bare = text.removesuffix(" UTC").removesuffix("Z").replace("T", " ")
    whole, _, fraction = bare.partition(".")
    moment = datetime.strptime(whole, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return moment.replace(microsecond=int(fraction.ljust(6, "0")[:6]))


def _leaf(element: Element) -> str:
    text = element.text or ""
    return text if text.strip() else ""


def _payload(root: Element) -> EventData | UserData | None:
    for child in root:
        if child.tag == f"{_NS}EventData" and all(_is_plain(item) for item in child):
            return _event_data(child)
        if child.tag != f"{_NS}System":
            return UserData(_node(child, _NS))
    return None


def _is_plain(item: Element) -> bool:
    return item.tag in {f"{_NS}Data", f"{_NS}Binary"} and not len(item)


def _event_data(element: Element) -> EventData:
    items: list[tuple[str | None, Value]] = []
    binary = None
    for item in element:
        if item.tag == f"{_NS}Binary":
            binary = bytes.fromhex(_leaf(item))
        else:
            items.append((item.get("Name"), _leaf(item)))
    return EventData(tuple(items), binary, element.get("Name"))


def _node(element: Element, namespace: str) -> Node:
    space, _, name = element.tag.rpartition("}")
    space = space + "}" if space else ""
    attributes = tuple(element.attrib.items())
    if space != namespace:
        attributes = (("xmlns", space.strip("{}")), *attributes)
    inner: list[Node | str] = [_node(child, space) for child in element]
    if not inner and _leaf(element):
        inner = [_leaf(element)]
    return Node(name, attributes, tuple(inner))
