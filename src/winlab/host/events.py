"""Event records: the one model behind wevtutil's text and the EVTX files.

The fields are those of the ``Event/System`` element of the Windows event schema (Microsoft: "Event
Schema", ``http://schemas.microsoft.com/win/2004/08/events/event``); what follows System is either
``EventData`` or ``UserData``. Times are aware UTC datetimes; ids are plain integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeAlias
from xml.sax.saxutils import escape

NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"

CRITICAL, ERROR, WARNING, INFORMATION, VERBOSE = 1, 2, 3, 4, 5
KEYWORD_CLASSIC = 0x80000000000000
KEYWORD_AUDIT_SUCCESS = 0x8020000000000000
KEYWORD_AUDIT_FAILURE = 0x8010000000000000


class Hex(int):
    """A number that events show in hexadecimal, such as a logon id or a status ("0x3e7")."""

    __slots__ = ()


Value: TypeAlias = "str | int | Hex | bool | bytes | datetime"


@dataclass(frozen=True, slots=True)
class Node:
    """One element of a ``UserData`` (or another unusual) payload: children are nodes or text."""

    name: str
    attributes: tuple[tuple[str, str], ...] = ()
    children: tuple[Node | str, ...] = ()

    def text(self) -> str:
        """Return all text below this element, in document order."""
        return "".join(c if isinstance(c, str) else c.text() for c in self.children)


@dataclass(frozen=True, slots=True)
class EventData:
    """``<EventData>``: items in order, each a name (None for classic unnamed Data) and a value.

    ``binary`` is the ``<Binary>`` element of classic events; ``name`` the rarely used attribute
    ``EventData Name=``.
    """

    items: tuple[tuple[str | None, Value], ...] = ()
    binary: bytes | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class UserData:
    """What stands in the place of EventData: ``<UserData>`` itself, or ProcessingErrorData."""

    root: Node


def named(**items: Value) -> EventData:
    """Return EventData with these named items, in the order given."""
    return EventData(tuple(items.items()))


def named_items(items: Mapping[str, Value]) -> EventData:
    """Return EventData for names that are no Python identifiers ("Threat Name")."""
    return EventData(tuple(items.items()))


def unnamed(*values: Value, binary: bytes | None = None) -> EventData:
    """Return the EventData of a classic event: insertion strings without names."""
    return EventData(tuple((None, value) for value in values), binary)


def user_data(element: str, namespace: str, items: Iterable[tuple[str, str]]) -> UserData:
    """Return ``<UserData><element xmlns=namespace>`` with one child element for each item."""
    children = tuple(Node(name, (), (text,) if text else ()) for name, text in items)
    return UserData(Node("UserData", (), (Node(element, (("xmlns", namespace),), children),)))


@dataclass(frozen=True, kw_only=True, slots=True)
class EventRecord:
    """One event as the log keeps it.

    ``record_id`` is System/EventRecordID (64 bit, unique in its log, 1 after a log was made),
    ``level`` 1 critical .. 5 verbose (0 = "log always", used by Security), ``keywords`` the 64-bit
    mask, ``qualifiers`` the upper word of a classic event id, ``provider_guid`` in braces,
    ``user_sid`` as S-1-... text.
    """

    record_id: int
    time_created: datetime
    provider: str
    event_id: int
    channel: str
    computer: str
    level: int = INFORMATION
    version: int | None = 0
    task: int = 0
    opcode: int | None = 0
    keywords: int = KEYWORD_CLASSIC
    qualifiers: int | None = None
    provider_guid: str | None = None
    event_source_name: str | None = None
    user_sid: str | None = None
    process_id: int | None = None
    thread_id: int | None = None
    activity_id: str | None = None
    related_activity_id: str | None = None
    data: EventData | UserData | None = None

    def __post_init__(self) -> None:
        """Refuse naive times and ids out of range (ValueError)."""
        if self.time_created.tzinfo is None:
            raise ValueError("time_created must be aware (UTC)")
        if self.record_id < 0 or not 0 <= self.event_id <= 0xFFFF:
            raise ValueError(f"record id {self.record_id} or event id {self.event_id} out of range")

    def numbered(self, record_id: int) -> EventRecord:
        """Return the same event under another record id."""
        return replace(self, record_id=record_id)

    def values(self) -> dict[str, str]:
        """Return the payload flat, name -> text.

        Unnamed Data are ``param1``, ``param2`` ... (as XPath has no name for them, this is for
        dumps only); UserData gives the leaves below its wrapper element.
        """
        if isinstance(self.data, EventData):
            return {
                name or f"param{number}": value_text(value)
                for number, (name, value) in enumerate(self.data.items, 1)
            }
        found: dict[str, str] = {}
        if isinstance(self.data, UserData):
            _leaves(self.data.root, found)
        return found


def _leaves(node: Node, found: dict[str, str]) -> None:
    inner = [child for child in node.children if isinstance(child, Node)]
    if not inner:
        found[node.name] = node.text()
    for child in inner:
        _leaves(child, found)


def time_text(when: datetime) -> str:
    """Return a SystemTime with the seven digits of a FILETIME (100 ns), in UTC."""
    utc = when.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond:06d}0Z"


def value_text(value: Value) -> str:
    """Return a value as the event XML shows it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Hex):
        return f"0x{value:x}"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return value.hex().upper()
    return time_text(value)


def event_xml(record: EventRecord) -> str:
    """Return the event on one line as ``wevtutil qe /f:xml`` prints it.

    Attribute values stand in single quotes, absent optional parts are left out, and Correlation
    and Security appear empty, as in the output Microsoft shows on the "wevtutil" page.
    """
    return f"<Event xmlns='{NAMESPACE}'>{_system_xml(record)}{_payload_xml(record.data)}</Event>"


def _attributes(pairs: Iterable[tuple[str, str | int | None]]) -> str:
    return "".join(
        f" {name}='{escape(str(value), {chr(39): '&apos;'})}'"
        for name, value in pairs
        if value is not None
    )


def _system_xml(r: EventRecord) -> str:
    provider = _attributes(
        [("Name", r.provider), ("Guid", r.provider_guid), ("EventSourceName", r.event_source_name)]
    )
    correlation = _attributes(
        [("ActivityID", r.activity_id), ("RelatedActivityID", r.related_activity_id)]
    )
    execution = _attributes([("ProcessID", r.process_id or 0), ("ThreadID", r.thread_id or 0)])
    return (
        f"<System><Provider{provider}/>"
        f"<EventID{_attributes([('Qualifiers', r.qualifiers)])}>{r.event_id}</EventID>"
        f"<Version>{r.version or 0}</Version><Level>{r.level}</Level><Task>{r.task}</Task>"
        f"<Opcode>{r.opcode or 0}</Opcode><Keywords>0x{r.keywords:x}</Keywords>"
        f"<TimeCreated SystemTime='{time_text(r.time_created)}'/>"
        f"<EventRecordID>{r.record_id}</EventRecordID><Correlation{correlation}/>"
        f"<Execution{execution}/><Channel>{escape(r.channel)}</Channel>"
        f"<Computer>{escape(r.computer)}</Computer>"
        f"<Security{_attributes([('UserID', r.user_sid)])}/></System>"
    )


def _payload_xml(data: EventData | UserData | None) -> str:
    if data is None:
        return ""
    if isinstance(data, UserData):
        return node_xml(data.root)
    inner = "".join(
        f"<Data{_attributes([('Name', name)])}>{escape(value_text(value))}</Data>"
        for name, value in data.items
    )
    if data.binary is not None:
        inner += f"<Binary>{data.binary.hex().upper()}</Binary>"
    return f"<EventData{_attributes([('Name', data.name)])}>{inner}</EventData>"


def node_xml(node: Node) -> str:
    """Return an element and all below it as XML text."""
    inner = "".join(escape(c) if isinstance(c, str) else node_xml(c) for c in node.children)
    start = f"{node.name}{_attributes(node.attributes)}"
    return f"<{start}>{inner}</{node.name}>" if inner else f"<{start}/>"
