"""Hosts are what their estate says, and the same again when built again."""

from __future__ import annotations

from datetime import UTC, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from winlab.estate.build import Built
from winlab.estate.errors import EstateError
from winlab.estate.schema import load_estate
from winlab.host.errors import WindowsError
from winlab.host.events import EventData, UserData, event_xml, unnamed
from winlab.host.evtx_writer import evtx_bytes

from .conftest import START, Builder

ROOT = Path(__file__).parents[3]
Lab = dict[str, Built]


def test_the_demonstration_estate_is_wrong_where_it_says(lab: Lab) -> None:
    hosts = {name: built.host for name, built in lab.items()}
    assert hosts["app-info-01"].files.free("D:") * 100 // (500 * 2**30) == 3
    service = hosts["app-certpub-01"].services.get("ExamCertPublish")
    assert (service.start_mode, service.state, service.exit_code) == ("auto", "stopped", 1067)
    assert hosts["app-perm-01"].power.reboot_required() == ["cbs", "wu"]
    site = hosts["app-icert-02"].iis.site("InternetCert")
    assert (site.state, hosts["app-icert-02"].iis.pool(site.pool).state) == ("Stopped", "Stopped")
    certificate = hosts["app-verify-01"].certificates.list("My")[0]
    expires = x509.load_der_x509_certificate(certificate.der).not_valid_after_utc
    assert (expires - START).days == 12
    log = hosts["app-iauth-01"].files.read(
        "C:\\inetpub\\logs\\LogFiles\\W3SVC1\\u_ex261121.log"
    ) + hosts["app-iauth-01"].files.read("C:\\inetpub\\logs\\LogFiles\\W3SVC1\\u_ex261122.log")
    assert log.count(b"sqlmap/1.7.2#stable") == 340
    signed = hosts["app-verify-01"].files.read("D:\\ExamLogs\\sign\\sign_interface.csv")
    rows = signed.decode("gb18030").splitlines()
    assert sum("验签,失败" in row for row in rows) == 12
    local = hosts["app-verify-01"].clock.local(START - timedelta(hours=9))
    assert rows[1].startswith(f"{local:%Y-%m-%d %H:%M:%S},阅卷,签名,成功,")
    healthy = hosts["app-auth-01"]
    assert healthy.power.reboot_required() == []
    assert len(healthy.iis.serving()) == 1


def test_a_cleared_security_log_begins_with_1102_and_keeps_what_came_later(lab: Lab) -> None:
    records = lab["app-audit-01"].host.eventlogs.records("Security")
    assert records[0].event_id == 1102
    assert isinstance(records[0].data, UserData)
    assert records[0].values()["SubjectUserName"] == "auditadm"
    failed = [record for record in records if record.event_id == 4625]
    assert len(failed) == 46
    assert {r.values()["IpAddress"] for r in failed} == {"10.66.7.21"}
    assert records[0].record_id > 1000


def test_background_is_within_the_history_ordered_and_repeatable(build: Builder) -> None:
    text = "estate: 1\nhosts: [{name: app-auth-01, events_per_hour: 30}, {name: b, events_per_hour: 30}]"
    first, second = (build(text)["app-auth-01"].host for _ in range(2))
    for channel in ("System", "Security", "Application"):
        records = first.eventlogs.records(channel)
        assert records == second.eventlogs.records(channel)
        times = [record.time_created for record in records]
        assert times == sorted(times)
        recent = [t for t in times if START - timedelta(hours=24) <= t <= START]
        assert len(recent) > 10
        assert {r.computer for r in records} == {"APP-AUTH-01"}
        assert len(evtx_bytes(records)) > 65536
    other = build(text)["b"].host
    assert len(first.eventlogs.records("System")) != len(other.eventlogs.records("System"))


def test_building_arms_no_guard_and_leaves_no_violation(lab: Lab) -> None:
    for built in lab.values():
        assert built.host.guard.writes == 0


def test_legacy_hosts_are_peers_of_the_management_host(lab: Lab) -> None:
    hosts = lab
    peer = hosts["mgmt-01"].host.network.peer("\\\\SQL-03")
    assert peer is hosts["sql-03"].host
    assert peer is not None
    assert peer.services.get("MSSQLSERVER").running
    key = "HKLM\\SOFTWARE\\Microsoft\\Microsoft SQL Server\\MSSQL10.MSSQLSERVER\\Setup"
    edition = hosts["sql-07"].host.registry.value(key, "Edition")
    assert edition is not None
    assert edition.data == "Enterprise Edition"
    assert peer.os.build == 7601


def test_w3c_logs_are_daily_files_in_the_fields_of_iis_10(lab: Lab) -> None:
    host = lab["app-auth-01"].host
    folder = "C:\\inetpub\\logs\\LogFiles\\W3SVC1"
    names = [item.path.rpartition("\\")[2] for item in host.files.list(folder)]
    assert names == ["u_ex261120.log", "u_ex261121.log", "u_ex261122.log"]
    lines = host.files.read(f"{folder}\\{names[1]}").decode().split("\r\n")
    assert lines[0] == "#Software: Microsoft Internet Information Services 10.0"
    assert lines[3].startswith("#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port")
    count = len(lines[3].split()) - 1
    assert count == 15
    assert all(len(line.split(" ")) == count for line in lines[4:-1])
    assert all(line.startswith("2026-11-21 ") for line in lines[4:-1])
    assert len(lines) > 1000


def test_ready_files_become_logs_and_files(build: Builder, tmp_path: Path) -> None:
    other = build("estate: 1\nhosts: [{name: src, events_per_hour: 5}]")["src"].host
    kept = other.eventlogs.records("System")
    (tmp_path / "sys.evtx").write_bytes(evtx_bytes(kept, exported=True))
    (tmp_path / "u_ex250101.log").write_bytes(b"#Software: x\r\n")
    (tmp_path / "blob.bin").write_bytes(b"\x00\x01")
    host = build(
        "estate: 1\n"
        "hosts:\n"
        "  - name: a\n"
        "    event_logs: [{channel: System, evtx: sys.evtx}]\n"
        "    files: [{path: 'D:\\in\\blob.bin', source: blob.bin}]\n"
        "    disks: [{letter: D}]\n"
        "    iis: {sites: [{name: s, bindings: [{port: 8080}], w3c: [u_ex250101.log]}]}\n"
    )["a"].host
    found = host.eventlogs.records("System")
    assert [(r.record_id, r.time_created, r.values()) for r in found] == [
        (r.record_id, r.time_created, r.values()) for r in kept
    ]
    assert host.files.read("D:\\in\\blob.bin") == b"\x00\x01"
    logs = "C:\\inetpub\\logs\\LogFiles\\W3SVC1\\u_ex250101.log"
    assert host.files.read(logs) == b"#Software: x\r\n"


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (
            "event_logs: [{channel: System, evtx: no.evtx}]",
            r"^estate\.yml: hosts\[a\]\.event_logs\[System\]\.evtx: .*no\.evtx cannot be read "
            r"\(No such file or directory\) \(correct the path\)$",
        ),
        (
            "time_zone: Mars Standard Time",
            r"^estate\.yml: hosts\[a\]: 'Mars Standard Time' is not modelled "
            r"\(choose another value\)$",
        ),
    ],
)
def test_what_only_shows_while_building_is_named(build: Builder, extra: str, message: str) -> None:
    with pytest.raises(EstateError, match=message):
        build(f"estate: 1\nhosts:\n  - name: a\n    {extra}\n")


@pytest.mark.parametrize("content", [b"no log", b"", b"ElfFile\0" + bytes(9_000)])
def test_a_damaged_log_is_carried_as_it_is(build: Builder, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.evtx").write_bytes(content)
    host = build(
        "estate: 1\nhosts:\n  - name: a\n    events_per_hour: 2\n"
        "    event_logs: [{channel: System, evtx: bad.evtx}]\n"
    )["a"].host
    assert host.files.read("C:\\Windows\\System32\\winevt\\Logs\\System.evtx") == content
    assert host.dump()["eventlogs"]["System"]["damage"]
    with pytest.raises(WindowsError) as caught:
        host.eventlogs.records("System")
    assert caught.value.code == 1500
    assert host.eventlogs.records("Security")


def test_events_show_as_wevtutil_prints_them(lab: Lab) -> None:
    record = lab["app-audit-01"].host.eventlogs.records("Security")[0]
    text = event_xml(record)
    assert text.startswith("<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'>")
    assert "<EventID>1102</EventID>" in text
    assert "<LogFileCleared xmlns='http://manifests.microsoft.com/" in text
    assert "\n" not in text
    assert record.time_created.tzinfo is UTC
    assert isinstance(unnamed("a"), EventData)


def test_the_file_of_the_repository_loads() -> None:
    assert load_estate(ROOT / "inventories/lab/estate.yml").history_hours == 48


@pytest.mark.parametrize("path", ["E:\\data\\x.txt", "C:\\data\\a<b.txt"])
def test_a_file_that_windows_would_refuse_is_told_with_its_host(build: Builder, path: str) -> None:
    with pytest.raises(
        EstateError, match=r"estate\.yml: hosts\[a\]: Windows would refuse this"
    ) as told:
        build(f"estate: 1\nhosts: [{{name: a, files: [{{path: '{path}', text: t}}]}}]")
    assert "\n" not in str(told.value)
