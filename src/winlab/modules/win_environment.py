"""ansible.windows.win_environment (win_environment.ps1, ansible.windows 3.3.0).

Machine variables are kept; process ones die with the module's process; the lab keeps none of users.
"""

from __future__ import annotations

from typing import Any

from winlab.host.errors import NotModelledError
from winlab.host.host import Host
from winlab.modules.kit.basic import BasicModule
from winlab.modules.kit.dotnet import ModuleCrash
from winlab.modules.kit.registry import Registered
from winlab.modules.kit.spec import Rules
from winlab.modules.kit.values import to_str

_KEY = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment"


def run(module: BasicModule) -> None:
    """Set or remove variables of one level."""
    level = module.params["level"].lower()
    if level == "user":
        raise NotModelledError("win_environment with level user")
    module.result.update(values={}, env_values={})
    module.diff.update(before={level: {}}, after={level: {}})
    if not module.params["variables"] and module.params["name"] is None:
        raise ModuleCrash("A null key is not allowed in a hash literal.")
    given: dict[str, Any] = module.params["variables"] or {
        module.params["name"]: module.params["value"]
    }
    for name, value in given.items():
        _one(module, level, name, None if value is None else to_str(value))
    module.exit()


def _one(module: BasicModule, level: str, name: str, value: str | None) -> None:
    state = (module.params["state"] or "").lower()
    if state == "absent" and value:
        module.warn(
            f"When removing environment variable '{name}' it should not have a value '{value}' set"
        )
        value = None
    elif state == "present" and not value:
        module.fail(
            "When state=present, value must be defined and not an empty string, if you wish to "
            "remove the envvar, set state=absent"
        )
    before = _present(module, level, name)
    status = _apply(module, level, name, value, before, state or ("present" if value else "absent"))
    if before:
        module.diff["before"][level][name] = before
    if value:
        module.diff["after"][level][name] = value
    module.result["values"][name] = status
    module.result["env_values"][name] = status
    module.result["changed"] = module.result["changed"] or status["changed"]
    module.result.update(before_value=before, value=status["after"])


def _present(module: BasicModule, level: str, name: str) -> str | None:
    if level == "process":
        return module.context.environment.get(name.upper())
    kept = module.host.environment
    return next((kept[key] for key in kept if key.upper() == name.upper()), None)


def _apply(
    module: BasicModule, level: str, name: str, value: str | None, before: str | None, state: str
) -> dict[str, Any]:
    # PowerShell's -ne compares without case.
    differs = (before or "").lower() != (value or "").lower()
    changed = differs if state == "present" else before is not None
    if changed and level == "machine" and not module.check_mode:
        _write(module.host, name, value if state == "present" else None)
    return {"changed": changed, "after": value or "", "before": before}


def _write(host: Host, name: str, value: str | None) -> None:
    host.writing(f"environment {name}")
    kept = next((key for key in host.environment if key.upper() == name.upper()), name)
    if value is not None:
        host.environment[kept] = value
        host.registry.set_value(_KEY, kept, value)
        return
    host.environment.pop(kept, None)
    if host.registry.value(_KEY, kept) is not None:
        host.registry.delete_value(_KEY, kept)


MODULE = Registered(
    "win_environment",
    basic=run,
    rules=Rules(
        mutually_exclusive=(("variables", "name"), ("variables", "value"), ("variables", "state")),
        required_one_of=(("name", "variables"),),
    ),
)
