"""Logs of the IIS log file format ("IIS native", ``u_in`` and ``in`` files): commas, local time.

Source: Microsoft Learn, "IIS Log File Formats", section "IIS Log File Format": fifteen fields, each
followed by a comma, in its example by a comma and a blank; the date is month/day/year and, as the
time, that of the server's zone. Fields have no names in the file, so they are given those of the W3C
format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from opsproof.logs import times
from opsproof.logs.readers.base import Fields, Kept, Log, Notes
from opsproof.logs.readers.web_lines import read_lines
from opsproof.logs.table import Table

_NAMES: Final = (
    *("c-ip", "cs-username", "date", "time", "s-sitename", "s-computername", "s-ip"),
    *("time-taken", "cs-bytes", "sc-bytes", "sc-status", "sc-win32-status"),
    *("cs-method", "cs-uri-stem", "cs-uri-query"),
)

_START: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?[^,\r\n]+, [^,\r\n]*, \d{1,2}/\d{1,2}/\d{2,4}, \d{1,2}:\d\d:\d\d, [^,\r\n]+, "
)


def is_native(head: bytes) -> bool:
    """Whether a file that begins with these bytes is an IIS native log."""
    return _START.match(head) is not None


def read(log: Log, wanted: Fields, notes: Notes, _: Kept | None = None) -> Iterator[Table]:
    """Batches of the requests of one log; record ids are line numbers.

    The zone of the times stands nowhere in the file: it is ``log.zone``.
    """
    yield from read_lines(log, wanted, notes, _fields, lambda fields: _time(fields, log), _NAMES)


def _fields(line: str) -> dict[str, str] | None:
    """The fields of a line: a comma and a blank part them, a comma alone is one of a value's own.

    assumed: IIS writes a blank in a path or query as ``+``, as it does in the W3C format. Where one
    stands there all the same, it is of the path: what comes last is the query.
    """
    values = [value.strip() for value in line.rstrip().removesuffix(",").split(", ")]
    if len(values) < len(_NAMES):
        return None
    values = [*values[:13], ", ".join(values[13:-1]), values[-1]]
    return {
        name: value for name, value in zip(_NAMES, values, strict=True) if value not in {"-", ""}
    }


def _time(fields: dict[str, str], log: Log) -> int:
    try:
        month, day, year = map(int, fields["date"].split("/"))
        hour, minute, second = map(int, fields["time"].split(":"))
        # assumed: two digits of a year are of this century; IIS writes four since version 6.
        full = year if year > 99 else 2000 + year
        return times.micros(datetime(full, month, day, hour, minute, second, tzinfo=log.zone))
    except (KeyError, ValueError):
        return times.UNKNOWN
