"""The ways to read a part of a URL: what is written to get past a rule comes out as what it does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsproof.logs.readers.web import readings


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a+b", "a b"),
        ("a%20%20+b", "a b"),
        ("a%09b%0d%0ac%00d%A0e%C2%A0f", "a b c d e f"),
        ("%252575nion", "union"),
        ("%2525252575nion", "75nion"),
        ("%u0075nion", "union"),
        ("%25u0075nion", "union"),
        ("%U4f60%ud83d", "你 "),
        ("uni%on", "union"),
        ("100%", "100"),
        ("a/**/b/*x*/c", "a b c"),
        ("a/*x/*y*/z*/b", "a b"),
        ("a%2f%2ax%2a%2fb", "a b"),
        ("/*!50000union*/+/*!select*/1", " union select 1"),
        ("union/*x*/select", "union select"),
    ],
)
def test_the_plainest_reading(written: str, read: str) -> None:
    assert read in readings(written)


@pytest.mark.parametrize("end", ["*/", "", "*/*/"])
def test_what_stands_in_a_comment_is_read_too(end: str) -> None:
    assert any("1 union select" in one for one in readings(f"a=/*&id=1%09union%09select{end}"))


def test_encoded_forms_are_still_there() -> None:
    assert readings("/%252e%2Fa") == ("/%252e%2Fa", "/%2e/a", "/./a")
    assert readings("/plain?id=1&view=full") == ("/plain?id=1&view=full",)


@given(st.text(alphabet=st.sampled_from("%u0d8eEf+/*! a\t\0你\ufffd\ue003")))
def test_any_value_has_few_readings_that_can_be_encoded(value: str) -> None:
    found = readings(value)
    assert found[0] == value
    assert len(found) == len(set(found)) <= 4
    assert all(len(one.encode()) <= len(value.encode()) * 3 for one in found)


def test_a_value_of_nothing_but_marks_takes_no_time_out_of_measure() -> None:
    """Anything that grows by the square would never end."""
    for mark in ("/*", "*/", "/*!1", "%", "%25", "%u", " /* "):
        assert len(readings("+" + mark * 50_000)) <= 4
