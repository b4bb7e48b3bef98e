"""PSRP runspace pools: PowerShell remoting over WinRM shells.

Source: [MS-PSRP] 3.1 (server), [MS-WSMV] 3.1.4.5 for its shells; the protocol itself is
psrpcore's server. A pipeline is run as one process once its input has ended.
"""

from __future__ import annotations

import asyncio
import binascii
import struct
import uuid
from xml.etree.ElementTree import ParseError

import psrpcore
from psrpcore import PSRPPayload, StreamType
from psrpcore.types import (
    ErrorCategory,
    ErrorCategoryInfo,
    HostMethodIdentifier,
    NETException,
    add_note_property,
)
from psrpcore.types import PSInvocationState as State

from winlab.exec.process import Process, ProcessResult
from winlab.session.machine import Caller, Machine, Surroundings
from winlab.session.mailbox import Mailbox
from winlab.session.pipeline import error_texts, input_lines, output_objects, script_of
from winlab.session.shell import Shell
from winlab.wire import answers, faults, requests
from winlab.wire.answers import Answer
from winlab.wire.faults import POWERSHELL_PLUGIN, FaultError
from winlab.wire.requests import Header, Request

# What a fragment carries at most, bytes; Windows' own server sends pieces of this size.
_FRAGMENT = 32_768
# Where a fragment's first message names its pipeline ([MS-PSRP] 2.2.1 and 2.2.4).
_PIPELINE_ID = slice(45, 61)
_HEADER = 21
_MALFORMED = (
    psrpcore.PSRPCoreError,
    ParseError,
    ValueError,
    KeyError,
    AttributeError,
    TypeError,
    struct.error,
)


class Pipeline:
    """One PowerShell pipeline, known to WinRM as a command."""

    def __init__(self, command_id: str, server: psrpcore.ServerPipeline) -> None:
        """A pipeline whose creation has not arrived completely."""
        self.command_id = command_id
        self.server = server
        self.script = ""
        self.input: list[object] = []
        self.mailbox = Mailbox(split=False)
        self.timer: asyncio.TimerHandle | None = None


class _ServerPool(psrpcore.ServerRunspacePool):
    """PowerShell's property names know no case: pypsrp sends CI where psrpcore reads ci."""

    def _process_SetMaxRunspaces(self, event: psrpcore.SetMaxRunspacesEvent) -> None:  # noqa: N802
        _alias_ci(event)
        super()._process_SetMaxRunspaces(event)

    def _process_SetMinRunspaces(self, event: psrpcore.SetMinRunspacesEvent) -> None:  # noqa: N802
        _alias_ci(event)
        super()._process_SetMinRunspaces(event)


def _alias_ci(event: psrpcore.SetMaxRunspacesEvent | psrpcore.SetMinRunspacesEvent) -> None:
    message = event._ps_object  # noqa: SLF001 - psrpcore has no public way to the message
    if not hasattr(message, "ci"):
        add_note_property(message, "ci", message.CI)


class RunspacePool(Shell):
    """A shell of ``http://schemas.microsoft.com/powershell/…``."""

    def __init__(
        self,
        shell_id: str,
        request: Request,
        caller: Caller,
        machine: Machine,
        around: Surroundings,
    ) -> None:
        """Open the pool that a Create asks for; its creationXml is answered by Receives."""
        super().__init__(shell_id, request, caller, machine, around)
        body = request.body
        assert isinstance(body, requests.CreateShell)
        self._pool = _ServerPool()
        self._own = Mailbox(split=False)
        self._pipelines: dict[uuid.UUID, Pipeline] = {}
        self._by_command: dict[str, Pipeline] = {}
        self._caller = caller
        self.connected = True
        if body.creation_xml is None:
            raise FaultError(faults.schema_validation("A runspace pool needs a creationXml. "))
        self._take(body.creation_xml, None, caller)

    def view(self) -> answers.ShellView:
        """The pool has more to show than a console (reference: recorded exchanges of pypsrp)."""
        plain = super().view()
        return answers.ShellView(
            **{name: getattr(plain, name) for name in answers.ShellView.__dataclass_fields__}
            | {"process_id": 4096, "state": "Connected" if self.connected else "Disconnected"}
        )

    def command_views(self) -> list[answers.CommandView]:
        """The pipelines, for Enumerate."""
        return [
            answers.CommandView(shell_id=self.id, command_id=command_id, line="")
            for command_id in self._by_command
        ]

    def close(self) -> None:
        """End all pipelines; whoever waits gets a fault."""
        for pipeline in self._by_command.values():
            if pipeline.timer is not None:
                pipeline.timer.cancel()
            pipeline.mailbox.fail(faults.aborted(POWERSHELL_PLUGIN))
        self._own.fail(faults.aborted(POWERSHELL_PLUGIN))
        self._by_command.clear()
        self._pipelines.clear()

    def connect(self, connect_xml: bytes | None, caller: Caller) -> Answer:
        """[MS-PSRP] 3.1.5.4.25: another client takes over a disconnected pool."""
        if connect_xml is None:
            raise FaultError(faults.schema_validation("Connect needs a connectXml. "))
        self._pool.begin_disconnect()
        self._pool.disconnect()
        self._pool.connect()
        self._own = Mailbox(split=False)
        # psrpcore leaves the capability out of a connection, pypsrp needs it to know the version.
        self._pool.prepare_message(self._pool.our_capability)
        self._take(connect_xml, None, caller)
        self.connected = True
        pieces = self._own.take(self.machine.settings.max_envelope_size_kb * 1024)
        # The capability answers belong into the response; the pool's state comes by Receive.
        fragments = [data for _name, data in pieces]
        for data in fragments[2:]:
            self._own.put("stdout", data)
        return answers.Connected(response_xml=b"".join(fragments[:2]))

    def disconnect(self) -> Answer:
        """[MS-WSMV] 3.1.4.16: the pool lives on without a client."""
        self.connected = False
        return answers.Disconnected()

    def reconnect(self) -> Answer:
        """[MS-WSMV] 3.1.4.17: the same client is back."""
        self.connected = True
        return answers.Reconnected()

    def run(self, header: Header, body: requests.RunCommand) -> Answer:  # noqa: ARG002 - Shell's
        """The first fragment of a pipeline's creation is in the arguments."""
        try:
            fragments = binascii.a2b_base64("".join(body.arguments))
            pipeline_id = uuid.UUID(bytes_le=fragments[_PIPELINE_ID])
        except ValueError as error:
            raise FaultError(
                faults.schema_validation("The arguments are not a PSRP fragment. ")
            ) from error
        limit = self.machine.settings.max_processes_per_shell
        running = sum(not pipeline.mailbox.closed for pipeline in self._by_command.values())
        if running >= limit:
            raise FaultError(faults.quota(faults.QUOTA_MAX_COMMANDS_PER_SHELL, limit, self.owner))
        command_id = body.command_id or self.around.guid()
        pipeline = Pipeline(command_id, psrpcore.ServerPipeline(self._pool, pipeline_id))
        self._pipelines[pipeline_id] = self._by_command[command_id] = pipeline
        self.machine.count(commands=1)
        self._take(fragments, pipeline_id, self._caller)
        return answers.CommandStarted(command_id=command_id)

    def send(self, body: requests.SendInput, caller: Caller) -> Answer:
        """Fragments for a pipeline or for the pool; stream pr carries answers to host calls."""
        for piece in body.pieces:
            pipeline = self._pipeline(piece.command_id) if piece.command_id else None
            self._take(piece.data, pipeline.server.pipeline_id if pipeline else None, caller)
        return answers.InputTaken()

    async def receive(
        self,
        header: Header,
        body: requests.ReceiveOutput,
        caller: Caller,  # noqa: ARG002 - Shell's
    ) -> Answer:
        """Fragments of one pipeline, or without CommandId those of the pool."""
        pipeline = self._pipeline(body.command_id) if body.command_id else None
        mailbox = pipeline.mailbox if pipeline else self._own
        await mailbox.wait(self.timeout_of(header))
        streams = mailbox.take(self.room_of(header))
        return answers.Output(
            command_id=body.command_id,
            streams=streams,
            exit_code=0 if mailbox.drained else None,
            state=pipeline is not None,
        )

    def signal(self, body: requests.SignalCommand) -> Answer:
        """Ctrl+C stops a pipeline, which then says so; Terminate forgets it."""
        pipeline = self._pipeline(body.command_id)
        if pipeline.timer is not None:
            pipeline.timer.cancel()
        if pipeline.server.state == State.Running:
            pipeline.server.stop()
            self._collect()
        pipeline.mailbox.close()
        if body.signal == "terminate":
            del self._by_command[pipeline.command_id]
            self._pipelines.pop(pipeline.server.pipeline_id, None)
            pipeline.server.close()
        return answers.Signalled()

    def _pipeline(self, command_id: str) -> Pipeline:
        pipeline = self._by_command.get(command_id)
        if pipeline is None:
            raise FaultError(faults.unknown_command(POWERSHELL_PLUGIN))
        return pipeline

    def _take(self, data: bytes, pipeline_id: uuid.UUID | None, caller: Caller) -> None:
        self._caller = caller
        self._pool.receive_data(PSRPPayload(data, StreamType.default, pipeline_id))
        while (event := self._next_event()) is not None:
            self._handle(event)
        self._collect()

    def _next_event(self) -> object | None:
        try:
            return self._pool.next_event()
        except _MALFORMED as error:
            raise FaultError(
                faults.schema_validation(f"The PSRP message cannot be processed: {error}. ")
            ) from error

    def _of(self, pipeline_id: uuid.UUID) -> Pipeline:
        pipeline = self._pipelines.get(pipeline_id)
        if pipeline is None:
            raise FaultError(faults.unknown_command(POWERSHELL_PLUGIN))
        return pipeline

    def _handle(self, event: object) -> None:
        match event:
            case psrpcore.CreatePipelineEvent():
                pipeline = self._of(event.pipeline_id)
                pipeline.server.start()
                pipeline.script = script_of(event.pipeline)
                if event.pipeline.no_input:
                    self._execute(pipeline)
            case psrpcore.PipelineInputEvent():
                self._of(event.pipeline_id).input.append(event.data)
            case psrpcore.EndOfPipelineInputEvent():
                self._execute(self._of(event.pipeline_id))
            case psrpcore.GetCommandMetadataEvent():
                pipeline = self._of(event.pipeline_id)
                pipeline.server.start()
                self._finish(
                    pipeline,
                    ProcessResult(rc=1, stderr=b"winlab does not model GetCommandMetadata"),
                )
            case psrpcore.GetAvailableRunspacesEvent():
                self._pool.runspace_availability_response(event.ci, self._pool.max_runspaces)
            case (
                psrpcore.SetMaxRunspacesEvent()
                | psrpcore.SetMinRunspacesEvent()
                | psrpcore.ResetRunspaceStateEvent()
            ):
                self._pool.runspace_availability_response(event.ci, True)

    def _execute(self, pipeline: Pipeline) -> None:
        lines = input_lines(pipeline.input)
        pipeline.input.clear()
        result = self.machine.execute(
            Process(
                command_line=pipeline.script,
                user=self.owner,
                stdin="\n".join(lines).encode(),
                psrp=True,
            )
        )
        pipeline.timer = self.later(result, self._caller, lambda: self._finish(pipeline, result))

    def _finish(self, pipeline: Pipeline, result: ProcessResult) -> None:
        server = pipeline.server
        for value in output_objects(result):
            server.write_output(value)
        for text in error_texts(result.stderr):
            # Ansible prints an error of this id as it is and dresses up any other.
            server.write_error(
                NETException(Message=text),
                category_info=ErrorCategoryInfo(
                    Category=ErrorCategory.NotSpecified, Reason="RemoteException"
                ),
                fully_qualified_error_id="NativeCommandError",
            )
        host = self._pool.host
        if result.rc and host is not None and not host.IsHostNull:
            server.host_call(HostMethodIdentifier.SetShouldExit, [result.rc])
        if result.refused and (host is None or host.IsHostNull):
            # A client without a host hears no exit code, and must not take this for success.
            server._change_state(State.Failed)  # noqa: SLF001 - psrpcore has no public way
        else:
            server.complete()
        self._collect()
        pipeline.mailbox.close()

    def _collect(self) -> None:
        """Move what psrpcore wants to send into the mailboxes, one fragment a piece."""
        while (payload := self._pool.data_to_send(_FRAGMENT)) is not None:
            pipeline = self._pipelines.get(payload.pipeline_id) if payload.pipeline_id else None
            mailbox = self._own if pipeline is None else pipeline.mailbox
            start = 0
            while start < len(payload.data):
                (length,) = struct.unpack_from(">I", payload.data, start + 17)
                end = start + _HEADER + length
                mailbox.put("stdout", payload.data[start:end])
                start = end
