"""sort.exe. Source: "sort" (Microsoft Learn)."""

from __future__ import annotations

from winlab.commands.call import Call, codec, program
from winlab.host.errors import NotModelledError


@program("sort")
def sort(call: Call) -> int:
    """Sort lines without regard to case; /r reverses, /unique drops repeats."""
    reverse = unique = False
    name: str | None = None
    for arg in call.args:
        low = arg.lower()
        if low in {"/r", "/reverse"}:
            reverse = True
        elif low in {"/uniq", "/unique"}:
            unique = True
        elif low.startswith("/"):
            raise NotModelledError(f"sort {arg}")
        else:
            name = arg
    text = (
        call.input_text()
        if name is None
        else call.host.files.read(name, call.cwd).decode(codec(call.console.codepage), "replace")
    )
    lines = text.replace("\r\n", "\n").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    lines.sort(key=str.lower, reverse=reverse)
    if unique:
        lines = list({line.lower(): line for line in reversed(lines)}.values())[::-1]
    for line in lines:
        call.line(line)
    return 0
