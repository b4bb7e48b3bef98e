"""Runspace pools by typed messages: what pypsrp's own client would never send."""

from __future__ import annotations

import base64
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import psrpcore

from winlab.wire import answers, faults, names, requests

if TYPE_CHECKING:
    from tests.winlab.session.conftest import Client

    Run = Callable[[Coroutine[Any, Any, None]], None]

URI = names.RESOURCE_POWERSHELL + "Microsoft.PowerShell"


class Remote:
    """psrpcore's client end."""

    def __init__(self) -> None:
        self.pool = psrpcore.ClientRunspacePool()
        self.pool.open()

    def data(self) -> bytes:
        payload = self.pool.data_to_send()
        assert payload is not None
        return bytes(payload.data)

    async def opened(self, client: Client) -> str:
        return await client.shell(uri=URI, create={"creation_xml": self.data(), "shell_id": "POOL"})

    def pipeline(self, script: str) -> psrpcore.ClientPowerShell:
        self.pool.state = psrpcore.types.RunspacePoolState.Opened
        pipeline = psrpcore.ClientPowerShell(self.pool)
        pipeline.add_script(script)
        pipeline.start()
        return pipeline


def is_schema_fault(answer: answers.Answer, text: str) -> bool:
    assert isinstance(answer, faults.Fault), answer
    return answer.number == faults.SCHEMA_VALIDATION and text in (answer.message or "")


def test_a_pool_needs_its_creation(client: Client, run: Run) -> None:
    async def scenario() -> None:
        answer = await client.ask(requests.CreateShell(), uri=URI)
        assert is_schema_fault(answer, "needs a creationXml")
        broken = requests.CreateShell(creation_xml=b"\x00" * 30)
        assert is_schema_fault(await client.ask(broken, uri=URI), "cannot be processed")
        assert client.service.shell_count == 0

    run(scenario())


def test_every_fragment_is_a_stream_of_its_own(client: Client, run: Run) -> None:
    async def scenario() -> None:
        shell = await Remote().opened(client)
        answer = await client.receive(shell, "")
        assert isinstance(answer, answers.Output)
        assert len(answer.streams) >= 3
        for name, data in answer.streams:
            assert name == "stdout"
            assert int.from_bytes(data[17:21], "big") == len(data) - 21
        assert answer.exit_code is None
        assert not answer.state
        assert await client.receive(shell, "", wait=0.01) == faults.timed_out()

    run(scenario())


def test_command_and_pipeline_may_have_different_ids(client: Client, run: Run) -> None:
    async def scenario() -> None:
        remote = Remote()
        shell = await remote.opened(client)
        pipeline = remote.pipeline("hello")
        first = base64.b64encode(remote.data()).decode()
        body = requests.RunCommand(command_id="OTHER", arguments=(first,))
        assert await client.ask(body, shell=shell) == answers.CommandStarted(command_id="OTHER")
        assert str(pipeline.pipeline_id).upper() != "OTHER"
        answer = await client.receive(shell, "OTHER")
        assert isinstance(answer, answers.Output)
        assert answer.exit_code == 0
        assert b"hello|" in b"".join(data for _name, data in answer.streams)

    run(scenario())


def test_running_pipelines_are_limited(client: Client, run: Run) -> None:
    async def scenario() -> None:
        client.machine.set(max_processes_per_shell=0)
        remote = Remote()
        shell = await remote.opened(client)
        remote.pipeline("x")
        first = base64.b64encode(remote.data()).decode()
        answer = await client.ask(requests.RunCommand(arguments=(first,)), shell=shell)
        assert isinstance(answer, faults.Fault)
        assert answer.number == faults.QUOTA_MAX_COMMANDS_PER_SHELL

    run(scenario())


def test_input_for_an_unknown_pipeline_is_a_fault(client: Client, run: Run) -> None:
    async def scenario() -> None:
        remote = Remote()
        shell = await remote.opened(client)
        pipeline = remote.pipeline("x")
        remote.data()  # its creation never reaches the server
        pipeline.send("input")
        piece = requests.StreamPiece(name="stdin", command_id="", data=remote.data())
        answer = await client.ask(requests.SendInput(pieces=(piece,)), shell=shell)
        assert answer == faults.unknown_command(faults.POWERSHELL_PLUGIN)

    run(scenario())


def test_connect_needs_its_fragments(client: Client, run: Run) -> None:
    async def scenario() -> None:
        shell = await Remote().opened(client)
        answer = await client.ask(requests.ConnectShell(), shell=shell)
        assert is_schema_fault(answer, "needs a connectXml")

    run(scenario())


def test_closing_a_pool_ends_what_waits_in_it(client: Client, run: Run) -> None:
    async def scenario() -> None:
        remote = Remote()
        shell = await remote.opened(client)
        remote.pipeline("x")
        first = base64.b64encode(remote.data()).decode()
        await client.ask(requests.RunCommand(command_id="C", arguments=(first,)), shell=shell)
        listed = await client.ask(
            requests.EnumerateResource(optimize=True), uri=names.RESOURCE_COMMAND
        )
        assert isinstance(listed, answers.Enumerated)
        assert [item.shell_id for item in listed.items] == ["POOL"]
        assert await client.ask(requests.DeleteShell(), shell=shell) == answers.Deleted()
        assert await client.receive(shell, "C") == faults.unknown_shell(shell)

    run(scenario())
