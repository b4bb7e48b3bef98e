"""CREATE, ALTER and DROP as they change a database.

Source: each statement's page (Transact-SQL reference).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from winlab.sqlserver import actions as act
from winlab.sqlserver.catalog import Catalog, Column, Key, Table
from winlab.sqlserver.errors import NotModelledError, TsqlError
from winlab.sqlserver.events import Done, Event
from winlab.sqlserver.scope import Scope
from winlab.sqlserver.selects import Selects
from winlab.sqlserver.tables import (
    Ids,
    affinity,
    create_table,
    declare_temporary,
    inline,
    make_column,
    make_key,
    unique_sql,
    with_constraint,
)
from winlab.sqlserver.types import known_collation, number_of

if TYPE_CHECKING:
    from winlab.sqlserver.session import Session

Run: TypeAlias = Generator[Event, bool | None, None]


def perform(session: Session, action: act.Action) -> Run:
    """Run a definition. Raises :class:`TsqlError` when it cannot be."""
    match action:
        case act.DeclareTable(name, items):
            declare_temporary(session, name, items)
            return
        case act.CreateTable(parts, items) if parts[-1].startswith("#"):
            if parts[-1].startswith("##"):
                raise NotModelledError("global temporary tables")
            if parts[-1].lower() in session.tables:
                raise TsqlError(2714, parts[-1], state=6)
            yield from session.lock(write=session.trancount > 0)
            declare_temporary(session, parts[-1].lower(), items)
        case act.CreateDatabase(name, collation):
            _only_sysadmin(session, "CREATE DATABASE")
            if collation is not None and not known_collation(collation):
                raise NotModelledError(f"the collation {collation}")
            session.instance.attach(name, collation=collation)
        case act.AlterDatabase(name, state):
            _only_sysadmin(session, "ALTER DATABASE")
            _switch(session, name, state)
        case act.Drop("DATABASE", names):
            _only_sysadmin(session, "DROP DATABASE")
            for parts in names:
                _drop_database(session, parts[-1])
        case act.Drop("TABLE", names) if names[0][-1].startswith("#"):
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


def _definition(session: Session, action: act.Action) -> Run:
    """What changes the catalogue of the current database: all of it or nothing."""
    if not session.login.may(session.database.name, "ALTER"):
        what = {act.CreateTable: "CREATE TABLE", act.CreateView: "CREATE VIEW"}
        raise TsqlError(262, what.get(type(action), "ALTER"), session.database.name)
    yield from session.lock(write=True)
    database = session.database
    before = database.catalog
    session.run("SAVEPOINT definition", {})
    try:
        match action:
            case act.CreateTable(parts, items):
                database.catalog = create_table(session, parts, items)
            case act.CreateView():
                database.catalog = _create_view(session, action)
            case act.CreateSchema(name):
                database.catalog = database.catalog.with_schema(name)
            case act.CreateIndex():
                database.catalog = _create_index(session, action)
            case act.AlterTable(parts, items):
                database.catalog = _alter(session, parts, items)
            case act.Drop():
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


def _create_index(session: Session, action: act.CreateIndex) -> Catalog:
    table = session.find_table(action.table)
    if table.place.startswith("temp."):
        raise NotModelledError("indexes of temporary tables")
    if any(one.name.lower() == action.name.lower() for one in table.keys):
        raise TsqlError(1913, action.name, f"{table.schema}.{table.name}")
    key = make_key(table, action.columns, action.name, clustered=action.clustered)
    key = replace(key, unique=action.unique)
    _index(session, table, key)
    return session.database.catalog.with_table(replace(table, keys=(*table.keys, key)))


def _index(session: Session, table: Table, key: Key) -> None:
    if key.unique:
        unique_sql(table, key)
    unique = "UNIQUE " if key.unique else ""
    listed = ", ".join(f"c{one}" for one in key.columns)
    try:
        session.run(
            f"CREATE {unique}INDEX {table.place}_{key.index_id} ON {table.place} ({listed})", {}
        )
    except sqlite3.IntegrityError as error:
        raise TsqlError(1505, f"{table.schema}.{table.name}", key.name, "(?)") from error


def _alter(session: Session, parts: tuple[str, ...], items: Sequence[act.TableItem]) -> Catalog:
    try:
        table = session.find_table(parts)
    except TsqlError as error:
        raise TsqlError(4902, ".".join(parts)) from error
    catalog = session.database.catalog
    ids = Ids(catalog.next_id)
    for item in items:
        match item:
            case act.ColumnDef():
                column = make_column(session, table.name, item, table.columns, set(), ids)
                _add_column(session, table, column)
                table = replace(table, columns=(*table.columns, column))
            case act.KeyDef():
                table = with_constraint(session, table, item, ids)
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
        f"ALTER TABLE {table.place} ADD COLUMN {column.cell} {affinity(column.type)}{tail}", {}
    )


def _create_view(session: Session, action: act.CreateView) -> Catalog:
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
    ids = Ids(catalog.next_id)
    view = Table(
        ids.take(), schema, name, columns, session.now(), query=action.query, text=action.text
    )
    return catalog.with_table(view, next_id=ids.next)


def _drop(session: Session, action: act.Drop) -> Catalog:
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
    session: Session, catalog: Catalog, action: act.Drop, parts: tuple[str, ...]
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
