"""more.com. Source: "more" (Microsoft Learn): into a pipe it passes everything on."""

from __future__ import annotations

from winlab.commands.call import Call, codec, program
from winlab.host.errors import NotModelledError


@program("more")
def more(call: Call) -> int:
    """Print input or files; what is left over ends with a new line."""
    names = [a for a in call.args if not a.startswith(("/", "+"))]
    for arg in call.args:
        if arg.startswith(("/", "+")) and arg.lower() not in {"/e", "/c", "/p"}:
            raise NotModelledError(f"more {arg}")
    texts = [call.input_text()] if not names else []
    for name in names:
        data = call.host.files.read(name, call.cwd)
        texts.append(data.decode(codec(call.console.codepage), "replace"))
    for text in texts:
        call.write(text if not text or text.endswith("\n") else text + "\r\n")
    return 0
