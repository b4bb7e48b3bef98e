"""The event channels of a fresh server.

Sizes and access rules: "wevtutil gl" of a fresh installation; "Event Logs" on Microsoft Learn.
"""

from __future__ import annotations

from winlab.host.eventlogs import ChannelConfig, log_path
from winlab.host.release import OsRelease

_APPLICATION_ACCESS = (
    "O:BAG:SYD:(A;;0x2;;;S-1-15-2-1)(A;;0x2;;;S-1-15-3-1024-3153509613-960666767-3724611135-"
    "2725662640-12138253-543910227-1950414635-4190290187)(A;;0xf0007;;;SY)(A;;0x7;;;BA)"
    "(A;;0x7;;;SO)(A;;0x3;;;IU)(A;;0x3;;;SU)(A;;0x3;;;S-1-5-3)(A;;0x3;;;S-1-5-33)"
    "(A;;0x1;;;S-1-5-32-573)"
)
_SYSTEM_ACCESS = (
    "O:BAG:SYD:(A;;0xf0007;;;SY)(A;;0x7;;;BA)(A;;0x3;;;BO)(A;;0x5;;;SO)(A;;0x1;;;IU)(A;;0x3;;;SU)"
    "(A;;0x1;;;S-1-5-3)(A;;0x2;;;S-1-5-33)(A;;0x1;;;S-1-5-32-573)"
)
_SECURITY_ACCESS = "O:BAG:SYD:(A;;0xf0005;;;SY)(A;;0x5;;;BA)(A;;0x1;;;S-1-5-32-573)"

_SMALL = 1052672
_ADMIN = (
    "Microsoft-AppV-Client/Admin",
    "Microsoft-Windows-AAD/Operational",
    "Microsoft-Windows-BitLocker/BitLocker Management",
    "Microsoft-Windows-DeviceSetupManager/Admin",
    "Microsoft-Windows-Dhcp-Client/Admin",
    "Microsoft-Windows-Kernel-EventTracing/Admin",
    "Microsoft-Windows-PrintService/Admin",
    "Microsoft-Windows-RemoteDesktopServices-RdpCoreTS/Admin",
    "Microsoft-Windows-TerminalServices-LocalSessionManager/Admin",
    "Microsoft-Windows-TerminalServices-RemoteConnectionManager/Admin",
)
_OPERATIONAL = (
    "Microsoft-Windows-Application-Experience/Program-Telemetry",
    "Microsoft-Windows-AppLocker/EXE and DLL",
    "Microsoft-Windows-AppLocker/MSI and Script",
    "Microsoft-Windows-Bits-Client/Operational",
    "Microsoft-Windows-CAPI2/Operational",
    "Microsoft-Windows-CertificateServicesClient-Lifecycle-System/Operational",
    "Microsoft-Windows-CodeIntegrity/Operational",
    "Microsoft-Windows-Dhcp-Client/Operational",
    "Microsoft-Windows-Diagnosis-Scheduled/Operational",
    "Microsoft-Windows-DNS-Client/Operational",
    "Microsoft-Windows-GroupPolicy/Operational",
    "Microsoft-Windows-Kernel-Boot/Operational",
    "Microsoft-Windows-Kernel-PnP/Configuration",
    "Microsoft-Windows-NetworkProfile/Operational",
    "Microsoft-Windows-NTLM/Operational",
    "Microsoft-Windows-Ntfs/Operational",
    "Microsoft-Windows-PowerShell/Operational",
    "Microsoft-Windows-RemoteDesktopServices-RdpCoreTS/Operational",
    "Microsoft-Windows-Security-Mitigations/KernelMode",
    "Microsoft-Windows-ServerManager-MultiMachine/Operational",
    "Microsoft-Windows-SMBClient/Connectivity",
    "Microsoft-Windows-SMBClient/Security",
    "Microsoft-Windows-SMBServer/Audit",
    "Microsoft-Windows-SMBServer/Operational",
    "Microsoft-Windows-SMBServer/Security",
    "Microsoft-Windows-TaskScheduler/Operational",
    "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational",
    "Microsoft-Windows-TerminalServices-RemoteConnectionManager/Operational",
    "Microsoft-Windows-Time-Service/Operational",
    "Microsoft-Windows-User Profile Service/Operational",
    "Microsoft-Windows-Windows Defender/Operational",
    "Microsoft-Windows-Windows Defender/WHC",
    "Microsoft-Windows-Windows Firewall With Advanced Security/Firewall",
    "Microsoft-Windows-WindowsUpdateClient/Operational",
    "Microsoft-Windows-Winlogon/Operational",
    "Microsoft-Windows-WinRM/Operational",
    "Microsoft-Windows-WMI-Activity/Operational",
    "OpenSSH/Admin",
    "OpenSSH/Operational",
)
_DISABLED = {
    "Microsoft-Windows-CAPI2/Operational",
    "Microsoft-Windows-Dhcp-Client/Operational",
    "Microsoft-Windows-DNS-Client/Operational",
    "Microsoft-Windows-TaskScheduler/Operational",
}
_BIG = {
    "Microsoft-Windows-GroupPolicy/Operational": 4194304,
    "Microsoft-Windows-PowerShell/Operational": 15728640,
    "Microsoft-Windows-SMBServer/Operational": 8388608,
    "Microsoft-Windows-SMBServer/Security": 8388608,
    "Microsoft-Windows-SMBServer/Audit": 8388608,
    "Microsoft-Windows-SMBClient/Connectivity": 8388608,
    "Microsoft-Windows-SMBClient/Security": 8388608,
    "Microsoft-Windows-Windows Defender/Operational": 16777216,
}


def _classic(
    name: str,
    access: str,
    isolation: str = "Application",
    publisher: str = "",
    size: int = 20971520,
    path: str | None = None,
) -> ChannelConfig:
    return ChannelConfig(
        name=name,
        path=path or log_path(name),
        isolation=isolation,
        owning_publisher=publisher,
        access=access,
        max_size=size,
    )


def base_channels(release: OsRelease) -> dict[str, ChannelConfig]:
    """Return the channels of a release by lower-case name."""
    found = [
        _classic("Application", _APPLICATION_ACCESS),
        _classic("HardwareEvents", _APPLICATION_ACCESS),
        _classic("Internet Explorer", _APPLICATION_ACCESS, size=_SMALL),
        _classic("Key Management Service", _APPLICATION_ACCESS),
        _classic("Security", _SECURITY_ACCESS, "Custom"),
        _classic("Setup", _APPLICATION_ACCESS, publisher="Microsoft-Windows-Eventlog", size=_SMALL),
        _classic("System", _SYSTEM_ACCESS, "System"),
        _classic("Windows PowerShell", _APPLICATION_ACCESS, size=15728640),
    ]
    for name in (*_ADMIN, *_OPERATIONAL):
        if name.startswith("OpenSSH") and release.build < 17763:
            continue
        found.append(
            ChannelConfig(
                name=name,
                path=log_path(name),
                enabled=name not in _DISABLED,
                type="Admin" if name in _ADMIN else "Operational",
                isolation="Application",
                owning_publisher=name.rpartition("/")[0],
                access=_APPLICATION_ACCESS,
                max_size=_BIG.get(name, _SMALL),
            )
        )
    return {c.name.lower(): c for c in found}
