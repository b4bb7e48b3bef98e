"""EXECUTE: a text, or one of the stored procedures that the lab knows.

Source: "EXECUTE", "sp_executesql" (Transact-SQL reference).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, TypeAlias

from winlab.sqlserver import actions as act
from winlab.sqlserver.cursor import Cursor
from winlab.sqlserver.errors import NotModelledError, TsqlError
from winlab.sqlserver.events import Event
from winlab.sqlserver.queries import Queries
from winlab.sqlserver.types import MAX, SqlType, nvarchar, resolve
from winlab.sqlserver.values import Cell, convert

if TYPE_CHECKING:
    from winlab.sqlserver.flow import Flow
    from winlab.sqlserver.session import Session

Run: TypeAlias = Generator[Event, bool | None, None]


def call(flow: Flow, action: act.Execute) -> Run:
    """Run EXEC. Raises :class:`TsqlError` 2812 for a procedure that nobody knows."""
    session = flow.session
    if not action.procedure:
        text = flow.value(action.arguments[0][1], nvarchar(MAX, session.collation))
        yield from session.batch(str(text or ""), depth=flow.depth + 1)
        return
    name = action.procedure[-1].lower()
    arguments = [(label, *flow.typed(value)) for label, value in action.arguments]
    yield from run_procedure(session, name, arguments, depth=flow.depth + 1)


def run_procedure(
    session: Session, name: str, arguments: list[tuple[str, SqlType, Cell]], *, depth: int
) -> Run:
    """Run a procedure with arguments that are cells.

    Raises:
        TsqlError: 2812 for a stranger, 201 and 8178 for missing arguments.
        NotModelledError: for one of the server's own that the lab does not have.
    """
    low = name.lower()
    if low == "sp_executesql":
        yield from _execute_sql(session, arguments, depth)
        return
    if low.startswith(("sp_", "xp_")):
        raise NotModelledError(f"the procedure {low}")
    raise TsqlError(2812, name, state=62)


def _execute_sql(session: Session, arguments: list[tuple[str, SqlType, Cell]], depth: int) -> Run:
    if not arguments:
        raise TsqlError(
            201,
            text="Procedure or function 'sp_executesql' expects parameter '@statement', which was "
            "not supplied.",
        )
    text = str(arguments[0][2] or "")
    declared = _declared(str(arguments[1][2] or ""), session) if len(arguments) > 1 else []
    given = arguments[2:]
    by_name = {label.lower(): (kind, cell) for label, kind, cell in given if label}
    in_order = [(kind, cell) for label, kind, cell in given if not label]
    parameters = []
    for at, (label, kind) in enumerate(declared):
        found = by_name.get(label) or (in_order[at] if at < len(in_order) else None)
        if found is None:
            raise TsqlError(8178, text, label)
        parameters.append((label, kind, convert(found[1], found[0], kind, explicit=False)))
    yield from session.batch(text, parameters, depth=depth)


def _declared(text: str, session: Session) -> list[tuple[str, SqlType]]:
    """``@a int, @b nvarchar(10)``."""
    cursor = Cursor(text, session.major)
    expressions = Queries(cursor).expressions
    found = []
    while cursor.token.kind != "end":
        token = cursor.next()
        if token.kind != "variable":
            raise cursor.fail(token)
        cursor.take("AS")
        kind = resolve(expressions.type_name(), session.collation)
        if cursor.at("OUTPUT", "OUT"):
            raise NotModelledError("OUTPUT parameters")
        found.append((token.text.lower(), kind))
        if not cursor.take_op(","):
            break
    return found
