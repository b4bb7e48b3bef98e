from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsproof.reports.text import printable


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("a\x00b", "a␀b"),
        ("a\x7fb", "a␡b"),
        ("line\r\nnext\tcell", "line ⏎ next cell"),
        ("old\rnew", "old␍new"),
        ("exe\u202etxt", "exe‹U+202E›txt"),
        ("zero\u200bwidth\ufeff", "zero‹U+200B›width‹U+FEFF›"),
        ("\ud800 lone", "‹U+D800› lone"),
        ("=cmd|' /C calc'!A1", "=cmd|' /C calc'!A1"),
        ("<b>&", "<b>&"),
        ("𠮷野家 𰻞 䶮", "𠮷野家 𰻞 䶮"),
        ("שלום", "שלום"),
    ],
)
def test_what_acts_is_shown_and_what_reads_is_kept(raw: str, shown: str) -> None:
    assert printable(raw) == shown


def test_a_long_value_is_cut_and_the_rest_is_counted() -> None:
    assert printable("x" * 4096, 160) == "x" * 160 + "…(+3936)"


def test_a_value_at_the_limit_is_whole() -> None:
    assert printable("x" * 160, 160) == "x" * 160


@given(st.text())
def test_nothing_invisible_comes_through(raw: str) -> None:
    kept = printable(raw, len(raw) + 1)
    assert not {unicodedata.category(c) for c in kept} & {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
    kept.encode("utf-8")


@given(st.text(), st.integers(0, 50))
def test_the_limit_holds_for_ordinary_text(raw: str, limit: int) -> None:
    plain = "".join(c for c in raw if unicodedata.category(c)[0] in "LNP")
    assert printable(plain, limit).startswith(plain[:limit])
    assert len(printable(plain, limit)) <= limit + len(f"…(+{len(plain)})")
