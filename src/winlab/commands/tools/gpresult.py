"""gpresult.exe: the summary of a computer. Source: "gpresult" (Microsoft Learn).

Which lines a summary has follows published listings; the exit code 1 of a refusal and of a user
without RSoP data is assumed. The reports /x, /h, /v and /z are not modelled.
"""

from __future__ import annotations

from winlab.commands.call import Call, program
from winlab.host.errors import NotModelledError

_REPORTS = {"/x", "/h", "/v", "/z"}


def _refused(call: Call, english: str, chinese: str) -> int:
    call.error(call.text(f"ERROR: {english}", f"错误: {chinese}"))
    return 1


@program("gpresult")
def gpresult(call: Call) -> int:
    """Print which GPOs apply to the computer."""
    words = [word.lower() for word in call.args]
    for report in sorted(_REPORTS & set(words)):
        raise NotModelledError(f"gpresult {report}")
    known = {"/r", "/scope", "/scope:computer", "/scope:user", "computer", "user"}
    unknown = [word for word in words if word not in known]
    if unknown:
        raise NotModelledError(f"gpresult {unknown[0]}")
    if "/r" not in words:
        return _refused(call, "Invalid syntax.", "无效语法。")
    if "computer" not in words and "/scope:computer" not in words:
        # Over the network nobody logs on interactively, so that no user has RSoP data.
        call.line(
            call.text(
                f'INFO: The user "{call.user}" does not have RSoP data.',
                f'信息: 用户 "{call.user}" 没有 RSOP 数据。',
            )
        )
        return 1
    if not call.admin:
        return _refused(call, "Access Denied.", "拒绝访问。")
    return _computer(call)


def _computer(call: Call) -> int:
    host, policy = call.host, call.host.group_policy
    call.line()
    call.line(call.text("COMPUTER SETTINGS", "计算机设置"))
    call.line("-" * 18)
    if policy.member:
        when = host.clock.local(policy.refreshed_at or host.now())
        told = f"{when:%Y/%m/%d} {when:%H:%M:%S}"
        call.line(
            call.text(
                f"    Last time Group Policy was applied: {told}", f"    上次应用组策略时间: {told}"
            )
        )
        call.line(
            call.text(
                f"    Domain Name:                        {host.network.domain}",
                f"    域名:                  {host.network.domain}",
            )
        )
    call.line()
    call.line(call.text("    Applied Group Policy Objects", "    应用的组策略对象"))
    call.line("    " + "-" * 29)
    names = [gpo.name for gpo in reversed(policy.logged or ())]
    for name in names or [call.text("N/A", "不适用")]:
        call.line(f"        {name}")
    call.line()
    return 0
