"""What a setting sets: where a value lives on a host, and how it is written there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from opsproof.policy.registry import RegistryPath, RegistryType

Value: TypeAlias = "int | str | tuple[str, ...]"
"""A number, a text, or a list of texts (trustees, REG_MULTI_SZ); binary data is hex text."""


class Profile(StrEnum):
    """Profiles of the Windows firewall, as netsh names them (``PROFILEprofile``)."""

    DOMAIN = "domain"
    PRIVATE = "private"
    PUBLIC = "public"


class FirewallProperty(StrEnum):
    """Properties of a profile by the names that the registry has for them."""

    ENABLED = "EnableFirewall"
    INBOUND = "DefaultInboundAction"
    OUTBOUND = "DefaultOutboundAction"
    SHIELDS = "DoNotAllowExceptions"
    UNICAST = "DisableUnicastResponsesToMulticastBroadcast"
    LOG_SIZE = "LogFileSize"
    LOG_DROPPED = "LogDroppedPackets"
    LOG_ALLOWED = "LogSuccessfulConnections"

    @property
    def logging(self) -> bool:
        """Whether it stands in the profile's key ``Logging``."""
        return self.name.startswith("LOG_")


class StartMode(StrEnum):
    """How a service starts, in the words of ``sc config``."""

    AUTO = "auto"
    DELAYED = "delayed-auto"
    MANUAL = "demand"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class SystemAccess:
    """A key of [System Access] in a security template."""

    key: str

    @property
    def folded(self) -> tuple[str, ...]:
        """What tells targets apart."""
        return ("system_access", self.key.lower())

    def __str__(self) -> str:
        """As a person reads it."""
        return f"[System Access] {self.key}"


@dataclass(frozen=True, slots=True)
class Right:
    """A user right or privilege; its value is the list of trustees."""

    name: str

    @property
    def folded(self) -> tuple[str, ...]:
        """What tells targets apart."""
        return ("right", self.name.lower())

    def __str__(self) -> str:
        """As a person reads it."""
        return f"[Privilege Rights] {self.name}"


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry value below HKLM, or below HKCU: in the hive of every user, and of those to come."""

    path: RegistryPath
    type: RegistryType

    @property
    def folded(self) -> tuple[str, ...]:
        """What tells targets apart."""
        return ("registry", *self.path.folded)

    def __str__(self) -> str:
        """As a person reads it."""
        return str(self.path)


@dataclass(frozen=True, slots=True)
class Audit:
    """An advanced audit subcategory by GUID; success 1 + failure 2."""

    guid: str

    @property
    def folded(self) -> tuple[str, ...]:
        """What tells targets apart."""
        return ("audit", self.guid.lower())

    def __str__(self) -> str:
        """As a person reads it."""
        return f"audit {self.guid}"


@dataclass(frozen=True, slots=True)
class Service:
    """A service's start mode; a service that is not installed has nothing to set."""

    name: str

    @property
    def folded(self) -> tuple[str, ...]:
        """What tells targets apart."""
        return ("service", self.name.lower())

    def __str__(self) -> str:
        """As a person reads it."""
        return f"service {self.name}"


@dataclass(frozen=True, slots=True)
class Firewall:
    """A property of a firewall profile in the local store."""

    profile: Profile
    name: FirewallProperty

    @property
    def folded(self) -> tuple[str, ...]:
        """What tells targets apart."""
        return ("firewall", self.profile, self.name)

    def __str__(self) -> str:
        """As a person reads it."""
        return f"firewall {self.profile} {self.name}"


USER_TYPES = {RegistryType.SZ, RegistryType.EXPAND_SZ, RegistryType.DWORD, RegistryType.QWORD}
"""Registry types that a value of every user may have."""

Target: TypeAlias = "SystemAccess | Right | Registry | Audit | Service | Firewall"

GUID = re.compile(r"\{[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}")
"""A subcategory's GUID as we keep it: lower case, in braces."""
