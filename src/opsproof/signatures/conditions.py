"""Conditions on what a row holds, exact whatever the collation, and what no condition can be made on.

NULL can always be asked for. What is left out here is held to the digest of the row alone, which is
taken under the row's lock:

- SQL Server: ``float`` and ``real`` (a driver writes them with fewer digits than they have), ``datetime2``,
  ``datetimeoffset`` and ``time`` (pymssql writes milliseconds), ``xml``, ``sql_variant``, ``money``, and all
  else that is neither text, bytes, ``bit``, integer, decimal, ``date`` nor ``datetime``. Its old ``text``,
  ``ntext`` and ``image`` take part in no comparison (errors 306 and 402) and are cast.
- PostgreSQL: ``real`` and ``double precision`` (a driver's double is not the ``real`` it was read from),
  ``json`` and ``xml`` (have no ``=``), enumerations, domains, arrays, ranges, ``money``, ``interval`` ...
- SQLite compares whatever a column holds.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import mssql
from sqlalchemy.sql.elements import ColumnElement

_PLAIN: Final = (sa.Integer, sa.Numeric, sa.Boolean, sa.Date, sa.DateTime, sa.LargeBinary)
_INEXACT: Final = (sa.Float, mssql.DATETIME2, mssql.DATETIMEOFFSET)
_NO_TEXT: Final = (sa.Enum, mssql.XML)


def holds(
    dialect: str, column: ColumnElement[Any], kind: Any, value: Any
) -> ColumnElement[bool] | None:
    """Whether a column of the reflected type ``kind`` holds exactly ``value``, as the driver gave it.

    None where that cannot be asked; see above.
    """
    if value is None:
        return column.is_(None)
    text = isinstance(kind, sa.String) and not isinstance(kind, _NO_TEXT)
    if dialect == "sqlite":
        return _equal(sa.collate(column, "BINARY") if isinstance(value, str) else column, value)
    if text and isinstance(value, str):
        # SQL Server compares without regard to case, width or trailing blanks as its collation wants.
        if dialect == "mssql":
            column = sa.cast(sa.cast(column, mssql.NVARCHAR(None)), varbinary())
            return _equal(column, value.encode("utf-16-le", "surrogatepass"))
        if isinstance(kind, sa.CHAR):  # as text it would lose the blanks that the driver gives
            return _equal(sa.collate(column, "C"), sa.cast(value, kind))
        return _equal(sa.collate(column, "C"), value)
    if isinstance(kind, mssql.IMAGE):
        return _equal(sa.cast(column, varbinary()), value)
    if isinstance(kind, sa.Uuid) and dialect == "postgresql":
        return _equal(column, value)
    if isinstance(kind, _PLAIN) and not isinstance(kind, _INEXACT):
        return _equal(column, value)
    return None


def varbinary() -> mssql.VARBINARY:
    """``varbinary(max)``."""
    return mssql.VARBINARY("max")  # type: ignore[no-untyped-call]  # it has no annotations


def _equal(column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
    equal: ColumnElement[bool] = column == value
    return equal
