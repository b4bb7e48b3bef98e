"""Logs of the IIS log file format ("IIS native", ``u_in`` and ``in`` files): commas, local time.

Source: Microsoft Learn, "IIS Log File Formats", section "IIS Log File Format": fifteen fields, each
followed by a comma; the date is month/day/year and, as the time, that of the server's zone. Fields
have no names in the file, so they are given those of the W3C format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from opsproof.logs import times
from opsproof.logs.readers import web
from opsproof.logs.readers.base import Damage, Fields, Log, Notes
from opsproof.logs.readers.lines import blocks, cleaned
from opsproof.logs.table import Table, TableBuilder

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


def read(log: Log, wanted: Fields, notes: Notes) -> Iterator[Table]:
    """Batches of the requests of one log; record ids are line numbers.

    The zone of the times stands nowhere in the file: it is ``log.zone``.
    """
    with log.path.open("rb") as file:
        for block in blocks(file, notes):
            builder = TableBuilder(log.source, None if wanted is None else wanted, web.FORMS)
            kept: list[str] = []
            offset = block.offset
            lines = block.data.split(b"\n")[:-1]
            for number, data in enumerate(lines, block.number):
                line = cleaned(data, number, offset, notes)
                if line.strip():
                    fields = _fields(line)
                    if fields is None:
                        unfinished = not block.finished and number == block.number + len(lines) - 1
                        what = (
                            "the last line is unfinished" if unfinished else "a line is no request"
                        )
                        notes.damage.append(Damage(what, offset=offset, record=number, records=1))
                    else:
                        moment = _time(fields, log)
                        web.derive(fields, "web")
                        builder.add(moment, number, fields)
                        kept.append(line)
                offset += len(data) + 1
            if kept:
                table = builder.build(
                    lambda row, kept=kept: _fields(kept[row]) or {},  # type: ignore[misc]
                    web.site(f"{log.path.absolute()}/{log.name}"),
                    numbers=web.NUMBERS,
                )
                table.block = block.offset
                yield table


def _fields(line: str) -> dict[str, str] | None:
    """The fields of a line. A comma inside the target or its query is a comma of theirs."""
    values = [value.strip() for value in line.rstrip().rstrip(",").split(",")]
    if len(values) < len(_NAMES):
        return None
    target = values[13:-1] or [""]
    values = [*values[:13], ",".join(target), values[-1]]
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
