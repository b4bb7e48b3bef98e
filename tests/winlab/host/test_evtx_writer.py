"""EVTX files of ours are read alike by three independent parsers."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring
from dissect.eventlog.evtx import Evtx as DissectEvtx
from Evtx.Evtx import Evtx as PythonEvtx
from hypothesis import given, settings
from hypothesis import strategies as st

from winlab.host import events as ev
from winlab.host.evtx_reader import EvtxUnreadableError, read_evtx
from winlab.host.evtx_writer import CHUNK_SIZE, HEADER_SIZE, EvtxTooLargeError, evtx_bytes

AT = datetime(2026, 11, 22, 9, 0, 0, 250_000, tzinfo=UTC)
GUID = "{54849625-5478-4994-A5BA-3E3B0328C30D}"
SAMPLES = Path(__file__).parents[4] / "shared" / "data" / "evtx"
NS = "{http://schemas.microsoft.com/win/2004/08/events/event}"


def record(number: int = 1, data: ev.EventData | ev.UserData | None = None, **more: Any) -> Any:
    fields: dict[str, Any] = {
        "provider": "Service Control Manager",
        "event_id": 7036,
        "channel": "System",
        "computer": "APP-AUTH-01",
        "process_id": 600,
        "thread_id": 700,
    }
    return ev.EventRecord(record_id=number, time_created=AT, data=data, **(fields | more))


def mixed_log() -> list[ev.EventRecord]:
    return [
        record(
            41,
            ev.named(TargetUserName="管理员", Status=ev.Hex(0xC000006D), LogonType=3, Empty=""),
            provider="Microsoft-Windows-Security-Auditing",
            provider_guid=GUID,
            event_id=4625,
            channel="Security",
            keywords=ev.KEYWORD_AUDIT_FAILURE,
            level=0,
        ),
        record(42, ev.unnamed("Print Spooler", "", "已停止"), qualifiers=16384),
        record(
            43,
            ev.user_data(
                "LogFileCleared", "urn:x", [("SubjectUserName", "a & <b>"), ("Empty", "")]
            ),
            event_id=1102,
            user_sid="S-1-5-18",
        ),
        record(44, ev.named_items({"Threat Name": "EICAR", "Bytes": 2**40, "Minus": -5})),
        record(45),
        record(46, ev.unnamed("one"), version=None, opcode=None, process_id=None, thread_id=None),
    ]


def by_rust(content: bytes) -> list[ev.EventRecord]:
    return read_evtx(content)


def by_dissect(content: bytes) -> list[dict[str, Any]]:
    return [
        {name: value.get() if hasattr(value, "get") else value for name, value in item.items()}
        for item in DissectEvtx(io.BytesIO(content))
    ]


def by_python_evtx(content: bytes, tmp_path: Path) -> Iterator[Element]:
    path = tmp_path / "log.evtx"
    path.write_bytes(content)
    with PythonEvtx(str(path)) as log:
        assert log.get_file_header().verify()
        for chunk in log.chunks():
            assert chunk.verify()
            for item in chunk.records():
                yield fromstring(item.xml())


def test_the_rust_parser_gives_back_what_was_written() -> None:
    found = by_rust(evtx_bytes(mixed_log()))
    assert [r.record_id for r in found] == [41, 42, 43, 44, 45, 46]
    for was, now in zip(mixed_log(), found, strict=True):
        assert was.values() == now.values()
        for name in ("provider", "event_id", "channel", "computer", "level", "keywords"):
            assert getattr(was, name) == getattr(now, name)
        for name in ("qualifiers", "version", "opcode", "process_id", "thread_id", "user_sid"):
            assert getattr(was, name) == getattr(now, name)
        assert now.time_created == AT
    assert found[0].provider_guid == GUID


def test_dissect_reads_the_same_values() -> None:
    found = by_dissect(evtx_bytes(mixed_log()))
    assert [item["EventRecordID"] for item in found] == [41, 42, 43, 44, 45, 46]
    assert [item["EventID"] for item in found] == [4625, 7036, 1102, 7036, 7036, 7036]
    assert found[0]["TargetUserName"] == "管理员"
    assert found[0]["Status"] == "0xc000006d"
    assert found[0]["LogonType"] == 3
    assert found[0]["Provider_Guid"] == GUID
    assert found[1]["Data"] == ["Print Spooler", "", "已停止"]
    assert found[1]["EventID_Qualifiers"] == 16384
    assert found[2]["LogFileCleared_SubjectUserName"] == "a & <b>"
    assert str(found[2]["Security_UserID"]) == "S-1-5-18"
    assert found[3]["Bytes"] == 2**40
    assert {item["Computer"] for item in found} == {"APP-AUTH-01"}
    near = timedelta(microseconds=2)  # dissect rounds FILETIME through a float
    assert all(abs(item["TimeCreated_SystemTime"] - AT) < near for item in found)


def test_python_evtx_reads_the_same_values_and_both_checksums(tmp_path: Path) -> None:
    found = list(by_python_evtx(evtx_bytes(mixed_log()), tmp_path))
    ids = [r.findtext(f"{NS}System/{NS}EventRecordID") for r in found]
    assert ids == ["41", "42", "43", "44", "45", "46"]
    named = {d.get("Name"): d.text for d in found[0].iter(f"{NS}Data")}
    assert named["TargetUserName"] == "管理员"
    assert named["Status"] is not None
    assert int(named["Status"], 16) == 0xC000006D
    strings = found[1].findtext(f"{NS}EventData/{NS}Data") or ""
    assert strings == "<string>Print Spooler</string>\n<string></string>\n<string>已停止</string>\n"
    assert found[2].findtext(".//{urn:x}SubjectUserName") == "a & <b>"


def test_an_empty_log_is_one_empty_chunk_that_all_read(tmp_path: Path) -> None:
    content = evtx_bytes([])
    assert len(content) == HEADER_SIZE + CHUNK_SIZE
    assert not by_rust(content)
    assert not by_dissect(content)
    assert list(by_python_evtx(content, tmp_path)) == []


def test_many_chunks_keep_every_record_in_order() -> None:
    log = [record(n, ev.named(param1=f"服务 {n}", param2="x" * (n % 900))) for n in range(1, 1201)]
    content = evtx_bytes(log)
    count = struct.unpack_from("<H", content, 42)[0]
    assert len(content) == HEADER_SIZE + count * CHUNK_SIZE
    assert count > 10
    assert [(r.record_id, r.values()) for r in by_rust(content)] == [
        (r.record_id, r.values()) for r in log
    ]
    assert len(by_dissect(content)) == 1200


def test_chunk_header_tables_and_checksums_hold() -> None:
    content = evtx_bytes(mixed_log())
    chunk = content[HEADER_SIZE:]
    free, data_sum = struct.unpack_from("<II", chunk, 48)
    assert zlib.crc32(chunk[512:free]) == data_sum
    assert zlib.crc32(chunk[:120] + chunk[128:512]) == struct.unpack_from("<I", chunk, 124)[0]
    assert struct.unpack_from("<QQ", chunk, 8) == (41, 46)
    strings = struct.unpack_from("<64I", chunk, 128)
    names = set()
    for head in strings:
        at = head
        while at:
            following, _, length = struct.unpack_from("<IHH", chunk, at)
            names.add(chunk[at + 8 : at + 8 + 2 * length].decode("utf-16-le"))
            at = following
    assert {"Event", "System", "EventData", "LogFileCleared", "SubjectUserName"} <= names
    for at in filter(None, struct.unpack_from("<32I", chunk, 384)):
        assert chunk[at - 10] == 0x0C
        assert struct.unpack_from("<I", chunk, at - 4)[0] == at


def test_a_large_record_fits_and_one_above_a_chunk_is_refused_by_name() -> None:
    big = record(7, ev.named(text="长" * 15_000, more="y" * 10_000))
    assert by_rust(evtx_bytes([big, big.numbered(8)]))[1].values() == big.values()
    with pytest.raises(EvtxTooLargeError, match=r"^event record 9 of System does not fit into"):
        evtx_bytes([record(9, ev.named(a="a" * 20_000, b="b" * 20_000))])
    with pytest.raises(EvtxTooLargeError, match=r"^event record 9 of System holds a value above"):
        evtx_bytes([record(9, ev.named(a="a" * 40_000))])


def test_dirty_is_a_flag_of_the_header_and_stays_readable(tmp_path: Path) -> None:
    content = evtx_bytes(mixed_log(), dirty=True)
    assert struct.unpack_from("<I", content, 120)[0] & 1
    assert not struct.unpack_from("<I", evtx_bytes(mixed_log()), 120)[0]
    assert len(by_rust(content)) == len(list(by_python_evtx(content, tmp_path))) == 6


def test_an_export_numbers_the_file_from_one_and_keeps_the_ids() -> None:
    content = evtx_bytes(mixed_log(), exported=True)
    assert struct.unpack_from("<QQ", content, HEADER_SIZE + 8) == (1, 6)
    assert next(r.record_id for r in by_rust(content)) == 41


def test_a_log_of_many_chunks_keeps_every_record() -> None:
    log = (record(n, ev.named(param1=f"s{n}", param2="running")) for n in range(1, 3_001))
    content = evtx_bytes(log)
    assert len(content) > 5 * CHUNK_SIZE
    assert [r.record_id for r in read_evtx(content)] == list(range(1, 3_001))


def test_bytes_that_are_no_log_are_named() -> None:
    with pytest.raises(EvtxUnreadableError, match=r"^not an EVTX file"):
        read_evtx(b"MZ" + bytes(8192))


texts = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=40
).map(lambda text: text.strip())


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,12}", fullmatch=True), unique=True),
    values=st.lists(st.one_of(texts, st.integers(-(2**62), 2**63), st.booleans())),
    classic=st.lists(texts, max_size=5),
)
def test_any_values_survive_writing_and_reading(
    names: list[str], values: list[ev.Value], classic: list[str]
) -> None:
    pairs = ev.named_items(dict(zip(names, values, strict=False)))
    log = [record(1, pairs), record(2, ev.unnamed(*classic)), record(3, pairs)]
    found = by_rust(evtx_bytes(log))
    assert [r.values() for r in found] == [r.values() for r in log]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="../shared/data/evtx is not here")
def test_real_logs_round_trip_through_import_and_export() -> None:
    files = sorted(SAMPLES.glob("*.evtx"))
    assert len(files) >= 17
    for path in files:
        imported = read_evtx(path.read_bytes())
        assert imported, path.name
        again = evtx_bytes(imported)
        assert read_evtx(again) == imported, path.name
        assert [item["EventRecordID"] for item in by_dissect(again)] == [
            r.record_id for r in imported
        ]
