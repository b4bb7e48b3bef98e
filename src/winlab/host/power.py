"""Boot time, shutdown requests, and every place where a pending reboot shows.

Sources: "shutdown" (Microsoft Learn) for options and codes 1115, 1116 and 1190; the registry places
are those that Test-PendingReboot style checks read: Component Based Servicing\\RebootPending,
WindowsUpdate\\Auto Update\\RebootRequired, Session Manager\\PendingFileRenameOperations,
Updates\\UpdateExeVolatile. The Configuration Manager client keeps its own mark, which only it tells
("DetermineIfRebootPending Method in Class CCM_ClientUtilities").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from winlab.host.errors import WindowsError

if TYPE_CHECKING:
    from winlab.host.registry import Registry

CBS = "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\RebootPending"
WU = (
    "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\WindowsUpdate\\Auto Update\\RebootRequired"
)
SESSION_MANAGER = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager"
RENAME = "PendingFileRenameOperations"
UPDATES = "HKLM\\SOFTWARE\\Microsoft\\Updates"
VOLATILE = "UpdateExeVolatile"

Client = Literal["none", "idle", "restart-due", "broken"]
"""The Configuration Manager client: not there, or what it says of a restart (broken: nothing)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutdown:
    """A scheduled shutdown. ``at`` is aware UTC; ``kind`` "reboot" or "shutdown"."""

    kind: str
    at: datetime
    comment: str = ""
    reason: str = ""


class Power:
    """Boot and shutdown of one host."""

    __slots__ = ("_clock", "_registry", "_write", "boot_time", "client", "pending")

    def __init__(
        self,
        boot_time: datetime,
        clock: Callable[[], datetime],
        registry: Registry,
        write: Callable[[str], None],
    ) -> None:
        """``boot_time`` is aware UTC, by the host's own clock."""
        self.boot_time = boot_time
        self.pending: Shutdown | None = None
        self.client: Client = "none"
        self._clock = clock
        self._registry = registry
        self._write = write

    def uptime_seconds(self) -> int:
        """Return whole seconds since boot."""
        return max(0, int((self._clock() - self.boot_time).total_seconds()))

    def schedule(self, shutdown: Shutdown) -> None:
        """Ask for a shutdown or reboot (1190 when one is scheduled already)."""
        if self.pending is not None:
            raise WindowsError(1190)
        self._write(f"power {shutdown.kind}")
        self.pending = shutdown

    def abort(self) -> None:
        """Take back a scheduled shutdown (1116 when there is none)."""
        if self.pending is None:
            raise WindowsError(1116)
        self._write("power abort")
        self.pending = None

    def require_reboot(self, *reasons: str) -> None:
        """Set pending-reboot marks: any of "cbs", "wu", "rename", "exe" (ValueError for others)."""
        for reason in reasons:
            if reason == "cbs":
                self._registry.create_key(CBS)
            elif reason == "wu":
                self._registry.create_key(WU)
            elif reason == "rename":
                names = ("\\??\\C:\\Windows\\Temp\\~DF1A2B.tmp", "")
                self._registry.set_value(SESSION_MANAGER, RENAME, names)
            elif reason == "exe":
                self._registry.create_key(UPDATES)
                self._registry.set_value(UPDATES, VOLATILE, 1)
            else:
                raise ValueError(f"no such pending-reboot mark: {reason}")

    def reboot_required(self) -> list[str]:
        """Return which marks are set: "cbs", "wu", "rename", "exe"."""
        found = []
        if self._registry.exists(CBS):
            found.append("cbs")
        if self._registry.exists(WU):
            found.append("wu")
        if self._registry.value(SESSION_MANAGER, RENAME) is not None:
            found.append("rename")
        volatile = self._registry.value(UPDATES, VOLATILE)
        if volatile is not None and volatile.data:
            found.append("exe")
        return found

    def booted(self) -> None:
        """Note a finished boot: new boot time, marks gone, nothing scheduled."""
        self.boot_time = self._clock()
        self.pending = None
        for path in (CBS, WU):
            if self._registry.exists(path):
                self._registry.delete_key(path)
        if self._registry.value(SESSION_MANAGER, RENAME) is not None:
            self._registry.delete_value(SESSION_MANAGER, RENAME)
        if self._registry.value(UPDATES, VOLATILE) is not None:
            self._registry.delete_value(UPDATES, VOLATILE)
        if self.client == "restart-due":
            self.client = "idle"

    def save(self) -> Any:
        """Return the state for `load`; marks are part of the registry."""
        return self.boot_time, self.pending, self.client

    def load(self, state: Any) -> None:
        """Go back to a saved state."""
        self.boot_time, self.pending, self.client = state

    def dump(self) -> dict[str, Any]:
        """Return boot time, marks and a scheduled shutdown."""
        return {
            "boot_time": self.boot_time.isoformat(),
            "reboot_required": self.reboot_required(),
            "pending": None
            if self.pending is None
            else {"kind": self.pending.kind, "at": self.pending.at.isoformat()},
        }
