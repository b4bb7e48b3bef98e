"""The write guard: every change of state is announced here before it happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Write:
    """One announced write: ``what`` changed, and ``origin``, the module or command that did it."""

    what: str
    origin: str


class WriteGuard:
    """Records state writes of one host while it is armed.

    A write under an armed guard still happens: the guard proves that it did. ``exempt`` silences it
    for the lab's own work (temporary folders of the transport, event records that Windows writes).
    """

    __slots__ = (
        "_exempt",
        "_there",
        "armed",
        "changes",
        "exists",
        "origin",
        "violations",
        "writes",
    )

    def __init__(self) -> None:
        """Start disarmed, with nothing recorded."""
        self.armed = False
        self.origin = ""
        self.changes = 0
        """How many writes were announced, those of Windows itself too; never set back."""
        self.writes = 0
        self.violations: list[Write] = []
        self._exempt = 0
        self._there: dict[str, bool] = {}
        self.exists: Callable[[str], bool] = lambda _: True

    def write(self, what: str) -> None:
        """Announce that ``what`` is about to change."""
        self.changes += 1
        if self._exempt:
            return
        self.writes += 1
        if self.armed:
            kind, _, path = what.partition(" ")
            if kind == "folder" and path.lower() not in self._there:
                self._there[path.lower()] = self.exists(path)
            self.violations.append(Write(what, self.origin))

    @contextmanager
    def exempt(self) -> Iterator[None]:
        """Let writes inside the block pass unrecorded."""
        self._exempt += 1
        try:
            yield
        finally:
            self._exempt -= 1

    def settle(self) -> None:
        """Forget writes in folders that the process which now ended has made and removed again.

        An export needs a place to go to; a scratch folder that the same call removes is no change.
        """
        gone = {path for path, was in self._there.items() if not was and not self.exists(path)}
        self._there.clear()
        if gone:
            self.violations = [w for w in self.violations if not _within(w.what, gone)]

    @contextmanager
    def acting(self, origin: str, *, armed: bool | None = None) -> Iterator[None]:
        """Attribute writes inside the block to ``origin``; ``armed`` overrides for its length."""
        before = (self.origin, self.armed)
        self.origin = origin
        if armed is not None:
            self.armed = armed
        try:
            yield
        finally:
            self.origin, self.armed = before

    def reset(self) -> None:
        """Forget what was recorded; stay armed or disarmed as before."""
        self.writes = 0
        self.violations = []


def _within(what: str, folders: set[str]) -> bool:
    kind, _, path = what.partition(" ")
    low = path.lower()
    return kind in {"file", "folder", "attributes", "times", "owner"} and any(
        low == folder or low.startswith(f"{folder}\\") for folder in folders
    )
