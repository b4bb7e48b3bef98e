"""xcopy.exe. Source: "xcopy" (Microsoft Learn): exit codes 0 copied, 1 nothing found, 4 wrong use, 5 disk."""

from __future__ import annotations

from winlab.commands.call import Call, program
from winlab.commands.tools.treecopy import copy_file, files_below
from winlab.host import paths
from winlab.host.errors import NotModelledError, WindowsError

_KNOWN = {"/s", "/e", "/y", "/i", "/q", "/h", "/r", "/c", "/k", "/-y", "/f", "/v", "/z"}


@program("xcopy")
def xcopy(call: Call) -> int:
    """Copy files and trees."""
    options = {a.lower() for a in call.args if a.startswith("/")}
    names = [a for a in call.args if not a.startswith("/")]
    unknown = sorted(options - _KNOWN)
    if unknown:
        if unknown[0][:2] in {
            "/d",
            "/a",
            "/m",
            "/p",
            "/w",
            "/l",
            "/u",
            "/t",
            "/n",
            "/o",
            "/x",
            "/b",
        }:
            raise NotModelledError(f"xcopy {unknown[0]}")
        call.error(call.text(f"Invalid switch - {unknown[0]}", f"无效开关 - {unknown[0]}"))
        return 4
    if not names or len(names) > 2:
        call.error(call.text("Invalid number of parameters", "无效参数数量"))
        return 4
    files = call.host.files
    source = paths.normalise(names[0].replace("*", "~").replace("?", "~"), call.cwd)
    target = paths.normalise(names[1] if len(names) == 2 else ".", call.cwd)
    pattern = "*"
    if not files.is_folder(source):
        source, pattern = paths.split(source)[0], names[0].replace("/", "\\").rpartition("\\")[2]
    if not files.is_folder(source):
        return _missing(call, names[0])
    items = files_below(files, source, [pattern], deep=bool(options & {"/s", "/e"}))
    if not items:
        _ = _missing(call, names[0])
        return 4
    if not files.is_folder(target) and not ({"/i"} & options or names[-1].endswith("\\")):
        raise NotModelledError("xcopy's question whether the target is a file or a directory")
    for item in items:
        try:
            copy_file(files, item, target)
        except WindowsError as exc:
            call.error(call.message(exc.code))
            return 5 if exc.code == 112 else 4
        if "/q" not in options:
            call.line(item.stat.path)
    call.line(call.text(f"{len(items)} File(s) copied", f"复制了 {len(items)} 个文件"))
    return 0


def _missing(call: Call, name: str) -> int:
    leaf = name.replace("/", "\\").rpartition("\\")[2] or name
    call.error(call.text(f"File not found - {leaf}", f"找不到文件 - {leaf}"))
    call.line(call.text("0 File(s) copied", "复制了 0 个文件"))
    return 4
