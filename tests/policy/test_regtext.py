from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsproof.errors import IncompleteError
from opsproof.policy.registry import RegistryPath, RegistryType, RegistryValue
from opsproof.policy.regtext import script, values

HEAD = "Windows Registry Editor Version 5.00\r\n\r\n"
KEY = "[HKEY_LOCAL_MACHINE\\SOFTWARE\\A]\r\n"


def read(body: str) -> list[RegistryValue]:
    return list(values(HEAD + KEY + body, name="export"))


def one(
    kind: RegistryType, data: str | int | bytes | tuple[str, ...], name: str = "N"
) -> RegistryValue:
    return RegistryValue(RegistryPath("HKLM", "SOFTWARE\\A", name), kind, data)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ('"N"="text"', one(RegistryType.SZ, "text")),
        ('"N"="a\\\\b \\"c\\""', one(RegistryType.SZ, 'a\\b "c"')),
        ('"N"="two\r\nlines"', one(RegistryType.SZ, "two\nlines")),
        ('"N"=dword:000003e8', one(RegistryType.DWORD, 1000)),
        ('"N"=hex:01,\\\r\n  ff', one(RegistryType.BINARY, b"\x01\xff")),
        ('"N"=hex(2):25,00,61,00,00,00', one(RegistryType.EXPAND_SZ, "%a")),
        ('"N"=hex(7):61,00,00,00,62,00,00,00,00,00', one(RegistryType.MULTI_SZ, ("a", "b"))),
        ('"N"=hex(b):01,00,00,00,00,00,00,00', one(RegistryType.QWORD, 1)),
        ('"N"=hex(4):01', one(RegistryType.DWORD, b"\x01")),
        ('@="default"', one(RegistryType.SZ, "default", "")),
        ('"\\\\\\\\*\\\\SYSVOL"="x=1"', one(RegistryType.SZ, "x=1", "\\\\*\\SYSVOL")),
        ('"a\\"=b"=dword:00000001', one(RegistryType.DWORD, 1, 'a"=b')),
    ],
)
def test_every_form_of_a_value_is_read(line: str, value: RegistryValue) -> None:
    assert read(f"{line}\r\n") == [value]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "REGEDIT4\r\n",
        HEAD + KEY + "nonsense\r\n",
        HEAD + KEY + '"N"=dword:xyz\r\n',
        HEAD + '"N"="x"\r\n',
    ],
)
def test_what_is_no_export_is_refused(text: str) -> None:
    with pytest.raises(IncompleteError):
        list(values(text, name="export"))


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=8)


@given(
    st.dictionaries(
        NAMES,
        st.one_of(
            st.tuples(st.just(RegistryType.SZ), TEXTS),
            st.tuples(st.just(RegistryType.DWORD), st.integers(0, 2**32 - 1)),
            st.tuples(st.just(RegistryType.QWORD), st.integers(0, 2**64 - 1)),
            st.tuples(st.just(RegistryType.BINARY), st.binary(max_size=6)),
            st.tuples(
                st.just(RegistryType.MULTI_SZ), st.lists(TEXTS.filter(bool), max_size=3).map(tuple)
            ),
        ),
        max_size=4,
    )
)
def test_a_script_reads_back_the_same(
    found: dict[str, tuple[RegistryType, str | int | bytes | tuple[str, ...]]],
) -> None:
    made = [one(kind, data, name) for name, (kind, data) in found.items()]
    assert list(values(script(made, []).decode("utf-16"), name="script")) == made
