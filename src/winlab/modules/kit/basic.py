"""Ansible.Basic: argument checks, invocation, no_log and the ways a module ends.

Source: ansible-core 2.19 ``module_utils/csharp/Ansible.Basic.cs``; the order of the checks and
every text are those of ``CheckArguments``. Supported parameters are listed in the documentation's
order (assumed: the original lists them in the order of a .NET hashtable).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from winlab.host.host import Host
from winlab.modules.kit.context import ModuleEnd, RunContext
from winlab.modules.kit.dotnet import ModuleCrash, calling, null_argument
from winlab.modules.kit.spec import Option, Rules, Spec
from winlab.modules.kit.values import (
    ConversionError,
    converter,
    to_bool,
    to_dict,
    to_str,
    type_name,
)

_RESERVED = (
    "check_mode", "debug", "diff", "keep_remote_files", "ignore_unknown_opts", "module_name",
    "no_log", "remote_tmp", "selinux_special_fs", "shell_executable", "socket", "syslog_facility",
    "target_log_info", "tracebacks_for", "tmpdir", "verbosity", "version",
)  # fmt: skip
_PREFIX = "_ansible_"
_LEGAL = frozenset(f"{_PREFIX}{name}" for name in _RESERVED)
_HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


class BasicModule:
    """One run of a module written on Ansible.Basic.

    ``params`` holds every option of the specification (None = not given); ``result``, ``diff`` and
    ``warnings`` are filled by the module, which ends by :meth:`exit` or :meth:`fail`.
    """

    def __init__(self, context: RunContext, spec: Spec, arguments: Mapping[str, Any]) -> None:
        """Check the arguments; raises ModuleEnd with the genuine message when they are refused."""
        self.context = context
        self.spec = spec
        self.params: dict[str, Any] = dict(arguments)
        self.check_mode = False
        self.diff_mode = False
        self.name = "undefined win module"
        self.result: dict[str, Any] = {"changed": False}
        self.diff: dict[str, Any] = {}
        self.warnings: list[str] = []
        self._ignore_unknown = False
        self._secrets: set[str] = set()
        self._within: list[str] = []
        self._apply_aliases(spec.options, self.params)
        self._collect_secrets(spec.options, self.params)
        self._check(spec.options, spec.rules, self.params)
        self.result["invocation"] = {"module_args": self._scrub(self.params)}
        for name, option in spec.options.items():
            # A null passes the check of required options, as in the original, and breaks the
            # module at its first use.
            if self.params[name] is not None:
                continue
            if option.required:
                raise null_argument(name)
            # assumed: a null where there is a default does as the default does, a switch is off.
            if option.default is not None:
                self.params[name] = False if option.type == "bool" else option.default

    @property
    def host(self) -> Host:
        """The host that the module runs on."""
        return self.context.host

    def warn(self, message: str) -> None:
        """Add a warning to the result."""
        self.warnings.append(message)

    def exit(self) -> NoReturn:
        """ExitJson."""
        raise ModuleEnd(self._finished(), 0)

    def fail(self, message: str) -> NoReturn:
        """FailJson."""
        self.result["failed"] = True
        self.result["msg"] = self._scrub(message)
        raise ModuleEnd(self._finished(), 1)

    def _finished(self) -> dict[str, Any]:
        if "invocation" not in self.result:
            self.result["invocation"] = {"module_args": self._scrub(self.params)}
        if self.warnings:
            self.result["warnings"] = self.warnings
        if self.diff and self.diff_mode:
            self.result["diff"] = self.diff
        return self.result

    def _apply_aliases(self, options: Mapping[str, Option], given: dict[str, Any]) -> None:
        for name, option in options.items():
            for alias in option.aliases:
                if alias in given:
                    given[name] = given[alias]

    def _collect_secrets(self, options: Mapping[str, Option], given: Mapping[str, Any]) -> None:
        for name, option in options.items():
            if option.no_log and given.get(name) not in (None, ""):
                self._secrets.add(to_str(given[name]))

    def _check(self, options: Mapping[str, Option], rules: Rules, given: dict[str, Any]) -> None:
        self._check_unsupported(options, given)
        if self.check_mode and not self.spec.supports_check_mode and not self._within:
            self.result["skipped"] = True
            self.result["msg"] = f"remote module ({self.name}) does not support check mode"
            self.exit()
        for group in rules.mutually_exclusive:
            if sum(name in given for name in group) > 1:
                self._refuse(f"parameters are mutually exclusive: {', '.join(group)}")
        self._check_required(options, given)
        for name, option in options.items():
            if given.get(name) is not None:
                given[name] = self._converted(name, option, given[name])
        self._check_rules(rules, given)
        for name, option in options.items():
            given.setdefault(name, None)
            self._check_below(name, option, given)

    def _check_unsupported(self, options: Mapping[str, Option], given: dict[str, Any]) -> None:
        legal = [*options, *(alias for option in options.values() for alias in option.aliases)]
        by_lower = {name.lower(): name for name in legal}
        unknown: list[str] = []
        for key in list(given):
            if key in _LEGAL and not self._within:
                self._take_reserved(key.removeprefix(_PREFIX), given.pop(key))
            elif key not in legal:
                known = by_lower.get(key.lower())
                if known is None:
                    unknown.append(key)
                else:
                    given[known] = given.pop(key)
        if unknown and not self._ignore_unknown:
            text = f"Unsupported parameters for ({self.name}) module: {', '.join(unknown)}"
            self._end(f"{self._located(text)}. Supported parameters include: {', '.join(legal)}")

    def _take_reserved(self, key: str, value: Any) -> None:
        if key == "check_mode":
            self.check_mode = to_bool(value)
        elif key == "diff":
            self.diff_mode = to_bool(value)
        elif key == "module_name":
            self.name = to_str(value)
        elif key == "ignore_unknown_opts":
            self._ignore_unknown = to_bool(value)

    def _check_required(self, options: Mapping[str, Option], given: dict[str, Any]) -> None:
        missing = []
        for name, option in options.items():
            if option.default is not None and name not in given:
                given[name] = option.default
            if option.required and name not in given:
                missing.append(name)
        if missing:
            self._refuse(f"missing required arguments: {', '.join(missing)}")

    def _converted(self, name: str, option: Option, value: Any) -> Any:
        kind = "delegate" if option.type == "uint32" else option.type
        try:
            new = converter(option.type, self.context.environment)(value)
        except ConversionError as error:
            self._refuse(
                f"argument for {name} is of type {type_name(value)} and we were unable to convert "
                f"to {kind}: {error}"
            )
        if option.choices:
            listed = option.type == "list"
            values = [to_str(item) for item in new] if listed else [to_str(new)]
            allowed = [to_str(choice) for choice in option.choices]
            lower = {choice.lower() for choice in allowed}
            strange = [item for item in values if item.lower() not in lower]
            if strange:
                must = "one or more of" if listed else "one of"
                self._refuse(
                    f"value of {name} must be {must}: {', '.join(allowed)}. "
                    f"Got no match for: {', '.join(strange)}"
                )
        return new

    def _check_rules(self, rules: Rules, given: Mapping[str, Any]) -> None:
        for group in rules.required_together:
            found = [name in given for name in group]
            if any(found) and not all(found):
                self._refuse(f"parameters are required together: {', '.join(group)}")
        for group in rules.required_one_of:
            if not any(name in given for name in group):
                self._refuse(f"one of the following is required: {', '.join(group)}")
        for key, value, needed in rules.required_if:
            if given.get(key) is not None and to_str(given[key]) == to_str(value):
                missing = [name for name in needed if name not in given]
                if missing:
                    self._refuse(
                        f"{key} is {to_str(value)} but all of the following are missing: "
                        f"{', '.join(missing)}"
                    )
        for key, needed in rules.required_by.items():
            missing = [name for name in needed if key in given and name not in given]
            if missing:
                self._refuse(f"missing parameter(s) required by '{key}': {', '.join(missing)}")

    def _check_below(self, name: str, option: Option, given: dict[str, Any]) -> None:
        value = given[name]
        if option.type == "dict":
            given[name] = self._check_group(name, option, value)
        elif option.type == "list" and option.elements and value is not None:
            if option.elements == "dict":
                given[name] = [self._check_group(name, option, element) for element in value]
            else:
                given[name] = list(self._elements(name, option.elements, value))

    def _elements(self, name: str, kind: str, values: Iterable[Any]) -> Iterable[Any]:
        convert = converter(kind, self.context.environment)
        for value in values:
            try:
                yield convert(value)
            except ConversionError as error:
                self._refuse(
                    f"argument for list entry {name} is of type {type_name(value)} and we were "
                    f"unable to convert to {kind}: {error}"
                )

    def _check_group(self, name: str, option: Option, value: Any) -> Any:
        if not option.options or value is None:
            return value
        self._within.append(name)
        try:
            group = to_dict(value)
        except ConversionError as error:
            locale = self.context.host.locale.name
            raise ModuleCrash(calling("Create", 2, str(error), locale)) from error
        self._apply_aliases(option.options, group)
        self._collect_secrets(option.options, group)
        self._check(option.options, option.rules, group)
        self._within.pop()
        return group

    def _located(self, message: str) -> str:
        return f"{message} found in {' -> '.join(self._within)}" if self._within else message

    def _refuse(self, message: str) -> NoReturn:
        self._end(self._located(message))

    def _end(self, message: str) -> NoReturn:
        self.fail(message)

    def _scrub(self, value: Any) -> Any:
        if not self._secrets or value is None:
            return value
        if isinstance(value, dict):
            return {key: self._scrub(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._scrub(item) for item in value]
        text = to_str(value)
        if text in self._secrets:
            return _HIDDEN
        if not isinstance(value, str):
            return _HIDDEN if any(secret in text for secret in self._secrets) else value
        for secret in self._secrets:
            if secret in text:
                return text.replace(secret, "********")
        return value
