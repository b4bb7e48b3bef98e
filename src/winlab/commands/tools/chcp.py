"""chcp.com. Source: "chcp" (Microsoft Learn)."""

from __future__ import annotations

from winlab.commands.call import CODECS, Call, program


@program("chcp")
def chcp(call: Call) -> int:
    """Show or set the console's code page."""
    if call.args:
        text = call.args[0]
        if not text.isdecimal():
            call.line(
                call.text(f"Parameter format not correct - {text}", f"参数格式不正确 - {text}")
            )
            return 1
        if int(text) not in CODECS:
            call.line(call.text("Invalid code page", "无效代码页"))
            return 1
        call.console.codepage = int(text)
    number = call.console.codepage
    call.line(call.text(f"Active code page: {number}", f"活动代码页: {number}"))
    return 0
