"""Policy that was applied to a host decides who gets in, and a scheduled task can undo it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from winlab.estate.machine import LabHost
from winlab.exec.process import Process
from winlab.host.tasks import Task

from .conftest import Builder, Clock

WINRM = "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\WinRM\\Service"


@pytest.fixture
def web(build: Builder, clock: Clock) -> LabHost:
    built = build("estate: 1\nhosts: [{name: web-01}]")
    return LabHost(built["web-01"], clock.steady, lambda _: None)


def test_an_account_that_is_denied_network_logon_gets_no_session(web: LabHost) -> None:
    web.host.policy.set_right("SeDenyNetworkLogonRight", ("S-1-5-113",))
    assert web.password_of("Administrator") is None


def test_policy_takes_basic_and_clear_text_from_the_listener(web: LabHost) -> None:
    before = web.settings
    web.host.registry.set_value(WINRM, "AllowBasic", 0)
    web.host.registry.set_value(WINRM, "AllowUnencryptedTraffic", 0)
    assert (web.settings.basic, web.settings.allow_unencrypted) == (False, False)
    assert web.settings.negotiate == before.negotiate


def test_a_task_that_is_due_runs_before_the_next_logon(web: LabHost) -> None:
    web.host.policy.set_right("SeDenyNetworkLogonRight", ("S-1-5-113",))
    body = (
        '[Version]\r\nsignature="$CHICAGO$"\r\n[Privilege Rights]\r\nSeDenyNetworkLogonRight =\r\n'
    )
    web.host.files.write("C:\\back.inf", b"\xff\xfe" + body.encode("utf-16-le"))
    command = "cmd.exe /c secedit /configure /db C:\\b.sdb /cfg C:\\back.inf /quiet"
    due = web.host.now() + timedelta(minutes=10)
    web.host.tasks.create(Task(name="back", command=command, user="SYSTEM", due=due), force=False)
    assert web.password_of("Administrator") is None
    web.host.clock.offset += timedelta(minutes=11)
    assert web.password_of("Administrator") is not None


def test_a_call_that_cleans_up_after_itself_trips_no_guard(web: LabHost) -> None:
    web.host.guard.armed = True
    line = "mkdir C:\\x & secedit /export /cfg C:\\x\\p.inf >nul & rd /s /q C:\\x"
    web.execute(Process(command_line=f"cmd.exe /c {line}", user="Administrator"))
    assert web.host.guard.violations == []
