"""WinRS as pywinrm and pypsrp speak it, over every transport."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from pypsrp.exceptions import AuthenticationError, WSManFaultError
from pypsrp.shell import Process, SignalCode, WinRS
from winrm.exceptions import (
    InvalidCredentialsError,
    WinRMOperationTimeoutError,
    WinRMTransportError,
)
from winrm.exceptions import WSManFaultError as PywinrmFault

if TYPE_CHECKING:
    from tests.winlab.server.conftest import Clients, FakeHost, RunningLab

PYWINRM = [("basic", "http"), ("ntlm", "http"), ("basic", "https"), ("ntlm", "https")]
PYPSRP = [
    ("basic", "http"),
    ("negotiate", "http"),
    ("ntlm", "http"),
    ("basic", "https"),
    ("negotiate", "https"),
    ("ntlm", "https"),
]


@pytest.mark.parametrize(("transport", "scheme"), PYWINRM)
def test_pywinrm_runs_commands(
    clients: Clients, host: FakeHost, transport: str, scheme: str
) -> None:
    client = clients.pywinrm(transport, scheme)
    shell = client.open_shell(codepage=65001, env_vars={"A": "b"}, working_directory="C:\\w")
    command = client.run_command(shell, "echo", ["hello", "world"])
    assert client.get_command_output(shell, command) == (b"echo hello world|", b"", 0)
    client.cleanup_command(shell, command)
    command = client.run_command(shell, "in", console_mode_stdin=False)
    client.send_command_input(shell, command, b"x" * 300_000)
    client.send_command_input(shell, command, "y", end=True)
    out, _err, _rc = client.get_command_output(shell, command)
    assert out == b"in|" + b"x" * 300_000 + b"y"
    client.close_shell(shell)
    first = host.processes[0]
    assert (first.user, first.console, dict(first.environment), first.working_directory) == (
        host.user,
        65001,
        {"A": "b"},
        "C:\\w",
    )


@pytest.mark.parametrize(("auth", "scheme"), PYPSRP)
def test_pypsrp_runs_commands(clients: Clients, auth: str, scheme: str) -> None:
    with WinRS(clients.pypsrp(auth, scheme), codepage=65001) as shell:
        process = Process(shell, "fail", ["3"])
        process.invoke()
        assert (process.rc, process.stdout, process.stderr) == (3, b"out\r\n", b"it failed\r\n")
        process.signal(SignalCode.CTRL_C)
        process = Process(shell, "in")
        process.begin_invoke()
        process.send(b"some input")
        process.end_invoke()
        assert process.stdout == b"in|some input"
        process.signal(SignalCode.TERMINATE)


@pytest.mark.parametrize("name", ["vagrant", "VAGRANT", ".\\vagrant", "win1\\vagrant"])
@pytest.mark.parametrize("transport", ["basic", "ntlm"])
def test_accounts_are_known_by_all_their_names(
    clients: Clients, host: FakeHost, transport: str, name: str
) -> None:
    client = clients.pywinrm(transport, "https", username=name)
    shell = client.open_shell()
    client.get_command_output(shell, client.run_command(shell, "x"))
    client.close_shell(shell)
    assert host.processes[0].user.lower() == "vagrant"


@pytest.mark.parametrize(("transport", "scheme"), PYWINRM)
def test_a_wrong_password_is_refused(clients: Clients, transport: str, scheme: str) -> None:
    for wrong in ({"password": "wrong"}, {"username": "stranger"}, {"username": "OTHER\\vagrant"}):
        client = clients.pywinrm(transport, scheme, **wrong)
        with pytest.raises(InvalidCredentialsError, match="rejected by the server"):
            client.open_shell()


@pytest.mark.parametrize(("auth", "scheme"), PYPSRP)
def test_a_wrong_password_is_refused_to_pypsrp(clients: Clients, auth: str, scheme: str) -> None:
    shell = WinRS(clients.pypsrp(auth, scheme, password="wrong"))
    with pytest.raises(AuthenticationError):
        shell.open()


def test_basic_over_http_needs_allow_unencrypted(clients: Clients, host: FakeHost) -> None:
    host.set(allow_unencrypted=False)
    with pytest.raises(InvalidCredentialsError):
        clients.pywinrm("basic", "http").open_shell()
    client = clients.pywinrm("basic", "https")
    client.close_shell(client.open_shell())
    client = clients.pywinrm("ntlm", "http")
    client.close_shell(client.open_shell())
    with pytest.raises(InvalidCredentialsError):
        clients.pywinrm("ntlm", "http", message_encryption="never").open_shell()


def test_schemes_can_be_switched_off(clients: Clients, host: FakeHost) -> None:
    host.set(basic=False)
    with pytest.raises(InvalidCredentialsError):
        clients.pywinrm("basic", "https").open_shell()
    host.set(basic=True, negotiate=False)
    with pytest.raises(InvalidCredentialsError):
        clients.pywinrm("ntlm", "https").open_shell()


@pytest.mark.parametrize("level", ["None", "Relaxed", "Strict"])
def test_channel_binding(clients: Clients, host: FakeHost, level: str) -> None:
    host.set(channel_binding=level)
    client = clients.pywinrm("ntlm", "https", send_cbt=True)
    client.close_shell(client.open_shell())
    without = clients.pywinrm("ntlm", "https", send_cbt=False)
    if level == "Strict":
        with pytest.raises(InvalidCredentialsError):
            without.open_shell()
    else:
        without.close_shell(without.open_shell())


def test_an_unknown_shell_is_what_windows_says(clients: Clients) -> None:
    client = clients.pywinrm("ntlm")
    with pytest.raises(PywinrmFault) as caught:
        client.run_command("11111111-1111-1111-1111-111111111111", "x")
    fault = caught.value
    assert (fault.code, fault.wsman_fault_code) == (500, 2150858843)
    assert (fault.fault_code, fault.fault_subcode) == ("s:Sender", "w:InvalidSelectors")
    assert fault.reason == (
        "The WS-Management service cannot process the request because the request contained "
        "invalid selectors for the resource. "
    )


def test_an_unknown_command_is_what_windows_says(clients: Clients) -> None:
    with WinRS(clients.pypsrp()) as shell:
        with pytest.raises(WSManFaultError) as caught:
            shell.receive(command_id="11111111-1111-1111-1111-111111111111")
        assert caught.value.code == 87
        assert caught.value.provider == "Shell cmd plugin"
        assert caught.value.provider_fault == "The parameter is incorrect."


def test_a_receive_waits_and_then_times_out(clients: Clients) -> None:
    client = clients.pywinrm(operation_timeout_sec=1, read_timeout_sec=5)
    shell = client.open_shell()
    command = client.run_command(shell, "sleep 2")
    started = time.monotonic()
    with pytest.raises(WinRMOperationTimeoutError):
        client.get_command_output_raw(shell, command)
    assert time.monotonic() - started > 0.9  # it waited; a test has no say in how long at most
    assert client.get_command_output(shell, command) == (b"awake", b"", 0)
    client.close_shell(shell)


def test_long_output_comes_in_pieces(clients: Clients) -> None:
    client = clients.pywinrm("ntlm")
    shell = client.open_shell()
    command = client.run_command(shell, "big 1000000")
    first, _err, _rc, done = client.get_command_output_raw(shell, command)
    assert not done
    assert 50_000 < len(first) < 153_600 * 3 // 4
    rest, _err, rc = client.get_command_output(shell, command)
    assert first + rest == b"0123456789" * 100_000
    assert rc == 0
    client.close_shell(shell)


def test_several_shells_at_once(clients: Clients) -> None:
    results: list[bytes] = []
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        client = clients.pywinrm("ntlm" if number % 2 else "basic")
        shell = client.open_shell()
        barrier.wait(10)
        command = client.run_command(shell, f"c{number}")
        results.append(client.get_command_output(shell, command)[0])
        barrier.wait(10)
        client.close_shell(shell)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(results) == [f"c{number}|".encode() for number in range(8)]


def test_quota_faults_reach_the_client(clients: Clients, host: FakeHost) -> None:
    host.set(max_operations_per_shell=1, max_shells_per_user=1)
    client = clients.pywinrm("ntlm")
    shell = client.open_shell()
    with pytest.raises(PywinrmFault) as caught:
        clients.pywinrm("ntlm").open_shell()
    assert caught.value.wmierror_code == 0x803381A5
    command = client.run_command(shell, "x")
    client.get_command_output(shell, command)
    with pytest.raises(PywinrmFault) as caught:
        client.run_command(shell, "y")
    assert caught.value.wmierror_code == 0x803381A6
    client.close_shell(shell)


def test_the_configuration_can_be_read(clients: Clients, host: FakeHost) -> None:
    host.set(max_envelope_size_kb=700)
    client = clients.pypsrp()
    client.update_max_payload_size()
    assert client.max_envelope_size == 700 * 1024


def test_what_breaks_below_is_an_internal_error(
    clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    client = clients.pywinrm()
    shell = client.open_shell()
    command = client.run_command(shell, "crash now")
    with pytest.raises(PywinrmFault) as caught:
        client.get_command_output(shell, command)
    assert (caught.value.fault_subcode, caught.value.wsman_fault_code) == ("w:InternalError", 1359)
    assert "RuntimeError: boom" in (caught.value.response)
    assert "Receive failed" in caplog.text
    client.close_shell(shell)


def test_requests_commands_and_bytes_are_counted(clients: Clients, host: FakeHost) -> None:
    client = clients.pywinrm("ntlm", "http")
    shell = client.open_shell()
    command = client.run_command(shell, "x")
    client.get_command_output(shell, command)
    client.cleanup_command(shell, command)
    client.close_shell(shell)
    # Three for the NTLM handshake, then Create, Command, Receive, Signal and Delete.
    assert host.counted["requests"] == 8
    assert host.counted["commands"] == 1
    assert host.counted["bytes_in"] > 5_000
    assert host.counted["bytes_out"] > 3_000


def test_a_message_sealed_for_another_connection_is_a_bare_400(
    clients: Clients, lab: RunningLab
) -> None:
    first, second = clients.pywinrm("ntlm"), clients.pywinrm("ntlm")
    shell = first.open_shell()
    second.close_shell(second.open_shell(), close_session=False)
    first.transport.encryption, kept = second.transport.encryption, first.transport.encryption
    with pytest.raises(WinRMTransportError) as caught:
        first.run_command(shell, "x")
    assert (caught.value.code, caught.value.response_text) == (400, "")
    first.transport.encryption = kept
