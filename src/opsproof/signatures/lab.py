"""Keys, certificates and signatures for drills and tests: RSA, ECDSA and SM2 alike.

Never for production: keys live in memory and names say ``lab``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from asn1crypto import core, crl, ocsp, x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from opsproof.evidence.der import tlv
from opsproof.signatures import sm2
from opsproof.signatures.algorithms import HASHES, Algorithm
from opsproof.signatures.certificates import SIGNATURE_OIDS, Certificate, parse
from opsproof.signatures.revocation import SM3_OID, digest_of

_OIDS: Final = {algorithm: oid for oid, algorithm in SIGNATURE_OIDS.items()}
_DEFAULT: Final = {
    "rsa": Algorithm.RSA_PKCS1_SHA256,
    "ecdsa": Algorithm.ECDSA_SHA256,
    "sm2": Algorithm.SM2_SM3,
}
_EC_WITH_SM2: Final = bytes.fromhex("301306072a8648ce3d020106082a811ccf5501822d")


@dataclass(frozen=True)
class LabKey:
    """A private key of one of the three families and its SubjectPublicKeyInfo."""

    family: str
    private: Any
    spki: bytes

    def sign(
        self, algorithm: Algorithm, message: bytes, signer_id: bytes = sm2.DEFAULT_ID
    ) -> bytes:
        """A signature in the scheme's own bytes (RSA integer, or DER of two integers)."""
        if self.family == "sm2":
            private, public = self.private
            return bytes(sm2.library.sm2_sign(private, public, message, signer_id=signer_id))
        digest = HASHES[algorithm.digest]
        if self.family == "ecdsa":
            return bytes(self.private.sign(message, ec.ECDSA(digest)))
        if "-pss-" in algorithm:
            pads: Any = padding.PSS(padding.MGF1(digest), digest.digest_size)
        else:
            pads = padding.PKCS1v15()
        return bytes(self.private.sign(message, pads, digest))


@dataclass(frozen=True)
class Signer:
    """A key with its certificate. ``scheme`` is what it signs data with, if not the usual."""

    key: LabKey
    certificate: Certificate
    scheme: Algorithm | None = None

    @property
    def algorithm(self) -> Algorithm:
        """What it signs data with unless told otherwise."""
        return self.scheme or _DEFAULT[self.key.family]


@dataclass(frozen=True)
class Lab:
    """Everyone who signs in a drill. ``good`` sign rightly, the others at the wrong time."""

    family: str
    ca: Signer
    good: tuple[Signer, ...]
    expired: Signer
    future: Signer
    revoked: Signer
    untrusted: Signer
    approver: Signer
    revoked_at: datetime
    now: datetime

    @property
    def certificates(self) -> list[Signer]:
        """All signers whose certificates are at hand, the untrusted one too."""
        return [*self.good, self.expired, self.future, self.revoked, self.untrusted]


def new_key(family: str, *, bits: int = 2048) -> LabKey:
    """A fresh key; ``bits`` is the RSA modulus's length. SM2 needs the library."""
    if family == "sm2":
        public, private = sm2.library.sm2_key_generate()
        spki = tlv(0x30, _EC_WITH_SM2 + tlv(0x03, b"\x00\x04" + public))
        return LabKey("sm2", (private, public), spki)
    if family == "rsa":
        key: Any = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    else:
        key = ec.generate_private_key(ec.SECP256R1())
    spki = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return LabKey(family, key, spki)


def issue(
    name: str,
    key: LabKey,
    issuer: Signer | None,
    *,
    serial: int,
    not_before: datetime,
    not_after: datetime,
    ca: bool = False,
    usage: Sequence[str] = ("digital_signature", "non_repudiation"),
    extra: Sequence[dict[str, Any]] = (),
) -> Certificate:
    """A certificate for ``key``; self-signed without an issuer. Times are aware, whole seconds."""
    subject = x509.Name.build({"common_name": name, "organization_name": "opsproof lab"})
    signing = issuer.key if issuer else key
    identifier = _identifier(_DEFAULT[signing.family])
    uses = {"key_cert_sign", "crl_sign"} if ca else set(usage)
    info = x509.PublicKeyInfo.load(key.spki)
    extensions = [
        {"extn_id": "basic_constraints", "critical": True, "extn_value": {"ca": ca}},
        {"extn_id": "key_usage", "critical": True, "extn_value": uses},
        {"extn_id": "key_identifier", "critical": False, "extn_value": info.sha1},
        *extra,
    ]
    tbs = x509.TbsCertificate(
        {
            "version": "v3",
            "serial_number": serial,
            "signature": identifier,
            "issuer": x509.Name.load(issuer.certificate.subject) if issuer else subject,
            "validity": {"not_before": _time(not_before), "not_after": _time(not_after)},
            "subject": subject,
            "subject_public_key_info": info,
            "extensions": extensions,
        }
    )
    return parse(_signed(tbs.dump(), identifier, signing))


def issue_crl(
    issuer: Signer,
    revoked: Sequence[tuple[int, datetime]],
    *,
    this_update: datetime,
    extensions: Sequence[dict[str, Any]] = (),
    reason: str | None = None,
) -> bytes:
    """A CRL in DER that names serial numbers and when each was revoked, all for the same reason."""
    identifier = _identifier(_DEFAULT[issuer.key.family])
    fields: dict[str, Any] = {
        "version": "v2",
        "signature": identifier,
        "issuer": x509.Name.load(issuer.certificate.subject),
        "this_update": _time(this_update),
        "next_update": _time(this_update + timedelta(days=30)),
    }
    if extensions:
        fields["crl_extensions"] = list(extensions)
    if revoked:
        said: dict[str, Any] = {}
        if reason is not None:
            said["crl_entry_extensions"] = [{"extn_id": "crl_reason", "extn_value": reason}]
        fields["revoked_certificates"] = [
            {"user_certificate": serial, "revocation_date": _time(since)} | said
            for serial, since in revoked
        ]
    return _signed(crl.TbsCertList(fields).dump(), identifier, issuer.key)


def issue_ocsp(
    issuer: Signer,
    certificate: Certificate,
    *,
    this_update: datetime,
    revoked_at: datetime | None = None,
    next_update: datetime | None = None,
    produced_at: datetime | None = None,
    responder: Signer | None = None,
    digest: str = "sha1",
    nonce: bytes | None = None,
    critical: str | None = None,
) -> bytes:
    """An OCSP response (RFC 6960) in DER about a certificate of ``issuer``; good unless revoked.

    ``responder`` signs instead of the issuer, and its certificate comes along. ``digest`` names the
    issuer: sha1, sha256 or sm3. ``critical`` is the identifier of an extension that nobody knows.
    """
    signer = responder or issuer
    identifier = _identifier(_DEFAULT[signer.key.family])
    named = x509.PublicKeyInfo.load(issuer.certificate.spki)
    single: dict[str, Any] = {
        "cert_id": {
            "hash_algorithm": {"algorithm": SM3_OID if digest == "sm3" else digest},
            "issuer_name_hash": digest_of(digest, issuer.certificate.subject),
            "issuer_key_hash": digest_of(digest, bytes(named["public_key"])),
            "serial_number": certificate.serial,
        },
        "cert_status": {"good": core.Null()},
        "this_update": core.GeneralizedTime(this_update),
    }
    if revoked_at is not None:
        told = {
            "revocation_time": core.GeneralizedTime(revoked_at),
            "revocation_reason": "key_compromise",
        }
        single["cert_status"] = {"revoked": told}
    if next_update is not None:
        single["next_update"] = core.GeneralizedTime(next_update)
    data: dict[str, Any] = {
        "responder_id": ocsp.ResponderId(
            "by_key", x509.PublicKeyInfo.load(signer.certificate.spki).sha1
        ),
        "produced_at": core.GeneralizedTime(produced_at or this_update),
        "responses": [single],
    }
    extensions: list[dict[str, Any]] = []
    if nonce is not None:
        extensions.append({"extn_id": "nonce", "extn_value": nonce})
    if critical is not None:
        extensions.append({"extn_id": critical, "critical": True, "extn_value": b"\x05\x00"})
    if extensions:
        data["response_extensions"] = extensions
    tbs = ocsp.ResponseData(data).dump()
    chain = tlv(0xA0, tlv(0x30, responder.certificate.der)) if responder else b""
    basic = _signed(tbs, identifier, signer.key, chain)
    return bytes(
        ocsp.OCSPResponse(
            {
                "response_status": "successful",
                "response_bytes": {
                    "response_type": "basic_ocsp_response",
                    "response": core.ParsableOctetString(basic),
                },
            }
        ).dump()
    )


def authority(name: str, family: str, *, serial: int, at: datetime, years: int = 20) -> Signer:
    """A self-signed authority that is valid from five years before ``at``."""
    key = new_key(family)
    begin = at - timedelta(days=5 * 365)
    end = begin + timedelta(days=years * 365)
    return Signer(
        key, issue(name, key, None, serial=serial, not_before=begin, not_after=end, ca=True)
    )


def _identifier(algorithm: Algorithm) -> x509.SignedDigestAlgorithm:
    fields: dict[str, Any] = {"algorithm": _OIDS[algorithm]}
    if algorithm.family == "rsa":
        fields["parameters"] = core.Null()
    return x509.SignedDigestAlgorithm(fields)


def _signed(tbs: bytes, identifier: Any, key: LabKey, more: bytes = b"") -> bytes:
    signature = key.sign(_DEFAULT[key.family], tbs)
    return tlv(0x30, tbs + identifier.dump() + tlv(0x03, b"\x00" + signature) + more)


def _time(moment: datetime) -> x509.Time:
    """RFC 5280 section 4.1.2.5: UTCTime through 2049."""
    whole = moment.replace(microsecond=0)
    if whole.year < 2050:
        return x509.Time({"utc_time": core.UTCTime(whole)})
    return x509.Time({"general_time": core.GeneralizedTime(whole)})
