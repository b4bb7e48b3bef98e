"""Statements of a batch, as a tree over the expressions and queries of `winlab.sqlserver.syntax`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from winlab.sqlserver.syntax import Cond, Expr, Item, Query, Source, TableRef, TypeName


@dataclass(frozen=True, slots=True)
class QueryStatement:
    """A SELECT."""

    query: Query


@dataclass(frozen=True, slots=True)
class Insert:
    """INSERT; ``source`` None for DEFAULT VALUES."""

    table: TableRef
    columns: tuple[str, ...]
    source: Query | None
    output: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Update:
    """UPDATE; ``sets`` are column and value."""

    table: TableRef
    sets: tuple[tuple[str, Expr], ...]
    sources: tuple[Source, ...] = ()
    where: Cond | None = None
    output: tuple[Item, ...] = ()
    top: Expr | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """DELETE."""

    table: TableRef
    sources: tuple[Source, ...] = ()
    where: Cond | None = None
    output: tuple[Item, ...] = ()
    top: Expr | None = None


@dataclass(frozen=True, slots=True)
class ColumnDef:
    """A column of CREATE TABLE; texts of expressions are as written."""

    name: str
    type: TypeName
    nullable: bool | None = None
    collation: str | None = None
    identity: tuple[int, int] | None = None
    default: Expr | None = None
    default_text: str = ""
    default_name: str | None = None


@dataclass(frozen=True, slots=True)
class KeyDef:
    """PRIMARY KEY or UNIQUE, of a table or a column."""

    primary: bool
    columns: tuple[str, ...]
    name: str | None = None
    clustered: bool | None = None


@dataclass(frozen=True, slots=True)
class CheckDef:
    """CHECK."""

    condition: Cond
    text: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ForeignDef:
    """FOREIGN KEY ... REFERENCES."""

    columns: tuple[str, ...]
    table: tuple[str, ...]
    referred: tuple[str, ...]
    name: str | None = None


TableItem: TypeAlias = ColumnDef | KeyDef | CheckDef | ForeignDef


@dataclass(frozen=True, slots=True)
class CreateTable:
    """CREATE TABLE."""

    table: tuple[str, ...]
    items: tuple[TableItem, ...]


@dataclass(frozen=True, slots=True)
class CreateIndex:
    """CREATE INDEX."""

    name: str
    table: tuple[str, ...]
    columns: tuple[str, ...]
    unique: bool
    clustered: bool


@dataclass(frozen=True, slots=True)
class CreateView:
    """CREATE VIEW; ``text`` is the whole statement."""

    view: tuple[str, ...]
    columns: tuple[str, ...]
    query: Query
    text: str


@dataclass(frozen=True, slots=True)
class CreateSchema:
    """CREATE SCHEMA."""

    name: str


@dataclass(frozen=True, slots=True)
class CreateDatabase:
    """CREATE DATABASE, with nothing but a name and a collation."""

    name: str
    collation: str | None = None


@dataclass(frozen=True, slots=True)
class AlterTable:
    """ALTER TABLE ADD of columns and constraints."""

    table: tuple[str, ...]
    items: tuple[TableItem, ...]


@dataclass(frozen=True, slots=True)
class AlterDatabase:
    """ALTER DATABASE SET ONLINE or OFFLINE."""

    name: str
    state: str


@dataclass(frozen=True, slots=True)
class Drop:
    """DROP of tables, views, or one index (``on`` its table)."""

    kind: str
    names: tuple[tuple[str, ...], ...]
    exists: bool = False
    on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Truncate:
    """TRUNCATE TABLE."""

    table: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Declare:
    """DECLARE of variables: name, type, value."""

    items: tuple[tuple[str, TypeName, Expr | None], ...]


@dataclass(frozen=True, slots=True)
class DeclareTable:
    """DECLARE @name TABLE (...)."""

    name: str
    items: tuple[TableItem, ...]


@dataclass(frozen=True, slots=True)
class SetVariable:
    """SET @name = value."""

    name: str
    value: Expr


@dataclass(frozen=True, slots=True)
class SetOption:
    """SET option value; both in upper case."""

    names: tuple[str, ...]
    value: str


@dataclass(frozen=True, slots=True)
class If:
    """IF."""

    condition: Cond
    then: Statement
    otherwise: Statement | None


@dataclass(frozen=True, slots=True)
class While:
    """WHILE."""

    condition: Cond
    body: Statement


@dataclass(frozen=True, slots=True)
class Block:
    """BEGIN ... END."""

    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class TryCatch:
    """BEGIN TRY ... BEGIN CATCH."""

    body: tuple[Statement, ...]
    handler: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Transaction:
    """``action`` is begin, commit, rollback or save."""

    action: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Print:
    """PRINT."""

    value: Expr


@dataclass(frozen=True, slots=True)
class Raiserror:
    """RAISERROR."""

    message: Expr
    severity: Expr
    state: Expr
    values: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Throw:
    """THROW, with its three values or none."""

    values: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Execute:
    """EXEC of a procedure, or of a text (``procedure`` empty)."""

    procedure: tuple[str, ...]
    arguments: tuple[tuple[str, Expr], ...]


@dataclass(frozen=True, slots=True)
class Use:
    """USE."""

    database: str


@dataclass(frozen=True, slots=True)
class WaitFor:
    """WAITFOR DELAY."""

    delay: Expr


@dataclass(frozen=True, slots=True)
class Jump:
    """``word`` is RETURN, BREAK or CONTINUE."""

    word: str
    value: Expr | None = None


Action: TypeAlias = (
    QueryStatement
    | Insert
    | Update
    | Delete
    | CreateTable
    | CreateIndex
    | CreateView
    | CreateSchema
    | CreateDatabase
    | AlterTable
    | AlterDatabase
    | Drop
    | Truncate
    | Declare
    | DeclareTable
    | SetVariable
    | SetOption
    | If
    | While
    | Block
    | TryCatch
    | Transaction
    | Print
    | Raiserror
    | Throw
    | Execute
    | Use
    | WaitFor
    | Jump
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement; ``line`` counts from 1 in the batch."""

    action: Action
    line: int = field(default=1)
