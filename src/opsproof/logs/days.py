"""Days of which a web site has no log, and what the other logs of its computer say of them.

HTTP.sys opens the log of a day when the first request of that day has been answered, and closes it
after fifteen minutes without one ("IIS Log FAQ - Logging Headers", blogs.iis.net): of a day on which
nobody came there is no file. So a file that is not there proves nothing by itself. Two cases are told
apart: a day that lacks a log though on all other days of its sort (working days, weekends) the site
was busy, and a quiet one, on which there were no requests, or they are lost. For both the report says
whether the computer ran: whether other logs of it have records of that day.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

import numpy as np

from opsproof.logs.model import Gap
from opsproof.logs.table import Longs

BUSY: Final = 100
"""Requests on each other day of its sort that make a day without a log missing and not quiet."""

ENOUGH: Final = 3
"""Other days of its sort without which nothing is known of a site's habits."""

_DAILY: Final = (
    re.compile(r"(?:ex|in|nc)(\d\d)(\d\d)(\d\d)(?:\d\d)?(?:_x)?\.log$", re.IGNORECASE),
    re.compile(r"(?<!\d)20(\d\d)[-_.]?(\d\d)[-_.]?(\d\d)(?!\d)"),
)
"""Year, month and day in a log's name: as IIS names daily and hourly logs (``_x``: with fields of
one's own; Microsoft Learn, "Custom Fields in a Log File for a Site"), and as others do.
"""

_LOG_FOLDERS: Final = re.compile(
    r"(?:[^/]*/)?(?:(?:W3SVC|FTPSVC|MSFTPSVC)\d*|HTTPERR|LogFiles|Logs|inetpub|"
    r"events|archive|iis|httperr)/$",
    re.IGNORECASE,
)
"""A folder below that of a computer: as Windows names them, and as log_collection keeps them."""

_MOST_DAYS: Final = 400
_DAY: Final = 86_400_000_000
_FIRST: Final = 20 * 365 * _DAY
_LAST: Final = 130 * 366 * _DAY
"""Times from about 1990 to 2100; there is no Windows log of others, but a file may hold any."""

_LONGER_THAN_A_DAY: Final = 26 * 3_600_000_000
_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def folder_of(file: str) -> str:
    """The folder that a file is in, by its name in the report; the whole cabinet, which has folders
    of its own making.
    """
    return file[: (file.rfind("!") if "!" in file else file.rfind("/")) + 1]


@lru_cache(maxsize=256)
def place_of(file: str) -> str:
    """The folder of the computer that a log is of, as far as names of folders tell."""
    folder = folder_of(file)
    while match := _LOG_FOLDERS.search(folder):
        last = folder[: match.end() - 1].rfind("/") + 1
        folder = folder[:last]
    return folder


@dataclass(slots=True)
class _Day:
    """The files of one day of a series: the last of them, and how many requests they hold."""

    file: str
    sha256: str
    records: int


@dataclass(slots=True)
class Days:
    """Days that logs are of. Feed records of all logs, then the names of web logs."""

    _series: dict[tuple[str, str], dict[date, _Day]] = field(default_factory=dict)
    _longer: set[tuple[str, str]] = field(default_factory=set)
    _ran: dict[tuple[str, int], dict[str, tuple[str, str]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    _computers: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def seen(self, file: str, computer: str, moments: Longs) -> None:
        """Note on which days a computer wrote records into a file; times are all known ones."""
        place, folder = place_of(file), folder_of(file)
        if computer:
            self._computers[place].add(computer.lower())
        moments = moments[(moments >= _FIRST) & (moments < _LAST)]
        if not len(moments):
            return
        low, high = int(moments.min()) // _DAY, int(moments.max()) // _DAY
        days = [low] if low == high else np.unique(moments // _DAY).tolist()
        for day in days:
            known = self._ran[place, day]
            known[folder] = min(known.get(folder, (file, computer)), (file, computer))

    def merge(self, other: Days) -> None:
        """Take what another part has seen."""
        for key, known in other._ran.items():
            mine = self._ran[key]
            for folder, told in known.items():
                mine[folder] = min(mine.get(folder, told), told)
        for place, computers in other._computers.items():
            self._computers[place] |= computers

    def named(self, file: str, sha256: str, channel: str, records: int, span: int) -> None:
        """Note the day that a web log's name says it is of; logs of other names are another series.

        ``span`` are the microseconds from its first to its last record: the name of a weekly log looks
        like a day's.
        """
        name = re.split("[/!]", file)[-1]
        match = next(filter(None, (form.search(name) for form in _DAILY)), None)
        if match is None:
            return
        try:
            day = date(2000 + int(match[1]), int(match[2]), int(match[3]))
        except ValueError:
            return
        key = (folder_of(file) + name[: match.start()], channel)
        if span > _LONGER_THAN_A_DAY:
            self._longer.add(key)
        days = self._series.setdefault(key, {})
        before = days[day].records if day in days else 0
        days[day] = _Day(file, sha256, before + records)

    def result(self) -> list[Gap]:
        """The days without a log between the first and the last of each series."""
        gaps = []
        for key, days in sorted(self._series.items()):
            if key in self._longer:
                continue
            day, last = min(days), max(days)
            for _ in range(_MOST_DAYS):
                day += timedelta(days=1)
                if day >= last:
                    break
                if day not in days:
                    gaps.append(self._gap(key[1], day, days))
        return gaps

    def _gap(self, channel: str, day: date, days: dict[date, _Day]) -> Gap:
        after = days[min(other for other in days if other > day)]
        alike = [days[other].records for other in days if _sort(other) == _sort(day)]
        busy = len(alike) >= ENOUGH and min(alike) >= BUSY
        what = (
            f"it should be there: the {len(alike)} other {_sort(day)}s have {min(alike)} requests or more"
            if busy
            else "no requests, or they are lost"
        )
        return Gap(
            kind="missing-day" if busy else "quiet-day",
            file=after.file,
            sha256=after.sha256,
            channel=channel,
            detail=f"no log of {day} ({_NAMES[day.weekday()]}): {what}; {self._running(after.file, day)}",
            first=f"{day}T00:00:00.000000Z",
        )

    def _running(self, file: str, day: date) -> str:
        place, folder = place_of(file), folder_of(file)
        several = len(self._computers.get(place, ())) > 1
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        number = int(midnight.timestamp()) * 1_000_000 // _DAY
        told = [
            other
            for where, (other, computer) in self._ran.get((place, number), {}).items()
            # Of several computers' events in one place nobody knows which are of this site's.
            if where != folder and not (several and computer)
        ]
        if told:
            return f"the computer ran: {min(told)} has records of that day"
        return "no other log here has a record of that day"


def _sort(day: date) -> str:
    return "working day" if day.weekday() < 5 else "weekend day"
