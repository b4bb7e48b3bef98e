"""Registry keys of a fresh server that tools and modules read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from winlab.host.image.environment import base_environment
from winlab.host.registry import RegKey, registry_image
from winlab.host.release import Locale, OsRelease
from winlab.host.tree import Image

Values: TypeAlias = "Mapping[str, str | int | bytes | tuple[str, ...]]"

_SOFTWARE = "HKLM\\SOFTWARE\\Microsoft"
_CONTROL = "HKLM\\SYSTEM\\CurrentControlSet\\Control"
_SERVICES = "HKLM\\SYSTEM\\CurrentControlSet\\Services"
_FIREWALL = f"{_SERVICES}\\SharedAccess\\Parameters\\FirewallPolicy"


def _current_version(release: OsRelease) -> dict[str, str | int | bytes | tuple[str, ...]]:
    values: dict[str, str | int | bytes | tuple[str, ...]] = {
        "SystemRoot": "C:\\Windows",
        "BuildBranch": "rs_master",
        "CurrentBuild": str(release.build),
        "CurrentBuildNumber": str(release.build),
        "CurrentVersion": "6.3" if release.build >= 9600 else release.version[:3],
        "EditionID": release.edition_id,
        "InstallationType": "Server",
        "InstallDate": 1741745647,
        "ProductName": release.product_name,
        "RegisteredOrganization": "",
        "RegisteredOwner": "Windows User",
    }
    if release.managed:
        values |= {
            "CurrentMajorVersionNumber": 10,
            "CurrentMinorVersionNumber": 0,
            "ReleaseId": release.release_id,
            "UBR": release.ubr,
        }
    if release.build >= 20348:
        values["DisplayVersion"] = "21H2"
    return values


def _rule(port: int, name: str, *profiles: str, subnet: bool = False) -> str:
    """An inbound rule for a TCP port of http.sys ([MS-GPFAS] 2.2.2.19)."""
    where = [f"Profile={profile}" for profile in profiles] + ["RA4=LocalSubnet"] * subnet
    fields = ["Action=Allow", "Active=TRUE", "Dir=In", "Protocol=6", *where, f"LPort={port}"]
    return "|".join(["v2.31", *fields, "App=System", f"Name={name}", ""])


def _firewall() -> list[tuple[str, Values]]:
    """The local store as far as WinRM is concerned: its built-in rules, on since Server 2012.

    Sources: "Installation and configuration for WinRM" and "Set-NetFirewallRule" on Microsoft Learn
    for the rules' names and scopes; the rule for 5986 is the one that whoever makes an HTTPS listener
    has to add ("Windows Remote Management", Ansible documentation).
    """
    profiles = ("DomainProfile", "StandardProfile", "PublicProfile")
    found: list[tuple[str, Values]] = [
        (f"{_FIREWALL}\\{profile}", {"EnableFirewall": 1}) for profile in profiles
    ]
    rules = {
        "WINRM-HTTP-In-TCP": _rule(5985, "@FirewallAPI.dll,-30253", "Domain", "Private"),
        "WINRM-HTTP-In-TCP-PUBLIC": _rule(5985, "@FirewallAPI.dll,-30253", "Public", subnet=True),
        "WINRM-HTTPS-In-TCP": _rule(5986, "WinRM HTTPS"),
    }
    return [*found, (f"{_FIREWALL}\\FirewallRules", rules)]


def _entries(release: OsRelease, locale: Locale) -> list[tuple[str, Values]]:
    current = f"{_SOFTWARE}\\Windows\\CurrentVersion"
    language = f"{locale.lcid:04x}"
    return [
        ("HKLM\\SOFTWARE\\Classes\\.txt", {"": "txtfile"}),
        ("HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows", {}),
        ("HKLM\\SOFTWARE\\WOW6432Node\\Microsoft\\Windows\\CurrentVersion\\Uninstall", {}),
        (f"{_SOFTWARE}\\Windows NT\\CurrentVersion", _current_version(release)),
        (
            f"{_SOFTWARE}\\Windows NT\\CurrentVersion\\Winlogon",
            {
                "AutoAdminLogon": "0",
                "AutoLogonChecked": 1,
                "CachedLogonsCount": "10",
                "DisableCAD": 0,
                "Shell": "explorer.exe",
                "Userinit": "C:\\Windows\\system32\\userinit.exe,",
                "LegalNoticeCaption": "",
                "LegalNoticeText": "",
            },
        ),
        (f"{_SOFTWARE}\\Windows NT\\CurrentVersion\\ProfileList", {}),
        (
            current,
            {
                "CommonFilesDir": "C:\\Program Files\\Common Files",
                "ProgramFilesDir": "C:\\Program Files",
            },
        ),
        (f"{current}\\Component Based Servicing\\Packages", {}),
        (
            f"{current}\\Policies\\System",
            {
                "ConsentPromptBehaviorAdmin": 5,
                "EnableLUA": 1,
                "dontdisplaylastusername": 0,
                "legalnoticecaption": "",
                "legalnoticetext": "",
                "shutdownwithoutlogon": 0,
            },
        ),
        (f"{current}\\Policies\\Explorer", {}),
        (f"{current}\\Run", {}),
        (f"{current}\\Uninstall", {}),
        (f"{current}\\WindowsUpdate\\Auto Update", {}),
        (
            f"{_SOFTWARE}\\NET Framework Setup\\NDP\\v4\\Full",
            {
                "Install": 1,
                "Release": 528449 if release.build >= 20348 else 461814,
                "Version": "4.8.04161" if release.build >= 20348 else "4.7.03190",
            },
        ),
        (
            f"{_SOFTWARE}\\PowerShell\\3\\PowerShellEngine",
            {
                "PowerShellVersion": f"5.1.{release.build}.{release.ubr}",
                "RuntimeVersion": "v4.0.30319",
            },
        ),
        (
            _CONTROL,
            {
                "CurrentUser": "USERNAME",
                "SystemBootDevice": "multi(0)disk(0)rdisk(0)partition(4)",
                "SystemStartOptions": " NOEXECUTE=OPTOUT",
            },
        ),
        (
            f"{_CONTROL}\\Lsa",
            {
                "auditbasedirectories": 0,
                "crashonauditfail": 0,
                "everyoneincludesanonymous": 0,
                "LimitBlankPasswordUse": 1,
                "NoLmHash": 1,
                "restrictanonymous": 0,
                "restrictanonymoussam": 1,
                "SecureBoot": 1,
            },
        ),
        (
            f"{_CONTROL}\\Nls\\CodePage",
            {
                "ACP": str(locale.ansi),
                "OEMCP": str(locale.oem),
                "MACCP": "10008" if locale.chinese else "10000",
            },
        ),
        (f"{_CONTROL}\\Nls\\Language", {"Default": language, "InstallLanguage": language}),
        (f"{_CONTROL}\\SecurityProviders\\SCHANNEL\\Protocols", {}),
        (
            f"{_CONTROL}\\Session Manager",
            {
                "BootExecute": ("autocheck autochk *",),
                "CriticalSectionTimeout": 2592000,
                "ProtectionMode": 1,
            },
        ),
        (f"{_CONTROL}\\Session Manager\\Environment", dict(base_environment(release))),
        (
            f"{_CONTROL}\\Session Manager\\Memory Management",
            {
                "ClearPageFileAtShutdown": 0,
                "PagingFiles": ("?:\\pagefile.sys",),
            },
        ),
        (f"{_CONTROL}\\Terminal Server", {"fDenyTSConnections": 0, "fSingleSessionPerUser": 1}),
        (
            f"{_CONTROL}\\Terminal Server\\WinStations\\RDP-Tcp",
            {
                "PortNumber": 3389,
                "SecurityLayer": 2,
                "UserAuthentication": 1,
            },
        ),
        (f"{_SERVICES}\\LanmanServer\\Parameters", {"requiresecuritysignature": 0, "SMB1": 0}),
        (
            f"{_SERVICES}\\Tcpip\\Parameters",
            {"DataBasePath": "%SystemRoot%\\System32\\drivers\\etc"},
        ),
        (
            f"{_SERVICES}\\W32Time\\Parameters",
            {
                "NtpServer": "time.windows.com,0x8",
                "ServiceDll": "%systemroot%\\system32\\w32time.dll",
                "Type": "NTP",
            },
        ),
        (f"{_SERVICES}\\HTTP\\Parameters", {}),
        *_firewall(),
        (
            "HKLM\\HARDWARE\\DESCRIPTION\\System\\CentralProcessor\\0",
            {
                "Identifier": "Intel64 Family 6 Model 85 Stepping 7",
                "ProcessorNameString": "Intel(R) Xeon(R) Gold 6248R CPU @ 3.00GHz",
                "~MHz": 2993,
            },
        ),
        ("HKLM\\SAM", {}),
        ("HKLM\\SECURITY", {}),
        ("HKU\\.DEFAULT\\Control Panel\\International", {"LocaleName": locale.name}),
        ("HKU\\S-1-5-18\\Environment", {"TEMP": "%USERPROFILE%\\AppData\\Local\\Temp"}),
        ("HKU\\S-1-5-19", {}),
        ("HKU\\S-1-5-20", {}),
    ]


def base_registry(release: OsRelease, locale: Locale) -> Image[RegKey]:
    """Return the registry of a fresh server."""
    return registry_image(_entries(release, locale))
