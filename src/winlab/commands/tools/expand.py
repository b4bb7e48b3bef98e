"""expand.exe: all files of a cabinet into a folder. Source: "expand" (Microsoft Learn)."""

from __future__ import annotations

from cabarchive import CabArchive, CabFile, CorruptionError, NotSupportedError

from winlab.commands.call import Call, program
from winlab.host import paths
from winlab.host.errors import NotModelledError, WindowsError


@program("expand")
def expand(call: Call) -> int:
    """Unpack a cabinet: expand -F:* CABINET FOLDER."""
    options = [word.lower() for word in call.args if word.startswith(("-", "/"))]
    names = [word for word in call.args if not word.startswith(("-", "/"))]
    if options != ["-f:*"] or len(names) != 2:
        raise NotModelledError(f"expand {' '.join(options)}".strip())
    try:
        data = call.host.files.read(names[0], call.cwd)
    except WindowsError as exc:
        call.line(call.text("Can't open input file:", "无法打开输入文件:") + f" {names[0]}.")
        return exc.code
    try:
        members: dict[str, CabFile] = dict(CabArchive(data))
    except (CorruptionError, NotSupportedError):
        call.line(call.text("Error: the cabinet is corrupt.", "错误: CAB 文件已损坏。"))
        return 1
    folder = paths.normalise(names[1], call.cwd)
    for name, member in members.items():
        call.line(call.text(f"Adding {name} to Extraction Queue", f"将 {name} 添加到解压缩队列中"))
        call.host.files.write(paths.join(folder, name), bytes(member.buf or b""))
    call.line()
    call.line(call.text("Expanding Files ....", "正在展开文件 ...."))
    return 0
