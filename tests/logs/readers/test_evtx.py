"""Windows event logs: damaged ones, and both ways from JSON to fields."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsproof.logs import times
from opsproof.logs.readers import evtx
from opsproof.logs.readers.base import KIND, Log, Notes
from opsproof.logs.readers.evtx_fields import OWN, flatten, lowered
from opsproof.logs.readers.evtx_forms import Book
from opsproof.logs.readers.evtx_load import Loader
from opsproof.logs.table import RAW, Table
from winlab.host.events import EventRecord, named, unnamed, user_data
from winlab.host.evtx_writer import evtx_bytes

_START = datetime(2026, 1, 5, 10, tzinfo=UTC)


def record(number: int, **fields: Any) -> EventRecord:
    plain: dict[str, Any] = {
        "provider": "Microsoft-Windows-Security-Auditing",
        "event_id": 4625,
        "channel": "Security",
        "computer": "SRV1",
        "data": named(TargetUserName=f"user{number}", LogonType=3, Filler=f"{number:04d}" * 60),
    }
    moment = _START + timedelta(seconds=number)
    return EventRecord(record_id=number, time_created=moment, **{**plain, **fields})


def read(folder: Path, content: bytes) -> tuple[list[int], Notes, list[Table]]:
    file = folder / "a.evtx"
    file.write_bytes(content)
    notes = Notes()
    tables = list(evtx.read(Log(file, file.name, 0), None, notes))
    return [int(number) for table in tables for number in table.record_ids], notes, tables


LOG = evtx_bytes(record(number) for number in range(1, 401))
_CHUNKS = (len(LOG) - evtx.HEADER) // evtx.CHUNK


def _record_at(content: bytes, place: int) -> tuple[int, int]:
    """Offset and size of the ``place``-th record of the first chunk."""
    at = evtx.HEADER + evtx.RECORDS_AT
    for _ in range(place):
        at += struct.unpack_from("<I", content, at + 4)[0]
    return at, struct.unpack_from("<I", content, at + 4)[0]


SMALL = evtx_bytes(record(number) for number in (1, 2, 3))


def test_every_record_is_read_with_system_values(tmp_path: Path) -> None:
    numbers, notes, tables = read(tmp_path, LOG)
    assert numbers == list(range(1, 401))
    assert (notes.damage, notes.original) == ([], True)
    assert times.text(int(tables[0].times[0])) == "2026-01-05T10:00:01.000000Z"
    assert tables[0].place(0).computer == "SRV1"


def test_export_is_no_original(tmp_path: Path) -> None:
    export = evtx_bytes((record(number) for number in (7, 9)), exported=True)
    numbers, notes, _ = read(tmp_path, export)
    assert (numbers, notes.original) == ([7, 9], False)


def test_chunks_with_the_same_numbers_are_all_read(tmp_path: Path) -> None:
    one = evtx_bytes(record(number) for number in (1, 2, 3))
    numbers, notes, _ = read(tmp_path, one + one[evtx.HEADER :])
    assert numbers == [1, 2, 3, 1, 2, 3]
    assert notes.damage == []


def test_damaged_record_costs_only_itself(tmp_path: Path) -> None:
    at, size = _record_at(LOG, 5)
    broken = bytearray(LOG)
    broken[at : at + 4] = b"XXXX"
    numbers, notes, _ = read(tmp_path, bytes(broken))
    assert sorted(set(range(1, 401)) - set(numbers)) == [6]
    assert [(one.what, one.offset, one.records) for one in notes.damage] == [
        (
            "the checksum of a chunk is wrong: its records were changed or damaged",
            evtx.HEADER,
            0,
        ),
        (f"{size} bytes of a chunk are no record", at, 1),
    ]


def test_changed_record_is_told_by_the_checksum(tmp_path: Path) -> None:
    changed = LOG.replace("user7".encode("utf-16-le"), "user8".encode("utf-16-le"), 1)
    assert changed != LOG
    numbers, notes, _ = read(tmp_path, changed)
    assert len(numbers) == 400
    assert [one.what for one in notes.damage] == [
        "the checksum of a chunk is wrong: its records were changed or damaged"
    ]


def test_checksums_of_an_open_log_prove_nothing(tmp_path: Path) -> None:
    log = bytearray(evtx_bytes((record(number) for number in range(1, 5)), dirty=True))
    log[evtx.HEADER + 52] ^= 0xFF
    numbers, notes, _ = read(tmp_path, bytes(log))
    assert (numbers, notes.damage) == ([1, 2, 3, 4], [])


def test_chunk_without_header_costs_only_itself(tmp_path: Path) -> None:
    assert _CHUNKS > 2
    broken = bytearray(LOG)
    broken[evtx.HEADER + evtx.CHUNK] ^= 0xFF
    numbers, notes, _ = read(tmp_path, bytes(broken))
    assert numbers[0] == 1
    assert numbers[-1] == 400
    assert [(one.what, one.offset) for one in notes.damage] == [
        ("a chunk has no header: its records are lost", evtx.HEADER + evtx.CHUNK)
    ]


def test_file_cut_short_is_told_and_read_up_to_the_cut(tmp_path: Path) -> None:
    cut = LOG[: evtx.HEADER + evtx.CHUNK + 20_000]
    numbers, notes, _ = read(tmp_path, cut)
    whole, _, _ = read(tmp_path, LOG[: evtx.HEADER + evtx.CHUNK])
    assert numbers[: len(whole)] == whole
    assert len(numbers) > len(whole)
    assert [(one.what, one.offset) for one in notes.damage][:2] == [
        (
            f"the file is cut short: it has 2 of the {_CHUNKS} chunks its header states",
            len(cut),
        ),
        (
            "the file is cut short: 20000 bytes of a chunk of 65536",
            evtx.HEADER + evtx.CHUNK,
        ),
    ]


def test_file_cut_between_chunks_is_told_by_its_header(tmp_path: Path) -> None:
    _, notes, _ = read(tmp_path, LOG[: evtx.HEADER + evtx.CHUNK])
    assert [one.what for one in notes.damage] == [
        f"the file is cut short: it has 1 of the {_CHUNKS} chunks its header states"
    ]


@pytest.mark.parametrize("bit", [0x01, 0x10, 0x80])
def test_no_bit_of_the_header_costs_a_record(tmp_path: Path, bit: int) -> None:
    for at in range(8, 128):
        log = bytearray(SMALL)
        log[at] ^= bit
        numbers, _, _ = read(tmp_path, bytes(log))
        assert numbers == [1, 2, 3], at


def test_wrong_sizes_in_the_header_are_told(tmp_path: Path) -> None:
    log = bytearray(SMALL)
    log[41] ^= 0x04
    _, notes, _ = read(tmp_path, bytes(log))
    assert [one.what for one in notes.damage] == [
        "the header of the file is damaged: it gives wrong sizes"
    ]


def test_header_cut_short_is_told(tmp_path: Path) -> None:
    numbers, notes, _ = read(tmp_path, LOG[:100])
    assert numbers == []
    assert [one.what for one in notes.damage] == ["not an event log file: its header is cut short"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(LOG) - 1), st.integers(0, 255)), min_size=1, max_size=30),
    st.integers(0, len(LOG)),
)
def test_whatever_is_damaged_reading_ends_and_says_so(
    tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[int, int]], end: int
) -> None:
    content = bytearray(LOG[: max(end, 5000)])
    for place, value in flips:
        if place < len(content):
            content[place] = value
    numbers, notes, _ = read(tmp_path_factory.mktemp("fuzz"), bytes(content))
    lost = sum(one.records for one in notes.damage)
    assert len(numbers) == 400 or notes.damage
    assert len(numbers) <= 400
    assert lost <= 400 + len(flips)


def event(system: dict[str, Any], **sections: Any) -> str:
    base = {
        "Provider": {"#attributes": {"Name": "P"}},
        "EventID": 1,
        "Level": 4,
        "TimeCreated": {"#attributes": {"SystemTime": "2026-01-05T10:00:00.000000Z"}},
        "EventRecordID": 5,
        "Correlation": None,
        "Execution": {"#attributes": {"ProcessID": 4, "ThreadID": 8}},
        "Channel": "Application",
        "Computer": "C",
    }
    return json.dumps({"Event": {"#attributes": {}, "System": {**base, **system}, **sections}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (event({"EventID": {"#attributes": {"Qualifiers": 0}, "#text": 7}}), {"EventID": "7"}),
        (event({"EventID": "7"}), {"EventID": "7"}),
        (event({}, UserData={"LogFileCleared": {"SubjectUserName": "x"}}),
         {"SubjectUserName": "x"}),
        (event({}, UserData={"LogFileCleared": {"Channel": "System"}}),
         {"Channel": "Application", "EventData_Channel": "System"}),
        (event({}, EventData={"Data": {"#text": ["a", "b\\c"]}}),
         {"Data": "a\nb\\c", "Data_1": "a", "Data_2": "b\\c"}),
        (event({}, EventData={"Data": "one"}), {"Data": "one", "Data_1": "one"}),
        (event({}, EventData={"Threat Name": "E"}), {"ThreatName": "E"}),
        (event({}, EventData={"Flag": True, "Empty": None}), {"Flag": "true", "Empty": ""}),
        (event({}, ProcessingErrorData={"ErrorCode": 15005}), {"ErrorCode": "15005"}),
    ],
)  # fmt: skip
def test_shapes_that_real_events_have(text: str, expected: dict[str, str]) -> None:
    assert expected.items() <= flatten(text).fields.items()


def test_null_channel_and_texts_for_ids_do_not_stop_reading() -> None:
    found = flatten(event({"Channel": None, "EventRecordID": "12", "TimeCreated": None}))
    assert (found.record_id, found.time) == (12, times.UNKNOWN)
    assert "Channel" not in found.fields
    assert flatten(event({"EventRecordID": None})).record_id == -1


@pytest.mark.parametrize("text", ["{}", "[]", '{"Event": 1}', '{"Event": {"System": 2}}', "x"])
def test_what_is_no_event_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the text differs by what is wrong
        flatten(text)


def _by_row(table: Table) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = [{} for _ in range(table.size)]
    for name, column in table.columns.items():
        names = column.names()
        for row, code in zip(
            column.row_array().tolist(), column.code_array().tolist(), strict=True
        ):
            rows[row][name] = names[code]
    return rows


def _same_both_ways(texts: Iterable[str]) -> None:
    """All fields, and all but an event's own, where events that are alike are one form; with forms
    that earlier batches have left as well.
    """
    texts = [text.replace('": ', '":').replace(', "', ',"') for text in texts]
    names = {name for text in texts for name in lowered(flatten(text))}
    for wanted in (None, frozenset(names - OWN)):
        book = Book(wanted)
        for some in (texts, texts[1:], texts[::-2]):
            _same_in_batch(some, wanted, book)


def _same_in_batch(texts: list[str], wanted: frozenset[str] | None, book: Book) -> None:
    loader = Loader(0, wanted, book)
    for number, text in enumerate(texts):
        loader.add(text, number)
    table = loader.table()
    assert all(len(column.rows) for name, column in table.columns.items() if name != KIND)
    for row, (found, text) in enumerate(zip(_by_row(table), texts, strict=True)):
        long = flatten(text)
        fields = lowered(long)
        assert table.raw is not None
        assert table.raw.read(row) == fields.pop(RAW)
        assert found == {
            name: value for name, value in fields.items() if wanted is None or name in wanted
        }
        assert table.fields(row) == long.fields
        assert (int(table.times[row]), int(table.record_ids[row])) == (
            long.time,
            long.record_id,
        )


_value = st.one_of(
    st.text(max_size=3),
    st.integers(-3, 9),
    st.sampled_from([0.0, -0.0, 1.0, 2.5]),
    st.booleans(),
    st.none(),
    st.lists(st.text(max_size=2)),
)
_name = st.sampled_from(
    [
        "Image",
        "image",
        "I mage",
        "Data",
        "Channel",
        "NewProcessName",
        "MandatoryLabel",
        "x",
        "#text",
    ]
)
_events = st.builds(
    lambda system, data, kind: event(system, **({kind: data} if kind else {})),
    st.fixed_dictionaries(
        {},
        optional={
            "EventID": st.sampled_from([1, 4688, "4688", 4657, {"#text": 7036}, None]),
            "Channel": st.sampled_from(["Security", "System", None, ""]),
            "Level": st.sampled_from([0, 2, None, "4"]),
            "EventRecordID": st.sampled_from([1, 3, "2", None, -5]),
            "Execution": st.sampled_from([None, {"#attributes": {"ProcessID": 7}}, "x"]),
            "TimeCreated": st.sampled_from(
                [None, {"#attributes": {"SystemTime": "2026-01-05T10:00:00Z"}}, "x"]
            ),
            "Security": st.just({"#attributes": {"UserID": "S-1-5-18"}}),
            "Keywords": st.just("0x8020000000000000"),
        },
    ),
    st.dictionaries(_name, _value, max_size=4)
    | st.just({"W": {"a": 1}})
    | st.none()
    | st.just("text"),
    st.sampled_from(["EventData", "EventData", "UserData", ""]),
)


@pytest.mark.parametrize("values", [(1, 1.0), (0.0, -0.0), (True, 1), (0, False, 0.0)])
def test_values_that_python_takes_for_one_are_several(values: tuple[Any, ...]) -> None:
    _same_both_ways([event({}, EventData={"x": one}) for one in values])


@settings(max_examples=80, deadline=None)
@given(st.lists(_events, min_size=1, max_size=5))
def test_quick_way_and_long_way_give_the_same_fields(texts: list[str]) -> None:
    _same_both_ways(texts)


def test_what_looks_like_a_time_deeper_down_is_none_of_the_event_s(tmp_path: Path) -> None:
    nested = {
        "TimeCreated": {"#attributes": {"SystemTime": "2020-01-01T00:00:00.000000Z"}},
        "EventRecordID": 77,
        "Correlation": None,
        "Execution": None,
        "Channel": "Security",
    }
    text = json.loads(event({}, UserData={"W": nested}))
    del text["Event"]["System"]["TimeCreated"]
    odd = json.dumps(text, separators=(",", ":"))
    _same_both_ways([odd, odd, event({}, UserData={"W": nested}), event({})])


def test_events_that_are_alike_are_one_form_with_all_their_records() -> None:
    texts = [
        event({"EventRecordID": number}, EventData={"Image": image}).replace(": ", ":").replace(", ", ",")
        for number, image in enumerate(["a", "b", "a", "a", "b"], 1)
    ]  # fmt: skip
    loader = Loader(0, frozenset({"image", RAW}))
    for number, text in enumerate(texts, 1):
        loader.add(text, number)
    table = loader.table()
    assert table.forms is not None
    assert (table.forms[0].size, table.forms[1].tolist()) == (2, [0, 1, 0, 0, 1])
    assert table.record_ids.tolist() == [1, 2, 3, 4, 5]
    assert [table.value("image", row) for row in range(5)] == ["a", "b", "a", "a", "b"]
    assert [table.fields(row)["EventRecordID"] for row in range(5)] == ["1", "2", "3", "4", "5"]


def test_records_of_the_lab_go_both_ways_alike(tmp_path: Path) -> None:
    records = [
        record(1),
        record(2, event_id=4688, data=named(NewProcessName="C:\\a.exe", MandatoryLabel="S-1-16-12288")),
        record(3, event_id=1102, data=user_data("LogFileCleared", "urn:x", [("SubjectUserName", "a")])),
        record(4, channel="Application", data=unnamed("a", "b")),
        record(5, data=None),
    ]  # fmt: skip
    _, _, (table,) = read(tmp_path, evtx_bytes(records))
    rows = _by_row(table)
    assert (rows[1]["image"], rows[1]["integritylevel"]) == ("C:\\a.exe", "High")
    assert rows[2]["subjectusername"] == "a"
    assert (rows[3]["data"], rows[3]["data_2"]) == ("a\nb", "b")


def test_what_is_said_of_damage_does_not_depend_on_what_is_parsed_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytearray(LOG)
    for chunk in range(_CHUNKS):
        at, _ = _record_at(LOG[chunk * evtx.CHUNK :], 2 + chunk)
        # Behind the record's head stands its template: the parser gives up at this record.
        content[chunk * evtx.CHUNK + at + 28 : chunk * evtx.CHUNK + at + 40] = b"\xff" * 12
    found = []
    for group in (1, 32):
        monkeypatch.setattr(evtx, "GROUP", group)
        numbers, notes, _ = read(tmp_path, bytes(content))
        found.append((numbers, sorted(notes.damage, key=lambda one: (one.offset or 0, one.what))))
    assert found[0] == found[1]
    assert any("cannot be parsed: " in one.what for one in found[0][1])


@pytest.mark.parametrize("damage", ["Process\tID", 'Process"'])
def test_what_rules_do_not_look_at_is_an_event_too_or_none(damage: str) -> None:
    """A rule that hits reads the whole record: then it is too late to find that it is none."""
    loader = Loader(0, frozenset({"eventid"}))
    text = (
        '{"Event":{"System":{"Provider":{"#attributes":{"Name":"x"}},"EventID":1,'
        '"TimeCreated":{"#attributes":{"SystemTime":"2026-01-05T10:00:00.000000Z"}},'
        '"EventRecordID":7,"Correlation":null,"Execution":{"#attributes":{"ProcessID":4}},'
        '"Channel":"Security","Computer":"A"},"EventData":{"a":"b"}}}'
    )
    loader.add(text, 7)
    with pytest.raises((ValueError, msgspec.DecodeError)):
        loader.add(text.replace("ProcessID", damage), 8)
    assert loader.table().fields(0)["Execution_ProcessID"] == "4"
