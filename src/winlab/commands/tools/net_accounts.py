"""``net accounts``: account policy of this computer, shown and set.

Sources: "Net accounts" (Microsoft Learn), the command's own help (its ranges), and published
listings of English and Chinese Windows for labels and their columns ("None" stays English). The
text of a refused value is assumed; it ends with 2 as every error of net does.
"""

from __future__ import annotations

from collections.abc import Callable

from winlab.commands.call import Call
from winlab.host.errors import NotModelledError, WindowsError

_COLUMNS = (54, 41)
_NEVER = ("Never", "从不")
_NONE = "None"
_FOREVER = -1

_LABELS = (
    ("Force user logoff how long after time expires?:", "强制用户在时间到期之后多久必须注销?:"),
    ("Minimum password age (days):", "密码最短使用期限(天):"),
    ("Maximum password age (days):", "密码最长使用期限(天):"),
    ("Minimum password length:", "密码长度最小值:"),
    ("Length of password history maintained:", "保持的密码历史记录长度:"),
    ("Lockout threshold:", "锁定阈值:"),
    ("Lockout duration (minutes):", "锁定持续时间(分):"),
    ("Lockout observation window (minutes):", "锁定观测窗口(分):"),
    ("Computer role:", "计算机角色:"),
)

_KEYS: dict[str, tuple[str, int, int]] = {
    "minpwlen": ("MinimumPasswordLength", 0, 14),
    "maxpwage": ("MaximumPasswordAge", 1, 999),
    "minpwage": ("MinimumPasswordAge", 0, 999),
    "uniquepw": ("PasswordHistorySize", 0, 24),
    "lockoutthreshold": ("LockoutBadCount", 0, 999),
    "lockoutduration": ("LockoutDuration", 1, 99999),
    "lockoutwindow": ("ResetLockoutCount", 1, 99999),
}
_SYNTAX = 1
_ERROR = 2


def accounts(call: Call, args: list[str], ok: Callable[[Call], int]) -> int:
    """Show the policy, or set the parts that switches name; all of them or none."""
    if not args:
        return _show(call, ok)
    wanted: dict[str, int | str] = {}
    for word in args:
        name, colon, value = word.lstrip("/").partition(":")
        low = name.lower()
        if low == "domain":
            raise NotModelledError("net accounts /domain")
        if not word.startswith("/") or not colon or (low not in _KEYS and low != "forcelogoff"):
            return _syntax(call)
        number = _number(low, value.lower())
        if number is None:
            return _refused(call, name.upper())
        if low == "forcelogoff":
            # The policy knows yes and no; minutes are kept by nobody else that the lab models.
            if number > 0:
                raise NotModelledError("net accounts /forcelogoff with minutes")
            wanted["ForceLogoffWhenHourExpire"] = 0 if number == _FOREVER else 1
        else:
            wanted[_KEYS[low][0]] = number
    if not call.admin:
        call.error(call.text("System error 5 has occurred.", "发生系统错误 5。") + "\r\n")
        call.error(call.message(5))
        return _ERROR
    try:
        call.host.policy.set_access(wanted)
    except WindowsError:
        return _refused(call, args[0].lstrip("/").partition(":")[0].upper())
    return ok(call)


def _number(name: str, value: str) -> int | None:
    words = {"maxpwage": "unlimited", "forcelogoff": "no"}
    if value == words.get(name):
        return _FOREVER
    if not value.isdecimal():
        return None
    low, high = _KEYS[name][1:] if name in _KEYS else (0, 99999)
    return int(value) if low <= int(value) <= high else None


def _show(call: Call, ok: Callable[[Call], int]) -> int:
    access = call.host.policy.access
    threshold = access["LockoutBadCount"]
    age = access["MaximumPasswordAge"]
    values = (
        call.text(*_NEVER) if access["ForceLogoffWhenHourExpire"] == 0 else "0",
        str(access["MinimumPasswordAge"]),
        call.text("Unlimited", "无限制") if age == _FOREVER else str(age),
        str(access["MinimumPasswordLength"]),
        str(access["PasswordHistorySize"] or _NONE),
        call.text(*_NEVER) if threshold == 0 else str(threshold),
        _minutes(call, access["LockoutDuration"]),
        str(access["ResetLockoutCount"]),
        "SERVER",
    )
    for (english, chinese), value in zip(_LABELS, values, strict=True):
        label = call.text(english, chinese)
        wide = sum(1 for char in label if ord(char) > 0x2E80)
        call.line(f"{label:<{_COLUMNS[call.chinese] - wide}}{value}")
    return ok(call)


def _minutes(call: Call, value: int | str) -> str:
    return call.text(*_NEVER) if value == _FOREVER else str(value)


def _syntax(call: Call) -> int:
    call.error(call.text("The syntax of this command is:", "此命令的语法是:") + "\r\n")
    call.error(
        "NET ACCOUNTS\r\n[/FORCELOGOFF:{minutes | NO}] [/MINPWLEN:length]\r\n"
        "              [/MAXPWAGE:{days | UNLIMITED}] [/MINPWAGE:days]\r\n"
        "              [/UNIQUEPW:number] [/DOMAIN]"
    )
    return _SYNTAX


def _refused(call: Call, option: str) -> int:
    call.error(
        call.text(
            f"You entered an invalid value for the /{option} option.",
            f"您为 /{option} 选项输入了无效的值。",
        )
        + "\r\n"
    )
    call.error(
        call.text(
            "More help is available by typing NET HELPMSG 3952.",
            "请键入 NET HELPMSG 3952 以获得更多的帮助。",
        )
    )
    return _ERROR
