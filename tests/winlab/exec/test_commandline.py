"""What a WinRS command line asks for."""

from __future__ import annotations

import base64

import pytest

from winlab.exec.commandline import CmdRun, PowerShellRun, parse

TEXT = base64.b64encode("Get-Date".encode("utf-16-le")).decode()


@pytest.mark.parametrize(
    "line",
    [
        f"PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand {TEXT}",
        f"powershell.exe -noninteractive -encodedcommand {TEXT}",
        f"powershell -e {TEXT}",
        f'"C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe" -enc {TEXT}',
        'powershell -Command "Get-Date"',
        "powershell -c Get-Date",
        "powershell Get-Date",
    ],
)
def test_powershell_in_its_spellings(line: str) -> None:
    assert parse(line) == PowerShellRun("Get-Date")


def test_piped_file_feeds_the_input() -> None:
    line = f"type 'C:\\Temp\\a b.ps1' | PowerShell -EncodedCommand {TEXT}"
    assert parse(line) == PowerShellRun("Get-Date", "C:\\Temp\\a b.ps1")


@pytest.mark.parametrize(
    "line", ["whoami", "type C:\\x | findstr powershell", "powershellx -c 1", ""]
)
def test_all_else_is_for_cmd(line: str) -> None:
    assert parse(line) == CmdRun(line)


def test_command_that_is_no_base64_keeps_its_text() -> None:
    assert parse("powershell -EncodedCommand abc") == PowerShellRun("abc")
