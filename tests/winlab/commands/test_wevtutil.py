"""wevtutil: logs, numbers, queries, exports and its refusals."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from evtx import PyEvtxParser
from tests.winlab.commands.lab_hosts import NOW, make_host, out

from winlab.commands import run_cmd
from winlab.commands.eventquery import Selection, compile_xpath, parse_structured, run_selection
from winlab.host.errors import NotModelledError, WindowsError
from winlab.host.events import EventRecord, named
from winlab.host.host import Host


@pytest.fixture
def logged(host: Host) -> Host:
    for minutes, event_id, level in ((90, 7036, 4), (60, 7031, 2), (5, 41, 1)):
        host.eventlogs.append(
            EventRecord(
                record_id=0,
                time_created=NOW - timedelta(minutes=minutes),
                provider="Service Control Manager",
                event_id=event_id,
                channel="System",
                computer=host.name,
                level=level,
                data=named(param1="Spooler", param2="stopped"),
            )
        )
    host.eventlogs.log(
        "Security",
        "Microsoft-Windows-Security-Auditing",
        4625,
        level=0,
        data=named(TargetUserName="bob", LogonType=3),
    )
    return host


def ids(records: list[EventRecord]) -> list[int]:
    return [r.event_id for r in records]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("*", [7036, 7031, 41]),
        ("*[System[(Level=1 or Level=2)]]", [7031, 41]),
        ("*[System[EventID=7036]]", [7036]),
        ("Event[System[EventID!=7036] and EventData[Data[@Name='param1']='Spooler']]", [7031, 41]),
        ("*[System/Level<=2]", [7031, 41]),
        ("*[System[Provider[@Name='Service Control Manager'] and not(Level=4)]]", [7031, 41]),
        ("*[System[TimeCreated[timediff(@SystemTime) <= 600000]]]", [41]),
        (
            "*[System[TimeCreated[@SystemTime>='2026-11-22T00:00:00.000Z' and"
            " @SystemTime<'2026-11-22T01:00:00.000Z']]]",
            [7031],
        ),
        ("*[System[EventID=1] or EventData[Data='stopped']]", [7036, 7031, 41]),
        ("*[EventData[Data[@Name='param1']='Other']]", []),
    ],
)
def test_xpath(logged: Host, query: str, expected: list[int]) -> None:
    records = logged.eventlogs.records("System")
    assert ids(run_selection(records, Selection("System", (query,)), NOW)) == expected


@pytest.mark.parametrize("query", ["[", "*[System[", "nonsense", "*[System[Level==1]]", "*[a $ b]"])
def test_invalid_xpath_is_refused(query: str) -> None:
    with pytest.raises(WindowsError) as caught:
        compile_xpath(query)
    assert caught.value.code == 15001


def test_functions_outside_the_subset_fail_by_name() -> None:
    with pytest.raises(NotModelledError, match="position"):
        compile_xpath("*[position()=1]")


def test_structured_query_selects_and_suppresses() -> None:
    xml = (
        '<QueryList><Query Id="0" Path="System"><Select>*</Select>'
        '<Select Path="Security">*[System[EventID=4625]]</Select>'
        "<Suppress>*[System[Level=4]]</Suppress></Query></QueryList>"
    )
    assert parse_structured(xml) == [
        Selection("System", ("*",), ("*[System[Level=4]]",)),
        Selection("Security", ("*[System[EventID=4625]]",), ()),
    ]


@pytest.mark.parametrize(("xml", "code"), [("<QueryList>", 15008), ("<a/>", 15001)])
def test_wrong_structured_queries(xml: str, code: int) -> None:
    with pytest.raises(WindowsError) as caught:
        parse_structured(xml)
    assert caught.value.code == code


def test_export_is_a_real_evtx_file_with_the_records_asked_for(logged: Host) -> None:
    line = (
        'echo ^<QueryList^>^<Query Id="0"^>^<Select Path="System"^>*[System[Level=1]]^</Select^>'
        '^<Select Path="Security"^>*^</Select^>^</Query^>^</QueryList^> > C:\\q.xml'
        " & wevtutil epl C:\\q.xml C:\\o.evtx /sq:true"
    )
    assert out(logged, line) == ""
    data = logged.files.read("C:\\o.evtx")
    texts = [str(r) for r in PyEvtxParser(io.BytesIO(data)).records()]
    assert len(texts) == 2
    assert ">41<" in texts[0]
    assert "bob" in texts[1]


def test_export_does_not_overwrite_unless_told(logged: Host) -> None:
    out(logged, "wevtutil epl System C:\\o.evtx")
    again = run_cmd(logged, "wevtutil epl System C:\\o.evtx", user="Administrator")
    assert again.rc == 80
    out(logged, "wevtutil epl System C:\\o.evtx /ow:true")


def test_log_info_has_untranslated_names(logged: Host) -> None:
    lines = out(logged, "wevtutil gli System").splitlines()
    names = [line.partition(":")[0] for line in lines]
    assert names == [
        "creationTime",
        "lastAccessTime",
        "lastWriteTime",
        "fileSize",
        "attributes",
        "numberOfLogRecords",
        "oldestRecordNumber",
    ]
    assert "numberOfLogRecords: 3" in lines
    assert "oldestRecordNumber: 1" in lines


def test_clearing_security_leaves_1102_and_clearing_another_104(logged: Host) -> None:
    out(logged, "wevtutil cl Security & wevtutil cl Application")
    assert ids(list(logged.eventlogs.records("Security"))) == [1102]
    assert logged.eventlogs.records("Security")[0].record_id == 2
    last = logged.eventlogs.records("System")[-1]
    assert (last.event_id, last.values()["Channel"]) == (104, "Application")


def test_plain_users_may_not_read_security(logged: Host) -> None:
    logged.accounts.create_user("joe", "x")
    denied = run_cmd(logged, "wevtutil gli Security", user="joe")
    assert denied.rc == 5
    assert run_cmd(logged, "wevtutil gli System", user="joe").rc == 0
    logged.accounts.add_member("Event Log Readers", "joe")
    assert run_cmd(logged, "wevtutil gli Security", user="joe").rc == 0


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        (
            "en-US",
            "Failed to get log information on log Nope.\r\n"
            "The specified channel could not be found. Check channel configuration.\r\n",
        ),
        ("zh-CN", "无法获取日志 Nope 的信息。\r\n找不到指定的通道。请检查通道配置。\r\n"),
    ],
)
def test_unknown_channel(locale: str, text: str) -> None:
    result = run_cmd(make_host(locale), "wevtutil gli Nope", user="Administrator")
    assert (result.rc, result.stderr.decode()) == (15007, text)


@pytest.mark.parametrize("line", ["wevtutil qe System /zz:1", "wevtutil gli", "wevtutil nonsense"])
def test_wrong_use_is_87(en: Host, line: str) -> None:
    assert run_cmd(en, line, user="Administrator").rc == 87


def test_remote_log_of_a_peer(logged: Host) -> None:
    here = make_host("en-US", name="mgmt")
    here.network.peers["web01"] = logged
    text = out(here, "wevtutil qe System /r:web01 /c:1 /rd:true")
    assert "<EventID>41</EventID>" in text
    assert run_cmd(here, "wevtutil gli System /r:gone", user="Administrator").rc == 1722


@pytest.mark.parametrize(
    ("line", "english", "chinese"),
    [
        ("qe System", "Failed to read events.", "无法读取事件。"),
        ("epl System C:\\s.evtx", "Failed to export log System.", "无法导出日志 System。"),
        (
            "gli System",
            "Failed to get log information on log System.",
            "无法获取日志 System 的信息。",
        ),
        ("cl System /bu:C:\\b.evtx", "Failed to clear log System.", "无法清除日志 System。"),
    ],
)
def test_a_corrupted_log_is_said_to_be_one(
    logged: Host, line: str, english: str, chinese: str
) -> None:
    logged.eventlogs.damage("System", "cut off", 70_000)
    result = run_cmd(logged, f"wevtutil {line}", user="Administrator")
    english_host = logged.locale.name == "en-US"
    said = english if english_host else chinese
    why = "The event log file is corrupted." if english_host else "事件日志文件已损坏。"
    assert result.rc == 1500
    assert result.stderr.decode() == f"{said}\r\n{why}\r\n"
    assert not logged.files.exists("C:\\s.evtx")
    assert not logged.files.exists("C:\\b.evtx")


def test_other_logs_are_read_and_clearing_mends_a_corrupted_one(logged: Host) -> None:
    logged.eventlogs.damage("System", "cut off", 70_000)
    before = logged.eventlogs.save()
    assert "4625" in out(logged, "wevtutil qe Security")
    assert out(logged, "wevtutil cl System") == ""
    assert "<EventID>104</EventID>" in out(logged, "wevtutil qe System")
    logged.eventlogs.load(before)
    assert run_cmd(logged, "wevtutil qe System", user="Administrator").rc == 1500


def test_a_damaged_file_is_no_log(logged: Host) -> None:
    logged.files.write("C:\\x.evtx", b"ElfFile\0" + bytes(5_000))
    assert run_cmd(logged, "wevtutil qe C:\\x.evtx /lf:true", user="Administrator").rc == 1500
