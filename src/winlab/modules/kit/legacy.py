"""Ansible.ModuleUtils.Legacy: arguments taken one by one, results without an invocation.

Source: ansible-core 2.19 ``module_utils/powershell/Ansible.ModuleUtils.Legacy.psm1``. Options that
a module never asks for are ignored, as on Windows; the lab notes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from winlab.host.host import Host
from winlab.modules.kit.context import ModuleEnd, RunContext
from winlab.modules.kit.dotnet import null_argument
from winlab.modules.kit.spec import Spec
from winlab.modules.kit.values import expand_variables, to_str

_TRUE = ("yes", "on", "1", "true")


class LegacyModule:
    """One run of a module written on Legacy. ``result`` is what it returns."""

    def __init__(self, context: RunContext, spec: Spec, arguments: Mapping[str, Any]) -> None:
        """Parse-Args: ends at once when check mode is asked for and not supported."""
        self.context = context
        self.spec = spec
        self._given = {key.lower(): value for key, value in arguments.items()}
        self.result: dict[str, Any] = {"changed": False}
        self.check_mode = _bool(self._given.get("_ansible_check_mode", False))
        self.diff_mode = _bool(self._given.get("_ansible_diff", False))
        if self.check_mode and not spec.supports_check_mode:
            message = "remote module does not support check mode"
            raise ModuleEnd({"skipped": True, "changed": False, "msg": message}, 0)
        known = {"_ansible", *spec.options}
        known.update(alias for option in spec.options.values() for alias in option.aliases)
        for key in arguments:
            if not key.startswith("_") and key.lower() not in known:
                context.host.not_modelled(f"{spec.module} ignores the unknown option {key}")

    @property
    def host(self) -> Host:
        """The host that the module runs on."""
        return self.context.host

    def get(
        self,
        name: str,
        *,
        kind: str | None = None,
        default: Any = None,
        required: bool = False,
        choices: Sequence[str] = (),
        aliases: Sequence[str] = (),
    ) -> Any:
        """Get-AnsibleParam: the value of ``name`` or of the first alias given, converted.

        ``required`` fails with "Missing required argument" (the last alias tried is not named, as
        in the original); ``choices`` are compared without case.
        """
        found = next((key for key in (name, *aliases) if key.lower() in self._given), None)
        if found is None:
            if required:
                self.fail(f"Get-AnsibleParam: Missing required argument: {name}")
            value = default
        else:
            value = self._given[found.lower()]
            if choices and to_str(value).lower() not in [choice.lower() for choice in choices]:
                self.fail(
                    f"Get-AnsibleParam: Argument {found} needs to be one of {','.join(choices)} "
                    f"but was {'' if value is None else to_str(value)}."
                )
        if value is None:
            if required:
                raise null_argument(name)
            # assumed: a null, given or made by -as, does as the default does; the original hands
            # on the null.
            return default
        converted = self._converted(name, kind, value)
        return default if converted is None else converted

    def _converted(self, name: str, kind: str | None, value: Any) -> Any:
        if kind == "path":
            return self._path(name, expand_variables(to_str(value), self.context.environment))
        if kind == "str":
            return to_str(value)
        if kind == "bool":
            return _bool(value)
        if kind == "int":
            return _as_int(value)
        if kind == "list":
            return self._list(name, value)
        return value

    def _path(self, name: str, value: str) -> str:
        if not value or any(character in value for character in '<>|"'):
            self.fail(
                f"Get-AnsibleParam: Parameter '{name}' has an invalid path '{value}' specified."
            )
        return value

    def _list(self, name: str, value: Any) -> list[Any]:
        if isinstance(value, list):
            return value
        if isinstance(value, str):
            return [part.strip() for part in value.split(",")]
        if not isinstance(value, int) or isinstance(value, bool):
            self.fail(f"Get-AnsibleParam: Parameter '{name}' is not a YAML list.")
        return [value]

    def warn(self, message: str) -> None:
        """Add-Warning."""
        self.result.setdefault("warnings", []).append(message)

    def exit(self) -> NoReturn:
        """Exit-Json."""
        self.result.setdefault("changed", False)
        raise ModuleEnd(self.result, 0)

    def fail(self, message: str) -> NoReturn:
        """Fail-Json."""
        self.result["msg"] = message
        self.result["failed"] = True
        self.result.setdefault("changed", False)
        raise ModuleEnd(self.result, 1)


def _as_int(value: object) -> int | None:
    """PowerShell's ``-as [int]``: null for what is no number."""
    try:
        return round(value) if isinstance(value, (bool, int, float)) else int(to_str(value).strip())
    except ValueError:
        return None


def _bool(value: object) -> bool:
    return value is True or to_str(value).lower() in _TRUE
