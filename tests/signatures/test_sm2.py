"""SM2 against published vectors, a reading of the standard, and OpenSSL."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from asn1crypto import pem
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.signatures import reference_sm2

from opsproof.signatures import ecpoints, lab, sm2
from opsproof.signatures.algorithms import Algorithm, public_key
from opsproof.signatures.certificates import parse
from opsproof.signatures.errors import MalformedError, NotVerifiableError

pytest.importorskip("gmssl_pyx", reason="the extra sm2 is not installed")

# GB/T 32918.5-2017 section A.2: signature of "message digest" under the default identifier.
PUBLIC = bytes.fromhex(
    "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
    "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
)
R = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
S = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA
Z = "B2E14C5C79C6DF5B85F4FE7ED8DB7A262B9DA7E07CCB0EA9F4747B8CCDA8A4F3"

# draft-shen-sm2-ecdsa-02 appendix D (GB/T 32918.2-2016 section A.2): a curve of its own.
SHEN = reference_sm2.Curve(
    p=0x8542D69E4C044F18E8B92435BF6FF7DE457283915C45517D722EDB8B08F1DFC3,
    a=0x787968B4FA32C3FD2417842E73BBFEFF2F3C848B6831D7E0EC65228B3937E498,
    b=0x63E4C6D3B23B0C849CF84241484BFE48F61D59A5B16BA06E6E12D1DA27C5249A,
    n=0x8542D69E4C044F18E8B92435BF6FF7DD297720630485628D5AE74EE7C32E79B7,
    g=(
        0x421DEBD61B62EAB6746434EBC3CC315E32220B3BADD50BDC4C4E6C147FEDD43D,
        0x0680512BCBB42C07D47349D2153B70C4E5D7FDFCBFA36EA1A85841B9E46E09A2,
    ),
)
SHEN_PUBLIC = (
    0x0AE4C7798AA0F119471BEE11825BE46202BB79E2A5844495E97C04FF4DF2548A,
    0x7C0240F88F1CD4E16352A73C17B7F16F07353E53A176D684A9FE0C6BB798E857,
)
SHEN_R = 0x40F1EC59F793D9F49E09DCEF49130D4194F79FB1EED2CAA55BACDB49C4E755D1
SHEN_S = 0x6FC6DAC32C5D5CF10C77DFB20F7C2EB667A457872FB09EC56327A67EC7DEEBE7
RECOMMENDED = reference_sm2.Curve(
    p=0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF,
    a=0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFC,
    b=0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93,
    n=sm2.ORDER,
    g=(
        0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
        0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
    ),
)


def test_gbt_32918_5_signature_holds() -> None:
    der = ecpoints.numbers_to_der(R, S)
    assert sm2.verify(PUBLIC, b"message digest", der)
    with sm2.quiet():
        assert not sm2.verify(PUBLIC, b"message digesu", der)
        assert not sm2.verify(PUBLIC, b"message digest", der, b"ALICE123@YAHOO.COM")


def test_gbt_32918_5_identity_digest() -> None:
    assert sm2.identity_digest(PUBLIC).hex().upper() == Z


def test_the_reference_reads_draft_shen() -> None:
    holds = reference_sm2.verify(
        SHEN, SHEN_PUBLIC, b"ALICE123@YAHOO.COM", b"message digest", SHEN_R, SHEN_S
    )
    assert holds
    assert not reference_sm2.verify(
        SHEN, SHEN_PUBLIC, sm2.DEFAULT_ID, b"message digest", SHEN_R, SHEN_S
    )


def test_a_point_of_another_curve_is_no_key() -> None:
    encoded = b"\x04" + b"".join(number.to_bytes(32, "big") for number in SHEN_PUBLIC)
    with pytest.raises(MalformedError, match=r"^the public key is no point of the SM2 curve$"):
        sm2.point(encoded)


def test_key_whose_first_coordinate_begins_with_04() -> None:
    """Stripping an "04" from the text of a key also eats a coordinate that begins so (d = 11)."""
    x, y = RECOMMENDED.times(11, RECOMMENDED.g) or (0, 0)
    encoded = b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")
    assert sm2.point(encoded) == encoded[1:]
    assert sm2.point(bytes([2 + y % 2]) + encoded[1:33]) == encoded[1:]


# RFC 8998 section 3.2.1 names the second identifier; the first is GB/T 35276's.
@settings(max_examples=8, deadline=None)
@given(
    message=st.binary(max_size=200),
    signer_id=st.sampled_from(
        [sm2.DEFAULT_ID, b"TLSv1.3+GM+Cipher+Suite", b"ALICE123@YAHOO.COM", "考试院".encode()]
    ),
)
def test_the_library_agrees_with_the_reference(message: bytes, signer_id: bytes) -> None:
    key = lab.new_key("sm2")
    point = key.private[1]
    public = (int.from_bytes(point[:32], "big"), int.from_bytes(point[32:], "big"))
    signature = key.sign(Algorithm.SM2_SM3, message, signer_id)
    r, s = ecpoints.der_to_numbers(signature)
    assert sm2.verify(point, message, signature, signer_id)
    assert reference_sm2.verify(RECOMMENDED, public, signer_id, message, r, s)


@pytest.mark.parametrize(
    ("signature", "text"),
    [
        (b"", "the data ends inside an element"),
        (bytes.fromhex("3006020100020101"), "an integer is zero or not in its shortest form"),
        (bytes.fromhex("30060201ff020101"), "an integer is negative"),
        (bytes.fromhex("300702020001020101"), "an integer is zero or not in its shortest form"),
        (ecpoints.numbers_to_der(sm2.ORDER, 1), "an integer is not below the curve's order"),
        (ecpoints.numbers_to_der(R, S) + b"\0", "1 bytes follow the element"),
    ],
)
def test_malformed_signatures_are_refused_by_name(signature: bytes, text: str) -> None:
    with pytest.raises(MalformedError) as caught:
        sm2.verify(PUBLIC, b"message digest", signature)
    assert str(caught.value) == text


@pytest.mark.parametrize("signer_id", [b"", b"x" * 8192])
def test_an_identifier_that_the_standard_does_not_know_is_refused_by_name(signer_id: bytes) -> None:
    with pytest.raises(MalformedError, match="invalid signer_id length"):
        sm2.verify(PUBLIC, b"message digest", ecpoints.numbers_to_der(R, S), signer_id)


def test_without_the_library_nothing_is_said_about_a_signature(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sm2, "library", None)
    with pytest.raises(NotVerifiableError, match=r"SM2 needs the extra"):
        sm2.verify(PUBLIC, b"message digest", ecpoints.numbers_to_der(R, S))


def test_openssl_signs_and_we_verify(tmp_path: Path) -> None:
    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "m").write_bytes("考生,91".encode())
    identity = ["-sigopt", "distid:1234567812345678"]
    openssl("ecparam", "-name", "SM2", "-genkey", "-noout", "-out", "k")
    openssl("req", "-new", "-x509", "-key", "k", "-sm3", *identity, "-subj", "/CN=a", "-out", "c")
    raw = ["-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678"]
    openssl("pkeyutl", "-sign", "-inkey", "k", *raw, "-in", "m", "-out", "s")
    certificate = parse(pem.unarmor((tmp_path / "c").read_bytes())[2])
    signature = (tmp_path / "s").read_bytes()
    message = (tmp_path / "m").read_bytes()
    assert certificate.family == "sm2"
    assert certificate.key.verify(Algorithm.SM2_SM3, message, signature)
    assert certificate.key.verify(Algorithm.SM2_SM3, certificate.tbs, certificate.signature)


def test_we_sign_and_openssl_verifies(tmp_path: Path) -> None:
    key = lab.new_key("sm2")
    (tmp_path / "p.der").write_bytes(key.spki)
    (tmp_path / "m").write_bytes(b"hello")
    (tmp_path / "s").write_bytes(key.sign(Algorithm.SM2_SM3, b"hello"))
    words = "pkeyutl -verify -pubin -inkey p.der -keyform DER -rawin -digest sm3 -in m -sigfile s"
    identity = ["-pkeyopt", "distid:1234567812345678"]
    answer = subprocess.run(
        ["openssl", *words.split(), *identity], cwd=tmp_path, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    assert public_key(key.spki, sm2_point=b"\x04" + key.private[1]).family == "sm2"
