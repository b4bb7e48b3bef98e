"""The entry of this layer: one process in, what it wrote out."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from winlab.exec import commandline, scripts
from winlab.exec.actions import ACTIONS
from winlab.exec.actions.chain import Chain, WrapperError, failed
from winlab.exec.envelope import EnvelopeError, NotJsonError, Requirements, decode, is_bootstrap
from winlab.exec.outcome import Outcome, to_result
from winlab.exec.process import Process, ProcessResult
from winlab.host.errors import NotModelledError, WindowsError
from winlab.host.host import Host
from winlab.modules.kit.commands import run_line
from winlab.modules.kit.context import RunContext, user_context

_POWERSHELL_VERSION = (5, 1)
_PROGRESS_SHARE = 5


def _ignore(_: str) -> None:
    """Nobody listens to what runs."""


def execute(
    host: Host, process: Process, *, seen: Callable[[str], None] = _ignore
) -> ProcessResult:
    """Run ``process`` on ``host``.

    ``seen`` is told of every module run ("module NAME"), file put ("put"), file fetched ("fetch"),
    script ("script"), cmd line ("cmd") and refusal ("refused"). Nothing is raised for what a client
    sends: what the lab does not model is answered by name with exit code 1 and counted in
    ``host.unmodelled``.
    """
    host.deferred.settle(host.now())
    context = user_context(host, process.user, extra=process.environment)
    context.console, context.psrp = process.console, process.psrp
    context.powershell = scripts.run
    if process.working_directory:
        context.working_directory = process.working_directory
    if process.psrp:
        # A pipeline's text is PowerShell; it may itself call PowerShell (kept remote files).
        asked = commandline.parse(scripts.body(process.command_line))
        if isinstance(asked, commandline.CmdRun):
            return _powershell(context, process.command_line, process.stdin, seen)
    else:
        asked = commandline.parse(process.command_line)
    if isinstance(asked, commandline.CmdRun):
        return _cmd(context, asked.line, process.stdin, seen)
    stdin = process.stdin
    if asked.piped_file is not None:
        try:
            stdin = host.files.read(asked.piped_file, context.working_directory)
        except WindowsError as error:
            return to_result(Outcome(errors=(error.text(host.locale.name),), rc=1), context)
    return _powershell(context, asked.script, stdin, seen)


def _cmd(
    context: RunContext, line: str, stdin: bytes, seen: Callable[[str], None]
) -> ProcessResult:
    seen("cmd")
    with context.host.guard.acting(f"cmd {line[:60]}"):
        answer = run_line(context, line, stdin=stdin, codepage=context.console)
    return ProcessResult(
        rc=answer.rc,
        stdout=answer.stdout,
        stderr=answer.stderr,
        duration=answer.duration,
        goes_down_after=answer.goes_down_after,
    )


def _powershell(
    context: RunContext, script: str, stdin: bytes, seen: Callable[[str], None]
) -> ProcessResult:
    if not is_bootstrap(script):
        return to_result(_script(context, script, seen), context)
    # Cold module caches make real hosts send a progress record now and then; here the choice
    # depends on the host and on what it was sent, so that a run can be repeated.
    progress = zlib.crc32(context.host.name.encode() + stdin[-256:]) % _PROGRESS_SHARE == 0
    return to_result(_manifest(context, stdin, seen), context, progress=progress)


def _script(context: RunContext, script: str, seen: Callable[[str], None]) -> Outcome:
    seen("script")
    with context.host.guard.acting("script"):
        done = scripts.run(context, script)
    if done is not None:
        return Outcome(text=done.stdout, errors=tuple(done.stderr.splitlines()), rc=done.rc)
    return _refuse(context, f"the PowerShell script '{scripts.first_line(script)}'", seen)


def _refuse(context: RunContext, what: str, seen: Callable[[str], None]) -> Outcome:
    seen("refused")
    context.host.not_modelled(what)
    return Outcome(errors=(str(NotModelledError(what)),), rc=1, refused=True)


def _manifest(context: RunContext, stdin: bytes, seen: Callable[[str], None]) -> Outcome:
    try:
        envelope = decode(stdin)
    except NotJsonError as error:
        # What Windows PowerShell prints for a Python module; ansible then says that it found no
        # JSON, as it does with a real host.
        return Outcome(
            errors=(
                f"ConvertFrom-Json : {error}",
                "    + CategoryInfo          : NotSpecified: (:) [ConvertFrom-Json], "
                "ArgumentException",
                "    + FullyQualifiedErrorId : System.ArgumentException,"
                "Microsoft.PowerShell.Commands.ConvertFromJsonCommand",
            ),
            rc=1,
        )
    except EnvelopeError as error:
        return _refuse(context, str(error), seen)
    unmet = _unmet(context.host, envelope.requirements)
    if unmet:
        return failed(unmet)
    chain = Chain(envelope, context, tuple(envelope.manifest.actions), _run_next, seen)
    return _run_next(chain)


def _run_next(chain: Chain) -> Outcome:
    if not chain.actions:
        return failed("failure during exec_wrapper: the exec manifest has no action left")
    action = ACTIONS.get(chain.action.name)
    if action is None:
        what = f"the action {chain.action.name} of ansible-core's exec manifest"
        chain.host.not_modelled(what)
        chain.seen("refused")
        return failed(str(NotModelledError(what)))
    try:
        return action(chain)
    except WrapperError as error:
        message = f"failure during exec_wrapper: {error}"
        return failed(message, {"exception": f"{error}\r\nAt line:1 char:1"})


def _unmet(host: Host, needed: Requirements) -> str:
    """What exec_wrapper.ps1 says when a module needs a newer Windows or PowerShell; else ""."""
    actual = f"{host.os.version}.{host.os.ubr}"
    if needed.MinOSVersion and _numbers(actual) < _numbers(needed.MinOSVersion):
        return (
            "This module cannot run on this OS as it requires a minimum version of "
            f"{needed.MinOSVersion}, actual was {actual}"
        )
    if needed.MinPSVersion and _numbers(needed.MinPSVersion) > _POWERSHELL_VERSION:
        return (
            "This module cannot run as it requires a minimum PowerShell version of "
            f'{needed.MinPSVersion}, actual was "5.1.{host.os.build}.{host.os.ubr}"'
        )
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
