"""The Chinese working calendar: workday, make-up workday, weekend or public holiday.

Weekends are moved every year by a notice of the State Council, so a year is data with the number
of its notice (``data/calendar-CN-YYYY.yml``). For a year without data the weekday decides and
the answer is marked provisional: a guess must not look like a fact on a signed sheet.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from functools import cache
from importlib.resources import files

import msgspec
import yaml


class DayKind(StrEnum):
    """What a date is in the working calendar."""

    WORKDAY = "workday"
    MAKEUP = "makeup"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"


class CalendarDay(msgspec.Struct, frozen=True, kw_only=True):
    """One date, judged. ``source`` is the number of the notice, empty when provisional.

    ``name`` holds the holiday's name by language; ``weekday`` is 1 for Monday to 7 for Sunday.
    """

    kind: DayKind
    weekday: int
    provisional: bool
    source: str
    name: dict[str, str] = {}


class _Holiday(msgspec.Struct, frozen=True):
    name: dict[str, str]
    start: date = msgspec.field(name="from")
    end: date = msgspec.field(name="to")


class _Year(msgspec.Struct, frozen=True):
    year: int
    source: str
    title: str
    published: date
    holidays: list[_Holiday]
    makeup_workdays: list[date]


def calendar_day(day: date) -> CalendarDay:
    """What ``day`` is, by the notice for its year, else provisionally by its weekday."""
    weekend = day.isoweekday() > 5
    year = _year(day.year)
    if year is None:
        kind = DayKind.WEEKEND if weekend else DayKind.WORKDAY
        return CalendarDay(kind=kind, weekday=day.isoweekday(), provisional=True, source="")
    holiday = next((item for item in year.holidays if item.start <= day <= item.end), None)
    if holiday is not None:
        kind = DayKind.HOLIDAY
    elif day in year.makeup_workdays:
        kind = DayKind.MAKEUP
    else:
        kind = DayKind.WEEKEND if weekend else DayKind.WORKDAY
    return CalendarDay(
        kind=kind,
        weekday=day.isoweekday(),
        provisional=False,
        source=year.source,
        name=holiday.name if holiday else {},
    )


@cache
def _year(year: int) -> _Year | None:
    file = files("opsproof.reports") / "data" / f"calendar-CN-{year}.yml"
    if not file.is_file():
        return None
    return msgspec.convert(yaml.safe_load(file.read_text(encoding="utf-8")), _Year)
