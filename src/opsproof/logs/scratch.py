"""A folder for unpacked logs that is gone afterwards, also when the process was killed.

Raw logs hold personal data. What a killed process leaves behind, the next one removes: a folder in
use is locked, and the kernel lets go of a lock when the last process that has it open ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from opsproof.logs.aside import folder

_PREFIX = "opsproof-cab-"
_LOCK = ".in-use"


@contextmanager
def scratch() -> Iterator[Path]:
    """A new folder that only this user can read."""
    parent = folder()
    _sweep(parent)
    with (
        tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent) as name,
        tempfile.NamedTemporaryFile(dir=name, delete=False) as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Others take a free lock for a dead process's: it gets its name when it is held.
        Path(lock.name).rename(Path(name) / _LOCK)
        yield Path(name)


def _sweep(parent: Path) -> None:
    """Remove what killed processes of this user have left."""
    for found in parent.glob(f"{_PREFIX}*"):
        # A folder without its lock is being made just now, or removed.
        with suppress(OSError):
            if found.lstat().st_uid == os.geteuid() and not found.is_symlink():
                with (found / _LOCK).open() as lock:
                    if _free(lock):
                        shutil.rmtree(found, ignore_errors=True)


def _free(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
