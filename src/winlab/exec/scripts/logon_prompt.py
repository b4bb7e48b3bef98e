"""win_reboot's test that the logon prompt is up (ansible.windows 3.3.0, plugin_utils/_reboot.py)."""

from __future__ import annotations

import re

from winlab.modules.kit.context import RunContext, ScriptOutput

_TEST = re.compile(
    r"Get-Item -LiteralPath 'HKLM:\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Winlogon"
    r"\\AutoLogonChecked' -ErrorAction Stop; '([^']*)'",
    re.IGNORECASE,
)


def run(context: RunContext, script: str) -> ScriptOutput | None:
    """Print the given text once the host is up.

    LogonUI makes the key when it shows its prompt; a lab host that answers at all, with no shutdown
    scheduled, is past that.
    """
    found = _TEST.fullmatch(script)
    if found is None:
        return None
    if context.host.power.pending is not None:
        missing = "AutoLogonChecked' because it does not exist."
        return ScriptOutput(stderr=f"Get-Item : Cannot find path '{missing}", rc=1)
    table = (
        "\r\n\r\n    Hive: HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"
        "\\Winlogon\r\n\r\n\r\nName                           Property\r\n"
        "----                           --------\r\nAutoLogonChecked\r\n"
    )
    return ScriptOutput(stdout=f"{table}{found[1]}\r\n")
