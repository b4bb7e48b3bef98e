"""The rounds of ``for``. Source: "for" (Microsoft Learn)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from winlab.commands.call import codec
from winlab.commands.nodes import For
from winlab.host import paths
from winlab.host.errors import WindowsError

if TYPE_CHECKING:
    from winlab.commands.shell import Shell

_MAX_ROUNDS = 100_000


def words(text: str) -> list[str]:
    """Split the items of a plain ``for``: quotes keep a word together and stay."""
    found: list[str] = []
    current = ""
    quoted = False
    for char in text:
        if char == '"':
            quoted = not quoted
        if char in " \t,;=\r\n" and not quoted:
            if current:
                found.append(current)
            current = ""
        else:
            current += char
    return [*found, current] if current else found


def rounds(shell: Shell, node: For) -> Iterator[dict[str, str]]:
    """Yield the loop variables of each round."""
    items = shell.substitute(node.items)
    if node.kind == "L":
        yield from _counted(node.variable, words(items))
    elif node.kind == "F":
        yield from _lines(shell, node, items)
    elif node.kind == "R":
        yield from _recursive(shell, node, items)
    else:
        for word in words(items):
            for value in _matches(shell, word, folders=node.kind == "D"):
                yield {node.variable: value}


def _counted(variable: str, parts: list[str]) -> Iterator[dict[str, str]]:
    numbers = [int(p, 0) if p.lstrip("-").isdecimal() else 0 for p in (*parts, "0", "0", "0")][:3]
    at, step, end = numbers
    for _ in range(_MAX_ROUNDS):
        if (step >= 0 and at > end) or (step < 0 and at < end):
            return
        yield {variable: str(at)}
        at += step


def _matches(shell: Shell, word: str, *, folders: bool) -> list[str]:
    bare = word.strip('"')
    if not any(c in bare for c in "*?"):
        return [word]
    lead = bare[: bare.rfind("\\") + 1]
    try:
        found = shell.host.files.glob(bare, shell.cwd)
    except WindowsError:
        return []
    return [lead + item.name for item in found if item.is_folder == folders]


def _recursive(shell: Shell, node: For, items: str) -> Iterator[dict[str, str]]:
    root = paths.normalise(node.options.strip('"') or ".", shell.cwd)
    if not shell.host.files.is_folder(root):
        return
    folders = [root, *[i.path for i in shell.host.files.walk(root) if i.is_folder]]
    for folder in folders:
        for word in words(items):
            bare = word.strip('"')
            if not any(c in bare for c in "*?"):
                yield {node.variable: paths.join(folder, bare)}
                continue
            for item in shell.host.files.glob(paths.join(folder, bare)):
                if not item.is_folder:
                    yield {node.variable: item.path}


def _options(text: str) -> dict[str, str]:
    found = {"eol": ";", "skip": "0", "delims": " \t", "tokens": "1", "usebackq": ""}
    body = text[1:-1] if text.startswith('"') else text
    at = 0
    while at < len(body):
        low = body[at:].lower()
        if low.startswith("usebackq"):
            found["usebackq"] = "1"
            at += 8
        elif low.startswith("delims="):
            end = len(body)
            for other in ("tokens=", "skip=", "eol=", "usebackq"):
                place = low.find(" " + other)
                if place >= 0:
                    end = min(end, at + place)
            found["delims"] = body[at + 7 : end]
            at = end
        elif low.startswith("eol="):
            found["eol"] = body[at + 4 : at + 5].strip()
            at += 5
        elif low.startswith(("tokens=", "skip=")):
            key, _, rest = body[at:].partition("=")
            value = rest.split(" ", 1)[0]
            found[key.lower()] = value
            at += len(key) + 1 + len(value)
        else:
            at += 1
    return found


def _wanted(tokens: str) -> tuple[list[int], bool]:
    numbers: list[int] = []
    rest = tokens.endswith("*")
    for part in tokens.rstrip("*").split(","):
        first, dash, last = part.partition("-")
        if first.isdecimal():
            numbers += range(int(first), int(last if dash and last.isdecimal() else first) + 1)
    return numbers, rest


def _source(shell: Shell, items: str, *, back_quotes: bool) -> str:
    text = items.strip()
    command_mark, string_mark = ("`", "'") if back_quotes else ("'", '"')
    if text.startswith(command_mark) and text.endswith(command_mark) and len(text) > 1:
        return shell.capture(text[1:-1]).decode(codec(shell.console.codepage), "replace")
    if text.startswith(string_mark) and text.endswith(string_mark) and len(text) > 1:
        return text[1:-1]
    out = ""
    for name in words(text):
        try:
            data = shell.host.files.read(name.strip('"'), shell.cwd)
        except WindowsError:
            continue
        out += data.decode(codec(shell.console.codepage), "replace")
    return out


def _lines(shell: Shell, node: For, items: str) -> Iterator[dict[str, str]]:
    options = _options(node.options)
    numbers, rest = _wanted(options["tokens"])
    text = _source(shell, items, back_quotes=bool(options["usebackq"]))
    skip = int(options["skip"]) if options["skip"].isdecimal() else 0
    for line in text.replace("\r\n", "\n").split("\n")[skip:]:
        if not line or (options["eol"] and line.startswith(options["eol"])):
            continue
        values = _tokens(line, options["delims"], numbers, rest=rest)
        if values is not None:
            names = [chr(ord(node.variable) + n) for n in range(len(values))]
            yield dict(zip(names, values, strict=True))


def _tokens(line: str, delimiters: str, numbers: list[int], *, rest: bool) -> list[str] | None:
    pieces: list[str] = []
    at = 0
    last = max(numbers, default=0)
    while True:
        while at < len(line) and line[at] in delimiters:
            at += 1
        if at >= len(line) or len(pieces) == last:
            break
        end = at
        while end < len(line) and line[end] not in delimiters:
            end += 1
        pieces.append(line[at:end])
        at = end
    if not pieces and not (rest and not numbers and at < len(line)):
        return None
    values = [pieces[n - 1] if n <= len(pieces) else "" for n in numbers]
    if numbers and all(n > len(pieces) for n in numbers):
        return None
    return [*values, line[at:]] if rest else values
