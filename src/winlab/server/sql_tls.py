"""TLS inside of TDS: the handshake travels in PRELOGIN packets, what follows is bare TLS.

Source: [MS-TDS] 2.2.6.5, 3.3.5.2. An instance without a certificate makes one at its start, CN
SSL_Self_Signed_Fallback ("Enable encrypted connections"). The lab's is RSA 2048 with SHA-256 on
every version: what OpenSSL refuses about an old server is then its protocol alone.
"""

from __future__ import annotations

import datetime as dt
import ssl
import warnings

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from winlab.server.authority import present


def fallback_context(now: dt.datetime, *, tls12: bool) -> ssl.SSLContext:
    """A context with a certificate of its own; without ``tls12`` it speaks TLS 1.0 and nothing newer."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "SSL_Self_Signed_Fallback")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=365 * 30))
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():
        # TLS 1.0 is deprecated, and just what an old server is about.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1_2 if tls12 else ssl.TLSVersion.TLSv1
        # TDS 7 knows no TLS 1.3 ([MS-TDS] 1.7).
        context.maximum_version = ssl.TLSVersion.TLSv1_2 if tls12 else ssl.TLSVersion.TLSv1
    if not tls12:
        context.set_ciphers("ALL:@SECLEVEL=0")
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + certificate.public_bytes(serialization.Encoding.PEM)
    present(context, pem)
    return context


class Tunnel:
    """TLS over bytes that somebody else carries."""

    def __init__(self, context: ssl.SSLContext) -> None:
        """Nothing is said yet."""
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._in, self._out, server_side=True)
        self.ready = False

    def shake(self, data: bytes) -> bytes:
        """Take bytes of the handshake; return those to send. Raises `ssl.SSLError` when it fails."""
        self._in.write(data)
        try:
            self._ssl.do_handshake()
            self.ready = True
        except ssl.SSLWantReadError:
            pass
        return self._out.read()

    def farewell(self) -> bytes:
        """The alert of a handshake that failed."""
        return self._out.read()

    def open(self, data: bytes) -> bytes:
        """Decrypt. Raises `ssl.SSLError`."""
        self._in.write(data)
        found = bytearray()
        while True:
            try:
                part = self._ssl.read(65536)
            except ssl.SSLWantReadError:
                return bytes(found)
            if not part:
                return bytes(found)
            found += part

    def seal(self, data: bytes) -> bytes:
        """Encrypt."""
        self._ssl.write(data)
        return self._out.read()
