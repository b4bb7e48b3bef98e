"""Which records a Sigma log source means: kind of log, channels, event ids.

Channel names are those of Microsoft's event manifests as SigmaHQ's taxonomy appendix lists them
(sigma-specification, "Taxonomy"). Sysmon event ids are those of Sysmon's documentation. A process
creation is either Sysmon's event 1 or Windows' own Security 4688, a registry value set either
Sysmon 13 or Security 4657: rules for these categories run on both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from opsproof.logs.readers.base import ANY_DATA

SYSMON: Final = "Microsoft-Windows-Sysmon/Operational"
_PS: Final = ("Microsoft-Windows-PowerShell/Operational", "PowerShellCore/Operational")
_PS_CLASSIC: Final = "Windows PowerShell"

_SERVICES: Final[dict[str, tuple[str, ...]]] = {
    "application": ("Application",),
    "security": ("Security",),
    "system": ("System",),
    "sysmon": (SYSMON,),
    "powershell": _PS,
    "powershell-classic": (_PS_CLASSIC,),
    "applocker": (
        "Microsoft-Windows-AppLocker/MSI and Script",
        "Microsoft-Windows-AppLocker/EXE and DLL",
        "Microsoft-Windows-AppLocker/Packaged app-Deployment",
        "Microsoft-Windows-AppLocker/Packaged app-Execution",
    ),
    "appmodel-runtime": ("Microsoft-Windows-AppModel-Runtime/Admin",),
    "appxdeployment-server": ("Microsoft-Windows-AppXDeploymentServer/Operational",),
    "appxpackaging-om": ("Microsoft-Windows-AppxPackaging/Operational",),
    "audit-cve": ("Application",),
    "bitlocker": ("Microsoft-Windows-BitLocker/BitLocker Management",),
    "bits-client": ("Microsoft-Windows-Bits-Client/Operational",),
    "capi2": ("Microsoft-Windows-CAPI2/Operational",),
    "certificateservicesclient-lifecycle-system": (
        "Microsoft-Windows-CertificateServicesClient-Lifecycle-System/Operational",
    ),
    "codeintegrity-operational": ("Microsoft-Windows-CodeIntegrity/Operational",),
    "dhcp": ("Microsoft-Windows-DHCP-Server/Operational",),
    "diagnosis-scripted": ("Microsoft-Windows-Diagnosis-Scripted/Operational",),
    "dns-client": ("Microsoft-Windows-DNS Client Events/Operational",),
    "dns-server": ("DNS Server",),
    "dns-server-analytic": ("Microsoft-Windows-DNS-Server/Analytical",),
    "dns-server-audit": ("Microsoft-Windows-DNS-Server/Audit",),
    "driver-framework": ("Microsoft-Windows-DriverFrameworks-UserMode/Operational",),
    "firewall-as": ("Microsoft-Windows-Windows Firewall With Advanced Security/Firewall",),
    "hyper-v-worker": ("Microsoft-Windows-Hyper-V-Worker",),
    "iis-configuration": ("Microsoft-IIS-Configuration/Operational",),
    "kernel-event-tracing": ("Microsoft-Windows-Kernel-EventTracing",),
    "kernel-shimengine": (
        "Microsoft-Windows-Kernel-ShimEngine/Operational",
        "Microsoft-Windows-Kernel-ShimEngine/Diagnostic",
    ),
    "ldap": ("Microsoft-Windows-LDAP-Client/Debug",),
    "ldap_debug": ("Microsoft-Windows-LDAP-Client/Debug",),
    "lsa-server": ("Microsoft-Windows-LSA/Operational",),
    "microsoft-servicebus-client": ("Microsoft-ServiceBus-Client",),
    "msexchange-management": ("MSExchange Management",),
    "ntfs": ("Microsoft-Windows-Ntfs/Operational",),
    "ntlm": ("Microsoft-Windows-NTLM/Operational",),
    "openssh": ("OpenSSH/Operational",),
    "printservice-admin": ("Microsoft-Windows-PrintService/Admin",),
    "printservice-operational": ("Microsoft-Windows-PrintService/Operational",),
    "security-mitigations": (
        "Microsoft-Windows-Security-Mitigations/Kernel Mode",
        "Microsoft-Windows-Security-Mitigations/User Mode",
    ),
    "sense": ("Microsoft-Windows-SENSE/Operational",),
    "servicebus-client": (
        "Microsoft-ServiceBus-Client/Admin",
        "Microsoft-ServiceBus-Client/Operational",
    ),
    "shell-core": ("Microsoft-Windows-Shell-Core/Operational",),
    "smbclient-connectivity": ("Microsoft-Windows-SmbClient/Connectivity",),
    "smbclient-security": ("Microsoft-Windows-SmbClient/Security",),
    "smbserver-connectivity": ("Microsoft-Windows-SMBServer/Connectivity",),
    "taskscheduler": ("Microsoft-Windows-TaskScheduler/Operational",),
    "terminalservices-localsessionmanager": (
        "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational",
    ),
    "vhdmp": ("Microsoft-Windows-VHDMP/Operational",),
    "windefend": ("Microsoft-Windows-Windows Defender/Operational",),
    "windows-defender": ("Microsoft-Windows-Windows Defender/Operational",),
    "wmi": ("Microsoft-Windows-WMI-Activity/Operational",),
}

_CATEGORIES: Final[dict[str, tuple[tuple[str, tuple[int, ...]], ...]]] = {
    "process_creation": ((SYSMON, (1,)), ("Security", (4688,))),
    "file_change": ((SYSMON, (2,)),),
    "network_connection": ((SYSMON, (3,)),),
    "sysmon_status": ((SYSMON, (4, 16)),),
    "process_termination": ((SYSMON, (5,)),),
    "driver_load": ((SYSMON, (6,)),),
    "image_load": ((SYSMON, (7,)),),
    "create_remote_thread": ((SYSMON, (8,)),),
    "raw_access_thread": ((SYSMON, (9,)),),
    "raw_access_read": ((SYSMON, (9,)),),
    "process_access": ((SYSMON, (10,)),),
    "file_event": ((SYSMON, (11,)),),
    "registry_add": ((SYSMON, (12,)),),
    "registry_delete": ((SYSMON, (12,)),),
    "registry_set": ((SYSMON, (13,)), ("Security", (4657,))),
    "registry_rename": ((SYSMON, (14,)),),
    "registry_event": ((SYSMON, (12, 13, 14)), ("Security", (4657,))),
    "create_stream_hash": ((SYSMON, (15,)),),
    "pipe_created": ((SYSMON, (17, 18)),),
    "wmi_event": ((SYSMON, (19, 20, 21)),),
    "dns_query": ((SYSMON, (22,)),),
    "file_delete": ((SYSMON, (23,)),),
    "clipboard_capture": ((SYSMON, (24,)),),
    "process_tampering": ((SYSMON, (25,)),),
    "file_delete_detected": ((SYSMON, (26,)),),
    "file_block_executable": ((SYSMON, (27,)),),
    "file_block_shredding": ((SYSMON, (28,)),),
    "file_executable_detected": ((SYSMON, (29,)),),
    "sysmon_error": ((SYSMON, (255,)),),
    "ps_module": tuple((channel, (4103,)) for channel in _PS),
    "ps_script": tuple((channel, (4104,)) for channel in _PS),
    "ps_classic_start": ((_PS_CLASSIC, (400,)),),
    "ps_classic_provider_start": ((_PS_CLASSIC, (600,)),),
    "ps_classic_script": ((_PS_CLASSIC, (800,)),),
}

_WEB: Final = frozenset({"webserver", "web"})


@dataclass(frozen=True, slots=True)
class Selection:
    """The records of a log source. ``alternatives`` pairs a channel with event ids (none: any)."""

    kind: str
    alternatives: tuple[tuple[str, tuple[int, ...]], ...] = ()

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels, each once."""
        return tuple(dict.fromkeys(channel for channel, _ in self.alternatives))


def select(product: str | None, category: str | None, service: str | None) -> Selection | None:
    """What the log source of a rule means; None where we read no such log."""
    if category in _WEB and product in {None, "windows", "iis"}:
        return Selection("web")
    if product == "windows" or (product is None and category in _CATEGORIES):
        return _windows(category, service)
    if product == "iis" and category is None:
        return Selection({"httperr": "httperr"}.get(service or "", "web"))
    if category == "data_log":
        return Selection(f"{ANY_DATA}:{product.lower()}" if product else ANY_DATA)
    return None


def _windows(category: str | None, service: str | None) -> Selection | None:
    if service is not None:
        channels = _SERVICES.get(service)
        if channels is None:
            return None
        events = dict(_CATEGORIES.get(category or "", ()))
        return Selection(
            "windows", tuple((channel, events.get(channel, ())) for channel in channels)
        )
    if category is None:
        return Selection("windows")
    if category not in _CATEGORIES:
        return None
    return Selection("windows", _CATEGORIES[category])
