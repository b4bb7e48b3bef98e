"""What an audit saw on a host, from the answer to the one command."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from opsproof.errors import IncompleteError, UsageError
from opsproof.inspection.batch import Batch, Section
from opsproof.policy import auditcsv, regtext, security
from opsproof.policy.baseline import Setting
from opsproof.policy.command import FIREWALL_KEY, PROFILE_KEYS, parent_keys
from opsproof.policy.origin import NO_DOMAIN, Origins, firewall_policies, origins
from opsproof.policy.registry import RegistryPath, RegistryValue
from opsproof.policy.targets import (
    Audit,
    Firewall,
    Registry,
    Right,
    Service,
    StartMode,
    SystemAccess,
    Target,
    Value,
)
from opsproof.policy.users import HIVE as USER_HIVE
from opsproof.policy.users import UserHive, read_users, user_keys

_START = re.compile(r"^\s*START_TYPE\s*:\s*([0-4])\s+\S+(.*DELAYED)?", re.MULTILINE)
_STARTS = {"2": StartMode.AUTO, "3": StartMode.MANUAL, "4": StartMode.DISABLED}


RELEASES = {"14393": "2016", "17763": "2019", "20348": "2022"}
"""Releases by the build that ``ver`` prints."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the connecting account is on the host: its SID and those of its groups."""

    user: str
    groups: frozenset[str]

    @property
    def local(self) -> bool:
        """Whether its groups say that it is a local account ([MS-DTYP] LOCAL_ACCOUNT)."""
        return bool(self.groups & {"S-1-5-113", "S-1-5-114"})

    @property
    def builtin_administrator(self) -> bool:
        """Whether it is the account that every Windows is born with (RID 500)."""
        return self.user.startswith("S-1-5-21-") and self.user.endswith("-500")


@dataclass(frozen=True, slots=True)
class Observed:
    """The state of a host as far as a baseline asks. Look-ups fold cases as Windows does."""

    identity: Identity
    release: str
    revert_pending: bool
    access: Mapping[str, int | str]
    rights: Mapping[str, tuple[str, ...]]
    audit: Mapping[str, int]
    registry: Mapping[tuple[str, str, str], RegistryValue]
    services: Mapping[str, StartMode]
    origins: Origins = NO_DOMAIN
    users: tuple[UserHive, ...] = ()

    def value(self, target: Target) -> Value | None:
        """What stands where a setting would be written; None when nothing does."""
        match target:
            case SystemAccess(key):
                return self.access.get(key.lower())
            case Right(name):
                return self.rights.get(name.lower(), ())
            case Audit(guid):
                return self.audit.get(guid, 0)
            case Service(name):
                mode = self.services.get(name.lower())
                return None if mode is None else mode.value
            case Firewall():
                return _plain(self._firewall(target))
            case Registry(path) if path.hive == USER_HIVE:
                return self._of_users(path)
            case Registry(path):
                return _plain(self.registry.get(path.folded))

    def _of_users(self, path: RegistryPath) -> Value | None:
        """What all users have; when they differ, the different values as texts."""
        found = {_plain(user.values.get(path.folded)) for user in self.users}
        if len(found) == 1:
            return found.pop()
        return tuple(sorted("(not set)" if one is None else str(one) for one in found))

    def _firewall(self, target: Firewall) -> RegistryValue | None:
        """A profile's property as it counts: what a GPO sets, else the local store."""
        if self.origins.gpo(target) is not None:
            paths = firewall_policies(target)
            found = (self.registry.get(path.folded) for path in paths)
            return next((value for value in found if value is not None), None)
        return self.registry.get(firewall_path(target).folded)


def firewall_path(target: Firewall) -> RegistryPath:
    """Where the local store keeps a property of a profile."""
    below = "\\Logging" if target.name.logging else ""
    key = f"{FIREWALL_KEY}\\{PROFILE_KEYS[target.profile]}{below}"
    return RegistryPath("HKLM", key, target.name.value)


def observe(batch: Batch, settings: Iterable[Setting]) -> Observed:
    """Read the sections of :func:`opsproof.policy.command.audit_command`.

    A key or service that the host does not have is no error; any other step that failed is.

    Raises:
        IncompleteError: a part is missing or cannot be read.
        DamagedError: the security template or the audit table is damaged.
    """
    wanted = tuple(settings)
    template = security.read(_text(batch, "security").encode(), name="secedit /export")
    audit = auditcsv.parse(_text(batch, "audit").encode(), name="auditpol /backup")
    registry: dict[tuple[str, str, str], RegistryValue] = {}
    for key in parent_keys(wanted):
        section = batch.section(f"key HKLM\\{key}")
        if section.ok:
            for value in regtext.values(section.text, name=f"reg export HKLM\\{key}"):
                registry[value.path.folded] = value
    names = {one.target.name for one in wanted if isinstance(one.target, Service)}
    services = {
        name.lower(): _mode(name, section)
        for name in names
        if (section := batch.section(f"service {name}")).ok
    }
    return Observed(
        identity=_identity(batch),
        release=_release(_text(batch, "version")),
        revert_pending=batch.section("pending").ok,
        access={key.lower(): value for key, value in template.system_access.items()},
        rights={name.lower(): who for name, who in template.rights.items()},
        audit={line.guid: line.flags for line in audit if line.machine_wide},
        registry=registry,
        services=services,
        origins=origins(batch, registry.values()),
        users=read_users(batch, user_keys(wanted)),
    )


def _text(batch: Batch, name: str) -> str:
    section = batch.section(name)
    if not section.ok:
        raise IncompleteError(
            f"the step {name!r} failed on the host",
            remedy="the account must be an administrator with an elevated token",
        )
    return section.text.lstrip("\ufeff")


def _release(text: str) -> str:
    """The Windows Server release of a build ("Windows Server release information")."""
    match = re.search(r"10\.0\.(\d+)", text)
    release = RELEASES.get(match[1]) if match else None
    if release is None:
        raise UsageError(
            f"{text.strip()!r} is not a Windows Server release that baselines are for",
            remedy="baselines are for 2016, 2019 and 2022",
        )
    return release


def _mode(name: str, section: Section) -> StartMode:
    match = _START.search(section.text)
    if match is None or (match[1] not in _STARTS):
        raise IncompleteError(f"sc qc said nothing that can be read of {name}")
    return StartMode.DELAYED if match[2] else _STARTS[match[1]]


def _identity(batch: Batch) -> Identity:
    [[_, user], *_] = [row for row in csv.reader(_text(batch, "user").split("\n")) if len(row) == 2]
    groups = [row[2] for row in csv.reader(_text(batch, "groups").split("\n")) if len(row) >= 3]
    return Identity(user.strip(), frozenset(groups))


def _plain(value: RegistryValue | None) -> Value | None:
    if value is None:
        return None
    return value.data.hex() if isinstance(value.data, bytes) else value.data
