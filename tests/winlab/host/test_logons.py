"""The Security log after network logons, by the fields that Microsoft Learn lists."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from winlab.host.events import EventRecord
from winlab.host.host import Host, HostSpec
from winlab.host.logons import Logon, note_logon
from winlab.host.policy import SUBCATEGORIES, guid_of

LOGON, SPECIAL, VALIDATION = (
    f"{{0cce92{tail}-69ae-11d9-bed3-505054503030}}" for tail in ("15", "1b", "3f")
)
NOW = datetime(2026, 11, 22, 9, 15, tzinfo=UTC)


@pytest.fixture
def host() -> Host:
    made = Host(HostSpec(name="web-01", admin_password="Lab-secret-1"), lambda: NOW)
    made.accounts.create_user("plain", "x")
    made.accounts.create_user("denied", "x")
    made.policy.set_right("SeDenyNetworkLogonRight", (made.accounts.sid_of("denied"),))
    made.policy.set_audit(VALIDATION, 3)
    made.accounts.create_user("off", "x", enabled=False)
    made.accounts.create_user("locked", "x", account_locked=True)
    return made


def noted(host: Host, account: str, **fields: Any) -> list[EventRecord]:
    before = len(host.eventlogs.records("Security"))
    given: dict[str, Any] = {
        "accepted": True,
        "ntlm": True,
        "address": "127.0.0.1",
        "port": 50123,
    } | fields
    note_logon(host, Logon(account=account, **given))
    return list(host.eventlogs.records("Security")[before:])


def test_an_administrator_over_ntlm(host: Host) -> None:
    validated, logon, special = noted(host, ".\\administrator", workstation="OPS")
    assert [r.event_id for r in (validated, logon, special)] == [4776, 4624, 4672]
    assert validated.values() == {
        "PackageName": "MICROSOFT_AUTHENTICATION_PACKAGE_V1_0",
        "TargetUserName": "Administrator",
        "Workstation": "OPS",
        "Status": "0x0",
    }
    values = logon.values()
    assert values["TargetUserSid"].endswith("-500")
    assert (values["LogonType"], values["IpAddress"], values["IpPort"]) == (
        "3",
        "127.0.0.1",
        "50123",
    )
    assert (values["AuthenticationPackageName"], values["LmPackageName"], values["KeyLength"]) == (
        "NTLM",
        "NTLM V2",
        "128",
    )
    assert (values["SubjectUserSid"], values["ProcessId"], values["ProcessName"]) == (
        "S-1-0-0",
        "0x0",
        "-",
    )
    assert values["ElevatedToken"] == "%%1842"
    assert special.values()["SubjectLogonId"] == values["TargetLogonId"]
    assert {r.time_created for r in (validated, logon, special)} == {NOW}
    assert {(r.level, r.keywords) for r in (validated, logon)} == {(0, 0x8020000000000000)}


def test_a_plain_user_over_basic(host: Host) -> None:
    _validated, logon = noted(host, "plain", ntlm=False)
    values = logon.values()
    assert (logon.event_id, logon.version, logon.task) == (4624, 2, 12544)
    assert (values["SubjectUserSid"], values["SubjectUserName"]) == ("S-1-5-20", "WEB-01$")
    assert values["LogonProcessName"] == "Advapi  "
    assert values["ProcessName"].endswith("svchost.exe")
    assert values["ElevatedToken"] == "%%1843"


@pytest.mark.parametrize(
    ("account", "target", "domain", "status", "detail", "reason"),
    [
        ("administrator", "administrator", "", "0xc000006d", "0xc000006a", "%%2313"),
        (".\\nobody", "nobody", "WEB-01", "0xc000006d", "0xc0000064", "%%2313"),
        ("CORP\\administrator", "administrator", "CORP", "0xc000006d", "0xc0000064", "%%2313"),
        ("off", "off", "", "0xc000006e", "0xc0000072", "%%2310"),
        ("WEB-01\\locked", "locked", "WEB-01", "0xc0000234", "0x0", "%%2307"),
        ("denied", "denied", "", "0xc000015b", "0x0", "%%2308"),
    ],
)
def test_a_failure_says_why(
    host: Host, account: str, target: str, domain: str, status: str, detail: str, reason: str
) -> None:
    validated, failed = noted(host, account, accepted=False)
    assert validated.values()["Status"] == (status if detail == "0x0" else detail)
    values = failed.values()
    assert (failed.event_id, failed.keywords) == (4625, 0x8010000000000000)
    assert (values["TargetUserName"], values["TargetDomainName"]) == (target, domain)
    assert (values["Status"], values["SubStatus"], values["FailureReason"]) == (
        status,
        detail,
        reason,
    )
    assert (values["LogonType"], values["IpAddress"]) == ("3", "127.0.0.1")


def test_logons_are_the_systems_own_writes(host: Host) -> None:
    host.guard.armed = True
    noted(host, "plain")
    noted(host, "nobody", accepted=False)
    assert host.guard.violations == []


def test_logon_ids_differ(host: Host) -> None:
    first, second = (noted(host, "plain")[1].values()["TargetLogonId"] for _ in range(2))
    assert first != second


@pytest.mark.parametrize(
    ("subcategory", "flags", "accepted", "kept"),
    [
        (LOGON, 0, True, [4776]),
        (LOGON, 0, False, [4776]),
        (LOGON, 1, False, [4776]),
        (SPECIAL, 0, True, [4776, 4624]),
        (VALIDATION, 0, True, [4624, 4672]),
        (VALIDATION, 1, False, [4625]),
    ],
)
def test_the_audit_policy_decides(
    host: Host, subcategory: str, flags: int, accepted: bool, kept: list[int]
) -> None:
    host.policy.set_audit(subcategory, flags)
    records = noted(host, "Administrator", accepted=accepted)
    assert [record.event_id for record in records] == kept


def test_subcategories_are_those_of_the_policy() -> None:
    names = {guid_of(number): english for number, (english, _) in enumerate(SUBCATEGORIES)}
    assert [names[guid] for guid in (LOGON, SPECIAL, VALIDATION)] == [
        "Logon",
        "Special Logon",
        "Credential Validation",
    ]
