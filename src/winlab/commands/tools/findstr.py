"""findstr.exe. Source: "findstr" (Microsoft Learn): its own small regular expressions."""

from __future__ import annotations

import re

from winlab.commands.call import Call, codec, program
from winlab.host.errors import NotModelledError, WindowsError


def _pattern(text: str, *, literal: bool, flags: int) -> re.Pattern[str]:
    """Translate findstr's syntax: . * ^ $ [class] \\x \\< \\> and nothing else."""
    if literal:
        return re.compile(re.escape(text.replace("\\\\", "\\").replace('\\"', '"')), flags)
    out, at = "", 0
    while at < len(text):
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            at += 1
            out += r"\b" if text[at] in "<>" else re.escape(text[at])
        elif char in ".*^$":
            repeats = char == "*"
            if not repeats or (out and not out.endswith("*")):
                out += char if not repeats or out != "^" else re.escape(char)
            elif not out:
                out += re.escape(char)
        elif char == "[":
            end = text.find("]", at + 2)
            if end < 0:
                out += re.escape(char)
            else:
                out += "[" + text[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[") + "]"
                at = end
        else:
            out += re.escape(char)
        at += 1
    try:
        return re.compile(out, flags)
    except re.error:
        # assumed: a class findstr cannot read, such as [z-a], is taken literally
        return re.compile(re.escape(text), flags)


@program("findstr")
def findstr(call: Call) -> int:
    """Print matching lines; exit code 1 without a match, 2 for wrong use."""
    letters: set[str] = set()
    strings: list[str] = []
    given: str | None = None
    names: list[str] = []
    for arg in call.args:
        low = arg.lower()
        if low.startswith(("/c:", "/g:", "/f:", "/d:", "/a:")) and given is None:
            if low[1] != "c":
                raise NotModelledError(f"findstr {low[:3]}")
            strings.append(arg[3:])
        elif arg.startswith(("/", "-")) and given is None and len(arg) > 1:
            for letter in arg[1:].lower().replace("offline", ""):
                if letter not in "beilnrsvxmop":
                    call.error(call.text(f"FINDSTR: /{letter} ignored", f"FINDSTR: 忽略 /{letter}"))
                letters.add(letter)
        elif not strings and given is None:
            given = arg
        else:
            names.append(arg)
    if given is None and not strings:
        call.error(call.text("FINDSTR: Bad command line", "FINDSTR: 命令行错误"))
        return 2
    literal = "l" in letters or (bool(strings) and "r" not in letters)
    wanted = strings or [w for w in (given or "").split(" ") if w]
    flags = re.IGNORECASE if "i" in letters else 0
    patterns = [_pattern(w, literal=literal, flags=flags) for w in wanted]
    if "s" in letters or "p" in letters or "o" in letters:
        raise NotModelledError("findstr /s, /p and /o")
    if not names:
        return 0 if _search(call, call.input_text(), patterns, letters, "") else 1
    hits = 0
    for name in names:
        try:
            found = [f for f in call.host.files.glob(name, call.cwd) if not f.is_folder]
            if not found:
                raise WindowsError(2, name)
        except WindowsError:
            call.error(call.text(f"FINDSTR: Cannot open {name}", f"FINDSTR: 无法打开 {name}"))
            continue
        many = len(names) > 1 or any(c in name for c in "*?")
        for item in found:
            text = call.host.files.read(item.path).decode(codec(call.console.codepage), "replace")
            hits += _search(call, text, patterns, letters, f"{item.name}:" if many else "")
    return 0 if hits else 1


def _search(
    call: Call, text: str, patterns: list[re.Pattern[str]], letters: set[str], prefix: str
) -> int:
    lines = text.replace("\r\n", "\n").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    hits = 0
    for number, line in enumerate(lines, 1):
        if any(_matches(p, line, letters) for p in patterns) == ("v" in letters):
            continue
        hits += 1
        if "m" in letters:
            call.line(prefix.rstrip(":"))
            return hits
        call.line(f"{prefix}{number}:{line}" if "n" in letters else f"{prefix}{line}")
    return hits


def _matches(pattern: re.Pattern[str], line: str, letters: set[str]) -> bool:
    if "x" in letters:
        return pattern.fullmatch(line) is not None
    if "b" in letters:
        return pattern.match(line) is not None
    if "e" in letters:
        return any(m.end() == len(line) for m in pattern.finditer(line))
    return pattern.search(line) is not None
