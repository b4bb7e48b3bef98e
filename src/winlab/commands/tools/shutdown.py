"""shutdown.exe. Source: "shutdown" (Microsoft Learn)."""

from __future__ import annotations

from datetime import timedelta

from winlab.commands.call import Call, program
from winlab.host.errors import NotModelledError, WindowsError
from winlab.host.power import Shutdown


def _fail(call: Call, code: int) -> int:
    call.error(f"{call.message(code)}({code})")
    return code


@program("shutdown")
def shutdown(call: Call) -> int:
    """Schedule or abort a shutdown or a reboot of this host."""
    kind, delay, comment, reason, abort, forced = "", 30, "", "", False, False
    args = list(call.args)
    while args:
        option = args.pop(0)
        low = "/" + option[1:].lower() if option[:1] in "-/" else option
        if low in {"/r", "/g"}:
            kind = "reboot"
        elif low in {"/s", "/sg"}:
            kind = "shutdown"
        elif low == "/a":
            abort = True
        elif low in {"/f", "/hybrid", "/soft"}:
            forced = True
        elif low == "/t" and args and args[0].isdecimal():
            delay = int(args.pop(0))
        elif low == "/c" and args:
            comment = args.pop(0)
        elif low == "/d" and args:
            reason = args.pop(0)
        elif low in {"/m", "/l", "/h", "/p", "/e", "/o", "/i", "/fw"}:
            raise NotModelledError(f"shutdown {low}")
        else:
            return _usage(call)
    if not call.admin:
        return _fail(call, 5)
    power = call.host.power
    try:
        if abort:
            power.abort()
            return 0
        if not kind:
            return _usage(call)
        at = call.host.now() + timedelta(seconds=delay)
        power.schedule(Shutdown(kind=kind, at=at, comment=comment, reason=reason or str(forced)))
    except WindowsError as exc:
        return _fail(call, exc.code)
    call.console.goes_down_after = float(delay)
    return 0


def _usage(call: Call) -> int:
    call.line(
        call.text(
            "Usage: shutdown [/i | /l | /s | /sg | /r | /g | /a | /p | /h | /e | /o] [/hybrid] [/soft]"
            " [/fw] [/f]",
            "用法: shutdown [/i | /l | /s | /sg | /r | /g | /a | /p | /h | /e | /o] [/hybrid] [/soft]"
            " [/fw] [/f]",
        )
    )
    return 1
