"""Running Windows commands in a context: a line for cmd.exe, or one program with its arguments."""

from __future__ import annotations

from winlab.commands.run import CmdResult, after_c, run_cmd, run_program
from winlab.modules.kit.context import RunContext


def run_line(
    context: RunContext,
    line: str,
    *,
    cwd: str | None = None,
    stdin: bytes = b"",
    codepage: int = 65001,
) -> CmdResult:
    """Run a line as ``cmd /c`` does; ``cwd`` defaults to the context's folder."""
    where = cwd or context.working_directory
    command = after_c(
        context.host, line, user=context.user, cwd=where, env=context.extra_environment
    )
    answer = run_cmd(
        context.host,
        command,
        user=context.user,
        cwd=where,
        env=context.extra_environment,
        stdin=stdin,
        codepage=codepage,
    )
    return _noted(context, answer)


def run_executable(
    context: RunContext,
    command_line: str,
    *,
    cwd: str | None = None,
    stdin: bytes = b"",
    codepage: int = 65001,
) -> CmdResult | None:
    """Run one program as CreateProcess does; None when there is no such file."""
    answer = run_program(
        context.host,
        command_line,
        user=context.user,
        cwd=cwd or context.working_directory,
        env=context.extra_environment,
        stdin=stdin,
        codepage=codepage,
    )
    return None if answer is None else _noted(context, answer)


def _noted(context: RunContext, answer: CmdResult) -> CmdResult:
    context.duration += answer.duration
    if answer.goes_down_after is not None:
        context.goes_down_after = answer.goes_down_after
    return answer
