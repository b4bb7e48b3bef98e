"""net.exe. Source: "net user", "net localgroup", "net accounts", "net start" (Microsoft support pages)."""

from __future__ import annotations

from winlab.commands.call import Call, program
from winlab.commands.tools.net_accounts import accounts
from winlab.host.errors import NotModelledError, WindowsError


def _ok(call: Call) -> int:
    call.line(call.text("The command completed successfully.", "命令成功完成。"))
    call.line()
    return 0


def _system_error(call: Call, code: int) -> int:
    call.error(
        call.text(f"System error {code} has occurred.", f"发生系统错误 {code}。")
        + "\r\n\r\n"
        + call.message(code)
        + "\r\n"
    )
    return 2


def _net_error(call: Call, code: int) -> int:
    call.error(
        call.message(code)
        + "\r\n\r\n"
        + call.text(
            f"More help is available by typing NET HELPMSG {code}.",
            f"请键入 NET HELPMSG {code} 以获得更多的帮助。",
        )
        + "\r\n"
    )
    return 2


def _user(call: Call, args: list[str]) -> int:
    accounts = call.host.accounts
    if not args:
        call.line()
        call.line(
            call.text(f"User accounts for \\\\{call.host.name}", f"\\\\{call.host.name} 的用户帐户")
        )
        call.line()
        call.line("-" * 79)
        names = [u.name for u in accounts.users()]
        for start in range(0, len(names), 3):
            call.line("".join(n.ljust(25) for n in names[start : start + 3]))
        return _ok(call)
    switches = {a.lower() for a in args if a.startswith("/")}
    words = [a for a in args if not a.startswith("/")]
    if switches - {"/add", "/delete", "/active:yes", "/active:no", "/y"}:
        raise NotModelledError(f"net user {' '.join(sorted(switches))}")
    if not switches and len(words) == 1:
        return _show_user(call, words[0])
    if not call.admin:
        return _system_error(call, 5)
    if "/add" in switches:
        accounts.create_user(words[0], words[1] if len(words) > 1 else None)
        accounts.add_member("Users", words[0])
    elif "/delete" in switches:
        accounts.delete_user(words[0])
    elif len(words) > 1:
        accounts.change_user(words[0], password=words[1])
    if "/active:yes" in switches or "/active:no" in switches:
        accounts.change_user(words[0], enabled="/active:yes" in switches)
    return _ok(call)


def _show_user(call: Call, name: str) -> int:
    user = call.host.accounts.user(name)
    yes, no = "Yes", "No"
    groups = " ".join(f"*{g.name}" for g in call.host.accounts.groups_of(user.name))
    rows = (
        ("User name", "用户名", user.name),
        ("Full Name", "全名", user.full_name),
        ("Comment", "注释", user.description),
        ("Account active", "帐户启用", yes if user.enabled else no),
        ("Account expires", "帐户到期", call.text("Never", "从不")),
        ("Local Group Memberships", "本地组成员", groups),
    )
    for english, chinese, value in rows:
        label = call.text(english, chinese)
        wide = sum(1 for c in label if ord(c) > 0x2E80)
        call.line(f"{label:<{29 - wide}}{value}")
    return _ok(call)


def _localgroup(call: Call, args: list[str]) -> int:
    accounts = call.host.accounts
    switches = {a.lower() for a in args if a.startswith("/")}
    words = [a for a in args if not a.startswith("/")]
    if not words:
        call.line()
        call.line(call.text(f"Aliases for \\\\{call.host.name}", f"\\\\{call.host.name} 的别名"))
        call.line()
        call.line("-" * 79)
        for group in accounts.groups():
            call.line(f"*{group.name}")
        return _ok(call)
    if switches - {"/add", "/delete"}:
        raise NotModelledError(f"net localgroup {' '.join(sorted(switches))}")
    if not switches:
        return _show_group(call, words[0])
    if not call.admin:
        return _system_error(call, 5)
    if len(words) == 1 and "/add" in switches:
        accounts.create_group(words[0])
    elif len(words) == 1:
        accounts.delete_group(words[0])
    for member in words[1:]:
        try:
            if "/add" in switches:
                accounts.add_member(words[0], member)
            else:
                accounts.remove_member(words[0], member)
        except WindowsError as exc:
            if exc.code in {1377, 1378}:
                return _system_error(call, exc.code)
            raise
    return _ok(call)


def _show_group(call: Call, name: str) -> int:
    group = call.host.accounts.find_group(name)
    if group is None:
        return _system_error(call, 1376)
    for english, chinese, value in (
        ("Alias name", "别名", group.name),
        ("Comment", "注释", group.description),
    ):
        call.line(f"{call.text(english, chinese):<15}{value}")
    call.line()
    call.line(call.text("Members", "成员"))
    call.line()
    call.line("-" * 79)
    for sid in group.members:
        shown = call.host.accounts.name_of(sid)
        call.line(shown.removeprefix(call.host.name + "\\"))
    return _ok(call)


def _service(call: Call, verb: str, args: list[str]) -> int:
    services = call.host.services
    if not args:
        if verb == "stop":
            raise NotModelledError("net stop without a name")
        call.line(call.text("These Windows services are started:", "已经启动以下 Windows 服务:"))
        call.line()
        names = [s.display_name for s in services.all(drivers=False) if s.running]
        for name in sorted(names, key=str.lower):
            call.line(f"   {name}")
        call.line()
        return _ok(call)
    if not call.admin:
        return _system_error(call, 5)
    try:
        service = services.get(" ".join(a for a in args if a.lower() != "/y"))
    except WindowsError:
        return _net_error(call, 2185)
    shown = service.display_name
    starting = verb == "start"
    try:
        if starting:
            services.start(service.name)
        else:
            services.stop(service.name, force="/y" in {a.lower() for a in args})
    except WindowsError as exc:
        known = {1056: 2182, 1062: 3521}.get(exc.code)
        if known is not None:
            return _net_error(call, known)
        return _system_error(call, exc.code)
    ing = ("starting", "正在启动") if starting else ("stopping", "正在停止")
    call.line(call.text(f"The {shown} service is {ing[0]}.", f"{shown} 服务{ing[1]}."))
    done = ("was started", "已经启动成功") if starting else ("was stopped", "已成功停止")
    call.line(call.text(f"The {shown} service {done[0]} successfully.", f"{shown} 服务{done[1]}。"))
    call.line()
    return 0


@program("net", "net1")
def net(call: Call) -> int:
    """Manage users, local groups and services."""
    words = list(call.args)
    verb = words.pop(0).lower() if words else ""
    try:
        if verb in {"user", "users"}:
            return _user(call, words)
        if verb == "localgroup":
            return _localgroup(call, words)
        if verb == "accounts":
            return accounts(call, words, _ok)
        if verb in {"start", "stop"}:
            return _service(call, verb, words)
    except WindowsError as exc:
        return _net_error(call, exc.code)
    raise NotModelledError(f"net {verb}".strip())
