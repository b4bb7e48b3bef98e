"""Converting cells from one type to another.

Source: "CAST and CONVERT" and each type's page (Transact-SQL reference).
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, TypeAlias

from winlab.sqlserver.errors import NotModelledError, TsqlError
from winlab.sqlserver.types import INTEGERS, MAX, SqlType

Cell: TypeAlias = int | float | str | bytes | None

_MOMENT = re.compile(
    r"(?:(?P<y>\d{4})-?(?P<m>\d{1,2})-?(?P<d>\d{1,2}))?"
    r"(?:(?:^|[ T])\s*(?P<h>\d{1,2}):(?P<i>\d{2})(?::(?P<s>\d{2})(?:\.(?P<f>\d{1,9}))?)?)?Z?$"
)
_FORBIDDEN = {
    ("text", "binary"): 257,
    ("time", "int"): 257,
    ("time", "decimal"): 257,
    ("float", "binary"): 257,
}


def convert(
    cell: Cell, source: SqlType, target: SqlType, style: int = 0, *, explicit: bool = True
) -> Cell:
    """A cell of type ``source`` as one of type ``target``.

    Raises:
        TsqlError: 241, 242, 245, 257, 529, 8114, 8115, 8169 and their like, as the server has it.
    """
    if cell is None:
        return None
    if not explicit and target.family != source.family:
        number = _FORBIDDEN.get((source.family, target.family))
        if number is not None:
            raise TsqlError(number, source.described, target.described)
    match target.family:
        case "text":
            return _fit_text(_to_text(cell, source, target, style), source, target)
        case "int" | "bit":
            return _to_integer(cell, source, target)
        case "decimal":
            return _to_decimal(cell, source, target)
        case "float":
            return _to_float(cell, source, target)
        case "binary":
            return _to_binary(cell, source, target, style)
        case "time":
            return _to_time(cell, source, target)
        case "guid":
            return _to_guid(cell, source, target)
        case _:
            return cell


def store(cell: Cell, source: SqlType, target: SqlType) -> Cell:
    """A cell as a column takes it: what would be cut is error 8152."""
    if cell is None:
        return None
    found = convert(cell, source, target, explicit=False)
    if target.length == MAX or target.family not in {"text", "binary"}:
        return found
    if source.family == "text" and target.family == "text":
        whole = str(cell).rstrip(" ")
        size = len(whole) if target.unicode else len(whole.encode(target.codec, "replace"))
        if size > target.length:
            raise TsqlError(8152, state=4)
    elif isinstance(cell, bytes) and len(cell.rstrip(b"\0")) > target.length:
        raise TsqlError(8152, state=10)
    return found


# -- text ----------------------------------------------------------------------------------------


def _to_text(cell: Cell, source: SqlType, target: SqlType, style: int) -> str:
    match source.family:
        case "text" | "guid" | "variant":
            return str(cell)
        case "binary":
            assert isinstance(cell, bytes)
            if style in {1, 2}:
                return ("0x" if style == 1 else "") + cell.hex().upper()
            if target.unicode:
                even = cell if len(cell) % 2 == 0 else cell + b"\0"
                return even.decode("utf-16-le", "surrogatepass")
            return cell.decode(target.codec, "replace")
        case "float":
            return _float_text(float(cell or 0), style)
        case "time":
            return _moment_text(str(cell), source, style)
        case _:
            return str(cell)


def _fit_text(text: str, source: SqlType, target: SqlType) -> str:
    if not target.unicode:
        # What the code page does not have becomes a question mark ("Collation and Unicode support").
        text = text.encode(target.codec, "replace").decode(target.codec)
    if target.length != MAX:
        limit = target.length
        size = len(text) if target.unicode else len(text.encode(target.codec, "replace"))
        if size > limit:
            if source.family in {"int", "bit"}:
                if target.unicode:
                    raise TsqlError(8115, "expression", target.described)
                return "*"
            if source.family in {"decimal", "float"}:
                raise TsqlError(8115, "numeric", target.described)
            text = text[:limit] if target.unicode else _cut_bytes(text, target.codec, limit)
        if target.fixed:
            size = len(text) if target.unicode else len(text.encode(target.codec, "replace"))
            text += " " * (limit - size)
    return text


def _cut_bytes(text: str, codec: str, limit: int) -> str:
    return text.encode(codec, "replace")[:limit].decode(codec, "ignore")


def _float_text(value: float, style: int) -> str:
    """Six digits by default, eight with style 1, sixteen with 2 ("float and real styles")."""
    if style in {1, 2}:
        return f"{value:.{7 if style == 1 else 15}e}".replace("e", "e")
    text = f"{value:.6g}"
    return re.sub(r"e([+-])(\d{2})$", r"e\g<1>0\g<2>", text)


def _moment_text(cell: str, source: SqlType, style: int) -> str:
    moment = parts(cell)
    if style == 0 and source.name in {"datetime", "smalldatetime"}:
        hour = moment.hour % 12 or 12
        half = "AM" if moment.hour < 12 else "PM"
        return f"{moment:%b} {moment.day:2d} {moment.year} {hour:2d}:{moment:%M}{half}"
    day, clock = cell[:10], cell[11:] if len(cell) > 16 else cell
    if style == 112:
        return f"{moment:%Y%m%d}"
    if style == 23 or source.name == "date":
        return day
    digits = (
        3 if source.name == "datetime" else 0 if source.name == "smalldatetime" else source.scale
    )
    fraction = clock[9 : 9 + digits]
    precise = clock[:8] + (f".{fraction}" if fraction else "")
    if source.name == "time":
        return clock[:8] if style in {108, 8, 120, 20} else precise
    if style in {108, 8}:
        return clock[:8]
    if style in {120, 20}:
        return f"{day} {clock[:8]}"
    if style in {126, 127}:
        bare = precise.rstrip("0").rstrip(".") if digits and not fraction.strip("0") else precise
        return f"{day}T{bare}"
    if style in {0, 121, 21, 25}:
        return f"{day} {precise}"
    raise NotModelledError(f"CONVERT with the style {style}")


# -- numbers -------------------------------------------------------------------------------------


def _to_integer(cell: Cell, source: SqlType, target: SqlType) -> int:
    value: int
    if source.family == "text":
        text = str(cell).strip(" ")
        if target.name == "bit" and text.lower() in {"true", "false"}:
            return int(text.lower() == "true")
        if not re.fullmatch(r"[+-]?\d*", text) or text in {"+", "-"}:
            raise TsqlError(245, source.described, str(cell), target.described)
        value = int(text or 0)
        if target.name == "int" and not target.in_range(value):
            raise TsqlError(248, source.described, str(cell))
    elif source.family == "binary":
        assert isinstance(cell, bytes)
        size = INTEGERS.get(target.name, 1)
        value = int.from_bytes(cell[-size:], "big")
        if target.name not in {"tinyint", "bit"} and value >= 1 << (8 * size - 1):
            value -= 1 << 8 * size
    elif source.family == "time":
        if source.name not in {"datetime", "smalldatetime"}:
            raise TsqlError(529, source.described, target.described)
        moment = parts(str(cell)) + timedelta(hours=12)
        value = (moment.date() - date(1900, 1, 1)).days
    elif source.family == "guid":
        raise TsqlError(206, source.described, target.described)
    else:
        value = int(Decimal(str(cell)).to_integral_value(ROUND_DOWN))
    if target.name == "bit":
        return int(value != 0)
    if not target.in_range(value):
        if target.name in {"tinyint", "smallint"} and source.family == "int":
            raise TsqlError(220, target.name, value)
        raise TsqlError(8115, "expression", target.name, state=2)
    return value


def _to_decimal(cell: Cell, source: SqlType, target: SqlType) -> str:
    if source.family in {"time", "guid"}:
        raise TsqlError(529, source.described, target.described)
    if source.family == "binary":
        raise NotModelledError("the conversion of binary to decimal")
    try:
        value = Decimal(str(cell).strip(" ") if source.family == "text" else str(cell))
        if not value.is_finite():
            raise InvalidOperation
    except InvalidOperation as error:
        raise TsqlError(8114, source.described, "numeric", state=5) from error
    return decimal_text(value, target, source)


def decimal_text(value: Decimal, target: SqlType, source: SqlType | None = None) -> str:
    """The digits of a decimal with the type's places, rounded half away from zero.

    Raises:
        TsqlError: 8115.
    """
    unit = Decimal(1).scaleb(-target.scale)
    # A context of its own: 38 digits and the places that rounding drops.
    rounded = value.quantize(unit, ROUND_HALF_UP, context=_WIDE)
    if abs(rounded) >= Decimal(10) ** (target.precision - target.scale):
        name = "numeric" if source is None or source.family != "float" else "float"
        raise TsqlError(8115, name, "numeric", state=8)
    text = f"{rounded:f}"
    return text[1:] if rounded == 0 and text.startswith("-") else text


def _wide() -> Any:
    from decimal import Context

    return Context(prec=120)


_WIDE = _wide()


def _to_float(cell: Cell, source: SqlType, target: SqlType) -> float:
    if source.family in {"guid", "binary"} or (
        source.family == "time" and source.name not in {"datetime", "smalldatetime"}
    ):
        raise TsqlError(529, source.described, target.described)
    if source.family == "time":
        since = parts(str(cell)) - datetime(1900, 1, 1)  # noqa: DTZ001 - SQL Server's times have no zone
        return since / timedelta(days=1)
    try:
        return float(str(cell).strip(" ") or 0)
    except ValueError as error:
        raise TsqlError(8114, source.described, target.described, state=5) from error


# -- bytes and GUIDs -----------------------------------------------------------------------------


def _to_binary(cell: Cell, source: SqlType, target: SqlType, style: int) -> bytes:
    data: bytes
    if source.family == "binary":
        assert isinstance(cell, bytes)
        data = cell
    elif source.family == "text":
        data = _text_to_binary(str(cell), source, target, style)
    elif source.family in {"int", "bit"}:
        size = INTEGERS.get(source.name, 1)
        data = (int(cell or 0) & ((1 << 8 * size) - 1)).to_bytes(size, "big")
        if target.length != MAX:
            # Numbers are cut and filled on the left.
            data = data[-target.length :]
            return data.rjust(target.length, b"\0") if target.fixed else data
    elif source.family == "guid":
        data = _swapped(bytes.fromhex(str(cell).replace("-", "")))
    else:
        raise NotModelledError(f"the conversion of {source.described} to {target.described}")
    if target.length != MAX:
        data = data[: target.length]
    return data.ljust(target.length, b"\0") if target.fixed else data


def _text_to_binary(text: str, source: SqlType, target: SqlType, style: int) -> bytes:
    if style in {1, 2}:
        digits = text[2:] if style == 1 and text[:2].lower() == "0x" else text
        try:
            return bytes.fromhex(digits)
        except ValueError as error:
            raise TsqlError(8114, source.described, target.described, state=5) from error
    if source.unicode:
        return text.encode("utf-16-le", "surrogatepass")
    return text.encode(source.codec, "replace")


def _swapped(data: bytes) -> bytes:
    """A GUID's first three groups are kept with their bytes in reverse ("uniqueidentifier")."""
    return data[3::-1] + data[5:3:-1] + data[7:5:-1] + data[8:]


def _to_guid(cell: Cell, source: SqlType, target: SqlType) -> str:
    if source.family == "guid":
        return str(cell)
    if source.family == "binary" and isinstance(cell, bytes):
        digits = _swapped(cell[:16].ljust(16, b"\0")).hex().upper()
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    if source.family != "text":
        raise TsqlError(206, source.described, target.described)
    text = str(cell).strip(" ")
    bare = text[1:37] if text.startswith("{") and text[37:38] == "}" else text[:36]
    if not re.fullmatch(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", bare):
        raise TsqlError(8169, state=2)
    return bare.upper()


# -- times ---------------------------------------------------------------------------------------


def parts(cell: str) -> datetime:
    """A cell as a naive datetime; the seventh digit of its seconds is lost."""
    if len(cell) == 10:
        return datetime.fromisoformat(cell)
    if len(cell) == 16:
        return datetime.combine(date(1900, 1, 1), time.fromisoformat(cell[:15]))
    return datetime.fromisoformat(cell[:26])


def moment_cell(moment: datetime, kind: SqlType) -> str:
    """A naive datetime as a cell of a type."""
    whole = f"{moment:%Y-%m-%d %H:%M:%S}".rjust(19, "0") + f".{moment.microsecond:06d}0"
    return _shape(whole, kind)


def _to_time(cell: Cell, source: SqlType, target: SqlType) -> str:
    if source.family == "time":
        text = str(cell)
        whole = (
            f"{text} 00:00:00.0000000"
            if len(text) == 10
            else f"1900-01-01 {text}"
            if len(text) == 16
            else text
        )
        if {source.name, target.name} == {"date", "time"}:
            raise TsqlError(206, source.described, target.described)
        return _shape(whole, target)
    if source.family == "text":
        return _shape(_read_moment(str(cell), target), target)
    if source.family in {"int", "bit", "decimal", "float"}:
        if target.name not in {"datetime", "smalldatetime"}:
            raise TsqlError(206, source.described, target.described)
        base = datetime(1900, 1, 1)  # noqa: DTZ001 - SQL Server's times have no zone
        try:
            return moment_cell(base + timedelta(days=float(str(cell))), target)
        except OverflowError as error:
            raise TsqlError(8115, "expression", target.described, state=2) from error
    raise TsqlError(529, source.described, target.described)


def _read_moment(text: str, target: SqlType) -> str:
    text = text.strip(" ")
    if not text:
        return "1900-01-01 00:00:00.0000000"
    match = _MOMENT.match(text)
    if match is None:
        raise TsqlError(241)
    y, m, d, h, i, s, f = match.group("y", "m", "d", "h", "i", "s", "f")
    fraction = f or ""
    limit = 3 if target.name in {"datetime", "smalldatetime"} else 7
    if len(fraction) > limit or (y is None and h is None):
        raise TsqlError(241)
    try:
        day = date(int(y or 1900), int(m or 1), int(d or 1))
        clock = time(int(h or 0), int(i or 0), int(s or 0))
    except ValueError as error:
        if target.name in {"datetime", "smalldatetime"}:
            raise TsqlError(242, "varchar", target.name, state=3) from error
        raise TsqlError(241) from error
    return f"{day.isoformat()} {clock.isoformat()}.{fraction.ljust(7, '0')}"


def _shape(whole: str, kind: SqlType) -> str:
    """A full moment, 27 letters long, in the shape and the precision of a type."""
    if kind.name == "date":
        return whole[:10]
    if kind.name == "datetime":
        # Three hundredths of a second: .000, .003, .007 ("datetime").
        if whole < "1753":
            raise TsqlError(242, "datetime2", "datetime", state=3)
        moment = datetime.fromisoformat(whole[:19])
        ticks = int(Decimal("0" + whole[19:]) * 300 + Decimal("0.5"))
        moment += timedelta(seconds=ticks // 300)
        millis = (ticks % 300 * 1000 + 150) // 300
        return f"{moment:%Y-%m-%d %H:%M:%S}".rjust(19, "0") + f".{millis:03d}0000"
    if kind.name == "smalldatetime":
        moment = datetime.fromisoformat(whole[:19]) + timedelta(seconds=30)
        if not 1900 <= moment.year <= 2079:
            raise TsqlError(242, "datetime2", "smalldatetime", state=3)
        return f"{moment:%Y-%m-%d %H:%M}:00.0000000"
    rounded = _round_fraction(whole, kind.scale)
    return rounded[11:] if kind.name == "time" else rounded


def _round_fraction(whole: str, scale: int) -> str:
    if scale >= 7:
        return whole
    unit = 10 ** (7 - scale)
    units = (int(whole[20:]) + unit // 2) // unit * unit
    if units >= 10_000_000:
        moment = datetime.fromisoformat(whole[:19]) + timedelta(seconds=1)
        return f"{moment:%Y-%m-%d %H:%M:%S}".rjust(19, "0") + ".0000000"
    return f"{whole[:20]}{units:07d}"


def native(cell: Cell, kind: SqlType) -> Any:
    """A cell as Python has it: int, bool, Decimal, float, str, bytes, date, time, datetime."""
    if cell is None:
        return None
    match kind.family:
        case "bit":
            return bool(cell)
        case "decimal":
            return Decimal(str(cell))
        case "time":
            text = str(cell)
            if kind.name == "date":
                return date.fromisoformat(text)
            moment = parts(text)
            return moment.time() if kind.name == "time" else moment
        case _:
            return cell


def cell_of(value: Any, kind: SqlType) -> Cell:
    """A Python value, as a client sent it with its type, as a cell."""
    if value is None:
        return None
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Decimal):
        return decimal_text(value, kind)
    if isinstance(value, datetime):
        return moment_cell(value, kind)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return f"{value:%H:%M:%S}.{value.microsecond:06d}0"
    found: Cell = value
    return found
