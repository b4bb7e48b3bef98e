"""EXECUTE and its arguments. Source: "EXECUTE" (Transact-SQL reference)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from winlab.sqlserver import actions as act
from winlab.sqlserver import syntax as tree
from winlab.sqlserver.cursor import Cursor
from winlab.sqlserver.errors import NotModelledError, TsqlError

if TYPE_CHECKING:
    from winlab.sqlserver.expressions import Expressions

STATEMENTS = frozenset(
    [
        "SELECT",
        "WITH",
        "INSERT",
        "UPDATE",
        "DELETE",
        "TRUNCATE",
        "CREATE",
        "ALTER",
        "DROP",
        "DECLARE",
        "SET",
        "USE",
        "IF",
        "WHILE",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVE",
        "RETURN",
        "BREAK",
        "CONTINUE",
        "WAITFOR",
        "PRINT",
        "RAISERROR",
        "THROW",
        "EXEC",
        "EXECUTE",
    ]
)
"""Words that begin a statement."""


class Calls:
    """Reads calls of procedures from a cursor."""

    def __init__(self, cursor: Cursor, expressions: Expressions) -> None:
        """Share one place in the text."""
        self._c = cursor
        self._expressions = expressions

    def execute(self) -> act.Action:
        """EXEC or EXECUTE and what follows."""
        cursor = self._c
        if not cursor.take("EXEC"):
            cursor.need("EXECUTE")
        if cursor.take_op("("):
            text = self._expressions.expression()
            cursor.need_op(")")
            return act.Execute((), (("", text),))
        if cursor.token.kind == "variable":
            raise NotModelledError("EXECUTE with a return value", line=cursor.token.line)
        return self.call(cursor.names())

    def call(self, procedure: tuple[str, ...]) -> act.Action:
        """The arguments of a procedure."""
        cursor = self._c
        arguments: list[tuple[str, tree.Expr]] = []
        while cursor.token.kind != "end" and not cursor.at_op(";"):
            name = ""
            follower = cursor.peek()
            if cursor.token.kind == "variable" and follower.kind == "op" and follower.text == "=":
                name = cursor.next().text.lower()
                cursor.next()
            elif not self._argument_follows():
                break
            arguments.append((name, self._argument()))
            if cursor.at("OUTPUT", "OUT"):
                raise NotModelledError("OUTPUT parameters", line=cursor.token.line)
            if not cursor.take_op(","):
                break
        return act.Execute(procedure, tuple(arguments))

    def _argument_follows(self) -> bool:
        token = self._c.token
        if token.kind in {"string", "nstring", "number", "binary", "variable", "global", "name"}:
            return True
        if token.kind == "op":
            return token.text == "-"
        return token.upper in {"NULL", "DEFAULT"} or not (
            token.reserved or self._c.token.upper in STATEMENTS
        )

    def _argument(self) -> tree.Expr:
        """Constants and variables alone; a bare word is a text ("EXECUTE")."""
        token = self._c.token
        if token.kind == "name" or (token.kind == "word" and not token.reserved):
            self._c.next()
            return tree.Literal(token.text)
        if self._c.take_op("-"):
            value = self._c.next()
            if value.kind != "number":
                raise self._c.fail(value)
            return tree.Unary("-", tree.Literal(int(value.text)))
        if token.kind in {"string", "nstring"}:
            self._c.next()
            return tree.Literal(token.text, token.kind == "nstring")
        value_of = self._expressions.primary()
        if not isinstance(value_of, (tree.Literal, tree.Variable, tree.Global, tree.Default)):
            raise TsqlError(102, token.text, line=token.line)
        return value_of
