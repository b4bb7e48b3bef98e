"""File contents that appear later by the host's clock: results of work that takes its time."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from winlab.host.errors import WindowsError
from winlab.host.files import FileSystem
from winlab.host.guard import WriteGuard


class _Write(NamedTuple):
    due: datetime
    path: str
    content: bytes


class DeferredWrites:
    """Writes that wait for their time. They are Windows' own and pass the write guard."""

    __slots__ = ("_files", "_guard", "_waiting")

    def __init__(self, files: FileSystem, guard: WriteGuard) -> None:
        """Nothing waits at first."""
        self._files = files
        self._guard = guard
        self._waiting: tuple[_Write, ...] = ()

    def write_at(self, due: datetime, path: str, content: bytes) -> None:
        """Write ``content`` to ``path`` when the host's clock (aware UTC) reaches ``due``."""
        self._waiting = (*self._waiting, _Write(due, path, content))

    def settle(self, now: datetime) -> None:
        """Do the writes whose time has come; files removed meanwhile stay removed."""
        if not self._waiting:
            return
        ripe = [item for item in self._waiting if item.due <= now]
        self._waiting = tuple(item for item in self._waiting if item.due > now)
        with self._guard.exempt():
            for item in ripe:
                try:
                    if self._files.is_file(item.path):
                        self._files.write(item.path, item.content)
                except WindowsError:
                    continue

    def save(self) -> Any:
        """Return the state for `load`."""
        return self._waiting

    def load(self, state: Any) -> None:
        """Go back to a saved state."""
        self._waiting = state
