"""W3C logs: every trap that real ones have set, and the fast way against the slow one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsproof.logs import times
from opsproof.logs.readers import lines, w3c
from opsproof.logs.readers.base import Log, Notes
from opsproof.logs.table import Table

FIELDS = b"#Fields: date time c-ip cs-method cs-uri-stem cs-uri-query cs(User-Agent) sc-status\r\n"
GOOD = b"2026-01-05 10:00:00 10.0.0.1 GET /a - Mozilla/5.0 200\r\n"


def read(
    folder: Path, content: bytes, name: str = "u_ex260105.log"
) -> tuple[list[dict[str, Any]], Notes]:
    """The records as they come out of the columns, with their time and number, sorted by number."""
    file = folder / name
    file.write_bytes(content)
    notes = Notes()
    rows = [row for table in w3c.read(Log(file, name, 0), None, notes) for row in _rows(table)]
    return sorted(rows, key=lambda row: row["record"]), notes


def _rows(table: Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {
            "record": int(table.record_ids[row]),
            "at": times.text(int(table.times[row])),
            "channel": table.place(row).channel,
        }
        for row in range(table.size)
    ]
    for name, column in table.columns.items():
        names = column.names()
        for row, code in zip(
            column.row_array().tolist(), column.code_array().tolist(), strict=True
        ):
            rows[row].setdefault(name, names[code])
    return rows


def test_fields_get_the_names_that_rules_use(tmp_path: Path) -> None:
    rows, notes = read(tmp_path, FIELDS + GOOD)
    assert notes.damage == []
    (row,) = rows
    assert row["cs-user-agent"] == row["c-useragent"] == "Mozilla/5.0"
    assert row["c-uri"] == "/a"
    assert (row["record"], row["at"]) == (2, "2026-01-05T10:00:00.000000Z")
    assert "cs-uri-query" not in row


@pytest.mark.parametrize("count", [1, 200])
def test_a_substatus_that_is_not_logged_is_not_made_up(tmp_path: Path, count: int) -> None:
    rows, _ = read(tmp_path, FIELDS + GOOD * count)
    assert not any("sc-status-full" in row for row in rows)
    fields = b"#Fields: date time sc-status sc-substatus\n"
    lines = b"2026-01-05 10:00:00 401 -\n2026-01-05 10:00:00 401 1\n" * count
    rows, _ = read(tmp_path, fields + lines)
    assert [row.get("sc-status-full") for row in rows] == [None, "401.1"] * count


@pytest.mark.parametrize("count", [1, 200])
def test_number_sign_in_an_agent_is_no_comment(tmp_path: Path, count: int) -> None:
    line = b"2026-01-05 10:00:00 10.0.0.1 GET /a - sqlmap/1.7.2#stable 404\r\n"
    rows, _ = read(tmp_path, FIELDS + line * count)
    assert [(row["cs-user-agent"], row["sc-status"]) for row in rows] == [
        ("sqlmap/1.7.2#stable", "404")
    ] * count


@pytest.mark.parametrize("count", [2, 200])
def test_field_list_may_change_in_the_middle(tmp_path: Path, count: int) -> None:
    other = b"#Fields: time cs-method date sc-status\r\n"
    content = FIELDS + GOOD * count + other + b"11:00:00 PUT 2026-01-06 500\r\n" * count
    rows, notes = read(tmp_path, content)
    assert notes.damage == []
    assert [row["sc-status"] for row in rows] == ["200"] * count + ["500"] * count
    assert rows[-1]["at"] == "2026-01-06T11:00:00.000000Z"


def test_lines_before_any_directive_take_the_first_field_list_in_sight(tmp_path: Path) -> None:
    rows, notes = read(tmp_path, GOOD + FIELDS + GOOD)
    assert notes.damage == []
    assert [row["record"] for row in rows] == [1, 3]


def test_file_without_directives_is_read_as_iis_writes_by_default(tmp_path: Path) -> None:
    line = b"2026-01-05 10:00:00 10.0.0.5 GET /a - 443 - 10.0.0.1 Mozilla - 404 13 0 15\r\n"
    rows, notes = read(tmp_path, line * 100)
    assert notes.damage == []
    assert {row["sc-status-full"] for row in rows} == {"404.13"}
    rows, notes = read(tmp_path, b"2026-01-05 10:00:00 GET /a 404 0\r\n")
    assert rows == []
    assert [one.what for one in notes.damage] == ["no #Fields directive says what its values are"]


def test_date_may_stand_in_the_directive_only(tmp_path: Path) -> None:
    content = b"#Date: 2026-01-05 00:00:00\n#Fields: time cs-method\n" + b"10:00:00 GET\n" * 80
    rows, _ = read(tmp_path, content)
    assert {row["at"] for row in rows} == {"2026-01-05T10:00:00.000000Z"}


def test_time_that_is_none_leaves_the_record_without_time(tmp_path: Path) -> None:
    bad = b"2026-13-05 10:00:00 10.0.0.1 GET /a - Mozilla/5.0 200\r\n"
    rows, _ = read(tmp_path, FIELDS + bad * 100 + GOOD)
    assert {row["at"] for row in rows[:100]} == {None}
    assert rows[100]["at"] == "2026-01-05T10:00:00.000000Z"


def test_line_with_too_few_values_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    rows, notes = read(tmp_path, FIELDS + GOOD * 99 + b"2026-01-05 10:00\r\n" + GOOD * 99)
    assert len(rows) == 198
    offset = len(FIELDS) + 99 * len(GOOD)
    assert [(one.offset, one.record, one.records, one.what) for one in notes.damage] == [
        (offset, 101, 1, "a line has 2 values, not 8")
    ]


def test_last_line_may_be_unfinished(tmp_path: Path) -> None:
    rows, notes = read(tmp_path, FIELDS + GOOD * 99 + b"2026-01-05 10:00:00 10.0")
    assert len(rows) == 99
    assert [one.what for one in notes.damage] == ["the last line is unfinished: 3 of 8 values"]
    rows, notes = read(tmp_path, FIELDS + GOOD * 99 + GOOD.rstrip())
    assert (len(rows), notes.damage) == (100, [])


def test_nul_bytes_of_a_crash_are_named(tmp_path: Path) -> None:
    rows, notes = read(tmp_path, FIELDS + GOOD * 80 + b"\0" * 500 + GOOD + GOOD)
    assert len(rows) == 82
    assert [(one.record, one.what) for one in notes.damage] == [
        (82, "500 NUL bytes, as a crash leaves them")
    ]


def test_double_spaces_and_quoted_values_are_read(tmp_path: Path) -> None:
    rows, notes = read(
        tmp_path,
        b"#Fields: date time cs-uri-stem cs(User-Agent) sc-win32-status \r\n"
        b"2026-01-05 10:00:00  /a Mozilla 4294967297\r\n"
        b'2026-01-05 10:00:00 /b "Mozilla 5.0 (X)" 0\r\n',
    )
    assert notes.damage == []
    assert [row["sc-win32-status"] for row in rows] == ["4294967297", "0"]
    assert rows[1]["cs-user-agent"] == "Mozilla 5.0 (X)"


def test_bytes_that_are_no_utf8_are_kept(tmp_path: Path) -> None:
    line = b"2026-01-05 10:00:00 10.0.0.1 GET /\xe9t\xe9 - \xe6\xb5\x8f 200\r\n"
    rows, _ = read(tmp_path, FIELDS + line * 80)
    assert {(row["cs-uri-stem"], row["cs-user-agent"]) for row in rows} == {("/été", "浏")}


def test_line_without_end_is_left_out_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LONGEST", 1000)
    monkeypatch.setattr(w3c, "LONGEST", 1000)
    monkeypatch.setattr(lines, "BLOCK", 2048)
    rows, notes = read(tmp_path, FIELDS + GOOD + b"x" * 10_000 + b"\r\n" + GOOD * 70)
    assert len(rows) == 71
    assert [(one.record, one.records) for one in notes.damage] == [(3, 1)]
    assert [row["record"] for row in rows][:3] == [2, 4, 5]


def test_line_without_end_in_the_first_of_two_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LONGEST", 1000)
    monkeypatch.setattr(w3c, "LONGEST", 1000)
    monkeypatch.setattr(lines, "BLOCK", 2048)
    content = FIELDS + b"x" * 10_000 + b"\r\n" + GOOD * 200
    file = tmp_path / "u_ex260105.log"
    file.write_bytes(content)
    cutter = w3c.Cutter(4_000)
    for at in range(0, len(content), 700):
        cutter.feed(content[at : at + 700])
    cuts = cutter.cuts(len(content))
    assert len(cuts) > 2
    found, notes = [], Notes()
    for begin, end in zip(cuts, [*(cut.offset for cut in cuts[1:]), None], strict=True):
        log = Log(file, file.name, begin=begin, end=end)
        for table in w3c.read(log, None, notes):
            found += [row["record"] for row in _rows(table)]
    assert sorted(found) == list(range(3, 203))
    assert [(one.record, one.records) for one in notes.damage] == [(2, 1)]


def test_site_and_computer_come_from_the_record_in_central_logs(tmp_path: Path) -> None:
    content = (
        b"#Fields: date time s-sitename s-computername cs-method\n"
        + b"2026-01-05 10:00:00 W3SVC7 WEB1 GET\n" * 80
    )
    rows, _ = read(tmp_path, content)
    assert {(row["channel"], row["computer"]) for row in rows} == {("W3SVC7", "WEB1")}
    rows, _ = read(tmp_path, FIELDS + GOOD, "W3SVC3_u_ex260105.log")
    assert rows[0]["channel"] == "W3SVC3"


def test_httperr_is_another_kind(tmp_path: Path) -> None:
    content = (
        b"#Software: Microsoft HTTP API 2.0\n"
        b"#Fields: date time c-ip c-port s-ip s-port cs-version cs-method cs-uri sc-status "
        b"s-siteid s-reason s-queuename\n"
        b"2026-01-05 10:00:00 10.0.0.1 5 10.0.0.2 80 HTTP/1.1 GET / 503 1 AppOffline pool\n"
    )
    rows, _ = read(tmp_path, content, "httperr1.log")
    assert (rows[0]["_kind"], rows[0]["s-reason"]) == ("httperr", "AppOffline")


_line = st.sampled_from(
    [
        b"2026-01-05 10:00:00 GET /a 200",
        b"2026-01-05 10:00:01 GET /b -",
        b"2026-01-05 10:00:02 - /a%20b 404",
        b"10:00:03 500",
        b"#Fields: date time cs-method cs-uri-stem sc-status",
        b"#Fields: time sc-status",
        b"#Date: 2026-02-01 00:00:00",
        b"#",
        b"",
        b"2026-01-05  10:00:04 GET /c 200",
        b" 2026-01-05 10:00:04 GET /c 200",
        b"2026-01-05  10:00:04 GET 200",
        b" 2026-01-05 10:00:04 GET 200",
        b"2026-01-05 10:00:04 GET /c 200 ",
        b"2026-01-05 10:00:05 GET /tab\there 200\r",
        b"2026-01-05 10:00:05 GET /cr\rhere 200\r",
        b"2026-01-05 24:00:05 GET \xe3\x80\x80\xc2\x85wide 200",
        b"2026-01-05 10:00:61 GET /" + b"long" * 20 + b" 200",
        b"\r",
        b" ",
        b'"unfinished quote',
        b"#Fields:",
        b"x\0y",
        b"\xff\xfe",
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_line, max_size=30), st.booleans())
def test_columns_and_single_lines_give_the_same(content: list[bytes], ended: bool) -> None:
    data = b"\n".join(content) + (b"\n" if ended else b"")
    with pytest.MonkeyPatch.context() as patch:
        folder = _FOLDER
        patch.setattr(w3c, "_FEW", 1)
        fast = read(folder, data)
        patch.setattr(w3c, "_FEW", 1 << 30)
        slow = read(folder, data)
    assert fast[0] == slow[0]
    assert sorted(map(repr, fast[1].damage)) == sorted(map(repr, slow[1].damage))


_even = st.sampled_from(
    [b"2026-01-05 10:00:00 GET /a 200", b"2026-01-05 10:00:01 POST /b%20c -", b"- - - - -"]
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(_even, min_size=8, max_size=40),
    st.sampled_from([b"\n", b"\r\n"]),
    st.one_of(st.none(), st.tuples(st.integers(1, 40), _line)),
)
def test_even_lines_are_read_as_single_ones(
    content: list[bytes], end: bytes, other: tuple[int, bytes] | None
) -> None:
    content = [b"#Fields: date time cs-method cs-uri-stem sc-status", *content]
    if other is not None:
        content.insert(*other)
    data = end.join(content) + end
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK", 160)
        patch.setattr(w3c, "_FEW", 1)
        fast = read(_FOLDER, data)
        patch.setattr(w3c, "_FEW", 1 << 30)
        slow = read(_FOLDER, data)
    assert fast[0] == slow[0]
    assert sorted(map(repr, fast[1].damage)) == sorted(map(repr, slow[1].damage))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(_line, max_size=40),
    st.lists(st.integers(1, 90), min_size=1, max_size=9),
    st.integers(20, 300),
)
def test_cuts_do_not_depend_on_how_the_bytes_come(
    content: list[bytes], sizes: list[int], part: int
) -> None:
    data = b"\n".join(content)
    whole, pieces = w3c.Cutter(part), w3c.Cutter(part)
    if data:
        whole.feed(data)
    at, turn = 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        pieces.feed(data[at : at + size])
        at, turn = at + size, turn + 1
    cuts = whole.cuts(len(data))
    assert pieces.cuts(len(data)) == cuts
    for cut in cuts[1:]:
        before = data[: cut.offset]
        assert before.endswith(b"\n")
        assert cut.line == before.count(b"\n") + 1
        fields = [line[8:].split() for line in before.split(b"\n") if line.startswith(b"#Fields:")]
        assert [name.encode() for name in cut.names] == (fields[-1] if fields else [])


_FOLDER: Path


@pytest.fixture(autouse=True, scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    global _FOLDER
    _FOLDER = tmp_path_factory.mktemp("w3c")
