"""win_whoami tells the token that policy and groups make."""

from __future__ import annotations

from tests.winlab.modules.calls import call_module

from winlab.host.host import Host


def test_an_administrator(host: Host) -> None:
    answer = call_module(host, "win_whoami")
    assert answer["account"]["account_name"] == "Administrator"
    assert answer["account"]["domain_name"] == host.name
    assert answer["account"]["sid"].endswith("-500")
    assert answer["label"] == {
        "account_name": "High Mandatory Level",
        "domain_name": "Mandatory Label",
        "sid": "S-1-16-12288",
        "type": "Label",
    }
    groups = {group["sid"]: group for group in answer["groups"]}
    assert groups["S-1-5-32-544"]["attributes"][-1] == "Owner"
    assert groups["S-1-5-32-544"]["type"] == "Alias"
    assert groups["S-1-5-2"]["account_name"] == "NETWORK"
    assert "SeNetworkLogonRight" in answer["rights"]
    assert answer["privileges"]["SeDebugPrivilege"] == "enabled-by-default"
    assert (answer["logon_type"], answer["token_type"]) == ("Network", "TokenPrimary")
    local = host.clock.local()
    assert answer["login_time"].startswith(f"{local:%Y-%m-%dT%H:%M:%S.}")
    assert answer["login_time"][-6] in "+-"


def test_a_plain_user_sees_no_rights(host: Host) -> None:
    host.accounts.create_user("bob", "Other-Pass-1")
    host.accounts.add_member("Users", "bob")
    answer = call_module(host, "win_whoami", user="bob")
    assert answer["rights"] == []
    assert answer["label"]["sid"] == "S-1-16-8192"
    assert "SeDebugPrivilege" not in answer["privileges"]
    assert "SeChangeNotifyPrivilege" in answer["privileges"]


def test_policy_shows(host: Host) -> None:
    host.policy.set_right("SeDebugPrivilege", ())
    host.policy.set_right("SeDenyBatchLogonRight", ("S-1-5-32-544",))
    answer = call_module(host, "win_whoami")
    assert "SeDebugPrivilege" not in answer["privileges"]
    assert "SeDenyBatchLogonRight" in answer["rights"]


def test_the_system_itself(host: Host) -> None:
    answer = call_module(host, "win_whoami", user="SYSTEM")
    assert answer["account"]["sid"] == "S-1-5-18"
    assert answer["label"]["sid"] == "S-1-16-16384"
    assert (answer["logon_type"], answer["logon_id"]) == ("Service", 999)
