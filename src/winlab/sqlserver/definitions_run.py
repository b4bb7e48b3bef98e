"""CREATE, ALTER and DROP as they change a database.

Source: each statement's page (Transact-SQL reference).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from winlab.sqlserver import syntax as tree
from winlab.sqlserver.catalog import Catalog, Check, Column, Foreign, Key, Table
from winlab.sqlserver.errors import NotModelledError, TsqlError
from winlab.sqlserver.events import Done, Event
from winlab.sqlserver.scope import Scope
from winlab.sqlserver.selects import Selects, named
from winlab.sqlserver.types import SqlType, collation_kind, known_collation, number_of, resolve
from winlab.sqlserver.values import Cell

if TYPE_CHECKING:
    from winlab.sqlserver.session import Session

Run: TypeAlias = Generator[Event, bool | None, None]

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


def perform(session: Session, action: tree.Action) -> Run:
    """Run a definition. Raises :class:`TsqlError` when it cannot be."""
    match action:
        case tree.DeclareTable(name, items):
            _temporary(session, name, items)
            return
        case tree.CreateTable(parts, items) if parts[-1].startswith("#"):
            if parts[-1].startswith("##"):
                raise NotModelledError("global temporary tables")
            if parts[-1].lower() in session.tables:
                raise TsqlError(2714, parts[-1], state=6)
            yield from session.lock(write=session.trancount > 0)
            _temporary(session, parts[-1].lower(), items)
        case tree.CreateDatabase(name, collation):
            _only_sysadmin(session, "CREATE DATABASE")
            if collation is not None and not known_collation(collation):
                raise NotModelledError(f"the collation {collation}")
            session.instance.attach(name, collation=collation)
        case tree.AlterDatabase(name, state):
            _only_sysadmin(session, "ALTER DATABASE")
            _switch(session, name, state)
        case tree.Drop("DATABASE", names):
            _only_sysadmin(session, "DROP DATABASE")
            for parts in names:
                _drop_database(session, parts[-1])
        case tree.Drop("TABLE", names) if names[0][-1].startswith("#"):
            session.find_table(names[0])
            session.drop_temporary(names[0][-1].lower())
        case _:
            yield from _definition(session, action)
    session.rowcount = 0
    yield Done()


def _only_sysadmin(session: Session, what: str) -> None:
    if not session.login.sysadmin:
        raise TsqlError(262, what, "master")


def _switch(session: Session, name: str, state: str) -> None:
    found = session.instance.databases.get(name.lower())
    if found is None:
        raise TsqlError(911, name)
    if state == "OFFLINE":
        for other in list(session.instance.sessions.values()):
            if other is not session and other.database is found:
                other.close()
        if session.database is found:
            session.database = session.instance.find("master")
    found.online = state == "ONLINE"


def _drop_database(session: Session, name: str) -> None:
    found = session.instance.databases.get(name.lower())
    if found is None:
        raise TsqlError(3701, "database", name)
    if any(one.database is found for one in session.instance.sessions.values()):
        raise TsqlError(3702, text=f'Cannot drop database "{name}" because it is currently in use.')
    del session.instance.databases[name.lower()]


def _definition(session: Session, action: tree.Action) -> Run:
    """What changes the catalogue of the current database: all of it or nothing."""
    if not session.login.may(session.database.name, "ALTER"):
        what = {tree.CreateTable: "CREATE TABLE", tree.CreateView: "CREATE VIEW"}
        raise TsqlError(262, what.get(type(action), "ALTER"), session.database.name)
    yield from session.lock(write=True)
    database = session.database
    before = database.catalog
    session.run("SAVEPOINT definition", {})
    try:
        match action:
            case tree.CreateTable(parts, items):
                database.catalog = _create_table(session, parts, items)
            case tree.CreateView():
                database.catalog = _create_view(session, action)
            case tree.CreateSchema(name):
                database.catalog = database.catalog.with_schema(name)
            case tree.CreateIndex():
                database.catalog = _create_index(session, action)
            case tree.AlterTable(parts, items):
                database.catalog = _alter(session, parts, items)
            case tree.Drop():
                database.catalog = _drop(session, action)
            case _:
                raise NotModelledError(f"the statement {type(action).__name__}")
    except BaseException:
        session.run("ROLLBACK TO definition", {})
        session.run("RELEASE definition", {})
        database.catalog = before
        raise
    session.run("RELEASE definition", {})
    session.instance.wrote(f"sql {database.name} {type(action).__name__}")
    if database.owner is session:
        changed = {one.id for one in before.tables.values()} ^ {
            one.id for one in database.catalog.tables.values()
        }
        database.touched |= changed


# -- tables --------------------------------------------------------------------------------------


class _Ids:
    """Object ids of one definition."""

    def __init__(self, first: int) -> None:
        self.next = first

    def take(self) -> int:
        number = self.next
        self.next += 16
        return number


def _create_table(
    session: Session, parts: tuple[str, ...], items: Sequence[tree.TableItem]
) -> Catalog:
    catalog = session.database.catalog
    schema = catalog.schema(session.schema_of(parts))
    if schema is None:
        raise TsqlError(2760, parts[-2])
    if catalog.find(schema, parts[-1]) is not None:
        raise TsqlError(2714, parts[-1], state=6)
    ids = _Ids(catalog.next_id)
    number = ids.take()
    table = _table(session, schema, parts[-1], number, f"t{number}", items, ids)
    session.run(_sql(session, table), {})
    return catalog.with_table(table, next_id=ids.next)


def _temporary(session: Session, name: str, items: Sequence[tree.TableItem]) -> None:
    """A table variable or a temporary table of the session."""
    if name in session.tables:
        raise TsqlError(134, name)
    session.made += 1
    place = f"temp.v{session.spid}_{session.made}"
    number = -(session.spid * 100_000 + session.made)
    table = _table(session, "dbo", name, number, place, items, _Ids(-number))
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
    items: Sequence[tree.TableItem],
    ids: _Ids,
) -> Table:
    columns: list[Column] = []
    primary = {
        column.lower()
        for one in items
        if isinstance(one, tree.KeyDef) and one.primary
        for column in one.columns
    }
    for item in items:
        if isinstance(item, tree.ColumnDef):
            columns.append(_column(session, name, item, columns, primary, ids))
    table = Table(number, schema, name, tuple(columns), session.now(), place=place)
    for item in items:
        table = _with_constraint(session, table, item, ids)
    return table


def _column(
    session: Session,
    table: str,
    item: tree.ColumnDef,
    columns: Sequence[Column],
    primary: set[str],
    ids: _Ids,
) -> Column:
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


def _with_constraint(session: Session, table: Table, item: tree.TableItem, ids: _Ids) -> Table:
    match item:
        case tree.KeyDef():
            number = ids.take()
            if item.primary and any(one.primary for one in table.keys):
                raise TsqlError(1779, table.name)
            kind = "PK" if item.primary else "UQ"
            name = item.name or f"{kind}__{table.name[:9]}__{number:08X}"
            clustered = item.primary if item.clustered is None else item.clustered
            key = _key(table, item.columns, name, clustered=clustered)
            key = replace(key, primary=item.primary, constraint=number)
            return replace(table, keys=(*table.keys, key))
        case tree.CheckDef():
            number = ids.take()
            name = item.name or f"CK__{table.name[:9]}__{number:08X}"
            check = Check(number, name, item.condition, f"({item.text})")
            return replace(table, checks=(*table.checks, check))
        case tree.ForeignDef():
            number = ids.take()
            name = item.name or f"FK__{table.name[:9]}__{number:08X}"
            return replace(
                table, foreigns=(*table.foreigns, _foreign(session, table, item, number, name))
            )
        case _:
            return table


def _key(table: Table, names: Sequence[str], name: str, *, clustered: bool) -> Key:
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
    session: Session, table: Table, item: tree.ForeignDef, number: int, name: str
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
    parts += [_unique_sql(table, one) for one in table.keys]
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
    return f"{column.cell} {_affinity(column.type)}{null}"


def _affinity(kind: SqlType) -> str:
    if kind.family == "text":
        return f"TEXT COLLATE {collation_kind(kind.collation)}"
    return _AFFINITY[kind.family]


def _unique_sql(table: Table, key: Key) -> str:
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


# -- indexes, columns, views ---------------------------------------------------------------------


def _create_index(session: Session, action: tree.CreateIndex) -> Catalog:
    table = session.find_table(action.table)
    if table.place.startswith("temp."):
        raise NotModelledError("indexes of temporary tables")
    if any(one.name.lower() == action.name.lower() for one in table.keys):
        raise TsqlError(1913, action.name, f"{table.schema}.{table.name}")
    key = _key(table, action.columns, action.name, clustered=action.clustered)
    key = replace(key, unique=action.unique)
    _index(session, table, key)
    return session.database.catalog.with_table(replace(table, keys=(*table.keys, key)))


def _index(session: Session, table: Table, key: Key) -> None:
    if key.unique:
        _unique_sql(table, key)
    unique = "UNIQUE " if key.unique else ""
    listed = ", ".join(f"c{one}" for one in key.columns)
    try:
        session.run(
            f"CREATE {unique}INDEX {table.place}_{key.index_id} ON {table.place} ({listed})", {}
        )
    except sqlite3.IntegrityError as error:
        raise TsqlError(1505, f"{table.schema}.{table.name}", key.name, "(?)") from error


def _alter(session: Session, parts: tuple[str, ...], items: Sequence[tree.TableItem]) -> Catalog:
    try:
        table = session.find_table(parts)
    except TsqlError as error:
        raise TsqlError(4902, ".".join(parts)) from error
    catalog = session.database.catalog
    ids = _Ids(catalog.next_id)
    for item in items:
        match item:
            case tree.ColumnDef():
                column = _column(session, table.name, item, table.columns, set(), ids)
                _add_column(session, table, column)
                table = replace(table, columns=(*table.columns, column))
            case tree.KeyDef():
                table = _with_constraint(session, table, item, ids)
                if item.primary and any(
                    table.columns[one - 1].nullable for one in table.keys[-1].columns
                ):
                    raise TsqlError(
                        8111,
                        text=f"Cannot define PRIMARY KEY constraint on nullable column in table "
                        f"'{table.name}'.",
                    )
                _index(session, table, table.keys[-1])
            case _:
                raise NotModelledError("ALTER TABLE ADD of CHECK or FOREIGN KEY")
    return catalog.with_table(table, next_id=ids.next)


def _add_column(session: Session, table: Table, column: Column) -> None:
    if column.identity is not None:
        raise NotModelledError("ALTER TABLE ADD of an IDENTITY column")
    [(rows,)] = session.fetch(f"SELECT COUNT(*) FROM {table.place}", {})  # noqa: S608 - our own names
    tail = ""
    if not column.nullable:
        if column.default is None:
            if rows:
                raise TsqlError(
                    4901,
                    text="ALTER TABLE only allows columns to be added that can contain nulls, or "
                    "have a DEFAULT "
                    f"definition specified; column '{column.name}' cannot be added to non-empty table "
                    f"'{table.name}' because it does not satisfy these conditions.",
                )
            tail = " NOT NULL DEFAULT ''"
        else:
            selects = Selects(session)
            value = selects.expressions.value(column.default, Scope())
            assert value.type is not None
            numbers = f"{number_of(value.type)}, {number_of(column.type)}"
            [(cell,)] = session.fetch(f"SELECT t_store({value.sql}, {numbers})", selects.bound)
            tail = f" NOT NULL DEFAULT {inline(':p0', {'p0': cell})}"
    session.run(
        f"ALTER TABLE {table.place} ADD COLUMN {column.cell} {_affinity(column.type)}{tail}", {}
    )


def _create_view(session: Session, action: tree.CreateView) -> Catalog:
    catalog = session.database.catalog
    schema = catalog.schema(session.schema_of(action.view))
    name = action.view[-1]
    if schema is None:
        raise TsqlError(2760, action.view[-2])
    if catalog.find(schema, name) is not None:
        raise TsqlError(2714, name, state=3)
    found = Selects(session).query(action.query)
    names = action.columns or tuple(one.name for one in found.columns)
    for number, (label, _) in enumerate(zip(names, found.columns, strict=True), 1):
        if not label:
            raise TsqlError(
                4511,
                text=f"Create View or Function failed because no column name was specified for "
                f"column {number}.",
            )
    columns = tuple(
        Column(number, label, one.type, one.nullable)
        for number, (label, one) in enumerate(zip(names, found.columns, strict=True), 1)
    )
    ids = _Ids(catalog.next_id)
    view = Table(
        ids.take(), schema, name, columns, session.now(), query=action.query, text=action.text
    )
    return catalog.with_table(view, next_id=ids.next)


def _drop(session: Session, action: tree.Drop) -> Catalog:
    catalog = session.database.catalog
    for parts in action.names:
        if action.kind == "INDEX":
            catalog = _drop_index(session, catalog, action, parts)
            continue
        found = catalog.find(session.schema_of(parts), parts[-1])
        is_view = found is not None and found.query is not None
        if found is None or is_view != (action.kind == "VIEW"):
            if action.exists:
                continue
            raise TsqlError(3701, action.kind.lower(), ".".join(parts), state=5)
        referring = [
            one.name
            for one in catalog.tables.values()
            if one is not found and any(foreign.table == found.id for foreign in one.foreigns)
        ]
        if referring:
            raise TsqlError(
                3726,
                text=f"Could not drop object '{found.name}' because it is referenced by a FOREIGN "
                f"KEY constraint.",
            )
        if not is_view:
            session.run(f"DROP TABLE {found.place}", {})
        catalog = catalog.without(found)
    return catalog


def _drop_index(
    session: Session, catalog: Catalog, action: tree.Drop, parts: tuple[str, ...]
) -> Catalog:
    table = session.find_table(action.on or parts[:-1])
    key = next((one for one in table.keys if one.name.lower() == parts[-1].lower()), None)
    if key is None:
        raise TsqlError(3701, "index", f"{table.name}.{parts[-1]}", state=7)
    if key.constraint:
        raise TsqlError(
            3723,
            text=f"An explicit DROP INDEX is not allowed on index '{table.name}.{key.name}'. It "
            f"is being used for "
            "PRIMARY KEY or UNIQUE constraint enforcement.",
        )
    session.run(f"DROP INDEX {table.place}_{key.index_id}", {})
    return catalog.with_table(
        replace(table, keys=tuple(one for one in table.keys if one is not key))
    )
