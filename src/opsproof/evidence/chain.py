"""From the certificate that evidence is signed with to one that is trusted (RFC 5280)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from opsproof.errors import TamperedError
from opsproof.purposes import SIGNING

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)
_DER = serialization.Encoding.DER
_KNOWN = frozenset(
    {
        x509.BasicConstraints.oid,
        x509.KeyUsage.oid,
        x509.ExtendedKeyUsage.oid,
        x509.SubjectAlternativeName.oid,
    }
)


def check_chain(
    chain: Sequence[x509.Certificate], trusted: Sequence[x509.Certificate], at: datetime
) -> None:
    """Check that the first certificate of ``chain`` may sign and leads to one of ``trusted``.

    Every certificate must be valid at the time ``at``; issuers must be allowed to issue, and as many
    below them as there are.

    Raises:
        TamperedError: saying which link is missing or does not hold.
    """
    anchors = {certificate.public_bytes(_DER) for certificate in trusted}
    current = chain[0]
    if fault := unfit(current):
        raise TamperedError(f"the certificate {_name(current)} {fault}")
    for below in range(len(chain) + len(trusted) + 1):
        if not current.not_valid_before_utc <= at <= current.not_valid_after_utc:
            raise TamperedError(
                f"the certificate {_name(current)} was not valid at {at.isoformat()}"
            )
        if current.public_bytes(_DER) in anchors:
            return
        issuers = (c for c in (*trusted, *chain[1:]) if _issued(current, c, below))
        issuer = next(issuers, None)
        if issuer is None or issuer == current:
            raise TamperedError(f"the certificate {_name(current)} does not lead to the given CA")
        current = issuer
    raise TamperedError("the certificates form a circle")


def unfit(certificate: x509.Certificate) -> str:
    """Why evidence may not be signed with it, empty where it may.

    ``openssl cms -verify`` asks for nearly the same (its purpose ``smimesign``), so that what is called
    right here is called right there.
    """
    if fault := _strange(certificate):
        return fault
    usage = _extension(certificate, x509.KeyUsage)
    if usage is not None and not (usage.digital_signature or usage.content_commitment):
        return "is not for signing: its key usage says so"
    constraints = _extension(certificate, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        return "is a CA's, which signs certificates only"
    purposes = _extension(certificate, x509.ExtendedKeyUsage)
    if purposes is not None and not SIGNING & {one.dotted_string for one in purposes}:
        return "is not for signing: its extended key usage says so"
    return ""


def _strange(certificate: x509.Certificate) -> str:
    """What it says that is not understood and must not be passed over, empty if nothing."""
    try:
        extensions = list(certificate.extensions)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        return f"has extensions that cannot be read: {error}"
    for one in extensions:
        if (one.critical and one.oid not in _KNOWN) or one.oid == x509.NameConstraints.oid:
            return f"has an extension that is not understood: {one.oid.dotted_string}"
    return ""


def _issued(certificate: x509.Certificate, issuer: x509.Certificate, below: int) -> bool:
    """Whether the issuer signed it and may, with so many issuers between it and the signer."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    if _strange(issuer):
        return False
    usage = _extension(issuer, x509.KeyUsage)
    constraints = _extension(issuer, x509.BasicConstraints)
    if usage is None or constraints is None or not (constraints.ca and usage.key_cert_sign):
        return False
    return constraints.path_length is None or below <= constraints.path_length


def _extension(certificate: x509.Certificate, kind: type[_Kind]) -> _Kind | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()
