"""The issuing authority of the lab's web sites: certificates with any life time.

The sites' authority is not the one of the WinRM listeners (`winlab.server.tls`): an estate has
both, and a client trusts both through one PEM file. Keys are P-256 and never touch a disk.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CA_LIFE = dt.timedelta(days=3650)
_CA_AGE = dt.timedelta(days=1500)


@dataclass(frozen=True)
class Issued:
    """A certificate with its private key, both PEM; ``der`` is the certificate alone."""

    der: bytes
    pem: bytes

    def context(self) -> ssl.SSLContext:
        """Return a server context that presents this certificate (TLS 1.2 and newer)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # ssl reads keys from files only; this one exists in memory alone (memfd_create(2)).
        descriptor = os.memfd_create("winlab-site-key")
        try:
            os.write(descriptor, self.pem)
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
        return context


class SiteCa:
    """Issues certificates for web sites; lives as long as the lab does."""

    def __init__(self, now: dt.datetime) -> None:
        """Make key and certificate; ``now`` is aware UTC."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("winlab issuing CA")
        self.certificate = (
            self._builder(self._name, self._key.public_key(), now - _CA_AGE, now + _CA_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        """The authority's certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        """The authority's certificate."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def issue(
        self,
        common_name: str,
        names: Sequence[str],
        address: str,
        not_before: dt.datetime,
        not_after: dt.datetime,
    ) -> Issued:
        """Return a server certificate for these DNS names and this IP address."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = [x509.DNSName(name) for name in dict.fromkeys((common_name, *names))]
        certificate = (
            self._builder(_name(common_name), key.public_key(), not_before, not_after)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.SubjectAlternativeName(
                    [*alternatives, x509.IPAddress(ipaddress.ip_address(address))]
                ),
                critical=False,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        public = certificate.public_bytes(serialization.Encoding.PEM)
        return Issued(certificate.public_bytes(serialization.Encoding.DER), private + public)

    def _builder(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        not_before: dt.datetime,
        not_after: dt.datetime,
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before)
            .not_valid_after(not_after)
        )


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "winlab"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )
