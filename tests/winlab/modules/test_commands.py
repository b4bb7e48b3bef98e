"""win_shell, win_command and win_powershell."""

from __future__ import annotations

from typing import Any

import pytest
from tests.winlab.modules.calls import Call, call_module

from winlab.host.host import Host


def test_shell_runs_a_cmd_line(call: Call) -> None:
    assert call("win_shell", _raw_params=" echo one & echo two ", executable="cmd") == {
        "changed": True,
        "cmd": "echo one & echo two",
        "stdout": "one \r\ntwo\r\n",
        "stderr": "",
        "rc": 0,
        "start": "2026-11-22 04:05:06.000000",
        "end": "2026-11-22 04:05:06.000000",
        "delta": "0:00:00.000000",
    }


def test_shell_fails_with_the_exit_code(call: Call) -> None:
    answer = call("win_shell", _raw_params="exit /b 3", executable="cmd.exe")
    assert (answer["rc"], answer["msg"], answer["failed"]) == (3, "non-zero return code", True)


def test_shell_honours_chdir_creates_and_removes(call: Call) -> None:
    options = {"_raw_params": "cd", "executable": "cmd"}
    assert call("win_shell", **options, chdir="C:\\Windows")["stdout"] == "C:\\Windows\r\n"
    skipped = call("win_shell", **options, creates="C:\\Windows")
    assert skipped == {
        "msg": "skipped, since C:\\Windows exists",
        "cmd": "cd",
        "changed": False,
        "skipped": True,
        "rc": 0,
    }
    absent = call("win_shell", **options, removes="C:\\none")
    assert absent["msg"] == "skipped, since C:\\none does not exist"
    assert call("win_shell", **options, chdir="C:\\none")["msg"] == (
        "invalid working directory path 'C:\\none'"
    )


def test_shell_gives_stdin(call: Call) -> None:
    answer = call("win_shell", _raw_params='findstr "^b"', executable="cmd", stdin="a\r\nb\r\n")
    assert answer["stdout"] == "b\r\n"


def test_shell_without_executable_is_powershell_and_refused(call: Call, host: Host) -> None:
    assert call("win_shell", _raw_params="Get-Service | Select Name")["msg"] == (
        "winlab does not model the PowerShell script 'Get-Service | Select Name'"
    )
    assert len(host.unmodelled) == 1
    assert call("win_shell", _raw_params="hostname")["stdout"] == "APP1\r\n"


def test_shell_of_another_kind_is_refused(call: Call) -> None:
    assert call("win_shell", _raw_params="x", executable="C:\\bash.exe")["msg"] == (
        "winlab does not model win_shell with executable C:\\bash.exe"
    )


@pytest.mark.parametrize("host", ["zh-CN"], indirect=True)
def test_children_of_a_psrp_process_write_the_oem_code_page(host: Host) -> None:
    options: dict[str, Any] = {"_raw_params": "echo 中文", "executable": "cmd"}
    assert call_module(host, "win_shell", **options)["stdout"] != "中文\r\n"
    read = call_module(host, "win_shell", **options, output_encoding_override="gbk")
    assert read["stdout"] == "中文\r\n"


def test_command_takes_operators_as_arguments(call: Call) -> None:
    assert call("win_command", argv=["hostname"])["stdout"] == "APP1\r\n"
    piped = call("win_command", cmd="cmd.exe /c echo a&echo b")
    assert piped["stdout"] == "a\r\nb\r\n"


def test_command_escapes_its_arguments(call: Call) -> None:
    answer = call("win_command", argv=["cmd", "/c", 'a "b', "c d\\"], creates="C:\\Windows")
    assert answer["cmd"] == 'cmd /c "a \\"b" "c d\\\\"'
    assert answer["skipped"] is True


def test_command_that_is_not_there(call: Call) -> None:
    answer = call("win_command", cmd="nosuch.exe /x")
    assert (answer["rc"], answer["msg"]) == (
        2,
        'Failed to run: \'nosuch.exe /x\': Exception calling "CreateProcess" with "7" '
        'argument(s): "CreateProcessW() failed (The system cannot find the file specified, '
        'Win32ErrorCode 2 - 0x00000002)"',
    )


def test_command_in_an_encoding_nobody_knows(call: Call) -> None:
    answer = call("win_command", cmd="hostname", output_encoding_override="klingon")
    assert "'klingon' is not a supported encoding name." in answer["msg"]


def test_powershell_is_refused_by_its_first_line(call: Call, host: Host) -> None:
    answer = call("win_powershell", script="# note\nGet-Date")
    assert answer["msg"] == "winlab does not model the PowerShell script '# note'"
    assert call("win_powershell", script="x", creates="C:\\Windows")["changed"] is False
    checked = call("win_powershell", script="Get-Date", check=True)
    assert (checked["changed"], checked["msg"]) == (True, "skipped, running in check mode")
    assert call("win_powershell", script="x", path="y")["msg"] == (
        "parameters are mutually exclusive: path, script"
    )


def test_powershell_runs_one_executable_as_raw_does(call: Call) -> None:
    answer = call("win_powershell", script="hostname.exe")
    assert (answer["changed"], answer["output"], answer["error"]) == (True, ["APP1"], [])
    refused = call("win_powershell", script="hostname.exe", parameters={"a": 1})
    assert refused["msg"] == "winlab does not model the PowerShell script 'hostname.exe'"
