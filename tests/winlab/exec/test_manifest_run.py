"""Manifests made by ansible-core, through the whole layer."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from ansible.plugins.shell.powershell import _replace_stderr_clixml
from tests.winlab.exec.payloads import (
    PASSWORD,
    LabClock,
    Run,
    bootstrap,
    encoded,
    module_payload,
    runas,
    script_payload,
    wrapper_payload,
)

from winlab.exec.process import Process, ProcessResult
from winlab.exec.run import execute
from winlab.host.host import Host


def answer(result: ProcessResult) -> dict[str, Any]:
    (line,) = result.stdout.decode().splitlines()
    told: dict[str, Any] = json.loads(line)
    return told


def test_module_answers_with_one_line_and_its_invocation(run: Run) -> None:
    result = run(module_payload("win_ping", {"data": "hello"}))
    assert result.rc == 0
    assert answer(result) == {
        "changed": False,
        "ping": "hello",
        "invocation": {"module_args": {"data": "hello"}},
    }


def test_psrp_pipeline_writes_the_answer_as_an_object(run: Run) -> None:
    result = run(module_payload("win_ping", {}), psrp=True)
    assert result.output_objects is not None
    assert json.loads(result.output_objects[0])["ping"] == "pong"


def test_module_is_known_by_its_script_not_by_the_name_in_its_arguments(run: Run) -> None:
    payload = module_payload(
        "win_stat", {"path": "C:\\Windows", "_ansible_module_name": "ansible.legacy.stat"}
    )
    assert answer(run(payload))["stat"]["isdir"] is True


def test_unknown_module_is_refused_by_name_and_counted(run: Run, host: Host) -> None:
    result = run(module_payload("win_dsc", {}))
    assert result.rc == 1
    told = answer(result)
    assert told["msg"] == "winlab does not model the module ansible.windows.win_dsc"
    assert host.unmodelled["the module ansible.windows.win_dsc"] == 1


def test_other_version_of_a_module_is_noted(run: Run, host: Host) -> None:
    run(module_payload("win_ping", {}, edit=lambda text: text + b"\n# changed\n"))
    assert list(host.unmodelled) == [
        "ansible.windows.win_ping in another version than ansible 12.3 ships"
    ]


def test_shipped_version_of_a_module_is_not_noted(run: Run, host: Host) -> None:
    run(module_payload("win_ping", {}))
    assert not host.unmodelled


def test_environment_of_the_task_reaches_the_module(run: Run) -> None:
    result = run(module_payload("setup", {}, environment={"SITE": "north"}))
    assert answer(result)["ansible_facts"]["ansible_env"]["SITE"] == "north"


def test_temporary_folder_is_made_below_the_users_temp(run: Run, host: Host) -> None:
    payload = wrapper_payload(
        "powershell_mkdtemp.ps1", {"Directory": "%TEMP%", "Name": "ansible-tmp-1"}
    )
    made = run(payload).stdout.decode().strip()
    assert made == "C:\\Users\\Administrator\\AppData\\Local\\Temp\\ansible-tmp-1"
    assert host.files.is_folder(made)
    again = run(payload)
    assert (again.rc, answer(again)["msg"]) == (
        1,
        f"failure during exec_wrapper: An item with the specified name {made} already exists.",
    )


def test_expand_user(run: Run) -> None:
    payload = wrapper_payload("powershell_expand_user.ps1", {"Path": "~\\x"})
    assert run(payload).stdout == b"C:\\Users\\Administrator\\x\r\n"


@pytest.mark.parametrize("size", [0, 1, 250_000, 600_001])
@pytest.mark.parametrize("wrapper", ["winrm_put_file.ps1", "psrp_put_file.ps1"])
def test_put_writes_the_file_and_answers_with_its_sha1(
    run: Run, host: Host, wrapper: str, size: int
) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    chunks = [content[at : at + 250_000] for at in range(0, len(content), 250_000)]
    data = b"".join(base64.b64encode(chunk) + b"\r\n" for chunk in chunks)
    result = run(wrapper_payload(wrapper, {"Path": "C:\\Windows\\Temp\\f.bin"}, data))
    assert answer(result) == {"sha1": hashlib.sha1(content, usedforsecurity=False).hexdigest()}
    assert host.files.read("C:\\Windows\\Temp\\f.bin") == content


def test_put_below_a_missing_folder_fails_in_dotnets_words(run: Run) -> None:
    result = run(wrapper_payload("winrm_put_file.ps1", {"Path": "C:\\no\\f"}, b"YQ==\r\n"))
    assert result.rc == 1
    assert answer(result)["msg"] == (
        'failure during exec_wrapper: Exception calling "Create" with "1" argument(s): '
        "\"Could not find a part of the path 'C:\\no\\f'.\""
    )


def test_winrm_fetch_reads_ranges_until_a_short_one(run: Run, host: Host) -> None:
    host.files.write("C:\\Windows\\Temp\\f", b"0123456789")
    parts = []
    for offset in (0, 4, 8, 12):
        parameters = {"Path": "C:\\Windows\\Temp\\f", "BufferSize": 4, "Offset": offset}
        parts.append(
            base64.b64decode(run(wrapper_payload("winrm_fetch_file.ps1", parameters)).stdout)
        )
    assert parts == [b"0123", b"4567", b"89", b""]


def test_winrm_fetch_of_a_folder_and_of_nothing(run: Run) -> None:
    parameters = {"Path": "C:\\Windows", "BufferSize": 4, "Offset": 0}
    assert run(wrapper_payload("winrm_fetch_file.ps1", parameters)).stdout == b"[DIR]\r\n"
    missing = run(wrapper_payload("winrm_fetch_file.ps1", {**parameters, "Path": "C:\\none"}))
    assert missing.rc == 1
    assert _replace_stderr_clixml(missing.stderr) == b"C:\\none does not exist\r\n"


def test_psrp_fetch_writes_a_mark_and_one_string_a_buffer(run: Run, host: Host) -> None:
    host.files.write("C:\\Windows\\Temp\\f", b"0123456789")
    parameters = {"Path": "C:\\Windows\\Temp\\f", "BufferSize": 6}
    result = run(wrapper_payload("psrp_fetch_file.ps1", parameters), psrp=True)
    assert result.output_objects == ("[FILE]", "MDEyMzQ1", "Njc4OQ==")


@pytest.mark.parametrize("psrp", [False, True])
def test_kept_remote_file_is_piped_into_powershell(host: Host, psrp: bool) -> None:
    host.files.write("C:\\Windows\\Temp\\m.ps1", module_payload("win_ping", {}))
    line = f"type C:\\Windows\\Temp\\m.ps1 | {encoded(bootstrap())}"
    if psrp:
        line += "\nexit $LASTEXITCODE"
    result = execute(host, Process(command_line=line, user="Administrator", psrp=psrp))
    assert answer(result)["ping"] == "pong"


def test_kept_remote_file_that_is_gone(host: Host) -> None:
    line = f"type C:\\none.ps1 | {encoded(bootstrap())}"
    result = execute(host, Process(command_line=line, user="Administrator"))
    assert result.rc == 1
    assert (
        _replace_stderr_clixml(result.stderr) == b"The system cannot find the file specified.\r\n"
    )


def test_sent_batch_file_runs_with_its_arguments(run: Run, host: Host) -> None:
    path = "C:\\Windows\\Temp\\it's.cmd"
    host.files.write(path, b"@echo off\r\necho hello %1\r\nexit /b 4\r\n")
    result = run(script_payload("& 'C:\\Windows\\Temp\\it''s.cmd' world; exit $LASTEXITCODE"))
    assert (result.rc, result.stdout) == (4, b"hello world\r\n")


def test_sent_powershell_file_is_refused_by_name(run: Run) -> None:
    result = run(script_payload("&  C:\\Windows\\Temp\\x.ps1; exit $LASTEXITCODE"))
    assert result.rc == 1
    assert _replace_stderr_clixml(result.stderr) == (
        b"winlab does not model the PowerShell script x.ps1\r\n"
    )


def test_become_runs_as_the_other_user(run: Run, host: Host) -> None:
    host.accounts.create_user("bob", "Other-Pass-1")
    result = run(module_payload("setup", {}, become=runas("bob", "Other-Pass-1")))
    facts = answer(result)["ansible_facts"]
    assert (facts["ansible_user_id"], facts["ansible_user_dir"]) == ("bob", "C:\\Users\\bob")
    assert facts["ansible_user_sid"] == host.accounts.sid_of("bob")


def test_become_system_needs_no_password(run: Run) -> None:
    facts = answer(run(module_payload("setup", {}, become=runas("SYSTEM", None))))["ansible_facts"]
    assert facts["ansible_user_sid"] == "S-1-5-18"


@pytest.mark.parametrize(
    ("user", "password", "told"),
    [
        (
            "bob",
            "wrong",
            "Failed to logon .\\bob (The user name or password is incorrect, "
            "Win32ErrorCode 1326 - 0x0000052E)",
        ),
        ("nobody", "x", "Some or all identity references could not be translated."),
        (
            "off",
            "Other-Pass-1",
            "Failed to logon .\\off (This user can't sign in because this account is currently "
            "disabled, Win32ErrorCode 1331 - 0x00000533)",
        ),
    ],
)
def test_become_that_windows_refuses(
    run: Run, host: Host, user: str, password: str, told: str
) -> None:
    host.accounts.create_user("bob", "Other-Pass-1")
    host.accounts.create_user("off", "Other-Pass-1", enabled=False)
    result = run(module_payload("win_ping", {}, become=runas(user, password)))
    assert result.rc == 1
    assert answer(result)["msg"] == (
        'failure during exec_wrapper: Exception calling "CreateProcessAsUser" with "9" '
        f'argument(s): "{told}"'
    )


def test_plain_user_becomes_nobody_without_a_password(run: Run, host: Host) -> None:
    host.accounts.create_user("bob", "Other-Pass-1")
    result = run(module_payload("win_ping", {}, become=runas("SYSTEM", None)), user="bob")
    assert "required for become as a service account" in answer(result)["msg"]


def test_new_credentials_keep_the_user(run: Run) -> None:
    become = runas("OTHER\\x", "y", logon_type="new_credentials", logon_flags="netcredentials_only")
    facts = answer(run(module_payload("setup", {}, become=become)))["ansible_facts"]
    assert facts["ansible_user_id"] == "Administrator"


def poll(run: Run, job: str, mode: str = "status") -> dict[str, Any]:
    options = {"jid": job, "mode": mode, "_async_dir": "%USERPROFILE%\\.ansible_async"}
    return answer(run(module_payload("async_status", options)))


def test_async_job_starts_finishes_and_is_cleaned_up(run: Run, host: Host, clock: LabClock) -> None:
    started = answer(run(module_payload("win_wait_for", {"timeout": 30}, timeout=60)))
    job = started["ansible_job_id"]
    assert re.fullmatch(r"j\d+\.\d+", job)
    assert started == {
        "started": True,
        "finished": False,
        "results_file": f"C:\\Users\\Administrator\\.ansible_async\\{job}",
        "ansible_job_id": job,
        "_ansible_suppress_tmpdir_delete": True,
        "ansible_async_watchdog_pid": started["ansible_async_watchdog_pid"],
    }
    assert poll(run, job)["finished"] is False
    clock.now += timedelta(seconds=31)
    done = poll(run, job)
    assert (done["finished"], done["elapsed"], done["ansible_job_id"]) == (True, 30, job)
    assert poll(run, job, "cleanup")["erased"] == started["results_file"]
    gone = poll(run, job)
    assert gone["msg"] == "could not find job at 'C:\\Users\\Administrator\\.ansible_async'"


def test_async_job_that_takes_too_long(run: Run, clock: LabClock) -> None:
    started = answer(run(module_payload("win_wait_for", {"timeout": 300}, timeout=5)))
    clock.now += timedelta(seconds=6)
    done = poll(run, started["ansible_job_id"])
    assert (done["finished"], done["failed"], done["msg"]) == (
        True,
        True,
        "failure during async watchdog: timed out waiting for module completion",
    )


def test_async_as_another_user_keeps_its_results_there(run: Run, host: Host) -> None:
    host.accounts.create_user("bob", "Other-Pass-1")
    become = runas("bob", "Other-Pass-1")
    told = answer(run(module_payload("win_ping", {}, become=become, timeout=10)))
    assert told["results_file"].startswith("C:\\Users\\bob\\.ansible_async\\j")


def test_python_module_fails_at_the_first_line_of_its_input(run: Run) -> None:
    result = run(b"#!/usr/bin/python3\nimport json\n")
    assert (result.rc, result.stdout) == (1, b"")
    assert _replace_stderr_clixml(result.stderr).startswith(
        b"ConvertFrom-Json : Invalid JSON primitive: ."
    )


def test_payload_of_2_18_is_refused_with_the_version_named(run: Run, host: Host) -> None:
    old = b'{"module_entry":"x","module_args":{"_ansible_version":"2.18.4"},"actions":[]}'
    result = run(b"begin { }\n\0\0\0\0\n" + old)
    assert result.rc == 1
    told = _replace_stderr_clixml(result.stderr).decode().strip()
    assert told == (
        "winlab does not model ansible-core 2.18.4: winlab decodes the exec manifest of "
        "ansible-core 2.19 and 2.20, and this payload is that of 2.18 or older"
    )
    assert len(host.unmodelled) == 1


def test_unknown_action_is_refused_by_name(run: Run, host: Host) -> None:
    payload = wrapper_payload("coverage_wrapper.ps1", {})
    assert answer(run(payload))["msg"] == (
        "winlab does not model the action coverage_wrapper.ps1 of ansible-core's exec manifest"
    )


def test_module_that_needs_a_newer_windows(run: Run) -> None:
    edited = module_payload(
        "win_ping", {}, edit=lambda t: t + b"\n#AnsibleRequires -OSVersion 10.1\n"
    )
    assert answer(run(edited)) == {
        "failed": True,
        "msg": "This module cannot run on this OS as it requires a minimum version of 10.1, "
        "actual was 10.0.20348.2762",
    }


def test_some_successes_carry_a_progress_record_that_ansible_drops(run: Run) -> None:
    seen = {run(module_payload("win_ping", {"data": str(n)})).stderr for n in range(40)}
    assert b"" in seen
    noisy = [text for text in seen if text]
    assert noisy
    assert all(b"Preparing modules for first use." in text for text in noisy)
    assert all(_replace_stderr_clixml(text) == b"" for text in noisy)


def test_what_runs_is_told(host: Host) -> None:
    told: list[str] = []
    payload = module_payload("win_ping", {}, become=runas("Administrator", PASSWORD))
    process = Process(command_line=encoded(bootstrap()), user="Administrator", stdin=payload)
    execute(host, process, seen=told.append)
    assert told == ["module ansible.windows.win_ping"]


def test_checked_module_arms_the_write_guard_for_its_own_length(run: Run, host: Host) -> None:
    options = {"path": "C:\\x", "state": "directory", "_ansible_check_mode": True}
    assert answer(run(module_payload("win_file", options)))["changed"] is True
    assert (host.guard.armed, host.guard.violations) == (False, [])
    assert not host.files.exists("C:\\x")
