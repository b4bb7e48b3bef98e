"""On which days a web site is busy, by the days around."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from opsproof.logs.habits import BUSY, SiteDays, iis_day, named_day, on_weekday, usual

MONDAY = date(2026, 8, 3)


def around(
    day: date, weeks: int, rests: set[date] | None = None, of: int = BUSY
) -> dict[date, int]:
    """As many weeks before a day, up to the day before it, with as many requests on each day."""
    days = (day - timedelta(days=n) for n in range(1, 7 * weeks + 1))
    return {one: of for one in days if one not in (rests or set())}


def judged(day: date, days: dict[date, int]) -> tuple[str, int] | None:
    return on_weekday(day, days, (min(days), day), BUSY)


@pytest.mark.parametrize("weekday", range(7))
def test_after_three_weeks_every_weekday_is_known(weekday: int) -> None:
    day = MONDAY + timedelta(days=weekday)
    assert judged(day, around(day, 3)) is not None
    assert judged(day, around(day, 3, of=BUSY - 1)) is None
    assert judged(day, around(day, 2)) is None


@pytest.mark.parametrize("weekday", range(7))
@pytest.mark.parametrize("weeks", [1, 2, 3, 4, 20])
def test_a_weekday_on_which_nobody_ever_comes_is_not_missing(weekday: int, weeks: int) -> None:
    day = MONDAY + timedelta(days=weekday)
    rests = {day - timedelta(weeks=n) for n in range(weeks + 1)}
    days = around(day, weeks, rests)
    assert judged(day, days) is None
    # In the logs of one week at hand nobody knows better; from the second on the week before tells.
    assert weeks == 1 or usual(day, days, (min(days), day), BUSY) is None


def test_where_there_are_no_three_weeks_days_of_its_sort_tell() -> None:
    wednesday = MONDAY + timedelta(days=2)
    days = {MONDAY + timedelta(days=n): BUSY for n in (0, 1, 3)}
    span = (MONDAY, wednesday + timedelta(days=1))
    assert on_weekday(wednesday, days, span, BUSY) is None
    assert usual(wednesday, days, span, BUSY) == ("the 3 other working days", BUSY)
    assert usual(wednesday, days | {MONDAY: BUSY - 1}, span, BUSY) is None
    sunday = MONDAY + timedelta(days=6)
    assert usual(sunday, days, (MONDAY, sunday), BUSY) is None


def test_one_day_of_rest_in_four_weeks_is_no_habit() -> None:
    holiday = MONDAY - timedelta(weeks=2)
    assert judged(MONDAY, around(MONDAY, 4, {holiday})) == ("3 of the 4 nearest Mondays", BUSY)
    both = {holiday, MONDAY - timedelta(weeks=3)}
    assert judged(MONDAY, around(MONDAY, 4, both)) is None
    # What was long ago is not looked at.
    assert judged(MONDAY, around(MONDAY, 20, {MONDAY - timedelta(weeks=n) for n in (6, 7, 8)}))


def test_days_that_were_removed_together_do_not_hide_each_other() -> None:
    week = {MONDAY + timedelta(days=n) for n in range(7)}
    days = around(MONDAY, 4)
    assert all(judged(day, days) for day in week)


def test_what_is_after_counts_as_what_is_before() -> None:
    days = {MONDAY + timedelta(days=n): 500 for n in range(1, 30)} | {
        MONDAY - timedelta(days=1): 500
    }
    assert usual(MONDAY, days, (min(days), max(days)), BUSY) == ("4 of the 4 nearest Mondays", 500)


def test_of_public_holidays_nothing_follows_from_other_days() -> None:
    national_day = date(2026, 10, 1)
    days = around(national_day, 6)
    assert judged(national_day, days) is None
    week_after = national_day + timedelta(weeks=1)
    assert judged(week_after, days) == ("3 of the 4 nearest Thursdays", BUSY)


def test_the_day_of_a_log_of_iis() -> None:
    assert iis_day("u_ex260803.log") == iis_day("u_in26080307_x.log") == MONDAY
    assert [iis_day(name) for name in ("u_ex2608.log", "a-20260803.log", "u_ex260832.log")] == [
        None
    ] * 3
    assert named_day("a-20260803.log") == (MONDAY, "a-")


@pytest.mark.parametrize(("weeks", "rests"), [(2, False), (3, True), (9, True)])
def test_a_weekday_without_a_log_for_three_weeks_is_one_of_rest(weeks: int, rests: bool) -> None:
    off = {MONDAY - timedelta(weeks=n) for n in range(weeks + 1)}
    days = around(MONDAY, weeks + 5, off, of=1)
    site = SiteDays("f/", MONDAY, MONDAY + timedelta(days=1), days)
    assert site.rests() == ({MONDAY} if rests else set())
    # Somebody came on one of the last four: two more weeks of rest are no habit.
    mixed = SiteDays("f/", site.begin, site.end, days | {MONDAY - timedelta(weeks=2): 1})
    assert mixed.rests() == ({MONDAY} if weeks > 3 else set())


def test_days_before_the_first_log_are_not_judged() -> None:
    week = MONDAY + timedelta(weeks=1)
    one = SiteDays("f/", MONDAY, week, {MONDAY + timedelta(days=4): 1})
    assert one.judged() == (week - timedelta(days=2), week - timedelta(days=1))
    assert SiteDays("f/", MONDAY, week).judged() == ()
    assert SiteDays("f/", MONDAY, week).rests() == frozenset()
    assert SiteDays("f/", MONDAY, MONDAY, {MONDAY - timedelta(days=9): 1}).judged() == ()
