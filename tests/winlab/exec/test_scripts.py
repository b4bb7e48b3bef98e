"""PowerShell that comes as plain text: known kinds run, all else is refused by name."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from ansible.plugins.shell.powershell import ShellModule, _replace_stderr_clixml
from tests.winlab.exec.payloads import Run, encoded

from winlab.exec.process import Process, ProcessResult
from winlab.exec.run import execute
from winlab.host.host import Host

AFTER = (
    "; If (-not $?) { If (Get-Variable LASTEXITCODE -ErrorAction SilentlyContinue) "
    "{ exit $LASTEXITCODE } Else { exit 1 } }"
)
BOOT_TIME = (
    "(Get-CimInstance -ClassName Win32_OperatingSystem -Property LastBootUpTime)"
    ".LastBootUpTime.ToFileTime()"
)


def error_text(result: ProcessResult) -> str:
    text: bytes = _replace_stderr_clixml(result.stderr)
    return text.decode().strip()


def plain(host: Host, line: str) -> ProcessResult:
    return execute(host, Process(command_line=line, user="Administrator"))


def test_boot_time_is_a_filetime(run: Run, host: Host) -> None:
    host.power.boot_time = datetime(2026, 11, 1, tzinfo=UTC)
    assert run(b"", script=BOOT_TIME + AFTER).stdout == b"134379648000000000\r\n"


def test_temporary_folder_is_removed_by_the_shell_plugins_own_script(host: Host) -> None:
    folder = "C:\\Windows\\Temp\\ansible-tmp-it's"
    host.files.mkdir(folder)
    result = plain(host, ShellModule().remove(folder, recurse=True))
    assert (result.rc, result.stdout, result.stderr) == (0, b"", b"")
    assert not host.files.exists(folder)


def test_newer_core_leaves_the_quotes_out(host: Host) -> None:
    host.files.mkdir("C:\\Windows\\Temp\\ansible-tmp-2")
    assert (
        plain(host, encoded("Remove-Item C:\\Windows\\Temp\\ansible-tmp-2 -Force -Recurse")).rc == 0
    )


def test_removal_of_what_is_not_there(host: Host) -> None:
    result = plain(host, ShellModule().remove("C:\\none", recurse=True))
    assert result.rc == 1
    assert error_text(result) == (
        "Remove-Item : Cannot find path 'C:\\none' because it does not exist."
    )


def test_interpreter_discovery_finds_nothing(run: Run) -> None:
    script = "echo FOUND; command -v 'python3.13'; command -v 'python3'; echo ENDFOUND"
    result = run(b"", script=script)
    assert result.stdout == b"FOUND\r\nENDFOUND\r\n"
    assert error_text(result).count("The term 'command' is not recognized") == 2


@pytest.mark.parametrize(
    "script",
    [
        "Get-Service | Where-Object Status -eq Running",
        "$x = 1",
        "Restart-Computer -Force",
        "whoami; Get-Date",
        "& { whoami }",
    ],
)
def test_other_powershell_is_refused_by_name(run: Run, host: Host, script: str) -> None:
    result = run(b"", script=script)
    assert (result.rc, result.stdout) == (1, b"")
    assert error_text(result) == f"winlab does not model the PowerShell script '{script}'"
    assert host.unmodelled[f"the PowerShell script '{script}'"] == 1


def test_psrp_gets_the_refusal_as_text(run: Run) -> None:
    result = run(b"", script="Get-Date\nexit $LASTEXITCODE", psrp=True)
    assert result.stderr == b"winlab does not model the PowerShell script 'Get-Date'"


def test_raw_runs_one_executable(run: Run) -> None:
    assert run(b"", script="hostname").stdout == b"APP1\r\n"
    assert run(b"", script="hostname\nexit $LASTEXITCODE", psrp=True).output_objects == ("APP1",)


def test_command_option_of_powershell(host: Host) -> None:
    assert plain(host, 'powershell.exe -NoProfile -command "hostname"').stdout == b"APP1\r\n"


def test_lines_without_powershell_go_to_cmd(host: Host) -> None:
    assert plain(host, "echo one& echo two").stdout == b"one\r\ntwo\r\n"


def reboot_script(message: str) -> str:
    """The text of the collection's plugin_utils/_reboot.py, filled in."""
    key = "HKLM:\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Winlogon\\AutoLogonChecked"
    shutdown = f"C:\\Windows\\System32\\shutdown.exe /r /t 2 /c {message}"
    return (
        "$ErrorActionPreference = 'Continue'\n\n"
        "if ($True) {\n"
        f"    Remove-Item -LiteralPath '{key}' -Force -ErrorAction SilentlyContinue\n"
        "}\n\n"
        "$stdout = $null\n"
        f"$stderr = . {{ {shutdown} | Set-Variable stdout }} 2>&1 | ForEach-Object ToString\n\n"
        "ConvertTo-Json -Compress -InputObject @{\n"
        '    stdout = (@($stdout) -join "`n")\n'
        '    stderr = (@($stderr) -join "`n")\n'
        "    rc = $LASTEXITCODE\n"
        "}\n"
    )


def test_reboot_script_schedules_the_shutdown(run: Run, host: Host) -> None:
    result = run(b"", script=reboot_script("'It''s time'") + AFTER)
    assert json.loads(result.stdout) == {"stdout": "", "stderr": "", "rc": 0}
    assert result.goes_down_after == 2
    assert host.power.pending is not None
    again = json.loads(run(b"", script=reboot_script("'x'") + AFTER).stdout)
    assert again["rc"] == 1190
    assert "(1190)" in again["stderr"]


def test_logon_prompt_test_after_the_boot(run: Run) -> None:
    key = "HKLM:\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Winlogon\\AutoLogonChecked"
    script = f"Get-Item -LiteralPath '{key}' -ErrorAction Stop; 'success-1234'"
    result = run(b"", script=script + AFTER)
    assert (result.rc, result.stdout.decode().splitlines()[-1]) == (0, "success-1234")
