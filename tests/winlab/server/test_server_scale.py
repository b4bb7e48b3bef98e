"""A large fleet in one process serves many clients at once; `bench.lab_scale` says how fast."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from winrm.protocol import Protocol

from winlab.server.lab import LabServer

if TYPE_CHECKING:
    from tests.winlab.server.conftest import FakeHost

HOSTS = 2_200
SESSIONS = 200


@pytest.fixture
def fleet(host: FakeHost) -> list[FakeHost]:
    second = host.address.split(".")[1]
    made = []
    for number in range(HOSTS):
        address = f"127.{second}.{number // 250}.{number % 250 + 1}"
        made.append(type(host)(name=f"H{number}", address=address))
    return made


@pytest.fixture
def serving(fleet: list[FakeHost]) -> Iterator[None]:
    """The fleet in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    lab = LabServer(fleet)
    asyncio.run_coroutine_threadsafe(lab.start(), loop).result(60)
    yield
    asyncio.run_coroutine_threadsafe(lab.stop(), loop).result(60)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.mark.e2e
@pytest.mark.usefixtures("serving")
def test_many_hosts_answer_many_clients_at_once(
    fleet: list[FakeHost], monkeypatch: pytest.MonkeyPatch
) -> None:
    # requests sets and removes it around each question to the environment, and another thread
    # that reads the environment just then fails. One that is there stays.
    monkeypatch.setenv("no_proxy", "*")
    barrier = threading.Barrier(SESSIONS)
    answers: list[bytes] = []

    def session(number: int) -> None:
        chosen = fleet[number * (HOSTS // SESSIONS)]
        client = Protocol(
            f"http://{chosen.address}:5985/wsman",
            transport="ntlm" if number % 2 else "basic",
            username=chosen.user,
            password=chosen.password,
            proxy=None,
            ca_trust_path="unused-over-http.pem",  # the default looks into the environment
        )
        shell = client.open_shell()
        barrier.wait(120)  # now all of them have a shell and a connection
        answers.append(client.get_command_output(shell, client.run_command(shell, "x"))[0])
        client.close_shell(shell)

    threads = [threading.Thread(target=session, args=(number,)) for number in range(SESSIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    assert answers == [b"x|"] * SESSIONS
