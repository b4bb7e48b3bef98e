"""Log lines of IIS: fifteen fields, words without spaces, daily files by UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from winlab.host.w3c import FIELDS, Hit, daily_files, file_name, log_line

AT = datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC)
any_text = st.text(max_size=30)


def test_a_line_is_in_the_order_of_the_fields() -> None:
    hit = Hit(
        at=AT,
        server="10.0.0.1",
        method="GET",
        stem="/a b",
        query="x=1",
        port=8080,
        user="LAB\\li",
        client="10.0.0.9",
        agent="Mozilla/5.0 (X; Y)",
        referer="http://r/",
        status=404,
        substatus=3,
        win32=50,
        taken_ms=12,
    )
    assert log_line(hit) == (
        "2026-11-22 23:59:59 10.0.0.1 GET /a+b x=1 8080 LAB\\li 10.0.0.9 Mozilla/5.0+(X;+Y) "
        "http://r/ 404 3 50 12\r\n"
    )


def test_files_roll_at_midnight_utc_whatever_the_zone() -> None:
    east = timezone(timedelta(hours=8))
    assert file_name(datetime(2026, 11, 23, 7, 59, tzinfo=east)) == "u_ex261122.log"
    assert file_name(datetime(2026, 11, 23, 8, 0, tzinfo=east)) == "u_ex261123.log"


def test_every_day_has_its_own_header() -> None:
    hits = [Hit(at=AT + timedelta(seconds=n), server="s", method="GET", stem="/") for n in range(3)]
    files = daily_files(hits)
    assert list(files) == ["u_ex261122.log", "u_ex261123.log"]
    for content in files.values():
        assert content.startswith(b"#Software: Microsoft Internet Information Services 10.0\r\n")
        assert content.count(b"#Fields: ") == 1


@given(stem=any_text, query=any_text, agent=any_text, user=any_text)
def test_no_request_can_break_its_line(stem: str, query: str, agent: str, user: str) -> None:
    line = log_line(
        Hit(at=AT, server="s", method="GET", stem=stem, query=query, agent=agent, user=user)
    )
    assert line.endswith("\r\n")
    assert line.count("\n") == 1
    assert len(line[:-2].split(" ")) == len(FIELDS.split(" ")) == 15
