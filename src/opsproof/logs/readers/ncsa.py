"""Logs of the NCSA common log file format (``u_nc`` and ``nc`` files), and of the combined one.

Source: Microsoft Learn, "NCSA Common Log File Format": remote host, remote log name (always a
hyphen), user, local time with its distance from UTC, request, status, bytes sent, parted by spaces.
What the combined format of other servers adds (referrer, user agent, cookie) is read too. Fields are
given the names of the W3C format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

import re2

from opsproof.logs import times
from opsproof.logs.readers.base import Fields, Kept, Log, Notes
from opsproof.logs.readers.web_lines import read_lines
from opsproof.logs.table import Table

_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_NAMES: Final = (
    *("c-ip", "cs-username", "time", "cs-method", "cs-uri-stem", "cs-uri-query", "cs-version"),
    *("sc-status", "sc-bytes"),
)
"""The fields of every line; the combined form has more of them."""

_LINE: Final = re2.compile(
    r"(?P<client>\S+) (?P<log>\S+) (?P<user>.{1,256}?) "
    r"\[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
    r'"(?P<request>.*?)" (?P<status>\d{3}|-) (?P<bytes>\d{1,20}|-)'
    r'(?: "(?P<referrer>[^"]*)" "(?P<agent>[^"]*)")?(?: "(?P<cookie>[^"]*)")?\s*'
)
"""In RE2: attackers choose what stands in the request, and how many quotation marks."""

_START: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\S{1,256} \S{1,256} [^\r\n\[]{1,256} "
    rb"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] \""
)


def is_ncsa(head: bytes) -> bool:
    """Whether a file that begins with these bytes is a log of this format."""
    return _START.match(head) is not None


def read(log: Log, wanted: Fields, notes: Notes, _: Kept | None = None) -> Iterator[Table]:
    """Batches of the requests of one log; record ids are line numbers."""
    yield from read_lines(log, wanted, notes, _fields, _time, _NAMES)


def _fields(line: str) -> dict[str, str] | None:
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    # A request that a scanner sends need not have three parts.
    method, _, rest = match["request"].partition(" ")
    target, _, version = rest.rpartition(" ") if " HTTP/" in rest else (rest, "", "")
    stem, _, query = target.partition("?")
    values = {
        "c-ip": match["client"],
        "cs-username": match["user"],
        "time": match["time"],
        "cs-method": method,
        "cs-uri-stem": stem,
        "cs-uri-query": query,
        "cs-version": version,
        "sc-status": match["status"],
        "sc-bytes": match["bytes"],
        "cs-referer": match["referrer"],
        "cs-user-agent": match["agent"],
        "cs-cookie": match["cookie"],
    }
    return {name: value for name, value in values.items() if value and value != "-"}


def _time(fields: dict[str, str]) -> int:
    day, month, rest = fields["time"].split("/")
    year, clock = rest.split(":", 1)
    time, zone = clock.split(" ")
    try:
        number = _MONTHS[month]
        # Month names are English here, whatever the locale: strptime would heed it.
        moment = datetime.fromisoformat(f"{year}-{number:02d}-{day}T{time}{zone[:3]}:{zone[3:]}")
    except (KeyError, ValueError):
        return times.UNKNOWN
    return times.micros(moment)
