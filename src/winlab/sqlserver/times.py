"""Dates and times as cells.

Source: "datetime", "datetime2", "date", "time", "smalldatetime" (Transact-SQL reference).
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from winlab.sqlserver.errors import TsqlError
from winlab.sqlserver.types import SqlType

_MOMENT = re.compile(
    r"(?:(?P<y>\d{4})-?(?P<m>\d{1,2})-?(?P<d>\d{1,2}))?"
    r"(?:(?:^|[ T])\s*(?P<h>\d{1,2}):(?P<i>\d{2})(?::(?P<s>\d{2})(?:\.(?P<f>\d{1,9}))?)?)?Z?$"
)


def parts(cell: str) -> datetime:
    """A cell as a naive datetime; the seventh digit of its seconds is lost."""
    if len(cell) == 10:
        return datetime.fromisoformat(cell)
    if len(cell) == 16:
        return datetime.combine(date(1900, 1, 1), time.fromisoformat(cell[:15]))
    return datetime.fromisoformat(cell[:26])


def moment_cell(moment: datetime, kind: SqlType) -> str:
    """A naive datetime as a cell of a type."""
    whole = f"{moment:%Y-%m-%d %H:%M:%S}".rjust(19, "0") + f".{moment.microsecond:06d}0"
    return _shape(whole, kind)


def to_time(cell: int | float | str | bytes, source: SqlType, target: SqlType) -> str:
    """A cell as one of a time's type. Raises :class:`TsqlError` 206, 241, 242, 529 or 8115."""
    if source.family == "time":
        text = str(cell)
        whole = (
            f"{text} 00:00:00.0000000"
            if len(text) == 10
            else f"1900-01-01 {text}"
            if len(text) == 16
            else text
        )
        if {source.name, target.name} == {"date", "time"}:
            raise TsqlError(206, source.described, target.described)
        return _shape(whole, target)
    if source.family == "text":
        return _shape(_read_moment(str(cell), target), target)
    if source.family in {"int", "bit", "decimal", "float"}:
        if target.name not in {"datetime", "smalldatetime"}:
            raise TsqlError(206, source.described, target.described)
        base = datetime(1900, 1, 1)  # noqa: DTZ001 - SQL Server's times have no zone
        try:
            return moment_cell(base + timedelta(days=float(str(cell))), target)
        except OverflowError as error:
            raise TsqlError(8115, "expression", target.described, state=2) from error
    raise TsqlError(529, source.described, target.described)


def _read_moment(text: str, target: SqlType) -> str:
    text = text.strip(" ")
    if not text:
        return "1900-01-01 00:00:00.0000000"
    match = _MOMENT.match(text)
    if match is None:
        raise TsqlError(241)
    y, m, d, h, i, s, f = match.group("y", "m", "d", "h", "i", "s", "f")
    fraction = f or ""
    limit = 3 if target.name in {"datetime", "smalldatetime"} else 7
    if len(fraction) > limit or (y is None and h is None):
        raise TsqlError(241)
    try:
        day = date(int(y or 1900), int(m or 1), int(d or 1))
        clock = time(int(h or 0), int(i or 0), int(s or 0))
    except ValueError as error:
        if target.name in {"datetime", "smalldatetime"}:
            raise TsqlError(242, "varchar", target.name, state=3) from error
        raise TsqlError(241) from error
    return f"{day.isoformat()} {clock.isoformat()}.{fraction.ljust(7, '0')}"


def _shape(whole: str, kind: SqlType) -> str:
    """A full moment, 27 letters long, in the shape and the precision of a type."""
    if kind.name == "date":
        return whole[:10]
    if kind.name == "datetime":
        # Three hundredths of a second: .000, .003, .007 ("datetime").
        if whole < "1753":
            raise TsqlError(242, "datetime2", "datetime", state=3)
        moment = datetime.fromisoformat(whole[:19])
        ticks = int(Decimal("0" + whole[19:]) * 300 + Decimal("0.5"))
        moment += timedelta(seconds=ticks // 300)
        millis = (ticks % 300 * 1000 + 150) // 300
        return f"{moment:%Y-%m-%d %H:%M:%S}".rjust(19, "0") + f".{millis:03d}0000"
    if kind.name == "smalldatetime":
        moment = datetime.fromisoformat(whole[:19]) + timedelta(seconds=30)
        if not 1900 <= moment.year <= 2079:
            raise TsqlError(242, "datetime2", "smalldatetime", state=3)
        return f"{moment:%Y-%m-%d %H:%M}:00.0000000"
    rounded = _round_fraction(whole, kind.scale)
    return rounded[11:] if kind.name == "time" else rounded


def _round_fraction(whole: str, scale: int) -> str:
    if scale >= 7:
        return whole
    unit = 10 ** (7 - scale)
    units = (int(whole[20:]) + unit // 2) // unit * unit
    if units >= 10_000_000:
        moment = datetime.fromisoformat(whole[:19]) + timedelta(seconds=1)
        return f"{moment:%Y-%m-%d %H:%M:%S}".rjust(19, "0") + ".0000000"
    return f"{whole[:20]}{units:07d}"
