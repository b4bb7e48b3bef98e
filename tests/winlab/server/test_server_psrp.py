"""PowerShell remoting as pypsrp speaks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pypsrp.client import Client
from pypsrp.complex_objects import PSInvocationState, RunspacePoolState
from pypsrp.exceptions import WSManFaultError
from pypsrp.host import PSHost, PSHostUserInterface
from pypsrp.powershell import PowerShell, RunspacePool

from winlab.exec.process import Process, ProcessResult

if TYPE_CHECKING:
    from tests.winlab.server.conftest import Clients, FakeHost


def script(pool: RunspacePool, text: str) -> PowerShell:
    shell = PowerShell(pool)
    shell.add_script(text)
    return shell


@pytest.mark.parametrize(
    ("auth", "scheme"),
    [("basic", "http"), ("negotiate", "http"), ("basic", "https"), ("negotiate", "https")],
)
def test_scripts_run_with_input(clients: Clients, host: FakeHost, auth: str, scheme: str) -> None:
    with RunspacePool(clients.pypsrp(auth, scheme)) as pool:
        assert script(pool, "in").invoke(each for each in ("a", ["b", "c"])) == ["in|a", "b", "c"]
        assert script(pool, "no input").invoke() == ["no input|"]
    first = host.processes[0]
    assert first == Process(command_line="in", user="vagrant", stdin=b"a\nb\nc", psrp=True)


def test_output_objects_stay_apart(clients: Clients, host: FakeHost) -> None:
    host.run = lambda _process: ProcessResult(output_objects=("[FILE]", "AAAA\nBBBB"))
    with RunspacePool(clients.pypsrp()) as pool:
        assert script(pool, "x").invoke() == ["[FILE]", "AAAA\nBBBB"]


def test_large_input_and_output_come_in_fragments(clients: Clients) -> None:
    with RunspacePool(clients.pypsrp()) as pool:
        (out,) = script(pool, "in").invoke(each for each in ("x" * 900_000,))
        assert out == "in|" + "x" * 900_000


def test_errors_and_the_exit_code_arrive(clients: Clients) -> None:
    psrp_host = PSHost(None, None, False, "test", None, PSHostUserInterface(), "1.0")
    with RunspacePool(clients.pypsrp(), host=psrp_host) as pool:
        shell = script(pool, "fail 3")
        assert shell.invoke() == ["out"]
        assert [str(error) for error in shell.streams.error] == ["it failed"]
        assert shell.streams.error[0].fq_error == "NativeCommandError"
        assert shell.state == PSInvocationState.COMPLETED
        assert psrp_host.rc == 3


def test_a_pool_counts_resizes_resets_and_exchanges_keys(clients: Clients) -> None:
    with RunspacePool(clients.pypsrp(), max_runspaces=3) as pool:
        assert pool.get_available_runspaces() == 3
        pool.max_runspaces = 5
        pool.min_runspaces = 2
        assert pool.get_available_runspaces() == 5
        pool.reset_runspace_state()
        pool.exchange_keys()
        assert pool.is_alive()
        assert script(pool, "x").invoke() == ["x|"]


def test_a_closed_pool_is_not_alive(clients: Clients) -> None:
    client = clients.pypsrp()
    pool = RunspacePool(client)
    pool.open()
    other = RunspacePool(client)
    other.open()
    pool.shell.close()
    pool.shell.id = other.shell.id
    other.close()
    assert not pool.is_alive()


def test_a_long_pipeline_gives_time_outs_and_then_its_output(clients: Clients) -> None:
    with RunspacePool(clients.pypsrp(operation_timeout=1)) as pool:
        shell = script(pool, "sleep 1.2")
        shell.begin_invoke()
        shell.poll_invoke()
        assert shell.output == []
        assert shell.end_invoke() == ["awake"]


def test_a_pipeline_can_be_stopped_and_closed(clients: Clients) -> None:
    with RunspacePool(clients.pypsrp(operation_timeout=1)) as pool:
        running = script(pool, "sleep 60")
        running.begin_invoke()
        running.stop()
        assert running.state == PSInvocationState.STOPPED
        done = script(pool, "x")
        done.invoke()
        done.close()
        with pytest.raises(WSManFaultError) as caught:
            pool.shell.signal("powershell/signal/ctrl_c", done.id)
        assert caught.value.code == 87
        assert caught.value.provider == "microsoft.powershell"


def test_several_pools_at_once(clients: Clients) -> None:
    pools = [RunspacePool(clients.pypsrp()) for _ in range(3)]
    for pool in pools:
        pool.open()
    for number, pool in enumerate(pools):
        assert script(pool, f"p{number}").invoke() == [f"p{number}|"]
    for pool in pools:
        pool.close()


def test_a_pool_can_be_left_and_taken_up_again(clients: Clients) -> None:
    client = clients.pypsrp()
    pool = RunspacePool(client)
    pool.open()
    pool.disconnect()
    pool.connect()
    assert script(pool, "same client").invoke() == ["same client|"]
    pool.disconnect()
    (found,) = RunspacePool.get_runspace_pools(clients.pypsrp())
    assert found.id == pool.id
    found.connect()
    assert found.state == RunspacePoolState.OPENED
    assert script(found, "other client").invoke() == ["other client|"]
    found.close()


def test_the_high_level_client_works(clients: Clients, host: FakeHost) -> None:
    client = Client(
        host.address,
        username=host.user,
        password=host.password,
        ssl=True,
        cert_validation=clients.ca,
        no_proxy=True,
    )
    with client:
        out, streams, had_errors = client.execute_ps("Get-Something")
        assert out == "Invoke-Expression -Command 'Get-Something' | Out-String -Stream|"
        assert (streams.error, had_errors) == ([], False)


def test_a_refused_script_is_no_success_for_a_client_without_a_host(
    clients: Clients, host: FakeHost
) -> None:
    host.run = lambda _process: ProcessResult(rc=1, stderr=b"winlab does not model x", refused=True)
    with RunspacePool(clients.pypsrp()) as pool:
        shell = script(pool, "x")
        shell.invoke()
    assert shell.had_errors
    assert [str(error) for error in shell.streams.error] == ["winlab does not model x"]


def test_an_unknown_configuration_is_refused_by_name(clients: Clients) -> None:
    pool = RunspacePool(clients.pypsrp(), configuration_name="jea_admins")
    with pytest.raises(WSManFaultError, match="Cannot find the jea_admins session configuration"):
        pool.open()


def test_command_metadata_is_refused_by_name(clients: Clients) -> None:
    with RunspacePool(clients.pypsrp()) as pool:
        shell = script(pool, "x")
        shell.invoke()
        with pytest.raises(IndexError):
            pool.get_command_metadata("Get-*")


def test_what_is_no_psrp_is_a_fault(clients: Clients) -> None:
    with RunspacePool(clients.pypsrp()) as pool:
        for data in (b"\x00" * 80, b"short"):
            with pytest.raises(WSManFaultError) as caught:
                pool.shell.command("", [""], command_id=pool.id)
            assert caught.value.code == 0x80338041
            with pytest.raises(WSManFaultError) as caught:
                pool.shell.send("stdin", data)
            assert caught.value.code == 0x80338041
