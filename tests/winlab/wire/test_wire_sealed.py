from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winlab.wire.sealed import CONTENT_TYPE, Sealed, SealedError, frame, is_sealed, unframe

VECTOR = (
    b"--Encrypted Boundary\r\n"
    b"\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n"
    b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=3\r\n"
    b"--Encrypted Boundary\r\n"
    b"\tContent-Type: application/octet-stream\r\n"
    b"\x04\x00\x00\x00SIGNxyz--Encrypted Boundary--\r\n"
)


def test_the_frame_is_exact_to_the_byte() -> None:
    message = Sealed(signature=b"SIGN", data=b"xyz", length=3)
    assert frame(message) == VECTOR
    assert unframe(VECTOR) == message


@given(st.binary(max_size=64), st.binary(max_size=300), st.integers(0, 10**6))
def test_any_message_survives_its_frame(signature: bytes, data: bytes, length: int) -> None:
    message = Sealed(signature=signature, data=data, length=length)
    assert unframe(frame(message)) == message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"plain",
        VECTOR[2:],
        VECTOR[:-2],
        VECTOR.replace(b"Length=3", b"Length=x"),
        VECTOR.replace(b";Length=3", b""),
        VECTOR.replace(b"\x04\x00\x00\x00", b"\x08\x00\x00\x00"),
        VECTOR.replace(b"\x04\x00\x00\x00", b"\xff\xff\xff\xff"),
        VECTOR.replace(b"\x04\x00\x00\x00SIGNxyz", b"\x00"),
        VECTOR.replace(b"octet-stream", b"nothing"),
    ],
)
def test_a_broken_frame_is_refused(body: bytes) -> None:
    with pytest.raises(SealedError):
        unframe(body)


def test_sealed_bodies_are_known_by_their_content_type() -> None:
    assert is_sealed(CONTENT_TYPE)
    assert not is_sealed("application/soap+xml;charset=UTF-8")
    assert not is_sealed('multipart/encrypted;protocol="application/HTTP-Kerberos-session"')
