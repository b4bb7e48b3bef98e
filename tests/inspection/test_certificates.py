from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.inspection.answers import NOW, blob, der_certificate

from opsproof.errors import IncompleteError
from opsproof.inspection.certificates import read_blob


@pytest.fixture
def der() -> bytes:
    return der_certificate("verify.example", NOW + timedelta(days=12, hours=3))


def test_reads_the_certificate_itself(der: bytes) -> None:
    found = read_blob("MY", blob((3, b"\x00" * 20), (2, b"key"), (32, der)))
    assert found.subject == "CN=verify.example"
    assert found.names == ("verify.example",)
    assert found.serial == "1234"
    assert found.key == "EC 256"
    assert found.has_private_key
    assert len(found.thumbprint) == 40


def test_a_serial_number_that_is_negative_is_read_without_a_warning(der: bytes) -> None:
    old = der.replace(b"\x02\x02\x12\x34", b"\x02\x02\x92\x34")
    assert read_blob("MY", blob((32, old))).serial == f"{0x9234 - 0x10000:x}"


def test_without_a_key_property_there_is_no_private_key(der: bytes) -> None:
    assert not read_blob("MY", blob((32, der))).has_private_key


def test_a_blob_without_certificate_is_refused() -> None:
    with pytest.raises(IncompleteError, match="holds no certificate"):
        read_blob("MY", blob((3, b"\x00" * 20)))


def test_a_cut_blob_is_refused(der: bytes) -> None:
    with pytest.raises(IncompleteError, match="ends within a property"):
        read_blob("MY", blob((32, der))[:-1])


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_a_named_error(data: bytes) -> None:
    with pytest.raises(IncompleteError):
        read_blob("MY", data)
