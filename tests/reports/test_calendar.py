from __future__ import annotations

from datetime import date, timedelta

import chinese_calendar
import pytest

from opsproof.reports.calendar import DayKind, calendar_day


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        (date(2026, 11, 20), DayKind.WORKDAY),
        (date(2026, 11, 22), DayKind.WEEKEND),
        (date(2026, 10, 1), DayKind.HOLIDAY),
        (date(2026, 10, 10), DayKind.MAKEUP),
    ],
)
def test_a_day_is_what_the_notice_says(day: date, kind: DayKind) -> None:
    judged = calendar_day(day)
    assert (judged.kind, judged.provisional, judged.source) == (
        kind,
        False,
        "国办发明电〔2025〕7号",
    )


def test_a_holiday_has_its_name_in_both_languages() -> None:
    assert calendar_day(date(2026, 10, 1)).name == {"zh-CN": "国庆节", "en": "National Day"}


def test_a_year_without_a_notice_is_provisional() -> None:
    judged = calendar_day(date(2027, 10, 1))
    assert (judged.kind, judged.provisional, judged.source) == (DayKind.WORKDAY, True, "")


def test_every_day_of_2026_agrees_with_an_independent_calendar() -> None:
    days = [date(2026, 1, 1) + timedelta(n) for n in range(365)]
    rest = {day for day in days if calendar_day(day).kind in (DayKind.HOLIDAY, DayKind.WEEKEND)}
    assert rest == {day for day in days if not chinese_calendar.is_workday(day)}
