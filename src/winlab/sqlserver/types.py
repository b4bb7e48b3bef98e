"""Data types: names, sizes, which one wins when two meet, and collations.

Source: "Data types", "Data type precedence", "Precision, scale, and length", "Windows collation
name" (Transact-SQL reference). How the lab keeps values ("cells"): integers as such, bit as 0 and
1, decimals as
digits with exactly ``scale`` places, times as ``YYYY-MM-DD HH:MM:SS.fffffff``, ``YYYY-MM-DD`` or
``HH:MM:SS.fffffff``,
texts, bytes, GUIDs as upper-case text.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from decimal import Decimal

from winlab.sqlserver.errors import NotModelledError, TsqlError
from winlab.sqlserver.syntax import TypeName

MAX = -1
DEFAULT_COLLATION = "SQL_Latin1_General_CP1_CI_AS"

INTEGERS = {"tinyint": 1, "smallint": 2, "int": 4, "bigint": 8}
_RANGES = {
    "tinyint": (0, 255),
    "smallint": (-(2**15), 2**15 - 1),
    "int": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
}
_PRECEDENCE = [
    "sql_variant",
    "datetime2",
    "datetime",
    "smalldatetime",
    "date",
    "time",
    "float",
    "real",
    "decimal",
    "numeric",
    "bigint",
    "int",
    "smallint",
    "tinyint",
    "bit",
    "ntext",
    "text",
    "image",
    "uniqueidentifier",
    "nvarchar",
    "nchar",
    "varchar",
    "char",
    "varbinary",
    "binary",
]
_SYNONYMS = {
    "integer": "int",
    "dec": "decimal",
    "character": "char",
    "sysname": "nvarchar",
}
_FAMILIES = {
    **dict.fromkeys(INTEGERS, "int"),
    **dict.fromkeys(("char", "varchar", "nchar", "nvarchar", "text", "ntext"), "text"),
    **dict.fromkeys(("binary", "varbinary", "image"), "binary"),
    **dict.fromkeys(("decimal", "numeric"), "decimal"),
    **dict.fromkeys(("float", "real"), "float"),
    **dict.fromkeys(("datetime", "smalldatetime", "datetime2", "date", "time"), "time"),
    "bit": "bit",
    "uniqueidentifier": "guid",
    "sql_variant": "variant",
}
_DIGITS = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 19, "bit": 1}


@dataclass(frozen=True, slots=True)
class SqlType:
    """A type; ``length`` in characters (n types) or bytes, `MAX` for (max)."""

    name: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    collation: str = DEFAULT_COLLATION

    @property
    def family(self) -> str:
        """int, bit, decimal, float, text, binary, time, guid or variant."""
        return _FAMILIES[self.name]

    @property
    def unicode(self) -> bool:
        """Whether it is one of the n types."""
        return self.name in {"nchar", "nvarchar", "ntext"}

    @property
    def fixed(self) -> bool:
        """Whether values are padded."""
        return self.name in {"char", "nchar", "binary"}

    @property
    def lob(self) -> bool:
        """Whether it is one of the old types that cannot be compared."""
        return self.name in {"text", "ntext", "image"}

    @property
    def codec(self) -> str:
        """Python's name of the code page that a char or varchar of this collation has."""
        return code_page(self.collation)

    @property
    def described(self) -> str:
        """The name that error messages use."""
        if self.length == MAX:
            return f"{self.name}(max)"
        return "numeric" if self.name == "decimal" else self.name

    def in_range(self, value: int) -> bool:
        """Whether an integer type holds a value."""
        low, high = _RANGES[self.name]
        return low <= value <= high


INT = SqlType("int")
BIGINT = SqlType("bigint")
BIT = SqlType("bit")
FLOAT = SqlType("float")
DATETIME = SqlType("datetime")
VARIANT = SqlType("sql_variant")


def nvarchar(length: int, collation: str = DEFAULT_COLLATION) -> SqlType:
    """nvarchar of so many characters."""
    return SqlType("nvarchar", length, collation=collation)


def varchar(length: int, collation: str = DEFAULT_COLLATION) -> SqlType:
    """varchar of so many bytes."""
    return SqlType("varchar", length, collation=collation)


def varbinary(length: int) -> SqlType:
    """varbinary of so many bytes."""
    return SqlType("varbinary", length)


def decimal(precision: int, scale: int) -> SqlType:
    """decimal; beyond 38 digits the scale gives way, but not below 6 ("Precision, scale, and length")."""
    if precision > 38:
        scale = max(min(scale, 6), scale - (precision - 38)) if scale > 6 else scale
        precision = 38
    return SqlType("decimal", precision=max(precision, 1), scale=scale)


def type_names() -> list[str]:
    """Every type that the lab knows."""
    return sorted(_FAMILIES)


def resolve(written: TypeName, collation: str, *, cast: bool = False) -> SqlType:
    """The type of a definition; a length left out is 30 in CAST and CONVERT, else 1.

    Raises:
        TsqlError: the length, precision or scale is impossible.
        NotModelledError: the lab does not know the type.
    """
    name = _SYNONYMS.get(written.name, written.name)
    numbers = written.arguments
    if written.name == "sysname":
        return nvarchar(128, collation)
    if name not in _FAMILIES:
        raise NotModelledError(f"the type {written.name}")
    if name in {"decimal", "numeric"}:
        precision = numbers[0] if numbers else 18
        scale = numbers[1] if len(numbers) > 1 else 0
        if not 1 <= precision <= 38 or not 0 <= scale <= precision:
            raise TsqlError(
                2715, 1, written.name, text=f"The size given to '{name}' is not possible."
            )
        return SqlType(name, precision=precision, scale=scale)
    if name == "float":
        return SqlType("real" if numbers and numbers[0] <= 24 else "float")
    if name in {"time", "datetime2"}:
        return SqlType(name, scale=numbers[0] if numbers else 7)
    if name in {"char", "varchar", "nchar", "nvarchar", "binary", "varbinary"}:
        length = numbers[0] if numbers else (30 if cast else 1)
        limit = 4000 if name.startswith("n") else 8000
        if length == 0 or length > limit or (length == MAX and name in {"char", "nchar", "binary"}):
            raise TsqlError(
                131,
                text=f"The size ({length}) given to the type '{name}' exceeds the maximum allowed for any "
                f"data type ({limit}).",
            )
        return SqlType(name, length, collation=collation)
    if name in {"text", "ntext", "image"}:
        return SqlType(name, MAX, collation=collation)
    return SqlType(name)


def of_number(value: int | float | Decimal) -> SqlType:
    """The type of a numeric constant."""
    if isinstance(value, float):
        return FLOAT
    if isinstance(value, int):
        return INT
    _, digits, exponent = value.as_tuple()
    scale = max(-int(exponent), 0)
    return decimal(max(len(digits), scale), scale)


def as_decimal(kind: SqlType) -> SqlType:
    """The decimal that holds an integer type, or the type itself."""
    if kind.family in {"int", "bit"}:
        return decimal(_DIGITS[kind.name], 0)
    return kind


def wins(left: SqlType, right: SqlType) -> SqlType:
    """The type that both sides get when they meet in a comparison, CASE or UNION."""
    if left.family == right.family == "text":
        return _wider_text(left, right)
    if left.family == right.family == "binary":
        length = MAX if MAX in {left.length, right.length} else max(left.length, right.length)
        return varbinary(length)
    if "decimal" in {left.family, right.family} and {left.family, right.family} <= {
        "decimal",
        "int",
        "bit",
    }:
        one, two = as_decimal(left), as_decimal(right)
        scale = max(one.scale, two.scale)
        whole = max(one.precision - one.scale, two.precision - two.scale)
        return decimal(whole + scale, scale)
    if left.name == right.name and left.family == "time":
        return replace(left, scale=max(left.scale, right.scale))
    return min(left, right, key=lambda one: _PRECEDENCE.index(one.name))


def _wider_text(left: SqlType, right: SqlType) -> SqlType:
    unicode = left.unicode or right.unicode
    if left.lob or right.lob:
        return SqlType("ntext" if unicode else "text", MAX, collation=left.collation)
    length = MAX if MAX in {left.length, right.length} else max(left.length, right.length)
    fixed = left.fixed and right.fixed
    name = ("nchar" if fixed else "nvarchar") if unicode else ("char" if fixed else "varchar")
    if unicode and length > 4000:
        length = 4000
    return SqlType(name, length, collation=left.collation)


# -- collations ----------------------------------------------------------------------------------


def code_page(collation: str) -> str:
    """Python's name of the code page behind a collation ("Windows collation name")."""
    return "gbk" if collation.lower().startswith("chinese_prc") else "cp1252"


def known_collation(name: str) -> bool:
    """Whether the lab models a collation."""
    low = name.lower()
    families = ("sql_latin1_general_cp1_", "latin1_general_", "chinese_prc_")
    return low.startswith(families) and low.endswith(("_ci_as", "_cs_as", "_bin", "_bin2"))


def fold(text: str) -> str:
    """What two texts share that _CI_AS takes for equal: case, width, and blanks at the end.

    "Collation and Unicode support": without _WS full and half width are equal. Blanks at the end never count
    (KB316626). The order is that of code points, not of a language: not modelled.
    """
    plain = text.rstrip(" ")
    if plain.isascii():
        return plain.lower()
    return unicodedata.normalize("NFKC", plain).casefold()


def collation_kind(name: str) -> str:
    """The name of the SQLite collation that stands for it."""
    low = name.lower()
    if low.endswith(("_bin", "_bin2")):
        return "T_BIN"
    return "T_CS" if "_cs_" in low else "T_CI"


# -- types inside of statements ------------------------------------------------------------------

_BY_NUMBER: list[SqlType] = []
_NUMBERS: dict[SqlType, int] = {}


def number_of(kind: SqlType) -> int:
    """A number that stands for a type inside a statement of SQLite."""
    if kind not in _NUMBERS:
        _NUMBERS[kind] = len(_BY_NUMBER)
        _BY_NUMBER.append(kind)
    return _NUMBERS[kind]


def by_number(number: int) -> SqlType:
    """The type behind a number."""
    return _BY_NUMBER[number]
