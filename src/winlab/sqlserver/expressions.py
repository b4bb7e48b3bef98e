"""Expressions and conditions. Source: "Expressions", "Operator precedence" (Transact-SQL reference)."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from winlab.sqlserver import syntax as tree
from winlab.sqlserver.cursor import Cursor
from winlab.sqlserver.errors import NotModelledError, TsqlError

if TYPE_CHECKING:
    from winlab.sqlserver.queries import Queries

_COMPARISONS = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", ">": ">", "<=": "<=", ">=": ">="}
_COMPARISONS |= {"!<": ">=", "!>": "<="}
_BARE_FUNCTIONS = {"CURRENT_TIMESTAMP", "CURRENT_USER", "SYSTEM_USER", "USER"}
_KEYWORD_FUNCTIONS = {"LEFT", "RIGHT", "IDENTITY", "USER"}
# What came with which version: "Functions" (Transact-SQL reference), "Applies to".
_SINCE = {"iif": 11, "choose": 11, "concat": 11, "format": 11, "try_convert": 11, "try_cast": 11}
_SINCE |= {"string_agg": 14, "trim": 14, "concat_ws": 14}


class Expressions:
    """Reads expressions from a cursor; queries inside of them go to ``queries``."""

    def __init__(self, cursor: Cursor, queries: Queries) -> None:
        """Share one place in the text."""
        self._c = cursor
        self._queries = queries

    # -- conditions --------------------------------------------------------------------------

    def condition(self) -> tree.Cond:
        """OR, weaker than AND."""
        left = self._and()
        while self._c.take("OR"):
            left = tree.Logic("OR", left, self._and())
        return left

    def _and(self) -> tree.Cond:
        left = self._not()
        while self._c.take("AND"):
            left = tree.Logic("AND", left, self._not())
        return left

    def _not(self) -> tree.Cond:
        if self._c.take("NOT"):
            return tree.Not(self._not())
        return self._predicate()

    def _predicate(self) -> tree.Cond:
        cursor = self._c
        if cursor.take("EXISTS"):
            cursor.need_op("(")
            query = self._queries.query()
            cursor.need_op(")")
            return tree.Exists(query)
        if cursor.at_op("(") and self._is_condition():
            cursor.next()
            cursor.deeper()
            inner = self.condition()
            cursor.shallower()
            cursor.need_op(")")
            return inner
        return self._comparison(self.expression())

    def _comparison(self, left: tree.Expr) -> tree.Cond:
        cursor = self._c
        if cursor.token.kind == "op" and cursor.token.text in _COMPARISONS:
            op = _COMPARISONS[cursor.next().text]
            if cursor.at("ALL", "ANY", "SOME"):
                raise NotModelledError(
                    f"the comparison with {cursor.token.upper}", line=cursor.token.line
                )
            return tree.Compare(op, left, self.expression())
        if cursor.take("IS"):
            negated = cursor.take("NOT")
            cursor.need("NULL")
            return tree.IsNull(left, negated)
        negated = cursor.take("NOT")
        if cursor.take("LIKE"):
            pattern = self.expression()
            escape = self.expression() if cursor.take("ESCAPE") else None
            return tree.Like(left, pattern, escape, negated)
        if cursor.take("BETWEEN"):
            low = self.expression()
            cursor.need("AND")
            return tree.Between(left, low, self.expression(), negated)
        if cursor.take("IN"):
            return self._in(left, negated)
        raise cursor.fail()

    def _in(self, left: tree.Expr, negated: bool) -> tree.Cond:
        cursor = self._c
        cursor.need_op("(")
        if cursor.at("SELECT", "WITH"):
            query = self._queries.query()
            cursor.need_op(")")
            return tree.In(left, (), query, negated)
        items = self.list_until_close()
        return tree.In(left, tuple(items), None, negated)

    def _is_condition(self) -> bool:
        """Whether the parenthesis at hand holds a condition: its end is followed by no operator and it
        has a comparison of its own, outside of deeper ones."""
        depth, ahead = 0, 0
        found = False
        while True:
            token = self._c.peek(ahead)
            if token.kind == "end":
                return False
            if token.kind == "op" and token.text == "(":
                depth += 1
                follower = self._c.peek(ahead + 1)
                if depth == 1 and follower.kind == "word" and follower.upper == "SELECT":
                    return False
                if follower.kind == "word" and follower.upper == "EXISTS" and depth == 1:
                    return True
                if follower.kind == "op" and follower.text == "(" and depth == 1:
                    found = found or self._inner_is_condition(ahead + 1)
            elif token.kind == "op" and token.text == ")":
                depth -= 1
                if depth == 0:
                    return found
            elif depth == 1:
                if token.kind == "op" and token.text in _COMPARISONS:
                    found = True
                if token.kind == "word" and token.upper == "CASE":
                    ahead = self._case_end(ahead)
                elif token.kind == "word" and token.upper in {
                    "IS",
                    "LIKE",
                    "BETWEEN",
                    "IN",
                    "NOT",
                    "EXISTS",
                    "AND",
                    "OR",
                }:
                    found = True
            ahead += 1

    def _inner_is_condition(self, ahead: int) -> bool:
        with self._c.ahead(ahead):
            return self._is_condition()

    def _case_end(self, ahead: int) -> int:
        depth = 0
        while True:
            token = self._c.peek(ahead)
            if token.kind == "end":
                return ahead
            if token.kind == "word" and token.upper == "CASE":
                depth += 1
            elif token.kind == "word" and token.upper == "END":
                depth -= 1
                if depth == 0:
                    return ahead
            ahead += 1

    # -- values ------------------------------------------------------------------------------

    def expression(self) -> tree.Expr:
        """``+ - & | ^``, weaker than ``* / %``."""
        self._c.deeper()
        left = self._product()
        while self._c.at_op("+", "-", "&", "|", "^"):
            op = self._c.next().text
            left = tree.Binary(op, left, self._product())
        self._c.shallower()
        return left

    def _product(self) -> tree.Expr:
        left = self._unary()
        while self._c.at_op("*", "/", "%"):
            op = self._c.next().text
            left = tree.Binary(op, left, self._unary())
        return left

    def _unary(self) -> tree.Expr:
        if self._c.at_op("-", "+", "~"):
            op = self._c.next().text
            operand = self._unary()
            if op == "-" and isinstance(operand, tree.Literal):
                number = operand.value
                if isinstance(number, (int, float, Decimal)):
                    return tree.Literal(-number)
            return operand if op == "+" else tree.Unary(op, operand)
        value = self.primary()
        while self._c.take("COLLATE"):
            value = tree.Collate(value, self._c.name())
        return value

    def primary(self) -> tree.Expr:
        """A constant, a variable, a name, a call, or something in parentheses."""
        cursor = self._c
        token = cursor.token
        if token.kind in {"string", "nstring"}:
            cursor.next()
            return tree.Literal(token.text, token.kind == "nstring")
        if token.kind == "number":
            cursor.next()
            return tree.Literal(_number(token.text))
        if token.kind == "binary":
            cursor.next()
            digits = token.text[2:]
            return tree.Literal(bytes.fromhex(digits if len(digits) % 2 == 0 else "0" + digits))
        if token.kind == "variable":
            cursor.next()
            return tree.Variable(token.text.lower())
        if token.kind == "global":
            cursor.next()
            return tree.Global(token.upper)
        if cursor.take_op("("):
            if cursor.at("SELECT", "WITH"):
                query = self._queries.query()
                cursor.need_op(")")
                return tree.Scalar(query)
            inner = self.expression()
            cursor.need_op(")")
            return inner
        return self._word()

    def _word(self) -> tree.Expr:
        cursor = self._c
        if cursor.take("NULL"):
            return tree.Literal(None)
        if cursor.take("CASE"):
            return self._case()
        if cursor.take("DEFAULT"):
            return tree.Default()
        token = cursor.token
        called = cursor.peek().kind == "op" and cursor.peek().text == "("
        if token.kind == "word" and called:
            if token.upper in {"CAST", "TRY_CAST"}:
                return self._cast(safe=token.upper == "TRY_CAST")
            if token.upper in {"CONVERT", "TRY_CONVERT"}:
                return self._convert(safe=token.upper == "TRY_CONVERT")
            if token.upper in _KEYWORD_FUNCTIONS:
                cursor.next()
                return self._call(token.upper.lower())
        if token.kind == "word" and token.upper in _BARE_FUNCTIONS and not called:
            cursor.next()
            return tree.Call(token.upper.lower(), ())
        parts = cursor.names()
        if cursor.at_op("("):
            if len(parts) > 1:
                raise NotModelledError(f"the function {'.'.join(parts)}", line=token.line)
            return self._call(parts[0].lower())
        return tree.Name(parts)

    def _since(self, name: str) -> None:
        if self._c.major < _SINCE.get(name, 0):
            raise TsqlError(195, name.upper(), state=10, line=self._c.token.line)

    def _call(self, name: str) -> tree.Expr:
        cursor = self._c
        self._since(name)
        cursor.need_op("(")
        if name == "iif":
            condition = self.condition()
            cursor.need_op(",")
            then = self.expression()
            cursor.need_op(",")
            otherwise = self.expression()
            cursor.need_op(")")
            return tree.Case(None, ((condition, then),), otherwise)
        star = False
        arguments: list[tree.Expr] = []
        distinct = cursor.take("DISTINCT")
        if cursor.at_op("*"):
            cursor.next()
            star = True
            cursor.need_op(")")
        else:
            arguments = self.list_until_close()
        over = self._over() if cursor.take("OVER") else None
        return tree.Call(name, tuple(arguments), distinct, star, over)

    def list_until_close(self) -> list[tree.Expr]:
        """Expressions with commas between, and the closing parenthesis."""
        found: list[tree.Expr] = []
        if self._c.take_op(")"):
            return found
        found.append(self.expression())
        while self._c.take_op(","):
            found.append(self.expression())
        self._c.need_op(")")
        return found

    def _over(self) -> tree.Window:
        cursor = self._c
        cursor.need_op("(")
        partition: list[tree.Expr] = []
        if cursor.take("PARTITION", "BY"):
            partition.append(self.expression())
            while cursor.take_op(","):
                partition.append(self.expression())
        order = self.order() if cursor.take("ORDER", "BY") else ()
        cursor.need_op(")")
        return tree.Window(tuple(partition), order)

    def order(self) -> tuple[tree.OrderItem, ...]:
        """What follows ORDER BY."""
        found = []
        while True:
            value = self.expression()
            descending = self._c.take("DESC")
            if not descending:
                self._c.take("ASC")
            found.append(tree.OrderItem(value, descending))
            if not self._c.take_op(","):
                return tuple(found)

    def _case(self) -> tree.Expr:
        cursor = self._c
        operand = None if cursor.at("WHEN") else self.expression()
        whens: list[tuple[tree.Cond | tree.Expr, tree.Expr]] = []
        while cursor.take("WHEN"):
            test = self.condition() if operand is None else self.expression()
            cursor.need("THEN")
            whens.append((test, self.expression()))
        default = self.expression() if cursor.take("ELSE") else None
        if not whens:
            raise cursor.fail()
        cursor.need("END")
        return tree.Case(operand, tuple(whens), default)

    def _cast(self, *, safe: bool) -> tree.Expr:
        cursor = self._c
        self._since(cursor.next().text.lower())
        cursor.need_op("(")
        value = self.expression()
        cursor.need("AS")
        kind = self.type_name()
        cursor.need_op(")")
        return tree.Cast(value, kind, safe=safe)

    def _convert(self, *, safe: bool) -> tree.Expr:
        cursor = self._c
        self._since(cursor.next().text.lower())
        cursor.need_op("(")
        kind = self.type_name()
        cursor.need_op(",")
        value = self.expression()
        style = self.expression() if cursor.take_op(",") else None
        cursor.need_op(")")
        return tree.Cast(value, kind, style, safe)

    def type_name(self) -> tree.TypeName:
        """A data type with its length, or precision and scale."""
        cursor = self._c
        parts = cursor.names()
        if len(parts) > 2 or (len(parts) == 2 and parts[0].lower() not in {"sys", "dbo"}):
            raise NotModelledError(f"the type {'.'.join(parts)}", line=cursor.token.line)
        name = parts[-1].lower()
        if name == "double" and cursor.take("PRECISION"):
            name = "float"
        if name == "national":
            raise NotModelledError("the type NATIONAL", line=cursor.token.line)
        if name in {"char", "character"} and cursor.take("VARYING"):
            name = "varchar"
        arguments: list[int] = []
        if cursor.take_op("("):
            while True:
                if cursor.take("MAX"):
                    arguments.append(-1)
                elif cursor.token.kind == "number" and cursor.token.text.isdigit():
                    arguments.append(int(cursor.next().text))
                else:
                    raise cursor.fail()
                if not cursor.take_op(","):
                    break
            cursor.need_op(")")
        return tree.TypeName(name, tuple(arguments))


def _number(text: str) -> int | float | Decimal:
    """Whole numbers beyond int are decimals, as the server has it ("Constants")."""
    if "e" in text.lower():
        return float(text)
    if "." in text:
        return Decimal(text)
    value = int(text)
    return value if value < 2**31 else Decimal(value)
