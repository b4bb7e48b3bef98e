"""Generated logs for benchmarks: large, unique, the same bytes for the same arguments.

Unique means that command lines, process ids, ports, times and record ids differ from record to
record, as they do in real logs; only names of programs, users and hosts come from small sets.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
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
_KINDS = 2_000


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


def repetitive_records(count: int, seed: int = 1, first: int = 1) -> Iterator[EventRecord]:
    """``count`` records as a chatty service writes them: two thousand events again and again.

    Each has a time, a record id, a process and a thread of its own.
    """
    source = random.Random(seed + first)  # noqa: S311 - test data, no secret
    kinds = list(windows_records(_KINDS, seed))
    moment = _START + timedelta(milliseconds=450 * first)
    for number in range(first, first + count):
        moment += timedelta(milliseconds=source.randrange(1, 900))
        yield replace(
            source.choice(kinds),
            record_id=number,
            time_created=moment,
            process_id=source.randrange(4, 9000),
            thread_id=source.randrange(4, 9000),
        )


def write_windows(path: Path, megabytes: int, seed: int = 1) -> int:
    """An EVTX file of about ``megabytes`` (10^6 bytes) of unique records; returns its records."""
    return _write(
        path, megabytes, lambda first: windows_records(_CHUNK_RECORDS, seed + first, first)
    )


def write_repetitive(path: Path, megabytes: int) -> int:
    """An EVTX file of about ``megabytes`` of :func:`repetitive_records`; returns their number."""
    return _write(path, megabytes, lambda first: repetitive_records(_CHUNK_RECORDS, 1, first))


def _write(path: Path, megabytes: int, records_from: Callable[[int], Iterator[EventRecord]]) -> int:
    """The lab's writer makes whole files, so parts are made one by one and their chunks joined
    behind one header: chunks stand alone in this format.
    """
    records, size = 0, 0
    while size < megabytes * 1_000_000:
        part = evtx_bytes(records_from(records + 1))
        with path.open("ab" if records else "wb") as file:
            file.write(part[4096:] if records else part)
        size += len(part) - 4096
        records += _CHUNK_RECORDS
    return records


_FIELDS = (
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) "
    "cs(Referer) sc-status sc-substatus sc-win32-status time-taken"
)
_AGENTS = [
    f"Mozilla/5.0+(Windows+NT+10.0;+Win64;+x64)+AppleWebKit/537.36+(KHTML,+like+Gecko)+Chrome/{version}.0"
    for version in range(90, 131)
]


def write_web(path: Path, megabytes: int, seed: int = 1) -> int:
    """A W3C log of about ``megabytes`` (10^6 bytes) with the 15 fields of IIS 10; returns its lines.

    Every tenth query and most times are new; paths, clients and agents come from sets as large as a
    busy site has. One request in a thousand is an attack; directives stand every 50,000 lines.
    """
    source = random.Random(seed)  # noqa: S311 - test data, no secret
    paths = [f"/app{number % 40}/page{number}.aspx" for number in range(3000)]
    clients = [f"10.{a}.{b}.{c}" for a in range(4) for b in range(25) for c in range(1, 40)]
    moment, size, lines = _START, 0, 0
    with path.open("wb") as file:
        while size < megabytes * 1_000_000:
            part = []
            if lines % 50_000 == 0:
                stamp = moment.strftime("%Y-%m-%d %H:%M:%S")
                part = [
                    "#Software: Microsoft Internet Information Services 10.0",
                    "#Version: 1.0",
                    f"#Date: {stamp}",
                    f"#Fields: {_FIELDS}",
                ]
            for _ in range(1000):
                moment += timedelta(milliseconds=source.randrange(0, 60))
                part.append(_request(source, moment, paths, clients))
            text = "\r\n".join(part).encode() + b"\r\n"
            file.write(text)
            size += len(text)
            lines += 1000
    return lines


def write_scan(path: Path, megabytes: int) -> int:
    """A W3C log in which every line has a path, a query, a client, an agent, a referrer and a time
    taken of its own, and nothing was found: 20 lines a second. Returns its lines.
    """
    size = lines = 0
    with path.open("wb") as file:
        size += file.write(f"#Fields: {_FIELDS}\r\n".encode())
        while size < megabytes * 1_000_000:
            part = []
            for number in range(lines, lines + 20_000):
                moment = _START + timedelta(seconds=number // 20)
                part.append(
                    f"{moment:%Y-%m-%d %H:%M:%S} 10.0.0.5 GET /{number:x}.php id={number} 443 - "
                    f"2001:db8::{number >> 16:x}:{number & 0xFFFF:x} agent/{number:x} "
                    f"https://{number:x}.example/ 404 0 2 {number}\r\n"
                )
            lines += 20_000
            size += file.write("".join(part).encode())
    return lines


def _request(source: random.Random, moment: datetime, paths: list[str], clients: list[str]) -> str:
    draw = source.random()
    path, query, status = source.choice(paths), "-", "200 0 0"
    if draw < 0.001:
        query, status = f"id=1%27%20UNION%20SELECT%20{source.randrange(9999)}--", "500 0 0"
    elif draw < 0.1:
        query = f"id={source.randrange(10**9)}&view=full"
    elif draw < 0.15:
        path, status = f"/img/{source.randrange(500)}.gif", "404 0 2"
    elif draw < 0.2:
        status = "302 0 0"
    return (
        f"{moment:%Y-%m-%d %H:%M:%S} 10.0.0.5 {'POST' if draw > 0.9 else 'GET'} {path} {query} 443 - "
        f"{source.choice(clients)} {source.choice(_AGENTS)} https://portal.exam.example/ {status} "
        f"{source.randrange(4000)}"
    )
