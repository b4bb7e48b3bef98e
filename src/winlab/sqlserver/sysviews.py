"""Catalogue views: sys.*; those of INFORMATION_SCHEMA are in `winlab.sqlserver.infoviews`.

Source: "Catalog views" (Transact-SQL reference). Each view is a function of the database and the session;
columns that are not listed do not exist here (error 207).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from winlab.sqlserver.catalog import Key, Table
from winlab.sqlserver.scope import IMPLICIT, Output
from winlab.sqlserver.times import moment_cell
from winlab.sqlserver.types import BIT, DATETIME, INT, SqlType, nvarchar
from winlab.sqlserver.values import Cell

if TYPE_CHECKING:
    from winlab.sqlserver.session import Session

Rows: TypeAlias = Iterator[tuple[Cell, ...]]

SYSTEM_TYPES: dict[str, tuple[int, int, int, int]] = {
    "image": (34, 16, 0, 0),
    "text": (35, 16, 0, 0),
    "uniqueidentifier": (36, 16, 0, 0),
    "date": (40, 3, 10, 0),
    "time": (41, 5, 16, 7),
    "datetime2": (42, 8, 27, 7),
    "tinyint": (48, 1, 3, 0),
    "smallint": (52, 2, 5, 0),
    "int": (56, 4, 10, 0),
    "smalldatetime": (58, 4, 16, 0),
    "real": (59, 4, 24, 0),
    "datetime": (61, 8, 23, 3),
    "float": (62, 8, 53, 0),
    "sql_variant": (98, 8016, 0, 0),
    "ntext": (99, 16, 0, 0),
    "bit": (104, 1, 1, 0),
    "decimal": (106, 17, 38, 38),
    "numeric": (108, 17, 38, 38),
    "bigint": (127, 8, 19, 0),
    "varbinary": (165, 8000, 0, 0),
    "varchar": (167, 8000, 0, 0),
    "binary": (173, 8000, 0, 0),
    "char": (175, 8000, 0, 0),
    "nvarchar": (231, 8000, 0, 0),
    "nchar": (239, 8000, 0, 0),
}
"""system_type_id, max_length, precision, scale: sys.types of SQL Server."""
SYSNAME_ID = 256

_KINDS = {
    "i": INT,
    "s": nvarchar(128),
    "b": BIT,
    "d": DATETIME,
    "t": nvarchar(-1),
    "c": SqlType("char", 2),
}
_KINDS |= {"n": SqlType("smallint"), "y": SqlType("tinyint"), "v": SqlType("sql_variant")}

_VIEWS: dict[str, tuple[tuple[Output, ...], Callable[[Session], Rows]]] = {}


def view(
    name: str, columns: str
) -> Callable[[Callable[[Session], Rows]], Callable[[Session], Rows]]:
    """Register a view; ``columns`` are names, each with the letter of its type behind a colon."""
    outputs = tuple(
        Output(one.partition(":")[0], _KINDS[one.partition(":")[2]], IMPLICIT)
        for one in columns.split()
    )

    def register(rows: Callable[[Session], Rows]) -> Callable[[Session], Rows]:
        _VIEWS[name] = (outputs, rows)
        return rows

    return register


def find(name: str) -> tuple[tuple[Output, ...], Callable[[Session], Rows]] | None:
    """A view by its lower-case name with schema."""
    return _VIEWS.get(name)


def names() -> list[str]:
    """Every view there is, lower case."""
    return sorted(_VIEWS)


def tables_of(session: Session) -> list[Table]:
    """The tables and views of the session's database, oldest first."""
    return sorted(session.database.catalog.tables.values(), key=lambda one: one.id)


def _schema_id(session: Session, table: Table) -> int:
    return session.database.catalog.schemas[table.schema]


def length_of(kind: SqlType) -> int:
    """max_length in bytes, -1 for (max)."""
    if kind.lob:
        return 16
    if kind.length:
        return -1 if kind.length == -1 else kind.length * (2 if kind.unicode else 1)
    if kind.family == "decimal":
        return (
            5
            if kind.precision <= 9
            else 9
            if kind.precision <= 19
            else 13
            if kind.precision <= 28
            else 17
        )
    return SYSTEM_TYPES[kind.name][1]


def collation_of(kind: SqlType) -> str | None:
    """The collation of a text, NULL for anything else."""
    return kind.collation if kind.family == "text" else None


@view(
    "sys.objects",
    "name:s object_id:i principal_id:i schema_id:i parent_object_id:i type:c type_desc:s "
    "create_date:d modify_date:d "
    "is_ms_shipped:b",
)
def _objects(session: Session) -> Rows:
    for table in tables_of(session):
        schema = _schema_id(session, table)
        at = moment_cell(table.created, DATETIME)
        kind, text = ("U ", "USER_TABLE") if table.query is None else ("V ", "VIEW")
        yield table.name, table.id, None, schema, 0, kind, text, at, at, 0
        for key in table.keys:
            if key.constraint:
                kind, text = (
                    ("PK", "PRIMARY_KEY_CONSTRAINT") if key.primary else ("UQ", "UNIQUE_CONSTRAINT")
                )
                yield key.name, key.constraint, None, schema, table.id, kind, text, at, at, 0
        for check in table.checks:
            yield check.name, check.id, None, schema, table.id, "C ", "CHECK_CONSTRAINT", at, at, 0
        for foreign in table.foreigns:
            text = "FOREIGN_KEY_CONSTRAINT"
            yield foreign.name, foreign.id, None, schema, table.id, "F ", text, at, at, 0
        for column in table.columns:
            if column.default_id:
                text = "DEFAULT_CONSTRAINT"
                yield (
                    column.default_name,
                    column.default_id,
                    None,
                    schema,
                    table.id,
                    "D ",
                    text,
                    at,
                    at,
                    0,
                )


@view("sys.tables", "name:s object_id:i schema_id:i type:c type_desc:s create_date:d modify_date:d")
def _user_tables(session: Session) -> Rows:
    for table in tables_of(session):
        if table.query is None:
            at = moment_cell(table.created, DATETIME)
            yield table.name, table.id, _schema_id(session, table), "U ", "USER_TABLE", at, at


@view("sys.views", "name:s object_id:i schema_id:i type:c type_desc:s")
def _user_views(session: Session) -> Rows:
    for table in tables_of(session):
        if table.query is not None:
            yield table.name, table.id, _schema_id(session, table), "V ", "VIEW"


@view("sys.sql_modules", "object_id:i definition:t")
def _modules(session: Session) -> Rows:
    for table in tables_of(session):
        if table.query is not None:
            yield table.id, table.text


@view("sys.schemas", "name:s schema_id:i principal_id:i")
def _schemas(session: Session) -> Rows:
    for name, number in session.database.catalog.schemas.items():
        yield name, number, 1


@view(
    "sys.columns",
    "object_id:i name:s column_id:i system_type_id:y user_type_id:i max_length:n precision:y "
    "scale:y collation_name:s "
    "is_nullable:b is_identity:b is_computed:b default_object_id:i",
)
def _columns(session: Session) -> Rows:
    for table in tables_of(session):
        for column in table.columns:
            kind = column.type
            number, _, precision, scale = SYSTEM_TYPES[kind.name]
            if kind.family == "decimal":
                precision, scale = kind.precision, kind.scale
            elif kind.name in {"time", "datetime2"}:
                scale = kind.scale
                precision += scale - 7
            yield (
                table.id,
                column.name,
                column.id,
                number,
                number,
                length_of(kind),
                precision,
                scale,
                collation_of(kind),
                int(column.nullable),
                int(column.identity is not None),
                0,
                column.default_id,
            )


@view(
    "sys.types",
    "name:s system_type_id:y user_type_id:i schema_id:i max_length:n precision:y scale:y "
    "collation_name:s is_nullable:b "
    "is_user_defined:b is_assembly_type:b default_object_id:i rule_object_id:i is_table_type:b",
)
def _types(session: Session) -> Rows:
    for name, (number, length, precision, scale) in SYSTEM_TYPES.items():
        collation = session.database.collation if "char" in name or name.endswith("text") else None
        yield name, number, number, 4, length, precision, scale, collation, 1, 0, 0, 0, 0, 0
    yield "sysname", 231, SYSNAME_ID, 4, 256, 0, 0, session.database.collation, 0, 0, 0, 0, 0, 0


@view(
    "sys.identity_columns",
    "object_id:i name:s column_id:i is_identity:b seed_value:v increment_value:v last_value:v "
    "is_not_for_replication:b",
)
def _identities(session: Session) -> Rows:
    for table in tables_of(session):
        column = table.identity
        if column is not None and column.identity is not None:
            last = session.database.identities.get(table.id)
            yield table.id, column.name, column.id, 1, *column.identity, last, 0


@view(
    "sys.computed_columns",
    "object_id:i name:s column_id:i is_computed:b is_persisted:b definition:t",
)
@view("sys.extended_properties", "class:y class_desc:s major_id:i minor_id:i name:s value:v")
@view("sys.fn_listextendedproperty()", "objtype:s objname:s name:s value:v")
@view("fn_listextendedproperty()", "objtype:s objname:s name:s value:v")
@view("sys.sequences", "name:s object_id:i")
@view("information_schema.sequences", "SEQUENCE_CATALOG:s SEQUENCE_SCHEMA:s SEQUENCE_NAME:s")
def _nothing(_: Session) -> Rows:
    """The lab has no computed columns, sequences or extended properties."""
    return iter(())


@view(
    "sys.default_constraints",
    "name:s object_id:i schema_id:i parent_object_id:i parent_column_id:i definition:t",
)
def _defaults(session: Session) -> Rows:
    for table in tables_of(session):
        for column in table.columns:
            if column.default_id:
                schema = _schema_id(session, table)
                text = f"({column.default_text})"
                yield column.default_name, column.default_id, schema, table.id, column.id, text


@view(
    "sys.key_constraints",
    "name:s object_id:i schema_id:i parent_object_id:i type:c type_desc:s unique_index_id:i "
    "is_system_named:b",
)
def _key_constraints(session: Session) -> Rows:
    for table, key in _keys(session):
        if key.constraint:
            kind, text = (
                ("PK", "PRIMARY_KEY_CONSTRAINT") if key.primary else ("UQ", "UNIQUE_CONSTRAINT")
            )
            yield (
                key.name,
                key.constraint,
                _schema_id(session, table),
                table.id,
                kind,
                text,
                key.index_id,
                0,
            )


def _keys(session: Session) -> Iterator[tuple[Table, Key]]:
    for table in tables_of(session):
        for key in table.keys:
            yield table, key


@view(
    "sys.indexes",
    "object_id:i name:s index_id:i type:y type_desc:s is_unique:b is_primary_key:b is_unique_constraint:b "
    "filter_definition:t has_filter:b is_disabled:b",
)
def _indexes(session: Session) -> Rows:
    for table in tables_of(session):
        if table.query is None and not any(key.clustered for key in table.keys):
            yield table.id, None, 0, 0, "HEAP", 0, 0, 0, None, 0, 0
    for table, key in _keys(session):
        kind, text = (1, "CLUSTERED") if key.clustered else (2, "NONCLUSTERED")
        unique = int(key.constraint != 0 and not key.primary)
        yield (
            table.id,
            key.name,
            key.index_id,
            kind,
            text,
            int(key.unique),
            int(key.primary),
            unique,
            None,
            0,
            0,
        )


@view(
    "sys.index_columns",
    "object_id:i index_id:i index_column_id:i column_id:i key_ordinal:y is_descending_key:b "
    "is_included_column:b",
)
def _index_columns(session: Session) -> Rows:
    for table, key in _keys(session):
        for ordinal, column in enumerate(key.columns, 1):
            yield table.id, key.index_id, ordinal, column, ordinal, 0, 0


@view(
    "sys.databases",
    "name:s database_id:i create_date:d collation_name:s state:y state_desc:s compatibility_level:y "
    "is_read_committed_snapshot_on:b snapshot_isolation_state:y",
)
def _databases(session: Session) -> Rows:
    for one in session.instance.databases.values():
        state = (0, "ONLINE") if one.online else (6, "OFFLINE")
        at = moment_cell(one.created, DATETIME)
        yield one.name, one.id, at, one.collation, *state, session.instance.product.major * 10, 0, 0


@view("sys.system_views", "name:s object_id:i schema_id:i type:c")
def _system_views(_: Session) -> Rows:
    for number, name in enumerate(names(), 1):
        schema, _dot, bare = name.partition(".")
        if bare and not bare.endswith("()"):
            shown = bare if schema == "sys" else bare.upper()
            yield shown, -number, 4 if schema == "sys" else 3, "V "


@view(
    "sys.dm_exec_sessions",
    "session_id:n login_name:s host_name:s program_name:s status:s transaction_isolation_level:n "
    "is_user_process:b "
    "open_transaction_count:i",
)
def _sessions(session: Session) -> Rows:
    for one in session.instance.sessions.values():
        if one is session or session.login.sysadmin:
            yield (
                one.spid,
                one.login.name,
                one.client.host,
                one.client.program,
                "running" if one is session else "sleeping",
                one.isolation_number,
                1,
                one.trancount,
            )


@view("sys.sql_logins", "name:s principal_id:i sid:v type:c is_disabled:b")
@view("sys.server_principals", "name:s principal_id:i sid:v type:c is_disabled:b")
def _logins(session: Session) -> Rows:
    for number, one in enumerate(session.instance.logins.values(), 1):
        if session.login.sysadmin or one.name == session.login.name or one.name == "sa":
            yield one.name, number, number, "S ", int(one.disabled)
