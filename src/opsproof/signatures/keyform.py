"""One form of a record's key, whoever writes it: the table, base data, a log or a plan.

The same number is ``007`` in a file and 7 in a column, CHAR columns add blanks, a GUID is written in
either case, and a time with a blank or a ``T``. What a part of a key means is said by the profile's
field for its column, where there is one, and by the column's own type.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from opsproof.signatures.model import key_text
from opsproof.signatures.profile import Field, Profile
from opsproof.signatures.values import ValueProblemError, reader

# Python's own readers take "1_000" and digits of all scripts for numbers: another key than was written.
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,38}")
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,38}(\.[0-9]{1,38})?")
FIXED: Final = (sa.CHAR, sa.NCHAR)
"""Text that the database fills up with blanks."""


class KeyForm:
    """The form of one table's keys; ``types`` are those of its columns, as SQLAlchemy reflects them."""

    def __init__(self, profile: Profile, types: Mapping[str, Any]) -> None:
        """Look up once what every part is read by."""
        fields = {one.column: one for one in profile.fields}
        self._readers = [_reader(fields.get(name), types[name]) for name in profile.key]
        self._as_they_are = tuple(_as_it_is(fields.get(name), types[name]) for name in profile.key)
        self._padded = {
            name
            for name in profile.key
            if isinstance(types[name], FIXED) or (name in fields and fields[name].padded)
        }

    def is_padded(self, name: str) -> bool:
        """Whether blanks at the end of a key's column are the column's and not the key's."""
        return name in self._padded

    def parts(self, key: Sequence[Any]) -> list[Any]:
        """What the parts of a key mean; one that means nothing stays as it is."""
        return [read(part) for read, part in zip(self._readers, key, strict=True)]

    def text(self, key: Sequence[Any]) -> str:
        """The same as text: equal for keys of one record and for no others."""
        return key_text(key if tuple(map(type, key)) == self._as_they_are else self.parts(key))


def typed(kind: Any, part: Any) -> Any:
    """A part of a key as a column of the reflected type ``kind`` holds it.

    Raises:
        ValueError, ArithmeticError, TypeError: it is nothing of the kind.
    """
    return _typing(kind)(part)


def _typing(kind: Any) -> Callable[[Any], Any]:
    return next((read for one, read in _TYPES if isinstance(kind, one)), _as_given)


def _reader(field: Field | None, kind: Any) -> Callable[[Any], Any]:
    own = None if field is None else reader(field)
    typing = _bare if isinstance(kind, FIXED) else _typing(kind)
    trimmed = isinstance(kind, sa.Numeric) and (field is None or field.type != "decimal")

    def read(part: Any) -> Any:
        value = part
        try:
            if own is not None:
                value = own(part)
        except ValueProblemError:
            pass
        try:
            value = typing(value)
            if isinstance(value, datetime) and value.tzinfo is not None:
                value = value.astimezone(UTC)
        except (ValueError, ArithmeticError, TypeError):
            return str(value) if isinstance(value, date) else value
        return _plain(value) if trimmed else value

    return read


def _as_it_is(field: Field | None, kind: Any) -> type[Any] | None:
    """The class of parts that need no reading: what most tables have as key."""
    if isinstance(kind, sa.Integer) and (field is None or field.type in ("integer", "text")):
        return int
    text = isinstance(kind, sa.String) and not isinstance(kind, FIXED)
    if text and (field is None or (field.type == "text" and not field.padded)):
        return str
    return None


def _as_given(part: Any) -> Any:
    return part


def _bare(part: Any) -> Any:
    return part.rstrip(" ") if isinstance(part, str) else part


def _plain(value: Decimal) -> str:
    """A number that no field gives a scale to has no final zeros."""
    text = format(value, "f") if value else "0"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _integer(part: Any) -> int:
    if isinstance(part, str) and not _INTEGER.fullmatch(part):
        raise ValueError
    number = int(part)
    if not isinstance(part, str) and number != part:
        raise ValueError
    return number


def _decimal(part: Any) -> Decimal:
    """SQLite stores decimals as doubles; a double is taken by its shortest text."""
    if isinstance(part, str) and not _DECIMAL.fullmatch(part):
        raise ValueError
    return Decimal(str(part))


def _moment(part: Any) -> Any:
    if isinstance(part, str):
        return datetime.fromisoformat(part)
    if isinstance(part, date) and not isinstance(part, datetime):
        return datetime.combine(part, time())
    return part


def _day(part: Any) -> Any:
    found = datetime.fromisoformat(part) if isinstance(part, str) else part
    if not isinstance(found, datetime):
        return found
    if found.time() != time():
        raise ValueError
    return found.date()


def _guid(part: Any) -> Any:
    return UUID(part) if isinstance(part, str) else part


_TYPES: Final[list[tuple[type[Any], Callable[[Any], Any]]]] = [
    (sa.Integer, _integer),
    (sa.Numeric, _decimal),
    (sa.DateTime, _moment),
    (sa.Date, _day),
    (sa.Uuid, _guid),
]
