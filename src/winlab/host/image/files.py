"""Folders and files of a fresh system drive."""

from __future__ import annotations

from datetime import UTC, datetime

from winlab.host.files import SYSTEM, TRUSTED_INSTALLER, Attributes, Entry
from winlab.host.release import OsRelease
from winlab.host.tree import Image

INSTALLED = datetime(2025, 3, 12, 2, 14, 7, tzinfo=UTC)
SHIPPED = datetime(2024, 9, 6, 3, 20, 41, tzinfo=UTC)

_FOLDERS = (
    "C:\\PerfLogs",
    "C:\\Program Files\\Common Files",
    "C:\\Program Files\\Internet Explorer",
    "C:\\Program Files\\Windows Defender",
    "C:\\Program Files\\WindowsPowerShell\\Modules",
    "C:\\Program Files (x86)\\Common Files",
    "C:\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys",
    "C:\\ProgramData\\Microsoft\\Crypto\\Keys",
    "C:\\ProgramData\\Microsoft\\Windows\\Start Menu\\Programs",
    "C:\\Users\\Public\\Desktop",
    "C:\\Users\\Public\\Documents",
    "C:\\Users\\Default\\AppData\\Local\\Temp",
    "C:\\Users\\Administrator\\AppData\\Local\\Temp",
    "C:\\Users\\Administrator\\AppData\\Roaming",
    "C:\\Users\\Administrator\\Desktop",
    "C:\\Users\\Administrator\\Documents",
    "C:\\Windows\\assembly",
    "C:\\Windows\\Boot",
    "C:\\Windows\\Fonts",
    "C:\\Windows\\INF",
    "C:\\Windows\\Installer",
    "C:\\Windows\\Logs\\CBS",
    "C:\\Windows\\Logs\\DISM",
    "C:\\Windows\\Microsoft.NET\\Framework64\\v4.0.30319",
    "C:\\Windows\\Panther",
    "C:\\Windows\\Prefetch",
    "C:\\Windows\\security\\database",
    "C:\\Windows\\security\\logs",
    "C:\\Windows\\ServiceProfiles\\LocalService\\AppData\\Local\\Temp",
    "C:\\Windows\\ServiceProfiles\\NetworkService\\AppData\\Local\\Temp",
    "C:\\Windows\\SoftwareDistribution\\DataStore",
    "C:\\Windows\\SoftwareDistribution\\Download",
    "C:\\Windows\\System32\\catroot2",
    "C:\\Windows\\System32\\config\\systemprofile\\AppData\\Local\\Temp",
    "C:\\Windows\\System32\\drivers\\etc",
    "C:\\Windows\\System32\\GroupPolicy\\Machine",
    "C:\\Windows\\System32\\GroupPolicy\\User",
    "C:\\Windows\\System32\\LogFiles",
    "C:\\Windows\\System32\\spool\\drivers",
    "C:\\Windows\\System32\\Tasks\\Microsoft\\Windows",
    "C:\\Windows\\System32\\wbem",
    "C:\\Windows\\System32\\WindowsPowerShell\\v1.0",
    "C:\\Windows\\System32\\winevt\\Logs",
    "C:\\Windows\\SysWOW64",
    "C:\\Windows\\Tasks",
    "C:\\Windows\\Temp",
    "C:\\Windows\\Web",
    "C:\\Windows\\WinSxS\\Temp",
)

_HOSTS = b"""# Copyright (c) 1993-2009 Microsoft Corp.\r
#\r
# This is a sample HOSTS file used by Microsoft TCP/IP for Windows.\r
#\r
# localhost name resolution is handled within DNS itself.\r
#\t127.0.0.1       localhost\r
#\t::1             localhost\r
"""
EMPTY_HIVE = b'regf{"": [], "Environment": []}'
"""A user's hive without values of interest, as `winlab.host.hives` keeps them."""

_WIN_INI = b"; for 16-bit app support\r\n[fonts]\r\n[extensions]\r\n[mci extensions]\r\n[files]\r\n"

_FILES: dict[str, bytes] = {
    **{f"C:\\Users\\{name}\\NTUSER.DAT": EMPTY_HIVE for name in ("Administrator", "Default")},
    "C:\\Windows\\System32\\drivers\\etc\\hosts": _HOSTS,
    "C:\\Windows\\System32\\drivers\\etc\\networks": b"loopback                 127\r\n",
    "C:\\Windows\\System32\\drivers\\etc\\protocol": b"ip       0     IP\r\ntcp      6     TCP\r\n",
    "C:\\Windows\\System32\\drivers\\etc\\services": b"http              80/tcp\r\n",
    "C:\\Windows\\win.ini": _WIN_INI,
    "C:\\Windows\\system.ini": b"; for 16-bit app support\r\n[386Enh]\r\n",
    "C:\\Windows\\WindowsUpdate.log": b"",
}

_PROGRAMS = [
    "appidtel",
    "arp",
    "attrib",
    "auditpol",
    "bcdedit",
    "bitsadmin",
    "cacls",
    "certreq",
    "certutil",
    "chcp",
    "chkdsk",
    "choice",
    "cipher",
    "cmd",
    "cmdkey",
    "comp",
    "compact",
    "conhost",
    "convert",
    "cscript",
    "curl",
    "defrag",
    "dfsrdiag",
    "diskpart",
    "dism",
    "doskey",
    "driverquery",
    "dsregcmd",
    "expand",
    "fc",
    "find",
    "findstr",
    "forfiles",
    "fsutil",
    "ftp",
    "gpresult",
    "gpupdate",
    "help",
    "hostname",
    "icacls",
    "ipconfig",
    "klist",
    "label",
    "lodctr",
    "logman",
    "logoff",
    "lsass",
    "makecab",
    "manage-bde",
    "mmc",
    "more",
    "mountvol",
    "msg",
    "msiexec",
    "mstsc",
    "nbtstat",
    "net",
    "net1",
    "netsh",
    "netstat",
    "nltest",
    "notepad",
    "nslookup",
    "openfiles",
    "pathping",
    "ping",
    "pnputil",
    "powercfg",
    "print",
    "qprocess",
    "query",
    "quser",
    "qwinsta",
    "rasdial",
    "recover",
    "reg",
    "regsvr32",
    "relog",
    "replace",
    "robocopy",
    "route",
    "rundll32",
    "runas",
    "rwinsta",
    "sc",
    "schtasks",
    "secedit",
    "services",
    "setspn",
    "setx",
    "sfc",
    "shutdown",
    "slmgr",
    "sort",
    "spoolsv",
    "subst",
    "svchost",
    "systeminfo",
    "takeown",
    "tar",
    "taskkill",
    "tasklist",
    "timeout",
    "tracerpt",
    "tracert",
    "tree",
    "tscon",
    "tsdiscon",
    "typeperf",
    "tzutil",
    "vssadmin",
    "w32tm",
    "waitfor",
    "wbadmin",
    "wecutil",
    "wevtutil",
    "where",
    "whoami",
    "winlogon",
    "winmgmt",
    "winrs",
    "wscript",
    "wusa",
    "xcopy",
]
SINCE_2019 = {"tar", "curl"}


def _folder(*, hidden: bool = False) -> Entry:
    attributes = Attributes.DIRECTORY
    if hidden:
        attributes |= Attributes.HIDDEN | Attributes.SYSTEM
    return Entry(
        content=None,
        attributes=attributes,
        created=INSTALLED,
        modified=INSTALLED,
        accessed=INSTALLED,
        owner=SYSTEM,
    )


def _file(content: bytes, *, size: int = -1, hidden: bool = False) -> Entry:
    attributes = Attributes.ARCHIVE
    if hidden:
        attributes |= Attributes.HIDDEN | Attributes.SYSTEM
    return Entry(
        content=content,
        attributes=attributes,
        created=SHIPPED,
        modified=SHIPPED,
        accessed=INSTALLED,
        owner=TRUSTED_INSTALLER,
        size=size,
    )


def base_files(release: OsRelease) -> Image[Entry]:
    """Return the files of a fresh C: drive; sizes of executables are stand-ins."""
    entries: list[tuple[str, Entry]] = [("C:", _folder(hidden=True))]
    entries += [(path, _folder()) for path in _FOLDERS]
    entries.append(("C:\\ProgramData", _folder(hidden=True)))
    entries.append(("C:\\System Volume Information", _folder(hidden=True)))
    entries += [(path, _file(content)) for path, content in _FILES.items()]
    entries.append(("C:\\pagefile.sys", _file(b"", size=1408 * 1024**2, hidden=True)))
    for name in _PROGRAMS:
        if name in SINCE_2019 and release.build < 17763:
            continue
        size = 20480 + 512 * (sum(name.encode()) % 700)
        entries.append((f"C:\\Windows\\System32\\{name}.exe", _file(b"MZ", size=size)))
    entries.append(("C:\\Windows\\explorer.exe", _file(b"MZ", size=4752384)))
    shell = "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe"
    entries.append((shell, _file(b"MZ", size=448000)))
    entries.append(("C:\\Windows\\System32\\wbem\\WMIC.exe", _file(b"MZ", size=517120)))
    return Image(entries, _folder)
