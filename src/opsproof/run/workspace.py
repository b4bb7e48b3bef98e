"""The folders that a run needs for itself and that nobody may keep.

Raw logs, Ansible's temporary files and its fact cache live in ``TMPDIR/opsproof-UID/KEY/RUN``,
mode 0700, KEY being made from the inventory's path. They are removed when the run ends; what a
killed run left is removed by the next one, which holds the inventory's lock and so knows that
nobody uses it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opsproof.errors import OpsproofError


@contextmanager
def workspace(inventory: Path, run_id: str) -> Iterator[Path]:
    """A fresh private folder for one run; the caller holds the inventory's lock.

    Raises :class:`OpsproofError` when the folder above belongs to somebody else, as it might in
    a world-writable temporary folder.
    """
    base = Path(tempfile.gettempdir()) / f"opsproof-{os.getuid()}"
    key = hashlib.sha256(str(inventory.resolve()).encode()).hexdigest()[:12]
    _private(base)
    mine = base / key
    shutil.rmtree(mine, ignore_errors=True)
    folder = mine / run_id
    folder.mkdir(mode=0o700, parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(mine, ignore_errors=True)


def _private(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise OpsproofError(
            "it is not a private folder of this account",
            where=str(folder),
            remedy="remove it or set TMPDIR",
        )
