"""robocopy.exe. Source: "robocopy" (Microsoft Learn): exit code 1 copied, 2 extra, 8 failed, 16 fatal.

assumed: the form of a file's line, from public scripts that read it: class, size, time (with /ts, in
UTC), name or with /fp path; a failure is a line with local time, code and path, then the system's text.
"""

from __future__ import annotations

from datetime import UTC, timedelta

from winlab.commands.call import Call, program
from winlab.commands.tools.treecopy import Item, copy_file, files_below, same
from winlab.host import paths
from winlab.host.errors import NotModelledError, WindowsError

_QUIET = {"/njh", "/njs", "/nfl", "/ndl", "/np", "/nc", "/ns", "/fp", "/bytes", "/ts", "/x", "/v"}
_HARMLESS = {
    "/z",
    "/xj",
    "/b",
    "/zb",
    "/j",
    "/copyall",
    "/sec",
    "/dcopy:t",
    "/dcopy:dat",
    "/copy:dat",
}


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
        _failed(call, 2, ("Accessing Source Directory", "正在访问源目录"), f"{source}\\")
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
            _tell(call, item, options)
        except WindowsError as exc:
            failed += 1
            _failed(call, exc.code, ("Copying File", "正在复制文件"), item.stat.path)
    if not dry and not files.is_folder(target):
        files.mkdir(target)
    if not dry and ("/e" in options or "/mir" in options):
        base = len(files.stat(source).path)
        for folder in [f for f in files.walk(source) if f.is_folder]:
            files.ensure_folder(target + folder.path[base:])
    extra = _extras(call, source, target, purge=not dry and bool({"/mir", "/purge"} & set(options)))
    if "/njs" not in options:
        _totals(call, len(items), copied, failed, extra)
    return (1 if copied else 0) | (2 if extra else 0) | (8 if failed else 0)


def _tell(call: Call, item: Item, options: dict[str, str]) -> None:
    """The line of one file, unless /nfl."""
    if "/nfl" in options:
        return
    kind = "" if "/nc" in options else call.text("New File", "新文件")
    size = "" if "/ns" in options else str(item.stat.size)
    when = f"{item.stat.entry.modified.astimezone(UTC):%Y/%m/%d %H:%M:%S}"
    stamp = f" {when}" if "/ts" in options else ""
    name = item.stat.path if "/fp" in options else item.stat.name
    call.line(f"\t{kind:>12}  \t{size:>8}{stamp}\t{name}")


def _failed(call: Call, code: int, doing: tuple[str, str], path: str) -> None:
    stamp = f"{call.host.clock.local():%Y/%m/%d %H:%M:%S}"
    english, chinese = doing
    call.line(
        call.text(
            f"{stamp} ERROR {code} (0x{code:08X}) {english} {path}",
            f"{stamp} 错误 {code} (0x{code:08X}) {chinese} {path}",
        )
    )
    call.line(call.message(code))


def _totals(call: Call, seen: int, copied: int, failed: int, extra: int) -> None:
    call.line(
        call.text(
            f"   Files : {seen:9d} {copied:9d} {seen - copied - failed:9d} {0:9d}"
            f" {failed:9d} {extra:9d}",
            f"    文件: {seen:9d} {copied:9d} {seen - copied - failed:9d} {0:9d}"
            f" {failed:9d} {extra:9d}",
        )
    )


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
