"""Inspection of a host too old for Ansible's modules, asked through another Windows host.

Windows' own ``wmic /node:`` reads the old host over DCOM. WMI's values (Running, Auto) are not
translated (Microsoft, "Win32_Service class").
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from opsproof.errors import UsageError
from opsproof.evidence.schemas.inspection import HostFacts, Memory, Os
from opsproof.inspection.batch import Batch
from opsproof.inspection.command import LAST, asked, step
from opsproof.inspection.facts import (
    Exchange,
    Expectation,
    Inspected,
    clock_of,
    disk_of,
    services_of,
    stamp,
)
from opsproof.inspection.parsers import cim_datetime, volumes, wmic_csv

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9.-]{0,254}$")

_START_MODE = {"Auto": "auto", "Manual": "manual", "Disabled": "disabled"}
_STATE = {"Running": "started", "Stopped": "stopped"}


def legacy_command(host: str, *, asked_at: datetime) -> str:
    """One line for ``cmd.exe /c`` on the management host that reads ``host`` (a DNS name).

    Raises :class:`UsageError` when the name could be anything else than a name.
    """
    if not _NAME.match(host):
        raise UsageError(f"{host!r} is no host name", where="inspection_via")
    node = f'wmic /node:"{host}"'
    queries = {
        "os": "os get Caption,FreePhysicalMemory,LastBootUpTime,LocalDateTime,"
        "TotalVisibleMemorySize,Version",
        "disks": "logicaldisk where DriveType=3 get DeviceID,FileSystem,FreeSpace,Size",
        # No display names: wmic quotes nothing, and a comma in one would shift the columns.
        "services": "service get ExitCode,Name,StartMode,State",
    }
    steps = (
        step(section, f"{node} {query} /format:csv <nul") for section, query in queries.items()
    )
    return " & ".join((asked(asked_at), *steps, LAST))


def inspect_legacy(
    *, via: str, batch: Batch, answered_at: datetime, expectation: Expectation
) -> Inspected:
    """Facts of a host read through ``via``.

    Delayed start cannot be seen this way, so such services count as automatic; nor can pending
    restarts, listening ports and logs: these sections are None.

    Raises :class:`opsproof.errors.IncompleteError` when the host did not answer.
    """
    os_row = wmic_csv(batch.section("os").text)[0]
    now = cim_datetime(os_row["LocalDateTime"])
    booted = cim_datetime(os_row["LastBootUpTime"])
    total_kb, free_kb = int(os_row["TotalVisibleMemorySize"]), int(os_row["FreePhysicalMemory"])
    services = [
        {
            "name": row["Name"],
            "display_name": row["Name"],
            "start_mode": _START_MODE.get(row["StartMode"], row["StartMode"].lower()),
            "state": _STATE.get(row["State"], row["State"].lower()),
            "win32_exit_code": row["ExitCode"],
        }
        for row in wmic_csv(batch.section("services").text)
    ]
    # The old host's own clock was read somewhere between the command's start and its end.
    clock = clock_of(batch, Exchange(answered_at=answered_at, started=now, ended=now), source=None)
    return Inspected(
        host=HostFacts(
            via=via,
            os=Os(caption=os_row["Caption"].strip(), version=os_row["Version"]),
            boot_time=stamp(booted),
            uptime_seconds=(now - booted) // timedelta(seconds=1),
            clock=clock,
            pending_reboot=None,
            memory=Memory(
                total_mb=total_kb // 1024,
                free_mb=free_kb // 1024,
                free_percent=free_kb * 100 // total_kb,
            ),
            disks=tuple(
                disk_of(item.letter, item.size, item.free)
                for item in volumes(batch.section("disks").text)
            ),
            services=services_of(services, expectation, now - booted),
            iis=None,
            ports=None,
            events=None,
            security=None,
            audit=None,
        ),
        clock_offset_ms=clock.offset_ms,
    )
