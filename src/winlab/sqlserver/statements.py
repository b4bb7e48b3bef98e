"""Batches: statements and control of flow. Source: "Control-of-Flow" and each statement's own page in the
Transact-SQL reference. The whole batch is read before any of it runs, as the server does."""

from __future__ import annotations

from winlab.sqlserver import actions as act
from winlab.sqlserver import syntax as tree
from winlab.sqlserver.calls import STATEMENTS, Calls
from winlab.sqlserver.cursor import Cursor
from winlab.sqlserver.definitions import Definitions
from winlab.sqlserver.errors import NotModelledError
from winlab.sqlserver.queries import Queries

_NOT_MODELLED = {
    "MERGE",
    "GRANT",
    "REVOKE",
    "DENY",
    "BACKUP",
    "RESTORE",
    "DBCC",
    "KILL",
    "GOTO",
    "OPEN",
    "CLOSE",
    "DEALLOCATE",
    "FETCH",
    "BULK",
    "CHECKPOINT",
    "SHUTDOWN",
    "RECONFIGURE",
}


def parse(text: str, major: int, *, quoted_identifiers: bool = True) -> list[act.Statement]:
    """The statements of a batch for a server of version ``major`` (10 is SQL Server 2008).

    Raises:
        TsqlError: the text is no batch, with the error and the line that the server would give.
        NotModelledError: it is one of those that the lab does not know.
    """
    cursor = Cursor(text, major, quoted_identifiers=quoted_identifiers)
    return _Statements(cursor).until_end()


class _Statements:
    def __init__(self, cursor: Cursor) -> None:
        self._c = cursor
        self._queries = Queries(cursor)
        self._expressions = self._queries.expressions
        self._definitions = Definitions(cursor, self._queries)
        self._calls = Calls(cursor, self._expressions)

    def until_end(self) -> list[act.Statement]:
        found: list[act.Statement] = []
        while True:
            while self._c.take_op(";"):
                pass
            if self._c.token.kind == "end":
                return found
            found.append(self.statement(first=not found))

    def statement(self, *, first: bool = False) -> act.Statement:
        cursor = self._c
        line = cursor.token.line
        cursor.deeper()
        try:
            action = self._action(first)
        except NotModelledError as error:
            error.line = error.line or line
            raise
        cursor.shallower()
        while cursor.take_op(";"):
            pass
        return act.Statement(action, line)

    def _block(self, end: str, *more: str) -> tuple[act.Statement, ...]:
        found = []
        while not self._c.at(end):
            if self._c.token.kind == "end":
                raise self._c.fail()
            found.append(self.statement())
            while self._c.take_op(";"):
                pass
        self._c.need(end, *more)
        if not found:
            raise self._c.fail(self._c.peek(-1))
        return tuple(found)

    def _action(self, first: bool) -> act.Action:
        cursor = self._c
        if cursor.at_op("("):
            return act.QueryStatement(self._queries.query())
        if cursor.token.kind != "word":
            raise cursor.fail()
        word = cursor.token.upper
        method = getattr(self, f"_{word.lower()}", None)
        if method is not None and word in STATEMENTS:
            found: act.Action = method()
            return found
        if word in _NOT_MODELLED:
            raise NotModelledError(f"the statement {word}", line=cursor.token.line)
        if first and not cursor.token.reserved:
            # A batch may begin with a procedure's name ("EXECUTE").
            return self._calls.call(cursor.names())
        raise cursor.fail()

    # -- queries and changes -----------------------------------------------------------------

    def _select(self) -> act.Action:
        return act.QueryStatement(self._queries.query())

    def _with(self) -> act.Action:
        ctes = self._queries.with_clause()
        if self._c.at("SELECT"):
            return act.QueryStatement(self._queries.query(ctes=ctes))
        raise NotModelledError(f"WITH before {self._c.token.upper}", line=self._c.token.line)

    def _insert(self) -> act.Action:
        cursor = self._c
        cursor.need("INSERT")
        if cursor.at("TOP"):
            raise NotModelledError("INSERT TOP", line=cursor.token.line)
        cursor.take("INTO")
        table = self._target()
        columns = cursor.name_list() if cursor.at_op("(") and not self._query_follows() else ()
        output = self._output()
        if cursor.take("DEFAULT", "VALUES"):
            return act.Insert(table, columns, None, output)
        if cursor.at("EXEC", "EXECUTE"):
            raise NotModelledError("INSERT with EXECUTE", line=cursor.token.line)
        if not cursor.at("VALUES", "SELECT", "WITH") and not cursor.at_op("("):
            raise cursor.fail()
        return act.Insert(table, columns, self._queries.query(), output)

    def _query_follows(self) -> bool:
        return self._c.peek().kind == "word" and self._c.peek().upper in {
            "SELECT",
            "VALUES",
            "WITH",
        }

    def _target(self) -> tree.TableRef:
        table = self._queries.table()
        assert isinstance(table, tree.TableRef)
        return table

    def _output(self) -> tuple[tree.Item, ...]:
        if not self._c.take("OUTPUT"):
            return ()
        items = self._queries.items()
        if self._c.at("INTO"):
            raise NotModelledError("OUTPUT INTO", line=self._c.token.line)
        return items

    def _update(self) -> act.Action:
        cursor = self._c
        cursor.need("UPDATE")
        top = self._queries.top()
        table = self._target()
        cursor.need("SET")
        sets = [self._set_item()]
        while cursor.take_op(","):
            sets.append(self._set_item())
        output = self._output()
        sources = self._queries.sources() if cursor.take("FROM") else ()
        where = self._expressions.condition() if cursor.take("WHERE") else None
        return act.Update(table, tuple(sets), sources, where, output, top)

    def _set_item(self) -> tuple[str, tree.Expr]:
        cursor = self._c
        if cursor.token.kind == "variable":
            raise NotModelledError("UPDATE that sets variables", line=cursor.token.line)
        parts = cursor.names()
        if cursor.token.kind == "op" and cursor.token.text in {"+=", "-=", "*=", "/=", "%="}:
            op = cursor.next().text[0]
            return parts[-1], tree.Binary(op, tree.Name(parts), self._expressions.expression())
        cursor.need_op("=")
        return parts[-1], self._expressions.expression()

    def _delete(self) -> act.Action:
        cursor = self._c
        cursor.need("DELETE")
        top = self._queries.top()
        cursor.take("FROM")
        table = self._target()
        output = self._output()
        sources = self._queries.sources() if cursor.take("FROM") else ()
        where = self._expressions.condition() if cursor.take("WHERE") else None
        return act.Delete(table, sources, where, output, top)

    def _truncate(self) -> act.Action:
        self._c.need("TRUNCATE", "TABLE")
        return act.Truncate(self._c.names())

    def _exec(self) -> act.Action:
        return self._calls.execute()

    _execute = _exec

    def _create(self) -> act.Action:
        return self._definitions.create()

    def _alter(self) -> act.Action:
        return self._definitions.alter()

    def _drop(self) -> act.Action:
        return self._definitions.drop()

    # -- variables and options ---------------------------------------------------------------

    def _declare(self) -> act.Action:
        cursor = self._c
        cursor.need("DECLARE")
        items = []
        while True:
            token = cursor.token
            if token.kind != "variable":
                raise cursor.fail()
            cursor.next()
            cursor.take("AS")
            if cursor.take("TABLE"):
                return act.DeclareTable(token.text.lower(), self._definitions.table_items())
            if cursor.at("CURSOR"):
                raise NotModelledError("cursors", line=token.line)
            kind = self._expressions.type_name()
            value = self._expressions.expression() if cursor.take_op("=") else None
            items.append((token.text.lower(), kind, value))
            if not cursor.take_op(","):
                return act.Declare(tuple(items))

    def _set(self) -> act.Action:
        cursor = self._c
        cursor.need("SET")
        token = cursor.token
        if token.kind == "variable":
            cursor.next()
            if cursor.token.kind == "op" and cursor.token.text in {"+=", "-=", "*=", "/=", "%="}:
                op = cursor.next().text[0]
                right = self._expressions.expression()
                name = token.text.lower()
                return act.SetVariable(name, tree.Binary(op, tree.Variable(name), right))
            cursor.need_op("=")
            return act.SetVariable(token.text.lower(), self._expressions.expression())
        if cursor.take("TRANSACTION", "ISOLATION", "LEVEL"):
            words = [cursor.name().upper()]
            if words[0] in {"READ", "REPEATABLE"}:
                words.append(cursor.name().upper())
            return act.SetOption(("ISOLATION",), " ".join(words))
        if cursor.take("IDENTITY_INSERT"):
            table = ".".join(cursor.names())
            return act.SetOption(("IDENTITY_INSERT", table), self._on_off())
        names = [self._option()]
        while cursor.take_op(","):
            names.append(self._option())
        value = cursor.next()
        if value.kind == "op" and value.text == "-":
            value = cursor.next()
            return act.SetOption(tuple(names), f"-{value.text}")
        if value.kind not in {"word", "number", "string", "nstring", "name"}:
            raise cursor.fail(value)
        return act.SetOption(tuple(names), value.text.upper())

    def _option(self) -> str:
        word = self._c.name().upper()
        if word == "STATISTICS":
            word += f" {self._c.name().upper()}"
        return word

    def _on_off(self) -> str:
        for word in ("ON", "OFF"):
            if self._c.take(word):
                return word
        raise self._c.fail()

    def _use(self) -> act.Action:
        self._c.need("USE")
        return act.Use(self._c.name())

    # -- control of flow ---------------------------------------------------------------------

    def _if(self) -> act.Action:
        cursor = self._c
        cursor.need("IF")
        condition = self._expressions.condition()
        then = self.statement()
        otherwise = self.statement() if cursor.take("ELSE") else None
        return act.If(condition, then, otherwise)

    def _while(self) -> act.Action:
        self._c.need("WHILE")
        condition = self._expressions.condition()
        return act.While(condition, self.statement())

    def _begin(self) -> act.Action:
        cursor = self._c
        cursor.need("BEGIN")
        if cursor.take("TRAN") or cursor.take("TRANSACTION"):
            return act.Transaction("begin", self._transaction_name())
        if cursor.take("TRY"):
            body = self._block("END", "TRY")
            while cursor.take_op(";"):
                pass
            cursor.need("BEGIN", "CATCH")
            handler: tuple[act.Statement, ...] = ()
            if not cursor.take("END", "CATCH"):
                handler = self._block("END", "CATCH")
            return act.TryCatch(body, handler)
        cursor.take_op(";")
        return act.Block(self._block("END"))

    def _transaction_name(self) -> str:
        token = self._c.token
        if token.kind == "name" or (
            token.kind == "word" and not token.reserved and not self._starts()
        ):
            return self._c.next().text
        return ""

    def _starts(self) -> bool:
        return self._c.token.upper in STATEMENTS

    def _commit(self) -> act.Action:
        return self._ended("COMMIT")

    def _rollback(self) -> act.Action:
        return self._ended("ROLLBACK")

    def _ended(self, word: str) -> act.Action:
        cursor = self._c
        cursor.need(word)
        if cursor.take("TRAN") or cursor.take("TRANSACTION"):
            return act.Transaction(word.lower(), self._transaction_name())
        cursor.take("WORK")
        return act.Transaction(word.lower())

    def _save(self) -> act.Action:
        self._c.need("SAVE")
        if not self._c.take("TRAN"):
            self._c.need("TRANSACTION")
        return act.Transaction("save", self._c.name())

    def _return(self) -> act.Action:
        cursor = self._c
        cursor.need("RETURN")
        value = None
        if cursor.token.kind in {"number", "variable"} or cursor.at_op("-", "("):
            value = self._expressions.expression()
        return act.Jump("RETURN", value)

    def _break(self) -> act.Action:
        self._c.need("BREAK")
        return act.Jump("BREAK")

    def _continue(self) -> act.Action:
        self._c.need("CONTINUE")
        return act.Jump("CONTINUE")

    def _waitfor(self) -> act.Action:
        cursor = self._c
        cursor.need("WAITFOR")
        if not cursor.take("DELAY"):
            raise NotModelledError(f"WAITFOR {cursor.token.upper}", line=cursor.token.line)
        return act.WaitFor(self._expressions.expression())

    def _print(self) -> act.Action:
        self._c.need("PRINT")
        return act.Print(self._expressions.expression())

    def _raiserror(self) -> act.Action:
        cursor = self._c
        cursor.need("RAISERROR")
        cursor.need_op("(")
        values = self._expressions.list_until_close()
        if len(values) < 3:
            raise cursor.fail()
        if cursor.take("WITH"):
            while True:
                option = cursor.next()
                if option.upper not in {"NOWAIT", "LOG", "SETERROR"}:
                    raise cursor.fail(option)
                if option.upper != "NOWAIT":
                    raise NotModelledError(f"RAISERROR WITH {option.upper}", line=option.line)
                if not cursor.take_op(","):
                    break
        return act.Raiserror(values[0], values[1], values[2], tuple(values[3:]))

    def _throw(self) -> act.Action:
        """THROW came with SQL Server 2012 ("THROW")."""
        cursor = self._c
        if cursor.major < 11:
            raise cursor.fail()
        cursor.need("THROW")
        if cursor.token.kind not in {"number", "variable"}:
            return act.Throw()
        values = [self._expressions.expression()]
        for _ in range(2):
            cursor.need_op(",")
            values.append(self._expressions.expression())
        return act.Throw(tuple(values))
