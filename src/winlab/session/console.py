"""WinRS shells: cmd commands with standard streams.

Source: [MS-WSMV] 3.1.4.11 to 3.1.4.14 and winrs.exe's options (3.1.4.1.13 OptionSet).
"""

from __future__ import annotations

import asyncio

from winlab.exec.process import Process, ProcessResult
from winlab.session.machine import Caller, Machine, Surroundings
from winlab.session.mailbox import Mailbox
from winlab.session.shell import Shell
from winlab.wire import answers, faults, requests
from winlab.wire.answers import Answer
from winlab.wire.faults import FaultError
from winlab.wire.requests import Header, Request

# STATUS_CONTROL_C_EXIT, what a process ends with that Ctrl+C stopped.
_CONTROL_C_EXIT = -1_073_741_510
_DEFAULT_CODE_PAGE = 437
# How winrscmd.dll groups output; also lets several streams share one answer.
_OUTPUT_STREAMS = ("stdout", "stderr")


class Command:
    """One command of a shell, from Command to Signal.

    The process starts when its input is complete. That is the Send with End; or the first Receive
    for a client that sent nothing, unless it announced input by WINRS_CONSOLEMODE_STDIN FALSE.
    So a script run without input, as Ansible's raw does it, and a manifest on stdin both work.
    """

    def __init__(self, command_id: str, line: str, *, awaits_input: bool) -> None:
        """A command that has not started."""
        self.id = command_id
        self.line = line
        self.awaits_input = awaits_input
        self.input: list[bytes] = []
        self.started = False
        self.exit_code = 0
        self.mailbox = Mailbox(split=True)
        self.timer: asyncio.TimerHandle | None = None

    @property
    def finished(self) -> bool:
        """Whether the process has ended."""
        return self.mailbox.closed

    def end(self, result: ProcessResult) -> None:
        """The process has ended with that."""
        self.mailbox.put("stdout", result.stdout)
        self.mailbox.put("stderr", result.stderr)
        self.exit_code = result.rc
        self.mailbox.close()

    def stop(self) -> None:
        """Forget what the process would still have written."""
        self.started = True
        if self.timer is not None:
            self.timer.cancel()


class ConsoleShell(Shell):
    """A shell of ``…/windows/shell/cmd``."""

    def __init__(
        self,
        shell_id: str,
        request: Request,
        caller: Caller,
        machine: Machine,
        around: Surroundings,
    ) -> None:
        """Open the shell that a Create asks for."""
        super().__init__(shell_id, request, caller, machine, around)
        body = request.body
        assert isinstance(body, requests.CreateShell)
        self.environment = dict(body.environment)
        self.working_directory = body.working_directory
        page = request.header.options.get("WINRS_CODEPAGE", "")
        self.code_page = int(page) if page.isdecimal() else _DEFAULT_CODE_PAGE
        self.commands: dict[str, Command] = {}
        self.operations = 0

    def command_views(self) -> list[answers.CommandView]:
        """The commands, for Enumerate."""
        return [
            answers.CommandView(shell_id=self.id, command_id=command.id, line=command.line)
            for command in self.commands.values()
        ]

    def close(self) -> None:
        """End all commands; whoever waits for one gets a fault."""
        for command in self.commands.values():
            command.stop()
            command.mailbox.fail(faults.aborted())
        self.commands.clear()

    def run(self, header: Header, body: requests.RunCommand) -> Answer:
        """Take a command; the process starts later (see :class:`Command`)."""
        settings = self.machine.settings
        running = sum(not command.finished for command in self.commands.values())
        if running >= settings.max_processes_per_shell:
            raise FaultError(
                faults.quota(
                    faults.QUOTA_MAX_COMMANDS_PER_SHELL,
                    settings.max_processes_per_shell,
                    self.owner,
                )
            )
        if self.operations >= settings.max_operations_per_shell:
            raise FaultError(
                faults.quota(
                    faults.QUOTA_MAX_OPERATIONS, settings.max_operations_per_shell, self.owner
                )
            )
        self.operations += 1
        command_id = body.command_id or self.around.guid()
        announced = header.options.get("WINRS_CONSOLEMODE_STDIN", "").upper() in ("FALSE", "0")
        self.commands[command_id] = Command(command_id, body.line, awaits_input=announced)
        self.machine.count(commands=1)
        return answers.CommandStarted(command_id=command_id)

    def send(self, body: requests.SendInput, caller: Caller) -> Answer:
        """Take input; the last piece starts the process."""
        for piece in body.pieces:
            command = self._command(piece.command_id)
            command.awaits_input = True
            if not command.started:
                command.input.append(piece.data)
            if piece.end:
                self._start(command, caller)
        return answers.InputTaken()

    async def receive(self, header: Header, body: requests.ReceiveOutput, caller: Caller) -> Answer:
        """Wait for output of one command and give as much as the envelope takes."""
        command = self._command(body.command_id)
        if not command.awaits_input:
            self._start(command, caller)
        await command.mailbox.wait(self.timeout_of(header))
        streams = command.mailbox.take(self.room_of(header))
        done = command.mailbox.drained
        return answers.Output(
            command_id=command.id,
            streams=_joined(streams),
            ended=_OUTPUT_STREAMS if done else (),
            exit_code=command.exit_code if done else None,
        )

    def signal(self, body: requests.SignalCommand) -> Answer:
        """Stop a command. Terminate forgets it; Ctrl+C and Ctrl+Break let it be read to its end."""
        command = self._command(body.command_id)
        command.stop()
        if body.signal == "terminate":
            del self.commands[command.id]
            if not command.mailbox.drained:
                command.mailbox.fail(faults.aborted())
        elif not command.finished:
            command.end(ProcessResult(rc=_CONTROL_C_EXIT))
        return answers.Signalled()

    def _command(self, command_id: str) -> Command:
        command = self.commands.get(command_id)
        if command is None:
            raise FaultError(faults.unknown_command())
        return command

    def _start(self, command: Command, caller: Caller) -> None:
        if command.started:
            return
        command.started = True
        data = command.input[0] if len(command.input) == 1 else b"".join(command.input)
        command.input.clear()
        result = self.machine.execute(
            Process(
                command_line=command.line,
                user=self.owner,
                stdin=data,
                environment=self.environment,
                working_directory=self.working_directory,
                console=self.code_page,
            )
        )
        command.timer = self.later(result, caller, lambda: command.end(result))


def _joined(streams: tuple[tuple[str, bytes], ...]) -> tuple[tuple[str, bytes], ...]:
    if len(streams) < 2:
        return streams
    joined: dict[str, bytes] = {}
    for name, data in streams:
        joined[name] = joined.get(name, b"") + data
    return tuple(joined.items())
