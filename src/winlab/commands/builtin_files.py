"""cmd's commands about files: type, del, mkdir, rd, copy, move, ren.

Sources: the pages of the same names in "Windows commands" (Microsoft Learn).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from winlab.commands.loops import words
from winlab.commands.outcome import Builtin, Outcome, kept
from winlab.host import paths
from winlab.host.errors import WindowsError
from winlab.host.files import Attributes, FileStat

if TYPE_CHECKING:
    from winlab.commands.shell import Shell
    from winlab.commands.streams import Streams


def switches(text: str) -> tuple[list[str], list[str]]:
    """Return (switches in lower case with their slash, names without quotes) of a tail."""
    options: list[str] = []
    names: list[str] = []
    for word in words(text):
        if word.startswith("/"):
            options += ["/" + part.lower() for part in word[1:].split("/") if part]
        elif "/" in word and '"' not in word:
            head, *rest = word.split("/")
            names.append(head)
            options += ["/" + part.lower() for part in rest if part]
        else:
            names.append(word.replace('"', ""))
    return options, names


def unknown_switch(shell: Shell, streams: Streams, option: str) -> Outcome:
    """Write what cmd says to a switch that a command does not have."""
    text = shell.text(f'Invalid switch - "{option[1:]}".', f'无效开关 - "{option[1:]}"。')
    return Outcome(shell.fail(streams, text))


def _syntax(shell: Shell, streams: Streams) -> Outcome:
    text = shell.text("The syntax of the command is incorrect.", "命令语法不正确。")
    return Outcome(shell.fail(streams, text))


def _type(shell: Shell, rest: str, streams: Streams) -> Outcome:
    _, names = switches(rest)
    if not names:
        return _syntax(shell, streams)
    code = 0
    for name in names:
        if paths.is_device(name):
            continue
        try:
            found = [f for f in shell.host.files.glob(name, shell.cwd) if not f.is_folder]
            if not found:
                shell.host.files.read(name, shell.cwd)
            for item in found:
                data = shell.host.files.read(item.path)
                if len(names) > 1 or len(found) > 1:
                    shell.say(streams.err, f"\r\n{item.path}\r\n\r\n")
                streams.out.data.extend(_as_text(shell, data))
        except WindowsError as exc:
            code = shell.windows(streams, exc)
    return Outcome(code)


def _as_text(shell: Shell, data: bytes) -> bytes:
    """Return UTF-16 files in the console's code page, as type does when it sees their mark."""
    if data.startswith(b"\xff\xfe"):
        return shell.encode(data[2:].decode("utf-16-le", "replace"))
    return data


def _del(shell: Shell, rest: str, streams: Streams) -> Outcome:
    options, names = switches(rest)
    for option in options:
        if option[:2] not in {"/p", "/f", "/s", "/q", "/a"}:
            return unknown_switch(shell, streams, option)
    if not names:
        return _syntax(shell, streams)
    for name in names:
        found = _to_delete(shell, name, below="/s" in options)
        if not found:
            shown = _full(shell, name)
            shell.say(streams.err, shell.text(f"Could Not Find {shown}", f"找不到 {shown}"))
        for item in found:
            try:
                shell.host.files.remove(item.path, force="/f" in options)
                if "/s" in options:
                    label = shell.text("Deleted file", "删除文件")
                    shell.say(streams.out, f"{label} - {item.path}")
            except WindowsError as exc:
                # del names the file, says why, and still ends with ERRORLEVEL as it was
                shell.say(streams.err, item.path)
                shell.windows(streams, exc)
    return kept(0)


def _full(shell: Shell, name: str) -> str:
    """Return a name, wildcards and all, with the folder it stands in."""
    head, slash, leaf = name.replace("/", "\\").rpartition("\\")
    try:
        return paths.join(paths.normalise(head + slash or ".", shell.cwd), leaf)
    except WindowsError:
        return name


def _to_delete(shell: Shell, name: str, *, below: bool) -> list[FileStat]:
    files = shell.host.files
    if files.is_folder(name, shell.cwd):
        name = name.rstrip("\\") + "\\*"
    try:
        found = [f for f in files.glob(name, shell.cwd) if not f.is_folder]
        if below:
            full = paths.normalise(name.replace("*", "~").replace("?", "~"), shell.cwd)
            folder = paths.split(full)[0]
            pattern = name.rpartition("\\")[2]
            found = [
                f for f in files.walk(folder) if not f.is_folder and paths.matches(f.name, pattern)
            ]
    except WindowsError:
        return []
    return [f for f in found if not f.attributes & Attributes.HIDDEN]


def _mkdir(shell: Shell, rest: str, streams: Streams) -> Outcome:
    _, names = switches(rest)
    if not names:
        return _syntax(shell, streams)
    code = 0
    for name in names:
        try:
            shell.host.files.mkdir(name, shell.cwd)
        except WindowsError as exc:
            if exc.code == 183:
                text = shell.text(
                    f"A subdirectory or file {name} already exists.",
                    f"子目录或文件 {name} 已经存在。",
                )
                code = shell.fail(streams, text)
            else:
                code = shell.windows(streams, exc)
    return Outcome(code)


def _rd(shell: Shell, rest: str, streams: Streams) -> Outcome:
    options, names = switches(rest)
    for option in options:
        if option not in {"/s", "/q"}:
            return unknown_switch(shell, streams, option)
    if not names:
        return _syntax(shell, streams)
    code = 0
    for name in names:
        try:
            if "/s" in options:
                shell.host.files.rmtree(name, shell.cwd)
            else:
                shell.host.files.rmdir(name, shell.cwd)
        except WindowsError as exc:
            code = shell.windows(streams, exc, exc.code)
    return kept(code)


def _target(shell: Shell, target: str, name: str) -> str:
    full = paths.normalise(target, shell.cwd)
    if target.endswith("\\") or shell.host.files.is_folder(full):
        return paths.join(full.rstrip("\\"), name)
    return full


def _copy(shell: Shell, rest: str, streams: Streams) -> Outcome:
    options, names = switches(rest)
    for option in options:
        if option not in {"/y", "/-y", "/v", "/z", "/a", "/b", "/d", "/n", "/l"}:
            return unknown_switch(shell, streams, option)
    if not names or len(names) > 2:
        return _syntax(shell, streams)
    target = names[1] if len(names) == 2 else "."
    sources = names[0].split("+")
    count = 0
    try:
        found: list[FileStat] = []
        for source in sources:
            pattern = source
            if shell.host.files.is_folder(source, shell.cwd):
                pattern = source.rstrip("\\") + "\\*"
            matched = [f for f in shell.host.files.glob(pattern, shell.cwd) if not f.is_folder]
            if not matched:
                shell.say(streams.out, source)
                raise WindowsError(2, source)
            found += matched
        many = len(found) > 1 or any(c in names[0] for c in "*?")
        joined = b""
        for item in found:
            data = shell.host.files.read(item.path)
            if many and len(sources) == 1:
                shell.say(streams.out, item.path)
            if len(sources) > 1:
                joined += data
                continue
            goal = _target(shell, target, item.name)
            if goal.lower() == item.path.lower():
                text = shell.text(
                    "The file cannot be copied onto itself.", "无法将文件复制到自身。"
                )
                shell.say(streams.err, text)
                return _copied(shell, streams, 0, 1)
            if not paths.is_device(target):
                shell.host.files.write(goal, data)
                shell.host.files.set_times(goal, modified=item.entry.modified)
            count += 1
        if len(sources) > 1:
            shell.host.files.write(_target(shell, target, found[0].name), joined)
            count = 1
    except WindowsError as exc:
        shell.windows(streams, exc)
        return _copied(shell, streams, count, 1) if count or exc.code != 2 else Outcome(1)
    return _copied(shell, streams, count, 0)


def _copied(shell: Shell, streams: Streams, count: int, code: int) -> Outcome:
    shell.say(streams.out, shell.text(f"{count:9d} file(s) copied.", f"已复制 {count:9d} 个文件。"))
    return Outcome(code)


def _move(shell: Shell, rest: str, streams: Streams) -> Outcome:
    options, names = switches(rest)
    for option in options:
        if option not in {"/y", "/-y"}:
            return unknown_switch(shell, streams, option)
    if len(names) != 2:
        return _syntax(shell, streams)
    found = shell.host.files.glob(names[0], shell.cwd)
    if not found:
        return Outcome(shell.fail(streams, shell.message(2)))
    count = 0
    for item in found:
        try:
            shell.host.files.move(item.path, _target(shell, names[1], item.name))
            count += 1
        except WindowsError as exc:
            shell.windows(streams, exc)
    what = ("dir", "个目录") if found[0].is_folder else ("file", "个文件")
    text = shell.text(f"{count:9d} {what[0]}(s) moved.", f"移动了 {count:9d} {what[1]}。")
    shell.say(streams.out, text)
    return Outcome(0 if count == len(found) else 1)


def _ren(shell: Shell, rest: str, streams: Streams) -> Outcome:
    _, names = switches(rest)
    if len(names) != 2 or "\\" in names[1]:
        return _syntax(shell, streams)
    try:
        source = shell.host.files.stat(names[0], shell.cwd)
        target = paths.join(paths.split(source.path)[0], names[1])
        if shell.host.files.exists(target):
            text = shell.text(
                "A duplicate file name exists, or the file\r\ncannot be found.",
                "存在一个重名文件，或是找不到文件。",
            )
            return Outcome(shell.fail(streams, text))
        shell.host.files.move(source.path, target, replace_old=False)
    except WindowsError as exc:
        return Outcome(shell.windows(streams, exc))
    return Outcome(0)


COMMANDS: dict[str, Builtin] = {
    "copy": _copy,
    "del": _del,
    "erase": _del,
    "md": _mkdir,
    "mkdir": _mkdir,
    "move": _move,
    "rd": _rd,
    "ren": _ren,
    "rename": _ren,
    "rmdir": _rd,
    "type": _type,
}
