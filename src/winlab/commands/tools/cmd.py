"""cmd.exe started by a program or by another cmd. Source: "cmd" (Microsoft Learn)."""

from __future__ import annotations

from winlab.commands import programs
from winlab.commands.call import Call, Environment, program
from winlab.commands.cmdline import cmd_arguments
from winlab.commands.jumps import ExitShell
from winlab.commands.shell import Shell
from winlab.commands.streams import Sink, Streams
from winlab.host.errors import NotModelledError


@program("cmd")
def cmd(call: Call) -> int:
    """Run the command after /c."""
    env = Environment(call.env)
    command, delayed = cmd_arguments(
        call.tail, lambda name: programs.exists(call.host, name, call.cwd, env)
    )
    if not command:
        raise NotModelledError("cmd.exe without /c")
    shell = Shell(
        call.host,
        user=call.user,
        cwd=call.cwd,
        env=env,
        console=call.console,
        delayed=delayed,
    )
    try:
        return shell.run_line(command, Streams(call.stdin, Sink(call.out), Sink(call.err)))
    except ExitShell as exc:
        return exc.code
