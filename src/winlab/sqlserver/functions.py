"""Functions that come with SQL Server, aggregates among them.

Source: "Functions" (Transact-SQL reference).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from winlab.sqlserver.errors import NotModelledError, TsqlError
from winlab.sqlserver.scope import Typed
from winlab.sqlserver.types import (
    BIGINT,
    DATETIME,
    FLOAT,
    INT,
    MAX,
    VARIANT,
    SqlType,
    as_decimal,
    decimal,
    number_of,
    nvarchar,
    varbinary,
)
from winlab.sqlserver.values import Cell, moment_cell, parts

if TYPE_CHECKING:
    from winlab.sqlserver.compiler import Expressions


class SessionView(Protocol):
    """What functions ask of the session that runs them."""

    def now(self) -> datetime:
        """The host's local time, naive."""

    def utc_now(self) -> datetime:
        """The host's time in UTC, naive."""

    def next_identity(self, table: int) -> int:
        """The next value of a table's IDENTITY column."""

    def ask(self, what: str, *cells: Cell) -> Cell:
        """What depends on the session: "db_name" and its like."""

    def new_guid(self) -> str:
        """A GUID in upper case."""


Result: TypeAlias = Callable[[Sequence[SqlType | None], str], SqlType]


@dataclass(frozen=True)
class Builtin:
    """A function. ``kinds`` has a letter for each argument, the last for all that follow.

    t becomes text, i int, d a time, n a number, b stays text or bytes, a stays what it is.
    """

    low: int
    high: int
    result: Result
    call: Callable[..., Cell]
    session: bool = False
    kinds: str = "a"

    def wanted(self, arguments: Sequence[Typed], collation: str) -> list[SqlType | None]:
        """The types that arguments are converted to, None for as they are."""
        return [
            _wanted(self.kinds[min(number, len(self.kinds) - 1)], one.type, collation)
            for number, one in enumerate(arguments)
        ]


def _wanted(letter: str, kind: SqlType | None, collation: str) -> SqlType | None:
    family = "" if kind is None else kind.family
    match letter:
        case "t":
            return None if family in {"", "text"} else nvarchar(MAX, collation)
        case "b":
            return None if family in {"", "text", "binary"} else nvarchar(MAX, collation)
        case "i":
            return None if family in {"", "int", "bit"} else INT
        case "d":
            return None if family in {"", "time"} else DATETIME if family != "text" else _DATETIME2
        case "n":
            return None if family in {"", "int", "bit", "decimal", "float"} else FLOAT
        case _:
            return None


BUILTINS: dict[str, Builtin] = {}
_DATETIME2 = SqlType("datetime2", scale=7)


def builtin(name: str, count: int) -> Builtin:
    """A function by name. Raises :class:`TsqlError` 174, :class:`NotModelledError` for a stranger."""
    found = BUILTINS.get(name)
    if found is None:
        raise NotModelledError(f"the function {name.upper()}")
    if not found.low <= count <= found.high:
        raise TsqlError(174, name, found.low)
    return found


def _add(
    name: str,
    low: int,
    high: int,
    result: SqlType | Result,
    call: Callable[..., Cell],
    *,
    kinds: str = "a",
    session: bool = False,
) -> None:
    kind = (lambda _types, _collation: result) if isinstance(result, SqlType) else result
    BUILTINS[name] = Builtin(low, high, kind, call, session, kinds)


def _strict(function: Callable[..., Cell]) -> Callable[..., Cell]:
    """NULL in, NULL out."""

    def call(*cells: Cell) -> Cell:
        return None if None in cells else function(*cells)

    return call


def _first(types: Sequence[SqlType | None], collation: str) -> SqlType:
    kind = types[0]
    if kind is None or kind.family != "text":
        return nvarchar(4000, collation)
    if kind.lob:
        return SqlType("nvarchar" if kind.unicode else "varchar", MAX, collation=collation)
    return kind


def _part(types: Sequence[SqlType | None], collation: str) -> SqlType:
    kind = types[0]
    return kind if kind is not None and kind.family == "binary" else _first(types, collation)


def _same(types: Sequence[SqlType | None], _: str) -> SqlType:
    kind = types[0] or INT
    return kind if kind.family in {"int", "bit", "decimal", "float"} else FLOAT


def _text(length: int) -> Result:
    return lambda _types, collation: nvarchar(length, collation)


# -- texts ---------------------------------------------------------------------------------------


def _length(text: Any) -> Cell:
    return len(text) if isinstance(text, bytes) else len(str(text).rstrip(" "))


def _substring(text: Any, start: int, length: int) -> Cell:
    if length < 0:
        raise TsqlError(
            537, text="Invalid length parameter passed to the LEFT or SUBSTRING function."
        )
    begin, end = max(start - 1, 0), max(start - 1 + length, 0)
    found: Cell = text[begin:end]
    return found


def _data_length_type(types: Sequence[SqlType | None], _: str) -> SqlType:
    return BIGINT if types[0] is not None and types[0].length == MAX else INT


def _quote_name(text: str, quote: str = "[") -> Cell:
    closing = {"[": "]", "]": "]", "'": "'", '"': '"'}.get(quote)
    if closing is None or len(text) > 128:
        return None
    opening = "[" if closing == "]" else closing
    return opening + text.replace(closing, closing * 2) + closing


def _left(text: str, count: int) -> Cell:
    return text[: max(count, 0)]


def _right(text: str, count: int) -> Cell:
    return text[-count:] if count > 0 else ""


def _char_index(wanted: str, text: str, start: int = 1) -> Cell:
    return text.lower().find(wanted.lower(), max(start - 1, 0)) + 1


def _replace(text: str, old: str, new: str) -> Cell:
    if not old:
        return text
    low, wanted = text.lower(), old.lower()
    out, at = [], 0
    while (found := low.find(wanted, at)) >= 0:
        out.append(text[at:found] + new)
        at = found + len(old)
    return "".join(out) + text[at:]


def _replicate(text: str, count: int) -> Cell:
    # Without (max) the result ends at 8,000 bytes ("REPLICATE").
    return None if count < 0 else (text * min(count, 8000))[:8000]


def _stuff(text: str | None, start: int | None, length: int | None, new: str | None) -> Cell:
    if text is None or start is None or length is None:
        return None
    if start < 1 or start > len(text) or length < 0:
        return None
    return text[: start - 1] + (new or "") + text[start - 1 + length :]


for _name, _function in {
    "upper": lambda text: str(text).upper(),
    "lower": lambda text: str(text).lower(),
    "ltrim": lambda text: str(text).lstrip(" "),
    "rtrim": lambda text: str(text).rstrip(" "),
    "trim": lambda text: str(text).strip(" "),
    "reverse": lambda text: str(text)[::-1],
}.items():
    _add(_name, 1, 1, _first, _strict(_function), kinds="t")
_add("len", 1, 1, _data_length_type, _strict(_length), kinds="b")
_add("substring", 3, 3, _part, _strict(_substring), kinds="bi")
_add("left", 2, 2, _first, _strict(_left), kinds="ti")
_add("right", 2, 2, _first, _strict(_right), kinds="ti")
_add("charindex", 2, 3, INT, _strict(_char_index), kinds="tti")
_add("replace", 3, 3, _text(MAX), _strict(_replace), kinds="t")
_add("stuff", 4, 4, _text(MAX), _stuff, kinds="tiit")
_add("replicate", 2, 2, _text(MAX), _strict(_replicate), kinds="ti")
_add("space", 1, 1, _text(4000), _strict(lambda n: " " * n if 0 <= n <= 8000 else None), kinds="i")
_add("quotename", 1, 2, _text(258), _strict(_quote_name), kinds="t")
_add("nchar", 1, 1, _text(1), _strict(lambda n: chr(n) if 0 <= n < 0xD800 else None), kinds="i")
_add("unicode", 1, 1, INT, _strict(lambda t: ord(t[0]) if t else None), kinds="t")
_add("concat", 2, 254, _text(MAX), lambda *c: "".join("" if x is None else x for x in c), kinds="t")

# -- numbers and bytes ---------------------------------------------------------------------------


def _round(value: Any, digits: int) -> Cell:
    if isinstance(value, float):
        return round(value, digits)
    rounded = Decimal(str(value)).quantize(Decimal(1).scaleb(-digits), "ROUND_HALF_UP")
    if isinstance(value, int):
        return int(rounded)
    places = max(-int(Decimal(value).as_tuple().exponent), 0)
    return f"{rounded.quantize(Decimal(1).scaleb(-places)):f}"


def _absolute(value: Any) -> Cell:
    return value.lstrip("-") if isinstance(value, str) else abs(value)


def _whole(function: Callable[[Any], int]) -> Callable[..., Cell]:
    def call(value: Any) -> Cell:
        if isinstance(value, str):
            return str(function(Decimal(value)))
        return float(function(value)) if isinstance(value, float) else value

    return _strict(call)


def _whole_type(types: Sequence[SqlType | None], _: str) -> SqlType:
    kind = _same(types, _)
    return decimal(kind.precision, 0) if kind.family == "decimal" else kind


_HASHES = {"md5": "md5", "sha": "sha1", "sha1": "sha1"}
_NEW_HASHES = {"sha2_256": "sha256", "sha2_512": "sha512"}


def _hash_bytes(session: SessionView, name: str | None, data: Any) -> Cell:
    if name is None or data is None:
        return None
    low = name.lower()
    newer = _NEW_HASHES if int(session.ask("major") or 0) >= 11 else {}
    algorithm = {**_HASHES, **newer}.get(low)
    if algorithm is None:
        return None  # "HASHBYTES": an algorithm that is not known gives NULL
    plain = data.encode("utf-16-le", "surrogatepass") if isinstance(data, str) else data
    return hashlib.new(algorithm, plain, usedforsecurity=False).digest()


_add("abs", 1, 1, _same, _strict(_absolute), kinds="n")
_add("round", 2, 2, _same, _strict(_round), kinds="ni")
_add("ceiling", 1, 1, _whole_type, _whole(math.ceil), kinds="n")
_add("floor", 1, 1, _whole_type, _whole(math.floor), kinds="n")
_add("hashbytes", 2, 2, varbinary(8000), _hash_bytes, kinds="tb", session=True)

# -- times ---------------------------------------------------------------------------------------

_UNITS = {
    "yy": "year",
    "yyyy": "year",
    "mm": "month",
    "m": "month",
    "dd": "day",
    "d": "day",
    "hh": "hour",
    "mi": "minute",
    "n": "minute",
    "ss": "second",
    "s": "second",
    "ms": "millisecond",
    "wk": "week",
    "ww": "week",
    "qq": "quarter",
    "q": "quarter",
    "dy": "dayofyear",
    "dw": "weekday",
}
_LENGTHS = {
    "week": timedelta(weeks=1),
    "day": timedelta(days=1),
    "dayofyear": timedelta(days=1),
    "weekday": timedelta(days=1),
    "hour": timedelta(hours=1),
    "minute": timedelta(minutes=1),
    "second": timedelta(seconds=1),
    "millisecond": timedelta(milliseconds=1),
}


def _unit(name: str) -> str:
    unit = _UNITS.get(name, name)
    if unit not in {*_LENGTHS, "year", "month", "quarter"}:
        raise NotModelledError(f"the date part {name}")
    return unit


def _date_add(name: str, count: Any, cell: str) -> Cell:
    unit, number = _unit(name), int(float(count))
    moment = parts(cell)
    try:
        if unit in _LENGTHS:
            moment += number * _LENGTHS[unit]
        else:
            months = number * {"year": 12, "quarter": 3, "month": 1}[unit]
            total = moment.year * 12 + moment.month - 1 + months
            year, month = divmod(total, 12)
            last = (datetime(year + month // 11, (month + 1) % 12 + 1, 1) - timedelta(days=1)).day  # noqa: DTZ001 - no zone
            moment = moment.replace(year=year, month=month + 1, day=min(moment.day, last))
    except (OverflowError, ValueError) as error:
        raise TsqlError(517, "datetime") from error
    shape = {10: SqlType("date"), 16: SqlType("time", scale=7)}.get(len(cell), _DATETIME2)
    return moment_cell(moment, shape)


def _date_add_type(types: Sequence[SqlType | None], _: str) -> SqlType:
    kind = types[2]
    return kind if kind is not None and kind.family == "time" else DATETIME


def _date_diff(name: str, begin: str, end: str) -> Cell:
    unit = _unit(name)
    one, two = parts(begin), parts(end)
    months = (two.year - one.year) * 12 + two.month - one.month
    match unit:
        case "year":
            return two.year - one.year
        case "quarter":
            return (two.year * 4 + (two.month - 1) // 3) - (one.year * 4 + (one.month - 1) // 3)
        case "month":
            return months
    # Boundaries that are crossed count, not whole units ("DATEDIFF").
    base = datetime(1, 1, 1) - timedelta(0)  # noqa: DTZ001 - no zone
    length = _LENGTHS[unit]
    return (two - base) // length - (one - base) // length


def _date_part(name: str, cell: str) -> Cell:
    moment = parts(cell)
    unit = _unit(name)
    match unit:
        case "quarter":
            return (moment.month - 1) // 3 + 1
        case "dayofyear":
            return moment.timetuple().tm_yday
        case "weekday":
            return moment.isoweekday() % 7 + 1
        case "millisecond":
            return moment.microsecond // 1000
        case "week":
            raise NotModelledError("the date part week")
    return int(getattr(moment, unit))


_add("getdate", 0, 0, DATETIME, lambda s: moment_cell(s.now(), DATETIME), session=True)
_add("current_timestamp", 0, 0, DATETIME, lambda s: moment_cell(s.now(), DATETIME), session=True)
_add("getutcdate", 0, 0, DATETIME, lambda s: moment_cell(s.utc_now(), DATETIME), session=True)
_add("sysdatetime", 0, 0, _DATETIME2, lambda s: moment_cell(s.now(), _DATETIME2), session=True)
_add(
    "sysutcdatetime", 0, 0, _DATETIME2, lambda s: moment_cell(s.utc_now(), _DATETIME2), session=True
)
_add("dateadd", 3, 3, _date_add_type, _strict(_date_add), kinds="tid")
_add("datediff", 3, 3, INT, _strict(_date_diff), kinds="td")
_add("datepart", 2, 2, INT, _strict(_date_part), kinds="td")
for _name in ("year", "month", "day"):
    _add(_name, 1, 1, INT, _strict(lambda cell, unit=_name: _date_part(unit, cell)), kinds="d")

# -- the session and its server ------------------------------------------------------------------

_SYSNAME = _text(128)
for _name, _low, _high, _kind in (
    ("db_name", 0, 1, _SYSNAME),
    ("db_id", 0, 1, SqlType("smallint")),
    ("schema_name", 0, 1, _SYSNAME),
    ("schema_id", 0, 1, INT),
    ("suser_sname", 0, 1, _SYSNAME),
    ("suser_name", 0, 1, _SYSNAME),
    ("system_user", 0, 0, _SYSNAME),
    ("original_login", 0, 0, _SYSNAME),
    ("user_name", 0, 1, _SYSNAME),
    ("current_user", 0, 0, _SYSNAME),
    ("user", 0, 0, _SYSNAME),
    ("host_name", 0, 0, _SYSNAME),
    ("app_name", 0, 0, _SYSNAME),
    ("serverproperty", 1, 1, VARIANT),
    ("databasepropertyex", 2, 2, VARIANT),
    ("object_id", 1, 2, INT),
    ("object_name", 1, 2, _SYSNAME),
    ("object_schema_name", 1, 2, _SYSNAME),
    ("type_name", 1, 1, _SYSNAME),
    ("col_length", 2, 2, SqlType("smallint")),
    ("scope_identity", 0, 0, decimal(38, 0)),
    ("ident_current", 1, 1, decimal(38, 0)),
    ("error_number", 0, 0, INT),
    ("error_severity", 0, 0, INT),
    ("error_state", 0, 0, INT),
    ("error_line", 0, 0, INT),
    ("error_procedure", 0, 0, _SYSNAME),
    ("error_message", 0, 0, _text(4000)),
    ("xact_state", 0, 0, SqlType("smallint")),
    ("is_srvrolemember", 1, 2, INT),
    ("is_member", 1, 1, INT),
    ("is_rolemember", 1, 2, INT),
    ("has_dbaccess", 1, 1, INT),
    ("connectionproperty", 1, 1, VARIANT),
):
    _add(
        _name,
        _low,
        _high,
        _kind,
        lambda session, *cells, what=_name: session.ask(what, *cells),
        kinds="i" if _name in {"object_name", "object_schema_name", "type_name"} else "a",
        session=True,
    )


_add("newid", 0, 0, SqlType("uniqueidentifier"), lambda session: session.new_guid(), session=True)
_add("datalength", 1, 1, _data_length_type, _strict(len))

# -- aggregates ----------------------------------------------------------------------------------

WINDOWS = frozenset({"row_number", "rank", "dense_rank"})


def _count(compiler: Expressions, arguments: list[Typed], distinct: str) -> Typed:
    [one] = arguments
    sql = compiler.sortable(one) if distinct else one.sql
    return Typed(f"COUNT({distinct}{sql})", INT)


def _extreme(name: str) -> Callable[[Expressions, list[Typed], str], Typed]:
    def make(compiler: Expressions, arguments: list[Typed], distinct: str) -> Typed:
        [one] = arguments
        return Typed(f"{name}({distinct}{compiler.sortable(one)})", one.type, one.label)

    return make


def _total(name: str) -> Callable[[Expressions, list[Typed], str], Typed]:
    def make(_: Expressions, arguments: list[Typed], distinct: str) -> Typed:
        [one] = arguments
        kind = one.type or INT
        if kind.family not in {"int", "decimal", "float"}:
            raise TsqlError(
                8117, text=f"Operand data type {kind.described} is invalid for {name} operator."
            )
        if kind.name in {"tinyint", "smallint"}:
            kind = INT
        if kind.family == "decimal":
            wide = as_decimal(kind)
            kind = decimal(38, wide.scale if name == "sum" else max(wide.scale, 6))
        elif kind.name == "real":
            kind = FLOAT
        if distinct:
            raise NotModelledError(f"{name.upper()}(DISTINCT)")
        return Typed(f"t_{name}({one.sql}, {number_of(kind)})", kind)

    return make


AGGREGATES: dict[str, Callable[[Expressions, list[Typed], str], Typed]] = {
    "count": _count,
    "count_big": lambda c, a, d: Typed(_count(c, a, d).sql, BIGINT),
    "min": _extreme("MIN"),
    "max": _extreme("MAX"),
    "sum": _total("sum"),
    "avg": _total("avg"),
}
