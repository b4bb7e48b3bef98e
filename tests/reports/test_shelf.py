from __future__ import annotations

from pathlib import Path

import pytest
from tests.reports.estate import day_of, in_memory, lab, troubled

from opsproof.reports.daily import daily_sheet
from opsproof.reports.model import DailySheet
from opsproof.reports.shelf import Shelf, data_of
from opsproof.reports.sources import Day


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "daily")


def issue(shelf: Shelf, day: Day) -> DailySheet:
    sheet = shelf.issue(lambda revision: daily_sheet(day, template_sha256="t", revision=revision))
    shelf.put(sheet, {"en": f"page of {sheet.id}"})
    return sheet


def test_the_same_sheet_again_keeps_its_number(shelf: Shelf) -> None:
    day = day_of(in_memory(lab()))
    assert [issue(shelf, day).id for _ in range(3)] == ["RPT-D-20261122"] * 3


def test_a_changed_sheet_gets_the_next_revision_and_overwrites_nothing(shelf: Shelf) -> None:
    first = issue(shelf, day_of(in_memory(lab())))
    second = issue(shelf, day_of(in_memory(troubled())))
    assert (first.id, second.id) == ("RPT-D-20261122", "RPT-D-20261122-r1")
    assert (shelf.folder / "RPT-D-20261122.json").read_bytes() == data_of(first)
    assert issue(shelf, day_of(in_memory(troubled()))).id == "RPT-D-20261122-r1"


def test_a_number_that_was_superseded_is_never_used_again(shelf: Shelf) -> None:
    quiet = day_of(in_memory(lab()))
    issue(shelf, quiet)
    issue(shelf, day_of(in_memory(troubled())))
    assert issue(shelf, quiet).id == "RPT-D-20261122-r2"


def test_the_report_before_is_the_last_issue_of_an_earlier_day(shelf: Shelf) -> None:
    shelf.folder.mkdir()
    for name in ("RPT-D-20261120", "RPT-D-20261120-r2", "RPT-D-20261120-r10", "RPT-D-20261123"):
        (shelf.folder / f"{name}.json").write_text("{}")
    (shelf.folder / "notes.json").write_text("{}")
    assert shelf.before("RPT-D-20261122") == "RPT-D-20261120-r10"
    assert shelf.before("RPT-D-20261120") == ""


def test_no_partial_file_is_left(shelf: Shelf) -> None:
    issue(shelf, day_of(in_memory(lab())))
    names = sorted(path.name for path in shelf.folder.iterdir())
    assert names == ["RPT-D-20261122.en.html", "RPT-D-20261122.json"]


def test_addresses_are_relative_and_quoted(tmp_path: Path) -> None:
    assert Shelf(tmp_path / "daily").address_of(tmp_path / "my runs") == "../my%20runs"
