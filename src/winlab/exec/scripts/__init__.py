"""PowerShell that clients send as plain text, each kind recognised by what it is.

Every recogniser is one small file with ``run(context, body)``, which answers None for what is not
its own. What none of them knows is refused by name, one layer up.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from winlab.exec.scripts import (
    boot_time,
    discovery,
    logon_prompt,
    native,
    remove_item,
    restart,
)
from winlab.modules.kit.context import RunContext, ScriptOutput

_PREFIX = re.compile(r"^\s*Set-StrictMode -Version Latest\s*\r?\n")
_SUFFIX = re.compile(
    r"[;\r\n]\s*If \(-not \$\?\) \{ If \(Get-Variable LASTEXITCODE -ErrorAction SilentlyContinue\) "
    r"\{ exit \$LASTEXITCODE \} Else \{ exit 1 \} \}\s*$"
)
_EXIT = re.compile(r"\r?\n\s*exit \$LASTEXITCODE\s*$")

_RECOGNISERS: tuple[Callable[[RunContext, str], ScriptOutput | None], ...] = (
    boot_time.run,
    restart.run,
    logon_prompt.run,
    remove_item.run,
    discovery.run,
    native.run,
)


def body(text: str) -> str:
    """The script without what connection and shell plugins put around it."""
    text = _PREFIX.sub("", text)
    text = _SUFFIX.sub("", text)
    return _EXIT.sub("", text).strip()


def run(context: RunContext, text: str) -> ScriptOutput | None:
    """Run a script that the lab models; None when it does not."""
    script = body(text)
    for recogniser in _RECOGNISERS:
        done = recogniser(context, script)
        if done is not None:
            return done
    return None


def first_line(text: str) -> str:
    """The first line of a script, short enough for a message."""
    lines = [line.strip() for line in body(text).splitlines() if line.strip()]
    return lines[0][:80] if lines else ""
