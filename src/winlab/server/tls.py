"""The lab's certificate authority and the TLS contexts of its hosts.

Every host has its own key and certificate, made when the first client says hello; 2,200 hosts cost
nothing until they are used.
"""

from __future__ import annotations

import datetime as dt
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from winlab.server.authority import Authority

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


class LabCa(Authority):
    """A certificate authority that lives as long as the lab does."""

    def __init__(self, now: dt.datetime) -> None:
        """Make key and certificate; ``now`` is an aware UTC time."""
        self._span = now - _ALREADY_VALID, now + _LIFETIME
        super().__init__("winlab lab CA", *self._span)

    def write(self, path: Path) -> None:
        """Put the certificate where ``ansible_winrm_ca_trust_path`` points."""
        path.write_bytes(self.pem)

    def host(self, name: str, address: str) -> HostTls:
        """A new identity for one host, valid for its name and its address."""
        issued = self.issue(name, (), address, *self._span)
        return HostTls(issued.context(), issued.certificate)
