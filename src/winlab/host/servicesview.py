"""HKLM\\SYSTEM\\CurrentControlSet\\Services, made from the services when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from winlab.host.services import Service, ServiceManager, StartMode

RegData: TypeAlias = "str | int | bytes | tuple[str, ...]"

START: dict[StartMode, int] = {
    "boot": 0,
    "system": 1,
    "auto": 2,
    "delayed": 2,
    "manual": 3,
    "disabled": 4,
}
TYPES = {
    "kernel_driver": 1,
    "file_system_driver": 2,
    "win32_own_process": 16,
    "win32_share_process": 32,
}
_MODES: dict[int, StartMode] = {0: "boot", 1: "system", 2: "auto", 3: "manual", 4: "disabled"}


class ServicesView:
    """Shows each service's configuration; writing Start or DelayedAutostart changes the service."""

    __slots__ = ("_services",)

    def __init__(self, services: ServiceManager) -> None:
        """Show ``services``."""
        self._services = services

    def keys(self) -> Mapping[str, Mapping[str, RegData]]:
        """Return one key for each service, with TriggerInfo below where it has triggers."""
        shown: dict[str, Mapping[str, RegData]] = {}
        for service in self._services.all():
            shown[service.name] = _values(service)
            for number, trigger in enumerate(service.triggers):
                shown[f"{service.name}\\TriggerInfo\\{number}"] = {
                    "Action": 1 if trigger.action == "start_service" else 2,
                }
        return shown

    def changed(self, path: str, name: str, data: RegData | None) -> None:
        """Carry Start, DelayedAutostart, DisplayName and Description over to the service."""
        service = self._services.find(path)
        if service is None:
            return
        key = name.lower()
        if key == "start" and isinstance(data, int) and data in _MODES:
            self._services.configure(path, start_mode=_MODES[data])
        elif key == "delayedautostart" and service.start_mode in {"auto", "delayed"}:
            self._services.configure(path, start_mode="delayed" if data else "auto")
        elif key == "displayname" and isinstance(data, str):
            self._services.configure(path, display_name=data)
        elif key == "description" and isinstance(data, str):
            self._services.configure(path, description=data)

    def removed(self, path: str) -> bool:
        """Delete the service whose key this is; keys below one cannot be deleted here."""
        if self._services.find(path) is None:
            return False
        self._services.delete(path)
        return True


def _values(service: Service) -> dict[str, RegData]:
    values: dict[str, RegData] = {
        "DisplayName": service.display_name,
        "ErrorControl": {"ignore": 0, "normal": 1, "severe": 2, "critical": 3}[
            service.error_control
        ],
        "ImagePath": service.path,
        "Start": START[service.start_mode],
        "Type": TYPES.get(service.service_type, 16),
    }
    if service.description:
        values["Description"] = service.description
    if service.account:
        values["ObjectName"] = {"NT AUTHORITY\\SYSTEM": "LocalSystem"}.get(
            service.account, service.account
        )
    if service.dependencies:
        values["DependOnService"] = service.dependencies
    if service.start_mode == "delayed":
        values["DelayedAutostart"] = 1
    return values
