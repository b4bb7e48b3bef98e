"""Policy that was applied to a host decides who gets in, and a scheduled task can undo it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from winlab.estate.lab import Lab
from winlab.estate.machine import LabHost
from winlab.estate.schema import parse_estate
from winlab.exec.process import Process
from winlab.host.policy_logon import NtlmPolicy
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


PROFILE = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\SharedAccess\\Parameters\\FirewallPolicy"
POLICY = "HKLM\\SOFTWARE\\Policies\\Microsoft\\WindowsFirewall"
RULE = "v2.31|Action={}|Active={}|Dir=In|Protocol=6|LPort=5986|App=System|Name=x|"


def cmd(web: LabHost, line: str) -> None:
    assert web.execute(Process(command_line=f"cmd.exe /c {line}", user="Administrator")).rc == 0


@pytest.mark.parametrize(
    ("line", "http", "https"),
    [
        ("ver", True, True),
        (
            "netsh advfirewall set publicprofile firewallpolicy blockinbound,allowoutbound",
            True,
            True,
        ),
        (
            "netsh advfirewall set publicprofile firewallpolicy blockinboundalways,allowoutbound",
            False,
            False,
        ),
        (
            "netsh advfirewall set domainprofile firewallpolicy blockinboundalways,allowoutbound",
            True,
            True,
        ),
        ("netsh advfirewall firewall set rule name=WINRM-HTTP-In-TCP new enable=no", True, True),
        ('netsh advfirewall firewall delete rule name="WinRM HTTPS"', True, False),
        (
            "netsh advfirewall firewall add rule name=x dir=in action=block localport=5985 protocol=tcp",
            False,
            True,
        ),
        (
            f"reg add {POLICY}\\PublicProfile /v AllowLocalPolicyMerge /t REG_DWORD /d 0 /f",
            False,
            False,
        ),
        (
            f"reg add {POLICY}\\PublicProfile /v DoNotAllowExceptions /t REG_DWORD /d 1 /f",
            False,
            False,
        ),
        (f"reg add {POLICY}\\PublicProfile /v EnableFirewall /t REG_DWORD /d 1 /f", True, True),
        (f"reg delete {PROFILE}\\FirewallRules /va /f", False, False),
    ],
)
def test_the_firewall_decides_which_connections_reach_winrm(
    web: LabHost, line: str, http: bool, https: bool
) -> None:
    cmd(web, line)
    assert (web.lets_in(5985), web.lets_in(5986)) == (http, https)


def test_a_firewall_that_is_off_passes_everything(web: LabHost) -> None:
    cmd(web, f"reg delete {PROFILE}\\FirewallRules /va /f")
    cmd(web, "netsh advfirewall set allprofiles state off")
    assert web.lets_in(5986)
    cmd(web, f"reg add {POLICY}\\PublicProfile /v EnableFirewall /t REG_DWORD /d 1 /f")
    assert not web.lets_in(5986), "the policy's value precedes the local one"


def test_a_policys_own_rule_counts_where_local_ones_do_not(web: LabHost) -> None:
    web.host.registry.set_value(f"{POLICY}\\PublicProfile", "AllowLocalPolicyMerge", 0)
    web.host.registry.set_value(f"{POLICY}\\FirewallRules", "x", RULE.format("Allow", "TRUE"))
    assert (web.lets_in(5985), web.lets_in(5986)) == (False, True)


def test_what_blocks_precedes_what_allows(web: LabHost) -> None:
    web.host.registry.set_value(f"{PROFILE}\\FirewallRules", "x", RULE.format("Block", "FALSE"))
    assert web.lets_in(5986)
    web.host.registry.set_value(f"{PROFILE}\\FirewallRules", "x", RULE.format("Block", "TRUE"))
    assert not web.lets_in(5986)


def test_policy_says_which_ntlm_is_taken(web: LabHost) -> None:
    lsa = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa"
    assert web.ntlm == NtlmPolicy()
    web.host.registry.set_value(lsa, "LmCompatibilityLevel", 5)
    web.host.registry.set_value(f"{lsa}\\MSV1_0", "RestrictReceivingNTLMTraffic", 2)
    web.host.registry.set_value(f"{lsa}\\MSV1_0", "NTLMMinServerSec", 0x20080000)
    assert web.ntlm == NtlmPolicy(allowed=False, version_1=False, required_flags=0x20080000)


def test_winrm_listens_only_while_its_service_runs(web: LabHost) -> None:
    cmd(web, "sc config WinRM start= disabled")
    assert (web.settings.http, web.settings.https) == (True, True)
    web.set_fault("down")
    web.set_fault("up")
    assert (web.settings.http, web.settings.https) == (False, False)


def test_shells_are_a_matter_of_policy(web: LabHost) -> None:
    web.host.registry.set_value(f"{WINRM}\\WinRS", "AllowRemoteShellAccess", 0)
    assert not web.settings.allow_shells


def test_a_process_keeps_its_token_when_its_account_is_renamed(web: LabHost) -> None:
    web.host.files.write(
        "C:\\n.inf",
        b'[Version]\r\nsignature="$CHICAGO$"\r\n[System Access]\r\nNewAdministratorName = "Boss"\r\n',
    )
    rename = "secedit /configure /db C:\\n.sdb /cfg C:\\n.inf /quiet"
    cmd(web, f"{rename} & netsh advfirewall set allprofiles state off")
    assert web.password_of("Boss") is not None
    assert web.password_of("Administrator") is None


def test_a_rename_and_a_disabled_account_end_new_logons(web: LabHost) -> None:
    web.host.policy.set_access({"NewAdministratorName": "Boss"})
    assert web.password_of("Administrator") is None
    assert web.password_of("Boss") is not None
    web.host.policy.set_access({"EnableAdminAccount": 0})
    assert web.password_of("Boss") is None


def test_a_host_that_lets_nobody_in_still_runs_its_tasks(tmp_path: Path) -> None:
    """Over real sockets: the firewall shuts, and the scheduled task opens it again."""
    (tmp_path / "estate.yml").write_text("estate: 1\nhosts: [{name: web-01}]")

    async def story() -> None:
        lab = Lab(
            parse_estate("estate: 1\nhosts: [{name: web-01}]"),
            password="Lab-secret-1",
            file=tmp_path / "estate.yml",
            seed=str(tmp_path),
        )
        await lab.start()
        try:
            web = lab.hosts["web-01"]
            back = "cmd.exe /c netsh advfirewall set allprofiles state off"
            due = web.host.now() + timedelta(seconds=0.2)
            web.host.tasks.create(
                Task(name="back", command=back, user="SYSTEM", due=due), force=False
            )
            cmd(
                web,
                "netsh advfirewall set allprofiles firewallpolicy blockinboundalways,allowoutbound",
            )
            assert not web.lets_in(5985)
            for _ in range(500):
                if web.lets_in(5985):
                    break
                await asyncio.sleep(0.01)
            assert web.lets_in(5985)
        finally:
            await lab.stop()

    asyncio.run(story())


def test_a_call_that_cleans_up_after_itself_trips_no_guard(web: LabHost) -> None:
    web.host.guard.armed = True
    line = "mkdir C:\\x & secedit /export /cfg C:\\x\\p.inf >nul & rd /s /q C:\\x"
    web.execute(Process(command_line=f"cmd.exe /c {line}", user="Administrator"))
    assert web.host.guard.violations == []
