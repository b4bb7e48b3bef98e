"""Running processes of one host, derived from its services and a few of Windows' own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from winlab.host.services import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessInfo:
    """One process. ``memory_kb`` is its working set in KiB; ``services`` the names it hosts."""

    pid: int
    name: str
    session: int = 0
    memory_kb: int = 4096
    user: str = "NT AUTHORITY\\SYSTEM"
    command_line: str = ""
    services: tuple[str, ...] = ()


_OWN = (
    ProcessInfo(pid=0, name="System Idle Process", memory_kb=8),
    ProcessInfo(pid=4, name="System", memory_kb=140),
    ProcessInfo(pid=88, name="Registry", memory_kb=64212),
    ProcessInfo(pid=292, name="smss.exe", memory_kb=1216),
    ProcessInfo(pid=396, name="csrss.exe", memory_kb=5352),
    ProcessInfo(pid=472, name="csrss.exe", session=1, memory_kb=4604),
    ProcessInfo(pid=492, name="wininit.exe", memory_kb=6924),
    ProcessInfo(pid=540, name="winlogon.exe", session=1, memory_kb=9432),
    ProcessInfo(pid=604, name="services.exe", memory_kb=9108),
    ProcessInfo(pid=624, name="lsass.exe", memory_kb=17764),
    ProcessInfo(pid=920, name="dwm.exe", session=1, memory_kb=45360, user="Window Manager\\DWM-1"),
)


def image_name(path: str) -> str:
    """Return the executable's file name of a service path with arguments."""
    text = path.strip()
    exe = text[1:].partition('"')[0] if text.startswith('"') else text.partition(" ")[0]
    return exe.rpartition("\\")[2] or text


class Processes:
    """Processes of one host: Windows' own, one for each running service, and added ones."""

    __slots__ = ("_services", "_write", "extra")

    def __init__(self, services: Callable[[], list[Service]], write: Callable[[str], None]) -> None:
        """``services`` returns the host's services as they are now."""
        self._services = services
        self._write = write
        self.extra: tuple[ProcessInfo, ...] = ()

    def all(self) -> list[ProcessInfo]:
        """Return all processes by process id; services that share a process are one entry."""
        by_pid: dict[int, ProcessInfo] = {p.pid: p for p in (*_OWN, *self.extra)}
        for service in self._services():
            if not service.process_id or service.kernel:
                continue
            known = by_pid.get(service.process_id)
            names = (*(known.services if known else ()), service.name)
            by_pid[service.process_id] = ProcessInfo(
                pid=service.process_id,
                name=known.name if known else image_name(service.path),
                memory_kb=known.memory_kb if known else 6000 + 37 * (service.process_id % 400),
                user=service.account or "NT AUTHORITY\\SYSTEM",
                command_line=service.path,
                services=tuple(names),
            )
        return [by_pid[pid] for pid in sorted(by_pid)]

    def kill(self, pid: int) -> None:
        """End an added process; those of services end with their service."""
        self._write(f"process {pid}")
        self.extra = tuple(p for p in self.extra if p.pid != pid)

    def save(self) -> Any:
        """Return the state for `load`."""
        return self.extra

    def load(self, state: Any) -> None:
        """Go back to a saved state."""
        self.extra = state

    def dump(self) -> list[list[Any]]:
        """Return (pid, name, services) of every process."""
        return [[p.pid, p.name, list(p.services)] for p in self.all()]
