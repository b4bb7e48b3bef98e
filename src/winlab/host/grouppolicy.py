"""Group Policy of one domain member: which GPOs apply, when they are processed, what they leave.

Sources (Microsoft Learn unless said otherwise): "Group Policy processing" (order, last one wins;
background refresh every 90 minutes plus up to 30), "gpupdate" (/force reapplies what has not
changed), KB277543 (security settings come again every 16 hours though nothing changed), KB201453
(the History keys), cc737602 "Fixing Security Settings Problems" (templates kept as gpt00000.dom and
so on), [MS-GPREG] 3.2 and [MS-GPAC] 3.2.5 (what the registry and audit extensions do), "RSoP WMI
classes". That RSoP logging switched off leaves no instance at all is assumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from winlab.host.errors import WindowsError
from winlab.host.ids import stable_number
from winlab.host.registry import RegData, RegType, value_of

if TYPE_CHECKING:
    from winlab.host.host import Host

REFRESH = timedelta(minutes=90)
"""Between two background refreshes, before the random part."""

SECURITY_AGAIN = timedelta(hours=16)
"""After which the security extension applies what has not changed."""

HISTORY = "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Group Policy\\History"
REGISTRY_EXTENSION = "{35378EAC-683F-11D2-A89A-00C04FBBCFA2}"
SECURITY_EXTENSION = "{827D319E-6EAC-11D2-A4EA-00C04F79F83A}"
AUDIT_EXTENSION = "{F3CCC681-B74C-4060-9F26-CD84525DCA2A}"
TEMPLATES = "C:\\Windows\\security\\templates\\policies"
AUDIT_FILE = "C:\\Windows\\security\\audit\\audit.csv"
_LOGGING = "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\System"
_WORDS = ("No Auditing", "Success", "Failure", "Success and Failure")
_MODES = {"auto": 2, "manual": 3, "disabled": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyValue:
    """A registry value below HKLM that a GPO sets; ``data`` None removes the value."""

    key: str
    name: str
    data: RegData | None

    @property
    def type(self) -> RegType:
        """The type that the data suggests."""
        return RegType.REG_NONE if self.data is None else value_of(self.name, self.data).type

    @property
    def folded(self) -> tuple[str, str]:
        """What tells it from others."""
        return self.key.lower(), self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpo:
    """One GPO's computer half. ``linked_to_domain`` tells its link from one to an OU.

    ``registry`` are administrative templates, ``security_values`` registry values of the security
    settings; ``rights`` are SIDs by right, ``services`` start modes, ``audit`` flags by GUID.
    """

    name: str
    guid: str
    domain: str
    linked_to_domain: bool = False
    version: int = 1
    registry: tuple[PolicyValue, ...] = ()
    access: Mapping[str, int | str] = field(default_factory=dict)
    rights: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    security_values: tuple[PolicyValue, ...] = ()
    services: Mapping[str, str] = field(default_factory=dict)
    audit: Mapping[str, int] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Its place in Active Directory, which RSoP calls GPOID."""
        return f"cn={self.guid},cn=policies,cn=system,{_dn(self.domain)}"

    @property
    def has_security(self) -> bool:
        """Whether the security extension finds anything in it."""
        return bool(self.access or self.rights or self.security_values or self.services)


class GroupPolicy:
    """What a domain tells one host. A host without a domain has none and never refreshes.

    ``assigned`` is what Active Directory holds for it now, lowest precedence first; ``applied``
    what the last refresh found; ``logged`` what RSoP shows of that.
    """

    __slots__ = ("_host", "_security_at", "applied", "assigned", "logged", "refreshed_at")

    def __init__(self, host: Host) -> None:
        """Start outside any domain."""
        self._host = host
        self.assigned: tuple[Gpo, ...] = ()
        self.applied: tuple[Gpo, ...] = ()
        self.logged: tuple[Gpo, ...] | None = ()
        self.refreshed_at: datetime | None = None
        self._security_at: datetime | None = None

    @property
    def member(self) -> bool:
        """Whether the host is in a domain."""
        return self._host.network.domain != "WORKGROUP"

    def assign(self, gpos: tuple[Gpo, ...]) -> None:
        """Let Active Directory hold these for the host; nothing happens before a refresh."""
        self.assigned = gpos

    def tick(self) -> None:
        """Do the background refresh when it is due."""
        if not self.member or self.refreshed_at is None:
            return
        offset = timedelta(seconds=stable_number(f"{self._host.name}/gp", 1800))
        if self._host.now() >= self.refreshed_at + REFRESH + offset:
            self.refresh()

    def refresh(self, *, force: bool = False) -> None:
        """Process policy as Windows itself does, which the write guard does not hold against anybody.

        Extensions are called when a GPO or the list of GPOs has changed; the security extension also
        when it was called 16 hours ago; ``force`` calls them all.
        """
        if not self.member:
            return
        host, now = self._host, self._host.now()
        changed = force or self.assigned != self.applied
        again = self._security_at is None or now >= self._security_at + SECURITY_AGAIN
        before = self.applied
        self.applied, self.refreshed_at = self.assigned, now
        with host.guard.exempt():
            if changed:
                self._registry(before)
                self._audit()
            if changed or again:
                self._security()
                self._security_at = now
        found = host.registry.value(_LOGGING, "RSoPLogging")
        self.logged = None if found is not None and found.data == 0 else self.applied

    # -- what is in force ------------------------------------------------------------------------

    def values(self) -> dict[tuple[str, str], PolicyValue]:
        """Administrative templates: the value that wins, by key and name."""
        return {value.folded: value for gpo in self.applied for value in gpo.registry}

    def access(self) -> dict[str, int | str]:
        """Account policy that a GPO delivers."""
        return {key: value for gpo in self.applied for key, value in gpo.access.items()}

    def rights(self) -> dict[str, tuple[str, ...]]:
        """User rights that a GPO delivers."""
        return {right: who for gpo in self.applied for right, who in gpo.rights.items()}

    def security_values(self) -> dict[tuple[str, str], PolicyValue]:
        """Registry values of the security settings, by key and name."""
        return {value.folded: value for gpo in self.applied for value in gpo.security_values}

    def services(self) -> dict[str, str]:
        """Start modes that a GPO delivers, by service."""
        return {name: mode for gpo in self.applied for name, mode in gpo.services.items()}

    def audit(self) -> dict[str, int]:
        """Audit subcategories that a GPO delivers, by GUID."""
        return {guid.lower(): flags for gpo in self.applied for guid, flags in gpo.audit.items()}

    # -- the extensions --------------------------------------------------------------------------

    def _registry(self, before: tuple[Gpo, ...]) -> None:
        registry, now = self._host.registry, self.values()
        for gpo in before:
            for value in gpo.registry:
                if value.folded not in now and value.data is not None:
                    _delete(self._host, value)
        for value in now.values():
            if value.data is None:
                _delete(self._host, value)
            else:
                registry.set_value(f"HKLM\\{value.key}", value.name, value.data, value.type)
        self._history(REGISTRY_EXTENSION, [gpo for gpo in self.applied if gpo.registry])

    def _security(self) -> None:
        host = self._host
        told = [gpo for gpo in self.applied if gpo.has_security]
        self._keep_templates(told)
        if access := self.access():
            host.policy.set_access(access)
        for right, who in self.rights().items():
            host.policy.set_right(right, who)
        for value in self.security_values().values():
            if value.data is not None:
                host.registry.set_value(f"HKLM\\{value.key}", value.name, value.data, value.type)
        for name, mode in self.services().items():
            if host.services.find(name) is not None:
                host.services.configure(name, start_mode=mode)
        self._history(SECURITY_EXTENSION, told)

    def _audit(self) -> None:
        host, flags = self._host, self.audit()
        told = [gpo for gpo in self.applied if gpo.audit]
        self._history(AUDIT_EXTENSION, told)
        if not told:
            if host.files.exists(AUDIT_FILE):
                host.files.remove(AUDIT_FILE)
            return
        rows = [
            f",System,,{guid},{_WORDS[value]},,{value}\r\n" for guid, value in sorted(flags.items())
        ]
        head = (
            "Machine Name,Policy Target,Subcategory,Subcategory GUID,"
            "Inclusion Setting,Exclusion Setting,Setting Value\r\n"
        )
        host.files.ensure_folder(AUDIT_FILE.rpartition("\\")[0])
        host.files.write(AUDIT_FILE, (head + "".join(rows)).encode("ascii"))
        for guid, value in flags.items():
            host.policy.set_audit(guid, value)

    def _keep_templates(self, gpos: list[Gpo]) -> None:
        files = self._host.files
        if files.exists(TEMPLATES):
            files.rmtree(TEMPLATES)
        if gpos:
            files.mkdir(TEMPLATES)
        for number, gpo in enumerate(gpos):
            ending = "dom" if gpo.linked_to_domain else "inf"
            text = "".join(f"{line}\r\n" for line in template_lines(gpo))
            data = b"\xff\xfe" + text.encode("utf-16-le")
            files.write(f"{TEMPLATES}\\gpt{number:05}.{ending}", data)

    def _history(self, extension: str, gpos: list[Gpo]) -> None:
        registry, top = self._host.registry, f"{HISTORY}\\{extension}"
        if registry.exists(top):
            registry.delete_key(top)
        for number, gpo in enumerate(gpos):
            key = f"{top}\\{number}"
            share = f"\\\\{gpo.domain}\\sysvol\\{gpo.domain}\\Policies\\{gpo.guid}\\Machine"
            registry.set_value(key, "DisplayName", gpo.name)
            registry.set_value(key, "DSPath", f"LDAP://CN=Machine,{gpo.path}")
            registry.set_value(key, "FileSysPath", share)
            registry.set_value(key, "GPOName", gpo.guid)
            registry.set_value(key, "Options", 0)
            registry.set_value(key, "Version", gpo.version)

    # -- state -----------------------------------------------------------------------------------

    def save(self) -> Any:
        """Return the state for `load`."""
        return self.assigned, self.applied, self.logged, self.refreshed_at, self._security_at

    def load(self, state: Any) -> None:
        """Go back to a saved state."""
        self.assigned, self.applied, self.logged, self.refreshed_at, self._security_at = state

    def dump(self) -> dict[str, Any]:
        """Return which GPOs Active Directory holds for the host and which are applied."""
        return {
            "assigned": [gpo.name for gpo in self.assigned],
            "applied": [gpo.name for gpo in self.applied],
            "refreshed_at": self.refreshed_at.isoformat() if self.refreshed_at else None,
        }


def template_lines(gpo: Gpo) -> Iterator[str]:
    """A GPO's security settings as the lines of a template ([MS-GPSB] 2.2)."""
    yield from ("[Unicode]", "Unicode=yes")
    if gpo.access:
        yield "[System Access]"
        for key, value in gpo.access.items():
            yield f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}"
    if gpo.security_values:
        yield "[Registry Values]"
        yield from (registry_line(value) for value in gpo.security_values)
    if gpo.rights:
        yield "[Privilege Rights]"
        for right, who in gpo.rights.items():
            yield f"{right} = {','.join(f'*{sid}' for sid in who)}"
    if gpo.services:
        yield "[Service General Setting]"
        yield from (service_line(name, mode) for name, mode in gpo.services.items())
    yield from ("[Version]", 'signature="$CHICAGO$"', "Revision=1")


def registry_line(value: PolicyValue) -> str:
    """A line of [Registry Values]."""
    return f"MACHINE\\{value.key}\\{value.name}={int(value.type)},{template_data(value)}"


def service_line(name: str, mode: str) -> str:
    """A line of [Service General Setting]; without a descriptor, as a GPO may leave it."""
    return f'"{name}",{_MODES[mode]},""'


def template_data(value: PolicyValue) -> str:
    """The data as a template writes it after the type."""
    match value.data:
        case int() as number:
            return str(number)
        case bytes() as raw:
            return ",".join(str(byte) for byte in raw)
        case tuple() as texts:
            return ",".join(texts)
        case text:
            return f'"{text}"'


def _delete(host: Host, value: PolicyValue) -> None:
    try:
        host.registry.delete_value(f"HKLM\\{value.key}", value.name)
    except WindowsError:
        # It was not there, which is what was wanted.
        return


def _dn(domain: str) -> str:
    return ",".join(f"DC={part}" for part in domain.split("."))
