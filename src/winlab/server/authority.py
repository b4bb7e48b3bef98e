"""A certificate authority of the lab: keys are P-256, made when asked for, and never touch a disk."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DER: Final = serialization.Encoding.DER
_PEM: Final = serialization.Encoding.PEM


def present(context: ssl.SSLContext, pem: bytes) -> None:
    """Let a context present a certificate with its private key, both PEM."""
    # ssl reads keys from files only; this one exists in memory alone (memfd_create(2)).
    descriptor = os.memfd_create("winlab-key")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(pem)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class Issued:
    """A server certificate; ``pem`` holds its private key too, ``der`` is the certificate alone."""

    certificate: x509.Certificate
    pem: bytes

    @property
    def der(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(_DER)

    def context(self) -> ssl.SSLContext:
        """A server context that presents this certificate (TLS 1.2 and newer)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        present(context, self.pem)
        return context


class Authority:
    """Issues certificates of servers and of other keys that sign."""

    def __init__(self, common_name: str, begin: dt.datetime, end: dt.datetime) -> None:
        """Make key and certificate, valid between two aware UTC times."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(common_name)
        self.certificate = (
            self._builder(self._name, self._key.public_key(), begin, end)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(issues=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        """The authority's certificate, as clients trust it."""
        return self.certificate.public_bytes(_PEM)

    @property
    def der(self) -> bytes:
        """The authority's certificate."""
        return self.certificate.public_bytes(_DER)

    def issue(
        self,
        common_name: str,
        names: Sequence[str],
        address: str,
        not_before: dt.datetime,
        not_after: dt.datetime,
    ) -> Issued:
        """A server certificate for these DNS names and this IP address, with a key of its own."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = [x509.DNSName(name) for name in dict.fromkeys((common_name, *names))]
        certificate = self.certify(
            common_name,
            key.public_key(),
            not_before,
            not_after,
            (
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
                x509.SubjectAlternativeName(
                    [*alternatives, x509.IPAddress(ipaddress.ip_address(address))]
                ),
            ),
        )
        private = key.private_bytes(
            _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Issued(certificate, private + certificate.public_bytes(_PEM))

    def certify(
        self,
        common_name: str,
        key: CertificatePublicKeyTypes,
        not_before: dt.datetime,
        not_after: dt.datetime,
        extensions: Sequence[x509.ExtensionType] = (),
        *,
        commits: bool = False,
    ) -> x509.Certificate:
        """A certificate for a key that signs; ``commits``: also what nobody can deny later."""
        builder = (
            self._builder(_name(common_name), key, not_before, not_after)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(issues=False, commits=commits), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def _builder(
        self,
        subject: x509.Name,
        key: CertificatePublicKeyTypes,
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
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "winlab"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _usage(*, issues: bool, commits: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=commits,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=issues,
        crl_sign=issues,
        encipher_only=False,
        decipher_only=False,
    )
