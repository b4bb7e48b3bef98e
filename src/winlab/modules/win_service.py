"""ansible.windows.win_service (win_service.ps1, ansible.windows 3.3.0).

assumed: what Start-Service and Stop-Service say is English on zh-CN hosts too.
"""

from __future__ import annotations

from typing import Any

from winlab.host.errors import WindowsError
from winlab.host.services import FailureAction, Service
from winlab.modules.kit.basic import BasicModule
from winlab.modules.kit.dotnet import ModuleCrash
from winlab.modules.kit.registry import Registered
from winlab.modules.kit.spec import Rules

_SYSTEM = "S-1-5-18"
_QUIET = ("name", "force_dependent_services", "update_password")
# option -> field of Service; an empty text deletes where the original says so.
_PLAIN = {
    "description": "description",
    "display_name": "display_name",
    "error_control": "error_control",
    "failure_actions_on_non_crash_failure": "failure_actions_on_non_crash",
    "failure_command": "failure_command",
    "failure_reboot_msg": "failure_reboot_message",
    "failure_reset_period_sec": "failure_reset_seconds",
    "load_order_group": "load_order_group",
    "path": "path",
    "pre_shutdown_timeout_ms": "pre_shutdown_ms",
    "service_type": "service_type",
    "sid_info": "sid_info",
    "start_mode": "start_mode",
}
_NULLABLE = ("failure_command", "failure_reboot_msg")
_LOWER = ("error_control", "service_type", "sid_info", "start_mode")


def run(module: BasicModule) -> None:
    """Bring one service into the wanted state, or report it."""
    params = module.params
    module.result["exists"] = False
    service = _find(module)
    before = _diff(service)
    module.diff["before"] = before
    if (params["state"] or "").lower() == "absent":
        _delete(module, service)
        module.diff["after"] = ""
        module.exit()
    if service is None and not _asked(module):
        module.diff["after"] = ""
        module.exit()
    after = _change(module, service)
    module.diff["after"] = after
    _report(module, after)
    module.exit()


def _find(module: BasicModule) -> Service | None:
    try:
        return module.host.services.get(module.params["name"])
    except WindowsError:
        return None


def _asked(module: BasicModule) -> bool:
    defaults = {"dependency_action": "set", "desktop_interact": False}
    return any(
        value is not None and value != defaults.get(key)
        for key, value in module.params.items()
        if key not in _QUIET
    )


def _diff(service: Service | None) -> Any:
    if service is None:
        return ""
    shown: dict[str, Any] = {option: getattr(service, field) for option, field in _PLAIN.items()}
    shown.update(
        dependencies=list(service.dependencies),
        desktop_interact=service.desktop_interact,
        failure_actions=[{"type": a.type, "delay_ms": a.delay_ms} for a in service.failure_actions],
        name=service.name,
        required_privileges=list(service.required_privileges),
        state=service.state,
        description=service.description or None,
    )
    if not service.kernel:
        shown.update(username=service.account, password="REDACTED")  # noqa: S106  the original's text
    return shown


def _delete(module: BasicModule, service: Service | None) -> None:
    if service is None:
        return
    _stop(module, service)
    if not module.check_mode:
        module.host.services.delete(service.name)
    module.result["changed"] = True


def _change(module: BasicModule, service: Service | None) -> dict[str, Any]:
    params, services = module.params, module.host.services
    created = service is None
    if service is None:
        if params["path"] is None:
            module.fail(
                f"Service '{params['name']}' is not installed, need to set 'path' to create a new "
                "service"
            )
        module.result["changed"] = True
        service = Service(
            name=params["name"],
            display_name=params["name"],
            start_mode="auto",
            path=params["path"],
            account="NT AUTHORITY\\SYSTEM",
        )
        if module.check_mode:
            after = {key: params[key] for key in (*_PLAIN, "dependencies", "desktop_interact")}
            return {**after, "name": params["name"], "state": params["state"] or "stopped"}
        services.create(service)
    after = dict(_diff(service))
    changes = _account(module, service, after, created=created) if not service.kernel else {}
    changes.update(_dependencies(module, service, after))
    changes.update(_plain(module, service, after))
    changes.update(_lists(module, service, after))
    changes.update(_interactive(module, service, after))
    if changes:
        module.result["changed"] = True
        if not module.check_mode:
            service = services.configure(service.name, **changes)
    _state(module, service, after)
    return after


def _account(
    module: BasicModule, service: Service, after: dict[str, Any], *, created: bool
) -> dict[str, Any]:
    params, changes = module.params, {}
    update = created or (params["update_password"] or "").lower() == "always"
    if params["username"]:
        wanted = _sid(module, params["username"])
        if wanted != _sid(module, service.account or "LocalSystem"):
            changes["account"] = _name(module, wanted, params["username"])
            update = True
        after["username"] = _name(module, wanted, params["username"])
    if update and params["password"]:
        after["password"] = "CHANGED REDACTED"  # noqa: S105  the original's text
        module.result["changed"] = True
        if not module.check_mode:
            # The lab keeps no service passwords; the write still counts as one.
            module.host.guard.write(f"service {service.name}: password")
    return changes


def _sid(module: BasicModule, name: str) -> str:
    if name.lower().startswith("nt service\\"):
        return name.lower()
    try:
        return module.host.accounts.sid_of(name)
    except WindowsError as error:
        raise ModuleCrash(
            'Exception calling "Translate" with "1" argument(s): "Some or all identity references '
            'could not be translated."'
        ) from error


def _name(module: BasicModule, sid: str, given: str) -> str:
    return given if sid.startswith("nt service\\") else module.host.accounts.name_of(sid)


def _dependencies(module: BasicModule, service: Service, after: dict[str, Any]) -> dict[str, Any]:
    given, action = module.params["dependencies"], module.params["dependency_action"].lower()
    if given is None:
        return {}
    present = list(service.dependencies)
    add = [name for name in given if name not in present] if action != "remove" else []
    gone: list[str] = []
    if action == "remove":
        gone = [name for name in present if name in given]
    elif action == "set":
        gone = [name for name in present if name not in given]
    if not add and not gone:
        return {}
    after["dependencies"] = [name for name in present if name not in gone] + add
    return {"dependencies": tuple(after["dependencies"])}


def _plain(module: BasicModule, service: Service, after: dict[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for option, field in _PLAIN.items():
        value = module.params[option]
        if value is None or (value == "" and option in {"display_name", "path"}):
            continue
        if option in _LOWER:
            value = value.lower()
        elif option in _NULLABLE and value == "":
            value = None
        after[option] = value
        if value != getattr(service, field):
            changes[field] = value
    return changes


def _lists(module: BasicModule, service: Service, after: dict[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    actions = module.params["failure_actions"]
    if actions is not None:
        wanted = tuple(
            FailureAction(type=action["type"].lower(), delay_ms=action["delay_ms"])
            for action in actions
        )
        after["failure_actions"] = [{"type": a.type, "delay_ms": a.delay_ms} for a in wanted]
        if wanted != service.failure_actions:
            changes["failure_actions"] = wanted
    privileges = module.params["required_privileges"]
    if privileges is not None:
        after["required_privileges"] = privileges
        if set(privileges) != set(service.required_privileges):
            changes["required_privileges"] = tuple(privileges)
    return changes


def _interactive(module: BasicModule, service: Service, after: dict[str, Any]) -> dict[str, Any]:
    wanted = module.params["desktop_interact"]
    after["desktop_interact"] = wanted
    account = module.params["username"] or service.account or "LocalSystem"
    if wanted and _sid(module, account) != _SYSTEM:
        module.fail("Can only set 'desktop_interact' to true when 'username' equals 'SYSTEM'")
    return {} if wanted == service.desktop_interact else {"desktop_interact": wanted}


def _state(module: BasicModule, service: Service, after: dict[str, Any]) -> None:
    state = (module.params["state"] or "").lower()
    if not state:
        after["state"] = service.state
        return
    after["state"] = state
    if state == "started" and service.state != "started":
        if service.state == "paused":
            _resume(module, service)
        else:
            _start(module, service)
    elif state == "stopped" and service.state != "stopped":
        _stop(module, service)
    elif state == "restarted":
        _restart(module, service)
    elif state == "paused" and service.state != "paused":
        _pause(module, service)
    else:
        return
    module.result["changed"] = True


def _start(module: BasicModule, service: Service) -> None:
    if module.check_mode:
        return
    try:
        started = module.host.services.start(service.name)
    except WindowsError as error:
        raise ModuleCrash(
            f"Service '{service.display_name} ({service.name})' cannot be started due to the "
            f"following error: Cannot start service {service.name} on computer '.'."
        ) from error
    if not started.running:
        raise ModuleCrash(f"Failed to start service '{service.display_name} ({service.name})'.")


def _stop(module: BasicModule, service: Service) -> None:
    if module.check_mode or service.state == "stopped":
        return
    named = f"'{service.display_name} ({service.name})'"
    try:
        force = module.params["force_dependent_services"]
        module.host.services.stop(service.name, force=force)
    except WindowsError as error:
        if error.code == 1051:
            raise ModuleCrash(
                f"Cannot stop service {named} because it has dependent services. It can only be "
                "stopped if the Force flag is set."
            ) from error
        raise ModuleCrash(
            f"Service {named} cannot be stopped due to the following error: Cannot stop "
            f"{service.name} service on computer '.'."
        ) from error


def _restart(module: BasicModule, service: Service) -> None:
    services = module.host.services
    below = [other for other in services.dependents(service.name) if other.running]
    _stop(module, service)
    _start(module, service)
    if not module.check_mode:
        for other in below:
            _start(module, other)


def _resume(module: BasicModule, service: Service) -> None:
    try:
        if not module.check_mode:
            module.host.services.resume(service.name)
    except WindowsError as error:
        module.fail(
            f"failed to start service from paused state {service.name}: "
            f"{error.text(module.host.locale.name)}"
        )


def _pause(module: BasicModule, service: Service) -> None:
    if "pause_continue" not in service.controls_accepted:
        module.fail(f"failed to pause service {service.name}: The service does not support pausing")
    try:
        if not module.check_mode:
            module.host.services.pause(service.name)
    except WindowsError as error:
        module.fail(
            f"failed to pause service {service.name}: {error.text(module.host.locale.name)}"
        )


def _report(module: BasicModule, after: dict[str, Any]) -> None:
    result, services = module.result, module.host.services
    for key in ("dependencies", "description", "desktop_interact", "display_name", "name", "path"):
        result[key] = after.get(key)
    result.update(exists=True, start_mode=after.get("start_mode"), username=after.get("username"))
    if after.get("username") and _sid(module, after["username"]) == _SYSTEM:
        result["username"] = "LocalSystem"
    state = after["state"].replace("_", "")
    result["state"] = "running" if state in {"restarted", "started"} else state
    result.update(can_pause_and_continue=None, depended_by=[])
    service = services.find(after["name"])
    if service is not None:
        result["depended_by"] = [other.name for other in services.dependents(service.name)]
        result["can_pause_and_continue"] = "pause_continue" in service.controls_accepted


MODULE = Registered(
    "win_service",
    basic=run,
    rules=Rules(required_by={"password": ("username",)}),
    no_log=("password",),
    types={
        "failure_actions.delay_ms": "uint32",
        "failure_reset_period_sec": "uint32",
        "pre_shutdown_timeout_ms": "uint32",
    },
)
