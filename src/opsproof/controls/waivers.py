"""Waivers: somebody has decided that a control need not hold for a subject until a date.

A file holds a list::

    - control: INS-DISK-001
      subject: app-01/host/*            # host/kind/id, with * and ?
      reason: replacement disk is ordered
      approver: Wang, bureau
      expires: 2026-12-31               # the last day (UTC) on which it holds
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

from opsproof.controls.strict_yaml import Document, YamlError, parse
from opsproof.evidence.ids import content_id
from opsproof.evidence.model import Subject

_KEYS = ("control", "subject", "reason", "approver", "expires")


@dataclass(frozen=True, slots=True)
class Waiver:
    """One decision. ``id`` follows from its content."""

    id: str
    control: str
    subject: str
    reason: str
    approver: str
    expires: str

    def covers(self, control: str, subject: Subject, now: datetime) -> bool:
        """Whether it speaks of this control and subject and has not expired at ``now``."""
        end = datetime.combine(
            date.fromisoformat(self.expires) + timedelta(days=1), time(), tzinfo=UTC
        )
        return control == self.control and now < end and fnmatchcase(subject.key, self.subject)


def load_waivers(path: Path, *, controls: Iterable[str] | None = None) -> list[Waiver]:
    """The waivers of a file; none when there is no file. ``controls``: the ids that exist.

    Raises:
        YamlError: with file and line.
    """
    if not path.exists():
        return []
    return parse_waivers(path.read_bytes(), name=str(path), controls=controls)


def parse_waivers(
    data: bytes, *, name: str = "waivers.yml", controls: Iterable[str] | None = None
) -> list[Waiver]:
    """The waivers of a file's bytes, sorted by id.

    Raises:
        YamlError: with file and line; also for a control that does not exist.
    """
    document = parse(data, name)
    entries = [] if document.value is None else document.value
    if not isinstance(entries, list):
        raise YamlError("is not a list of waivers", where=name)
    known = None if controls is None else set(controls)
    waivers = [_waiver(document, n, known) for n in range(len(entries))]
    return sorted(waivers, key=lambda waiver: waiver.id)


def _waiver(document: Document, number: int, known: set[str] | None) -> Waiver:
    raw = document.value[number]
    where = document.where(number)
    if not isinstance(raw, dict) or set(raw) != set(_KEYS):
        raise YamlError(f"a waiver has exactly the keys {', '.join(_KEYS)}", where=where)
    for key in _KEYS:
        if not isinstance(raw[key], str) or not raw[key].strip():
            raise YamlError(f"{key!r} is not text", where=document.where(number, key))
    if raw["subject"].count("/") < 2:
        raise YamlError(
            f"{raw['subject']!r} is not host/kind/id", where=document.where(number, "subject")
        )
    if known is not None and raw["control"] not in known:
        raise YamlError(
            f"there is no control {raw['control']}", where=document.where(number, "control")
        )
    try:
        date.fromisoformat(raw["expires"])
    except ValueError as error:
        raise YamlError(
            f"{raw['expires']!r} is not a date", where=document.where(number, "expires")
        ) from error
    waiver = Waiver(id="", **raw)
    return Waiver(**{**asdict(waiver), "id": content_id("WVR", asdict(waiver))})
