"""shutdown.exe. Source: "shutdown" (Microsoft Learn): the ranges of /t, /c and /d among others.

Windows' own error code is the exit code (5, 1116, 1190); 1 for a wrong line is assumed.
"""

from __future__ import annotations

import re
from datetime import timedelta

from winlab.commands.call import Call, program
from winlab.host.errors import NotModelledError, WindowsError
from winlab.host.power import Shutdown

_TEN_YEARS = 315_360_000
_COMMENT = 512
_REASON = re.compile(r"([pu]:)?(\d{1,3}):(\d{1,5})", re.IGNORECASE)


def _is_reason(text: str) -> bool:
    found = _REASON.fullmatch(text)
    return found is not None and int(found[2]) < 256 and int(found[3]) < 65536


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
        elif low == "/t" and args and args[0].isdecimal() and int(args[0]) <= _TEN_YEARS:
            delay = int(args.pop(0))
        elif low == "/c" and args and len(args[0]) <= _COMMENT:
            comment = args.pop(0)
        elif low == "/d" and args and _is_reason(args[0]):
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
