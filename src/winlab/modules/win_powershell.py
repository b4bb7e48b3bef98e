"""ansible.windows.win_powershell (win_powershell.ps1, ansible.windows 3.3.0): refused by name.

The lab has no PowerShell. The checks that come before the script runs are real.
"""

from __future__ import annotations

from winlab.host.errors import NotModelledError
from winlab.modules.kit.basic import BasicModule
from winlab.modules.kit.registry import Registered
from winlab.modules.kit.spec import Rules


def run(module: BasicModule) -> None:
    """Honour ``creates`` and ``removes``, then refuse the script by its first line."""
    files, cwd = module.host.files, module.context.working_directory
    creates, removes = module.params["creates"], module.params["removes"]
    if creates and files.exists(creates, cwd):
        module.result["msg"] = f"skipped, since {creates} exists"
        module.exit()
    if removes and not files.exists(removes, cwd):
        module.result["msg"] = f"skipped, since {removes} does not exist"
        module.exit()
    script = module.params["script"] or module.params["path"] or ""
    lines = [line.strip() for line in script.splitlines() if line.strip()]
    raise NotModelledError(f"the PowerShell script '{lines[0][:60] if lines else ''}'")


MODULE = Registered(
    "win_powershell",
    basic=run,
    rules=Rules(
        required_one_of=(("path", "script"),),
        mutually_exclusive=(("path", "script"),),
    ),
    no_log=("sensitive_parameters.password", "sensitive_parameters.value"),
    group_rules={
        "sensitive_parameters": Rules(
            mutually_exclusive=(("value", "username"), ("value", "password")),
            required_one_of=(("username", "value"),),
            required_together=(("username", "password"),),
        )
    },
)
