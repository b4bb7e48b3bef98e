"""Calling a module as a manifest calls it, in process."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from winlab.exec.process import Process
from winlab.exec.run import execute
from winlab.host.host import Host
from winlab.modules.kit.spec import shipped_script

PASSWORD = "Lab-Pass-1"
Call = Callable[..., dict[str, Any]]


class LabClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 4, 5, 6, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def manifest(module: str, arguments: dict[str, Any]) -> bytes:
    """The least manifest that runs a module of ansible.windows."""
    script = f"ansible_collections.ansible.windows.plugins.modules.{module}.ps1"
    first = {"name": "exec_wrapper", "script": "", "params": {}}
    text = shipped_script("ansible.windows", module)
    second = {
        "scripts": {script: {"path": module, "script": text}},
        "actions": [
            {
                "name": "module_wrapper.ps1",
                "params": {
                    "Script": script,
                    "Environment": {},
                    "Variables": [{"Name": "complex_args", "Scope": "Global", "Value": arguments}],
                    "ForModule": True,
                },
            }
        ],
    }
    return b"\n\0\0\0\0\n".join(msgspec.json.encode(part) for part in (first, second))


BOOTSTRAP = "$code = ConvertFrom-Json -InputObject $codeJson"


def call_module(
    host: Host,
    module: str,
    /,
    *,
    check: bool = False,
    diff: bool = False,
    user: str = "Administrator",
    **options: Any,
) -> dict[str, Any]:
    """Run a module and return its one line of JSON; the exit code must say whether it failed."""
    arguments = {
        **options,
        "_ansible_check_mode": check,
        "_ansible_diff": diff,
        "_ansible_module_name": f"ansible.windows.{module}",
        "_ansible_version": "2.19.14",
    }
    process = Process(
        command_line=BOOTSTRAP, user=user, stdin=manifest(module, arguments), psrp=True
    )
    result = execute(host, process)
    assert result.output_objects is not None
    (line,) = result.output_objects
    assert "\n" not in line
    answer: dict[str, Any] = json.loads(line)
    assert result.rc == int(bool(answer.get("failed")))
    return answer
