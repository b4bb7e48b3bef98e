"""A service on a made-up machine, asked by typed messages; no sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import pytest

from winlab.exec.process import Process, ProcessResult
from winlab.session import Caller, Service, Surroundings, WinrmSettings
from winlab.wire import answers, names, requests
from winlab.wire.requests import Body, Header, Request

T = TypeVar("T")


def echo(process: Process) -> ProcessResult:
    return ProcessResult(stdout=process.command_line.encode() + b"|" + process.stdin, rc=7)


@dataclass
class FakeMachine:
    name: str = "WIN1"
    settings: WinrmSettings = field(default_factory=WinrmSettings)
    run: Callable[[Process], ProcessResult] = echo
    commands: int = 0
    processes: list[Process] = field(default_factory=list)

    def execute(self, process: Process) -> ProcessResult:
        self.processes.append(process)
        return self.run(process)

    def count(
        self, *, requests: int = 0, commands: int = 0, bytes_in: int = 0, bytes_out: int = 0
    ) -> None:
        assert (requests, bytes_in, bytes_out) == (0, 0, 0), "the server counts those"
        self.commands += commands

    def set(self, **changes: Any) -> None:
        self.settings = replace(self.settings, **changes)


class Client:
    """Asks one service; ``now`` is its clock in seconds."""

    def __init__(self) -> None:
        self.machine = FakeMachine()
        self.now = 0.0
        self.falls: list[float] = []
        self._numbers = iter(range(1, 10_000))
        around = Surroundings(
            clock=lambda: self.now,
            guid=lambda: f"G{next(self._numbers)}",
            goes_down=self.falls.append,
        )
        self.service = Service(self.machine, around)

    async def ask(
        self,
        body: Body,
        *,
        shell: str = "",
        uri: str = names.RESOURCE_CMD,
        user: str = "joe",
        options: dict[str, str] | None = None,
        wait: float | None = 5.0,
        envelope: int = 153_600,
        slow: float = 0.0,
    ) -> answers.Answer:
        header = Header(
            message_id="uuid:1",
            action="urn:action",
            resource_uri=uri,
            operation_timeout=wait,
            max_envelope_size=envelope,
            options=options or {},
            selectors={"ShellId": shell} if shell else {},
        )
        return await self.service.answer(
            Request(header=header, body=body), Caller(user=user, slow=slow)
        )

    async def shell(self, **asked: Any) -> str:
        body = requests.CreateShell(**asked.pop("create", {}))
        answer = await self.ask(body, **asked)
        assert isinstance(answer, answers.ShellCreated), answer
        return answer.shell.shell_id

    async def command(self, shell: str, line: str = "x", **asked: Any) -> str:
        answer = await self.ask(requests.RunCommand(command=line), shell=shell, **asked)
        assert isinstance(answer, answers.CommandStarted), answer
        return answer.command_id

    async def receive(self, shell: str, command: str, **asked: Any) -> answers.Answer:
        return await self.ask(requests.ReceiveOutput(command_id=command), shell=shell, **asked)

    async def send(self, shell: str, command: str, data: bytes, end: bool) -> answers.Answer:
        piece = requests.StreamPiece(name="stdin", command_id=command, data=data, end=end)
        return await self.ask(requests.SendInput(pieces=(piece,)), shell=shell)


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, T]], T]:
    return asyncio.run
