"""SELECT and what belongs to it. Source: "SELECT", "FROM", "ORDER BY" (Transact-SQL reference)."""

from __future__ import annotations

from winlab.sqlserver import syntax as tree
from winlab.sqlserver.cursor import Cursor
from winlab.sqlserver.errors import NotModelledError, syntax
from winlab.sqlserver.expressions import Expressions

_HINTS = {
    "NOLOCK",
    "READUNCOMMITTED",
    "READCOMMITTED",
    "REPEATABLEREAD",
    "SERIALIZABLE",
    "HOLDLOCK",
    "UPDLOCK",
    "XLOCK",
    "ROWLOCK",
    "PAGLOCK",
    "TABLOCK",
    "TABLOCKX",
    "READPAST",
    "NOWAIT",
    "READCOMMITTEDLOCK",
}
_NO_ALIAS = {"SET", "OUTPUT", "OPTION", "OFFSET", "FETCH", "GO"}


class Queries:
    """Reads queries from a cursor."""

    def __init__(self, cursor: Cursor) -> None:
        """Share one place in the text with the expressions."""
        self._c = cursor
        self.expressions = Expressions(cursor, self)

    def query(self, *, ctes: tuple[tree.Cte, ...] = ()) -> tree.Query:
        """A query expression with its ORDER BY."""
        cursor = self._c
        cursor.deeper()
        if cursor.at("WITH"):
            ctes = self.with_clause()
        body = self._compound()
        order: tuple[tree.OrderItem, ...] = ()
        offset = fetch = None
        if cursor.take("ORDER", "BY"):
            order = self.expressions.order()
            if cursor.at("OFFSET"):
                offset, fetch = self._offset()
        if cursor.at("FOR"):
            raise NotModelledError(f"FOR {cursor.peek().upper}", line=cursor.token.line)
        if cursor.take("OPTION"):
            self.read_over_parentheses()
        cursor.shallower()
        return tree.Query(body, ctes, order, offset, fetch)

    def _offset(self) -> tuple[tree.Expr, tree.Expr | None]:
        """ORDER BY ... OFFSET came with SQL Server 2012 ("ORDER BY clause")."""
        cursor = self._c
        if cursor.major < 11:
            raise syntax("OFFSET", line=cursor.token.line)
        cursor.need("OFFSET")
        offset = self.expressions.expression()
        if not cursor.take("ROWS"):
            cursor.need("ROW")
        fetch = None
        if cursor.take("FETCH"):
            if not cursor.take("NEXT"):
                cursor.need("FIRST")
            fetch = self.expressions.expression()
            if not cursor.take("ROWS"):
                cursor.need("ROW")
            cursor.need("ONLY")
        return offset, fetch

    def read_over_parentheses(self) -> None:
        """Take a whole parenthesis, whatever is in it."""
        self._c.need_op("(")
        depth = 1
        while depth:
            token = self._c.next()
            if token.kind == "end":
                raise self._c.fail()
            if token.kind == "op":
                depth += (token.text == "(") - (token.text == ")")

    def with_clause(self) -> tuple[tree.Cte, ...]:
        """WITH and its queries."""
        cursor = self._c
        cursor.need("WITH")
        found = []
        while True:
            name = cursor.name()
            columns = cursor.name_list() if cursor.at_op("(") else ()
            cursor.need("AS")
            cursor.need_op("(")
            found.append(tree.Cte(name, columns, self.query()))
            cursor.need_op(")")
            if not cursor.take_op(","):
                return tuple(found)

    def _compound(self) -> tree.Body:
        left = self._intersect()
        while True:
            if self._c.take("UNION"):
                op = "UNION ALL" if self._c.take("ALL") else "UNION"
            elif self._c.take("EXCEPT"):
                op = "EXCEPT"
            else:
                return left
            left = tree.Compound(op, left, self._intersect())

    def _intersect(self) -> tree.Body:
        left = self._term()
        while self._c.take("INTERSECT"):
            left = tree.Compound("INTERSECT", left, self._term())
        return left

    def _term(self) -> tree.Body:
        cursor = self._c
        if cursor.take_op("("):
            body = self._compound()
            cursor.need_op(")")
            return body
        if cursor.at("VALUES"):
            return self.values()
        cursor.need("SELECT")
        return self._select()

    def values(self) -> tree.Values:
        """VALUES and its rows."""
        self._c.need("VALUES")
        rows = []
        while True:
            self._c.need_op("(")
            rows.append(tuple(self.expressions.list_until_close()))
            if not self._c.take_op(","):
                return tree.Values(tuple(rows))

    def _select(self) -> tree.Select:
        cursor = self._c
        distinct = cursor.take("DISTINCT")
        if not distinct:
            cursor.take("ALL")
        top = self.top()
        items = self.items()
        into = cursor.names() if cursor.take("INTO") else None
        sources = self.sources() if cursor.take("FROM") else ()
        where = self.expressions.condition() if cursor.take("WHERE") else None
        group: list[tree.Expr] = []
        if cursor.take("GROUP", "BY"):
            group.append(self.expressions.expression())
            while cursor.take_op(","):
                group.append(self.expressions.expression())
        having = self.expressions.condition() if cursor.take("HAVING") else None
        return tree.Select(items, distinct, top, into, sources, where, tuple(group), having)

    def top(self) -> tree.Expr | None:
        """TOP, without PERCENT and WITH TIES."""
        cursor = self._c
        if not cursor.take("TOP"):
            return None
        if cursor.take_op("("):
            top = self.expressions.expression()
            cursor.need_op(")")
        elif cursor.token.kind == "number":
            top = tree.Literal(int(cursor.next().text))
        else:
            raise cursor.fail()
        if cursor.at("PERCENT") or (cursor.at("WITH") and cursor.peek().upper == "TIES"):
            raise NotModelledError(f"TOP with {cursor.token.upper}", line=cursor.token.line)
        return top

    def items(self) -> tuple[tree.Item, ...]:
        """A select list."""
        found = [self._item()]
        while self._c.take_op(","):
            found.append(self._item())
        return tuple(found)

    def _item(self) -> tree.Item:
        cursor = self._c
        if cursor.take_op("*"):
            return tree.Item(tree.Star())
        token, follower = cursor.token, cursor.peek()
        equals = follower.kind == "op" and follower.text == "="
        if token.kind == "variable" and equals:
            cursor.next()
            cursor.next()
            return tree.Item(self.expressions.expression(), variable=token.text.lower())
        if equals and (
            token.kind in {"name", "string"} or (token.kind == "word" and not token.reserved)
        ):
            cursor.next()
            cursor.next()
            return tree.Item(self.expressions.expression(), alias=token.text)
        prefix = self._star_prefix()
        if prefix is not None:
            return tree.Item(tree.Star(prefix))
        value = self.expressions.expression()
        return tree.Item(value, self._item_alias())

    def _star_prefix(self) -> tuple[str, ...] | None:
        """The names before ``.*``, taken; None when it is no such item."""
        ahead = 0
        while True:
            token = self._c.peek(ahead)
            if token.kind != "name" and (token.kind != "word" or token.reserved):
                return None
            dot, star = self._c.peek(ahead + 1), self._c.peek(ahead + 2)
            if dot.kind != "op" or dot.text != ".":
                return None
            if star.kind == "op" and star.text == "*":
                break
            ahead += 2
        parts = []
        while not self._c.take_op("*"):
            parts.append(self._c.name())
            self._c.need_op(".")
        return tuple(parts)

    def _item_alias(self) -> str | None:
        cursor = self._c
        if cursor.take("AS"):
            if cursor.token.kind in {"string", "nstring"}:
                return cursor.next().text
            return cursor.name()
        token = cursor.token
        if token.kind in {"name", "string"}:
            return cursor.next().text
        if token.kind == "word" and not token.reserved and token.upper not in _NO_ALIAS:
            return cursor.next().text
        return None

    # -- FROM ----------------------------------------------------------------------------------

    def sources(self) -> tuple[tree.Source, ...]:
        """What follows FROM."""
        found = [self._joined()]
        while self._c.take_op(","):
            found.append(self._joined())
        return tuple(found)

    def _joined(self) -> tree.Source:
        left = self._source()
        while True:
            kind = self._join_kind()
            if kind is None:
                return left
            right = self._source()
            if kind == "CROSS":
                left = tree.Join(kind, left, right, None)
                continue
            # a JOIN b JOIN c ON ... ON ...: the inner join ends first.
            while not self._c.at("ON"):
                inner = self._join_kind()
                if inner is None:
                    raise self._c.fail()
                further = self._source()
                self._c.need("ON")
                right = tree.Join(inner, right, further, self.expressions.condition())
            self._c.need("ON")
            left = tree.Join(kind, left, right, self.expressions.condition())

    def _join_kind(self) -> str | None:
        cursor = self._c
        if cursor.take("JOIN"):
            return "INNER"
        if cursor.at("CROSS"):
            if cursor.peek().upper != "JOIN":
                raise NotModelledError("CROSS APPLY", line=cursor.token.line)
            cursor.need("CROSS", "JOIN")
            return "CROSS"
        for kind in ("INNER", "LEFT", "RIGHT", "FULL"):
            if cursor.at(kind):
                cursor.next()
                if kind != "INNER":
                    cursor.take("OUTER")
                cursor.need("JOIN")
                return kind
        if cursor.at("OUTER"):
            raise NotModelledError("OUTER APPLY", line=cursor.token.line)
        return None

    def _source(self) -> tree.Source:
        cursor = self._c
        if cursor.at_op("("):
            return self._parenthesis()
        return self.table(functions=True)

    def _parenthesis(self) -> tree.Source:
        cursor = self._c
        cursor.need_op("(")
        if not cursor.at("SELECT", "VALUES", "WITH"):
            joined = self._joined()
            cursor.need_op(")")
            return joined
        query = self.query()
        cursor.need_op(")")
        cursor.take("AS")
        alias = cursor.name()
        columns = cursor.name_list() if cursor.at_op("(") else ()
        return tree.Derived(query, alias, columns)

    def table(self, *, functions: bool = False) -> tree.Source:
        """A table by name, with alias and hints."""
        cursor = self._c
        if cursor.token.kind == "variable":
            parts: tuple[str, ...] = (cursor.next().text.lower(),)
        else:
            parts = cursor.names()
        hints: tuple[str, ...] = ()
        if functions and cursor.at_op("("):
            follower = cursor.peek()
            if follower.kind == "word" and follower.upper in _HINTS:
                hints = self._hints()
            else:
                cursor.next()
                arguments = tuple(self.expressions.list_until_close())
                return tree.TableFunction(parts, arguments, self._source_alias())
        alias = self._source_alias() if functions else None
        if cursor.at("WITH") and cursor.peek().text == "(":
            cursor.next()
            hints += self._hints()
        elif cursor.at_op("(") and cursor.peek().upper in _HINTS:
            hints += self._hints()
        return tree.TableRef(parts, alias, hints)

    def _source_alias(self) -> str | None:
        cursor = self._c
        if cursor.take("AS"):
            return cursor.name()
        token = cursor.token
        if token.kind == "name":
            return cursor.next().text
        if token.kind == "word" and not token.reserved and token.upper not in _NO_ALIAS:
            return cursor.next().text
        return None

    def _hints(self) -> tuple[str, ...]:
        cursor = self._c
        cursor.need_op("(")
        found = []
        while True:
            word = cursor.next()
            if word.kind != "word" or word.upper not in _HINTS:
                raise NotModelledError(f"the table hint {word.text}", line=word.line)
            found.append(word.upper)
            if not cursor.take_op(","):
                if cursor.take_op(")"):
                    return tuple(found)
                if cursor.token.kind != "word":
                    raise cursor.fail()
