"""Any EVTX file becomes records; a broken one is named with how far it went."""

from __future__ import annotations

import contextlib
import struct
import zlib
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winlab.host.events import EventData, EventRecord, UserData, named
from winlab.host.evtx_reader import EvtxUnreadableError, iter_evtx, read_evtx, record_from_xml
from winlab.host.evtx_writer import CHUNK_SIZE, HEADER_SIZE, evtx_bytes

NS = "http://schemas.microsoft.com/win/2004/08/events/event"
AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def log(count: int) -> bytes:
    return evtx_bytes(
        EventRecord(
            record_id=n,
            time_created=AT,
            provider="p",
            event_id=1,
            channel="System",
            computer="A",
            data=named(text=f"{n} " + "x" * 300),
        )
        for n in range(1, count + 1)
    )


def test_system_values_win_over_those_of_the_record_header() -> None:
    xml = (
        f'<Event xmlns="{NS}"><System><Provider Name="p"/><EventID>7</EventID>'
        '<TimeCreated SystemTime="2019-11-04T13:46:01.171339Z"/>'
        "<EventRecordID>1044</EventRecordID><Keywords>0x90000000000000</Keywords></System></Event>"
    )
    record = record_from_xml(xml, 1, "2020-01-01T00:00:00.0000000Z UTC")
    assert record.record_id == 1044
    assert record.time_created == datetime(2019, 11, 4, 13, 46, 1, 171339, tzinfo=UTC)
    assert record.keywords == 0x90000000000000
    assert (record.version, record.opcode, record.process_id) == (None, None, None)
    assert record.data is None


def test_what_system_lacks_comes_from_the_record_header() -> None:
    xml = f'<Event xmlns="{NS}"><System><EventID>7</EventID></System></Event>'
    record = record_from_xml(xml, 12, "2020-01-01T00:00:01.2500000Z UTC")
    assert record.record_id == 12
    assert record.time_created == datetime(2020, 1, 1, 0, 0, 1, 250_000, tzinfo=UTC)
    assert (record.provider, record.channel) == ("", "")


def test_other_payloads_keep_their_structure() -> None:
    xml = (
        f'<Event xmlns="{NS}"><System><EventID>1</EventID></System><EventData>'
        "<Data>a</Data><Extra><Inner>b</Inner></Extra></EventData></Event>"
    )
    record = record_from_xml(xml, 1, "2020-01-01T00:00:00Z UTC")
    assert isinstance(record.data, UserData)
    assert record.values() == {"Data": "a", "Inner": "b"}
    plain = xml.replace("<Extra><Inner>b</Inner></Extra>", "<Binary>0102</Binary>")
    data = record_from_xml(plain, 1, "2020-01-01T00:00:00Z UTC").data
    assert data == EventData(((None, "a"),), b"\x01\x02")


def test_an_event_without_system_is_refused() -> None:
    with pytest.raises(EvtxUnreadableError, match=r"^record 3 has no System element$"):
        record_from_xml(f'<Event xmlns="{NS}"/>', 3, "")


@pytest.mark.parametrize("content", [b"", b"ElfFile\0", b"MZ" + bytes(8000)])
def test_what_is_no_log_is_refused(content: bytes) -> None:
    with pytest.raises(EvtxUnreadableError, match=r"^not an EVTX file: "):
        read_evtx(content)


def test_a_damaged_record_stops_the_import_and_says_where() -> None:
    content = bytearray(log(20))
    struct.pack_into("<I", content, 120, 1)  # dirty: checksums of chunks are not held
    third = content.index(b"**\0\0", content.index(b"**\0\0", content.index(b"**\0\0") + 1) + 1)
    content[third + 24 : third + 60] = b"\xff" * 36
    found: list[EventRecord] = []
    with pytest.raises(EvtxUnreadableError, match=r"^EVTX file is broken after record 2: "):
        found.extend(iter_evtx(bytes(content)))


def test_a_cut_file_is_refused_with_what_is_missing() -> None:
    whole = log(400)
    cut = whole[: HEADER_SIZE + CHUNK_SIZE]
    message = rf"^EVTX file is cut off: {len(cut)} bytes of {len(whole)}$"
    with pytest.raises(EvtxUnreadableError, match=message):
        read_evtx(cut)


@pytest.mark.parametrize(
    ("at", "message"),
    [
        (16, "EVTX file is broken: the header's checksum is wrong"),
        (HEADER_SIZE, "EVTX file is broken: chunk 0 has no header"),
        (HEADER_SIZE + 20, "EVTX file is broken: chunk 0 has a wrong checksum"),
        (HEADER_SIZE + CHUNK_SIZE + 700, "EVTX file is broken: chunk 1 has a wrong checksum"),
    ],
)
def test_a_changed_byte_is_found_where_it_is(at: int, message: str) -> None:
    content = bytearray(log(400))
    content[at] ^= 1
    with pytest.raises(EvtxUnreadableError, match=f"^{message}$"):
        read_evtx(bytes(content))


def test_slack_behind_the_last_chunk_is_no_damage() -> None:
    assert len(read_evtx(log(5) + bytes(CHUNK_SIZE))) == 5


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_damage_raises_nothing_else(data: st.DataObject) -> None:
    content = bytearray(log(8))
    struct.pack_into("<I", content, 120, 1)  # dirty: checksums of chunks are not held
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(HEADER_SIZE + 512, HEADER_SIZE + 6_000))
        content[place] = data.draw(st.integers(0, 255))
    struct.pack_into("<I", content, 124, zlib.crc32(content[:120]))
    with contextlib.suppress(EvtxUnreadableError):
        read_evtx(bytes(content))
