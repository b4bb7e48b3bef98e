"""Tables as they are defined: columns, keys, constraints.

Source: "CREATE TABLE" (Transact-SQL reference).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from winlab.sqlserver import actions as act
from winlab.sqlserver.catalog import Catalog, Check, Column, Foreign, Key, Table
from winlab.sqlserver.errors import NotModelledError, TsqlError
from winlab.sqlserver.scope import Scope
from winlab.sqlserver.selects import Selects, named
from winlab.sqlserver.types import SqlType, collation_kind, known_collation, resolve
from winlab.sqlserver.values import Cell

if TYPE_CHECKING:
    from winlab.sqlserver.session import Session

_AFFINITY = {
    "int": "INT",
    "bit": "INT",
    "decimal": "TEXT COLLATE T_DEC",
    "float": "REAL",
    "binary": "BLOB",
    "time": "TEXT",
    "guid": "TEXT",
    "variant": "BLOB",
}


class Ids:
    """Object ids of one definition."""

    def __init__(self, first: int) -> None:
        """Begin at a number."""
        self.next = first

    def take(self) -> int:
        """The next number."""
        number = self.next
        self.next += 16
        return number


def create_table(
    session: Session, parts: tuple[str, ...], items: Sequence[act.TableItem]
) -> Catalog:
    """CREATE TABLE: the catalogue with it. Raises :class:`TsqlError` 2714 or 2760."""
    catalog = session.database.catalog
    schema = catalog.schema(session.schema_of(parts))
    if schema is None:
        raise TsqlError(2760, parts[-2])
    if catalog.find(schema, parts[-1]) is not None:
        raise TsqlError(2714, parts[-1], state=6)
    ids = Ids(catalog.next_id)
    number = ids.take()
    table = _table(session, schema, parts[-1], number, f"t{number}", items, ids)
    session.run(_sql(session, table), {})
    return catalog.with_table(table, next_id=ids.next)


def declare_temporary(session: Session, name: str, items: Sequence[act.TableItem]) -> None:
    """A table variable or a temporary table of the session."""
    if name in session.tables:
        raise TsqlError(134, name)
    session.made += 1
    place = f"temp.v{session.spid}_{session.made}"
    number = -(session.spid * 100_000 + session.made)
    table = _table(session, "dbo", name, number, place, items, Ids(-number))
    if table.foreigns:
        raise NotModelledError("foreign keys of temporary tables")
    sql = _sql(session, table)
    session.run(sql, {})
    session.database.volatile[place] = sql
    session.tables[name] = table


def _table(
    session: Session,
    schema: str,
    name: str,
    number: int,
    place: str,
    items: Sequence[act.TableItem],
    ids: Ids,
) -> Table:
    columns: list[Column] = []
    primary = {
        column.lower()
        for one in items
        if isinstance(one, act.KeyDef) and one.primary
        for column in one.columns
    }
    for item in items:
        if isinstance(item, act.ColumnDef):
            columns.append(make_column(session, name, item, columns, primary, ids))
    table = Table(number, schema, name, tuple(columns), session.now(), place=place)
    for item in items:
        table = with_constraint(session, table, item, ids)
    return table


def make_column(
    session: Session,
    table: str,
    item: act.ColumnDef,
    columns: Sequence[Column],
    primary: set[str],
    ids: Ids,
) -> Column:
    """A column. Raises :class:`TsqlError` 2705, 2749 or 8147."""
    if any(one.name.lower() == item.name.lower() for one in columns):
        raise TsqlError(2705, item.name, table, state=3)
    collation = item.collation or session.collation
    if not known_collation(collation):
        raise NotModelledError(f"the collation {collation}")
    kind = resolve(item.type, collation)
    # "CREATE TABLE": with ANSI_NULL_DFLT_ON, which clients set, a column may be NULL.
    nullable = item.nullable if item.nullable is not None else True
    if item.name.lower() in primary:
        if item.nullable:
            raise TsqlError(8147, text="Could not create constraint on a nullable column.")
        nullable = False
    if item.identity is not None:
        nullable = False
        if kind.family not in {"int", "decimal"} or kind.scale:
            raise TsqlError(
                2749,
                text=f"Identity column '{item.name}' must be of data type int, bigint, smallint, tinyint, or "
                "decimal or numeric with a scale of 0.",
            )
    default_id = ids.take() if item.default is not None else 0
    label = item.default_name or f"DF__{table[:9]}__{item.name[:5]}__{default_id:08X}"
    return Column(
        len(columns) + 1,
        item.name,
        kind,
        nullable,
        item.identity,
        item.default,
        item.default_text,
        label if default_id else "",
        default_id,
    )


def with_constraint(session: Session, table: Table, item: act.TableItem, ids: Ids) -> Table:
    """A table with one constraint more. Raises :class:`TsqlError` 1779, 1911 or 1919."""
    match item:
        case act.KeyDef():
            number = ids.take()
            if item.primary and any(one.primary for one in table.keys):
                raise TsqlError(1779, table.name)
            kind = "PK" if item.primary else "UQ"
            name = item.name or f"{kind}__{table.name[:9]}__{number:08X}"
            clustered = item.primary if item.clustered is None else item.clustered
            key = make_key(table, item.columns, name, clustered=clustered)
            key = replace(key, primary=item.primary, constraint=number)
            return replace(table, keys=(*table.keys, key))
        case act.CheckDef():
            number = ids.take()
            name = item.name or f"CK__{table.name[:9]}__{number:08X}"
            check = Check(number, name, item.condition, f"({item.text})")
            return replace(table, checks=(*table.checks, check))
        case act.ForeignDef():
            number = ids.take()
            name = item.name or f"FK__{table.name[:9]}__{number:08X}"
            return replace(
                table, foreigns=(*table.foreigns, _foreign(session, table, item, number, name))
            )
        case _:
            return table


def make_key(table: Table, names: Sequence[str], name: str, *, clustered: bool) -> Key:
    """An index over columns."""
    if clustered and any(one.clustered for one in table.keys):
        clustered = False
    number = 1 if clustered else max([1, *(one.index_id for one in table.keys)]) + 1
    return Key(number, name, _numbers(table, names), unique=True, clustered=clustered)


def _numbers(table: Table, names: Sequence[str]) -> tuple[int, ...]:
    found = []
    for name in names:
        column = table.column(name)
        if column is None:
            raise TsqlError(1911, name)
        if column.type.length == -1:
            raise TsqlError(
                1919,
                text=f"Column '{column.name}' in table '{table.name}' is of a type that is "
                f"invalid for use as a "
                "key column in an index.",
            )
        found.append(column.id)
    return tuple(found)


def _foreign(
    session: Session, table: Table, item: act.ForeignDef, number: int, name: str
) -> Foreign:
    other = session.find_table(item.table)
    names = item.referred or tuple(
        other.columns[at - 1].name for key in other.keys if key.primary for at in key.columns
    )
    referred = _numbers(other, names)
    if not any(set(key.columns) == set(referred) and key.unique for key in other.keys):
        raise TsqlError(
            1776,
            text=f"There are no primary or candidate keys in the referenced table '{other.name}' "
            f"that match the "
            f"referencing column list in the foreign key '{name}'.",
        )
    return Foreign(number, name, _numbers(table, item.columns), other.id, referred)


def _sql(session: Session, table: Table) -> str:
    """CREATE TABLE of SQLite."""
    parts = [_column_sql(one) for one in table.columns]
    parts += [unique_sql(table, one) for one in table.keys]
    for check in table.checks:
        selects = Selects(session)
        scope = Scope([named(table, "", (table.name,))])
        text = inline(selects.expressions.condition(check.condition, scope), selects.bound)
        parts.append(f'CONSTRAINT "{check.name.replace(chr(34), "")}" CHECK ({text})')
    for foreign in table.foreigns:
        own = ", ".join(f"c{one}" for one in foreign.columns)
        theirs = ", ".join(f"c{one}" for one in foreign.referred)
        parts.append(f"FOREIGN KEY ({own}) REFERENCES t{foreign.table} ({theirs})")
    return f"CREATE TABLE {table.place} ({', '.join(parts)})"


def _column_sql(column: Column) -> str:
    null = "" if column.nullable else " NOT NULL"
    return f"{column.cell} {affinity(column.type)}{null}"


def affinity(kind: SqlType) -> str:
    """The type of a column in SQLite."""
    if kind.family == "text":
        return f"TEXT COLLATE {collation_kind(kind.collation)}"
    return _AFFINITY[kind.family]


def unique_sql(table: Table, key: Key) -> str:
    """A unique key of SQLite."""
    nullable = [one for one in key.columns if table.columns[one - 1].nullable]
    if nullable:
        # The server takes one NULL for equal to another in a unique key, SQLite does not.
        raise NotModelledError("unique keys over columns that may be NULL")
    return f"UNIQUE ({', '.join(f'c{one}' for one in key.columns)})"


def inline(sql: str, bound: dict[str, Cell]) -> str:
    """The text with its values inside, for definitions that take no parameters."""

    def literal(match: re.Match[str]) -> str:
        cell = bound[match.group(1)]
        if cell is None:
            return "NULL"
        if isinstance(cell, bytes):
            return f"X'{cell.hex()}'"
        if isinstance(cell, str):
            if "\0" in cell:
                raise NotModelledError("constraints with the character NUL")
            return "'" + cell.replace("'", "''") + "'"
        return repr(cell)

    return re.sub(r":(p\d+)\b", literal, sql)
