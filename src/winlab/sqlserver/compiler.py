"""Expressions of Transact-SQL as expressions of SQLite, with their types.

What SQLite does otherwise (conversions, arithmetic, LIKE, comparisons of text and decimals) goes
through functions and collations of the lab's own, see `winlab.sqlserver.sqlite`.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol, cast

from winlab.sqlserver import syntax as tree
from winlab.sqlserver.aggregates import AGGREGATES, WINDOWS
from winlab.sqlserver.conditions import Conditions, collating
from winlab.sqlserver.errors import NotModelledError, TsqlError
from winlab.sqlserver.functions import builtin
from winlab.sqlserver.scope import COERCIBLE, EXPLICIT, Scope, Typed
from winlab.sqlserver.types import (
    BIT,
    INT,
    MAX,
    SqlType,
    as_decimal,
    decimal,
    known_collation,
    number_of,
    nvarchar,
    of_number,
    resolve,
    varbinary,
    varchar,
    wins,
)
from winlab.sqlserver.values import Cell

if TYPE_CHECKING:
    from winlab.sqlserver.selects import Selects

_SIZES = {"tinyint": 1, "smallint": 2, "int": 4, "bigint": 8, "bit": 1, "float": 8, "real": 4}
_SIZES |= {"datetime": 8, "smalldatetime": 4, "date": 3, "uniqueidentifier": 16}
_NUMBERS = {"int", "bit", "decimal", "float"}
_ARITHMETIC = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "%": "modulo"}


class Surroundings(Protocol):
    """What a statement sees of its session."""

    @property
    def collation(self) -> str:
        """The collation of constants."""

    @property
    def major(self) -> int:
        """The product's version."""

    def variable(self, name: str) -> tuple[SqlType, Cell]:
        """Raises :class:`TsqlError` 137."""

    def global_value(self, name: str) -> tuple[SqlType, Cell]:
        """Raises :class:`NotModelledError`."""


class Expressions(Conditions):
    """Compiles expressions; one object a statement, which collects the values to bind."""

    def __init__(self, session: Surroundings) -> None:
        """Nothing is bound at first."""
        self.session = session
        self.bound: dict[str, Cell] = {}
        self.selects: Selects

    def bind(self, cell: Cell) -> str:
        """A place for a value."""
        name = f"p{len(self.bound)}"
        self.bound[name] = cell
        return f":{name}"

    # -- values ------------------------------------------------------------------------------

    def value(self, expression: tree.Expr, scope: Scope) -> Typed:
        """An expression with its type."""
        match expression:
            case tree.Literal():
                return self._literal(expression)
            case tree.Name(parts):
                return scope.find(parts)
            case tree.Variable(name):
                kind, cell = self.session.variable(name)
                return Typed(self.bind(cell), kind)
            case tree.Global(name):
                kind, cell = self.session.global_value(name)
                return Typed(self.bind(cell), kind)
            case tree.Unary(op, operand):
                return self._unary(op, self.value(operand, scope))
            case tree.Binary(op, left, right):
                return self._binary(op, self.value(left, scope), self.value(right, scope))
            case tree.Case():
                return self._case(expression, scope)
            case tree.Cast():
                return self._cast(expression, scope)
            case tree.Call():
                return self._call(expression, scope)
            case tree.Scalar(query):
                return self.selects.scalar(query, scope)
            case tree.Collate(operand, name):
                return self._collate(self.value(operand, scope), name)
            case tree.Star():
                raise TsqlError(102, "*")
            case _:
                raise TsqlError(156, "DEFAULT")

    def _literal(self, literal: tree.Literal) -> Typed:
        value = literal.value
        if value is None:
            return Typed("NULL", None)
        if isinstance(value, str):
            if literal.national:
                length = len(value) if len(value) <= 4000 else MAX
                kind = nvarchar(max(length, 1) if length != MAX else MAX, self.session.collation)
                return Typed(self.bind(value), kind)
            kind = varchar(1, self.session.collation)
            data = value.encode(kind.codec, "replace")
            length = max(len(data), 1) if len(data) <= 8000 else MAX
            return Typed(self.bind(data.decode(kind.codec)), replace(kind, length=length))
        if isinstance(value, bytes):
            return Typed(
                self.bind(value), varbinary(max(len(value), 1) if len(value) <= 8000 else MAX)
            )
        if isinstance(value, Decimal):
            return Typed(self.bind(f"{value:f}"), of_number(value))
        return Typed(f"({value!r})" if value < 0 else repr(value), of_number(value))

    def _unary(self, op: str, operand: Typed) -> Typed:
        if operand.type is None:
            return operand
        if op == "~":
            if operand.type.family not in {"int", "bit"}:
                raise TsqlError(
                    8117, text=f"Operand data type {operand.type.name} is invalid for '~'."
                )
            return Typed(f"(~{operand.sql})", operand.type)
        return self._binary("-", Typed("0", INT), operand)

    def _binary(self, op: str, left: Typed, right: Typed) -> Typed:
        if left.type is None or right.type is None:
            return Typed("NULL", left.type or right.type)
        if op in {"&", "|", "^"}:
            kind = wins(left.type, right.type)
            if kind.family not in {"int", "bit"}:
                raise NotModelledError(f"the operator {op} on {kind.name}")
            if op == "^":
                a, b = left.sql, right.sql
                return Typed(f"(({a} | {b}) - ({a} & {b}))", kind)
            return Typed(f"({left.sql} {op} {right.sql})", kind)
        if op == "+" and left.type.family == right.type.family == "text":
            return self._joined(left, right)
        if op == "+" and left.type.family == right.type.family == "binary":
            length = _sum(left.type.length, right.type.length, 8000)
            return Typed(f"t_join({left.sql}, {right.sql})", varbinary(length))
        return self._arithmetic(op, left, right)

    def _joined(self, left: Typed, right: Typed) -> Typed:
        assert left.type is not None
        assert right.type is not None
        if left.type.lob or right.type.lob:
            raise TsqlError(402, left.type.name, right.type.name, "add")
        kind, label = self.text_type(left, right, "add")
        limit = 4000 if kind.unicode else 8000
        length = _sum(left.type.length, right.type.length, limit)
        name = "nvarchar" if kind.unicode else "varchar"
        return Typed(f"({left.sql} || {right.sql})", replace(kind, name=name, length=length), label)

    def _arithmetic(self, op: str, left: Typed, right: Typed) -> Typed:
        assert left.type is not None
        assert right.type is not None
        if "time" in {left.type.family, right.type.family}:
            return self._moved(op, left, right)
        kind = wins(left.type, right.type)
        if kind.family not in _NUMBERS:
            raise TsqlError(402, left.type.described, right.type.described, _ARITHMETIC[op])
        if kind.name == "bit":
            kind = INT
        one, two = (
            value
            if value.type is not None and value.type.family in _NUMBERS
            else self.as_type(value, kind)
            for value in (left, right)
        )
        if kind.family == "decimal":
            assert one.type is not None
            assert two.type is not None
            kind = _decimal_result(op, as_decimal(one.type), as_decimal(two.type))
        return Typed(f"t_math('{op}', {one.sql}, {two.sql}, {number_of(kind)})", kind)

    def _moved(self, op: str, left: Typed, right: Typed) -> Typed:
        """datetime and smalldatetime take days; the newer types do not ("date", error 206)."""
        assert left.type is not None
        assert right.type is not None
        kind = left.type if left.type.family == "time" else right.type
        other = right if kind is left.type else left
        assert other.type is not None
        if op not in {"+", "-"} or kind.name not in {"datetime", "smalldatetime"}:
            raise TsqlError(206, left.type.described, right.type.described)
        if other.type.family not in {"int", "decimal", "float", "bit"}:
            raise NotModelledError(f"{left.type.name} {op} {right.type.name}")
        sign = "-" if op == "-" else ""
        return Typed(
            f"t_days({left.sql if kind is left.type else right.sql}, {sign}{other.sql})", kind
        )

    def _case(self, case: tree.Case, scope: Scope) -> Typed:
        operand = None if case.operand is None else self.value(case.operand, scope)
        tests = []
        results = []
        for test, result in case.whens:
            # The parser pairs conditions with no operand, values with one.
            if operand is None:
                tests.append(self.condition(cast("tree.Cond", test), scope))
            else:
                other = self.value(cast("tree.Expr", test), scope)
                tests.append(self.compare("=", operand, other))
            results.append(self.value(result, scope))
        if case.default is not None:
            results.append(self.value(case.default, scope))
        kind = self.common(results)
        if kind is None:
            return Typed("NULL", None)
        same = [self.as_type(one, kind).sql for one in results]
        whens = " ".join(
            f"WHEN {test} THEN {result}" for test, result in zip(tests, same, strict=False)
        )
        default = f" ELSE {same[-1]}" if case.default is not None else ""
        return Typed(f"CASE {whens}{default} END", kind)

    def common(self, values: list[Typed]) -> SqlType | None:
        """The type of several values that become one; None when all are NULL."""
        kind: SqlType | None = None
        for one in values:
            if one.type is not None:
                kind = one.type if kind is None else wins(kind, one.type)
        return kind

    def _cast(self, written: tree.Cast, scope: Scope) -> Typed:
        value = self.value(written.value, scope)
        kind = resolve(written.type, self.session.collation, cast=True)
        if value.type is not None and value.type.family == "text" and kind.family == "text":
            kind = replace(kind, collation=value.type.collation)
        if value.type is None:
            return Typed("NULL", kind)
        style = "0" if written.style is None else self.value(written.style, scope).sql
        function = "t_try" if written.safe else "t_convert"
        source, target = number_of(value.type), number_of(kind)
        label = value.label if kind.family == value.type.family == "text" else COERCIBLE
        return Typed(f"{function}({value.sql}, {source}, {target}, {style}, 1)", kind, label)

    def _collate(self, value: Typed, name: str) -> Typed:
        if not known_collation(name):
            raise NotModelledError(f"the collation {name}")
        if value.type is None or value.type.family != "text":
            raise TsqlError(447, text="Expression type is invalid for COLLATE clause.")
        return Typed(value.sql, replace(value.type, collation=name), EXPLICIT)

    def as_type(self, value: Typed, kind: SqlType) -> Typed:
        """A value converted as an assignment or a comparison converts it."""
        source = value.type
        if source is None:
            return Typed(value.sql, kind)
        if source == kind or _same_cells(source, kind):
            return Typed(value.sql, kind, value.label)
        numbers = f"{number_of(source)}, {number_of(kind)}"
        return Typed(f"t_convert({value.sql}, {numbers}, 0, 0)", kind, value.label)

    # -- functions ---------------------------------------------------------------------------

    def _call(self, call: tree.Call, scope: Scope) -> Typed:
        if call.over is not None:
            return self._windowed(call, scope)
        if call.name in AGGREGATES:
            return self._aggregate(call, scope)
        if call.name in {"coalesce", "isnull", "nullif"}:
            return self._choice(call, scope)
        if call.star or call.distinct:
            raise TsqlError(102, "*" if call.star else "DISTINCT")
        arguments = []
        for number, argument in enumerate(call.arguments):
            unit = number == 0 and isinstance(argument, tree.Name) and call.name.startswith("date")
            if unit and isinstance(argument, tree.Name):
                arguments.append(Typed(self.bind(argument.parts[-1].lower()), varchar(20)))
            else:
                arguments.append(self.value(argument, scope))
        found = builtin(call.name, len(arguments))
        kind = found.result([one.type for one in arguments], self.session.collation)
        if call.name == "datalength":
            arguments = [self._bytes_of(arguments[0])]
        converted = [
            one.sql if wanted is None else self.as_type(one, wanted).sql
            for one, wanted in zip(
                arguments, found.wanted(arguments, self.session.collation), strict=True
            )
        ]
        return Typed(f"f_{call.name}({', '.join(converted)})", kind)

    def _bytes_of(self, value: Typed) -> Typed:
        """What DATALENGTH counts: the bytes of texts, the size of anything else."""
        kind = value.type
        if kind is None or kind.family == "binary":
            return value
        if kind.family == "text":
            whole = varbinary(MAX)
            numbers = f"{number_of(kind)}, {number_of(whole)}"
            return Typed(f"t_convert({value.sql}, {numbers}, 0, 1)", whole)
        size = _SIZES.get(kind.name)
        if size is None:
            raise NotModelledError(f"DATALENGTH of {kind.name}")
        return Typed(f"CASE WHEN {value.sql} IS NULL THEN NULL ELSE zeroblob({size}) END", kind)

    def _choice(self, call: tree.Call, scope: Scope) -> Typed:
        values = [self.value(one, scope) for one in call.arguments]
        if len(values) < 2 or (call.name != "coalesce" and len(values) != 2):
            raise TsqlError(174, call.name, 2)
        if call.name == "nullif":
            test = self.compare("=", values[0], values[1])
            return Typed(f"CASE WHEN {test} THEN NULL ELSE {values[0].sql} END", values[0].type)
        if call.name == "isnull" and values[0].type is not None:
            kind: SqlType | None = values[
                0
            ].type  # "ISNULL": the type of the first, cut to its length
        else:
            kind = self.common(values)
        if kind is None:
            return Typed("NULL", None)
        same = ", ".join(self.as_type(one, kind).sql for one in values)
        return Typed(f"COALESCE({same})", kind, values[0].label)

    def _aggregate(self, call: tree.Call, scope: Scope) -> Typed:
        if scope.grouped is None or scope.in_aggregate:
            raise TsqlError(
                147,
                text="An aggregate may not appear in the WHERE clause unless it is in a subquery "
                "contained in "
                "a HAVING clause or a select list, and the column being aggregated is an outer reference.",
            )
        if call.star:
            if call.name not in {"count", "count_big"}:
                raise TsqlError(102, "*")
            return Typed("COUNT(*)", SqlType("bigint") if call.name == "count_big" else INT)
        scope.in_aggregate = True
        try:
            arguments = [self.value(one, scope) for one in call.arguments]
        finally:
            scope.in_aggregate = False
        return AGGREGATES[call.name](self, arguments, "DISTINCT " if call.distinct else "")

    def _windowed(self, call: tree.Call, scope: Scope) -> Typed:
        if call.name not in WINDOWS or call.arguments:
            raise NotModelledError(f"{call.name.upper()} OVER")
        assert call.over is not None
        partition = ", ".join(self.sortable(self.value(one, scope)) for one in call.over.partition)
        order = self.order(call.over.order, scope)
        if not order:
            raise TsqlError(
                4112,
                text=f"The function '{call.name.upper()}' must have an OVER clause with ORDER BY.",
            )
        head = f"PARTITION BY {partition} " if partition else ""
        return Typed(f"{call.name}() OVER ({head}ORDER BY {order})", SqlType("bigint"))

    def order(self, items: tuple[tree.OrderItem, ...], scope: Scope) -> str:
        """What follows ORDER BY."""
        return ", ".join(
            self.sortable(self.value(one.value, scope)) + (" DESC" if one.descending else "")
            for one in items
        )

    def sortable(self, value: Typed) -> str:
        """A value with the collation that compares it. Raises :class:`TsqlError` 306."""
        kind = value.type
        if kind is not None and kind.lob:
            raise TsqlError(306, state=2)
        return value.sql + collating(kind)


def _same_cells(source: SqlType, kind: SqlType) -> bool:
    """Whether a conversion would change no cell."""
    if source.family != kind.family:
        return source == BIT and kind.family == "int"
    if source.family in {"text", "binary"}:
        wide = kind.length == MAX or 0 < source.length <= kind.length
        return wide and not kind.fixed and (kind.unicode or not source.unicode)
    if source.family == "int":
        names = ("tinyint", "smallint", "int", "bigint")
        return names.index(source.name) <= names.index(kind.name)
    if source.family == "decimal":
        whole = source.precision - source.scale <= kind.precision - kind.scale
        return source.scale == kind.scale and whole
    return source.name == kind.name and source.scale <= kind.scale


def _sum(one: int, two: int, limit: int) -> int:
    return MAX if MAX in {one, two} else min(one + two, limit)


def _decimal_result(op: str, left: SqlType, right: SqlType) -> SqlType:
    """Source: "Precision, scale, and length" (Transact-SQL)."""
    p1, s1, p2, s2 = left.precision, left.scale, right.precision, right.scale
    if op == "*":
        return decimal(p1 + p2 + 1, s1 + s2)
    if op == "/":
        scale = max(6, s1 + p2 + 1)
        return decimal(p1 - s1 + s2 + scale, scale)
    scale = max(s1, s2)
    if op == "%":
        return decimal(min(p1 - s1, p2 - s2) + scale, scale)
    return decimal(max(p1 - s1, p2 - s2) + scale + 1, scale)
