"""Shorthands that the tests of the sheet share."""

from __future__ import annotations

from opsproof.reports.daily import daily_sheet
from opsproof.reports.model import DailySheet, Group, Row
from opsproof.reports.sources import Day

TEMPLATE = "t" * 64


def sheet_of(day: Day) -> DailySheet:
    return daily_sheet(day, template_sha256=TEMPLATE)


def rows_of(sheet: DailySheet, group: Group | None = None) -> list[Row]:
    return [row for block in sheet.groups if group in (None, block.group) for row in block.rows]


def states_of(sheet: DailySheet, host: str) -> dict[str, str]:
    """Control to state of the printed rows of a host."""
    return {row.control: row.state.value for row in rows_of(sheet) if row.host == host}
