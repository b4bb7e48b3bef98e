"""What a session needs from the host below and from the world around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from winlab.exec.process import Process, ProcessResult
from winlab.session.quotas import WinrmSettings


class Machine(Protocol):
    """The host that a session runs commands on."""

    @property
    def name(self) -> str:
        """The computer name, as faults and owners show it."""

    @property
    def settings(self) -> WinrmSettings:
        """The WinRM settings as they are now."""

    def execute(self, process: Process) -> ProcessResult:
        """Run one process to its end, at once; ``duration`` in the result is waited for above."""

    def count(
        self, *, requests: int = 0, commands: int = 0, bytes_in: int = 0, bytes_out: int = 0
    ) -> None:
        """Add to the host's counters."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Time in seconds on a clock that only runs forward, new GUIDs in capitals, and a way to
    learn that a process takes its host down after so many seconds.
    """

    clock: Callable[[], float]
    guid: Callable[[], str]
    goes_down: Callable[[float], None] = lambda _seconds: None


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks: the account as logged in, the client's address, the URL that was used.

    ``slow`` seconds are added to the duration of every command (an injected fault).
    """

    user: str
    client_ip: str = "127.0.0.1"
    address: str = "http://localhost:5985/wsman"
    slow: float = 0.0
