"""IIS native logs: commas, local time, and a target that may hold commas itself."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from opsproof.logs import times
from opsproof.logs.readers import iis_native
from opsproof.logs.readers.base import Log, Notes

LINE = (
    "192.168.114.201, -, 03/20/01, 7:55:20, W3SVC2, SALES1, 172.21.13.45, 4502, 163, 3223, "
    "200, 0, GET, /DeptLogo.gif, -,"
)


def test_fields_and_local_time(tmp_path: Path) -> None:
    file = tmp_path / "in010320.log"
    file.write_text(f"{LINE}\r\n{LINE.replace('/DeptLogo.gif', '/a,b')}\r\n")
    assert iis_native.is_native(file.read_bytes())
    notes = Notes()
    log = Log(file, file.name, 0, ZoneInfo("Asia/Shanghai"))
    (table,) = iis_native.read(log, None, notes)
    assert notes.damage == []
    assert table.value("cs-uri-stem", 0) == "/DeptLogo.gif"
    assert table.value("cs-uri-stem", 1) == "/a,b"
    assert (table.value("sc-status", 0), table.value("sc-status-full", 0)) == ("200", None)
    assert table.value("cs-username", 0) is None
    assert table.place(0).channel == "W3SVC2"
    assert table.place(0).computer == "SALES1"
    assert times.text(int(table.times[0])) == "2001-03-19T23:55:20.000000Z"
    assert table.fields(0)["cs-bytes"] == "163"


@pytest.mark.parametrize(
    ("stem", "query"),
    [("/a", "id=1+union+select+1,2,3--"), ("/a,b", "x=,"), ("/,", ",,"), ("/a", "f(x,+y)")],
)
def test_commas_stay_in_the_value_they_stand_in(tmp_path: Path, stem: str, query: str) -> None:
    file = tmp_path / "in010320.log"
    file.write_text(f"{LINE.replace('/DeptLogo.gif, -,', f'{stem}, {query},')}\r\n")
    notes = Notes()
    (table,) = iis_native.read(Log(file, file.name, 0), None, notes)
    assert notes.damage == []
    assert (table.value("cs-uri-stem", 0), table.value("cs-uri-query", 0)) == (stem, query)


def test_what_is_no_request_is_named(tmp_path: Path) -> None:
    file = tmp_path / "in010320.log"
    file.write_text(f"{LINE}\nnothing\n{LINE[:40]}")
    notes = Notes()
    tables = list(iis_native.read(Log(file, file.name, 0), None, notes))
    assert sum(table.size for table in tables) == 1
    assert [(one.record, one.what) for one in notes.damage] == [
        (2, "a line is no request"),
        (3, "the last line is unfinished"),
    ]
