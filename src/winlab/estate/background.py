"""What an ordinary host logs on ordinary days: event records, made from a seed and a start time.

Providers, ids and data names are those of Windows Server; which services change state and who logs
on is invented. Equal seeds, hosts and start times give equal records.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from winlab.host.events import (
    ERROR,
    INFORMATION,
    KEYWORD_AUDIT_SUCCESS,
    KEYWORD_CLASSIC,
    WARNING,
    EventRecord,
    Hex,
    named,
    unnamed,
)

SCM = "Service Control Manager"
SCM_GUID = "{555908d1-a6d7-4695-8e1e-26931d2012f4}"
AUDIT = "Microsoft-Windows-Security-Auditing"
AUDIT_GUID = "{54849625-5478-4994-a5ba-3e3b0328c30d}"
SYSTEM_SID = "S-1-5-18"

_SERVICES = (
    ("Windows Update", "Windows 更新"),
    ("Background Intelligent Transfer Service", "Background Intelligent Transfer Service"),
    ("WinHTTP Web Proxy Auto-Discovery Service", "WinHTTP Web Proxy Auto-Discovery Service"),
    ("Windows Modules Installer", "Windows Modules Installer"),
    ("Software Protection", "Software Protection"),
    ("Application Experience", "Application Experience"),
)
_STATES = {"en-US": ("running", "stopped"), "zh-CN": ("正在运行", "停止")}


def audit_event(event_id: int, at: datetime, **fields: Any) -> EventRecord:
    """Return a Security event; the caller gives channel-independent fields and data."""
    given: dict[str, Any] = {
        "keywords": KEYWORD_AUDIT_SUCCESS,
        "level": 0,
        "process_id": 664,
        "thread_id": 708,
        "provider_guid": AUDIT_GUID,
        "computer": "",
    }
    return EventRecord(
        record_id=0,
        time_created=at,
        provider=AUDIT,
        event_id=event_id,
        channel="Security",
        **(given | fields),
    )


def background(
    name: str, locale: str, per_hour: int, start: datetime, hours: int, seed: str
) -> list[EventRecord]:
    """Return ``per_hour`` records for each of the ``hours`` before ``start``, oldest first.

    ``name`` is the computer name; record ids are 0 until a log takes them.
    """
    source = random.Random(f"{seed}/{name}/events")  # noqa: S311 - makes test data
    total = per_hour * hours
    moments = sorted(source.uniform(0, hours * 3600) for _ in range(total))
    begin = start - timedelta(hours=hours)
    records: list[EventRecord] = []
    for moment in moments:
        at = begin + timedelta(seconds=moment)
        records += _pick(source, name, locale, at)
    return records


def _pick(source: random.Random, name: str, locale: str, at: datetime) -> Iterator[EventRecord]:
    kinds = (_logon, _service_state, _privileges, _licence, _dcom, _time, _schannel)
    make = source.choices(kinds, weights=(46, 22, 16, 6, 5, 4, 1))[0]
    yield from make(source, name, locale, at)


_system = partial(EventRecord, record_id=0, channel="System")


def _service_state(
    source: random.Random, name: str, locale: str, at: datetime
) -> Iterator[EventRecord]:
    service = source.choice(_SERVICES)[1 if locale == "zh-CN" else 0]
    yield _system(
        time_created=at,
        provider=SCM,
        provider_guid=SCM_GUID,
        event_source_name="Service Control Manager",
        event_id=7036,
        qualifiers=16384,
        computer=name,
        process_id=648,
        thread_id=source.randrange(700, 9000, 4),
        keywords=0x8080000000000000,
        data=named(param1=service, param2=source.choice(_STATES[locale])),
    )


def _logon(source: random.Random, name: str, locale: str, at: datetime) -> Iterator[EventRecord]:
    del locale
    logon = source.randrange(0x10000, 0xFFFFFF)
    user, sid, kind = source.choice(
        (
            ("SYSTEM", SYSTEM_SID, 5),
            ("SYSTEM", SYSTEM_SID, 5),
            ("NETWORK SERVICE", "S-1-5-20", 5),
            ("Administrator", "S-1-5-21-1004336348-1177238915-682003330-500", 3),
        )
    )
    remote = f"10.20.0.{source.randint(2, 60)}" if kind == 3 else "-"
    yield audit_event(
        4624,
        at,
        computer=name,
        task=12544,
        version=2,
        data=named(
            SubjectUserSid=SYSTEM_SID if kind == 5 else "S-1-0-0",
            SubjectUserName=f"{name}$" if kind == 5 else "-",
            SubjectDomainName="WORKGROUP" if kind == 5 else "-",
            SubjectLogonId=Hex(0x3E7 if kind == 5 else 0),
            TargetUserSid=sid,
            TargetUserName=user,
            TargetDomainName="NT AUTHORITY" if kind == 5 else name,
            TargetLogonId=Hex(0x3E7 if user == "SYSTEM" else logon),
            LogonType=kind,
            LogonProcessName="Advapi  " if kind == 5 else "NtLmSsp ",
            AuthenticationPackageName="Negotiate" if kind == 5 else "NTLM",
            WorkstationName="-",
            LogonGuid="{00000000-0000-0000-0000-000000000000}",
            TransmittedServices="-",
            LmPackageName="-" if kind == 5 else "NTLM V2",
            KeyLength=0 if kind == 5 else 128,
            ProcessId=Hex(0x288 if kind == 5 else 0),
            ProcessName="C:\\Windows\\System32\\services.exe" if kind == 5 else "-",
            IpAddress=remote,
            IpPort=str(source.randint(49152, 65535)) if kind == 3 else "-",
            ImpersonationLevel="%%1833",
        ),
    )
    if kind == 3:
        yield audit_event(
            4634,
            at + timedelta(milliseconds=source.randint(20, 900)),
            computer=name,
            task=12545,
            data=named(
                TargetUserSid=sid,
                TargetUserName=user,
                TargetDomainName=name,
                TargetLogonId=Hex(logon),
                LogonType=kind,
            ),
        )


def _privileges(
    source: random.Random, name: str, locale: str, at: datetime
) -> Iterator[EventRecord]:
    del source, locale
    yield audit_event(
        4672,
        at,
        computer=name,
        task=12548,
        data=named(
            SubjectUserSid=SYSTEM_SID,
            SubjectUserName="SYSTEM",
            SubjectDomainName="NT AUTHORITY",
            SubjectLogonId=Hex(0x3E7),
            PrivilegeList="SeAssignPrimaryTokenPrivilege\n\t\t\tSeTcbPrivilege\n\t\t\t"
            "SeSecurityPrivilege\n\t\t\tSeBackupPrivilege\n\t\t\tSeRestorePrivilege",
        ),
    )


def _licence(source: random.Random, name: str, locale: str, at: datetime) -> Iterator[EventRecord]:
    del locale
    yield EventRecord(
        record_id=0,
        time_created=at,
        provider="Microsoft-Windows-Security-SPP",
        provider_guid="{E23B33B0-C8C9-472C-A5F9-F2BDFEA0F156}",
        event_source_name="Software Protection Platform Service",
        event_id=16384,
        qualifiers=16384,
        channel="Application",
        computer=name,
        level=INFORMATION,
        keywords=KEYWORD_CLASSIC,
        process_id=0,
        thread_id=0,
        data=unnamed(
            f"{at + timedelta(days=source.randint(3, 7)):%Y-%m-%dT%H:%M:%SZ}", "RulesEngine"
        ),
    )


def _dcom(source: random.Random, name: str, locale: str, at: datetime) -> Iterator[EventRecord]:
    local = {
        "zh-CN": ("应用程序-特定", "本地", "激活"),
        "en-US": ("application-specific", "Local", "Activation"),
    }
    scope, where, right = local[locale]
    yield _system(
        time_created=at,
        provider="Microsoft-Windows-DistributedCOM",
        provider_guid="{1B562E86-B7AA-4131-BADC-B6F3A001407E}",
        event_source_name="DCOM",
        event_id=10016,
        qualifiers=0,
        computer=name,
        level=WARNING,
        keywords=0x8080000000000000,
        process_id=892,
        thread_id=source.randrange(900, 9000, 4),
        user_sid="S-1-5-19",
        data=named(
            param1=scope,
            param2=where,
            param3=right,
            param4="{6B3B8D23-FA8D-40B9-8DBD-B950333E2C52}",
            param5="{4839DDB7-58C2-48F5-8283-E1D1807D0D7D}",
            param6="NT AUTHORITY",
            param7="LOCAL SERVICE",
            param8="S-1-5-19",
            param9="LocalHost (Using LRPC)",
        ),
    )


def _time(source: random.Random, name: str, locale: str, at: datetime) -> Iterator[EventRecord]:
    del locale
    yield _system(
        time_created=at,
        provider="Microsoft-Windows-Time-Service",
        provider_guid="{06EDCFEB-0FD1-4E53-ACCA-A6F8BBF81BCB}",
        event_id=37,
        computer=name,
        keywords=0x8000000000000000,
        process_id=1080,
        thread_id=source.randrange(1100, 9000, 4),
        user_sid="S-1-5-19",
        data=named(TimeSource="10.20.0.2,0x8 (ntp.m|0x8|0.0.0.0:123->10.20.0.2:123)"),
    )


def _schannel(source: random.Random, name: str, locale: str, at: datetime) -> Iterator[EventRecord]:
    del locale
    yield _system(
        time_created=at,
        provider="Schannel",
        provider_guid="{1F678132-5938-4686-9FDC-C8FF68F15C85}",
        event_id=36874,
        computer=name,
        level=ERROR,
        keywords=0x8000000000000000,
        process_id=664,
        thread_id=source.randrange(700, 9000, 4),
        user_sid=SYSTEM_SID,
        data=named(Protocol=f"TLS 1.{source.randint(0, 1)}"),
    )
