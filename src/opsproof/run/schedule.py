"""What is due by ``schedule.yml``, and which of it no sealed run has satisfied.

The file lies in the inventory and is data::

    items:
      - id: daily-inspection
        playbook: daily
        every: daily            # daily | weekly | monthly | yearly
        at: "08:30"             # 24-hour clock in the inventory's time zone
        tolerance: 2h           # how long after `at` a start still counts: 45m, 6h, 2d
        since: 2026-11-01       # the first day this item is due
      - id: weekly-inspection
        playbook: weekly
        every: weekly
        day: monday             # monthly: a day such as 1; yearly: a date such as "09-29"
        at: "09:00"
        tolerance: 1d
        since: 2026-11-02

Every item has one occurrence in each period of its kind (a day, a week from Monday, a calendar
month, a calendar year), periods being cut at local midnight. An occurrence is satisfied by a full
run of its playbook that started inside the period and not later than ``at`` plus ``tolerance``.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from opsproof.errors import UsageError
from opsproof.evidence.ids import timestamp
from opsproof.yaml_file import read_yaml

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Every(StrEnum):
    """How often an item is due."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    YEARLY = "yearly"


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One line of the schedule. ``day`` is a weekday, a day of the month or ``MM-DD``.

    A day of the month that a month lacks (31 in April, 02-29) falls on its last day.
    """

    id: str
    playbook: str
    every: Every
    at: str
    tolerance: str
    since: date
    day: str | int | None = None


class Occurrence(msgspec.Struct, frozen=True):
    """One time that an item was due: the period and the moments that bound it, all aware."""

    item: Item
    opens: datetime
    due_at: datetime
    deadline: datetime
    closes: datetime


class PastRun(msgspec.Struct, frozen=True):
    """What the schedule needs to know of a sealed run of this inventory.

    ``full`` is false for runs with ``--limit``, ``--check`` or ``--retry`` and for runs in which
    no host was reached: these satisfy nothing.
    """

    id: str
    playbook: str
    started_at: datetime
    full: bool


class Due(msgspec.Struct, frozen=True):
    """One occurrence and what became of it.

    ``done_by`` is the run that satisfied it in time, None when none did; ``reason`` says so then,
    and names a run of the same period that came too late.
    """

    occurrence: Occurrence
    done_by: str | None
    reason: str = ""

    @property
    def name(self) -> str:
        """The item and the day on which it was due: ``daily-inspection@2026-11-22``."""
        return f"{self.occurrence.item.id}@{self.occurrence.due_at.date()}"


def load(path: Path) -> list[Item]:
    """The items of ``schedule.yml``; an absent file means that nothing is due.

    Raises :class:`UsageError` naming the file and the item.
    """
    if not path.is_file():
        return []
    try:
        data: Any = read_yaml(path) or {}
        items = msgspec.convert(data["items"], list[Item])
    except (KeyError, TypeError) as error:
        raise UsageError("it must hold a list named items", where=str(path)) from error
    except msgspec.ValidationError as error:
        raise UsageError(str(error), where=str(path), remedy="correct the item") from error
    seen: set[str] = set()
    for item in items:
        try:
            _rules(item)
        except ValueError as error:
            raise UsageError(str(error), where=f"{path}: item {item.id}") from error
        if item.id in seen:
            raise UsageError("two items have the same id", where=f"{path}: item {item.id}")
        seen.add(item.id)
    return items


def occurrences(
    item: Item, zone: ZoneInfo, since: datetime, until: datetime
) -> Iterator[Occurrence]:
    """Occurrences whose period has begun by ``until`` and whose deadline lies after ``since``."""
    tolerance = _duration(item.tolerance)
    day = max(item.since, (since - tolerance).astimezone(zone).date() - timedelta(days=1))
    opens = _period(item.every, day)
    while True:
        closes = _next(item.every, opens)
        due = datetime.combine(_due_day(item, opens), _clock(item.at), tzinfo=zone)
        last = datetime.combine(closes, time(), tzinfo=zone)
        deadline = min(due + tolerance, last)
        if datetime.combine(opens, time(), tzinfo=zone) > until:
            return
        if due.date() >= item.since and since < deadline:
            yield Occurrence(
                item, datetime.combine(opens, time(), tzinfo=zone), due, deadline, last
            )
        opens = closes


def due(
    items: Sequence[Item],
    runs: Sequence[PastRun],
    zone: ZoneInfo,
    since: datetime | None,
    now: datetime,
) -> list[Due]:
    """What was due: every occurrence whose deadline passed after ``since`` and by ``now``.

    Occurrences that are open now are among them as soon as a run has satisfied them. ``since`` is
    None when nothing has reported yet: then every occurrence from the item's first day on counts.
    """
    found = []
    for item in items:
        first = datetime.combine(item.since, time(), tzinfo=zone)
        start = first if since is None else max(first, since)
        mine = sorted(
            (run for run in runs if run.full and run.playbook == item.playbook),
            key=lambda run: run.started_at,
        )
        for occurrence in occurrences(item, zone, start, now):
            verdict = _became(occurrence, mine)
            if verdict.done_by is not None or occurrence.deadline <= now:
                found.append(verdict)
    return sorted(found, key=lambda one: (one.occurrence.due_at, one.occurrence.item.id))


def _became(occurrence: Occurrence, runs: Sequence[PastRun]) -> Due:
    inside = [run for run in runs if occurrence.opens <= run.started_at < occurrence.closes]
    in_time = next((run for run in inside if run.started_at <= occurrence.deadline), None)
    if in_time is not None:
        return Due(occurrence, in_time.id)
    limit = timestamp(occurrence.deadline)
    if inside:
        late = inside[0]
        return Due(
            occurrence, None, f"{late.id} started {timestamp(late.started_at)}, after {limit}"
        )
    return Due(occurrence, None, f"no full run of {occurrence.item.playbook} by {limit}")


def _rules(item: Item) -> None:
    """Raises :class:`ValueError` in a person's words."""
    _clock(item.at)
    _duration(item.tolerance)
    if item.every is Every.DAILY:
        if item.day is not None:
            raise ValueError("a daily item has no 'day'")
    else:
        _due_day(item, _period(item.every, item.since))


def _clock(text: str) -> time:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        msg = f"at must be a time such as '08:30', not {text!r}"
        raise ValueError(msg)
    return time.fromisoformat(text)


def _duration(text: str) -> timedelta:
    match = re.fullmatch(r"(\d{1,4})([mhd])", text)
    if match is None:
        msg = f"tolerance must be such as '45m', '6h' or '2d', not {text!r}"
        raise ValueError(msg)
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _period(every: Every, day: date) -> date:
    """First day of the period that ``day`` lies in."""
    match every:
        case Every.DAILY:
            return day
        case Every.WEEKLY:
            return day - timedelta(days=day.weekday())
        case Every.MONTHLY:
            return day.replace(day=1)
        case Every.YEARLY:
            return day.replace(month=1, day=1)


def _next(every: Every, first: date) -> date:
    match every:
        case Every.DAILY:
            return first + timedelta(days=1)
        case Every.WEEKLY:
            return first + timedelta(days=7)
        case Every.MONTHLY:
            return (first + timedelta(days=31)).replace(day=1)
        case Every.YEARLY:
            return first.replace(year=first.year + 1)


def _due_day(item: Item, first: date) -> date:
    """The day of the period that begins on ``first`` on which the item is due."""
    match item.every:
        case Every.DAILY:
            return first
        case Every.WEEKLY:
            if item.day not in WEEKDAYS:
                msg = f"day must be one of {', '.join(WEEKDAYS)}, not {item.day!r}"
                raise ValueError(msg)
            return first + timedelta(days=WEEKDAYS.index(str(item.day)))
        case Every.MONTHLY:
            if not isinstance(item.day, int) or not 1 <= item.day <= 31:
                msg = f"day must be a day of the month from 1 to 31, not {item.day!r}"
                raise ValueError(msg)
            return _day(first.year, first.month, item.day)
        case Every.YEARLY:
            match = re.fullmatch(r"(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", str(item.day))
            if match is None:
                msg = f"day must be a day of the year such as '09-29', not {item.day!r}"
                raise ValueError(msg)
            return _day(first.year, int(match[1]), int(match[2]))


def _day(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))
