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
from winlab.sqlserver.times import moment_cell, parts
from winlab.sqlserver.types import (
    BIGINT,
    DATETIME,
    FLOAT,
    INT,
    MAX,
    SqlType,
    decimal,
    nvarchar,
    varbinary,
)
from winlab.sqlserver.values import Cell

if TYPE_CHECKING:
    pass


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


def add(
    name: str,
    low: int,
    high: int,
    result: SqlType | Result,
    call: Callable[..., Cell],
    *,
    kinds: str = "a",
    session: bool = False,
) -> None:
    """Register a function that takes ``low`` to ``high`` arguments."""
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


def text_of(length: int) -> Result:
    """nvarchar of so many characters."""
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
    add(_name, 1, 1, _first, _strict(_function), kinds="t")
add("len", 1, 1, _data_length_type, _strict(_length), kinds="b")
add("substring", 3, 3, _part, _strict(_substring), kinds="bi")
add("left", 2, 2, _first, _strict(_left), kinds="ti")
add("right", 2, 2, _first, _strict(_right), kinds="ti")
add("charindex", 2, 3, INT, _strict(_char_index), kinds="tti")
add("replace", 3, 3, text_of(MAX), _strict(_replace), kinds="t")
add("stuff", 4, 4, text_of(MAX), _stuff, kinds="tiit")
add("replicate", 2, 2, text_of(MAX), _strict(_replicate), kinds="ti")
add("space", 1, 1, text_of(4000), _strict(lambda n: " " * n if 0 <= n <= 8000 else None), kinds="i")
add("quotename", 1, 2, text_of(258), _strict(_quote_name), kinds="t")
add("nchar", 1, 1, text_of(1), _strict(lambda n: chr(n) if 0 <= n < 0xD800 else None), kinds="i")
add("unicode", 1, 1, INT, _strict(lambda t: ord(t[0]) if t else None), kinds="t")
add(
    "concat", 2, 254, text_of(MAX), lambda *c: "".join("" if x is None else x for x in c), kinds="t"
)

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


add("abs", 1, 1, _same, _strict(_absolute), kinds="n")
add("round", 2, 2, _same, _strict(_round), kinds="ni")
add("ceiling", 1, 1, _whole_type, _whole(math.ceil), kinds="n")
add("floor", 1, 1, _whole_type, _whole(math.floor), kinds="n")
add("hashbytes", 2, 2, varbinary(8000), _hash_bytes, kinds="tb", session=True)

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


add("getdate", 0, 0, DATETIME, lambda s: moment_cell(s.now(), DATETIME), session=True)
add("current_timestamp", 0, 0, DATETIME, lambda s: moment_cell(s.now(), DATETIME), session=True)
add("getutcdate", 0, 0, DATETIME, lambda s: moment_cell(s.utc_now(), DATETIME), session=True)
add("sysdatetime", 0, 0, _DATETIME2, lambda s: moment_cell(s.now(), _DATETIME2), session=True)
add(
    "sysutcdatetime", 0, 0, _DATETIME2, lambda s: moment_cell(s.utc_now(), _DATETIME2), session=True
)
add("dateadd", 3, 3, _date_add_type, _strict(_date_add), kinds="tid")
add("datediff", 3, 3, INT, _strict(_date_diff), kinds="td")
add("datepart", 2, 2, INT, _strict(_date_part), kinds="td")
for _name in ("year", "month", "day"):
    add(_name, 1, 1, INT, _strict(lambda cell, unit=_name: _date_part(unit, cell)), kinds="d")
add("datalength", 1, 1, _data_length_type, _strict(len))
