"""Data logs of applications: what the schema map says is what the rules see."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from opsproof.logs import times
from opsproof.logs.readers import data
from opsproof.logs.readers.base import Log, Notes
from opsproof.logs.schema import Schema, Target, Time
from opsproof.logs.table import Table

CSV = Schema(
    product="sign-verify",
    match="sign_*.csv",
    time=Time("时间", "%Y-%m-%d %H:%M:%S"),
    columns={
        "操作": Target("operation", values={"解密": "decrypt"}),
        "大小": Target("bytes", unit="kb"),
        "用户": "user",
    },
    encoding="gb18030",
)
LINES = Schema(
    product="sign-verify", match="*.jsonl", time=Time("ts"), columns={"op": "operation", "a.b": "user"},
    format="jsonl", zone="UTC",
)  # fmt: skip


def read(folder: Path, schema: Schema, content: bytes) -> tuple[list[dict[str, str]], Notes]:
    file = folder / "log"
    file.write_bytes(content)
    notes = Notes()
    tables = list(data.read(Log(file, "log", 0, schema=schema), None, notes))
    return [row for table in tables for row in _rows(table)], notes


def _rows(table: Table) -> list[dict[str, str]]:
    names = sorted(table.columns)
    found = [
        {name: table.value(name, row) for name in names if table.value(name, row) is not None}
        for row in range(table.size)
    ]
    for row, fields in enumerate(found):
        fields["at"] = times.text(int(table.times[row]))
        fields["line"] = str(table.record_ids[row])
    return found  # type: ignore[return-value]


def test_columns_units_values_zone_and_encoding_are_as_the_map_says(tmp_path: Path) -> None:
    text = "时间,操作,大小,用户\n2026-01-05 23:30:00,解密,1.5,张三\n"
    (row,), notes = read(tmp_path, CSV, text.encode("gb18030"))
    assert row == {
        "_kind": "data:sign-verify",
        "operation": "decrypt",
        "bytes": "1536",
        "user": "张三",
        "at": "2026-01-05T15:30:00.000000Z",
        "local_hour": "23",
        "local_weekday": "1",
        "line": "2",
    }
    assert notes.damage == []


def test_what_the_map_does_not_cover_is_told(tmp_path: Path) -> None:
    text = "时间,操作,新列\n昨天,解密,x\n2026-01-05 23:30:00,解密,x\n"
    rows, notes = read(tmp_path, CSV, text.encode("gb18030"))
    assert [row["at"] for row in rows] == [None, "2026-01-05T15:30:00.000000Z"]
    assert notes.damage == []
    assert notes.remarks == ["columns that the schema map does not name: 新列"]


def test_values_that_the_map_does_not_name_are_told_with_their_number(tmp_path: Path) -> None:
    words = ["批量解密"] * 3 + ["导出", "解密", "解\u200b密", "decrypt", "\ufeff", ""]
    lines = [f"2026-01-05 23:30:00,{word},x" for word in words]
    schema = structs.replace(CSV, encoding="utf-8")
    rows, notes = read(tmp_path, schema, "\n".join(["时间,操作,用户", *lines, ""]).encode())
    found = [row.get("operation") for row in rows]
    assert found == ["批量解密"] * 3 + ["导出", *["decrypt"] * 3, None, None]
    assert notes.remarks == [
        "values that the schema map does not name in 操作: 批量解密 (3), 导出 (1)"
    ]


def test_few_of_many_values_without_a_name_are_told(tmp_path: Path) -> None:
    lines = [f"2026-01-05 23:30:00,{number:04}{'x' * 99},x" for number in range(1500)]
    text = "\n".join(["时间,操作,用户", *lines, ""])
    _, notes = read(tmp_path, CSV, text.encode("gb18030"))
    (remark,) = notes.remarks
    assert remark.endswith("(1) and 1480 records of other ones")
    assert len(remark) < 2000


@pytest.mark.parametrize(
    ("form", "time"),
    [
        ("iso", "0001-01-01 00:00:00"),
        ("iso", "9999-12-31T23:59:59-12:00"),
        ("%Y-%m-%d", "0001-01-01"),
        ("epoch", "99999999999999999999"),
        ("epoch", "1e999999"),
        ("epoch", "1e999999999"),
        ("epoch-ms", "-1e30"),
        ("epoch", "nan"),
        ("epoch", "-inf"),
    ],
)
def test_times_of_no_year_are_none_and_stop_nothing(tmp_path: Path, form: str, time: str) -> None:
    """.NET writes 0001-01-01 where there is no time."""
    schema = Schema(product="p", match="*", time=Time("t", form), columns={"c": "user"})
    rows, _ = read(tmp_path, schema, f"t,c\n{time},anna\n".encode())
    (row,) = rows
    assert row["user"] == "anna"
    assert row["at"] is None


@pytest.mark.parametrize("size", ["1e999999", "1e999999999", "1e41", "nan", "inf", "x"])
def test_sizes_out_of_all_measure_stay_what_they_are(tmp_path: Path, size: str) -> None:
    text = f"时间,大小\n2026-01-05 23:30:00,{size}\n"
    ((row,), _) = read(tmp_path, CSV, text.encode("gb18030"))
    assert row["bytes"] == size


def test_json_nested_too_deeply_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    deep = '{"a":' * 30_000 + "1" + "}" * 30_000
    rows, notes = read(tmp_path, LINES, f'{deep}\n{{"op":"sign"}}\n'.encode())
    assert [row["operation"] for row in rows] == ["sign"]
    assert notes.damage[0].what == "a line of JSON is nested too deeply"


def test_lines_that_are_none_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    text = '{"ts":"2026-01-05T10:00:00+08:00","op":"sign","a":{"b":"x"}}\n{broken\n[1]\n\n{"op":"sign"}\n'
    rows, notes = read(tmp_path, LINES, text.encode())
    assert [(row["line"], row["at"]) for row in rows] == [
        ("1", "2026-01-05T02:00:00.000000Z"),
        ("5", None),
    ]
    assert rows[0]["user"] == "x"
    assert [(one.record, one.what.split(":")[0]) for one in notes.damage] == [
        (2, "a line is no JSON"),
        (3, "a line is no JSON object"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    schema = Schema(
        product="p", match="*", time=Time("t", "epoch"), columns={"列": "user"}, encoding=encoding
    )
    (row,), _ = read(tmp_path, schema, "t,列\n1767607200,值\n".encode(encoding))
    assert (row["user"], row["at"]) == ("值", "2026-01-05T10:00:00.000000Z")


def test_bytes_that_are_no_text_of_the_encoding_are_told_and_the_row_is_read(
    tmp_path: Path,
) -> None:
    """A log in another encoding than its map says must not pass as one without findings."""
    schema = Schema(product="p", match="*", time=Time("t", "epoch"), columns={"c": "user"})
    written = "t,c\n1767607200,失败\n1767607200,x\n1767607200,张三失败\n"
    rows, notes = read(tmp_path, schema, written.encode("gb18030"))
    assert len(rows) == 3
    assert [(one.record, one.records, one.what) for one in notes.damage] == [
        (2, 0, "a line has bytes that are no utf-8"),
        (4, 0, "a line has bytes that are no utf-8"),
    ]
    assert rows[0]["user"] == "ʧ\ufffd\ufffd"
    # The sign for such bytes may stand in a log itself.
    rows, notes = read(tmp_path, schema, written.replace("x", "x\ufffd").encode())
    assert [row["user"] for row in rows] == ["失败", "x\ufffd", "张三失败"]
    assert notes.damage == []


def test_of_json_lines_too_the_bytes_are_told(tmp_path: Path) -> None:
    rows, notes = read(tmp_path, LINES, '{"op":"失败"}\n{"op":"b"}\n'.encode("gb18030"))
    assert [row["line"] for row in rows] == ["1", "2"]
    assert [(one.record, one.records) for one in notes.damage] == [(1, 0)]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "idna"])
def test_what_cannot_be_decoded_at_all_is_told_and_no_error(tmp_path: Path, encoding: str) -> None:
    """As a file without the mark that UTF-16 begins with."""
    schema = Schema(
        product="p", match="*", time=Time("t", "epoch"), columns={"c": "user"}, encoding=encoding
    )
    rows, notes = read(tmp_path, schema, b"t,c\n1767607200,\xff\n")
    assert rows == []
    [damage] = notes.damage
    assert damage.what.startswith(f"from here on it cannot be read as {encoding}: ")
    assert (damage.record, damage.records) == (1, 1)


def test_ragged_and_broken_csv_is_named(tmp_path: Path) -> None:
    schema = Schema(product="p", match="*", time=Time("t", "epoch-ms"), columns={"c": "user"})
    rows, notes = read(tmp_path, schema, b't,c\n1,a,b\n1767607200000,"x, y"\n2\n\0\n')
    assert [row["user"] for row in rows] == ["x, y"]
    assert [(one.record, one.what) for one in notes.damage] == [
        (2, "a line has 3 values, not 2"),
        (4, "a line has 1 values, not 2"),
    ]


def test_a_row_without_end_is_given_up_and_the_next_one_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "_MOST", 100)
    schema = Schema(product="p", match="*", time=Time("t", "epoch-ms"), columns={"c": "user"})
    endless = b'1767607200000,"' + b'\n","' * 60 + b'"\n'
    content = b"t,c\n1767607200000,a\n" + endless + b"1767607200000,b\n" * 200
    rows, notes = read(tmp_path, schema, content)
    # Where the quotes of the endless one end nobody can tell: it may take some lines with it.
    assert [row["user"] for row in rows].count("b") > 190
    assert any(one.what == "a row is longer than 100 characters" for one in notes.damage)
    assert all((row["line"] == "2") == (row["user"] == "a") for row in rows)


def test_long_rows_make_small_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "_MOST", 1000)
    schema = Schema(product="p", match="*", time=Time("t", "epoch-ms"), columns={"c": "user"})
    (tmp_path / "log").write_bytes(b"t,c\n" + (b"1767607200000," + b"x" * 300 + b"\n") * 20)
    tables = list(data.read(Log(tmp_path / "log", "log", 0, schema=schema), None, Notes()))
    assert [table.size for table in tables] == [4] * 5


def test_line_without_end_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "_LONGEST", 100)
    content = b'{"ts":"2026-01-05","op":"' + b"x" * 1000 + b'"}\n{"ts":"2026-01-05","op":"sign"}\n'
    rows, notes = read(tmp_path, LINES, content)
    assert [row["operation"] for row in rows] == ["sign"]
    assert [(one.record, one.what) for one in notes.damage] == [
        (1, "a line is longer than 100 characters")
    ]
