"""What is signed follows from the profile, in every setting."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsproof.signatures.profile import Field, Serialisation
from opsproof.signatures.serialise import compile_writer
from opsproof.signatures.values import Value, ValueProblemError, normalise

FIELDS = (
    Field(name="n", column="n", type="integer"),
    Field(name="t", column="t"),
    Field(name="d", column="d", type="decimal", scale=2),
    Field(name="on", column="on", type="date"),
    Field(name="at", column="at", type="datetime"),
    Field(name="ok", column="ok", type="boolean"),
)
VALUES: tuple[Value, ...] = (
    7,
    "王 A１ \r\n",
    Decimal("91.50"),
    date(2026, 6, 7),
    datetime(2026, 6, 7, 9, 5, 1),  # noqa: DTZ001 - as a column shows it
    True,
)


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, "7|王 A１ \r\n|91.50|2026-06-07|2026-06-07 09:05:01|1".encode()),
        ({"fields": ("t", "n")}, "王 A１ \r\n|7".encode()),
        ({"fields": ("t",), "encoding": "gb18030"}, "王 A１ \r\n".encode("gb18030")),
        ({"fields": ("n",), "encoding": "utf-16"}, b"\xff\xfe7\x00"),
        ({"fields": ("n",), "encoding": "utf-8-sig"}, b"\xef\xbb\xbf7"),
        ({"fields": ("t",), "line_ends": "lf"}, "王 A１ \n".encode()),
        ({"fields": ("t",), "blanks": "strip-trailing"}, "王 A１ \r\n".encode()),
        ({"fields": ("t",), "width": "half"}, "王 A1 \r\n".encode()),
        ({"fields": ("t",), "width": "full"}, "王\u3000Ａ１\u3000\r\n".encode()),
        ({"fields": ("t",), "pad": {"t": 9}}, "王 A１ \r\n  ".encode()),
        ({"fields": ("d",), "decimals": "trimmed"}, b"91.5"),
        ({"fields": ("on",), "dates": "%Y%m%d"}, b"20260607"),
        ({"fields": ("at",), "datetimes": "%d.%m.%Y %H:%M"}, b"07.06.2026 09:05"),
        ({"fields": ("ok",), "booleans": ("N", "Y")}, b"Y"),
        ({"fields": ("n", "ok"), "layout": "pairs", "separator": "&"}, b"n=7&ok=1"),
        (
            {"fields": ("n", "t", "d", "ok"), "layout": "json", "line_ends": "lf"},
            '{"n":7,"t":"王 A１ \\n","d":91.50,"ok":true}'.encode(),
        ),
        ({"fields": ("n",), "prefix": "100%s", "suffix": "%"}, b"100%s7%"),
    ],
)
def test_settings(settings: dict[str, Any], wanted: bytes) -> None:
    assert compile_writer(FIELDS, Serialisation(**settings))(VALUES) == wanted


def test_null_is_what_the_profile_says() -> None:
    write = compile_writer(FIELDS[:2], Serialisation(null="(null)"))
    assert write((None, None)) == b"(null)|(null)"


def test_a_character_outside_the_code_page_is_an_error() -> None:
    write = compile_writer(FIELDS[1:2], Serialisation(encoding="gbk"))
    with pytest.raises(UnicodeEncodeError):
        write(("𠮷",))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (FIELDS[0], "7.0"),
        (FIELDS[0], "07"),
        (FIELDS[0], True),
        (FIELDS[0], 7.5),
        (FIELDS[0], "7; DROP TABLE x"),
        (FIELDS[2], "91.505"),
        (FIELDS[2], "NaN"),
        (FIELDS[2], "1e3"),
        (FIELDS[3], "2026-13-01"),
        (FIELDS[3], "07/06/2026"),
        (FIELDS[4], "2026-06-07"),
        (FIELDS[5], "yes"),
        (FIELDS[1], 5),
    ],
)
def test_values_are_never_guessed(field: Field, value: object) -> None:
    with pytest.raises(ValueProblemError) as caught:
        normalise(field, value)
    assert str(caught.value) == f"{field.name} is not of type {field.type}"


@given(number=st.decimals(-(10**9), 10**9, places=2))
def test_decimals_are_equal_however_they_are_delivered(number: Decimal) -> None:
    wanted = normalise(FIELDS[2], number)
    assert normalise(FIELDS[2], format(number, "f")) == wanted
    write = compile_writer(FIELDS, Serialisation(fields=("d",)))
    assert write((None, None, wanted)) == format(number + 0, ".2f").encode()
