"""gpupdate.exe. Source: "gpupdate" (Microsoft Learn). Exit code 1 for a wrong switch is assumed."""

from __future__ import annotations

from winlab.commands.call import Call, program
from winlab.host.errors import NotModelledError

_UNMODELLED = {"/logoff", "/boot", "/sync"}


def _usage(call: Call) -> int:
    call.line(
        call.text(
            "Syntax: GPUpdate [/Target:{Computer | User}] [/Force] [/Wait:<value>] [/Logoff] [/Boot]"
            " [/Sync]",
            "语法: GPUpdate [/Target:{Computer | User}] [/Force] [/Wait:<值>] [/Logoff] [/Boot]"
            " [/Sync]",
        )
    )
    return 1


@program("gpupdate")
def gpupdate(call: Call) -> int:
    """Refresh policy: what has changed, or with /force everything."""
    target, force = "", False
    for word in call.args:
        low = word.lower()
        if low in _UNMODELLED:
            raise NotModelledError(f"gpupdate {low}")
        if low == "/force":
            force = True
        elif low in {"/target:computer", "/target:user"}:
            target = low.partition(":")[2]
        elif not (low.startswith("/wait:") and low[6:].lstrip("-").isdecimal()):
            return _usage(call)
    call.line(call.text("Updating policy...", "正在更新策略..."))
    call.line()
    if target != "user":
        call.host.group_policy.refresh(force=force)
        call.line(
            call.text(
                "Computer Policy update has completed successfully.", "计算机策略更新成功完成。"
            )
        )
    if target != "computer":
        call.line(
            call.text("User Policy update has completed successfully.", "用户策略更新成功完成。")
        )
    call.line()
    return 0
