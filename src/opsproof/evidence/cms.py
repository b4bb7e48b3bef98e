"""Detached signatures and encryption as CMS (RFC 5652), in the forms ``openssl cms`` reads.

Signing and encrypting are ``cryptography``'s. It has no verification of CMS, so this file reads the
one shape that it writes and refuses every other byte: a signature that says more than we understand
is not one that we vouch for. Tests hold both directions against ``openssl cms``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.serialization import pkcs7

from opsproof.errors import OpsproofError, TamperedError
from opsproof.evidence.der import Element, MalformedDerError, read_one, tlv
from opsproof.evidence.keys import Signer
from opsproof.serials import any_serial

_DER = serialization.Encoding.DER

# Object identifiers in DER, as RFC 5652 sections 4, 5.1 and 11, RFC 5754 and RFC 5758 number them.
_ID_DATA = bytes.fromhex("06092a864886f70d010701")
_ID_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_ID_CONTENT_TYPE = bytes.fromhex("06092a864886f70d010903")
_ID_MESSAGE_DIGEST = bytes.fromhex("06092a864886f70d010904")
_ID_SIGNING_TIME = bytes.fromhex("06092a864886f70d010905")
# RFC 5754 section 2: parameters absent, as OpenSSL writes, or NULL, as `cryptography` does.
_SHA256 = (
    bytes.fromhex("300b0609608648016503040201"),
    bytes.fromhex("300d06096086480165030402010500"),
)
_ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_VERSION_1 = bytes.fromhex("020101")

_SEQUENCE, _SET, _OCTETS, _CONTEXT_0, _UTC_TIME = 0x30, 0x31, 0x04, 0xA0, 0x17


class DecryptionError(OpsproofError):
    """An artifact cannot be decrypted with the given key."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that holds. ``signed_at`` is what the signer's clock claimed (UTC)."""

    certificate: x509.Certificate
    signed_at: datetime | None


def sign(data: bytes, signer: Signer) -> bytes:
    """A detached DER signature over ``data`` as it is (no line-end conversion)."""
    builder = (
        pkcs7.PKCS7SignatureBuilder()
        .set_data(data)
        .add_signer(signer.certificate, signer.key, hashes.SHA256())
    )
    for issuer in signer.issuers:
        builder = builder.add_certificate(issuer)
    options = pkcs7.PKCS7Options
    return builder.sign(_DER, [options.DetachedSignature, options.Binary, options.NoCapabilities])


def verify(data: bytes, signature: bytes, chain: Sequence[x509.Certificate]) -> Signature:
    """Check a detached signature against the certificates that came with it.

    ``chain`` is the signer's certificate and its issuers; the signature must carry exactly these.
    Whether the chain ends at somebody trusted is the question of :mod:`opsproof.evidence.chain`.

    Raises:
        TamperedError: the signature does not hold, or is not of the one shape understood.
    """
    try:
        return _verify(data, signature, chain)
    except (MalformedDerError, ValueError) as error:
        raise TamperedError(f"is not a signature that this tool writes: {error}") from error


def encrypt(data: bytes, recipient: x509.Certificate) -> bytes:
    """CMS EnvelopedData (DER, AES-256-CBC, RSA) that only the recipient's key opens."""
    return (
        pkcs7.PKCS7EnvelopeBuilder()
        .set_data(data)
        .set_content_encryption_algorithm(algorithms.AES256)
        .add_recipient(recipient)
        .encrypt(_DER, [pkcs7.PKCS7Options.Binary])
    )


def decrypt(data: bytes, recipient: x509.Certificate, key: rsa.RSAPrivateKey) -> bytes:
    """What :func:`encrypt` was given.

    Raises:
        DecryptionError: the data is not such an envelope or is for somebody else.
    """
    try:
        return pkcs7.pkcs7_decrypt_der(data, recipient, key, [])
    except ValueError as error:
        raise DecryptionError(f"cannot be decrypted with this key: {error}") from error


def _verify(data: bytes, signature: bytes, chain: Sequence[x509.Certificate]) -> Signature:
    kind, body = _count(read_one(signature).children(_SEQUENCE), 2, "ContentInfo")
    _same(kind.raw, _ID_SIGNED_DATA, what="content type")
    (signed_data,) = body.children(_CONTEXT_0)
    version, digests, content, certificates, signers = _count(
        signed_data.children(_SEQUENCE), 5, "SignedData"
    )
    _same(version.raw, _VERSION_1, what="version")
    _same(digests.content, *_SHA256, what="digest algorithm")
    _same(digests.raw[:1], bytes([_SET]), what="digest algorithms")
    _same(content.raw, tlv(_SEQUENCE, _ID_DATA), what="detached content")
    carried = [element.raw for element in certificates.children(_CONTEXT_0)]
    if carried != sorted(carried) or set(carried) != {c.public_bytes(_DER) for c in chain}:
        raise ValueError("it does not carry the certificates of signer.pem")
    (signer,) = signers.children(_SET)
    return _verify_signer(data, signer.children(_SEQUENCE), chain[0])


@any_serial()
def _verify_signer(data: bytes, fields: list[Element], certificate: x509.Certificate) -> Signature:
    version, sid, digest, attributes, algorithm, value = _count(fields, 6, "SignerInfo")
    _same(version.raw, _VERSION_1, what="signer version")
    serial = certificate.serial_number
    number = serial.to_bytes(serial.bit_length() // 8 + 1, "big", signed=True)
    issuer_and_serial = certificate.issuer.public_bytes() + tlv(0x02, number)
    _same(sid.raw, tlv(_SEQUENCE, issuer_and_serial), what="signer")
    _same(digest.raw, *_SHA256, what="digest algorithm")
    _same(algorithm.raw, _ECDSA_SHA256, what="signature algorithm")
    signed_at = _check_attributes(attributes.children(_CONTEXT_0), data)
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or value.tag != _OCTETS:
        raise ValueError("it was not made with an elliptic-curve key")
    # RFC 5652 section 5.4: what is signed is the attributes under the tag SET OF.
    signed = bytes([_SET]) + attributes.raw[1:]
    try:
        key.verify(value.content, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise TamperedError("the signature does not hold") from error
    return Signature(certificate, signed_at)


def _check_attributes(attributes: list[Element], data: bytes) -> datetime | None:
    """Check the signed attributes (RFC 5652 section 11); returns the signing time."""
    found: dict[bytes, Element] = {}
    for attribute in attributes:
        kind, values = _count(attribute.children(_SEQUENCE), 2, "Attribute")
        (found[kind.raw],) = values.children(_SET)
    if len(found) != len(attributes) or not {_ID_CONTENT_TYPE, _ID_MESSAGE_DIGEST} <= set(found):
        raise ValueError("its signed attributes are not complete")
    _same(found[_ID_CONTENT_TYPE].raw, _ID_DATA, what="signed content type")
    if found[_ID_MESSAGE_DIGEST].raw != tlv(_OCTETS, hashlib.sha256(data).digest()):
        raise TamperedError("the signature is of other bytes")
    time = found.get(_ID_SIGNING_TIME)
    if time is None or time.tag != _UTC_TIME:
        return None
    return datetime.strptime(time.content.decode("ascii"), "%y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _same(found: bytes, *wanted: bytes, what: str) -> None:
    if found not in wanted:
        raise ValueError(f"unexpected {what}")


def _count(elements: list[Element], wanted: int, what: str) -> list[Element]:
    if len(elements) != wanted:
        raise ValueError(f"{what} has {len(elements)} parts instead of {wanted}")
    return elements
