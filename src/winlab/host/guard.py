"""The write guard: every change of state is announced here before it happens."""

from __future__ import annotations

from collections.abc import Iterator
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

    __slots__ = ("_exempt", "armed", "origin", "violations", "writes")

    def __init__(self) -> None:
        """Start disarmed, with nothing recorded."""
        self.armed = False
        self.origin = ""
        self.writes = 0
        self.violations: list[Write] = []
        self._exempt = 0

    def write(self, what: str) -> None:
        """Announce that ``what`` is about to change."""
        if self._exempt:
            return
        self.writes += 1
        if self.armed:
            self.violations.append(Write(what, self.origin))

    @contextmanager
    def exempt(self) -> Iterator[None]:
        """Let writes inside the block pass unrecorded."""
        self._exempt += 1
        try:
            yield
        finally:
            self._exempt -= 1

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
