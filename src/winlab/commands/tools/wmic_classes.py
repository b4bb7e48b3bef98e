"""WMI classes as rows of text. Sources: the Win32_* class pages (Microsoft Learn)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

from winlab.commands.call import Call
from winlab.host.errors import WindowsError
from winlab.host.host import Host

Row: TypeAlias = "dict[str, str]"


def cim_time(host: Host, when: datetime) -> str:
    """Return a CIM datetime in the host's zone: yyyymmddhhmmss.ffffff+UUU (minutes)."""
    local = host.clock.local(when)
    return f"{local:%Y%m%d%H%M%S}.{local.microsecond:06d}{host.clock.zone.minutes:+04d}"


def _os(host: Host) -> list[Row]:
    hardware = host.hardware
    return [
        {
            "BootDevice": "\\Device\\HarddiskVolume1",
            "BuildNumber": str(host.os.build),
            "Caption": host.os.caption,
            "CodeSet": str(host.locale.ansi),
            "CountryCode": str(host.locale.country_code),
            "CSName": host.name,
            "CurrentTimeZone": str(host.clock.zone.minutes),
            "FreePhysicalMemory": str(hardware.free_memory_mb * 1024),
            "FreeVirtualMemory": str((hardware.free_memory_mb + hardware.pagefile_mb) * 1024),
            "InstallDate": "20250312101407.000000+480",
            "LastBootUpTime": cim_time(host, host.power.boot_time),
            "LocalDateTime": cim_time(host, host.now()),
            "Locale": f"{host.locale.lcid:04x}",
            "Name": f"{host.os.caption}|C:\\Windows|\\Device\\Harddisk0\\Partition4",
            "NumberOfProcesses": str(len(host.processes.all())),
            "OSArchitecture": host.text("64-bit", "64 位"),
            "OSLanguage": str(host.locale.lcid),
            "ProductType": "3",
            "ServicePackMajorVersion": "1" if host.os.build == 7601 else "0",
            "Status": "OK",
            "SystemDirectory": "C:\\Windows\\system32",
            "SystemDrive": "C:",
            "TotalVirtualMemorySize": str((hardware.memory_mb + hardware.pagefile_mb) * 1024),
            "TotalVisibleMemorySize": str(hardware.memory_mb * 1024),
            "Version": host.os.version,
            "WindowsDirectory": "C:\\Windows",
        }
    ]


def _disks(host: Host) -> list[Row]:
    rows = []
    for letter in sorted(host.files.drives):
        drive = host.files.drives[letter]
        local = drive.kind == 3
        rows.append(
            {
                "Caption": letter,
                "Description": host.text("Local Fixed Disk", "本地固定磁盘")
                if local
                else host.text("CD-ROM Disc", "CD-ROM 光盘"),
                "DeviceID": letter,
                "DriveType": str(drive.kind),
                "FileSystem": drive.filesystem if drive.size else "",
                "FreeSpace": str(host.files.free(letter)) if drive.size else "",
                "Name": letter,
                "Size": str(drive.size) if drive.size else "",
                "VolumeName": drive.label,
                "VolumeSerialNumber": f"{drive.serial:08X}",
            }
        )
    return rows


_MODES = {"auto": "Auto", "delayed": "Auto", "manual": "Manual", "disabled": "Disabled"}
_STATES = {"stopped": "Stopped", "started": "Running", "paused": "Paused"}


def _services(host: Host) -> list[Row]:
    names = {"NT AUTHORITY\\SYSTEM": "LocalSystem"}
    return [
        {
            "Caption": s.display_name,
            "Description": s.description,
            "DisplayName": s.display_name,
            "ExitCode": str(s.exit_code),
            "Name": s.name,
            "PathName": s.path,
            "ProcessId": str(s.process_id),
            "ServiceSpecificExitCode": str(s.service_exit_code),
            "ServiceType": "Share Process" if "share" in s.service_type else "Own Process",
            "Started": "TRUE" if s.state != "stopped" else "FALSE",
            "StartMode": _MODES.get(s.start_mode, "Manual"),
            "StartName": names.get(s.account or "", s.account or ""),
            "State": _STATES.get(s.state, "Unknown"),
            "Status": "OK",
            "SystemName": host.name,
        }
        for s in host.services.all(drivers=False)
    ]


def _computer(host: Host) -> list[Row]:
    hardware = host.hardware
    return [
        {
            "Domain": host.network.domain,
            "DomainRole": "2" if host.network.domain == "WORKGROUP" else "3",
            "Manufacturer": hardware.manufacturer,
            "Model": hardware.model,
            "Name": host.name,
            "NumberOfLogicalProcessors": str(hardware.sockets * hardware.cores),
            "NumberOfProcessors": str(hardware.sockets),
            "PartOfDomain": "FALSE" if host.network.domain == "WORKGROUP" else "TRUE",
            "SystemType": "x64-based PC",
            "TotalPhysicalMemory": str(hardware.memory_mb * 1024**2),
            "Workgroup": host.network.domain,
        }
    ]


def _bios(host: Host) -> list[Row]:
    hardware = host.hardware
    return [
        {
            "Manufacturer": hardware.bios_vendor,
            "Name": hardware.bios_version,
            "SerialNumber": hardware.serial,
            "SMBIOSBIOSVersion": hardware.bios_version,
            "Version": "INTEL  - 6040000",
        }
    ]


def _cpu(host: Host) -> list[Row]:
    hardware = host.hardware
    return [
        {
            "DeviceID": f"CPU{n}",
            "LoadPercentage": "3",
            "Manufacturer": hardware.cpu_vendor,
            "MaxClockSpeed": str(hardware.mhz),
            "Name": hardware.cpu,
            "NumberOfCores": str(hardware.cores),
            "NumberOfLogicalProcessors": str(hardware.cores),
        }
        for n in range(hardware.sockets)
    ]


def _processes(host: Host) -> list[Row]:
    return [
        {
            "Caption": p.name,
            "CommandLine": p.command_line,
            "Name": p.name,
            "ProcessId": str(p.pid),
            "SessionId": str(p.session),
            "WorkingSetSize": str(p.memory_kb * 1024),
        }
        for p in host.processes.all()
    ]


def _fixes(host: Host) -> list[Row]:
    """Win32_QuickFixEngineering; InstalledOn is m/d/yyyy whatever the language.

    assumed: updates that were there before the lab show no user.
    """
    return [
        {
            "Caption": f"http://support.microsoft.com/?kbid={number}",
            "CSName": host.name,
            "Description": "Security Update"
            if "Security Updates" in update.categories
            else "Update",
            "FixComments": "",
            "HotFixID": f"KB{number}",
            "InstalledBy": "NT AUTHORITY\\SYSTEM" if at else "",
            "InstalledOn": f"{at.month}/{at.day}/{at.year}" if at else "3/12/2025",
            "Status": "",
        }
        for update, at in host.updates.installed()
        for number in update.kb
    ]


def _users(host: Host) -> list[Row]:
    return [
        {
            "Caption": f"{host.name}\\{u.name}",
            "Description": u.description,
            "Disabled": "FALSE" if u.enabled else "TRUE",
            "Domain": host.name,
            "LocalAccount": "TRUE",
            "Lockout": "TRUE" if u.account_locked else "FALSE",
            "Name": u.name,
            "PasswordExpires": "FALSE" if u.password_never_expires else "TRUE",
            "SID": u.sid,
        }
        for u in host.accounts.users()
    ]


CLASSES: dict[str, Callable[[Host], list[Row]]] = {
    "bios": _bios,
    "computersystem": _computer,
    "cpu": _cpu,
    "logicaldisk": _disks,
    "os": _os,
    "process": _processes,
    "qfe": _fixes,
    "service": _services,
    "useraccount": _users,
    "win32_bios": _bios,
    "win32_computersystem": _computer,
    "win32_logicaldisk": _disks,
    "win32_operatingsystem": _os,
    "win32_process": _processes,
    "win32_processor": _cpu,
    "win32_quickfixengineering": _fixes,
    "win32_service": _services,
    "win32_useraccount": _users,
}


def _service_call(verb: str) -> Callable[[Call, Host, list[Row]], int]:
    """Return StartService or StopService; ReturnValue 0 done, 10 running already, 5 not stoppable.

    Source: "StartService method of the Win32_Service class" (Microsoft Learn).
    """

    def run(call: Call, host: Host, rows: list[Row]) -> int:
        for row in rows:
            code = 0
            try:
                if verb == "start":
                    host.services.start(row["Name"])
                else:
                    host.services.stop(row["Name"])
            except WindowsError as exc:
                code = {1056: 10, 1062: 5, 1051: 3, 1058: 14}.get(exc.code, 8)
            call.line(f'Executing (Win32_Service.Name="{row["Name"]}")->{verb.title()}Service()')
            call.line("Method execution successful.")
            call.line("Out Parameters:")
            call.line("instance of __PARAMETERS")
            call.line("{")
            call.line(f"\tReturnValue = {code};")
            call.line("};")
        return 0

    return run


WRITABLE: dict[tuple[str, str], Callable[[Call, Host, list[Row]], int]] = {
    ("service", "startservice"): _service_call("start"),
    ("service", "stopservice"): _service_call("stop"),
}
