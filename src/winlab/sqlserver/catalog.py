"""What a database holds besides rows: schemas, tables, keys. Immutable; a change makes a new catalogue."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from winlab.sqlserver.errors import TsqlError
from winlab.sqlserver.syntax import Cond, Expr, Query
from winlab.sqlserver.types import SqlType

SCHEMAS = {"dbo": 1, "guest": 2, "INFORMATION_SCHEMA": 3, "sys": 4}


@dataclass(frozen=True)
class Column:
    """A column; ``id`` counts from 1."""

    id: int
    name: str
    type: SqlType
    nullable: bool = True
    identity: tuple[int, int] | None = None
    default: Expr | None = None
    default_text: str = ""
    default_name: str = ""
    default_id: int = 0

    @property
    def cell(self) -> str:
        """Its name in SQLite."""
        return f"c{self.id}"


@dataclass(frozen=True)
class Key:
    """An index; ``constraint`` is the object id of the PRIMARY KEY or UNIQUE it belongs to, 0 for none."""

    index_id: int
    name: str
    columns: tuple[int, ...]
    unique: bool
    primary: bool = False
    clustered: bool = False
    constraint: int = 0


@dataclass(frozen=True)
class Check:
    """A CHECK constraint."""

    id: int
    name: str
    condition: Cond
    text: str


@dataclass(frozen=True)
class Foreign:
    """A FOREIGN KEY."""

    id: int
    name: str
    columns: tuple[int, ...]
    table: int
    referred: tuple[int, ...]


@dataclass(frozen=True)
class Table:
    """A table or, with ``query``, a view. ``place`` is the table's name in SQLite."""

    id: int
    schema: str
    name: str
    columns: tuple[Column, ...]
    created: datetime
    keys: tuple[Key, ...] = ()
    checks: tuple[Check, ...] = ()
    foreigns: tuple[Foreign, ...] = ()
    query: Query | None = None
    text: str = ""
    place: str = ""

    def column(self, name: str) -> Column | None:
        """A column by name, in any case."""
        low = name.lower()
        return next((one for one in self.columns if one.name.lower() == low), None)

    @property
    def identity(self) -> Column | None:
        """The IDENTITY column."""
        return next((one for one in self.columns if one.identity is not None), None)


@dataclass(frozen=True)
class Catalog:
    """Tables by lower-case schema and name. Object ids grow; 2,105,058,535 is where new databases begin."""

    tables: dict[tuple[str, str], Table] = field(default_factory=dict)
    schemas: dict[str, int] = field(default_factory=lambda: dict(SCHEMAS))
    next_id: int = 2_105_058_535

    def find(self, schema: str, name: str) -> Table | None:
        """A table or view, in any case."""
        return self.tables.get((schema.lower(), name.lower()))

    def by_id(self, number: int) -> Table | None:
        """A table or view by object id."""
        return next((one for one in self.tables.values() if one.id == number), None)

    def schema(self, name: str) -> str | None:
        """A schema's name as it is written, found in any case."""
        low = name.lower()
        return next((one for one in self.schemas if one.lower() == low), None)

    def with_table(self, table: Table, *, next_id: int | None = None) -> Catalog:
        """A catalogue that has this table, new or changed."""
        tables = {**self.tables, (table.schema.lower(), table.name.lower()): table}
        return replace(self, tables=tables, next_id=next_id or self.next_id)

    def without(self, table: Table) -> Catalog:
        """A catalogue that lacks this table."""
        key = (table.schema.lower(), table.name.lower())
        return replace(self, tables={k: v for k, v in self.tables.items() if k != key})

    def with_schema(self, name: str) -> Catalog:
        """A catalogue with a new schema. Raises :class:`TsqlError` 2714 for one it has."""
        if self.schema(name) is not None:
            raise TsqlError(2714, name)
        number = max(5, max(self.schemas.values()) + 1)
        return replace(self, schemas={**self.schemas, name: number})
