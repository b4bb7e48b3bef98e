"""Finds the log events among the facts of an observation.

An event is any mapping that names a file (``sha256``) and a record in it (``record_id``): hits of
rules and cleared logs today, whatever a later role collects tomorrow. ``path`` says where in the
facts it stands, so that a control which tests ``security.log_cleared`` finds its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from opsproof.evidence.model import Json, Observation
from opsproof.reports.model import Event

EVENTS_KEPT = 50
"""Events of one observation that the sheet shows; the rest are counted."""

_KNOWN = {"rule", "title", "severity", "channel", "time", "record_id", "sha256", "file", "fields"}


class FoundEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event and the path of facts that led to it, joined by dots, without list positions."""

    path: str
    event: Event


def events_of(observation: Observation) -> list[FoundEvent]:
    """All events of an observation, in the order of its facts, each once a path."""
    stem = observation.id.rpartition("-")[2][:12]
    found: list[FoundEvent] = []
    seen: set[tuple[str, str, str, str]] = set()
    for path, fact in _walk(observation.facts, ""):
        event = _event(fact, f"ev-{stem}-{len(found) + 1}")
        key = (path, event.rule, event.sha256, event.record_id)
        if key not in seen:
            seen.add(key)
            found.append(FoundEvent(path=path, event=event))
    return found


def references(value: Json) -> set[tuple[str, str]]:
    """The pairs (SHA-256 of a file, record id) that a value names anywhere."""
    return {(str(fact["sha256"]), str(fact["record_id"])) for _, fact in _walk(value, "")}


def _walk(value: Json, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        if isinstance(value.get("sha256"), str) and value.get("record_id") is not None:
            yield path, value
            return
        for name, item in value.items():
            yield from _walk(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item, path)


def _event(fact: dict[str, Any], anchor: str) -> Event:
    fields = fact.get("fields")
    others = {
        name: str(value)
        for name, value in fact.items()
        if name not in _KNOWN and isinstance(value, (str, int)) and value not in ("", 0)
    }
    return Event(
        anchor=anchor,
        rule=str(fact.get("rule") or ""),
        severity=str(fact.get("severity") or ""),
        title=str(fact.get("title") or ""),
        channel=str(fact.get("channel") or ""),
        time=str(fact.get("time") or ""),
        record_id=str(fact["record_id"]),
        sha256=str(fact["sha256"]),
        fields={
            **others,
            **{str(k): str(v) for k, v in (fields if isinstance(fields, dict) else {}).items()},
        },
    )
