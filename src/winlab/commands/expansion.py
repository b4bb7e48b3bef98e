"""Variables in a command line: %NAME% when it is read, !NAME! and %x when it runs.

Sources: "set" (Microsoft Learn) for %NAME:a=b% and %NAME:~n,m%; "for" for %~nx forms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from winlab.commands.call import Environment
from winlab.host import paths


def dynamic(
    name: str, *, errorlevel: int, cwd: str, now: datetime, chinese: bool = False
) -> str | None:
    """Return a variable that cmd makes up when it is read, or None."""
    low = name.lower()
    if low == "errorlevel":
        return str(errorlevel)
    if low == "cd":
        return cwd
    if low == "date":
        day = now.weekday()
        if chinese:
            return f"{now:%Y/%m/%d} 周{'一二三四五六日'[day]}"
        names = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
        return f"{names[day]} {now:%m/%d/%Y}"
    if low == "time":
        return f"{now.hour:2d}:{now:%M:%S}.{now.microsecond // 10000:02d}"
    if low == "cmdextversion":
        return "2"
    return None


def _modified(value: str, modifier: str) -> str:
    if modifier.startswith("~"):
        start_text, _, length_text = modifier[1:].partition(",")
        try:
            start = int(start_text or "0")
            length = int(length_text) if length_text else None
        except ValueError:
            return value
        begin = max(0, len(value) + start) if start < 0 else min(start, len(value))
        if length is None:
            return value[begin:]
        end = len(value) + length if length < 0 else begin + length
        return value[begin : max(begin, end)]
    old, equals, new = modifier.partition("=")
    if not equals or not old:
        return value
    low, out, at = value.lower(), [], 0
    if old.startswith("*"):
        found = low.find(old[1:].lower())
        return value if found < 0 else new + value[found + len(old) - 1 :]
    while (found := low.find(old.lower(), at)) >= 0:
        out += [value[at:found], new]
        at = found + len(old)
    return "".join([*out, value[at:]])


def expand(
    text: str,
    look_up: Callable[[str], str | None],
    *,
    batch: Sequence[str] | None = None,
    sign: str = "%",
) -> str:
    """Replace ``%NAME%``; on a command line an undefined one stays, in a batch file it vanishes.

    ``batch`` is None on a command line, else the arguments %0 to %9.
    """
    out: list[str] = []
    at = 0
    while at < len(text):
        if text[at] != sign:
            out.append(text[at])
            at += 1
            continue
        if batch is not None and sign == "%":
            taken, value = _batch_argument(text[at:], batch)
            if taken:
                out.append(value)
                at += taken
                continue
        end = text.find(sign, at + 1)
        if end < 0:
            if batch is None or sign == "!":
                out.append(text[at:])
            else:
                out.append(text[at + 1 :])
            break
        name, colon, modifier = text[at + 1 : end].partition(":")
        found = look_up(name) if name else None
        if found is not None:
            out.append(_modified(found, modifier) if colon else found)
            at = end + 1
        elif batch is not None or sign == "!":
            at = end + 1
        else:
            out.append(sign)
            at += 1
    return "".join(out)


def _batch_argument(text: str, batch: Sequence[str]) -> tuple[int, str]:
    if text.startswith("%%"):
        return 2, "%"
    if text.startswith("%*"):
        return 2, " ".join(batch[1:])
    if len(text) > 1 and text[1].isdecimal():
        number = int(text[1])
        return 2, batch[number] if number < len(batch) else ""
    if text.startswith("%~"):
        end = 2
        while end < len(text) and text[end] in "fdpnxsatz":
            end += 1
        if end < len(text) and text[end].isdecimal():
            number = int(text[end])
            value = batch[number] if number < len(batch) else ""
            return end + 1, path_parts(value, text[2:end], "C:\\")
    return 0, ""


def path_parts(value: str, modifiers: str, cwd: str) -> str:
    """Return the parts of a path that ``~dpnx`` style modifiers ask for."""
    bare = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    if not modifiers:
        return bare
    try:
        full = paths.normalise(bare, cwd)
    except Exception:  # noqa: BLE001 - a name Windows refuses is shown unchanged
        return bare
    if "f" in modifiers:
        return full
    folder, name = paths.split(full)
    suffix = paths.suffix(name)
    out = ""
    if "d" in modifiers:
        out += full[:2]
    if "p" in modifiers:
        out += folder[2:].rstrip("\\") + "\\"
    if "n" in modifiers:
        out += name[: len(name) - len(suffix)]
    if "x" in modifiers:
        out += suffix
    return out


def expand_loop(text: str, variables: Mapping[str, str], cwd: str) -> str:
    """Replace %x and %~mods x for the loop variables that are set."""
    if not variables or "%" not in text:
        return text
    out: list[str] = []
    at = 0
    while at < len(text):
        if text[at] == "%" and at + 1 < len(text):
            if text[at + 1] in variables:
                out.append(variables[text[at + 1]])
                at += 2
                continue
            if text[at + 1] == "~":
                end = at + 2
                while end < len(text) and text[end] in "fdpnxsatz":
                    end += 1
                # the variable may itself be named by one of the modifier letters
                while end > at + 2 and (end >= len(text) or text[end] not in variables):
                    end -= 1
                if end < len(text) and text[end] in variables:
                    out.append(path_parts(variables[text[end]], text[at + 2 : end], cwd))
                    at = end + 1
                    continue
        out.append(text[at])
        at += 1
    return "".join(out)


def lookup(
    env: Environment, *, errorlevel: int, cwd: str, now: datetime, chinese: bool = False
) -> Callable[[str], str | None]:
    """Return a function that finds a variable, real ones before made-up ones."""

    def find(name: str) -> str | None:
        value = env.find(name)
        if value is None:
            value = dynamic(name, errorlevel=errorlevel, cwd=cwd, now=now, chinese=chinese)
        return value

    return find
