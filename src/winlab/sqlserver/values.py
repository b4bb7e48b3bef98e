"""Converting cells from one type to another.

Source: "CAST and CONVERT" and each type's page (Transact-SQL reference).
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, TypeAlias

from winlab.sqlserver.errors import NotModelledError, TsqlError
from winlab.sqlserver.times import moment_cell, parts, to_time
from winlab.sqlserver.types import INTEGERS, MAX, SqlType

Cell: TypeAlias = int | float | str | bytes | None

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
            return to_time(cell, source, target)
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
