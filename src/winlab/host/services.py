"""One host's services and the rules of the Service Control Manager.

Sources: "StartService", "ControlService", "ChangeServiceConfig", "QUERY_SERVICE_CONFIG",
"SERVICE_TRIGGER" on Microsoft Learn for fields and error codes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias

from winlab.host.errors import WindowsError
from winlab.host.ids import stable_number

StartMode: TypeAlias = Literal["auto", "delayed", "manual", "disabled", "boot", "system"]
State: TypeAlias = Literal[
    "stopped",
    "start_pending",
    "stop_pending",
    "started",
    "continue_pending",
    "pause_pending",
    "paused",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A start or stop trigger, named as win_service_info names it ("network", "domain_join" ...).

    ``sub_type_guid`` is the trigger's subtype; ``data`` holds (type, value) pairs.
    """

    type: str
    action: str = "start_service"
    sub_type: str | None = None
    sub_type_guid: str = "00000000-0000-0000-0000-000000000000"
    data: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureAction:
    """What the SCM does at a failure: none, restart, reboot or run_command, after ``delay_ms``."""

    type: str
    delay_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service: configuration and present state.

    ``start_mode`` "delayed" is automatic with delay. ``account`` is written as win_service_info
    gives it ("NT AUTHORITY\\SYSTEM"). ``exit_code`` is win32_exitcode, 1077 = never started since
    boot. ``start_error``, when not 0, is what every start attempt fails with. ``controls_accepted``
    is what it takes while it runs; a stopped service takes none.
    """

    name: str
    display_name: str
    description: str = ""
    start_mode: StartMode = "manual"
    state: State = "stopped"
    account: str | None = "NT AUTHORITY\\SYSTEM"
    path: str = ""
    service_type: str = "win32_own_process"
    dependencies: tuple[str, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    failure_actions: tuple[FailureAction, ...] = ()
    failure_actions_on_non_crash: bool = False
    failure_command: str | None = None
    failure_reboot_message: str | None = None
    failure_reset_seconds: int = 0
    error_control: str = "normal"
    load_order_group: str = ""
    sid_info: str = "none"
    launch_protection: str = "none"
    required_privileges: tuple[str, ...] = ()
    controls_accepted: tuple[str, ...] = ("stop", "shutdown")
    desktop_interact: bool = False
    pre_shutdown_ms: int = 180000
    process_id: int = 0
    exit_code: int = 0
    service_exit_code: int = 0
    start_error: int = 0
    stops_by_itself: bool = False

    @property
    def running(self) -> bool:
        """Whether the service is started (paused ones are not)."""
        return self.state == "started"

    @property
    def kernel(self) -> bool:
        """Whether it is a driver, which `sc query` lists only with type= driver."""
        return self.service_type in {"kernel_driver", "file_system_driver"}

    @property
    def trigger_start(self) -> bool:
        """Whether a trigger starts it, so that "automatic and stopped" may be right."""
        return any(t.action == "start_service" for t in self.triggers)


class ServiceManager:
    """The services of one host. Errors: 1051-1073 as the SCM gives them, 5 refused."""

    def __init__(self, base: Mapping[str, Service], write: Callable[[str], None]) -> None:
        """``base`` is the shared image by lower-case name; it is never changed."""
        self._base = base
        self._changed: dict[str, Service | None] = {}
        self._write = write

    def find(self, name: str) -> Service | None:
        """Return a service by its name, case-insensitively; not by display name."""
        key = name.lower()
        if key in self._changed:
            return self._changed[key]
        return self._base.get(key)

    def get(self, name: str) -> Service:
        """Return a service by name or, failing that, display name (1060 when absent)."""
        found = self.find(name)
        if found is None:
            low = name.lower()
            found = next((s for s in self.all() if s.display_name.lower() == low), None)
        if found is None:
            raise WindowsError(1060, name)
        return found

    def all(self, *, drivers: bool = True) -> list[Service]:
        """Return every service in case-insensitive order of name."""
        names = sorted({*self._base, *self._changed})
        found = [self._changed[n] if n in self._changed else self._base[n] for n in names]
        return [s for s in found if s is not None and (drivers or not s.kernel)]

    def dependents(self, name: str) -> list[Service]:
        """Return the services that depend on ``name`` directly."""
        low = name.lower()
        return [s for s in self.all() if any(d.lower() == low for d in s.dependencies)]

    def _put(self, service: Service) -> None:
        self._changed[service.name.lower()] = service

    def put(self, service: Service) -> None:
        """Install or replace a service as given; for estate builders, past the SCM's rules."""
        self._write(f"service {service.name}")
        self._put(service)

    def create(self, service: Service) -> None:
        """Create a service (1073 when the name is taken)."""
        if self.find(service.name) is not None:
            raise WindowsError(1073, service.name)
        self.put(service)

    def delete(self, name: str) -> None:
        """Delete a service (1060 when absent)."""
        service = self.get(name)
        self._write(f"service {service.name}")
        self._changed[service.name.lower()] = None

    def configure(self, name: str, **changes: Any) -> Service:
        """Change configuration fields by their `Service` names (1060 absent); return the result."""
        service = self.get(name)
        changed = replace(service, **changes)
        if changed != service:
            self._write(f"service {service.name}: {', '.join(sorted(changes))}")
            self._put(changed)
        return changed

    def start(self, name: str) -> Service:
        """Start a service and first what it depends on.

        Raises:
            WindowsError: 1056 running already, 1058 disabled, 1060 absent, 1068 a dependency
                failed, or the service's own ``start_error``.
        """
        service = self.get(name)
        if service.running:
            raise WindowsError(1056, service.name)
        if service.start_mode == "disabled":
            raise WindowsError(1058, service.name)
        for needed in service.dependencies:
            other = self.find(needed)
            if other is None or other.running:
                continue
            try:
                self.start(needed)
            except WindowsError as exc:
                raise WindowsError(1068, service.name) from exc
        self._write(f"service {service.name}: start")
        if service.start_error:
            self._put(replace(service, exit_code=service.start_error))
            raise WindowsError(service.start_error, service.name)
        started = replace(
            service,
            state="started",
            process_id=1000 + 4 * stable_number(service.name + service.path, 1500),
            exit_code=0,
            service_exit_code=0,
        )
        if service.stops_by_itself:
            started = replace(started, state="stopped", process_id=0)
        self._put(started)
        return started

    def stop(self, name: str, *, force: bool = False) -> Service:
        """Stop a service; ``force`` stops what depends on it first.

        Raises:
            WindowsError: 1051 others depend on it, 1052 it takes no stop, 1060 absent,
                1062 not started.
        """
        service = self.get(name)
        if service.state == "stopped":
            raise WindowsError(1062, service.name)
        if "stop" not in service.controls_accepted:
            raise WindowsError(1052, service.name)
        for other in self.dependents(service.name):
            if other.state == "stopped":
                continue
            if not force:
                raise WindowsError(1051, service.name)
            self.stop(other.name, force=True)
        self._write(f"service {service.name}: stop")
        stopped = replace(service, state="stopped", process_id=0, exit_code=0)
        self._put(stopped)
        return stopped

    def pause(self, name: str) -> Service:
        """Pause a running service (1052 when it cannot, 1062 when not started)."""
        return self._control(name, "started", "paused")

    def resume(self, name: str) -> Service:
        """Continue a paused service (1052 when it cannot, 1062 when not paused)."""
        return self._control(name, "paused", "started")

    def _control(self, name: str, before: State, after: State) -> Service:
        service = self.get(name)
        if service.state != before:
            raise WindowsError(1062 if service.state == "stopped" else 1061, service.name)
        if "pause_continue" not in service.controls_accepted:
            raise WindowsError(1052, service.name)
        self._write(f"service {service.name}: {after}")
        changed = replace(service, state=after)
        self._put(changed)
        return changed

    def break_starts(self, broken: Iterable[str], mended: Iterable[str]) -> None:
        """Before a boot: these services time out on starting (1053) from now on, those start again."""
        for name, code in [*((n, 1053) for n in broken), *((n, 0) for n in mended)]:
            service = self.find(name)
            if service is not None:
                self._put(replace(service, start_error=code, state="stopped", process_id=0))

    def boot(self) -> None:
        """Do what a boot does: automatic services start, others stop; triggers keep their state.

        What an automatic service depends on starts with it, whatever its own start mode.
        """
        needed = self._needed_at_boot()
        for service in self.all():
            if service.start_mode in {"auto", "delayed"} and not service.trigger_start:
                if service.running or service.stops_by_itself:
                    continue
                if service.start_error:
                    self._put(replace(service, exit_code=service.start_error))
                else:
                    pid = 1000 + 4 * stable_number(service.name + service.path, 1500)
                    self._put(replace(service, state="started", process_id=pid, exit_code=0))
            elif service.name.lower() in needed and service.start_mode == "manual":
                pid = 1000 + 4 * stable_number(service.name + service.path, 1500)
                self._put(replace(service, state="started", process_id=pid, exit_code=0))
            elif service.start_mode in {"manual", "disabled"} and service.running:
                base = self._base.get(service.name.lower())
                if base is None or not base.running or service.start_mode == "disabled":
                    self._put(replace(service, state="stopped", process_id=0, exit_code=1077))

    def _needed_at_boot(self) -> set[str]:
        """Lower-case names of what automatic services depend on, directly or not."""
        open_names = [
            name
            for service in self.all(drivers=False)
            if service.start_mode in {"auto", "delayed"} and not service.trigger_start
            for name in service.dependencies
        ]
        found: set[str] = set()
        while open_names:
            service = self.find(open_names.pop())
            if service is not None and not service.kernel and service.name.lower() not in found:
                found.add(service.name.lower())
                open_names += service.dependencies
        return found

    def save(self) -> Any:
        """Return the state for `load`."""
        return dict(self._changed)

    def load(self, state: Any) -> None:
        """Go back to a saved state."""
        self._changed = dict(state)

    def dump(self) -> dict[str, Any]:
        """Return name -> state and start mode of all; whole records of what differs from the base."""
        return {
            "all": {s.name: [s.start_mode, s.state] for s in self.all(drivers=False)},
            "changed": {
                key: None if s is None else asdict(s) for key, s in sorted(self._changed.items())
            },
        }
