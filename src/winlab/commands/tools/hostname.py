"""hostname.exe. Source: "hostname" (Microsoft Learn)."""

from __future__ import annotations

from winlab.commands.call import Call, program


@program("hostname")
def hostname(call: Call) -> int:
    """Print the computer's name."""
    if call.args:
        call.error(
            call.text(
                "sethostname: Use the Network Control Panel Applet to set hostname.\r\n"
                "hostname -s is not supported.",
                "sethostname: 使用网络控制面板小程序来设置主机名。\r\n不支持 hostname -s。",
            )
        )
        return 1
    call.line(call.host.name)
    return 0
