"""One run of Ansible at a time works in a log store.

Two would remove each other's cabinets and unpacked logs there, and the folder on the hosts.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import re
from pathlib import Path

from opsproof.errors import RefusedError
from opsproof.processes import described, start_ticks

_FILE = ".held"


def hold(store: Path) -> None:
    """Keep a store to the ``ansible-playbook`` that this worker belongs to, until that ends.

    A lock of the kernel would end with this worker, so the file names the process and its start:
    one that has ended, or whose number another has now, holds nothing.

    Raises:
        RefusedError: another one holds it.
        OSError: the store cannot be written, or its own ``ansible-playbook`` has ended.
    """
    parent = multiprocessing.parent_process()
    pid = os.getpid() if parent is None or parent.pid is None else parent.pid
    mine = f"{pid} {start_ticks(pid)}"
    store.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Locked only while it is read and written: the hosts' workers come all at once.
    with (store / _FILE).open("a+", encoding="ascii", errors="replace") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        held = file.read()
        if held == mine:
            return
        if (other := _living(held)) is not None:
            raise RefusedError(
                f"another run collects logs into this store: {described(other)}",
                where=str(store),
                remedy="wait until it ends, or give this run another store",
            )
        file.truncate(0)
        file.write(mine)


def _living(held: str) -> int | None:
    """The process that a store's file names; None where that has ended, or it names none."""
    if re.fullmatch(r"[0-9]{1,9} [0-9]{1,19}", held) is None:
        return None
    pid, ticks = (int(part) for part in held.split())
    try:
        return pid if start_ticks(pid) == ticks else None
    except OSError:
        return None
