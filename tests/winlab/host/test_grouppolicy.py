"""Group Policy in the lab: processed as Microsoft says, not as our roles would like."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from winlab.commands import run_cmd
from winlab.host.grouppolicy import AUDIT_FILE, HISTORY, Gpo, PolicyValue
from winlab.host.host import Host, HostSpec

NOW = datetime(2026, 11, 22, 1, 15, tzinfo=UTC)
KEY = "SOFTWARE\\Policies\\Microsoft\\Windows\\Explorer"
LOGON = "{0cce9215-69ae-11d9-bed3-505054503030}"


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def gpo(name: str, **parts: object) -> Gpo:
    guid = f"{{{name[0] * 8}-1111-2222-3333-444455556666}}"
    return Gpo(name=name, guid=guid, domain="lab.example", **parts)  # type: ignore[arg-type]  # test


def value(data: int | None, name: str = "NoAutorun") -> PolicyValue:
    return PolicyValue(key=KEY, name=name, data=data)


def member(*gpos: Gpo, locale: str = "en-US") -> tuple[Host, Clock]:
    clock = Clock()
    host = Host(HostSpec(name="web01", locale=locale, admin_password="lab"), clock)
    host.network.domain = "lab.example"
    host.group_policy.assign(gpos)
    host.group_policy.refresh()
    return host, clock


def seen(host: Host, name: str = "NoAutorun") -> object:
    found = host.registry.value(f"HKLM\\{KEY}", name)
    return None if found is None else found.data


def ran(host: Host, line: str, rc: int = 0) -> str:
    result = run_cmd(host, line, user="Administrator")
    assert result.rc == rc, result
    return result.stdout.decode("utf-8").replace("\r", "")


def test_the_last_gpo_wins_and_what_no_gpo_sets_any_more_is_removed() -> None:
    first, last = gpo("a", registry=(value(0),)), gpo("b", registry=(value(1),))
    host, _ = member(first, last)
    assert seen(host) == 1
    host.group_policy.assign((first,))
    host.group_policy.refresh()
    assert seen(host) == 0
    host.group_policy.assign(())
    host.group_policy.refresh()
    assert seen(host) is None


def test_a_local_change_to_a_template_stays_until_the_gpo_changes_or_force() -> None:
    """The registry extension is not called when nothing changed ("gpupdate": /force does)."""
    host, clock = member(gpo("a", registry=(value(1),)))
    host.registry.set_value(f"HKLM\\{KEY}", "NoAutorun", 0)
    clock.now += timedelta(hours=20)
    host.group_policy.tick()
    assert seen(host) == 0
    ran(host, "gpupdate /target:computer")
    assert seen(host) == 0
    ran(host, "gpupdate /target:computer /force")
    assert seen(host) == 1


def test_security_settings_come_back_within_sixteen_hours() -> None:
    host, clock = member(gpo("a", access={"MinimumPasswordLength": 8}))
    host.policy.set_access({"MinimumPasswordLength": 14})
    clock.now += timedelta(hours=15)
    host.group_policy.tick()
    assert host.policy.access["MinimumPasswordLength"] == 14
    clock.now += timedelta(hours=2, minutes=1)
    host.group_policy.tick()
    assert host.policy.access["MinimumPasswordLength"] == 8


def test_a_change_of_a_gpo_arrives_with_the_next_background_refresh_only() -> None:
    host, clock = member(gpo("a", registry=(value(1),)))
    host.group_policy.assign((gpo("a", registry=(value(0),)),))
    clock.now += timedelta(minutes=89)
    host.group_policy.tick()
    assert seen(host) == 1
    clock.now += timedelta(minutes=32)
    host.group_policy.tick()
    assert seen(host) == 0


def test_windows_own_processing_is_no_write_of_ours() -> None:
    host, _ = member()
    host.guard.armed = True
    host.group_policy.assign((gpo("a", registry=(value(1),), access={"PasswordComplexity": 1}),))
    host.group_policy.refresh()
    assert host.guard.violations == []
    assert seen(host) == 1


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
def test_merged_policy_exports_what_gpos_deliver_and_nothing_else(locale: str) -> None:
    everything = gpo(
        "a",
        access={"MinimumPasswordLength": 8},
        rights={"SeDebugPrivilege": ("S-1-5-32-544",)},
        security_values=(
            PolicyValue(key="System\\CurrentControlSet\\Control\\Lsa", name="NoLMHash", data=1),
        ),
        services={"Spooler": "disabled"},
    )
    host, _ = member(everything, locale=locale)
    line = "secedit /export /mergedpolicy /cfg C:\\m.inf /areas {} >nul && type C:\\m.inf"
    text = ran(host, line.format("SECURITYPOLICY USER_RIGHTS SERVICES"))
    assert text.split("\n") == [
        "[Unicode]",
        "Unicode=yes",
        "[System Access]",
        "MinimumPasswordLength = 8",
        "[Registry Values]",
        "MACHINE\\System\\CurrentControlSet\\Control\\Lsa\\NoLMHash=4,1",
        "[Privilege Rights]",
        "SeDebugPrivilege = *S-1-5-32-544",
        "[Service General Setting]",
        '"Spooler",4,""',
        "[Version]",
        'signature="$CHICAGO$"',
        "Revision=1",
        "",
    ]
    assert "Spooler" not in ran(host, line.format("USER_RIGHTS"))
    alone = Host(HostSpec(name="web02", locale=locale, admin_password="lab"), Clock())
    assert "[System Access]" not in ran(alone, line.format("SECURITYPOLICY"))


def test_an_export_without_an_elevated_token_ends_with_740_and_writes_nothing() -> None:
    host, _ = member()
    host.accounts.create_user("weak", "x")
    assert run_cmd(host, "secedit /export /cfg C:\\s.inf", user="weak").rc == 740
    assert not host.files.exists("C:\\s.inf")


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
def test_rsop_names_the_gpo_of_every_setting_in_any_language(locale: str) -> None:
    low = gpo("a", registry=(value(0), value(None, "Gone")), access={"PasswordComplexity": 1})
    high = gpo("b", registry=(value(1),), rights={"SeDebugPrivilege": ("S-1-5-32-544",)})
    host, _ = member(low, high, locale=locale)
    rsop = "wmic /namespace:\\\\root\\rsop\\computer path "
    names = ran(host, f"{rsop}RSOP_GPO get id,name /value <nul")
    assert f"id={high.path}\nname=b\n" in names
    assert "id=LocalGPO\n" in names
    text = ran(
        host,
        f'{rsop}RSOP_RegistryPolicySetting where "precedence=1" '
        "get deleted,GPOID,precedence,registryKey,valueName /value <nul",
    )
    assert f"deleted=FALSE\nGPOID={high.path}\nprecedence=1\nregistryKey={KEY}\n" in text
    assert (
        f"deleted=TRUE\nGPOID={low.path}\nprecedence=1\nregistryKey={KEY}\nvalueName=Gone" in text
    )
    assert text.count("valueName=NoAutorun") == 1
    booleans = ran(host, f"{rsop}RSOP_SecuritySettingBoolean get KeyName,Setting /value <nul")
    assert "KeyName=PasswordComplexity\nSetting=TRUE\n" in booleans
    rights = ran(host, f"{rsop}RSOP_UserPrivilegeRight get UserRight,GPOID /value <nul")
    assert f"GPOID={high.path}\nUserRight=SeDebugPrivilege\n" in rights


def test_an_unknown_namespace_is_an_error_of_wmi() -> None:
    host, _ = member()
    result = run_cmd(host, "wmic /namespace:\\\\root\\no path X get Y", user="Administrator")
    assert result.rc & 0xFFFFFFFF == 0x8004100E


def test_rsop_logging_that_is_off_leaves_nothing_to_read() -> None:
    key = "SOFTWARE\\Policies\\Microsoft\\Windows\\System"
    off = PolicyValue(key=key, name="RSoPLogging", data=0)
    host, _ = member(gpo("a", registry=(off,)))
    rsop = "wmic /namespace:\\\\root\\rsop\\computer path RSOP_GPO get id,name /value <nul"
    assert "id=" not in ran(host, rsop)


def test_audit_policy_leaves_its_file_and_the_history_names_the_gpo() -> None:
    host, _ = member(gpo("域审核", audit={LOGON: 3}))
    assert host.policy.audit[LOGON] == 3
    assert f",System,,{LOGON},Success and Failure,,3".encode() in host.files.read(AUDIT_FILE)
    key = f"{HISTORY}\\{{F3CCC681-B74C-4060-9F26-CD84525DCA2A}}\\0"
    found = {item.name: item.data for item in host.registry.values(key)}
    assert found["DisplayName"] == "域审核"
    assert str(found["DSPath"]).startswith("LDAP://CN=Machine,cn={")
    host.group_policy.assign(())
    host.group_policy.refresh()
    assert not host.files.exists(AUDIT_FILE)


def test_gpresult_and_gpupdate_speak_both_languages_and_refuse_what_they_do_not_know() -> None:
    host, _ = member(gpo("baseline"))
    assert "Applied Group Policy Objects" in ran(host, "gpresult /scope computer /r")
    chinese, _ = member(gpo("baseline"), locale="zh-CN")
    text = ran(chinese, "gpresult /scope computer /r")
    assert "应用的组策略对象" in text
    assert "        baseline\n" in text
    assert "计算机策略更新成功完成" in ran(chinese, "gpupdate /force")
    ran(host, "gpupdate /nonsense", rc=1)
    run_cmd(host, "gpresult /x C:\\a.xml", user="Administrator")
    assert list(host.unmodelled) == ["gpresult /x"]


def test_a_snapshot_holds_policy_too() -> None:
    host, _ = member(gpo("a", registry=(value(1),)))
    before = host.snapshot()
    host.group_policy.assign(())
    host.group_policy.refresh()
    assert seen(host) is None
    host.restore(before)
    assert seen(host) == 1
    assert host.dump()["group_policy"]["applied"] == ["a"]
