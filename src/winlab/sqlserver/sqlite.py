"""What the lab adds to SQLite: conversions, arithmetic, LIKE, collations and aggregates of Transact-SQL."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from decimal import ROUND_DOWN, Context, Decimal
from functools import lru_cache
from typing import Any, cast

from winlab.sqlserver import functions_session as functions_session  # registers them
from winlab.sqlserver.errors import NotModelledError, TsqlError
from winlab.sqlserver.functions import BUILTINS, SessionView
from winlab.sqlserver.times import moment_cell, parts
from winlab.sqlserver.types import SqlType, by_number, fold
from winlab.sqlserver.values import Cell, convert, decimal_text, store

_WIDE = Context(prec=120)


class Storage:
    """One SQLite database in memory with the lab's functions; ``session`` is who runs a statement now.

    An error inside a function is kept and raised by :meth:`run`, for SQLite only tells that there was one.
    """

    def __init__(self) -> None:
        """Empty."""
        self.session: SessionView | None = None
        self._raised: BaseException | None = None
        self.connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self.connection.execute("PRAGMA foreign_keys = ON")
        # A trigger-less memory database needs no journal on a disk, but must be able to roll back.
        self.connection.execute("PRAGMA journal_mode = MEMORY")
        self._register()

    def run(self, sql: str, bound: dict[str, Cell] | None = None) -> sqlite3.Cursor:
        """Run one statement.

        Raises:
            TsqlError: a function of the lab's refused.
            sqlite3.Error: SQLite did (a constraint).
        """
        self._raised = None
        try:
            return self.connection.execute(sql, bound or {})
        except sqlite3.Error as error:
            self._reraise(error)
            raise

    def fetch(self, sql: str, bound: dict[str, Cell] | None = None) -> list[tuple[Cell, ...]]:
        """Run a query and return its rows. Raises as :meth:`run`."""
        cursor = self.run(sql, bound)
        try:
            return cursor.fetchall()
        except sqlite3.Error as error:
            self._reraise(error)
            raise

    def _reraise(self, error: sqlite3.Error) -> None:
        if self._raised is not None:
            raised, self._raised = self._raised, None
            raise raised from error

    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except TsqlError as error:
                self._raised = error
                raise
            except (
                ValueError,
                TypeError,
                ArithmeticError,
                AssertionError,
                AttributeError,
            ) as error:
                # A pair of types that no rule here foresees: by name, as all that is not modelled.
                self._raised = NotModelledError(f"an expression over such values ({error})")
                raise

        return call

    def _register(self) -> None:
        make = self.connection.create_function
        for name, count, function in (
            ("t_convert", 5, _convert),
            ("t_try", 5, _try),
            ("t_store", 3, lambda v, a, b: store(v, by_number(a), by_number(b))),
            ("t_math", 4, _math),
            ("t_join", 2, lambda a, b: None if a is None or b is None else a + b),
            ("t_days", 2, _days),
            ("t_like", 4, _like),
        ):
            make(name, count, self._guarded(function), deterministic=True)
        make("t_identity", 1, self._guarded(self._identity))
        for name, found in BUILTINS.items():
            make(f"f_{name}", -1, self._guarded(self._builtin(found.call, found.session)))
        for name, compare in (
            ("T_CI", _fold),
            ("T_CS", _trim),
            ("T_BIN", _trim),
            ("T_DEC", _number),
        ):
            self.connection.create_collation(name, _collation(compare))
        for name, aggregate in (("t_sum", _Sum), ("t_avg", _Average)):
            self.connection.create_aggregate(
                name, 2, cast("Any", aggregate)
            )  # results need not be int
        self.connection.create_aggregate("t_only", 1, self._only())

    def _builtin(self, call: Callable[..., Any], session: bool) -> Callable[..., Any]:
        return (lambda *cells: call(self.session, *cells)) if session else call

    def _identity(self, table: int) -> int:
        assert self.session is not None
        return self.session.next_identity(table)

    def _only(self) -> Any:
        storage = self

        class Only:
            """A subquery as a value: one row or none."""

            def __init__(self) -> None:
                self.cell: Cell = None
                self.rows = 0

            def step(self, cell: Cell) -> None:
                self.rows += 1
                self.cell = cell

            def finalize(self) -> Cell:
                if self.rows > 1:
                    storage._raised = TsqlError(512)
                    raise storage._raised
                return self.cell

        return Only


def _convert(cell: Cell, source: int, target: int, style: Cell, explicit: int) -> Cell:
    return convert(
        cell, by_number(source), by_number(target), int(style or 0), explicit=bool(explicit)
    )


def _try(cell: Cell, source: int, target: int, style: Cell, explicit: int) -> Cell:
    try:
        return _convert(cell, source, target, style, explicit)
    except TsqlError as error:
        if error.number in {257, 529}:
            raise
        return None


def _math(op: str, left: Cell, right: Cell, number: int) -> Cell:
    kind = by_number(number)
    if left is None or right is None:
        return None
    if kind.family == "float":
        return _float(op, float(left), float(right))
    one, two = Decimal(str(left)), Decimal(str(right))
    if op in {"/", "%"} and not two:
        raise TsqlError(8134)
    match op:
        case "+":
            value = _WIDE.add(one, two)
        case "-":
            value = _WIDE.subtract(one, two)
        case "*":
            value = _WIDE.multiply(one, two)
        case "/":
            value = _WIDE.divide(one, two)
        case _:
            value = _WIDE.remainder(one, two)
    if kind.family == "decimal":
        return decimal_text(value, kind)
    whole = int(value.to_integral_value(ROUND_DOWN))
    if not kind.in_range(whole):
        raise TsqlError(8115, "expression", kind.name, state=2)
    return whole


def _float(op: str, left: float, right: float) -> float:
    if op in {"/", "%"} and right == 0:
        raise TsqlError(8134)
    match op:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left / right
        case _:
            raise TsqlError(402, "float", "float", "modulo")


def _days(cell: Cell, days: Cell) -> Cell:
    if cell is None or days is None:
        return None
    try:
        moved = parts(str(cell)) + timedelta(days=float(days))
    except OverflowError as error:
        raise TsqlError(517, "datetime") from error
    return moment_cell(moved, SqlType("datetime"))


def _like(value: Cell, pattern: Cell, escape: Cell, collation: str) -> int | None:
    if value is None or pattern is None:
        return None
    matcher = _pattern(str(pattern), None if escape is None else str(escape), collation)
    text = str(value)
    # Blanks at the end of the value are not significant, those of the pattern are ("LIKE").
    return int(
        matcher.fullmatch(text) is not None or matcher.fullmatch(text.rstrip(" ")) is not None
    )


@lru_cache(maxsize=256)
def _pattern(pattern: str, escape: str | None, collation: str) -> re.Pattern[str]:
    out = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if escape and char == escape and at + 1 < len(pattern):
            at += 1
            out.append(re.escape(pattern[at]))
        elif char == "%":
            out.append(".*")
        elif char == "_":
            out.append(".")
        elif char == "[" and (end := pattern.find("]", at + 2)) > 0:
            inner = pattern[at + 1 : end]
            negated = inner.startswith("^")
            body = re.sub(r"([\\\[\]^])", r"\\\1", inner[1:] if negated else inner)
            out.append(f"[{'^' if negated else ''}{body}]")
            at = end
        else:
            out.append(re.escape(char))
        at += 1
    flags = re.DOTALL | (re.IGNORECASE if collation == "T_CI" else 0)
    return re.compile("".join(out), flags)


def _collation(key: Callable[[str], Any]) -> Callable[[str, str], int]:
    def compare(left: str, right: str) -> int:
        one, two = key(left), key(right)
        return int(one > two) - int(one < two)

    return compare


_fold = lru_cache(maxsize=4096)(fold)


def _trim(text: str) -> str:
    return text.rstrip(" ")


def _number(text: str) -> Decimal:
    return Decimal(text)


class _Sum:
    """SUM over integers, decimals and floats; the second argument is the result's type."""

    def __init__(self) -> None:
        self.total: Decimal | None = None
        self.real = 0.0
        self.rows = 0
        self.kind: SqlType | None = None

    def step(self, cell: Cell, number: int) -> None:
        if cell is None:
            return
        self.kind = by_number(number)
        self.rows += 1
        if self.kind.family == "float":
            self.real += float(cell)
        else:
            self.total = _WIDE.add(self.total or Decimal(0), Decimal(str(cell)))

    def finalize(self) -> Cell:
        if self.kind is None:
            return None
        return self._shape(self.real if self.kind.family == "float" else self.total)

    def _shape(self, value: float | Decimal | None) -> Cell:
        assert self.kind is not None
        if isinstance(value, float) or value is None:
            return value
        if self.kind.family == "decimal":
            return decimal_text(value, self.kind)
        return int(value)


class _Average(_Sum):
    """AVG: of integers an integer."""

    def finalize(self) -> Cell:
        if self.kind is None:
            return None
        if self.kind.family == "float":
            return self.real / self.rows
        return self._shape(_WIDE.divide(self.total or Decimal(0), Decimal(self.rows)))
