"""Signed messages in both sets of identifiers, held against OpenSSL where it can."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st
from tests.signatures.conftest import NOW, Pki, pki

from opsproof.signatures import cms
from opsproof.signatures.cms import Flavour
from opsproof.signatures.errors import MalformedError
from opsproof.signatures.sm2 import DEFAULT_ID, quiet

MESSAGE = "准考证号=2026110001&成绩=91".encode()
FLAVOURS: list[Flavour] = ["international", "chinese"]


@pytest.fixture(params=FLAVOURS)
def flavour(request: pytest.FixtureRequest) -> Flavour:
    return "chinese" if request.param == "chinese" else "international"


def test_detached_with_attributes(any_pki: Pki, flavour: Flavour) -> None:
    signer = any_pki.signer
    digest = signer.algorithm.digest
    attributes = cms.signed_attributes(MESSAGE, digest, flavour, NOW)
    signature = signer.key.sign(signer.algorithm, attributes)
    der = cms.write(
        signature, signer.algorithm, signer.certificate, flavour=flavour, attributes=attributes
    )
    message = cms.read(der)
    assert message.flavour == flavour
    assert message.content is None
    assert message.signing_time == NOW
    assert message.named([]) == [signer.certificate]
    assert message.holds(MESSAGE, signer.certificate, DEFAULT_ID)
    with quiet():
        assert not message.holds(MESSAGE + b" ", signer.certificate, DEFAULT_ID)


def test_another_sm2_identifier_is_another_signature(flavour: Flavour) -> None:
    signer, agreed = pki("sm2").signer, "考试院".encode()
    attributes = cms.signed_attributes(MESSAGE, "sm3", flavour, NOW)
    for content, signed in ((None, attributes), (MESSAGE, MESSAGE)):
        der = cms.write(
            signer.key.sign(signer.algorithm, signed, agreed),
            signer.algorithm,
            signer.certificate,
            flavour=flavour,
            content=content,
            attributes=attributes if content is None else None,
        )
        message = cms.read(der)
        assert message.holds(MESSAGE, signer.certificate, agreed)
        with quiet():
            assert not message.holds(MESSAGE, signer.certificate, DEFAULT_ID)


def test_attached_without_attributes(any_pki: Pki, flavour: Flavour) -> None:
    signer = any_pki.signer
    signature = signer.key.sign(signer.algorithm, MESSAGE)
    der = cms.write(
        signature, signer.algorithm, signer.certificate, flavour=flavour, content=MESSAGE
    )
    message = cms.read(der)
    assert message.content == MESSAGE
    assert message.holds(MESSAGE, signer.certificate, DEFAULT_ID)
    assert not message.holds(b"other data", signer.certificate, DEFAULT_ID)


def test_another_key_of_the_same_name_does_not_hold(any_pki: Pki) -> None:
    signer, other = any_pki.signer, any_pki.new_signer(1001)
    der = cms.write(
        signer.key.sign(signer.algorithm, MESSAGE),
        signer.algorithm,
        signer.certificate,
        flavour="international",
        embed=False,
    )
    message = cms.read(der)
    assert message.named([other.certificate]) == [other.certificate]
    with quiet():
        assert not message.holds(MESSAGE, other.certificate, DEFAULT_ID)


def test_attributes_of_another_content_type_do_not_hold() -> None:
    signer = pki("rsa").signer
    attributes = cms.signed_attributes(MESSAGE, "sha256", "chinese", NOW)
    der = cms.write(
        signer.key.sign(signer.algorithm, attributes),
        signer.algorithm,
        signer.certificate,
        flavour="international",
        attributes=attributes,
    )
    assert not cms.read(der).holds(MESSAGE, signer.certificate, DEFAULT_ID)


@pytest.mark.parametrize("family", ["rsa", "ecdsa"])
def test_openssl_reads_what_we_write(family: str, tmp_path: Path) -> None:
    signer = pki(family).signer
    attributes = cms.signed_attributes(MESSAGE, "sha256", "international", NOW)
    der = cms.write(
        signer.key.sign(signer.algorithm, attributes),
        signer.algorithm,
        signer.certificate,
        flavour="international",
        attributes=attributes,
    )
    (tmp_path / "s.p7s").write_bytes(der)
    (tmp_path / "m").write_bytes(MESSAGE)
    ca = x509.load_der_x509_certificate(pki(family).ca.certificate.der)
    (tmp_path / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    when = str(int(NOW.timestamp()))
    words = "cms -verify -binary -inform DER -in s.p7s -content m -CAfile ca.pem -purpose any"
    answer = subprocess.run(
        ["openssl", *words.split(), "-attime", when], cwd=tmp_path, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize(
    ("family", "options"),
    [
        *(
            (one, more)
            for one in ("rsa", "ecdsa")
            for more in (["-nodetach"], [], ["-noattr"], ["-keyid"])
        ),
        ("rsa", ["-keyopt", "rsa_padding_mode:pss"]),
        ("rsa", ["-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:0"]),
    ],
)
def test_we_read_what_openssl_writes(family: str, options: list[str], tmp_path: Path) -> None:
    signer = pki(family).signer
    certificate = x509.load_der_x509_certificate(signer.certificate.der)
    (tmp_path / "c.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "k.pem").write_bytes(
        signer.key.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (tmp_path / "m").write_bytes(MESSAGE)
    words = [
        "cms",
        "-sign",
        "-binary",
        "-outform",
        "DER",
        "-in",
        "m",
        "-signer",
        "c.pem",
        "-inkey",
        "k.pem",
        "-out",
        "s.p7s",
    ]
    subprocess.run(["openssl", *words, *options], cwd=tmp_path, check=True, capture_output=True)
    message = cms.read((tmp_path / "s.p7s").read_bytes())
    assert (message.content is not None) == ("-nodetach" in options)
    assert message.named([]) == [signer.certificate]
    assert message.holds(MESSAGE, signer.certificate, DEFAULT_ID)
    assert not message.holds(MESSAGE + b"\n", signer.certificate, DEFAULT_ID)


@given(data=st.binary(max_size=80))
def test_other_bytes_are_refused_by_name(data: bytes) -> None:
    with pytest.raises(MalformedError):
        cms.read(data)


@given(position=st.integers(0, 10**6), flip=st.integers(1, 255))
def test_a_changed_message_is_never_another_valid_one(position: int, flip: int) -> None:
    signer = pki("ecdsa").signer
    der = bytearray(
        cms.write(
            _signature(),
            signer.algorithm,
            signer.certificate,
            flavour="international",
            content=MESSAGE,
            embed=False,
        )
    )
    der[position % len(der)] ^= flip
    try:
        message = cms.read(bytes(der))
    except MalformedError:
        return
    if message.content is None or message.content == MESSAGE:
        return
    assert not message.holds(message.content, signer.certificate, DEFAULT_ID)


_kept: list[bytes] = []


def _signature() -> bytes:
    if not _kept:
        signer = pki("ecdsa").signer
        _kept.append(signer.key.sign(signer.algorithm, MESSAGE))
    return _kept[0]
