"""From the JSON of one Windows event to flat fields with the names that Sigma rules use.

``System`` values become ``EventID``, ``Channel``, ``Provider_Name`` and so on; the values of
``EventData`` and ``UserData`` keep their names. The traps this page knows, all seen in real files:
an ``EventID`` that is a number, a text or an object with ``Qualifiers``; ``UserData`` with one
wrapper element (log cleared: 1102 and 104); ``Data`` elements without names; names with spaces
(Defender); a ``Channel`` that is null.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from opsproof.logs import times
from opsproof.logs.readers.base import KIND, RAW

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


_SYSTEM: Final = frozenset(
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


def lowered(event: Event, wanted: frozenset[str] | None) -> dict[str, str]:
    """The fields by lower-cased name, with the names that rules for processes expect."""
    fields = {name.lower(): value for name, value in event.fields.items()}
    if fields.get("eventid") == "4688" and fields.get("channel") == "Security":
        _rename(fields, _AUDITED_PROCESS)
        label = fields.get("mandatorylabel")
        if label in _INTEGRITY:
            fields["integritylevel"] = _INTEGRITY[label]
    elif fields.get("eventid") == "4657" and fields.get("channel") == "Security":
        _rename(fields, _AUDITED_REGISTRY)
    if wanted is None or RAW in wanted:
        fields[RAW] = "\n".join(event.fields.values())
    fields[KIND] = "windows"
    return fields


def _rename(fields: dict[str, str], names: dict[str, str]) -> None:
    found = {new: fields[old] for old, new in names.items() if old in fields}
    fields.update(found)


def _system(system: dict[str, Any]) -> dict[str, str]:
    fields: dict[str, str] = {}
    provider = _attributes(system.get("Provider"))
    _put(fields, "Provider_Name", provider.get("Name") or provider.get("EventSourceName"))
    for name in ("EventID", "Version", "Level", "Task", "Opcode", "Keywords", "Channel"):
        _put(fields, name, system.get(name))
    _put(fields, "EventRecordID", system.get("EventRecordID"))
    _put(fields, "Computer", system.get("Computer"))
    _put(fields, "Security_UserID", _attributes(system.get("Security")).get("UserID"))
    execution = _attributes(system.get("Execution"))
    _put(fields, "Execution_ProcessID", execution.get("ProcessID"))
    _put(fields, "Execution_ThreadID", execution.get("ThreadID"))
    return fields


def _attributes(element: Any) -> dict[str, Any]:
    found = element.get("#attributes") if isinstance(element, dict) else None
    return found if isinstance(found, dict) else {}


def _put(fields: dict[str, str], name: str, value: Any) -> None:
    if isinstance(value, dict):
        value = value.get("#text")
    if value is not None:
        fields[name] = _text(value)


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
            fields.setdefault(f"EventData_{own}" if own in _SYSTEM else own, _text(text))


def _unnamed(fields: dict[str, str], value: Any) -> None:
    """``Data`` elements without a name: all of them joined, and each as ``Data_1``, ``Data_2``."""
    if isinstance(value, dict):
        value = value.get("#text")
    parts = [_text(part) for part in value] if isinstance(value, list) else [_text(value)]
    fields.setdefault("Data", "\n".join(parts))
    for number, part in enumerate(parts, 1):
        fields.setdefault(f"Data_{number}", part)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "\n".join(_text(part) for part in value)
    if isinstance(value, dict):
        return _text(value.get("#text"))
    return str(value)


def _time(system: dict[str, Any]) -> int:
    found = _attributes(system.get("TimeCreated")).get("SystemTime")
    moment = times.parse(found) if isinstance(found, str) else None
    return times.UNKNOWN if moment is None else moment


def _record_id(system: dict[str, Any]) -> int:
    try:
        number = int(_text(system.get("EventRecordID")))
    except ValueError:
        return -1
    return number if 0 <= number < 1 << 63 else -1
