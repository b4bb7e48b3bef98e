"""INFORMATION_SCHEMA: importing registers its views.

Source: "Information schema views" (Transact-SQL reference).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from winlab.sqlserver.catalog import Column
from winlab.sqlserver.sysviews import SYSTEM_TYPES, Rows, collation_of, length_of, tables_of, view

if TYPE_CHECKING:
    from winlab.sqlserver.session import Session


@view("information_schema.schemata", "CATALOG_NAME:s SCHEMA_NAME:s SCHEMA_OWNER:s")
def _schemata(session: Session) -> Rows:
    for name in session.database.catalog.schemas:
        yield session.database.name, name, "dbo"


@view("information_schema.tables", "TABLE_CATALOG:s TABLE_SCHEMA:s TABLE_NAME:s TABLE_TYPE:s")
def _info_tables(session: Session) -> Rows:
    for table in tables_of(session):
        kind = "BASE TABLE" if table.query is None else "VIEW"
        yield session.database.name, table.schema, table.name, kind


@view(
    "information_schema.views",
    "TABLE_CATALOG:s TABLE_SCHEMA:s TABLE_NAME:s VIEW_DEFINITION:t CHECK_OPTION:s IS_UPDATABLE:s",
)
def _info_views(session: Session) -> Rows:
    for table in tables_of(session):
        if table.query is not None:
            yield session.database.name, table.schema, table.name, table.text, "NONE", "NO"


@view(
    "information_schema.columns",
    "TABLE_CATALOG:s TABLE_SCHEMA:s TABLE_NAME:s COLUMN_NAME:s ORDINAL_POSITION:i "
    "COLUMN_DEFAULT:t IS_NULLABLE:s "
    "DATA_TYPE:s CHARACTER_MAXIMUM_LENGTH:i CHARACTER_OCTET_LENGTH:i NUMERIC_PRECISION:y NUMERIC_SCALE:i "
    "DATETIME_PRECISION:n COLLATION_NAME:s",
)
def _info_columns(session: Session) -> Rows:
    for table in tables_of(session):
        for column in table.columns:
            yield (
                session.database.name,
                table.schema,
                table.name,
                column.name,
                column.id,
                f"({column.default_text})" if column.default_id else None,
                "YES" if column.nullable else "NO",
                column.type.name,
                *_sizes(column),
                collation_of(column.type),
            )


def _sizes(column: Column) -> tuple[int | None, int | None, int | None, int | None, int | None]:
    kind = column.type
    if kind.family in {"text", "binary"}:
        octets = length_of(kind)
        return kind.length, octets, None, None, None
    if kind.family == "decimal":
        return None, None, kind.precision, kind.scale, None
    if kind.family == "int":
        return None, None, SYSTEM_TYPES[kind.name][2], 0, None
    if kind.family == "float":
        return None, None, SYSTEM_TYPES[kind.name][2], None, None
    if kind.family == "time":
        return (
            None,
            None,
            None,
            None,
            {"datetime": 3, "date": 0, "smalldatetime": 0}.get(kind.name, kind.scale),
        )
    return None, None, None, None, None


@view(
    "information_schema.table_constraints",
    "CONSTRAINT_CATALOG:s CONSTRAINT_SCHEMA:s CONSTRAINT_NAME:s TABLE_CATALOG:s TABLE_SCHEMA:s TABLE_NAME:s "
    "CONSTRAINT_TYPE:s",
)
def _constraints(session: Session) -> Rows:
    base = session.database.name
    for table in tables_of(session):
        found = [
            (k.name, "PRIMARY KEY" if k.primary else "UNIQUE") for k in table.keys if k.constraint
        ]
        found += [(one.name, "CHECK") for one in table.checks]
        found += [(one.name, "FOREIGN KEY") for one in table.foreigns]
        for name, kind in found:
            yield base, table.schema, name, base, table.schema, table.name, kind


@view(
    "information_schema.key_column_usage",
    "CONSTRAINT_CATALOG:s CONSTRAINT_SCHEMA:s CONSTRAINT_NAME:s TABLE_CATALOG:s TABLE_SCHEMA:s TABLE_NAME:s "
    "COLUMN_NAME:s ORDINAL_POSITION:i",
)
def _key_columns(session: Session) -> Rows:
    base = session.database.name
    for table in tables_of(session):
        found = [(k.name, k.columns) for k in table.keys if k.constraint]
        found += [(one.name, one.columns) for one in table.foreigns]
        for name, columns in found:
            for ordinal, number in enumerate(columns, 1):
                column = table.columns[number - 1].name
                yield base, table.schema, name, base, table.schema, table.name, column, ordinal


@view(
    "information_schema.referential_constraints",
    "CONSTRAINT_CATALOG:s CONSTRAINT_SCHEMA:s CONSTRAINT_NAME:s UNIQUE_CONSTRAINT_CATALOG:s "
    "UNIQUE_CONSTRAINT_SCHEMA:s "
    "UNIQUE_CONSTRAINT_NAME:s MATCH_OPTION:s UPDATE_RULE:s DELETE_RULE:s",
)
def _references(session: Session) -> Rows:
    base = session.database.name
    for table in tables_of(session):
        for one in table.foreigns:
            other = session.database.catalog.by_id(one.table)
            assert other is not None
            key = next(k for k in other.keys if set(k.columns) == set(one.referred))
            none = "NO ACTION"
            yield base, table.schema, one.name, base, other.schema, key.name, "SIMPLE", none, none
