from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from winlab.exec.process import Process, ProcessResult
from winlab.wire import answers, faults, requests

if TYPE_CHECKING:
    from tests.winlab.session.conftest import Client

    Run = Callable[[Coroutine[Any, Any, None]], None]


def output(answer: answers.Answer) -> answers.Output:
    assert isinstance(answer, answers.Output), answer
    return answer


def test_a_command_without_input_runs_at_the_first_receive(client: Client, run: Run) -> None:
    async def scenario() -> None:
        shell = await client.shell(
            options={"WINRS_CODEPAGE": "65001"},
            create={"environment": {"A": "b"}, "working_directory": "C:\\w"},
        )
        command = await client.command(shell, "dir /b", options={"WINRS_CONSOLEMODE_STDIN": "TRUE"})
        assert client.machine.processes == []
        answer = output(await client.receive(shell, command))
        assert answer.streams == (("stdout", b"dir /b|"),)
        assert answer.ended == ("stdout", "stderr")
        assert answer.exit_code == 7
        (process,) = client.machine.processes
        assert process == Process(
            command_line="dir /b",
            user="joe",
            environment={"A": "b"},
            working_directory="C:\\w",
            console=65_001,
        )
        assert client.machine.commands == 1

    run(scenario())


def test_the_default_code_page_is_437(client: Client, run: Run) -> None:
    async def scenario() -> None:
        shell = await client.shell(options={"WINRS_CODEPAGE": "none"})
        await client.receive(shell, await client.command(shell))
        assert client.machine.processes[0].console == 437

    run(scenario())


def test_a_command_with_input_runs_when_the_input_ends(client: Client, run: Run) -> None:
    async def scenario() -> None:
        shell = await client.shell()
        command = await client.command(shell, "c", options={"WINRS_CONSOLEMODE_STDIN": "FALSE"})
        early = await client.receive(shell, command, wait=0.01)
        assert early == faults.timed_out()
        assert await client.send(shell, command, b"one ", end=False) == answers.InputTaken()
        assert client.machine.processes == []
        await client.send(shell, command, b"two", end=True)
        assert client.machine.processes[0].stdin == b"one two"
        await client.send(shell, command, b"late", end=True)
        assert len(client.machine.processes) == 1
        assert output(await client.receive(shell, command)).streams == (("stdout", b"c|one two"),)

    run(scenario())


def test_a_client_that_announces_nothing_may_still_send(client: Client, run: Run) -> None:
    async def scenario() -> None:
        shell = await client.shell()
        command = await client.command(shell, "c")
        await client.send(shell, command, b"one", end=False)
        assert await client.receive(shell, command, wait=0.01) == faults.timed_out()
        await client.send(shell, command, b"", end=True)
        assert output(await client.receive(shell, command)).exit_code == 7

    run(scenario())


def test_a_long_command_gives_time_outs_until_it_ends(client: Client, run: Run) -> None:
    async def scenario() -> None:
        client.machine.run = lambda _process: ProcessResult(stdout=b"late", duration=0.05)
        shell = await client.shell()
        command = await client.command(shell)
        assert await client.receive(shell, command, wait=0.01) == faults.timed_out()
        answer = output(await client.receive(shell, command))
        assert answer.streams == (("stdout", b"late"),)
        assert len(client.machine.processes) == 1

    run(scenario())


def test_without_operation_timeout_the_host_decides(client: Client, run: Run) -> None:
    async def scenario() -> None:
        client.machine.set(max_timeout_ms=10)
        client.machine.run = lambda _process: ProcessResult(duration=60)
        shell = await client.shell()
        answer = await client.receive(shell, await client.command(shell), wait=None)
        assert answer == faults.timed_out()
        client.service.close()

    run(scenario())


def test_a_slow_host_takes_longer(client: Client, run: Run) -> None:
    async def scenario() -> None:
        shell = await client.shell()
        command = await client.command(shell)
        assert await client.receive(shell, command, wait=0.01, slow=0.04) == faults.timed_out()
        assert output(await client.receive(shell, command)).exit_code == 7

    run(scenario())


def test_long_output_comes_in_pieces_that_fit(client: Client, run: Run) -> None:
    async def scenario() -> None:
        data = bytes(range(256)) * 1000
        client.machine.run = lambda _process: ProcessResult(stdout=data, stderr=b"err", rc=1)
        shell = await client.shell()
        command = await client.command(shell)
        out, err, count = b"", b"", 0
        while True:
            answer = output(await client.receive(shell, command, envelope=16_384))
            assert sum(len(piece) for _name, piece in answer.streams) * 4 / 3 < 16_384
            out += b"".join(piece for name, piece in answer.streams if name == "stdout")
            err += b"".join(piece for name, piece in answer.streams if name == "stderr")
            count += 1
            if answer.exit_code is not None:
                break
            assert answer.ended == ()
        assert (out, err) == (data, b"err")
        assert count > 20

    run(scenario())


def test_terminate_forgets_a_command(client: Client, run: Run) -> None:
    async def scenario() -> None:
        client.machine.run = lambda _process: ProcessResult(duration=60)
        shell = await client.shell()
        command = await client.command(shell)
        waiting = asyncio.create_task(client.receive(shell, command))
        await asyncio.sleep(0.01)
        signal = requests.SignalCommand(command_id=command)
        assert await client.ask(signal, shell=shell) == answers.Signalled()
        assert await waiting == faults.aborted()
        assert await client.receive(shell, command) == faults.unknown_command()
        assert await client.ask(signal, shell=shell) == faults.unknown_command()

    run(scenario())


def test_ctrl_c_ends_a_command_as_windows_does(client: Client, run: Run) -> None:
    async def scenario() -> None:
        client.machine.run = lambda _process: ProcessResult(duration=60)
        shell = await client.shell()
        command = await client.command(shell)
        await client.receive(shell, command, wait=0.01)
        signal = requests.SignalCommand(command_id=command, signal="ctrl_c")
        assert await client.ask(signal, shell=shell) == answers.Signalled()
        assert output(await client.receive(shell, command)).exit_code == -1_073_741_510
        assert await client.ask(signal, shell=shell) == answers.Signalled()

    run(scenario())


def test_a_command_before_its_first_receive_can_be_stopped(client: Client, run: Run) -> None:
    async def scenario() -> None:
        shell = await client.shell()
        command = await client.command(shell)
        signal = requests.SignalCommand(command_id=command, signal="ctrl_break")
        await client.ask(signal, shell=shell)
        assert output(await client.receive(shell, command)).exit_code == -1_073_741_510
        assert client.machine.processes == []

    run(scenario())


def test_a_process_that_takes_its_host_down_says_so(client: Client, run: Run) -> None:
    async def scenario() -> None:
        client.machine.run = lambda _process: ProcessResult(goes_down_after=2.0)
        shell = await client.shell()
        await client.receive(shell, await client.command(shell))
        assert client.falls == [2.0]

    run(scenario())
