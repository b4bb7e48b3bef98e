from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsproof.errors import TamperedError
from opsproof.evidence.sums import both_hashes, parse, render, sm3

HASH = "0" * 64
NAMES = st.text("abc/._-é中 ", min_size=1, max_size=12).map(lambda name: f"f{name}x")
SUMS = st.dictionaries(
    NAMES.filter(lambda name: ".." not in name.split("/")),
    st.text("0123456789abcdef", min_size=64, max_size=64),
    min_size=1,
    max_size=5,
)


def test_sm3_is_that_of_the_standard() -> None:
    """GB/T 32905-2016 appendix A.1: the message "abc"."""
    assert sm3(b"abc") == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


def test_both_hashes_are_of_the_whole_file(tmp_path: Path) -> None:
    data = b"x" * (3 << 20)
    (tmp_path / "f").write_bytes(data)
    assert both_hashes(tmp_path / "f") == (hashlib.sha256(data).hexdigest(), sm3(data))


@given(SUMS)
def test_both_lists_read_back(sums: dict[str, str]) -> None:
    assert parse("sha256", render("sha256", sums), where="l") == sums
    assert parse("sm3", render("sm3", sums), where="l") == sums


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "l:1: is not a line of a hash list"),
        (f"{HASH}  a\n{HASH} b\n".encode(), "l:2: is not a line of a hash list"),
        (f"{HASH}  a\n{HASH}  a\n".encode(), "l:2: lists a twice"),
        (f"{HASH}  b\n{HASH}  a\n".encode(), "l: is not sorted or not complete"),
        (f"{HASH}  a".encode(), "l: is not sorted or not complete"),
        (f"{HASH}  ../a\n".encode(), "l:1: names a path outside: ../a"),
        (f"{HASH}  /etc/passwd\n".encode(), "l:1: names a path outside: /etc/passwd"),
        (f"{HASH.replace('0', 'A')}  a\n".encode(), "l:1: is not a line of a hash list"),
    ],
)
def test_every_other_byte_is_refused(data: bytes, text: str) -> None:
    with pytest.raises(TamperedError) as caught:
        parse("sha256", data, where="l")
    assert str(caught.value) == text
