from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import pytest

from winlab.exec.process import ProcessResult
from winlab.wire import answers, faults, names, requests

if TYPE_CHECKING:
    from tests.winlab.session.conftest import Client

    Run = Callable[[Coroutine[Any, Any, None]], None]

CREATE = requests.CreateShell()


def test_a_shell_keeps_the_id_that_its_client_gave(client: Client, run: Run) -> None:
    async def scenario() -> None:
        answer = await client.ask(requests.CreateShell(shell_id="MINE", idle_timeout=9))
        assert isinstance(answer, answers.ShellCreated)
        assert answer.shell.shell_id == "MINE"
        assert answer.shell.owner == "WIN1\\joe"
        assert answer.shell.idle_timeout == 9
        client.now = 65
        seen = await client.ask(
            requests.GetResource(), shell=answer.shell.shell_id, uri=names.SHELL
        )
        assert seen == faults.unknown_shell("MINE")

    run(scenario())


def test_deleted_and_unknown_shells_are_the_same_fault(client: Client, run: Run) -> None:
    async def scenario() -> None:
        shell = await client.shell()
        assert await client.ask(requests.DeleteShell(), shell=shell) == answers.Deleted()
        for asked in (shell, "NEVER"):
            assert await client.ask(requests.DeleteShell(), shell=asked) == faults.unknown_shell(
                asked
            )
        assert client.service.shell_count == 0

    run(scenario())


def test_deleting_a_shell_ends_what_waits_in_it(client: Client, run: Run) -> None:
    async def scenario() -> None:
        client.machine.run = lambda _process: ProcessResult(duration=60)
        shell = await client.shell()
        command = await client.command(shell)
        waiting = asyncio.create_task(client.receive(shell, command))
        await asyncio.sleep(0.01)
        await client.ask(requests.DeleteShell(), shell=shell)
        assert await waiting == faults.aborted()

    run(scenario())


def test_shells_belong_to_their_owner(client: Client, run: Run) -> None:
    async def scenario() -> None:
        shell = await client.shell()
        stranger = await client.ask(requests.DeleteShell(), shell=shell, user="eve")
        assert stranger == faults.unknown_shell(shell)
        listed = await client.ask(
            requests.EnumerateResource(optimize=True), uri=names.SHELL, user="eve"
        )
        assert listed == answers.Enumerated()

    run(scenario())


def test_several_shells_work_at_once(client: Client, run: Run) -> None:
    async def scenario() -> None:
        shells = [await client.shell() for _ in range(5)]
        assert len(set(shells)) == 5
        commands = [await client.command(shell, f"c{n}") for n, shell in enumerate(shells)]
        outputs = await asyncio.gather(
            *(client.receive(*pair) for pair in zip(shells, commands, strict=True))
        )
        texts = [answer.streams[0][1] for answer in outputs if isinstance(answer, answers.Output)]
        assert texts == [b"c0|", b"c1|", b"c2|", b"c3|", b"c4|"]

    run(scenario())


def test_an_idle_shell_is_gone(client: Client, run: Run) -> None:
    async def scenario() -> None:
        client.machine.set(idle_timeout_ms=10_000)
        shell = await client.shell()
        client.now = 10
        assert isinstance(
            await client.ask(requests.GetResource(), shell=shell, uri=names.SHELL), answers.Shell
        )
        client.now = 20.5
        gone = await client.ask(requests.RunCommand(command="x"), shell=shell)
        assert gone == faults.unknown_shell(shell)

    run(scenario())


def test_a_shell_in_use_is_not_idle(client: Client, run: Run) -> None:
    async def scenario() -> None:
        client.machine.set(idle_timeout_ms=10_000)
        client.machine.run = lambda _process: ProcessResult(duration=0.03)
        shell = await client.shell()
        command = await client.command(shell)
        waiting = asyncio.create_task(client.receive(shell, command))
        await asyncio.sleep(0.01)
        client.now = 60
        await client.shell()
        assert isinstance(await waiting, answers.Output)

    run(scenario())


def quota_of(answer: answers.Answer) -> int:
    assert isinstance(answer, faults.Fault), answer
    assert answer.subcode == "w:QuotaLimit"
    assert answer.wmi
    return answer.number


def test_shells_per_user_are_limited(client: Client, run: Run) -> None:
    async def scenario() -> None:
        client.machine.set(max_shells_per_user=2, idle_timeout_ms=10_000)
        await client.shell()
        await client.shell()
        assert quota_of(await client.ask(CREATE)) == faults.QUOTA_MAX_SHELLS
        await client.shell(user="ann")
        client.now = 11
        await client.shell()

    run(scenario())


def test_users_are_limited(client: Client, run: Run) -> None:
    async def scenario() -> None:
        client.machine.set(max_concurrent_users=1)
        await client.shell()
        await client.shell()
        assert quota_of(await client.ask(CREATE, user="ann")) == faults.QUOTA_MAX_SHELLUSERS

    run(scenario())


def test_running_commands_per_shell_are_limited(client: Client, run: Run) -> None:
    async def scenario() -> None:
        client.machine.set(max_processes_per_shell=1)
        shell = await client.shell()
        command = await client.command(shell)
        more = requests.RunCommand(command="y")
        refused = await client.ask(more, shell=shell)
        assert quota_of(refused) == faults.QUOTA_MAX_COMMANDS_PER_SHELL
        await client.receive(shell, command)
        await client.command(shell)

    run(scenario())


@pytest.mark.parametrize(
    "setting", ["max_operations_per_shell", "max_concurrent_operations_per_user"]
)
def test_ended_commands_still_count_as_operations(client: Client, run: Run, setting: str) -> None:
    async def scenario() -> None:
        client.machine.set(**{setting: 1})
        shell = await client.shell()
        command = await client.command(shell)
        await client.receive(shell, command)
        await client.ask(requests.SignalCommand(command_id=command), shell=shell)
        refused = await client.ask(requests.RunCommand(command="y"), shell=shell)
        assert quota_of(refused) == 2150859174
        await client.ask(requests.DeleteShell(), shell=shell)
        await client.command(await client.shell())

    run(scenario())


def test_configuration_shows_the_settings(client: Client, run: Run) -> None:
    async def scenario() -> None:
        client.machine.set(max_envelope_size_kb=750, basic=False)
        answer = await client.ask(requests.GetResource(), uri=names.CONFIG)
        assert isinstance(answer, answers.Config)
        assert answer.settings["MaxEnvelopeSizekb"] == "750"
        service = answer.settings["Service"]
        assert isinstance(service, dict)
        assert service["Auth"]["Basic"] == "false"

    run(scenario())


def test_unknown_resources_are_named(client: Client, run: Run) -> None:
    async def scenario() -> None:
        for body in (CREATE, requests.GetResource(), requests.EnumerateResource()):
            answer = await client.ask(body, uri="urn:nothing")
            assert answer == faults.invalid_resource("urn:nothing")
        jea = await client.ask(CREATE, uri=names.RESOURCE_POWERSHELL + "jea")
        assert jea == faults.no_such_configuration("jea", "WIN1")

    run(scenario())


def test_a_console_cannot_be_disconnected(client: Client, run: Run) -> None:
    async def scenario() -> None:
        shell = await client.shell()
        answer = await client.ask(requests.DisconnectShell(), shell=shell)
        assert answer == faults.action_not_supported("urn:action")

    run(scenario())


def test_identify_after_login_shows_the_version(client: Client, run: Run) -> None:
    async def scenario() -> None:
        assert await client.ask(requests.Identify()) == answers.Identified(os_version="10.0.20348")

    run(scenario())


def test_shells_and_commands_can_be_listed(client: Client, run: Run) -> None:
    async def scenario() -> None:
        first, second = await client.shell(), await client.shell()
        command = await client.command(first, "dir")
        everything = await client.ask(requests.EnumerateResource(optimize=True), uri=names.SHELL)
        assert isinstance(everything, answers.Enumerated)
        ids = [item.shell_id for item in everything.items]
        assert ids == [first, second]
        one = requests.EnumerateResource(optimize=True, selectors={"ShellId": first.lower()})
        listed = await client.ask(one, uri=names.RESOURCE_COMMAND)
        assert listed == answers.Enumerated(
            items=(answers.CommandView(shell_id=first, command_id=command, line="dir"),)
        )

    run(scenario())


def test_a_plain_enumeration_is_pulled_once(client: Client, run: Run) -> None:
    async def scenario() -> None:
        await client.shell()
        started = await client.ask(requests.EnumerateResource(), uri=names.SHELL)
        assert isinstance(started, answers.EnumerationStarted)
        pull = requests.PullItems(context=started.context)
        pulled = await client.ask(pull, uri=names.SHELL)
        assert isinstance(pulled, answers.Enumerated)
        assert pulled.pulled
        assert len(pulled.items) == 1
        assert await client.ask(pull, uri=names.SHELL) == faults.invalid_enumeration_context()

    run(scenario())


def test_a_restart_forgets_everything(client: Client, run: Run) -> None:
    async def scenario() -> None:
        shell = await client.shell()
        client.service.close()
        assert client.service.shell_count == 0
        assert await client.receive(shell, "x") == faults.unknown_shell(shell)

    run(scenario())
