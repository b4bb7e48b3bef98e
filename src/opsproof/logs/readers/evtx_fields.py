"""From the JSON of one Windows event to flat fields with the names that Sigma rules use.

``System`` values become ``EventID``, ``Channel``, ``Provider_Name`` and so on; the values of
``EventData`` and ``UserData`` keep their names. The traps this page knows, all seen in real files:
an ``EventID`` that is a number, a text or an object with ``Qualifiers``; ``UserData`` with one
wrapper element (log cleared: 1102 and 104); ``Data`` elements without names; names with spaces
(Defender); a ``Channel`` that is null.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from opsproof.logs import times
from opsproof.logs.readers.base import KIND
from opsproof.logs.table import RAW

_DECODER: Final = msgspec.json.Decoder()

_INTEGRITY: Final = {
    "S-1-16-0": "Untrusted",
    "S-1-16-4096": "Low",
    "S-1-16-8192": "Medium",
    "S-1-16-8448": "Medium",
    "S-1-16-12288": "High",
    "S-1-16-16384": "System",
    "S-1-16-20480": "System",
}

_AUDITED_PROCESS: Final = {
    "newprocessname": "image",
    "parentprocessname": "parentimage",
    "subjectusername": "user",
    "newprocessid": "processid",
    "processid": "parentprocessid",
    "subjectlogonid": "logonid",
}
"""Fields of Security 4688 under the names of Sysmon event 1 (category process_creation)."""

_AUDITED_REGISTRY: Final = {"processname": "image", "objectname": "targetobject"}
"""Fields of Security 4657 under the names of Sysmon event 13 (category registry_set)."""


SYSTEM: Final = frozenset(
    {
        "Channel",
        "Computer",
        "EventID",
        "EventRecordID",
        "Keywords",
        "Level",
        "Opcode",
        "Provider_Name",
        "Task",
        "Version",
    }
)


ALIASED: Final = frozenset({4688, 4657, "4688", "4657"})
"""Events whose fields rules know by other names; see :func:`aliases`."""


@dataclass(frozen=True, slots=True)
class Event:
    """One Windows event. ``record_id`` is -1 where ``EventRecordID`` is none."""

    time: int
    record_id: int
    fields: dict[str, str]


def flatten(text: str) -> Event:
    """The fields of an event, named as the event names them.

    Raises ``ValueError`` (or ``msgspec.DecodeError``) where the text is no event.
    """
    document = _DECODER.decode(text)
    try:
        event = document["Event"]
        system = event["System"]
    except (KeyError, TypeError) as error:
        raise ValueError("it has no System element") from error
    if not isinstance(system, dict):
        raise ValueError("it has no System element")
    fields = _system(system)
    for section in ("EventData", "UserData", "ProcessingErrorData"):
        data = event.get(section)
        if section == "UserData" and isinstance(data, dict):
            for wrapped in data.values():
                _data(fields, wrapped)
        else:
            _data(fields, data)
    return Event(_time(system), _record_id(system), fields)


def lowered(event: Event) -> dict[str, str]:
    """The fields by lower-cased name, with the names that rules for processes expect, and the text
    that keyword searches look at.
    """
    fields: dict[str, str] = {}
    for name, value in event.fields.items():
        fields.setdefault(name.lower(), value)
    renamed = aliases(fields.get("eventid", ""), fields.get("channel", ""))
    fields.update({new: fields[old] for old, new in renamed.items() if old in fields})
    if renamed and "mandatorylabel" in fields and fields["eventid"] == "4688":
        fields.setdefault("integritylevel", integrity(fields["mandatorylabel"]))
    fields[RAW] = "\n".join(event.fields.values())
    fields[KIND] = "windows"
    return fields


def aliases(event_id: str, channel: Any) -> dict[str, str]:
    """Lower-cased names of an event's fields and the names that rules know them by."""
    if channel != "Security":
        return {}
    return {"4688": _AUDITED_PROCESS, "4657": _AUDITED_REGISTRY}.get(event_id, {})


def integrity(label: str) -> str:
    """Sysmon's word for the SID of a mandatory label ([MS-DTYP] 2.4.2.4); else the SID."""
    return _INTEGRITY.get(label, label)


def _system(system: dict[str, Any]) -> dict[str, str]:
    fields: dict[str, str] = {}
    provider = _attributes(system.get("Provider"))
    _put(fields, "Provider_Name", provider.get("Name") or provider.get("EventSourceName"))
    for name in ("EventID", "Version", "Level", "Task", "Opcode", "Keywords", "Channel"):
        _put(fields, name, system.get(name))
    _put(fields, "EventRecordID", system.get("EventRecordID"))
    _put(fields, "Computer", system.get("Computer"))
    for name, read in _ATTRIBUTES.items():
        _put(fields, name, read(system))
    return fields


def _attributes(element: Any) -> dict[str, Any]:
    found = element.get("#attributes") if isinstance(element, dict) else None
    return found if isinstance(found, dict) else {}


def _put(fields: dict[str, str], name: str, value: Any) -> None:
    if isinstance(value, dict):
        value = value.get("#text")
    if value is not None:
        fields[name] = plain(value)


def _data(fields: dict[str, str], data: Any) -> None:
    """Values of EventData or of UserData's one element; nested elements by their own name."""
    if isinstance(data, list):
        for element in data:
            _data(fields, element)
        return
    if not isinstance(data, dict):
        if data not in (None, ""):
            _unnamed(fields, data)
        return
    for name, value in data.items():
        if name == "#attributes":
            continue
        if name in {"Data", "#text"}:
            _unnamed(fields, value)
        elif isinstance(value, dict) and "#text" not in value:
            _data(fields, value)
        else:
            text = value.get("#text") if isinstance(value, dict) else value
            own = name.replace(" ", "")
            # System's own name wins: an event's data may have a "Channel" of another meaning (104).
            fields.setdefault(f"EventData_{own}" if own in SYSTEM else own, plain(text))


def _unnamed(fields: dict[str, str], value: Any) -> None:
    """``Data`` elements without a name: all of them joined, and each as ``Data_1``, ``Data_2``."""
    if isinstance(value, dict):
        value = value.get("#text")
    parts = [plain(part) for part in value] if isinstance(value, list) else [plain(value)]
    fields.setdefault("Data", "\n".join(parts))
    for number, part in enumerate(parts, 1):
        fields.setdefault(f"Data_{number}", part)


def plain(value: Any) -> str:
    """A value as text: nothing is empty, lists are joined by line feeds."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "\n".join(plain(part) for part in value)
    if isinstance(value, dict):
        return plain(value.get("#text"))
    return str(value)


def _time(system: dict[str, Any]) -> int:
    found = _attributes(system.get("TimeCreated")).get("SystemTime")
    moment = times.parse(found) if isinstance(found, str) else None
    return times.UNKNOWN if moment is None else moment


def _record_id(system: dict[str, Any]) -> int:
    try:
        number = int(plain(system.get("EventRecordID")))
    except ValueError:
        return -1
    return number if 0 <= number < 1 << 63 else -1


def _attribute(element: str, name: str) -> Callable[[dict[str, Any]], str | None]:
    def read(system: dict[str, Any]) -> str | None:
        found = _attributes(system.get(element)).get(name)
        return None if found is None else plain(found)

    return read


def _element(name: str) -> Callable[[dict[str, Any]], str | None]:
    def read(system: dict[str, Any]) -> str | None:
        found = system.get(name)
        if isinstance(found, dict):
            found = found.get("#text")
        return None if found is None else plain(found)

    return read


_ATTRIBUTES: Final = {
    "Security_UserID": _attribute("Security", "UserID"),
    "Execution_ProcessID": _attribute("Execution", "ProcessID"),
    "Execution_ThreadID": _attribute("Execution", "ThreadID"),
}

RARE: Final = {
    **{name.lower(): read for name, read in _ATTRIBUTES.items()},
    **{
        name.lower(): _element(name)
        for name in ("Version", "Task", "Opcode", "Keywords", "EventRecordID")
    },
}
"""Fields of System that few rules look at, by lower-cased name: how to read them."""

OWN: Final = frozenset({"eventrecordid", "execution_processid", "execution_threadid"})
"""Fields that are an event's own, lower-cased: they differ where all else is the same."""
