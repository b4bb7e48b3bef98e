"""Queries of Transact-SQL as queries of SQLite. Output columns are named o1, o2 and so on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from sqlite3 import sqlite_version_info
from typing import Protocol

from winlab.sqlserver import syntax as tree
from winlab.sqlserver.aggregates import AGGREGATES
from winlab.sqlserver.catalog import Table
from winlab.sqlserver.compiler import Expressions, Surroundings
from winlab.sqlserver.errors import NotModelledError, TsqlError
from winlab.sqlserver.scope import COERCIBLE, IMPLICIT, Named, Output, Scope, Typed
from winlab.sqlserver.types import INT, SqlType
from winlab.sqlserver.values import Cell


class Objects(Surroundings, Protocol):
    """What queries find in the session's database."""

    def table(self, parts: tuple[str, ...], hints: tuple[str, ...]) -> Table:
        """A table, a view or a table variable, noted as read. Raises :class:`TsqlError` 208."""

    def system_rows(
        self, parts: tuple[str, ...]
    ) -> tuple[tuple[Output, ...], list[tuple[Cell, ...]]] | None:
        """The columns and rows of a catalogue view; None when there is none of that name."""

    def json_of(self, rows: list[tuple[Cell, ...]]) -> str:
        """Rows as JSON."""


@dataclass(frozen=True)
class Compiled:
    """A query: SQLite's text and what its columns are; ``assigns`` names the variables it sets."""

    sql: str
    columns: tuple[Output, ...]
    assigns: tuple[str, ...] = ()


class Selects:
    """Compiles the queries of one statement."""

    def __init__(self, session: Objects) -> None:
        """Make the compiler of expressions that belongs to it."""
        self.session = session
        self.expressions = Expressions(session)
        self.expressions.selects = self
        self._ctes: dict[str, tree.Cte] = {}
        self._aliases = 0
        self._depth = 0

    @property
    def bound(self) -> dict[str, Cell]:
        """The values that the text refers to."""
        return self.expressions.bound

    # -- whole queries -----------------------------------------------------------------------

    def query(self, query: tree.Query, parent: Scope | None = None) -> Compiled:
        """A query with its order."""
        saved = self._ctes
        self._ctes = {**saved, **{one.name.lower(): one for one in query.ctes}}
        self._depth += 1
        if self._depth > 32:
            raise TsqlError(191, text="Some part of your SQL statement is nested too deeply.")
        try:
            if isinstance(query.body, tree.Select):
                return self._select(query.body, parent, query)
            found = self._body(query.body, parent)
            if not query.order and query.offset is None:
                return found
            return self._ordered(found, query, parent)
        finally:
            self._ctes = saved
            self._depth -= 1

    def _ordered(self, found: Compiled, query: tree.Query, parent: Scope | None) -> Compiled:
        cells = tuple(f"o{number}" for number in range(1, len(found.columns) + 1))
        source = Named("q", (), found.columns, cells)
        scope = Scope([source], parent)
        # The names of a compound's columns are those of its first query; what stands before one is ignored.
        items = (
            replace(one, value=tree.Name(one.value.parts[-1:]))
            if isinstance(one.value, tree.Name)
            else one
            for one in query.order
        )
        order = ", ".join(self._order_item(one, scope, found.columns, cells) for one in items)
        listed = ", ".join(cells)
        sql = f"SELECT {listed} FROM ({found.sql}) AS q ORDER BY {order}"  # noqa: S608 - compiled, never input
        return replace(found, sql=sql + self._window(query, None, parent))

    def _order_item(
        self,
        item: tree.OrderItem,
        scope: Scope,
        columns: Sequence[Output],
        cells: Sequence[str],
    ) -> str:
        down = " DESC" if item.descending else ""
        value = item.value
        if isinstance(value, tree.Literal) and isinstance(value.value, int):
            if not 1 <= value.value <= len(columns):
                raise TsqlError(
                    108,
                    text=f"The ORDER BY position number {value.value} is out of range of the "
                    f"number of items in "
                    "the select list.",
                )
            at = value.value - 1
            return self.expressions.sortable(Typed(cells[at], columns[at].type)) + down
        if isinstance(value, tree.Name) and len(value.parts) == 1:
            low = value.parts[0].lower()
            for column, cell in zip(columns, cells, strict=True):
                if column.name.lower() == low:
                    return self.expressions.sortable(Typed(cell, column.type)) + down
        return self.expressions.sortable(self.expressions.value(value, scope)) + down

    def _window(self, query: tree.Query, top: tree.Expr | None, parent: Scope | None) -> str:
        if top is not None:
            if query.offset is not None:
                raise TsqlError(
                    10741,
                    text="A TOP can not be used in the same query or sub-query as a OFFSET.",
                )
            return f" LIMIT {self._count(top, parent)}"
        if query.offset is None:
            return ""
        fetch = "-1" if query.fetch is None else self._count(query.fetch, parent)
        return f" LIMIT {fetch} OFFSET {self._count(query.offset, parent)}"

    def _count(self, value: tree.Expr, parent: Scope | None) -> str:
        found = self.expressions.value(value, parent or Scope())
        return self.expressions.as_type(found, SqlType("bigint")).sql

    def _body(self, body: tree.Body, parent: Scope | None) -> Compiled:
        if isinstance(body, tree.Select):
            return self._select(body, parent, tree.Query(body))
        if isinstance(body, tree.Values):
            return self._values(body, parent)
        left, right = self._body(body.left, parent), self._body(body.right, parent)
        if len(left.columns) != len(right.columns):
            raise TsqlError(205)
        columns = []
        for one, two in zip(left.columns, right.columns, strict=True):
            kind = self.expressions.common([Typed("", one.type), Typed("", two.type)]) or INT
            if kind.lob and body.op != "UNION ALL":
                raise TsqlError(421, kind.name)
            columns.append(replace(one, type=kind, identity=False))
        texts = [self._shaped(part, columns, body.op) for part in (left, right)]
        return Compiled(f"{texts[0]} {body.op} {texts[1]}", tuple(columns))

    def _shaped(self, part: Compiled, columns: list[Output], op: str) -> str:
        """One side of a compound with the types of the whole; a side that is a compound is wrapped."""
        cells = []
        for number, (own, wanted) in enumerate(zip(part.columns, columns, strict=True), 1):
            value = self.expressions.as_type(Typed(f"o{number}", own.type), wanted.type)
            text = value.sql if op == "UNION ALL" else self.expressions.sortable(value)
            cells.append(f"{text} AS o{number}")
        return f"SELECT {', '.join(cells)} FROM ({part.sql})"  # noqa: S608 - compiled, never input

    def _values(self, body: tree.Values, parent: Scope | None) -> Compiled:
        scope = parent or Scope()
        rows = [[self.expressions.value(one, scope) for one in row] for row in body.rows]
        width = len(rows[0])
        if any(len(row) != width for row in rows):
            raise TsqlError(
                10709,
                text="The number of columns for each row in a table value constructor must be the same.",
            )
        kinds = [self.expressions.common([row[at] for row in rows]) or INT for at in range(width)]
        texts = [
            "SELECT "
            + ", ".join(
                f"{self.expressions.as_type(one, kind).sql} AS o{number}"
                for number, (one, kind) in enumerate(zip(row, kinds, strict=True), 1)
            )
            for row in rows
        ]
        columns = tuple(Output("", kind) for kind in kinds)
        return Compiled(" UNION ALL ".join(texts), columns)

    # -- one SELECT --------------------------------------------------------------------------

    def _select(self, select: tree.Select, parent: Scope | None, query: tree.Query) -> Compiled:
        if select.into is not None:
            raise NotModelledError("SELECT INTO")
        scope = Scope(parent=parent)
        tables = ", ".join(self.source(one, scope) for one in select.sources)
        where = self._clause("WHERE", select.where, scope)
        aggregated = bool(select.group) or select.having is not None or _aggregates(select)
        group = ""
        if aggregated:
            if any(isinstance(one, tree.Literal) for one in select.group):
                raise TsqlError(
                    164,
                    text="Each GROUP BY expression must contain at least one column that is not an outer "
                    "reference.",
                )
            texts = [self.expressions.value(one, scope) for one in select.group]
            scope.grouped = {one.sql for one in texts}
            if texts:
                group = " GROUP BY " + ", ".join(self.expressions.sortable(one) for one in texts)
        items = self._items(select, scope)
        having = self._clause("HAVING", select.having, scope)
        cells, columns = [], []
        for number, (output, value, _) in enumerate(items, 1):
            text = self.expressions.sortable(value) if select.distinct else value.sql
            cells.append(f"{text} AS o{number}")
            columns.append(output)
        order = self._order(query, scope, items)
        limit = self._window(query, select.top, parent)
        distinct = "DISTINCT " if select.distinct else ""
        head = f"SELECT {distinct}{', '.join(cells)}"
        sql = head + (f" FROM {tables}" if tables else "") + where + group + having + order + limit
        if limit:
            # A side of a compound may have no LIMIT of its own.
            listed = ", ".join(f"o{number}" for number in range(1, len(cells) + 1))
            sql = f"SELECT {listed} FROM ({sql})"  # noqa: S608 - compiled, never input
        return Compiled(sql, tuple(columns), tuple(one for *_, one in items if one))

    def _clause(self, word: str, condition: tree.Cond | None, scope: Scope) -> str:
        return (
            "" if condition is None else f" {word} {self.expressions.condition(condition, scope)}"
        )

    def _items(self, select: tree.Select, scope: Scope) -> list[tuple[Output, Typed, str]]:
        found: list[tuple[Output, Typed, str]] = []
        for item in select.items:
            if isinstance(item.value, tree.Star):
                found += [(output, value, "") for output, value in scope.star(item.value.parts)]
                continue
            value = self.expressions.value(item.value, scope)
            name = item.alias or ""
            if not name and isinstance(item.value, tree.Name):
                name = item.value.parts[-1]
            kind = value.type or INT
            label = IMPLICIT if value.label else COERCIBLE
            found.append(
                (
                    Output(name, kind, label),
                    Typed(value.sql, kind, value.label),
                    item.variable or "",
                )
            )
        if any(one for *_, one in found) and not all(one for *_, one in found):
            raise TsqlError(
                141,
                text="A SELECT statement that assigns a value to a variable must not be combined with "
                "data-retrieval operations.",
            )
        return found

    def _order(
        self, query: tree.Query, scope: Scope, items: list[tuple[Output, Typed, str]]
    ) -> str:
        if not query.order:
            return ""
        columns = [output for output, *_ in items]
        texts = [value.sql for _, value, _ in items]
        return " ORDER BY " + ", ".join(
            self._order_item(one, scope, columns, texts) for one in query.order
        )

    # -- FROM --------------------------------------------------------------------------------

    def source(self, source: tree.Source, scope: Scope) -> str:
        """One source, added to the scope; SQLite's text of it."""
        match source:
            case tree.TableRef():
                return self._table(source, scope)
            case tree.Derived(query, alias, names):
                found = self.query(query)
                return self._derived(found, (alias,), names, scope)
            case tree.TableFunction(parts, _, alias):
                return self._function(parts, alias, scope)
            case tree.Join(kind, left, right, on):
                first, second = self.source(left, scope), self.source(right, scope)
                if on is None:
                    return f"({first} CROSS JOIN {second})"
                condition = self.expressions.condition(on, scope)
                if kind == "RIGHT":
                    # SQLite has RIGHT and FULL only from 3.39 on; columns are found by alias, not by place.
                    return f"({second} LEFT JOIN {first} ON {condition})"
                if kind == "FULL" and sqlite_version_info < (3, 39):
                    raise NotModelledError("FULL JOIN over this SQLite")
                return f"({first} {kind} JOIN {second} ON {condition})"

    def _alias(self) -> str:
        self._aliases += 1
        return f"s{self._aliases}"

    def _derived(
        self, found: Compiled, parts: tuple[str, ...], names: tuple[str, ...], scope: Scope
    ) -> str:
        if names and len(names) != len(found.columns):
            raise TsqlError(
                8158, text=f"'{parts[-1]}' has more columns than were specified in the column list."
            )
        columns = found.columns
        if names:
            columns = tuple(
                replace(one, name=name) for one, name in zip(columns, names, strict=True)
            )
        for number, one in enumerate(columns, 1):
            if not one.name:
                raise TsqlError(8155, number, parts[-1])
        alias = self._alias()
        cells = tuple(f"o{number}" for number in range(1, len(columns) + 1))
        scope.sources.append(Named(alias, parts, columns, cells))
        return f"({found.sql}) AS {alias}"

    def _table(self, ref: tree.TableRef, scope: Scope) -> str:
        names = (ref.alias,) if ref.alias else ref.parts
        if len(ref.parts) == 1 and (cte := self._ctes.get(ref.parts[0].lower())) is not None:
            saved = self._ctes
            # A query of WITH does not see itself: recursion is not modelled.
            self._ctes = {k: v for k, v in saved.items() if v is not cte}
            try:
                return self._derived(self.query(cte.query), names, cte.columns, scope)
            finally:
                self._ctes = saved
        system = self.session.system_rows(ref.parts)
        if system is not None:
            return self._system(*system, names, scope)
        table = self.session.table(ref.parts, ref.hints)
        if table.query is not None:
            listed = tuple(one.name for one in table.columns)
            saved, self._ctes = self._ctes, {}
            try:
                return self._derived(self.query(table.query), names, listed, scope)
            finally:
                self._ctes = saved
        alias = self._alias()
        scope.sources.append(named(table, alias, names))
        return f"{table.place} AS {alias}"

    def _system(
        self,
        columns: tuple[Output, ...],
        rows: list[tuple[Cell, ...]],
        names: tuple[str, ...],
        scope: Scope,
    ) -> str:
        place = self.expressions.bind(self.session.json_of(rows))
        cells = ", ".join(
            f"json_extract(value, '$[{at}]') AS o{at + 1}" for at in range(len(columns))
        )
        alias = self._alias()
        numbered = tuple(f"o{at + 1}" for at in range(len(columns)))
        scope.sources.append(Named(alias, names, columns, numbered))
        return f"(SELECT {cells} FROM json_each({place})) AS {alias}"  # noqa: S608 - compiled, never input

    def _function(self, parts: tuple[str, ...], alias: str | None, scope: Scope) -> str:
        system = self.session.system_rows((*parts[:-1], parts[-1] + "()"))
        if system is None:
            raise NotModelledError(f"the table function {'.'.join(parts)}")
        return self._system(*system, (alias or parts[-1],), scope)

    # -- subqueries --------------------------------------------------------------------------

    def scalar(self, query: tree.Query, scope: Scope) -> Typed:
        """A subquery as a value: error 512 when it has several rows."""
        found = self.query(query, scope)
        if len(found.columns) != 1:
            raise TsqlError(116)
        [column] = found.columns
        return Typed(f"(SELECT t_only(o1) FROM ({found.sql}))", column.type, column.label)  # noqa: S608 - compiled

    def exists(self, query: tree.Query, scope: Scope) -> str:
        """EXISTS."""
        return f"EXISTS ({self.query(query, scope).sql})"

    def member(self, value: Typed, query: tree.Query, scope: Scope) -> str:
        """IN with a query, compared by the types of both sides."""
        found = self.query(query, scope)
        if len(found.columns) != 1:
            raise TsqlError(116)
        [column] = found.columns
        same = self.expressions.compare("=", value, Typed("o1", column.type, column.label))
        # x IN (query) is NULL when nothing is equal and something is NULL.
        return (
            f"(CASE WHEN EXISTS (SELECT 1 FROM ({found.sql}) WHERE {same}) THEN 1 "  # noqa: S608 - compiled
            f"WHEN EXISTS (SELECT 1 FROM ({found.sql}) WHERE {same} IS NULL) THEN NULL ELSE 0 END)"
        )


def named(table: Table, alias: str, names: tuple[str, ...]) -> Named:
    """A table as a source of a query."""
    columns = tuple(
        Output(one.name, one.type, IMPLICIT, one.nullable, one.identity is not None)
        for one in table.columns
    )
    return Named(alias, names, columns, tuple(one.cell for one in table.columns))


def _aggregates(select: tree.Select) -> bool:
    return any(_aggregate(item.value) for item in select.items)


def _aggregate(value: object) -> bool:
    """Whether an expression has an aggregate of its own level."""
    match value:
        case tree.Call(name, arguments, _, _, over):
            if name in AGGREGATES and over is None:
                return True
            return any(_aggregate(one) for one in arguments)
        case tree.Binary(_, left, right):
            return _aggregate(left) or _aggregate(right)
        case tree.Unary(_, operand) | tree.Cast(operand) | tree.Collate(operand):
            return _aggregate(operand)
        case tree.Case(operand, whens, default):
            parts = [operand, default, *(part for when in whens for part in when)]
            return any(_aggregate(one) for one in parts)
        case tree.Compare(_, left, right) | tree.Logic(_, left, right):
            return _aggregate(left) or _aggregate(right)
        case tree.IsNull(operand) | tree.Not(operand) | tree.Between(operand) | tree.In(operand):
            return _aggregate(operand)
        case _:
            return False
