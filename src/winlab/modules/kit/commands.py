"""Running Windows commands in a context: a line for cmd.exe, or one program with its arguments."""

from __future__ import annotations

import re

from winlab.commands import CmdResult, run_cmd
from winlab.commands.call import Environment
from winlab.commands.programs import resolve
from winlab.modules.kit.context import RunContext

_TOKEN = re.compile(r'\s*(?:"([^"]*)"|(\S+))')
_OPERATORS = re.compile(r"([\^&|<>()])")
_CMD_CALL = re.compile(
    r'\s*"?(?:[^"\s]*\\)?cmd(?:\.exe)?"?\s+(?:/[a-bd-z]\S*\s+)*/c\s*(.*)', re.IGNORECASE | re.DOTALL
)


def run_line(
    context: RunContext,
    line: str,
    *,
    cwd: str | None = None,
    stdin: bytes = b"",
    codepage: int = 65001,
) -> CmdResult:
    """Run a line as ``cmd /c`` does; ``cwd`` defaults to the context's folder."""
    answer = run_cmd(
        context.host,
        line,
        user=context.user,
        cwd=cwd or context.working_directory,
        env=dict(context.environment),
        stdin=stdin,
        codepage=codepage,
    )
    context.duration += answer.duration
    if answer.goes_down_after is not None:
        context.goes_down_after = answer.goes_down_after
    return answer


def program_of(command_line: str) -> str:
    """The first word of a command line, quotes removed."""
    found = _TOKEN.match(command_line)
    return (found[1] if found[1] is not None else found[2]) if found else ""


def is_there(context: RunContext, program: str, cwd: str | None = None) -> bool:
    """Whether Windows would find the program, be it modelled or not (``cmd`` included)."""
    name = program.replace("/", "\\").rpartition("\\")[2].lower()
    if name.removesuffix(".exe") == "cmd":
        return True
    environment = Environment(context.environment)
    found = resolve(context.host, program, cwd or context.working_directory, environment)
    return found.program is not None or found.batch is not None or found.known


def as_cmd_line(command_line: str) -> str:
    """A line that makes cmd.exe do what CreateProcess does: nothing in it is an operator."""
    shell = _CMD_CALL.match(command_line)
    if shell is not None:
        return unwrapped(shell[1])
    parts = re.split(r'("[^"]*")', command_line)
    return "".join(p if p.startswith('"') else _OPERATORS.sub(r"^\1", p) for p in parts)


def unwrapped(line: str) -> str:
    """What ``cmd /c`` runs of the text after it: outer quotes go unless they hold one program.

    Source: "cmd" (Microsoft Learn), processing of quotation marks.
    """
    text = line.strip()
    if not text.startswith('"') or not text.endswith('"') or len(text) < 2:
        return line
    inside = text[1:-1]
    keep = '"' not in inside and not re.search(r"[&<>()@^|]", inside) and " " in inside
    return line if keep else inside
