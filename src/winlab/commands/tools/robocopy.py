"""robocopy.exe. Source: "robocopy" (Microsoft Learn): exit code 1 copied, 2 extra, 8 failed, 16 fatal."""

from __future__ import annotations

from datetime import timedelta

from winlab.commands.call import Call, program
from winlab.commands.tools.treecopy import Item, copy_file, files_below, same
from winlab.host import paths
from winlab.host.errors import NotModelledError, WindowsError

_QUIET = {"/njh", "/njs", "/nfl", "/ndl", "/np", "/nc", "/ns", "/fp", "/bytes", "/ts", "/x", "/v"}
_HARMLESS = {"/z", "/b", "/zb", "/j", "/copyall", "/sec", "/dcopy:t", "/dcopy:dat", "/copy:dat"}


def _age(text: str) -> timedelta:
    if not text.isdecimal() or int(text) >= 1900:
        raise NotModelledError(f"robocopy age {text}")
    return timedelta(days=int(text))


@program("robocopy")
def robocopy(call: Call) -> int:
    """Copy a tree; files that are the same are skipped."""
    names: list[str] = []
    options: dict[str, str] = {}
    excluded_files: list[str] = []
    excluded_folders: list[str] = []
    bucket = names
    for arg in call.args:
        low = arg.lower()
        if low == "/xf":
            bucket = excluded_files
        elif low == "/xd":
            bucket = excluded_folders
        elif low.startswith("/"):
            bucket = names
            key, _, value = low.partition(":")
            known = {"/s", "/e", "/mir", "/purge", "/mov", "/move", "/l", "/r", "/w", "/mt"}
            known |= {"/maxage", "/minage", "/is", "/it", "/xo", "/xn", "/log", "/unilog", "/tee"}
            if key not in known and low not in _QUIET | _HARMLESS:
                return _invalid(call, arg)
            options[key] = value
        else:
            bucket.append(arg)
    if len(names) < 2:
        return _fatal(call, "No Destination Directory Specified.", "未指定目标目录。")
    for option in ("/mov", "/move", "/log", "/unilog", "/xn"):
        if option in options:
            raise NotModelledError(f"robocopy {option}")
    return _copy(call, names, options, excluded_files, excluded_folders)


def _invalid(call: Call, arg: str) -> int:
    position = call.args.index(arg) + 1
    return _fatal(
        call, f'Invalid Parameter #{position} : "{arg}"', f'无效参数 #{position} : "{arg}"'
    )


def _fatal(call: Call, english: str, chinese: str) -> int:
    call.line(call.text(f"ERROR : {english}", f"错误: {chinese}"))
    return 16


def _copy(
    call: Call,
    names: list[str],
    options: dict[str, str],
    excluded_files: list[str],
    excluded_folders: list[str],
) -> int:
    files = call.host.files
    source = paths.normalise(names[0], call.cwd)
    target = paths.normalise(names[1], call.cwd)
    patterns = names[2:] or ["*"]
    if not files.is_folder(source):
        now = call.host.clock.local()
        stamp = f"{now:%Y/%m/%d %H:%M:%S}"
        call.line(
            call.text(
                f"{stamp} ERROR 2 (0x00000002) Accessing Source Directory {source}\\",
                f"{stamp} 错误 2 (0x00000002) 正在访问源目录 {source}\\",
            )
        )
        call.line(call.message(2))
        return 16
    deep = any(o in options for o in ("/s", "/e", "/mir"))
    items = [
        i
        for i in files_below(files, source, patterns, deep=deep)
        if _wanted(call, i, options, excluded_files, excluded_folders)
    ]
    dry = "/l" in options
    copied = failed = 0
    for item in items:
        if same(files, item, target) and "/is" not in options:
            continue
        try:
            if not dry:
                copy_file(files, item, target)
            copied += 1
        except WindowsError as exc:
            failed += 1
            call.line(f"ERROR {exc.code} (0x{exc.code:08X}) Copying File {item.stat.path}")
            call.line(call.message(exc.code))
    if not dry and not files.is_folder(target):
        files.mkdir(target)
    if not dry and ("/e" in options or "/mir" in options):
        base = len(files.stat(source).path)
        for folder in [f for f in files.walk(source) if f.is_folder]:
            files.ensure_folder(target + folder.path[base:])
    extra = _extras(call, source, target, purge=not dry and bool({"/mir", "/purge"} & set(options)))
    call.line(
        call.text(
            f"   Files : {len(items):9d} {copied:9d} {len(items) - copied - failed:9d} {0:9d}"
            f" {failed:9d} {extra:9d}",
            f"    文件: {len(items):9d} {copied:9d} {len(items) - copied - failed:9d} {0:9d}"
            f" {failed:9d} {extra:9d}",
        )
    )
    return (1 if copied else 0) | (2 if extra else 0) | (8 if failed else 0)


def _wanted(
    call: Call,
    item: Item,
    options: dict[str, str],
    excluded_files: list[str],
    excluded_folders: list[str],
) -> bool:
    if any(paths.matches(item.stat.name, p) for p in excluded_files):
        return False
    folders = item.relative.split("\\")[:-1]
    if any(paths.matches(f, p) for f in folders for p in excluded_folders):
        return False
    age = call.host.now() - item.stat.entry.modified
    if "/minage" in options and age < _age(options["/minage"]):
        return False
    return "/maxage" not in options or age <= _age(options["/maxage"])


def _extras(call: Call, source: str, target: str, *, purge: bool) -> int:
    files = call.host.files
    if not files.is_folder(target):
        return 0
    base = files.stat(target).path.rstrip("\\")
    extra = [i for i in files.list(base) if not files.exists(paths.join(source, i.name))]
    if purge:
        for item in extra:
            if item.is_folder:
                files.rmtree(item.path)
            else:
                files.remove(item.path, force=True)
    return len(extra)
