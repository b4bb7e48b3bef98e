"""One run per inventory at a time, by a lock that a dead process cannot hold."""

from __future__ import annotations

import fcntl
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from opsproof.errors import RefusedError


def try_lock(path: Path) -> int | None:
    """An exclusive ``flock`` on a file or folder, as the descriptor that holds it; None when taken.

    The kernel drops the lock when the last process that has the descriptor ends; Python opens
    descriptors non-inheritable, so no child keeps it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def inventory_lock(inventory: Path) -> Iterator[None]:
    """Holds the inventory for one run; :class:`RefusedError` says who else holds it and since when.

    The lock lies on the inventory itself, so it excludes runs of other users and runs that write
    to other report folders, and leaves no file behind.
    """
    descriptor = try_lock(inventory)
    if descriptor is None:
        raise RefusedError(
            f"another run holds this inventory: {holder(inventory)}",
            where=str(inventory),
            remedy="wait until it ends, or stop it",
        )
    try:
        yield
    finally:
        os.close(descriptor)


def holder(path: Path) -> str:
    """Who holds the lock on ``path``, from ``/proc/locks`` (see proc_locks(5)); best effort."""
    status = path.stat()
    wanted = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        lines = []
    for line in lines:
        fields = line.split()
        if len(fields) > 5 and fields[1] == "FLOCK" and fields[5] == wanted:
            return _process(int(fields[4]))
    return "a process that cannot be seen from here"


def _process(pid: int) -> str:
    folder = Path("/proc") / str(pid)
    try:
        owner = folder.stat()
        started = datetime.fromtimestamp(_start(folder), tz=UTC)
    except (OSError, ValueError, StopIteration):
        return f"process {pid}"
    try:
        user = pwd.getpwuid(owner.st_uid).pw_name
    except KeyError:
        user = str(owner.st_uid)
    return f"process {pid} of {user}, since {started:%Y-%m-%dT%H:%M:%SZ}"


def _start(folder: Path) -> float:
    """When a process started, in seconds since the epoch (proc_pid_stat(5), field 22, in ticks)."""
    ticks = int((folder / "stat").read_text().rpartition(")")[2].split()[19])
    boot = next(
        int(line.split()[1])
        for line in Path("/proc/stat").read_text().splitlines()
        if line.startswith("btime ")
    )
    return boot + ticks / os.sysconf("SC_CLK_TCK")
