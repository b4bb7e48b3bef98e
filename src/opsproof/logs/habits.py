"""Logs that are begun anew each day: which day one is of, and whether a site is busy on such a day."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from typing import Final

BUSY: Final = 100
"""Requests of a day that make it a busy one."""

BUSY_BYTES: Final = 40_000
"""Bytes of a day's log that make it a busy day where requests are not counted: of :data:`BUSY` requests
with long addresses and names of browsers.
"""

ENOUGH: Final = 3
"""Other days like it without which nothing is known of a site's habits."""

_AROUND: Final = 4
"""The nearest days of the same weekday that are looked at: one of them may have been a holiday."""

_IIS: Final = re.compile(r"(?:ex|in|nc)(\d\d)(\d\d)(\d\d)(?:\d\d)?(?:_x)?\.log$", re.IGNORECASE)
"""Year, month and day in the name of a daily or hourly log of IIS (``_x``: with fields of one's own;
Microsoft Learn, "Custom Fields in a Log File for a Site").
"""

_OTHER: Final = re.compile(r"(?<!\d)20(\d\d)[-_.]?(\d\d)[-_.]?(\d\d)(?!\d)")

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class SiteDays:
    """What is known of a web site's days apart from the logs at hand.

    ``folder`` is where its logs are, as reports name it, with a slash at its end. ``days`` has the bytes
    of each day's logs, of all days that have one. Days from ``begin`` on, before ``end``, are new.
    """

    folder: str
    begin: date
    end: date
    days: Mapping[date, int] = field(default_factory=dict)

    def judged(self) -> tuple[date, ...]:
        """The days that are judged: none before the site's first log."""
        if not self.days:
            return ()
        first = max(self.begin, min(self.days) + timedelta(days=1))
        return tuple(first + timedelta(days=n) for n in range((self.end - first).days))

    def rests(self) -> frozenset[date]:
        """The days that are judged on which nobody came as on this weekday for weeks.

        Each of the first three was told when it was new.
        """
        return frozenset(
            day
            for day in self.judged()
            if day not in self.days
            and sum(other not in self.days for other in _nearest(day, self.span)) >= ENOUGH
        )

    @property
    def span(self) -> tuple[date, date]:
        """The first day that has a log, and the last that is over; for a site that has any log."""
        return min(self.days), self.end - timedelta(days=1)


def iis_day(name: str) -> date | None:
    """The day that a daily or hourly log of IIS is of, by its name; None where it is none."""
    return _date(_IIS.search(name))


def named_day(name: str) -> tuple[date, str] | None:
    """The day that a log of any server is of by its name, and what stands before; None where it is none."""
    match = _IIS.search(name) or _OTHER.search(name)
    day = _date(match)
    return None if match is None or day is None else (day, name[: match.start()])


def _date(match: re.Match[str] | None) -> date | None:
    if match is None:
        return None
    try:
        return date(2000 + int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None


def on_weekday(
    day: date, days: Mapping[date, int], span: tuple[date, date], busy: int
) -> tuple[str, int] | None:
    """Of which days it follows that a site is busy on a day, and the least that these have.

    None where it does not follow. ``days`` has what each day with a log holds, requests or bytes; from
    ``busy`` on it was a busy one. The days of ``span`` that are not there have no log. Only days of the
    same weekday count: many a site rests on one day of each week. Of public holidays nothing follows.
    """
    weekly = [days.get(other, 0) for other in _nearest(day, span)]
    good = [amount for amount in weekly if amount >= busy]
    if _sort(day) is None or len(good) < ENOUGH:
        return None
    return f"{len(good)} of the {len(weekly)} nearest {WEEKDAYS[day.weekday()]}s", min(good)


def usual(
    day: date, days: Mapping[date, int], span: tuple[date, date], busy: int
) -> tuple[str, int] | None:
    """As :func:`on_weekday`, and where the span is too short for that, by other days of its sort."""
    weekly = [days.get(other, 0) for other in _nearest(day, span)]
    if len(weekly) >= ENOUGH:
        return on_weekday(day, days, span, busy)
    alike = [days[other] for other in days if _sort(other) == _sort(day)]
    if _sort(day) is None or len(alike) < ENOUGH or min(alike) < busy or not all(weekly):
        return None
    return f"the {len(alike)} other {_sort(day)}s", min(alike)


def _nearest(day: date, span: tuple[date, date]) -> list[date]:
    """The days of the same weekday within the span that are nearest to a day, but not itself."""
    first, last = span
    both = (day + timedelta(weeks=sign * n) for n in range(1, 2 * _AROUND) for sign in (-1, 1))
    return [other for other in both if first <= other <= last][:_AROUND]


@cache
def _sort(day: date) -> str | None:
    """The sort of day in the working calendar; None for a public holiday."""
    # Imported where a day is judged: worker processes judge none, and start sooner without it.
    from opsproof.reports.calendar import DayKind, calendar_day

    kind = calendar_day(day).kind
    if kind is DayKind.HOLIDAY:
        return None
    return "weekend day" if kind is DayKind.WEEKEND else "working day"
