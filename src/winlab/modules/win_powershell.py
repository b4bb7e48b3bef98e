"""ansible.windows.win_powershell (win_powershell.ps1, ansible.windows 3.3.0).

The lab has no PowerShell: it runs the few scripts that it models, without parameters, and refuses
all others by name. The checks that come before a script runs are real.
"""

from __future__ import annotations

from winlab.host.errors import NotModelledError
from winlab.modules.kit.basic import BasicModule
from winlab.modules.kit.registry import Registered
from winlab.modules.kit.spec import Rules

_STREAMS = ("error", "warning", "verbose", "debug", "information")
_BESIDE = ("arguments", "executable", "parameters", "sensitive_parameters")


def run(module: BasicModule) -> None:
    """Honour ``creates``, ``removes`` and check mode, then run the script or refuse it."""
    files, cwd = module.host.files, module.context.working_directory
    result, params = module.result, module.params
    result.update(result={}, host_out="", host_err="", output=[])
    result.update({stream: [] for stream in _STREAMS})
    creates, removes = params["creates"], params["removes"]
    if creates and files.exists(creates, cwd):
        result["msg"] = f"skipped, since {creates} exists"
        module.exit()
    if removes and not files.exists(removes, cwd):
        result["msg"] = f"skipped, since {removes} does not exist"
        module.exit()
    script = params["script"] or params["path"] or ""
    if module.check_mode and "SupportsShouldProcess" not in script:
        result.update(changed=True, msg="skipped, running in check mode")
        module.exit()
    _run(module, script)
    module.exit()


def _run(module: BasicModule, script: str) -> None:
    context = module.context
    plain = module.params["script"] and not any(module.params[name] for name in _BESIDE)
    done = context.powershell(context, script) if plain and context.powershell else None
    if done is None or done.stderr:
        lines = [line.strip() for line in script.splitlines() if line.strip()]
        raise NotModelledError(f"the PowerShell script '{lines[0][:60] if lines else ''}'")
    module.result.update(changed=True, output=done.stdout.splitlines())


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
