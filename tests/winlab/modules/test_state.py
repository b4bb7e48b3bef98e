"""Services, registry, accounts and facts through their modules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.winlab.modules.calls import Call, call_module

from winlab.host.host import Host
from winlab.host.registry import RegType
from winlab.host.services import Service

KEY = "HKLM:\\SOFTWARE\\Opsproof"


def test_service_reports_what_it_became(call: Call, host: Host) -> None:
    answer = call("win_service", name="Windows Time", start_mode="delayed", diff=True)
    assert (answer["name"], answer["start_mode"], answer["exists"]) == ("W32Time", "delayed", True)
    assert answer["diff"]["before"]["start_mode"] != answer["diff"]["after"]["start_mode"]
    info = call("win_service_info", name="W32Time")["services"][0]
    assert info["start_mode"] == "delayed"


def test_service_info_by_wildcard_and_for_nothing(call: Call) -> None:
    names = [item["name"] for item in call("win_service_info", name="W32*")["services"]]
    assert names == ["W32Time"]
    assert call("win_service_info", name="nosuch")["exists"] is False


def test_service_that_is_not_installed(call: Call) -> None:
    assert call("win_service", name="nosuch", state="started")["msg"] == (
        "Service 'nosuch' is not installed, need to set 'path' to create a new service"
    )
    quiet = call("win_service", name="nosuch")
    assert (quiet["changed"], quiet["exists"]) == (False, False)


@pytest.fixture
def chain(host: Host) -> None:
    host.services.create(Service(name="low", display_name="Low", state="started", process_id=8))
    host.services.create(
        Service(
            name="high", display_name="High", dependencies=("low",), state="started", process_id=9
        )
    )


@pytest.mark.usefixtures("chain")
def test_service_with_dependents_needs_force(call: Call, host: Host) -> None:
    assert call("win_service", name="low", state="stopped")["msg"] == (
        "Unhandled exception while executing module: Cannot stop service 'Low (low)' because it "
        "has dependent services. It can only be stopped if the Force flag is set."
    )
    options = {"name": "low", "state": "restarted", "force_dependent_services": True}
    answer = call("win_service", **options)
    assert (answer["state"], answer["depended_by"]) == ("running", ["high"])
    assert host.services.get("high").running


def test_disabled_service_does_not_start(call: Call, host: Host) -> None:
    host.services.configure("Spooler", start_mode="disabled", state="stopped", process_id=0)
    display = host.services.get("Spooler").display_name
    assert call("win_service", name="Spooler", state="started")["msg"] == (
        f"Unhandled exception while executing module: Service '{display} (Spooler)' cannot be "
        "started due to the following error: Cannot start service Spooler on computer '.'."
    )


def test_service_account_that_nobody_has(call: Call) -> None:
    answer = call("win_service", name="Spooler", username="nobody", password="x-Pass-1")
    assert "Some or all identity references could not be translated." in answer["msg"]


def test_service_account_changes_once(call: Call, host: Host) -> None:
    host.accounts.create_user("svc", "Other-Pass-1")
    options = {"name": "Spooler", "username": ".\\svc", "password": "Other-Pass-1"}
    first = call("win_service", **options, update_password="on_create")
    assert (first["changed"], first["username"]) == (True, "APP1\\svc")
    assert call("win_service", **options, update_password="on_create")["changed"] is False
    assert call("win_service", **options, update_password="always")["changed"] is True


def test_desktop_interaction_is_for_system(call: Call) -> None:
    answer = call("win_service", name="W32Time", username="SYSTEM", desktop_interact=True)
    assert answer["username"] == "LocalSystem"
    refused = call("win_service", name="Spooler", username="LOCAL SERVICE", desktop_interact=True)
    assert (
        refused["msg"] == "Can only set 'desktop_interact' to true when 'username' equals 'SYSTEM'"
    )


@pytest.mark.parametrize(
    ("kind", "data", "kept", "shown"),
    [
        ("string", "x", "x", {"type": "REG_SZ", "value": "x", "raw_value": "x"}),
        ("dword", "0xffffffff", 2**32 - 1, {"type": "REG_DWORD", "value": 2**32 - 1}),
        ("dword", -1, 2**32 - 1, {"raw_value": 2**32 - 1}),
        ("qword", 2**40, 2**40, {"type": "REG_QWORD", "value": 2**40}),
        ("multistring", ["a", "b"], ("a", "b"), {"type": "REG_MULTI_SZ", "value": ["a", "b"]}),
        ("binary", "hex:be,ef", b"\xbe\xef", {"value": [190, 239], "raw_value": ["0xbe", "0xef"]}),
        ("binary", [1, 255], b"\x01\xff", {"type": "REG_BINARY"}),
        (
            "expandstring",
            "%SystemRoot%\\x",
            "%SystemRoot%\\x",
            {"type": "REG_EXPAND_SZ", "value": "C:\\Windows\\x", "raw_value": "%SystemRoot%\\x"},
        ),
    ],
)
def test_registry_values_of_every_type(
    call: Call, host: Host, kind: str, data: object, kept: object, shown: dict[str, object]
) -> None:
    assert call("win_regedit", path=KEY, name="v", data=data, type=kind)["changed"] is True
    stored = host.registry.value(KEY, "v")
    assert stored is not None
    assert stored.data == kept
    seen = call("win_reg_stat", path=KEY, name="v")
    assert {key: seen[key] for key in shown} == shown
    assert call("win_regedit", path=KEY, name="v", data=data, type=kind)["changed"] is False


def test_registry_says_what_changed(call: Call, host: Host) -> None:
    host.registry.set_value(KEY, "v", "5")
    answer = call("win_regedit", path=KEY, name="v", data=5, type="dword", diff=True)
    assert (answer["data_type_changed"], answer["data_changed"]) == (True, False)
    assert answer["diff"] == {
        "before": {KEY: {"v": {"type": "String", "value": "5"}}},
        "after": {KEY: {"v": {"type": "DWord", "value": "0x00000005"}}},
    }


def test_registry_removal_of_value_and_key(call: Call, host: Host) -> None:
    host.registry.set_value(KEY, "v", 1, RegType.REG_DWORD)
    assert call("win_regedit", path=KEY, name="v", state="absent")["changed"] is True
    assert call("win_regedit", path=KEY, name="v", state="absent")["changed"] is False
    assert host.registry.exists(KEY)
    assert call("win_regedit", path=KEY, state="absent")["changed"] is True
    assert not host.registry.exists(KEY)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"path": "HKXX:\\a"},
            "path: HKXX:\\a is not a valid powershell path, see module documentation for examples.",
        ),
        (
            {"path": KEY, "name": "v", "type": "dword", "data": 2**32},
            "data cannot be larger than 0xffffffff when type is dword",
        ),
        (
            {"path": KEY, "name": "v", "type": "dword", "data": 1.5},
            "data '1.5' cannot be a decimal or float value with a remainder when type is dword or "
            "qword",
        ),
        (
            {"path": KEY, "name": "v", "type": "binary", "data": 256},
            "cannot convert binary data '256' to byte array, please specify this value as a yaml "
            "byte array or a comma separated hex value string",
        ),
    ],
)
def test_registry_data_that_does_not_fit(
    call: Call, options: dict[str, object], message: str
) -> None:
    assert call("win_regedit", **options)["msg"] == message


def test_default_value_is_always_a_string(call: Call) -> None:
    answer = call("win_regedit", path=KEY, data=5, type="dword")
    assert answer["warnings"] == [
        "the data type when name is not specified can only be 'string', the type has automatically "
        "been converted"
    ]
    assert call("win_reg_stat", path=KEY, name="")["value"] == "5"


def test_current_user_is_the_users_own_hive(call: Call, host: Host) -> None:
    call("win_regedit", path="HKCU:\\Software\\X", name="v", data="1")
    sid = host.accounts.sid_of("Administrator")
    assert host.registry.value(f"HKU\\{sid}\\Software\\X", "v") is not None


def test_registry_path_of_no_hive(call: Call) -> None:
    assert call("win_reg_stat", path="C:\\x")["msg"] == (
        "path: C:\\x is not a valid registry path, see module documentation for examples."
    )
    assert call("win_reg_stat", path="HKLM:\\SOFTWARE\\None")["exists"] is False


def test_user_expires_and_is_reported(call: Call, host: Host) -> None:
    options = {"name": "bob", "password": "Other-Pass-1", "account_expires": "2027-01-01"}
    assert call("win_user", **options)["changed"] is True
    assert host.accounts.user("bob").expires == datetime(2027, 1, 1, tzinfo=UTC)
    assert call("win_user", **options)["changed"] is False
    seen = call("win_user", name="bob", state="query")
    assert (seen["state"], seen["msg"]) == ("present", "Querying user 'bob'")
    assert seen["path"] == "WinNT://WORKGROUP/APP1/bob"


def test_user_password_changes_only_when_it_differs(call: Call, host: Host) -> None:
    host.accounts.create_user("bob", "Other-Pass-1")
    assert call("win_user", name="bob", password="Other-Pass-1")["changed"] is False
    options = {"name": "bob", "password": "Other-Pass-2"}
    assert call("win_user", **options, update_password="on_create")["changed"] is False
    assert call("win_user", **options)["changed"] is True
    assert host.accounts.password_of("bob") == "Other-Pass-2"


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        (
            "win_user",
            {"name": "bob", "account_locked": True},
            "account_locked must be set to 'no' if provided",
        ),
        ("win_user", {"name": "bob", "groups": ["none"]}, "group 'none' not found"),
        (
            "win_user",
            {"name": "bob", "account_expires": "tomorrow"},
            "Failed to parse account_expires as datetime string. Expecting datetime in yyyy-MM-dd "
            "or yyyy-MM-ddTHH:mm:ss.FFFFFFFK format.",
        ),
        ("win_user", {"name": "none", "state": "absent"}, "User 'none' was not found"),
        (
            "win_group_membership",
            {"name": "none", "members": []},
            "Could not find local group none",
        ),
        (
            "win_group_membership",
            {"name": "Users", "members": ["none"]},
            "account_name none is not a valid account, cannot get SID: Exception calling "
            '"Translate" with "1" argument(s): "Some or all identity references could not be '
            'translated."',
        ),
    ],
)
def test_accounts_that_do_not_fit(
    call: Call, module: str, options: dict[str, object], message: str
) -> None:
    assert call(module, **options)["msg"] == message


def test_membership_in_check_mode_tells_the_outcome(call: Call, host: Host) -> None:
    host.accounts.create_user("bob", "Other-Pass-1")
    options = {"name": "Users", "members": ["S-1-5-18", "bob"], "check": True}
    answer = call("win_group_membership", **options)
    assert answer["added"] == ["NT AUTHORITY\\SYSTEM", "APP1\\bob"]
    assert set(answer["added"]) <= set(answer["members"])


def test_group_membership_by_set_add_and_remove(call: Call, host: Host) -> None:
    host.accounts.create_user("bob", "Other-Pass-1")
    answer = call("win_group", name="ops", members={"add": ["APP1\\bob", "SYSTEM"]}, diff=True)
    assert answer["sid"] == host.accounts.group("ops").sid
    assert answer["diff"]["after"]["members"] == ["APP1\\bob", "NT AUTHORITY\\SYSTEM"]
    call("win_group", name="ops", members={"remove": ["S-1-5-18"]})
    assert host.accounts.group("ops").members == (host.accounts.sid_of("bob"),)
    assert call("win_group", name="ops", members={"set": []})["changed"] is True


def test_environment_reaches_the_next_process_and_the_registry(call: Call, host: Host) -> None:
    call("win_environment", level="machine", name="SITE", value="north")
    assert call("setup")["ansible_facts"]["ansible_env"]["SITE"] == "north"
    place = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment"
    assert call("win_reg_stat", path=place, name="SITE")["value"] == "north"
    gone = call("win_environment", level="machine", name="site", state="absent", diff=True)
    assert (gone["changed"], gone["before_value"]) == (True, "north")
    assert "SITE" not in host.environment
    assert call("win_environment", level="machine", name="SITE", state="present")["msg"] == (
        "When state=present, value must be defined and not an empty string, if you wish to remove "
        "the envvar, set state=absent"
    )
    assert call("win_environment", level="user", name="SITE", value="x")["msg"] == (
        "winlab does not model win_environment with level user"
    )


def test_facts(call: Call, host: Host) -> None:
    host.power.boot_time = host.now() - timedelta(hours=2)
    facts = call("setup")["ansible_facts"]
    assert facts["ansible_distribution"] == "Microsoft Windows Server 2022 Standard"
    assert facts["ansible_distribution_version"] == "10.0.20348.0"
    assert facts["ansible_os_family"] == "Windows"
    assert facts["ansible_date_time"]["iso8601"] == "2026-11-22T04:05:06Z"
    assert facts["ansible_date_time"]["tz_offset"] == "+08:00"
    assert facts["ansible_date_time"]["weekday"] == "Sunday"
    assert facts["ansible_lastboot"] == "2026-11-22 10:05:06Z"
    assert facts["ansible_uptime_seconds"] == 7200
    assert facts["ansible_virtualization_type"] == "VMware"
    assert facts["ansible_user_sid"].endswith("-500")
    assert facts["ansible_reboot_pending"] is False
    assert facts["ansible_interfaces"][0]["ipv4"]["prefix"] == "24"


def test_facts_leave_out_what_is_excluded_and_nothing_else(call: Call) -> None:
    few = call("setup", gather_subset=["!all", "uptime"])["ansible_facts"]
    assert "ansible_uptime_seconds" in few
    assert "ansible_memtotal_mb" not in few
    assert "ansible_hostname" in few
    # As on Windows, a subset that is only named does not leave the others out.
    assert "ansible_memtotal_mb" in call("setup", gather_subset=["min"])["ansible_facts"]
    warned = call("setup", gather_subset=["virtual", "none"])
    assert warned["warnings"] == ["invalid value none specified in gather_subset"]


@pytest.mark.parametrize("host", ["zh-CN"], indirect=True)
def test_facts_of_a_chinese_host_differ_where_windows_does(host: Host) -> None:
    facts = call_module(host, "setup")["ansible_facts"]
    assert facts["ansible_architecture"] == "64 位"
    assert facts["ansible_architecture2"] == "x86_64"
    assert facts["ansible_date_time"]["weekday"] == "Sunday"


@pytest.mark.parametrize("mark", ["cbs", "rename"])
def test_facts_see_a_pending_reboot(call: Call, host: Host, mark: str) -> None:
    host.power.require_reboot(mark)
    assert call("setup")["ansible_facts"]["ansible_reboot_pending"] is True


def test_facts_of_a_plain_user_lack_what_needs_rights(call: Call, host: Host) -> None:
    host.accounts.create_user("bob", "Other-Pass-1")
    facts = call("setup", user="bob")["ansible_facts"]
    assert facts["ansible_distribution"] is None
    assert facts["ansible_architecture"] is None
    assert facts["ansible_pagefiletotal_mb"] is None


def test_local_facts(call: Call, host: Host) -> None:
    host.files.mkdir("C:\\facts")
    host.files.write("C:\\facts\\site.json", b'{"row": 5}')
    assert call("setup", fact_path="C:\\facts")["ansible_facts"]["ansible_site"] == {"row": 5}
    host.files.write("C:\\facts\\more.ps1", b"1")
    assert call("setup", fact_path="C:\\facts")["msg"] == (
        "winlab does not model the local facts script C:\\facts\\more.ps1"
    )
    assert call("setup", fact_path="C:\\none")["warnings"] == [
        "Non existing path was set for local facts - C:\\none"
    ]
