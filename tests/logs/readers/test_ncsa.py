"""NCSA logs: local time with its zone, requests of any shape."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsproof.logs import times
from opsproof.logs.files import LogFile, identify
from opsproof.logs.model import Kind
from opsproof.logs.readers import ncsa
from opsproof.logs.readers.base import Log, Notes
from opsproof.logs.table import Table

LINE = (
    r"172.21.13.45 - Microsoft\User [08/Apr/2001:17:39:04 -0800] "
    '"GET /scripts/iisadmin/ism.dll?http/serv HTTP/1.0" 200 3401'
)


def read(folder: Path, text: str) -> tuple[Table, Notes]:
    file = folder / "u_nc010408.log"
    file.write_text(text)
    assert identify(LogFile(file.name, file), (), 1 << 20).kind is Kind.NCSA
    notes = Notes()
    (table,) = ncsa.read(Log(file, file.name), None, notes)
    return table, notes


def test_fields_and_time(tmp_path: Path) -> None:
    table, notes = read(tmp_path, f"{LINE}\r\n")
    assert notes.damage == []
    expected = {
        "c-ip": "172.21.13.45",
        "cs-username": r"Microsoft\User",
        "cs-method": "GET",
        "cs-uri-stem": "/scripts/iisadmin/ism.dll",
        "cs-uri-query": "http/serv",
        "cs-version": "HTTP/1.0",
        "sc-status": "200",
        "sc-bytes": "3401",
        "c-uri": "/scripts/iisadmin/ism.dll?http/serv",
    }
    assert {name: table.value(name, 0) for name in expected} == expected
    assert times.text(int(table.times[0])) == "2001-04-09T01:39:04.000000Z"


@pytest.mark.parametrize(
    ("request_line", "method", "stem"),
    [
        ("-", None, None),
        ("GET /", "GET", "/"),
        ("GET /a b?c=d HTTP/1.1", "GET", "/a b"),
        ('GET /"quoted" HTTP/1.1', "GET", '/"quoted"'),
        ("", None, None),
    ],
)
def test_requests_of_any_shape(
    tmp_path: Path, request_line: str, method: str | None, stem: str | None
) -> None:
    line = f'::1 - - [08/Apr/2001:17:39:04 +0800] "{request_line}" 400 -'
    table, notes = read(tmp_path, f"{LINE}\n{line}\n")
    assert notes.damage == []
    assert (table.value("cs-method", 1), table.value("cs-uri-stem", 1)) == (method, stem)
    assert table.value("sc-bytes", 1) is None


def test_combined_lines_name_referrer_and_agent(tmp_path: Path) -> None:
    table, _ = read(tmp_path, f'{LINE} "http://a/" "curl/8" "id=1"\n')
    assert table.value("cs-referer", 0) == "http://a/"
    assert table.value("c-useragent", 0) == "curl/8"
    assert table.value("cs-cookie", 0) == "id=1"


def test_what_is_no_request_is_named(tmp_path: Path) -> None:
    month = LINE.replace("Apr", "Abc")
    table, notes = read(tmp_path, f"{LINE}\nnothing\n{month}\n{LINE[:60]}")
    assert table.size == 2
    assert int(table.times[1]) == times.UNKNOWN
    assert [(one.record, one.what) for one in notes.damage] == [
        (2, "a line is no request"),
        (4, "the last line is unfinished"),
    ]
