"""Field values: what a database or a file gives, as one Python value a type; never a guess.

text -> str, integer -> int, decimal -> Decimal of the field's scale, date -> date,
datetime -> naive datetime (as the column shows it; with an offset, in the field's zone),
boolean -> bool; NULL -> None.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final, TypeAlias, cast
from zoneinfo import ZoneInfo

from opsproof.signatures.profile import Field

Value: TypeAlias = str | int | bool | Decimal | date | datetime | None

_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,37})")
_DECIMAL: Final = re.compile(r"-?(0|[1-9][0-9]{0,37})(\.[0-9]{1,37})?")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATETIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
)
_BOOLEANS: Final = {"0": False, "1": True, "false": False, "true": True}


class ValueProblemError(ValueError):
    """A value is not of its field's type. The message never shows the value."""


def normalise(field: Field, value: Any) -> Value:
    """The value of a field. Raises :class:`ValueProblemError` naming the field and the type."""
    if value is None:
        return None
    try:
        return _READERS[field.type](field, value)
    except (ValueError, TypeError, InvalidOperation, OverflowError) as error:
        raise ValueProblemError(f"{field.name} is not of type {field.type}") from error


def reader(field: Field) -> Callable[[Any], Value]:
    """:func:`normalise` for one field, quick for what tables mostly hold."""
    if field.type in ("date", "decimal"):
        kept = lru_cache(maxsize=4096, typed=True)(lambda value: normalise(field, value))

        def read(value: Any) -> Value:
            return kept(value) if isinstance(value, str) else normalise(field, value)

        return read
    own = {"text": str, "integer": int}.get(field.type)
    if own is None or field.padded:
        return lambda value: normalise(field, value)

    def plain_or(value: Any) -> Value:
        return cast("Value", value) if type(value) is own else normalise(field, value)

    return plain_or


def moment(value: Any, zone: ZoneInfo) -> datetime | None:
    """When something was signed, in UTC; None for NULL. Raises :class:`ValueProblemError`.

    What UTC has no year for, such as the first day of the year 1 that systems store for "never", is
    the first or last moment there is.
    """
    if value is None:
        return None
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError as error:
        raise ValueProblemError("the time of signing is no time") from error
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone)
    try:
        return found.astimezone(UTC)
    except OverflowError:
        nearest = datetime.min if found.year == 1 else datetime.max  # noqa: DTZ901 - UTC follows
        return nearest.replace(tzinfo=UTC)


def plain(value: Value) -> str | int | bool | None:
    """The value as JSON holds it; equal values have equal forms."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value) if isinstance(value, Decimal) else value.isoformat()


def _text(field: Field, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value.rstrip(" ") if field.padded else value


def _integer(_: Field, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        raise TypeError
    if isinstance(value, str) and not _INTEGER.fullmatch(value):
        raise ValueError
    number = int(value)
    if number != Decimal(value):
        raise ValueError
    return number


def _decimal(field: Field, value: Any) -> Decimal:
    """SQLite stores decimals as doubles; a double is taken by its shortest text."""
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal, float)):
        raise TypeError
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        raise ValueError
    number = Decimal(str(value))
    scaled = number.quantize(Decimal(1).scaleb(-field.scale))
    if scaled != number:
        raise ValueError
    return scaled + 0


def _date(_: Field, value: Any) -> date:
    if isinstance(value, datetime):
        if value.time() != datetime.min.time():
            raise ValueError
        return value.date()
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise ValueError
    return date.fromisoformat(value)


def _datetime(field: Field, value: Any) -> datetime:
    if isinstance(value, datetime):
        # A driver's offset is that of the session (PostgreSQL) or of the writer (SQL Server).
        here = value if value.tzinfo is None else value.astimezone(ZoneInfo(field.zone))
        return here.replace(tzinfo=None)
    if not isinstance(value, str) or not _DATETIME.fullmatch(value):
        raise ValueError
    return datetime.fromisoformat(value)


def _boolean(_: Field, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    return _BOOLEANS[str(value).lower()] if str(value).lower() in _BOOLEANS else _refuse()


def _refuse() -> bool:
    raise ValueError


_READERS: Final[dict[str, Callable[[Field, Any], Value]]] = {
    "text": _text,
    "integer": _integer,
    "decimal": _decimal,
    "date": _date,
    "datetime": _datetime,
    "boolean": _boolean,
}
