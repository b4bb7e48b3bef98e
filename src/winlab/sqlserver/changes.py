"""INSERT, UPDATE, DELETE and TRUNCATE. Source: each statement's page (Transact-SQL reference)."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from winlab.sqlserver import actions as act
from winlab.sqlserver import syntax as tree
from winlab.sqlserver.catalog import Column, Table
from winlab.sqlserver.errors import NotModelledError, TsqlError
from winlab.sqlserver.events import Done, Event, Result
from winlab.sqlserver.scope import Named, Output, Scope, Typed
from winlab.sqlserver.selects import Selects, named
from winlab.sqlserver.types import INT, number_of
from winlab.sqlserver.values import Cell, native

if TYPE_CHECKING:
    from winlab.sqlserver.session import Session

Run: TypeAlias = Generator[Event, bool | None, None]
Change: TypeAlias = act.Insert | act.Update | act.Delete | act.Truncate


def perform(session: Session, action: Change) -> Run:
    """Run a change once it may write. Raises :class:`TsqlError` for rows that cannot be so."""
    parts = action.table if isinstance(action, act.Truncate) else action.table.parts
    if session.doomed and not parts[-1].startswith("@"):
        raise TsqlError(3930)
    table = _target(session, action)
    local = table.place.startswith("temp.")
    if not local:
        _permit(session, action, table)
    make = _Maker(session, table)
    sql, columns = make.compile(action)
    if (yield from session.lock(write=not local, writes=None if local else table)):
        # Whoever held the lock may have changed the tables: look again.
        table = _target(session, action)
        make = _Maker(session, table)
        sql, columns = make.compile(action)
    try:
        cursor = session.run(sql, make.selects.bound)
        rows = cursor.fetchall() if columns else []
        count = len(rows) if columns else cursor.rowcount
    except sqlite3.IntegrityError as error:
        raise _refused(session, table, action, error) from error
    if not local:
        session.instance.wrote(f"sql {session.database.name}.{table.schema}.{table.name}")
    if isinstance(action, act.Truncate):
        session.database.identities.pop(table.id, None)
        yield Done()
        return
    session.rowcount = max(count, 0)
    if columns:
        kinds = [one.type for one in columns]
        yield Result(columns, [tuple(map(native, row, kinds)) for row in rows])
    yield Done(None if session.nocount else session.rowcount)


def _permit(session: Session, action: Change, table: Table) -> None:
    what = "ALTER" if isinstance(action, act.Truncate) else type(action).__name__.upper()
    session.permit(what, table)


def _target(session: Session, action: Change) -> Table:
    """The table to change; UPDATE and DELETE may name an alias of their FROM."""
    if isinstance(action, act.Truncate):
        return _plain(session.find_table(action.table))
    if isinstance(action, (act.Update, act.Delete)) and len(action.table.parts) == 1:
        low = action.table.parts[0].lower()
        for ref in _refs(action.sources):
            if (ref.alias or ref.parts[-1]).lower() == low:
                return _plain(session.find_table(ref.parts))
    return _plain(session.find_table(action.table.parts))


def _plain(table: Table) -> Table:
    if table.query is not None:
        raise NotModelledError("changes through views")
    return table


def _refs(sources: Sequence[tree.Source]) -> list[tree.TableRef]:
    found: list[tree.TableRef] = []
    for source in sources:
        if isinstance(source, tree.TableRef):
            found.append(source)
        elif isinstance(source, tree.Join):
            found += _refs((source.left, source.right))
    return found


class _Maker:
    """Compiles one change of one table."""

    def __init__(self, session: Session, table: Table) -> None:
        self.session = session
        self.table = table
        self.selects = Selects(session)
        self.expressions = self.selects.expressions

    def compile(self, action: Change) -> tuple[str, tuple[Output, ...]]:
        """SQLite's text, and the columns of OUTPUT."""
        match action:
            case act.Insert():
                sql = self._insert(action)
                return self._with_output(sql, action.output, "inserted")
            case act.Update():
                return self._with_output(self._update(action), action.output, "inserted")
            case act.Delete():
                return self._with_output(self._delete(action), action.output, "deleted")
            case _:
                return f"DELETE FROM {self.table.place}", ()  # noqa: S608 - our own names

    # -- INSERT ------------------------------------------------------------------------------

    def _insert(self, action: act.Insert) -> str:
        columns = self._insert_columns(action)
        identity = self.table.identity
        cells = [one.cell for one in columns]
        missing = [one for one in self.table.columns if one not in columns]
        extra: list[tuple[str, str]] = []
        for column in missing:
            if column is identity:
                extra.append((column.cell, f"t_identity({self.table.id})"))
            elif column.default is not None:
                value = self.expressions.value(column.default, Scope())
                extra.append((column.cell, self._stored(value, column)))
        names = ", ".join([*cells, *(name for name, _ in extra)])
        tail = "".join(f", {value}" for _, value in extra)
        if action.source is None:
            if not extra:
                return f"INSERT INTO {self.table.place} DEFAULT VALUES"
            return f"INSERT INTO {self.table.place} ({names}) VALUES ({tail[2:]})"  # noqa: S608 - compiled
        body = action.source.body
        if isinstance(body, tree.Values):
            rows = ", ".join(f"({self._row(row, columns)}{tail})" for row in body.rows)
            return f"INSERT INTO {self.table.place} ({names}) VALUES {rows}"  # noqa: S608 - compiled
        found = self.selects.query(action.source)
        if len(found.columns) != len(columns):
            raise TsqlError(120 if len(found.columns) < len(columns) else 121)
        values = ", ".join(
            self._stored(Typed(f"o{number}", one.type), column)
            for number, (one, column) in enumerate(zip(found.columns, columns, strict=True), 1)
        )
        # WHERE keeps SQLite from reading ON of a join as that of an upsert.
        return f"INSERT INTO {self.table.place} ({names}) SELECT {values}{tail} FROM ({found.sql}) WHERE 1"  # noqa: S608 - compiled

    def _insert_columns(self, action: act.Insert) -> list[Column]:
        identity = self.table.identity
        if not action.columns:
            found = [one for one in self.table.columns if one is not identity]
            if action.source is None:
                return []
            body = action.source.body
            if isinstance(body, tree.Values) and len(body.rows[0]) != len(found):
                raise TsqlError(213)
            return found
        found = []
        for name in action.columns:
            column = self.table.column(name)
            if column is None:
                raise TsqlError(207, name)
            if column in found:
                raise TsqlError(264, text=f"The column name '{name}' is specified more than once.")
            found.append(column)
        if (
            identity in found
            and self.session.identity_insert != f"{self.table.schema}.{self.table.name}".lower()
        ):
            raise TsqlError(544, self.table.name)
        return found

    def _row(self, row: Sequence[tree.Expr], columns: Sequence[Column]) -> str:
        if len(row) != len(columns):
            raise TsqlError(109 if len(row) < len(columns) else 110)
        return ", ".join(
            self._assigned(value, column, Scope())
            for value, column in zip(row, columns, strict=True)
        )

    def _assigned(self, value: tree.Expr, column: Column, scope: Scope) -> str:
        if isinstance(value, tree.Default):
            if column.default is None:
                return "NULL"
            value = column.default
        return self._stored(self.expressions.value(value, scope), column)

    def _stored(self, value: Typed, column: Column) -> str:
        if value.type is None:
            return "NULL"
        if value.type == column.type:
            return value.sql
        return f"t_store({value.sql}, {number_of(value.type)}, {number_of(column.type)})"

    # -- UPDATE and DELETE -------------------------------------------------------------------

    def _scope(
        self, table: tree.TableRef, sources: Sequence[tree.Source]
    ) -> tuple[Scope, str, str | None]:
        """The scope, the text of FROM, and the alias that stands for the target in it."""
        scope = Scope()
        if not sources:
            if {"UPDLOCK", "XLOCK"} & set(table.hints):
                self.session.locks_reads = True
            names = (table.alias,) if table.alias else table.parts
            scope.sources.append(named(self.table, "target", names))
            return scope, "", None
        text = ", ".join(self.selects.source(one, scope) for one in sources)
        low = table.parts[-1].lower()
        for source in scope.sources:
            if source.parts[-1].lower() == low:
                return scope, text, source.alias
        scope.sources.append(named(self.table, "target", table.parts))
        return scope, text, None

    def _update(self, action: act.Update) -> str:
        scope, tables, alias = self._scope(action.table, action.sources)
        sets = []
        for name, value in action.sets:
            column = self.table.column(name)
            if column is None:
                raise TsqlError(207, name)
            if column.identity is not None:
                raise TsqlError(8102, text=f"Cannot update identity column '{column.name}'.")
            sets.append((column, self._assigned(value, column, scope)))
        head = f"UPDATE {self.table.place} AS target SET "  # noqa: S608 - compiled
        where = self._where(action.where, scope)
        if not tables and action.top is None:
            return head + ", ".join(f"{column.cell} = {text}" for column, text in sets) + where
        # One row of the join decides for each row of the target, as the server has it (any of them).
        values = ", ".join(f"{text} AS v{at}" for at, (_, text) in enumerate(sets))
        picked = self._picked(tables, alias, where, values, action.top)
        listed = ", ".join(f"{column.cell} = f.v{at}" for at, (column, _) in enumerate(sets))
        return f"{head}{listed} FROM ({picked}) AS f WHERE target.rowid = f.r"

    def _picked(
        self, tables: str, alias: str | None, where: str, values: str, top: tree.Expr | None
    ) -> str:
        limit = ""
        if top is not None:
            limit = f" LIMIT {self.expressions.value(top, Scope()).sql}"
        source = f"{self.table.place} AS target" if not tables or alias is None else ""
        joined = ", ".join(one for one in (tables, source) if one)
        name = alias or "target"
        extra = f", {values}" if values else ""
        return f"SELECT {name}.rowid AS r{extra} FROM {joined}{where} GROUP BY {name}.rowid{limit}"  # noqa: S608 - compiled

    def _delete(self, action: act.Delete) -> str:
        scope, tables, alias = self._scope(action.table, action.sources)
        where = self._where(action.where, scope)
        if not tables and action.top is None:
            return f"DELETE FROM {self.table.place} AS target{where}"  # noqa: S608 - compiled
        picked = self._picked(tables, alias, where, "", action.top)
        return f"DELETE FROM {self.table.place} WHERE rowid IN (SELECT r FROM ({picked}))"  # noqa: S608 - compiled

    def _where(self, condition: tree.Cond | None, scope: Scope) -> str:
        return "" if condition is None else f" WHERE {self.expressions.condition(condition, scope)}"

    # -- OUTPUT ------------------------------------------------------------------------------

    def _with_output(
        self, sql: str, items: tuple[tree.Item, ...], prefix: str
    ) -> tuple[str, tuple[Output, ...]]:
        """OUTPUT inserted of INSERT and UPDATE, deleted of DELETE: what SQLite's RETURNING can give."""
        if not items:
            return sql, ()
        source = named(self.table, "", (prefix,))
        scope = Scope([Named("", (prefix,), source.columns, source.cells)])
        texts, columns = [], []
        for item in items:
            if isinstance(item.value, tree.Star):
                for output, value in scope.star(item.value.parts):
                    texts.append(value.sql)
                    columns.append(output)
                continue
            if isinstance(item.value, tree.Name) and item.value.parts[0].lower() != prefix:
                raise NotModelledError(f"OUTPUT of {'.'.join(item.value.parts)}")
            value = self.expressions.value(item.value, scope)
            texts.append(value.sql)
            name = item.alias or (item.value.parts[-1] if isinstance(item.value, tree.Name) else "")
            columns.append(Output(name, value.type or INT))
        return f"{sql} RETURNING {', '.join(texts)}", tuple(columns)


def _refused(
    session: Session, table: Table, action: Change, error: sqlite3.IntegrityError
) -> TsqlError:
    """SQLite's refusal as the server's."""
    text = str(error)
    word = type(action).__name__.upper()
    full = f"{table.schema}.{table.name}"
    if match := re.match(r"NOT NULL constraint failed: \w+\.c(\d+)", text):
        column = table.columns[int(match.group(1)) - 1].name
        return TsqlError(515, column, f"{session.database.name}.{full}", word, state=2)
    if match := re.match(r"UNIQUE constraint failed: (.+)", text):
        numbers = {int(one) for one in re.findall(r"\.c(\d+)", match.group(1))}
        key = next((one for one in table.keys if set(one.columns) == numbers), None)
        name = key.name if key is not None else "?"
        value = "(?)" if key is None else _duplicate(table, key.columns, action)
        if key is not None and not key.constraint:
            return TsqlError(2601, full, name, value)
        kind = "PRIMARY KEY" if key is not None and key.primary else "UNIQUE KEY"
        return TsqlError(2627, kind, name, full, value)
    if match := re.match(r"CHECK constraint failed: (.+)", text):
        return TsqlError(
            547, word, "CHECK", match.group(1), session.database.name, full, "", state=0
        )
    if "FOREIGN KEY" in text:
        kind = "FOREIGN KEY" if word != "DELETE" else "REFERENCE"
        name = table.foreigns[0].name if table.foreigns else "?"
        return TsqlError(547, word, kind, name, session.database.name, full, "", state=0)
    return TsqlError(3624, text=f"winlab: SQLite refused: {text}")


def _duplicate(table: Table, columns: Sequence[int], action: Change) -> str:
    """The duplicate key value, where the statement says it: one row of VALUES with constants."""
    if not isinstance(action, act.Insert) or action.source is None:
        return "(?)"
    body = action.source.body
    if not isinstance(body, tree.Values) or len(body.rows) != 1:
        return "(?)"
    names = [one.lower() for one in action.columns] or [
        one.name.lower() for one in table.columns if one.identity is None
    ]
    found = []
    for number in columns:
        name = table.columns[number - 1].name.lower()
        if name not in names:
            return "(?)"
        value = body.rows[0][names.index(name)]
        cell: Cell | object = getattr(value, "value", "?")
        found.append("<NULL>" if cell is None else str(cell))
    return f"({', '.join(found)})"
