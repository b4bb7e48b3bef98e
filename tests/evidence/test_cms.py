from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evidence import samples

from opsproof.errors import TamperedError
from opsproof.evidence import cms
from opsproof.evidence.chain import check_chain
from opsproof.evidence.keys import Keys, load_certificates
from opsproof.serials import any_serial

DATA = b"0123  run.json\n" * 7


def chain(keys: Keys) -> list[x509.Certificate]:
    return [keys.signer.certificate, *keys.signer.issuers]


SIGNATURE = cms.sign(DATA, samples.keys().signer)


def bureau_key() -> rsa.RSAPrivateKey:
    key = load_pem_private_key((samples.key_folder() / "bureau.key").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def test_a_signature_holds_for_its_bytes_only(keys: Keys) -> None:
    signature = cms.sign(DATA, keys.signer)
    assert cms.verify(DATA, signature, chain(keys)).certificate == keys.signer.certificate
    with pytest.raises(TamperedError, match="the signature is of other bytes"):
        cms.verify(DATA + b"\n", signature, chain(keys))


def test_any_changed_bit_of_a_signature_is_refused(keys: Keys) -> None:
    signature = cms.sign(DATA, keys.signer)
    for place in range(len(signature)):
        for bit in (0x01, 0x80):
            changed = bytearray(signature)
            changed[place] ^= bit
            with pytest.raises(TamperedError):
                cms.verify(DATA, bytes(changed), chain(keys))


def test_a_negative_serial_number_is_one_like_any_other(keys: Keys) -> None:
    """RFC 5280, 4.1.2.2. What it does to the certificate's own signature is for the chain to tell."""
    own = keys.signer.certificate
    serial = own.serial_number.to_bytes(own.serial_number.bit_length() // 8 + 1, "big")
    odd = bytes([serial[0] | 0x80]) + serial[1:]
    with any_serial():
        changed = x509.load_der_x509_certificate(
            own.public_bytes(Encoding.DER).replace(serial, odd, 1)
        )
    signature = cms.sign(DATA, keys.signer).replace(serial, odd)
    assert cms.verify(DATA, signature, [changed, *keys.signer.issuers]).certificate == changed
    with pytest.raises(TamperedError):
        cms.verify(DATA, signature, chain(keys))


@given(st.binary(max_size=60))
def test_random_bytes_are_no_signature(data: bytes) -> None:
    with pytest.raises(TamperedError):
        cms.verify(DATA, data, chain(samples.keys()))


@given(st.data())
def test_a_cut_or_longer_signature_is_refused(data: st.DataObject) -> None:
    signature = SIGNATURE
    cut = data.draw(st.integers(0, min(1100, len(signature) - 1)))
    for changed in (
        signature[:cut],
        signature + b"\x00",
        signature[:cut] + b"\x00" + signature[cut:],
    ):
        with pytest.raises(TamperedError):
            cms.verify(DATA, changed, chain(samples.keys()))


def test_openssl_accepts_our_signature(keys: Keys, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "sig").write_bytes(cms.sign(DATA, keys.signer))
    command = "openssl cms -verify -binary -inform DER -in sig -content data -out /dev/null -CAfile"
    done = subprocess.run(
        [*command.split(), str(samples.key_folder() / "ca.pem")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "CMS Verification successful\n")


def test_we_accept_what_openssl_signs(keys: Keys, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(DATA)
    folder = samples.key_folder()
    command = "openssl cms -sign -binary -nosmimecap -md sha256 -outform DER -in data -out sig"
    options = ["-signer", f"{folder}/signer.pem", "-inkey", f"{folder}/signer.key"]
    options += ["-certfile", f"{folder}/ca.pem"]
    subprocess.run([*command.split(), *options], cwd=tmp_path, check=True)
    signature = (tmp_path / "sig").read_bytes()
    assert cms.verify(DATA, signature, chain(keys)).certificate == keys.signer.certificate


def test_a_chain_must_lead_to_the_given_ca(keys: Keys) -> None:
    ca = load_certificates(samples.key_folder() / "ca.pem")
    check_chain(chain(keys), ca, samples.NOW)
    samples.keys("other")
    other = load_certificates(samples.key_folder("other") / "ca.pem")
    with pytest.raises(TamperedError) as caught:
        check_chain(chain(keys), other, samples.NOW)
    assert caught.value.what == (
        "the certificate CN=opsproof demo CA does not lead to the given CA"
    )


def test_a_certificate_must_be_valid_when_it_was_used(keys: Keys) -> None:
    late = samples.NOW + timedelta(days=365 * 11)
    with pytest.raises(TamperedError, match="CN=opsproof demo signer was not valid at 2037"):
        check_chain(chain(keys), list(keys.signer.issuers), late)


@settings(max_examples=15, deadline=None)
@given(st.binary(max_size=300) | st.just(b"a\nb\r\nc\r\x00"))
def test_only_the_bureau_reads_what_was_encrypted(data: bytes) -> None:
    keys = samples.keys()
    envelope = cms.encrypt(data, keys.bureau)
    assert len(data) < 8 or data not in envelope
    assert cms.decrypt(envelope, keys.bureau, bureau_key()) == data


def test_openssl_decrypts_what_we_encrypt(keys: Keys, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(cms.encrypt(samples.RAW, keys.bureau))
    folder = samples.key_folder()
    command = "openssl cms -decrypt -binary -inform DER -in in -out out"
    options = ["-recip", f"{folder}/bureau.pem", "-inkey", f"{folder}/bureau.key"]
    subprocess.run([*command.split(), *options], cwd=tmp_path, check=True)
    assert (tmp_path / "out").read_bytes() == samples.RAW


def test_an_envelope_for_somebody_else_is_an_error(keys: Keys) -> None:
    envelope = cms.encrypt(b"x", samples.keys("other").bureau)
    with pytest.raises(cms.DecryptionError, match="cannot be decrypted with this key"):
        cms.decrypt(envelope, keys.bureau, bureau_key())
