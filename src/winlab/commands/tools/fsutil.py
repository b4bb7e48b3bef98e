"""fsutil.exe. Source: "fsutil volume", "fsutil fsinfo" (Microsoft Learn)."""

from __future__ import annotations

from winlab.commands.call import Call, program
from winlab.host.errors import NotModelledError, WindowsError


@program("fsutil")
def fsutil(call: Call) -> int:
    """Show free space and drives."""
    words = [a.lower() for a in call.args]
    if words[:2] == ["volume", "diskfree"] and len(words) == 3:
        return _diskfree(call, call.args[2])
    if words[:2] == ["fsinfo", "drives"]:
        call.line()
        drives = " ".join(f"{letter}\\" for letter in sorted(call.host.files.drives))
        call.line(call.text(f"Drives: {drives} ", f"驱动器: {drives} "))
        return 0
    if len(words) >= 2:
        raise NotModelledError(f"fsutil {words[0]} {words[1]}")
    raise NotModelledError("fsutil's help")


def _diskfree(call: Call, name: str) -> int:
    if not call.admin:
        call.line(
            call.text(
                "The FSUTIL utility requires that you have administrative privileges.",
                "FSUTIL 实用程序要求你具有管理权限。",
            )
        )
        return 1
    try:
        drive = call.host.files.drive(name)
    except WindowsError:
        call.line(call.text("Error:  ", "错误:  ") + call.message(3))
        return 1
    free = call.host.files.free(drive.letter)
    gib = 1024**3
    rows = (
        (("Total free bytes", "可用字节总数"), free),
        (("Total bytes", "字节总数"), drive.size),
        (("Total quota free bytes", "可用配额字节总数"), free),
    )
    for labels, value in rows:
        label = call.text(*labels)
        shown = (
            f"{value:>18,} ({value / gib:>5.1f} GB)" if call.host.os.build >= 17763 else str(value)
        )
        call.line(f"{label:<24}: {shown}")
    return 0
