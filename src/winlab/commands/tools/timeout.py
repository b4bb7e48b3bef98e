"""timeout.exe. Source: "timeout" (Microsoft Learn)."""

from __future__ import annotations

from winlab.commands.call import Call, program


@program("timeout")
def timeout(call: Call) -> int:
    """Refuse, as the real tool does without a console: its input is redirected over WinRM."""
    call.error(
        call.text(
            "ERROR: Input redirection is not supported, exiting the process immediately.",
            "错误: 不支持输入重新定向，立即退出此进程。",
        )
    )
    return 1
