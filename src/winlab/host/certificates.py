"""Certificate stores of the local machine.

Sources: "CertGetCertificateContextProperty" (property ids) and "System Store Locations" on
Microsoft Learn; the serialised form of a registry Blob is a row of records {u32 property id,
u32 1, u32 length, data} with property 32 (CERT_CERT_PROP_ID) holding the DER certificate.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from winlab.host.errors import WindowsError

CERT_KEY_PROV_INFO_PROP_ID = 2
CERT_SHA1_HASH_PROP_ID = 3
CERT_FRIENDLY_NAME_PROP_ID = 11
CERT_KEY_IDENTIFIER_PROP_ID = 20
CERT_CERT_PROP_ID = 32

STORES = (
    "My",
    "Root",
    "CA",
    "Trust",
    "TrustedPublisher",
    "TrustedPeople",
    "Disallowed",
    "AuthRoot",
    "WebHosting",
    "Remote Desktop",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate with its Windows properties; ``der`` is the whole certificate.

    ``key_container`` names the private key's container, "" when the host has no private key.
    """

    der: bytes
    friendly_name: str = ""
    key_container: str = ""
    key_provider: str = "Microsoft Software Key Storage Provider"
    exportable: bool = False

    @property
    def thumbprint(self) -> str:
        """SHA-1 of the DER bytes, upper-case hex, as Windows names certificates."""
        return hashlib.sha1(self.der, usedforsecurity=False).hexdigest().upper()

    @property
    def has_key(self) -> bool:
        """Whether the private key is on the host."""
        return bool(self.key_container)

    def blob(self) -> bytes:
        """Return the serialised certificate as the registry's Blob value holds it."""
        records: list[tuple[int, bytes]] = []
        if self.key_container:
            records.append((CERT_KEY_PROV_INFO_PROP_ID, self._provider_info()))
        records.append((CERT_SHA1_HASH_PROP_ID, bytes.fromhex(self.thumbprint)))
        if self.friendly_name:
            name = self.friendly_name.encode("utf-16-le") + b"\0\0"
            records.append((CERT_FRIENDLY_NAME_PROP_ID, name))
        records.append((CERT_CERT_PROP_ID, self.der))
        return b"".join(struct.pack("<III", p, 1, len(data)) + data for p, data in records)

    def _provider_info(self) -> bytes:
        """Return CRYPT_KEY_PROV_INFO flattened: offsets, then the two strings.

        The 32-bit layout {container, provider, type, flags, 0, 0, key spec} is what crypt32 keeps;
        flags 0x20 = CRYPT_MACHINE_KEYSET. assumed: no public page describes the offsets.
        """
        container = self.key_container.encode("utf-16-le") + b"\0\0"
        provider = self.key_provider.encode("utf-16-le") + b"\0\0"
        first = 28
        head = struct.pack("<7I", first, first + len(container), 0, 0x20, 0, 0, 0)
        return head + container + provider


class CertificateStores:
    """LocalMachine stores of one host. Errors: 2 no such store or certificate."""

    __slots__ = ("_stores", "_write")

    def __init__(self, write: Callable[[str], None]) -> None:
        """Start with the stores Windows has, all empty."""
        self._stores: dict[str, dict[str, Certificate]] = {}
        self._write = write

    def names(self) -> list[str]:
        """Return the names of the stores."""
        extra = [name for name in self._stores if name not in STORES]
        return [*STORES, *sorted(extra)]

    def canonical(self, store: str) -> str:
        """Return a store's name in its usual case ("MY" -> "My"); 2 when there is none."""
        for name in self.names():
            if name.lower() == store.lower():
                return name
        raise WindowsError(2, store)

    def list(self, store: str) -> list[Certificate]:
        """Return a store's certificates in the order they were added (2 when no such store)."""
        return list(self._stores.get(self.canonical(store), {}).values())

    def find(self, store: str, thumbprint: str) -> Certificate | None:
        """Return a certificate by thumbprint, case-insensitively."""
        return self._stores.get(self.canonical(store), {}).get(thumbprint.upper())

    def add(self, store: str, certificate: Certificate) -> None:
        """Add a certificate, or replace the properties of one that is there."""
        name = self.canonical(store)
        self._write(f"certificate {name}\\{certificate.thumbprint}")
        held = self._stores.setdefault(name, {})
        self._stores[name] = {**held, certificate.thumbprint: certificate}

    def remove(self, store: str, thumbprint: str) -> None:
        """Remove a certificate (2 when absent)."""
        name = self.canonical(store)
        if self.find(name, thumbprint) is None:
            raise WindowsError(2, thumbprint)
        self._write(f"certificate {name}\\{thumbprint.upper()}")
        self._stores[name] = {
            k: c for k, c in self._stores[name].items() if k != thumbprint.upper()
        }

    def save(self) -> Any:
        """Return the state for `load`."""
        return dict(self._stores)

    def load(self, state: Any) -> None:
        """Go back to a saved state."""
        self._stores = dict(state)

    def dump(self) -> dict[str, Any]:
        """Return thumbprints and properties by store; stores without certificates are left out."""
        return {
            name: [
                {
                    "thumbprint": c.thumbprint,
                    "friendly_name": c.friendly_name,
                    "has_key": c.has_key,
                }
                for c in held.values()
            ]
            for name, held in sorted(self._stores.items())
            if held
        }


class SystemCertificatesView:
    """HKLM\\SOFTWARE\\Microsoft\\SystemCertificates, made from the stores when it is read."""

    __slots__ = ("_stores",)

    def __init__(self, stores: CertificateStores) -> None:
        """Show ``stores``."""
        self._stores = stores

    def keys(self) -> Mapping[str, Mapping[str, str | int | bytes | tuple[str, ...]]]:
        """Return STORE\\Certificates\\THUMBPRINT keys with their Blob values."""
        shown: dict[str, Mapping[str, str | int | bytes | tuple[str, ...]]] = {}
        for store in self._stores.names():
            name = store.upper() if store in {"My", "Root"} else store
            for part in ("", "\\Certificates", "\\CRLs", "\\CTLs"):
                shown[name + part] = {}
            for certificate in self._stores.list(store):
                shown[f"{name}\\Certificates\\{certificate.thumbprint}"] = {
                    "Blob": certificate.blob()
                }
        return shown

    def changed(self, path: str, name: str, data: object) -> None:
        """Values written here lie over the view; the stores do not change."""

    def removed(self, path: str) -> bool:
        """Remove the certificate of a STORE\\Certificates\\THUMBPRINT key."""
        store, _, thumbprint = path.partition("\\Certificates\\")
        if not thumbprint or self._stores.find(store, thumbprint) is None:
            return False
        self._stores.remove(store, thumbprint)
        return True
