"""Generated logs for benchmarks: large, unique, the same bytes for the same arguments.

Unique means that command lines, process ids, ports, times and record ids differ from record to
record, as they do in real logs; only names of programs, users and hosts come from small sets.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from winlab.host.events import EventRecord, Hex, named_items
from winlab.host.evtx_writer import evtx_bytes

_START = datetime(2026, 1, 5, tzinfo=UTC)
_PROGRAMS = [
    *("svchost.exe", "w3wp.exe", "conhost.exe", "taskhostw.exe", "MsMpEng.exe", "cmd.exe"),
    *(
        "powershell.exe",
        "explorer.exe",
        "chrome.exe",
        "sqlservr.exe",
        "wmiprvse.exe",
        "dllhost.exe",
    ),
]
_USERS = [f"user{number:03d}" for number in range(200)]
_CHUNK_RECORDS = 20_000


def windows_records(count: int, seed: int = 1, first: int = 1) -> Iterator[EventRecord]:
    """``count`` records, numbered from ``first``.

    Half are process creations (Sysmon 1), most others logons (4624, 4625), some services (7036, 7045).
    """
    source = random.Random(seed)  # noqa: S311 - test data, no secret
    moment = _START + timedelta(milliseconds=450 * first)
    for number in range(first, first + count):
        moment += timedelta(milliseconds=source.randrange(1, 900))
        kind = source.random()
        if kind < 0.5:
            yield _process(source, number, moment)
        elif kind < 0.9:
            yield _logon(source, number, moment)
        else:
            yield _service(source, number, moment)


def _record(
    number: int, moment: datetime, provider: str, event: int, channel: str, **data: object
) -> EventRecord:
    return EventRecord(
        record_id=number,
        time_created=moment,
        provider=provider,
        event_id=event,
        level=4,
        channel=channel,
        computer=f"SRV{number % 22:02d}.exam.example",
        process_id=number % 9000,
        thread_id=number % 7000,
        data=named_items(data),  # type: ignore[arg-type]
    )


def _process(source: random.Random, number: int, moment: datetime) -> EventRecord:
    program, parent = source.choice(_PROGRAMS), source.choice(_PROGRAMS)
    token = f"{source.getrandbits(64):016x}"
    return _record(
        number,
        moment,
        "Microsoft-Windows-Sysmon",
        1,
        "Microsoft-Windows-Sysmon/Operational",
        UtcTime=moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
        ProcessGuid=f"{{365abb72-{token[:4]}-{token[4:8]}-0000-0010{token[8:]}}}",
        ProcessId=source.randrange(400, 90_000),
        Image=f"C:\\Windows\\System32\\{program}",
        FileVersion="10.0.17763.1 (WinBuild.160101.0800)",
        Description=f"Host Process {program}",
        Product="Microsoft Windows Operating System",
        CommandLine=f'"C:\\Windows\\System32\\{program}" -k {token} -p {number} /run:{token[::-1]}',
        CurrentDirectory=f"C:\\Users\\{source.choice(_USERS)}\\AppData\\Local\\Temp\\{token[:6]}\\",
        User=f"EXAM\\{source.choice(_USERS)}",
        LogonId=Hex(source.getrandbits(24)),
        TerminalSessionId=source.randrange(3),
        IntegrityLevel=source.choice(["Medium", "High", "System"]),
        Hashes=f"SHA1={source.getrandbits(160):040X},MD5={source.getrandbits(128):032X}",
        ParentProcessId=source.randrange(400, 90_000),
        ParentImage=f"C:\\Windows\\System32\\{parent}",
        ParentCommandLine=f"C:\\Windows\\System32\\{parent} -s {token[4:10]}",
    )


def _logon(source: random.Random, number: int, moment: datetime) -> EventRecord:
    failed = source.random() < 0.1
    user = source.choice(_USERS)
    return _record(
        number,
        moment,
        "Microsoft-Windows-Security-Auditing",
        4625 if failed else 4624,
        "Security",
        SubjectUserSid="S-1-0-0",
        SubjectUserName="-",
        SubjectDomainName="-",
        SubjectLogonId=Hex(0),
        TargetUserSid=f"S-1-5-21-1-2-3-{1000 + source.randrange(200)}",
        TargetUserName=user,
        TargetDomainName="EXAM",
        TargetLogonId=Hex(source.getrandbits(32)),
        LogonType=source.choice([2, 3, 3, 3, 5, 10]),
        LogonProcessName="NtLmSsp ",
        AuthenticationPackageName="NTLM",
        WorkstationName=f"WS{source.randrange(2000):04d}",
        LogonGuid=f"{{00000000-0000-0000-0000-{source.getrandbits(48):012x}}}",
        ProcessName="-",
        IpAddress=f"10.{source.randrange(4)}.{source.randrange(250)}.{source.randrange(250)}",
        IpPort=str(source.randrange(1024, 65_535)),
    )


def _service(source: random.Random, number: int, moment: datetime) -> EventRecord:
    if source.random() < 0.02:
        return _record(
            number,
            moment,
            "Service Control Manager",
            7045,
            "System",
            ServiceName=f"svc{source.getrandbits(32):08x}",
            ImagePath=f"C:\\Program Files\\Agent\\a{source.getrandbits(32):08x}.exe",
            ServiceType="user mode service",
            StartType="auto start",
            AccountName="LocalSystem",
        )
    return _record(
        number,
        moment,
        "Service Control Manager",
        7036,
        "System",
        param1=f"Service {source.randrange(90)}",
        param2=source.choice(["running", "stopped"]),
    )


def write_windows(path: Path, megabytes: int, seed: int = 1) -> int:
    """An EVTX file of about ``megabytes`` (10^6 bytes) of unique records; returns its records.

    The lab's writer makes whole files, so parts are made one by one and their chunks joined behind
    one header: chunks stand alone in this format.
    """
    records, size = 0, 0
    while size < megabytes * 1_000_000:
        part = evtx_bytes(windows_records(_CHUNK_RECORDS, seed + records, records + 1))
        with path.open("ab" if records else "wb") as file:
            file.write(part[4096:] if records else part)
        size += len(part) - 4096
        records += _CHUNK_RECORDS
    return records
