"""win_reboot's boot time query (ansible.windows 3.3.0, plugin_utils/_reboot.py)."""

from __future__ import annotations

from winlab.modules.kit.context import RunContext, ScriptOutput

_QUERY = (
    "(Get-CimInstance -ClassName Win32_OperatingSystem -Property LastBootUpTime)"
    ".LastBootUpTime.ToFileTime()"
)
_UNIX_EPOCH_AS_FILETIME = 116444736000000000


def run(context: RunContext, script: str) -> ScriptOutput | None:
    """Print the boot time as a FILETIME: units of 100 ns since 1601 (UTC)."""
    if script != _QUERY:
        return None
    moment = context.host.power.boot_time.timestamp()
    ticks = round(moment * 10**6) * 10 + _UNIX_EPOCH_AS_FILETIME
    return ScriptOutput(stdout=f"{ticks}\r\n")
