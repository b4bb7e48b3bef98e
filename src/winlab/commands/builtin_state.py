"""cmd's commands about itself: echo, set, cd, call, exit and the like.

Sources: the pages of the same names in "Windows commands" (Microsoft Learn).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from winlab.commands import arithmetic, batchfile, expansion
from winlab.commands.call import Environment
from winlab.commands.jumps import ExitShell, GotoLabel
from winlab.commands.outcome import Builtin, Outcome, kept
from winlab.host import paths
from winlab.host.errors import WindowsError

if TYPE_CHECKING:
    from winlab.commands.shell import Shell
    from winlab.commands.streams import Streams


def _echo(shell: Shell, rest: str, streams: Streams) -> Outcome:
    if rest[:1] in {".", ":", "/", "\\", "[", "]", "+", "(", ",", ";", "="}:
        shell.say(streams.out, rest[1:])
        return kept(0)
    word = rest.strip().lower()
    if word in {"on", "off"}:
        shell.echo = word == "on"
    elif not word:
        state = shell.echo or shell.batch is None
        shell.say(
            streams.out,
            shell.text(
                f"ECHO is {'on' if state else 'off'}.",
                f"ECHO 处于{'打开' if state else '关闭'}状态。",
            ),
        )
    else:
        shell.say(streams.out, rest[1:])
    return kept(0)


def _set(shell: Shell, rest: str, streams: Streams) -> Outcome:
    text = rest.lstrip()
    low = text[:2].lower()
    if low == "/p":
        name, _, prompt = text[2:].strip().strip('"').partition("=")
        streams.out.data.extend(shell.encode(prompt))
        first = streams.stdin.splitlines()[:1]
        if not first:
            return Outcome(1)
        shell.env.put(name.strip(), first[0].decode("utf-8", "replace"))
        return kept(0)
    if low == "/a":
        try:
            value = arithmetic.evaluate(text[2:].strip().strip('"'), shell.env)
        except arithmetic.ArithmeticFailure as exc:
            return Outcome(shell.fail(streams, shell.text(exc.english, exc.chinese), exc.code))
        if shell.batch is None:
            streams.out.data.extend(shell.encode(str(value)))
        return kept(0)
    if text.startswith('"'):
        end = text.rfind('"')
        text = text[1:end] if end > 0 else text[1:]
    name, equals, value_text = text.partition("=")
    if equals:
        if not name:
            wrong = shell.text("The syntax of the command is incorrect.", "命令语法不正确。")
            return Outcome(shell.fail(streams, wrong))
        shell.env.put(name, value_text or None)
        return kept(0)
    wanted = name.strip().lower()
    found = sorted((k for k in shell.env if k.lower().startswith(wanted)), key=str.lower)
    if not found:
        return Outcome(
            shell.fail(
                streams,
                shell.text(
                    f"Environment variable {name.strip()} not defined",
                    f"环境变量 {name.strip()} 没有定义",
                ),
            )
        )
    for key in found:
        shell.say(streams.out, f"{key}={shell.env[key]}")
    return kept(0)


def _cd(shell: Shell, rest: str, streams: Streams) -> Outcome:
    text = rest.strip()
    change_drive = text[:2].lower() == "/d"
    if change_drive:
        text = text[2:].strip()
    target = text.strip('"')
    if not target:
        shell.say(streams.out, shell.cwd)
        return Outcome(0)
    try:
        full = paths.normalise(target, shell.cwd)
    except WindowsError as exc:
        return Outcome(shell.windows(streams, exc))
    if not shell.host.files.exists(full):
        return Outcome(shell.fail(streams, shell.message(3)))
    if not shell.host.files.is_folder(full):
        return Outcome(shell.fail(streams, shell.message(267)))
    if change_drive or full[:2].upper() == shell.cwd[:2].upper():
        shell.cwd = shell.host.files.stat(full).path
    return Outcome(0)


def _pushd(shell: Shell, rest: str, streams: Streams) -> Outcome:
    before = shell.cwd
    outcome = _cd(shell, f" /d {rest.strip()}", streams) if rest.strip() else kept(0)
    if outcome.code == 0:
        shell.folders.append(before)
    return outcome


def _popd(shell: Shell, _rest: str, _streams: Streams) -> Outcome:
    if not shell.folders:
        return Outcome(1)
    shell.cwd = shell.folders.pop()
    return kept(0)


def _ver(shell: Shell, _rest: str, streams: Streams) -> Outcome:
    shell.say(streams.out, "")
    label = shell.text("Version", "版本")
    shell.say(streams.out, f"Microsoft Windows [{label} {shell.host.os.ver}]")
    return Outcome(0)


def _vol(shell: Shell, rest: str, streams: Streams) -> Outcome:
    letter = rest.strip()[:1] or shell.cwd[:1]
    try:
        drive = shell.host.files.drive(letter)
    except WindowsError as exc:
        return Outcome(shell.windows(streams, exc))
    for text in volume_lines(shell, drive.letter[0], drive.label, drive.serial):
        shell.say(streams.out, text)
    return Outcome(0)


def volume_lines(shell: Shell, letter: str, label: str, serial: int) -> list[str]:
    """Return the two lines about a volume that vol and dir begin with."""
    number = f"{serial >> 16:04X}-{serial & 0xFFFF:04X}"
    if shell.chinese:
        first = (
            f" 驱动器 {letter} 中的卷是 {label}" if label else f" 驱动器 {letter} 中的卷没有标签。"
        )
        return [first, f" 卷的序列号是 {number}"]
    has = f"is {label}" if label else "has no label."
    return [f" Volume in drive {letter} {has}", f" Volume Serial Number is {number}"]


def _exit(shell: Shell, rest: str, _streams: Streams) -> Outcome:
    words = rest.split()
    batch_only = bool(words) and words[0].lower() == "/b"
    if batch_only:
        words = words[1:]
    text = words[0] if words else ""
    code = int(text) if text.lstrip("-").isdecimal() else shell.errorlevel
    raise ExitShell(code, batch_only=batch_only and shell.batch is not None)


def _goto(_shell: Shell, rest: str, _streams: Streams) -> Outcome:
    raise GotoLabel(rest.strip().split()[0] if rest.split() else "")


def _call(shell: Shell, rest: str, streams: Streams) -> Outcome:
    text = rest.strip()
    if text.startswith(":"):
        label, _, tail = text.partition(" ")
        code = batchfile.call_label(shell, label, tail, streams)
        if code is None:
            missing = shell.text(
                f"The system cannot find the batch label specified - {label[1:]}",
                f"系统找不到指定的批处理标签 - {label[1:]}",
            )
            return Outcome(shell.fail(streams, missing))
        return Outcome(code)
    again = expansion.expand(text, shell.look_up, batch=shell.batch)
    before = shell.errorlevel
    shell.errorlevel = 0
    code = shell.run_command(again, streams)
    if shell.errorlevel == 0 and code == 0 and not text:
        shell.errorlevel = before
    return Outcome(shell.errorlevel or code)


def _setlocal(shell: Shell, rest: str, _streams: Streams) -> Outcome:
    shell.saved.append((Environment(shell.env), shell.cwd, shell.delayed))
    words = rest.lower().split()
    if "enabledelayedexpansion" in words:
        shell.delayed = True
    if "disabledelayedexpansion" in words:
        shell.delayed = False
    return Outcome(0)


def _endlocal(shell: Shell, _rest: str, _streams: Streams) -> Outcome:
    if shell.saved:
        shell.env, shell.cwd, shell.delayed = shell.saved.pop()
    return kept(0)


def _shift(shell: Shell, _rest: str, _streams: Streams) -> Outcome:
    if shell.batch is not None and len(shell.batch) > 1:
        shell.batch = shell.batch[1:]
    return kept(0)


def _date(shell: Shell, rest: str, streams: Streams) -> Outcome:
    if rest.strip().lower() != "/t":
        shell.host.not_modelled("cmd date without /t")
        return Outcome(shell.fail(streams, "winlab does not model cmd's date without /t"))
    shell.say(streams.out, f"{shell.look_up('date')} ")
    return Outcome(0)


def _time(shell: Shell, rest: str, streams: Streams) -> Outcome:
    if rest.strip().lower() != "/t":
        shell.host.not_modelled("cmd time without /t")
        return Outcome(shell.fail(streams, "winlab does not model cmd's time without /t"))
    now = shell.host.clock.local()
    shell.say(streams.out, shell.text(f"{now:%I:%M %p}", f"{now:%H:%M}"))
    return Outcome(0)


def _path(shell: Shell, rest: str, streams: Streams) -> Outcome:
    value = rest.strip().lstrip("=")
    if value:
        shell.env.put("Path", value)
    else:
        shell.say(streams.out, f"PATH={shell.env.find('Path') or ''}")
    return kept(0)


COMMANDS: dict[str, Builtin] = {
    "call": _call,
    "cd": _cd,
    "chdir": _cd,
    "date": _date,
    "echo": _echo,
    "endlocal": _endlocal,
    "exit": _exit,
    "goto": _goto,
    "path": _path,
    "popd": _popd,
    "pushd": _pushd,
    "set": _set,
    "setlocal": _setlocal,
    "shift": _shift,
    "time": _time,
    "ver": _ver,
    "vol": _vol,
}
