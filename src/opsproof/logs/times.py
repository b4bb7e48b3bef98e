"""Times as whole microseconds since 1970-01-01 UTC: what the engine counts with."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNKNOWN = -(1 << 63)
"""The time of a record that carries none; sorts before every real time."""

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?)?\s*(?:Z|UTC|([+-]\d\d):?(\d\d))?"
)


def micros(moment: datetime) -> int:
    """Whole microseconds since the epoch. A moment without a zone is UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(microseconds=1)


def parse(text: str) -> int | None:
    """The microseconds of an ISO 8601 time; UTC unless it says otherwise. None if it is none."""
    match = _ISO.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone_hour, zone_minute = match.groups()
    try:
        date = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), tzinfo=UTC
        )
    except ValueError:
        return None
    if int(second or 0) > 60 or abs(int(zone_hour or 0)) > 23 or int(zone_minute or 0) > 59:
        return None
    # A leap second (60) is a second like any other on a scale that knows none.
    total = micros(date) + int(second or 0) * 1_000_000 + int((fraction or "").ljust(6, "0")[:6])
    if zone_hour is not None:
        sign = -1 if zone_hour.startswith("-") else 1
        total -= sign * (abs(int(zone_hour)) * 3600 + int(zone_minute) * 60) * 1_000_000
    return total


def zone(name: str) -> ZoneInfo | None:
    """The zone of a name in the IANA time zone database. None if there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # The last: a folder of that database, such as "Asia".
        return None


def read(text: str) -> datetime | None:
    """The moment that :func:`parse` reads. None where there is none, or it is of no year that dates have:
    the first hours of the year 1 east of Greenwich are not in UTC.
    """
    micros = parse(text)
    try:
        return None if micros is None else moment(micros)
    except OverflowError:
        return None


def moment(value: int) -> datetime:
    """The moment of a time. Raises ``OverflowError`` for years that a date cannot hold."""
    return EPOCH + timedelta(microseconds=value)


def text(value: int) -> str | None:
    """RFC 3339 with microseconds and ``Z``; None for :data:`UNKNOWN` and years a date cannot hold."""
    if value == UNKNOWN:
        return None
    try:
        known = moment(value)
    except OverflowError:
        return None
    return known.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
