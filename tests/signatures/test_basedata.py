"""Base data is read as it is; a row that is not right is named with file and line."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import openpyxl
import pytest
import sqlalchemy as sa

from opsproof.errors import ExitCode
from opsproof.signatures import basedata, simulate
from opsproof.signatures.basedata import BadRow, Delivered
from opsproof.signatures.errors import DeliveryError, SourceError
from opsproof.signatures.keyform import KeyForm
from opsproof.signatures.model import key_text
from opsproof.signatures.profile import Profile
from opsproof.signatures.workbook import Workbook

HEADER = "id,ticket,name,subject,score,held,note,signature,certificate,signed_at"
GOOD = "1,202600000001,王伟,语文,91.5,2026-06-07,,QQ==,5A01,2026-06-08 10:00:00"
WANTED = (1, "202600000001", "王伟", "语文", Decimal("91.5"), date(2026, 6, 7), "")


def profile() -> Profile:
    document = simulate.profile_document("rsa", "raw", "base64", "international")
    return msgspec.convert(document, Profile)


FORM = KeyForm(profile(), {"id": sa.BigInteger()})


def read(path: Path, **options: str) -> list[Delivered | BadRow]:
    return list(basedata.read(path, profile(), **options))


def csv_of(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = folder / "base.csv"
    path.write_bytes("\n".join([HEADER, *lines]).encode(encoding))
    return path


def test_csv(tmp_path: Path) -> None:
    [row] = read(csv_of(tmp_path, GOOD))
    assert isinstance(row, Delivered)
    assert row.where == "base.csv:2"
    assert row.key == (1,)
    assert row.record.values == WANTED
    assert (row.record.signature, row.record.reference) == ("QQ==", "5A01")


def test_csv_in_a_chinese_code_page(tmp_path: Path) -> None:
    path = csv_of(tmp_path, GOOD, encoding="gb18030")
    [row] = read(path, encoding="gb18030")
    assert isinstance(row, Delivered)
    assert row.record.values == WANTED
    with pytest.raises(SourceError, match=r"utf-8-sig"):
        read(path)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("x,2,a,b,91.5,2026-06-07,,,,", "id is not of type integer"),
        (",2,a,b,91.5,2026-06-07,,,,", "the key id is empty"),
        ("2,2,a,b,91.55,2026-06-07,,,,", "score is not of type decimal"),
        ("2,2,a,b,91.5,07.06.2026,,,,", "held is not of type date"),
        ("2,2,a", "has 3 cells instead of 10"),
        ('2,2,a,b,"\'; DROP TABLE x --",2026-06-07,,,,', "score is not of type decimal"),
    ],
)
def test_bad_rows_are_named_and_their_values_not_shown(
    line: str, what: str, tmp_path: Path
) -> None:
    rows = read(csv_of(tmp_path, GOOD, line))
    assert rows[1] == BadRow("base.csv:3", what)


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "base.jsonl"
    names = HEADER.split(",")[:7]
    fields = dict(
        zip(names, [1, "202600000001", "王伟", "语文", 91.5, "2026-06-07", ""], strict=True)
    )
    lines = [json.dumps(fields), "[1]", '{"id":1,"id":2}', "{", json.dumps({"id": 3})]
    path.write_text("\n".join(lines), encoding="utf-8")
    rows = read(path)
    assert isinstance(rows[0], Delivered)
    assert rows[0].record.values == WANTED
    assert rows[1:] == [
        BadRow("base.jsonl:2", "is not one JSON object"),
        BadRow("base.jsonl:3", "is not one JSON object"),
        BadRow("base.jsonl:4", "is not one JSON object"),
        BadRow("base.jsonl:5", "there is no column 'ticket'"),
    ]


def test_xlsx(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(HEADER.split(","))
    sheet.append(
        [1, "202600000001", "王伟", "语文", 91.5, date(2026, 6, 7), "", "QQ==", None, None]
    )
    sheet.append([2, 202600000002, "王伟", "语文", 91.5, date(2026, 6, 7), "", None, None, None])
    book.save(tmp_path / "base.xlsx")
    rows = read(tmp_path / "base.xlsx")
    assert isinstance(rows[0], Delivered)
    assert rows[0].record.values == WANTED
    assert rows[1] == BadRow("base.xlsx:3", "ticket is not of type text")


def test_query(tmp_path: Path) -> None:
    from opsproof.signatures.database import make_engine

    url = f"sqlite:///{tmp_path / 'b.db'}"
    engine = make_engine(url)
    with engine.connect() as connection:
        connection.exec_driver_sql("create table b(id integer, n text, score text)")
        connection.exec_driver_sql("insert into b values (1, '王伟', '91.5')")
    engine.dispose()
    statement = (
        "select id, '202600000001' ticket, n name, '语文' subject, score,"
        " '2026-06-07' held, '' note from b where ':id' like '%:%'"
    )
    [row] = basedata.query(url, statement, profile())
    assert isinstance(row, Delivered)
    assert row.record.values == WANTED


def test_a_key_that_comes_twice_stands_for_no_record(tmp_path: Path) -> None:
    other = GOOD.replace("91.5", "92.5")
    workbook = Workbook(tmp_path / "w.db", fresh=True)
    workbook.add_base(read(csv_of(tmp_path, GOOD, other)), FORM)
    assert workbook.base([key_text((1,))]) == {}
    assert list(workbook.bad_rows()) == [
        BadRow("base.csv:3", "has the key of base.csv:2: neither is taken")
    ]
    workbook.close()


def test_a_row_over_several_lines_is_named_by_its_first_and_blank_lines_are_none(
    tmp_path: Path,
) -> None:
    quoted = GOOD.replace("QQ==", '"Q\n\nQ=="')
    rows = read(csv_of(tmp_path, GOOD, quoted, f"{GOOD},one cell more", "", ""))
    assert [row.where for row in rows] == ["base.csv:2", "base.csv:3", "base.csv:6"]
    assert isinstance(rows[2], BadRow)


def test_a_sheet_with_a_column_twice_is_refused(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["id", "id"])
    book.save(tmp_path / "base.xlsx")
    with pytest.raises(SourceError, match="a column name is there twice"):
        list(read(tmp_path / "base.xlsx"))


def _sheet(folder: Path, *rows: list[object], merge: str | None = None) -> list[Delivered | BadRow]:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(HEADER.split(","))
    for row in rows:
        sheet.append(row)
    if merge is not None:
        sheet.merge_cells(merge)
    book.save(folder / "base.xlsx")
    return read(folder / "base.xlsx")


def _cells(**changes: object) -> list[object]:
    good: list[object] = [1, "202600000001", "王伟", "语文", 91.5, date(2026, 6, 7), "", "QQ=="]
    return list(
        (dict(zip(HEADER.split(","), [*good, "5A01", None], strict=True)) | changes).values()
    )


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("ticket", '="20260000000"&"1"', "ticket is a formula: deliver its value"),
        ("score", "=90+1.5", "score is a formula: deliver its value"),
        ("signature", "=A1", "signature is a formula: deliver its value"),
        ("note", "#N/A", "note is an error value"),
        ("id", 1234567890123456, "id is a number of more than 15 digits, which a sheet does"),
        ("note", date(2026, 1, 1), "note is not of type text"),
        ("signature", 12345, "signature is not of type text"),
        ("certificate", 5.5, "certificate is not of type text"),
        ("signed_at", "8 June", "signed_at is no time"),
    ],
)
def test_a_sheets_cells_are_never_guessed(
    column: str, value: object, what: str, tmp_path: Path
) -> None:
    good, bad = _sheet(tmp_path, _cells(), _cells(**{column: value}))
    assert isinstance(good, Delivered)
    assert isinstance(bad, BadRow)
    assert bad.where == "base.xlsx:3"
    assert bad.what.startswith(what)


def test_rows_with_merged_cells_are_named(tmp_path: Path) -> None:
    rows = _sheet(tmp_path, _cells(), _cells(id=2), _cells(id=3), merge="C3:C4")
    assert isinstance(rows[0], Delivered)
    assert rows[1:] == [
        BadRow("base.xlsx:3", "has merged cells"),
        BadRow("base.xlsx:4", "has merged cells"),
    ]


def test_a_formula_in_a_column_that_nobody_reads_is_no_fault(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append([*HEADER.split(","), "remark"])
    sheet.append([*_cells(), "=A2"])
    sheet["N1"].number_format = "0.00"  # a cell that has a format and nothing in it
    book.save(tmp_path / "base.xlsx")
    assert isinstance(read(tmp_path / "base.xlsx")[0], Delivered)


def test_a_signature_that_is_no_text_is_a_bad_row(tmp_path: Path) -> None:
    fields = dict(zip(HEADER.split(","), GOOD.split(","), strict=True)) | {"signature": [1]}
    path = tmp_path / "base.jsonl"
    path.write_text(json.dumps(fields), encoding="utf-8")
    assert read(path) == [BadRow("base.jsonl:1", "signature is not of type text")]


LACKING = "there is no column 'name', 'held'"


def lacking(folder: Path, suffix: str) -> Path:
    """Base data of two rows whose columns are all there but two."""
    names = [name for name in HEADER.split(",") if name not in ("name", "held")]
    cells = dict(zip(HEADER.split(","), GOOD.split(","), strict=True))
    rows = [[cells[name] for name in names]] * 2
    path = folder / f"base{suffix}"
    if suffix == ".csv":
        path.write_text("\n".join(",".join(one) for one in (names, *rows)), encoding="utf-8")
    elif suffix == ".jsonl":
        lines = [json.dumps(dict(zip(names, row, strict=True))) for row in rows]
        path.write_text("\n".join(lines), encoding="utf-8")
    else:
        book = openpyxl.Workbook()
        for row in (names, *rows):
            book.active.append(row)
        book.save(path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".xlsx"])
def test_a_column_that_is_not_there_at_all_is_one_error(suffix: str, tmp_path: Path) -> None:
    path = lacking(tmp_path, suffix)
    rows: list[Delivered | BadRow] = []
    with pytest.raises(DeliveryError) as caught:
        rows.extend(basedata.read(path, profile()))
    error = caught.value
    assert error.exit_code == ExitCode.USAGE
    assert error.what == LACKING
    assert error.where.startswith(str(path))
    assert error.remedy.startswith("its columns are ")
    assert all(repr(name) in error.remedy for name in ("id", "ticket", "subject", "note"))
    assert "202600000001" not in str(error)


def test_a_header_alone_is_looked_at_and_no_header_is_none(tmp_path: Path) -> None:
    path = tmp_path / "base.csv"
    path.write_text(HEADER)
    assert read(path) == []
    path.write_text("id,ticket")
    with pytest.raises(DeliveryError, match="there is no column 'name', 'subject'"):
        read(path)
    path.write_text("")
    with pytest.raises(DeliveryError, match="is empty"):
        read(path)
    with pytest.raises(DeliveryError, match="there is no code page 'gbx'"):
        read(path, encoding="gbx")


def test_a_query_that_lacks_a_column_is_one_error(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'b.db'}"
    (tmp_path / "b.db").touch()
    with pytest.raises(DeliveryError, match="the query for base data: there is no column 'ticket'"):
        list(basedata.query(url, "select 1 id", profile()))
    with pytest.raises(DeliveryError, match="the query for base data: is no SELECT"):
        list(basedata.query(url, "pragma foreign_keys=1", profile()))


def book_of(folder: Path, *sheets: str, filled: tuple[str, ...]) -> Path:
    """A workbook; each filled sheet has one row, whose note is the sheet's name."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title in sheets:
        sheet = book.create_sheet(title)
        if title in filled:
            sheet.append(HEADER.split(","))
            sheet.append(_cells(note=title))
    book.save(folder / "base.xlsx")
    return folder / "base.xlsx"


def note_of(row: Delivered | BadRow) -> object:
    assert isinstance(row, Delivered)
    return row.record.values[-1]


def test_of_several_sheets_one_must_be_named(tmp_path: Path) -> None:
    path = book_of(tmp_path, "说明", "成绩", "Sheet3", filled=("说明", "成绩"))
    with pytest.raises(DeliveryError) as caught:
        read(path)
    assert caught.value.what == "has 2 sheets with content"
    assert "'说明', '成绩', 'Sheet3'" in caught.value.remedy
    [row] = read(path, sheet="成绩")
    assert note_of(row) == "成绩"
    with pytest.raises(DeliveryError, match="there is no sheet '成績'"):
        read(path, sheet="成績")
    with pytest.raises(DeliveryError, match="there is no column 'id'"):
        read(path, sheet="Sheet3")


def test_the_profile_can_name_the_sheet_and_empty_ones_do_not_count(tmp_path: Path) -> None:
    path = book_of(tmp_path, "一", "二", filled=("一", "二"))
    base = msgspec.structs.replace(profile().base, sheet="二")
    [row] = basedata.read(path, msgspec.structs.replace(profile(), base=base))
    assert note_of(row) == "二"
    path = book_of(tmp_path, "Sheet1", "Sheet2", "Sheet3", filled=("Sheet2",))
    [row] = read(path)
    assert note_of(row) == "Sheet2"
    with pytest.raises(DeliveryError, match="is empty"):
        read(book_of(tmp_path, "Sheet1", "Sheet2", filled=()))
