"""Whether a playbook that changes things may run now: ticket, maintenance window, freeze days.

A playbook asks for the gate with the play variable ``opsproof_gate: change``; one that only looks
needs none. ``calendar.yml`` lies in the inventory and is data::

    windows:                     # if any are given, a change starts inside one of them
      - {days: [saturday, sunday], from: "22:00", to: "06:00"}
    freezes:                     # both days included; nothing is changed on them
      - {from: 2027-06-05, to: 2027-06-10, reason: "national college entrance examination"}
    public_holidays: true        # nor on China's public holidays, by the State Council's notices

Times are those of the inventory's time zone. A window whose ``to`` is not after its ``from`` ends
on the next day. A ticket is a JSON or YAML file (:class:`Ticket`); it opens a freeze only with
``freeze_override``, which names who allowed it (contract F-3); otherwise a change must be over before
the next freeze begins.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from opsproof.errors import RefusedError, UsageError
from opsproof.evidence.ids import timestamp
from opsproof.reports.calendar import DayKind, calendar_day
from opsproof.run.schedule import WEEKDAYS
from opsproof.yaml_file import read_yaml

T = TypeVar("T")

_DAYS_AHEAD = 31
"""No change goes on for longer than that."""


class Scope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a ticket allows: host names, shell patterns or group names; and activities."""

    hosts: tuple[str, ...]
    activities: tuple[str, ...]


class TicketWindow(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}
):
    """When a ticket holds; RFC 3339 with an offset, the end excluded."""

    from_: str
    to: str


class FreezeOverride(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who at the bureau allowed a change on a freeze day, and why."""

    approver: str
    reason: str


class Ticket(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An approved change. ``content_sha256`` is the digest of what was approved (run/playbook.py)."""

    id: str
    kind: str
    approver: str
    approved_at: str
    scope: Scope
    window: TicketWindow
    content_sha256: str
    freeze_override: FreezeOverride | None = None
    signature: str | None = None


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """A weekly maintenance window; ``days`` are those on which it begins."""

    days: tuple[str, ...]
    from_: str
    to: str


class Freeze(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Days, both included, on which nothing is changed."""

    from_: date
    to: date
    reason: str


class Calendar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Maintenance windows and freeze days of one inventory."""

    windows: tuple[Window, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    public_holidays: bool = False

    def frozen(self, day: date) -> str | None:
        """Why nothing is changed on this day; None when it may.

        A year whose holidays are not on file counts as frozen where public holidays do.
        """
        for freeze in self.freezes:
            if freeze.from_ <= day <= freeze.to:
                return freeze.reason
        if not self.public_holidays:
            return None
        known = calendar_day(day)
        if known.provisional:
            return f"the public holidays of {day.year} are not on file"
        holiday = known.kind is DayKind.HOLIDAY
        return f"public holiday ({known.name.get('en', '')})" if holiday else None


class Change(msgspec.Struct, frozen=True):
    """What is about to run. ``groups`` maps a host to the groups it is in."""

    activities: tuple[str, ...]
    hosts: tuple[str, ...]
    groups: Mapping[str, Collection[str]]
    content_sha256: str


def load_calendar(path: Path) -> Calendar:
    """The calendar, empty when there is none; :class:`UsageError` names what is wrong with it."""
    if not path.is_file():
        return Calendar()
    calendar = _load(path, Calendar)
    for window in calendar.windows:
        wrong = [day for day in window.days if day not in WEEKDAYS]
        if wrong or not window.days:
            raise UsageError(f"days must be of {', '.join(WEEKDAYS)}", where=str(path))
        for text in (window.from_, window.to):
            try:
                datetime.strptime(text, "%H:%M")  # noqa: DTZ007 - a time of day has no zone
            except ValueError as error:
                raise UsageError(
                    f"{text!r} is not a time such as '22:00'", where=str(path)
                ) from error
    return calendar


def load_ticket(path: Path) -> Ticket:
    """The ticket in a JSON or YAML file; :class:`UsageError` names what is wrong with it."""
    if not path.is_file():
        raise UsageError("there is no such ticket file", where=str(path))
    ticket = _load(path, Ticket)
    for text in (ticket.approved_at, ticket.window.from_, ticket.window.to):
        try:
            moment(text)
        except ValueError as error:
            raise UsageError(
                str(error), where=str(path), remedy="write times such as 2026-11-22T22:00:00+08:00"
            ) from error
    return ticket


def check(
    ticket: Ticket | None, calendar: Calendar, change: Change, zone: ZoneInfo, now: datetime
) -> None:
    """Raises :class:`RefusedError` with the first reason why ``change`` may not run at ``now``."""
    if ticket is None:
        raise RefusedError(
            "this playbook changes hosts and needs an approved ticket",
            remedy=f"--ticket FILE with content_sha256 {change.content_sha256}",
        )
    for reason in _reasons(ticket, calendar, change, zone, now):
        raise RefusedError(reason, where=f"ticket {ticket.id}", remedy="have the ticket amended")


def window_end(
    ticket: Ticket | None, calendar: Calendar, zone: ZoneInfo, now: datetime
) -> datetime | None:
    """When changes must be over, in UTC; None when nothing says.

    It is the end of the ticket, of the weekly window (of several that ``now`` lies in, the latest
    end), or of the last day before a freeze that the ticket does not open: whichever comes first.
    """
    local = now.astimezone(zone)
    ends = [_end(window, local) for window in calendar.windows if _inside(window, local)]
    found = [max(ends)] if ends else []
    if ticket is not None:
        found.append(moment(ticket.window.to))
    if ticket is None or ticket.freeze_override is None:
        found += _next_freeze(calendar, local)
    return min(found).astimezone(UTC) if found else None


def _next_freeze(calendar: Calendar, local: datetime) -> list[datetime]:
    """The midnight at which the next freeze of the coming days begins, if any does."""
    days = (local.date() + timedelta(days=n) for n in range(1, _DAYS_AHEAD + 1))
    first = next((day for day in days if calendar.frozen(day)), None)
    return [] if first is None else [datetime.combine(first, time(), local.tzinfo)]


def _end(window: Window, local: datetime) -> datetime:
    """When the window that ``local`` lies in ends."""
    ends = datetime.strptime(window.to, "%H:%M").time()  # noqa: DTZ007 - a time of day has no zone
    end = datetime.combine(local.date(), ends, local.tzinfo)
    return end if end > local else end + timedelta(days=1)


def _reasons(
    ticket: Ticket, calendar: Calendar, change: Change, zone: ZoneInfo, now: datetime
) -> Sequence[str]:
    found = []
    if ticket.kind != "change":
        found.append(f"it is of kind {ticket.kind!r}, not 'change'")
    if not ticket.approver.strip():
        found.append("it names no approver")
    if moment(ticket.approved_at) > now:
        found.append(f"it is approved only at {ticket.approved_at}")
    if ticket.content_sha256 != change.content_sha256:
        found.append(f"what would run is not what was approved: {change.content_sha256}")
    outside = [
        activity for activity in change.activities if activity not in ticket.scope.activities
    ]
    if outside or not change.activities:
        found.append(
            f"its scope leaves out the activities {', '.join(outside) or '(none declared)'}"
        )
    uncovered = [host for host in change.hosts if not _covers(ticket.scope.hosts, host, change)]
    if uncovered:
        found.append(f"its scope leaves out {len(uncovered)} hosts, first {uncovered[0]}")
    if not moment(ticket.window.from_) <= now < moment(ticket.window.to):
        found.append(
            f"it holds from {ticket.window.from_} to {ticket.window.to}, not {timestamp(now)}"
        )
    local = now.astimezone(zone)
    if calendar.windows and not any(_inside(window, local) for window in calendar.windows):
        found.append("now is outside every maintenance window of calendar.yml")
    frozen = calendar.frozen(local.date())
    if frozen and ticket.freeze_override is None:
        found.append(f"{local.date()} is a freeze day: {frozen}")
    return found


def _covers(patterns: Sequence[str], host: str, change: Change) -> bool:
    names = {host, *change.groups.get(host, ())}
    return any(pattern in names or fnmatchcase(host, pattern) for pattern in patterns)


def _inside(window: Window, local: datetime) -> bool:
    begins, ends = window.from_, window.to
    now = f"{local:%H:%M}"
    today = WEEKDAYS[local.weekday()]
    yesterday = WEEKDAYS[(local - timedelta(days=1)).weekday()]
    if begins < ends:
        return today in window.days and begins <= now < ends
    return (today in window.days and now >= begins) or (yesterday in window.days and now < ends)


def moment(text: str) -> datetime:
    """The moment, in UTC, of an RFC 3339 text; :class:`ValueError` when it names no offset."""
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        msg = f"{text!r} names no offset from UTC"
        raise ValueError(msg)
    return value.astimezone(UTC)


def _load(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.convert(_as_text(read_yaml(path)), kind, strict=False)
    except RecursionError as error:
        raise UsageError("is nested too deeply", where=str(path)) from error
    except msgspec.ValidationError as error:
        raise UsageError(str(error), where=str(path)) from error


def _as_text(value: Any) -> Any:
    """YAML turns an unquoted time into a datetime; the records hold what was written."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    return value
