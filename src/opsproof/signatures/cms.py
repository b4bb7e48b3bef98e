"""Signed messages: CMS (RFC 5652), PKCS #7 (RFC 2315) and GB/T 35275-2017, read and written.

GB/T 35275 (before: GM/T 0010-2012) is PKCS #7 with other object identifiers: 1.2.156.10197.6.1.4.2.2
for signedData, .1 for data, SM3 (1.2.156.10197.1.401) and SM2 (1.2.156.10197.1.301.1) inside. Some
products write SM2 signatures under the international identifiers; both are read.

assumed: where signed attributes are there, their message digest is SM3 of the content, or of Z and
the content (both are seen in products; either binds the content).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from asn1crypto import algos, cms, core

from opsproof.evidence.der import Element, MalformedDerError, read_one, tlv
from opsproof.signatures import sm2
from opsproof.signatures.algorithms import HASHES, Algorithm
from opsproof.signatures.ber import definite
from opsproof.signatures.certificates import Certificate, parse, signature_algorithm, utc
from opsproof.signatures.errors import MalformedError

Flavour: TypeAlias = Literal["international", "chinese"]

SIGNED_DATA: Final[dict[Flavour, str]] = {
    "international": "1.2.840.113549.1.7.2",
    "chinese": "1.2.156.10197.6.1.4.2.2",
}
DATA: Final[dict[Flavour, str]] = {
    "international": "1.2.840.113549.1.7.1",
    "chinese": "1.2.156.10197.6.1.4.2.1",
}
_DIGESTS: Final = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "1.2.156.10197.1.401": "sm3",
}
_DIGEST_OIDS: Final = {name: oid for oid, name in _DIGESTS.items()}
_RSA: Final = "1.2.840.113549.1.1.1"
_EC: Final = "1.2.840.10045.2.1"
# GM/T 0006: SM2, SM2-1 (the signature algorithm) and SM2 with SM3.
_SM2: Final = frozenset({"1.2.156.10197.1.301", "1.2.156.10197.1.301.1", "1.2.156.10197.1.501"})
_MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
_CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
_SIGNING_TIME: Final = "1.2.840.113549.1.9.5"

_CONTENT_TYPE_DER: Final = bytes(core.ObjectIdentifier(_CONTENT_TYPE).dump())
_MESSAGE_DIGEST_DER: Final = bytes(core.ObjectIdentifier(_MESSAGE_DIGEST).dump())

_LIKE_ATTRIBUTES: Final = re.compile(rb"\x31(?:[\x00-\x7f]|\x81.|\x82..)\x30", re.DOTALL)

# The identifier octets of the elements of each sequence, optional ones with a question mark.
_SIGNED_DATA: Final = re.compile(rb"\x02\x31\x30\xa0?\xa1?\x31")
_SIGNER_INFO: Final = re.compile(rb"\x02[\x30\x80]\x30\xa0?\x30\x04\xa1?")
_ISSUER_AND_SERIAL: Final = re.compile(rb"\x30\x02")
_IDENTIFIER: Final = re.compile(rb"\x06.?", re.DOTALL)
_CONTENT: Final = re.compile(rb"\x06\xa0?")
_ATTRIBUTE: Final = re.compile(rb"\x06\x31")
_VERSIONS: Final = {b"\x02\x01\x01", b"\x02\x01\x03"}


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """One signer's message. ``attributes`` are the signed attributes as the SET OF that is signed.

    ``salt_length`` is what an RSA PSS signature says of its salt, in bytes; None for other schemes.
    """

    flavour: Flavour
    content_type: str
    content: bytes | None
    certificates: tuple[Certificate, ...]
    issuer: bytes | None
    serial: int | None
    key_id: bytes | None
    digest: str
    algorithm: Algorithm
    attributes: bytes | None
    attribute_type: str | None
    message_digest: bytes | None
    signing_time: datetime | None
    signature: bytes
    salt_length: int | None = None

    def named(self, candidates: Sequence[Certificate]) -> list[Certificate]:
        """Those of the embedded and the given certificates that the signer's identifier names."""
        return [
            one
            for one in dict.fromkeys([*self.certificates, *candidates])
            if (self.key_id is not None and one.key_id == self.key_id)
            or (self.serial == one.serial and self.issuer == one.issuer)
        ]

    def holds(self, message: bytes, certificate: Certificate, signer_id: bytes) -> bool:
        """Whether it is ``certificate``'s signature over ``message`` (the attached content too).

        Raises:
            NotVerifiableError: the library that the algorithm needs is not installed.
        """
        if self.content is not None and self.content != message:
            return False
        try:
            key = certificate.key
        except MalformedError:
            return False
        signed = message
        if self.attributes is not None:
            if self.message_digest not in _digests(self.digest, message, certificate, signer_id):
                return False
            if self.attribute_type != self.content_type:
                return False
            signed = self.attributes
        elif are_attributes(message):
            return False
        if self.salt_length is not None:
            return key.has_salt(self.algorithm, signed, self.signature, self.salt_length)
        return key.verify(self.algorithm, signed, self.signature, signer_id)


def are_attributes(message: bytes) -> bool:
    """Whether the bytes are signed attributes themselves (RFC 5652 section 11).

    A signature over them is that of a message about other data; taken off it, it would hold over a record
    that happens to be written down as these bytes (in UTF-16 nearly any bytes are text).
    """
    if not _LIKE_ATTRIBUTES.match(message):
        return False
    try:
        kinds = {one.children(0x30)[0].raw for one in read_one(message).children(0x31)}
    except (MalformedDerError, IndexError):
        return False
    return {_CONTENT_TYPE_DER, _MESSAGE_DIGEST_DER} <= kinds


def read(data: bytes) -> SignedMessage:
    """A signed message with one signer.

    Raises:
        MalformedError: it is not one, or has a shape that is not understood.
    """
    try:
        return _read(data)
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise MalformedError(f"not a signed message: {error}") from error


def write(
    signature: bytes,
    algorithm: Algorithm,
    certificate: Certificate,
    *,
    flavour: Flavour,
    content: bytes | None = None,
    attributes: bytes | None = None,
    embed: bool = True,
    salt_length: int | None = None,
) -> bytes:
    """A signed message around a signature; ``content`` attaches it, ``attributes`` is a SET OF.

    ``salt_length`` is that of an RSA PSS signature, the digest's length if None (RFC 4056).
    """
    digest = _sequence(_oid(_DIGEST_OIDS[algorithm.digest]), _NULL)
    inner = _oid(DATA[flavour])
    if content is not None:
        inner += tlv(0xA0, tlv(0x04, content))
    issuer_and_serial = _sequence(certificate.issuer, core.Integer(certificate.serial).dump())
    signer = [core.Integer(1).dump(), issuer_and_serial, digest]
    if attributes is not None:
        signer.append(b"\xa0" + attributes[1:])
    identifier = _signature_identifier(algorithm, flavour, salt_length)
    signer += [identifier, tlv(0x04, signature)]
    certificates = tlv(0xA0, certificate.der) if embed else b""
    signed_data = _sequence(
        core.Integer(1).dump(),
        tlv(0x31, digest),
        _sequence(inner),
        certificates,
        tlv(0x31, _sequence(*signer)),
    )
    return _sequence(_oid(SIGNED_DATA[flavour]), tlv(0xA0, signed_data))


def signed_attributes(message: bytes, digest: str, flavour: Flavour, at: datetime) -> bytes:
    """The SET OF signed attributes over ``message`` (RFC 5652 section 11), ready to be signed."""
    time = core.UTCTime(at).dump()
    value = tlv(0x04, sm2.sm3(message) if digest == "sm3" else _hash(digest, message))
    parts = [
        _sequence(_oid(_CONTENT_TYPE), tlv(0x31, _oid(DATA[flavour]))),
        _sequence(_oid(_SIGNING_TIME), tlv(0x31, time)),
        _sequence(_oid(_MESSAGE_DIGEST), tlv(0x31, value)),
    ]
    return tlv(0x31, b"".join(sorted(parts)))


_NULL: Final = b"\x05\x00"


def _sequence(*parts: bytes) -> bytes:
    return tlv(0x30, b"".join(parts))


def _oid(dotted: str) -> bytes:
    return bytes(core.ObjectIdentifier(dotted).dump())


def _signature_identifier(algorithm: Algorithm, flavour: Flavour, salt_length: int | None) -> bytes:
    if "-pss-" in algorithm:
        return _pss_identifier(algorithm.digest, salt_length)
    if algorithm.family == "rsa":
        return _sequence(_oid(_RSA), _NULL)
    if algorithm.family == "sm2":
        oid = "1.2.156.10197.1.301.1" if flavour == "chinese" else "1.2.156.10197.1.501"
        return _sequence(_oid(oid))
    ecdsa = {"sha1": "1", "sha256": "3.2", "sha384": "3.3", "sha512": "3.4"}[algorithm.digest]
    return _sequence(_oid(f"1.2.840.10045.4.{ecdsa}"))


def _pss_identifier(digest: str, salt_length: int | None) -> bytes:
    """RFC 4055 section 3.1, used in a signer's information as RFC 4056 section 3 has it."""
    length = HASHES[digest].digest_size if salt_length is None else salt_length
    parameters = {
        "hash_algorithm": {"algorithm": digest, "parameters": core.Null()},
        "mask_gen_algorithm": {
            "algorithm": "mgf1",
            "parameters": {"algorithm": digest, "parameters": core.Null()},
        },
        "salt_length": length,
    }
    identifier = {"algorithm": "rsassa_pss", "parameters": algos.RSASSAPSSParams(parameters)}
    return bytes(algos.SignedDigestAlgorithm(identifier).dump())


def _salt_length(identifier: Any, algorithm: Algorithm) -> int | None:
    return int(identifier["parameters"]["salt_length"].native) if "-pss-" in algorithm else None


def _read(data: bytes) -> SignedMessage:
    flavour, signed_data = _outer(data)
    body = cms.SignedData.load(signed_data, strict=True)
    shape = _shape(signed_data)
    [signer] = body["signer_infos"]
    digest = _DIGESTS[signer["digest_algorithm"]["algorithm"].dotted]
    values = _attributes(signer["signed_attrs"])
    sid = signer["sid"]
    by_serial = sid.name == "issuer_and_serial_number"
    content_type = body["encap_content_info"]["content_type"].dotted
    if content_type != DATA[flavour]:
        raise MalformedError(f"its content is of the type {content_type}")
    time = values.get(_SIGNING_TIME)
    algorithm = _algorithm(signer["signature_algorithm"], digest)
    return SignedMessage(
        flavour=flavour,
        content_type=content_type,
        content=shape.content,
        certificates=tuple(_certificates(body["certificates"])),
        issuer=sid.chosen["issuer"].dump() if by_serial else None,
        serial=sid.chosen["serial_number"].native if by_serial else None,
        key_id=None if by_serial else sid.chosen.native,
        digest=digest,
        algorithm=algorithm,
        attributes=shape.attributes,
        attribute_type=values[_CONTENT_TYPE].dotted if shape.attributes else None,
        message_digest=values[_MESSAGE_DIGEST].native if shape.attributes else None,
        signing_time=utc(time) if time is not None else None,
        signature=signer["signature"].native,
        salt_length=_salt_length(signer["signature_algorithm"], algorithm),
    )


def _outer(data: bytes) -> tuple[Flavour, bytes]:
    parts = read_one(definite(data)).children(0x30)
    if len(parts) != 2 or parts[1].tag != 0xA0:
        raise MalformedError("not a ContentInfo")
    inner = read_one(parts[1].content).raw
    oid = core.ObjectIdentifier.load(parts[0].raw).dotted
    for flavour, known in SIGNED_DATA.items():
        if oid == known:
            return flavour, inner
    raise MalformedError(f"content type {oid}")


def _attributes(attributes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for attribute in attributes or ():
        kind = attribute["type"].dotted
        if kind in values:
            raise MalformedError("a signed attribute is there twice")
        values[kind] = attribute["values"][0]
    return values


@dataclass(frozen=True, slots=True)
class _Shape:
    """What is signed: the content, if it is there, and the attributes as a SET OF."""

    content: bytes | None
    attributes: bytes | None


def _shape(signed_data: bytes) -> _Shape:
    """Hold a SignedData of one signer to RFC 5652 sections 5.1 and 5.3, element by element.

    ``asn1crypto`` passes over what follows the elements that it looks for; ``openssl cms -verify``, with
    which others check what we call right, does not. Certificates, lists and unsigned attributes may be
    in any order. Raises :class:`MalformedDerError` or :class:`MalformedError`.
    """
    parts = read_one(signed_data).children(0x30)
    _tags(parts, _SIGNED_DATA, "SignedData")
    signers = parts[-1].children(0x31)
    if len(signers) != 1:
        raise MalformedError(f"{len(signers)} signers instead of one")
    fields = signers[0].children(0x30)
    _tags(fields, _SIGNER_INFO, "SignerInfo")
    if not {parts[0].raw, fields[0].raw} <= _VERSIONS:
        raise MalformedError("a version that is not understood")
    if fields[1].tag == 0x30:
        _tags(fields[1].children(0x30), _ISSUER_AND_SERIAL, "IssuerAndSerialNumber")
    signed = fields[3] if fields[3].tag == 0xA0 else None
    for identifier in (*parts[1].children(0x31), fields[2], fields[4 if signed else 3]):
        _tags(identifier.children(0x30), _IDENTIFIER, "AlgorithmIdentifier")
    inner = parts[2].children(0x30)
    _tags(inner, _CONTENT, "EncapsulatedContentInfo")
    content = None
    if len(inner) > 1:
        octets = read_one(inner[1].content)
        if octets.tag != 0x04:
            raise MalformedError("the content is not an octet string")
        content = octets.content
    return _Shape(content, None if signed is None else _set_of(signed))


def _set_of(signed: Element) -> bytes:
    """RFC 5652 sections 5.3 and 5.4: in DER, and signed under the tag SET OF instead of [0]."""
    attributes = signed.children(0xA0)
    for one in attributes:
        parts = one.children(0x30)
        _tags(parts, _ATTRIBUTE, "Attribute")
        if len(parts[1].children(0x31)) != 1:
            raise MalformedError("a signed attribute is there twice")
    raw = [one.raw for one in attributes]
    if not raw or raw != sorted(raw):
        raise MalformedError("the signed attributes are not in DER")
    return tlv(0x31, signed.content)


def _tags(elements: Sequence[Element], wanted: re.Pattern[bytes], what: str) -> None:
    if not wanted.fullmatch(bytes(one.tag for one in elements)):
        raise MalformedError(f"{what} has other elements")


def _certificates(certificates: Any) -> list[Certificate]:
    return [parse(one.chosen.dump()) for one in certificates or () if one.name == "certificate"]


def _algorithm(identifier: Any, digest: str) -> Algorithm:
    oid = identifier["algorithm"].dotted
    if oid in _SM2 and digest == "sm3":
        return Algorithm.SM2_SM3
    if oid == _RSA:
        return Algorithm(f"rsa-pkcs1-{digest}")
    if oid == _EC:
        return Algorithm.SM2_SM3 if digest == "sm3" else Algorithm(f"ecdsa-{digest}")
    found = signature_algorithm(identifier)
    if found is None or found.digest != digest:
        raise MalformedError(f"signature algorithm {oid} with {digest}")
    return found


def _digests(name: str, message: bytes, certificate: Certificate, signer_id: bytes) -> list[bytes]:
    if name != "sm3":
        return [_hash(name, message)]
    found = [sm2.sm3(message)]
    key = certificate.key.key
    if isinstance(key, bytes):
        found.append(sm2.sm3(sm2.identity_digest(key, signer_id) + message))
    return found


def _hash(name: str, message: bytes) -> bytes:
    return hashlib.new(name, message, usedforsecurity=False).digest()
