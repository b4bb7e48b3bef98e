"""Payloads are made by ansible-core itself: nothing here knows the manifest's form."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ansible.executor.powershell.module_manifest import (
    _bootstrap_powershell_script,
    _create_powershell_wrapper,
    _get_powershell_script,
)
from ansible.plugins.become.runas import BecomeModule

from winlab.exec.process import ProcessResult
from winlab.modules.kit.spec import module_folder

PASSWORD = "Lab-Pass-1"
Run = Callable[..., ProcessResult]


class LabClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 4, 5, 6, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def encoded(script: str) -> str:
    """The command line of ansible's powershell shell plugin."""
    return (
        "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "
        + base64.b64encode(script.encode("utf-16-le")).decode()
    )


def runas(user: str, password: str | None, **options: str) -> Any:
    """A become plugin with its options set."""
    plugin = BecomeModule()
    flags = " ".join(f"{key}={value}" for key, value in options.items())
    given = {"become_user": user, "become_pass": password, "become_flags": flags}
    plugin.get_option = given.get
    return plugin


def module_payload(
    name: str,
    arguments: dict[str, Any],
    *,
    become: Any = None,
    timeout: int = 0,
    environment: dict[str, str] | None = None,
    edit: Callable[[bytes], bytes] = bytes,
) -> bytes:
    """What ansible-core 2.19 sends for a module of ansible.windows."""
    path = module_folder("ansible.windows") / f"{name}.ps1"
    reserved = {"_ansible_check_mode": False, "_ansible_module_name": f"ansible.windows.{name}"}
    payload: bytes = _create_powershell_wrapper(
        name=f"ansible_collections.ansible.windows.plugins.modules.{name}",
        module_data=edit(path.read_bytes()),
        module_path=str(path),
        module_args={**reserved, **arguments},
        environment={"ANSIBLE_ASYNC_DIR": "%USERPROFILE%\\.ansible_async", **(environment or {})},
        async_timeout=timeout,
        become_plugin=become,
        substyle="powershell",
        task_vars={},
        profile="legacy",
    )
    return payload


def script_payload(call: str) -> bytes:
    """What ansible-core 2.19 sends for the ``script`` action, whose text is ``call``."""
    payload: bytes = _create_powershell_wrapper(
        name="ansible.builtin.script.x",
        module_data=call.encode(),
        module_path="/x.cmd",
        module_args={},
        environment={},
        async_timeout=0,
        become_plugin=None,
        substyle="script",
        task_vars={},
        profile="legacy",
    )
    return payload


def bootstrap() -> str:
    """The text of bootstrap_wrapper.ps1."""
    text: str = _get_powershell_script("bootstrap_wrapper.ps1").decode()
    return text


def wrapper_payload(name: str, parameters: dict[str, Any], data: bytes | None = None) -> bytes:
    """What ansible-core 2.19 sends for one of its own wrappers."""
    _, payload = _bootstrap_powershell_script(name, parameters, has_input=data is not None)
    whole: bytes = payload + (data or b"")
    return whole
