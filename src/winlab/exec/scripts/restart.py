"""win_reboot's shutdown script (ansible.windows 3.3.0, plugin_utils/_reboot.py)."""

from __future__ import annotations

import json
import re

from winlab.exec.literals import unquote
from winlab.modules.kit.commands import run_line
from winlab.modules.kit.context import RunContext, ScriptOutput

_SHUTDOWN = re.compile(
    r"\. \{ (C:\\Windows\\System32\\shutdown\.exe) (/r /t \d+) /c (.+?) \| Set-Variable stdout \} "
    r"2>&1 \| ForEach-Object ToString",
    re.IGNORECASE | re.DOTALL,
)
_START = "$ErrorActionPreference = 'Continue'"


def run(context: RunContext, script: str) -> ScriptOutput | None:
    """Run shutdown.exe and print what it said and returned as JSON."""
    found = _SHUTDOWN.search(script)
    if found is None or not script.startswith(_START) or "ConvertTo-Json" not in script:
        return None
    message = unquote(found[3]).replace('"', "'")
    with context.host.guard.acting("win_reboot"):
        answer = run_line(context, f'{found[1]} {found[2]} /c "{message}"')
    told = {
        "stdout": "\n".join(answer.stdout.decode("utf-8", "replace").splitlines()),
        "stderr": "\n".join(answer.stderr.decode("utf-8", "replace").splitlines()),
        "rc": answer.rc,
    }
    return ScriptOutput(stdout=json.dumps(told, separators=(",", ":")) + "\r\n")
