"""What CRL files and stored OCSP responses say about a certificate at a moment in the past.

RFC 5280 section 5 (CRL) and RFC 6960 (OCSP). Nothing is fetched. Which of them are believed is for
:mod:`opsproof.signatures.believed` to say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from asn1crypto import crl, ocsp

from opsproof.evidence.ids import timestamp
from opsproof.signatures import sm2
from opsproof.signatures.algorithms import Algorithm
from opsproof.signatures.certificates import (
    UNREADABLE,
    Certificate,
    parse,
    pem_or_der,
    point_names,
    signature_algorithm,
    utc,
)
from opsproof.signatures.errors import CertificateError, MalformedError

SM3_OID: Final = "1.2.156.10197.1.401"


@dataclass(frozen=True, slots=True)
class Revoked:
    """A certificate revoked from ``since`` on: the invalidity date where it is earlier."""

    since: datetime
    reason: str


# RFC 5280 section 5.2: a list with a critical extension that is not understood must not be used. Of
# the issuing distribution point (5.2.5) only which certificates the list is for is understood.
_ONLY = ("only_contains_user_certs", "only_contains_ca_certs")
_PARTIAL = ("indirect_crl", "only_contains_attribute_certs", "only_some_reasons")


@dataclass(frozen=True, slots=True)
class RevocationList:
    """One CRL, its signature not yet checked. ``only_ca``: whose certificates it is for, None all.

    ``points`` are the names of the part that it is (RFC 5280 section 6.3.3), None: it is whole. ``sha256``
    is that of its DER.
    """

    issuer: bytes
    name: str
    sha256: str
    this_update: datetime
    only_ca: bool | None
    points: frozenset[bytes] | None
    entries: dict[int, Revoked]
    tbs: bytes
    signature: bytes
    algorithm: Algorithm | None
    origin: str

    @property
    def over_sha1(self) -> bool:
        """As :attr:`Certificate.over_sha1`."""
        return self.algorithm is not None and self.algorithm.digest == "sha1"


@dataclass(frozen=True, slots=True)
class Status:
    """One answer of an OCSP response. ``revoked`` None means good."""

    serial: int
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    hash_name: str
    this_update: datetime
    revoked: Revoked | None


@dataclass(frozen=True, slots=True)
class Response:
    """One OCSP response, its signature not yet checked. ``sha256`` is that of its DER."""

    statuses: tuple[Status, ...]
    name: str
    sha256: str
    tbs: bytes
    signature: bytes
    algorithm: Algorithm | None
    produced_at: datetime
    certificates: tuple[Certificate, ...]
    origin: str

    @property
    def over_sha1(self) -> bool:
        """As :attr:`Certificate.over_sha1`."""
        return self.algorithm is not None and self.algorithm.digest == "sha1"


@dataclass
class Revocations:
    """All lists and responses at hand, none of them checked yet."""

    lists: list[RevocationList] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)

    def add(self, path: Path) -> None:
        """Read a CRL (PEM or DER) or an OCSP response (DER).

        Raises:
            CertificateError: it is neither.
        """
        data = path.read_bytes()
        try:
            lists = [_list(der, path.name) for der in pem_or_der(data, "X509 CRL")]
            if not lists:
                raise CertificateError("holds no CRL", where=str(path))
            self.lists += lists
        except UNREADABLE as first:
            try:
                self.responses.append(_response(data, path.name))
            except UNREADABLE as error:
                raise CertificateError(
                    f"is no CRL ({first}) and no OCSP response ({error})", where=str(path)
                ) from error


def load_revocations(paths: Iterable[Path]) -> Revocations:
    """Read all files. Raises :class:`CertificateError` for the first that is neither kind."""
    revocations = Revocations()
    for path in paths:
        revocations.add(path)
    return revocations


def _list(der: bytes, origin: str) -> RevocationList:
    parsed = crl.CertificateList.load(der, strict=True)
    tbs = parsed["tbs_cert_list"]
    if tbs["signature"].dump() != parsed["signature_algorithm"].dump():
        raise ValueError("the list names two signature algorithms")
    entries: dict[int, Revoked] = {}
    for entry in tbs["revoked_certificates"] or ():
        serial = entry["user_certificate"].native
        revoked = Revoked(
            _since(utc(entry["revocation_date"]), entry.invalidity_date_value),
            _reason(entry.crl_reason_value),
        )
        # A list that names one twice says two things; the first moment is the careful one.
        known = entries.get(serial)
        if known is None or revoked.since < known.since:
            entries[serial] = revoked
    this_update = utc(tbs["this_update"])
    return RevocationList(
        issuer=tbs["issuer"].dump(),
        name=f"CRL of {tbs['issuer'].human_friendly}, {timestamp(this_update)}",
        sha256=hashlib.sha256(der).hexdigest(),
        this_update=this_update,
        only_ca=_scope(parsed),
        points=_points(parsed),
        entries=entries,
        tbs=tbs.dump(),
        signature=parsed["signature"].native,
        algorithm=signature_algorithm(parsed["signature_algorithm"]),
        origin=origin,
    )


def _scope(parsed: Any) -> bool | None:
    """Whether a list is for CA certificates only; ValueError for one that cannot be used whole."""
    names = [one["extn_id"].native for one in parsed["tbs_cert_list"]["crl_extensions"] or ()]
    if len(set(names)) < len(names):
        raise ValueError("the list has an extension twice")
    unknown = parsed.critical_extensions - {"issuing_distribution_point"}
    if unknown or parsed.delta_crl_indicator_value is not None:
        named = ", ".join(sorted(unknown)) or "delta_crl_indicator"
        raise ValueError(f"the list has an extension that is not understood: {named}")
    point = parsed.issuing_distribution_point_value
    if point is None:
        return None
    if any(point[name].native for name in _PARTIAL):
        raise ValueError("the list is indirect or for some certificates or reasons only")
    user, ca = (bool(point[name].native) for name in _ONLY)
    return ca if user != ca else None


def _points(parsed: Any) -> frozenset[bytes] | None:
    point = parsed.issuing_distribution_point_value
    if point is None or point["distribution_point"].native is None:
        return None
    return point_names(point["distribution_point"])


def _response(der: bytes, origin: str) -> Response:
    outer = ocsp.OCSPResponse.load(der, strict=True)
    if outer["response_status"].native != "successful":
        raise ValueError(f"the responder answered {outer['response_status'].native}")
    if unknown := outer.critical_extensions:
        raise ValueError(f"an extension is not understood: {', '.join(sorted(unknown))}")
    basic = outer.basic_ocsp_response
    tbs = basic["tbs_response_data"]
    statuses = tuple(_status(single) for single in tbs["responses"])
    certificates = tuple(parse(one.dump()) for one in basic["certs"] or ())
    produced_at = utc(tbs["produced_at"])
    return Response(
        statuses=statuses,
        name=f"OCSP response, {timestamp(produced_at)}",
        sha256=hashlib.sha256(der).hexdigest(),
        tbs=tbs.dump(),
        signature=basic["signature"].native,
        algorithm=signature_algorithm(basic["signature_algorithm"]),
        produced_at=produced_at,
        certificates=certificates,
        origin=origin,
    )


def _status(single: Any) -> Status:
    identity = single["cert_id"]
    kind = single["cert_status"].name
    if kind == "unknown":
        raise ValueError("the responder does not know the certificate")
    for extension in single["single_extensions"] or ():
        if extension["critical"].native:
            raise ValueError(f"an extension is not understood: {extension['extn_id'].native}")
    revoked = None
    if kind == "revoked":
        info = single["cert_status"].chosen
        revoked = Revoked(utc(info["revocation_time"]), _reason(info["revocation_reason"]))
    return Status(
        serial=identity["serial_number"].native,
        issuer_name_hash=identity["issuer_name_hash"].native,
        issuer_key_hash=identity["issuer_key_hash"].native,
        hash_name=identity["hash_algorithm"]["algorithm"].native,
        this_update=utc(single["this_update"]),
        revoked=revoked,
    )


def _since(revoked_at: datetime, invalidity: Any) -> datetime:
    """RFC 5280 section 5.3.2: the key may have been known to others before the revocation."""
    if invalidity is None:
        return revoked_at
    return min(revoked_at, utc(invalidity))


def _reason(value: Any) -> str:
    native = getattr(value, "native", None)
    return str(native) if native else "unspecified"


def digest_of(name: str, data: bytes) -> bytes:
    """A digest by the name or, for SM3, the identifier that ``asn1crypto`` gives it.

    Raises:
        ValueError: it is unknown.
        NotVerifiableError: it is SM3, which is not installed.
    """
    if name in (SM3_OID, "sm3"):
        return sm2.sm3(data)
    return hashlib.new(name, data, usedforsecurity=False).digest()


def holds(
    signer: Certificate, algorithm: Any, message: bytes, signature: bytes, signer_id: bytes
) -> bool:
    """Whether a signature over a certificate, CRL or response holds under the signer's key.

    Raises:
        NotVerifiableError: it needs SM2, which is not installed.
    """
    if algorithm is None:
        return False
    try:
        return signer.key.verify(algorithm, message, signature, signer_id)
    except MalformedError:
        return False
