"""Certificates as Windows stores them in the registry.

A certificate's ``Blob`` value is a serialized store element: property records of three little-endian
32-bit numbers (property id, 1, length in bytes) and the data. Property 32
(CERT_CERT_PROP_ID) is the DER certificate, 2 (CERT_KEY_PROV_INFO_PROP_ID) tells that a private key
belongs to it. Source: [MS-GPEF] section 2.2.1.2.3 "Certificate BLOB" and wincrypt.h.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from opsproof.errors import IncompleteError
from opsproof.serials import any_serial

_CERTIFICATE = 32
_KEY_PROVIDER = 2
_HEADER = struct.Struct("<III")


@dataclass(frozen=True, kw_only=True)
class StoredCertificate:
    """A certificate in a machine store; ``thumbprint`` is the SHA-1 of its DER form, upper case."""

    store: str
    thumbprint: str
    subject: str
    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]
    key: str
    has_private_key: bool


@any_serial()
def read_blob(store: str, blob: bytes) -> StoredCertificate:
    """The certificate in a registry blob; :class:`IncompleteError` when it holds none."""
    properties = _properties(store, blob)
    try:
        certificate = x509.load_der_x509_certificate(properties[_CERTIFICATE])
        return StoredCertificate(
            store=store,
            # The thumbprint is Windows' name for a certificate, not a security measure.
            thumbprint=certificate.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303
            subject=certificate.subject.rfc4514_string(),
            issuer=certificate.issuer.rfc4514_string(),
            serial=f"{certificate.serial_number:x}",
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            names=_dns_names(certificate),
            key=_key(certificate),
            has_private_key=_KEY_PROVIDER in properties,
        )
    except KeyError:
        raise IncompleteError("the value holds no certificate", where=f"store {store}") from None
    except (ValueError, x509.InvalidVersion) as error:
        raise IncompleteError(
            f"the certificate cannot be read: {error}", where=f"store {store}"
        ) from error


def _properties(store: str, blob: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    offset = 0
    while offset < len(blob):
        try:
            identifier, _, length = _HEADER.unpack_from(blob, offset)
        except struct.error:
            length = -1
        offset += _HEADER.size
        if length < 0 or offset + length > len(blob):
            raise IncompleteError(
                f"the value ends within a property, at byte {offset}", where=f"store {store}"
            )
        found[identifier] = blob[offset : offset + length]
        offset += length
    return found


def _dns_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(extension.value.get_values_for_type(x509.DNSName))


def _key(certificate: x509.Certificate) -> str:
    """Algorithm and size of the public key, such as ``RSA 2048``; the OID when it is another one."""
    try:
        key = certificate.public_key()
    except (ValueError, TypeError):
        key = None
    size = getattr(key, "key_size", None)
    name = type(key).__name__.lstrip("_").removesuffix("PublicKey")
    oid = certificate.public_key_algorithm_oid.dotted_string
    return f"{name} {size}" if size else oid
