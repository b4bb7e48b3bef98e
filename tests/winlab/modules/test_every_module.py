"""What holds for all emulated modules, and fails when one is added without a case here."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.winlab.modules.calls import call_module

from winlab.host.host import Host
from winlab.modules.kit.registry import all_registered, by_name
from winlab.modules.kit.spec import module_folder


@dataclass(frozen=True)
class Case:
    """One use of a module; ``prepare`` makes the host dirty first."""

    module: str
    options: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[Host], object] = lambda host: host.name

    def __str__(self) -> str:
        words = [str(value) for value in self.options.values() if isinstance(value, str)]
        return "-".join([self.module, *words[:3]])


def file_at(path: str, content: bytes = b"text") -> Callable[[Host], object]:
    return lambda host: host.files.write(path, content)


def user(host: Host) -> None:
    host.accounts.create_user("bob", "Other-Pass-1")


def group(host: Host) -> None:
    user(host)
    host.accounts.create_group("ops")


KEY = "HKLM:\\SOFTWARE\\Opsproof"
CHANGERS = [
    Case("win_file", {"path": "C:\\d\\e", "state": "directory"}),
    Case("win_file", {"path": "C:\\f.txt", "state": "absent"}, file_at("C:\\f.txt")),
    Case("win_copy", {"src": "C:\\f", "dest": "C:\\g", "_copy_mode": "remote"}, file_at("C:\\f")),
    Case("win_regedit", {"path": KEY}),
    Case("win_regedit", {"path": KEY, "name": "a", "data": "x"}),
    Case("win_regedit", {"path": KEY, "name": "a", "data": 4294967295, "type": "dword"}),
    Case("win_regedit", {"path": KEY, "name": "a", "data": "hex:be,ef", "type": "binary"}),
    Case("win_regedit", {"path": KEY, "name": "a", "data": ["x", "y"], "type": "multistring"}),
    Case("win_regedit", {"path": KEY, "name": "a", "data": "%TEMP%", "type": "expandstring"}),
    Case("win_service", {"name": "Spooler", "state": "stopped", "start_mode": "disabled"}),
    Case("win_service", {"name": "new", "path": "C:\\new.exe", "description": "New"}),
    Case("win_service", {"name": "W32Time", "state": "absent"}),
    Case("win_user", {"name": "bob", "password": "Other-Pass-1", "groups": ["Users"]}),
    Case("win_user", {"name": "bob", "account_disabled": True, "fullname": "Bob"}, user),
    Case("win_user", {"name": "bob", "state": "absent"}, user),
    Case("win_group", {"name": "ops", "description": "Ops"}),
    Case("win_group", {"name": "ops", "members": {"set": ["bob", "SYSTEM"]}}, group),
    Case("win_group", {"name": "ops", "state": "absent"}, group),
    Case("win_environment", {"level": "machine", "name": "SITE", "value": "north"}),
    Case("win_environment", {"level": "machine", "variables": {"SITE": "x", "ROW": "5"}}),
    Case("win_group_membership", {"name": "Administrators", "members": [".\\bob"]}, user),
    Case("win_group_membership", {"name": "ops", "members": ["bob"], "state": "pure"}, group),
]
READERS = [
    Case("setup"),
    Case("slurp", {"src": "C:\\f"}, file_at("C:\\f")),
    Case("win_find", {"paths": ["C:\\Windows"], "recurse": True}),
    Case("win_ping"),
    Case("win_reg_stat", {"path": "HKLM:\\SYSTEM\\CurrentControlSet\\Services\\W32Time"}),
    Case("win_service_info"),
    Case("win_stat", {"path": "C:\\Windows\\System32"}),
    Case("win_wait_for", {"path": "C:\\Windows"}),
    Case("win_whoami"),
]
# They do as they are told each time, so neither rhythm fits; their own tests are beside this file.
ALWAYS = {"async_status", "win_command", "win_powershell", "win_shell", "win_tempfile"} | {
    "win_hotfix",
    "win_updates",
}


def state(host: Host) -> dict[str, Any]:
    """All that is modelled, but how often something was written."""
    return {key: value for key, value in host.dump().items() if key != "guard"}


def ready(host: Host, case: Case) -> dict[str, Any]:
    case.prepare(host)
    call_module(host, "win_ping")
    return state(host)


@pytest.mark.parametrize("case", CHANGERS, ids=str)
def test_check_says_changed_and_changes_nothing(host: Host, case: Case) -> None:
    before = ready(host, case)
    assert call_module(host, case.module, check=True, diff=True, **case.options)["changed"] is True
    assert state(host) == before
    assert host.guard.violations == []


@pytest.mark.parametrize("case", CHANGERS, ids=str)
def test_second_run_changes_nothing(host: Host, case: Case) -> None:
    before = ready(host, case)
    assert call_module(host, case.module, **case.options)["changed"] is True
    after = state(host)
    assert after != before
    assert call_module(host, case.module, **case.options)["changed"] is False
    assert call_module(host, case.module, check=True, **case.options)["changed"] is False
    assert state(host) == after


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("case", READERS, ids=str)
def test_readers_change_nothing_ever(host: Host, case: Case, check: bool) -> None:
    before = ready(host, case)
    assert call_module(host, case.module, check=check, **case.options)["changed"] is False
    assert state(host) == before


def test_every_module_has_a_case() -> None:
    covered = {case.module for case in (*CHANGERS, *READERS)} | ALWAYS
    assert {registered.name for registered in all_registered()} == covered


BASIC = [registered.name for registered in all_registered() if registered.basic]
# Lines such as ``name = @{ type = 'str'; required = $true }`` in a script's $spec.
_OPTION = re.compile(r"^ {8}(\w+) = @\{(.*)", re.MULTILINE)


@pytest.mark.parametrize("name", BASIC)
def test_options_are_those_of_the_shipped_script(name: str) -> None:
    registered = by_name(name)
    assert registered is not None
    text = (module_folder("ansible.windows") / f"{name}.ps1").read_text(encoding="utf-8")
    spec = text[text.index("$spec = @{") : text.index("[Ansible.Basic.AnsibleModule]::Create")]
    written = dict(_OPTION.findall(spec.partition("supports_check_mode")[0]))
    assert written or "options = @{}" in spec
    assert set(registered.spec.options) == set(written)
    for option, rest in written.items():
        assert registered.spec.options[option].no_log is ("no_log = $true" in rest)
        if rest.strip().endswith("}"):
            assert registered.spec.options[option].required is ("required = $true" in rest)
            assert bool(registered.spec.options[option].choices) is ("choices" in rest)


@pytest.mark.parametrize("name", [name for name in BASIC if name != "setup"])
def test_unknown_option_is_refused_with_the_supported_ones(host: Host, name: str) -> None:
    registered = by_name(name)
    assert registered is not None
    answer = call_module(host, name, nonsense=1)
    names = list(registered.spec.options)
    names += [alias for o in registered.spec.options.values() for alias in o.aliases]
    assert answer["msg"] == (
        f"Unsupported parameters for (ansible.windows.{name}) module: nonsense. "
        f"Supported parameters include: {', '.join(names)}"
    )
