"""What a batch says, as a tree. Names follow the Transact-SQL reference (Microsoft Learn)."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

# -- expressions ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type as written; ``arguments`` are numbers, -1 for max."""

    name: str
    arguments: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant; ``national`` for N'...', ``digits`` is a number as written."""

    value: int | float | Decimal | str | bytes | None
    national: bool = False


@dataclass(frozen=True, slots=True)
class Name:
    """A column, with what stands before it."""

    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Star:
    """``*`` or ``t.*``."""

    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Variable:
    """``@name``, lower case."""

    name: str


@dataclass(frozen=True, slots=True)
class Global:
    """``@@NAME``, upper case, with the @@."""

    name: str


@dataclass(frozen=True, slots=True)
class Unary:
    """``-``, ``+`` or ``~``."""

    op: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic: ``+ - * / % & | ^``."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Case:
    """CASE, simple when ``operand`` is given; also what IIF is."""

    operand: Expr | None
    whens: tuple[tuple[Cond | Expr, Expr], ...]
    default: Expr | None


@dataclass(frozen=True, slots=True)
class Cast:
    """CAST and CONVERT; ``safe`` for the TRY forms."""

    value: Expr
    type: TypeName
    style: Expr | None = None
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """OVER."""

    partition: tuple[Expr, ...]
    order: tuple[OrderItem, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function by lower-case name; ``star`` for COUNT(*)."""

    name: str
    arguments: tuple[Expr, ...]
    distinct: bool = False
    star: bool = False
    over: Window | None = None


@dataclass(frozen=True, slots=True)
class Scalar:
    """A subquery as a value."""

    query: Query


@dataclass(frozen=True, slots=True)
class Collate:
    """``value COLLATE name``."""

    value: Expr
    name: str


@dataclass(frozen=True, slots=True)
class Default:
    """The word DEFAULT in place of a value."""


Expr: TypeAlias = (
    Literal
    | Name
    | Star
    | Variable
    | Global
    | Unary
    | Binary
    | Case
    | Cast
    | Call
    | Scalar
    | Collate
    | Default
)

# -- conditions ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Compare:
    """``= <> < <= > >=``."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Logic:
    """AND or OR."""

    op: str
    left: Cond
    right: Cond


@dataclass(frozen=True, slots=True)
class Not:
    """NOT."""

    operand: Cond


@dataclass(frozen=True, slots=True)
class IsNull:
    """IS [NOT] NULL."""

    operand: Expr
    negated: bool


@dataclass(frozen=True, slots=True)
class Like:
    """[NOT] LIKE."""

    operand: Expr
    pattern: Expr
    escape: Expr | None
    negated: bool


@dataclass(frozen=True, slots=True)
class Between:
    """[NOT] BETWEEN."""

    operand: Expr
    low: Expr
    high: Expr
    negated: bool


@dataclass(frozen=True, slots=True)
class In:
    """[NOT] IN, with a list or a query."""

    operand: Expr
    items: tuple[Expr, ...]
    query: Query | None
    negated: bool


@dataclass(frozen=True, slots=True)
class Exists:
    """EXISTS."""

    query: Query


Cond: TypeAlias = Compare | Logic | Not | IsNull | Like | Between | In | Exists

# -- queries -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderItem:
    """One item of ORDER BY."""

    value: Expr
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a select list; ``variable`` for ``@v = value``."""

    value: Expr
    alias: str | None = None
    variable: str | None = None


@dataclass(frozen=True, slots=True)
class TableRef:
    """A table, a view, or a table variable (one part that begins with @)."""

    parts: tuple[str, ...]
    alias: str | None = None
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableFunction:
    """A function in FROM."""

    parts: tuple[str, ...]
    arguments: tuple[Expr, ...]
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Derived:
    """A query or VALUES in FROM."""

    query: Query
    alias: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Join:
    """``kind`` is INNER, LEFT, RIGHT, FULL or CROSS."""

    kind: str
    left: Source
    right: Source
    on: Cond | None


Source: TypeAlias = TableRef | TableFunction | Derived | Join


@dataclass(frozen=True, slots=True)
class Select:
    """One SELECT."""

    items: tuple[Item, ...]
    distinct: bool = False
    top: Expr | None = None
    into: tuple[str, ...] | None = None
    sources: tuple[Source, ...] = ()
    where: Cond | None = None
    group: tuple[Expr, ...] = ()
    having: Cond | None = None


@dataclass(frozen=True, slots=True)
class Values:
    """VALUES with its rows."""

    rows: tuple[tuple[Expr, ...], ...]


@dataclass(frozen=True, slots=True)
class Compound:
    """UNION, UNION ALL, EXCEPT or INTERSECT."""

    op: str
    left: Body
    right: Body


Body: TypeAlias = Select | Values | Compound


@dataclass(frozen=True, slots=True)
class Cte:
    """One query of WITH."""

    name: str
    columns: tuple[str, ...]
    query: Query


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query expression."""

    body: Body
    ctes: tuple[Cte, ...] = ()
    order: tuple[OrderItem, ...] = ()
    offset: Expr | None = None
    fetch: Expr | None = None


# -- statements ----------------------------------------------------------------------------------


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
