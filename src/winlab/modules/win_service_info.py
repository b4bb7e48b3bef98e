"""ansible.windows.win_service_info (win_service_info.ps1, ansible.windows 3.3.0)."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import Any

from winlab.host.services import Service, ServiceManager
from winlab.modules.kit.basic import BasicModule
from winlab.modules.kit.registry import Registered


def run(module: BasicModule) -> None:
    """List services: one by exact name, several by a wildcard, all without a name."""
    services = module.host.services
    found = _matching(services, module.params["name"])
    module.result["exists"] = bool(found)
    below = _dependents(services) if found else {}
    module.result["services"] = [
        describe(service, below.get(service.name.lower(), [])) for service in found
    ]
    module.exit()


def _matching(services: ServiceManager, name: str | None) -> list[Service]:
    if name is None:
        return services.all(drivers=False)
    exact = services.find(name)
    if exact is not None:
        return [exact]
    pattern = re.compile(translate(name), re.IGNORECASE)
    return [service for service in services.all(drivers=False) if pattern.match(service.name)]


def _dependents(services: ServiceManager) -> dict[str, list[str]]:
    below: dict[str, list[str]] = {}
    for service in services.all():
        for needed in service.dependencies:
            below.setdefault(needed.lower(), []).append(service.name)
    return below


def describe(service: Service, dependents: list[str]) -> dict[str, Any]:
    """One service in the order of the module's answer."""
    return {
        "checkpoint": 0,
        "controls_accepted": list(service.controls_accepted) if service.state != "stopped" else [],
        "dependencies": list(service.dependencies),
        "dependency_of": dependents,
        "description": service.description or None,
        "desktop_interact": service.desktop_interact,
        "display_name": service.display_name,
        "error_control": service.error_control,
        "failure_actions": [
            {"type": action.type, "delay_ms": action.delay_ms} for action in service.failure_actions
        ],
        "failure_actions_on_non_crash_failure": service.failure_actions_on_non_crash,
        "failure_command": service.failure_command,
        "failure_reboot_msg": service.failure_reboot_message,
        "failure_reset_period_sec": service.failure_reset_seconds,
        "launch_protection": service.launch_protection,
        "load_order_group": service.load_order_group,
        "name": service.name,
        "path": service.path,
        "pre_shutdown_timeout_ms": service.pre_shutdown_ms,
        "preferred_node": None,
        "process_id": service.process_id,
        "required_privileges": list(service.required_privileges),
        "service_exit_code": service.service_exit_code,
        "service_flags": [],
        "service_type": service.service_type,
        "sid_info": service.sid_info,
        "start_mode": service.start_mode,
        "state": service.state,
        "triggers": [_trigger(trigger) for trigger in service.triggers],
        "username": service.account,
        "wait_hint_ms": 0,
        "win32_exit_code": service.exit_code,
    }


def _trigger(trigger: Any) -> dict[str, Any]:
    return {
        "action": trigger.action,
        "type": trigger.type,
        "sub_type": trigger.sub_type or "custom",
        "sub_type_guid": trigger.sub_type_guid,
        "data_items": [{"type": kind, "data": value} for kind, value in trigger.data],
    }


MODULE = Registered("win_service_info", basic=run)
