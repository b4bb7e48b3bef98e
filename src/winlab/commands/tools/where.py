"""where.exe. Source: "where" (Microsoft Learn)."""

from __future__ import annotations

from winlab.commands.call import Call, program
from winlab.host import paths
from winlab.host.errors import NotModelledError


@program("where")
def where(call: Call) -> int:
    """Find files on the path."""
    names = [a for a in call.args if not a.startswith("/")]
    quiet = any(a.lower() == "/q" for a in call.args)
    for arg in call.args:
        if arg.startswith("/") and arg.lower() != "/q":
            raise NotModelledError(f"where {arg}")
    extensions = ["", *(call.env.find("PATHEXT") or "").lower().split(";")]
    folders = [call.cwd, *[p for p in (call.env.find("Path") or "").split(";") if p]]
    found: list[str] = []
    for name in names:
        for folder in folders:
            for extension in extensions:
                full = paths.join(folder.rstrip("\\") or folder, name + extension)
                if call.host.files.is_file(full):
                    found.append(call.host.files.stat(full).path)
    if not found:
        call.error(
            call.text(
                "INFO: Could not find files for the given pattern(s).",
                "信息: 用提供的模式无法找到文件。",
            )
        )
        return 1
    if not quiet:
        for path in dict.fromkeys(found):
            call.line(path)
    return 0
