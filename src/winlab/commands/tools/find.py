"""find.exe. Source: "find" (Microsoft Learn)."""

from __future__ import annotations

from winlab.commands.call import Call, codec, program
from winlab.host.errors import WindowsError


@program("find")
def find(call: Call) -> int:
    """Print the lines that hold a string; exit code 1 when there is none, 2 for wrong use."""
    options: set[str] = set()
    needle: str | None = None
    names: list[str] = []
    quoted = call.tail.count('"') >= 2
    for arg in call.args:
        low = arg.lower()
        if needle is None and low.startswith("/"):
            if low not in {"/v", "/c", "/n", "/i", "/off", "/offline"}:
                call.error(call.text("FIND: Invalid switch", "FIND: 无效的开关"))
                return 2
            options.add(low[1])
        elif needle is None:
            needle = arg
        else:
            names.append(arg)
    if needle is None or not quoted:
        call.error(call.text("FIND: Parameter format not correct", "FIND: 参数格式不正确"))
        return 2
    if not names:
        return _report(call, call.input_text(), needle, options, None)
    code = 1
    for name in names:
        try:
            found = [f for f in call.host.files.glob(name, call.cwd) if not f.is_folder]
            if not found:
                raise WindowsError(2, name)
            for item in found:
                data = call.host.files.read(item.path).decode(
                    codec(call.console.codepage), "replace"
                )
                code = min(code, _report(call, data, needle, options, item.path.upper()))
        except WindowsError:
            call.line(call.text(f"File not found - {name.upper()}", f"找不到文件 - {name.upper()}"))
    return code


def _report(call: Call, text: str, needle: str, options: set[str], name: str | None) -> int:
    lines = text.replace("\r\n", "\n").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    fold = str.lower if "i" in options else str
    hits = [
        (number, line)
        for number, line in enumerate(lines, 1)
        if (fold(needle) in fold(line) and needle != "") != ("v" in options)
    ]
    if "c" in options:
        call.line(f"\r\n---------- {name}: {len(hits)}" if name else str(len(hits)))
    else:
        if name:
            call.line()
            call.line(f"---------- {name}")
        for number, line in hits:
            call.line(f"[{number}]{line}" if "n" in options else line)
    return 0 if hits else 1
