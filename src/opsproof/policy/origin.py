"""Which settings a domain sets on a host, and by which GPO, from the answer to the one command.

Read on the host, in any language:

- ``secedit /export /mergedpolicy``: the security settings that Group Policy delivers, none without
  a domain ("secedit export"; tomstryhn/RemoteSecEdit read it on Windows Server 2016 to 2025);
- WMI's resultant set of policy, ``root\\rsop\\computer``: the value of every administrative template
  with the GPO that won (``RSOP_RegistryPolicySetting``, precedence 1) and the names of GPOs
  (``RSOP_GPO``), as Salt's lgpo_reg and InSpec's wmi resource read it;
- ``%SystemRoot%\\security\\audit\\audit.csv``, which the audit extension copies here ([MS-GPAC] 3.2.5),
  and the key History (KB201453), which says whether a domain's GPO brought it. RSoP has no class for it.

The local GPO's id is ``LocalGPO``; any other is a path in Active Directory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from opsproof.errors import IncompleteError
from opsproof.inspection.batch import Batch
from opsproof.policy import auditcsv, security
from opsproof.policy.registry import RegistryPath, RegistryValue
from opsproof.policy.security import SecurityTemplate
from opsproof.policy.targets import Audit, Firewall, Profile, Right, Service, SystemAccess, Target

Folded = tuple[str, ...]

AUDIT_HISTORY = (
    "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Group Policy\\History\\"
    "{F3CCC681-B74C-4060-9F26-CD84525DCA2A}"
)
"""Where the audit extension's GPOs stand, numbered in the order in which they were applied."""

CLASSES: Mapping[str, str] = {
    "RSOP_GPO": "id,name",
    "RSOP_RegistryPolicySetting": "GPOID,precedence,registryKey,valueName",
    "RSOP_RegistryValue": "GPOID,Path,precedence",
    "RSOP_SecuritySettingBoolean": "GPOID,KeyName,precedence",
    "RSOP_SecuritySettingNumeric": "GPOID,KeyName,precedence",
    "RSOP_SecuritySettingString": "GPOID,KeyName,precedence",
    "RSOP_SystemService": "GPOID,precedence,Service",
    "RSOP_UserPrivilegeRight": "GPOID,precedence,UserRight",
}
"""The WMI classes that are asked, and for which properties; what each setting is called varies."""

UNNAMED = "?"
"""Stands for a GPO's name where the host does not say it."""

_LOCAL = "localgpo"
_FIREWALL = "SOFTWARE\\Policies\\Microsoft\\WindowsFirewall"
_PROFILES = {
    Profile.DOMAIN: ("DomainProfile",),
    # Both names occur; Windows reads the newer one ("Windows Firewall" policy settings).
    Profile.PRIVATE: ("PrivateProfile", "StandardProfile"),
    Profile.PUBLIC: ("PublicProfile",),
}


@dataclass(frozen=True, slots=True)
class Origins:
    """What a domain sets. ``gpos`` names the GPO of a setting by its target.

    ``readable`` is false where a member does not say which administrative templates GPOs set: then
    nobody knows whether a value of the registry is the host's own.
    """

    domain: str = ""
    readable: bool = True
    gpos: Mapping[Folded, str] = field(default_factory=dict)

    @property
    def member(self) -> bool:
        """Whether the host is in a domain."""
        return bool(self.domain)

    def gpo(self, target: Target) -> str | None:
        """The name of the GPO that sets a target, None when none does or nobody knows."""
        if isinstance(target, Firewall):
            paths = (path.folded for path in firewall_policies(target))
            found = (self.gpos.get(("registry", *path)) for path in paths)
            return next((name for name in found if name is not None), None)
        return self.gpos.get(target.folded)

    def unknown(self, target: Target) -> bool:
        """Whether a GPO may set a target and the host does not say."""
        return not self.readable and target.folded[0] in {"registry", "firewall"}


NO_DOMAIN = Origins()
"""What is true of a host that is in no domain."""


def firewall_policies(target: Firewall) -> Iterator[RegistryPath]:
    """Where a GPO sets a firewall property; what stands there counts instead of the local store."""
    below = "\\Logging" if target.name.logging else ""
    for profile in _PROFILES[target.profile]:
        yield RegistryPath("HKLM", f"{_FIREWALL}\\{profile}{below}", target.name.value)


def origins(batch: Batch, registry: Iterable[RegistryValue]) -> Origins:
    """Read the sections that say what a domain sets; ``registry`` holds the exported keys.

    Raises:
        IncompleteError: a section is missing, or what GPOs deliver could not be exported.
        DamagedError: a template or an audit table is damaged.
    """
    domain = _domain(batch)
    if not domain:
        return NO_DOMAIN
    rows = {name: _rows(batch, name, asked) for name, asked in CLASSES.items()}
    names = {row["id"].lower(): row["name"] for row in rows.pop("RSOP_GPO") or ()}
    winners = dict(_winners({name: found or [] for name, found in rows.items()}, names))
    gpos: dict[Folded, str] = {key: who for key, who in winners.items() if key[0] == "registry"}
    for target in _delivered(_merged(batch)):
        gpos[target] = winners.get(target, UNNAMED)
    gpos |= _audited(batch, registry)
    return Origins(
        domain=domain,
        readable=bool(names) and rows["RSOP_RegistryPolicySetting"] is not None,
        gpos=gpos,
    )


def _domain(batch: Batch) -> str:
    section = batch.section("domain")
    rows = list(_blocks(section.text)) if section.ok else []
    if not rows or not {"domain", "partofdomain"} <= rows[0].keys():
        raise IncompleteError(
            "the host does not say whether it is in a domain",
            remedy="look at the host's WMI service",
        )
    return rows[0]["domain"] if rows[0]["partofdomain"].upper() == "TRUE" else ""


def _rows(batch: Batch, name: str, asked: str) -> list[dict[str, str]] | None:
    """The instances of a class; None when WMI could not be asked."""
    section = batch.section(f"rsop {name} get {asked}")
    return list(_blocks(section.text)) if section.ok else None


def _blocks(text: str) -> Iterator[dict[str, str]]:
    """``wmic ... /value``: ``Name=Value`` lines, an empty line between instances."""
    block: dict[str, str] = {}
    for line in [*text.split("\n"), ""]:
        name, equals, value = line.strip().partition("=")
        if equals:
            # A property that comes again begins the next instance.
            if name.lower() in block:
                yield block
                block = {}
            block[name.lower()] = value
        elif block and not line.strip():
            yield block
            block = {}


def _winners(
    rows: Mapping[str, list[dict[str, str]]], names: Mapping[str, str]
) -> Iterator[tuple[Folded, str]]:
    for kind, found in rows.items():
        for row in found:
            gpo = row.get("gpoid", "").lower()
            if row.get("precedence") == "1" and gpo and gpo != _LOCAL:
                yield _target(kind, row), names.get(gpo) or UNNAMED


def _target(kind: str, row: Mapping[str, str]) -> Folded:
    match kind:
        case "RSOP_RegistryPolicySetting":
            path = RegistryPath("HKLM", row["registrykey"], row["valuename"])
            return ("registry", *path.folded)
        case "RSOP_RegistryValue":
            key, _, name = row["path"].partition("\\")[2].rpartition("\\")
            return ("registry", *RegistryPath("HKLM", key, name).folded)
        case "RSOP_UserPrivilegeRight":
            return Right(row["userright"]).folded
        case "RSOP_SystemService":
            return Service(row["service"]).folded
        case _:
            return SystemAccess(row["keyname"]).folded


def _merged(batch: Batch) -> SecurityTemplate:
    section = batch.section("merged")
    if not section.ok:
        raise IncompleteError(
            "what Group Policy delivers could not be exported",
            remedy="the account must be an administrator with an elevated token",
        )
    return security.read(section.text.lstrip("\ufeff").encode(), name="secedit /mergedpolicy")


def _delivered(template: SecurityTemplate) -> Iterator[Folded]:
    yield from (SystemAccess(key).folded for key in template.system_access)
    yield from (Right(right).folded for right in template.rights)
    yield from (Service(service.name).folded for service in template.services)
    yield from (("registry", *value.path.folded) for value in template.registry)


def _audited(batch: Batch, registry: Iterable[RegistryValue]) -> dict[Folded, str]:
    """Subcategories of the copied table, when a GPO of the domain brought it.

    The table is merged: with several GPOs nobody can tell one line's from another's, and all are named.
    """
    top = f"{AUDIT_HISTORY}\\".lower()
    entries: dict[str, dict[str, str]] = {}
    for value in registry:
        if value.path.key.lower().startswith(top) and isinstance(value.data, str):
            number = value.path.key[len(top) :]
            entries.setdefault(number, {})[value.path.name.lower()] = value.data
    names = [
        entry.get("displayname") or UNNAMED
        for _, entry in sorted(entries.items())
        if "cn=" in entry.get("dspath", "").lower()
    ]
    if not names:
        return {}
    who = " / ".join(dict.fromkeys(names))
    return {
        Audit(line.guid).folded: who
        for name, section in batch.named("gpoaudit").items()
        if section.ok
        for line in auditcsv.parse(section.text.lstrip("\ufeff").encode(), name=name)
        if line.machine_wide
    }
