"""The lab's certificate authority and the TLS contexts of its hosts.

Every host has its own P-256 key and certificate, made when the first client says hello; 2,200
hosts cost nothing until they are used. Private keys never touch a disk.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = dt.timedelta(days=397)
_ALREADY_VALID = dt.timedelta(days=1)  # hosts of the lab may have clocks that are behind


@dataclass(frozen=True)
class HostTls:
    """The TLS identity of one host. ``digest`` is SHA-256 of the certificate (RFC 5929, 4.1)."""

    context: ssl.SSLContext
    certificate: x509.Certificate

    @property
    def digest(self) -> bytes:
        """What tls-server-end-point channel bindings carry."""
        return self.certificate.fingerprint(hashes.SHA256())


class LabCa:
    """A certificate authority that lives as long as the lab does."""

    def __init__(self, now: dt.datetime) -> None:
        """Make key and certificate; ``now`` is an aware UTC time."""
        self._now = now
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "winlab"),
                x509.NameAttribute(NameOID.COMMON_NAME, "winlab lab CA"),
            ]
        )
        self.certificate = (
            self._builder(name, name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(sign_certificates=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        """The certificate that an inventory trusts."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def write(self, path: Path) -> None:
        """Put the certificate where ``ansible_winrm_ca_trust_path`` points."""
        path.write_bytes(self.pem)

    def host(self, name: str, address: str) -> HostTls:
        """A new identity for one host, valid for its name and its address."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            self._builder(subject, self.certificate.subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(sign_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.SubjectAlternativeName(
                    [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address(address))]
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
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        _load(context, certificate, key)
        return HostTls(context, certificate)

    def _builder(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - _ALREADY_VALID)
            .not_valid_after(self._now + _LIFETIME)
        )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _load(
    context: ssl.SSLContext, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> None:
    """ssl reads keys from files only; this one exists in memory alone (memfd_create(2))."""
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + certificate.public_bytes(serialization.Encoding.PEM)
    descriptor = os.memfd_create("winlab-host-key")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(pem)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
