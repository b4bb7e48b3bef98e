"""cmd's dir. Source: "dir" (Microsoft Learn)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from winlab.commands.builtin_files import switches, unknown_switch
from winlab.commands.builtin_state import volume_lines
from winlab.commands.outcome import Builtin, Outcome
from winlab.host import paths
from winlab.host.errors import WindowsError
from winlab.host.files import Attributes, FileStat

if TYPE_CHECKING:
    from winlab.commands.shell import Shell
    from winlab.commands.streams import Streams

_BITS = {
    "d": Attributes.DIRECTORY,
    "h": Attributes.HIDDEN,
    "s": Attributes.SYSTEM,
    "r": Attributes.READONLY,
    "a": Attributes.ARCHIVE,
    "l": Attributes.REPARSE_POINT,
}


def _wanted(item: FileStat, rule: str | None) -> bool:
    if rule is None:
        return not item.attributes & (Attributes.HIDDEN | Attributes.SYSTEM)
    negate = False
    for letter in rule.lstrip(":"):
        if letter == "-":
            negate = True
            continue
        has = bool(item.attributes & _BITS.get(letter, Attributes(0)))
        if has == negate:
            return False
        negate = False
    return True


def _ordered(items: list[FileStat], rule: str | None) -> list[FileStat]:
    if rule is None:
        return items
    keys = rule.lstrip(":")
    reverse = keys.startswith("-")
    letter = keys.lstrip("-")[:1] or "n"
    order = {
        "n": lambda i: i.name.lower(),
        "s": lambda i: i.size,
        "d": lambda i: i.entry.modified,
        "e": lambda i: paths.suffix(i.name).lower(),
        "g": lambda i: not i.is_folder,
    }
    return sorted(items, key=order.get(letter, order["n"]), reverse=reverse)


def _dir(shell: Shell, rest: str, streams: Streams) -> Outcome:
    options, names = switches(rest)
    rule = sort = None
    bare = below = False
    for option in options:
        if option.startswith("/a"):
            rule = option[2:]
        elif option.startswith("/o"):
            sort = option[2:]
        elif option == "/b":
            bare = True
        elif option == "/s":
            below = True
        elif option not in {"/-c", "/c", "/n", "/l", "/tw", "/4", "/p"}:
            shell.host.not_modelled(f"cmd dir {option}")
            return unknown_switch(shell, streams, option)
    code = 0
    for name in names or ["."]:
        try:
            code = max(code, _list(shell, streams, name, rule, sort, bare=bare, below=below))
        except WindowsError as exc:
            code = shell.windows(streams, exc)
    return Outcome(code)


def _listing(shell: Shell, folder: str) -> list[FileStat]:
    """Return a folder's items with . and .. before them, which a root does not have."""
    here = shell.host.files.stat(folder)
    items = shell.host.files.list(folder)
    if folder.endswith("\\"):
        return items
    dots = [FileStat(path=folder, name=name, entry=here.entry) for name in (".", "..")]
    return [*dots, *items]


def _list(
    shell: Shell,
    streams: Streams,
    name: str,
    rule: str | None,
    sort: str | None,
    *,
    bare: bool,
    below: bool,
) -> int:
    files = shell.host.files
    if files.is_folder(name, shell.cwd):
        folder, pattern = files.stat(name, shell.cwd).path, "*"
    else:
        full = name.replace("/", "\\")
        head, slash, pattern = full.rpartition("\\")
        folder = paths.normalise(head + slash or ".", shell.cwd)
        if not files.is_folder(folder):
            raise WindowsError(3 if below or not bare else 2, name)
        folder = files.stat(folder).path
    if not bare:
        drive = files.drive(folder)
        for text in volume_lines(shell, drive.letter[0], drive.label, drive.serial):
            shell.say(streams.out, text)
    folders = [folder]
    if below:
        folders += [i.path for i in files.walk(folder) if i.is_folder and _wanted(i, "-s-h")]
    total = size = seen_folders = 0
    for place in folders:
        items = [i for i in _listing(shell, place) if paths.matches(i.name, pattern)]
        items = _ordered([i for i in items if _wanted(i, rule)], sort)
        if bare:
            items = [i for i in items if i.name not in {".", ".."}]
            for item in items:
                shell.say(streams.out, item.path if below else item.name)
            total += len(items)
            continue
        if not [i for i in items if i.name not in {".", ".."}] and (below or pattern != "*"):
            continue
        found = _section(shell, streams, place, items)
        total += found[0] + found[2]
        size += found[1]
        seen_folders += found[2]
    if total == 0 and (bare or pattern != "*"):
        return shell.fail(streams, shell.text("File Not Found", "找不到文件"))
    if not bare:
        free = files.free(folder)
        shell.say(
            streams.out,
            shell.text(
                f"{seen_folders:16d} Dir(s)  {free:14,d} bytes free",
                f"{seen_folders:16d} 个目录 {free:14,d} 可用字节",
            ),
        )
    return 0


def _section(
    shell: Shell, streams: Streams, folder: str, items: list[FileStat]
) -> tuple[int, int, int]:
    shell.say(streams.out, "")
    shell.say(streams.out, shell.text(f" Directory of {folder}", f" {folder} 的目录"))
    shell.say(streams.out, "")
    files = size = folders = 0
    for item in items:
        when = shell.host.clock.local(item.entry.modified)
        stamp = shell.text(f"{when:%m/%d/%Y  %I:%M %p}", f"{when:%Y/%m/%d  %H:%M}")
        if item.is_folder:
            folders += 1
            shell.say(streams.out, f"{stamp}    <DIR>          {item.name}")
        else:
            files += 1
            size += item.size
            shell.say(streams.out, f"{stamp} {item.size:17,d} {item.name}")
    shell.say(
        streams.out,
        shell.text(
            f"{files:16d} File(s) {size:14,d} bytes", f"{files:16d} 个文件 {size:14,d} 字节"
        ),
    )
    return files, size, folders


COMMANDS: dict[str, Builtin] = {"dir": _dir}
