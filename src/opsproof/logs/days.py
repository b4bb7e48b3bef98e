"""Days of which a web site has no log, and what the other logs of its computer say of them.

HTTP.sys opens the log of a day when the first request of that day has been answered, and closes it
after fifteen minutes without one ("IIS Log FAQ - Logging Headers", blogs.iis.net): of a day on which
nobody came there is no file. So a file that is not there proves nothing by itself. Two cases are told
apart: a day that lacks a log though the site is busy on such days (:mod:`opsproof.logs.habits`), and a
quiet one, on which there were no requests, or they are lost. For both the report says whether the
computer ran: whether other logs of it have records of that day.

Logs that are audited together tell of the days between them. A daily audit has the log of a day or two:
what files there were on the host, and are at home, is told to it (:class:`SiteDays`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np

from opsproof.logs.habits import BUSY, BUSY_BYTES, WEEKDAYS, SiteDays, named_day, on_weekday, usual
from opsproof.logs.model import Gap
from opsproof.logs.readers import web
from opsproof.logs.table import Longs

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
_EPOCH: Final = date(1970, 1, 1)
_ONE: Final = timedelta(days=1)

Stretch: TypeAlias = tuple[int, int] | None
"""The times of a file's first and last record; None where it has none with a time."""


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


_Series: TypeAlias = tuple[str, str, str]
"""Logs that follow each other: their folder, what their names begin with, the channel."""


@dataclass(slots=True)
class _Day:
    """The files of one day of a series: the last of them, and how many requests they hold.

    ``ends_on_it``: its records say what its name says; the first week of a month is not its first day.
    """

    file: str
    sha256: str
    records: int
    ends_on_it: bool


@dataclass(slots=True)
class Days:
    """Days that logs are of. Feed records of all logs, then the names of web logs.

    ``sites`` are known otherwise: these days are judged, whatever logs are at hand.
    """

    sites: Sequence[SiteDays] = ()
    _series: dict[_Series, dict[date, _Day]] = field(default_factory=dict)
    _longer: set[_Series] = field(default_factory=set)
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

    def named(self, file: str, sha256: str, channel: str, records: int, stretch: Stretch) -> None:
        """Note the day that a web log's name says it is of; logs of other names are another series.

        ``stretch`` are the times of its first and last record: the name of a weekly log looks like a
        day's.
        """
        folder = folder_of(file)
        named = named_day(re.split("[/!]", file)[-1])
        if named is None:
            return
        day, before = named
        key = (folder, before, channel)
        if stretch is not None and stretch[1] - stretch[0] > _LONGER_THAN_A_DAY:
            self._longer.add(key)
        days = self._series.setdefault(key, {})
        earlier = days[day].records if day in days else 0
        days[day] = _Day(file, sha256, earlier + records, _ends_on(day, stretch))

    def result(self) -> list[Gap]:
        """The days without a log: of the sites that are known otherwise, then of each series."""
        known = {site.folder for site in self.sites}
        gaps = [gap for site in self.sites for gap in self._of_site(site)]
        seen: dict[str, list[int]] = defaultdict(list)
        for place, number in sorted(self._ran, reverse=True):
            seen[place].append(number)
        for key, days in sorted(self._series.items()):
            if key not in self._longer and key[0] not in known:
                gaps += self._of_series(key[2], days, seen.get(place_of(key[0]), ()))
        return gaps

    def _of_site(self, site: SiteDays) -> Iterator[Gap]:
        rests = site.rests()
        for day in site.judged():
            if day not in site.days and day not in rests:
                because = on_weekday(day, site.days, site.span, BUSY_BYTES)
                yield self._gap(
                    day, because, "logs of {} bytes", site.folder, "", web.site(site.folder)
                )

    def _of_series(
        self, channel: str, days: Mapping[date, _Day], seen: Sequence[int]
    ) -> Iterator[Gap]:
        """Up to the last log, or the last of the days on which the computer was ``seen``, newest first."""
        records = {day: one.records for day, one in days.items()}
        first, last = min(days), max(days)
        end = last + _ONE
        if days[last].ends_on_it:
            file = days[last].file
            for number in seen:
                if number <= _number(end) or any(self._others(file, number)):
                    # That day itself may not be over.
                    end = max(end, _EPOCH + timedelta(days=number))
                    break
        for day in _between(first, end):
            if day not in days:
                because = usual(day, records, (first, end - _ONE), BUSY)
                near = days[min((other for other in days if other > day), default=last)]
                yield self._gap(day, because, "{} requests", near.file, near.sha256, channel)

    def _gap(
        self,
        day: date,
        because: tuple[str, int] | None,
        amount: str,
        file: str,
        sha256: str,
        channel: str,
    ) -> Gap:
        what = "no requests, or they are lost"
        if because:
            others, least = because
            what = f"it should be there: {others} have {amount.format(least)} or more"
        return Gap(
            kind="missing-day" if because else "quiet-day",
            file=file,
            sha256=sha256,
            channel=channel,
            detail=f"no log of {day} ({WEEKDAYS[day.weekday()]}): {what}; {self._running(file, day)}",
            first=f"{day}T00:00:00.000000Z",
        )

    def _running(self, file: str, day: date) -> str:
        told = min(self._others(file, _number(day)), default="")
        if told:
            return f"the computer ran: {told} has records of that day"
        return "no other log here has a record of that day"

    def _others(self, file: str, number: int) -> Iterator[str]:
        """Files that say that the computer of a web log ran on a day: not those beside it.

        Of several computers' events in one place nobody knows which are of this site's.
        """
        place, folder = place_of(file), folder_of(file)
        several = len(self._computers.get(place, ())) > 1
        for where, (other, computer) in self._ran.get((place, number), {}).items():
            if where != folder and not (several and computer):
                yield other


def _between(after: date, before: date) -> Iterator[date]:
    """The days between two, both excluded; not more than anybody would read of."""
    number = min((before - after).days - 1, _MOST_DAYS)
    return (after + timedelta(days=n + 1) for n in range(number))


def _number(day: date) -> int:
    return (day - _EPOCH).days


def _ends_on(day: date, stretch: Stretch) -> bool:
    """Whether the last record is of a day, in whatever zone days begin."""
    return stretch is not None and abs(stretch[1] // _DAY - _number(day)) <= 1
