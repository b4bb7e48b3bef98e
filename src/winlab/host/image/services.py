"""Base services of a release and language, built from the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from winlab.host.ids import stable_number
from winlab.host.image.service_table import (
    DRIVERS,
    IIS_SERVICES,
    SERVICES,
    SINCE_2012,
    SINCE_2016,
)
from winlab.host.release import Locale, OsRelease
from winlab.host.services import Service, StartMode, Trigger

_ACCOUNTS = {
    "S": "NT AUTHORITY\\SYSTEM",
    "L": "NT AUTHORITY\\LOCAL SERVICE",
    "N": "NT AUTHORITY\\NETWORK SERVICE",
}
_MODES: dict[str, StartMode] = {"a": "auto", "d": "delayed", "m": "manual", "x": "disabled"}
_OWN_PROCESS = {"WdNisSvc", "WinDefend", "Sense", "SecurityHealthService"}
_NO_STOP = {
    "BrokerInfrastructure",
    "CoreMessagingRegistrar",
    "DcomLaunch",
    "gpsvc",
    "LSM",
    "mpssvc",
}
_NO_STOP |= {"RpcEptMapper", "RpcSs", "SamSs", "Schedule", "SystemEventsBroker", "WinDefend"}
_NETWORK_TRIGGERS = {"Dnscache", "IKEEXT", "iphlpsvc", "LanmanServer", "PolicyAgent", "lmhosts"}
_NETWORK_TRIGGERS |= {"fdPHost", "FDResPub", "Wcmsvc"}


def _display(english: str, chinese: str, locale: Locale) -> str:
    return chinese if locale.chinese and chinese != "=" else english


def _trigger(name: str) -> Trigger:
    if name == "W32Time":
        return Trigger(
            type="domain_join",
            sub_type="domain_join",
            sub_type_guid="1ce20aba-9851-4421-9430-1ddeb766e809",
        )
    if name in _NETWORK_TRIGGERS:
        return Trigger(
            type="ip_address_availability",
            sub_type="first_ip_address_arrival",
            sub_type_guid="4f27f2de-14e2-430b-a549-7cd48cbc8245",
        )
    if name == "gpsvc":
        return Trigger(
            type="group_policy",
            sub_type="machine_policy_present",
            sub_type_guid="659fcae6-5bdb-4da9-b1ff-ca2a178d46e0",
        )
    return Trigger(
        type="network_endpoint",
        sub_type="rpc_interface_event",
        sub_type_guid="bc90d167-9470-4139-a9ba-be0bbbf5b74d",
    )


def _path(host: str) -> tuple[str, str]:
    """Return (command line, service type) of a table entry's host."""
    if "\\" in host:
        path = host.replace("%SR%", "C:\\Windows").replace("%ProgramFiles%", "C:\\Program Files")
        shared = "lsass.exe" in path
        return path, "win32_share_process" if shared else "win32_own_process"
    return f"C:\\Windows\\system32\\svchost.exe -k {host} -p", "win32_share_process"


def _pid(name: str, path: str) -> int:
    if "lsass.exe" in path:
        return 624
    if "-k DcomLaunch" in path:
        return 728
    if "-k rpcss" in path or "-k RPCSS" in path:
        return 852
    return 1000 + 4 * stable_number(name + path, 1500)


def _applies(first: str, build: int) -> bool:
    low, _, high = first.partition("-")
    return (not low or build >= int(low)) and (not high or build <= int(high))


def _service(line: str, locale: Locale) -> Service:
    name, english, chinese, start, state, account, host, needs, _ = line.split("|")
    path, kind = _path(host)
    running = state == "r"
    return Service(
        name=name,
        display_name=_display(english, chinese, locale),
        start_mode=_MODES[start[0]],
        state="started" if running else "stopped",
        account=_ACCOUNTS[account],
        path=path,
        service_type=kind,
        dependencies=tuple(n for n in needs.split(",") if n),
        triggers=(_trigger(name),) if start.endswith("t") else (),
        process_id=_pid(name, path) if running else 0,
        exit_code=0 if running else 1077,
        controls_accepted=() if name in _NO_STOP else ("stop", "shutdown"),
        sid_info="unrestricted" if kind == "win32_share_process" else "none",
    )


def iis_services(locale: Locale) -> list[Service]:
    """Return the services that the web server role adds, as set up."""
    return [_service(line, locale) for line in IIS_SERVICES.strip().splitlines()]


def base_services(release: OsRelease, locale: Locale) -> Mapping[str, Service]:
    """Return every service and driver of a fresh server by lower-case name."""
    later = {
        *(SINCE_2016.split() if release.build < 14393 else ()),
        *(SINCE_2012.split() if release.build < 9200 else ()),
    }
    found: dict[str, Service] = {}
    for line in SERVICES.strip().splitlines():
        if _applies(line.rpartition("|")[2], release.build):
            service = _service(line, locale)
            if service.name in later:
                continue
            found[service.name.lower()] = service
    for line in DRIVERS.strip().splitlines():
        name, english, chinese, start = line.split("|")
        mode: StartMode = "boot" if start == "boot" else "system" if start == "system" else "manual"
        found[name.lower()] = Service(
            name=name,
            display_name=_display(english, chinese, locale),
            start_mode=mode,
            state="started",
            account=None,
            path=f"\\SystemRoot\\System32\\drivers\\{name.lower()}.sys",
            service_type="kernel_driver",
            controls_accepted=("stop",),
        )
    if release.managed:
        return found
    return {
        key: replace(s, dependencies=tuple(d for d in s.dependencies if d.lower() in found))
        for key, s in found.items()
    }
