from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsproof.policy.damage import DamagedError
from opsproof.policy.lgpo import LgpoEntry, parse, serialise
from opsproof.policy.pol import Action, Entry, setting
from opsproof.policy.registry import DataError, RegistryType

TEXT = """; made by hand
Computer
Software\\Policies\\A
Number
DWORD:0x10

; a comment within
Computer
Software\\Policies\\A
List
MULTISZ:one\\0two

User
Software\\Policies\\B
*
DELETEALLVALUES

User:Administrators
Software\\Policies\\B
Old
DELETE

Computer
Software\\Policies\\C
*
CREATEKEY
"""


def test_all_actions_are_read() -> None:
    found = parse(TEXT.encode(), name="policy.txt")
    assert [(item.configuration, item.entry.action) for item in found] == [
        ("Computer", Action.SET),
        ("Computer", Action.SET),
        ("User", Action.DELETE_ALL_VALUES),
        ("User:Administrators", Action.DELETE),
        ("Computer", Action.CREATE_KEY),
    ]
    assert [found[0].entry.content(), found[1].entry.content()] == [16, ("one", "two")]


def test_utf_16_text_is_read() -> None:
    data = b"\xff\xfe" + TEXT.replace("\n", "\r\n").encode("utf-16-le")
    assert parse(data, name="policy.txt") == parse(TEXT.encode(), name="policy.txt")


NAME = st.from_regex(r"[A-Za-z][A-Za-z0-9 \\]{0,9}[A-Za-z]", fullmatch=True)


@given(
    st.lists(
        st.builds(
            LgpoEntry,
            st.sampled_from(["Computer", "User", "User:S-1-5-32-545"]),
            st.one_of(
                st.builds(
                    setting,
                    NAME,
                    NAME,
                    st.just(RegistryType.SZ),
                    st.from_regex(
                        r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]*", fullmatch=True
                    ),
                ),
                st.builds(
                    setting, NAME, NAME, st.just(RegistryType.DWORD), st.integers(0, 2**32 - 1)
                ),
                st.builds(setting, NAME, NAME, st.just(RegistryType.BINARY), st.binary(max_size=4)),
                st.builds(
                    setting,
                    NAME,
                    NAME,
                    st.just(RegistryType.MULTI_SZ),
                    st.lists(NAME.filter(lambda n: "\\0" not in n), max_size=3).map(tuple),
                ),
            ),
        ),
        max_size=4,
    )
)
def test_what_is_written_reads_back_the_same(entries: list[LgpoEntry]) -> None:
    assert parse(serialise(entries), name="policy.txt") == tuple(entries)


def test_what_lgpo_cannot_say_is_refused() -> None:
    with pytest.raises(DataError, match="SecureKey"):
        serialise([LgpoEntry("Computer", Entry("K", "**SecureKey", 4, b"\1\0\0\0"))])


@pytest.mark.parametrize(
    ("text", "offset", "what"),
    [
        ("Computer\nK\nV\n", 0, "an entry has four lines"),
        ("Nobody\nK\nV\nDELETE\n", 0, "'Nobody' is neither Computer nor User"),
        ("Computer\nK\nV\nDESTROY\n", 13, "'DESTROY' is no action"),
        ("Computer\nK\nV\nFLOAT:1\n", 13, "'FLOAT' is no type"),
        ("Computer\nK\nV\nDWORD:4294967296\n", 13, "'4294967296' is no DWORD"),
        ("Computer\nK\nV\nDWORD:x\n", 13, "'x' is no DWORD"),
    ],
)
def test_damaged_texts_are_refused_with_file_and_offset(text: str, offset: int, what: str) -> None:
    with pytest.raises(DamagedError) as caught:
        parse(text.encode(), name="policy.txt")
    assert (caught.value.what, caught.value.offset) == (what, offset)
