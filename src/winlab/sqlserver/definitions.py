"""CREATE, ALTER and DROP.

Source: "CREATE TABLE", "CREATE INDEX", "ALTER TABLE", "DROP TABLE" (Transact-SQL reference).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from winlab.sqlserver import actions as act
from winlab.sqlserver import syntax as tree
from winlab.sqlserver.cursor import Cursor
from winlab.sqlserver.errors import NotModelledError

if TYPE_CHECKING:
    from winlab.sqlserver.queries import Queries


class Definitions:
    """Reads definitions from a cursor."""

    def __init__(self, cursor: Cursor, queries: Queries) -> None:
        """Share one place in the text."""
        self._c = cursor
        self._queries = queries
        self._expressions = queries.expressions

    def create(self) -> act.Action:
        """Tables, indexes, views, schemas and databases."""
        cursor = self._c
        begin = cursor.token
        cursor.need("CREATE")
        if cursor.take("TABLE"):
            return act.CreateTable(cursor.names(), self.table_items())
        if cursor.take("VIEW"):
            return self._view(begin.at)
        if cursor.take("SCHEMA"):
            name = cursor.name()
            if cursor.take("AUTHORIZATION"):
                cursor.name()
            return act.CreateSchema(name)
        if cursor.take("DATABASE"):
            name = cursor.name()
            collation = cursor.name() if cursor.take("COLLATE") else None
            return act.CreateDatabase(name, collation)
        unique = cursor.take("UNIQUE")
        clustered = cursor.take("CLUSTERED")
        if not clustered:
            cursor.take("NONCLUSTERED")
        if cursor.take("INDEX"):
            return self._index(unique, clustered)
        raise NotModelledError(
            f"CREATE {cursor.token.upper or cursor.token.text}", line=cursor.token.line
        )

    def _view(self, begin: int) -> act.Action:
        cursor = self._c
        view = cursor.names()
        columns = cursor.name_list() if cursor.at_op("(") else ()
        cursor.need("AS")
        query = self._queries.query()
        if cursor.token.kind != "end" and not cursor.at_op(";"):
            raise cursor.fail()
        return act.CreateView(view, columns, query, cursor.text[begin:])

    def _index(self, unique: bool, clustered: bool) -> act.Action:
        cursor = self._c
        name = cursor.name()
        cursor.need("ON")
        table = cursor.names()
        columns = cursor.name_list()
        if cursor.at("INCLUDE", "WHERE"):
            raise NotModelledError(
                f"CREATE INDEX with {cursor.token.upper}", line=cursor.token.line
            )
        self._storage()
        return act.CreateIndex(name, table, columns, unique, clustered)

    def _storage(self) -> None:
        """Fill factors and file groups say how, not what: they are read over."""
        cursor = self._c
        if cursor.at("WITH") and cursor.peek().text == "(":
            cursor.next()
            self._queries.read_over_parentheses()
        if cursor.at("ON", "TEXTIMAGE_ON"):
            cursor.next()
            if cursor.take("PRIMARY"):
                return
            cursor.name()

    def table_items(self) -> tuple[act.TableItem, ...]:
        """What stands between the parentheses of a table's definition, and how it is stored."""
        cursor = self._c
        cursor.need_op("(")
        found: list[act.TableItem] = []
        while True:
            found += self._table_item()
            if not cursor.take_op(","):
                break
            if cursor.at_op(")"):
                break
        cursor.need_op(")")
        self._storage()
        self._storage()
        return tuple(found)

    def _table_item(self) -> list[act.TableItem]:
        cursor = self._c
        if cursor.at("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"):
            name = cursor.name() if cursor.take("CONSTRAINT") else None
            return [self._constraint(name, None)]
        return self._column()

    def _column(self) -> list[act.TableItem]:
        cursor = self._c
        name = cursor.name()
        if cursor.at("AS"):
            raise NotModelledError("computed columns", line=cursor.token.line)
        kind = self._expressions.type_name()
        nullable: bool | None = None
        collation = default_name = None
        identity: tuple[int, int] | None = None
        default: tree.Expr | None = None
        default_text = ""
        more: list[act.TableItem] = []
        while True:
            label = cursor.name() if cursor.take("CONSTRAINT") else None
            if cursor.take("NOT", "NULL"):
                nullable = False
            elif cursor.take("NULL"):
                nullable = True
            elif cursor.take("COLLATE"):
                collation = cursor.name()
            elif cursor.take("IDENTITY"):
                identity = self._identity()
            elif cursor.take("DEFAULT"):
                begin = cursor.token
                default = self._expressions.expression()
                default_text, default_name = cursor.since(begin), label
            elif cursor.at("PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "FOREIGN"):
                more.append(self._constraint(label, name))
            elif cursor.at("ROWGUIDCOL", "SPARSE"):
                raise NotModelledError(f"columns with {cursor.token.upper}", line=cursor.token.line)
            else:
                break
        if nullable is None and any(isinstance(one, act.KeyDef) and one.primary for one in more):
            nullable = False
        column = act.ColumnDef(
            name, kind, nullable, collation, identity, default, default_text, default_name
        )
        return [column, *more]

    def _identity(self) -> tuple[int, int]:
        cursor = self._c
        if not cursor.take_op("("):
            return (1, 1)
        numbers = []
        for last in (False, True):
            sign = -1 if cursor.take_op("-") else 1
            token = cursor.next()
            if token.kind != "number":
                raise cursor.fail(token)
            numbers.append(sign * int(token.text))
            cursor.need_op(")" if last else ",")
        return (numbers[0], numbers[1])

    def _constraint(self, name: str | None, column: str | None) -> act.TableItem:
        cursor = self._c
        if cursor.at("PRIMARY", "UNIQUE"):
            primary = cursor.take("PRIMARY", "KEY")
            if not primary:
                cursor.need("UNIQUE")
            clustered: bool | None = True if cursor.take("CLUSTERED") else None
            if clustered is None and cursor.take("NONCLUSTERED"):
                clustered = False
            columns = (column,) if column and not cursor.at_op("(") else cursor.name_list()
            self._storage()
            return act.KeyDef(primary, columns, name, clustered)
        if cursor.take("CHECK"):
            cursor.need_op("(")
            begin = cursor.token
            condition = self._expressions.condition()
            text = cursor.since(begin)
            cursor.need_op(")")
            return act.CheckDef(condition, text, name)
        if cursor.take("FOREIGN", "KEY"):
            columns = (column,) if column and not cursor.at_op("(") else cursor.name_list()
        else:
            columns = (column,) if column else ()
        cursor.need("REFERENCES")
        table = cursor.names()
        referred = cursor.name_list() if cursor.at_op("(") else ()
        if cursor.at("ON") and cursor.peek().upper in {"DELETE", "UPDATE"}:
            raise NotModelledError("foreign keys with actions", line=cursor.token.line)
        return act.ForeignDef(columns, table, referred, name)

    def alter(self) -> act.Action:
        """ALTER TABLE ADD, ALTER DATABASE SET ONLINE and OFFLINE."""
        cursor = self._c
        cursor.need("ALTER")
        if cursor.take("DATABASE"):
            name = cursor.name()
            cursor.need("SET")
            word = cursor.next()
            if word.upper not in {"ONLINE", "OFFLINE"}:
                raise NotModelledError(f"ALTER DATABASE SET {word.upper}", line=word.line)
            if cursor.take("WITH"):
                cursor.need("ROLLBACK")
                cursor.need("IMMEDIATE")
            return act.AlterDatabase(name, word.upper)
        cursor.need("TABLE")
        table = cursor.names()
        if not cursor.take("ADD"):
            raise NotModelledError(f"ALTER TABLE {cursor.token.upper}", line=cursor.token.line)
        found = self._table_item()
        while cursor.take_op(","):
            found += self._table_item()
        return act.AlterTable(table, tuple(found))

    def drop(self) -> act.Action:
        """DROP; IF EXISTS came with SQL Server 2016."""
        cursor = self._c
        cursor.need("DROP")
        kind = cursor.token.upper
        if kind not in {"TABLE", "VIEW", "INDEX", "DATABASE"}:
            raise NotModelledError(f"DROP {kind or cursor.token.text}", line=cursor.token.line)
        cursor.next()
        exists = False
        if cursor.at("IF"):
            if cursor.major < 13:
                raise cursor.fail()
            cursor.need("IF", "EXISTS")
            exists = True
        names = [cursor.names()]
        if kind == "INDEX" and cursor.take("ON"):
            return act.Drop(kind, (names[0],), exists, cursor.names())
        while cursor.take_op(","):
            names.append(cursor.names())
        return act.Drop(kind, tuple(names), exists)
