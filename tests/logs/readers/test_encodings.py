"""Web logs in other encodings than UTF-8: copies saved by Notepad, and Chinese Windows' code page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from opsproof.logs.audit import Options, audit
from opsproof.logs.model import AuditReport
from opsproof.logs.rules.load import compile_texts

RULES = compile_texts(
    [
        (
            "a.yml",
            b"title: Admin\nid: 6f1f3c0e-0000-4000-8000-00000000000a\n"
            b"logsource: {category: webserver}\n"
            b"detection: {s: {cs-uri-stem|startswith: /admin}, condition: s}\n",
        )
    ]
)
W3C = (
    "#Software: Microsoft Internet Information Services 10.0\r\n"
    "#Fields: date time c-ip cs-method cs-uri-stem sc-status\r\n"
    "2026-01-05 10:00:00 203.0.113.9 GET /admin/考试 200\r\n"
    "2026-01-05 10:00:01 203.0.113.9 GET\r\n"
    "2026-01-05 10:00:02 203.0.113.9 GET /admin/😀 200\r\n"
)
NCSA = '203.0.113.9 - - [05/Jan/2026:10:00:00 +0000] "GET /admin/考试 HTTP/1.1" 200 5\r\n'
NATIVE = "203.0.113.9, -, 1/5/2026, 10:00:00, W3SVC1, A, 10.0.0.1, 5, 6, 7, 200, 0, GET, /admin/考试, -,\r\n"
UTF_16 = ("utf-16-le", "utf-16-be")


def marked(text: str, encoding: str) -> bytes:
    return ("\ufeff" + text).encode(encoding)


def audited(folder: Path, content: bytes, name: str = "u_ex260105.log") -> AuditReport:
    file = folder / name
    file.write_bytes(content)
    return audit([file], RULES, options=Options(processes=1, part_bytes=1 << 16))


def stems(report: AuditReport) -> list[str]:
    return [hit.fields["cs-uri-stem"] for hit in report.hits]


@pytest.mark.parametrize("encoding", UTF_16)
@pytest.mark.parametrize("text", [NCSA, NATIVE], ids=["ncsa", "native"])
def test_other_logs_in_utf_16_are_read(tmp_path: Path, text: str, encoding: str) -> None:
    report = audited(tmp_path, marked(text, encoding))
    assert (stems(report), report.unreadable) == (["/admin/考试"], ())


@pytest.mark.parametrize("encoding", UTF_16)
def test_a_w3c_log_in_utf_16_is_read_and_damage_has_its_line(tmp_path: Path, encoding: str) -> None:
    content = marked(W3C, encoding)
    report = audited(tmp_path, content)
    assert stems(report) == ["/admin/考试", "/admin/😀"]
    [source] = report.sources
    assert (source.kind, source.bytes, source.records) == ("w3c", len(content), 2)
    # An offset into text that is nowhere would lead astray.
    assert [(one.offset, one.record) for one in report.unreadable] == [(None, 4)]


def test_a_large_log_in_utf_16_is_the_same_as_in_utf_8(tmp_path: Path) -> None:
    head, _, rest = W3C.partition("2026")
    lines = [f"2026-01-05 10:00:00 203.0.113.9 GET /admin/{n}考 200\r\n" for n in range(9000)]
    text = head + "".join(lines)
    assert rest
    plain = audited(tmp_path, text.encode())
    other = audited(tmp_path, marked(text, "utf-16-le"))
    assert (stems(other), other.counts.hits) == (stems(plain), 9000)
    assert [hit.record_id for hit in other.hits] == [hit.record_id for hit in plain.hits]


def cut_short() -> Iterator[bytes]:
    whole = marked(W3C, "utf-16-le")
    yield whole[:-1]
    yield whole[: whole.index("考".encode("utf-16-le")) + 1]
    yield whole.replace("考".encode("utf-16-le"), b"\x00\xd8")
    yield whole + b"\0" * 300


@pytest.mark.parametrize("content", [*cut_short()], ids=["odd", "inside", "surrogate", "padded"])
def test_damaged_utf_16_hides_nothing_else(tmp_path: Path, content: bytes) -> None:
    report = audited(tmp_path, content)
    assert report.counts.files == 1
    assert report.unreadable
    assert report.counts.records + report.counts.unreadable >= 1


def test_what_is_no_utf_16_has_its_line_and_the_request_is_audited(tmp_path: Path) -> None:
    good = "2026-01-05 10:00:00 203.0.113.9 GET /admin/x 200\r\n"
    # Over many blocks.
    text = W3C.replace("考", "\ud800") + good * 30_000 + good.replace("x", "\udc00\udc00")
    report = audited(tmp_path, ("\ufeff" + text).encode("utf-16-le", "surrogatepass"))
    assert [(one.record, one.records, one.what) for one in report.unreadable] == [
        (4, 1, "a line has 4 values, not 6"),
        (3, 0, "a line has bytes that are no UTF-16"),
        (30_006, 0, "a line has bytes that are no UTF-16"),
    ]
    assert (report.counts.records, report.counts.unreadable) == (30_003, 1)
    assert stems(report)[0] == "/admin/\ufffd试"


def test_the_code_page_of_chinese_windows_is_read(tmp_path: Path) -> None:
    """IIS writes it where its logs are set to ANSI."""
    text = W3C.replace("😀", "成绩")
    report = audited(tmp_path, text.encode("gb18030"), "ex260105.log")
    assert stems(report) == ["/admin/考试", "/admin/成绩"]


def test_western_text_keeps_its_bytes(tmp_path: Path) -> None:
    report = audited(tmp_path, W3C.replace("考试", "été").replace("😀", "x").encode("latin-1"))
    assert stems(report) == ["/admin/été", "/admin/x"]
