"""Which process is meant by a number, as ``/proc`` tells it: the kernel gives numbers anew."""

from __future__ import annotations

import os
import pwd
from datetime import UTC, datetime
from pathlib import Path


def start_ticks(pid: int) -> int:
    """When a process started, in clock ticks since boot (proc_pid_stat(5), field 22).

    Raises ``OSError`` where there is no such process.
    """
    stat = (Path("/proc") / str(pid) / "stat").read_text()
    return int(stat.rpartition(")")[2].split()[19])


def described(pid: int) -> str:
    """A process for people: its number, whose it is and since when, as far as that can be seen."""
    try:
        owner = (Path("/proc") / str(pid)).stat()
        started = datetime.fromtimestamp(
            _boot() + start_ticks(pid) / os.sysconf("SC_CLK_TCK"), tz=UTC
        )
    except (OSError, ValueError, StopIteration):
        return f"process {pid}"
    try:
        user = pwd.getpwuid(owner.st_uid).pw_name
    except KeyError:
        user = str(owner.st_uid)
    return f"process {pid} of {user}, since {started:%Y-%m-%dT%H:%M:%SZ}"


def _boot() -> int:
    """When the kernel started, in seconds since the epoch (proc_stat(5))."""
    return next(
        int(line.split()[1])
        for line in Path("/proc/stat").read_text().splitlines()
        if line.startswith("btime ")
    )
