"""A plan as T-SQL for the management host's sqlcmd, where no driver reaches the old server.

The analysis then ran on a copy of the table; the script holds every statement to the copy's
before-image, so that a record that is another on the server is left alone and reported. Every value
is a hexadecimal or plain number literal and every name is in brackets: nothing of the data can
become a statement. Runs on SQL Server 2008 and later; run it with ``sqlcmd -b -x -i FILE``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from opsproof.signatures.check import Checker
from opsproof.signatures.database import Database, reading
from opsproof.signatures.errors import PlanError, ProfileError
from opsproof.signatures.model import Entry, image_digest, key_digest, unpacked
from opsproof.signatures.plan import Plan
from opsproof.signatures.profile import Profile


@dataclass(frozen=True)
class Statement:
    """One record's change: its key, all that it must hold before, and what it gets."""

    key: tuple[Any, ...]
    before: Mapping[str, Any]
    changes: Mapping[str, Any]


def script(
    profile: Profile, plan_sha256: str, batches: Iterable[Sequence[Statement]]
) -> Iterator[str]:
    """The script, line by line, one transaction a batch.

    Raises:
        ProfileError: a name cannot stand in a script.
    """
    table = _table(profile)
    yield f"-- signature correction, plan {plan_sha256}"
    yield "-- sqlcmd -b -x: stop at the first error, replace no variables"
    yield ":on error exit"
    yield "SET NOCOUNT ON; SET XACT_ABORT ON; SET QUOTED_IDENTIFIER ON;"
    yield "GO"
    for batch in batches:
        yield "DECLARE @rows int; DECLARE @fault nvarchar(2048);"
        yield "DECLARE @outcome TABLE (record char(24) NOT NULL, state varchar(7) NOT NULL);"
        yield "BEGIN TRY"
        yield "BEGIN TRANSACTION;"
        for one in batch:
            yield from _statement(profile, table, one)
        yield "COMMIT TRANSACTION;"
        yield "END TRY"
        yield "BEGIN CATCH"
        yield "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;"
        yield "SET @fault = ERROR_MESSAGE();"
        yield "RAISERROR(N'%s', 16, 1, @fault);"
        yield "END CATCH;"
        yield "SELECT record, state FROM @outcome ORDER BY record;"
        yield "GO"


def statements(
    plan: Plan, profile: Profile, database: Database, checker: Checker, *, batch: int = 200
) -> Iterator[list[Statement]]:
    """The plan's changes with the before-images of the copy, each checked once more.

    Raises:
        PlanError: the copy is not what was planned on, or a value does not verify.
    """
    part: list[Entry] = []
    for entry in plan.writes():
        part.append(entry)
        if len(part) == batch:
            yield _read(part, profile, database, checker)
            part = []
    if part:
        yield _read(part, profile, database, checker)


def _read(
    entries: Sequence[Entry], profile: Profile, database: Database, checker: Checker
) -> list[Statement]:
    keys = [tuple(unpacked(part) for part in entry.key) for entry in entries]
    with reading(database.engine) as connection:
        rows = database.fetch(connection, keys)
    found = []
    for entry, key in zip(entries, keys, strict=True):
        where = f"record {key_digest(key)}"
        cells = rows.get(key)
        stored = {} if cells is None else dict(zip(profile.columns, cells, strict=True))
        if image_digest(stored) != entry.before:
            raise PlanError("the copy is not what the plan was made on", where=where)
        changes = {name: unpacked(value) for name, value in entry.changes.items()}
        after = stored | changes
        row = checker.row([after[name] for name in profile.columns])
        verdict = checker.check(row)
        if verdict.failed is not None or set(changes) & profile.data_columns:
            raise PlanError("the new value does not verify", where=where)
        assert row.values is not None
        typed = {
            field.column: value for field, value in zip(profile.fields, row.values, strict=True)
        }
        found.append(Statement(key, stored | typed, changes))
    return found


def _statement(profile: Profile, table: str, one: Statement) -> Iterator[str]:
    times = {profile.signed_at.column} if profile.signed_at is not None else set()
    key = [_same(name, value) for name, value in zip(profile.key, one.key, strict=True)]
    keyed = set(profile.key)
    held = [
        _same(name, value, time=name in times)
        for name, value in one.before.items()
        if name not in keyed
    ]
    wanted = [_same(name, value, time=name in times) for name, value in one.changes.items()]
    # A time that the copy keeps as text is written as that text: a text column then holds what was planned,
    # and a column of times takes ISO 8601 whatever the language.
    new = ", ".join(f"{_name(name)} = {_literal(value)}" for name, value in one.changes.items())
    record = key_digest(one.key)
    # Names come from _name() and values from _literal(); nothing else enters a statement.
    yield f"UPDATE {table} SET {new} WHERE {' AND '.join([*key, *held])};"  # noqa: S608 - see above
    yield "SET @rows = @@ROWCOUNT;"
    yield "IF @rows > 1 RAISERROR(N'more than one row has this key', 16, 1);"
    done = " AND ".join([*key, *wanted])
    yield f"IF @rows = 0 AND EXISTS (SELECT 1 FROM {table} WHERE {done}) SET @rows = -1;"  # noqa: S608 - see above
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


def _same(column: str, value: Any, *, time: bool = False) -> str:
    """A condition that holds only for exactly this content, whatever the collation."""
    name = _name(column)
    if value is None:
        return f"{name} IS NULL"
    if time or isinstance(value, datetime):
        return f"CAST({name} AS datetime2) = {_literal(value, time=True)}"
    if isinstance(value, str):
        return f"CAST(CAST({name} AS nvarchar(max)) AS varbinary(max)) = {_hex(_utf16(value))}"
    if isinstance(value, bytes):
        return f"CAST({name} AS varbinary(max)) = {_hex(value)}"
    if isinstance(value, date):
        return f"CAST({name} AS date) = {_literal(value)}"
    return f"{name} = {_literal(value)}"


def _literal(value: Any, *, time: bool = False) -> str:
    if value is None:
        return "NULL"
    if time or isinstance(value, (date, datetime)):
        kind = "datetime2" if time or isinstance(value, datetime) else "date"
        text = value.isoformat() if isinstance(value, (date, datetime)) else str(value)
        return f"CAST(CAST({_hex(_utf16(text))} AS nvarchar(40)) AS {kind})"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, (int, Decimal)):
        return format(value, "f") if isinstance(value, Decimal) else str(value)
    if isinstance(value, bytes):
        return _hex(value)
    return f"CAST({_hex(_utf16(str(value)))} AS nvarchar(max))"


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-le")


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
