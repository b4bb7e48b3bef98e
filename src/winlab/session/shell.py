"""What WinRS shells and PSRP runspace pools have in common."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable

from winlab.exec.process import ProcessResult
from winlab.session.machine import Caller, Machine, Surroundings
from winlab.wire import requests
from winlab.wire.answers import ANSWER_OVERHEAD, Answer, CommandView, ShellView
from winlab.wire.requests import Header, Request


class Shell(ABC):
    """One open shell of one user on one host."""

    def __init__(
        self,
        shell_id: str,
        request: Request,
        caller: Caller,
        machine: Machine,
        around: Surroundings,
    ) -> None:
        """Open the shell that a Create asks for."""
        body = request.body
        assert isinstance(body, requests.CreateShell)
        self.id = shell_id
        self.name = body.name
        self.resource_uri = request.header.resource_uri
        self.owner = caller.user
        self.client_ip = caller.client_ip
        self.input_streams = body.input_streams
        self.output_streams = body.output_streams
        self.machine = machine
        self.around = around
        self.idle_timeout = (
            machine.settings.idle_timeout_ms / 1000
            if body.idle_timeout is None
            else body.idle_timeout
        )
        self.opened_at = self.used_at = around.clock()
        self.receiving = 0

    @property
    def expired(self) -> bool:
        """Whether nobody used it for longer than its idle time-out; a waiting Receive is use."""
        return not self.receiving and self.around.clock() - self.used_at > self.idle_timeout

    def view(self) -> ShellView:
        """The shell as Create, Get and Enumerate show it."""
        now = self.around.clock()
        return ShellView(
            shell_id=self.id,
            resource_uri=self.resource_uri,
            owner=self.owner if "\\" in self.owner else f"{self.machine.name}\\{self.owner}",
            client_ip=self.client_ip,
            idle_timeout=self.idle_timeout,
            input_streams=self.input_streams,
            output_streams=self.output_streams,
            run_time=now - self.opened_at,
            inactivity=now - self.used_at,
            name=self.name,
        )

    def timeout_of(self, header: Header) -> float:
        """Seconds that a Receive may wait: OperationTimeout, else MaxTimeoutms."""
        if header.operation_timeout is not None:
            return header.operation_timeout
        return self.machine.settings.max_timeout_ms / 1000

    def room_of(self, header: Header) -> int:
        """Bytes of base64 that an answer may carry: the smaller of both MaxEnvelopeSizes."""
        host = self.machine.settings.max_envelope_size_kb * 1024
        return min(header.max_envelope_size, host) - ANSWER_OVERHEAD

    def later(
        self, result: ProcessResult, caller: Caller, end: Callable[[], None]
    ) -> asyncio.TimerHandle | None:
        """Call ``end`` when the process has taken its time; None when that is already over."""
        seconds = result.duration + caller.slow
        if result.goes_down_after is not None:
            self.around.goes_down(seconds + result.goes_down_after)
        if seconds <= 0:
            end()
            return None
        return asyncio.get_running_loop().call_later(seconds, end)

    @abstractmethod
    def close(self) -> None:
        """End everything that runs in it."""

    @abstractmethod
    def command_views(self) -> list[CommandView]:
        """The commands, for Enumerate."""

    @abstractmethod
    def run(self, header: Header, body: requests.RunCommand) -> Answer:
        """Answer Command."""

    @abstractmethod
    def send(self, body: requests.SendInput, caller: Caller) -> Answer:
        """Answer Send."""

    @abstractmethod
    async def receive(self, header: Header, body: requests.ReceiveOutput, caller: Caller) -> Answer:
        """Answer Receive."""

    @abstractmethod
    def signal(self, body: requests.SignalCommand) -> Answer:
        """Answer Signal."""
