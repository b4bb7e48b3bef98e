"""Files that survive a power cut, and the lock under which a reports folder is written."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from opsproof.errors import RefusedError


def write_durably(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a whole file and wait until the disk has it; replaces what was there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


@contextmanager
def replacing(path: Path, *, mode: int = 0o644) -> Iterator[BinaryIO]:
    """A new file that takes the place of ``path`` when it is whole and the disk has it.

    After an error ``path`` is as it was, and nothing else is left. Two that replace the same file do so
    one after the other.
    """
    partial = path.with_name(f".{path.name}.partial")
    with os.fdopen(_alone(partial, mode), "wb") as stream:
        try:
            stream.truncate()
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def _alone(partial: Path, mode: int) -> int:
    """Open it for nobody else; what a killed process has left of it is taken over."""
    while True:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, mode)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Whoever held it has given it its name, or taken it away.
            if os.path.samestat(os.fstat(descriptor), partial.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def replace_durably(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Put a whole file where another one may be, as :func:`replacing` does."""
    with replacing(path, mode=mode) as stream:
        stream.write(data)


def append_durably(path: Path, data: bytes) -> None:
    """Append in one write call and wait until the disk has it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        written = os.write(descriptor, data)
        if written != len(data):
            raise OSError(f"only {written} of {len(data)} bytes were written to {path}")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Wait until the disk has the folder's names (renames and new files)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold an exclusive lock on ``path``; the kernel drops it when the process dies.

    Raises:
        RefusedError: another process holds it and ``wait`` is false.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise RefusedError("another process is writing", where=str(path)) from error
        yield
    finally:
        os.close(descriptor)
