"""secedit, auditpol, net accounts, schtasks, expand and netsh advfirewall."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cabarchive import CabArchive, CabFile
from tests.winlab.commands.lab_hosts import NOW, out

from winlab.commands import run_cmd
from winlab.host.host import Host
from winlab.host.policy import guid_of
from winlab.host.policy_logon import may_log_on

TEMPLATE = '[Unicode]\r\nUnicode=yes\r\n[Version]\r\nsignature="$CHICAGO$"\r\nRevision=1\r\n'
LOGON = guid_of(5)
SYSTEM = "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System"


def configure(host: Host, body: str, *, areas: str = "SECURITYPOLICY USER_RIGHTS") -> int:
    host.files.write("C:\\t.inf", b"\xff\xfe" + (TEMPLATE + body).encode("utf-16-le"))
    line = f"del C:\\t.sdb 2>nul & secedit /configure /db C:\\t.sdb /cfg C:\\t.inf /areas {areas} /quiet"
    return run_cmd(host, line, user="Administrator").rc


def test_an_export_is_utf_16_unless_the_file_is_there_without_a_mark(host: Host) -> None:
    assert run_cmd(host, "secedit /export /cfg C:\\new.inf", user="Administrator").rc == 0
    assert host.files.read("C:\\new.inf").startswith(b"\xff\xfe[\0U\0")
    host.files.write("C:\\old.inf", b"")
    run_cmd(host, "secedit /export /cfg C:\\old.inf", user="Administrator")
    assert host.files.read("C:\\old.inf").startswith(b"[Unicode]\r\n")


def test_an_export_has_no_lockout_times_without_a_threshold(host: Host) -> None:
    line = "secedit /export /cfg C:\\a.inf /areas SECURITYPOLICY >nul & type C:\\a.inf"
    assert "LockoutDuration" not in out(host, line)
    configure(host, "[System Access]\r\nLockoutBadCount = 5\r\n")
    text = out(host, line)
    assert "LockoutBadCount = 5\n" in text
    assert "LockoutDuration = 30\n" in text
    assert "[Privilege Rights]" not in text


def test_areas_limit_what_is_configured(host: Host) -> None:
    body = "[System Access]\r\nMinimumPasswordLength = 9\r\n[Privilege Rights]\r\nSeDebugPrivilege =\r\n"
    assert configure(host, body, areas="USER_RIGHTS") == 0
    assert host.policy.access["MinimumPasswordLength"] == 0
    assert host.policy.rights["SeDebugPrivilege"] == ()


def test_registry_values_of_every_type_are_written(host: Host) -> None:
    body = (
        "[Registry Values]\r\n"
        'MACHINE\\SOFTWARE\\T\\A=1,"x,y"\r\nMACHINE\\SOFTWARE\\T\\B=2,"%windir%"\r\n'
        "MACHINE\\SOFTWARE\\T\\C=3,1,255\r\nMACHINE\\SOFTWARE\\T\\D=4,7\r\n"
        'MACHINE\\SOFTWARE\\T\\E=7,a","b,c\r\n'
    )
    assert configure(host, body) == 0
    found = {v.name: (v.type.name, v.data) for v in host.registry.values("HKLM\\SOFTWARE\\T")}
    assert found == {
        "A": ("REG_SZ", "x,y"),
        "B": ("REG_EXPAND_SZ", "%windir%"),
        "C": ("REG_BINARY", b"\x01\xff"),
        "D": ("REG_DWORD", 7),
        "E": ("REG_MULTI_SZ", ("a,b", "c")),
    }


def test_a_lockout_shorter_than_its_window_is_refused_and_the_rest_applied(host: Host) -> None:
    body = (
        "[System Access]\r\nLockoutBadCount = 5\r\nLockoutDuration = 5\r\nResetLockoutCount = 15\r\n"
        "[Privilege Rights]\r\nSeDebugPrivilege =\r\n"
    )
    assert configure(host, body) == 3
    assert host.policy.access["LockoutBadCount"] == 0
    assert host.policy.rights["SeDebugPrivilege"] == ()


def test_a_file_that_is_no_template_changes_nothing(host: Host) -> None:
    host.files.write("C:\\t.inf", b"[System Access]\r\nMinimumPasswordLength = 9\r\n")
    answer = run_cmd(host, "secedit /configure /db C:\\t.sdb /cfg C:\\t.inf", user="Administrator")
    assert answer.rc == 1
    assert host.policy.access["MinimumPasswordLength"] == 0


def test_a_database_keeps_what_was_imported_until_it_is_overwritten(host: Host) -> None:
    for number, body in (("1", "MinimumPasswordLength = 9"), ("2", "PasswordComplexity = 1")):
        text = f"{TEMPLATE}[System Access]\r\n{body}\r\n"
        host.files.write(f"C:\\{number}.inf", b"\xff\xfe" + text.encode("utf-16-le"))
    out(host, "secedit /import /db C:\\t.sdb /cfg C:\\1.inf")
    assert host.policy.access["MinimumPasswordLength"] == 0
    out(host, "secedit /configure /db C:\\t.sdb /cfg C:\\2.inf")
    assert host.policy.access["MinimumPasswordLength"] == 9
    assert host.policy.access["PasswordComplexity"] == 1
    host.policy.set_access({"MinimumPasswordLength": 0, "PasswordComplexity": 0})
    out(host, "secedit /configure /db C:\\t.sdb /cfg C:\\2.inf /overwrite /quiet")
    assert host.policy.access["MinimumPasswordLength"] == 0
    assert host.policy.access["PasswordComplexity"] == 1


@pytest.mark.parametrize(
    ("line", "rc"),
    [
        ("/configure /db C:\\none.sdb", 1),
        ("/configure /cfg C:\\t.inf", 1),
        ("/configure /db C:\\no.txt", 1),
        ("/configure /db C:\\t.sdb /cfg C:\\missing.inf", 1),
        ("/import /db C:\\t.sdb", 1),
        ("/validate C:\\no.txt", 1),
        ("/validate", 1),
    ],
)
def test_what_secedit_cannot_begin_ends_with_an_error(host: Host, line: str, rc: int) -> None:
    host.files.write("C:\\no.txt", b"no database and no template")
    before = host.policy.dump()
    assert run_cmd(host, f"secedit {line}", user="Administrator").rc == rc
    assert host.policy.dump() == before


def test_a_template_can_be_checked_without_being_applied(host: Host) -> None:
    text = f"{TEMPLATE}[System Access]\r\nMinimumPasswordLength = 9\r\n"
    host.files.write("C:\\1.inf", text.encode("ascii"))
    out(host, "secedit /validate C:\\1.inf")
    assert host.policy.access["MinimumPasswordLength"] == 0


def test_trustees_that_nobody_is_are_told_and_the_others_get_their_right(host: Host) -> None:
    body = "[Privilege Rights]\r\nSeDebugPrivilege = *S-1-5-32-544,Nobody\r\n"
    host.files.write("C:\\t.inf", b"\xff\xfe" + (TEMPLATE + body).encode("utf-16-le"))
    answer = run_cmd(host, "secedit /configure /db C:\\t.sdb /cfg C:\\t.inf", user="Administrator")
    assert answer.rc == 3
    assert ("出现错误" if host.locale.chinese else "completed with an error") in (
        answer.stdout.decode("utf-8")
    )
    assert host.policy.rights["SeDebugPrivilege"] == ("S-1-5-32-544",)


def test_what_secedit_does_not_model_is_named(host: Host) -> None:
    run_cmd(host, "secedit /analyze /db C:\\t.sdb", user="Administrator")
    assert list(host.unmodelled) == ["secedit /analyze"]


def test_net_accounts_shows_the_policy_in_the_host_s_language(host: Host) -> None:
    host.policy.set_access({"LockoutBadCount": 5, "PasswordHistorySize": 24})
    lines = out(host, "net accounts").splitlines()
    if host.locale.chinese:
        assert lines[0] == "强制用户在时间到期之后多久必须注销?:     从不"
        assert lines[3] == f"密码长度最小值:{' ' * 26}0"
        assert lines[9] == "命令成功完成。"
    else:
        assert lines[0] == "Force user logoff how long after time expires?:       Never"
        assert lines[3] == f"Minimum password length:{' ' * 30}0"
        assert lines[9] == "The command completed successfully."
    assert [line.rpartition(" ")[2] for line in lines[4:9]] == ["24", "5", "30", "30", "SERVER"]


def test_net_accounts_sets_all_or_nothing(host: Host) -> None:
    out(host, "net accounts /minpwlen:12 /maxpwage:unlimited /lockoutthreshold:7")
    access = host.policy.access
    assert (access["MinimumPasswordLength"], access["MaximumPasswordAge"]) == (12, -1)
    assert access["LockoutBadCount"] == 7
    for words, rc in (
        ("/minpwlen:15", 2),
        ("/uniquepw:3 /minpwage:x", 2),
        ("/lockoutduration:5 /lockoutwindow:10", 2),
        ("/nonsense:1", 1),
    ):
        before = dict(host.policy.access)
        assert run_cmd(host, f"net accounts {words}", user="Administrator").rc == rc
        assert host.policy.access == before
    host.accounts.create_user("weak", "x")
    assert run_cmd(host, "net accounts /minpwlen:1", user="weak").rc == 2
    assert host.policy.access["MinimumPasswordLength"] == 12


def test_names_of_built_in_accounts_are_policy(host: Host) -> None:
    configure(host, '[System Access]\r\nNewGuestName = "Visitor"\r\nEnableGuestAccount = 1\r\n')
    guest = host.accounts.user(f"{host.accounts.machine_sid}-501")
    assert (guest.name, guest.enabled) == ("Visitor", True)


def test_auditpol_backup_has_guid_and_number_in_both_languages(host: Host) -> None:
    out(host, f"auditpol /set /subcategory:{LOGON} /success:disable /failure:enable")
    assert host.policy.audit[LOGON] == 2
    out(host, "auditpol /backup /file:C:\\a.csv")
    data = host.files.read("C:\\a.csv").decode("gbk" if host.locale.chinese else "cp1252")
    head, *rows = data.splitlines()
    assert head.startswith("计算机名称" if host.locale.chinese else "Machine Name")
    [row] = [row for row in rows if LOGON.upper() in row]
    assert row.split(",")[3:] == [
        LOGON.upper(),
        "失败" if host.locale.chinese else "Failure",
        "",
        "2",
    ]
    out(host, f"auditpol /set /subcategory:{LOGON} /success:enable")
    out(host, "auditpol /restore /file:C:\\a.csv")
    assert host.policy.audit[LOGON] == 2


def test_auditpol_refuses_what_is_no_subcategory(en: Host) -> None:
    answer = run_cmd(en, "auditpol /set /subcategory:Nonsense", user="Administrator")
    assert (answer.rc, answer.stderr) == (
        87,
        b"Error 0x00000057 occurred:\r\nThe parameter is incorrect.\r\n\r\n",
    )


def test_auditpol_gets_and_sets_whole_categories(host: Host) -> None:
    name = "登录/注销" if host.locale.chinese else "Logon/Logoff"
    out(host, f'auditpol /set /category:"{name}" /success:enable /failure:enable')
    text = out(host, f'auditpol /get /category:"{name}"')
    assert text.count("成功和失败" if host.locale.chinese else "Success and Failure") == 11
    assert name in text.splitlines()[2]
    guid = "{69979849-797A-11D9-BED3-505054503030}"
    assert out(host, f"auditpol /get /category:{guid}") == text
    report = out(host, f"auditpol /get /subcategory:{LOGON} /r").splitlines()
    assert len(report) == 2
    both = "成功和失败" if host.locale.chinese else "Success and Failure"
    assert report[1].split(",")[3:] == [LOGON.upper(), both, ""]


def test_auditpol_lists_what_there_is_and_clears_it(host: Host) -> None:
    lines = out(host, "auditpol /list /subcategory:* /r").splitlines()
    assert len(lines) == 1 + 9 + 59
    assert f"  {'登录' if host.locale.chinese else 'Logon'},{LOGON.upper()}" in lines
    assert len(out(host, "auditpol /list /category").splitlines()) == 10
    out(host, "auditpol /clear /y")
    assert set(host.policy.audit.values()) == {0}
    assert out(host, "auditpol /get /option:CrashOnAuditFail").splitlines()[0].endswith("Fail")


@pytest.mark.parametrize("words", ["/get", "/get /category:Nonsense", "/list", "/set /success:x"])
def test_auditpol_s_errors_are_windows_own(host: Host, words: str) -> None:
    assert run_cmd(host, f"auditpol {words}", user="Administrator").rc == 87


@pytest.mark.parametrize(
    ("words", "named"),
    [("/get /user:x", "auditpol /user"), ("/remove /allusers", "auditpol /remove")],
)
def test_what_auditpol_does_not_model_is_named(host: Host, words: str, named: str) -> None:
    run_cmd(host, f"auditpol {words}", user="Administrator")
    assert list(host.unmodelled) == [named]


TASK = (
    '<?xml version="1.0" encoding="UTF-16"?><Task xmlns="urn:x"><Triggers><RegistrationTrigger>'
    "<Delay>PT90S</Delay></RegistrationTrigger></Triggers><Principals><Principal>"
    "<UserId>S-1-5-18</UserId></Principal></Principals><Actions><Exec><Command>cmd.exe</Command>"
    "<Arguments>/c exit</Arguments></Exec></Actions></Task>"
)


def test_a_task_falls_due_once_after_its_delay(host: Host) -> None:
    host.files.write("C:\\t.xml", b"\xff\xfe" + TASK.encode("utf-16-le"))
    out(host, "schtasks /create /tn revert /xml C:\\t.xml /f")
    assert host.tasks.take_due(NOW + timedelta(seconds=89)) == []
    [task] = host.tasks.take_due(NOW + timedelta(seconds=90))
    assert (task.name, task.user, task.command) == ("revert", "SYSTEM", "cmd.exe /c exit")
    assert host.tasks.take_due(NOW + timedelta(days=1)) == []
    out(host, "schtasks /delete /tn revert /f")
    answer = run_cmd(host, "schtasks /delete /tn revert /f", user="Administrator")
    assert answer.rc == 1


def test_a_task_can_be_run_at_once(host: Host) -> None:
    host.files.write("C:\\t.xml", b"\xff\xfe" + TASK.encode("utf-16-le"))
    out(host, "schtasks /create /tn revert /xml C:\\t.xml /f")
    out(host, "schtasks /run /tn revert")
    assert [task.name for task in host.tasks.take_due(NOW)] == ["revert"]
    assert run_cmd(host, "schtasks /run /tn nothing", user="Administrator").rc == 1
    run_cmd(host, "schtasks /query", user="Administrator")
    assert list(host.unmodelled) == ["schtasks /query"]


@pytest.mark.parametrize(
    ("words", "rc"),
    [
        ("/r /t 315360001", 1),
        (f"/r /c {'x' * 513}", 1),
        ("/r /d p:256:1", 1),
        ("/r /d nonsense", 1),
        ("/t 5", 1),
        ("/a", 1116),
        ("/r /t 60 /c planned /d p:2:17", 0),
    ],
)
def test_shutdown_takes_what_its_page_says_and_nothing_else(
    host: Host, words: str, rc: int
) -> None:
    assert run_cmd(host, f"shutdown {words}", user="Administrator").rc == rc
    assert (host.power.pending is not None) is (rc == 0)


def test_a_filter_of_sc_that_is_not_known_is_named_and_never_ignored(host: Host) -> None:
    run_cmd(host, "sc query type= bogus", user="Administrator")
    assert list(host.unmodelled) == ["sc query type= bogus"]


def test_expand_unpacks_a_cabinet(host: Host) -> None:
    archive = CabArchive()
    archive["a.txt"] = CabFile(b"hello")
    host.files.write("C:\\b.cab", archive.save(compress=True))
    out(host, "mkdir C:\\to & expand -F:* C:\\b.cab C:\\to")
    assert host.files.read("C:\\to\\a.txt") == b"hello"
    host.files.write("C:\\b.cab", b"MSCF damaged")
    assert run_cmd(host, "expand -F:* C:\\b.cab C:\\to", user="Administrator").rc == 1


@pytest.mark.parametrize(
    ("words", "place", "value"),
    [
        ("state off", "EnableFirewall", 0),
        ("firewallpolicy blockinbound,allowoutbound", "DefaultInboundAction", 1),
        (
            "settings unicastresponsetomulticast disable",
            "DisableUnicastResponsesToMulticastBroadcast",
            1,
        ),
        ("logging maxfilesize 16384", "Logging\\LogFileSize", 16384),
    ],
)
def test_the_firewall_keeps_profiles_in_the_registry(
    host: Host, words: str, place: str, value: int
) -> None:
    out(host, f"netsh advfirewall set privateprofile {words}")
    below, _, name = f"StandardProfile\\{place}".rpartition("\\")
    root = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\SharedAccess\\Parameters\\FirewallPolicy"
    found = host.registry.value(f"{root}\\{below}", name)
    assert found is not None
    assert found.data == value


def test_the_firewall_refuses_what_it_does_not_know(en: Host) -> None:
    answer = run_cmd(en, "netsh advfirewall set domainprofile state maybe", user="Administrator")
    assert (answer.rc, answer.stdout) == (1, b"A specified value is not valid.\r\n")


def test_rights_and_the_token_filter_decide_over_network_logons(host: Host) -> None:
    assert may_log_on(host, "Administrator")
    before = host.snapshot()
    host.policy.set_right("SeDenyNetworkLogonRight", ("S-1-5-113",))
    assert not may_log_on(host, "Administrator")
    host.restore(before)
    host.policy.set_right("SeNetworkLogonRight", ("S-1-5-32-551",))
    assert not may_log_on(host, "Administrator")
    host.restore(before)
    host.registry.set_value(SYSTEM, "FilterAdministratorToken", 1)
    assert not may_log_on(host, "Administrator")
    host.registry.set_value(SYSTEM, "LocalAccountTokenFilterPolicy", 1)
    assert may_log_on(host, "Administrator")
    assert not may_log_on(host, "Nobody")


def test_a_scratch_folder_that_is_gone_again_is_no_write(host: Host) -> None:
    host.guard.armed = True
    out(host, "mkdir C:\\scratch & echo x>C:\\scratch\\a & rd /s /q C:\\scratch & echo y>C:\\b")
    host.guard.settle()
    assert {write.what for write in host.guard.violations} == {"file C:\\b"}


def test_deleting_a_folder_that_was_there_is_a_write(host: Host) -> None:
    host.files.mkdir("C:\\mine")
    host.guard.armed = True
    out(host, "rd /s /q C:\\mine & mkdir C:\\mine & rd /s /q C:\\mine")
    host.guard.settle()
    assert host.guard.violations
