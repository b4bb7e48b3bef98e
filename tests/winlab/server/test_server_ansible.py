"""Ansible's own connection plugins, winrm and psrp, in this process."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader, init_plugin_loader

from winlab.exec.process import Process, ProcessResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.winlab.server.conftest import Clients, FakeHost

    Connect = Callable[..., Any]

MARK = b"\n\0\0\0\0\n"
WAYS = [
    ("winrm", "basic", "http"),
    ("winrm", "ntlm", "http"),
    ("winrm", "basic", "https"),
    ("winrm", "ntlm", "https"),
    ("psrp", "basic", "http"),
    ("psrp", "negotiate", "http"),
    ("psrp", "negotiate", "https"),
]


@pytest.fixture(scope="module", autouse=True)
def plugins() -> None:
    init_plugin_loader()


@pytest.fixture
def connect(host: FakeHost, clients: Clients) -> Iterator[Connect]:
    made: list[Any] = []

    def open_one(plugin: str, login: str, scheme: str, **more: Any) -> Any:
        connection = connection_loader.get(plugin, PlayContext(), "/dev/null")
        port = 5986 if scheme == "https" else 5985
        options: dict[str, Any] = {
            "remote_addr": host.address,
            "remote_user": host.user,
            "remote_password": host.password,
            "port": port,
        }
        if plugin == "winrm":
            options |= {"transport": [login], "scheme": scheme}
        else:
            options |= {
                "auth": login,
                "protocol": scheme,
                "ca_cert": clients.ca,
                "message_encryption": "never" if (login, scheme) == ("basic", "http") else "auto",
            }
        extras = {"ansible_winrm_ca_trust_path": clients.ca}
        connection.set_options(direct=options | more, var_options={"_extras": extras})
        made.append(connection)
        return connection

    yield open_one
    for connection in made:
        connection.close()


@pytest.mark.parametrize(("plugin", "login", "scheme"), WAYS)
def test_a_payload_on_stdin_arrives_whole(
    connect: Connect, host: FakeHost, plugin: str, login: str, scheme: str
) -> None:
    payload = json.dumps({"x": "y" * 450_000}).encode() + MARK + b"data"
    host.run = lambda process: ProcessResult(
        stdout=hashlib.sha256(process.stdin).hexdigest().encode(), rc=0
    )
    connection = connect(plugin, login, scheme)
    command = connection._shell.build_module_command("", "", "")
    for _ in range(2):
        rc, out, err = connection.exec_command(command, in_data=payload)
        assert (rc, err) == (0, b"")
        assert out.strip().decode() == hashlib.sha256(payload).hexdigest()
    assert host.processes[0].psrp is (plugin == "psrp")


@pytest.mark.parametrize(("plugin", "login", "scheme"), WAYS)
def test_a_script_without_input_runs(
    connect: Connect, host: FakeHost, plugin: str, login: str, scheme: str
) -> None:
    host.run = lambda _process: ProcessResult(stdout=b"out\r\n", stderr=b"bad\r\n", rc=4)
    rc, out, err = connect(plugin, login, scheme).exec_command("whoami.exe /all")
    assert (rc, out.rstrip(), err.rstrip()) == (4, b"out", b"bad")
    line = host.processes[0].command_line
    if plugin == "psrp":
        assert line == "whoami.exe /all\nexit $LASTEXITCODE"
    else:
        script = base64.b64decode(line.rpartition(" ")[2]).decode("utf-16-le")
        assert script.startswith("whoami.exe /all")
    assert host.processes[0].stdin == b""


@pytest.mark.parametrize(("plugin", "login", "scheme"), WAYS)
@pytest.mark.parametrize("size", [0, 10, 1_200_000])
def test_files_are_put(
    connect: Connect,
    host: FakeHost,
    tmp_path: Path,
    plugin: str,
    login: str,
    scheme: str,
    size: int,
) -> None:
    source = tmp_path / "file.bin"
    source.write_bytes(bytes(range(250)) * (size // 250) + b"x" * (size % 250))

    def keep(process: Process) -> ProcessResult:
        # In PSRP the parts are lines, and the mark is a line of four NULs.
        data = process.stdin.rpartition(MARK)[2]
        lines = data.replace(b"\r", b"").split(b"\n")
        digest = hashlib.sha1(b"".join(map(base64.b64decode, lines)), usedforsecurity=False)
        return ProcessResult(stdout=json.dumps({"sha1": digest.hexdigest()}).encode())

    host.run = keep
    connect(plugin, login, scheme).put_file(str(source), "C:\\file.bin")


@pytest.mark.parametrize(("plugin", "login", "scheme"), WAYS)
def test_files_are_fetched(
    connect: Connect, host: FakeHost, tmp_path: Path, plugin: str, login: str, scheme: str
) -> None:
    content = bytes(range(250)) * 4_000

    def serve(process: Process) -> ProcessResult:
        manifest = json.loads(process.stdin.split(MARK)[1])
        params = manifest["actions"][0]["params"]
        size = params["BufferSize"]
        if plugin == "winrm":
            piece = content[params["Offset"] : params["Offset"] + size]
            return ProcessResult(stdout=base64.b64encode(piece) + b"\r\n")
        pieces = [content[start : start + size] for start in range(0, len(content), size)]
        texts = [base64.b64encode(piece).decode() for piece in pieces]
        return ProcessResult(output_objects=("[FILE]", *texts))

    host.run = serve
    target = tmp_path / "fetched.bin"
    connect(plugin, login, scheme).fetch_file("C:\\file.bin", str(target))
    assert target.read_bytes() == content


def test_a_used_up_quota_makes_ansible_open_another_shell(connect: Connect, host: FakeHost) -> None:
    host.set(max_operations_per_shell=2)
    connection = connect("winrm", "ntlm", "http")
    shells = set()
    for _ in range(5):
        rc, _out, _err = connection.exec_command("x")
        assert rc == 0
        shells.add(connection.shell_id)
    assert len(shells) == 3


def test_a_reset_connection_works_again(connect: Connect) -> None:
    for plugin, login in (("winrm", "ntlm"), ("psrp", "negotiate")):
        connection = connect(plugin, login, "http")
        assert connection.exec_command("x")[0] == 0
        connection.reset()
        assert connection.exec_command("x")[0] == 0


def test_a_command_longer_than_the_operation_timeout(connect: Connect, host: FakeHost) -> None:
    host.run = lambda _process: ProcessResult(stdout=b"late", duration=1.2)
    winrm = connect("winrm", "basic", "http", connection_timeout=1)
    assert winrm.exec_command("x") == (0, b"late", b"")
    psrp = connect("psrp", "basic", "http", operation_timeout=1)
    assert psrp.exec_command("x") == (0, b"late", b"")
