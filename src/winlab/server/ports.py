"""The boundary between the server and the estate below it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from winlab.exec.process import Process, ProcessResult
from winlab.host.logons import Logon
from winlab.host.policy_logon import NtlmPolicy
from winlab.session.quotas import WinrmSettings


class FaultKind(Enum):
    """What is made to go wrong between a client and a host."""

    REFUSE = "refuse"
    """The connection is reset at once."""
    HANG = "hang"
    """The connection is accepted and no request is ever answered."""
    DROP = "drop"
    """The command runs, and the connection is cut instead of giving its output."""
    SLOW = "slow"
    """Every command takes ``seconds`` longer."""
    LATENCY = "latency"
    """Every answer comes ``seconds`` later."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One injected fault; ``seconds`` is for SLOW, ``latency`` delays answers with any kind."""

    kind: FaultKind
    seconds: float = 0.0
    latency: float = 0.0

    @property
    def delay(self) -> float:
        """Seconds by which an answer is late."""
        return self.seconds + self.latency if self.kind is FaultKind.LATENCY else self.latency


class HostPort(Protocol):
    """One host as the server sees it; the estate implements it. All methods are quick.

    The server calls everything from its event loop.
    """

    @property
    def name(self) -> str:
        """The computer name."""

    @property
    def address(self) -> str:
        """The loopback address of its own, 127.x.y.z."""

    @property
    def settings(self) -> WinrmSettings:
        """The WinRM settings as they are now."""

    def password_of(self, user: str) -> str | None:
        r"""The password of an enabled account; None for any other.

        ``user`` comes in the forms ``user``, ``.\user`` and ``HOST\user``.
        """

    @property
    def ntlm(self) -> NtlmPolicy:
        """What the host takes of NTLM now."""

    def lets_in(self, port: int) -> bool:
        """Whether the host's firewall passes packets to a port; asked for each request too.

        A packet that it does not pass gets no answer at all.
        """

    def logged_on(self, logon: Logon) -> None:
        """Take note of an attempt to log on, once for each connection and account."""

    def execute(self, process: Process) -> ProcessResult:
        """Run one process to its end, at once."""

    def fault(self) -> Fault | None:
        """The fault for the next request; asked exactly once for every request.

        The first request of a connection asks when the connection is accepted. A host whose
        reboot "takes n reads" answers REFUSE n times.
        """

    def is_up(self) -> bool:
        """Whether the host answers; without side effects.

        Listeners of a host that is down are really closed. The server asks when a connection
        arrives, when a process took the host down (``goes_down_after``), on
        :meth:`LabServer.refresh`, and every 20 ms for hosts that are down (every 250 ms once none
        has fallen for 10 s).
        """

    def count(
        self, *, requests: int = 0, commands: int = 0, bytes_in: int = 0, bytes_out: int = 0
    ) -> None:
        """Add to the host's counters; bytes are those of HTTP bodies."""
