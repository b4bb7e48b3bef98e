"""Signed messages in both sets of identifiers, held against OpenSSL where it can."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from asn1crypto import cms as asn1_cms
from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given
from hypothesis import strategies as st
from tests.signatures.conftest import NOW, Pki, pki

from opsproof.evidence.der import read_one, tlv
from opsproof.signatures import cms
from opsproof.signatures.algorithms import Algorithm
from opsproof.signatures.cms import Flavour
from opsproof.signatures.errors import MalformedError
from opsproof.signatures.forms import Raw, rewrap
from opsproof.signatures.profile import SignatureColumn
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


@pytest.mark.parametrize(
    ("family", "algorithm"),
    [
        ("rsa", Algorithm.RSA_PKCS1_SHA256),
        ("rsa", Algorithm.RSA_PSS_SHA256),
        ("rsa", Algorithm.RSA_PSS_SHA512),
        ("ecdsa", Algorithm.ECDSA_SHA256),
    ],
)
def test_openssl_reads_what_we_write(family: str, algorithm: Algorithm, tmp_path: Path) -> None:
    signer = pki(family).signer
    attributes = cms.signed_attributes(MESSAGE, algorithm.digest, "international", NOW)
    der = cms.write(
        signer.key.sign(algorithm, attributes),
        algorithm,
        signer.certificate,
        flavour="international",
        attributes=attributes,
    )
    assert openssl_verifies(der, pki(family), tmp_path)
    assert cms.read(der).holds(MESSAGE, signer.certificate, DEFAULT_ID)


def pss(salt_length: int) -> bytes:
    """A bare PSS signature over the message."""
    pads = padding.PSS(padding.MGF1(hashes.SHA256()), salt_length)
    signature = pki("rsa").signer.key.private.sign(MESSAGE, pads, hashes.SHA256())
    assert isinstance(signature, bytes)
    return signature


@pytest.mark.parametrize("salt_length", [0, 20, 32, 222])
def test_a_bare_pss_signature_is_wrapped_with_the_salt_that_it_has(
    salt_length: int, tmp_path: Path
) -> None:
    signer, column = pki("rsa").signer, SignatureColumn(column="s", form="cms-attached")
    raw = Raw(pss(salt_length), "plain")
    der = rewrap(raw, column, Algorithm.RSA_PSS_SHA256, signer.certificate, MESSAGE)
    assert cms.read(der).salt_length == salt_length
    assert cms.read(der).holds(MESSAGE, signer.certificate, DEFAULT_ID)
    assert openssl_verifies(der, pki("rsa"), tmp_path)
    with pytest.raises(MalformedError, match="does not hold"):
        rewrap(raw, column, Algorithm.RSA_PSS_SHA256, signer.certificate, MESSAGE + b"?")


def test_a_pss_signature_that_says_another_salt_does_not_hold(tmp_path: Path) -> None:
    """As little as OpenSSL takes it (RFC 8017 section 9.1.2)."""
    signer, algorithm = pki("rsa").signer, Algorithm.RSA_PSS_SHA256
    for said, right in ((20, False), (1000, False), (10**30, False), (32, True)):
        der = cms.write(
            pss(32), algorithm, signer.certificate, flavour="international", salt_length=said
        )
        assert cms.read(der).holds(MESSAGE, signer.certificate, DEFAULT_ID) is right
        assert openssl_verifies(der, pki("rsa"), tmp_path) is right


@pytest.mark.parametrize(
    "change",
    [
        {"mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": "sha1"}}},
        {"trailer_field": 2},
        {"hash_algorithm": {"algorithm": "md5"}},
    ],
)
def test_another_kind_of_pss_is_refused_by_name(change: dict[str, object]) -> None:
    signer, algorithm = pki("rsa").signer, Algorithm.RSA_PSS_SHA256
    der = cms.write(pss(32), algorithm, signer.certificate, flavour="international")
    whole = asn1_cms.ContentInfo.load(der).copy()
    [info] = whole["content"]["signer_infos"]
    parameters = info["signature_algorithm"]["parameters"]
    for name, value in change.items():
        parameters[name] = value
    with pytest.raises(MalformedError, match=r"signature algorithm 1\.2\.840\.113549\.1\.1\.10"):
        cms.read(whole.dump(force=True))


def openssl_verifies(der: bytes, one: Pki, tmp_path: Path) -> bool:
    (tmp_path / "s.p7s").write_bytes(der)
    (tmp_path / "m").write_bytes(MESSAGE)
    ca = x509.load_der_x509_certificate(one.ca.certificate.der)
    (tmp_path / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    when = str(int(NOW.timestamp()))
    words = "cms -verify -binary -inform DER -in s.p7s -CAfile ca.pem -purpose any"
    if cms.read(der).content is None:
        words += " -content m"
    answer = subprocess.run(
        ["openssl", *words.split(), "-attime", when], cwd=tmp_path, capture_output=True, text=True
    )
    return answer.returncode == 0


@pytest.mark.parametrize(
    ("family", "options"),
    [
        *(
            (one, more)
            for one in ("rsa", "ecdsa")
            for more in (["-nodetach"], [], ["-noattr"], ["-keyid"])
        ),
        ("ecdsa", ["-nodetach", "-stream"]),
        ("rsa", ["-nodetach", "-stream"]),
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
    data = (tmp_path / "s.p7s").read_bytes()
    assert data.startswith(b"\x30\x80") == ("-stream" in options)
    message = cms.read(data)
    assert (message.content is not None) == ("-nodetach" in options)
    assert message.named([]) == [signer.certificate]
    assert message.holds(MESSAGE, signer.certificate, DEFAULT_ID)
    assert not message.holds(MESSAGE + b"\n", signer.certificate, DEFAULT_ID)


Tree: TypeAlias = "list[Tree] | bytes"


def tree(der: bytes, depth: int) -> Tree:
    """The first levels of constructed elements as lists, each beginning with its identifier octet."""
    one = read_one(der)
    if not depth or not one.tag & 0x20:
        return der
    inside = [tree(part.raw, depth - 1) for part in one.children(one.tag)]
    return [bytes([one.tag]), *inside]


def written(one: Tree, *, indefinite: bool = False) -> bytes:
    if isinstance(one, bytes):
        return one
    tag, *parts = one
    content = b"".join(written(part, indefinite=indefinite) for part in parts)
    assert isinstance(tag, bytes)
    return tag + b"\x80" + content + b"\0\0" if indefinite else tlv(tag[0], content)


def signed(*, content: bytes | None = None, attributes: bytes | None = None) -> bytes:
    signer = pki("ecdsa").signer
    if attributes is None:
        attributes = cms.signed_attributes(MESSAGE, "sha256", "international", NOW)
    return cms.write(
        signer.key.sign(signer.algorithm, attributes),
        signer.algorithm,
        signer.certificate,
        flavour="international",
        content=content,
        attributes=attributes,
    )


def test_a_message_without_lengths_is_what_it_would_be_with_them(tmp_path: Path) -> None:
    """As the signers of Java write them: no lengths outside, DER for what is signed."""
    signer, der = pki("ecdsa").signer, signed(content=MESSAGE)
    assert written(tree(der, 9)) == der
    parts: Any = tree(der, 4)
    inner = parts[2][1][3]
    assert inner[2] == tlv(0xA0, tlv(0x04, MESSAGE))
    inner[2] = [b"\xa0", [b"\x24", tlv(0x04, MESSAGE[:5]), tlv(0x04, MESSAGE[5:])]]
    loose = written(parts, indefinite=True)
    assert loose.count(b"\x80\x30\x80\x02") == 1
    assert cms.read(loose) == cms.read(der)
    assert cms.read(loose).holds(MESSAGE, signer.certificate, DEFAULT_ID)
    assert openssl_verifies(loose, pki("ecdsa"), tmp_path)
    for cut in range(1, len(loose), 7):
        with pytest.raises(MalformedError):
            cms.read(loose[:cut])
    with pytest.raises(MalformedError, match="bytes follow"):
        cms.read(loose + b"\0")


def changed(der: bytes, change: Callable[[Any, Any], None]) -> bytes:
    """With its SignedData and its SignerInfo changed, as lists of elements."""
    parts: Any = tree(der, 6)
    signed_data = parts[2][1]
    change(signed_data, signed_data[-1][1])
    return written(parts)


def _put(place: int, new: bytes) -> Callable[[Any, Any], None]:
    return lambda _data, signer: signer.__setitem__(place, new)


def _unsorted(_data: Any, signer: Any) -> None:
    signer[4][1:] = reversed(signer[4][1:])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data, _: data.append(b"\x04\x01a"), "SignedData has other elements"),
        (lambda data, _: data.insert(4, b"\x04\x01a"), "SignedData has other elements"),
        (lambda _, signer: signer.append(b"\x04\x01a"), "SignerInfo has other elements"),
        (lambda _, signer: signer[2].append(b"\x05\0"), "IssuerAndSerialNumber has other"),
        (lambda _, signer: signer[3].append(b"\x05\0"), "AlgorithmIdentifier has other"),
        (lambda data, _: data.__setitem__(1, b"\x02\x01\x63"), "version"),
        (_put(1, b"\x02\x01\x02"), "version"),
        (_put(4, b"\xa0\0"), "not in DER"),
        (_unsorted, "not in DER"),
        (
            lambda _, signer: signer.__setitem__(
                4, b"\xa0\x80" + b"".join(map(written, signer[4][1:])) + b"\0\0"
            ),
            "shortest form",
        ),
    ],
)
def test_a_message_of_another_shape_is_refused(
    change: Callable[[Any, Any], None], reason: str
) -> None:
    """``openssl cms -verify`` refuses what has more elements, so nobody could check after us."""
    der = signed()
    assert changed(der, lambda *_: None) == der
    other = changed(der, change)
    assert other != der
    with pytest.raises(MalformedError, match=reason):
        cms.read(other)


@pytest.mark.parametrize("oid", ["1.2.840.113549.1.9.16.1.4", cms.DATA["chinese"]])
def test_a_message_over_another_kind_of_content_is_refused(oid: str) -> None:
    other = core.ObjectIdentifier(oid).dump()
    right = core.ObjectIdentifier(cms.DATA["international"]).dump()
    der = changed(
        signed(content=MESSAGE), lambda data, _: data[3].__setitem__(data[3].index(right), other)
    )
    with pytest.raises(MalformedError, match="its content is of the type"):
        cms.read(der)


@given(data=st.binary(max_size=80), loose=st.booleans())
def test_other_bytes_are_refused_by_name(data: bytes, loose: bool) -> None:
    with pytest.raises(MalformedError):
        cms.read(b"\x30\x80" + data if loose else data)


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
