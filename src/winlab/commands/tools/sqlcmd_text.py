"""How sqlcmd prints results.

Source: "sqlcmd utility" (-h -s -W -w -y), "Display size" (ODBC) (Microsoft Learn).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from winlab.sqlserver.scope import Output
from winlab.sqlserver.types import SqlType

_WIDTHS = {
    "bit": 11,
    "tinyint": 4,
    "smallint": 6,
    "int": 11,
    "bigint": 20,
    "float": 24,
    "real": 14,
    "date": 16,
    "datetime": 23,
    "smalldatetime": 19,
    "uniqueidentifier": 36,
    "sql_variant": 256,
}
_MAX_WIDTH = 256
"""-y: how much of a (max) value is shown."""


@dataclass(frozen=True)
class Layout:
    """-s, -W and -h; ``headers`` -1 prints none, 0 one for a result, else one every so many rows."""

    separator: str = " "
    trim: bool = False
    headers: int = 0


def lines(
    columns: Sequence[Output], rows: Sequence[Sequence[Any]], layout: Layout
) -> Iterator[str]:
    """The lines of a result without the count behind it."""
    widths = [max(_width(one.type), len(one.name)) for one in columns]
    if not rows:
        yield from _head(columns, widths, layout)
    for number, row in enumerate(rows):
        if number == 0 or (layout.headers > 0 and number % layout.headers == 0):
            yield from _head(columns, widths, layout)
        cells = [
            _cell(shown(value, column.type), column.type, width, layout)
            for value, column, width in zip(row, columns, widths, strict=True)
        ]
        yield layout.separator.join(cells)


def _head(columns: Sequence[Output], widths: Sequence[int], layout: Layout) -> Iterator[str]:
    if layout.headers == -1:
        return
    if layout.trim:
        yield layout.separator.join(one.name for one in columns)
        yield layout.separator.join("-" * len(one.name) for one in columns)
        return
    yield layout.separator.join(
        one.name.ljust(width) for one, width in zip(columns, widths, strict=True)
    )
    yield layout.separator.join("-" * width for width in widths)


def _cell(text: str, kind: SqlType, width: int, layout: Layout) -> str:
    if layout.trim:
        return text.rstrip(" ")
    text = text[:width] if kind.family in {"text", "binary"} else text
    return (
        text.rjust(width)
        if kind.family in {"int", "decimal", "bit", "float"}
        else text.ljust(width)
    )


def _width(kind: SqlType) -> int:
    if kind.family in {"text", "binary"}:
        if kind.length == -1:
            return _MAX_WIDTH
        return 2 * kind.length + 2 if kind.family == "binary" else kind.length
    if kind.family == "decimal":
        return kind.precision + 2
    if kind.name == "datetime2":
        return 38 if kind.scale == 7 else 19 + (kind.scale + 1 if kind.scale else 0)
    if kind.name == "time":
        return 8 + (kind.scale + 1 if kind.scale else 0)
    return _WIDTHS[kind.name]


def shown(value: Any, kind: SqlType) -> str:
    """One value; a decimal below one has no zero before its point."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, bytes):
        return f"0x{value.hex().upper()}"
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text
    if isinstance(value, datetime):
        digits = {"datetime": 3, "smalldatetime": 0}.get(kind.name, kind.scale)
        fraction = f"{value.microsecond:06d}0"[:digits]
        return f"{value:%Y-%m-%d %H:%M:%S}" + (f".{fraction}" if fraction else "")
    if isinstance(value, time):
        fraction = f"{value.microsecond:06d}0"[: kind.scale]
        return f"{value:%H:%M:%S}" + (f".{fraction}" if fraction else "")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return f"{value:.16g}" if value != int(value) else f"{value:.1f}"
    return str(value)
