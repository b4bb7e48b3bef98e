"""Event records: what they refuse, and how they show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from defusedxml.ElementTree import fromstring

from winlab.host import events as ev

AT = datetime(2026, 11, 22, 17, 0, 0, 1500, tzinfo=timezone(timedelta(hours=8)))


def record(**more: object) -> ev.EventRecord:
    given: dict[str, object] = {
        "record_id": 5,
        "time_created": AT,
        "provider": "P & Q",
        "event_id": 7036,
        "channel": "System",
        "computer": "A",
    }
    return ev.EventRecord(**(given | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"time_created": datetime(2026, 1, 1)}, "must be aware"),  # noqa: DTZ001 - refused
        ({"event_id": 65536}, "event id 65536 out of range"),
        ({"record_id": -1}, "record id -1 or event id"),
    ],
)
def test_what_no_log_could_hold_is_refused(more: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        record(**more)


def test_xml_is_one_line_in_utc_with_everything_escaped() -> None:
    text = ev.event_xml(record(data=ev.named(a="<x>", b="it's"), qualifiers=16384))
    assert "\n" not in text
    assert "<Provider Name='P &amp; Q'/>" in text
    assert "<EventID Qualifiers='16384'>7036</EventID>" in text
    assert "SystemTime='2026-11-22T09:00:00.0015000Z'" in text
    assert "<Data Name='a'>&lt;x&gt;</Data>" in text
    assert fromstring(text).tag == f"{{{ev.NAMESPACE}}}Event"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (3, "3"),
        (ev.Hex(0x3E7), "0x3e7"),
        (True, "true"),
        (b"\x01\xff", "01FF"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00.0000000Z"),
    ],
)
def test_values_show_as_windows_renders_them(value: ev.Value, text: str) -> None:
    assert ev.value_text(value) == text


def test_payloads_flatten_for_dumps() -> None:
    assert record(data=ev.unnamed("a", 2)).values() == {"param1": "a", "param2": "2"}
    told = ev.user_data("LogFileCleared", "urn:x", [("SubjectUserName", "li"), ("Empty", "")])
    assert record(data=told).values() == {"SubjectUserName": "li", "Empty": ""}
    assert record().values() == {}
    assert ev.node_xml(told.root) == (
        "<UserData><LogFileCleared xmlns='urn:x'><SubjectUserName>li</SubjectUserName><Empty/>"
        "</LogFileCleared></UserData>"
    )


def test_a_renumbered_record_is_otherwise_the_same() -> None:
    assert record().numbered(9) == record(record_id=9)
