"""Running the statements of a batch, with TRY...CATCH and what errors end."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from winlab.sqlserver import actions as act
from winlab.sqlserver import changes, definitions_run
from winlab.sqlserver import syntax as tree
from winlab.sqlserver.errors import NotModelledError, TsqlError, raised
from winlab.sqlserver.events import Done, Event, Pause, Result, Said
from winlab.sqlserver.procedures import call
from winlab.sqlserver.scope import Scope
from winlab.sqlserver.selects import Selects
from winlab.sqlserver.types import BIT, INT, SqlType, nvarchar, resolve
from winlab.sqlserver.values import Cell, convert, native

if TYPE_CHECKING:
    from winlab.sqlserver.session import Session

Run: TypeAlias = Generator[Event, bool | None, None]

_DEEPEST = 32
"""Levels of nested calls (error 217)."""
_NOT_CAUGHT = {
    102,
    105,
    113,
    134,
    137,
    141,
    156,
    195,
    205,
    207,
    208,
    209,
    213,
    1087,
    4104,
    8120,
}
"""What a TRY of the same level does not catch: errors of compiling a statement ("TRY...CATCH")."""
_ENDS_BATCH = _NOT_CAUGHT | {241, 242, 245, 248, 1205, 8114, 266}
_ENDS_TRANSACTION = {241, 242, 245, 248, 1205, 8114}
_TERMINATED = {220, 515, 517, 544, 547, 1222, 2601, 2627, 8115, 8134, 8152}
"""What is followed by message 3621, that the statement has been terminated."""
_UNHARMED = {3902, 3903, 3701, 50_000}


class BatchEnded(Exception):  # noqa: N818 - a way out, not an error
    """The rest of the batch does not run."""


class _Jump(Exception):  # noqa: N818 - as above
    def __init__(self, word: str) -> None:
        self.word = word


class Flow:
    """Runs one batch of a session; ``depth`` counts calls inside calls."""

    def __init__(self, session: Session, depth: int) -> None:
        """Nothing runs yet."""
        self.session = session
        self.depth = depth
        self._tries = 0
        self._from_raiserror = False

    def run(self, statements: Sequence[act.Statement]) -> Run:
        """Run statements to their end, a RETURN, or an error that ends the batch."""
        if self.depth > _DEEPEST:
            yield from self.session.tell(
                TsqlError(
                    217,
                    text="Maximum stored procedure, function, trigger, or view nesting level "
                    "exceeded (limit 32).",
                )
            )
            return
        try:
            yield from self._all(statements)
        except BatchEnded:
            if self.depth:
                raise
        except _Jump:
            return

    def _all(self, statements: Sequence[act.Statement]) -> Run:
        for statement in statements:
            yield from self._one(statement)

    def _one(self, statement: act.Statement) -> Run:
        session = self.session
        session.reads = set()
        session.locks_reads = False
        try:
            yield from self._perform(statement.action)
        except TsqlError as error:
            error.line = error.line or statement.line
            if self._tries and _catchable(error):
                raise
            yield from self._uncaught(error)
        except sqlite3.Error as error:
            # SQLite knows a limit or a rule that the compiler does not: by name, as all that is not modelled.
            yield from self._uncaught(
                NotModelledError(f"a statement that SQLite refuses ({error})")
            )

    def _uncaught(self, error: TsqlError) -> Run:
        session = self.session
        if error.number in _ENDS_TRANSACTION and session.trancount:
            yield from session.end_transaction(keep=False)
        yield from session.tell(error)
        if error.number in _TERMINATED:
            yield Said(3621, 0, 0, "The statement has been terminated.", max(error.line, 1))
        aborts = (
            session.xact_abort
            and not isinstance(error, RaisedError)
            and error.number not in _UNHARMED
        )
        if aborts and session.trancount:
            yield from session.end_transaction(keep=False)
        if aborts or isinstance(error, (_ThrownError, NotModelledError)):
            raise BatchEnded
        if error.number in _ENDS_BATCH and not isinstance(error, RaisedError):
            raise BatchEnded
        yield Done()

    def _perform(self, action: act.Action) -> Run:
        session = self.session
        match action:
            case act.If() | act.While() | act.Block() | act.TryCatch() | act.Jump():
                yield from self._control(action)
                return
            case act.QueryStatement(query):
                yield from self._query(query)
            case act.Insert() | act.Update() | act.Delete() | act.Truncate():
                yield from changes.perform(session, action)
            case act.Declare(items):
                self._declare(items)
            case act.SetVariable(name, value):
                kind, _ = session.variable(name)
                session.assign(name, self.value(value, kind))
                session.rowcount = 1
            case act.SetOption():
                session.option(action)
                yield Done()
            case act.Transaction():
                yield from self._transaction(action)
            case act.Print(value):
                text = self.value(value, nvarchar(4000, session.collation))
                yield Said(0, 0, 1, str(text or " "))
            case act.Raiserror():
                yield from self._raiserror(action)
            case act.Throw(values):
                self._throw(values)
            case act.Execute():
                yield from call(self, action)
            case act.Use(name):
                yield from session.use(name)
            case act.WaitFor(delay):
                yield Pause(_seconds(str(self.value(delay, nvarchar(64)))))
            case _:
                yield from definitions_run.perform(session, action)
        session.error = 0

    # -- control of flow ---------------------------------------------------------------------

    def _control(self, action: act.Action) -> Run:
        match action:
            case act.If(condition, then, otherwise):
                if (yield from self._holds(condition)):
                    yield from self._one(then)
                elif otherwise is not None:
                    yield from self._one(otherwise)
            case act.While(condition, body):
                while (yield from self._holds(condition)):
                    try:
                        yield from self._one(body)
                    except _Jump as jump:
                        if jump.word == "BREAK":
                            break
                        if jump.word == "RETURN":
                            raise
            case act.Block(statements):
                yield from self._all(statements)
            case act.TryCatch():
                yield from self._try(action)
            case act.Jump(word):
                raise _Jump(word)

    def _try(self, action: act.TryCatch) -> Run:
        session = self.session
        self._tries += 1
        try:
            yield from self._all(action.body)
            return
        except TsqlError as error:
            caught = error
        finally:
            self._tries -= 1
        session.error = caught.number
        fatal = caught.number in _ENDS_TRANSACTION
        if session.trancount and (session.xact_abort or fatal):
            session.doomed = True
        before, session.caught = session.caught, caught
        try:
            yield from self._all(action.handler)
        finally:
            session.caught = before

    # -- values ------------------------------------------------------------------------------

    def value(self, expression: tree.Expr, kind: SqlType) -> Cell:
        """An expression without a table, as a variable of a type takes it."""
        selects = Selects(self.session)
        found = selects.expressions.value(expression, Scope())
        text = selects.expressions.as_type(found, kind).sql
        [(cell,)] = self.session.fetch(f"SELECT {text}", selects.bound)
        return cell

    def typed(self, expression: tree.Expr) -> tuple[SqlType, Cell]:
        """An expression without a table, with its own type."""
        selects = Selects(self.session)
        found = selects.expressions.value(expression, Scope())
        [(cell,)] = self.session.fetch(f"SELECT {found.sql}", selects.bound)
        return found.type or INT, cell

    def _holds(self, condition: tree.Cond) -> Generator[Event, bool | None, bool]:
        session = self.session
        selects = Selects(session)
        text = selects.expressions.condition(condition, Scope())
        yield from session.lock(write=False)
        [(found,)] = session.fetch(f"SELECT CASE WHEN {text} THEN 1 ELSE 0 END", selects.bound)
        session.reads = set()
        session.error = 0
        return bool(found)

    def _declare(self, items: Sequence[tuple[str, tree.TypeName, tree.Expr | None]]) -> None:
        for name, written, value in items:
            kind = resolve(written, self.session.collation)
            self.session.declare(name, kind, None if value is None else self.value(value, kind))

    # -- queries -----------------------------------------------------------------------------

    def _query(self, query: tree.Query) -> Run:
        session = self.session
        compiled = Selects(session)
        found = compiled.query(query)
        if (yield from session.lock(write=False)):
            # Whoever held the lock may have changed the tables: look again.
            compiled = Selects(session)
            found = compiled.query(query)
        rows = session.fetch(found.sql, compiled.bound)
        session.rowcount = len(rows)
        if found.assigns:
            self._assign(found.assigns, [one.type for one in found.columns], rows)
            return
        kinds = [one.type for one in found.columns]
        yield Result(
            found.columns,
            [tuple(map(native, row, kinds)) for row in rows],
        )
        yield Done(None if session.nocount else len(rows))

    def _assign(
        self, names: Sequence[str], kinds: Sequence[SqlType], rows: list[tuple[Cell, ...]]
    ) -> None:
        """The last row counts; no row leaves variables as they are."""
        for name, kind, at in zip(names, kinds, range(len(names)), strict=True):
            target, _ = self.session.variable(name)
            if rows:
                self.session.assign(name, convert(rows[-1][at], kind, target, explicit=False))

    # -- transactions ------------------------------------------------------------------------

    def _transaction(self, action: act.Transaction) -> Run:
        session = self.session
        match action.action:
            case "begin":
                yield from session.begin()
            case "commit":
                if not session.trancount:
                    raise TsqlError(3902)
                if session.doomed:
                    raise TsqlError(3930)
                if session.trancount == 1:
                    yield from session.end_transaction(keep=True)
                else:
                    session.trancount -= 1
            case "rollback":
                if not session.trancount:
                    raise TsqlError(3903)
                if action.name:
                    raise NotModelledError("ROLLBACK to a savepoint or by name")
                yield from session.end_transaction(keep=False)
            case _:
                raise NotModelledError("SAVE TRANSACTION")
        yield Done()

    # -- messages ----------------------------------------------------------------------------

    def _raiserror(self, action: act.Raiserror) -> Run:
        kind, cell = self.typed(action.message)
        severity = int(self.value(action.severity, INT) or 0)
        state = int(self.value(action.state, INT) or 0)
        if kind.family == "int":
            raise NotModelledError("RAISERROR with the number of a message")
        values = [self.typed(one) for one in action.values]
        text = _formatted(str(cell or ""), values)
        severity = min(max(severity, 0), 25)
        if severity > 18:
            raise NotModelledError("RAISERROR with a severity above 18")
        if severity <= 10:
            # "RAISERROR": without an error there is nothing to catch.
            yield Said(50_000, 0 if severity == 10 else severity, state, text)
            self.session.error = 0
            return
        raise RaisedError(raised(50_000, severity, state, text))

    def _throw(self, values: Sequence[tree.Expr]) -> None:
        if not values:
            if self.session.caught is None:
                raise TsqlError(10704)
            raise _ThrownError(self.session.caught)
        number = int(self.value(values[0], INT) or 0)
        text = str(self.value(values[1], nvarchar(2048, self.session.collation)) or "")
        state = int(self.value(values[2], SqlType("tinyint")) or 0)
        raise _ThrownError(raised(number, 16, state, text))


def _catchable(error: TsqlError) -> bool:
    if isinstance(error, RaisedError):
        return True
    return error.number not in _NOT_CAUGHT and not isinstance(error, NotModelledError)


class RaisedError(TsqlError):
    """An error of RAISERROR: it does not honour SET XACT_ABORT."""

    def __init__(self, other: TsqlError) -> None:
        """A copy."""
        super().__init__(other.number, state=other.state, line=other.line, text=other.text)
        self.severity = other.severity


class _ThrownError(RaisedError):
    """An error of THROW: it ends the batch when nothing catches it."""


def _formatted(text: str, values: list[tuple[SqlType, Cell]]) -> str:
    """The places of RAISERROR: %s, %d, %i, %u, %x, with a width."""
    at = iter(values)

    def one(match: re.Match[str]) -> str:
        if match.group() == "%%":
            return "%"
        _, cell = next(at, (BIT, None))
        if cell is None:
            return "(null)"
        flags, letter = match.group(1), match.group(2)
        if letter == "s":
            return f"%{flags}s" % (cell,)
        return f"%{flags}{letter}" % int(cell)

    return re.sub(r"%%|%([-+0 #]*\d*(?:\.\d+)?)(?:h|l|I64)?([sdiouxX])", one, text)[:2047]


def _seconds(delay: str) -> float:
    match = re.fullmatch(r"\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?\s*", delay)
    if match is None:
        raise TsqlError(
            148, text=f"Incorrect time syntax in time string '{delay}' used with WAITFOR."
        )
    hours, minutes, seconds, fraction = match.groups()
    return (
        int(hours) * 3600
        + int(minutes) * 60
        + int(seconds or 0)
        + int((fraction or "0").ljust(3, "0")) / 1000
    )
