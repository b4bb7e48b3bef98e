"""Changes as T-SQL for the management host's sqlcmd, where no driver reaches the old server.

The analysis then ran on a copy of the table; the script holds every statement to the copy's
before-image, so that a record that is another on the server is left alone and reported, and looks at
what was stored before the transaction commits. Every value is a hexadecimal or plain number literal
and every name is in brackets: nothing of the data can become a statement. Run it with
``sqlcmd -b -x -i FILE``: stop at the first error, replace no variables.

Transact-SQL reference, for SQL Server 2008 and later: "Constants" (binary), "CAST and CONVERT" (style
121, types of 2008), "SET XACT_ABORT" and "RAISERROR" (an error raised in a CATCH block does not end
the batch: RETURN does, and table variables keep what was rolled back), "sqlcmd Utility".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from opsproof.signatures.errors import ProfileError
from opsproof.signatures.model import key_digest
from opsproof.signatures.profile import Profile

_MOST_DECIMALS: Final = 10
_HEAD: Final = (
    "-- run with: sqlcmd -b -x -i FILE",
    ":on error exit",
    "SET NOCOUNT ON; SET XACT_ABORT ON; SET QUOTED_IDENTIFIER ON; SET ANSI_NULLS ON;",
    "SET ANSI_WARNINGS ON; SET DATEFORMAT ymd;",
    "GO",
)
_BEGIN: Final = (
    "DECLARE @rows int; DECLARE @fault nvarchar(2048);",
    "DECLARE @outcome TABLE (record char(24) NOT NULL, state varchar(7) NOT NULL);",
    "BEGIN TRY",
    "BEGIN TRANSACTION;",
)
_END: Final = (
    "COMMIT TRANSACTION;",
    "END TRY",
    "BEGIN CATCH",
    "SET @fault = ERROR_MESSAGE();",
    "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;",
    "RAISERROR(N'nothing of this batch was stored: %s', 16, 1, @fault);",
    "RETURN;",
    "END CATCH;",
    "SELECT record, state FROM @outcome ORDER BY record;",
    "GO",
)


@dataclass(frozen=True)
class Statement:
    """One record's change.

    ``before`` is all that it must hold: for every column what the copy holds and, where it is a
    field, its value, because a copy may keep as text what the server keeps as number or time.
    """

    key: tuple[Any, ...]
    before: Mapping[str, tuple[Any, ...]]
    changes: Mapping[str, Any]


def script(profile: Profile, title: str, batches: Iterable[Sequence[Statement]]) -> Iterator[str]:
    """The script, line by line, one transaction a batch. ``title`` is for its first line.

    It answers one line a record: written, already (done before), or left (not what was planned on).

    Raises:
        ProfileError: a name cannot stand in a script.
    """
    table = _table(profile)
    yield f"-- {title}"
    yield from _HEAD
    for batch in batches:
        yield from _BEGIN
        for one in batch:
            yield from _statement(profile, table, one)
        yield from _END


def _statement(profile: Profile, table: str, one: Statement) -> Iterator[str]:
    times = _times(profile)
    key = [_is_key(name, value, times) for name, value in zip(profile.key, one.key, strict=True)]
    others = [name for name in one.before if name not in profile.key]
    before = [_holds(name, one.before[name], times) for name in others]
    after = [
        _holds(name, (one.changes[name],) if name in one.changes else one.before[name], times)
        for name in dict.fromkeys([*others, *one.changes])
    ]
    new = ", ".join(f"{_name(name)} = {_literal(value)}" for name, value in one.changes.items())
    held, done = " AND ".join([*key, *before]), " AND ".join([*key, *after])
    record = key_digest(one.key)
    # Names come from _name() and values from _literal() and _hex(); nothing else enters a statement.
    yield f"UPDATE {table} SET {new} WHERE {held};"  # noqa: S608 - see above
    yield "SET @rows = @@ROWCOUNT;"
    yield "IF @rows > 1 RAISERROR(N'more than one row has this key', 16, 1);"
    yield f"IF EXISTS (SELECT 1 FROM {table} WHERE {done})"  # noqa: S608 - see above
    yield "BEGIN IF @rows = 0 SET @rows = -1; END"
    yield "ELSE IF @rows = 1 RAISERROR(N'a value was stored as another', 16, 1);"
    state = "CASE @rows WHEN 1 THEN 'written' WHEN -1 THEN 'already' ELSE 'left' END"
    yield f"INSERT INTO @outcome (record, state) VALUES ('{record}', {state});"  # noqa: S608 - see above


def _table(profile: Profile) -> str:
    schema = profile.table.schema
    name = _name(profile.table.name)
    return name if schema is None else f"{_name(schema)}.{name}"


def _name(name: str) -> str:
    """A delimited identifier; ``]`` is doubled (Transact-SQL reference, "QUOTENAME")."""
    if not name.isprintable() or "$(" in name:
        raise ProfileError(f"the name {name!r} cannot stand in a script")
    return "[" + name.replace("]", "]]") + "]"


def _times(profile: Profile) -> frozenset[str]:
    """Columns that hold a date or a time, whatever their type is on the server."""
    found = {one.column for one in profile.fields if one.type in ("date", "datetime")}
    return frozenset(found | ({profile.signed_at.column} if profile.signed_at else set()))


def _is_key(column: str, value: Any, times: frozenset[str]) -> str:
    """An index can be used for the plain comparison; text is compared exactly as well."""
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return f"{_name(column)} = {_literal(value)}"
    exact = _holds(column, (value,), times)
    return f"{_name(column)} = {_literal(value)} AND {exact}" if isinstance(value, str) else exact


def _holds(column: str, values: Sequence[Any], times: frozenset[str]) -> str:
    """A condition that holds only for this content, whatever the collation, and never fails.

    Numbers and times are compared as text in all ways in which the server may write them, because a
    conversion of its text to a number would end the batch where the text is none.
    """
    name = _name(column)
    if None in values:
        return f"{name} IS NULL"
    if all(isinstance(value, bytes) for value in values):
        return f"CAST({name} AS varbinary(max)) = {_hex(values[0])}"
    temporal = column in times or any(isinstance(value, date) for value in values)
    if temporal:
        values = [*values, *filter(None, map(_moment, values))]
    forms = list(dict.fromkeys(text for value in values for text in _forms(value)))
    text = f"CONVERT(nvarchar(max), {name}, 121)" if temporal else f"CAST({name} AS nvarchar(max))"
    wanted = [_hex(_utf16(form)) for form in forms]
    equal = f"= {wanted[0]}" if len(wanted) == 1 else f"IN ({', '.join(wanted)})"
    return f"CAST({text} AS varbinary(max)) {equal}"


def _moment(value: Any) -> datetime | None:
    """The time that a copy keeps as text."""
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _forms(value: Any) -> list[str]:
    """How the server may write a value as text."""
    if isinstance(value, bool):
        return ["1", "true", "True"] if value else ["0", "false", "False"]
    if isinstance(value, datetime):
        day, time = f"{value:%Y-%m-%d}", f"{value:%H:%M:%S}"
        whole = [f"{day} {time}{fraction}" for fraction in _fractions(value.microsecond)]
        if value.tzinfo is not None:  # datetimeoffset
            whole = [f"{one} {value.isoformat()[-6:]}" for one in whole]
        return [day, *whole] if time == "00:00:00" and not value.microsecond else whole
    if isinstance(value, date):
        day = value.isoformat()
        return [day, *(f"{day} 00:00:00{fraction}" for fraction in _fractions(0))]
    if isinstance(value, (int, Decimal)):
        plain = format(value, "f") if isinstance(value, Decimal) else str(value)
        whole_part, _, decimals = plain.partition(".")
        decimals = decimals.rstrip("0")
        more = [decimals.ljust(n, "0") for n in range(len(decimals), _MOST_DECIMALS + 1)]
        return [whole_part + (f".{one}" if one else "") for one in more] or [plain]
    return [str(value)]


def _fractions(microseconds: int) -> list[str]:
    """Fractions of a second with as many digits as datetime, datetime2 and smalldatetime have."""
    digits = f"{microseconds:06d}".rstrip("0")
    return [f".{digits.ljust(n, '0')}" if n else "" for n in range(len(digits), 8)]


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, (int, Decimal)):
        return format(value, "f") if isinstance(value, Decimal) else str(value)
    if isinstance(value, bytes):
        return _hex(value)
    return f"CAST({_hex(_utf16(str(value)))} AS nvarchar(max))"


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
