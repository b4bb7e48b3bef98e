"""Damage to stored text is undone; only the one right text is accepted as it is."""

from __future__ import annotations

import base64
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsproof.signatures import damage, encodings
from opsproof.signatures.errors import MalformedError

SIGNATURES = st.binary(min_size=16, max_size=300)
ENCODINGS = ["base64", "hex-lower", "hex-upper", "binary"]


@given(data=SIGNATURES, encoding=st.sampled_from(ENCODINGS))
def test_what_is_encoded_is_decoded(data: bytes, encoding: str) -> None:
    stored = encodings.encode(data, encoding)
    assert encodings.decode(stored, encoding) == data
    assert next(encodings.readings(stored)).data == data or encoding != "base64"


@given(data=SIGNATURES, name=st.sampled_from(sorted(damage.TEXT_DAMAGE)))
def test_every_kind_of_damage_is_undone(data: bytes, name: str) -> None:
    spoilt = damage.TEXT_DAMAGE[name](base64.b64encode(data).decode())
    assert data in [reading.data for reading in encodings.readings(spoilt)]


@given(
    data=SIGNATURES,
    names=st.lists(
        st.sampled_from(["line-breaks", "byte-order-mark", "url-safe", "quotes", "padding"]),
        min_size=2,
        max_size=2,
        unique=True,
    ),
)
def test_two_kinds_of_damage_at_once_are_undone(data: bytes, names: list[str]) -> None:
    text = base64.b64encode(data).decode()
    for name in names:
        text = damage.TEXT_DAMAGE[name](text)
    assert data in [reading.data for reading in encodings.readings(text)]


@pytest.mark.parametrize(
    ("stored", "encoding", "text"),
    [
        ("QUJD\n", "base64", "not base64"),
        ("QUI", "base64", "not base64"),
        ("QUJ=", "base64", "not base64 as it is written"),
        ("ABcd", "hex-lower", "not hex-lower as it is written"),
        ("abcd", "hex-upper", "not hex-upper as it is written"),
        ("zz", "hex-lower", "not hex-lower"),
        ("QUJD", "binary", "not bytes"),
        (b"ABC", "base64", "not text"),
        (None, "base64", "not text"),
    ],
)
def test_anything_else_is_refused(stored: str | bytes | None, encoding: str, text: str) -> None:
    with pytest.raises(MalformedError) as caught:
        encodings.decode(stored, encoding)
    assert str(caught.value) == text


@pytest.mark.parametrize("text", [" abc", "abc ", " ab ", "  ab\n"])
def test_a_plus_that_became_a_blank_at_the_edge_is_found(text: str) -> None:
    wanted = base64.b64decode(
        text.strip("\n").replace(" ", "+") + "=" * (-len(text.strip("\n")) % 4)
    )
    assert wanted in [reading.data for reading in encodings.readings(text)]


@pytest.mark.parametrize("stored", [None, "", "  ", "\ufeff", "NULL", "None", b"", b"\0\0"])
def test_nothing_stored_is_missing(stored: str | bytes | None) -> None:
    assert encodings.is_missing(stored)


@given(text=st.text(max_size=200))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    contents = [reading.data for reading in encodings.readings(text)]
    assert len(contents) == len(set(contents))


def test_hostile_text_costs_little() -> None:
    rng = random.Random(1)  # noqa: S311 - no secret
    text = "".join(rng.choice("=3D%2B&#43;\\n \r\n-_+/") for _ in range(60_000))
    assert len(list(encodings.readings(text))) < 400
    assert list(encodings.readings("A" * 70_000)) == []
