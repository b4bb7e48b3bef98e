"""X.509 certificates with RSA, ECDSA and SM2 keys (RFC 5280, GM/T 0015-2012), read by asn1crypto.

``cryptography`` refuses SM2 certificates, so all of them are read the same way here, and their
signatures are checked with :mod:`opsproof.signatures.algorithms`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from asn1crypto import pem, x509

from opsproof.purposes import SIGNING
from opsproof.signatures.algorithms import SM2_CURVE_OID, Algorithm, PublicKey, public_key
from opsproof.signatures.errors import CertificateError, MalformedError, NotVerifiableError

# RFC 3279, RFC 4055, RFC 5758; GM/T 0006-2012 for 1.2.156.10197.1.501 (SM2 with SM3).
SIGNATURE_OIDS: Final = {
    "1.2.840.113549.1.1.5": Algorithm.RSA_PKCS1_SHA1,
    "1.2.840.113549.1.1.11": Algorithm.RSA_PKCS1_SHA256,
    "1.2.840.113549.1.1.12": Algorithm.RSA_PKCS1_SHA384,
    "1.2.840.113549.1.1.13": Algorithm.RSA_PKCS1_SHA512,
    "1.2.840.10045.4.1": Algorithm.ECDSA_SHA1,
    "1.2.840.10045.4.3.2": Algorithm.ECDSA_SHA256,
    "1.2.840.10045.4.3.3": Algorithm.ECDSA_SHA384,
    "1.2.840.10045.4.3.4": Algorithm.ECDSA_SHA512,
    "1.2.156.10197.1.501": Algorithm.SM2_SM3,
}
_PSS_OID: Final = "1.2.840.113549.1.1.10"
_EC_OID: Final = "1.2.840.10045.2.1"
_UNDERSTOOD: Final = {"key_usage", "basic_constraints", "extended_key_usage", "subject_alt_name"}
_NOT_PASSED_OVER: Final = frozenset({"name_constraints"})
UNREADABLE: Final = (ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError)
"""What ``asn1crypto`` raises, as it happens, for bytes that are not what they are taken for."""


@dataclass(frozen=True)
class Allowed:
    """What else is taken, for the sake of old systems.

    ``any_of_ca``: signers that are not at hand, whose certificate a message brings along. ``purposes``: see
    :meth:`Certificate.unfit`. ``weak_keys``: of signers and of those who issued to them,
    see :attr:`PublicKey.weak`. ``sha1``: what certificates, CRLs and OCSP responses may be signed over.
    """

    purposes: frozenset[str] = frozenset()
    weak_keys: bool = False
    sha1: bool = False
    any_of_ca: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The same as words, for whoever has to agree to it."""
        words = ("any_of_ca", "weak_keys", "sha1")
        purposes = (f"purpose {one}" for one in sorted(self.purposes))
        return (*(word for word in words if getattr(self, word)), *purposes)


NOTHING_ELSE: Final = Allowed()


@dataclass(frozen=True, eq=False)
class Certificate:
    """One certificate. Times are aware and in UTC; ``serial`` is an integer.

    ``crl_points`` are the names, as DER, of the parts of a CA's list that may speak of it.

    ``public_key`` are the bytes of the BIT STRING in ``spki``, which key hashes are made over.

    ``purposes`` are the identifiers in its extended key usage; None: it has none. ``faults`` say why no
    chain may lead through it: what it says is not understood, or can be understood in two ways.
    """

    der: bytes
    serial: int
    issuer: bytes
    subject: bytes
    name: str
    not_before: datetime
    not_after: datetime
    is_ca: bool
    path_length: int | None
    may_sign: bool
    may_issue: bool
    may_sign_crls: bool
    purposes: frozenset[str] | None
    faults: tuple[str, ...]
    key_id: bytes | None
    crl_points: frozenset[bytes]
    spki: bytes
    public_key: bytes
    sm2_point: bytes | None
    tbs: bytes
    signature: bytes
    algorithm: Algorithm | None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the DER, lower-case hex."""
        return hashlib.sha256(self.der).hexdigest()

    @cached_property
    def key(self) -> PublicKey:
        """The subject's key. Raises :class:`MalformedError` or :class:`NotVerifiableError`."""
        return public_key(self.spki, sm2_point=self.sm2_point)

    @cached_property
    def weak(self) -> bool:
        """:attr:`PublicKey.weak`; one that cannot be read holds for nothing and is not called so."""
        try:
            return self.sm2_point is None and self.key.weak
        except MalformedError:
            return False

    @property
    def over_sha1(self) -> bool:
        """Whether its issuer signed it over SHA-1, of which two can be made (Stevens et al. 2017)."""
        return self.algorithm is not None and self.algorithm.digest == "sha1"

    def unfit(self, also: frozenset[str] = frozenset()) -> str:
        """Why it may not sign data, empty where it may; ``also`` are other purposes that will do."""
        if not self.may_sign or self.is_ca:
            return "its key usage does not allow signing data"
        if self.purposes is None or self.purposes & (SIGNING | also):
            return ""
        return f"its extended key usage is for {', '.join(sorted(self.purposes))} only"

    @property
    def family(self) -> str:
        """The kind of the key, ``unknown`` when it cannot be read here."""
        if self.sm2_point is not None:
            return "sm2"
        try:
            return self.key.family
        except (MalformedError, NotVerifiableError):
            return "unknown"

    def __eq__(self, other: object) -> bool:
        """Equal when every byte is."""
        return isinstance(other, Certificate) and self.der == other.der

    def __hash__(self) -> int:
        """By content."""
        return hash(self.der)


def parse(der: bytes) -> Certificate:
    """A certificate in DER. Raises :class:`MalformedError`: it is none."""
    try:
        return _parse(x509.Certificate.load(der, strict=True))
    except UNREADABLE as error:
        raise MalformedError(f"not an X.509 certificate: {error}") from error


def load(path: Path) -> list[Certificate]:
    """All certificates of a PEM or DER file.

    Raises:
        CertificateError: it cannot be read or holds none.
    """
    try:
        found = [parse(der) for der in pem_or_der(path.read_bytes(), "CERTIFICATE")]
    except OSError as error:
        raise CertificateError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except ValueError as error:
        raise CertificateError(f"holds no certificate: {error}", where=str(path)) from error
    if not found:
        raise CertificateError("holds no certificate", where=str(path))
    return found


def pem_or_der(data: bytes, label: str) -> Iterator[bytes]:
    """The DER blocks of a file that is DER itself or PEM with this label (RFC 7468)."""
    if not pem.detect(data):
        yield data
        return
    for kind, _headers, der in pem.unarmor(data, multiple=True):
        if kind == label:
            yield der


def utc(time: Any) -> datetime:
    """A time of ASN.1. Raises ``ValueError`` for one without a zone or of a year that no date has."""
    found = time.native
    if not isinstance(found, datetime) or found.tzinfo is None:
        raise ValueError("a time is not in UTC")
    return found


def signature_algorithm(identifier: Any) -> Algorithm | None:
    """The scheme of an AlgorithmIdentifier; None when it is not one of ours."""
    oid = identifier["algorithm"].dotted
    if oid != _PSS_OID:
        return SIGNATURE_OIDS.get(oid)
    parameters = identifier["parameters"]
    digest = parameters["hash_algorithm"]["algorithm"].native
    mask = parameters["mask_gen_algorithm"]
    # RFC 4055 section 3.1: another digest in the mask is another scheme; the trailer is always 1.
    if mask["algorithm"].native != "mgf1" or mask["parameters"]["algorithm"].native != digest:
        return None
    if int(parameters["trailer_field"]) != 1:
        return None
    try:
        return Algorithm(f"rsa-pss-{digest}")
    except ValueError:
        return None


def _parse(certificate: Any) -> Certificate:
    tbs = certificate["tbs_certificate"]
    spki = tbs["subject_public_key_info"]
    usage = certificate.key_usage_value
    uses = usage.native if usage is not None else None
    constraints = certificate.basic_constraints_value
    is_ca = bool(constraints is not None and constraints["ca"].native)
    extended = certificate.extended_key_usage_value
    key_id = certificate.key_identifier_value
    return Certificate(
        der=certificate.dump(),
        serial=tbs["serial_number"].native,
        issuer=tbs["issuer"].dump(),
        subject=tbs["subject"].dump(),
        name=tbs["subject"].human_friendly,
        not_before=utc(tbs["validity"]["not_before"]),
        not_after=utc(tbs["validity"]["not_after"]),
        is_ca=is_ca,
        path_length=constraints["path_len_constraint"].native if is_ca else None,
        may_sign=uses is None or bool(uses & {"digital_signature", "non_repudiation"}),
        may_issue=is_ca and (uses is None or "key_cert_sign" in uses),
        may_sign_crls=is_ca and (uses is None or "crl_sign" in uses),
        purposes=None if extended is None else frozenset(one.dotted for one in extended),
        faults=tuple(_faults(certificate)),
        key_id=key_id.native if key_id is not None else None,
        crl_points=_crl_points(certificate),
        spki=spki.dump(),
        public_key=bytes(spki["public_key"]),
        sm2_point=_sm2_point(spki),
        tbs=tbs.dump(),
        signature=certificate["signature_value"].native,
        algorithm=signature_algorithm(certificate["signature_algorithm"]),
    )


def _faults(certificate: Any) -> Iterator[str]:
    """RFC 5280 sections 4.1.1.2, 4.2 and 4.2.1.10; constraints of names count though not critical."""
    tbs = certificate["tbs_certificate"]
    if tbs["signature"].dump() != certificate["signature_algorithm"].dump():
        yield "it names two signature algorithms"
    found = [one["extn_id"].native for one in tbs["extensions"] or ()]
    if len(set(found)) < len(found):
        yield "an extension is there twice"
    unknown = {
        *certificate.critical_extensions,
        *_NOT_PASSED_OVER.intersection(found),
    } - _UNDERSTOOD
    if unknown:
        yield f"an extension is not understood: {', '.join(sorted(unknown))}"


def point_names(point: Any) -> frozenset[bytes]:
    """The full names of a distribution point (RFC 5280 section 4.2.1.13), as DER; relative ones none."""
    if point.native is None or point.name != "full_name":
        return frozenset()
    return frozenset(name.dump() for name in point.chosen)


def _crl_points(certificate: Any) -> frozenset[bytes]:
    points = certificate.crl_distribution_points_value or ()
    return frozenset[bytes]().union(*(point_names(one["distribution_point"]) for one in points))


def _sm2_point(spki: Any) -> bytes | None:
    """The point of an SM2 key: either the named curve, or SM2 itself as the algorithm."""
    algorithm = spki["algorithm"]
    oid = algorithm["algorithm"].dotted
    if oid == SM2_CURVE_OID:
        return bytes(spki["public_key"].native)
    if oid != _EC_OID:
        return None
    curve = algorithm["parameters"]
    if curve.name != "named" or curve.chosen.dotted != SM2_CURVE_OID:
        return None
    return bytes(spki["public_key"].native)
