from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsproof.policy.auditcsv import AuditLine, machine_line, parse, serialise
from opsproof.policy.damage import DamagedError

LOGON = "{0cce9215-69ae-11d9-bed3-505054503030}"
HEADS = {
    "en": "Machine Name,Policy Target,Subcategory,Subcategory GUID,"
    "Inclusion Setting,Exclusion Setting,Setting Value",
    "zh": "计算机名称,策略目标,子类别,子类别 GUID,包含设置,排除设置,设置值",
    "de": "Computername,Richtlinienziel,Unterkategorie,Unterkategorie-GUID,Aufnahmeeinstellung,"
    "Ausschlusseinstellung,Einstellungswert",
}
ROWS = {
    "en": f"HOST,System,Logon,{LOGON},Success and Failure,,3",
    "zh": f"HOST,系统,登录,{LOGON},成功和失败,,3",
    "de": f'HOST,System,"Anmelden, interaktiv",{LOGON.upper()},Erfolg und Fehler,,3',
}


@pytest.mark.parametrize(
    ("language", "code_page"), [("en", "ascii"), ("zh", "gbk"), ("zh", "utf-8"), ("de", "cp1252")]
)
def test_columns_are_read_by_position_in_any_language(language: str, code_page: str) -> None:
    data = f"{HEADS[language]}\r\n{ROWS[language]}\r\n".encode(code_page)
    [line] = parse(data, name="audit.csv", code_page=code_page)
    assert (line.guid, line.flags, line.machine_wide) == (LOGON, 3, True)


def test_lines_of_users_and_options_are_kept_and_told_apart() -> None:
    user, option = parse(
        f"{HEADS['en']}\r\nHOST,S-1-5-21-1-2-3-1001,Logon,{LOGON},Success,,1\r\n"
        "HOST,,Option:CrashOnAuditFail,,Disabled,,0\r\n".encode(),
        name="audit.csv",
    )
    assert (user.machine_wide, option.machine_wide) == (False, False)
    assert option.subcategory == "Option:CrashOnAuditFail"


def test_a_mark_of_utf_16_is_honoured() -> None:
    data = b"\xff\xfe" + f"{HEADS['zh']}\r\n{ROWS['zh']}\r\n\r\n".encode("utf-16-le")
    assert parse(data, name="a")[0].subcategory == "登录"


@given(
    st.lists(
        st.builds(
            AuditLine,
            st.text("abc", max_size=3),
            st.sampled_from(["System", "", "S-1-5-21-1-2-3-4"]),
            st.text('ab,"系统 ', max_size=8),
            st.sampled_from([LOGON, "{0cce9216-69ae-11d9-bed3-505054503030}"]),
            st.text("xy, ", max_size=4),
            st.text("xy", max_size=2),
            st.integers(0, 255).map(str),
        )
    )
)
def test_what_is_written_reads_back_the_same(lines: list[AuditLine]) -> None:
    assert parse(serialise(lines), name="audit.csv") == tuple(lines)


def test_a_machine_line_says_what_auditpol_takes() -> None:
    assert serialise(
        [machine_line(LOGON.upper(), 1, subcategory="Logon")]
    ).decode().splitlines() == [
        HEADS["en"],
        f",System,Logon,{LOGON},Success,,1",
    ]


@pytest.mark.parametrize(
    ("body", "offset", "what"),
    [
        ("a,b\r\n", 0, "the heading has not seven columns"),
        ("", 0, "is empty"),
        (HEADS["en"] + "\r\n,System,x\r\n", 107, "a line has 3 columns, not seven"),
        (HEADS["en"] + "\r\n,System,x,{nix},,,3\r\n", 107, "'{nix}' is no GUID"),
        (HEADS["en"] + f"\r\n,System,x,{LOGON},,,both\r\n", 107, "'both' is no setting"),
        (
            HEADS["en"] + f'\r\n,System,"x,{LOGON},,,3\r\n',
            107,
            "a line is not CSV: unexpected end of data",
        ),
    ],
)
def test_damaged_files_are_refused_with_file_and_offset(body: str, offset: int, what: str) -> None:
    with pytest.raises(DamagedError) as caught:
        parse(body.encode(), name="audit.csv")
    assert (caught.value.what, caught.value.offset) == (what, offset)


def test_bytes_of_another_code_page_are_refused() -> None:
    with pytest.raises(DamagedError, match="is not utf-8 text"):
        parse(HEADS["zh"].encode("gbk"), name="audit.csv")
