"""Machine environment variables and the ports a fresh server listens on."""

from __future__ import annotations

from winlab.host.network import Listener
from winlab.host.release import OsRelease


def base_environment(release: OsRelease) -> dict[str, str]:
    """Return the variables every process of the machine sees."""
    modules = "C:\\Program Files\\WindowsPowerShell\\Modules;"
    return {
        "ALLUSERSPROFILE": "C:\\ProgramData",
        "CommonProgramFiles": "C:\\Program Files\\Common Files",
        "CommonProgramFiles(x86)": "C:\\Program Files (x86)\\Common Files",
        "CommonProgramW6432": "C:\\Program Files\\Common Files",
        "ComSpec": "C:\\Windows\\system32\\cmd.exe",
        **(
            {"DriverData": "C:\\Windows\\System32\\Drivers\\DriverData"}
            if release.build >= 17763
            else {}
        ),
        "NUMBER_OF_PROCESSORS": "4",
        "OS": "Windows_NT",
        "Path": "C:\\Windows\\system32;C:\\Windows;C:\\Windows\\System32\\Wbem;"
        "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\;C:\\Windows\\System32\\OpenSSH\\",
        "PATHEXT": ".COM;.EXE;.BAT;.CMD;.VBS;.VBE;.JS;.JSE;.WSF;.WSH;.MSC",
        "PROCESSOR_ARCHITECTURE": "AMD64",
        "PROCESSOR_IDENTIFIER": "Intel64 Family 6 Model 85 Stepping 7, GenuineIntel",
        "PROCESSOR_LEVEL": "6",
        "PROCESSOR_REVISION": "5507",
        "ProgramData": "C:\\ProgramData",
        "ProgramFiles": "C:\\Program Files",
        "ProgramFiles(x86)": "C:\\Program Files (x86)",
        "ProgramW6432": "C:\\Program Files",
        "PSModulePath": modules + "C:\\Windows\\system32\\WindowsPowerShell\\v1.0\\Modules",
        "PUBLIC": "C:\\Users\\Public",
        "SystemDrive": "C:",
        "SystemRoot": "C:\\Windows",
        "windir": "C:\\Windows",
    }


def base_listeners(release: OsRelease) -> tuple[Listener, ...]:
    """Return the ports of a fresh server; dynamic RPC ports are those of a first boot."""
    dynamic = 49664 if release.build >= 14393 else 49152
    return (
        Listener(port=135, service="RpcSs"),
        Listener(port=445, process_id=4, service="LanmanServer"),
        Listener(port=5985, process_id=4, service="WinRM"),
        Listener(port=5986, process_id=4, service="WinRM"),
        Listener(port=47001, process_id=4, service="WinRM"),
        Listener(port=3389, service="TermService"),
        Listener(port=dynamic, process_id=624),
        Listener(port=dynamic + 1, process_id=492),
        Listener(port=dynamic + 2, service="EventLog"),
        Listener(port=dynamic + 3, service="Schedule"),
        Listener(port=dynamic + 4, service="Spooler"),
        Listener(port=dynamic + 6, process_id=604),
        Listener(port=123, protocol="UDP", service="W32Time"),
        Listener(port=500, protocol="UDP", service="IKEEXT"),
        Listener(port=3389, protocol="UDP", service="TermService"),
        Listener(port=4500, protocol="UDP", service="IKEEXT"),
        Listener(port=5353, protocol="UDP", service="Dnscache"),
        Listener(port=5355, protocol="UDP", service="Dnscache"),
    )
