from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsproof.errors import UsageError
from opsproof.run.schedule import Every, Item, PastRun, due, load, occurrences

SHANGHAI = ZoneInfo("Asia/Shanghai")
DAILY = Item(
    id="daily",
    playbook="daily",
    every=Every.DAILY,
    at="08:30",
    tolerance="2h",
    since=date(2026, 11, 1),
)
WEEKLY = Item(
    id="weekly", playbook="weekly", every=Every.WEEKLY, day="wednesday", at="09:00", tolerance="1d",
    since=date(2026, 11, 1),
)  # fmt: skip


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def ran(text: str, playbook: str = "daily", *, full: bool = True) -> PastRun:
    return PastRun(f"run-{text}", playbook, local(text).astimezone(UTC), full)


def missed(runs: list[PastRun], since: str, now: str, item: Item = DAILY) -> list[str]:
    found = due([item], runs, SHANGHAI, local(since), local(now))
    return [one.name for one in found if one.done_by is None]


def test_a_day_without_a_run_is_missed_once_its_deadline_has_passed() -> None:
    assert missed([], "2026-11-10T12:00", "2026-11-11T10:30") == ["daily@2026-11-11"]
    assert missed([], "2026-11-10T12:00", "2026-11-11T10:29") == []


def test_a_run_before_the_due_time_of_the_same_day_satisfies() -> None:
    assert missed([ran("2026-11-11T00:00")], "2026-11-10T12:00", "2026-11-11T23:00") == []


def test_a_run_exactly_at_the_deadline_satisfies_and_a_later_one_is_named_as_late() -> None:
    assert missed([ran("2026-11-11T10:30")], "2026-11-10T12:00", "2026-11-11T23:00") == []
    [late] = due(
        [DAILY], [ran("2026-11-11T10:31")], SHANGHAI, local("2026-11-10T12:00"), local("2026-11-11T23:00")
    )  # fmt: skip
    assert late.done_by is None
    assert late.reason == (
        "run-2026-11-11T10:31 started 2026-11-11T02:31:00Z, after 2026-11-11T02:30:00Z"
    )


def test_a_day_is_cut_at_local_midnight_not_at_that_of_utc() -> None:
    # 23:30 of the 10th in Shanghai is 15:30Z of the 10th; 00:30 of the 11th is 16:30Z of the 10th.
    assert missed([ran("2026-11-10T23:30")], "2026-11-10T12:00", "2026-11-11T12:00") == [
        "daily@2026-11-11"
    ]
    assert missed([ran("2026-11-11T00:30")], "2026-11-10T12:00", "2026-11-11T12:00") == []


def test_a_partial_run_and_a_run_of_another_playbook_satisfy_nothing() -> None:
    runs = [ran("2026-11-11T08:00", full=False), ran("2026-11-11T08:00", "weekly")]
    assert missed(runs, "2026-11-10T12:00", "2026-11-11T12:00") == ["daily@2026-11-11"]


def test_the_reason_names_playbook_and_deadline() -> None:
    [one] = due([DAILY], [], SHANGHAI, local("2026-11-10T12:00"), local("2026-11-11T12:00"))
    assert one.reason == "no full run of daily by 2026-11-11T02:30:00Z"


def test_nothing_is_due_before_the_first_day() -> None:
    found = due([DAILY], [], SHANGHAI, None, local("2026-11-03T00:00"))
    assert [one.name for one in found] == ["daily@2026-11-01", "daily@2026-11-02"]


def test_an_open_occurrence_is_told_as_soon_as_it_is_satisfied() -> None:
    runs = [ran("2026-11-11T08:00")]
    [one] = due([DAILY], runs, SHANGHAI, local("2026-11-10T12:00"), local("2026-11-11T08:10"))
    assert one.done_by == "run-2026-11-11T08:00"


def test_a_week_runs_from_monday_and_the_tolerance_may_reach_into_the_next_day() -> None:
    assert missed([], "2026-11-09T00:00", "2026-11-12T08:59", WEEKLY) == []
    assert missed([], "2026-11-09T00:00", "2026-11-12T09:00", WEEKLY) == ["weekly@2026-11-11"]
    monday = [ran("2026-11-09T01:00", "weekly")]
    assert missed(monday, "2026-11-09T00:00", "2026-11-15T23:00", WEEKLY) == []
    sunday_before = [ran("2026-11-08T23:00", "weekly")]
    assert missed(sunday_before, "2026-11-09T00:00", "2026-11-15T23:00", WEEKLY) == [
        "weekly@2026-11-11"
    ]


def test_a_day_that_a_month_lacks_falls_on_its_last_day() -> None:
    item = Item(
        id="m", playbook="monthly", every=Every.MONTHLY, day=31, at="09:00", tolerance="1d",
        since=date(2027, 1, 1),
    )  # fmt: skip
    found = due([item], [], SHANGHAI, None, local("2027-05-02T00:00"))
    assert [one.name for one in found] == [
        "m@2027-01-31",
        "m@2027-02-28",
        "m@2027-03-31",
        "m@2027-04-30",
    ]


def test_a_yearly_item_on_a_leap_day_is_due_every_year() -> None:
    item = Item(
        id="y", playbook="yearly", every=Every.YEARLY, day="02-29", at="09:00", tolerance="1d",
        since=date(2027, 1, 1),
    )  # fmt: skip
    found = due([item], [], SHANGHAI, None, local("2028-12-31T00:00"))
    assert [one.name for one in found] == ["y@2027-02-28", "y@2028-02-29"]


def test_the_deadline_never_leaves_the_period() -> None:
    item = Item(
        id="d",
        playbook="daily",
        every=Every.DAILY,
        at="23:00",
        tolerance="6h",
        since=date(2026, 11, 1),
    )
    one = next(occurrences(item, SHANGHAI, local("2026-11-05T12:00"), local("2026-11-06T12:00")))
    assert one.deadline == one.closes == local("2026-11-06T00:00")


@given(
    started=st.lists(st.integers(0, 20 * 24 * 60), max_size=30),
    now=st.integers(0, 20 * 24 * 60),
    cut=st.integers(0, 20 * 24 * 60),
)
def test_every_closed_occurrence_is_told_exactly_once_wherever_reports_are_cut(
    started: list[int], now: int, cut: int
) -> None:
    """Two runs that report up to `cut` and up to `now` miss the same days as one that reports all."""
    first = local("2026-11-01T00:00")
    runs = [PastRun(str(n), "daily", first + timedelta(minutes=n), True) for n in started]
    end, middle = first + timedelta(minutes=now), first + timedelta(minutes=min(cut, now))

    def closed(since: datetime | None, until: datetime) -> list[str]:
        seen = [run for run in runs if run.started_at <= until]
        found = due([DAILY], seen, SHANGHAI, since, until)
        return [one.name for one in found if one.occurrence.deadline <= until]

    assert closed(None, middle) + closed(middle, end) == closed(None, end)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("items: [{id: x}]", "Object missing required field `playbook` - at `$[0]`"),
        ("[]", "it must hold a list named items"),
        ("items: {", "while parsing"),
        (
            "items: [{id: x, playbook: d, every: daily, at: '8:30', tolerance: 2h, since: 2026-11-01}]",
            "item x: at must be a time such as '08:30', not '8:30'",
        ),
        (
            "items: [{id: x, playbook: d, every: daily, at: '08:30', tolerance: 2w, since: 2026-11-01}]",
            "item x: tolerance must be such as '45m', '6h' or '2d', not '2w'",
        ),
        (
            "items: [{id: x, playbook: d, every: weekly, at: '08:30', tolerance: 2h, since: 2026-11-01}]",
            "item x: day must be one of monday, tuesday",
        ),
        (
            "items: [{id: x, playbook: d, every: daily, day: 1, at: '08:30', tolerance: 2h, "
            "since: 2026-11-01}]",
            "item x: a daily item has no 'day'",
        ),
    ],
)
def test_a_wrong_schedule_is_refused_by_file_and_item(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "schedule.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_two_items_of_one_id_are_refused(tmp_path: Path) -> None:
    line = "{id: x, playbook: d, every: daily, at: '08:30', tolerance: 2h, since: 2026-11-01}"
    path = tmp_path / "schedule.yml"
    path.write_text(f"items: [{line}, {line}]", encoding="utf-8")
    with pytest.raises(UsageError, match="two items have the same id"):
        load(path)


def test_without_a_schedule_nothing_is_due(tmp_path: Path) -> None:
    assert load(tmp_path / "schedule.yml") == []
