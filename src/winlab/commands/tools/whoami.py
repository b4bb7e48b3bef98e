"""whoami.exe. Source: "whoami" (Microsoft Learn)."""

from __future__ import annotations

from winlab.commands.call import Call, program
from winlab.host.errors import NotModelledError
from winlab.host.policy_logon import token_sids


@program("whoami")
def whoami(call: Call) -> int:
    """Print the user, or with /user the SID."""
    accounts = call.host.accounts
    sid = accounts.sid_of(call.user)
    name = accounts.name_of(sid).lower()
    words = [a.lower() for a in call.args]
    if not words:
        call.line(name)
        return 0
    csv = words[-2:] == ["/fo", "csv"] or words[1:3] == ["/fo", "csv"]
    header = "/nh" not in words
    if words[0] == "/user":
        titles = call.text("User Name,SID", "用户名,SID").split(",")
        rows = [[name, sid]]
    elif words[0] == "/groups" and csv:
        titles = call.text("Group Name,Type,SID,Attributes", "组名,类型,SID,属性").split(",")
        kind = call.text("Alias", "别名")
        attributes = call.text(
            "Mandatory group, Enabled by default, Enabled group", "必需的组, 启用于默认, 启用的组"
        )
        rows = [
            [f"BUILTIN\\{g.name}", kind, g.sid, attributes] for g in accounts.groups_of(call.user)
        ]
        known = call.text("Well-known group", "已知组")
        own = {sid, *(row[2] for row in rows)}
        rows += [
            [accounts.name_of(other), known, other, attributes]
            for other in token_sids(call.host, call.user)
            if other not in own
        ]
    else:
        raise NotModelledError(f"whoami {' '.join(call.args)}")
    if csv:
        for row in [titles, *rows] if header else rows:
            call.line(",".join(f'"{cell}"' for cell in row))
        return 0
    if "/fo" in words:
        raise NotModelledError(f"whoami {' '.join(call.args)}")
    width = [max(len(t), *(len(r[i]) for r in rows)) for i, t in enumerate(titles)]
    call.line()
    call.line(call.text("USER INFORMATION", "用户信息"))
    call.line("----------------")
    call.line()
    call.line(" ".join(t.ljust(w) for t, w in zip(titles, width, strict=True)).rstrip())
    call.line(" ".join("=" * w for w in width))
    for row in rows:
        call.line(" ".join(c.ljust(w) for c, w in zip(row, width, strict=True)).rstrip())
    return 0
