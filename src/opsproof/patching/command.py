"""The one cmd.exe line that reads a host before and after patching.

Its steps are marked as those of an inspection (:mod:`opsproof.inspection.command`). Places of a
pending restart: Component Based Servicing and Windows Update (Microsoft, "Determine pending
reboot"), PendingFileRenameOperations, older update packages (UpdateExeVolatile), a setup that asks
for it (DVDRebootSignal), a computer name that waits, a domain join, Server Manager, and what the
Configuration Manager client says itself (Microsoft, "DetermineIfRebootPending Method in Class
CCM_ClientUtilities").
"""

from __future__ import annotations

from datetime import datetime

from opsproof.inspection.command import LAST, MARKER, asked, step

_CURRENT = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion"
_CONTROL = r"HKLM\SYSTEM\CurrentControlSet\Control"
_NETLOGON = r"HKLM\SYSTEM\CurrentControlSet\Services\Netlogon"

PENDING_KEYS = {
    "component-servicing": rf"{_CURRENT}\Component Based Servicing\RebootPending",
    "component-servicing-running": rf"{_CURRENT}\Component Based Servicing\RebootInProgress",
    "component-servicing-packages": rf"{_CURRENT}\Component Based Servicing\PackagesPending",
    "windows-update": rf"{_CURRENT}\WindowsUpdate\Auto Update\RebootRequired",
    "windows-update-report": rf"{_CURRENT}\WindowsUpdate\Auto Update\PostRebootReporting",
    "server-manager": r"HKLM\SOFTWARE\Microsoft\ServerManager\CurrentRebootAttempts",
}
"""Keys whose being there means that a restart is due."""

PENDING_VALUES = {
    "file-rename": (rf"{_CONTROL}\Session Manager", "PendingFileRenameOperations"),
    "file-rename-2": (rf"{_CONTROL}\Session Manager", "PendingFileRenameOperations2"),
    "domain-join": (_NETLOGON, "JoinDomain"),
    "domain-password": (_NETLOGON, "AvoidSpnSet"),
    "setup": (rf"{_CURRENT}\RunOnce", "DVDRebootSignal"),
}
"""Values (key, name) that mean the same."""

UPDATE_EXE = (r"HKLM\SOFTWARE\Microsoft\Updates", "UpdateExeVolatile")
"""A value that means it when it is not 0."""

UPDATE_SERVICES = rf"{_CURRENT}\WindowsUpdate\Services\Pending"
"""A key that means it when it has a key below."""

_CLIENT = r"\\root\ccm\clientsdk"

EVENTS = 40
"""How many of the newest results of the Windows Update client are read."""


def snapshot_command(*, asked_at: datetime, since: datetime) -> str:
    """One line for ``cmd.exe /c``; results of the update client count from ``since`` on (UTC).

    ``asked_at``, now on the controller, comes back in the answer.
    """
    appcmd = r"%windir%\System32\inetsrv\appcmd.exe"
    policy = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate"
    stamp = since.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    query = (
        "*[System[Provider[@Name='Microsoft-Windows-WindowsUpdateClient'] and (EventID=19 or "
        f"EventID=20) and TimeCreated[@SystemTime>='{stamp}']]]"
    )
    names = f"{_CONTROL}\\ComputerName"
    steps = [
        asked(asked_at),
        # wmic reads its standard input and waits for ever where nothing closes it.
        step("os", "wmic os get BuildNumber,LastBootUpTime,LocalDateTime /format:csv <nul"),
        step(
            "disks",
            "wmic logicaldisk where DriveType=3 get DeviceID,FileSystem,FreeSpace,Size /format:csv <nul",
        ),
        # No display names: wmic quotes nothing, and a comma in one would shift the columns.
        step("services", "wmic service get Name,StartMode,State /format:csv <nul"),
        step("fixes", "wmic qfe get HotFixID /format:csv <nul"),
        step("packages", "dism /online /english /get-packages /format:table"),
        f"(if exist {appcmd} ({step('sites', f'{appcmd} list site /xml')} & "
        f"{step('pools', f'{appcmd} list apppool /xml')}) else echo {MARKER}absent iis)",
        step("connections", "netstat -ano"),
        step("policy", f'reg query "{policy}" /s 2>nul'),
        *(
            step(f"pending {name}", f'reg query "{key}" 2>nul')
            for name, key in PENDING_KEYS.items()
        ),
        *(
            step(f"pending {name}", f'reg query "{key}" /v {value} 2>nul')
            for name, (key, value) in PENDING_VALUES.items()
        ),
        step("update-exe", f'reg query "{UPDATE_EXE[0]}" /v {UPDATE_EXE[1]} 2>nul'),
        step("update-services", f'reg query "{UPDATE_SERVICES}" 2>nul'),
        # Without the client there is no such namespace, and wmic fails; its service tells which.
        step(
            "client",
            f"wmic /namespace:{_CLIENT} path CCM_ClientUtilities "
            "call DetermineIfRebootPending <nul 2>nul",
        ),
        step("name", f'reg query "{names}\\ComputerName" /v ComputerName'),
        step("active-name", f'reg query "{names}\\ActiveComputerName" /v ComputerName'),
        step("events", f'wevtutil qe System /q:"{query}" /rd:true /c:{EVENTS} /f:xml'),
        LAST,
    ]
    return " & ".join(steps)
