"""Expressions and queries, as a tree. Names follow the Transact-SQL reference (Microsoft Learn)."""

from __future__ import annotations

from dataclasses import dataclass
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
