"""One host as the server meets it: its state below, and around it what can go wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from winlab.commands import run_cmd
from winlab.estate.build import Built
from winlab.estate.build_logs import boot_events
from winlab.estate.counters import Counters
from winlab.estate.schema import RebootSpec
from winlab.exec.process import Process, ProcessResult
from winlab.exec.run import execute
from winlab.host import firewall
from winlab.host.host import Host, HostSnapshot
from winlab.host.logons import Logon, note_logon
from winlab.host.policy_logon import NtlmPolicy, may_log_on, ntlm_policy, winrm_allows
from winlab.server.errors import LabError
from winlab.server.ports import Fault, FaultKind
from winlab.session.quotas import WinrmSettings


@dataclass
class ActiveFault:
    """A fault that was switched on; ``left`` is for how many requests, None = until cleared.

    ``at`` is what must run before it begins ("fetch", "put", "module win_ping"), "" once it has.
    """

    kind: FaultKind
    seconds: float = 0.0
    left: int | None = None
    at: str = ""


class LabHost:
    """Implements `winlab.server.HostPort` over a built host.

    ``steady`` is a clock in seconds that only runs forward. ``on_change`` is called after every
    process with this host, for whatever follows its state (web sites, listeners).
    """

    def __init__(
        self, built: Built, steady: Callable[[], float], on_change: Callable[[LabHost], None]
    ) -> None:
        """Start as the estate says, up or down, without faults."""
        self.built = built
        self.host: Host = built.host
        self.counters = Counters()
        self.reboots = 0
        self._steady = steady
        self._on_change = on_change
        self._trouble()
        self._first = self.host.snapshot()
        self._saved: dict[str, HostSnapshot] = {}
        self._settings = self._make_settings()
        self._asked_at = -1
        self._allowed: WinrmSettings | None = None
        self._ntlm: NtlmPolicy | None = None
        self._let_in: dict[int, bool] = {}
        self._passwords: dict[str, str | None] = {}

    def _trouble(self) -> None:
        """Set what goes wrong to what the estate says."""
        spec = self.built.spec
        self.reboot = spec.reboot
        self.latency = spec.latency_ms / 1000
        self._fault: ActiveFault | None = None
        if spec.fault is not None:
            told = spec.fault
            self._fault = ActiveFault(FaultKind(told.kind), told.seconds, told.count)
        self._stopped = spec.down
        self._down_until: float | None = None
        self._refuse = 0

    # -- HostPort --------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The computer name."""
        return self.host.name

    @property
    def key(self) -> str:
        """The name in the estate and in inventories."""
        return self.built.spec.name

    @property
    def address(self) -> str:
        """The loopback address."""
        return self.built.address

    @property
    def settings(self) -> WinrmSettings:
        """The WinRM settings; policy and a service that is stopped take from what was set up."""
        self._forget_if_written()
        if self._allowed is None:
            self._allowed = self._what_policy_leaves()
        return self._allowed

    def _what_policy_leaves(self) -> WinrmSettings:
        settings, host = self._settings, self.host
        # http.sys listens for WinRM only while the service asks it to.
        runs = host.pid_of("WinRM") != 0
        return replace(
            settings,
            http=settings.http and runs,
            https=settings.https and runs,
            basic=settings.basic and winrm_allows(host, "AllowBasic"),
            negotiate=settings.negotiate and winrm_allows(host, "AllowNegotiate"),
            allow_unencrypted=settings.allow_unencrypted
            and winrm_allows(host, "AllowUnencryptedTraffic"),
            allow_shells=winrm_allows(host, "AllowRemoteShellAccess"),
        )

    @property
    def ntlm(self) -> NtlmPolicy:
        """What the host takes of NTLM now."""
        self._forget_if_written()
        if self._ntlm is None:
            self._ntlm = ntlm_policy(self.host)
        return self._ntlm

    def lets_in(self, port: int) -> bool:
        """Whether the host's firewall passes a connection to a port."""
        self._forget_if_written()
        if port not in self._let_in:
            self._let_in[port] = firewall.lets_in(self.host, port)
        return self._let_in[port]

    def _make_settings(self) -> WinrmSettings:
        winrm = self.built.winrm
        return WinrmSettings(
            http=winrm.http,
            https=winrm.https,
            basic=winrm.basic,
            negotiate=winrm.negotiate,
            allow_unencrypted=winrm.allow_unencrypted,
            os_version=self.host.os.version,
        )

    @property
    def listens(self) -> bool:
        """Whether the host has any WinRM listener."""
        return self._settings.http or self._settings.https

    def password_of(self, user: str) -> str | None:
        """Return the password of an account that may log on from the network, None for any other."""
        self._run_due_tasks()
        self._forget_if_written()
        if user not in self._passwords:
            allowed = may_log_on(self.host, user)
            self._passwords[user] = self.host.accounts.password_of(user) if allowed else None
        return self._passwords[user]

    def _forget_if_written(self) -> None:
        """Policy is asked for many times a request, and changes only by a write."""
        now = self.host.guard.changes
        if now != self._asked_at:
            self._asked_at, self._allowed, self._ntlm = now, None, None
            self._let_in.clear()
            self._passwords.clear()

    def logged_on(self, logon: Logon) -> None:
        """Write the attempt to the host's Security log."""
        note_logon(self.host, logon)

    def execute(self, process: Process) -> ProcessResult:
        """Run one process and count what it was."""
        self._run_due_tasks()
        result = execute(self.host, process, seen=self._saw)
        self.host.guard.settle()
        self._on_change(self)
        return result

    def _saw(self, what: str) -> None:
        self.counters.saw(what)
        if self._fault is not None and self._fault.at == what:
            self._fault.at = ""

    def fault(self) -> Fault | None:
        """Return the fault for the next request and use it up."""
        if self._refuse:
            self._refuse -= 1
            return Fault(kind=FaultKind.REFUSE)
        active = self._fault
        if active is None or active.at:
            return Fault(kind=FaultKind.LATENCY, latency=self.latency) if self.latency else None
        if active.left is not None:
            active.left -= 1
            if active.left <= 0:
                self._fault = None
        return Fault(kind=active.kind, seconds=active.seconds, latency=self.latency)

    def is_up(self) -> bool:
        """Return whether the host answers; a shutdown that is due happens first."""
        self._shut_down_if_due()
        if self._stopped:
            return False
        if self._down_until is not None:
            if self._steady() < self._down_until:
                return False
            self._down_until = None
            self._boot()
        return True

    def count(
        self, *, requests: int = 0, commands: int = 0, bytes_in: int = 0, bytes_out: int = 0
    ) -> None:
        """Add to the counters."""
        self.counters.requests += requests
        self.counters.commands += commands
        self.counters.bytes_in += bytes_in
        self.counters.bytes_out += bytes_out

    def count_sql(self, what: str, *, bytes_in: int, bytes_out: int) -> None:
        """Add a TDS request to the counters."""
        self.counters.saw_sql(what, bytes_in, bytes_out)

    def _run_due_tasks(self) -> bool:
        self.host.group_policy.tick()
        due = self.host.tasks.take_due(self.host.now())
        for task in due:
            run_cmd(self.host, task.command, user=task.user, remote=False)
        return bool(due)

    def seconds_to_next_task(self) -> float | None:
        """How long until a scheduled task is due, 0 when it is; None without any."""
        due = self.host.tasks.next_due()
        return None if due is None else max(0.0, (due - self.host.now()).total_seconds())

    def tick(self) -> None:
        """Run the tasks that are due; a host that lets nobody in has nobody else to do it."""
        if self.is_up() and self._run_due_tasks():
            self.host.guard.settle()
            self._on_change(self)

    # -- power -----------------------------------------------------------------------------------

    def _shut_down_if_due(self) -> None:
        pending = self.host.power.pending
        if pending is None or self._down_until is not None or self.host.now() < pending.at:
            return
        if pending.kind == "shutdown":
            self.host.power.pending = None
            self._stopped = True
        else:
            self.host.power.pending = None
            self._down_until = self._steady() + self.reboot.seconds

    def _boot(self) -> None:
        self.host.reboot()
        self.host.eventlogs.extend(boot_events(self.host))
        self.reboots += 1
        self._asked_at = -1
        self._refuse = self.reboot.reads
        self._on_change(self)

    # -- what the control socket does ------------------------------------------------------------

    def set_fault(
        self, kind: str, *, seconds: float = 0.0, count: int | None = None, at: str = ""
    ) -> None:
        """Switch a fault on: a `FaultKind` value, "latency", "down", "up", "reboot" or "none".

        ``seconds`` belongs to slow, latency and reboot (how long it is down); ``count`` limits a
        fault to so many requests, and is the number of refused reads for a reboot. ``at`` lets it
        begin when that runs, by the name that counters give it.
        """
        if kind in {"slow", "latency"} and seconds <= 0:
            raise LabError(f"{kind} by how much?", remedy="give --seconds, for example 0.5")
        if kind == "none":
            self._fault, self.latency, self._refuse = None, 0.0, 0
        elif kind == "latency":
            self.latency = seconds
        elif kind == "down":
            self._stopped = True
        elif kind == "up":
            self._start()
        elif kind == "reboot":
            self.reboot = RebootSpec(seconds=seconds, reads=count or 0)
        elif kind in {"refuse", "hang", "drop", "slow"}:
            self._fault = ActiveFault(FaultKind(kind), seconds, count, at)
        else:
            raise LabError(
                f"there is no fault {kind!r}",
                remedy="use refuse, hang, drop, slow, latency, reboot, down, up or none",
            )

    def _start(self) -> None:
        if self._stopped:
            self._stopped = False
            self._boot()

    def fault_text(self) -> str:
        """Return what is switched on, for people; "" for nothing."""
        parts = []
        if self._stopped:
            parts.append("down")
        if self._fault is not None:
            left = "" if self._fault.left is None else f" x{self._fault.left}"
            waits = f" at {self._fault.at}" if self._fault.at else ""
            parts.append(f"{self._fault.kind.value}{left}{waits}")
        if self.latency:
            parts.append(f"latency {self.latency:g} s")
        return ", ".join(parts)

    def save(self, label: str) -> None:
        """Keep the state under a name; LabError while a SQL transaction is open."""
        busy = None if self.host.sql is None else self.host.sql.busy
        if busy is not None:
            raise LabError(
                f"{self.key} has an open transaction in the database {busy}",
                remedy="let its client commit or leave, then take the snapshot",
            )
        self._saved[label] = self.host.snapshot()

    def load(self, label: str) -> None:
        """Go back to a kept state; LabError when there is none of that name."""
        if label not in self._saved:
            raise LabError(f"{self.key} has no snapshot {label!r}", remedy="take one first")
        self.host.restore(self._saved[label])
        self._asked_at = -1
        self._on_change(self)

    def reset(self) -> None:
        """Go back to the estate's start: state, faults, counters, guard records."""
        self.host.restore(self._first)
        self._asked_at = -1
        self.host.guard.reset()
        self.counters = Counters()
        self._trouble()
        self._on_change(self)

    def dump(self) -> dict[str, Any]:
        """Return the host's model and what surrounds it, JSON-able."""
        return {
            **self.host.dump(),
            "lab": {
                "key": self.key,
                "address": self.address,
                "up": self.is_up(),
                "fault": self.fault_text(),
                "reboots": self.reboots,
                "counters": self.counters.as_dict(),
            },
        }
