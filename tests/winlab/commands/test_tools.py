"""The other executables: what they print and return, in both languages."""

from __future__ import annotations

import csv
import struct
from datetime import timedelta

import pytest
from cabarchive import CabArchive
from defusedxml.ElementTree import fromstring
from tests.winlab.commands.lab_hosts import make_host, out

from winlab.commands import run_cmd, run_program
from winlab.commands.call import registered
from winlab.commands.catalogue import MODULES
from winlab.host.certificates import Certificate
from winlab.host.host import Host
from winlab.host.iis import CentralLog


def rc(host: Host, line: str) -> int:
    return run_cmd(host, line, user="Administrator").rc


def test_every_module_of_the_catalogue_registers_a_program() -> None:
    assert set(MODULES) <= set(registered())


@pytest.mark.parametrize("name", sorted(set(registered()) - {"timeout", "cmd"}))
def test_no_tool_crashes_on_options_it_does_not_know(name: str) -> None:
    host = make_host("en-US")
    result = run_program(host, f"{name} /zz-nonsense", user="Administrator")
    if result is not None:
        assert result.rc != 0 or result.stdout or result.stderr


def test_reg_query_prints_pending_renames(host: Host) -> None:
    key = r'reg query "HKLM\SYSTEM\CurrentControlSet\Control\Session Manager" '
    assert rc(host, key + "/v PendingFileRenameOperations") == 1
    host.power.require_reboot("rename")
    lines = out(host, key + "/v PendingFileRenameOperations").splitlines()
    assert lines[1] == r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Session Manager"
    assert lines[2].startswith("    PendingFileRenameOperations    REG_MULTI_SZ    \\??\\C:\\")


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        (
            "en-US",
            "ERROR: The system was unable to find the specified registry key or value.\r\n",
        ),
        ("zh-CN", "错误: 系统找不到指定的注册表项或值。\r\n"),
    ],
)
def test_reg_query_of_an_absent_key(locale: str, text: str) -> None:
    result = run_cmd(make_host(locale), "reg query HKLM\\SOFTWARE\\Nope", user="Administrator")
    assert (result.rc, result.stderr.decode()) == (1, text)


def test_reg_shows_certificates_as_serialised_blobs(en: Host) -> None:
    certificate = Certificate(der=b"\x30\x03\x02\x01\x01", friendly_name="web", key_container="c")
    en.certificates.add("My", certificate)
    text = out(en, r"reg query HKLM\SOFTWARE\Microsoft\SystemCertificates\MY\Certificates /s")
    line = next(x for x in text.splitlines() if "REG_BINARY" in x)
    blob, found = bytes.fromhex(line.split()[-1]), {}
    while blob:
        prop, one, length = struct.unpack_from("<III", blob)
        assert one == 1
        found[prop], blob = blob[12 : 12 + length], blob[12 + length :]
    assert found[32] == certificate.der
    assert found[3].hex().upper() == certificate.thumbprint
    assert found[11].decode("utf-16-le") == "web\0"
    assert 2 in found


def test_reg_add_export_delete_import_round_trip(en: Host) -> None:
    key = "HKLM\\SOFTWARE\\T"
    out(en, f'reg add {key} /v d /t REG_DWORD /d 0x10 /f & reg add {key} /v s /d "a b" /f')
    out(
        en,
        f"reg add {key} /v m /t REG_MULTI_SZ /d a\\0b /f & reg add {key} /v b /t REG_BINARY /d 0aff /f",
    )
    before = en.registry.values(key)
    out(en, f"reg export {key} C:\\t.reg & reg delete {key} /f")
    assert not en.registry.exists(key)
    out(en, "reg import C:\\t.reg")
    assert en.registry.values(key) == before


def test_appcmd_xml_and_switching(web: Host) -> None:
    appcmd = r"%windir%\System32\inetsrv\appcmd.exe"
    root = fromstring(out(web, f"{appcmd} list site /xml"))
    assert [dict(x.attrib) for x in root] == [
        {
            "SITE.NAME": "Default Web Site",
            "SITE.ID": "1",
            "bindings": "http/*:80:",
            "state": "Started",
        }
    ]
    assert out(web, f'{appcmd} stop site "Default Web Site"').endswith("successfully stopped.\n")
    assert not web.network.listening(80)
    assert rc(web, f"{appcmd} start site nope") == 1168


def test_appcmd_prints_one_attribute_a_site_and_the_central_log(web: Host) -> None:
    appcmd = r"%windir%\System32\inetsrv\appcmd.exe"
    assert out(web, f"{appcmd} list site /text:id") == "1\n"
    assert out(web, f"{appcmd} list site /text:logFile.directory") == (
        "%SystemDrive%\\inetpub\\logs\\LogFiles\n"
    )
    assert out(web, f"{appcmd} list site /text:logFile.enabled") == "true\n"
    assert "Date, Time, ClientIP" in out(web, f"{appcmd} list site /text:logFile.logExtFileFlags")
    assert out(web, f'{appcmd} list site "nope" /text:name') == ""
    section = f"{appcmd} list config /section:system.applicationHost/log"
    log = fromstring(out(web, section)).find("log")
    assert log is not None
    assert log.attrib == {}
    web.iis.central_log = CentralLog(mode="CentralBinary", directory="D:\\logs")
    log = fromstring(out(web, section)).find("log")
    assert log is not None
    assert log.get("centralLogFileMode") == "CentralBinary"
    for refused in ("list site /text:nope", "list config /section:system.applicationHost/sites"):
        assert (
            "does not model"
            in run_cmd(web, f"{appcmd} {refused}", user="Administrator").stderr.decode()
        )


def test_appcmd_is_absent_without_iis(en: Host) -> None:
    assert rc(en, r"%windir%\System32\inetsrv\appcmd.exe list site") == 1


def test_netstat_follows_services(host: Host) -> None:
    before = {x.split()[1] for x in out(host, "netstat -ano").splitlines() if "LISTENING" in x}
    assert {"0.0.0.0:135", "0.0.0.0:5985", "[::]:445"} <= before
    host.services.stop("TermService", force=True)
    assert ":3389 " not in out(host, "netstat -ano")


def test_wmic_csv_is_one_table(host: Host) -> None:
    line = "wmic logicaldisk where DriveType=3 get DeviceID,FileSystem,FreeSpace,Size /format:csv"
    raw = run_cmd(host, line, user="Administrator").stdout.decode()
    assert raw.count("\r\r\n") == 3
    rows = list(csv.DictReader([x for x in raw.splitlines() if x.strip()]))
    assert [r["DeviceID"] for r in rows] == ["C:"]
    assert int(rows[0]["FreeSpace"]) == host.files.free("C")


def test_wmic_and_sc_reach_peers_and_name_those_they_cannot() -> None:
    here, sql = make_host("en-US", name="mgmt"), make_host("en-US", "2008R2", "sql01")
    here.network.peers["sql01"] = sql
    text = out(here, 'wmic /node:"SQL01" os get Version /format:csv')
    assert text.split() == ["Node,Version", "SQL01,6.1.7601"]
    assert "SERVICE_NAME: Spooler" in out(here, r"sc \\SQL01 query Spooler")
    gone = run_cmd(here, 'wmic /node:"SQL02" os get Version', user="Administrator")
    assert gone.stderr == (
        b"Node - SQL02\r\nERROR:\r\nDescription = The RPC server is unavailable.\r\n"
    )
    assert gone.rc == 0x800706BA - 2**32
    assert rc(here, r"sc \\SQL02 query Spooler") == 1722


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        (
            "en-US",
            "[SC] EnumQueryServicesStatus:OpenService FAILED 1060:\n\n"
            "The specified service does not exist as an installed service.\n\n",
        ),
        (
            "zh-CN",
            "[SC] EnumQueryServicesStatus:OpenService 失败 1060:\n\n指定的服务未安装。\n\n",
        ),
    ],
)
def test_sc_query_of_an_absent_service(locale: str, text: str) -> None:
    host = make_host(locale)
    assert out(host, "sc query MSSQLSERVER") == text
    assert rc(host, "sc query MSSQLSERVER") == 1060


def test_sc_start_modes_and_states(host: Host) -> None:
    out(host, "sc config Spooler start= delayed-auto & sc stop Spooler")
    assert host.services.get("Spooler").start_mode == "delayed"
    assert "AUTO_START  (DELAYED)" in out(host, "sc qc Spooler")
    assert "STATE              : 1  STOPPED" in out(host, "sc query Spooler")
    assert rc(host, "sc stop Spooler") == 1062


def test_w32tm_source_and_stripchart(host: Host) -> None:
    assert out(host, "w32tm /query /source") == "time.windows.com,0x8\n"
    host.clock.offset = timedelta(seconds=-2.5)
    text = out(host, "w32tm /stripchart /computer:time.windows.com /samples:1 /dataonly")
    assert text.splitlines()[-1].endswith(", +02.5000000s")
    host.services.stop("W32Time")
    assert rc(host, "w32tm /query /source") == 0x80070426 - 2**32


def test_makecab_from_directives_is_a_real_cabinet(en: Host) -> None:
    en.files.mkdir("C:\\logs dir")
    en.files.write("C:\\logs dir\\a.log", b"line\r\n" * 5000)
    en.files.write("C:\\b.evtx", b"\0" * 100)
    line = (
        "cd /d C:\\ & (echo .Set CabinetNameTemplate=logs.cab&echo .Set DiskDirectoryTemplate=&"
        "echo .Set MaxDiskSize=0&echo .Set CompressionType=MSZIP)>l.ddf & "
        '(echo "C:\\logs dir\\a.log" "W3SVC1_a.log"&echo b.evtx)>>l.ddf & makecab /F l.ddf'
    )
    assert "Total files:              2" in out(en, line)
    data = en.files.read("C:\\logs.cab")
    cabinet = CabArchive(data)
    assert {k: v.buf for k, v in cabinet.items()} == {
        "W3SVC1_a.log": b"line\r\n" * 5000,
        "b.evtx": b"\0" * 100,
    }
    assert len(data) < 2000
    assert en.files.exists("C:\\setup.rpt")


def test_makecab_single_file_and_missing_file(en: Host) -> None:
    en.files.write("C:\\a.txt", b"hello")
    out(en, "cd /d C:\\ & makecab a.txt")
    assert CabArchive(en.files.read("C:\\a.tx_"))["a.txt"].buf == b"hello"
    result = run_cmd(en, "makecab C:\\none.txt C:\\x.cab", user="Administrator")
    assert result.rc == 1
    assert b"ERROR: Could not find file: C:\\none.txt" in result.stdout


@pytest.mark.parametrize("line", ["makecab /D CompressionType=LZX C:\\Windows\\win.ini C:\\x.cab"])
def test_makecab_names_what_it_does_not_model(en: Host, line: str) -> None:
    result = run_cmd(en, line, user="Administrator")
    assert (result.rc, result.stderr) == (
        1,
        b"winlab does not model makecab CompressionType=LZX\r\n",
    )


def test_robocopy_lists_without_copying_alike_in_every_language(host: Host) -> None:
    host.files.mkdir("C:\\s\\W3SVC1")
    host.files.write("C:\\s\\W3SVC1\\u_ex261122.log", b"12345")
    host.files.write("C:\\s\\other.txt", b"1")
    listed = out(host, 'robocopy C:\\s "C:\\t" *.log /l /s /ts /fp /bytes /nc /ndl /njh /njs')
    assert listed.split() == ["5", "2026/11/22", "01:15:00", "C:\\s\\W3SVC1\\u_ex261122.log"]
    assert not host.files.exists("C:\\t")


def test_robocopy_tells_the_code_of_a_failure_in_every_language(host: Host) -> None:
    host.files.mkdir("C:\\s")
    host.files.write("C:\\s\\a.log", b"12345")
    host.files.hold("C:\\s\\a.log", "app", share_read=False)
    line = "robocopy C:\\s C:\\t a.log /r:0 /w:0 /nfl /ndl /njh /njs"
    assert "(0x00000020)" in out(host, line)
    assert out(host, line).splitlines()[0].endswith(" C:\\s\\a.log")
    assert rc(host, line) == 8
    assert "(0x00000002)" in out(host, "robocopy C:\\none C:\\t")


def test_robocopy_exit_codes(en: Host) -> None:
    en.files.mkdir("C:\\s\\d")
    en.files.write("C:\\s\\a.log", b"1")
    en.files.write("C:\\s\\d\\b.txt", b"2")
    assert rc(en, "robocopy C:\\s C:\\t /E") == 1
    assert rc(en, "robocopy C:\\s C:\\t /E") == 0
    en.files.write("C:\\t\\extra.txt", b"")
    assert rc(en, "robocopy C:\\s C:\\t /E") == 2
    assert rc(en, "robocopy C:\\s C:\\t /MIR") == 2
    assert not en.files.exists("C:\\t\\extra.txt")
    assert rc(en, "robocopy C:\\none C:\\t") == 16
    assert rc(en, "robocopy C:\\s C:\\u *.log /S") == 1
    assert not en.files.exists("C:\\u\\d\\b.txt")


@pytest.mark.parametrize(
    ("line", "code"), [('find "x"', 1), ("find x", 2), ("findstr x", 1), ("findstr", 2)]
)
def test_find_exit_codes(en: Host, line: str, code: int) -> None:
    assert rc(en, f"echo abc| {line}") == code


def test_findstr_reads_its_own_expressions(en: Host) -> None:
    en.files.write("C:\\f.txt", b"alpha 1\r\nbeta 22\r\nGamma\r\n")
    assert out(en, 'findstr /r "[0-9][0-9]$" C:\\f.txt') == "beta 22\n"
    assert out(en, 'findstr /i /c:"gamma" C:\\f.txt') == "Gamma\n"
    assert out(en, 'findstr /v "a" C:\\f.txt & echo end') == "end\n"


def test_shutdown_schedules_aborts_and_refuses_twice(en: Host) -> None:
    result = run_cmd(en, "shutdown /r /t 2 /c later", user="Administrator")
    assert (result.rc, result.goes_down_after) == (0, 2.0)
    twice = run_cmd(en, "shutdown /r /t 2", user="Administrator")
    assert twice.rc == 1190
    assert twice.stderr == b"A system shutdown has already been scheduled.(1190)\r\n"
    assert rc(en, "shutdown /a") == 0
    assert rc(en, "shutdown /a") == 1116


def test_tar_is_absent_before_2019() -> None:
    old = make_host("en-US", "2016")
    result = run_cmd(old, "tar -tf x", user="Administrator")
    assert b"is not recognized" in result.stderr


def test_tar_round_trip(en: Host) -> None:
    en.files.mkdir("C:\\s\\d")
    en.files.write("C:\\s\\d\\f.bin", bytes(range(256)))
    out(en, "tar -czf C:\\a.tgz -C C:\\s d & mkdir C:\\o & tar -xf C:\\a.tgz -C C:\\o")
    assert en.files.read("C:\\o\\d\\f.bin") == bytes(range(256))


def test_certutil_encodes_as_the_world_decodes(en: Host) -> None:
    en.files.write("C:\\a", bytes(range(200)))
    out(en, "certutil -encode C:\\a C:\\b & certutil -decode C:\\b C:\\c")
    assert en.files.read("C:\\c") == bytes(range(200))
    assert rc(en, "certutil -encode C:\\none C:\\d") == 0x80070002 - 2**32


def test_chcp_changes_the_encoding_of_what_follows(zh: Host) -> None:
    result = run_cmd(zh, "chcp 936 >nul & type C:\\none", user="Administrator", codepage=65001)
    assert result.stderr.decode("gbk") == "系统找不到指定的文件。\r\n"
