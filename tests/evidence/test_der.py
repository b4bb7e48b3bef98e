from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsproof.evidence.der import MalformedDerError, read_one


def test_an_element_knows_its_parts() -> None:
    outer = read_one(bytes.fromhex("30060201010401ff"))
    assert [(part.tag, part.content) for part in outer.children(0x30)] == [
        (2, b"\x01"),
        (4, b"\xff"),
    ]
    with pytest.raises(MalformedDerError, match="found tag 0x30 where 0x31 belongs"):
        outer.children(0x31)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("", "the data ends inside an element"),
        ("30", "the data ends inside an element"),
        ("300501", "the data ends inside an element"),
        ("3000ff", "1 bytes follow the element"),
        ("308000", "a length is not in its shortest form"),
        ("30810100", "a length is not in its shortest form"),
        ("3082007f" + "00" * 127, "a length is not in its shortest form"),
        ("3082", "a length is not in its shortest form"),
    ],
)
def test_what_is_not_der_is_refused(data: str, text: str) -> None:
    with pytest.raises(MalformedDerError) as caught:
        read_one(bytes.fromhex(data))
    assert str(caught.value) == text


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        element = read_one(data)
    except MalformedDerError:
        return
    assert element.raw == data
    assert element.raw.endswith(element.content)
