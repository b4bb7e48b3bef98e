"""Running a command line or a program on a host: what win_shell, win_command and WinRS ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from winlab.commands import catalogue, programs
from winlab.commands.call import Call, Console, Environment, split_arguments
from winlab.commands.cmdline import unquote
from winlab.commands.jumps import ExitShell
from winlab.commands.shell import Shell
from winlab.commands.streams import Sink, Streams
from winlab.host import paths
from winlab.host.host import Host

catalogue.load()


@dataclass(frozen=True, slots=True, kw_only=True)
class CmdResult:
    """What a process wrote and returned.

    ``duration`` is seconds of the host's time; ``goes_down_after`` seconds until the host stops
    answering, None when it goes on.
    """

    rc: int
    stdout: bytes
    stderr: bytes
    duration: float = 0.0
    goes_down_after: float | None = None


def _start(
    host: Host, user: str, cwd: str | None, env: Mapping[str, str] | None
) -> tuple[str, Environment]:
    variables = Environment(host.environment_of(user))
    for name, value in (env or {}).items():
        variables.put(name, value)
    return paths.normalise(cwd or variables.find("USERPROFILE") or "C:\\"), variables


def after_c(
    host: Host,
    command: str,
    *,
    user: str,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Return what cmd runs of the text after /c: its outer quotes may go (see `cmdline.unquote`)."""
    where, variables = _start(host, user, cwd, env)
    return unquote(command, lambda name: programs.exists(host, name, where, variables))


def run_cmd(
    host: Host,
    command_line: str,
    *,
    user: str,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    codepage: int = 65001,
    delayed: bool = False,
    remote: bool = True,
) -> CmdResult:
    """Run what stands after ``cmd.exe /c``.

    ``env`` lies over the user's variables; ``cwd`` defaults to the user's profile; ``codepage`` is
    that of the console; ``delayed`` is /v:on; ``remote`` is false for scheduled tasks.

    Raises:
        WindowsError: ``cwd`` is no valid path.
    """
    where, variables = _start(host, user, cwd, env)
    admin = host.accounts.is_admin(user)
    console = Console(codepage=codepage, remote=remote, admin=admin)
    shell = Shell(host, user=user, cwd=where, env=variables, console=console, delayed=delayed)
    out, err = Sink(bytearray()), Sink(bytearray())
    try:
        rc = shell.run_line(command_line, Streams(stdin, out, err))
    except ExitShell as exc:
        rc = exc.code
    return CmdResult(
        rc=rc,
        stdout=bytes(out.data),
        stderr=bytes(err.data),
        duration=console.duration,
        goes_down_after=console.goes_down_after,
    )


def run_program(
    host: Host,
    command_line: str,
    *,
    user: str,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    codepage: int = 65001,
) -> CmdResult | None:
    """Run a program without cmd, as CreateProcess does; None when there is no such file."""
    where, variables = _start(host, user, cwd, env)
    text = command_line.strip()
    if text.startswith('"'):
        name, _, tail = text[1:].partition('"')
    else:
        name, _, tail = text.partition(" ")
    found = programs.resolve(host, name, where, variables)
    console = Console(codepage=codepage, admin=host.accounts.is_admin(user))
    if found.batch is not None:
        return run_cmd(
            host, command_line, user=user, cwd=where, env=env, stdin=stdin, codepage=codepage
        )
    if found.program is None:
        if not found.known:
            return None
        host.not_modelled(f"command {found.name}")
        text = f"winlab does not model {found.name}.exe\r\n"
        return CmdResult(rc=1, stdout=b"", stderr=text.encode())
    call = Call(
        host=host,
        user=user,
        name=found.name,
        args=split_arguments(tail),
        tail=tail.strip(),
        cwd=where,
        env=variables,
        console=console,
        stdin=stdin,
    )
    rc = programs.start(call, found.program)
    return CmdResult(
        rc=rc,
        stdout=bytes(call.out),
        stderr=bytes(call.err),
        duration=console.duration,
        goes_down_after=console.goes_down_after,
    )
