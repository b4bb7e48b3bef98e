"""One run per inventory at a time, by a lock that a dead process cannot hold."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opsproof.errors import RefusedError
from opsproof.processes import described


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
            return described(int(fields[4]))
    return "a process that cannot be seen from here"
