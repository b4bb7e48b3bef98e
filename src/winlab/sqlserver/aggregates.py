"""Aggregates and ranking functions.

Source: "Aggregate functions", "Ranking functions" (Transact-SQL reference).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from winlab.sqlserver.errors import NotModelledError, TsqlError
from winlab.sqlserver.scope import Typed
from winlab.sqlserver.types import BIGINT, FLOAT, INT, as_decimal, decimal, number_of

if TYPE_CHECKING:
    from winlab.sqlserver.compiler import Expressions

WINDOWS = frozenset({"row_number", "rank", "dense_rank"})


def _count(compiler: Expressions, arguments: list[Typed], distinct: str) -> Typed:
    [one] = arguments
    sql = compiler.sortable(one) if distinct else one.sql
    return Typed(f"COUNT({distinct}{sql})", INT)


def _extreme(name: str) -> Callable[[Expressions, list[Typed], str], Typed]:
    def make(compiler: Expressions, arguments: list[Typed], distinct: str) -> Typed:
        [one] = arguments
        return Typed(f"{name}({distinct}{compiler.sortable(one)})", one.type, one.label)

    return make


def _total(name: str) -> Callable[[Expressions, list[Typed], str], Typed]:
    def make(_: Expressions, arguments: list[Typed], distinct: str) -> Typed:
        [one] = arguments
        kind = one.type or INT
        if kind.family not in {"int", "decimal", "float"}:
            raise TsqlError(
                8117, text=f"Operand data type {kind.described} is invalid for {name} operator."
            )
        if kind.name in {"tinyint", "smallint"}:
            kind = INT
        if kind.family == "decimal":
            wide = as_decimal(kind)
            kind = decimal(38, wide.scale if name == "sum" else max(wide.scale, 6))
        elif kind.name == "real":
            kind = FLOAT
        if distinct:
            raise NotModelledError(f"{name.upper()}(DISTINCT)")
        return Typed(f"t_{name}({one.sql}, {number_of(kind)})", kind)

    return make


AGGREGATES: dict[str, Callable[[Expressions, list[Typed], str], Typed]] = {
    "count": _count,
    "count_big": lambda c, a, d: Typed(_count(c, a, d).sql, BIGINT),
    "min": _extreme("MIN"),
    "max": _extreme("MAX"),
    "sum": _total("sum"),
    "avg": _total("avg"),
}
