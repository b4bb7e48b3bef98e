"""Injected faults, power and limits: what a client meets when things go wrong."""

from __future__ import annotations

import gc
import resource
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import pytest
import requests as http
from winrm.exceptions import InvalidCredentialsError

from winlab.server.errors import LabError
from winlab.server.lab import need_files
from winlab.server.ports import Fault, FaultKind

if TYPE_CHECKING:
    from tests.winlab.server.conftest import Clients, FakeHost, RunningLab

    Start = Callable[[Sequence[FakeHost]], RunningLab]


@pytest.fixture
def leaky_client() -> Iterator[None]:
    """Python's ssl leaves the client's socket open when a handshake or a read is reset."""
    yield
    gc.collect()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def listens(host: FakeHost, port: int = 5985) -> bool:
    try:
        socket.create_connection((host.address, port), 20).close()
    except (ConnectionRefusedError, ConnectionResetError):  # reset: accepted while it was closing
        return False
    return True


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("leaky_client")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_refuse_resets_the_connection(clients: Clients, host: FakeHost, scheme: str) -> None:
    host.faults = [Fault(kind=FaultKind.REFUSE)]
    with pytest.raises(http.exceptions.ConnectionError):
        clients.pywinrm("basic", scheme).open_shell()
    client = clients.pywinrm("basic", scheme)
    shell = client.open_shell()
    host.faults = [Fault(kind=FaultKind.REFUSE)]
    with pytest.raises(http.exceptions.ConnectionError):
        client.run_command(shell, "x")


def test_hang_never_answers(clients: Clients, host: FakeHost) -> None:
    host.faults = [Fault(kind=FaultKind.HANG)]
    with pytest.raises(http.exceptions.ReadTimeout):
        clients.pywinrm(operation_timeout_sec=1, read_timeout_sec=2).open_shell()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("leaky_client")
@pytest.mark.parametrize(("transport", "scheme"), [("basic", "https"), ("ntlm", "http")])
def test_drop_cuts_the_connection_once_the_command_ran(
    clients: Clients, host: FakeHost, transport: str, scheme: str
) -> None:
    host.faults = [Fault(kind=FaultKind.DROP)]
    client = clients.pywinrm(transport, scheme)
    shell = client.open_shell()
    command = client.run_command(shell, "x")
    with pytest.raises(http.exceptions.ConnectionError):
        client.get_command_output_raw(shell, command)
    assert [process.command_line for process in host.processes] == ["x"]


def test_a_firewall_answers_nothing_to_old_connections_and_new_ones(
    clients: Clients, host: FakeHost
) -> None:
    old = clients.pywinrm("basic")
    shell = old.open_shell()
    assert old.transport.session is not None
    host.blocked = {5985}
    with pytest.raises(http.exceptions.Timeout):
        old.transport.session.get(clients.url("http"), timeout=0.3)
    with pytest.raises(http.exceptions.Timeout):
        http.get(clients.url("http"), timeout=0.3)
    clients.pywinrm("basic", "https").open_shell()
    host.blocked = set()
    clients.pywinrm("basic").run_command(shell, "x")


def test_a_session_outlives_the_right_to_log_on_and_no_new_one_begins(
    clients: Clients, host: FakeHost
) -> None:
    sealed, basic = clients.pywinrm("ntlm"), clients.pywinrm("basic")
    shells = [(client, client.open_shell()) for client in (sealed, basic)]
    known, host.user = host.user, "renamed"
    new = clients.pywinrm("ntlm", username=known)
    with pytest.raises(InvalidCredentialsError):
        new.open_shell()
    client, shell = shells[0]
    assert client.run_command(shell, "x")
    # Basic logs on anew with every request.
    client, shell = shells[1]
    with pytest.raises(InvalidCredentialsError):
        client.run_command(shell, "x")


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("leaky_client")
def test_a_winrm_that_stops_takes_its_sessions_along(
    clients: Clients, lab: RunningLab, host: FakeHost
) -> None:
    client = clients.pywinrm("ntlm")
    shell = client.open_shell()
    host.set(http=False, https=False)
    lab.do(lab.lab.follow, host.name)
    assert not listens(host)
    with pytest.raises(http.exceptions.ConnectionError):
        client.run_command(shell, "x")
    host.set(http=True)
    lab.do(lab.lab.follow, host.name)
    assert (listens(host), listens(host, 5986)) == (True, False)


def test_slow_makes_commands_last(clients: Clients, host: FakeHost) -> None:
    host.lasting = Fault(kind=FaultKind.SLOW, seconds=0.3)
    client = clients.pywinrm()
    shell = client.open_shell()
    command = client.run_command(shell, "x")
    started = time.monotonic()
    assert client.get_command_output(shell, command)[0] == b"x|"
    assert time.monotonic() - started > 0.3


def test_latency_delays_every_answer(clients: Clients, host: FakeHost) -> None:
    host.lasting = Fault(kind=FaultKind.LATENCY, seconds=0.1)
    client = clients.pywinrm()
    started = time.monotonic()
    client.close_shell(client.open_shell())
    assert time.monotonic() - started > 0.2


def test_every_request_asks_for_its_fault_once(clients: Clients, host: FakeHost) -> None:
    host.faults = [None] * 10
    client = clients.pywinrm()
    shell = client.open_shell()
    client.get_command_output(shell, client.run_command(shell, "x"))
    client.close_shell(shell)
    assert len(host.faults) == 6


def test_a_host_that_is_down_has_no_listener(lab: RunningLab, host: FakeHost) -> None:
    assert listens(host)
    host.up = False
    lab.do(lab.lab.refresh, host.name)
    assert not listens(host)
    assert not listens(host, 5986)
    host.up = True
    until(lambda: listens(host) and listens(host, 5986))


def test_whoever_finds_a_host_down_closes_it(clients: Clients, host: FakeHost) -> None:
    client = clients.pywinrm()
    shell = client.open_shell()
    host.up = False
    with pytest.raises(http.exceptions.ConnectionError):
        client.run_command(shell, "x")
    until(lambda: not listens(host))
    host.up = True
    until(lambda: listens(host))
    host.up = False
    until(lambda: not listens(host))


def test_a_host_may_start_down(host: FakeHost, start_lab: Start) -> None:
    host.up = False
    start_lab([host])
    assert not listens(host)
    host.up = True
    until(lambda: listens(host))


def test_a_reboot_cuts_connections_and_loses_shells(clients: Clients, host: FakeHost) -> None:
    client = clients.pywinrm()
    shell = client.open_shell()
    command = client.run_command(shell, "down 0.1")
    assert client.get_command_output(shell, command)[0] == b"going"
    waiting = client.run_command(shell, "sleep 20")
    with pytest.raises(http.exceptions.ConnectionError):
        client.get_command_output_raw(shell, waiting)
    with pytest.raises(Exception, match="invalid selectors"):
        client.run_command(shell, "x")
    again = clients.pywinrm()
    again.close_shell(again.open_shell())


def test_too_many_connections_are_reset(clients: Clients, host: FakeHost) -> None:
    host.set(max_connections=1)
    client = clients.pywinrm()
    shell = client.open_shell()
    with pytest.raises(http.exceptions.ConnectionError):
        clients.pywinrm().open_shell()
    client.close_shell(shell)


def test_listeners_follow_the_settings(host: FakeHost, start_lab: Start) -> None:
    host.set(https=False)
    start_lab([host])
    assert listens(host)
    assert not listens(host, 5986)


def test_an_address_in_use_is_named_and_nothing_stays_open(
    lab: RunningLab, host: FakeHost, start_lab: Start
) -> None:
    with pytest.raises(LabError) as caught:
        start_lab([host])
    assert caught.value.what == "cannot listen: Address already in use"
    assert caught.value.where == f"WIN1 at {host.address}:5985"
    assert listens(host)


def test_hosts_do_not_see_each_other(clients: Clients, host: FakeHost, start_lab: Start) -> None:
    assert host.address.startswith("127.")
    octets = host.address.split(".")
    neighbour = ".".join([*octets[:3], str(int(octets[3]) % 254 + 1)])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((neighbour, 5985), 1)


def test_too_few_open_files_name_the_needed_number(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda _which, pair: limits.append(pair))
    need_files(1000)
    assert limits == []
    need_files(4000)
    assert limits == [(4000, 4096)]
    with pytest.raises(LabError) as caught:
        need_files(5424)
    assert str(caught.value) == (
        "the lab needs 5424 open files and this process may have 4096 "
        "(raise the hard limit, for example: ulimit -Hn 5424)"
    )
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, resource.RLIM_INFINITY))
    need_files(5000)
    assert limits[-1] == (5000, resource.RLIM_INFINITY)
    monkeypatch.setattr(
        resource, "getrlimit", lambda _which: (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    )
    need_files(10**6)
    assert len(limits) == 2
