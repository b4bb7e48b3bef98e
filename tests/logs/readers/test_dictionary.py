"""Numbers of distinct values, by whatever way: the bytes decide, never a hash."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsproof.logs.readers import dictionary
from opsproof.logs.readers.dictionary import Bytes, Dictionary
from opsproof.logs.readers.lines import PADDING, decode

_value = st.one_of(
    st.binary(max_size=3),
    st.binary(max_size=70),
    st.binary(min_size=120, max_size=136),
    st.sampled_from([b"", b"-", b"GET", b"10.0.0.1", b"a" * 8, b"a" * 9, b"a" * 24, b"a" * 64]),
    # One text, written in UTF-8 and in Latin-1: it has one number.
    st.sampled_from(["é".encode(), "é".encode("latin-1"), b"x\1", b"x"]),
).filter(lambda value: b"\0" not in value)


def encoded(one: Dictionary, values: list[bytes]) -> list[str]:
    """The texts of the values, by way of their numbers."""
    sizes = np.array([len(value) for value in values], dtype=np.int64)
    ends = np.cumsum(sizes)
    data = b"".join(values)
    codes = one.encode(Bytes(data + bytes(PADDING), len(data)), ends - sizes, ends)
    assert [one.values[one.texts[code]] for code in codes.tolist()] == codes.tolist()
    return [one.texts[code] for code in codes.tolist()]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(_value, max_size=40), max_size=4))
def test_numbers_stand_for_the_values_from_block_to_block(blocks: list[list[bytes]]) -> None:
    one = Dictionary()
    for values in blocks:
        assert encoded(one, values) == [decode(value) for value in values]
    assert one.texts == list(one.values)
    assert set(one.texts) == {decode(value) for block in blocks for value in block}


def test_values_with_the_same_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def same(words: list[np.ndarray]) -> np.ndarray:
        return np.zeros(len(words[0]), dtype=np.uint64)

    monkeypatch.setattr(dictionary, "_hashed", same)
    one = Dictionary()
    values = [str(number % 50).encode() for number in range(200)]
    for _ in range(3):
        assert encoded(one, values) == [decode(value) for value in values]


def test_it_grows_with_many_values_and_says_when_it_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dictionary, "MOST_VALUES", 9_000)
    one = Dictionary()
    for first in range(0, 10_000, 2_500):
        assert not one.full
        values = [f"{number:x}".encode() for number in range(first, first + 2_500)]
        assert encoded(one, values) == [decode(value) for value in values]
    assert one.full


def test_it_goes_with_its_last_user() -> None:
    """A large log has hundreds, which must not wait in memory until somebody looks for circles."""
    one = Dictionary()
    encoded(one, [b"a", b"b" * 200])
    numbers = weakref.ref(one._numbers)
    gc.disable()
    try:
        del one
        assert numbers() is None
    finally:
        gc.enable()
