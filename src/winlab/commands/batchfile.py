"""Batch files: lines, labels, goto and call. Sources: "goto", "call" (Microsoft Learn)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from winlab.commands.call import codec, split_arguments
from winlab.commands.jumps import ExitShell, GotoLabel

if TYPE_CHECKING:
    from winlab.commands.shell import Shell
    from winlab.commands.streams import Streams

_MAX_JUMPS = 100_000


def _label(line: str) -> str | None:
    text = line.lstrip(" \t,;=")
    if not text.startswith(":") or text.startswith("::"):
        return None
    return text[1:].split()[0].lower() if text[1:].split() else None


def _find(lines: list[str], label: str) -> int | None:
    wanted = label.lstrip(":").strip().lower()
    for number, line in enumerate(lines):
        if _label(line) == wanted:
            return number
    return None


def _depth(text: str) -> int:
    """Return how many parentheses outside quotes stay open."""
    depth = 0
    quoted = escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif char == '"':
            quoted = not quoted
        elif not quoted:
            if char == "^":
                escaped = True
            elif char == "(":
                depth += 1
            elif char == ")":
                depth = max(0, depth - 1)
    return depth


def _logical(lines: list[str], at: int) -> tuple[str, int]:
    """Return a whole command beginning at ``at`` (blocks and ^ joined), and the next line."""
    text = lines[at]
    at += 1
    while at < len(lines) and (
        text.rstrip("\r\n").endswith("^")
        or (_depth(text) > 0 and not text.lstrip(" @").lower().startswith(("rem", "echo", "set ")))
    ):
        text += "\n" + lines[at]
        at += 1
    return text, at


def run_batch(shell: Shell, content: bytes, name: str, tail: str, streams: Streams) -> int:
    """Run a batch file with its own arguments in ``shell``; return ERRORLEVEL at its end."""
    text = content.decode(codec(shell.console.codepage), "replace").lstrip("\ufeff")
    lines = text.replace("\r\n", "\n").split("\n")
    outer = (shell.batch, shell.script, list(shell.saved))
    if shell.batch is None:
        shell.echo = True
    shell.batch = [name, *split_arguments(tail)]
    shell.script = lines
    try:
        return run_from(shell, 0, streams)
    finally:
        shell.batch, shell.script, saved = outer
        while len(shell.saved) > len(saved):
            shell.env, shell.cwd, shell.delayed = shell.saved.pop()


def call_label(shell: Shell, label: str, tail: str, streams: Streams) -> int | None:
    """Run a subroutine of the present batch file; None when the label is not there."""
    place = _find(shell.script, label)
    if place is None or shell.batch is None:
        return None
    outer = shell.batch
    shell.batch = [label, *split_arguments(tail)]
    try:
        return run_from(shell, place + 1, streams)
    finally:
        shell.batch = outer


def run_from(shell: Shell, at: int, streams: Streams) -> int:
    """Run the present batch file from a line on, until its end or ``exit /b``."""
    jumps = 0
    while at < len(shell.script):
        if _label(shell.script[at]) is not None or shell.script[at].lstrip().startswith("::"):
            at += 1
            continue
        text, at = _logical(shell.script, at)
        if shell.echo and text.strip() and not text.lstrip().startswith("@"):
            shell.say(streams.out, f"\r\n{shell.cwd}>{text.strip()} ")
        try:
            shell.run_line(text, streams)
        except GotoLabel as exc:
            if exc.label.lower() in {":eof", "eof"}:
                return shell.errorlevel
            place = _find(shell.script, exc.label)
            jumps += 1
            if place is None or jumps > _MAX_JUMPS:
                shell.say(
                    streams.err,
                    shell.text(
                        "The system cannot find the batch label specified - "
                        f"{exc.label.lstrip(':')}",
                        f"系统找不到指定的批处理标签 - {exc.label.lstrip(':')}",
                    ),
                )
                shell.errorlevel = 1
                return 1
            at = place + 1
        except ExitShell as exc:
            if not exc.batch_only:
                raise
            shell.errorlevel = exc.code
            return exc.code
    return shell.errorlevel
