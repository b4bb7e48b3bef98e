"""Conditions of Transact-SQL as conditions of SQLite.

Source: "Comparison operators", "LIKE", "IN", "Collation precedence" (Transact-SQL reference).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

from winlab.sqlserver import syntax as tree
from winlab.sqlserver.errors import TsqlError
from winlab.sqlserver.scope import COERCIBLE, Scope, Typed
from winlab.sqlserver.types import SqlType, collation_kind, decimal, nvarchar, wins

if TYPE_CHECKING:
    from winlab.sqlserver.compiler import Surroundings
    from winlab.sqlserver.selects import Selects

_OPERATORS = {
    "=": "equal to",
    "<>": "not equal to",
    "<": "less than",
    "<=": "less than or equal to",
    ">": "greater than",
    ">=": "greater than or equal to",
}


class Conditions(ABC):
    """Compiles conditions; values are compiled by whoever inherits."""

    session: Surroundings
    selects: Selects

    @abstractmethod
    def value(self, expression: tree.Expr, scope: Scope) -> Typed:
        """An expression with its type."""

    @abstractmethod
    def as_type(self, value: Typed, kind: SqlType) -> Typed:
        """A value converted as a comparison converts it."""

    def condition(self, condition: tree.Cond, scope: Scope) -> str:
        """A condition, three-valued as in SQLite."""
        match condition:
            case tree.Logic(op):
                return self._balanced(op, _flat(op, condition), scope)
            case tree.Not(operand):
                return f"(NOT {self.condition(operand, scope)})"
            case tree.Compare(op, left, right):
                return self.compare(op, self.value(left, scope), self.value(right, scope))
            case tree.IsNull(operand, negated):
                sql = self.value(operand, scope).sql
                return f"({sql} IS {'NOT ' if negated else ''}NULL)"
            case tree.Like():
                return self._like(condition, scope)
            case tree.Between(operand, low, high, negated):
                value = self.value(operand, scope)
                first = self.compare(">=", value, self.value(low, scope))
                last = self.compare("<=", value, self.value(high, scope))
                return f"({'NOT ' if negated else ''}({first} AND {last}))"
            case tree.In():
                return self._in(condition, scope)
            case tree.Exists(query):
                return self.selects.exists(query, scope)

    def _balanced(self, op: str, parts: list[tree.Cond], scope: Scope) -> str:
        """SQLite allows 1,000 levels of an expression: long chains are bound as a balanced tree."""
        texts = [self.condition(one, scope) for one in parts]
        while len(texts) > 1:
            texts = [
                f"({f' {op} '.join(texts[at : at + 16])})" if len(texts) > 1 else texts[0]
                for at in range(0, len(texts), 16)
            ]
        return texts[0]

    def compare(self, op: str, left: Typed, right: Typed) -> str:
        """A comparison of two values of any types. Raises :class:`TsqlError` 206, 306, 402, 468."""
        if left.type is None or right.type is None:
            return f"({left.sql} {op} {right.sql})"
        for kind in (left.type, right.type):
            if kind.lob:
                raise TsqlError(402, left.type.name, right.type.name, _OPERATORS[op])
        kind = wins(left.type, right.type)
        if left.type.family == right.type.family == "text":
            kind = self.text_type(left, right, _OPERATORS[op])[0]
        if {left.type.family, right.type.family} in ({"guid", "int"}, {"guid", "decimal"}):
            raise TsqlError(206, left.type.described, right.type.described)
        if kind.family == "variant":
            return f"({left.sql} {op} {right.sql})"
        one, two = self._comparable(left, kind), self._comparable(right, kind)
        suffix = collating(kind)
        return f"({one}{suffix} {op} {two}{suffix})"

    def _comparable(self, value: Typed, kind: SqlType) -> str:
        assert value.type is not None
        if value.type.family == kind.family and kind.family in {
            "text",
            "binary",
            "decimal",
            "int",
            "bit",
        }:
            return value.sql
        if {value.type.family, kind.family} <= {"int", "bit"}:
            return value.sql
        if value.type.family == "text" and kind.family == "decimal":
            # Digits beyond the other side's scale count in the comparison.
            kind = decimal(38, max(kind.scale, 10))
        if value.type.family == "time" and kind.family == "time" and kind.scale < 7:
            kind = replace(kind, scale=7)
        return self.as_type(value, kind).sql

    def text_type(self, left: Typed, right: Typed, operation: str) -> tuple[SqlType, int]:
        """The type of two texts that meet, and how strong its collation is. Raises 468."""
        assert left.type is not None
        assert right.type is not None
        kind = wins(left.type, right.type)
        strong = left if left.label >= right.label else right
        assert strong.type is not None
        if left.label == right.label != COERCIBLE and left.type.collation != right.type.collation:
            raise TsqlError(468, left.type.collation, right.type.collation, operation)
        return replace(kind, collation=strong.type.collation), strong.label

    def _like(self, like: tree.Like, scope: Scope) -> str:
        value, pattern = self.value(like.operand, scope), self.value(like.pattern, scope)
        escape = "NULL" if like.escape is None else self.value(like.escape, scope).sql
        texts = []
        collation = self.session.collation
        for one in (value, pattern):
            if one.type is not None and one.type.family != "text":
                one = self.as_type(one, nvarchar(4000, self.session.collation))
            texts.append(one.sql)
        if value.type is not None and value.type.family == "text":
            collation = value.type.collation
        sql = f"t_like({texts[0]}, {texts[1]}, {escape}, '{collation_kind(collation)}')"
        return f"(NOT {sql})" if like.negated else f"({sql})"

    def _in(self, condition: tree.In, scope: Scope) -> str:
        value = self.value(condition.operand, scope)
        if condition.query is not None:
            sql = self.selects.member(value, condition.query, scope)
        else:
            tests = [self.compare("=", value, self.value(one, scope)) for one in condition.items]
            while len(tests) > 1:
                tests = [f"({' OR '.join(tests[at : at + 16])})" for at in range(0, len(tests), 16)]
            sql = tests[0]
        return f"(NOT {sql})" if condition.negated else sql


def collating(kind: SqlType | None) -> str:
    """The COLLATE of SQLite that compares values of a type."""
    if kind is None:
        return ""
    if kind.family == "text":
        return f" COLLATE {collation_kind(kind.collation)}"
    return " COLLATE T_DEC" if kind.family == "decimal" else ""


def _flat(op: str, condition: tree.Cond) -> list[tree.Cond]:
    """The operands of a chain of one operator, without recursion down its left side."""
    found: list[tree.Cond] = []
    while isinstance(condition, tree.Logic) and condition.op == op:
        found.append(condition.right)
        condition = condition.left
    found.append(condition)
    return found[::-1]
