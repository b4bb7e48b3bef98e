from __future__ import annotations

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from opsproof.evidence.canonical import (
    CanonicalError,
    canonical,
    decode,
    decode_lines,
    jsonable,
    whole_number,
)
from opsproof.evidence.model import Record, Redaction


class Grown(Record, frozen=True, kw_only=True):
    """A record that has got a field since some were sealed."""

    name: str
    later: str | None = None


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abcé中", max_size=4), inner)
    ),
    max_leaves=12,
)


def test_keys_are_sorted_and_nothing_is_padded() -> None:
    assert canonical({"b": [1, True, None], "a": "é"}) == '{"a":"é","b":[1,true,null]}'.encode()


def test_integers_from_2_to_the_53_become_decimal_strings() -> None:
    assert canonical([2**53 - 1, 2**53, -(2**53)]) == (
        b'[9007199254740991,"9007199254740992","-9007199254740992"]'
    )


@pytest.mark.parametrize("value", [2**53, -(2**60), 5, 0])
def test_whole_number_reads_back_what_canonical_wrote(value: int) -> None:
    assert whole_number(jsonable(value)) == value


@pytest.mark.parametrize("value", [True, "7", "007", "9007199254740991", None, [], "x"])
def test_what_is_no_number_is_none(value: object) -> None:
    assert whole_number(value) is None


def test_a_float_is_refused_with_its_path() -> None:
    with pytest.raises(CanonicalError) as caught:
        canonical({"disks": [{"free": 1.0}]})
    assert str(caught.value) == (
        "$.disks[0].free: 1.0 is a float (use an integer in a smaller unit)"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({1: 2}, "$: the key 1 is not text"),
        ({"a": b"x"}, "$.a: bytes is not a JSON type"),
    ],
)
def test_other_types_are_refused(value: object, text: str) -> None:
    with pytest.raises(CanonicalError) as caught:
        canonical(value)
    assert str(caught.value) == text


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(CanonicalError, match="has no canonical form"):
        canonical({"a": "\ud800"})


@given(VALUES)
def test_any_value_survives_a_round_trip(value: object) -> None:
    data = canonical(value)
    assert json.loads(data) == jsonable(value)
    assert canonical(json.loads(data)) == data


ANY_KEY = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)


@given(
    st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_KEY, inner)
    )
)
def test_the_fast_way_gives_the_bytes_of_the_reference(value: object) -> None:
    assert canonical(value) == rfc8785.dumps(jsonable(value))


def test_every_character_is_written_as_the_reference_writes_it() -> None:
    planes = (range(0xD800), range(0xE000, 0x11000), range(0x1F000, 0x1F800))
    text = "".join(chr(point) for plane in planes for point in plane)
    assert canonical([text, {"k": text}]) == rfc8785.dumps([text, {"k": text}])


def test_keys_beyond_ascii_sort_by_utf_16_units() -> None:
    assert canonical({"\ue000": 1, "\U00010000": 2}) == '{"\U00010000":2,"\ue000":1}'.encode()


def test_a_record_must_be_in_canonical_form() -> None:
    assert decode(b'{"count":1,"rule":"x"}', Redaction, where="f") == Redaction(rule="x", count=1)
    with pytest.raises(CanonicalError) as caught:
        decode(b'{"count": 1,"rule":"x"}', Redaction, where="f:3")
    assert str(caught.value) == "f:3: is not in canonical form (RFC 8785)"


def test_what_was_sealed_before_a_field_existed_stays_readable() -> None:
    old = canonical({"name": "a"})
    assert decode(old, Grown, where="f") == Grown(name="a", later=None)
    twice = b'{"later":null,"later":null,"name":"a"}'
    with pytest.raises(CanonicalError, match="canonical form"):
        decode(twice, Grown, where="f")


def test_an_unknown_field_is_refused_with_its_line() -> None:
    with pytest.raises(CanonicalError) as caught:
        decode_lines(
            b'{"count":1,"rule":"x"}\n{"count":1,"rule":"x","y":1}\n', Redaction, where="f"
        )
    assert str(caught.value).startswith("f:2: is not a Redaction record: ")


def test_a_torn_last_line_is_named() -> None:
    with pytest.raises(CanonicalError) as caught:
        decode_lines(b'{"count":1,"rule":"x"}\n{"cou', Redaction, where="f")
    assert str(caught.value) == "f:2: the last line is torn"
